"""Queues are controlled from the command line, with real brokers and workers: a pause lasts through kills, who
submits to a closed queue waits and is told why once, and only an empty one can be removed."""

import os
import shutil
import subprocess

import harness

OPTIONS = ["--heartbeat", "200ms", "--lost", "20s", "--grace", "20s"]


class Queues(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*OPTIONS)

    def worker(self, *options):
        return self.place.worker("--handle", "sleep=sleep 1000", "--handle", "echo=cat", "--queue", "mail",
                                 "--queue", "other", "--slots", "1", *options)

    def queue(self, action, *names):
        r = self.place.stint("queue", action, *names)
        self.assertExit(r, 0)
        return r.stderr

    def submit(self, queue="mail", kind="echo", *options):
        r = self.place.stint("submit", "--queue", queue, "--kind", kind, *options, "x")
        self.assertExit(r, 0)
        return r.stdout.strip()

    def shown(self, name):
        return next((q for q in self.place.json("queues") if q["name"] == name), None)

    def until(self, job, state):
        harness.wait_until(lambda: self.place.state(job) == state, f"{job} is {state}")


class Pause(Queues):
    def test_a_pause_lasts_through_kills_and_the_other_queue_goes_on(self):
        said = self.queue("pause", "mail")
        self.assertIn("mail is paused; it was not there before", said)
        job = self.submit()
        self.worker()
        self.until(self.submit("other"), "succeeded")
        for _ in range(2):
            self.assertEqual(self.place.state(job), "ready")
            self.broker.kill()
            self.broker = self.place.broker(*OPTIONS)
            self.until(self.submit("other"), "succeeded")
        self.assertEqual(self.shown("mail")["paused"], True)
        self.assertIn("paused", self.place.stint("queues").stdout)
        self.assertEqual(self.queue("resume", "mail"), "stint queue: mail is resumed\n")
        self.until(job, "succeeded")

    def test_what_runs_goes_on_and_what_waits_in_a_worker_comes_back(self):
        self.worker("--prefetch", "3")
        jobs = [self.submit(kind="sleep") for _ in range(4)]
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 4, "the worker holds all")
        harness.wait_until(lambda: self.place.json("workers")[0].get("running") == 1, "one of them has begun")
        self.queue("pause", "mail")
        for job in jobs[1:]:
            self.until(job, "ready")
        self.assertEqual(self.place.state(jobs[0]), "running")
        self.assertExit(self.place.stint("cancel", jobs[0]), 0)
        self.until(self.submit("other"), "succeeded")
        self.assertEqual([self.place.state(j) for j in jobs[1:]], ["ready"] * 3)


    def test_who_waits_for_a_job_of_a_paused_queue_is_told_once(self):
        self.queue("pause", "mail")
        self.worker("--exec")
        waiting = subprocess.Popen([harness.program("stint"), "run", "-e", self.place.endpoint, "-q", "mail", "echo",
                                    "done"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(waiting.kill)
        self.assertIn("queue mail is paused", waiting.stderr.readline())
        self.queue("resume", "mail")
        said, rest = waiting.communicate(timeout=60)
        self.assertEqual((waiting.returncode, said, rest), (0, "done\n", ""))


class Close(Queues):
    def test_who_submits_waits_and_is_told_why_once(self):
        self.queue("close", "mail")
        self.worker()
        waiting = subprocess.Popen([harness.program("stint"), "submit", "-e", self.place.endpoint, "-q", "mail",
                                    "-k", "echo", "x"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(waiting.kill)
        said = waiting.stderr.readline()
        self.assertIn("queue mail is closed", said)
        self.assertIsNone(waiting.poll())
        self.queue("open", "mail")
        job, rest = waiting.communicate(timeout=60)
        self.assertEqual((waiting.returncode, rest), (0, ""))
        self.until(job.strip(), "succeeded")

    def test_it_is_refused_at_once_if_that_is_wanted_and_what_is_there_is_finished(self):
        job = self.submit(kind="echo")
        self.queue("close", "mail")
        r = self.place.stint("submit", "--no-wait", "--queue", "mail", "x")
        self.assertExit(r, 75)
        self.assertIn("queue mail is closed", r.stderr)
        self.worker()
        self.until(job, "succeeded")
        self.submit("other")


class Remove(Queues):
    def peeked(self):
        return [o["id"] for o in self.place.json("peek", "-n", "10", "mail")]

    def test_an_order_holds_for_what_waits_and_is_dumped_and_loaded(self):
        jobs = [self.submit() for _ in range(3)]
        self.assertEqual(self.queue("set", "mail", "--order", "lifo"),
                         "stint queue: mail hands out its newest jobs first\n")
        said = self.place.json("queue", "set", "--order", "lifo", "--priorities", "low-first", "mail")
        self.assertEqual([(o["action"], o["order"], o["priorities"]) for o in said],
                         [("lifo", "lifo", "high-first"), ("low-first", "lifo", "low-first")])
        low = self.submit("mail", "echo", "-p", "3")
        self.assertEqual(self.peeked(), [low, *reversed(jobs)])
        self.broker.stop()
        dumped = subprocess.run([harness.program("stintd"), "--data", self.place.path("data"), "--dump"],
                                capture_output=True, check=True).stdout
        subprocess.run([harness.program("stintd"), "--data", self.place.path("loaded"), "--load=-"], input=dumped,
                       check=True, capture_output=True)
        shutil.rmtree(self.place.path("data"))
        os.rename(self.place.path("loaded"), self.place.path("data"))
        self.broker = self.place.broker()
        self.assertEqual(self.peeked(), [low, *reversed(jobs)])
        self.assertEqual((self.shown("mail")["order"], self.shown("mail")["priorities"]), ("lifo", "low-first"))

    def test_what_is_no_order_is_refused(self):
        for words in (["set", "mail"], ["set", "mail", "--order", "random"], ["set", "--order", "lifo"],
                      ["set", "mail", "--priorities", "lifo"], ["pause", "mail", "--order", "lifo"]):
            self.assertExit(self.place.stint("queue", *words), 64)
        r = self.place.stint("queue", "set", "nowhere", "--order", "fifo")
        self.assertExit(r, 66)
        self.assertEqual(self.place.json("queues"), [])

    def test_only_an_empty_one_is_removed(self):
        job = self.submit("mail")
        self.assertExit(self.place.stint("cancel", job), 0)
        self.submit("other", "echo", "--keep", "0s")
        self.queue("pause", "empty")
        r = self.place.stint("queue", "rm", "mail", "nobody", "empty")
        self.assertExit(r, 65)
        self.assertIn("stint queue: mail: the broker at", r.stderr)
        self.assertIn("only an empty one", r.stderr)
        self.assertIn("stint queue: nobody: the broker at", r.stderr)
        self.assertIn("empty is removed", r.stderr)
        self.assertIsNone(self.shown("empty"))
        self.assertExit(self.place.stint("queue", "rm", "empty"), 66)
        self.worker()
        harness.wait_until(lambda: self.place.stint("queue", "rm", "other").returncode == 0, "it is empty")
        self.assertEqual(self.shown("other")["number"], 0)  # as a worker serves it
        self.until(self.submit("other"), "succeeded")


class Tell(Queues):
    def test_each_action_tells_how_the_queue_stands(self):
        expected = [("pause", True, False, True), ("close", True, True, False), ("resume", False, True, False),
                    ("open", False, False, False), ("rm", False, False, False)]
        for action, paused, closed, made in expected:
            told = self.place.json("queue", action, "mail")
            self.assertEqual(told, [{"schema": "stint.queue_setting/1", "queue": "mail", "action": action,
                                     "paused": paused, "closed": closed, "order": "fifo",
                                     "priorities": "high-first", "made": made, "weight": 1}])

    def test_what_it_is_not_told_it_asks_for(self):
        for args, named in (([], "pause"), (["pause"], "which queue"), (["stop", "mail"], "stop")):
            r = self.place.stint("queue", *args)
            self.assertExit(r, 64)
            self.assertIn(named, r.stderr)
        self.assertExit(self.place.stint("queue", "pause", "not a name"), 65)
        self.assertExit(self.place.stint("queue", "resume", "mail"), 66)


if __name__ == "__main__":
    harness.main()
