"""Mixed load for a long time, with kills of everything, and then the books (history.py) and the
figures: memory, descriptors and the data file at the end are as they were at the beginning.

The load: lines one at a time with durable answers, bulk submits of thousands with keep 0, listings,
figures, events. Killed at random: the broker, workers, submitters. Outcomes are kept for a short
time, so that what expires is removed all the time and its pages are used again.
"""

import os
import random
import statistics
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import history  # noqa: E402
from history import harness  # noqa: E402

BROKER = ["--grace", "3s", "--lost", "2s", "--heartbeat", "200ms", "--keep", "20s", "--keep-dead", "20s",
          "--log-level", "error"]
WORKERS, SLOTS, BULK = 3, 2, 2000
CALM_S = 60  # at each end: no kills, so that figures can be compared


class Sample:
    def __init__(self, place, at_s):
        p = place.broker_process
        self.at_s = at_s
        self.rss_kib = p.anonymous_kib()
        self.fds = len(os.listdir(f"/proc/{p.pid}/fd"))
        self.file_bytes = os.path.getsize(place.path("data", "jobs.lmdb"))
        stats = place.stats()
        self.used_bytes, self.jobs = stats["store_used_bytes"], stats["jobs"]

    def __str__(self):
        return (f"{self.at_s:6.0f} s  anonymous memory {self.rss_kib} KiB, {self.fds} descriptors, file "
                f"{self.file_bytes >> 10} KiB, used {self.used_bytes >> 10} KiB, {sum(self.jobs.values())} jobs")


class Load:
    """Submitters, one after the other, in some lanes; bulk submits and questions beside them."""

    def __init__(self, place):
        self.place, self.submitters, self.stopping = place, [], threading.Event()
        self.lanes = [threading.Thread(target=self.lane, args=(n,)) for n in range(3)]
        self.lanes += [threading.Thread(target=f) for f in (self.bulk, self.questions)]
        self.bulk_jobs = 0
        for t in self.lanes:
            t.start()

    def lane(self, lane):
        n = 0
        while not self.stopping.is_set():
            size = random.choice((10, 10, 100, 5000))
            s = history.Submitter(self.place, f"{lane}-{n}", [
                f"{lane}-{n}-{i}-" + "x" * random.randrange(size) for i in range(300)], 0.02,
                ("--priority", str(random.choice((100, 100, 0, 255)))))
            self.submitters.append(s)
            s.run()
            n += 1

    def bulk(self):
        while not self.stopping.wait(random.uniform(5, 15)):
            lines = "".join(f"bulk-{i}\n" for i in range(BULK))
            r = self.place.stint("submit", "--each", "--kind", "work", "--queue", "bulk", "--keep", "0",
                                 "--attempts", "10000", "--broker-timeout", "120s", input=lines, timeout=300)
            self.bulk_jobs += BULK if r.returncode == 0 else 0

    def questions(self):
        asks = (("ls", "--limit", "50"), ("stats",), ("queues",), ("workers",))
        while not self.stopping.wait(random.uniform(0.2, 1)):
            self.place.stint(*random.choice(asks))

    def stop(self):
        self.stopping.set()
        for t in self.lanes:
            t.join()


def kill_one(place, workers, runs, away, load, counts):
    what = random.choices(("broker", "worker", "submitter"), (3, 6, 2))[0]
    counts[what] += 1
    if what == "broker":
        place.broker_process.kill()
        place.processes.remove(place.broker_process)
        place.broker(*BROKER)
        place.stint("ping", "--broker-timeout", "30s")
    elif what == "worker":
        i = random.randrange(len(workers))
        away.begins(workers[i].name)
        workers[i].kill()
        place.processes.remove(workers[i])
        workers[i] = history.start_worker(place, runs, SLOTS, random.choice((0, 1, 5)))
    else:
        going = [s.process for s in load.submitters if s.process and s.process.poll() is None]
        if going:
            random.choice(going).kill()


def drained(place):
    jobs = place.stats()["jobs"]
    return sum(jobs.get(s, 0) for s in ("ready", "scheduled", "running")) == 0


def run(minutes, seed):
    random.seed(seed)
    place = harness.Place()
    runs, samples, away = place.path("runs"), [], history.Away()
    kills = dict.fromkeys(("broker", "worker", "submitter"), 0)
    try:
        open(runs, "w").close()
        place.broker(*BROKER)
        workers = [history.start_worker(place, runs, SLOTS, 5) for _ in range(WORKERS)]
        begin, end = time.monotonic(), time.monotonic() + 60 * minutes
        load = Load(place)
        next_kill, next_sample = begin + CALM_S, begin + CALM_S - 5
        while time.monotonic() < end:
            now = time.monotonic()
            if now >= next_sample:
                samples.append(Sample(place, now - begin))
                print(samples[-1], flush=True)
                next_sample = now + 60
            if now >= next_kill and now < end - CALM_S:
                kill_one(place, workers, runs, away, load, kills)
                next_kill = now + random.uniform(0.5, 5)
            time.sleep(0.1)  # the watch's pace
        load.stop()
        harness.wait_until(lambda: drained(place), "all jobs are settled", 600)
        samples.append(Sample(place, time.monotonic() - begin))
        print(samples[-1], flush=True)
        counts = dict.fromkeys(history.COUNTS, 0)
        history_of = history.read_runs(runs)
        again = history.judge_runs(history_of, away, counts)
        lines = history.judge_ids(load.submitters, history_of, counts)
        print(f"seed {seed}: {minutes} minutes; killed: " +
              ", ".join(f"{n} {k}s" for k, n in kills.items()) +
              f"; {len(lines)} jobs acknowledged one by one and {load.bulk_jobs} in bulk, "
              f"{sum(len(r) for r in history_of.values())} runs, {again} again after a kill; " +
              ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in counts.items()), flush=True)
        return counts, samples
    finally:
        place.close()


def grown(samples):
    """What is larger in the last quarter than it was in the second, by more than chance explains."""
    q = len(samples) // 4
    early, late = samples[q:2 * q] or samples[:1], samples[-q:] if q else samples[-1:]
    for name, slack in (("rss_kib", 4096), ("fds", 4), ("file_bytes", 16 << 20)):
        a = statistics.median(getattr(s, name) for s in early)
        b = statistics.median(getattr(s, name) for s in late)
        if b > 1.1 * a + slack:
            yield f"{name} grew from {a} to {b}"


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--minutes", type=float, default=60),
        p.add_argument("--seed", type=int, default=None)))
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    counts, samples = run(options.minutes, seed)
    problems = list(grown(samples))
    for p in problems:
        print(p)
    if problems or any(counts.values()):
        raise SystemExit(f"soak: failed; repeat with --seed {seed}")


if __name__ == "__main__":
    main()
