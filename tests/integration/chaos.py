"""Kills brokers and workers under load, round after round, and then looks at the books.

Clients submit numbered jobs without pause (some with wrong-looking timing: they give up and come
back), workers append every run to a file of their own, and at random instants the broker, and now
and then a worker, is killed with SIGKILL and started again. In the end:

- lost: every acknowledged submission's job is settled (asked of the broker, each one);
- duplicated: every id was given to one payload, and every payload to one id;
- two leases: no (job, attempt) was run twice, and no run of a job began while another run of it was
  going on in a live worker;
- repeated: no job that a live worker held through a restart was run again.
"""

import collections
import os
import random
import subprocess
import threading
import time

import harness

RUN = r'''#!/bin/sh
printf 'b %s %s %s %s\n' "$STINT_JOB_ID" "$STINT_ATTEMPT" "$PPID" "$(date +%s%N)" >>"$CHAOS_RUNS"
sleep "$CHAOS_PAUSE"
printf 'e %s %s %s %s\n' "$STINT_JOB_ID" "$STINT_ATTEMPT" "$PPID" "$(date +%s%N)" >>"$CHAOS_RUNS"
cat
'''


class Submitter(threading.Thread):
    """Feeds one `stint submit --each`, which prints an id for every stored line."""

    def __init__(self, place, name, lines):
        super().__init__()
        self.place, self.name, self.lines = place, name, lines
        self.out = place.path(f"ids-{name}")
        self.code = None

    def run(self):
        with open(self.out, "wb") as out, open(self.place.path(f"submit-{self.name}.log"), "wb") as log:
            p = subprocess.Popen([harness.program("stint"), "submit", "--endpoint",
                                  self.place.endpoint, "--timeout", "120s", "--each", "--kind",
                                  "work", "--attempts", "1000", "--backoff", "10ms"],
                                 stdin=subprocess.PIPE, stdout=out, stderr=log)
            for line in self.lines:
                p.stdin.write(line.encode() + b"\n")
                p.stdin.flush()
                time.sleep(random.uniform(0, 0.03))  # the load's pace
            p.stdin.close()
            self.code = p.wait()

    def ids(self):
        with open(self.out) as f:
            return f.read().split()


def start_worker(place, script, runs, slots=2):
    return place.worker("--slots", str(slots), "--handle", f"work={script}", "--log-level", "error",
                        env={"CHAOS_RUNS": runs, "CHAOS_PAUSE": "0.02"})


def kill_rounds(place, rounds, workers, script, runs, seed):
    chance = random.Random(seed)
    killed_workers, restarts = {}, []
    for n in range(rounds):
        time.sleep(chance.uniform(0.02, 0.5))  # a random instant of the load
        if chance.random() < 0.15:
            i = chance.randrange(len(workers))
            killed_workers[workers[i].pid] = time.time_ns()
            workers[i].kill()
            workers[i] = start_worker(place, script, runs)
        restarts.append(time.time_ns())
        place.broker_process.kill()
        place.broker(*BROKER)
        place.stint("ping", "--timeout", "30s")
    return killed_workers, restarts


def read_runs(path):
    runs = collections.defaultdict(list)  # job -> [(attempt, pid, begin, end)]
    open_runs = {}
    torn = 0
    with open(path) as f:
        for line in f:
            words = line.split()
            if len(words) != 5:
                torn += 1
                continue
            what, job, attempt, pid, at = words
            if what == "b":
                open_runs[(job, attempt, pid)] = int(at)
            else:
                begin = open_runs.pop((job, attempt, pid), None)
                runs[job].append((int(attempt), int(pid), begin, int(at)))
    for (job, attempt, pid), begin in open_runs.items():
        runs[job].append((int(attempt), int(pid), begin, None))
    return runs, torn


def judge(runs, killed_workers):
    two_leases = repeated = again = 0
    for job, list_of in runs.items():
        attempts = [r[0] for r in list_of]
        if len(set(attempts)) != len(attempts):
            two_leases += 1
        list_of.sort(key=lambda r: r[2] or 0)
        for one, two in zip(list_of, list_of[1:]):
            again += 1
            dead = killed_workers.get(one[1])
            if dead is None:
                repeated += 1  # its worker lived to the end
            end = one[3] or dead
            if end and two[2] and two[2] < min(end, dead or end):
                two_leases += 1
    return two_leases, repeated, again


BROKER = ["--grace", "3s", "--lost", "2s", "--heartbeat", "200ms", "--log-level", "error"]


def run(rounds, seed):
    place = harness.Place()
    try:
        script, runs_path = place.path("run"), place.path("runs")
        with open(script, "w") as f:
            f.write(RUN)
        os.chmod(script, 0o755)
        open(runs_path, "w").close()
        place.broker(*BROKER)
        workers = [start_worker(place, script, runs_path) for _ in range(2)]
        jobs = 60 * rounds
        submitters = [Submitter(place, str(n), [f"{n}-{i}" for i in range(jobs // 3)])
                      for n in range(3)]
        for s in submitters:
            s.start()
        killed_workers, restarts = kill_rounds(place, rounds, workers, script, runs_path, seed)
        for s in submitters:
            s.join()
        problems = [f"a submitter ended with {s.code}" for s in submitters if s.code != 0]
        ids = [i for s in submitters for i in s.ids()]
        with open(place.path("all-ids"), "w") as f:
            f.write("\n".join(ids) + "\n")
        waited = place.stint("wait", "--results", "--json", "--file", place.path("all-ids"),
                             timeout=600)
        outcomes = [harness.json.loads(line) for line in waited.stdout.splitlines()]
        lost = len(ids) - sum(o["state"] == "succeeded" for o in outcomes)
        payloads = [o.get("result", "").strip() for o in outcomes]
        duplicated = len(ids) - len(set(ids)) + len(payloads) - len(set(payloads))
        stats = place.stats()["jobs"]
        duplicated += stats["succeeded"] - len(ids)  # jobs nobody was told of
        runs, torn = read_runs(runs_path)
        two_leases, repeated, again = judge(runs, killed_workers)
        print(f"seed {seed}: {rounds} kills of the broker, {len(killed_workers)} of workers, "
              f"{len(ids)} jobs acknowledged; lost {lost}, duplicated {duplicated}, "
              f"two leases {two_leases}, repeated that a live worker held {repeated} "
              f"(run again after a worker's kill: {again}; torn log lines: {torn})", flush=True)
        return problems, lost, duplicated, two_leases, repeated
    finally:
        os.environ.get("CHAOS_KEEP") or place.close()


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--rounds", type=int, default=200),
        p.add_argument("--seed", type=int, default=None)))
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    random.seed(seed)
    problems, *counts = run(options.rounds, seed)
    for p in problems:
        print(p)
    if problems or any(counts):
        raise SystemExit(f"chaos: failed; repeat with --seed {seed}")


if __name__ == "__main__":
    main()
