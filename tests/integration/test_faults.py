"""Kills, stops, bad directories, full stores: what the broker and the workers do about them."""

import os
import signal
import subprocess

import harness
import peer

QUICK = ["--heartbeat", "100ms", "--lost", "1s", "--grace", "2s"]


class Directory(harness.Case):
    def refuse(self, code, *words, options=()):
        p = self.place.broker(*options)
        self.assertEqual(p.process.wait(20), code, p.log())
        last = p.log().strip().splitlines()[-1]
        for word in words:
            self.assertIn(word, last)

    def fill(self, jobs=50):
        p = self.place.broker()
        r = self.place.stint("submit", "--each", input="payload " * 20 + "\n" * 1 + "\n".join(
            f"job {i} " + "x" * 300 for i in range(jobs)))
        self.assertExit(r, 0)
        p.stop()

    def data(self, name="jobs.lmdb"):
        return self.place.path("data", name)

    def test_a_second_broker_on_the_same_directory_is_refused(self):
        first = self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)
        self.refuse(75, "another broker", str(first.pid))
        self.assertExit(self.place.stint("ping"), 0)

    def test_an_empty_data_file_is_refused_and_left_alone(self):
        self.fill()
        os.truncate(self.data(), 0)
        self.refuse(65, "damaged", "restore")
        self.assertEqual(os.path.getsize(self.data()), 0)

    def test_a_missing_data_file_is_refused(self):
        self.fill()
        os.remove(self.data())
        self.refuse(66, "jobs.lmdb", "restore")
        self.assertFalse(os.path.exists(self.data()))

    def test_a_file_cut_short_anywhere_is_refused_or_serves_what_is_whole(self):
        self.fill()
        with open(self.data(), "rb") as f:
            whole = f.read()
        for size in range(4096, len(whole), 4096):
            with open(self.data(), "wb") as f:
                f.write(whole[:size])
            p = self.place.broker()
            harness.wait_until(lambda: not p.running() or "event=ready" in p.log()[-400:] and
                               self.place.stint("ping", "--broker-timeout", "5s").returncode == 0,
                               "it refuses or serves")
            if p.running():
                self.assertEqual(self.place.stats()["jobs"]["ready"], 51)
                p.stop()
            else:
                self.assertEqual(p.process.returncode, 65, p.log())
            os.remove(p.log_path)

    def test_a_newer_format_is_refused_with_both_versions(self):
        known = harness.DATA_FORMAT
        self.fill()
        with open(self.data("MANIFEST")) as f:
            text = f.read()
        with open(self.data("MANIFEST"), "w") as f:
            f.write(text.replace(f"stint-data {known}", f"stint-data {known + 1}"))
        self.refuse(78, f"format {known + 1}", f"up to {known}")

    def test_a_foreign_or_broken_manifest_is_refused(self):
        self.fill()
        with open(self.data("MANIFEST")) as f:
            text = f.read()
        with open(self.data("MANIFEST"), "w") as f:
            f.write(text.replace("identity ", "identity 0")[:-1])
        self.refuse(65)
        with open(self.data("MANIFEST"), "w") as f:
            f.write("rubbish\n")
        self.refuse(65, "MANIFEST")
        os.remove(self.data("MANIFEST"))
        self.refuse(65, "MANIFEST")

    def test_a_data_path_that_is_no_directory_is_refused(self):
        with open(self.place.path("data"), "w") as f:
            f.write("a file")
        self.refuse(73, "not a directory")

    def test_a_flipped_bit_in_any_page_is_refused_or_noticed_and_never_served(self):
        self.fill(20)
        with open(self.data(), "rb") as f:
            whole = f.read()
        for page in range(0, len(whole), 4096):
            for at in (100, 2049, 4000):
                turned = bytearray(whole)
                turned[page + at] ^= 16
                with open(self.data(), "wb") as f:
                    f.write(turned)
                p = self.place.broker(*QUICK)
                harness.wait_until(lambda: not p.running() or "event=ready" in p.log(), "a start")
                r = self.place.stint("ls", "-n", "0", "--json", "--broker-timeout", "2s")
                for line in r.stdout.splitlines():
                    job = harness.json.loads(line)
                    self.assertEqual(job["queue"], "default")
                    show = self.place.stint("show", "--json", "--payload", job["id"], "--broker-timeout", "2s")
                    if show.returncode == 0:
                        payload = harness.json.loads(show.stdout).get("payload", "")
                        self.assertRegex(payload, r"^(payload )+$|^job \d+ x{300}$")
                if p.running():
                    p.kill()
                else:
                    self.assertNotEqual(p.log().strip(), "", f"page {page} byte {at}: no message")
                os.remove(p.log_path)

    def test_listening_beyond_this_host_needs_words(self):
        p = harness.Process([harness.program("stintd"), "--listen", "tcp://0.0.0.0:5999", "--data",
                             self.place.path("data")], self.place.path("stintd.log"))
        self.assertEqual(p.process.wait(20), 78)
        self.assertIn("--allow-remote-without-keys", p.log())
        self.assertFalse(os.path.exists(self.place.path("data")))

    def test_settings_are_checked_without_a_start(self):
        def check(*options):
            return subprocess.run([harness.program("stintd"), "--check-config", *options],
                                  capture_output=True, text=True)
        self.assertEqual(check().returncode, 0)
        self.assertEqual(check("--lost", "1s", "--heartbeat", "1s").returncode, 78)
        self.assertEqual(check("--grace", "soon").returncode, 64)
        path = self.place.path("conf")
        with open(path, "w") as f:
            f.write("grace = 5s\nno-such-thing = 1\n")
        r = check("--config", path)
        self.assertEqual(r.returncode, 78)
        self.assertIn("no-such-thing", r.stderr)


class Full(harness.Case):
    def test_a_full_store_refuses_submits_settles_what_runs_and_recovers(self):
        self.place.broker("--store-size", "16M", "--disk-free", "0")
        c = peer.Client(self.place.endpoint)
        w = peer.Worker(self.place.endpoint, slots=4, window=4)
        jobs = []
        while True:
            answer = c.submit([b"x" * 10000] * 10, {6: 0})
            if not isinstance(answer[0], bytes):
                self.assertEqual(answer[1], 11)
                break
            jobs += answer
            self.assertLess(len(jobs), 5000)
        self.assertGreater(len(jobs), 100)
        settled = 0
        while settled < len(jobs):
            job, attempt, _, _ = w.take()
            self.assertEqual(w.settle(job, attempt, peer.SUCCEEDED), [])
            settled += 1
            w.say({0: peer.PING, 1: 0})
        for _ in range(20):  # room is worked out anew every few commits
            c.submit([b"y"], {6: 0})
        self.assertIsInstance(c.submit([b"x" * 10000] * 10)[0], bytes)


    def test_a_flood_in_one_batch_can_not_fill_the_store_past_its_reserve(self):
        broker = self.place.broker("--store-size", "16M", "--disk-free", "0")
        c = peer.Client(self.place.endpoint)
        frames = [c.submission_frame([b"x" * 10000] * 10) for _ in range(400)]
        broker.signal(signal.SIGSTOP)  # so that they come as few large batches
        for frame in frames:
            c.say(frame)
        broker.signal(signal.SIGCONT)
        c.answer(len(frames))
        self.assertTrue(broker.running(), broker.log())
        stored = self.place.stats()["jobs"]["ready"]
        self.assertGreater(stored, 100)
        self.assertLess(stored, 1700)
        w = peer.Worker(self.place.endpoint)
        job, attempt, _, _ = w.take()
        self.assertEqual(w.settle(job, attempt, peer.SUCCEEDED, b"r" * 1000), [])


class Busy(harness.Case):
    def test_a_killed_worker_is_given_up_while_there_is_always_more_to_read(self):
        self.place.broker("--store-size", "32G", *QUICK)
        worker = self.place.worker("--handle", "work=sleep 1000", "--slots", "1")
        job = self.place.stint("submit", "--kind", "work").stdout.strip()
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs")
        busy = [harness.Process([harness.program("stint"), "bench", "--endpoint", self.place.endpoint,
                                 "--mode", "submit", "--queue", f"bulk{i}", "--jobs", "100000",
                                 "--batch", "1", "--window", "64", "--payload", "250000"],
                                self.place.path("bench.log")) for i in range(4)]
        self.place.processes += busy
        harness.wait_until(lambda: self.place.stats()["submitted"] > 200, "they submit")
        worker.kill()
        harness.wait_until(lambda: self.place.state(job) == "ready", "the job is back")
        for p in busy:
            self.assertTrue(p.running(), p.log())


class Kills(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker(*QUICK)

    def submit(self, *args):
        r = self.place.stint("submit", *args)
        self.assertExit(r, 0)
        return r.stdout.strip()

    def test_a_killed_workers_job_is_run_by_another(self):
        first = self.place.worker("--handle", "work=sleep 1000", "--slots", "1")
        job = self.submit("-k", "work", "x")
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs")
        first.kill()
        harness.wait_until(lambda: self.place.state(job) == "ready", "it is requeued")
        self.place.worker("--handle", "work=cat", "--slots", "1")
        self.assertExit(self.place.stint("wait", job), 0)
        self.assertEqual(self.place.json("show", job)[0]["attempt"], 2)

    def test_a_stopped_worker_is_fenced_when_it_wakes(self):
        first = self.place.worker("--handle", "work=sh -c 'sleep 1000; echo first'", "--slots", "1",
                                  "--name", "first")
        job = self.submit("-k", "work", "x")
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs")
        first.signal(signal.SIGSTOP)
        second = self.place.worker("--handle", "work=echo second", "--slots", "1")
        self.assertExit(self.place.stint("wait", job), 0)
        first.signal(signal.SIGCONT)
        harness.wait_until(lambda: any(w["name"] == "first" for w in self.place.json("workers")),
                           "the first is back")
        self.assertEqual(self.place.stint("result", job).stdout, "second\n")
        self.assertEqual(second.stop(), 0)
        self.assertEqual(first.stop(), 0)

    def test_a_stopped_broker_does_not_condemn_its_workers(self):
        self.place.worker("--handle", "work=sh -c 'sleep 4; echo done'", "--slots", "1")
        job = self.submit("-k", "work", "x")
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs")
        self.place.broker_process.signal(signal.SIGSTOP)
        subprocess.run(["sleep", "2"], check=True)  # longer than the lost time: that is the point
        self.place.broker_process.signal(signal.SIGCONT)
        self.assertExit(self.place.stint("wait", job), 0)
        self.assertEqual(self.place.json("show", job)[0]["attempt"], 1)

    def test_a_worker_goes_on_with_its_job_through_a_broker_restart(self):
        self.place.worker("--handle", "work=sh -c 'sleep 3; echo $STINT_JOB_ATTEMPT'", "--slots", "2")
        jobs = [self.submit("-k", "work", "x") for _ in range(2)]
        harness.wait_until(lambda: all(self.place.state(j) == "running" for j in jobs), "they run")
        self.place.broker_process.kill()
        self.place.broker(*QUICK)
        self.assertExit(self.place.stint("wait", *jobs), 0)
        self.assertEqual(self.place.stint("result", *jobs).stdout, "1\n1\n")

    def test_sigterm_lets_a_worker_finish_and_gives_back_the_rest(self):
        path = self.place.path("go")
        w = self.place.worker("--shell", f"work=while [ ! -e {path} ]; do sleep 0.05; done",
                              "--slots", "1", "--prefetch", "10")
        jobs = [self.submit("-k", "work", "x") for _ in range(3)]
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 3, "they are handed out")
        w.signal(signal.SIGTERM)
        harness.wait_until(lambda: self.place.stats()["jobs"]["ready"] == 2, "two are given back")
        open(path, "w").close()
        self.assertEqual(w.process.wait(20), 0)
        self.assertEqual(self.place.state(jobs[0]), "succeeded")
        self.assertEqual(self.place.json("show", jobs[1])[0].get("failures", 0), 0)
        self.assertEqual(self.place.stats()["workers"], 0)

    def test_sigterm_ends_a_broker_at_once_and_nothing_is_lost(self):
        job = self.submit("x")
        self.assertEqual(self.place.broker_process.stop(), 0)
        self.place.broker(*QUICK)
        self.assertEqual(self.place.state(job), "ready")

    def children(self, marker):
        r = subprocess.run(["pgrep", "-f", marker], capture_output=True, text=True)
        return r.stdout.split()

    def test_what_a_job_started_ends_with_a_killed_worker(self):
        marker = f"sleep 98{os.getpid()}"
        w = self.place.worker("--shell", f"work={marker} & {marker}; wait", "--slots", "1")
        self.submit("-k", "work", "x")
        harness.wait_until(lambda: len(self.children(f"^{marker}")) == 2, "both sleep")
        w.kill()
        harness.wait_until(lambda: not self.children(f"^{marker}"), "both are gone")

    def test_a_time_limit_ends_the_whole_process_group(self):
        marker = f"sleep 97{os.getpid()}"
        self.place.worker("--shell", f"work={marker} & {marker}; wait", "--slots", "1")
        job = self.submit("-k", "work", "--timeout", "300ms", "-a", "1", "x")
        self.assertExit(self.place.stint("wait", job), 1)
        harness.wait_until(lambda: not self.children(f"^{marker}"), "both are gone")
        self.assertIn("time to run", self.place.json("show", job)[0]["error"])

    def test_a_cancelled_running_job_is_stopped(self):
        marker = f"sleep 96{os.getpid()}"
        self.place.worker("--handle", f"work={marker}", "--slots", "1")
        job = self.submit("-k", "work", "x")
        harness.wait_until(lambda: self.children(f"^{marker}"), "it sleeps")
        self.assertExit(self.place.stint("cancel", job), 0)
        harness.wait_until(lambda: not self.children(f"^{marker}"), "it is gone")
        self.assertEqual(self.place.state(job), "cancelled")

    def test_a_worker_that_has_measured_nothing_holds_no_jobs_ahead(self):
        path = self.place.path("go")
        w = self.place.worker("--shell", f"work=while [ ! -e {path} ]; do sleep 0.05; done",
                              "--slots", "1")
        up = harness.wait_until(lambda: self.place.json("workers") and
                                self.place.stats()["uptime_ms"], "it is there")
        harness.wait_until(lambda: self.place.stats()["uptime_ms"] > up + 500,
                           "it has sent some heartbeats with its window")
        jobs = [self.submit("-k", "work", "x") for _ in range(20)]
        harness.wait_until(lambda: self.place.state(jobs[0]) == "running", "the first runs")
        self.assertEqual(self.place.json("workers")[0]["window"], 1)
        self.assertEqual(self.place.stats()["jobs"]["ready"], 19)
        open(path, "w").close()
        self.assertExit(self.place.stint("wait", "-Q", *jobs), 0)
        self.assertEqual(w.stop(), 0)

    def window(self):
        """Of the one worker, once it is there."""
        return sum(w["window"] for w in self.place.json("workers"))

    def test_short_jobs_are_held_ahead_and_long_ones_are_not(self):
        self.place.worker("--handle", "short=true", "--shell", "long=sleep 0.2", "--slots", "1")
        shorts = self.place.stint("submit", "--each", "-k", "short", input="x\n" * 300).stdout.split()
        harness.wait_until(lambda: self.window() > 2, "it holds more than it runs")
        self.assertExit(self.place.stint("wait", "-Q", *shorts), 0)
        longs = self.place.stint("submit", "--each", "-k", "long", input="x\n" * 8).stdout.split()
        self.assertExit(self.place.stint("wait", "-Q", *longs), 0)
        harness.wait_until(lambda: self.window() == 1, "it holds none ahead")

    def test_a_worker_that_holds_more_jobs_than_a_claim_names_keeps_them_through_a_restart(self):
        path, jobs = self.place.path("go"), 5000
        self.place.worker("--shell", f"wait=while [ ! -e {path} ]; do sleep 0.05; done", "--handle", "work=true",
                          "--slots", "1", "--prefetch", str(jobs))
        self.submit("-k", "wait", "x")
        r = self.place.stint("submit", "--each", "-k", "work", "--keep", "0", input="x\n" * jobs)
        self.assertExit(r, 0)
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == jobs + 1, "it holds all of them")
        self.place.broker_process.kill()
        self.place.broker(*QUICK)
        harness.wait_until(lambda: self.place.stats()["workers"] == 1, "it is back")
        open(path, "w").close()
        harness.wait_until(lambda: self.place.stats()["succeeded"] == jobs + 1, "all are run", 200)
        stats = self.place.stats()
        self.assertEqual((stats["requeued"], stats["stale"]), (0, 0))

    def test_a_long_job_keeps_its_lease_and_does_not_hold_up_short_ones(self):
        path = self.place.path("go")
        self.place.worker("--shell", f"long=while [ ! -e {path} ]; do sleep 0.05; done",
                          "--handle", "short=true", "--slots", "1", "--prefetch", "20")
        long = self.submit("-k", "long", "x")
        shorts = [self.submit("-k", "short", "x") for _ in range(5)]
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 6, "all are handed out")
        self.place.worker("--handle", "short=true", "--slots", "1")
        self.assertExit(self.place.stint("wait", *shorts), 0)  # recalled, and run by the other
        self.assertEqual(self.place.state(long), "running")
        open(path, "w").close()
        self.assertExit(self.place.stint("wait", long), 0)
        self.assertEqual(self.place.json("show", long)[0]["attempt"], 1)


if __name__ == "__main__":
    harness.main()
