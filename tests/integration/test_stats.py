"""Figures of queues with real brokers: counts that no kill loses, times by kind, what a key is told, the text
that Prometheus reads, and what is next in a queue."""

import os
import re
import subprocess

import harness


class Figures(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker()

    def figures(self, *args):
        return {f["queue"]: f for f in self.place.json("stats", *(args or ("-q", "*"))) if f["schema"] == "stint.figures/1"}

    def work(self):
        self.place.worker("--handle", "good=cat", "--handle", "bad=false", "--queue", "mail", "--queue", "mail.in")

    def submit(self, kind, queue="mail", *options):
        r = self.place.stint("submit", "-q", queue, "-k", kind, *options, "x")
        self.assertExit(r, 0)
        return r.stdout.strip()


class Counts(Figures):
    def test_no_kill_loses_a_count_and_none_ever_falls(self):
        self.work()
        for i in range(1, 4):
            for kind in ("good", "bad"):
                job = self.submit(kind, "mail", "--attempts", "1")
                self.place.stint("wait", "-Q", job)
            self.broker.kill()
            self.broker = self.place.broker()
            totals = self.figures()["mail"]["totals"]
            self.assertEqual([totals[n] for n in ("submitted", "succeeded", "failed", "dead")], [2 * i, i, i, i])
            self.assertGreaterEqual(totals["started"], 2 * i)
            stats = self.place.stats()
            self.assertEqual(stats["totals"], totals)
            self.assertEqual(stats["submitted"], 0)  # of this life

    def test_a_dump_and_a_load_keep_them(self):
        self.submit("good")
        before = self.place.stats()["totals"]
        self.assertEqual(self.broker.stop(), 0)
        stintd, data, old = harness.program("stintd"), self.place.path("data"), self.place.path("old")
        os.rename(data, old)
        dump = subprocess.run([stintd, "--data", old, "--dump"], check=True, capture_output=True, timeout=60)
        subprocess.run([stintd, "--data", data, "--load", "-"], check=True, input=dump.stdout, timeout=60)
        self.place.broker()
        self.assertEqual(self.place.stats()["totals"], before)


class Told(Figures):
    def test_kinds_priorities_prefixes_and_sums(self):
        self.work()
        for job in (self.submit("good"), self.submit("bad", "mail", "--attempts", "1"),
                    self.submit("good", "mail.in", "-p", "7")):
            self.place.stint("wait", "-Q", job)
        one = self.figures("-q", "mail")
        self.assertEqual(list(one), ["mail"])
        self.assertEqual(sorted(k["kind"] for k in one["mail"]["kinds"]), ["bad", "good"])
        self.assertEqual(sum(k["run_ms"]["count"] for k in one["mail"]["kinds"]), 2)
        self.assertEqual(one["mail"]["run_ms"]["recent"], 2)
        self.assertGreater(one["mail"]["rates"]["1m"]["submitted"], 0)
        self.assertEqual(sorted(self.figures("-q", "mail*")), ["mail", "mail.in"])
        self.assertEqual(list(self.figures("-q", "mail.*")), ["mail.in"])
        self.assertEqual(self.figures("-q", "mail.*")["mail.in"]["priorities"][0]["priority"], 7)
        text = self.place.stint("stats", "-q", "mail*").stdout
        self.assertIn("(all 2)", text)
        self.assertIn("PRIORITY", self.place.stint("stats", "--priorities").stdout)
        self.assertIn("good", self.place.stint("stats", "--kinds").stdout)

    def test_a_queue_that_is_not_there_is_said_to_be_none(self):
        self.place.stint("submit", "-q", "there", "x")
        self.assertExit(self.place.stint("stats", "-q", "there"), 0)
        self.assertExit(self.place.stint("stats", "-q", "no.*"), 0)
        for more in ((), ("--json",), ("--kinds",)):
            r = self.place.stint("stats", "-q", "nosuch", *more)
            self.assertExit(r, 66)
            self.assertIn("nosuch: there is no such queue", r.stderr)

    def test_openmetrics_is_as_its_grammar_has_it(self):
        self.work()
        self.place.stint("wait", "-Q", self.submit("good"))
        lines = self.place.stint("stats", "--format", "openmetrics").stdout.splitlines()
        self.assertEqual(lines[-1], "# EOF")
        families, family = [], None
        for line in lines[:-1]:
            head = re.fullmatch(r"# (TYPE|UNIT|HELP) (stint_[a-z_]+) .+", line)
            if head:
                if head[1] == "TYPE":
                    family = head[2]
                    families.append(family)
                self.assertEqual(head[2], family, line)
                continue
            sample = re.fullmatch(r'(stint_[a-z_]+)(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \d+(\.\d+)?', line)
            self.assertIsNotNone(sample, line)
            self.assertTrue(sample[1].startswith(family), line)
        self.assertEqual(len(families), len(set(families)))
        self.assertIn('stint_jobs_succeeded_total{queue="mail"} 1', lines)
        self.assertIn('stint_run_seconds_count{queue="mail",kind="good"} 1', lines)

    def test_what_is_next(self):
        jobs = [self.submit("good", "mail", "-p", p) for p in ("1", "200", "1")]
        def next_ids(*args):
            return self.place.stint("peek", "--ids", *args, "mail").stdout.split()
        self.assertEqual(next_ids(), [jobs[1]])
        self.assertEqual(next_ids("-n", "0"), [jobs[1], jobs[0], jobs[2]])
        self.assertEqual(next_ids("--offset", "2"), [jobs[2]])
        self.assertExit(self.place.stint("peek", "--offset", "3", "mail"), 66)
        self.assertExit(self.place.stint("peek", "nothing"), 66)
        self.assertEqual(self.place.stint("peek", "--payload", "mail").stdout, "x")


if __name__ == "__main__":
    harness.main()
