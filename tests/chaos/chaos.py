"""Kills brokers and workers under load, round after round, and then looks at the books (history.py).

Each place is a broker with workers and submitters of its own; several run side by side. In every
round the broker is killed with SIGKILL at a random instant and started again, and with --workers-too
a worker is, too.
"""

import concurrent.futures
import os
import random
import sys
import time

sys.dont_write_bytecode = True
import history  # noqa: E402
from history import harness  # noqa: E402

BROKER = ["--grace", "3s", "--lost", "2s", "--heartbeat", "200ms", "--log-level", "error"]
LINES_A_ROUND, PAUSE_S, WORKERS, SLOTS = 24, 0.03, 2, 2


def kill_rounds(place, options, workers, runs, chance):
    killed = {}
    for _ in range(options.rounds):
        time.sleep(chance.uniform(0.02, options.pause))  # a random instant of the load
        if chance.random() < options.worker_share:
            i = chance.randrange(len(workers))
            killed[workers[i].name] = time.time_ns()
            workers[i].kill()
            place.processes.remove(workers[i])
            workers[i] = history.start_worker(place, runs, SLOTS, 20)
        place.broker_process.kill()
        place.processes.remove(place.broker_process)
        place.broker(*BROKER)
        place.stint("ping", "--timeout", "30s")
    return killed


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
        workers = [history.start_worker(place, runs_path, SLOTS, 20) for _ in range(WORKERS)]
        each = LINES_A_ROUND * options.rounds // 3
        submitters = [history.Submitter(place, str(n), [f"{n}-{i}" for i in range(each)], PAUSE_S)
                      for n in range(3)]
        for s in submitters:
            s.start()
        killed = kill_rounds(place, options, workers, runs_path, chance)
        for s in submitters:
            s.join()
            if s.code != 0:
                raise SystemExit(f"chaos: a submitter ended with {s.code}")
        lines = {job: line for s in submitters for job, line in zip(s.ids(), s.lines)}
        outcomes_of(place, lines, counts)
        runs = history.read_runs(runs_path)
        again = history.judge_runs(runs, killed, counts)
        history.judge_ids(submitters, runs, counts)
        return len(killed), len(lines), again, counts
    finally:
        place.close()


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--rounds", type=int, default=200, help="of each place"),
        p.add_argument("--places", type=int, default=1),
        p.add_argument("--worker-share", type=float, default=0.2),
        p.add_argument("--pause", type=float, default=0.5),
        p.add_argument("--seed", type=int, default=None)))
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    brokers = workers = jobs = repeats = 0
    total = dict.fromkeys(history.COUNTS, 0)
    with concurrent.futures.ProcessPoolExecutor(options.places) as pool:
        for killed, lines, again, counts in pool.map(
                run, [options] * options.places, range(seed, seed + options.places)):
            brokers += options.rounds
            workers += killed
            jobs += lines
            repeats += again
            for k in counts:
                total[k] += counts[k]
    print(f"seed {seed}: {brokers} kills of the broker, {workers} of workers, {jobs} jobs "
          f"acknowledged; " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in total.items()) +
          f"; {repeats} runs again after their worker was killed", flush=True)
    if any(total.values()):
        raise SystemExit(f"chaos: failed; repeat with --seed {seed}")


if __name__ == "__main__":
    main()
