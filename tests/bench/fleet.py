"""./dev bench --fleet: a broker with a thousand workers, and ten thousand; strangers who knock; workers that
are resized; a directory of many keys. The workers are bench_fleet's, in one process (fleet.c)."""

import contextlib
import ctypes
import json
import os
import random
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import harness
import peer

TICKS = os.sysconf("SC_CLK_TCK")
SLOTS = 8
KEYS = 10000
SUCCEEDED = 4  # a state
CROWD_S = 20
SO_ATTACH_FILTER = 26
STRANGERS = tuple(("127.0.0.2", kinds) for kinds in (
    ("tcp",), ("garbage",), ("plain",), ("hello",), ("wrong",), ("tcp", "garbage", "plain", "wrong"))) + (
        ("127.0.0.1", ("wrong",)),)  # this host, as the broker sees it


def cpu_s(pid):
    """Processor time of a process so far, its threads together."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Fleet:
    """bench_fleet, and what it says."""

    def __init__(self, port, workers, slots, *apart):
        program = os.path.join(harness.BUILD, "tests/bench/bench_fleet")
        self.process = subprocess.Popen([program, str(port), str(workers), str(slots), *apart],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.workers = workers
        self.said = []  # words of each line
        self.changed = threading.Condition()
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            with self.changed:
                self.said.append(line.split())
                self.changed.notify_all()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self, word, after, deadline_s=120):
        """The numbers of the first line of this word behind the first `after` lines."""
        def found():
            return next((said[1:] for said in self.said[after:] if said[0] == word), None)
        with self.changed:
            if not self.changed.wait_for(found, deadline_s):
                raise AssertionError(f"bench_fleet did not say {word}")
            return [float(n) for n in found()]

    def ask(self, line, word):
        after = len(self.said)
        self.tell(line)
        return self.hear(word, after)

    def close(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listener.join()
        self.process.stdout.close()


def deaf_door():
    """A socket that listens, and whose filter drops whatever comes."""
    door = socket.create_server(("127.0.0.1", 0))
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    door.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(drop)))
    return door


class FleetBench:
    """What `bench` (bench.py) reports of fleets."""

    def __init__(self, bench):
        self.bench = bench

    def report(self, name, value, unit):
        self.bench.report(name, value, unit)

    def broker(self, *options, init=False, parent=None):
        """A place with a broker on a port of this host; with keys, its data directory was made by --init."""
        place = harness.Place()
        shutil.rmtree(place.directory)
        place.directory = tempfile.mkdtemp(dir=parent or self.bench.parent)
        place.port = harness.socket_port()
        place.endpoint = f"tcp://127.0.0.1:{place.port}"
        if init:
            subprocess.run([harness.program("stintd"), "--init", "--data", place.path("data")], check=True,
                           stdout=subprocess.DEVNULL)
        place.options = ["--log-level", "error", "--peers-max", "12000", *options]
        place.broker(*place.options)
        return place

    @staticmethod
    def restart(place):
        """As if by a loss of power; returns when."""
        killed = time.monotonic()
        place.broker_process.kill()
        place.processes.remove(place.broker_process)
        place.broker(*place.options)
        return killed

    def idle(self, name, place):
        """The share of a core, of half a minute."""
        before = cpu_s(place.broker_process.pid)
        begun = time.monotonic()
        time.sleep(30)  # what is measured is the time that passes
        used = (cpu_s(place.broker_process.pid) - before) / (time.monotonic() - begun)
        self.report(f"{name}_idle_core", 100 * used, "%")

    def starts(self, name, fleet, samples=500):
        p50, p99, most = fleet.ask(f"start {samples}", "start")
        self.report(f"{name}_start_p50_us", p50, "us")
        self.report(f"{name}_start_p99_us", p99, "us")
        return most

    def memory(self, name, place):
        self.report(f"{name}_rss_anon_mib", place.broker_process.anonymous_kib() / 1024, "MiB")

    def storms(self, name, place, fleet, times=3):
        """Every slot runs a job; the broker is killed, and all come back and claim what they run."""
        jobs = SLOTS * fleet.workers
        fleet.tell("hold")
        r = place.stint("submit", "--each", "--kind", "default", input="x\n" * jobs, timeout=300)
        if r.returncode != 0:
            raise SystemExit("stint submit failed: " + r.stderr)
        harness.wait_until(lambda: fleet.ask("count", "count")[1] == jobs, "every slot runs a job", 120)
        self.memory(name + "_running", place)
        dispatched, took = fleet.ask("count", "count")[0], []
        for _ in range(times):
            after = len(fleet.said)
            killed = self.restart(place)
            took.append(fleet.hear("all", after)[0] - killed)
        self.report(f"{name}_storm_s", max(took), "s")
        again = fleet.ask("count", "count")[0] - dispatched
        self.report(f"{name}_storm_run_again", again, "jobs")
        fleet.tell("settle")
        harness.wait_until(lambda: place.stats()["jobs"]["running"] == 0, "all is settled", 120)

    def of_size(self, workers):
        name = f"fleet_{workers}"
        place = self.broker()
        with contextlib.ExitStack() as stack:
            stack.callback(place.close)
            fleet = Fleet(place.port, workers, SLOTS)
            stack.callback(fleet.close)
            begun = time.monotonic()
            self.report(f"{name}_connected_s", fleet.hear("all", 0)[0] - begun, "s")
            self.memory(name, place)
            self.idle(name, place)
            self.starts(name, fleet)
            self.storms(name, place, fleet)

    def after_long(self):
        """libzmq's pipes take most of what they ever take after some hundred messages each."""
        place = self.broker("--heartbeat", "100ms")
        with contextlib.ExitStack() as stack:
            stack.callback(place.close)
            fleet = Fleet(place.port, 1000, SLOTS)
            stack.callback(fleet.close)
            fleet.hear("all", 0)
            time.sleep(60)  # 600 heartbeats of each
            self.memory("fleet_1000_after_600_heartbeats", place)

    def resize(self):
        """From 1 to 64 and back, a hundred times under load, until the broker shows the slots."""
        place = self.broker()
        with contextlib.ExitStack() as stack:
            stack.callback(place.close)
            place.worker("--handle", "echo=cat", "--name", "one", "--slots", "1", "--log-level", "error")
            client = peer.Client(place.endpoint)
            stack.callback(client.close)
            shown = lambda: [w[4] for w in client.ask(peer.LIST_WORKERS, peer.WORKERS, {})[2]]
            harness.wait_until(shown, "the worker is there")
            delays, jobs = [], []
            for n in range(200):
                jobs += client.submit([{2: "echo", 3: b"x"}] * 10)
                slots = 1 if n % 2 else 64
                if client.control(peer.RESIZE, name="one", slots=slots) != 1:
                    raise SystemExit("there is no such worker")
                begun = time.monotonic()
                harness.wait_until(lambda: shown() == [slots], "the slots are as told")
                delays.append(time.monotonic() - begun)
            unharmed = sum(outcome[2] == SUCCEEDED for outcome in client.wait(jobs))
            delays.sort()
            self.report("resize_p50_ms", 1000 * delays[len(delays) // 2], "ms")
            self.report("resize_p99_ms", 1000 * delays[(len(delays) - 1) * 99 // 100], "ms")
            self.report("resize_max_ms", 1000 * delays[-1], "ms")
            self.report("resize_jobs_harmed", len(jobs) - unharmed, "jobs")

    def latency(self, place, env):
        """Of three runs the medians, as one stall of the disk is a run's p99."""
        p50s, p99s = zip(*[self.latency_once(place, env) for _ in range(3)])
        return statistics.median(p50s), statistics.median(p99s)

    def latency_once(self, place, env):
        r = place.stint("bench", "--json", "-m", "latency", "--samples", "2000", env=env, timeout=300)
        if r.returncode != 0:
            raise SystemExit("stint bench failed: " + r.stderr)
        figures = {f["name"]: f["value"] for f in map(json.loads, r.stdout.splitlines())}
        return figures["submit_p50_us"], figures["submit_p99_us"]

    def crowd(self, origin, port, broker, kinds):
        """They would not be on our host, so they have one core only, and that where nobody else wants it."""
        program = os.path.join(harness.BUILD, "tests/bench/bench_strangers")
        crowd = subprocess.Popen(["taskset", "-c", str(os.cpu_count() - 1), "nice", "-n", "19", program, origin,
                                  str(port), broker, str(self.bench.options.strangers), str(CROWD_S), *kinds],
                                 stdout=subprocess.PIPE, text=True)
        time.sleep(1)  # they are at full speed
        return crowd

    def strangers(self):
        """Others' submits while strangers knock, beside those while the same strangers knock at a door that is
        not the broker's and lets nobody in: all that differs is what they do to the broker."""
        place = self.broker("--require-keys", init=True)
        with open(place.path("data", "keys", "broker.pub")) as f:
            broker = next(line.split('"')[1] for line in f if "public-key" in line)
        env = {"STINT_KEY": place.path("data", "admin.key"), "STINT_BROKER_KEY": broker}
        door = deaf_door()
        try:
            assert place.stint("ping", env=env).returncode == 0
            for origin, kinds in STRANGERS:
                name = "strangers_" + "_".join(kinds) + ("_here" if origin == "127.0.0.1" else "")
                quiet = self.latency(place, env)
                crowd = self.crowd(origin, door.getsockname()[1], broker, kinds)
                elsewhere = self.latency(place, env)
                crowd.communicate()
                crowd = self.crowd(origin, place.port, broker, kinds)
                before = cpu_s(place.broker_process.pid)
                begun = time.monotonic()
                beset = self.latency(place, env)
                cpu = (cpu_s(place.broker_process.pid) - before) / (time.monotonic() - begun)
                began, ended, no_place, waited, own_s = map(float, crowd.communicate()[0].split())
                self.report(name + "_tried", began - no_place, "1/s")
                self.report(name + "_ended", ended, "1/s")
                self.report(name + "_waited", waited, "1/s")
                self.report(name + "_own_core", 100 * own_s / CROWD_S, "%")
                self.report(name + "_broker_core", 100 * cpu, "%")
                for what, i in (("p50", 0), ("p99", 1)):
                    self.report(f"{name}_submit_{what}_us", beset[i], "us")
                    self.report(f"{name}_submit_{what}_over_quiet", beset[i] / quiet[i], "ratio")
                    self.report(f"{name}_submit_{what}_over_elsewhere", beset[i] / elsewhere[i], "ratio")
        finally:
            door.close()
            place.close()

    def keys(self):
        """What 10,000 keys hold up, by the longest time that a job took to start. In memory, so that the disk,
        which has the files and the store, does not hold up more."""
        place = self.broker(init=True, parent="/dev/shm" if os.path.isdir("/dev/shm") else None)
        directory = place.path("data", "keys")
        with contextlib.ExitStack() as stack:
            stack.callback(place.close)
            fleet = Fleet(place.port, 1, SLOTS)
            stack.callback(fleet.close)
            fleet.hear("all", 0)
            self.report("keys_few_start_max_us", self.starts("keys_few", fleet), "us")
            at_once = threading.Thread(target=lambda: [write_key(directory, n) for n in range(KEYS)])
            at_once.start()
            self.report("keys_coming_start_max_us", self.starts("keys_coming", fleet), "us")
            at_once.join()
            self.report("keys_10000_start_max_us", self.starts("keys_10000", fleet), "us")
            stop = threading.Event()
            changes = threading.Thread(target=change_keys, args=(directory, stop))
            changes.start()
            self.report("keys_10000_changing_start_max_us", self.starts("keys_10000_changing", fleet), "us")
            stop.set()
            changes.join()
            self.memory("keys_10000", place)

    def of_1(self):
        self.of_size(1)

    def of_1000(self):
        self.of_size(1000)

    def of_10000(self):
        self.of_size(10000)

    def run(self, parts):
        for part in parts:
            getattr(self, part)()


def write_key(directory, number):
    """A file as `stint key add` writes it, of a key that nobody has."""
    digits = "".join(random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=39))
    path = os.path.join(directory, f"key{number}.pub")
    with open(path + ".new", "w") as f:
        f.write(f'metadata\n    role = "worker"\ncurve\n    public-key = "{digits}0"\n')
    os.rename(path + ".new", path)


def change_keys(directory, stop):
    while not stop.wait(0.1):
        write_key(directory, random.randrange(KEYS))
