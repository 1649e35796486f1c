"""Real processes for tests: brokers and workers in a directory of their own, ended by process id.
Tests wait for conditions, never for time."""

import argparse
import contextlib
import glob
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = None
DATA_FORMAT = 13  # that of data directories (broker/store/upgrade.h)
DEADLINE_S = 60
# For valgrind: words before the broker's own and the command's (it has no pidfd_open, so not before
# those of whoever runs programs). What it complains of fails the test.
WRAP = os.environ.get("STINT_WRAP", "").split()
COMPLAINTS = ("Invalid read", "Invalid write", "uninitialised", "Mismatched free", "Invalid free")
# For coverage: a broker that is killed writes no counts, so what still runs in the end is stopped.
STOPS = "STINT_STOPS" in os.environ


def arguments(extra=None):
    global BUILD
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    if extra:
        extra(parser)
    options, rest = parser.parse_known_args()
    BUILD = os.path.abspath(options.build)
    return options, rest


def main():
    _, rest = arguments()
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)


def program(name):
    return os.path.join(BUILD, {"stintd": "broker", "stint-worker": "worker",
                                "stint": "client/cli"}[name], name)


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Returns the condition's first true value."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain until " + what)
        time.sleep(0.01)  # a poll's pace, not a test's wait


class Process:
    def __init__(self, argv, log, env=None):
        self.log_path = log
        self.argv = argv
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=dict(os.environ, **(env or {})))

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def signal(self, number):
        self.process.send_signal(number)
        if number in (signal.SIGSTOP, signal.SIGCONT):  # no guard can pass these on
            for child in self.children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, number)

    def children(self):
        """Of a worker: the one process that its guard has, which does the work."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            return [int(pid) for pid in f.read().split()]
        return []

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(DEADLINE_S)

    def running(self):
        return self.process.poll() is None

    def anonymous_kib(self):
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])
        raise AssertionError("no RssAnon")


class Place:
    """A directory with a broker's data, and what runs in it."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="stint-test-")
        self.endpoint = f"ipc://{self.directory}/socket"
        self.processes = []
        self.broker_process = None

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def program_for_others(self, name):
        """A copy that any user may run, and the environment for it: our build may be in a directory
        that only we may enter."""
        where = self.path("bin")
        os.makedirs(where, exist_ok=True)
        for file in (program(name), *glob.glob(os.path.join(BUILD, "client", "libstint.so*"))):
            shutil.copy(file, where)
        for directory in (self.directory, where):
            os.chmod(directory, 0o755)
        return os.path.join(where, name), {**os.environ, "LD_LIBRARY_PATH": where}

    def broker_argv(self, *options):
        return [*WRAP, program("stintd"), "--listen", self.endpoint, "--data", self.path("data"),
                *(["--store-size", "256M"] if WRAP else []), *options]

    def broker(self, *options, env=None):
        p = Process(self.broker_argv(*options), self.path("stintd.log"), env)
        self.processes.append(p)
        self.broker_process = p
        return p

    def worker(self, *options, env=None):
        p = Process([program("stint-worker"), "--endpoint", self.endpoint, *options],
                    self.path(f"worker-{len(self.processes)}.log"), env)
        self.processes.append(p)
        return p

    def stint(self, *args, input=None, timeout=DEADLINE_S, env=None, endpoint=True):
        """Runs the command; the result has returncode, stdout, stderr as text."""
        argv = [*([] if "--local" in args else WRAP), program("stint"), args[0]]
        if endpoint:
            argv += ["--endpoint", self.endpoint]
        argv += args[1:]
        if isinstance(input, str):
            input = input.encode()
        r = subprocess.run(argv, input=input, stdin=None if input is not None else
                           subprocess.DEVNULL, capture_output=True, timeout=timeout,
                           env=dict(os.environ, **(env or {})))
        r.stdout = r.stdout.decode("utf-8", "replace")
        r.stderr = r.stderr.decode("utf-8", "replace")
        return r

    def json(self, *args, **kwargs):
        """The objects that a command writes with --json."""
        r = self.stint(args[0], "--json", *args[1:], **kwargs)
        return [json.loads(line) for line in r.stdout.splitlines()]

    def script(self, line, name="handler"):
        """A program that is one line of a shell."""
        path = self.path(name)
        with open(path, "w") as f:
            f.write(f"#!/bin/sh\n{line}\n")
        os.chmod(path, 0o755)
        return path

    def stintd(self, *options, data="data"):
        """Runs the broker's program for a directory that nobody serves: what it prints."""
        r = subprocess.run([program("stintd"), *options, "--data", self.path(data)], capture_output=True, text=True,
                           timeout=120)
        if r.returncode:
            raise AssertionError(r.stdout + r.stderr)
        return r.stdout

    def dump_and_load(self):
        """The dump of a directory that nobody serves, after a load of it into `loaded`, of which the dump is the same."""
        self.stintd("--verify")
        dump = self.stintd("--dump")
        r = self.stint("load", "--data", self.path("loaded"), "-", input=dump)
        if r.returncode:
            raise AssertionError(r.stderr)
        self.stintd("--verify", data="loaded")
        lines = [[line for line in d.splitlines() if '"header"' not in line]
                 for d in (dump, self.stintd("--dump", data="loaded"))]
        if lines[0] != lines[1]:
            raise AssertionError(f"what is loaded is not what was dumped: {lines}")
        return dump

    def stats(self):
        return self.json("stats")[0]

    def state(self, job):
        return self.json("show", job)[0]["state"]

    @staticmethod
    def lines_of(log):
        if not os.path.exists(log):
            return []
        with open(log, errors="replace") as f:
            return f.readlines()

    def close(self):
        logs = {p.log_path for p in self.processes}
        for p in self.processes:
            if p.running():
                p.signal(signal.SIGCONT)
                if STOPS:
                    p.signal(signal.SIGTERM)
                    p.signal(signal.SIGTERM)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        p.process.wait(5)
                p.kill()
        said = [line for log in sorted(logs) for line in self.lines_of(log)] if WRAP else []
        shutil.rmtree(self.directory, ignore_errors=True)
        wrong = [line for line in said if any(c in line for c in COMPLAINTS)]
        if wrong:
            raise AssertionError("".join(said))


class Case(unittest.TestCase):
    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.close)

    def assertExit(self, result, code):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)


def no_core_files():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def socket_port():
    """A TCP port that was free a moment ago, and none of those that the system gives to whoever connects: a
    connection of another test's would have it by the time that it is used."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        low = int(f.read().split()[0])
    while True:
        port = random.randrange(10000, low if low > 12000 else 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
