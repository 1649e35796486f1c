"""The README's table of the calls that stint grew from: each line's command is run, in the order of the table, and
does what the line says; each C function is declared, and used as the line says by seed_calls.c. A line without a
check here fails."""

import os
import re
import subprocess

import harness

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HEADERS = ("client/stint.h", "client/stint_objects.h", "broker/stint_embed.h", "worker/stint_worker.h")


def source(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def table():
    text = source("README.md").partition("| there | the command | in C |\n")[2].partition("\n\n")[0]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:4]]
            for line in text.splitlines()[1:]]


class Seed(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker()
        self.ids, self.ticket, self.watcher = [], None, None

    def run_line(self, command):
        """What it prints. ID stands for the first job, TICKET for the one that was taken."""
        command = command.strip("`").replace("ID", self.ids[0] if self.ids else "").replace(
            "TICKET", self.ticket or "")
        env = dict(os.environ, STINT_ENDPOINT=self.place.endpoint, XDG_RUNTIME_DIR=self.place.directory,
                   PATH=os.path.dirname(harness.program("stint")) + ":" + os.environ["PATH"])
        r = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=env, timeout=60)
        self.assertEqual(r.returncode, 0, f"{command}: {r.stderr}")
        return r.stdout

    # What each line has to do, by its first cell.

    def submitted(self, out):
        self.ids.append(out.strip())
        self.assertEqual(self.place.state(self.ids[-1]), "ready")

    def urgent_is_next(self, out):
        self.assertIn(self.ids[2], out)
        self.assertIn("urgent", out)

    def the_second_is_the_first_submitted(self, out):
        self.assertIn(self.ids[0], out)
        self.assertIn("hello", out)

    def it_is_hello(self, out):
        self.assertRegex(out, r"(?m)^payload +hello$")

    def it_is_bye(self, out):
        del out
        self.assertEqual(self.place.json("show", "--payload", self.ids[0])[0]["payload"], "bye\n")

    def there_are_three(self, out):
        self.assertRegex(out, r"(?m)^mail +3 ")

    def two_and_one(self, out):
        self.assertRegex(out, r"(?m)^mail +200 +1 ")
        self.assertRegex(out, r"(?m)^mail +100 +2 ")

    def four(self, out):
        self.assertIn("4", out)
        self.assertEqual(self.place.json("fleet", "size")[0]["slots"], 4)

    def one_worker(self, out):
        del out
        self.place.worker("--handle", "none=true", "--queue", "nothing")
        harness.wait_until(lambda: len(self.place.json("workers")) == 1, "it has come")

    def taken(self, out):
        self.assertIn("urgent", self.place.stint("show", self.ids[2]).stdout + out)
        self.assertEqual(self.place.state(self.ids[2]), "running")
        self.ticket = next(word for word in out.split() if self.ids[2] in word)

    def taken_from_a_prefix(self, out):
        self.assertEqual(self.place.state(self.news), "running")
        self.run_line("stint settle " + next(word for word in out.split() if self.news in word))

    def finished(self, out):
        del out
        self.assertEqual(self.place.state(self.ids[2]), "succeeded")

    def heard(self, out):
        self.assertIn("submitted", out)

    def newest_is_next(self, out):
        del out
        newest = self.place.stint("submit", "-q", "mail", "-p", "200", "newest").stdout.strip()
        self.place.stint("submit", "-q", "mail", "-p", "200", "older")
        self.assertIn("older", self.place.stint("peek", "mail").stdout)
        self.assertIn("newest", self.place.stint("peek", "--offset", "1", "mail").stdout)
        self.assertEqual(self.place.state(newest), "ready")

    def lowest_is_next(self, out):
        del out
        self.assertNotIn("older", self.place.stint("peek", "mail").stdout)

    def is_closed(self, out):
        del out
        self.assertTrue(next(q for q in self.place.json("queues") if q["name"] == "mail")["closed"])

    def is_gone(self, out):
        del out
        self.assertEqual(self.place.stint("show", self.ids[0]).returncode, 66)

    def old_is_gone(self, out):
        del out
        self.assertNotIn("old", [q["name"] for q in self.place.json("queues")])

    CHECKS = {"enqueue": submitted, "enqueue an object": submitted, "enqueue with a priority": submitted,
              "peek": urgent_is_next, "peek by offset, in dispatch order": the_second_is_the_first_submitted,
              "peek by id": it_is_hello, "update in place": it_is_bye, "length": there_are_three,
              "length, by priority": two_and_one, "a queue per prefix, and its length": there_are_three,
              "set the maximum of workers": four, "get the maximum of workers": four,
              "number of workers": one_worker, "dequeue by hand": taken,
              "dequeue from a prefix": taken_from_a_prefix, "finish by hand": finished,
              "jobs updated": heard, "job finished": finished,
              "LIFO: the newest first": newest_is_next, "ascending: the lowest priority first": lowest_is_next,
              "close": is_closed, "remove a job": is_gone,
              "drop an empty queue": old_is_gone}

    def listen(self, command):
        """Events come to who listens when they happen."""
        env = dict(os.environ, STINT_ENDPOINT=self.place.endpoint)
        words = command.strip("`").split()
        peers = self.place.stats()["peers"]
        p = subprocess.Popen([harness.program("stint"), *words[1:]], stdout=subprocess.PIPE, text=True, env=env)
        harness.wait_until(lambda: self.place.stats()["peers"] > peers, "it listens")
        while p.poll() is None:  # it may be connected and not subscribed yet
            self.place.stint("submit", "-q", "other", "x")
        return p.communicate(timeout=60)[0]

    def test_each_line_of_the_readme_does_what_it_says(self):
        lines = table()
        self.assertGreater(len(lines), 15)
        for there, command, _ in lines:
            with self.subTest(there=there):
                if there == "jobs updated":
                    self.heard(self.listen(command))
                elif there == "restore by opening":
                    self.restored(command)
                elif there == "job finished":
                    self.finished(self.run_line(command.replace("ID", self.ids[2])))
                else:
                    if there == "dequeue from a prefix":
                        self.news = self.place.stint("submit", "-q", "news.today", "x").stdout.strip()
                    if there == "drop an empty queue":
                        self.assertExit(self.place.stint("queue", "pause", "old"), 0)
                    self.CHECKS[there](self, self.run_line(command))

    def restored(self, command):
        self.assertEqual(command, "`stintd --data DIR`")
        self.broker.kill()
        self.broker = self.place.broker()
        self.assertEqual(self.place.state(self.ids[1]), "ready")

    def test_each_function_is_declared(self):
        declared = " ".join(map(source, HEADERS))
        for there, _, function in table():
            self.assertRegex(declared, rf"\b{function}\(", there)

    def test_each_function_does_what_the_line_says(self):
        calls = source("tests/integration/seed_calls.c")
        for there, _, function in table():
            self.assertRegex(calls, rf"\b{function}\(", there)
        r = subprocess.run([os.path.join(harness.BUILD, "tests/seed_calls"), self.place.path("seed")],
                           capture_output=True, text=True, timeout=300)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)


if __name__ == "__main__":
    harness.main()
