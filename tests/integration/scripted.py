"""A broker that does what the names of queues say, for tests of the library: it refuses, falls silent,
loses and forgets on purpose, as a real one does by accident. Written from PROTOCOL.md alone. What it
has stored can be listed. What stands behind a "-" in a name makes it another queue of the same kind.

    full        there is never room           large       refused for good
    fullN       no room for the first N tries  toomany     the session is refused twice, by ERROR
    oldfull     refused, and the refusal has a number, as older brokers do
    late        refused, and a copy that was on its way is stored before the next HELLO is read
    silent      stored; nothing is answered any more, nor the next HELLO
    lost        not stored; the same
    forget      stored, and the session is forgotten after the answer
    denied      nobody may see its jobs; denied-all: nor wait for anything in the same message
    never       its jobs are never settled; all others succeed as soon as somebody waits for them
    leftout     they have written on standard error, and their results are left out when they are first told
    gone        the same, and then they are forgotten
    damaged     their results are, and never told

To a client whose name is "confused" it answers another question than was asked.
"""

import hashlib
import re
import threading

import msgpack
import zmq

from peer import (ANSWERS, CANCEL, CONTROL, ERROR, GET, HELLO, JOBS, LIST, OUTCOMES, PING, PONG, SUBMIT, SUBMITTED,
                  FEATURES, WAIT, WELCOME, pack, unpack)

BYE = 5
LIST_QUEUES, QUEUES, LIST_WORKERS, WORKERS, GET_STATS, STATS, SUBSCRIBE, UNSUBSCRIBE, EVENTS = range(40, 49)
OK, UNKNOWN_TYPE, HELLO_FIRST, TOO_LARGE, NO_SUCH_JOB, QUEUE_FULL, TOO_MANY, OUT_OF_ORDER, CONFLICT, DENIED = (
    0, 2, 4, 5, 8, 12, 14, 15, 16, 20)
SUCCEEDED, CANCELLED, READY = 4, 6, 1


class Session:
    def __init__(self):
        self.submission, self.answers, self.late = 0, {}, None


class Broker(threading.Thread):
    def __init__(self, endpoint):
        super().__init__(daemon=True)
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.bind(endpoint)
        self.endpoint = endpoint
        self.stopping = False
        self.sessions, self.peers, self.jobs = {}, {}, {}
        self.deaf, self.hellos_missed = set(), 0
        self.tries, self.watchers, self.subscribers = {}, {}, {}
        self.left_out, self.confused = set(), set()

    def run(self):
        while not self.stopping:
            if self.socket.poll(20):
                peer, frame = self.socket.recv_multipart()
                self.take(peer, unpack(frame))
        self.socket.close(0)

    def stop(self):
        self.stopping = True
        self.join()

    def say(self, peer, message):
        if peer not in self.deaf:
            self.socket.send_multipart([peer, pack(message)])

    def take(self, peer, m):
        kind = m[0]
        if kind == HELLO:
            self.hello(peer, m)
        elif peer not in self.peers:
            self.say(peer, {0: ERROR, 1: m.get(1, 0), 2: HELLO_FIRST, 3: "", 4: kind})
        elif kind == PING:
            self.say(peer, {0: PONG, 1: m[1], 2: 1})
        elif kind == BYE:
            self.sessions.pop(self.peers.pop(peer), None)
            self.say(peer, {0: BYE, 1: m[1]})
        elif kind == SUBMIT:
            self.submit(peer, m)
        elif self.peers[peer] in self.confused and kind != UNSUBSCRIBE:
            self.say(peer, {0: ANSWERS if kind == GET_STATS else STATS, 1: m[1], 2: [OK] if kind == GET_STATS else 1})
        elif kind >= CONTROL:  # of these an older broker knows none
            self.say(peer, {0: ERROR, 1: m[1], 2: UNKNOWN_TYPE, 3: "", 4: kind})
        else:
            self.asked(peer, kind, m)

    def hello(self, peer, m):
        if self.hellos_missed:
            self.hellos_missed -= 1
            return
        name = m[5]
        for other, held in list(self.peers.items()):
            if held == name:
                del self.peers[other]
        self.peers[peer] = name
        if m.get(6) == "confused":
            self.confused.add(name)
        session = self.sessions.setdefault(name, Session())
        if session.late:
            self.store(session, *session.late)
            session.late = None
        self.say(peer, {0: WELCOME, 2: 1, 3: 1, 4: 0, 5: 200, 6: 1000, 7: 8 << 20, 8: 1 << 20, 9: 1 << 20,
                        10: session.submission, 11: [[0, self.endpoint]], 12: "scripted",
                        13: FEATURES})

    # ---- submissions

    def store(self, session, number, digest, rows):
        first = len(self.jobs) + 1
        for n, (queue, payload) in enumerate(rows):
            job = bytes([0, 0, 0, 0, 0, 1, 155, 0]) + (first + n).to_bytes(8, "big")
            self.jobs[job] = {1: job, 2: READY, 3: queue, 4: "default", 14: len(payload), 15: 6,
                              16: payload, 17: b"result"}
        answer = [number, OK, [[bytes([0, 0, 0, 0, 0, 1, 155, 0]) + first.to_bytes(8, "big"), len(rows)]]]
        session.submission, session.answers[number] = number, (digest, answer)
        return answer

    def submit(self, peer, m):
        session, number = self.sessions[self.peers[peer]], m[1]
        common = m.get(3, {})
        rows = [(j.get(1, common.get(1, "default")), j.get(3, b"")) if isinstance(j, dict)
                else (common.get(1, "default"), j) for j in m[4]]
        digest = hashlib.sha256(msgpack.packb([common, m[4]])).digest()
        if number <= session.submission:
            held, answer = session.answers[number]
            self.answer(peer, answer if held == digest else [number, CONFLICT, 0, "other jobs"])
        elif number > session.submission + 1:
            self.answer(peer, [number, OUT_OF_ORDER, session.submission + 1, "one is missing"])
        else:
            self.take_or_refuse(peer, session, number, digest, rows)

    def answer(self, peer, answer):
        self.say(peer, {0: SUBMITTED, 2: [answer]})

    def take_or_refuse(self, peer, session, number, digest, rows):
        name = rows[-1][0]
        tries = self.tries[name] = self.tries.get(name, 0) + 1
        index = next(i for i, row in enumerate(rows) if row[0] == name)
        queue = name.split("-")[0]
        full = re.fullmatch(r"full(\d*)", queue)
        if full and (not full[1] or tries <= int(full[1])):
            self.answer(peer, [number, QUEUE_FULL, index, "no room"])
        elif queue == "large":
            self.answer(peer, [number, TOO_LARGE, index, "too much"])
        elif queue == "toomany" and tries <= 2:
            self.say(peer, {0: ERROR, 1: number, 2: TOO_MANY, 3: "sessions", 4: SUBMIT})
        elif queue == "oldfull":
            session.submission = number
            session.answers[number] = (digest, [number, QUEUE_FULL, index, "no room"])
            self.answer(peer, session.answers[number][1])
        elif queue == "late":
            session.late = (number, digest, rows)
            self.answer(peer, [number, QUEUE_FULL, index, "no room"])
        elif queue in ("silent", "lost") and tries == 1:
            if queue == "silent":
                self.store(session, number, digest, rows)
            self.deaf.add(peer)
            self.hellos_missed = 1
        else:
            self.answer(peer, self.store(session, number, digest, rows))
            for subscriber, subscription in self.subscribers.values():
                self.say(subscriber, {0: EVENTS, 1: subscription, 2: [[1, session.answers[number][1][2][0][0], 1, 0, name]]})
        if queue == "forget":
            self.sessions[self.peers[peer]] = Session()
            del self.peers[peer]

    # ---- questions

    def asked(self, peer, kind, m):
        number = m[1]
        if kind == WAIT and any(self.queue(j) == "denied-all" for j in m[2]):
            self.say(peer, {0: ERROR, 1: number, 2: DENIED, 3: "not yours", 4: WAIT})
        elif kind == WAIT:
            denied = [self.queue(j) == "denied" for j in m[2]]
            self.say(peer, {0: ANSWERS, 1: number, 2: [
                DENIED if d else OK if j in self.jobs else NO_SUCH_JOB for j, d in zip(m[2], denied)]})
            for job in [j for j, d in zip(m[2], denied) if not d]:
                self.watchers.setdefault(job, {})[peer] = m.get(3, False)
                if job in self.jobs and self.jobs[job][3] != "never":
                    self.settle(job, SUCCEEDED)
        elif kind == CANCEL:
            self.say(peer, {0: ANSWERS, 1: number, 2: [OK] * len(m[2])})
            for job in m[2]:
                self.settle(job, CANCELLED)
        elif kind == GET:
            self.get(peer, m)
        elif kind == LIST:
            self.page(peer, JOBS, m, 5, [self.info(j, 0) for j in self.jobs.values() if m.get(2) in (None, j[3])])
        elif kind == LIST_QUEUES:
            self.page(peer, QUEUES, m, 2, [{1: f"q{n}", 2: n, 5: "pdf"} for n in range(5)])
        elif kind == LIST_WORKERS:
            self.page(peer, WORKERS, m, 2, [{1: f"w{n}", 2: "s", 3: "q", 4: 1, 10: "pdf mail"} for n in range(3)])
        elif kind == GET_STATS:
            self.say(peer, {0: STATS, 1: number, 2: 1, 64: [0] * 7})
        elif kind == SUBSCRIBE:
            self.subscribers[number] = (peer, number)
            self.say(peer, {0: ANSWERS, 1: number, 2: [OK]})
        elif kind == UNSUBSCRIBE:
            self.subscribers.pop(number, None)
            self.say(peer, {0: ANSWERS, 1: number, 2: [OK]})

    def queue(self, job):
        return self.jobs[job][3] if job in self.jobs else None

    def info(self, job, parts):
        return {k: v for k, v in job.items() if (k != 16 or parts & 1) and (k != 17 or parts & 2)}

    def settle(self, job, state):
        if job not in self.jobs:
            return
        self.jobs[job][2] = state
        parts = self.parts_to_tell(job, self.queue(job).split("-")[0])
        for peer, results in self.watchers.pop(job, {}).items():
            self.say(peer, {0: OUTCOMES, 2: [self.info(self.jobs[job], parts if results else 0)]})
        if job in self.left_out and self.queue(job) == "gone":
            del self.jobs[job]

    def parts_to_tell(self, job, queue):
        if queue == "damaged":
            self.jobs[job][19] = b"the stored body is damaged"
            return 0
        if queue not in ("leftout", "gone") or job in self.left_out:
            return 2
        self.jobs[job][19] = b"a warning"
        self.left_out.add(job)
        return 0

    def get(self, peer, m):
        """Payload and result do not fit into one message here."""
        parts = m.get(3, 0)
        infos = [self.info(self.jobs[j], 1 if parts == 3 else parts) if j in self.jobs else {1: j} for j in m[2]]
        self.say(peer, {0: JOBS, 1: m[1], 2: infos})

    def page(self, peer, kind, m, key, rows):
        at, most = int(m.get(key, b"0")), 1000 if kind == JOBS else 2
        message = {0: kind, 1: m[1], 2: rows[at:at + most]}
        if at + most < len(rows):
            message[3] = str(at + most).encode()
        self.say(peer, message)
