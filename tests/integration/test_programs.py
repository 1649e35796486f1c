"""What a worker does with the programs it runs: when they end, what ends with them, what they get,
and what happens where they can't be started."""

import contextlib
import ctypes
import os
import pty
import resource
import signal
import struct
import subprocess
import sys
import unittest

import msgpack

import harness
import peer


def alive(pid):
    """Neither gone nor a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Programs(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker()

    def submit(self, script, *options):
        """A job that runs a shell's script."""
        return self.exec({"argv": ["sh", "-c", script]}, *options)

    def exec(self, payload, *options):
        if not isinstance(payload, bytes):
            payload = msgpack.packb(payload)
        r = self.place.stint("submit", "-k", "exec", "-f", "-", *options, input=payload)
        self.assertExit(r, 0)
        return r.stdout.strip()

    def result(self, job, code=0):
        self.assertExit(self.place.stint("wait", "-Q", job), code)
        return self.place.stint("result", job).stdout

    def error(self, job):
        self.assertExit(self.place.stint("wait", "-Q", job), 1)
        return self.place.json("show", job)[0]["error"]

    def output_of(self, script, *options):
        return self.result(self.submit(script, *options))

    def pids(self, name, count):
        """Process ids that a job has written into a file, a line each, once there are so many."""
        path = self.place.path(name)

        def read():
            with contextlib.suppress(FileNotFoundError), open(path) as f:
                lines = f.read().split("\n")[:-1]
                return len(lines) >= count and [int(line) for line in lines]
            return None
        return harness.wait_until(read, f"{count} processes are there")

    def assertEnd(self, pids):
        harness.wait_until(lambda: not any(alive(p) for p in pids), f"{pids} have ended")

    def shell_worker(self, before, *options):
        """A worker that a shell has prepared."""
        words = " ".join(f"'{o}'" for o in
                         [harness.program("stint-worker"), "--endpoint", self.place.endpoint, *options])
        p = harness.Process(["sh", "-c", f"{before}; exec {words}"], self.place.path("worker.log"))
        self.place.processes.append(p)
        return p


CHATTY = "trap '' TERM; echo $$ >{pid}; while :; do echo x; echo x >&2; sleep 0.2; done"
FLOOD = "trap '' TERM; echo $$ >{pid}; while :; do echo 'as much as goes' >&2; done"


class Deadlines(Programs):
    def test_what_has_just_begun_is_not_over_its_time(self):
        """However the worker's threads meet: one slot begins a program while another thread looks
        whose time is over."""
        self.place.worker("--exec", "--slots", "4")
        lines = "".join(f"{n}\n" for n in range(3000))
        r = self.place.stint("map", "--timeout", "1h", "true", input=lines)
        self.assertEqual((r.returncode, r.stderr), (0, ""))

    def script(self, text):
        return text.format(pid=self.place.path("pid"))

    def test_a_program_that_ignores_sigterm_and_keeps_writing_is_killed_at_its_limit(self):
        self.place.worker("--exec", "--slots", "2")
        for text in (CHATTY, FLOOD):
            job = self.submit(self.script(text), "-a", "1", "--time-to-run", "300ms")
            pids = self.pids("pid", 1)
            self.assertIn("the time to run was over", self.error(job))
            self.assertEnd(pids)
            os.remove(self.place.path("pid"))

    def test_a_program_that_ignores_sigterm_and_keeps_writing_is_killed_when_it_is_cancelled(self):
        self.place.worker("--exec", "--slots", "1")
        job = self.submit(self.script(CHATTY))
        pids = self.pids("pid", 1)
        self.assertExit(self.place.stint("cancel", job), 0)
        self.assertEnd(pids)

    def test_a_drain_ends_whatever_a_program_writes(self):
        worker = self.place.worker("--exec", "--slots", "1", "--drain", "200ms")
        job = self.submit(self.script(CHATTY))
        pids = self.pids("pid", 1)
        self.assertEqual(worker.stop(), 0)
        self.assertEnd(pids)
        self.assertEqual(self.place.state(job), "ready")

    def test_a_stopped_program_hears_that_it_is_to_end(self):
        self.place.worker("--exec", "--slots", "1")
        path = self.place.path("heard")
        job = self.submit(f"trap 'echo yes >{path}; exit 0' TERM; "
                          f"kill -STOP $$; while :; do sleep 0.1; done", "-a", "1",
                          "--time-to-run", "300ms")
        self.error(job)
        self.assertTrue(os.path.exists(path))


# Each writes the number of what it leaves behind to the file {pid}.
LEFT = {
    "a child in the background": "sh -c 'echo $$ >>{pid}; exec sleep 1000' & ",
    "a session of its own": "setsid sh -c 'echo $$ >>{pid}; exec sleep 1000' & ",
    "a daemon": "(setsid sh -c 'echo $$ >>{pid}; exec sleep 1000' </dev/null >/dev/null 2>&1 &) ; ",
    "a daemon that hides its environment":
        "(env -i setsid /bin/sh -c 'echo $$ >>{pid}; exec sleep 1000' >/dev/null 2>&1 &) ; ",
    "one that forks again and again":
        "(setsid sh -c 'echo $$ >>{pid}; while :; do (sleep 1000 & echo $! >>{pid}); sleep 0.02; "
        "done' >/dev/null 2>&1 &) ; ",
}
WAIT_FOR_IT = "while ! test -s {pid}; do sleep 0.01; done; "


class LeftBehind(Programs):
    def each(self, end, *options):
        """Runs a job for each kind of what may be left; all that has written its number ends."""
        for i, (kind, text) in enumerate(LEFT.items()):
            with self.subTest(kind):
                name = f"pid{i}"
                script = (text + WAIT_FOR_IT + end).format(pid=self.place.path(name))
                yield self.submit(script, "-a", "1", *options), self.pids(name, 1), name

    def assertAllEnd(self, name):
        self.assertEnd(self.pids(name, 1))

    def test_it_ends_with_a_job_that_succeeds(self):
        self.place.worker("--exec", "--slots", "2")
        for job, _, name in self.each("echo done"):
            self.assertEqual(self.result(job), "done\n")
            self.assertAllEnd(name)

    def test_it_ends_with_a_job_that_fails(self):
        self.place.worker("--exec", "--slots", "2")
        for job, _, name in self.each("exit 3"):
            self.assertIn("exit status 3", self.error(job))
            self.assertAllEnd(name)

    def test_it_ends_with_a_job_whose_time_is_over(self):
        self.place.worker("--exec", "--slots", "2")
        for job, _, name in self.each("sleep 1000", "--time-to-run", "1s"):
            self.error(job)
            self.assertAllEnd(name)

    def test_it_ends_with_a_job_that_is_cancelled(self):
        self.place.worker("--exec", "--slots", "2")
        for job, pids, name in self.each("sleep 1000"):
            self.assertExit(self.place.stint("cancel", job), 0)
            self.assertEnd(pids)
            self.assertAllEnd(name)

    def test_it_ends_with_the_guard_that_is_killed(self):
        for i in range(len(LEFT)):
            worker = self.place.worker("--exec", "--slots", "2")
            job, pids, name = self.one(i)
            inner = worker.children()
            worker.kill()
            self.assertEnd(pids + inner)
            self.assertAllEnd(name)
            self.place.stint("cancel", job)

    def one(self, i):
        name = f"pid{i}"
        script = (list(LEFT.values())[i] + WAIT_FOR_IT + "sleep 1000").format(
            pid=self.place.path(name))
        return self.submit(script), self.pids(name, 1), name

    def test_it_ends_with_the_worker_that_is_killed_and_the_guard_tells_by_what(self):
        for i in range(len(LEFT)):
            worker = self.place.worker("--exec", "--slots", "2")
            job, pids, name = self.one(i)
            os.kill(worker.children()[0], signal.SIGKILL)
            self.assertEqual(worker.process.wait(harness.DEADLINE_S), -signal.SIGKILL)
            self.assertFalse(any(alive(p) for p in pids))  # the guard outlives it all
            self.assertAllEnd(name)
            self.assertIn("killed", worker.log())
            self.place.stint("cancel", job)

    def test_a_job_that_ends_leaves_other_jobs_daemons_alone(self):
        self.place.worker("--exec", "--slots", "2")
        for kind in ("a daemon", "a daemon that hides its environment"):
            name = kind.replace(" ", "-")
            go = self.place.path(name + "-go")
            script = (LEFT[kind] + WAIT_FOR_IT).format(pid=self.place.path(name))
            job = self.submit(script + f"while ! test -e {go}; do sleep 0.02; done; echo done")
            pids = self.pids(name, 1)
            for _ in range(3):
                self.assertEqual(self.output_of("echo other"), "other\n")
            self.assertTrue(alive(pids[0]), kind)
            with open(go, "w"):
                pass
            self.assertEqual(self.result(job), "done\n")
            self.assertEnd(pids)

    def test_a_daemon_that_holds_the_output_open_does_not_delay_the_outcome(self):
        self.place.worker("--exec", "--slots", "1")
        self.assertEqual(self.output_of("setsid sh -c 'sleep 1000' & echo early"), "early\n")

    def test_children_that_were_there_before_the_worker_stay(self):
        worker = self.shell_worker(f"sleep 1000 & echo $! >{self.place.path('pid')}",
                                   "--exec", "--slots", "1")
        pid = self.pids("pid", 1)[0]
        self.addCleanup(lambda: os.kill(pid, signal.SIGKILL))
        self.assertEqual(self.output_of("echo hi"), "hi\n")
        self.assertEqual(worker.stop(), 0)
        self.assertTrue(alive(pid))

    def zombies_below(self, pid):
        count = 0
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{entry}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                if fields[0] == "Z" and int(fields[1]) in pid:
                    count += 1
        return count

    def test_at_pid_1_and_elsewhere_orphans_are_reaped(self):
        for unshare in (["unshare", "-pf", "--mount-proc"], ["unshare", "-pf"], []):
            if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
                continue
            with self.subTest(unshare=unshare):
                p = harness.Process([*unshare, harness.program("stint-worker"), "--endpoint",
                                     self.place.endpoint, "--exec", "--slots", "2"],
                                    self.place.path("worker.log"))
                self.place.processes.append(p)
                ids = [self.submit("(true &) ; (setsid true &) ; echo ok") for _ in range(20)]
                for job in ids:
                    self.assertEqual(self.result(job), "ok\n")
                guard = p.children()[0] if unshare else p.pid
                with open(f"/proc/{guard}/task/{guard}/children") as f:
                    inner = int(f.read().split()[0])
                harness.wait_until(lambda: self.zombies_below({guard, inner}) == 0,
                                   "all are reaped")
                os.kill(guard, signal.SIGTERM)
                p.process.wait(harness.DEADLINE_S)


# Lets no pidfd_open through: what old kernels and old containers do.
def refuse_pidfd_open():
    libc = ctypes.CDLL(None, use_errno=True)
    code = b"".join(struct.pack("HBBI", *i) for i in (
        (0x20, 0, 0, 0),  # the call's number
        (0x15, 0, 1, 434),  # is it pidfd_open?
        (0x06, 0, 0, 0x00050000 | 38),  # ENOSYS
        (0x06, 0, 0, 0x7fff0000)))
    buffer = ctypes.create_string_buffer(code)

    class Filter(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]
    f = Filter(4, ctypes.addressof(buffer))
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(f), 0, 0) != 0:
        os._exit(99)


class Unstarted(Programs):
    def refused(self, *options, env=None):
        p = self.place.worker(*options, env=env)
        code = p.process.wait(harness.DEADLINE_S)
        return code, p.log().strip()

    def test_a_worker_whose_program_is_missing_refuses_to_start(self):
        plain = self.place.path("plain")
        with open(plain, "w"):
            pass
        os.mkdir(self.place.path("directory"))
        os.mkdir(self.place.path("directory", "tool"))
        for option, words in ((["--handle", "a=/nonexistent/prog x"],
                               ["a=/nonexistent/prog", "No such file"]),
                              (["--handle", f"a={plain}"], [plain, "Permission denied"]),
                              (["--handle", "a=no-such-tool x"], ["no-such-tool", "PATH is /bin:/x"]),
                              (["--plugin", "/nonexistent.so"], ["/nonexistent.so"])):
            code, said = self.refused(*option, env={"PATH": "/bin:/x"})
            self.assertEqual(code, 78, said)
            for word in words:
                self.assertIn(word, said)
        code, said = self.refused("--handle", "a=tool", env={"PATH": self.place.path("directory")})
        self.assertEqual(code, 78, said)

    def test_a_wrong_setting_is_named(self):
        for options, code, words in ((["-q", "bad name"], 78, ["bad name", "queue"]),
                                     (["--slots", "-3"], 64, ["slots"]),
                                     (["--slots", "0"], 64, ["slots", "1 to 65536"]),
                                     (["--slots", "65537"], 64, ["slots", "1 to 65536"]),
                                     (["--handle", "b ad=true"], 78, ["b ad=true", "kind"]),
                                     (["--handle", "a=true", "--handle", "a=false"], 78, ["a=false", "already"]),
                                     (["--handle", "a=true", "--shell", "a=false"], 78, ["a=false", "already"]),
                                     (["--handle", "exec=true"], 78, ["--exec", "already"]),
                                     (["--shell", "a= "], 78, ["a= ", "command"]),
                                     ([w for n in range(64) for w in ("--handle", f"k{n}=true")], 78, ["64 handlers"]),
                                     ([w for n in range(65) for w in ("-q", f"k{n}.*")], 78, ["--queue", "64 prefixes"]),
                                     ([w for n in range(257) for w in ("-q", f"k{n}")], 78, ["--queue", "256 names"]),
                                     (["--prefetch", "3", "--no-prefetch"], 78, ["--no-prefetch", "--prefetch"]),
                                     (["--name", "n" * 200], 78, ["name"])):
            got, said = self.refused("--exec", *options)
            self.assertEqual(got, code, said)
            for word in words:
                self.assertIn(word, said)
            self.assertNotIn(self.place.endpoint, said)

    def test_as_many_queues_are_served_as_the_manual_says(self):
        names = [w for n in range(256) for w in ("-q", f"k{n}")] + [w for n in range(64) for w in ("-q", f"k{n}.*")]
        worker = self.place.worker("--exec", *names)
        harness.wait_until(lambda: "event=connected" in worker.log(), "it is connected")

    def test_a_plugin_without_handlers_or_with_others_kinds_is_refused(self):
        plugin = os.path.join(harness.BUILD, "tests", "test_plugin.so")
        for options, env, word in (([], {"PLUGIN_IS_EMPTY": "1"}, "no handler"),
                                   (["--handle", "turn=cat"], {}, "turn has a handler already"),
                                   (["--plugin", plugin], {}, "turn has a handler already")):
            code, said = self.refused("--plugin", plugin, *options, env=env)
            self.assertEqual(code, 78, said)
            self.assertIn(word, said)
            self.assertNotIn("started", said)
        self.place.worker("--plugin", plugin, "--handle", "echo=cat", env={"PLUGIN_IS_EMPTY": "1"})
        job = self.place.stint("submit", "-k", "echo", "x").stdout.strip()
        self.assertEqual(self.result(job), "x")

    def test_a_program_that_goes_missing_fails_no_job(self):
        path, away = self.place.path("tool"), self.place.path("away")
        with open(path, "w") as f:
            f.write("#!/bin/sh\necho back\n")
        os.chmod(path, 0o755)
        worker = self.place.worker("--handle", f"work={path}", "--slots", "2")
        harness.wait_until(lambda: "event=connected" in worker.log(), "it is connected")
        os.rename(path, away)
        ids = self.place.stint("submit", "--each", "-a", "1", "-k", "work",
                               input="x\n" * 20).stdout.split()
        harness.wait_until(lambda: "can't start programs" in worker.log(), "it is told")
        os.rename(away, path)
        self.assertExit(self.place.stint("wait", *ids), 0)
        self.assertEqual(worker.log().count("can't start programs"), 1)

    def test_a_program_that_a_job_names_and_is_missing_is_told(self):
        self.place.worker("--exec", "--slots", "1")
        job = self.exec({"argv": ["no-such-program", "x"]}, "-a", "1")
        self.assertEqual(self.error(job), "can't run no-such-program: No such file or directory")
        job = self.exec({"argv": ["true"], "cwd": "/no/such", "cwd_required": True}, "-a", "1")
        self.assertEqual(self.error(job),
                         "can't enter the directory /no/such: No such file or directory")

    def test_a_script_without_a_first_line_is_run_by_the_shell(self):
        path = self.place.path("script")
        with open(path, "w") as f:
            f.write('echo "$# $2"\n')
        os.chmod(path, 0o755)
        self.place.worker("--exec", "--slots", "1")
        self.assertEqual(self.result(self.exec([path, "a", "b c"])), "2 b c\n")

    def test_a_directory_on_path_is_no_program(self):
        os.makedirs(self.place.path("one", "tool"))
        os.mkdir(self.place.path("two"))
        path = self.place.path("two", "tool")
        with open(path, "w") as f:
            f.write("#!/bin/sh\necho found\n")
        os.chmod(path, 0o755)
        search = f"{self.place.path('one')}:{self.place.path('two')}:/usr/bin:/bin"
        self.place.worker("--exec", "--slots", "1", env={"PATH": search})
        self.assertEqual(self.result(self.exec(["tool"])), "found\n")

    def run_all(self, count=60):
        """All at once, so that every slot is busy."""
        ids = self.place.stint("submit", "--each", "-k", "exec", "-a", "1",
                               input=(msgpack.packb(["sleep", "0.1"]) + b"\n") * count
                               ).stdout.split()
        self.assertEqual(len(ids), count)
        self.assertExit(self.place.stint("wait", "-Q", *ids), 0)

    def test_a_worker_short_of_descriptors_loses_no_job(self):
        worker = self.shell_worker("ulimit -n 44", "--exec", "--slots", "16")
        self.run_all()
        self.assertIn("ulimit -n", worker.log())
        self.assertEqual(worker.stop(), 0)

    def test_a_limit_of_descriptors_too_low_for_anything_is_told(self):
        worker = self.shell_worker("ulimit -n 24", "--exec", "--slots", "1")
        self.assertEqual(worker.process.wait(harness.DEADLINE_S), 71)
        self.assertIn("open files", worker.log())

    def test_a_worker_raises_its_limit_of_descriptors_and_gives_programs_the_old_one(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.shell_worker("ulimit -S -n 70", "--exec", "--slots", "16")
        self.assertEqual(self.output_of("ulimit -S -n"), "70\n")
        self.assertEqual(self.output_of("ulimit -H -n").strip(),
                         "unlimited" if hard == resource.RLIM_INFINITY else str(hard))
        self.run_all()

    @unittest.skipIf(os.getuid() != 0, "needs a user of its own")
    def test_a_worker_short_of_processes_loses_no_job(self):
        endpoint = f"tcp://127.0.0.1:{harness.socket_port()}"
        self.place.broker_process.stop()
        self.place.endpoint = endpoint
        self.place.broker()

        def become_nobody():
            uid = 1_000_000 + os.getpid()  # nobody else's processes count
            resource.setrlimit(resource.RLIMIT_NPROC, (27, 27))
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        worker, env = self.place.program_for_others("stint-worker")
        with open(self.place.path("worker.log"), "wb") as log:
            p = subprocess.Popen([worker, "--endpoint", endpoint, "--exec", "--slots", "16"],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=env,
                                 preexec_fn=become_nobody)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.run_all()
        with open(self.place.path("worker.log")) as f:
            self.assertIn("can't start programs", f.read())

    def test_a_system_that_refuses_pidfd_open_is_named(self):
        r = subprocess.run([harness.program("stint-worker"), "--endpoint", self.place.endpoint,
                            "--exec"], preexec_fn=refuse_pidfd_open, capture_output=True,
                           timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, 71, r.stderr)
        self.assertIn(b"pidfd_open", r.stderr)


class Streams(Programs):
    def test_a_worker_without_standard_streams_gives_programs_whole_ones(self):
        for closed in ("<&-", "<&- >&- 2>&-"):
            worker = self.shell_worker(f"exec {closed}", "--exec", "--slots", "1")
            self.assertEqual(self.output_of("cat; ls -l /proc/self/fd/0 | grep -c /dev/null"),
                             "1\n")
            self.assertEqual(worker.stop(), 0)

    def test_a_program_has_no_terminal_that_could_stop_it(self):
        pid, master = pty.fork()
        if pid == 0:
            os.execv(harness.program("stint-worker"),
                     ["stint-worker", "--endpoint", self.place.endpoint, "--exec", "--slots", "1"])
        self.addCleanup(os.close, master)
        try:
            job = self.submit("read line </dev/tty", "-a", "1")
            self.assertIn("/dev/tty", self.error(job))
        finally:
            os.kill(pid, signal.SIGTERM)
            while True:  # a terminal that nobody reads stops who writes
                try:
                    if not os.read(master, 4096):
                        break
                except OSError:
                    break
            os.waitpid(pid, 0)

    def test_a_program_gets_signals_as_if_nobody_had_ignored_any(self):
        self.shell_worker("trap '' HUP INT QUIT PIPE XFSZ USR1", "--exec", "--slots", "1")
        self.assertRegex(self.output_of("grep -E 'Sig(Ign|Blk)' /proc/self/status"),
                         r"SigBlk:\s+0+\nSigIgn:\s+0+\n")


# Maps in which a key stands for the second time.
TWICE = [b"\x83" + b"".join(msgpack.packb(part) for part in ("argv", ["true"], key, value, key, value))
         for key, value in (("stdin", b"x"), ("once", True), ("cwd_required", False), ("cwd", "/"), ("env", {"A": "b"}))]


class Given(Programs):
    def test_a_program_learns_of_its_job_and_not_of_the_workers_settings(self):
        self.place.worker("--exec", "--name", "here", env={
            "STINT_SLOTS": "2", "STINT_LOG_LEVEL": "debug", "STINT_QUEUE": "default", "OTHER": "1"})
        job = self.submit("env | grep -E '^(STINT_|OTHER)' | sort")
        found = dict(line.split("=", 1) for line in self.result(job).splitlines())
        self.assertIn(found.pop("STINT_JOB_SLOT"), ("0", "1"))
        self.assertEqual(found, {
            "OTHER": "1", "STINT_ENDPOINT": self.place.endpoint, "STINT_JOB_ID": job,
            "STINT_JOB_QUEUE": "default", "STINT_JOB_KIND": "exec", "STINT_JOB_ATTEMPT": "1",
            "STINT_JOB_MAX_ATTEMPTS": found["STINT_JOB_MAX_ATTEMPTS"],
            "STINT_CONTROL": "8", "STINT_AT_END": "1", "STINT_JOB_PRIORITY": "100", "STINT_JOB_DEADLINE": "", "STINT_JOB_WORKER": "here"})

    def test_a_command_in_a_job_reaches_the_same_broker(self):
        self.place.worker("--exec", "--slots", "2")
        stint = harness.program("stint")
        inner = self.output_of(f"{stint} submit -q other hello").strip()
        self.assertEqual(self.place.json("show", inner)[0]["queue"], "other")

    def test_a_job_says_where_it_runs_and_with_what(self):
        self.place.worker("--exec", "--slots", "1", env={"KEPT": "k", "CHANGED": "old"})
        os.mkdir(self.place.path("there"))
        job = self.exec({"argv": ["sh", "-c", 'pwd; cat; echo "$KEPT $CHANGED $NEW"'],
                         "cwd": self.place.path("there"), "cwd_required": True,
                         "env": {"CHANGED": "new", "NEW": "n=1"}, "stdin": b"in\n"})
        self.assertEqual(self.result(job), f"{self.place.path('there')}\nin\nk new n=1\n")
        job = self.exec({"argv": ["pwd"], "cwd": self.place.path("nowhere")})
        self.assertEqual(self.result(job), os.getcwd() + "\n")

    def test_a_jobs_own_path_is_searched_and_relative_programs_are_of_its_directory(self):
        self.place.worker("--exec", "--slots", "1")
        os.mkdir(self.place.path("bin"))
        path = self.place.path("bin", "tool")
        with open(path, "w") as f:
            f.write("#!/bin/sh\necho mine\n")
        os.chmod(path, 0o755)
        for payload in ({"argv": ["tool"], "env": {"PATH": self.place.path("bin") + ":/bin"}},
                        {"argv": ["tool"], "env": {"PATH": "bin:/bin"}, "cwd": self.place.path()},
                        {"argv": ["bin/tool"], "cwd": self.place.path()}):
            self.assertEqual(self.result(self.exec(payload)), "mine\n")

    def test_a_payload_that_can_not_be_run_fails_for_good_and_says_why(self):
        self.place.worker("--exec", "--slots", "1")
        for payload in ({"argv": ["true"], "surprise": 1}, {"argv": []}, {"cwd": "/"}, [],
                        {"argv": ["true"], "env": {"A=B": "c"}}, {"argv": ["true"], "env": []},
                        {"argv": ["true"], "cwd": ""}, {"argv": ["a\0b"]}, *TWICE):
            job = self.exec(payload)
            self.assertIn("stint-worker(1)", self.error(job))
            self.assertEqual(self.place.json("show", job)[0]["attempt"], 1)

    def test_an_error_text_is_whole_characters_and_survives_a_nul(self):
        self.place.worker("--exec", "--slots", "1")
        text = self.error(self.submit("printf 'before\\0after\\n' >&2; exit 3", "-a", "1"))
        self.assertEqual(text, "exit status 3\nbefore?after")
        text = self.error(self.submit(
            "i=0; while [ $i -lt 500 ]; do printf '\\342\\202\\254' >&2; i=$((i+1)); done; exit 1",
            "-a", "1"))
        self.assertRegex(text, "^exit status 1\n\u20ac{299,300}$")


class Stops(Programs):
    def test_it_says_what_it_waits_for_and_a_second_signal_ends_that_at_once(self):
        worker = self.place.worker("--exec", "--slots", "1")
        job = self.submit(f"echo $$ >{self.place.path('pid')}; exec sleep 1000")
        pids = self.pids("pid", 1)
        worker.signal(signal.SIGINT)
        harness.wait_until(lambda: "running=1" in worker.log(), "it says that it waits")
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.process.wait(harness.DEADLINE_S), 0)
        self.assertEnd(pids)
        self.assertEqual(self.place.state(job), "ready")
        self.assertIn("gives them back", worker.log())

    def test_a_third_signal_kills_what_ignores_the_second(self):
        worker = self.place.worker("--exec", "--slots", "1")
        self.submit(CHATTY.format(pid=self.place.path("pid")))
        self.pids("pid", 1)
        for word in ("waits for running", "ends the running", "kills the running"):
            worker.signal(signal.SIGTERM)
            harness.wait_until(lambda w=word: w in worker.log(), word)
        self.assertEqual(worker.process.wait(harness.DEADLINE_S), 0)

    def test_a_signal_to_worker_and_guard_alike_is_one(self):
        worker = self.place.worker("--exec", "--slots", "1")
        go = self.place.path("go")
        job = self.submit(f"echo $$ >{self.place.path('pid')}; "
                          f"while ! test -e {go}; do sleep 0.02; done; echo done")
        self.pids("pid", 1)
        for pid in (worker.pid, worker.children()[0]):
            os.kill(pid, signal.SIGTERM)
        harness.wait_until(lambda: "running=1" in worker.log(), "it says that it waits")
        with open(go, "w"):
            pass
        self.assertEqual(worker.process.wait(harness.DEADLINE_S), 0)
        self.assertEqual(self.result(job), "done\n")
        self.assertNotIn("gives them back", worker.log())

    def test_a_worker_without_a_broker_says_so_and_goes_on(self):
        self.place.broker_process.stop()
        worker = self.place.worker("--exec", "--slots", "1")
        harness.wait_until(lambda: "no broker answers" in worker.log(), "it says so")
        self.place.broker()
        harness.wait_until(lambda: "event=connected" in worker.log(), "it is connected")
        self.place.broker_process.kill()
        harness.wait_until(lambda: "connection is lost" in worker.log(), "it says that it lost it")

    def test_of_several_brokers_one_elsewhere_is_enough_to_warn_of_exec(self):
        near, far, away = f"ipc://{self.place.path('none')}", "tcp://127.0.0.2:1", "tcp://192.0.2.1:1"
        for endpoint, warned in ((near, False), (f"{near},{far}", False), (f"{far},{far}", False),
                                 (f"{near},{away}", True), (f"{away},{near}", True)):
            worker = self.place.worker("--exec", "--endpoint", endpoint, env={"HOME": self.place.path()})
            harness.wait_until(lambda w=worker: "event=started" in w.log(), "it is started")
            worker.stop()  # a leak checker can't look into one that holds a key
            self.assertEqual("whoever can reach the broker" in worker.log(), warned, endpoint)

    def test_a_worker_that_the_broker_has_no_room_for_says_so_and_goes_on(self):
        self.place.broker_process.stop()
        self.place.broker("--peers-max", "1")
        first = peer.Client(self.place.endpoint)
        worker = self.place.worker("--exec", "--slots", "1")
        harness.wait_until(lambda: "the broker has no room for us" in worker.log(), "it says so")
        harness.wait_until(lambda: "no broker takes us" in worker.log(), "it says so again")
        self.assertNotIn("no broker answers", worker.log())
        self.assertEqual(worker.log().count("refuses us"), 1)
        first.close()
        harness.wait_until(lambda: "event=connected" in worker.log(), "it is connected")


if __name__ == "__main__":
    harness.no_core_files()
    sys.exit(harness.main())
