"""Hosts that are cut off for half a minute and healed, at random, again and again; then the books are looked
at (history.py). Exits 77 where network namespaces are not permitted.

The broker is on a host of its own, and each other host, a network namespace too, has a worker and a
submitter. Every host is cut off at times of its own: both ways, or only what comes, or only what goes; the
broker's too, and then everybody is. What must hold, by the logs of those who ran the jobs and by what the
broker says in the end:

- what history.py checks: nothing lost, duplicated, unordered; no lease held by two, none taken from a worker
  that was not cut off;
- early: nor within the lost time of one that was;
- unfenced: the outcome that counts is one of the last attempt that was handed out, told by the worker that
  had it. So what was told later of a former one was refused.
"""

import collections
import contextlib
import os
import random
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import history  # noqa: E402
from history import harness  # noqa: E402
import demo_hosts  # noqa: E402
import hosts as machines  # noqa: E402

WAYS = {"both ways": ("in", "out"), "only what comes in": ("in",), "only what goes out": ("out",)}
BACK_S = 120
COUNTS = (*history.COUNTS, "early", "unfenced")


class Hosts:
    """A broker on the first one, a worker on each other one."""

    def __init__(self, place, network, options):
        self.place, self.network = place, network
        self.endpoint = f"tcp://{network.address(1)}:{demo_hosts.PORT}"
        self.runs = place.path("runs")
        open(self.runs, "w").close()
        lost = f"{options.lost * 1000:.0f}ms"
        self.start("stintd", 1, {}, harness.program("stintd"), "--data", place.path("data"), "--listen",
                   place.endpoint, "--listen", self.endpoint, "--allow-remote-without-keys", "--heartbeat",
                   "200ms", "--lost", lost, "--grace", lost, "--log-level", "info")
        place.stint("ping", "--broker-timeout", "30s")
        for host in self.workers():
            env = {"CHAOS_RUNS": self.runs, "CHAOS_PAUSE_MS": str(100 * host), "CHAOS_WORKER": self.name(host),
                   "CHAOS_TELL": "1"}
            self.start(self.name(host), host, env, harness.program("stint-worker"), "--endpoint", self.endpoint,
                       "--name", self.name(host), "--slots", "2", "--plugin", history.plugin(), "--log-level",
                       "info")

    def start(self, name, host, env, *argv):
        self.place.processes.append(
            harness.Process(self.network.argv(host, *argv), self.place.path(name + ".log"), env))

    def workers(self):
        return range(2, self.network.count + 1)

    @staticmethod
    def name(host):
        return f"host{host}"

    def connected(self):
        return {w["name"] for w in self.place.json("workers") if w.get("state") != "away"}

    def see(self, *hosts):
        names = {self.name(host) for host in hosts}
        harness.wait_until(lambda: names <= self.connected(), f"{names} are there", BACK_S)


class Cuts:
    """Cuts every host at times of its own until there were as many as were wanted."""

    def __init__(self, hosts, options, chance):
        self.hosts, self.options, self.chance = hosts, options, chance
        self.left = options.partitions
        self.lock = threading.Lock()
        self.away, self.ways, self.lost = history.Away(), collections.Counter(), 0
        self.failures = []
        self.threads = [threading.Thread(target=self.disturb, args=(host,))
                        for host in (1, *hosts.workers())]

    def go(self):
        for t in self.threads:
            t.start()
        for t in self.threads:
            t.join()
        if self.failures:
            raise AssertionError(self.failures[0])

    def next(self, host):
        """How long to leave the host alone, and how to cut it then; None: it is enough."""
        with self.lock:
            if self.left == 0:
                return None
            self.left -= 1
            ways = self.chance.choice(list(WAYS))
            self.ways[ways] += 1
            pause = self.chance.uniform(0.3, 1) * self.options.cut
            return pause * (3 if host == 1 else 1), WAYS[ways]

    def disturb(self, host):
        try:
            while (plan := self.next(host)) is not None:
                time.sleep(plan[0])  # a random instant of the load
                self.cut(host, plan[1])
        except Exception as failure:  # whatever it is, the run has failed
            self.failures.append(repr(failure))

    def cut(self, host, ways):
        begin = time.time_ns()
        met = self.hosts.workers() if host == 1 else (host,)
        self.hosts.network.cut(host, ways)
        time.sleep(self.options.cut)  # the fault's own length
        self.hosts.network.heal(host)
        healed = time.time_ns()
        if host != 1:  # those of a broker that was cut off may be cut off themselves by now
            self.hosts.see(host)
            healed = time.time_ns()
        # What did not get through is sent again by and by: who was not lost yet may be silent for longer
        # than the cut, and is lost when it would be heard again.
        heard = healed + int(2 * self.options.lost * 10**9)
        with self.lock:
            self.lost += 1
            for one in met:
                self.away.was(self.hosts.name(one), begin, heard)


def lines_of(name, stop, cut_s, chance):
    """Lines for as long as there are cuts; some of them take as long as one."""
    n = 0
    while not stop.is_set():
        long = f"@{cut_s * chance.uniform(50, 1300):.0f}" if chance.random() < 0.02 else ""
        yield f"{name}-{n}{long}"
        n += 1


class Load:
    def __init__(self, hosts, options, seed):
        self.stop = threading.Event()
        self.submitters = []
        for host in (1, *hosts.workers()):
            lines = lines_of(str(host), self.stop, options.cut, random.Random(seed + host))
            own = host == 1  # beside the broker, where nothing is cut
            self.submitters.append(history.Submitter(
                hosts.place, str(host), lines, options.pace * (1 if own else len(hosts.workers())),
                words=() if own else hosts.network.argv(host), endpoint=None if own else hosts.endpoint))
        for s in self.submitters:
            s.start()

    def end(self):
        self.stop.set()
        for s in self.submitters:
            s.join()
        wrong = [s for s in self.submitters if s.code != 0]
        if wrong:
            with open(wrong[0].place.path(f"submit-{wrong[0].name}.log")) as f:
                raise AssertionError(f"a submitter ended with {wrong[0].code}: {f.read()[-300:]}")


def outcomes_of(place, lines, runs, counts):
    """Every acknowledged job, asked of the broker. Returns how many outcomes did not count."""
    with open(place.path("all-ids"), "w") as f:
        f.write("".join(job + "\n" for job in lines))
    waited = place.stint("wait", "--results", "--json", "--file", place.path("all-ids"), timeout=600)
    outcomes = [harness.json.loads(line) for line in waited.stdout.splitlines()]
    counts["lost"] += len(lines) - sum(o["state"] == "succeeded" for o in outcomes)
    counts["duplicated"] += max(0, place.stats()["jobs"]["succeeded"] - len(lines))
    late = 0
    for o in outcomes:
        line, attempt, worker = o.get("result", "- 0 -").split(" ")
        counts["changed"] += line != lines[o["id"]]
        of_job = runs.get(o["id"], [])
        ended = [r for r in of_job if r.end]
        last = max((r.attempt for r in of_job), default=0)
        counted = [r for r in ended if r.attempt == int(attempt) and r.worker == worker]
        counts["unfenced"] += len(counted) != 1 or int(attempt) != last
        late += len(ended) - len(counted)
    return late


def judge_early(runs, away, lost_s, counts):
    """Half of the lost time: the clocks are not compared more exactly than that."""
    for of_job in runs.values():
        for one, two in zip(of_job, of_job[1:]):
            begun = away.between(one.worker, one.begin, two.begin)
            if two.attempt > one.attempt and begun is not None:
                counts["early"] += two.begin < begun + lost_s * 10**9 / 2


def disturbed(hosts, options, seed):
    place, counts = hosts.place, dict.fromkeys(COUNTS, 0)
    cuts, load = Cuts(hosts, options, random.Random(seed)), Load(hosts, options, seed)
    begun = time.monotonic()
    try:
        cuts.go()
    finally:
        load.stop.set()
    load.end()
    hosts.see(*hosts.workers())
    lines = {job: line for s in load.submitters for job, line in zip(s.ids(), s.sent)}
    place.stint("wait", "--file", write_ids(place, lines), timeout=600)
    runs = history.read_runs(hosts.runs)
    history.judge_ids(load.submitters, runs, counts)
    late = outcomes_of(place, lines, runs, counts)
    again = history.judge_runs(runs, cuts.away, counts)
    judge_early(runs, cuts.away, options.lost, counts)
    stats = place.stats()
    lost = sum("a worker is lost" in line for line in place.lines_of(place.path("stintd.log")))
    print(f"seed {seed}: {options.partitions} partitions of {options.cut:g} s on {hosts.network.count} hosts in "
          f"{time.monotonic() - begun:.0f} s (" + ", ".join(f"{v} {k}" for k, v in sorted(cuts.ways.items())) +
          f"); workers lost {lost} times; {len(lines)} jobs acknowledged, {again} runs again, {late} outcomes "
          f"of former attempts, none of which counted, {stats['requeued']} jobs taken back; " +
          ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in counts.items()), flush=True)
    if lost == 0 or stats["requeued"] == 0:
        raise AssertionError("no worker was lost: the cuts were too short for the load")
    return counts


def write_ids(place, lines):
    path = place.path("ids")
    with open(path, "w") as f:
        f.write("".join(job + "\n" for job in lines))
    return path


def options_of(parser):
    parser.add_argument("--partitions", type=int, default=50)
    parser.add_argument("--cut", type=float, default=30, help="seconds")
    parser.add_argument("--lost", type=float, default=3, help="seconds; less than --cut")
    parser.add_argument("--hosts", type=int, default=9, help="the broker's and those of workers")
    parser.add_argument("--pace", type=float, default=0.25, help="seconds between submits, at most")
    parser.add_argument("--seed", type=int, default=None)


def main():
    options, rest = harness.arguments(options_of)
    if rest or options.hosts < 3 or options.hosts > 200 or options.lost >= options.cut or options.partitions < 1:
        print("partitions: --hosts is 3 to 200, and --lost less than --cut", file=sys.stderr)
        return 64
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    for number in demo_hosts.SIGNALS:
        demo_hosts.signal.signal(number, demo_hosts.end_on_signal)
    place, network = harness.Place(), machines.Network(options.hosts)
    with contextlib.ExitStack() as stack:
        stack.callback(place.close)
        stack.callback(network.remove)
        try:
            machines.check_permitted("nft", tools=("ip",))
            network.make()
            counts = disturbed(Hosts(place, network, options), options, seed)
        except machines.Skip as skip:
            print(f"partitions: skipped: {skip}", file=sys.stderr)
            return machines.SKIPPED
        except (AssertionError, subprocess.TimeoutExpired) as failure:
            print(f"partitions: {failure}; repeat with --seed {seed}", file=sys.stderr)
            demo_hosts.tell_logs(place)
            return 1
    if any(counts.values()):
        print(f"partitions: failed; repeat with --seed {seed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
