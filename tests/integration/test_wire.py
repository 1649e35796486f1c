"""Rubbish on the wire: the broker answers with a status or closes the conversation, and neither
crashes nor grows."""

import os
import random
import socket
import struct

import msgpack
import zmq

import harness
import peer


class Wire(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker("--heartbeat", "200ms", "--lost", "2s")
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)

    def dealer(self):
        s = self.context.socket(zmq.DEALER)
        s.connect(self.place.endpoint)
        return s

    def assertAlive(self):
        self.assertTrue(self.broker.running(), self.broker.log())
        self.assertExit(self.place.stint("ping"), 0)

    def test_the_five_byte_bomb_is_answered_and_allocates_nothing(self):
        s = self.dealer()
        self.assertAlive()
        before = self.broker.anonymous_kib()
        for _ in range(1000):
            s.send(bytes.fromhex("ddff000000"))
        for _ in range(1000):
            self.assertTrue(s.poll(10000))
            self.assertEqual(peer.unpack(s.recv())[2], 1)
        self.assertLess(self.broker.anonymous_kib() - before, 4096)
        self.assertAlive()

    def test_deep_nesting_is_refused(self):
        s = self.dealer()
        for depth in (9, 100, 100000):
            s.send(b"\x82\x00\x01\x63" + b"\x91" * depth + b"\x00")
            self.assertTrue(s.poll(10000))
            self.assertEqual(peer.unpack(s.recv())[2], 1)
        self.assertAlive()

    def test_a_message_of_several_frames_is_refused(self):
        s = self.dealer()
        s.send_multipart([b"a", b"b", b"c"] * 50)
        self.assertTrue(s.poll(10000))
        self.assertEqual(peer.unpack(s.recv())[2], 1)
        self.assertAlive()

    def test_random_bytes_and_turned_messages_do_no_harm(self):
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        c = peer.Client(self.place.endpoint, context=self.context)
        good = [c.submission_frame([b"x" * 50, {1: "q", 3: b"y"}], {2: "kind"}),
                peer.pack({0: peer.WAIT, 1: 1, 2: [os.urandom(16)], 3: True}),
                peer.pack({0: peer.LIST, 1: 2, 3: 126, 6: 10}), peer.pack(c.hello()),
                peer.pack({0: 46, 1: 3, 3: 255}),
                peer.pack({0: peer.SETTLE, 1: 4, 2: [[os.urandom(16), 1, 1]]})]
        for n in range(4000):
            if n % 4 == 0:
                frame = os.urandom(chance.randrange(200))
            else:
                frame = bytearray(chance.choice(good))
                for _ in range(chance.randrange(1, 4)):
                    frame[chance.randrange(len(frame))] = chance.randrange(256)
            c.socket.send(bytes(frame))
            while c.socket.poll(0):
                c.socket.recv()
        self.assertAlive()
        self.assertLess(self.broker.anonymous_kib(), 65536, f"seed {seed}")

    def test_an_oversized_frame_closes_the_connection_and_is_not_read(self):
        self.place.broker_process.stop()
        port = harness.socket_port()
        self.place.endpoint = f"tcp://127.0.0.1:{port}"
        self.broker = self.place.broker()
        self.assertAlive()
        raw = socket.create_connection(("127.0.0.1", port))
        raw.settimeout(10)
        raw.sendall(b"\xff" + b"\0" * 8 + b"\x7f\x03\x00NULL" + b"\0" * 16 + b"\0" + b"\0" * 31)
        heard = 0
        while heard < 64:
            heard += len(raw.recv(64 - heard))
        raw.sendall(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER")
        self.addCleanup(raw.close)
        raw.sendall(b"\x02" + struct.pack(">Q", 1 << 40))  # a frame of a tebibyte is to come
        self.assertClosed(raw)
        self.assertAlive()
        self.assertLess(self.broker.anonymous_kib(), 65536)

    def assertClosed(self, raw):
        try:
            while raw.recv(4096):
                pass
        except ConnectionError:
            pass

    def test_wrong_versions_are_told_so(self):
        s = self.dealer()
        s.send(peer.pack({0: peer.HELLO, 2: 2, 3: 9, 4: 1, 5: os.urandom(16), 6: "x", 7: "new"}))
        self.assertTrue(s.poll(10000))
        self.assertEqual(peer.unpack(s.recv())[2], 3)
        s.send(peer.pack({0: peer.HELLO, 2: 1, 3: 9, 4: 1, 5: os.urandom(16), 6: "x", 7: "newer"}))
        self.assertTrue(s.poll(10000))
        self.assertEqual(peer.unpack(s.recv())[2], 1)  # WELCOME, version 1

    def test_a_peer_that_reads_nothing_does_not_grow_the_broker(self):
        s = self.context.socket(zmq.DEALER)
        s.setsockopt(zmq.RCVHWM, 1)
        s.connect(self.place.endpoint)
        s.send(peer.pack({0: peer.HELLO, 2: 1, 3: 1, 4: 1, 5: os.urandom(16), 6: "x", 7: "y"}))
        poller = peer.Client(self.place.endpoint, context=self.context)
        jobs = poller.submit([os.urandom(200000) for _ in range(10)])
        frame = peer.pack({0: peer.GET, 1: 1, 2: jobs, 3: 1})
        for _ in range(1000):
            try:
                s.send(frame, zmq.DONTWAIT)
            except zmq.Again:
                break
        self.assertAlive()
        self.assertLess(self.broker.anonymous_kib(), 400 << 10)  # not the 2 GB it asked for

    def test_a_peer_that_reads_and_pings_gets_as_much_as_it_asks_for(self):
        c = peer.Client(self.place.endpoint, context=self.context)
        jobs = c.submit([os.urandom(200000) for _ in range(10)])
        ping = token = 0
        for n in range(60):  # 120 MB
            c.say({0: peer.GET, 1: 100 + n, 2: jobs, 3: 1})
            self.assertEqual(len(c.hear(peer.JOBS, 100 + n)[2]), 10)
            if n % 4 == 0:
                ping += 1
                c.say({0: peer.PING, 1: ping, 3: token} if token else {0: peer.PING, 1: ping})
                token = c.hear(peer.PONG, ping)[2]


if __name__ == "__main__":
    harness.main()
