"""stint fleet scale: a command of the user's is told how much there is to do and who does it, one run
after the other; what it does wrong is told and survived, and it ends with us."""

import json
import os
import signal
import subprocess

import harness

EXAMPLE = os.path.join(os.path.dirname(__file__), "..", "..", "packaging", "examples", "scale-here.py")
QUICK = ["--every", "100ms"]


class Scale(harness.Case):
    def start(self, *args, **kwargs):
        log = self.place.path(f"scale-{len(os.listdir(self.place.directory))}.log")
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.DEVNULL)
        with open(log, "wb") as err:
            p = subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, "fleet", "scale", *args],
                                 stderr=err, **kwargs)
        self.addCleanup(self.end, p)
        p.said = lambda: self.text(log)
        return p

    @staticmethod
    def end(p):
        if p.poll() is None:
            p.kill()
        p.wait()
        if p.stdout:
            p.stdout.close()

    @staticmethod
    def text(path):
        if not os.path.exists(path):
            return ""
        with open(path) as f:
            return f.read()

    def once(self, *args, **kwargs):
        return self.place.stint("fleet", "scale", "--once", *args, **kwargs)

    def told(self, *args, **kwargs):
        """What the command reads."""
        r = self.once(*args, "--", "cat", **kwargs)
        self.assertExit(r, 0)
        self.assertEqual(r.stdout.count("\n"), 1)
        return json.loads(r.stdout)

    def lines(self, path):
        return self.text(path).splitlines()


class Told(Scale):
    def setUp(self):
        super().setUp()
        self.place.broker()

    def submit(self, count, queue, kind="k"):
        r = self.place.stint("submit", "-E", "-q", queue, "-k", kind, input="x\n" * count)
        self.assertExit(r, 0)

    def test_figures_of_each_queue_and_of_all(self):
        self.submit(3, "mail")
        self.place.worker("--handle", "k=sleep 1000", "--queue", "busy", "--queue", "idle", "--slots", "3",
                          "--name", "one", "--no-prefetch")
        self.place.worker("--handle", "k=sleep 1000", "--queue", "busy", "--slots", "2", "--name", "two",
                          "--no-prefetch")
        self.submit(4, "busy")
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 4, "four jobs run")
        told = self.told()
        self.assertEqual((told["schema"], told["version"], told["run"], told["every_ms"], told["partial"]),
                         ("stint.scale/1", 1, 1, 30000, False))
        queues = {q["name"]: q for q in told["queues"]}
        self.assertEqual(set(queues), {"mail", "busy", "idle"})
        states = dict.fromkeys(("ready", "scheduled", "running", "succeeded", "dead", "cancelled", "expired", "blocked"), 0)
        oldest = queues["mail"].pop("oldest_ready_ms")
        self.assertGreaterEqual(oldest, 1)
        self.assertEqual(queues["mail"], {"name": "mail", **states, "ready": 3, "workers": 0, "slots": 0,
                                          "slots_free": 0})
        self.assertEqual(queues["busy"], {"name": "busy", **states, "running": 4, "oldest_ready_ms": 0,
                                          "workers": 2, "slots": 5, "slots_free": 1})
        self.assertEqual((queues["idle"]["workers"], queues["idle"]["slots"]), (1, 3))
        total = told["total"]
        self.assertEqual(total.pop("oldest_ready_ms"), oldest)
        self.assertEqual(total, {**states, "ready": 3, "running": 4, "workers": 2, "slots": 5, "slots_free": 1})
        self.assertExit(self.place.stint("worker", "pause", "--all"), 0)
        harness.wait_until(lambda: self.told()["total"]["slots_free"] == 0, "a paused worker's slots are not free")

    def test_only_the_queues_that_are_named_and_those_that_are_not_there(self):
        self.submit(1, "mail")
        self.submit(2, "other")
        self.place.worker("--exec", "--queue", "elsewhere", "--slots", "7")
        self.place.worker("--exec", "--queue", "other", "--queue", "elsewhere", "--slots", "2")
        harness.wait_until(lambda: len(self.place.json("workers")) == 2, "the workers are there")
        told = self.told("-q", "other", "--queue", "never")
        self.assertEqual({q["name"]: (q["ready"], q["workers"]) for q in told["queues"]}, {"other": (2, 1), "never": (0, 0)})
        self.assertEqual((told["total"]["ready"], told["total"]["workers"], told["total"]["slots"]), (2, 1, 2))

    def test_the_age_grows_and_is_shown_by_queues_too(self):
        self.submit(1, "mail", "unheard-of")
        age = self.told()["total"]["oldest_ready_ms"]
        self.assertGreaterEqual(age, 1)
        harness.wait_until(lambda: self.told()["total"]["oldest_ready_ms"] > age, "it is older")
        row, = self.place.json("queues")
        self.assertGreater(row["oldest_ready_ms"], age)
        self.assertIn("OLDEST", self.place.stint("queues").stdout)
        ids = [r["id"] for r in self.place.json("ls")]
        self.assertExit(self.place.stint("cancel", *ids), 0)
        self.assertNotIn("oldest_ready_ms", self.place.json("queues")[0])
        self.assertEqual(self.told()["total"]["oldest_ready_ms"], 0)

    def test_what_a_worker_serves_may_be_too_much_to_be_told(self):
        names = [f"queue-with-a-rather-long-name-{n:03}" for n in range(100)]
        self.place.worker("--exec", "--slots", "4", *[w for n in names for w in ("--queue", n)])
        harness.wait_until(lambda: self.place.json("workers"), "the worker is there")
        told = self.told()
        self.assertTrue(told["partial"])
        self.assertEqual((told["total"]["workers"], told["total"]["slots"]), (1, 4))
        queues = {q["name"]: q for q in told["queues"]}
        self.assertEqual(set(queues), set(names))
        self.assertEqual(queues[names[0]]["slots"], 4)
        self.assertEqual({q["workers"] for q in told["queues"]}, {1})

    def test_much_is_told_to_who_reads_nothing_of_it(self):
        r = self.place.stint("submit", "-E", "-q", "q", input="x\n")
        names = [w for n in range(3000) for w in ("-q", f"some-queue-that-is-not-there-{n}")]
        r = self.once(*names, "--", "true")
        self.assertExit(r, 0)
        r = self.once(*names, "--", "sh", "-c", "exec <&-; exit 7")
        self.assertExit(r, 7)
        self.assertEqual(len(self.told(*names)["queues"]), 3000)


class Command(Scale):
    def setUp(self):
        super().setUp()
        self.place.broker("--heartbeat", "200ms", "--lost", "5s")

    def test_once_ends_as_the_command_does(self):
        for command, code in ((["true"], 0), (["sh", "-c", "exit 42"], 42), (["sh", "-c", "kill -9 $$"], 137),
                              (["no-such-program"], 127), (["/etc/passwd"], 126), (["/"], 126)):
            with self.subTest(command=command):
                r = self.once("--", *command)
                self.assertExit(r, code)
                self.assertEqual(bool(r.stderr), code != 0)
        r = self.once("--timeout", "200ms", "--", "sh", "-c", "sleep 1000; true")
        self.assertExit(r, 124)
        self.assertIn("took longer than 200 ms", r.stderr)

    def test_no_shell_reads_the_arguments(self):
        r = self.once("--", "printf", "%s|", "$HOME", "a b", "-q", "--json")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "$HOME|a b|-q|--json|")

    def test_it_runs_again_and_again_and_never_twice_at_once(self):
        runs = self.place.path("runs")
        p = self.start(*QUICK, "--", "sh", "-c",
                       f"mkdir {runs}.lock || echo twice >>{runs}; cat >>{runs}; sleep 0.3; rmdir {runs}.lock")
        harness.wait_until(lambda: len(self.lines(runs)) >= 4, "it ran four times")
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(30), 143)
        told = [json.loads(line) for line in self.lines(runs)]
        self.assertEqual([t["run"] for t in told], list(range(1, len(told) + 1)))
        self.assertEqual(p.said(), "")

    def test_each_kind_of_failure_is_told_once_and_it_goes_on(self):
        runs = self.place.path("runs")
        script = (f"echo x >>{runs}; n=$(wc -l <{runs}); case $((n % 4)) in 0) exit 3 ;; 1) kill -9 $$ ;; "
                  "2) sleep 1000 ;; *) exit 0 ;; esac")
        p = self.start(*QUICK, "--timeout", "300ms", "--", "sh", "-c", script)
        harness.wait_until(lambda: len(self.lines(runs)) >= 13, "it ran more than three times each way")
        self.assertIsNone(p.poll())
        self.assertEqual(sorted(p.said().splitlines()),
                         ["stint fleet: sh ended with exit status 3", "stint fleet: sh took longer than 300 ms, and was ended",
                          "stint fleet: sh was killed by signal 9"])
        p = self.start(*QUICK, "--", self.place.path("later"))
        harness.wait_until(lambda: "can't run" in p.said(), "it says that it is not there")
        with open(self.place.path("later.new"), "w") as f:
            f.write(f"#!/bin/sh\ntouch {self.place.path('came')}\n")
        os.chmod(self.place.path("later.new"), 0o755)
        os.rename(self.place.path("later.new"), self.place.path("later"))
        harness.wait_until(lambda: os.path.exists(self.place.path("came")), "it is run once it is there")
        self.assertEqual(p.said().count("\n"), 1)

    def test_what_the_command_has_started_ends_with_it_at_a_timeout_and_at_a_signal(self):
        pids = self.place.path("pids")
        stubborn = f"trap '' TERM; sleep 1000 & echo $! >>{pids}; sleep 1000 & echo $! >>{pids}; wait; wait; sleep 1000"
        r = self.once("--timeout", "500ms", "--", "sh", "-c", stubborn)
        self.assertExit(r, 124)
        asked = self.place.path("asked")
        polite = f"(trap 'echo x >>{asked}; exit' TERM; echo ready >>{pids}.ready; while :; do sleep 0.05; done) 2>/dev/null &"
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            before = len(self.lines(pids + ".ready"))
            p = self.start("--", "sh", "-c", f"{polite} echo $! >>{pids}; wait")
            harness.wait_until(lambda: len(self.lines(pids + ".ready")) > before, "it has begun")
            p.send_signal(number)
            self.assertEqual(p.wait(30), code, p.said())
            self.assertEqual(p.said(), "")
        self.assertEqual(len(self.lines(asked)), 3)  # they were asked to end, and not killed at once
        for pid in self.lines(pids):
            harness.wait_until(lambda: self.is_gone(pid), f"process {pid} has ended")

    @staticmethod
    def is_gone(pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    def test_the_command_ends_when_we_are_killed(self):
        path = self.place.path("pid")
        p = self.start("--", "sh", "-c", f"echo $$ >{path}.new; mv {path}.new {path}; exec sleep 1000")
        harness.wait_until(lambda: self.lines(path), "it has begun")
        p.kill()
        harness.wait_until(lambda: self.is_gone(self.lines(path)[0]), "it has ended, too")

    def test_json_tells_a_line_a_run_and_the_commands_output_does_not_mix(self):
        r = self.once("--json", "--", "sh", "-c", "echo mixed; exit 3")
        self.assertExit(r, 3)
        row, = [json.loads(line) for line in r.stdout.splitlines()]
        self.assertGreaterEqual(row.pop("ms"), 0)
        self.assertEqual(row, {"schema": "stint.scaled/1", "run": 1, "exit_status": 3})
        self.assertIn("mixed", r.stderr)
        for args, field in ((["--timeout", "100ms", "--", "sleep", "1000"], {"timed_out": True}),
                            (["--", "sh", "-c", "kill -15 $$"], {"signal": 15}),
                            (["--", "no-such-program"], {"error": "No such file or directory"})):
            row, = [json.loads(line) for line in self.once("--json", *args).stdout.splitlines()]
            self.assertLessEqual(field.items(), row.items())

    def test_a_reader_of_json_that_goes_ends_it(self):
        p = self.start(*QUICK, "--json", "--", "true", stdout=subprocess.PIPE)
        self.assertIn(b"scaled", p.stdout.readline())
        p.stdout.close()
        self.assertEqual(p.wait(30), 141)
        self.assertEqual(p.said(), "")

    def test_standard_streams_that_are_closed_do_not_matter_to_it(self):
        out = self.place.path("out")
        script = f"exec {harness.program('stint')} -e {self.place.endpoint} fleet scale --once -- sh -c 'cat >{out}' <&- >&- 2>&-"
        self.assertEqual(subprocess.run(["sh", "-c", script], timeout=30).returncode, 0)
        self.assertEqual(json.loads(self.text(out))["schema"], "stint.scale/1")

    def test_the_command_asks_the_same_broker_and_has_nothing_of_ours_open(self):
        r = self.once("--", "sh", "-c", "echo $STINT_ENDPOINT; ls /proc/$$/fd; trap")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout.split()[:4], [self.place.endpoint, "0", "1", "2"])
        self.assertEqual(len(r.stdout.split()), 4, r.stdout)

    def test_a_broker_that_goes_away_is_told_and_waited_for(self):
        runs = self.place.path("runs")
        p = self.start(*QUICK, "--", "sh", "-c", f"cat >>{runs}")
        harness.wait_until(lambda: len(self.lines(runs)) >= 2, "it runs")
        self.place.broker_process.kill()
        harness.wait_until(lambda: "no answer from the broker" in p.said(), "it says so")
        before = len(self.lines(runs))
        self.assertIsNone(p.poll())
        self.place.broker()
        harness.wait_until(lambda: len(self.lines(runs)) > before, "it goes on")
        self.assertEqual(p.said().count("\n"), 2)
        self.assertIn("the broker is back", p.said())
        self.place.broker_process.kill()
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(30), 143)

    def test_a_command_that_takes_long_loses_no_conversation(self):
        p = self.start("--", "sleep", "1000")
        harness.wait_until(lambda: self.place.stats()["peers"] >= 2, "it is connected")
        epoch = self.place.stats()["epoch"]
        self.place.broker_process.kill()
        self.place.broker()
        harness.wait_until(lambda: self.place.stats()["epoch"] > epoch and self.place.stats()["peers"] >= 2,
                           "it is connected again while its command runs")
        self.assertIsNone(p.poll())


class Example(Scale):
    def test_the_example_starts_workers_while_there_is_work_and_they_end(self):
        self.place.broker("--heartbeat", "200ms", "--lost", "5s")
        path = os.path.dirname(harness.program("stint-worker")) + ":" + os.environ["PATH"]
        p = self.start("--every", "1s", "-q", "mail", "--", EXAMPLE, "2", "10", "stint-worker", "--queue", "mail",
                       "--exec", "--slots", "2", "--exit-idle", "500ms", env=dict(os.environ, PATH=path))
        r = self.place.stint("map", "-q", "mail", "-S", "echo {}", input="".join(f"{n}\n" for n in range(50)))
        self.assertExit(r, 0)
        self.assertEqual(r.stdout.split(), [str(n) for n in range(50)])
        harness.wait_until(lambda: not self.place.json("workers"), "the workers have ended")
        self.assertIsNone(p.poll())
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(30), 143)


if __name__ == "__main__":
    harness.main()
