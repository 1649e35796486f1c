"""What happened to real processes, and whether it may have happened: the history checker.

Submitters note which line got which id; workers (work.c) append a line when a run begins and when it
ends. From both, after any number of kills:

- lost: an acknowledged job has no complete run;
- duplicated: an id was given to two lines, or a line's job was stored twice;
- two leases: one (job, attempt) was run twice, or a run began while another run of the job was going
  on in a worker that was alive then;
- repeated: a job was run again although the worker that held it lived;
- unordered: a later run of a job has a smaller attempt, so that it could not fence;
- changed: a result is not what was submitted.
"""

import collections
import itertools
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import harness  # noqa: E402

COUNTS = ("lost", "duplicated", "two_leases", "repeated", "unordered", "changed")


class Submitter(threading.Thread):
    """Feeds one `stint submit --each`, which prints an id for every stored line. `words` are before the
    command's own, such as those that run it on another host."""

    def __init__(self, place, name, lines, pause_s, options=(), words=(), endpoint=None):
        super().__init__()
        self.place, self.name, self.lines, self.pause_s = place, name, lines, pause_s
        self.options, self.words, self.endpoint = options, words, endpoint or place.endpoint
        self.sent = []
        self.out = place.path(f"ids-{name}")
        self.process = self.code = None

    def run(self):
        with open(self.out, "wb") as out, open(self.place.path(f"submit-{self.name}.log"), "wb") as log:
            p = self.process = subprocess.Popen(
                [*self.words, harness.program("stint"), "submit", "--endpoint", self.endpoint, "--broker-timeout",
                 "120s", "--each", "--kind", "work", "--attempts", "10000", "--backoff", "10ms",
                 *self.options], stdin=subprocess.PIPE, stdout=out, stderr=log)
            try:
                for line in self.lines:
                    self.sent.append(line)
                    p.stdin.write(line.encode() + b"\n")
                    p.stdin.flush()
                    time.sleep(random.uniform(0, self.pause_s))  # the load's pace
                p.stdin.close()
            except BrokenPipeError:
                pass  # it was killed
            self.code = p.wait()

    def ids(self):
        """Of the first lines, in order; a torn last line is no answer."""
        with open(self.out) as f:
            return [line.strip() for line in f if line.endswith("\n")]


def plugin():
    return os.path.join(harness.BUILD, "tests", "chaos", "chaos_work.so")


worker_numbers = itertools.count()


def start_worker(place, runs, slots, pause_ms):
    name = f"w{next(worker_numbers)}"
    worker = place.worker("--slots", str(slots), "-q", "default", "-q", "bulk", "--plugin", plugin(), "--log-level", "error",
                        env={"CHAOS_RUNS": runs, "CHAOS_PAUSE_MS": str(pause_ms), "CHAOS_WORKER": name})
    worker.name = name
    return worker


class Run:
    __slots__ = ("attempt", "worker", "begin", "end")

    def __init__(self, attempt, worker, begin):
        self.attempt, self.worker, self.begin, self.end = attempt, worker, begin, None


def read_runs(path):
    """Job -> its runs, in the order of their begins. A worker that was killed leaves no end."""
    runs, going = collections.defaultdict(list), {}
    with open(path) as f:
        for line in f:
            what, job, attempt, worker, at = line.split()
            key = (job, attempt, worker)
            if what == "b":
                going[key] = Run(int(attempt), worker, int(at))
                runs[job].append(going[key])
            else:
                going.pop(key).end = int(at)
    for list_of in runs.values():
        list_of.sort(key=lambda r: r.begin)
    return runs


class Away:
    """When workers were gone: from and to, in nanoseconds; those that were killed for ever."""

    def __init__(self):
        self.spans = collections.defaultdict(list)

    def begins(self, worker):
        self.spans[worker].append([time.time_ns(), float("inf")])

    def ends(self, worker):
        self.spans[worker][-1][1] = time.time_ns()

    def was(self, worker, begin, end):
        self.spans[worker].append([begin, end])

    def between(self, worker, begin, end):
        """When it first began to be away, of what touches this span; None: it was there."""
        return min((a for a, b in self.spans[worker] if a <= end and b >= begin), default=None)


UNAWARE_NS = 5 * 10**9


def without_unaware(list_of, away):
    """A worker that stood still for long holds jobs that were taken from it, and may begin one before it
    hears of that. Its attempt is an old one then, and what it tells is refused."""
    kept, highest = [], 0
    for r in list_of:
        if r.attempt >= highest or not away.between(r.worker, r.begin - UNAWARE_NS, r.begin):
            kept.append(r)
        highest = max(highest, r.attempt)
    return kept


def judge_runs(runs, away, counts):
    """Returns how many runs were second ones."""
    again = 0
    for all_of in runs.values():
        list_of = without_unaware(all_of, away)
        attempts = [r.attempt for r in list_of]
        counts["two_leases"] += len(set(attempts)) != len(attempts)
        counts["unordered"] += attempts != sorted(attempts)
        for one, two in zip(list_of, list_of[1:]):
            again += 1
            dead = away.between(one.worker, one.begin, two.begin)
            counts["repeated"] += dead is None
            over = one.end or dead
            counts["two_leases"] += over is None or two.begin < min(over, dead or over)
    return again


def judge_ids(submitters, runs, counts):
    """Returns all acknowledged ids, with the line each was given for."""
    lines = {}
    for s in submitters:
        for job, line in zip(s.ids(), s.sent):
            counts["duplicated"] += job in lines
            lines[job] = line
            counts["lost"] += not any(r.end for r in runs.get(job, ()))
    return lines
