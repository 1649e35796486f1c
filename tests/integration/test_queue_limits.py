"""Limits of queues with real programs: no more jobs of one begin at once than may, over all workers, nor in a time,
by what a feed has recorded; both last through a kill of the broker, and go through dump and load."""

import datetime
import json

import harness


def moment(event):
    return datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()


class Limits(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker()
        self.assertExit(self.place.stint("feed", "add", "all"), 0)

    def limit(self, *options, queue="mail", code=0):
        r = self.place.stint("queue", "set", queue, *options)
        self.assertExit(r, code)
        return r

    def submit(self, count):
        lines = "".join(f"{n}\n" for n in range(count))
        r = self.place.stint("submit", "--each", "-q", "mail", "-k", "run", input=lines)
        self.assertExit(r, 0)
        return r.stdout.split()

    def workers(self, count, slots, handler="sleep 0.05"):
        return [self.place.worker("--queue", "mail", "--queue", "other", "--slots", str(slots), "--handle",
                                  f"run={self.place.script(handler)}") for _ in range(count)]

    def until_done(self, jobs):
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] >= jobs, "all are done", 120)

    def events(self):
        return self.place.json("events", "--feed", "all", timeout=60)

    def queue(self, name="mail"):
        return next(q for q in self.place.json("queues") if q["name"] == name)

    def test_no_more_run_at_once_than_may(self):
        self.limit("--running", "3")
        jobs = self.submit(40)
        self.workers(2, 4)
        self.until_done(len(jobs))
        now = most = 0
        for e in self.events():
            now += {"started": 1, "succeeded": -1, "requeued": -1, "failed": -1}.get(e["event"], 0)
            most = max(most, now)
        self.assertEqual(most, 3)

    def test_no_more_begin_in_a_time_than_may_also_across_a_kill(self):
        self.limit("--rate", "20/s")
        jobs = self.submit(40)
        self.workers(1, 8, "true")
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] >= 10, "some are done")
        self.broker.kill()
        self.broker = self.place.broker()
        self.until_done(len(jobs))
        times = [moment(e) for e in self.events() if e["event"] == "started"]
        self.assertGreaterEqual(len(times), len(jobs))
        for first in range(len(times)):
            for last in range(first, len(times)):
                most = 20 + 20 * (times[last] - times[first] + 0.01)  # what is told is cut to milliseconds
                self.assertLessEqual(last - first + 1, most + 1)

    def test_what_is_set_is_told_and_taken_back(self):
        self.assertIn("limited", self.limit("--running", "1", "--rate", "600/m").stderr)
        q = self.queue()
        self.assertEqual((q["running_max"], q["rate_per_hour"], q["state"]), (1, 36000, "limited"))
        self.assertIn("limited", self.place.stint("queues").stdout)
        job = self.submit(2)[1]
        self.workers(1, 2, "sleep 60")
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 1, "one runs")
        why = self.place.json("why", job)[0]
        self.assertEqual((why["reason"], why["slots"]), ("limited", 1))
        self.assertIn("runs as many jobs as it may", self.place.stint("why", job).stdout)
        said = self.place.json("queue", "set", "mail", "--running", "none")
        self.assertNotIn("running_max", said[0])
        self.assertEqual(said[0]["rate_per_hour"], 36000)
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 2, "both run")
        self.limit("--rate", "none", "--order", "lifo")
        self.assertNotIn("rate_per_hour", self.queue())

    def test_options_that_can_not_be_meant(self):
        for options in (["--running", "0"], ["--running", "-1"], ["--running", "many"], ["--rate", "10"],
                        ["--rate", "/s"], ["--rate", "10/d"], ["--rate", "0/s"], ["--rate", "2000000/s"],
                        ["--rate", "99999999999999999999999/s"], []):
            self.limit(*options, code=64)
        self.assertExit(self.place.stint("queue", "pause", "mail", "--running", "1"), 64)
        self.limit("--running", "none", queue="never", code=66)

    def test_limits_go_through_dump_load_and_verify(self):
        self.limit("--running", "7", "--rate", "5/h")
        self.assertEqual(self.broker.stop(), 0)
        rows = [json.loads(line) for line in self.place.dump_and_load().splitlines()]
        row = next(r for r in rows if r["type"] == "queue" and r["name"] == "mail")
        self.assertEqual((row["running"], row["rate"]), (7, 5))
        self.broker = self.place.broker("--data", self.place.path("loaded"))
        self.assertEqual((self.queue()["running_max"], self.queue()["rate_per_hour"]), (7, 5))


if __name__ == "__main__":
    harness.main()
