"""Workers that serve queues by prefix, with real programs: queues that come are served, those of others are not,
lists, reasons and figures know of it, and an older broker is told apart. test_keys.py has the keys."""

import json
import subprocess

import harness
import peer
import test_interop


class Prefixes(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker("--heartbeat", "200ms", "--lost", "20s", "--grace", "20s")

    def worker(self, *queues, handle="echo=cat"):
        options = [o for q in queues for o in ("--queue", q)]
        w = self.place.worker("--handle", handle, "--slots", "2", *options)
        harness.wait_until(lambda: "event=connected" in w.log(), "the worker is connected")
        return w

    def submit(self, queue, kind="echo"):
        r = self.place.stint("submit", "--queue", queue, "--kind", kind, "x")
        self.assertExit(r, 0)
        return r.stdout.strip()

    def until(self, job, state):
        harness.wait_until(lambda: self.place.state(job) == state, f"{job} is {state}")

    def workers_of(self, queue):
        return next(q["workers"] for q in self.place.json("queues") if q["name"] == queue)

    def test_queues_that_come_are_served_also_after_a_kill_and_others_are_not(self):
        self.worker("mail.*", "pay")
        other = self.submit("payroll")
        for queue in ("mail.in", "mail.out", "pay"):
            self.until(self.submit(queue), "succeeded")
            self.assertEqual(self.workers_of(queue), 1)
        self.broker.kill()
        self.broker = self.place.broker("--grace", "20s")
        for queue in ("mail.in", "mail.new"):
            self.until(self.submit(queue), "succeeded")
        self.assertEqual(self.place.state(other), "ready")
        self.assertEqual(self.workers_of("payroll"), 0)
        self.assertEqual([w["queues"] for w in self.place.json("workers")], ["pay mail.*"])
        self.assertIn("mail.*", self.place.stint("workers").stdout)
        self.assertIn("mail.*", self.place.stint("top", "--once").stdout)
        self.worker("*")
        self.until(other, "succeeded")

    def test_who_asks_why_is_told_of_workers_by_prefix(self):
        self.worker("mail.*", handle="other=cat")
        job = self.submit("mail.in")
        harness.wait_until(lambda: "echo" in self.place.stint("why", job).stdout, "its kind is named")
        why = self.place.json("why", job)[0]
        self.assertEqual((why["reason"], why["workers"]), ("no_handler", 1))
        self.assertEqual(next(q["unserved"] for q in self.place.json("queues") if q["name"] == "mail.in"), "echo")
        self.assertExit(self.place.stint("why", "-q", "mail.none"), 0)
        self.assertNotEqual(self.place.stint("why", "-q", "none").returncode, 0)

    def test_who_waits_is_not_told_that_nobody_serves_the_queue(self):
        self.worker("mail.*", handle="other=cat")
        waiting = subprocess.Popen([harness.program("stint"), "run", "-e", self.place.endpoint, "-q", "mail.x", "echo",
                                    "done"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(waiting.kill)
        self.assertIn("no worker of queue mail.x runs jobs of kind exec", waiting.stderr.readline())
        waiting.kill()
        waiting.communicate(timeout=60)

    def test_slots_are_counted_at_each_queue_that_a_prefix_stands_for(self):
        self.worker("mail.*", handle="other=cat")
        for queue in ("mail.in", "mail.out", "pay"):
            self.submit(queue)
        r = self.place.stint("fleet", "scale", "--once", "--", "cat")
        self.assertExit(r, 0)
        told = json.loads(r.stdout)
        slots = {q["name"]: (q["workers"], q["slots"], q["slots_free"]) for q in told["queues"]}
        self.assertEqual(slots, {"mail.in": (1, 2, 2), "mail.out": (1, 2, 2), "pay": (0, 0, 0)})
        self.assertEqual((told["total"]["slots"], told["partial"]), (2, False))

    def test_what_is_no_prefix_is_refused_with_the_rule(self):
        for queue in ("mail*x", "**", ".x*", "x" * 64 + "*"):
            r = subprocess.run([harness.program("stint-worker"), "-e", self.place.endpoint, "-q", queue, "-H", "a=cat"],
                               capture_output=True, text=True, timeout=60)
            self.assertEqual(r.returncode, 78, queue)
            self.assertIn("a * behind it", r.stderr)


class Older(harness.Case):
    def test_a_worker_with_prefixes_ends_at_a_broker_that_does_not_know_them(self):
        b = test_interop.Broker(self.place.endpoint, [f for f in peer.FEATURES if f != "prefixes"])
        self.addCleanup(b.socket.close, 0)
        named = self.place.worker("--handle", "a=cat", "-q", "mail")
        b.until(lambda m: m[0] == peer.CLAIM)
        named.kill()
        w = self.place.worker("--handle", "a=cat", "-q", "mail.*", "-q", "pay")
        said = b.until(lambda m: m[0] == peer.HELLO and 14 in m)
        self.assertEqual((said[10], said[14]), (["pay"], ["mail.*"]))
        b.answer(said)
        harness.wait_until(lambda: not w.running(), "it ends")
        self.assertEqual(w.process.returncode, 76)
        self.assertIn("prefixes", w.log())


if __name__ == "__main__":
    harness.main()
