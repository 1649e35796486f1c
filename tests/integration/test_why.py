"""`stint why` says in one sentence why a job does not run and what would help, with real brokers and workers."""

import harness

OPTIONS = ["--heartbeat", "200ms", "--lost", "20s", "--grace", "20s"]


class Why(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*OPTIONS)

    def worker(self, *options, name="eno"):
        w = self.place.worker("--name", name, "--queue", "mail", "--slots", "2", *options)
        harness.wait_until(lambda: any(x["name"] == name for x in self.place.json("workers")), "it is there")
        return w

    def submit(self, kind="sleep", *options):
        r = self.place.stint("submit", "--queue", "mail", "--kind", kind, *options, "x")
        self.assertExit(r, 0)
        return r.stdout.strip()

    def why(self, *args, code=0):
        r = self.place.stint("why", *args)
        self.assertExit(r, code)
        self.assertEqual(r.stderr, "")
        return r.stdout

    def until(self, job, reason):
        return harness.wait_until(
            lambda: next((r for r in self.place.json("why", job) if r["reason"] == reason), None),
            f"{job} waits as {reason}")

    def test_from_the_first_submit_to_the_end(self):
        job = self.submit()
        start = "no worker serves queue mail; start one: stint-worker --queue mail "
        self.assertEqual(self.why(job), start + "--handle sleep=PROGRAM\n")
        self.assertEqual(self.why("--queue", "mail"), start + "--exec, or with --handle KIND=PROGRAM\n")
        w = self.worker("--handle", "other=cat")
        self.assertIn("1 worker serves queue mail, and none of them handles kind sleep", self.why(job))
        command = self.submit("exec")
        self.assertTrue(self.why(command).endswith("start one that does: stint-worker --queue mail --exec\n"))
        self.assertEqual(w.stop(), 0)
        self.assertEqual(self.why(command), start + "--exec\n")
        self.assertExit(self.place.stint("cancel", command), 0)
        self.place.stint("queue", "pause", "mail")
        self.assertEqual(self.why(job), "queue mail is paused; stint queue resume mail\n")
        self.worker("--handle", "sleep=sleep 1000", name="two")
        self.place.stint("worker", "pause", "two")
        self.place.stint("queue", "resume", "mail")
        self.assertIn("of the 1 worker for it none takes jobs: 1 paused; stint worker resume", self.why(job))
        self.place.stint("worker", "resume", "two")
        self.assertEqual(self.until(job, "running")["worker"], "two")
        self.assertEqual(self.why(job), "it runs, in worker two\n")
        self.assertExit(self.place.stint("cancel", job), 0)
        self.assertEqual(self.why(job), "it is over: cancelled; stint retry brings it back\n")

    def test_slots_that_are_taken_and_jobs_that_are_before_it(self):
        self.worker("--handle", "sleep=sleep 1000", "--prefetch", "0")
        jobs = [self.submit() for _ in range(5)]
        for job in jobs[:2]:
            self.until(job, "running")
        told = self.until(jobs[4], "busy")
        self.assertEqual((told["slots"], told["workers"], told["before"], told["queue"]), (2, 1, 2, "mail"))
        self.assertIn("all 2 slots of 1 worker are taken, and 2 jobs of queue mail are before it", told["sentence"])
        lines = self.why(*jobs).splitlines()
        self.assertEqual([line.split(": ")[0] for line in lines], jobs)
        queue, = self.place.json("why", "--queue", "mail")
        self.assertEqual((queue["reason"], queue["before"]), ("busy", 3))
        self.place.stint("queue", "close", "mail")
        self.assertIn("it is closed, so submits wait: stint queue open mail", self.why("--queue", "mail"))

    def test_a_retry_says_when_and_what_went_wrong(self):
        self.worker("--handle", "bad=sh -c 'echo no paper >&2; exit 3'", "--prefetch", "0")
        job = self.submit("bad", "--backoff", "1h")
        told = self.until(job, "retry")
        self.assertIn("it failed, and is tried again in ", told["sentence"])
        self.assertIn("exit", told["error"])
        shown, = self.place.json("show", job)
        self.assertIn("it failed, and is tried again in ", shown["why"])
        self.assertIn("why", self.place.stint("show", job).stdout)

    def test_show_tells_it_of_what_waits_only(self):
        self.worker("--handle", "echo=cat")
        done, waits = self.submit("echo"), self.submit("nobodys")
        self.until(done, "settled")
        self.assertNotIn("why", self.place.json("show", done)[0])
        self.assertIn("none of them handles kind nobodys", self.place.json("show", waits)[0]["why"])

    def test_after_a_restart_the_broker_waits_for_workers(self):
        self.place.worker("--queue", "mail", "--handle", "sleep=sleep 1000", "--slots", "1", "--prefetch", "0")
        running, waiting = self.submit(), self.submit()
        self.until(running, "running")
        self.place.processes[-1].signal(19)  # it stands still, so that it does not come back
        self.broker.kill()
        self.broker = self.place.broker(*OPTIONS)
        self.assertIn("handed out before the broker restarted", self.why(running))
        self.assertIn("the broker has just started", self.why(waiting))

    def test_who_waits_for_a_job_hears_why_it_waits(self):
        parent = self.place.stint("submit", "-q", "a", "x").stdout.strip()
        child = self.place.stint("submit", "-q", "a", "--after", parent, "x").stdout.strip()
        r = self.place.stint("wait", "--timeout", "4500ms", child)
        self.assertExit(r, 124)
        self.assertEqual(r.stderr.count(f"{child}: it waits until 1 other job has ended"), 1, r.stderr)
        self.place.stint("queue", "set", "b", "--group-running", "1")
        self.place.worker("-q", "b", "--exec", "--slots", "4")
        run = lambda: self.place.stint("run", "-q", "b", "--group", "g", "--detach", "sleep", "300").stdout.strip()  # noqa: E731
        first = run()
        harness.wait_until(lambda: self.place.state(first) == "running", "it runs")
        second = run()
        r = self.place.stint("wait", "--timeout", "4500ms", second)
        self.assertExit(r, 124)
        self.assertEqual(r.stderr.count(f"{second}: its group runs as many jobs as it may, 1"), 1, r.stderr)

    def test_what_is_not_there(self):
        self.submit()
        self.assertIn("there is no such job", self.why("0.9.100.9", code=66))
        r = self.place.stint("why", "--queue", "nobodys")
        self.assertExit(r, 66)
        for args in ([], ["--queue", "mail", "0.1.100.1"], ["nonsense"]):
            self.assertExit(self.place.stint("why", *args), 64)


if __name__ == "__main__":
    harness.main()
