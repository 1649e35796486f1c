"""The main job on several hosts: network namespaces on one bridge, a broker with keys in one, workers
in the others, launched by `stint fleet up` over ssh. While they checksum the files below /usr/include,
one host is cut off and healed, one has a link of 1 Mbit/s over which large results go, and one is given
more slots. Fails unless every result is what sha256sum says directly, and nothing was lost, or run twice
without need. Exits 77 where namespaces are not permitted."""

import collections
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import harness
from hosts import SKIPPED, Network, Skip, check_permitted, make_ssh_keys, run

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PORT = 5670
SLOTS = 2
MORE_SLOTS = 6
RATE_BITS_S = 1_000_000
LARGE_TOTAL_BYTES = 1_000_000
LARGE_FILE_BYTES = 400_000
# A line for each run, so that repeated ones can be counted.
CHECK = """#!/bin/sh
echo "$STINT_JOB_ID $STINT_JOB_WORKER $STINT_JOB_SLOT" >>"$1"
exec sha256sum "$2"
"""


class Fleet:
    """The broker on the first host, sshd and a worker on each other one."""

    def __init__(self, network, place):
        self.network = network
        self.place = place
        self.endpoint = f"tcp://{network.address(1)}:{PORT}"
        data = place.path("data")
        self.env = dict(os.environ, STINT_ENDPOINT=self.endpoint, STINT_KEY=f"{data}/admin.key",
                        STINT_BROKER_KEY=f"{data}/keys/broker.pub",
                        STINT_SSH=f"ssh -F {place.path('ssh_config')}")

    def hosts(self):
        return range(2, self.network.count + 1)

    def start_broker(self):
        stintd = harness.program("stintd")
        run(stintd, "--init", "--data", self.place.path("data"), "--listen", self.endpoint)
        self.network.start(self.place, 1, "stintd", stintd, "--data", self.place.path("data"), "--listen", self.endpoint,
                   "--require-keys", ready="event=ready")

    def make_ssh_keys(self):
        make_ssh_keys(self.place)
        with open(self.place.path("host_key.pub")) as key, open(self.place.path("known_hosts"), "w") as known:
            known.write("demo " + key.read())
        with open(self.place.path("ssh_config"), "w") as f:
            f.write(f"Host *\nUser root\nHostKeyAlias demo\nUserKnownHostsFile {self.place.path('known_hosts')}\n"
                    f"StrictHostKeyChecking yes\nIdentityFile {self.place.path('user_key')}\n"
                    "IdentitiesOnly yes\nBatchMode yes\nLogLevel ERROR\n")

    def start_sshd(self, host):
        # All namespaces have the same files: each host has a home of its own, for a worker's state, and so
        # that nothing of root's own is run, by a shell that reads ~/.bashrc, or killed halfway.
        home = self.place.path(f"host{host}")
        os.mkdir(home)
        self.network.start_sshd(self.place, host, self.place.path("host_key"), self.place.path("user_key"),
                                "-o", f"SetEnv=HOME={home} XDG_STATE_HOME={home}/state")

    def launch(self, slow):
        data = self.place.path("data")
        with open(self.place.path("fleet"), "w") as f:
            f.write(f"* exec slots={SLOTS} queue=default program={harness.program('stint-worker')} "
                    f"copy-key={data}/worker.key copy-broker-key={data}/keys/broker.pub\n")
            for host in self.hosts():
                also = " queue=default queue=large" if host == slow else ""
                f.write(f"host{host} address={self.network.address(host)}{also}\n")
        return self.stint("fleet", "up", self.place.path("fleet"))

    def argv(self, *args):
        return self.network.argv(1, harness.program("stint"), *args)

    def stint(self, *args):
        return run(*self.argv(*args), env=self.env)

    def stats(self):
        return json.loads(self.stint("stats", "--json"))

    def workers(self):
        """by name"""
        lines = self.stint("workers", "--json").splitlines()
        return {worker["name"]: worker for worker in map(json.loads, lines)}


class Map:
    """A `stint map` that is given its lines bit by bit."""

    def __init__(self, fleet, name, *args):
        self.out = fleet.place.path(name + ".out")
        self.err = fleet.place.path(name + ".err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(fleet.argv("map", *args), stdin=subprocess.PIPE, stdout=out,
                                            stderr=err, env=fleet.env)
        self.lines = []
        self.ended = None
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        self.process.wait()
        self.ended = time.monotonic()

    def feed(self, lines, end):
        """Hands lines over beside everything else: it takes only so many ahead."""
        self.lines += lines

        def write():
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write("".join(line + "\n" for line in lines).encode())
                self.process.stdin.flush()
                if end:
                    self.process.stdin.close()
        threading.Thread(target=write, daemon=True).start()

    def finish(self):
        """What it wrote."""
        if self.process.wait(600) != 0:
            with open(self.err, errors="replace") as f:
                raise AssertionError("stint map failed: " + f.read()[-500:])
        return self.output()

    def output(self):
        with open(self.out, "rb") as f:
            return f.read()

    def stop(self):
        self.process.kill()
        self.process.wait()


def files_below(root, most):
    found = sorted(os.path.join(directory, name) for directory, _, names in os.walk(root) for name in names)
    found = [path for path in found if os.path.isfile(path) and not os.path.islink(path) and "\n" not in path]
    step = max(1, len(found) // most)
    if len(found[::step][:most]) < 100:
        raise AssertionError(f"fewer than 100 files below {root}")
    return found[::step][:most]


def make_large_files(place):
    """Files that are worth a second or more of the slow link each."""
    paths = []
    for number in range(-(-LARGE_TOTAL_BYTES // LARGE_FILE_BYTES)):
        size = min(LARGE_FILE_BYTES, LARGE_TOTAL_BYTES - number * LARGE_FILE_BYTES)
        paths.append(place.path(f"large{number}"))
        line = hashlib.sha256(str(number).encode()).hexdigest() + "\n"
        with open(paths[-1], "w") as f:
            f.write((line * (size // len(line) + 1))[:size - 1] + "\n")
    return paths


def check_of(fleet):
    """The program that is run for each file, and where it leaves its runs."""
    check, runs = fleet.place.path("check"), fleet.place.path("runs")
    with open(check, "w") as f:
        f.write(CHECK)
    os.chmod(check, 0o700)
    open(runs, "w").close()
    return check, runs


def read_runs(path):
    """Workers by job, and the highest slot in use by worker."""
    by_job, slots = collections.defaultdict(list), collections.Counter()
    with open(path) as f:
        for line in f:
            job, worker, slot = line.split()
            by_job[job].append(worker)
            slots[worker] = max(slots[worker], int(slot) + 1)
    return by_job, slots


def disturb(fleet, cut, resized):
    """Cuts one host off until the broker has given its jobs to others, and then for good no longer; gives
    another one more slots meanwhile."""
    fleet.network.cut(cut)
    fleet.stint("worker", "resize", f"host{resized}", str(MORE_SLOTS))
    harness.wait_until(lambda: fleet.workers()[f"host{resized}"]["slots"] == MORE_SLOTS, "the host is resized")
    harness.wait_until(lambda: f"host{cut}" not in fleet.workers(), "the host that is cut off is lost")
    fleet.network.heal(cut)
    harness.wait_until(lambda: f"host{cut}" in fleet.workers(), "the host is back")


def runs_of(fleet):
    """How many, by worker."""
    by_job, _ = read_runs(fleet.place.path("runs"))
    return collections.Counter(worker for workers in by_job.values() for worker in workers)


def judge(fleet, files, output, roles):
    """What must hold in the end; returns what the table tells."""
    expected = run("xargs", "-d", "\n", "sha256sum", input="".join(path + "\n" for path in files))
    lines = output.decode().splitlines()
    lost = len(set(expected.splitlines()) - set(lines))
    if lost or lines != expected.splitlines():
        raise AssertionError(f"{lost} results are lost or differ; {len(lines)} came for {len(files)}")
    by_job, slots = read_runs(fleet.place.path("runs"))
    if len(by_job) != len(files):
        raise AssertionError(f"{len(by_job)} jobs were run for {len(files)} files")
    # Only what the cut host held goes to another one: all but one run of a job are the cut host's.
    cut, resized = (f"host{roles[what]}" for what in ("cut", "resized"))
    wrong = sum(1 for workers in by_job.values() if len(workers) - workers.count(cut) > 1)
    if wrong:
        raise AssertionError(f"{wrong} jobs were run again that a host had which was not cut off")
    if slots[resized] <= SLOTS:
        raise AssertionError(f"the resized host used {slots[resized]} slots at a time")
    runs = runs_of(fleet)
    return {"runs": runs, "slots": slots, "lost": lost, "wrong": wrong,
            "again": sum(runs.values()) - len(by_job)}


def show(roles, count, told):
    said = {roles["cut"]: "cut off, and healed", roles["slow"]: "a link of 1 Mbit/s",
            roles["resized"]: f"resized, {SLOTS} to {MORE_SLOTS} slots"}
    print(f"\nstint demo: sha256sum on {count} hosts")
    print(f"{'host1':<10} {'the broker, with keys':<35}")
    for host in range(2, count + 1):
        print(f"{f'host{host}':<10} {said.get(host, 'left alone'):<35} {told['runs'][f'host{host}']:>8} runs")
    rows = (("jobs", told["jobs"]), ("seconds", f"{told['seconds']:.1f}"),
            ("results as sha256sum's own", told["jobs"] - told["lost"]),
            (f"{LARGE_TOTAL_BYTES} bytes of results over the slow link, s", f"{told['large_s']:.1f}"),
            ("taken from the host that was cut off", told["requeued"]),
            ("run again, of the host that was cut off", told["again"]),
            ("runs of that host when it was healed", told["healed"]),
            ("run again that another host had", told["wrong"]),
            ("late settles that were refused", told["stale"]),
            ("slots in use at a time on the resized host", told["slots"][f"host{roles['resized']}"]),
            ("lost", told["lost"]))
    for name, value in rows:
        print(f"{name:<46} {value:>8}")


def see_through(fleet, work, large, files, roles):
    """Half of the lines before the trouble and half after it, so that the host that was cut off and the one
    that was resized have something to do. Returns what the table tells."""
    half = len(files) // 2
    work.feed(files[:half], end=False)
    harness.wait_until(lambda: work.output().count(b"\n") >= half // 2 or work.ended, "a quarter is done")
    disturb(fleet, roles["cut"], roles["resized"])
    before = runs_of(fleet)[f"host{roles['cut']}"]
    work.feed(files[half:], end=True)
    output = work.finish()
    if large.finish() != b"".join(map(content, large.lines)):
        raise AssertionError("results that went over the slow link differ")
    told = judge(fleet, files, output, roles)
    told["healed"] = told["runs"][f"host{roles['cut']}"] - before
    if told["healed"] == 0:
        raise AssertionError("the host that was cut off ran nothing when it was healed")
    return told


def content(path):
    with open(path, "rb") as f:
        return f.read()


def connected_ms(fleet, host):
    return fleet.workers()[f"host{host}"]["since_ms_ago"]


def demo(fleet, files):
    roles = {"cut": 2, "slow": 3, "resized": 4}
    fleet.start_broker()
    fleet.make_ssh_keys()
    for host in fleet.hosts():
        fleet.start_sshd(host)
    print(fleet.launch(roles["slow"]), end="", flush=True)
    fleet.network.slow(roles["slow"], RATE_BITS_S)
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        large = Map(fleet, "large", "--queue", "large", "--broker-timeout", "60s", "cat", "{}")
        stack.callback(large.stop)
        large.feed(make_large_files(fleet.place), end=True)
        work = Map(fleet, "work", "--broker-timeout", "60s", *check_of(fleet), "{}")
        stack.callback(work.stop)
        told = see_through(fleet, work, large, files, roles)
    told.update(jobs=len(files), seconds=time.monotonic() - begun, large_s=large.ended - begun,
                requeued=fleet.stats()["requeued"], stale=fleet.stats()["stale"])
    # That it is slow does not make it seem lost.
    lasted_ms = (time.monotonic() - begun) * 1000
    if connected_ms(fleet, roles["slow"]) < lasted_ms - 1:
        raise AssertionError("the host with the slow link was lost in between")
    print(fleet.stint("fleet", "down", fleet.place.path("fleet")), end="")
    show(roles, fleet.network.count, told)


def options_of(parser):
    parser.add_argument("--hosts", type=int, default=4, help="the broker's and those of workers: 4 to 50")
    parser.add_argument("--files", type=int, default=3000, help="about so many jobs")


def end_on_signal(number, _):
    sys.exit(128 + number)


def tell_logs(place):
    for name in sorted(os.listdir(place.directory)):
        if name.endswith(".log"):
            print(f"{name}: " + "".join(place.lines_of(place.path(name))[-5:]), file=sys.stderr)


def main():
    options, rest = harness.arguments(options_of)
    if rest or not 4 <= options.hosts <= 50 or options.files < 100:
        print("demo: --hosts is 4 to 50, --files 100 or more, and there are no other words", file=sys.stderr)
        return 64
    for number in SIGNALS:
        signal.signal(number, end_on_signal)
    place, network = harness.Place(), Network(options.hosts)
    try:
        check_permitted("nft", "tc")
        network.make()
        demo(Fleet(network, place), files_below(os.environ.get("DEMO_INPUT", "/usr/include"), options.files))
    except Skip as skip:
        print(f"demo: skipped: {skip}", file=sys.stderr)
        return SKIPPED
    except (AssertionError, subprocess.TimeoutExpired) as failure:
        print(f"demo: {failure}", file=sys.stderr)
        tell_logs(place)
        return 1
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        network.remove()
        place.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
