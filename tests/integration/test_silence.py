"""Nothing hangs without a word: who is missing is said, and what would help; bounds are kept; what
--local starts is watched."""

import contextlib
import os
import shutil
import signal
import subprocess

import harness


class Silence(harness.Case):
    def start(self, *args, env=None, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        log = self.place.path(f"log-{len(os.listdir(self.place.directory))}")
        with open(log, "wb") as err:
            p = subprocess.Popen([harness.program("stint"), *args], stdout=subprocess.PIPE, stderr=err,
                                 env=dict(os.environ, STINT_ENDPOINT=self.place.endpoint, **(env or {})),
                                 **kwargs)
        self.addCleanup(self.end, p)
        p.said = lambda: self.said(log)
        return p

    def said(self, log):
        with open(log) as f:
            return f.read()

    def end(self, p):
        if p.poll() is None:
            p.kill()
        p.communicate()

    def waits_saying(self, p, text):
        harness.wait_until(lambda: text in p.said() or p.poll() is not None, "it says " + text)
        self.assertIn(text, p.said())
        self.assertIsNone(p.poll(), p.said())

    def lines(self, *lines):
        path = self.place.path("input")
        with open(path, "w") as f:
            f.write("".join(line + "\n" for line in lines))
        return path

    def test_a_queue_that_no_worker_serves_is_told(self):
        self.place.broker()
        for args in (["map", "-i", self.lines("a"), "-q", "lonely", "echo"],
                     ["run", "-q", "lonely", "echo"]):
            self.waits_saying(self.start(*args), "no worker serves queue lonely")
        job = self.place.stint("submit", "-q", "lonely", "-k", "thing", "x").stdout.strip()
        p = self.start("wait", job)
        self.waits_saying(p, "no worker serves queue lonely")
        self.assertIn("--handle thing=PROGRAM", p.said())

    def test_a_kind_that_no_worker_runs_is_told(self):
        self.place.broker()
        self.place.worker("--handle", "other=cat")
        harness.wait_until(lambda: self.place.json("workers"), "the worker is there")
        self.waits_saying(self.start("map", "-i", self.lines("a"), "echo"),
                          "no worker of queue default runs jobs of kind exec")

    def test_a_job_for_later_is_told_with_its_time(self):
        self.place.broker()
        job = self.place.stint("submit", "-q", "lonely", "--in", "1h", "x").stdout.strip()
        for args in (["wait", job], ["run", "-q", "lonely", "--in", "1h", "echo"]):
            p = self.start(*args)
            self.waits_saying(p, "is scheduled: it is due in 1h")
            self.assertNotIn("failed", p.said())

    def test_a_queue_that_has_begun_as_many_as_it_may_is_told(self):
        self.place.broker()
        self.place.worker("--queue", "slow", "--exec")
        self.assertExit(self.place.stint("queue", "set", "slow", "--rate", "1/h"), 0)
        harness.wait_until(lambda: self.place.json("workers"), "the worker is there")
        for args in (["run", "-q", "slow", "echo"], ["map", "-i", self.lines("a"), "-q", "slow", "echo"]):
            self.waits_saying(self.start(*args), "as many jobs of queue slow have begun as may")

    def test_it_is_said_once(self):
        self.place.broker()
        p = self.start("map", "-i", self.lines("a"), "echo")
        self.waits_saying(p, "no worker serves")
        self.place.worker("--exec")
        self.assertEqual(p.wait(30), 0)
        self.assertEqual(p.said().count("\n"), 1)

    def test_a_broker_that_goes_away_is_told_and_waited_for(self):
        self.place.broker()
        job = self.place.stint("submit", "-q", "lonely", "x").stdout.strip()
        p = self.start("wait", job)
        self.waits_saying(p, "no worker serves")
        self.place.broker_process.kill()
        self.waits_saying(p, "no answer from the broker")

    def test_a_broker_that_has_no_room_for_another_connection_is_told_as_that(self):
        self.place.broker("--peers-max", "1")
        worker = self.place.worker("--exec")
        harness.wait_until(lambda: "event=connected" in worker.log(), "the worker is connected")
        for verb in (["ls"], ["submit", "x"], ["run", "echo"], ["map", "-i", self.lines("a"), "echo"], ["ping"],
                     ["events"], ["top", "--once"]):
            r = self.place.stint(verb[0], "--broker-timeout", "500ms", *verb[1:])
            self.assertExit(r, 75)
            self.assertIn("the broker has no room for us", r.stderr)
        worker.stop()
        self.assertExit(self.place.stint("ping"), 0)

    def test_the_silence_of_the_broker_is_bounded_in_every_verb(self):
        self.place.broker()
        job = self.place.stint("submit", "-q", "lonely", "x").stdout.strip()
        bound = ["--broker-timeout", "1s"]
        waiting = [self.start(*bound, "wait", job), self.start(*bound, "events"),
                   self.start(*bound, "fleet", "scale", "--every", "100ms", "--", "true"),
                   self.start(*bound, "run", "-q", "lonely", "echo"),
                   self.start(*bound, "map", "-q", "lonely", "-i", self.lines("a"), "echo")]
        harness.wait_until(lambda: self.place.stats()["submitted"] >= 3 and
                           self.place.stats()["peers"] >= 6, "all are at work")
        self.place.broker_process.signal(signal.SIGSTOP)
        for p in waiting:
            self.assertIn(p.wait(30), (69, 75), p.said())
        verbs = (["ping"], ["ls"], ["queues"], ["groups", "default"], ["show", job], ["cancel", job], ["bulk", "ls"], ["submit", "x"],
                 ["wait", job], ["map", "-i", self.lines("a"), "echo"], ["run", "echo"],
                 ["events"], ["follow", "0.1.100.1"], ["stats"], ["top"], ["top", "--once"], ["peek", "lonely"], ["workers"], ["worker", "pause", "--all"], ["worker", "show", "x"],
                 ["fleet", "size", "3"], ["fleet", "scale", "--", "true"],
                 ["fleet", "scale", "--once", "--", "true"], ["result", job], ["retry", job], ["take"])
        for p in [self.start(*bound, *args) for args in verbs]:
            self.assertIn(p.wait(30), (69, 75), p.said())
            self.assertNotEqual(p.said(), "")

    def test_a_full_queue_is_waited_for(self):
        self.place.broker("--queue-backlog-max", "20")
        lines = [str(n) for n in range(300)]
        p = self.start("map", "-i", self.lines(*lines), "echo")
        self.waits_saying(p, "takes no more jobs for now")
        self.place.worker("--exec")
        out, _ = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0, p.said())
        self.assertEqual(out.decode().split(), lines)

    def test_submit_waits_for_room_and_prints_every_id(self):
        self.place.broker("--queue-backlog-max", "1500")
        p = self.start("submit", "-E", "-k", "echo", "-f", self.lines(*map(str, range(4000))))
        harness.wait_until(lambda: self.place.stats()["jobs"]["ready"] >= 1000, "some are stored")
        self.place.worker("--handle", "echo=cat")
        out, _ = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0, p.said())
        self.assertEqual(len(set(out.split())), 4000)

    def test_a_line_that_is_too_large_is_named_and_loses_nobody_else(self):
        self.place.broker()
        self.place.worker("--exec", "--handle", "echo=wc -c")
        lines = [b"a", b"x" * 1200000, b"b"]
        p = self.start("submit", "-E", "-k", "echo", stdin=subprocess.PIPE)
        out, _ = p.communicate(b"\n".join(lines) + b"\n", timeout=30)
        self.assertEqual(p.returncode, 65, p.said())
        self.assertEqual(len(out.split()), 2)
        self.assertIn("line 2: its 1200000 bytes", p.said())
        p = self.start("map", "-S", "printf '%s\\n' {}", stdin=subprocess.PIPE)
        out, _ = p.communicate(b"\n".join(lines) + b"\n", timeout=30)
        self.assertEqual(p.returncode, 1, p.said())
        self.assertEqual(out, b"a\nb\n")
        self.assertIn("more than the broker takes", p.said())

    def test_small_lines_that_are_too_large_are_named_and_lose_nobody_else(self):
        self.place.broker("--payload-max", "1K")
        large = "b" * 2000
        p = self.start("submit", "-E", "-f", self.lines(large, "a", large, large, "c", "d", large))
        out, _ = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 65, p.said())
        for line in (1, 3, 4, 7):
            self.assertIn(f"line {line}: its 2000 bytes are more than the broker takes", p.said())
        self.assertEqual(p.said().count("\n"), 4)
        payloads = [self.place.json("show", "--payload", job)[0]["payload"] for job in out.decode().split()]
        self.assertEqual(payloads, ["a", "c", "d"])

    def test_heavy_lines_are_sent_in_messages_that_are_small_enough(self):
        self.place.broker()
        self.place.worker("--exec")
        p = self.start("map", "-S", ": {}; echo ok", stdin=subprocess.PIPE)
        out, _ = p.communicate((b"y" * 70000 + b"\n") * 200, timeout=60)
        self.assertEqual(p.returncode, 0, p.said())
        self.assertEqual(out, b"ok\n" * 200)

    def test_an_endless_line_is_refused_by_its_number(self):
        self.place.broker()
        for args in (["map", "echo"], ["submit", "-E"]):
            with open("/dev/zero", "rb") as zero:
                p = self.start(*args, stdin=zero)
                self.assertEqual(p.wait(60), 65)
                self.assertIn("line 1 is over 4 MiB", p.said())

    def test_submit_says_where_it_stopped(self):
        self.place.broker()
        p = self.start("submit", "-E", "-k", "echo", "--broker-timeout", "2s", stdin=subprocess.PIPE)
        p.stdin.write(b"a\nb\n")
        p.stdin.flush()
        ids = [p.stdout.readline(), p.stdout.readline()]
        self.place.broker_process.signal(signal.SIGSTOP)
        p.communicate(b"c\n", timeout=30)
        self.assertEqual(p.returncode, 75, p.said())
        self.assertEqual(len(ids), 2)
        self.assertIn("stopped at line 3: 2 jobs are stored", p.said())

    def test_unordered_does_not_stall_behind_one_slow_line(self):
        self.place.broker()
        self.place.worker("--exec", "--slots", "2")
        go = self.place.path("go")
        p = self.start("map", "-u", "-i", self.lines("slow", *map(str, range(9000))), "-S",
                       f"if [ {{}} = slow ]; then while [ ! -e {go} ]; do sleep 0.1; done; fi; echo {{}}")
        for _ in range(9000):
            self.assertNotEqual(p.stdout.readline(), b"slow\n")
        open(go, "w").close()
        self.assertEqual(p.stdout.readline(), b"slow\n")
        self.assertEqual(p.wait(30), 0)

    # ---- --local ----

    def local(self, *args, **kwargs):
        return self.start("map", "--local", self.place.path("local"), "--slots", "2", *args, **kwargs)

    def test_the_worker_of_local_serves_the_queue_that_is_used(self):
        p = self.local("-q", "other", "-i", self.lines("a"), "echo",
                       env={"STINT_QUEUE": "elsewhere", "STINT_SLOT": "7"})
        self.assertEqual(p.communicate(timeout=30)[0], b"a\n")

    def test_a_damaged_directory_is_told_at_once(self):
        p = self.local("-i", self.lines("a"), "echo")
        self.assertEqual(p.wait(30), 0)
        with open(self.place.path("local", "data", "MANIFEST"), "w") as f:
            f.write("rubbish")
        p = self.local("-i", self.lines("a"), "echo")
        self.assertEqual(p.wait(9), 69, p.said())
        self.assertIn("stintd ended with exit status", p.said())
        self.assertIn("MANIFEST", p.said())

    def test_a_file_for_a_directory_is_told(self):
        with open(self.place.path("local"), "w"):
            pass
        p = self.local("-i", self.lines("a"), "echo")
        self.assertEqual(p.wait(9), 73)
        self.assertIn("no directory", p.said())

    def test_a_busy_directory_is_told(self):
        first = self.local("-i", self.lines("a"), "-S", "exec sleep 600")
        harness.wait_until(lambda: os.path.exists(self.place.path("local", "map", "lines")), "it runs")
        p = self.local("-i", self.lines("a"), "sleep", "600")
        self.assertEqual(p.wait(9), 75)
        self.assertIn(f"in use by another command (process {first.pid})", p.said())

    def test_missing_programs_are_told(self):
        copy = self.place.path("stint")
        shutil.copy(harness.program("stint"), copy)
        r = subprocess.run([copy, "run", "--local", self.place.path("local"), "true"],
                           capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30,
                           env={"PATH": "/nonexistent", "LD_LIBRARY_PATH":
                                os.path.join(harness.BUILD, "client")})
        self.assertEqual(r.returncode, 69, r.stderr)
        self.assertIn("can't find stintd", r.stderr)

    def children(self, pid):
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(c) for c in f.read().split()]

    def worker_of(self, pid):
        for child in self.children(pid):
            with contextlib.suppress(OSError), open(f"/proc/{child}/comm") as f:
                if f.read().strip() == "stint-worker":
                    return child
        return None

    def test_a_helper_that_dies_is_noticed(self):
        p = self.local("-i", self.lines("a"), "-S", ": {}; exec sleep 600")
        os.kill(harness.wait_until(lambda: self.worker_of(p.pid), "it has a worker"), signal.SIGKILL)
        self.assertEqual(p.wait(30), 69)
        self.assertIn("stint-worker was killed by signal 9", p.said())

    def test_ctrl_c_ends_local_soon_and_says_so(self):
        started = self.place.path("started")
        p = self.local("-i", self.lines("a"), "-S", f"touch {started}; exec sleep 600")
        harness.wait_until(lambda: os.path.exists(started), "the job runs")
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(9), 130)  # a worker's usual drain is 30 s
        self.assertIn("stopping: what runs is ended", p.said())

    def test_a_second_ctrl_c_ends_at_once_and_the_next_map_waits_for_what_is_left(self):
        started = self.place.path("started")
        command = ["-i", self.lines("a"), "-S",
                   f"if [ -e {started} ]; then echo again; else touch {started}; trap '' TERM; "
                   "while :; do sleep 0.1; done; fi"]
        p = self.local(*command)
        harness.wait_until(lambda: os.path.exists(started), "the job runs")
        p.send_signal(signal.SIGINT)
        harness.wait_until(lambda: "stopping" in p.said(), "it has heard")
        p.send_signal(signal.SIGINT)
        self.assertIn(p.wait(9), (130, -signal.SIGINT))
        p = self.local(*command)
        self.assertEqual(p.communicate(timeout=60)[0], b"again\n", p.said())
        self.assertEqual(p.returncode, 0)


if __name__ == "__main__":
    harness.main()
