"""A client and a worker in another language, from PROTOCOL.md alone, against the real programs."""

import glob
import os
import signal
import subprocess

import harness
import peer
import zmq

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def vectors():
    for path in sorted(glob.glob(os.path.join(SOURCE, "proto", "vectors", "*.txt"))):
        v = {"name": os.path.basename(path)}
        with open(path) as f:
            for line in f:
                key, value = line.rstrip("\n").split(": ", 1) if ": " in line else (line.strip(": \n"), "")
                v[key] = value
        v["frame"] = bytes.fromhex(v["hex"])
        if "repeat" in v:
            what, times = v["repeat"].split()
            v["frame"] += bytes.fromhex(what) * int(times)
        yield v


class Interop(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker("--heartbeat", "200ms", "--lost", "2s", "--grace", "3s")

    def test_a_python_client_submits_to_a_c_worker_and_gets_the_results(self):
        self.place.worker("--handle", "echo=cat")
        c = peer.Client(self.place.endpoint)
        jobs = c.submit([b"one", b"two", {3: b"three", 4: 255}], {2: "echo"})
        self.assertEqual(len(jobs), 3)
        results = [info[17] for info in c.wait(jobs)]
        self.assertEqual(results, [b"one", b"two", b"three"])
        self.assertEqual(self.place.state(peer.text(jobs[0])), "succeeded")
        c.bye()

    def test_a_c_client_submits_to_a_python_worker_and_gets_the_result(self):
        w = peer.Worker(self.place.endpoint, queues=["mail"])
        r = self.place.stint("submit", "--queue", "mail", "--kind", "send", "hello")
        self.assertExit(r, 0)
        job, attempt, queue, what = w.take()
        self.assertEqual((attempt, queue, what[3], what[4]), (1, "mail", "send", b"hello"))
        self.assertEqual(peer.text(job), r.stdout.strip())
        self.assertEqual(w.settle(job, attempt, peer.SUCCEEDED, b"sent"), [])
        self.assertEqual(self.place.stint("result", r.stdout.strip()).stdout, "sent")
        w.bye()

    def test_a_failed_attempt_comes_back_to_a_python_worker_with_the_next_number(self):
        w = peer.Worker(self.place.endpoint)
        c = peer.Client(self.place.endpoint)
        job, = c.submit([{3: b"x", 8: 10, 9: 10}])
        for expected in (1, 2):
            got, attempt, _, _ = w.take()
            self.assertEqual((got, attempt), (job, expected))
            w.settle(job, attempt, peer.FAILED if attempt == 1 else peer.SUCCEEDED, b"why")
        self.assertEqual(c.wait([job])[0][5], 2)

    def test_the_broker_names_its_features(self):
        c = peer.Client(self.place.endpoint)
        self.assertEqual(c.welcome[13], peer.FEATURES)
        self.assertTrue(c.has("kinds"))
        self.assertFalse(c.has("teleport"))

    def test_a_lost_answer_is_answered_again_with_the_same_ids(self):
        c = peer.Client(self.place.endpoint)
        frame = c.submission_frame([b"a", {3: b"b", 4: 9}])
        c.say(frame)
        harness.wait_until(lambda: self.place.stats()["submitted"] == 2, "the jobs are stored")
        c.connect()  # the answer went to the connection that is gone
        self.assertEqual(c.welcome[10], 1)
        c.say(frame)
        first = c.answer(1)
        c.connect()
        c.say(frame)
        self.assertEqual(c.answer(1), first)
        self.assertEqual(self.place.stats()["jobs"]["ready"], 2)

    def test_a_python_worker_keeps_its_job_through_a_restart_of_the_broker(self):
        w = peer.Worker(self.place.endpoint)
        c = peer.Client(self.place.endpoint)
        job, = c.submit([b"long"])
        _, attempt, _, _ = w.take()
        self.place.broker_process.kill()
        self.place.broker("--heartbeat", "200ms", "--lost", "2s", "--grace", "3s")
        w.connect()
        w.claim()
        self.assertIn(job, w.held)
        self.assertEqual(w.settle(job, attempt, peer.SUCCEEDED, b"done"), [])
        c.connect()
        info = c.wait([job])[0]
        self.assertEqual((info[2], info[5]), (4, 1))

    def test_a_worker_that_was_cut_off_is_fenced(self):
        w = peer.Worker(self.place.endpoint)
        c = peer.Client(self.place.endpoint)
        job, = c.submit([b"x"])
        w.take()
        harness.wait_until(lambda: self.place.state(peer.text(job)) == "ready",
                           "the silent worker is lost")
        other = peer.Worker(self.place.endpoint)
        self.assertEqual(other.take()[1], 2)
        w.connect()
        w.held = {job: (1, "default", None)}
        w.claim()
        self.assertNotIn(job, w.held)
        self.assertEqual(w.settle(job, 1, peer.SUCCEEDED), [[0, 10]])
        self.assertEqual(other.settle(job, 2, peer.SUCCEEDED), [])

    def test_every_vector_is_answered_as_it_says(self):
        c = peer.Client(self.place.endpoint)
        names = {1: "BAD_MESSAGE", 2: "UNKNOWN_TYPE", 5: "TOO_LARGE", 6: "INVALID", 7: "BAD_NAME"}
        asked = 0
        for v in vectors():
            if v["status"] == "OK":
                self.assertEqual(peer.pack(peer.unpack(v["frame"])), v["frame"], v["name"])
                continue
            c.say(v["frame"])
            self.assertEqual(names[c.hear(peer.ERROR)[2]], v["status"], v["name"])
            asked += 1
        self.assertGreater(asked, 20)
        self.assertEqual(len(c.submit([b"still there"])), 1)


class Broker:
    """The least that a worker needs of a broker."""

    def __init__(self, endpoint, features=peer.FEATURES):
        self.features = {13: features} if features else {}
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.bind(endpoint)

    def hear(self):
        """The next message of the worker; its HELLOs, CLAIMs and PINGs are answered."""
        if not self.socket.poll(20000):
            raise TimeoutError("the worker is silent")
        self.worker, frame = self.socket.recv_multipart()
        return peer.unpack(frame)

    def say(self, message):
        self.socket.send_multipart([self.worker, peer.pack(message)])

    def answer(self, message):
        if message[0] == peer.HELLO:
            self.say({0: peer.WELCOME, 2: 1, 3: 1, 4: 0, 5: 100, 6: 5000, 7: 1 << 20, 8: 1000, 9: 1000, 10: 0,
                      11: [[0, "here"]], 12: "a test", **self.features})
        elif message[0] == peer.CLAIM:
            self.say({0: peer.CLAIMED, 1: message[1], 2: []})
        elif message[0] == peer.PING:
            self.say({0: peer.PONG, 1: message[1], 2: 7})

    def until(self, wanted):
        while True:
            message = self.hear()
            if wanted(message):
                return message
            self.answer(message)


def told_by_older(case, lacking, *args):
    """The exit status of a command, what it says, and the types of messages that it has sent to a broker which can do
    all but one thing."""
    b = Broker(case.place.endpoint, [f for f in peer.FEATURES if f != lacking])
    p = subprocess.Popen([harness.program("stint"), args[0], "-e", case.place.endpoint, *args[1:]],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    case.addCleanup(lambda: p.poll() is None and (p.kill() or p.communicate()))
    heard = []
    while p.poll() is None:
        if b.socket.poll(50):
            message = b.hear()
            heard.append(message[0])
            b.answer(message)
    b.socket.close(0)
    return p.returncode, p.communicate()[1], heard


class Beginning(harness.Case):
    """Jobs that were lost with a worker before."""

    def setUp(self):
        super().setUp()
        self.b = Broker(self.place.endpoint)
        self.addCleanup(self.b.socket.close, 0)
        self.worker = self.place.worker("--shell", "default=echo ran", "--slots", "1")
        self.b.until(lambda m: m[0] == peer.CLAIM)
        self.b.say({0: peer.CLAIMED, 1: 1, 2: []})

    def dispatch(self, sequence, confirm):
        job = bytes(15) + bytes([sequence])
        fields = {1: job, 2: 1, 3: "default", 4: b"", 7: 1}
        self.b.say({0: peer.DISPATCH, 2: "default", 3: [fields | {8: True} if confirm else fields]})
        return job

    def test_a_job_that_was_lost_before_begins_when_the_broker_has_confirmed_it(self):
        job = self.dispatch(1, True)
        started = self.b.until(lambda m: m[0] in (peer.STARTED, peer.SETTLE))
        self.assertEqual((started[0], started[2][0][:2]), (peer.STARTED, [job, 1]))
        for _ in range(3):  # it had the time to run it
            ping = self.b.until(lambda m: m[0] in (peer.PING, peer.SETTLE))
            self.assertEqual(ping[0], peer.PING)
            self.b.answer(ping)
        self.b.say({0: peer.CONFIRMED, 1: started[1], 2: []})
        settle = self.b.until(lambda m: m[0] == peer.SETTLE)
        self.assertEqual(settle[2][0][:4], [job, 1, 1, b"ran\n"])

    def test_a_job_that_is_refused_then_is_not_run(self):
        self.dispatch(1, True)
        started = self.b.until(lambda m: m[0] == peer.STARTED)
        self.b.say({0: peer.CONFIRMED, 1: started[1], 2: [started[2][0][:2] + [10]]})
        other = self.dispatch(2, False)
        settle = self.b.until(lambda m: m[0] == peer.SETTLE)
        self.assertEqual([o[0] for o in settle[2]], [other])

    def test_a_worker_that_stops_gives_back_what_it_has_asked_for(self):
        job = self.dispatch(1, True)
        self.b.until(lambda m: m[0] == peer.STARTED)
        self.worker.signal(signal.SIGTERM)
        settle = self.b.until(lambda m: m[0] == peer.SETTLE)
        self.assertEqual(settle[2][0][:3], [job, 1, peer.RETURNED])
        self.b.say({0: peer.SETTLED, 2: [[settle[1], []]]})
        self.b.say({0: peer.BYE, 1: self.b.until(lambda m: m[0] == peer.BYE)[1]})
        self.assertEqual(self.worker.process.wait(20), 0)


class Older(harness.Case):
    """A broker that names no features."""

    def test_a_worker_whose_handlers_are_of_some_kinds_says_that_it_lacks_them_and_ends(self):
        b = Broker(self.place.endpoint, features=None)
        self.addCleanup(b.socket.close, 0)
        w = self.place.worker("--handle", "echo=cat")
        b.answer(b.until(lambda m: m[0] == peer.HELLO))
        self.assertEqual(w.process.wait(20), os.EX_PROTOCOL)
        self.assertIn("the broker lacks the feature: kinds", w.log())
        self.assertIn("the broker is too old for this", w.log())


class Leaving(harness.Case):
    def test_a_worker_that_stops_gives_back_what_was_on_its_way_and_begins_none_of_it(self):
        b = Broker(self.place.endpoint)
        w = self.place.worker("--shell", "default=sleep 1000", "--slots", "1")
        self.addCleanup(b.socket.close, 0)
        b.until(lambda m: m[0] == peer.PING)
        w.signal(signal.SIGTERM)
        ping = b.until(lambda m: m[0] == peer.PING and m.get(2) == 0)
        job = bytes(15) + b"\x01"
        b.say({0: peer.DISPATCH, 2: "default", 3: [{1: job, 2: 1, 3: "default", 4: b""}]})
        b.answer(ping)
        settle = b.until(lambda m: m[0] in (peer.SETTLE, peer.BYE))
        self.assertEqual(settle[0], peer.SETTLE)
        self.assertEqual(settle[2][0][:3], [job, 1, peer.RETURNED])
        b.say({0: peer.SETTLED, 2: [[settle[1], []]]})
        b.say({0: peer.BYE, 1: b.until(lambda m: m[0] == peer.BYE)[1]})
        self.assertEqual(w.process.wait(20), 0)


if __name__ == "__main__":
    harness.main()
