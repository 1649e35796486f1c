"""Feeds with real brokers and workers: each event is told once and in order, or told as missing, whatever is
killed; what is bounded; who may read one; how one is made, listed, dumped, backed up and forwarded."""

import json
import os
import re
import signal
import subprocess
import threading
import time

import harness

OPTIONS = ["--heartbeat", "200ms", "--lost", "20s", "--grace", "200ms"]


class Follower:
    """`stint events --follow` of a feed with a file for its position, which can be killed and begun again. What
    was told twice because of a kill is left out by its number, as a reader has to."""

    def __init__(self, place, *options):
        self.place, self.options = place, options
        self.events, self.gaps, self.last = [], [], 0
        self.process = self.thread = None
        self.begin()

    def begin(self):
        self.process = subprocess.Popen(
            [harness.program("stint"), "events", "--endpoint", self.place.endpoint, "--json", "--follow", "--feed",
             "all", "--cursor", self.place.path("position"), *self.options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self.read, args=(self.process.stdout,))
        self.thread.start()

    def read(self, lines):
        for line in lines:
            if not line.endswith("\n"):
                return  # the end of one that was killed while it wrote
            told = json.loads(line)
            if told["schema"] == "stint.feed_gap/1":
                self.gaps.append((told["first"], told["last"]))
                self.last = max(self.last, told["last"])
            elif told["number"] > self.last:
                self.events.append(told)
                self.last = told["number"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()


class Feed(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*OPTIONS)

    def add(self, *options, name="all"):
        r = self.place.stint("feed", "add", name, *options)
        self.assertExit(r, 0)

    def submit(self, *payloads, queue="default", kind="default"):
        r = self.place.stint("submit", "--queue", queue, "--kind", kind, "--each", input="".join(
            p + "\n" for p in payloads))
        self.assertExit(r, 0)
        return r.stdout.split()

    def events(self, *options, feed="all", code=0):
        r = self.place.stint("events", "--json", "--feed", feed, *options)
        self.assertExit(r, code)
        return [json.loads(line) for line in r.stdout.splitlines()]

    def kill_broker(self):
        self.broker.signal(signal.SIGKILL)
        self.broker.process.wait()

    def restart(self):
        self.kill_broker()
        self.broker = self.place.broker(*OPTIONS)

    def verify(self):
        r = subprocess.run([harness.program("stintd"), "--verify", "--data", self.place.path("data")],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)


class Follows(Feed):
    def test_each_event_of_each_job_once_and_in_order_through_kills_of_broker_worker_and_follower(self):
        self.add()
        follower = Follower(self.place)
        self.addCleanup(lambda: follower.kill())
        jobs = []
        for turn in range(4):
            worker = self.place.worker("--handle", "default=true", "--handle", "bad=false", "--slots", "4")
            jobs += self.submit(*(f"{turn} {i}" for i in range(150)))
            jobs += self.submit("fails", kind="bad")
            if turn % 2:
                follower.kill()
            self.kill_broker()
            worker.signal(signal.SIGKILL)
            self.broker = self.place.broker(*OPTIONS)
            if turn % 2:
                follower.begin()
        self.place.worker("--handle", "default=true", "--handle", "bad=true", "--slots", "4")
        harness.wait_until(lambda: not any(
            self.place.stats()["jobs"][s] for s in ("ready", "running", "scheduled")), "all is settled")
        last = self.place.json("feed", "ls")[0]["next"] - 1
        harness.wait_until(lambda: follower.last == last, "all is told")
        self.assertEqual(follower.gaps, [])
        self.assertEqual([e["number"] for e in follower.events], list(range(1, last + 1)))
        for job in jobs:
            self.check_life([e for e in follower.events if e["id"] == job])
        self.assertEqual(len({e["id"] for e in follower.events}), len(jobs))

    def check_life(self, events):
        """From its begin to its end, and no step twice."""
        names = [e["event"] for e in events]
        self.assertEqual((names[0], names[-1], names.count("submitted"), names.count("succeeded")),
                         ("submitted", "succeeded", 1, 1), events)
        starts = [e["attempt"] for e in events if e["event"] == "started"]
        self.assertEqual(starts, list(range(1, len(starts) + 1)), events)
        for before, after in zip(names, names[1:]):
            self.assertIn(after, {"submitted": ["started"], "started": ["succeeded", "failed", "requeued"],
                                  "failed": ["started"], "requeued": ["started", "succeeded"]}[before], events)

    def test_who_falls_behind_is_told_exactly_what_is_missing(self):
        self.add("--max", "100")
        follower = Follower(self.place)
        self.addCleanup(lambda: follower.kill())
        self.submit("first")
        harness.wait_until(lambda: follower.last == 1, "it is told")
        follower.process.send_signal(signal.SIGSTOP)
        for _ in range(5):
            self.submit(*(str(i) for i in range(100)))
        follower.process.send_signal(signal.SIGCONT)
        harness.wait_until(lambda: follower.last == 501, "all is told")
        numbers = [e["number"] for e in follower.events]
        for first, last in follower.gaps:
            numbers += range(first, last + 1)
        self.assertEqual(sorted(numbers), list(range(1, 502)), "each is told, or told as missing, once")

    def test_a_position_goes_on_and_another_life_is_told(self):
        self.add()
        self.submit("a", "b", "c")
        told = self.events("--limit", "2")
        self.assertEqual([e["number"] for e in told], [1, 2])
        self.assertEqual([e["number"] for e in self.events("--from", told[-1]["position"])], [3])
        self.assertEqual([e["number"] for e in self.events("--after", "2")], [3])
        self.assertEqual(self.events("--from", "next"), [])
        self.assertEqual(len(self.events("--cursor", self.place.path("at"))), 3)
        self.assertEqual(self.events("--cursor", self.place.path("at")), [])
        self.assertExit(self.place.stint("feed", "rm", "all"), 0)
        self.add()
        self.submit("d")
        gap, event = self.events("--cursor", self.place.path("at"))
        self.assertEqual((gap["schema"], gap["anew"], gap["missing"]), ("stint.feed_gap/1", True, 0))
        self.assertEqual(event["number"], 1)

    def test_what_cannot_be_is_said(self):
        self.assertEqual(self.events(code=os.EX_NOINPUT), [])
        self.add()
        for wrong in (["--from", "x"], ["--after", "1@2"], ["--from", "1", "--after", "1"]):
            self.assertExit(self.place.stint("events", "--feed", "all", *wrong), os.EX_USAGE)
        self.assertExit(self.place.stint("events", "--from", "1"), os.EX_USAGE)
        with open(self.place.path("bad"), "w") as f:
            f.write("no position\n")
        self.assertExit(self.place.stint("events", "--feed", "all", "--cursor", self.place.path("bad")),
                        os.EX_DATAERR)
        for wrong in (["add"], ["add", "a", "b"], ["add", "a", "--events", "none"], ["add", "a", "--max", "0"],
                      ["rm"], ["ls", "x"], ["make", "a"], [], ["rm", "all", "--max", "3"]):
            self.assertExit(self.place.stint("feed", *wrong), os.EX_USAGE)
        self.assertExit(self.place.stint("feed", "add", "a", "--queue", "*x"), os.EX_DATAERR)
        self.assertExit(self.place.stint("feed", "rm", "none"), os.EX_NOINPUT)

    def test_too_many_are_refused_at_once_with_the_limit(self):
        for n in range(16 - len(self.place.json("feed", "ls"))):
            self.assertExit(self.place.stint("feed", "add", f"n{n}"), 0)
        begun = time.monotonic()
        r = self.place.stint("feed", "add", "n17", "--broker-timeout", "30s")
        self.assertExit(r, 75)
        self.assertIn("as many feeds as there may be", r.stderr)
        self.assertLess(time.monotonic() - begun, 20)

    def test_a_feed_of_some_queues_and_events(self):
        self.add("--queue", "mail.*", "--events", "submitted,cancelled", name="mail")
        jobs = self.submit("a", queue="mail.in") + self.submit("b", queue="other")
        self.assertExit(self.place.stint("cancel", *jobs), 0)
        self.assertEqual([(e["number"], e["event"], e["queue"]) for e in self.events(feed="mail")],
                         [(1, "submitted", "mail.in"), (2, "cancelled", "mail.in")])

    def test_a_store_that_is_full_stops_no_job_and_no_broker(self):
        self.kill_broker()
        self.broker = self.place.broker("--store-size", "24M", "--data", self.place.path("small"), *OPTIONS)
        self.add("--max-bytes", str(1 << 30))
        full, jobs = None, []
        while not full:
            r = self.place.stint("submit", "--each", "--no-wait", "--broker-timeout", "3s",
                                 input="".join("x" * 3000 + "\n" for _ in range(400)))
            jobs += r.stdout.split()
            full = r.returncode != 0
        self.assertGreater(len(jobs), 800)
        for i in range(0, len(jobs), 400):
            self.assertExit(self.place.stint("cancel", *jobs[i:i + 400]), 0)
        self.assertExit(self.place.stint("delete", *jobs[:400]), 0)
        feed = self.place.json("feed", "ls")[0]
        self.assertGreaterEqual(feed["next"] - 1, 2 * len(jobs))
        self.assertTrue(self.broker.running())


# In the place of curl: it notes what it is given, and fails each third time.
CURL = """#!/bin/sh
read -r event; n=$(cat tries 2>/dev/null || echo 0); echo $((n + 1)) >tries
[ $((n % 3)) = 2 ] && exit 22
printf '%s\\n' "$event" >>posted
"""


class Webhook(Feed):
    def script(self):
        page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "shell.md")
        with open(page) as f:
            return re.search(r"^## To a webhook$.*?^```sh\n(.*?)^```$", f.read(), re.M | re.S)[1].replace(
                "sleep 5", "sleep 0.01")

    def begin(self):
        programs = os.path.dirname(harness.program("stint"))
        return subprocess.Popen(
            ["sh", "-c", self.script()], cwd=self.place.path("hook"), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, STINT_ENDPOINT=self.place.endpoint, HOOK="http://127.0.0.1:1/",
                     PATH=f"{self.place.path('hook')}:{programs}:{os.environ['PATH']}"))

    def posted(self):
        if not os.path.exists(self.place.path("hook", "posted")):
            return []
        with open(self.place.path("hook", "posted")) as f:
            return [json.loads(line)["number"] for line in f if line.endswith("\n")]

    def test_the_script_of_the_page_posts_each_event_through_failures_and_kills(self):
        os.mkdir(self.place.path("hook"))
        with open(self.place.path("hook", "curl"), "w") as f:
            f.write(CURL)
        os.chmod(self.place.path("hook", "curl"), 0o755)
        self.add(name="hooks")
        for turn in range(1, 4):
            script = self.begin()
            self.submit(*(f"{turn} {i}" for i in range(5)))
            harness.wait_until(lambda n=5 * turn: n in self.posted(), "all is posted")
            os.killpg(script.pid, signal.SIGKILL)
            script.wait()
        numbers = self.posted()
        self.assertEqual(sorted(set(numbers)), list(range(1, 16)))
        self.assertLessEqual(len(numbers), 15 + 3, "no more than the one of each kill comes twice")


class Keeps(Feed):
    def test_it_is_backed_up_restored_and_dumped(self):
        self.add("--keep", "1h", "--max", "50", "--queue", "a*", "--events", "submitted,dead")
        self.submit("a", "b", "c", queue="a1")
        position = self.events()[-1]["position"]
        self.assertExit(self.place.stint("backup", self.place.path("backup"), "--data", self.place.path("data")), 0)
        self.submit("d", queue="a1")
        after = self.events()[-1]["position"]
        self.assertEqual(self.broker.stop(), 0)
        self.verify()
        restored = self.place.path("restored")
        r = subprocess.run([harness.program("stintd"), "--restore", self.place.path("backup"), "--data", restored],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.broker = self.place.broker("--data", restored, *OPTIONS)
        for old in (position, after):
            gap, *events = self.events("--from", old)
            self.assertTrue(gap["anew"], "numbers are given to other events from now on")
            self.assertEqual([e["number"] for e in events], [1, 2, 3])
        self.assertEqual(self.broker.stop(), 0)
        self.dump_and_load(restored)

    def dump_and_load(self, restored):
        dumped = subprocess.run([harness.program("stintd"), "--dump", "--data", restored], capture_output=True,
                                timeout=60)
        self.assertEqual(dumped.returncode, 0, dumped.stderr)
        loaded = self.place.path("loaded")
        r = subprocess.run([harness.program("stintd"), "--load", "-", "--data", loaded], input=dumped.stdout,
                           capture_output=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.broker = self.place.broker("--data", loaded, *OPTIONS)
        feed = self.place.json("feed", "ls")[0]
        self.assertEqual((feed["name"], feed["queues"], feed["events"], feed["keep_ms"], feed["max_events"],
                          feed["next"]), ("all", "a*", ["submitted", "dead"], 3600000, 50, 1))
        self.submit("e", queue="a1")
        self.assertEqual([e["number"] for e in self.events()], [1])


if __name__ == "__main__":
    harness.main()
