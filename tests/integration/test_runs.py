"""Runs that have ended, with real programs: what stint show tells of them to people and as JSON, also of workers that
are killed; that they outlive the broker, and go through
dump, load and verify."""

import os

import harness


class Runs(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "1s", "--grace", "300ms"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def attempts(self, job):
        return self.place.json("show", job)[0].get("attempts", [])

    def run_twice(self):
        """A job whose first run fails, and its second one does not."""
        again = self.place.path("again")
        r = self.place.stint("run", "--detach", "--attempts", "2", "--backoff", "10ms", "-S",
                             f"[ -e {again} ] || {{ touch {again}; echo oh no >&2; exit 3; }}")
        self.assertExit(r, 0)
        job = r.stdout.strip()
        self.assertExit(self.place.stint("wait", job), 0)
        return job

    def test_people_and_programs_are_told_how_each_run_ended(self):
        self.place.worker("--exec", "--slots", "1", "--name", "mill-7")
        job = self.run_twice()
        first, second = self.attempts(job)
        self.assertEqual((first["attempt"], first["end"], first["worker"]), (1, "failed", "mill-7"))
        self.assertEqual(first["error"], "exit status 3")
        self.assertEqual((second["attempt"], second["end"], second.get("error")), (2, "succeeded", None))
        self.assertLess(first["started"], first["ended"])
        self.assertLessEqual(first["ended"], second["started"])
        shown = self.place.stint("show", job).stdout.splitlines()
        runs = [line for line in shown if line.startswith("run ")]
        self.assertEqual(len(runs), 2, shown)
        self.assertRegex(runs[0], r"^run 1 +failed after \S+ at 20\S+Z on mill-7: exit status 3$")
        self.assertRegex(runs[1], r"^run 2 +succeeded after \S+ at 20\S+Z on mill-7$")
        self.assertFalse([line for line in shown if line.startswith("attempts ")])
        listed = self.place.json("ls")[0]
        self.assertNotIn("attempts", listed)

    def test_a_job_that_has_not_run_has_none(self):
        job = self.place.stint("submit", "x").stdout.strip()
        self.assertEqual(self.attempts(job), [])
        self.assertNotIn("run 1", self.place.stint("show", job).stdout)

    def test_a_worker_that_was_killed_and_a_cancel_are_told(self):
        worker = self.place.worker("--exec", "--slots", "1", "--name", "mill-1")
        job = self.place.stint("run", "--detach", "--attempts", "5", "sleep", "60").stdout.strip()
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs")
        harness.wait_until(worker.children, "its worker has its child")
        for child in worker.children():
            os.kill(child, 9)
        worker.kill()
        harness.wait_until(lambda: self.attempts(job), "it is lost")
        first, = self.attempts(job)
        self.assertEqual((first["end"], first["worker"], first["error"]), ("lost", "mill-1", "the worker was lost"))
        self.place.worker("--exec", "--slots", "1", "--name", "mill-2")
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs again")
        self.assertExit(self.place.stint("cancel", job), 0)
        last = self.attempts(job)[-1]
        self.assertEqual((last["end"], last["worker"]), ("cancelled", "mill-2"))

    def test_they_outlive_the_broker_and_go_through_dump_and_load(self):
        self.place.worker("--exec", "--slots", "1", "--name", "mühle \N{SNOWMAN}")
        job = self.run_twice()
        before = self.attempts(job)
        self.assertEqual(len(before), 2)
        self.broker.kill()
        self.broker = self.place.broker(*self.options)
        self.assertEqual(self.attempts(job), before)
        self.assertEqual(self.broker.stop(), 0)
        dump = self.place.dump_and_load()
        self.assertIn('"attempts":', dump.replace(" ", ""))
        self.place.broker("--data", self.place.path("loaded"))
        self.assertEqual(self.attempts(job), before)

    def test_what_can_be_no_run_is_refused_by_load(self):
        self.place.worker("--exec", "--slots", "1")
        self.run_twice()
        self.assertEqual(self.broker.stop(), 0)
        dump = self.place.stintd("--dump")
        self.assertIn('"succeeded",', dump)
        compact = dump.replace(", ", ",")
        for good, wrong in (('[2,"succeeded",', '[2,"won",'), ('[2,"suc', '[1.5,"suc'), ('[2,"suc', '[0,"suc'),
                            ('[1,"fail', '[3,"fail')):
            with self.subTest(wrong=wrong):
                self.assertIn(good, compact)
                r = self.place.stint("load", "--data", self.place.path("wrong"), "-", input=compact.replace(good, wrong))
                self.assertNotEqual(r.returncode, 0)
                self.assertIn("attempts", r.stderr)


if __name__ == "__main__":
    harness.main()
