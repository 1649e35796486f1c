"""What a program asks for with its end, with real programs: new jobs of every kind and cancellations come with a success,
and with nothing else, exactly once, whatever is killed."""

import random
import time

import harness
import peer


class AtEnd(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "2s", "--grace", "1s"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def worker(self, *options):
        path = harness.program("stint").rsplit("/", 1)[0] + ":/usr/bin:/bin"
        return self.place.worker("--exec", "--env", "PATH=" + path, "--queue", "default", *options)

    def start(self, script, *options):
        r = self.place.stint("run", "--detach", *options, "-S", "--", script)
        self.assertExit(r, 0)
        return r.stdout.strip()

    def until(self, job, state):
        harness.wait_until(lambda: self.place.state(job) == state, f"{job} is {state}")

    def shown(self, job):
        return self.place.json("show", job)[0]

    def jobs_in(self, queue, **wanted):
        found = self.place.json("ls", "-q", queue, "--limit", "10000")
        return [j for j in found if all(j.get(k) == v for k, v in wanted.items())]

    def payloads(self, queue):
        return sorted(self.place.json("show", "--payload", j["id"])[0]["payload"] for j in self.jobs_in(queue))

    def test_all_options_of_submit_count(self):
        self.worker()
        first = self.place.stint("submit", "-q", "else", "first").stdout.strip()
        other = self.place.stint("submit", "-q", "else", "other").stdout.strip()
        job = self.start(f"""set -e
            stint submit --at-end -q next one
            stint submit --at-end -q next --in 1h --priority 7 --kind mail two
            stint submit --at-end -q next --after {first} --attempts 3 three
            stint submit --at-end -q next --unique key four; stint submit --at-end -q next --unique key five
            printf 'a\\nb\\n' | stint submit --at-end -q lines --each --unique '{{}}'
            printf 'root: r\\nleaf root: l\\n' | stint submit --at-end -q graph --graph -
            printf '{{"n": 1}}' | stint submit --at-end -q next --object
            head -c 1000000 /dev/zero | stint submit --at-end -q large
            stint cancel --at-end {other} 0.99.100.1
            stint ls -q next | wc -l""")
        self.assertEqual(self.place.stint("wait", "--results", job).stdout, "0\n")
        self.assertEqual(self.payloads("lines"), ["a", "b"])
        states = sorted(j["state"] for j in self.jobs_in("next"))
        self.assertEqual(states, ["blocked", "ready", "ready", "ready", "scheduled"])
        later = self.jobs_in("next", state="scheduled")[0]
        self.assertEqual((later["priority"], later["kind"]), (7, "mail"))
        self.assertEqual(sorted(j["state"] for j in self.jobs_in("graph")), ["blocked", "ready"])
        self.assertEqual([j["payload_bytes"] for j in self.jobs_in("large")], [1000000])
        self.assertEqual((self.place.state(other), self.place.state(first)), ("cancelled", "ready"))

    def test_nothing_comes_of_a_failure_and_the_next_run_asks_again(self):
        self.worker("--name", "here")
        again = self.place.path("again")
        job = self.start(f"stint submit --at-end -q next x && [ -e {again} ] || {{ touch {again}; exit 1; }}",
                         "--attempts", "3", "--backoff", "10ms")
        self.until(job, "succeeded")
        self.assertEqual(len(self.jobs_in("next")), 1)
        for script, state in (("stint submit --at-end -q none x; exit 65", "dead"),
                              ("stint submit --at-end -q none x; kill -9 $$", "dead"),
                              ("stint submit --at-end -q none x; sleep 60", "dead")):
            job = self.start(script, "--attempts", "1", "--timeout", "1s")
            self.until(job, state)
        self.assertEqual(self.jobs_in("none"), [])

    def test_what_can_not_be_fails_the_run_and_says_why(self):
        self.worker()
        for script, told in (
                ("stint submit --at-end -q next good; stint submit --at-end -q next --after 0.77.100.1 x", "not known"),
                ("stint submit --at-end -q next good; stint submit --at-end --after $STINT_JOB_ID x", "the one that asks"),
                ("stint submit --at-end -q next good; echo 'jobs a zz' >&8", "can't be read"),
                ("yes | head -n 5000 | stint submit --at-end -q next --each", "4096")):
            job = self.start(script, "--attempts", "1")
            self.until(job, "dead")
            self.assertIn("with its end was refused", self.shown(job)["error"])
            self.assertIn(told, self.shown(job)["error"])
        self.assertEqual(self.jobs_in("next"), [])

    def test_no_line_that_asks_for_something_is_passed_over(self):
        self.worker()
        other = self.place.stint("submit", "-q", "else", "other").stdout.strip()
        for script, told in (("printf 'jobs a 9301' >&8", "not all was told"),
                             ("printf 'jobs a 93' >&8; exec 8>&-; sleep 0.1", "not all was told"),
                             ("printf 'cancel' >&8", "no id"), ("echo cancel >&8", "no id"),
                             ("X=; echo \"cancel $X\" >&8", "no id"), ("X=; echo \"jobs $X\" >&8", "no name"),
                             ("echo '\tcancel x' >&8", "no id"), ("echo jobs a >&8", "with its end was refused"),
                             (f"printf '%5000s\\n' x | sed 's/^/cancel {other}/' >&8", "4096 bytes"),
                             (f"printf 'cancel {other}%5000s' x >&8", "4096 bytes"),
                             ("printf 'jobs a %05000d\\njobs a\\n' 0 >&8", "4096 bytes"),
                             (f"printf 'cancel {other}\\0 x\\n' >&8", "a byte that is 0")):
            with self.subTest(script=script):
                job = self.start(script, "--attempts", "1")
                self.assertExit(self.place.stint("wait", "-Q", job), 1)
                self.assertIn("with its end was refused", self.shown(job)["error"])
                self.assertIn(told, self.shown(job)["error"])
        self.assertEqual(self.place.state(other), "ready")

    def test_digits_may_be_large(self):
        self.worker()
        self.until(self.start("""set -e
            stint submit --at-end -q next x 8>lines; grep -q ' .* .*[abcdef]' lines
            tr a-f A-F <lines | sed s/joBs/jobs/ >&8""", "--wd", self.place.path()), "succeeded")
        self.assertEqual(self.payloads("next"), ["x"])

    def test_the_last_line_needs_no_end(self):
        self.worker()
        for script in ("printf 'cancel %s' >&8", "echo '  cancel  %s ' >&8",
                       "printf 'progress 1\\ncancel %s' >&8; exec 8>&-; sleep 0.2"):
            with self.subTest(script=script):
                other = self.place.stint("submit", "-q", "else", "other").stdout.strip()
                self.until(self.start(script % other), "succeeded")
                self.assertEqual(self.place.state(other), "cancelled")

    def test_elsewhere_it_is_said_that_it_can_not_be(self):
        for args, env, word in ((["submit", "--at-end", "x"], {}, "not within a job"),
                                (["cancel", "--at-end", "0.1.100.1"], {}, "not within a job"),
                                (["submit", "--at-end", "x"], {"STINT_CONTROL": "1"}, "too old"),
                                (["cancel", "--at-end", "0.1.100.1"], {"STINT_CONTROL": "1"}, "too old")):
            r = self.place.stint(*args, env=env)
            self.assertExit(r, 69)
            self.assertIn(word, r.stderr)
        self.assertExit(self.place.stint("cancel", "--at-end"), 64)
        self.assertExit(self.place.stint("submit", "--at-end", "-q", "no name", "x"), 69)

    def test_an_end_waits_for_a_closed_queue_and_is_told(self):
        self.worker("--slots", "1")
        self.assertExit(self.place.stint("submit", "-q", "next", "--keep", "0", "first"), 0)
        self.assertExit(self.place.stint("queue", "close", "next"), 0)
        job = self.start("stint submit --at-end -q next x; echo done", "--timeout", "1s")
        harness.wait_until(lambda: "waits until" in self.shown(job).get("progress_text", ""), "its end waits")
        self.assertEqual(self.place.state(job), "running")
        self.broker.kill()
        self.broker = self.place.broker(*self.options)
        harness.wait_until(lambda: "waits until" in self.shown(job).get("progress_text", ""), "its end waits still")
        self.assertExit(self.place.stint("queue", "open", "next"), 0)
        self.assertEqual(self.place.stint("wait", "--results", job).stdout, "done\n")
        self.assertEqual(self.payloads("next"), ["first", "x"])

    def test_a_worker_that_leaves_gives_back_what_waits(self):
        worker = self.worker("--slots", "1", "--drain", "100ms")
        self.assertExit(self.place.stint("submit", "-q", "next", "--keep", "0", "first"), 0)
        self.assertExit(self.place.stint("queue", "close", "next"), 0)
        job = self.start("stint submit --at-end -q next x; echo done")
        harness.wait_until(lambda: "waits until" in self.shown(job).get("progress_text", ""), "its end waits")
        worker.stop()
        harness.wait_until(lambda: self.place.state(job) in ("ready", "scheduled"), "it is given back")
        self.assertExit(self.place.stint("queue", "open", "next"), 0)
        self.worker("--slots", "1")
        self.until(job, "succeeded")
        self.assertEqual(self.payloads("next"), ["first", "x"])

    def test_each_end_that_counts_brings_its_jobs_once_whatever_is_killed(self):
        chance = random.Random(815)
        parents = [self.start(f"stint submit --at-end -q next {n}; stint submit --at-end -q next {n}; sleep 0.0{n % 5}",
                              "--attempts", "50", "--backoff", "10ms") for n in range(40)]
        worker = self.worker("--slots", "4")
        for n in range(8):
            time.sleep(chance.random() * 0.4)
            if n % 2:
                worker.kill()
                worker = self.worker("--slots", "4")
            else:
                self.broker.kill()
                self.broker = self.place.broker(*self.options)
        for job in parents:
            self.until(job, "succeeded")
        self.assertEqual(self.payloads("next"), sorted(str(n // 2) for n in range(80)))
        self.broker.stop()
        self.place.stintd("--verify")

    def test_a_worker_written_from_the_protocol_alone(self):
        job = self.place.stint("submit", "x").stdout.strip()
        w = peer.Worker(self.place.endpoint)
        self.assertTrue(w.has("settle_jobs"))
        it, attempt, _, _ = w.take()
        row = [it, attempt, 1, b"result", 0, b"", [[{1: "mail", 3: b"first"}, {1: "mail", 3: b"after it", 18: [0]}], []]]
        self.assertEqual(w.settle_row(row), [])
        self.assertEqual(w.settle_row(row), [])
        w.close()
        self.assertEqual(self.place.state(job), "succeeded")
        self.assertEqual(sorted(j["state"] for j in self.jobs_in("mail")), ["blocked", "ready"])


if __name__ == "__main__":
    harness.main()
