"""Two lives of a broker, small and full of everything it stores: submissions of all kinds, runs that
succeed, fail, are returned and snoozed, cancels and retries, large bodies, refusals; then a kill, and a
start on what that left: claims, outcomes that come late, a job that nobody claims. The peers are
peer.py's, so nothing of stint's own runtimes smooths over what the broker does. It keeps the books:
what was acknowledged, and what was only asked for.

The broker may die at any moment of it (Dead is raised then). Afterwards `check` starts it again and
looks: what was acknowledged is there and as it was confirmed, nothing is there twice, and everything
that is left can be brought to its end.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import harness  # noqa: E402
import peer  # noqa: E402

# A journal as small as may be: it goes round, and grows.
OPTIONS = ["--heartbeat", "200ms", "--lost", "2s", "--grace", "300ms", "--log-level", "warn",
           "--journal-size", "256K"]
SETTLED = {"succeeded", "dead", "cancelled"}
FIRST, SECOND = LIVES = (1, 2)


class Dead(Exception):
    """The broker has ended."""


class Client(peer.Client):
    pass


class Worker(peer.Worker):
    pass


def library():
    return os.path.join(harness.BUILD, "tests", "faults", "faults.so")


def preload(place, faults, count=None):
    env = {"LD_PRELOAD": library(), "STINT_FAULTS_DIRECTORY": place.path("data"), "STINT_FAULTS": faults}
    if count:
        env["STINT_FAULTS_COUNT"] = count
    return env


class Job:
    def __init__(self, payload, keep):
        self.payload, self.keep = payload, keep
        self.told = set()       # outcomes a worker has told, confirmed or not
        self.confirmed = None   # the last one that was confirmed
        self.cancelled = None   # asked for; True when it was answered
        self.attempt = 0        # highest one dispatched


class Scenario:
    def __init__(self, place):
        self.place = place
        self.jobs = {}       # id -> Job: acknowledged
        self.asked = None    # the submission that has no answer yet: (frame, payloads)
        self.client = self.worker = None
        self.session = os.urandom(16)

    def start(self, env=None):
        self.broker = self.place.broker(*OPTIONS, env=env)

    def alive(self):
        if not self.broker.running():
            raise Dead

    # ---- the story ----

    def live(self, life, env):
        """The story up to the end of this life, in which the broker runs with these faults."""
        self.start(env if life == FIRST else None)
        self.run()
        if life == SECOND:
            self.broker.kill()
            self.place.processes.remove(self.broker)
            self.start(env)
            self.run_again()
        self.broker.stop()

    def connect(self):
        peer.Peer.watch = self.alive
        self.client = Client(self.place.endpoint, session=self.session)
        self.worker = Worker(self.place.endpoint, slots=2, window=2)

    def submit(self, jobs, common=None):
        payloads = [j if isinstance(j, bytes) else j[3] for j in jobs]
        keeps = [None if isinstance(j, bytes) else j.get(6) for j in jobs]
        self.asked = (self.client.submission_frame(jobs, common), payloads, keeps)
        self.client.say(self.asked[0])
        return self.answered(self.client.answer(self.client.submission))

    def answered(self, ids):
        _, payloads, keeps = self.asked
        self.asked = None
        if not isinstance(ids, list) or (ids and not isinstance(ids[0], bytes)):
            return []
        for job, payload, keep in zip(ids, payloads, keeps):
            self.jobs[job] = Job(payload, keep)
        return ids

    def take(self):
        job, attempt, _, what = self.worker.take()
        known = self.jobs.get(job)
        if known:
            known.attempt = max(known.attempt, attempt)
            assert what.get(4, b"") == known.payload, "another payload was dispatched"
        return job, attempt

    def settle(self, job, attempt, outcome, body=b"", delay_ms=None):
        known = self.jobs.get(job)
        if known:
            known.told.add((attempt, outcome))
        exceptions = self.worker.settle(job, attempt, outcome, body, delay_ms)
        if known and not exceptions:
            known.confirmed = (attempt, outcome)

    def cancel(self, job):
        self.jobs[job].cancelled = self.jobs[job].cancelled or False
        if self.client.ask(peer.CANCEL, peer.ANSWERS, {2: [job]})[2] == [peer.OK]:
            self.jobs[job].cancelled = True

    def retry(self, job):
        self.jobs[job].cancelled = None
        self.jobs[job].told.add("retry")
        self.client.ask(peer.RETRY, peer.ANSWERS, {2: [job]})

    def run(self):
        self.connect()
        self.submit([b"one", b"two", {3: b"urgent", 4: 255}])
        self.settle(*self.take(), peer.SUCCEEDED, b"done")
        self.submit([{3: b"L" * 9000}, {3: b"forget me", 6: 0}])
        self.settle(*self.take(), peer.FAILED, b"why")
        self.submit([{3: b"unknown field", 99: 1}])
        self.settle(*self.take(), peer.RETURNED)
        job, attempt = self.take()
        self.settle(job, attempt, peer.SUCCEEDED, b"R" * 9000)
        self.settle(*self.take(), peer.SNOOZED, delay_ms=1)
        self.settle(*self.take(), peer.DEAD, b"for good")
        ids = self.submit([b"to cancel", b"to cancel and bring back"])
        if len(ids) == 2:
            self.cancel(ids[0])
            self.cancel(ids[1])
            self.retry(ids[1])
        self.submit([b"x" * n for n in range(1, 40)])
        for _ in range(6):
            self.settle(*self.take(), peer.SUCCEEDED, b"ok")
        for n in range(8):  # large ones: many sectors in one commit, and segments that are used again
            self.submit([bytes([ord("a") + n]) * 12000, {1: "other", 3: bytes([ord("A") + n]) * 7000}])
        self.submit([{1: "other", 3: b"other queue"}, {3: b"never", 6: 3600000}])

    def run_again(self):
        """After a kill, with two jobs in the worker's hands: it has forgotten one of them."""
        forgotten, attempt = self.take()
        self.worker.held.pop(forgotten)
        self.worker.connect()
        self.worker.claim()
        kept = set(self.worker.held)
        self.client.connect()
        for _ in kept:
            self.settle(*self.take(), peer.SUCCEEDED, b"through the restart")
        self.settle(forgotten, attempt, peer.FAILED, b"remembered too late")
        self.submit([{3: b"urgent after the restart", 4: 255}, b"S" * 9000])
        for outcome in (peer.SUCCEEDED, peer.FAILED, peer.SUCCEEDED):
            self.settle(*self.take(), outcome, b"in the second life")
        if self.jobs:
            self.cancel(max(self.jobs))

    # ---- the books ----

    def rows(self):
        r = self.place.json("ls", "--limit", "0")
        return {j["id"]: j for j in r}

    def check(self):
        """After its end, whatever that was. Returns sentences about what is wrong."""
        wrong = []
        verified = self.verify()
        if verified.returncode == 66 and not self.jobs:
            return []  # it never came to serving, so nothing was ever accepted
        if verified.returncode != 0:
            return [f"--verify: exit {verified.returncode}: {verified.stderr.strip()}"]
        self.start()
        peer.Peer.watch = self.alive
        rows = self.rows()
        for job, known in self.jobs.items():
            wrong += self.compare(peer.text(job), known, rows.get(peer.text(job)))
        wrong += self.resubmit(rows)
        wrong += self.finish()
        self.broker.stop()
        again = self.verify()
        if again.returncode != 0:
            wrong.append(f"--verify in the end: {again.stderr.strip()}")
        return wrong

    def verify(self):
        import subprocess
        return subprocess.run([harness.program("stintd"), "--verify", "--data", self.place.path("data")],
                              capture_output=True, text=True, timeout=60)

    def compare(self, name, known, row):
        succeeded = any(t != "retry" and t[1] == peer.SUCCEEDED for t in known.told)
        if row is None:
            if known.keep == 0 and succeeded:
                return []
            return [f"{name} was acknowledged and is lost"]
        state = row["state"]
        if row.get("attempt", 0) < known.attempt:
            return [f"{name} was dispatched as attempt {known.attempt} and is at {row.get('attempt', 0)}"]
        if known.cancelled and state != "cancelled":
            return [f"{name} was cancelled and is {state}"]
        if known.confirmed and known.confirmed[1] == peer.SUCCEEDED and state != "succeeded":
            return [f"the success of {name} was confirmed and it is {state}"]
        if known.confirmed and known.confirmed[1] == peer.DEAD and state != "dead":
            return [f"the death of {name} was confirmed and it is {state}"]
        if state == "succeeded" and not succeeded:
            return [f"{name} succeeded, which nobody said"]
        return []

    def resubmit(self, rows):
        """What had no answer is sent again: it is answered, and stored once."""
        if not self.asked:
            if self.client and len(rows) > len(self.jobs):
                return ["there are jobs that nobody was told of"]
            return []
        number = self.client.submission if self.client else 0
        c = Client(self.place.endpoint, session=self.session)
        stored = c.welcome.get(10, 0)
        c.submission, frame = number, self.asked[0]
        if stored not in (number, number - 1):
            return [f"the session was at {number} or one before, and the broker says {stored}"]
        c.say(frame)
        before = len(self.jobs)
        self.answered(c.answer(number))
        fresh = len(self.jobs) - before
        c.close()
        if len(self.rows()) > len(self.jobs):
            return [f"a submission of {fresh} jobs was stored twice"]
        return []

    def finish(self):
        """A worker brings all that is left to its end."""
        w = Worker(self.place.endpoint, queues=["default", "other"], slots=4, window=4)
        while True:
            jobs = self.place.stats()["jobs"]
            if not any(jobs[s] for s in ("ready", "scheduled", "running")):
                break
            job, attempt, _, _ = w.take()
            w.settle(job, attempt, peer.SUCCEEDED, b"at last")
        w.close()
        rows = self.rows()
        return [f"{j} is {r['state']} in the end" for j, r in rows.items() if r["state"] not in SETTLED]

    def close(self):
        for p in (self.client, self.worker):
            if p:
                p.close()
        self.place.close()
