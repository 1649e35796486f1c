"""Jobs that expire with real programs: what the command takes and says, that it outlives kills of the broker, and
that it goes through dump, load and verify."""

import harness
import peer
import test_interop

LATER = "1h"


class Expires(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "2s", "--grace", "300ms"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def submit(self, *options, code=0):
        r = self.place.stint("submit", *options, "x")
        self.assertExit(r, code)
        return r.stdout.strip(), r.stderr

    def until(self, job, state):
        harness.wait_until(lambda: self.place.state(job) == state, f"{job} is {state}")

    def test_one_that_no_worker_begins_expires_and_is_seen_everywhere(self):
        job, _ = self.submit("--expires", "100ms")
        r = self.place.stint("wait", job)
        self.assertExit(r, 1)
        self.assertIn("expired", r.stdout)
        r = self.place.stint("run", "--expires", "50ms", "true")
        self.assertExit(r, 1)
        self.assertIn("expired: it had not begun", r.stderr)
        shown = self.place.json("show", job)[0]
        self.assertEqual((shown["state"], shown.get("attempt", 0)), ("expired", 0))
        self.assertNotIn("expires", shown)
        self.assertEqual([j["id"] for j in self.place.json("ls", "--states", "expired", "-q", "default", "--kind",
                                                           "default")], [job])
        self.assertEqual(len(self.place.json("ls", "--where", "state=expired")), 2)
        stats = self.place.stats()
        self.assertEqual((stats["jobs"]["expired"], stats["totals"]["expired"]), (2, 2))
        self.assertEqual(self.place.json("queues")[0]["expired"], 2)
        self.assertIn('stint_jobs_expired_total{queue="default"} 2', self.place.stint("stats", "--format", "openmetrics").stdout)
        self.assertIn('state="expired"} 2', self.place.stint("stats", "--format", "openmetrics").stdout)
        self.assertEqual(self.place.stint("why", job).stdout, "it is over: expired; stint retry brings it back\n")

    def test_one_that_was_over_before_all_times_expires_at_once(self):
        job, _ = self.submit("--expires", "@0")
        self.until(job, "expired")

    def test_one_that_begins_in_time_runs_and_the_rest_of_its_life_is_like_any_other(self):
        self.place.worker("--exec", "--slots", "1")
        r = self.place.stint("run", "--expires", LATER, "echo", "ran")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "ran\n")
        self.assertEqual(self.place.stats()["totals"]["expired"], 0)

    def test_times_and_what_is_none(self):
        job, _ = self.submit("--expires", LATER)
        shown = self.place.json("show", job)[0]
        self.assertGreater(shown["expires"], shown["submitted"])
        self.assertIn("expires", self.place.stint("show", job).stdout)
        job, _ = self.submit("--expires", "2099-12-24T08:00Z")
        self.assertTrue(self.place.json("show", job)[0]["expires"].startswith("2099-12-24T08:00:00"))
        job, _ = self.submit("--expires", "@1000000000")
        self.until(job, "expired")
        for text in ("0s", "soon", "", "-5s", "12", "25:00", "2026-13-01", "@", "99999999d"):
            self.submit(f"--expires={text}", code=64)

    def test_a_retry_and_a_bulk_retry_bring_them_back_for_good(self):
        jobs = [self.submit("--expires", "50ms")[0] for _ in range(3)]
        for job in jobs:
            self.until(job, "expired")
        self.assertExit(self.place.stint("retry", jobs[0]), 0)
        self.assertExit(self.place.stint("bulk", "retry", "--yes", "--where", "state=expired"), 0)
        self.place.worker("--handle", "default=true")
        for job in jobs:
            self.until(job, "succeeded")

    def test_it_is_told_as_an_event_and_by_a_feed(self):
        self.assertExit(self.place.stint("feed", "add", "ends", "--events", "expired"), 0)
        job, _ = self.submit("--expires", "50ms")
        self.until(job, "expired")
        told = self.place.json("events", "--feed", "ends")
        self.assertEqual([(e["id"], e["event"]) for e in told], [(job, "expired")])

    def test_it_waits_for_its_time_through_kills_of_the_broker(self):
        soon, _ = self.submit("--expires", "3s")
        late, _ = self.submit("--expires", LATER)
        moved, _ = self.submit("--expires", "3s", "--in", LATER)
        self.assertExit(self.place.stint("change", "--queue", "other", moved), 0)
        for _ in range(2):
            self.broker.kill()
            self.broker = self.place.broker(*self.options)
            self.assertEqual(self.place.state(late), "ready")
        for job in (soon, moved):
            self.until(job, "expired")
        self.broker.kill()
        self.place.stintd("--verify")
        self.broker = self.place.broker(*self.options)
        self.assertEqual((self.place.state(soon), self.place.state(late)), ("expired", "ready"))

    def test_one_that_a_worker_held_and_lost_expires_and_one_that_it_had_begun_does_not(self):
        held, _ = self.submit("--expires", "5s")
        begun, _ = self.submit("--expires", "5s")
        w = peer.Worker(self.place.endpoint, slots=2, window=2)
        while len(w.held) < 2:
            w.other(w.next())
        w.say({0: peer.STARTED, 1: 0, 2: [[job, w.held[job][0]] for job in w.held if peer.text(job) == begun]})
        harness.wait_until(lambda: "expires" not in self.place.json("show", begun)[0], "it is told as begun")
        w.close()
        self.until(held, "expired")
        self.until(begun, "ready")

    def test_it_goes_through_dump_load_and_verify(self):
        expired, _ = self.submit("--expires", "50ms")
        waits, _ = self.submit("--expires", LATER)
        later, _ = self.submit("--expires", LATER, "--in", "30m")
        self.until(expired, "expired")
        before = {j["id"]: (j["state"], j.get("expires")) for j in self.place.json("ls", "--limit", "0")}
        self.assertEqual(self.broker.stop(), 0)
        dump = self.place.dump_and_load()
        self.assertIn("start_by_ms", dump)
        self.place.broker("--data", self.place.path("loaded"))
        now = {j["id"]: (j["state"], j.get("expires")) for j in self.place.json("ls", "--limit", "0")}
        self.assertEqual({i: s for i, (s, _) in now.items()}, {i: s for i, (s, _) in before.items()})
        self.assertEqual(set(now), {expired, waits, later})


class Older(harness.Case):
    """A broker that can do all but that."""

    def test_nothing_is_sent_to_it_and_the_command_says_why(self):
        code, said, heard = test_interop.told_by_older(self, "expires", "submit", "--expires", "1h", "x")
        self.assertNotIn(peer.SUBMIT, heard)
        self.assertIn("too old for jobs that expire", said)
        self.assertEqual(code, 76)


if __name__ == "__main__":
    harness.main()
