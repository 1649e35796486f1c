"""Programs that behave badly: what hides from all but its cgroup, and what takes more than it may.
Where the system lets us make no cgroups, or none with bounds, those tests say so and are skipped."""

import ctypes
import glob
import os
import pwd
import re
import signal
import subprocess
import sys
import unittest

import harness
import test_programs

HIDDEN = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        os.execve("/bin/sh", ["sh", "-c", 'echo $$ >>"$1"; exec /bin/sleep 1000', "sh", sys.argv[1]], {})
    os._exit(0)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""

LIST_OPEN = "import os; print(sorted(f for f in os.listdir('/proc/self/fd') " \
            "if os.path.exists('/proc/self/fd/' + f)))"

WITHOUT_CGROUPS = ["unshare", "-m", "sh", "-c",
                   "mount -t tmpfs none /sys/fs/cgroup && cd / && exec \"$@\"", "sh"]


def without_cgroups():
    """May we hide them from a worker?"""
    return subprocess.run([*WITHOUT_CGROUPS, "true"], capture_output=True).returncode == 0


def own_cgroup():
    """The directory of our cgroup of version 2; None if there is none that can be divided."""
    with open("/proc/self/cgroup") as f:
        own = [line.strip()[3:] for line in f if line.startswith("0::/")]
    with open("/proc/self/mountinfo") as f:
        points = [line.split()[4] for line in f if " - cgroup2 " in line and line.split()[3] == "/"]
    for point in points if own else []:
        path = os.path.join(point, own[0].lstrip("/"))
        if os.access(path, os.W_OK) and os.path.exists(os.path.join(path, "cgroup.procs")):
            return path
    return None


@unittest.skipIf(own_cgroup() is None, "no cgroup of version 2 may be made here")
class Cgroups(test_programs.Programs):
    def hide(self, name, end=""):
        """A job that leaves a process which has hidden its session and its environment."""
        path = self.place.path(name)
        return self.exec({"argv": ["python3", "-c", HIDDEN + end, path]}, "-a", "1")

    def own(self, worker):
        """The directory of that worker's cgroup."""
        # The number behind is not always 0: another worker that starts in the same moment may remove the first one.
        names = os.path.join(own_cgroup(), f"stint-worker-{worker.pid}-[0-9]*")
        path = harness.wait_until(
            lambda: next((p for p in glob.glob(names) if not p.endswith("-self")), None), "the worker has a cgroup")
        return path

    def test_what_has_hidden_everything_ends_with_its_job_although_another_runs(self):
        self.place.worker("--exec", "--slots", "2")
        go = self.place.path("go")
        other = self.submit(f"echo $$ >{self.place.path('other')}; "
                            f"while ! test -e {go}; do sleep 0.02; done; echo done")
        self.pids("other", 1)
        job = self.hide("pid")
        self.assertExit(self.place.stint("wait", "-Q", job), 0)
        self.assertEnd(self.pids("pid", 1))
        with open(go, "w"):
            pass
        self.assertEqual(self.result(other), "done\n")

    def test_after_a_kill_the_slot_runs_its_next_jobs_unharmed(self):
        """What was killed once may kill what is forked into it later, so it is not used again."""
        self.place.worker("--exec", "--slots", "1")
        for i in range(20):
            job = self.hide(f"pid{i}")
            after = self.submit("cat /proc/self/cgroup", "-a", "1")
            self.assertExit(self.place.stint("wait", "-Q", job), 0)
            self.assertRegex(self.result(after), rf"(?m)^0::.*/stint-worker-.*/slot-0-{i + 1}$")
            self.assertEnd(self.pids(f"pid{i}", 1))

    def test_a_slot_whose_jobs_leave_nothing_keeps_its_cgroup(self):
        self.place.worker("--exec", "--slots", "1")
        first = self.output_of("grep ^0:: /proc/self/cgroup")
        self.assertIn("/slot-0-", first)
        for _ in range(5):
            self.assertEqual(self.output_of("grep ^0:: /proc/self/cgroup"), first)

    def test_it_ends_with_worker_and_guard_that_are_killed_and_the_cgroup_goes(self):
        for which in ("guard", "worker"):
            worker = self.place.worker("--exec", "--slots", "1")
            own = self.own(worker)
            self.hide(which, "time.sleep(1000)")
            pids = self.pids(which, 1)
            os.kill(worker.pid if which == "guard" else worker.children()[0], 9)
            self.assertEnd(pids)
            harness.wait_until(lambda path=own: not os.path.exists(path), "its cgroup is gone")

    def test_what_a_worker_left_that_was_killed_with_its_guard_ends_with_the_next_start(self):
        worker = self.place.worker("--exec", "--slots", "1")
        own = self.own(worker)
        self.hide("pid", "time.sleep(1000)")
        pids = self.pids("pid", 1)
        inner = worker.children()
        worker.signal(19)  # neither can answer the other's death
        for pid in [worker.pid, *inner]:
            os.kill(pid, 9)
        worker.process.wait()
        self.assertTrue(test_programs.alive(pids[0]))
        self.place.worker("--exec", "--slots", "1")
        self.assertEnd(pids)
        harness.wait_until(lambda: not os.path.exists(own), "the old cgroup is gone")

    def test_a_worker_that_stops_leaves_no_cgroup(self):
        worker = self.place.worker("--exec", "--slots", "2")
        own = self.own(worker)
        self.assertEqual(self.output_of("mkdir -p /tmp && echo hi"), "hi\n")
        self.assertEqual(worker.stop(), 0)
        self.assertFalse(os.path.exists(own))


class Bounds(test_programs.Programs):
    OPTIONS = ("--memory", "64M", "--cpu", "0.5", "--tasks", "40")

    def bounded(self, *options):
        worker = self.place.worker("--exec", "--slots", "1", *options)
        harness.wait_until(lambda: "event=connected" in worker.log() or not worker.running(),
                           "it has started or refused")
        if not worker.running():
            self.assertEqual(worker.process.wait(), 71)
            self.assertRegex(worker.log(), "--memory, --cpu and --tasks can't be kept here: .+")
            self.skipTest("no cgroup can be bounded here: " + worker.log().strip())
        return worker

    def test_a_job_over_its_memory_is_told_so_and_the_next_is_well(self):
        self.bounded(*self.OPTIONS)
        job = self.exec({"argv": ["python3", "-c", "x = b'x' * (200 << 20)"]}, "-a", "1")
        self.assertIn("killed by signal 9 (Killed): out of memory, it may take 64M",
                      self.error(job))
        self.assertEqual(self.output_of("echo hi"), "hi\n")
        job = self.submit("kill -9 $$", "-a", "1")
        self.assertEqual(self.error(job), "killed by signal 9 (Killed)")

    def test_a_job_ends_as_a_whole_when_a_child_is_over_its_memory(self):
        self.bounded(*self.OPTIONS)
        job = self.submit("python3 -c \"x = b'x' * (200 << 20)\"; echo still here", "-a", "1")
        self.assertIn("out of memory", self.error(job))

    def test_a_job_that_forks_without_end_meets_its_bound(self):
        self.bounded(*self.OPTIONS)
        script = ("import os, sys, time\nn = 0\ntry:\n    while n < 1000:\n"
                  "        if os.fork() == 0:\n            time.sleep(1000)\n        n += 1\n"
                  "except BlockingIOError:\n    pass\nprint(n)\n")
        job = self.exec({"argv": ["python3", "-c", script]}, "-a", "1")
        self.assertEqual(self.result(job), "39\n")

    def test_the_bounds_are_those_of_the_slots_cgroup(self):
        worker = self.bounded(*self.OPTIONS)
        read = ("d=$(grep ^0:: /proc/self/cgroup | cut -d: -f3); m=$(awk '$0 ~ / - cgroup2 / "
                "{print $5; exit}' /proc/self/mountinfo); cat $m/$d/memory.max $m/$d/cpu.max "
                "$m/$d/pids.max")
        self.assertEqual(self.output_of(read), f"{64 << 20}\n50000 100000\n40\n")
        self.assertEqual(worker.stop(), 0)

    def test_bounds_that_can_not_be_kept_are_refused_with_a_sentence(self):
        if not without_cgroups():
            self.skipTest("no private mounts may be made here")
        for option in (["--memory", "64M"], ["--cpu", "2"], ["--tasks", "9"]):
            r = subprocess.run([*WITHOUT_CGROUPS, harness.program("stint-worker"), "--endpoint",
                                self.place.endpoint, "--exec", *option], capture_output=True,
                               text=True, timeout=harness.DEADLINE_S)
            self.assertEqual(r.returncode, 71, r.stderr)
            self.assertIn("no cgroups of version 2", r.stderr)

    def test_a_bound_that_is_none_is_named(self):
        for option, value in (("--cpu", "fast"), ("--cpu", "-1"), ("--cpu", "0"), ("--cpu", "nan"),
                              ("--memory", "1"), ("--tasks", "0")):
            worker = self.place.worker("--exec", option, value)
            self.assertIn(worker.process.wait(harness.DEADLINE_S), (64, 78))
            self.assertTrue(re.search(option, worker.log()), worker.log())


class Confined(test_programs.Programs):
    def environment(self, job):
        lines = self.result(job).splitlines()
        return {k: v for k, v in (line.split("=", 1) for line in lines) if k[:6] != "STINT_"}

    def test_a_clean_environment_holds_what_is_declared_and_what_the_job_says(self):
        self.place.worker("--exec", "--env-clean", "--env", "KEPT", "--env", "MISSING", "--env",
                          "GIVEN=old", "--env", "GIVEN=a=b", "--env", "CHANGED=1",
                          env={"KEPT": "k", "SECRET": "s"})
        job = self.exec({"argv": ["env"], "env": {"CHANGED": "2"}})
        self.assertEqual(self.environment(job),
                         {"KEPT": "k", "GIVEN": "a=b", "CHANGED": "2",
                          "PATH": "/usr/local/bin:/usr/bin:/bin"})

    def test_a_declared_path_is_searched(self):
        os.mkdir(self.place.path("bin"))
        tool = self.place.path("bin", "tool")
        with open(tool, "w") as f:
            f.write("#!/bin/sh\necho found\n")
        os.chmod(tool, 0o755)
        self.place.worker("--exec", "--handle", "k=tool", "--env-clean", "--env",
                          f"PATH={self.place.path('bin')}:/bin")
        self.assertEqual(self.result(self.exec(["tool"])), "found\n")

    def test_without_a_clean_one_what_is_declared_comes_on_top(self):
        self.place.worker("--exec", "--env", "CHANGED=new", env={"CHANGED": "old", "OTHER": "o"})
        found = self.environment(self.exec(["env"]))
        self.assertEqual((found["CHANGED"], found["OTHER"]), ("new", "o"))

    def test_limits_and_niceness_are_the_programs_and_not_the_workers(self):
        worker = self.place.worker("--exec", "--limit", "nofile=50:60", "--limit", "core=0",
                                   "--limit", "fsize=1M", "--nice", "7")
        mine = os.getpriority(os.PRIO_PROCESS, 0)
        self.assertEqual(self.output_of("ulimit -S -n; ulimit -H -n; ulimit -c; nice"),
                         f"50\n60\n0\n{min(mine + 7, 19)}\n")
        path = self.place.path("large")
        job = self.submit(f"exec head -c 2000000 /dev/zero >{path}", "-a", "1")
        self.assertIn("File size limit exceeded", self.error(job))
        self.assertEqual(os.path.getsize(path), 1 << 20)
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, worker.children()[0]), mine)

    def test_no_descriptor_but_the_standard_ones_and_the_control_is_open(self):
        self.shell_worker("exec 7</dev/null 9</", "--exec", "--slots", "2")
        for payload in ({"argv": ["python3", "-c", LIST_OPEN]},
                        {"argv": ["python3", "-c", LIST_OPEN], "stdin": b"x"}):
            self.assertEqual(self.result(self.exec(payload)), "['0', '1', '2', '8']\n")

    def test_what_can_not_be_declared_is_named(self):
        for option, value, word in (("--limit", "nofile", "nofile, as"), ("--limit", "x=1", "names"),
                                    ("--limit", "core=2:1", "over the hard"),
                                    ("--limit", "core=", "write NAME"),
                                    ("--env", "=x", "NAME"), ("--env", "STINT_X=1", "stint's own"),
                                    ("--nice", "20", "0 to 19")):
            worker = self.place.worker("--exec", option, value)
            self.assertIn(worker.process.wait(harness.DEADLINE_S), (64, 78))
            self.assertIn(word, worker.log())
            self.assertIn(option[2:], worker.log())



class Refusals(test_programs.Programs):
    """What a worker says that does not start."""

    def assertRefused(self, code, words, options, argv=(), **how):
        r = subprocess.run([*(argv or [harness.program("stint-worker")]), "--endpoint",
                            self.place.endpoint, "--exec", *options], capture_output=True,
                           text=True, timeout=harness.DEADLINE_S, **{"cwd": "/", **how})
        self.assertEqual(r.returncode, code, r.stderr)
        for word in words:
            self.assertIn(word, r.stderr)
        self.assertEqual(len(r.stderr.splitlines()), 1, r.stderr)


SOMEBODY = 1234567  # of no entry in any database
KEYCTL = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)


def keyctl(*arguments):
    return ctypes.CDLL(None).syscall(KEYCTL, *arguments)


@unittest.skipIf(os.getuid() != 0, "only root may run programs as somebody else")
class AsAnotherUser(Refusals):
    def worker(self, user, *options):
        return self.shell_worker("cd /", "--exec", "--slots", "2", "--user", user, *options)

    def opened(self, name):
        """A directory below ours in which everybody may write."""
        os.chmod(self.place.directory, 0o755)
        path = self.place.path(name)
        os.mkdir(path)
        os.chmod(path, 0o777)
        return path

    def status(self, *names):
        lines = dict(line.split(":", 1) for line in
                     self.output_of("cat /proc/self/status").splitlines())
        return [" ".join(lines[name].split()) for name in names]

    def test_programs_are_that_user_in_every_way_and_root_in_none(self):
        self.worker(f"{SOMEBODY}:7654321")
        uid, gid, groups, *caps = self.status("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff",
                                              "CapAmb")
        self.assertEqual(uid, " ".join([str(SOMEBODY)] * 4))
        self.assertEqual(gid, " ".join(["7654321"] * 4))
        self.assertEqual(groups, "7654321")
        self.assertEqual([int(c, 16) for c in caps], [0] * 4)
        self.assertNotEqual(self.place.stint("run", "--", "sh", "-c", "cat /proc/$PPID/environ || "
                                             "kill -0 $PPID || ls /root").returncode, 0)

    def test_the_groups_are_those_of_the_database(self):
        name = pwd.getpwuid(65534).pw_name
        self.worker(name)
        gid, groups = self.status("Gid", "Groups")
        self.assertEqual(gid.split()[0], str(pwd.getpwnam(name).pw_gid))
        self.assertEqual(sorted(groups.split()),
                         sorted(map(str, os.getgrouplist(name, pwd.getpwnam(name).pw_gid))))

    def test_the_environment_is_as_after_a_login(self):
        user = pwd.getpwuid(65534)
        login = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name,
                 "SHELL": user.pw_shell or "/bin/sh"}
        read = "env | grep -E '^(HOME|USER|LOGNAME|SHELL)=' | sort"

        def text(variables):
            return "".join(f"{k}={v}\n" for k, v in sorted(variables.items()))
        for options in ([], ["--env-clean"]):
            worker = self.worker("65534", *options)
            self.assertEqual(self.output_of(read), text(login))
            self.assertEqual(worker.stop(), 0)
        self.worker("65534", "--env", "HOME=/declared", "--env", "USER=declared")
        job = self.exec({"argv": ["sh", "-c", read], "env": {"USER": "said"}})
        self.assertEqual(self.result(job), text({**login, "HOME": "/declared", "USER": "said"}))

    def test_streams_can_be_opened_once_more(self):
        self.worker(f"{SOMEBODY}:{SOMEBODY}")
        script = "cat /dev/stdin; echo out >/dev/stdout; cat /dev/null"
        job = self.exec({"argv": ["sh", "-c", script], "stdin": b"in\n"})
        self.assertEqual(self.result(job), "in\nout\n")
        job = self.submit("echo err >/dev/stderr; exit 1", "-a", "1")
        self.assertEqual(self.error(job), "exit status 1\nerr")
        self.assertEqual(self.output_of("cat /dev/stdin; echo none"), "none\n")

    def test_all_ends_with_a_job_and_with_worker_and_guard_that_are_killed(self):
        opened = self.opened("open")
        self.worker(f"{SOMEBODY}:{SOMEBODY}")
        pid = os.path.join(opened, "pid")
        left = f"(setsid sh -c 'echo $$ >>{pid}; exec sleep 1000' >/dev/null 2>&1 &) ; " \
               f"while ! test -s {pid}; do sleep 0.01; done; "
        self.assertEqual(self.output_of(left + "echo done"), "done\n")
        self.assertEnd(self.pids("open/pid", 1))
        os.remove(pid)
        job = self.submit(f"trap '' TERM; echo $$ >{pid}; while :; do sleep 0.1; done", "-a", "1",
                          "--time-to-run", "300ms")
        self.assertIn("the time to run was over", self.error(job))
        self.assertEnd(self.pids("open/pid", 1))

    def test_a_program_ends_with_its_worker_when_nobody_is_left_to_end_it(self):
        """What the kernel forgets when the user changes is said again. Where we may, without cgroups,
        by which the next worker of somebody else could end it."""
        opened = self.opened("open")
        before = WITHOUT_CGROUPS if without_cgroups() else ["sh", "-c", "cd / && exec \"$@\"", "sh"]
        worker = harness.Process([*before, harness.program("stint-worker"), "--endpoint",
                                  self.place.endpoint, "--exec", "--user",
                                  f"{SOMEBODY}:{SOMEBODY}"], self.place.path("worker.log"))
        self.place.processes.append(worker)
        self.submit(f"echo $$ >{opened}/pid; exec sleep 1000")
        pids = self.pids("open/pid", 1)
        inner = worker.children()
        worker.signal(signal.SIGSTOP)  # neither can answer the other's death
        for one in [worker.pid, *inner]:
            os.kill(one, signal.SIGKILL)
        worker.process.wait()
        self.assertEnd(pids)

    def test_what_that_user_may_not_see_a_job_can_not_use(self):
        hidden, opened = self.place.path("hidden"), self.opened("open")
        os.mkdir(hidden, 0o700)
        for directory, mode in ((hidden, 0o755), (opened, 0o700)):
            path = os.path.join(directory, "tool")
            with open(path, "w") as f:
                f.write("#!/bin/sh\necho found\n")
            os.chmod(path, mode)
        self.worker(f"{SOMEBODY}:{SOMEBODY}", "--env", f"PATH={hidden}:/usr/bin:/bin")
        job = self.exec({"argv": ["pwd"], "cwd": hidden, "cwd_required": True}, "-a", "1")
        self.assertIn(f"can't enter the directory {hidden}: Permission denied", self.error(job))
        job = self.exec({"argv": ["pwd"], "cwd": hidden})
        self.assertEqual(self.result(job), "/\n")
        for path, name in ((hidden, "tool"), (hidden, "tooo"), (opened, "tool")):
            job = self.exec({"argv": [name], "env": {"PATH": path}}, "-a", "1")
            self.assertIn(f"can't run {name}: Permission denied", self.error(job))
        os.chmod(os.path.join(opened, "tool"), 0o755)
        job = self.exec({"argv": ["tool"], "env": {"PATH": f"{hidden}:{opened}"}})
        self.assertEqual(self.result(job), "found\n")
        for path in (os.path.join(hidden, "tool"), "tool"):
            self.assertRefused(78, [f"k={path}", "can't run"],
                               ["--user", f"{SOMEBODY}:0", "--handle", f"k={path}"],
                               env={**os.environ, "PATH": hidden})

    @unittest.skipIf(KEYCTL is None, "its number is not known here")
    def test_keys_of_the_workers_session_are_not_the_programs(self):
        if keyctl(1, None) < 0:
            self.skipTest("the system has no keyrings")
        mine = keyctl(0, -3, 0)
        script = f"import ctypes; print(ctypes.CDLL(None).syscall({KEYCTL}, 0, -3, 0))"
        worker = self.shell_worker("cd /", "--exec")
        self.assertEqual(self.result(self.exec(["python3", "-c", script])), f"{mine}\n")
        self.assertEqual(worker.stop(), 0)
        self.worker(f"{SOMEBODY}:{SOMEBODY}")
        self.assertNotEqual(self.result(self.exec(["python3", "-c", script])), f"{mine}\n")

    def test_limits_cgroups_and_descriptors_are_as_ever(self):
        self.worker(f"{SOMEBODY}:{SOMEBODY}", "--limit", "nofile=50:60", "--limit", "core=0",
                    "--nice", "3")
        mine = os.getpriority(os.PRIO_PROCESS, 0)
        self.assertEqual(self.output_of("ulimit -S -n; ulimit -H -n; ulimit -c; nice"),
                         f"50\n60\n0\n{min(mine + 3, 19)}\n")
        self.assertEqual(self.result(self.exec(["python3", "-c", LIST_OPEN])), "['0', '1', '2', '8']\n")
        if own_cgroup() is not None:
            self.assertIn("/stint-worker-", self.output_of("grep ^0:: /proc/self/cgroup"))

    def test_root_is_a_user_too(self):
        self.worker("root:65534")
        uid, gid = self.status("Uid", "Gid")
        self.assertEqual((uid.split()[1], gid.split()[1]), ("0", "65534"))

    def test_who_can_not_be_become_is_named_at_the_start(self):
        for user, words in (("no-such-user", ["--user", "no user no-such-user"]),
                            (f"{SOMEBODY}", ["--user", "the group too"]),
                            ("0:no-such-group", ["no group no-such-group"]),
                            ("4294967295:0", ["no user 4294967295"])):
            self.assertRefused(78, words, ["--user", user])

        def drop():  # CAP_SETGID, CAP_SETUID: of root's own rights
            for capability in (6, 7):
                ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
        self.assertRefused(71, ["can't become", "not permitted"], ["--user", f"{SOMEBODY}:0"],
                           preexec_fn=drop)
        self.assertRefused(78, ["can't go to", self.place.directory, "Permission denied"],
                           ["--user", f"{SOMEBODY}:0"], cwd=self.place.directory)

    def test_who_is_not_root_may_name_himself_alone(self):
        worker, env = self.place.program_for_others("stint-worker")
        how = {"user": SOMEBODY, "group": SOMEBODY, "extra_groups": [], "env": env}
        for user in ("root", f"{SOMEBODY}:0", "65534"):
            self.assertRefused(78, ["--user", "only a worker that root runs"], ["--user", user],
                               argv=[worker], **how)
        endpoint = f"tcp://127.0.0.1:{harness.socket_port()}"
        self.place.broker_process.stop()
        self.place.endpoint = endpoint
        self.place.broker()
        with open(self.place.path("himself.log"), "wb") as log:
            p = subprocess.Popen([worker, "--endpoint", endpoint, "--exec", "--user",
                                  f"{SOMEBODY}:{SOMEBODY}"], stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, cwd="/", **how)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.assertEqual(self.output_of("id -u; echo $HOME $USER"),
                         f"{SOMEBODY}\n/ {SOMEBODY}\n")

    def test_a_directory_of_a_run_is_its_users_alone(self):
        tmp = self.place.path("tmp")
        os.mkdir(tmp)
        os.chmod(self.place.directory, 0o755)
        self.worker(f"{SOMEBODY}:{SOMEBODY}", "--tmp", tmp)
        self.assertEqual(self.output_of("cd $TMPDIR; umask 0; mkdir -p a/b; touch a/b/c; "
                                        "stat -c '%a %u %g' .; stat -c '%a %u' ..; chmod 0 a . ; "
                                        "mv $TMPDIR ../other 2>/dev/null || echo stays"),
                         f"700 {SOMEBODY} {SOMEBODY}\n711 0\nstays\n")
        self.assertEqual(os.listdir(os.path.join(tmp, os.listdir(tmp)[0])), [])
        os.mkdir(self.place.path("hidden"), 0o700)
        self.assertRefused(78, ["--tmp", "can't go to", "Permission denied"],
                           ["--user", f"{SOMEBODY}:0", "--tmp", self.place.path("hidden")])


class Temporary(Refusals):
    def setUp(self):
        super().setUp()
        self.tmp = self.place.path("tmp")
        os.mkdir(self.tmp, 0o700)

    def worker(self, *options):
        return self.place.worker("--exec", "--slots", "2", "--tmp", self.tmp, *options)

    def left(self):
        """All that is there besides the workers' own directories."""
        return [os.path.join(d, name) for d in glob.glob(os.path.join(self.tmp, "*"))
                for name in os.listdir(d)]

    def assertGone(self):
        harness.wait_until(lambda: self.left() == [], "all directories of runs are gone")

    def test_it_is_fresh_named_by_all_that_name_one_and_nobody_elses(self):
        self.place.worker("--exec", "--tmp", self.tmp, env={"TMPDIR": "/w", "TEMP": "/w"})
        script = 'ls -A $TMPDIR; stat -c %a $TMPDIR; echo $TMPDIR; env | grep -c "=$TMPDIR$"; ' \
                 'env | grep -cE "^(STINT_TMPDIR|TMPDIR|TMP|TEMP)="; echo x >$TMPDIR/x; ' \
                 'python3 -c "import tempfile; print(tempfile.gettempdir())"'
        seen = set()
        for _ in range(3):
            mode, path, same, names, of_python = self.output_of(script).splitlines()
            self.assertEqual((mode, same, names, of_python), ("700", "4", "4", path))
            self.assertTrue(path.startswith(os.path.realpath(self.tmp) + "/stint-worker-"))
            self.assertFalse(os.path.exists(path))
            seen.add(path)
        self.assertEqual(len(seen), 3)
        self.assertEqual(self.left(), [])

    def test_a_jobs_own_word_counts_but_not_on_ours(self):
        self.worker("--env", "TMP=/declared")
        job = self.exec({"argv": ["sh", "-c", "echo $TMPDIR $STINT_TMPDIR $TMP"],
                         "env": {"TMPDIR": "/job", "STINT_TMPDIR": "/forged"}})
        own, ours, declared = self.result(job).split()
        self.assertEqual(own, "/job")
        self.assertEqual(ours, declared)
        self.assertTrue(ours.startswith(self.tmp), ours)

    def test_without_it_nothing_is_named(self):
        self.place.worker("--exec", env={"TMPDIR": "/worker"})
        self.assertEqual(self.output_of("echo $TMPDIR; env | grep -cE '^(STINT_TMPDIR|TMP)='; :"),
                         "/worker\n0\n")

    def test_it_goes_however_the_run_ends(self):
        self.worker()
        fill = "mkdir -p $TMPDIR/a/b; echo x >$TMPDIR/a/b/c; "
        self.assertEqual(self.output_of(fill), "")
        self.assertGone()
        for end, error in (("exit 3", "exit status 3"), ("kill -9 $$", "signal 9"),
                           ("kill -SEGV $$", "signal 11")):
            self.assertIn(error, self.error(self.submit(fill + end, "-a", "1")))
            self.assertGone()
        job = self.submit(fill + "sleep 1000", "-a", "1", "--time-to-run", "300ms")
        self.assertIn("the time to run was over", self.error(job))
        self.assertGone()
        job = self.submit(fill + "sleep 1000")
        harness.wait_until(lambda: any(os.path.exists(d + "/a/b/c") for d in self.left()),
                           "it runs")
        self.assertExit(self.place.stint("cancel", job), 0)
        self.assertGone()
        self.assertIn("can't run", self.error(self.exec(["/no/such/program"], "-a", "1")))
        self.assertGone()

    def test_what_writes_there_without_end_ends_first(self):
        self.worker()
        busy = "(setsid sh -c 'while :; do mkdir -p $0/$i/x; i=$((i+1)); done' $TMPDIR " \
               ">/dev/null 2>&1 &) ; while ! test -e $TMPDIR/50; do sleep 0.01; done; echo done"
        self.assertEqual(self.output_of(busy), "done\n")
        self.assertGone()

    def test_what_a_hostile_job_leaves_goes_and_nothing_else(self):
        self.worker()
        outside = self.place.path("outside")
        os.mkdir(outside)
        with open(os.path.join(outside, "stays"), "w"):
            pass
        scripts = [
            f"cd $TMPDIR; ln -s {outside} link; ln -s {outside}/stays file; ln {outside}/stays hard;"
            f" mkdir d; ln -s ../../../../outside d/up; rm -r $TMPDIR/d; ln -s {outside} d",
            f"cd $TMPDIR; cd ..; rmdir $TMPDIR; ln -s {outside} $TMPDIR",
            "cd $TMPDIR; mkdir -p a/b c; touch a/b/x c/y; chmod 0 a/b a; chmod 500 c; chmod 0 .",
            "cd $TMPDIR; touch -- '-rf' \"$(printf 'two\\nlines')\" \"$(printf '\\001\\377')\"; "
            "mkfifo fifo; mkdir \"$(printf 'd\\n')\"; touch \"$(printf 'd\\n')/x\"",
            "rmdir $TMPDIR", "rmdir $TMPDIR; echo x >$TMPDIR",
        ]
        for script in scripts:
            self.output_of(script)
            self.assertGone()
            self.assertEqual(os.listdir(outside), ["stays"])
        deep = "import os\nos.chdir(os.environ['TMPDIR'])\nfor i in range(3000):\n" \
               "    os.mkdir('d')\n    open('f', 'w').close()\n    os.chdir('d')\n"
        many = "import os\nos.chdir(os.environ['TMPDIR'])\nfor i in range(20000):\n" \
               "    open(str(i), 'w').close()\n"
        for script in (deep, many):
            self.result(self.exec(["python3", "-c", script]))
            self.assertEqual(self.output_of("echo hi"), "hi\n")  # meanwhile
            self.assertGone()
        self.assertEqual(os.listdir(outside), ["stays"])

    def test_a_worker_that_stops_leaves_nothing(self):
        worker = self.worker()
        self.output_of("touch $TMPDIR/x")
        self.assertEqual(worker.stop(), 0)
        self.assertEqual(os.listdir(self.tmp), [])
        p = self.worker("--handle", "k=/no/such/program")
        self.assertEqual(p.process.wait(harness.DEADLINE_S), 78)
        self.assertEqual(os.listdir(self.tmp), [])

    def run_one(self, name):
        job = self.submit(f"mkdir $TMPDIR/d; touch $TMPDIR/d/x; echo $$ >{self.place.path(name)}; "
                          "exec sleep 1000")
        self.pids(name, 1)
        return job

    def test_it_goes_with_worker_or_guard_that_is_killed(self):
        for which in ("guard", "worker"):
            worker = self.worker()
            job = self.run_one(which)
            os.kill(worker.pid if which == "guard" else worker.children()[0], signal.SIGKILL)
            harness.wait_until(lambda: os.listdir(self.tmp) == [], "it is gone")
            self.place.stint("cancel", job)
            worker.process.wait()

    def test_what_both_left_that_were_killed_goes_with_the_next_start_and_nothing_else(self):
        living = self.worker()
        self.run_one("living")
        killed = self.worker("--queue", "other")
        self.exec({"argv": ["sh", "-c", f"mkdir $TMPDIR/d; touch $TMPDIR/d/x; "
                            f"echo $$ >{self.place.path('killed')}; exec sleep 1000"]}, "-q", "other")
        self.pids("killed", 1)
        inner = killed.children()
        killed.signal(signal.SIGSTOP)  # neither can answer the other's death
        for pid in [killed.pid, *inner]:
            os.kill(pid, signal.SIGKILL)
        killed.process.wait()
        own = [os.path.join(self.tmp, f"stint-worker-{w.pid}-0") for w in (living, killed)]
        foreign = os.path.join(self.tmp, "stint-worker-of-somebody")
        os.mkdir(foreign, 0o755)
        self.assertTrue(os.path.exists(own[1]))
        self.worker("--queue", "third")
        harness.wait_until(lambda: not os.path.exists(own[1]), "it is gone")
        self.assertEqual(os.listdir(glob.glob(own[0] + "/run-*")[0]), ["d"])
        self.assertTrue(os.path.exists(foreign))

    def test_a_place_that_goes_missing_loses_no_job(self):
        worker = self.worker()
        self.output_of(":")
        own = os.path.join(self.tmp, f"stint-worker-{worker.pid}-0")
        os.rmdir(own)
        job = self.submit("echo done")
        harness.wait_until(lambda: "can't make a directory in" in worker.log(), "it is told")
        self.assertIn(self.place.state(job), ("ready", "running"))
        worker.stop()
        self.worker()
        self.assertEqual(self.result(job), "done\n")

    def test_a_command_with_a_worker_of_its_own_passes_it_on(self):
        r = self.place.stint("run", "--local", self.place.path("local"), "--", "sh", "-c",
                             "echo $TMPDIR; touch $TMPDIR/x", endpoint=False,
                             env={"STINT_TMP": self.tmp})
        self.assertExit(r, 0)
        self.assertTrue(r.stdout.startswith(self.tmp + "/stint-worker-"), r.stdout)
        harness.wait_until(lambda: os.listdir(self.tmp) == [], "it is gone")

    def test_what_can_be_no_place_is_named_at_the_start(self):
        plain, everybodys = self.place.path("plain"), self.place.path("everybodys")
        with open(plain, "w"):
            pass
        os.mkdir(everybodys)
        os.chmod(everybodys, 0o777)
        for path, word in ((self.place.path("missing"), "No such file"), (plain, "Not a directory"),
                           (everybodys, "everybody may rename")):
            self.assertRefused(78, ["--tmp", path, word], ["--tmp", path])
        if os.getuid() == 0:
            worker, env = self.place.program_for_others("stint-worker")
            os.chmod(self.tmp, 0o755)
            self.assertRefused(78, ["--tmp", self.tmp, "Permission denied"], ["--tmp", self.tmp],
                               argv=[worker], env=env, user=SOMEBODY, group=SOMEBODY,
                               extra_groups=[])


if __name__ == "__main__":
    harness.no_core_files()
    sys.exit(harness.main())
