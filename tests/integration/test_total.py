"""The time of all runs of a job, with real programs: what the command takes and says, that it holds through kills of the
broker and of workers, and that it goes through dump, load and verify."""

import json

import harness
import peer
import test_interop


class Total(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "1s", "--grace", "300ms"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def submit(self, *options, code=0):
        r = self.place.stint("submit", "-k", "exec", *options, '{"argv":["sleep","60"]}')
        self.assertExit(r, code)
        return r.stdout.strip(), r.stderr

    def run_one(self, *options, command=("sleep", "60")):
        r = self.place.stint("run", "--detach", "--retry", "--backoff", "1ms", "--backoff-cap", "1ms", *options, *command)
        self.assertExit(r, 0)
        return r.stdout.strip()

    def show(self, job):
        return self.place.json("show", job)[0]

    def until(self, job, state):
        harness.wait_until(lambda: self.place.state(job) == state, f"{job} is {state}", 60)

    def test_runs_have_what_is_left_and_then_the_job_is_dead(self):
        self.place.worker("--exec", "--slots", "1")
        job = self.run_one("--total", "600ms", "--timeout", "200ms", "--attempts", "50")
        self.until(job, "dead")
        shown = self.show(job)
        self.assertEqual(shown["total_ms"], 600)
        self.assertGreaterEqual(shown["spent_ms"], 562)
        self.assertGreaterEqual(shown["failures"], 2)
        self.assertLess(shown["failures"], 50)
        self.assertIn("the time of all its runs is used up, and it is not tried again", shown["error"])
        self.assertIn("used up", self.place.stint("show", job).stdout)
        self.assertExit(self.place.stint("retry", job), 0)
        self.until(job, "dead")
        self.assertGreater(self.show(job)["attempt"], shown["attempt"])

    def test_one_that_succeeds_in_time_is_like_any_other(self):
        self.place.worker("--exec", "--slots", "1")
        r = self.place.stint("run", "--total", "1h", "echo", "ran")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "ran\n")

    def test_what_has_run_counts_through_kills_of_broker_and_worker(self):
        worker = self.place.worker("--exec", "--slots", "1")
        job = self.run_one("--total", "100s")
        self.until(job, "running")
        self.broker.kill()
        self.broker = self.place.broker(*self.options)
        harness.wait_until(lambda: self.show(job).get("worker"), "it is claimed")
        worker.kill()
        harness.wait_until(lambda: self.show(job)["state"] == "ready", "it is given up", 60)
        spent = self.show(job).get("spent_ms", 0)
        self.assertGreater(spent, 0)
        self.assertLess(spent, 100000)
        self.broker.kill()
        self.broker = self.place.broker(*self.options)
        self.assertEqual(self.show(job)["spent_ms"], spent)

    def test_options_and_change(self):
        for wrong in ("0", "soon", "-1s", "36501d"):
            self.submit("--total", wrong, code=64)
        job, _ = self.submit("--total", "1m")
        self.assertExit(self.place.stint("change", "--total", "2m", job), 0)
        self.assertEqual(self.show(job)["total_ms"], 120000)
        plain, _ = self.submit()
        self.assertNotIn("total_ms", self.show(plain))
        self.assertExit(self.place.stint("change", "--total", "3m", plain), 0)
        self.assertEqual(self.show(plain)["total_ms"], 180000)
        self.assertExit(self.place.stint("change", "--priority", "7", plain), 0)
        self.assertEqual(self.show(plain)["total_ms"], 180000)

    def test_it_goes_through_dump_load_and_verify(self):
        self.place.worker("--exec", "--slots", "1")
        job = self.run_one("--total", "1h", "--timeout", "200ms", "--backoff", "1h", "--backoff-cap", "1h")
        self.until(job, "scheduled")
        spent = self.show(job)["spent_ms"]
        self.assertEqual(self.broker.stop(), 0)
        dumped = self.place.dump_and_load()
        rows = [json.loads(line) for line in dumped.splitlines()]
        row = next(r for r in rows if r["type"] == "job")
        self.assertEqual((row["total_ms"], row["spent_ms"]), (3600000, spent))
        wrong = dumped.replace('"total_ms":3600000,', "").replace(',"total_ms":3600000', "")
        self.assertNotEqual(self.place.stint("load", "--data", self.place.path("wrong"), "-", input=wrong).returncode, 0)
        self.broker = self.place.broker("--data", self.place.path("loaded"), *self.options)
        self.assertEqual(self.show(job)["spent_ms"], spent)


class Older(harness.Case):
    """A broker that can do all but that."""

    def asked(self, *words):
        code, said, heard = test_interop.told_by_older(self, "total", *words)
        self.assertIn("too old for a limit of all runs", said)
        self.assertEqual(code, 76)
        return heard

    def test_no_job_is_sent_to_it_and_the_command_says_why(self):
        self.assertNotIn(peer.SUBMIT, self.asked("submit", "--total", "1h", "x"))

    def test_nothing_is_changed_at_it(self):
        self.assertNotIn(57, self.asked("change", "--total", "1h", "0.1.100.7"))


if __name__ == "__main__":
    harness.main()
