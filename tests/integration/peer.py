"""A client and a worker written from PROTOCOL.md alone, with Debian's python3-zmq and
python3-msgpack: no line of stint's C is behind it."""

import os
import time

import msgpack
import zmq

(HELLO, WELCOME, PING, PONG, BYE, ERROR) = range(1, 7)
(SUBMIT, SUBMITTED, DISPATCH, SETTLE, SETTLED, CLAIM, CLAIMED, STARTED, RECALL, REVOKE,
 CONFIRMED, PROGRESS) = range(16, 28)
(WAIT, OUTCOMES, GET, JOBS, LIST, CANCEL, RETRY, ANSWERS) = range(32, 40)
(LIST_WORKERS, WORKERS) = range(42, 44)
(CONTROL, CONTROLLED, ORDER, SET_FLEET, GET_FLEET, FLEET, LIST_RUNNING, RUNNING) = range(49, 57)
(RESIZE, PAUSE, RESUME, DRAIN, STOP) = range(1, 6)
(ALL, NAMED, LABELLED) = range(1, 4)
(BULK, BULKS, LIST_BULKS, STOP_BULK) = range(63, 67)
FEATURES = ["kinds", "confirm", "unable", "output", "tokens", "cursors", "control", "queues", "why", "feeds", "figures", "bulk", "delay", "prefixes", "unique", "progress", "limits", "expires", "attempts", "after", "defaults", "total", "schedules", "settle_jobs", "needs", "batches", "groups", "output_live"]  # that WELCOME tells
OK, HELLO_FIRST = 0, 4
SUCCEEDED, FAILED, DEAD, SNOOZED, RETURNED, UNABLE = range(1, 7)


def pack(message):
    return msgpack.packb({k: message[k] for k in sorted(message)}, use_bin_type=True)


def unpack(frame):
    return msgpack.unpackb(frame, raw=False, strict_map_key=False)


def plus(job, n):
    """The id whose sequence is n higher (section 3)."""
    return job[:8] + (int.from_bytes(job[8:], "big") + n).to_bytes(8, "big")


def text(job):
    return ".".join(str(n) for n in (int.from_bytes(job[0:2], "big"),
                                     int.from_bytes(job[2:6], "big"), 255 - job[6],
                                     int.from_bytes(job[8:16], "big")))


class Peer:
    role = 1
    watch = None  # called now and then while waiting; it may raise

    def __init__(self, endpoint, session=None, context=None):
        self.endpoint = endpoint
        self.context = context or zmq.Context.instance()
        self.session = session or os.urandom(16)
        self.number = 0
        self.socket = None
        self.connect()

    def connect(self):
        """A new connection; WELCOME is kept."""
        if self.socket:
            self.socket.close(0)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.connect(self.endpoint)
        self.say(self.hello())
        self.welcome = self.hear(WELCOME)

    def hello(self):
        return {0: HELLO, 2: 1, 3: 1, 4: self.role, 5: self.session, 6: "python", 7: "peer.py"}

    def has(self, feature):
        """Does the broker name this feature? One that is older names none."""
        return feature in self.welcome.get(13, [])

    def say(self, message):
        self.socket.send(message if isinstance(message, bytes) else pack(message))

    def next(self, timeout_s=20):
        end = time.monotonic() + timeout_s
        while not self.socket.poll(20):
            if Peer.watch:
                Peer.watch()
            if time.monotonic() > end:
                raise TimeoutError("the broker is silent")
        return unpack(self.socket.recv())

    def hear(self, kind, number=None, timeout_s=20):
        """The next message of a type; what else comes is passed over."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            message = self.next(timeout_s)
            if message[0] == kind and (number is None or message.get(1) == number):
                return message
            self.other(message)
        raise TimeoutError(f"no message of type {kind}")

    def other(self, message):
        pass

    def ask(self, kind, reply, fields):
        self.number += 1
        self.say({0: kind, 1: self.number, **fields})
        return self.hear(reply, self.number)

    def bye(self):
        self.number += 1
        self.say({0: BYE, 1: self.number})
        self.hear(BYE, self.number)

    def close(self):
        self.socket.close(0)

    def __del__(self):
        if self.socket:
            self.socket.close(0)


class Client(Peer):
    def __init__(self, *args, **kwargs):
        self.submission = self.acked = 0
        self.outcomes = {}
        super().__init__(*args, **kwargs)

    def submission_frame(self, jobs, common=None):
        self.submission += 1
        message = {0: SUBMIT, 1: self.submission, 2: self.acked, 4: jobs}
        if common:
            message[3] = common
        return pack(message)

    def answer(self, number):
        """The answer to one submission: a list of ids, or its refusal."""
        while True:
            for a in self.hear(SUBMITTED)[2]:
                if a[0] == number:
                    if a[1] != OK:
                        self.submission = number - 1  # a refusal uses no number
                        return a
                    self.acked = number
                    return [plus(first, i) for first, n in a[2] for i in range(n)]

    def submit(self, jobs, common=None):
        self.say(self.submission_frame(jobs, common))
        return self.answer(self.submission)

    def other(self, message):
        if message[0] == OUTCOMES:
            for info in message[2]:
                self.outcomes[info[1]] = info

    def control(self, action, name=None, label=None, slots=None):
        """Tell a worker, or those with a label, or all, what to do; how many they were."""
        fields = {2: action, 3: NAMED if name else LABELLED if label else ALL}
        if name or label:
            fields[4] = name or label
        if slots is not None:
            fields[5] = slots
        return self.ask(CONTROL, CONTROLLED, fields)[2]

    def running(self, worker):
        """The jobs that a worker holds."""
        jobs, cursor = [], None
        while True:
            page = self.ask(LIST_RUNNING, RUNNING, {3: worker, **({2: cursor} if cursor else {})})
            jobs += page[2]
            cursor = page.get(3)
            if not cursor:
                return jobs

    def wait(self, jobs, results=True):
        statuses = self.ask(WAIT, ANSWERS, {2: jobs, 3: results})[2]
        waiting = {j for j, s in zip(jobs, statuses) if s == OK}
        while waiting - set(self.outcomes):
            self.other(self.next())
        return [self.outcomes.get(j) for j in jobs]


class Worker(Peer):
    role = 2

    def __init__(self, endpoint, queues=("default",), slots=1, window=1, labels=(), cores=0, **kwargs):
        self.queues, self.slots, self.window = list(queues), slots, window
        self.labels, self.cores = list(labels), cores
        self.order = None   # the last one: how things are to stand
        self.held = {}      # id -> (attempt, queue, job)
        self.unsettled = {}  # number of the SETTLE -> frame
        super().__init__(endpoint, **kwargs)
        self.claim()

    def hello(self):
        said = {**super().hello(), 8: self.slots, 9: self.window, 10: self.queues}
        if self.labels:
            said[12] = self.labels
        if self.cores:  # it takes orders
            said[13] = self.cores
        return said

    def claim(self):
        leases = [[j, a] for j, (a, _, _) in self.held.items()]
        refused = self.ask(CLAIM, CLAIMED, {2: leases, 3: False})[2]
        for job, _, _ in refused:
            self.held.pop(job, None)
        for frame in self.unsettled.values():
            self.say(frame)

    def other(self, message):
        if message[0] == DISPATCH:
            for job in message[3]:
                self.held[job[1]] = (job[2], message[2], job)
        elif message[0] == ORDER:
            self.order = message

    def take(self):
        """Some job in hand: (id, attempt, queue, job)."""
        while not self.held:
            self.other(self.next())
        job, (attempt, queue, what) = next(iter(self.held.items()))
        return job, attempt, queue, what

    def settle(self, job, attempt, outcome, body=b"", delay_ms=None):
        return self.settle_row([job, attempt, outcome, body] + ([delay_ms] if delay_ms is not None else []))

    def settle_row(self, row):
        self.number += 1
        job = row[0]
        self.unsettled[self.number] = pack({0: SETTLE, 1: self.number, 2: [row]})
        self.say(self.unsettled[self.number])
        return self.confirmed(self.number, job)

    def confirmed(self, number, job):
        while True:
            for n, exceptions in self.hear(SETTLED)[2]:
                self.unsettled.pop(n, None)
                if n == number:
                    self.held.pop(job, None)
                    return exceptions
