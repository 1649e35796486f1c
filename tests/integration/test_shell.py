"""docs/shell.md and docs/jobs.md: each stint line of a page is run, and prints what the page says."""

import os
import re
import subprocess

import harness

DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs")


def blocks(kind, page="shell.md"):
    with open(os.path.join(DOCS, page)) as f:
        return re.findall(rf"^## (.*?)$|^```{kind}\n(.*?)^```$", f.read(), re.M | re.S)


def steps(block):
    """Commands, each with what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


class Shell(harness.Case):
    def sh(self, command):
        programs = os.path.dirname(harness.program("stint"))
        return subprocess.run(["bash", "-c", command], cwd=self.place.path("page"), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.DEADLINE_S,
                              env=dict(os.environ, STINT_ENDPOINT=self.place.endpoint, LC_ALL="C",
                                       PATH=programs + ":" + os.environ["PATH"]))

    def test_every_line_of_the_page_does_what_it_says(self):
        self.assertGreaterEqual(self.run_page("shell.md"), 20)

    def test_every_line_about_jobs_does_what_it_says(self):
        self.assertGreaterEqual(self.run_page("jobs.md"), 15)

    def run_page(self, page):
        """How many lines it has."""
        self.place.broker()
        programs = os.path.dirname(harness.program("stint")) # jobs ask for others, too
        self.place.worker("--exec", "--slots", "2", env={"PATH": programs + ":" + os.environ["PATH"]})
        os.mkdir(self.place.path("page"))
        (_, setup), = [b for b in blocks("setup", page) if b[1]]
        self.assertEqual(self.sh(setup).returncode, 0)
        title, count = "", 0
        variables = ""
        for heading, block in blocks("stint", page):
            if heading:
                title = heading
                continue
            for command, printed in steps(block):
                count += 1
                with self.subTest(section=title, command=command):
                    if re.match(r"\w+=\$\(", command):  # later lines of the page use it
                        r = self.sh(f"{variables}{command}; declare -p {command.split('=')[0]}")
                        variables += r.stdout
                        self.assertEqual(r.stderr, "")
                        continue
                    r = self.sh(variables + command)
                    # Both streams are one on a terminal; here what is said comes behind what is put out.
                    told = [line for line in printed.splitlines() if line in r.stderr.splitlines()]
                    put = [line for line in printed.splitlines() if line not in told]
                    self.assertEqual(r.stdout.splitlines(), put, r.stderr)
                    self.assertEqual(r.stderr.splitlines(), told)
        return count

    def test_the_page_compares_with_each_of_the_others(self):
        with open(os.path.join(DOCS, "shell.md")) as f:
            sections = re.split(r"^## ", f.read(), flags=re.M)[1:]
        compared = [s for s in sections if "```stint" in s]
        self.assertGreaterEqual(len(compared), 10)
        for section in compared:
            for tool in ("xargs", "parallel", "tsp"):
                self.assertIn(f"| {tool} |", section, section.splitlines()[0])


if __name__ == "__main__":
    harness.main()
