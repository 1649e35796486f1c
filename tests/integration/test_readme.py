"""The README's other blocks: each that can be run is, and prints what the page says, but for its numbers.
That of three hosts is test_quickstart.py's."""

import os
import pty
import re
import subprocess
import unittest

import harness
import readme

CONVERT = """#!/bin/sh
# As ImageMagick's, for our purpose: FILE -resize N TO
[ "$2 $3" = "-resize 800" ] || exit 2
sleep 0.02
cp "$1" "$4"
"""
PHOTOS = 200


def pattern(line):
    """Of a line of the page: its numbers and its bar are any."""
    line = re.escape(line)
    line = re.sub(r"(?:\\#|\\\.){9,}", "[#.]*", line)
    line = re.sub(r"ETA\\ \d+s", "ETA .*", line)
    return re.sub(r"\d+", lambda _: r"\d+", line)


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, command, directory, env):
        self.said = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe("bash", ["bash", "-c", command], env)

    def read(self):
        try:
            self.said += os.read(self.fd, 65536)
            return True
        except OSError:  # it was the last one's
            return False

    def type(self, text):
        os.write(self.fd, text)

    def wait(self):
        while self.read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Readme(harness.Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.place.path("bin"))
        self.env = dict(os.environ, LC_ALL="C", TERM="dumb", COLUMNS="80", PATH=":".join(
            [self.place.path("bin"), *(os.path.dirname(harness.program(p)) for p in ("stint", "stintd", "stint-worker")),
             os.environ["PATH"]]))
        self.env.pop("STINT_ENDPOINT", None)

    def test_what_was_interrupted_goes_on(self):
        with open(self.place.path("bin", "convert"), "w") as f:
            f.write(CONVERT)
        os.chmod(f.name, 0o755)
        os.mkdir(self.place.path("photos"))
        for n in range(PHOTOS):
            with open(self.place.path("photos", f"{n}.jpg"), "w") as f:
                f.write(str(n))
        (first, bar), (second, resumed), (status, code) = list(readme.steps("$"))[:3]
        self.assertEqual((first, status), (second, "echo $?"))
        t = Terminal(first, self.place.directory, self.env)
        done = re.compile(rb"\[#[#.]*\] (\d+)/200 ")
        while not any(int(n) >= PHOTOS // 8 for n in done.findall(t.said)):
            self.assertTrue(t.read(), t.said)
        t.type(b"\x03")
        self.assertEqual(t.wait(), 130, t.said)
        said = t.said.decode().replace("\r\x1b[K", "\n")  # what is written over has been seen
        for line in bar.splitlines():
            self.assertRegex(said, f"(?m)^{pattern(line)}\r?$")
        before = len([name for name in os.listdir(self.place.path("photos")) if name.endswith(".webp")])
        self.assertLess(before, PHOTOS)
        t = Terminal(second, self.place.directory, self.env)
        self.assertEqual(t.wait(), int(code), t.said)
        told = re.search(pattern(resumed.strip()), t.said.decode())
        self.assertTrue(told, t.said)
        self.assertEqual(sum(map(int, re.findall(r"\d+", told[0]))), PHOTOS)
        for n in range(PHOTOS):
            with open(self.place.path("photos", f"{n}.webp")) as f:
                self.assertEqual(f.read(), str(n))

    def test_without_a_broker_of_ones_own(self):
        command, said = list(readme.steps("$"))[3]
        self.assertIn("--local /tmp/w", command)
        r = subprocess.run(["bash", "-c", command.replace("/tmp/w", self.place.path("w"))], text=True, capture_output=True,
                           env=self.env, timeout=harness.DEADLINE_S)
        self.assertEqual((r.returncode, r.stdout), (0, said), r.stderr)

    def test_the_c_program(self):
        block = re.search(r"^```c\n(.*?)^```$", readme.text(), re.M | re.S)[1]
        include, rest = block.split("\n", 1)
        with open(self.place.path("try.c"), "w") as f:
            f.write(f"{include}\nint\nmain(void)\n{{\n{rest.replace('...;', 'return 1;')}\nreturn 0;\n}}\n")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        built = os.path.join(harness.BUILD, "client")
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", self.place.path("try"), f.name,
                        *("-I" + os.path.join(source, d) for d in ("client", "proto")), "-L" + built, "-lstint", "-Wl,-rpath," + built],
                       check=True)
        self.place.broker()
        r = subprocess.run([self.place.path("try")], env=dict(self.env, STINT_ENDPOINT=self.place.endpoint), timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, 0)
        job, = self.place.json("ls")
        self.assertEqual((job["kind"], job["state"]), ("mail", "ready"))

    def test_each_block_is_somebodys(self):
        """What has a prompt is run, here or by test_quickstart.py; the rest is known."""
        prompts = [m for block in readme.blocks() for m in re.findall(r"^(\w*[$#]) ", block, re.M)]
        self.assertEqual(set(prompts), {"$", "broker$"})
        self.assertEqual(len(list(readme.steps("$"))), 4)
        others = [block.split()[0] for block in readme.blocks() if not re.match(r"\w*[$#] ", block)]
        self.assertEqual(others, ["./dev", "./dev", "proto/"])


if __name__ == "__main__":
    harness.main()
