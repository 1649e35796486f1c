"""The edge of the broker: strangers that say nothing, or never finish, or name themselves; slow
links; who may listen where. Raw ZMTP is written by hand, as no library lets one be so rude."""

import contextlib
import os
import random
import resource
import select
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
import unittest

import zmq

import harness
import peer

GREETING = b"\xff" + b"\0" * 8 + b"\x7f\x03\x00NULL" + b"\0" * 16 + b"\0" + b"\0" * 31
MIB = 1 << 20
CALM_KIB = 64 << 10
MOST_KIB = 400 << 10  # for a moment, on a busy machine; without a bound it was twice that, or more


def property_of(name, value):
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


def shake_hands(s, identity=b""):
    """What a ZeroMQ DEALER says first; it may name itself."""
    s.sendall(GREETING)
    read_exactly(s, 64)
    ready = b"\x05READY" + property_of(b"Socket-Type", b"DEALER") + property_of(b"Identity", identity)
    s.sendall(b"\x04" + bytes([len(ready)]) + ready)
    read_exactly(s, read_exactly(s, 2)[1])
    return s


def frame(body, more=False):
    if len(body) < 256:
        return bytes([1 if more else 0, len(body)]) + body
    return bytes([3 if more else 2]) + struct.pack(">Q", len(body)) + body


class Link:
    """A TCP proxy that lets so many bytes a second through, each way. With `cut` set it lets none
    through, and tells nobody."""

    def __init__(self, port, rate):
        self.rate, self.target = rate, port
        self.cut = threading.Event()
        self.connections = 0
        self.open = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.socket()
            far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
            far.connect(("127.0.0.1", self.target))
            self.open += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        paced = threading.Event()
        with contextlib.suppress(OSError):
            while data := a.recv(max(1, min(65536, self.rate // 20))):
                while self.cut.is_set():
                    paced.wait(0.05)
                b.sendall(data)
                paced.wait(len(data) / self.rate)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()
        self.cut.clear()
        for s in self.open:
            s.close()


class Transport(harness.Case):
    def setUp(self):
        super().setUp()
        self.port = harness.socket_port()
        self.place.endpoint = f"tcp://127.0.0.1:{self.port}"

    def begin(self, *options, files=None):
        if files:
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], files), before[1]))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        argv = self.place.broker_argv(*options)
        if files:
            argv = ["/bin/sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", *argv]
            resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        self.broker = harness.Process(argv, self.place.path("stintd.log"))
        self.place.processes.append(self.broker)
        self.assertAlive()

    def connect(self, identity=None):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=harness.DEADLINE_S)
        self.addCleanup(s.close)
        return s if identity is None else shake_hands(s, identity)

    def assertAlive(self):
        self.assertExit(self.place.stint("ping"), 0)
        self.assertTrue(self.broker.running(), self.broker.log())

    def assertCalm(self):
        if not harness.WRAP:
            harness.wait_until(lambda: self.broker.anonymous_kib() < CALM_KIB, "memory went back")

    def assertEnds(self, s):
        """The broker ends it; what it says before does not matter."""
        s.settimeout(harness.DEADLINE_S)
        try:
            while s.recv(65536):
                pass
        except ConnectionError:
            pass

    def push(self, s, data, limit):
        """Sends until the broker ends the connection; returns how much went."""
        sent = 0
        s.settimeout(harness.DEADLINE_S)
        try:
            while sent < limit:
                s.sendall(data)
                sent += len(data)
        except ConnectionError:
            return sent
        raise AssertionError(f"{sent} bytes were taken")


class Strangers(Transport):
    def test_a_connection_without_a_hello_is_ended_at_any_stage(self):
        self.begin()
        mute, half, whole = self.connect(), self.connect(), self.connect(identity=b"")
        half.sendall(GREETING[:30])
        for s in (mute, half, whole):
            self.assertEnds(s)
        self.assertAlive()

    def test_one_that_talks_but_says_no_hello_is_ended(self):
        self.begin()
        s = self.connect(identity=b"")
        end = time.monotonic() + harness.DEADLINE_S
        with self.assertRaises(ConnectionError):
            while time.monotonic() < end:
                s.sendall(frame(peer.pack({0: peer.PING})))
                select.select([s], [], [], 0.1)
        self.assertAlive()

    def test_a_peer_is_not_ended_however_long_it_stays(self):
        self.begin("--heartbeat", "200ms", "--lost", "20s")
        early = self.connect()  # it is ended when its time is over
        c = peer.Client(self.place.endpoint)
        self.assertEnds(early)
        late = self.connect()
        self.assertEnds(late)
        self.assertEqual(len(c.submit([b"x"])), 1)
        c.close()

    def test_after_goodbye_a_connection_is_a_strangers_again(self):
        self.begin()
        s = self.connect(identity=b"")
        hello = {0: peer.HELLO, 2: 1, 3: 1, 4: 1, 5: os.urandom(16), 6: "x", 7: "y"}
        s.sendall(frame(peer.pack(hello)) + frame(peer.pack({0: peer.BYE, 1: 1})))
        heard = b""
        while b"\x82\x00\x05\x01\x01" not in heard:  # its BYE is answered first
            more = s.recv(4096)
            self.assertTrue(more)
            heard += more
        self.assertEnds(s)
        self.assertAlive()

    def test_messages_that_never_end_cost_little_memory(self):
        self.begin()
        for part in (b"", b"x" * 16, b"x" * 250, b"x" * 8 * MIB):
            s = self.connect(identity=b"")
            piece = frame(part, more=True)
            self.push(s, piece * max(1, 400000 // len(piece)), 1 << 30)
            self.assertLess(self.broker.anonymous_kib(), MOST_KIB, len(part))
            self.assertCalm()
        self.assertAlive()

    def test_messages_that_never_end_cost_peers_their_connection_too(self):
        self.begin()
        s = self.connect(identity=b"")
        hello = {0: peer.HELLO, 2: 1, 3: 1, 4: 1, 5: os.urandom(16), 6: "x", 7: "y"}
        s.sendall(frame(peer.pack(hello)))
        self.assertTrue(s.recv(10))
        piece = frame(b"x" * 16, more=True)
        self.push(s, piece * 20000, 1 << 30)
        self.assertAlive()
        self.assertCalm()

    def test_many_slow_large_frames_cost_little_memory(self):
        self.begin()
        slow = [self.connect(identity=b"") for _ in range(100)]
        for s in slow:
            s.sendall(b"\x02" + struct.pack(">Q", 8 * MIB) + b"x")
        most = 0
        for s in slow:
            with contextlib.suppress(ConnectionError):
                s.sendall(b"x" * (8 * MIB - 4000))
            most = max(most, self.broker.anonymous_kib())
        self.assertLess(most, MOST_KIB)
        for s in slow:
            self.assertEnds(s)
        self.assertAlive()
        self.assertCalm()

    def test_a_hello_of_the_largest_size_is_heard(self):
        self.begin()
        queues = [f"{n:03}" + "q" * 61 for n in range(256)]
        w = peer.Worker(self.place.endpoint, queues=queues)
        w.bye()
        w.close()

    def test_when_descriptors_are_few_strangers_do_not_keep_others_out(self):
        self.begin(files=1024)
        strangers = []
        for _ in range(1100):
            strangers.append(self.connect())
        for _ in range(5):
            self.assertAlive()
        c = peer.Client(self.place.endpoint)
        for n in range(300):
            strangers.append(self.connect())
            if n % 30 == 0:
                self.assertEqual(len(c.submit([b"x"])), 1)
        self.assertAlive()
        c.close()


    def test_when_descriptors_are_few_the_next_peer_is_told_so(self):
        self.begin(files=200)
        clients = []
        refused = None
        while refused is None and len(clients) < 200:
            s = zmq.Context.instance().socket(zmq.DEALER)
            self.addCleanup(s.close, 0)
            s.connect(self.place.endpoint)
            s.send(peer.pack({0: peer.HELLO, 2: 1, 3: 1, 4: 1, 5: os.urandom(16), 6: "x", 7: "y"}))
            self.assertTrue(s.poll(20000))
            answer = peer.unpack(s.recv())
            clients.append(s)
            if answer[0] == peer.ERROR:
                refused = answer
        self.assertEqual(refused[2], 14)  # TOO_MANY
        self.assertGreater(len(clients), 50)
        clients[0].send(peer.pack({0: peer.PING, 1: 1}))
        self.assertTrue(clients[0].poll(20000))


class Identities(Transport):
    def test_one_that_names_itself_is_cut_off(self):
        self.begin()
        for name in (b"worker-1", b"\x00", b"\x01\x02\x03\x04\x05", b"\x00\x00\x00\x00\x00",
                     b"\x00" + b"x" * 200, b"\x00" + struct.pack(">I", 0x6b8b4567 + 5)):
            s = self.connect(identity=name)
            s.sendall(frame(peer.pack({0: peer.HELLO, 2: 1, 3: 1, 4: 1, 5: os.urandom(16), 6: "x",
                                       7: "y"})))
            self.assertEqual(b"", self.all_of(s), name)  # not welcome
        self.assertAlive()

    def all_of(self, s):
        heard = b""
        try:
            while more := s.recv(4096):
                heard += more
        except ConnectionError:
            pass
        return heard

    def test_the_names_of_coming_connections_can_not_be_known(self):
        self.begin()
        first = 0x6b8b4567  # rand() that nobody seeded
        rude = [self.connect(identity=b"\0" + struct.pack(">I", first + n)) for n in range(1, 200, 9)]
        for _ in range(300):
            self.connect(identity=b"").close()
        self.assertAlive()
        for s in rude:
            self.assertEnds(s)
        self.assertAlive()

    def test_a_name_that_is_taken_harms_nobody(self):
        self.begin()
        names = [self.connect(identity=b"same") for _ in range(5)]
        for s in names:
            with contextlib.suppress(ConnectionError):
                s.sendall(frame(b"x"))
        for s in names:
            self.assertEnds(s)
        self.assertAlive()


class Ends(Transport):
    """What the broker knows of connections that are over."""

    def test_a_peer_that_is_gone_is_forgotten_at_once(self):
        self.begin("--heartbeat", "10s", "--lost", "600s")
        c = peer.Client(self.place.endpoint)
        w = peer.Worker(self.place.endpoint)
        self.assertEqual(self.place.stats()["peers"], 3)  # with whoever asks
        c.close()
        w.close()
        harness.wait_until(lambda: self.place.stats()["peers"] == 1, "both are forgotten")
        self.assertEqual(self.place.stats()["workers"], 1)  # it may come back

    def test_what_was_said_before_the_end_is_heard(self):
        self.begin()
        for n in range(50):
            s = self.connect(identity=b"")
            hello = {0: peer.HELLO, 2: 1, 3: 1, 4: 1, 5: os.urandom(16), 6: "x", 7: "y"}
            submit = {0: peer.SUBMIT, 1: 1, 2: 0, 4: [b"x"]}
            s.sendall(frame(peer.pack(hello)) + frame(peer.pack(submit)))
            with contextlib.suppress(OSError):  # it may have been heard and ended already
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):  # what is not read when it is closed makes TCP take back the rest
                    pass
            s.close()
        harness.wait_until(lambda: self.place.stats()["jobs"]["ready"] == 50, "all are stored")

    def test_half_open_connections_do_not_pile_up(self):
        """The link is cut and nobody is told: the broker gives the worker up, and the worker the
        broker; then both find each other again."""
        self.begin("--heartbeat", "100ms", "--lost", "1s")
        link = Link(self.port, 1 << 20)
        self.addCleanup(link.close)
        worker = harness.Process(
            [harness.program("stint-worker"), "--endpoint", f"tcp://127.0.0.1:{link.port}",
             "--handle", "x=true"], self.place.path("worker.log"))
        self.place.processes.append(worker)
        harness.wait_until(lambda: len(self.place.json("workers")) == 1, "the worker is there")
        link.cut.set()
        harness.wait_until(lambda: not self.place.json("workers"), "the worker is lost")
        link.cut.clear()
        harness.wait_until(lambda: len(self.place.json("workers")) == 1, "the worker is back")
        worker.stop()

    def test_a_broker_that_hangs_is_noticed_although_its_kernel_answers(self):
        self.begin("--heartbeat", "100ms", "--lost", "500ms")
        self.broker.signal(signal.SIGSTOP)
        r = self.place.stint("ping", "--broker-timeout", "2s")
        self.assertNotEqual(r.returncode, 0)
        self.broker.signal(signal.SIGCONT)
        self.assertAlive()


class SlowLinks(Transport):
    RATE = 100000
    BODY = 600000  # six seconds of the link; everybody's patience is three

    def setUp(self):
        super().setUp()
        self.begin("--heartbeat", "200ms", "--lost", "3s")
        self.link = Link(self.port, self.RATE)
        self.addCleanup(self.link.close)
        self.slow = f"tcp://127.0.0.1:{self.link.port}"
        self.body = random.Random(1).randbytes(self.BODY)
        with open(self.place.path("body"), "wb") as f:
            f.write(self.body)

    def worker(self, *handlers):
        w = harness.Process([harness.program("stint-worker"), "--endpoint", self.slow, *handlers],
                            self.place.path("worker.log"))
        self.place.processes.append(w)
        return w

    def test_large_results_and_payloads_arrive_and_nobody_is_lost(self):
        worker = self.worker("--handle", f"big=cat {self.place.path('body')}",
                             "--handle", "sink=wc -c")
        jobs = []
        for _ in range(2):
            r = self.place.stint("submit", "-k", "big")
            self.assertExit(r, 0)
            jobs.append(r.stdout.strip())
            r = self.place.stint("submit", "-k", "sink", "-f", self.place.path("body"))
            self.assertExit(r, 0)
            jobs.append(r.stdout.strip())
        self.assertExit(self.place.stint("wait", *jobs, timeout=120), 0)
        stats = self.place.stats()
        self.assertEqual(stats["jobs"]["succeeded"], 4)
        self.assertEqual(stats["dispatched"], 4)
        self.assertEqual(stats["requeued"], 0)
        self.assertEqual(self.link.connections, 1, worker.log())
        c = peer.Client(self.place.endpoint)
        rows = c.ask(peer.LIST, peer.JOBS, {3: 255, 6: 10})[2]
        got = [c.ask(peer.GET, peer.JOBS, {2: [row[1]], 3: 2})[2][0] for row in rows]
        self.assertEqual(sum(info.get(17) == self.body for info in got), 2)
        c.close()

    def test_a_large_submit_arrives_although_it_takes_longer_than_the_silence_allowed(self):
        r = self.place.stint("submit", "-k", "none", "-f", self.place.path("body"), "-e", self.slow,
                             "--broker-timeout", "3s", endpoint=False)
        self.assertExit(r, 0)
        self.assertEqual(self.place.stats()["jobs"]["ready"], 1)


class Listening(harness.Case):
    """Who may listen where."""

    def refused(self, *listen, code=None, options=()):
        argv = [harness.program("stintd"), "--data", self.place.path("other"), *options]
        for endpoint in listen:
            argv += ["--listen", endpoint]
        r = subprocess.run(argv, capture_output=True, text=True, timeout=harness.DEADLINE_S)
        self.assertIn(r.returncode, [code] if code else [64, 78], r.stderr)
        return r.stderr

    def test_what_is_no_endpoint_is_refused_in_words(self):
        for port in ("86600", "80000", "65536", "-1", "21x", "0", "", "+5", "1e3"):
            self.assertIn("port", self.refused(f"tcp://127.0.0.1:{port}"))
        self.assertIn("one address", self.refused("tcp://127.0.0.1:22131;0.0.0.0:22132"))
        self.assertIn("brackets", self.refused("tcp://::1:5670"))
        self.assertIn("without-keys", self.refused("tcp://127.0.0.1.example.org:22131"))
        self.refused("udp://127.0.0.1:22131")
        self.refused("ipc://")

    def test_a_client_and_a_worker_refuse_it_too(self):
        for endpoint in ("tcp://127.0.0.1:86600", "tcp://127.0.0.1:21x", "tcp://h:1;h:2", "tcp://h"):
            self.place.endpoint = endpoint
            r = self.place.stint("ping")
            self.assertIn(r.returncode, (64, 78), r.stderr)
            self.assertIn("endpoint", r.stderr)
            w = self.place.worker("--handle", "x=true")
            self.assertIn(w.process.wait(harness.DEADLINE_S), (64, 78), w.log())

    def test_localhost_and_free_ports_can_be_listened_at(self):
        port = harness.socket_port()
        self.place.endpoint = f"tcp://localhost:{port}"
        broker = self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)
        self.assertEqual(broker.stop(), 0)
        self.place.endpoint = "tcp://127.0.0.1:*"
        broker = self.place.broker()
        harness.wait_until(lambda: broker.log().count("event=ready") == 2, "it listens")
        self.place.endpoint = broker.log().split("endpoint=")[-1].split()[0]
        self.assertNotIn("*", self.place.endpoint)
        c = peer.Client(self.place.endpoint)
        self.assertEqual(c.welcome[11][0][1], self.place.endpoint)  # the map of brokers tells it
        c.close()
        self.assertEqual(broker.stop(), 0)
        self.place.endpoint = "tcp://*:*"
        broker = self.place.broker("--allow-remote-without-keys")
        harness.wait_until(lambda: broker.log().count("event=ready") == 3, "it listens")
        port = broker.log().split("endpoint=")[-1].split()[0].split(":")[-1]
        c = peer.Client(f"tcp://127.0.0.1:{port}")
        self.assertEqual(c.welcome[11][0][1], f"tcp://{socket.gethostname()}:{port}")
        c.close()

    def test_an_ipc_path_is_not_taken_away_from_a_broker_that_lives(self):
        self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)
        path = self.place.path("socket")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0)
        said = self.refused(self.place.endpoint, code=69)
        self.assertIn("another process serves there", said)
        self.assertExit(self.place.stint("ping"), 0)

    def test_a_socket_that_nobody_serves_any_more_is_replaced(self):
        broker = self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)
        broker.kill()
        self.assertTrue(os.path.exists(self.place.path("socket")))
        broker = self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)
        self.assertEqual(broker.stop(), 0)
        self.assertFalse(os.path.exists(self.place.path("socket")))

    def test_a_file_that_is_no_socket_is_left_alone(self):
        with open(self.place.path("socket"), "w") as f:
            f.write("precious")
        self.assertIn("no socket", self.refused(self.place.endpoint, code=69))
        with open(self.place.path("socket")) as f:
            self.assertEqual(f.read(), "precious")

    def test_at_its_end_a_broker_removes_only_its_own_socket(self):
        broker = self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)
        path = self.place.path("socket")
        os.rename(path, path + ".old")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            self.assertEqual(broker.stop(), 0)
            self.assertTrue(stat.S_ISSOCK(os.lstat(path).st_mode))

    def test_of_many_that_begin_at_once_one_gets_the_path(self):
        argv = [harness.program("stintd"), "--listen", self.place.endpoint]
        brokers = []
        for n in range(6):
            p = harness.Process([*argv, "--data", self.place.path(f"data{n}")],
                                self.place.path(f"stintd-{n}.log"))
            brokers.append(p)
            self.place.processes.append(p)
        harness.wait_until(lambda: sum(p.running() for p in brokers) == 1, "five have given up")
        self.assertExit(self.place.stint("ping"), 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_an_abstract_name_is_only_for_the_same_user(self):
        name = f"ipc://@stint-test-{os.getpid()}"
        self.place.endpoint = name
        self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)
        command, env = self.place.program_for_others("stint")

        def stint(user, *args):
            return subprocess.run([command, *args], capture_output=True, text=True, env=env,
                                  timeout=harness.DEADLINE_S, user=user).returncode
        self.assertEqual(stint(65534, "--version"), 0)
        self.assertEqual(stint(0, "ping", "-e", name, "--broker-timeout", "2s"), 0)
        self.assertNotEqual(stint(65534, "ping", "-e", name, "--broker-timeout", "2s"), 0)
        self.assertExit(self.place.stint("ping"), 0)


if __name__ == "__main__":
    zmq.Context.instance()
    harness.main()
