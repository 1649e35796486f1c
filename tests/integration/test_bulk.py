"""stint bulk and the filters of stint ls, with real programs: what is counted, done and told, a broker that is
killed in the middle, a command that is interrupted, and a terminal that is asked."""

import os
import pty
import signal
import subprocess

import harness

MANY = 30000


class Bulk(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker("--log-level", "info")

    def fill(self, count, queue="fill"):
        r = self.place.stint("bench", "-m", "submit", "-b", "1000", "-n", str(count), "-q", queue, timeout=120)
        self.assertExit(r, 0)

    def states(self):
        return self.place.stats()["jobs"]

    def bulk(self, *args, **kwargs):
        return self.place.json("bulk", "--yes", *args, **kwargs)[0]

    def shown(self, number):
        return self.place.json("bulk", "show", number)[0]

    def test_each_operation_does_what_it_counted(self):
        self.fill(2000)
        for args, done, jobs in ((("priority", "--to", "7", "--where", "queue=fill"), 2000, {"ready": 2000}),
                                 (("move", "--to", "other", "--where", "priority=7"), 2000, {"ready": 2000}),
                                 (("cancel", "--where", "queue=other"), 2000, {"cancelled": 2000}),
                                 (("retry", "--where", "state=cancelled"), 2000, {"ready": 2000}),
                                 (("promote", "--where", "state=scheduled"), 0, {"ready": 2000}),
                                 (("delete", "--where", "queue=oth*", "--where", "state=ready"), 2000, {})):
            told = self.bulk(*args)
            self.assertEqual((told["state"], told["counted"], told["done"], told["refused"], told["moved"]),
                             ("done", done, done, 0, 0), told)
            self.assertEqual({s: n for s, n in self.states().items() if n}, jobs)
        self.assertEqual(len(self.place.json("bulk", "ls")), 6)

    def test_a_dry_run_counts_and_shows_three_and_does_nothing(self):
        self.fill(500)
        r = self.place.stint("bulk", "delete", "--dry-run", "--where", "queue=fill")
        self.assertExit(r, 0)
        self.assertIn("500 jobs; nothing was done", r.stderr)
        self.assertEqual(len(r.stdout.splitlines()), 4, r.stdout)
        self.assertEqual(self.states()["ready"], 500)
        told = self.place.json("bulk", "delete", "--dry-run", "--where", "queue=fill")[0]
        self.assertEqual((told["counted"], told["done"], told["dry"], len(told["examples"])), (500, 0, True, 3))

    def test_what_is_not_clear_is_refused_and_nothing_is_done(self):
        self.fill(10)
        for args, part in ((("cancel",), "--where"), (("cancel", "--where", ""), "empty"),
                           (("cancel", "--all", "--where", "queue=a"), "--where"),
                           (("cancel", "--where", "queue=fill"), "--yes"),
                           (("cancel", "--yes", "--where", "queu=fill"), "no field queu"),
                           (("cancel", "--yes", "--where", "age>1y"), "no time"),
                           (("cancel", "--where", "queu=fill"), "no field queu"),
                           (("cancel", "--yes", "--where", "priority~1"), "can't be compared"),
                           (("move", "--yes", "--where", "queue=fill"), "--to"),
                           (("cancel", "--yes", "--to", "x", "--where", "queue=fill"), "--to"),
                           (("priority", "--yes", "--to", "256", "--where", "queue=fill"), "255"),
                           (("explode", "--yes", "--all"), "cancel, retry"), ((), "what?"),
                           (("show",), "which"), (("show", "xyz"), "no id"), (("show", "abcd"), "none"),
                           (("stop", "00000000000000aa"), "none of this number")):
            r = self.place.stint("bulk", *args)
            self.assertNotEqual(r.returncode, 0, args)
            self.assertIn(part, r.stderr, args)
        self.assertEqual(self.states()["ready"], 10)

    def test_a_broker_that_is_killed_in_the_middle_goes_on(self):
        self.fill(MANY)
        r = self.place.stint("bulk", "cancel", "--yes", "--no-wait", "--where", "queue=fill")
        number = r.stdout.strip()
        self.assertEqual(len(number), 16, r.stderr)
        kills = 0
        while True:
            harness.wait_until(lambda: self.states()["cancelled"] > min(MANY - 1, kills * MANY // 5), "it works")
            if self.shown(number)["state"] == "done":
                break
            self.place.broker_process.kill()
            kills += 1
            self.place.broker("--log-level", "info")
            shown, cancelled = self.shown(number), self.states()["cancelled"]
            self.assertLessEqual(shown["done"], cancelled)  # asked for first
            self.assertEqual(shown["counted"], MANY)
            if kills == 4:
                self.assertExit(self.place.stint("bulk", "wait", number, timeout=120), 0)
        self.assertGreater(kills, 0)
        told = self.shown(number)
        self.assertEqual((told["done"], told["refused"]), (MANY, 0))
        self.assertEqual(self.states()["cancelled"], MANY)
        self.assertEqual(self.place.broker_process.stop(), 0)
        r = subprocess.run([harness.program("stintd"), "--verify", "--data", self.place.path("data")],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)

    def stintd(self, *args):
        r = subprocess.run([harness.program("stintd"), *args], capture_output=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def test_one_that_goes_on_is_gone_on_with_by_who_loads_a_dump(self):
        self.fill(MANY)
        self.bulk("cancel", "--where", "queue=nosuch")
        number = self.place.stint("bulk", "cancel", "--yes", "--no-wait", "--where", "queue=fill").stdout.strip()
        self.place.broker_process.kill()
        dump = self.stintd("--dump", "--data", self.place.path("data"))
        os.rename(self.place.path("data"), self.place.path("before"))
        with open(self.place.path("lines"), "wb") as f:
            f.write(dump)
        self.stintd("--load", self.place.path("lines"), "--data", self.place.path("data"))
        self.assertEqual(self.stintd("--dump", "--data", self.place.path("data")), dump)
        self.place.broker("--log-level", "info")
        self.assertExit(self.place.stint("bulk", "wait", number, timeout=120), 0)
        self.assertEqual(self.shown(number)["done"], MANY)
        self.assertEqual(self.states()["cancelled"], MANY)
        self.assertEqual(len(self.place.json("bulk", "ls")), 2)

    def test_one_of_which_all_is_refused_fails(self):
        self.fill(3)
        self.place.stint("queue", "close", "shut")
        r = self.place.stint("bulk", "move", "--yes", "--where", "queue=fill", "--to", "shut")
        self.assertExit(r, 75)
        self.assertIn("0 of 3 jobs moved to shut; 3 could not be", r.stderr)
        self.assertExit(self.place.stint("bulk", "move", "--json", "--yes", "--where", "queue=fill", "--to", "shut"), 75)
        self.assertEqual(self.states()["ready"], 3)
        self.assertExit(self.place.stint("bulk", "move", "--yes", "--where", "queue=nowhere", "--to", "shut"), 0)

    def test_jobs_that_come_meanwhile_are_left(self):
        self.fill(MANY)
        number = self.place.stint("bulk", "delete", "--yes", "--no-wait", "--where", "queue=fill").stdout.strip()
        late = [self.place.stint("submit", "-q", "fill", "late").stdout.strip() for _ in range(3)]
        self.assertExit(self.place.stint("bulk", "wait", number, timeout=120), 0)
        self.assertEqual(self.shown(number)["done"], MANY)
        self.assertEqual([j["id"] for j in self.place.json("ls")], late)

    def interrupt_one(self, count):
        """The command and what it said, interrupted while its operation works on so many jobs."""
        self.fill(count)
        before = self.states()["cancelled"]
        argv = [harness.program("stint"), "bulk", "cancel", "--endpoint", self.place.endpoint, "--yes",
                "--where", "queue=fill"]
        command = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.wait_until(lambda: self.states()["cancelled"] > before or command.poll() is not None, "it works")
        command.send_signal(signal.SIGINT)
        return command, command.communicate(timeout=60)[1]

    def test_one_that_is_stopped_and_one_that_is_left_alone(self):
        done = 0
        for count in (MANY, 4 * MANY, 16 * MANY):  # a quick one is done before it can be interrupted
            command, said = self.interrupt_one(count)
            if command.returncode != 0:
                break
            done += count
        self.assertEqual(command.returncode, 128 + signal.SIGINT)
        number = said.split("stint bulk stop ")[1].strip()
        r = self.place.stint("bulk", "stop", number[:10])
        self.assertExit(r, 0)
        shown = self.shown(number)
        self.assertIn(shown["state"], ("stopped", "done"))
        self.assertEqual(shown["done"] + done, self.states()["cancelled"])
        self.assertIn("bulk operation is stopped" if shown["state"] == "stopped" else "ended",
                      self.place.broker_process.log())

    def test_a_person_at_a_terminal_is_asked(self):
        self.fill(20)
        for answer, left in ((b"n\n", 20), (b"y\n", 0)):
            main, other = pty.openpty()
            p = subprocess.Popen([harness.program("stint"), "bulk", "delete", "--endpoint", self.place.endpoint,
                                  "--where", "queue=fill"], stdin=other, stdout=other, stderr=other)
            os.close(other)
            seen = b""
            while b"y or n" not in seen:
                seen += os.read(main, 4096)
            os.write(main, answer)
            self.assertEqual(p.wait(timeout=harness.DEADLINE_S), 0 if left == 0 else 1)
            os.close(main)
            self.assertIn(b"delete 20 jobs?", seen)
            self.assertEqual(self.states()["ready"], left)

    def test_a_list_takes_filters_columns_and_the_newest(self):
        for i in range(30):
            self.assertExit(self.place.stint("submit", "-q", f"q{i % 3}", "-p", str(100 + i % 2), f"{i}"), 0)
        newest = self.place.json("ls", "--newest", "--limit", "5")
        self.assertEqual([j["queue"] for j in newest], ["q2", "q1", "q0", "q2", "q1"])
        times = [j["submitted"] for j in newest]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(len(self.place.json("ls", "--where", "queue=q1 priority=101")), 5)
        self.assertEqual(len(self.place.json("ls", "--where", "queue=q*", "--since", "1h")), 30)
        self.assertEqual(len(self.place.json("ls", "--where", "age>1h")), 0)
        r = self.place.stint("ls", "--columns", "id,priority,bytes", "--where", "queue=q0", "-n", "3")
        self.assertEqual(r.stdout.splitlines()[0].split(), ["ID", "PRIORITY", "BYTES"])
        self.assertEqual(len(r.stdout.splitlines()), 4)
        for args, part in ((("--columns", "id,shape"), "no such column"), (("--since", "soon"), "--since"),
                           (("--newest", "--limit", "0"), "--limit"), (("--where", "x=1"), "no field x")):
            r = self.place.stint("ls", *args)
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(part, r.stderr)


if __name__ == "__main__":
    harness.main()
