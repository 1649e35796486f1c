"""Kills brokers and workers under load, round after round, and then looks at the books (history.py).

Each place is a broker with workers and submitters of its own; several run side by side. In every
round the broker is killed with SIGKILL at a random instant and started again; in a share of them a
worker is, too. Now and then a broker or a worker stands still (SIGSTOP), for so short that nobody
notices or for so long that it is given up.
"""

import concurrent.futures
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
import history  # noqa: E402
from history import harness  # noqa: E402

BROKER = ["--grace", "3s", "--lost", "2s", "--heartbeat", "200ms", "--log-level", "error"]
LINES_A_ROUND, PAUSE_S, WORKERS, SLOTS = 24, 0.03, 2, 2


class Rounds:
    def __init__(self, place, options, runs, chance):
        self.place, self.options, self.runs, self.chance = place, options, runs, chance
        self.workers = [history.start_worker(place, runs, SLOTS, 20) for _ in range(WORKERS)]
        self.away = history.Away()
        self.standing = {}  # workers that stand still: index -> until when
        self.kills = self.stops = 0

    def go(self):
        for _ in range(self.options.rounds):
            time.sleep(self.chance.uniform(0.02, self.options.pause))  # a random instant of the load
            if self.chance.random() < self.options.worker_share:
                self.kill_worker(self.chance.randrange(WORKERS))
            if self.chance.random() < self.options.stop_share:
                self.stop_worker(self.chance.randrange(WORKERS))
            if self.chance.random() < self.options.stop_share:
                self.stop_broker()
            self.wake_workers(time.monotonic())
            self.kill_broker()
        self.wake_workers(float("inf"))

    def kill_broker(self):
        self.place.broker_process.kill()
        self.place.processes.remove(self.place.broker_process)
        self.place.broker(*BROKER)
        self.place.stint("ping", "--broker-timeout", "30s")

    def stop_broker(self):
        """Nothing may come of it: nobody is given up because the broker stood still."""
        self.stops += 1
        self.place.broker_process.signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.1, 3))  # the fault's own length
        self.place.broker_process.signal(signal.SIGCONT)

    def kill_worker(self, i):
        self.kills += 1
        self.away.begins(self.workers[i].name)
        self.workers[i].kill()
        self.place.processes.remove(self.workers[i])
        self.workers[i] = history.start_worker(self.place, self.runs, SLOTS, 20)
        self.standing.pop(i, None)

    def stop_worker(self, i):
        if i in self.standing:
            return
        self.stops += 1
        self.away.begins(self.workers[i].name)
        self.workers[i].signal(signal.SIGSTOP)
        self.standing[i] = time.monotonic() + self.chance.uniform(0.1, 4)

    def wake_workers(self, now):
        for i in [i for i, until in self.standing.items() if until <= now]:
            del self.standing[i]
            self.workers[i].signal(signal.SIGCONT)
            self.away.ends(self.workers[i].name)


def outcomes_of(place, lines, counts):
    """Every acknowledged job, asked of the broker."""
    with open(place.path("all-ids"), "w") as f:
        f.write("\n".join(lines) + "\n")
    waited = place.stint("wait", "--results", "--json", "--file", place.path("all-ids"), timeout=1200)
    outcomes = [harness.json.loads(line) for line in waited.stdout.splitlines()]
    counts["lost"] += len(lines) - sum(o["state"] == "succeeded" for o in outcomes)
    counts["changed"] += sum(o.get("result") != lines[o["id"]] for o in outcomes)
    # jobs that nobody was told of
    counts["duplicated"] += max(0, place.stats()["jobs"]["succeeded"] - len(lines))


def run(options, seed):
    random.seed(seed)
    chance = random.Random(seed)
    counts = dict.fromkeys(history.COUNTS, 0)
    place = harness.Place()
    try:
        runs_path = place.path("runs")
        open(runs_path, "w").close()
        place.broker(*BROKER)
        rounds = Rounds(place, options, runs_path, chance)
        each = LINES_A_ROUND * options.rounds // 3
        submitters = [history.Submitter(place, str(n), [f"{n}-{i}" for i in range(each)], PAUSE_S)
                      for n in range(3)]
        for s in submitters:
            s.start()
        rounds.go()
        for s in submitters:
            s.join()
            if s.code != 0:
                raise SystemExit(f"chaos: a submitter ended with {s.code}")
        lines = {job: line for s in submitters for job, line in zip(s.ids(), s.sent)}
        outcomes_of(place, lines, counts)
        runs = history.read_runs(runs_path)
        again = history.judge_runs(runs, rounds.away, counts)
        history.judge_ids(submitters, runs, counts)
        return rounds.kills, rounds.stops, len(lines), again, counts
    finally:
        place.close()


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--rounds", type=int, default=200, help="of each place"),
        p.add_argument("--places", type=int, default=1),
        p.add_argument("--worker-share", type=float, default=0.2),
        p.add_argument("--stop-share", type=float, default=0.05),
        p.add_argument("--pause", type=float, default=0.5),
        p.add_argument("--seed", type=int, default=None)))
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    brokers = workers = stops = jobs = repeats = 0
    total = dict.fromkeys(history.COUNTS, 0)
    with concurrent.futures.ProcessPoolExecutor(options.places) as pool:
        for killed, stopped, lines, again, counts in pool.map(
                run, [options] * options.places, range(seed, seed + options.places)):
            brokers += options.rounds
            workers += killed
            stops += stopped
            jobs += lines
            repeats += again
            for k in counts:
                total[k] += counts[k]
    print(f"seed {seed}: {brokers} kills of the broker, {workers} of workers, {stops} stood still; "
          f"{jobs} jobs acknowledged; " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in total.items()) +
          f"; {repeats} runs again after their worker was killed or stood still", flush=True)
    if any(total.values()):
        raise SystemExit(f"chaos: failed; repeat with --seed {seed}")


if __name__ == "__main__":
    main()
