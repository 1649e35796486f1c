"""The units as they are installed, under a systemd of their own: in namespaces, with its own /etc, /var,
/run and cgroups, and no unit but ours. Skipped where that is not permitted, or where there is no systemd."""

import contextlib
import json
import os
import shutil
import subprocess
import unittest

import harness
from hosts import install

SYSTEMD = "/lib/systemd/systemd"
TARGETS = ("sysinit", "basic", "shutdown", "multi-user", "network", "network-online", "boot")
# A cgroup of its own, and then all other namespaces; the second half is process 1 of them.
OUTER = """set -e
mount -t cgroup2 cgroup2 "$1/cgroup"
mkdir "$1/cgroup/$2"
echo $$ >"$1/cgroup/$2/cgroup.procs"
exec unshare --mount --pid --cgroup --uts --ipc --net --fork --kill-child --propagation private \\
    sh -c "$3" sh "$1"
"""
INNER = """set -e
mount -t proc proc /proc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for name in etc var usr/local; do mount --bind "$1/$name" "/$name"; done
mount -t tmpfs tmpfs /run
mount --make-rshared / # as systemd finds it, for the credentials' mounts
ip link set lo up
exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin container=test SYSTEMD_UNIT_PATH=/usr/local/lib/systemd/system:/etc/units \\
    SYSTEMD_LOG_TARGET=console /lib/systemd/systemd --system --unit=boot.target --show-status=no
"""
CLEAN = 'mount -t cgroup2 cgroup2 "$1" && find "$1/$2" -depth -type d -exec rmdir {} +'


class Manager:
    """A systemd."""

    def __init__(self, place):
        self.root = place.path("root")
        self.log = place.path("systemd.log")
        self.cgroup = f"stint-test-{os.getpid()}"
        self.process = self.pid = None

    def make_files(self):
        os.makedirs(self.root)
        subprocess.run(["cp", "-a", "/etc", self.root], check=True, stderr=subprocess.DEVNULL)
        for name in ("cgroup", "var/lib", "var/tmp", "var/log", "var/cache", "etc/units"):
            os.makedirs(os.path.join(self.root, name), exist_ok=True)
        shutil.rmtree(os.path.join(self.root, "etc", "stint"), ignore_errors=True)
        install(self.root)
        for name in TARGETS:
            self.write(f"etc/units/{name}.target", f"[Unit]\nDescription={name}\n")
        self.write("etc/units/service.d/log.conf", f"[Service]\nStandardError=append:{self.log}\n")

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", OUTER, "sh",
                                             self.root, self.cgroup, INNER], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        harness.wait_until(lambda: self.is_up() or self.process.poll() is not None, "systemd runs")
        return self.process.poll() is None

    def is_up(self):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            self.pid = int((f.read().split() or [0])[0])
        return self.pid and self.run("systemctl", "is-active", "boot.target").stdout == "active\n"

    def run(self, *argv):
        return subprocess.run(["nsenter", "-t", str(self.pid), "-m", "-p", "-n", "-u", "-i", *argv], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.DEADLINE_S)

    def show(self, unit, name):
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def stop(self):
        if self.process:
            self.process.kill()  # and, by --kill-child, process 1 and all that it has
            self.process.wait()
            harness.wait_until(lambda: subprocess.run(
                ["unshare", "--mount", "sh", "-c", CLEAN, "sh", os.path.join(self.root, "cgroup"), self.cgroup],
                capture_output=True).returncode == 0, "its cgroups are gone")


def why_not():
    if os.getuid() != 0:
        return "a systemd of one's own is for root"
    if not os.path.exists(SYSTEMD):
        return "there is no systemd here"
    missing = [tool for tool in ("unshare", "nsenter", "ip", "cmake") if not shutil.which(tool)]
    return "not installed: " + ", ".join(missing) if missing else None


class Units(harness.Case):
    def setUp(self):
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        if why_not():
            self.skipTest(why_not())
        super().setUp()
        self.manager = Manager(self.place)
        self.manager.make_files()
        self.addCleanup(self.manager.stop)

    def boot(self, worker="exec\n", name="worker.conf", before=()):
        self.configure(worker, name)
        if not self.manager.start():
            self.skipTest("no systemd in namespaces here: " + self.manager.said()[-300:])
        for argv in before:
            r = self.manager.run(*argv)
            self.assertEqual(r.returncode, 0, r.stderr)
        self.systemctl("start", "stintd")

    def configure(self, text, name="worker.conf"):
        self.manager.write(f"etc/stint/{name}", "".join(
            f"{line} = yes\n" if line == "exec" else line + "\n" for line in text.splitlines()))

    def drop_in(self, unit, text):
        self.manager.write(f"etc/units/{unit}.service.d/test.conf", "[Service]\n" + text)

    def systemctl(self, *args, code=0):
        r = self.manager.run("systemctl", *args)
        self.assertEqual(r.returncode, code, r.stdout + r.stderr + self.manager.said()[-3000:])
        return r.stdout

    def stint(self, *args, code=0):
        r = self.manager.run("/usr/local/bin/stint", *args)
        self.assertEqual(r.returncode, code, r.stdout + r.stderr + self.manager.said()[-3000:])
        return r.stdout

    def state(self, unit="stint-worker"):
        return self.manager.show(unit, "ActiveState"), self.manager.show(unit, "SubState")

    def wait_for(self, *state, unit="stint-worker"):
        harness.wait_until(lambda: self.state(unit) == state, f"{unit} is {state}")

    def workers(self):
        return [json.loads(line) for line in self.stint("workers", "--json").splitlines()]

    def test_a_worker_that_was_told_to_leave_stays_away_and_one_that_was_killed_comes_back(self):
        self.boot()
        self.systemctl("start", "stint-worker")
        self.assertEqual(self.state(), ("active", "running"))
        harness.wait_until(lambda: self.manager.show("stint-worker", "StatusText") == "connected to the broker", "it says so")
        self.assertEqual(self.stint("run", "echo", "done"), "done\n")
        for leave in ("drain", "stop"):
            self.stint("worker", leave, self.workers()[0]["name"])
            self.wait_for("inactive", "dead")
            self.assertEqual(self.manager.show("stint-worker", "Result"), "success")
            self.assertEqual(self.manager.show("stint-worker", "NRestarts"), "0")
            self.systemctl("start", "stint-worker")
        pid = self.manager.show("stint-worker", "MainPID")
        self.manager.run("kill", "-KILL", pid)
        harness.wait_until(lambda: self.manager.show("stint-worker", "NRestarts") == "1", "it is started again")
        self.wait_for("active", "running")
        self.assertEqual(self.stint("run", "echo", "again"), "again\n")

    def test_a_worker_that_is_idle_or_whose_settings_are_wrong_is_not_started_again(self):
        self.boot("exec\nexit-idle = 100ms\n")
        self.systemctl("start", "stint-worker")
        self.wait_for("inactive", "dead")
        self.assertEqual(self.manager.show("stint-worker", "NRestarts"), "0")
        for text, status in (("", "64"), ("exec\nslots = none\n", "78")):
            self.configure(text)
            self.systemctl("start", "stint-worker", code=1)
            self.wait_for("failed", "failed")
            self.assertEqual(self.manager.show("stint-worker", "ExecMainStatus"), status)
            self.assertEqual(self.manager.show("stint-worker", "NRestarts"), "0")

    def test_a_stop_waits_as_long_as_the_workers_settings_say(self):
        self.drop_in("stint-worker", "TimeoutStopSec=8\n")
        self.boot("exec\ndrain = 10m\n")
        self.systemctl("start", "stint-worker")
        job = self.stint("run", "--detach", "sh", "-c", "sleep 12; echo whole").strip()
        harness.wait_until(lambda: json.loads(self.stint("show", "--json", job))["state"] == "running", "the job runs")
        self.systemctl("stop", "stint-worker")
        self.assertEqual(self.manager.show("stint-worker", "Result"), "success")
        self.assertEqual(self.stint("result", job), "whole\n")
        self.assertEqual(json.loads(self.stint("show", "--json", job))["attempt"], 1)

    def test_a_worker_that_stands_still_is_started_again(self):
        self.drop_in("stint-worker", "WatchdogSec=3\n")
        self.boot()
        self.systemctl("start", "stint-worker")
        guard = self.manager.show("stint-worker", "MainPID")
        worker = self.manager.run("cat", f"/proc/{guard}/task/{guard}/children").stdout.split()[0]
        self.manager.run("kill", "-STOP", worker)
        harness.wait_until(lambda: self.manager.show("stint-worker", "NRestarts") == "1", "it is started again")
        self.wait_for("active", "running")
        self.assertEqual(self.stint("run", "echo", "again"), "again\n")

    def test_several_workers_of_one_host_each_with_a_cgroup_a_slot(self):
        self.boot("exec\nname = big\nqueue = big\n", "worker-big.conf")
        self.configure("exec\nname = usual\n")
        self.systemctl("start", "stint-worker", "stint-worker@big")
        self.assertEqual(sorted(w["name"] for w in self.workers()), ["big", "usual"])
        for queue, unit in (("default", "stint-worker.service"), ("big", "stint-worker@big.service")):
            said = self.stint("run", "-q", queue, "--wd", "-", "sh", "-c",
                              "grep ^0:: /proc/self/cgroup; pwd; touch here && ls").splitlines()
            self.assertRegex(said[0], rf"^0::/.*{unit}/stint-worker-\d+-\d+/slot-\d+-\d+$")
            self.assertEqual(os.path.basename(said[1]), "stint-worker" + ("-big" if queue == "big" else ""))
            self.assertEqual(said[2:], ["here"])
        self.systemctl("start", "stint-worker@none", code=1)  # it has no file
        self.assertEqual(self.manager.show("stint-worker@none", "ExecMainStatus"), "78")

    def test_jobs_may_not_write_elsewhere_nor_gain_rights_and_not_speak_for_their_worker(self):
        self.boot()
        self.systemctl("start", "stint-worker")
        said = self.stint("run", "sh", "-c", "touch /etc/x 2>/dev/null || echo no; grep NoNewPrivs /proc/self/status;"
                          "grep CapBnd /proc/self/status; env | grep -c -e NOTIFY -e WATCHDOG; ls /home | wc -l; id -u")
        lines = said.split("\n")
        self.assertEqual(lines[:5], ["no", "NoNewPrivs:\t1", "CapBnd:\t0000000000000000", "0", "0"])
        self.assertGreater(int(lines[5]), 1000)

    def test_the_key_is_handed_to_it(self):
        self.drop_in("stintd", "Environment=STINT_REQUIRE_KEYS=yes\n")
        self.boot("exec\nbroker-key = /etc/stint/broker.pub\n",
                  before=[["/usr/local/bin/stintd", "--init", "--data", "/var/lib/stintd"]])  # by root; they become the service's
        data = os.path.realpath(os.path.join(self.manager.root, "var/lib/private/stintd"))
        etc = os.path.join(self.manager.root, "etc/stint")
        self.systemctl("start", "stint-worker", code=1)  # without one: it has none of its own
        shutil.copy(os.path.join(data, "keys/broker.pub"), etc)
        shutil.copy(os.path.join(data, "worker.key"), etc)
        os.chown(os.path.join(etc, "worker.key"), 0, 0)
        os.chmod(os.path.join(etc, "worker.key"), 0o600)
        self.systemctl("start", "stint-worker")
        harness.wait_until(lambda: self.manager.show("stint-worker", "StatusText") == "connected to the broker", "it is let in")


if __name__ == "__main__":
    harness.main()
