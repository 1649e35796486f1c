"""Programs that behave badly: what hides from all but its cgroup, and what takes more than it may.
Where the system lets us make no cgroups, or none with bounds, those tests say so and are skipped."""

import os
import re
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
        path = os.path.join(own_cgroup(), f"stint-worker-{worker.pid}-0")
        harness.wait_until(lambda: os.path.isdir(path), "the worker has a cgroup")
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
        hidden = ["unshare", "-m", "sh", "-c",
                  "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"", "sh"]
        if subprocess.run([*hidden, "true"], capture_output=True).returncode != 0:
            self.skipTest("no private mounts may be made here")
        for option in (["--memory", "64M"], ["--cpu", "2"], ["--tasks", "9"]):
            r = subprocess.run([*hidden, harness.program("stint-worker"), "--endpoint",
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

    def test_no_descriptor_but_the_standard_ones_is_open(self):
        self.shell_worker("exec 7</dev/null 9</", "--exec", "--slots", "2")
        list_open = "import os; print(sorted(f for f in os.listdir('/proc/self/fd') " \
                    "if os.path.exists('/proc/self/fd/' + f)))"
        for payload in ({"argv": ["python3", "-c", list_open]},
                        {"argv": ["python3", "-c", list_open], "stdin": b"x"}):
            self.assertEqual(self.result(self.exec(payload)), "['0', '1', '2']\n")

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


if __name__ == "__main__":
    harness.no_core_files()
    sys.exit(harness.main())
