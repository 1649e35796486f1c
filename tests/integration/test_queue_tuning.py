"""What else is set for queues, with real programs: a backlog that is bounded loses nothing of what is submitted, defaults
hold for jobs that say nothing, workers share their time as weights say; all of it through a kill, and dump and load."""

import concurrent.futures
import json

import harness
import test_interop

SET_QUEUE = 59


class Tuning(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker()

    def tune(self, *options, queue="mail", code=0):
        r = self.place.stint("queue", "set", queue, *options)
        self.assertExit(r, code)
        return r

    def queue(self, name="mail"):
        return next(q for q in self.place.json("queues") if q["name"] == name)

    def worker(self, line, *options, queues=("mail",)):
        named = [o for q in queues for o in ("--queue", q)]
        return self.place.worker(*named, *options, "--handle", f"run={self.place.script(line)}")

    def submit(self, *lines, queue="mail", options=()):
        return self.place.stint("submit", "--each", "-q", queue, "-k", "run", *options,
                                input="".join(f"{line}\n" for line in lines))

    def values(self, q):
        return [q.get(name) for name in ("weight", "backlog_max", "keep_ms", "default_timeout_ms")]

    def test_what_is_set_is_told_lasts_through_a_kill_and_is_taken_back(self):
        r = self.tune("--weight", "7", "--backlog-max", "100", "--keep", "0", "--default-timeout", "1500ms")
        self.assertIn("mail has --weight 7 --backlog-max 100 --keep 0 --default-timeout 1500ms", r.stderr)
        self.assertIn("not there before", r.stderr)
        self.assertEqual(self.values(self.queue()), [7, 100, 0, 1500])
        self.broker.kill()
        self.broker = self.place.broker()
        self.assertEqual(self.values(self.queue()), [7, 100, 0, 1500])
        said = self.place.json("queue", "set", "mail", "--weight", "2")
        self.assertEqual(self.values(said[0]), [2, 100, 0, 1500])
        said = self.place.json("queue", "set", "mail", "--keep", "none", "--backlog-max", "none")
        self.assertEqual(self.values(said[0]), [2, None, None, 1500])
        r = self.tune("--weight", "1", "--default-timeout", "none")
        self.assertIn("no weight, backlog or defaults of its own any more", r.stderr)
        self.assertEqual(self.values(self.queue()), [1, None, None, None])
        both = self.place.json("queue", "set", "mail", "--weight", "3", "--running", "4", "--order", "lifo")
        self.assertEqual((both[-1]["weight"], both[-1]["running_max"], both[-1]["order"]), (3, 4, "lifo"))

    def test_options_that_can_not_be_meant(self):
        for options in (["--weight", "0"], ["--weight", "101"], ["--weight", "none"], ["--weight", "-1"],
                        ["--backlog-max", "0"], ["--backlog-max", "1073741825"], ["--backlog-max", "many"],
                        ["--keep", "-1"], ["--keep", "soon"], ["--keep", "36501d"], ["--default-timeout", "0"],
                        ["--default-timeout", "1y"]):
            self.tune(*options, code=64)
        self.assertExit(self.place.stint("queue", "pause", "mail", "--weight", "2"), 64)
        for options in (["--weight", "1"], ["--backlog-max", "none"], ["--keep", "none"], ["--default-timeout", "none"]):
            self.tune(*options, queue="never", code=66)

    def test_a_full_queue_makes_submitters_wait_and_loses_nothing(self):
        self.tune("--backlog-max", "5", "--running", "2")
        self.assertExit(self.submit(*range(5)), 0)
        r = self.submit("more", options=["--no-wait"])
        self.assertExit(r, 75)
        self.assertIn("as many jobs as are set for it, 5", r.stderr)
        self.assertIn("full", self.place.stint("why", "--queue", "mail").stdout)
        self.worker("sleep 0.02", "--slots", "2")
        r = self.submit(*range(40))
        self.assertExit(r, 0)
        self.assertEqual(len(set(r.stdout.split())), 40)
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] == 45, "all are done", 60)
        self.assertLessEqual(self.queue()["ready"], 5)

    def test_one_that_waits_goes_on_when_the_limit_is_raised(self):
        self.tune("--backlog-max", "1")
        self.assertExit(self.submit("first"), 0)
        with concurrent.futures.ThreadPoolExecutor() as others:
            waits = others.submit(self.submit, "second")
            harness.wait_until(lambda: self.place.stats()["refused"] > 0, "it has to wait")
            self.tune("--backlog-max", "2")
            self.assertExit(waits.result(60), 0)
        self.assertEqual(self.queue()["ready"], 2)

    def test_defaults_hold_for_jobs_that_say_nothing(self):
        self.tune("--default-timeout", "300ms", "--keep", "1h")
        self.worker("sleep 60", "--slots", "2")
        said = self.submit("x", options=["--attempts", "1"]).stdout.split()[0]
        own = self.submit("x", options=["--attempts", "1", "--timeout", "50s"]).stdout.split()[0]
        self.place.stint("wait", said, timeout=60)
        job = self.place.json("show", said)[0]
        self.assertEqual((job["state"], job["time_to_run_ms"], job["keep_ms"]), ("dead", 300, 3600000))
        self.assertEqual(self.place.json("show", own)[0]["state"], "running")

    def test_successes_are_forgotten_where_the_queue_keeps_nothing(self):
        self.tune("--keep", "0")
        self.worker("true")
        gone = self.submit("x").stdout.split()[0]
        kept = self.submit("x", options=["--keep", "1h"]).stdout.split()[0]
        self.assertExit(self.place.stint("wait", kept, timeout=60), 0)
        self.assertEqual(self.place.json("show", kept)[0]["state"], "succeeded")
        harness.wait_until(lambda: self.place.stint("show", gone).returncode == 66, "it is forgotten")

    def test_queues_share_a_worker_as_their_weights_say(self):
        self.assertExit(self.place.stint("feed", "add", "all", "--events", "started"), 0)
        self.tune("--weight", "4", queue="a")
        for queue in "ab":
            self.assertExit(self.submit(*range(120), queue=queue), 0)
        self.worker("true", "--slots", "1", queues="ab")
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] >= 100, "many are done", 120)
        started = [e["queue"] for e in self.place.json("events", "--feed", "all", timeout=60)][:100]
        self.assertAlmostEqual(started.count("a"), 80, delta=8)

    def test_it_goes_through_dump_load_and_verify(self):
        self.tune("--weight", "7", "--backlog-max", "9", "--keep", "0", "--default-timeout", "1s")
        self.assertExit(self.submit(*range(9)), 0)
        self.assertEqual(self.broker.stop(), 0)
        rows = [json.loads(line) for line in self.place.dump_and_load().splitlines()]
        row = next(r for r in rows if r["type"] == "queue" and r["name"] == "mail")
        self.assertEqual([row[n] for n in ("weight", "backlog_max", "keep_ms", "time_to_run_ms")], [7, 9, 0, 1000])
        self.broker = self.place.broker("--data", self.place.path("loaded"))
        self.assertEqual(self.values(self.queue()), [7, 9, 0, 1000])
        self.assertEqual(self.queue()["ready"], 9)
        self.assertExit(self.submit("one more", options=["--no-wait"]), 75)


class Older(harness.Case):
    """A broker that can do all but that."""

    def test_nothing_is_set_at_it_and_the_command_says_why(self):
        code, said, heard = test_interop.told_by_older(self, "defaults", "queue", "set", "mail", "--weight", "3")
        self.assertNotIn(SET_QUEUE, heard)
        self.assertIn("too old for weights, backlogs and defaults", said)
        self.assertEqual(code, 76)


if __name__ == "__main__":
    harness.main()
