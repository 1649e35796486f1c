"""Keys between peers and broker: who is let in, what each may do, and what becomes of it when keys come, go
and change while all run. On loopback, with --require-keys."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading

import zmq

import harness


def write(path, text, mode):
    aside = path + ".new"
    with open(aside, "w") as f:
        f.write(text)
    os.chmod(aside, mode)
    os.rename(aside, path)
    return path


class Pair:
    def __init__(self):
        self.public, self.secret = (k.decode() for k in zmq.curve_keypair())

    def save(self, path):
        return write(path, f'curve\n    public-key = "{self.public}"\n    secret-key = "{self.secret}"\n', 0o600)

    def authorise(self, path, **said):
        lines = "".join(f'    {name} = "{value}"\n' for name, value in said.items())
        return write(path, f'metadata\n{lines}curve\n    public-key = "{self.public}"\n', 0o644)


class Keys(harness.Case):
    def setUp(self):
        super().setUp()
        self.port = harness.socket_port()
        self.place.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.keys = self.place.path("data", "keys")
        os.makedirs(self.keys, mode=0o700)
        self.broker_pair = Pair()
        self.broker_pair.save(os.path.join(self.keys, "broker.key"))
        self.pairs = {}
        self.path_of = {}
        for name in ("admin", "client", "worker"):
            self.add(name, role=name)
        self.quick = ("--heartbeat", "100ms", "--lost", "2s", "--grace", "2s", "--require-keys")

    def add(self, name, **said):
        pair = self.pairs.setdefault(name, Pair())
        self.path_of[name] = pair.save(self.place.path(f"{name}.key"))
        pair.authorise(os.path.join(self.keys, f"{name}.pub"), **said)

    def revoke(self, name):
        os.remove(os.path.join(self.keys, f"{name}.pub"))

    def env(self, name, broker=None):
        return {"STINT_KEY": self.path_of[name], "STINT_BROKER_KEY": broker or self.broker_pair.public}

    def as_(self, name, *args, **kwargs):
        kwargs.setdefault("timeout", 60)
        return self.place.stint(*args, env=self.env(name), **kwargs)

    def start(self, *options):
        broker = self.place.broker(*self.quick, *options)
        harness.wait_until(lambda: "event=ready" in broker.log(), "the broker is ready")
        return broker

    def worker(self, name="worker", *options):
        w = self.place.worker("--exec", "--name", name, "--slots", "2", *options, env=self.env(name))
        harness.wait_until(lambda: "event=connected" in w.log(), "the worker is connected")
        return w

    def test_each_may_do_what_its_role_grants(self):
        self.start()
        self.worker()
        self.assertEqual(self.as_("client", "run", "echo", "hi").stdout, "hi\n")
        self.assertExit(self.as_("admin", "worker", "pause", "worker"), 0)
        self.assertExit(self.as_("admin", "worker", "resume", "worker"), 0)
        for name, args in (("client", ["worker", "pause", "worker"]), ("client", ["fleet", "size", "3"]),
                           ("worker", ["submit", "x"]), ("worker", ["queues"]), ("worker", ["ls"])):
            r = self.as_(name, *args)
            self.assertExit(r, 77)
            self.assertIn("not allowed", r.stderr)

    def test_whoever_is_not_known_is_told_so_at_once(self):
        broker = self.start()
        stranger = Pair().save(self.place.path("stranger.key"))
        self.path_of["stranger"] = stranger
        r = self.as_("stranger", "ping")
        self.assertExit(r, 77)
        self.assertIn("does not know our key", r.stderr)
        r = self.place.stint("ping", env={"STINT_KEY": "", "STINT_BROKER_KEY": ""})
        self.assertExit(r, 77)
        self.assertIn("speaks by keys", r.stderr)
        r = self.place.stint("ping", "--broker-timeout", "1s", env=self.env("client", Pair().public))
        self.assertExit(r, 69)
        self.assertIn("another one", r.stderr)
        harness.wait_until(lambda: "handshakes failed" in broker.log(), "the broker tells of them")
        self.assertExit(self.as_("client", "ping"), 0)

    def test_a_plain_broker_is_no_broker_to_who_shows_a_key(self):
        self.place.broker()
        r = self.as_("client", "ping", "--broker-timeout", "2s")
        self.assertIn(r.returncode, (69, 77))  # either side may be the first to notice
        self.assertRegex(r.stderr, "speaks by keys|asks for none")

    def test_a_key_is_taken_changed_and_revoked_while_all_run(self):
        broker = self.start()
        self.worker()
        self.path_of["late"] = self.pairs.setdefault("late", Pair()).save(self.place.path("late.key"))
        self.assertExit(self.as_("late", "queues"), 77)
        self.add("late", role="client")
        harness.wait_until(lambda: self.as_("late", "queues").returncode == 0, "the key is taken")
        events = subprocess.Popen([harness.program("stint"), "events", "-e", self.place.endpoint, "--broker-timeout", "1s"],
                                  env=dict(os.environ, **self.env("late")), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(events.wait)
        self.addCleanup(events.kill)
        harness.wait_until(lambda: len(self.as_("admin", "stats", "--json").stdout) and
                           json.loads(self.as_("admin", "stats", "--json").stdout)["peers"] >= 3, "it listens")
        self.revoke("late")
        harness.wait_until(lambda: "its key is revoked" in broker.log(), "its connection is ended")
        self.assertExit(self.as_("late", "queues"), 77)
        self.add("late", rights="see")
        harness.wait_until(lambda: self.as_("late", "queues").returncode == 0, "the key is taken")
        self.assertExit(self.as_("late", "submit", "x"), 77)
        for line in ('event="a key is taken" audit=1 key=late', 'event="a key is gone" audit=1 key=late'):
            self.assertIn(line, broker.log())

    def test_a_worker_whose_key_is_revoked_loses_its_jobs_and_gets_no_more(self):
        self.start()
        self.worker()
        job = self.as_("client", "run", "--detach", "sleep", "300").stdout.strip()
        state = lambda: json.loads(self.as_("client", "show", "--json", job).stdout)["state"]  # noqa: E731
        harness.wait_until(lambda: state() == "running", "the job runs")
        self.revoke("worker")
        harness.wait_until(lambda: state() != "running", "its worker is lost")
        self.assertEqual(state(), "ready")
        self.add("worker", role="worker")
        harness.wait_until(lambda: state() == "running", "the worker is let in again")

    def test_rights_are_on_queues_and_nothing_of_others_is_told(self):
        self.start()
        self.add("mailer", role="client", queues="mail.*")
        harness.wait_until(lambda: self.as_("mailer", "queues").returncode == 0, "the key is taken")
        secret = self.as_("admin", "submit", "-q", "pay", "salary of all").stdout.strip()
        mine = self.as_("mailer", "submit", "-q", "mail.in", "a letter").stdout.strip()
        self.assertExit(self.as_("mailer", "submit", "-q", "pay", "x"), 77)
        for args in (["show", "--payload", secret], ["ls", "-q", "pay"], ["cancel", secret]):
            r = self.as_("mailer", *args)
            self.assertNotEqual(r.returncode, 0, args)
            self.assertNotIn("salary", r.stdout + r.stderr)
        for args in (["queues"], ["ls"], ["stats"], ["fleet", "scale", "--once", "--", "cat"]):
            r = self.as_("mailer", *args)
            self.assertExit(r, 0)
            self.assertIn("mail.in", r.stdout)
            self.assertNotIn("pay", r.stdout)
        self.assertExit(self.as_("mailer", "show", mine), 0)
        self.assertEqual(json.loads(self.as_("admin", "show", "--json", secret).stdout)["state"], "ready")

    def test_who_may_submit_and_not_see_is_told_so_and_not_that_the_jobs_are_gone(self):
        self.start()
        self.add("blind", rights="submit", queues="a")
        harness.wait_until(lambda: self.as_("blind", "ping").returncode == 0, "the key is taken")
        r = self.as_("blind", "run", "-q", "a", "true")
        self.assertExit(r, 77)
        self.assertIn("it is submitted, and this key may not see what comes of it", r.stderr)
        self.assertEqual(json.loads(self.as_("blind", "run", "--json", "-q", "a", "true").stdout)["error"], "not allowed")
        r = self.as_("blind", "map", "-q", "a", "echo", input="1\n2\n")
        self.assertExit(r, 77)
        self.assertIn("the jobs are submitted, and this key may not see what comes of them", r.stderr)
        self.assertIn("2 jobs go on", r.stderr)
        self.assertNotIn("failed", r.stderr)
        job = self.as_("blind", "submit", "-q", "a", "x").stdout.strip()
        other = self.as_("admin", "submit", "-q", "b", "x").stdout.strip()
        for verb in ("wait", "follow"):
            for one in (job, other, "9.1.1.1"):  # what is there is told no more than what is not
                r = self.as_("blind", verb, one)
                self.assertExit(r, 77)
                self.assertIn(f"{one}: this key may not see it", r.stderr)
        self.assertEqual(len(self.as_("admin", "ls", "-q", "a").stdout.splitlines()), 6)
        self.assertExit(self.as_("admin", "wait", "9.1.1.1"), 66)

    def test_who_may_cancel_and_not_see_is_told_that_it_is_accepted(self):
        self.start()
        self.add("blind", rights="submit", queues="a")
        harness.wait_until(lambda: self.as_("blind", "ping").returncode == 0, "the key is taken")
        batch = self.as_("blind", "batch", "new", "-q", "a").stdout.strip()
        self.assertExit(self.as_("blind", "submit", "-q", "a", "--batch", batch, "--each", input="x\n" * 5000), 0)
        r = self.as_("blind", "batch", "cancel", batch)
        self.assertExit(r, 0)
        self.assertRegex(r.stderr, "is cancelled|this key may not see how far")
        done = lambda: self.as_("admin", "batch", "wait", batch).returncode  # noqa: E731
        harness.wait_until(lambda: done() == 1, "it is cancelled")
        self.assertExit(self.as_("blind", "submit", "-q", "a", "x"), 0)
        r = self.as_("blind", "bulk", "cancel", "--yes", "--where", "queue=a state=ready")
        self.assertExit(r, 0)
        self.assertRegex(r.stderr, "it is accepted as [0-9a-f]{16}; this key may not see how far it is")
        harness.wait_until(lambda: not self.as_("admin", "ls", "-s", "ready").stdout, "it is done")
        r = self.as_("blind", "bulk", "cancel", "--dry-run", "--where", "queue=a")
        self.assertExit(r, 77)
        self.assertNotIn("it goes on", r.stderr)

    def test_a_key_has_to_be_for_all_that_a_prefix_stands_for(self):
        self.start()
        self.add("mailer", role="worker", queues="mail.*")
        harness.wait_until(lambda: self.as_("mailer", "ping").returncode == 0, "the key is taken")
        for wide in ("*", "mail*"):
            r = subprocess.run([harness.program("stint-worker"), "-e", self.place.endpoint, "-q", wide, "--exec"],
                               capture_output=True, text=True, timeout=60, env={**os.environ, **self.env("mailer")})
            self.assertEqual(r.returncode, 77, r.stderr)
            self.assertIn("a prefix of the worker's", r.stderr)
        w = self.worker("mailer", "-q", "mail.*")
        state = lambda job: json.loads(self.as_("admin", "show", "--json", job).stdout)["state"]  # noqa: E731
        run = lambda queue: self.as_("admin", "run", "-q", queue, "--detach", "true").stdout.strip()  # noqa: E731
        job, other = run("mail.in"), run("pay")
        harness.wait_until(lambda: state(job) == "succeeded", "it is served")
        self.assertEqual(state(other), "ready")
        # Its key is for less from now on: what it says is wider than that, so it serves nothing.
        self.add("mailer", role="worker", queues="mail.in")
        harness.wait_until(lambda: "a prefix of the worker's" in w.log(), "it is denied")
        self.assertEqual(state(run("mail.in")), "ready")

    def test_the_broker_gets_another_key_without_a_stop(self):
        self.start()
        following = Pair()
        both = f"{self.broker_pair.public},{following.public}"
        w = self.place.worker("--exec", "--slots", "1", env=self.env("worker", both))
        harness.wait_until(lambda: "event=connected" in w.log(), "the worker is connected")
        job = self.as_("client", "run", "--detach", "sh", "-c", "sleep 3; echo done").stdout.strip()
        state = lambda key: json.loads(self.place.stint(  # noqa: E731
            "show", "--json", job, env=self.env("client", key)).stdout or '{"state": ""}')["state"]
        harness.wait_until(lambda: state(both) == "running", "the job runs")
        following.save(os.path.join(self.keys, "broker.key"))
        harness.wait_until(lambda: self.place.stint("ping", "--broker-timeout", "1s", env=self.env("client", following.public)).returncode == 0,
                           "the new key is the broker's")
        self.assertExit(self.place.stint("ping", "--broker-timeout", "1s", env=self.env("client")), 69)
        self.assertExit(self.place.stint("ping", env=self.env("client", both)), 0)
        r = self.place.stint("wait", "--results", job, env=self.env("client", following.public))
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "done\n")
        shown = json.loads(self.place.stint("show", "--json", job, env=self.env("client", following.public)).stdout)
        self.assertEqual(shown["attempt"], 1)

    def test_endpoints_are_tried_in_turn(self):
        self.start()
        dead = harness.socket_port()
        r = self.place.stint("ping", "-e", f"tcp://127.0.0.1:{dead},{self.place.endpoint}", endpoint=False, env=self.env("client"))
        self.assertExit(r, 0)

    def test_files_that_are_wrong_authorise_nobody(self):
        for name, text in (("rubbish", "hello"), ("empty", ""), ("binary", "\0\1\2"), ("norole", "curve\n    public-key = \"" + Pair().public + "\"\n"),
                           ("local", Pair().public), ("a b", Pair().public)):
            write(os.path.join(self.keys, f"{name}.pub"), text, 0o644)
        twin = self.pairs["client"]
        twin.authorise(os.path.join(self.keys, "twin.pub"), role="admin")
        os.mkdir(os.path.join(self.keys, "directory.pub"))
        os.mkfifo(os.path.join(self.keys, "pipe.pub"))
        broker = self.start()
        self.assertExit(self.as_("client", "ping"), 77)  # two files have its key
        self.assertExit(self.as_("admin", "ping"), 0)
        for name in ("rubbish", "norole", "directory", "pipe"):
            self.assertRegex(broker.log(), rf'"a key is not taken" audit=1 key={name} why=')
        os.remove(os.path.join(self.keys, "twin.pub"))
        harness.wait_until(lambda: self.as_("client", "ping").returncode == 0, "its key is in one file alone")

    def test_a_directory_that_others_may_write_to_is_refused_at_the_start_and_grants_nothing_new_later(self):
        for mode in (0o777, 0o720):
            os.chmod(self.keys, mode)
            refused = self.place.broker(*self.quick)
            self.assertEqual(refused.process.wait(harness.DEADLINE_S), 78)
            self.assertRegex(refused.log(), "the directory of keys, .*, can't be trusted: others may write to it.*chmod 700")
            os.truncate(refused.log_path, 0)
        os.chmod(self.keys, 0o755)
        broker = self.start()
        self.assertExit(self.as_("client", "ping"), 0)
        os.chmod(self.keys, 0o777)
        harness.wait_until(lambda: "nothing new is taken from the directory of keys" in broker.log(), "it is said")
        self.add("late", role="admin")
        self.revoke("client")
        harness.wait_until(lambda: self.as_("client", "ping").returncode == 77, "what is revoked is")
        self.assertExit(self.as_("late", "ping"), 77)
        self.assertExit(self.as_("admin", "ping"), 0)
        os.chmod(self.keys, 0o700)
        harness.wait_until(lambda: self.as_("late", "ping").returncode == 0, "it is taken when only we may write")

    def test_no_secret_is_told(self):
        broker = self.start("--log-level", "debug")
        w = self.worker("worker", "--log-level", "debug")
        self.assertExit(self.as_("admin", "run", "true"), 0)
        said = broker.log() + w.log()
        for verb in ("workers", "queues", "stats", "ls"):
            said += self.as_("admin", verb, "--json").stdout
        for process in (broker, w):
            with open(f"/proc/{process.pid}/cmdline") as f:
                said += f.read()
        env = self.as_("client", "run", "env").stdout
        self.assertNotIn("STINT_KEY", env)
        for pair in (self.broker_pair, *self.pairs.values()):
            self.assertNotIn(pair.secret, said + env)

    def test_a_secret_that_others_may_read_is_refused(self):
        os.chmod(self.path_of["client"], 0o644)
        r = self.as_("client", "ping")
        self.assertExit(r, 78)
        self.assertIn("chmod 600", r.stderr)
        os.chmod(os.path.join(self.keys, "broker.key"), 0o640)
        p = self.place.broker(*self.quick)
        self.assertEqual(p.process.wait(30), 78)
        self.assertIn("chmod 600", p.log())

    def test_without_keys_other_hosts_are_refused_as_before(self):
        os.remove(os.path.join(self.keys, "broker.key"))
        for options, said in ((["--listen", "tcp://*:*"], "make keys with --init"), (["--require-keys"], "make keys with --init")):
            p = harness.Process([harness.program("stintd"), "--data", self.place.path("data"), *options], self.place.path("refused.log"))
            self.place.processes.append(p)
            self.assertEqual(p.process.wait(30), 78)
            self.assertIn(said, p.log())

    def test_frames_of_those_who_are_not_let_in_reach_nobody(self):
        """By libzmq itself: raw sockets, with a wrong key, with none, and with another mechanism."""
        broker = self.start("--log-level", "debug")
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        hello = b"\x83\x00\x01\x02\x01\x03\x01"
        for keys in (None, Pair()):
            dealer = context.socket(zmq.DEALER)
            if keys:
                dealer.curve_serverkey = self.broker_pair.public.encode()
                dealer.curve_publickey, dealer.curve_secretkey = keys.public.encode(), keys.secret.encode()
            dealer.connect(self.place.endpoint)
            dealer.send(hello)
            self.assertEqual(dealer.poll(1000), 0)
            dealer.close(0)
        with socket.create_connection(("127.0.0.1", self.port)) as raw:
            raw.sendall(b"\xff" + b"\0" * 8 + b"\x7f\x03\0NULL" + b"\0" * 48 + b"\x04\x19\x05READY")
            raw.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                while raw.recv(4096):
                    pass
        self.assertNotIn("was refused", broker.log())
        self.assertExit(self.as_("client", "ping"), 0)

    def test_those_who_speak_first_when_their_key_is_revoked_harm_nobody(self):
        """Their connections end; those that come meanwhile are others, and stay."""
        broker = self.start()
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)

        def dealer(name):
            s = context.socket(zmq.DEALER)
            s.linger = 0
            s.curve_serverkey = self.broker_pair.public.encode()
            pair = self.pairs[name]
            s.curve_publickey, s.curve_secretkey = pair.public.encode(), pair.secret.encode()
            ready = s.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
            s.connect(self.place.endpoint)
            self.assertEqual(ready.poll(30000), zmq.POLLIN)
            s.disable_monitor()
            return s

        silent = [dealer("client") for _ in range(40)]
        self.revoke("client")
        harness.wait_until(lambda: 'event="a key is gone" audit=1 key=client' in broker.log(), "the key is revoked")
        others = []
        for n, s in enumerate(silent):
            s.send(b"x")
            c = subprocess.Popen([harness.program("stint"), "events", "-e", self.place.endpoint, "--broker-timeout", "20s"],
                                 env=dict(os.environ, **self.env("admin")), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) if n % 4 == 0 else None
            others += [c] if c else []
        harness.wait_until(lambda: self.as_("admin", "stats", "--json").returncode == 0 and json.loads(
            self.as_("admin", "stats", "--json").stdout)["peers"] > len(others), "all others are there")
        for s in silent:
            s.close(0)
        for _ in range(10):
            self.assertExit(self.as_("admin", "ping"), 0)
        self.assertGreater(json.loads(self.as_("admin", "stats", "--json").stdout)["peers"], len(others))
        for c in others:
            self.assertIsNone(c.poll())
            c.kill()
            c.communicate()

    def test_an_unknown_key_is_told_also_with_several_endpoints(self):
        self.start("--listen", f"tcp://127.0.0.1:{harness.socket_port()}")
        self.path_of["stranger"] = Pair().save(self.place.path("stranger.key"))
        both = f"{self.place.endpoint},{self.place.endpoint}"
        r = self.place.stint("ping", "-e", both, endpoint=False, env=self.env("stranger"))
        self.assertExit(r, 77)
        dead = f"tcp://127.0.0.1:{harness.socket_port()},{self.place.endpoint}"
        r = self.place.stint("ping", "-e", dead, "--broker-timeout", "5s", endpoint=False, env=self.env("stranger"))
        self.assertExit(r, 69)  # the other may only be away, and let us in
        self.assertIn("does not know our key", r.stderr)

    def test_who_waits_with_a_key_that_is_revoked_is_told_so(self):
        self.start()
        log = self.place.path("follower.log")
        with open(log, "wb") as err:
            p = subprocess.Popen([harness.program("stint"), "events", "--endpoint", self.place.endpoint, "-q", "a"],
                                 env=dict(os.environ, **self.env("client")), stdout=subprocess.DEVNULL, stderr=err)
        self.addCleanup(lambda: (p.kill(), p.communicate()))
        harness.wait_until(lambda: json.loads(self.as_("admin", "stats", "--json").stdout)["peers"] > 1, "it is there")
        self.revoke("client")
        with open(log) as f:
            told = harness.wait_until(lambda: f.seek(0) or [
                line for line in f.read().splitlines() if "does not know our key" in line], "it says why")
        self.assertEqual(len(told), 1)
        self.assertIsNone(p.poll())

    def test_many_strangers_do_not_keep_others_out(self):
        self.start()
        done = threading.Event()

        def knock():
            while not done.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                        s.sendall(b"\xff" + b"\0" * 8 + b"\x7f\x03\0CURVE" + b"\0" * 47)
                except OSError:
                    pass

        threads = [threading.Thread(target=knock) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            for _ in range(20):
                self.assertExit(self.as_("client", "ping"), 0)
        finally:
            done.set()
            for t in threads:
                t.join()

    def test_a_host_that_floods_is_held_off_alone_and_for_as_long_as_it_does(self):
        broker = self.start()
        done = threading.Event()

        def connect(timeout_s):
            return socket.create_connection(("127.0.0.1", self.port), timeout_s, ("127.0.0.2", 0))

        def knock():
            while not done.is_set():
                try:
                    with connect(0.02) as s:
                        s.sendall(b"\xff" + b"\0" * 8 + b"\x7f\x03\0NULL" + b"\0" * 48)
                        s.recv(100)
                except OSError:
                    pass

        threads = [threading.Thread(target=knock) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            said = harness.wait_until(lambda: [line for line in broker.log().splitlines() if "held off" in line],
                                      "it is held off")
            self.assertIn("host=127.0.0.2", said[0])
            for _ in range(20):
                self.assertExit(self.as_("client", "ping"), 0)
        finally:
            done.set()
            for t in threads:
                t.join()
        with connect(60):  # the kernel tries again until it is let in
            pass
        self.assertExit(self.as_("client", "ping"), 0)


if __name__ == "__main__":
    sys.exit(harness.main())
