"""The command's standard streams, how it ends, and what its exit code says."""

import fcntl
import json
import os
import pty
import signal
import subprocess

import harness


class Streams(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker("--heartbeat", "100ms", "--lost", "1s", "--grace", "2s")
        self.place.worker("--exec", "--handle", "echo=cat", "--slots", "2")

    def start(self, *args, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        return subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, *args],
                                stderr=subprocess.PIPE, **kwargs)

    def submit(self, *args):
        r = self.place.stint("submit", *args)
        self.assertExit(r, 0)
        return r.stdout.strip()

    def lines(self, count):
        path = self.place.path("lines")
        with open(path, "w") as f:
            f.write("".join(f"{n}\n" for n in range(count)))
        return path

    def test_a_full_disk_under_the_output_is_74_for_every_verb(self):
        job = self.submit("-k", "echo", "x")
        self.assertExit(self.place.stint("wait", "-Q", job), 0)
        keys = self.place.path("keys")
        os.mkdir(keys)
        self.assertExit(self.place.stint("key", "new", "k", "--role", "client", "--out", keys), 0)
        pub = os.path.join(keys, "k.pub")
        for args in (["map", "-i", self.lines(3), "echo"], ["wait", job], ["wait", "-r", job],
                     ["key", "list", "--keys", keys], ["key", "show", pub],
                     ["result", job], ["show", job], ["ls"], ["ls", "-1"], ["ls", "-j", "-n0"],
                     ["queues"], ["workers"], ["fleet", "size"], ["fleet", "scale", "--once", "-j", "--", "true"], ["stats"], ["stats", "--format", "openmetrics"], ["top", "--once"], ["ping"], ["run", "echo", "x"],
                     ["submit", "-k", "echo", "x"], ["--help"], ["--version"], ["help", "map"],
                     ["map", "--dry-run", "-i", self.lines(3), "echo"]):
            with self.subTest(args=args), open("/dev/full", "w") as full:
                p = self.start(*args, stdout=full)
                err = p.communicate(timeout=30)[1].decode()
                self.assertEqual(p.returncode, 74, err)
                self.assertIn("No space left", err)

    def test_a_closed_output_is_74(self):
        r = subprocess.run(["sh", "-c", f"exec {harness.program('stint')} -e {self.place.endpoint} ping >&-"],
                           capture_output=True, text=True)
        self.assertEqual(r.returncode, 74, r.stderr)

    def test_a_closed_input_is_told_and_does_not_hang(self):
        for verb in ("map echo", "submit -E", "run cat"):
            r = subprocess.run(
                ["sh", "-c", f"exec {harness.program('stint')} -e {self.place.endpoint} {verb} <&-"],
                capture_output=True, text=True, timeout=30)
            self.assertEqual(r.returncode, 74, r.stderr)

    def test_a_reader_that_goes_ends_a_map_quietly_and_cancels_what_has_not_begun(self):
        p = self.start("map", "-i", self.lines(3000), "-S", "echo {}; sleep 0.01")
        self.assertEqual(p.stdout.readline(), b"0\n")
        p.stdout.close()
        self.assertEqual(p.wait(30), 141)
        self.assertEqual(p.stderr.read(), b"")
        p.stderr.close()
        harness.wait_until(lambda: self.place.stats()["jobs"]["ready"] == 0, "nothing waits any more")
        self.assertGreater(self.place.stats()["jobs"]["cancelled"], 1000)

    def test_a_reader_that_goes_is_noticed_before_there_is_more_to_write(self):
        p = self.start("map", "-i", self.lines(4), "-S", "test {} = 0 || sleep 600; echo {}")
        self.assertEqual(p.stdout.readline(), b"0\n")
        p.stdout.close()
        self.assertEqual(p.wait(30), 141)
        p.stderr.close()

    def test_non_blocking_output_and_input_lose_nothing(self):
        ours, theirs = os.pipe()
        for fd in (ours, theirs):
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
        p = self.start("map", "-i", self.lines(40), "-S", "head -c 20000 /dev/zero", stdout=theirs)
        os.close(theirs)
        fcntl.fcntl(ours, fcntl.F_SETFL, 0)
        harness.wait_until(lambda: self.place.stats()["succeeded"] == 40, "all have run")
        got = 0
        while True:  # slower than it is written
            piece = os.read(ours, 4096)
            if not piece:
                break
            got += len(piece)
        os.close(ours)
        self.assertEqual(p.wait(30), 0)
        self.assertEqual(got, 40 * 20000)
        p.stderr.close()
        theirs, ours = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETFL, os.O_NONBLOCK)
        p = self.start("submit", "-E", "-k", "echo", stdin=theirs)
        os.write(ours, b"a\n")
        self.assertIn(b".", p.stdout.readline())
        os.write(ours, b"b\n")
        os.close(ours)
        out, err = p.communicate(timeout=30)
        self.assertEqual((p.returncode, len(out.split())), (0, 1), err)
        os.close(theirs)

    def test_interrupted_is_never_0(self):
        job = self.submit("-q", "unserved", "-k", "echo", "x")
        for args, ready in ((["wait", job], 1), (["events"], 1), (["run", "sleep", "600"], 1),
                            (["fleet", "scale", "--", "sleep", "600"], 1),
                            (["map", "-i", self.lines(2), "sleep", "600"], 1),
                            (["wait", "-f", "-"], 1)):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(args=args, signal=number):
                    p = self.start(*args, stdin=subprocess.PIPE if "-" in args else subprocess.DEVNULL)
                    harness.wait_until(lambda: self.handles(p.pid, number), "it has begun")
                    p.send_signal(number)
                    _, err = p.communicate(timeout=30)
                    self.assertIn(p.returncode, (128 + number, -number), err)

    def test_submit_that_is_interrupted_has_told_what_is_stored(self):
        self.assertExit(self.place.stint("queue", "set", "small", "--backlog-max", "2"), 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            p = self.start("submit", "-q", "small", "-E", "-f", self.lines(5))
            ids = [p.stdout.readline().decode().strip() for _ in range(2)]
            self.assertEqual(self.place.stint("ls", "-q", "small", "-c", "id", "-1").stdout.split(), ids)
            p.send_signal(number)
            out, err = p.communicate(timeout=30)
            self.assertEqual((p.returncode, out), (128 + number, b""), err)
            self.assertIn(b"stopped at line 3: 2 jobs are stored", err)
            self.assertExit(self.place.stint("delete", *ids), 0)

    def test_submit_that_is_interrupted_between_lines_tells_where(self):
        for batch in ((), ("--as-batch",)):
            p = self.start("submit", "-q", "unserved", "-E", *batch, stdin=subprocess.PIPE)
            p.stdin.write(b"a\n")
            p.stdin.flush()
            harness.wait_until(lambda: len(self.place.json("ls", "-q", "unserved")) > len(batch), "it is stored")
            p.send_signal(signal.SIGINT)
            p.wait(30)
            out, err = p.communicate()
            self.assertEqual((p.returncode, len(out.split())), (130, 0 if batch else 1), err)
            self.assertIn(b"stopped at line 2: 1 jobs are stored", err)
            self.assertEqual(b"stint batch cancel" in err, bool(batch))

    def handles(self, pid, number):
        with open(f"/proc/{pid}/status") as f:
            caught = next(int(l.split()[1], 16) for l in f if l.startswith("SigCgt:"))
        return caught & (1 << (number - 1))

    def test_wait_is_bounded_by_its_timeout(self):
        job = self.submit("-q", "unserved", "-k", "echo", "x")
        r = self.place.stint("wait", "--timeout", "300ms", job)
        self.assertExit(r, 124)
        self.assertIn("not settled after 300ms", r.stderr)

    def test_wait_for_no_time_looks_at_every_job_once(self):
        waits = [self.submit("-q", "unserved", "-k", "echo", "x") for _ in range(2)]
        over = self.submit("-k", "echo", "x")
        lost = self.submit("-q", "unserved", "-k", "echo", "x")
        self.assertExit(self.place.stint("cancel", lost), 0)
        self.assertExit(self.place.stint("wait", over), 0)
        r = self.place.stint("wait", "--timeout", "0", *waits, over)
        self.assertExit(r, 124)
        self.assertEqual(r.stdout, f"{over}  succeeded\n")
        self.assertIn("2 jobs are not settled after 0", r.stderr)
        self.assertExit(self.place.stint("wait", "--timeout", "0", over), 0)
        self.assertEqual(self.place.stint("wait", "--timeout", "0", "-r", over).stdout, "x")
        self.assertExit(self.place.stint("wait", "--timeout", "0", over, lost), 1)
        self.assertExit(self.place.stint("wait", "--timeout", "0", over, "0.999.100.1"), 66)
        self.assertExit(self.place.stint("wait", "--timeout", "0", "-f", "-", input=over), 0)

    def test_wait_succeeds_with_no_job_that_it_did_not_look_at(self):
        job = self.submit("-q", "unserved", "-k", "echo", "x")
        for time in ("1ms", "5ms"):
            self.assertExit(self.place.stint("wait", "--timeout", time, job), 124)
        p = self.start("wait", "-f", "-", "--timeout", "300ms", stdin=subprocess.PIPE)
        self.assertEqual(p.wait(30), 124)
        _, err = p.communicate()
        self.assertIn(b"not read to its end", err)
        self.place.broker_process.kill()
        r = self.place.stint("wait", "--timeout", "300ms", job)
        self.assertExit(r, 124)
        self.assertIn("1 jobs are not settled after 300ms", r.stderr)

    def test_wait_tells_outcomes_while_more_ids_may_come(self):
        job = self.submit("-k", "echo", "x")
        p = self.start("wait", "-f", "-", stdin=subprocess.PIPE)
        p.stdin.write(job.encode() + b"\n")
        p.stdin.flush()
        self.assertIn(b"succeeded", p.stdout.readline())
        p.communicate()
        self.assertEqual(p.returncode, 0)

    def test_the_result_of_an_unfinished_job_is_75_in_json_too(self):
        job = self.submit("-q", "unserved", "-k", "echo", "x")
        self.assertExit(self.place.stint("result", job), 75)
        r = self.place.stint("result", "-j", job)
        self.assertExit(r, 75)
        self.assertEqual(json.loads(r.stdout)["state"], "ready")

    def test_not_found_is_127_and_cannot_run_126(self):
        self.assertExit(self.place.stint("run", "no-such-program"), 127)
        self.assertExit(self.place.stint("run", "/etc/passwd"), 126)
        r = self.place.stint("map", "no-such-program", input="a\n")
        self.assertExit(r, 1)
        self.assertIn("stint map: a: can't run no-such-program: No such file", r.stderr)

    def test_run_passes_standard_input_and_shows_standard_error(self):
        r = self.place.stint("run", "-S", "cat; echo said >&2", input="given")
        self.assertExit(r, 0)
        self.assertEqual((r.stdout, r.stderr), ("given", "said\n"))
        with open(self.place.path("file"), "w") as f:
            f.write("of a file")
        r = self.place.stint("run", "--stdin", self.place.path("file"), "cat")
        self.assertEqual(r.stdout, "of a file")

    def test_run_detached_passes_standard_input_too(self):
        r = self.place.stint("run", "--detach", "cat", input="hi\n")
        self.assertExit(r, 0)
        self.assertEqual(self.place.stint("wait", "-r", r.stdout.strip()).stdout, "hi\n")

    def test_a_program_with_a_blank_in_its_path_is_quoted_once_more(self):
        program = self.place.script("echo ran $*", "my program")
        self.assertEqual(self.place.stint("run", f"'{program}'").stdout, "ran\n")
        self.assertEqual(self.place.stint("run", f"'{program}' a 'b c'").stdout, "ran a b c\n")
        self.assertEqual(self.place.stint("run", program, "a").stdout, "ran a\n")
        self.assertExit(self.place.stint("run", program), 127)

    def test_errors_that_are_not_utf_8_are_text_for_people(self):
        r = self.place.stint("run", "--detach", "-S", r"printf 'caf\351\n' >&2; exit 2")
        job = r.stdout.strip()
        self.assertExit(self.place.stint("wait", job), 1)
        self.assertIn("base64", self.place.json("show", job)[0]["error"])
        shown = self.place.stint("show", job).stdout
        self.assertIn("exit status 2\ncaf\\xe9", shown)
        self.assertIn("run 1 ", shown)
        self.assertNotIn("base64", shown)
        self.assertEqual(self.place.stint("ls", "-c", "id,error").stdout.splitlines()[1].split(None, 1),
                         [job, "exit status 2"])
        self.assertExit(self.place.stint("run", "--detach", "-q", "later", "echo", b"caf\xe9"), 0)
        self.assertIn(r"echo caf\xe9", self.place.stint("ls", "-q", "later").stdout)
        job = self.submit("--kind", "echo", "-q", "hands", "x")
        ticket = self.place.stint("take", "-q", "hands", "-k", "echo").stdout.splitlines()[0]
        self.assertExit(self.place.stint("settle", "--dead", "--error", b"caf\xe9", ticket), 0)
        self.assertIn(r"caf\xe9", self.place.stint("ls", "-c", "id,error", "-q", "hands").stdout)

    def test_run_detached_prints_the_id(self):
        r = self.place.stint("run", "--detach", "echo", "hi")
        self.assertExit(r, 0)
        job = r.stdout.strip()
        self.assertExit(self.place.stint("wait", "-Q", job), 0)
        self.assertEqual(self.place.stint("result", job).stdout, "hi\n")

    def test_the_standard_error_of_a_good_job_is_kept(self):
        job = self.place.stint("run", "--detach", "-S", "echo out; echo err >&2").stdout.strip()
        self.assertExit(self.place.stint("wait", "-Q", job), 0)
        self.assertEqual(self.place.stint("result", job).stdout, "out\n")
        self.assertEqual(self.place.stint("result", "--stderr", job).stdout, "err\n")

    def test_a_job_without_an_error_is_told_without_a_colon(self):
        p = self.start("run", "-q", "unserved", "true")
        job = harness.wait_until(lambda: self.place.stint("ls", "-1", "-q", "unserved").stdout.strip(), "it is there")
        self.assertExit(self.place.stint("cancel", job), 0)
        _, err = p.communicate(timeout=30)
        self.assertEqual((p.returncode, err), (1, b"stint run: cancelled\n"))
        self.assertEqual(self.place.stint("wait", "-r", job).stderr, f"stint wait: {job}: cancelled\n")
        self.assertEqual(self.place.stint("result", job).stderr, f"stint result: {job} is cancelled\n")

    def test_the_output_of_failed_jobs_is_shown(self):
        r = self.place.stint("run", "-S", "echo out; echo err >&2; exit 3")
        self.assertExit(r, 3)
        self.assertEqual((r.stdout, r.stderr), ("out\n", "err\n"))
        r = self.place.stint("map", "-S", "echo out{}; exit {}", input="0\n4\n")
        self.assertExit(r, 1)
        self.assertEqual(r.stdout, "out0\nout4\n")
        self.assertEqual(r.stderr, "stint map: 4: exit status 4\n")

    def test_a_failure_is_one_line_and_drives_no_terminal(self):
        r = self.place.stint("map", "-S", ": {}; printf 'one\\n\\033[31mred\\n' >&2; exit 1",
                             input="\033[2J\n")
        self.assertExit(r, 1)
        self.assertEqual(r.stderr, "stint map: \\x1b[2J: exit status 1: \\x1b[31mred\n")

    def test_many_failures_are_summed_up(self):
        r = self.place.stint("map", "false", input="x\n" * 300)
        self.assertExit(r, 1)
        self.assertLess(len(r.stderr.splitlines()), 25)
        self.assertIn("300 of 300 failed", r.stderr)

    def test_results_and_progress_do_not_mix_on_a_terminal(self):
        master, slave = pty.openpty()
        p = subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, "map", "--progress",
                              "-i", self.lines(6), "-S", "sleep 0.2; echo result{}"],
                             stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
        os.close(slave)
        said = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            said += piece
        os.close(master)
        self.assertEqual(p.wait(30), 0)
        self.assertIn(b"/6", said)
        for n in range(6):  # each result begins a line that was cleared
            before = said[:said.index(f"result{n}".encode())]
            self.assertTrue(before.endswith((b"\n", b"\033[K")) or not before, before[-40:])


if __name__ == "__main__":
    harness.main()
