"""Keys as files: stint key, and stintd --init. No broker is asked here, and no secret is told."""

import glob
import json
import os
import re
import shutil
import stat
import subprocess

import harness

SECRET = re.compile(r'secret-key = "(.{40})"')
PUBLIC = re.compile(r'public-key = "(.{40})"')


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


class Keys(harness.Case):
    def setUp(self):
        super().setUp()
        self.keys = self.place.path("keys")
        self.out = self.place.path("out")
        os.mkdir(self.keys)
        os.mkdir(self.out)
        self.said = []
        self.addCleanup(self.no_secret_was_told)

    def no_secret_was_told(self):
        """Of none of the keys that the test left behind."""
        for path in glob.glob(self.place.path("**", "*.key"), recursive=True):
            for secret in SECRET.findall(read(path)):
                self.assertFalse([text for text in self.said if secret in text], path)

    def key(self, *args, code=0, env=None):
        r = self.place.stint("key", *args, endpoint=False, env=env)
        self.said += [r.stdout, r.stderr]
        self.assertExit(r, code)
        return r

    def new(self, name, *args):
        self.key("new", name, "--out", self.out, *args)
        return os.path.join(self.out, name + ".pub")

    def add(self, *args, code=0):
        return self.key("add", *args, "--keys", self.keys, code=code)

    def listed(self, code=0):
        r = self.key("list", "--json", "--keys", self.keys, code=code)
        return {o["name"]: o for o in map(json.loads, r.stdout.splitlines())}

    def test_a_new_key_is_a_secret_file_and_a_public_one(self):
        pub = self.new("alice", "--rights", "submit, see", "--queues", "mail.*, other")
        secret = os.path.join(self.out, "alice.key")
        self.assertEqual(mode(secret), 0o600)
        self.assertNotIn("secret", read(pub))
        self.assertEqual(PUBLIC.findall(read(secret)), PUBLIC.findall(read(pub)))
        self.assertEqual(len(SECRET.findall(read(secret))), 1)
        shown = json.loads(self.key("show", "--json", pub).stdout)
        self.assertEqual(shown, {"schema": "stint.key/1", "public_key": PUBLIC.findall(read(pub))[0],
                                 "rights": "submit, see", "queues": "mail.*, other"})

    def test_a_new_key_tells_its_files_and_nothing_secret(self):
        r = self.key("new", "bob", "--role", "worker", "--out", self.out, "--json")
        told = json.loads(r.stdout)
        self.assertEqual((told["schema"], told["role"], told["rights"], told["queues"]),
                         ("stint.key/1", "worker", "run", "*"))
        self.assertEqual(PUBLIC.findall(read(told["key_file"])), [told["public_key"]])
        self.assertEqual(PUBLIC.findall(read(told["pub_file"])), [told["public_key"]])
        r = self.key("new", "carol", "--out", self.out)
        self.assertEqual(r.stdout, "")
        self.assertIn("carol.key", r.stderr)

    def test_no_file_is_written_over(self):
        for there, other in ((".key", ".pub"), (".pub", ".key")):
            path = os.path.join(self.out, "x" + there)
            write(path, "mine\n")
            self.assertIn(path, self.key("new", "x", "--out", self.out, code=73).stderr)
            self.assertEqual(read(path), "mine\n")
            self.assertFalse(os.path.exists(os.path.join(self.out, "x" + other)))
            os.remove(path)
        self.assertIn("nowhere", self.key("new", "x", "--out", self.place.path("nowhere"), code=73).stderr)
        self.assertEqual(os.listdir(self.out), [])

    def test_keys_are_added_listed_and_revoked(self):
        self.add(self.new("alice", "--role", "client"))
        self.add(self.new("w"), "--role", "worker", "--queues", "mail.* q", "--name", "mailer")
        self.add(os.path.join(self.out, "alice.pub"), code=73)
        for name in ("alice", "mailer"):
            self.assertNotIn("secret", read(os.path.join(self.keys, name + ".pub")))
        listed = self.listed()
        self.assertEqual({n: (o["rights"], o["queues"]) for n, o in listed.items()},
                         {"alice": ("submit, see", "*"), "mailer": ("run", "mail.*, q")})
        table = self.key("list", env={"STINT_KEYS": self.keys}).stdout.splitlines()
        self.assertEqual([line.split()[0] for line in table], ["NAME", "alice", "mailer"])
        self.assertIn(listed["alice"]["public_key"], table[1])
        self.key("revoke", "alice", "--keys", self.keys)
        self.assertEqual(list(self.listed()), ["mailer"])
        self.key("revoke", "alice", "--keys", self.keys, code=66)
        told = json.loads(self.key("revoke", "--json", "mailer", "--keys", self.keys).stdout)
        self.assertEqual(told, {"schema": "stint.key/1", "name": "mailer", "revoked": True})
        self.assertEqual(os.listdir(self.keys), [])
        self.assertIn("no key", self.key("list", "--keys", self.keys).stderr)

    def test_the_secret_part_stays_where_it_was(self):
        self.new("alice", "--role", "client")
        self.add(os.path.join(self.out, "alice.key"), "--role", "client")
        self.assertNotIn("secret", read(os.path.join(self.keys, "alice.pub")))
        told = self.key("show", os.path.join(self.out, "alice.key")).stdout
        self.assertIn(self.listed()["alice"]["public_key"], told)
        self.assertNotIn("secret", told)

    def test_what_is_said_is_stronger_than_the_file(self):
        pub = self.new("eve", "--role", "admin")
        told = json.loads(self.add("--json", pub, "--rights", "see", "--queues", "q").stdout)
        self.assertEqual((told["name"], told["rights"], told["queues"]), ("eve", "see", "q"))
        self.assertNotIn("role", told)
        self.assertEqual(self.listed()["eve"], told)

    def test_a_key_is_replaced_only_if_that_is_asked_for(self):
        self.add(self.new("alice", "--role", "client"))
        before = self.listed()
        other = self.new("other", "--role", "client")
        self.assertIn("--replace", self.add(other, "--name", "alice", code=73).stderr)
        self.assertEqual(self.listed(), before)
        self.add(other, "--name", "alice", "--replace")
        self.assertEqual(self.listed()["alice"]["public_key"], PUBLIC.findall(read(other))[0])
        self.add(other, "--name", "alice", "--replace", "--role", "admin")
        self.assertIn("control", self.listed()["alice"]["rights"])

    def test_a_key_has_one_name(self):
        pub = self.new("alice", "--role", "client")
        self.add(pub)
        self.assertIn("as alice", self.add(pub, "--name", "again", "--role", "admin", code=65).stderr)
        self.assertEqual(list(self.listed()), ["alice"])

    def test_a_file_that_grants_nothing_is_not_added(self):
        self.assertIn("--role", self.add(self.new("alice"), code=65).stderr)
        write(self.place.path("boss.pub"), read(self.new("boss", "--role", "client")).replace("client", "boss"))
        self.add(self.place.path("boss.pub"), code=65)
        self.key("show", self.place.path("boss.pub"), code=65)
        write(self.place.path("rubbish.pub"), "rubbish\n")
        self.add(self.place.path("rubbish.pub"), "--role", "client", code=65)
        self.add(self.place.path("nothing.pub"), "--role", "client", code=66)
        self.key("show", self.place.path("nothing.pub"), code=66)
        os.chmod(os.path.join(self.out, "alice.key"), 0o644)
        self.assertIn("chmod", self.add(os.path.join(self.out, "alice.key"), "--role", "client", code=65).stderr)
        self.assertEqual(os.listdir(self.keys), [])

    def test_broken_files_are_listed_with_what_is_wrong(self):
        self.add(self.new("good", "--role", "client"))
        write(os.path.join(self.keys, "bad.pub"), "curve\n    public-key = \"short\"\n")
        write(os.path.join(self.keys, "no-role.pub"), read(self.new("no-role")))
        write(os.path.join(self.keys, "local.pub"), read(self.new("l", "--role", "client")))
        os.mkdir(os.path.join(self.keys, "dir.pub"))
        write(os.path.join(self.keys, "broker.pub"), "not a grant\n")  # what clients are shown
        write(os.path.join(self.keys, "notes.txt"), "no key\n")
        listed = self.listed(code=65)
        self.assertEqual(set(listed), {"good", "bad", "no-role", "local", "dir"})
        self.assertEqual([n for n, o in listed.items() if "problem" not in o], ["good"])
        self.assertIn("line 2", listed["bad"]["problem"])
        self.assertNotIn("rights", listed["local"])
        r = self.key("list", "--keys", self.keys, code=65)
        self.assertIn("bad.pub: line 2", r.stderr)
        self.assertIn("good", r.stdout)
        self.key("list", "--keys", self.place.path("nowhere"), code=66)
        self.key("revoke", "bad", "--keys", self.keys)

    def test_wrong_words_are_refused_before_anything_is_made(self):
        pub = self.new("alice", "--role", "client")
        keys = ["--keys", self.keys]
        for args, named in ((["new", "../x"], "../x"), (["new", "local"], "local"), (["new", "broker"], "broker"),
                            (["new", ""], "name"), (["new", ".x"], ".x"), (["new", "x" * 200], "xxx"),
                            (["new", "a b"], "a b"), (["new", "x", "y"], "y"), (["new", "x", *keys], "--keys"),
                            (["new", "x", "--role", "boss"], "--role=boss"), (["new", "x", "--role", ""], "--role"),
                            (["new", "x", "--role", "x" * 100], "--role"),
                            (["new", "x", "--rights", "submit, fly"], "--rights=submit, fly"),
                            (["new", "x", "--role", "client", "--rights", "see"], "not both"),
                            (["new", "x", "--queues", ""], "--queues"), (["new", "x", "--queues", "a\"b"], "--queues"),
                            (["new", "x", "--queues", "a\nrole=admin"], "--queues"),
                            (["new", "x", "--queues", "*a"], "--queues"),
                            (["new", "x", "--queues", ",".join(f"q{n}" for n in range(65))], "--queues"),
                            (["new", "x", "--replace"], "--replace"), (["add"], "which file"),
                            (["add", pub, *keys, "--name", "../x"], "../x"),
                            (["add", pub, *keys, "--name", "broker"], "broker"),
                            (["add", pub, *keys, "--name", "local"], "local"), (["add", pub, *keys, "--name", ""], "name"),
                            (["add", pub, *keys, "--role", "boss"], "--role=boss"), (["add", pub, "more"], "more"),
                            (["add", pub, "--out", self.out], "--out"), (["list", "--role", "client"], "--role"),
                            (["show"], "which file"), (["show", pub, *keys], "--keys"),
                            (["revoke", *keys], "which name"), (["revoke", "../out/alice", *keys], "../out/alice"),
                            (["revoke", "broker", *keys], "broker"), (["revoke", "x", "--name", "y"], "--name")):
            with self.subTest(args=args):
                here = ["--out", self.out] if args[0] == "new" else []
                self.assertIn(named, self.key(*args, *here, code=64).stderr)
        self.assertEqual(sorted(os.listdir(self.out)), ["alice.key", "alice.pub"])
        self.assertEqual(os.listdir(self.keys), [])


class Init(harness.Case):
    FILES = ("keys/broker.key", "keys/broker.pub", "admin.key", "keys/admin.pub", "worker.key", "keys/worker.pub")

    def init(self, *args, code=0, data="data"):
        r = subprocess.run([*harness.WRAP, harness.program("stintd"), "--init", "--data", self.place.path(data),
                            *args], capture_output=True, text=True, timeout=harness.DEADLINE_S)
        self.assertExit(r, code)
        if code:
            self.assertEqual((r.stdout, len(r.stderr.splitlines())), ("", 1), r.stderr)
        return r

    def test_it_makes_a_directory_with_keys(self):
        data = self.place.path("data")
        r = self.init()
        self.assertEqual((mode(data), mode(self.place.path("data", "keys"))), (0o700, 0o700))
        made = {os.path.relpath(p, data) for p in glob.glob(data + "/**", recursive=True) if os.path.isfile(p)}
        self.assertEqual(made, set(self.FILES))
        for name in self.FILES:
            path, text = os.path.join(data, name), read(os.path.join(data, name))
            secrets = SECRET.findall(text)
            self.assertEqual(bool(secrets), name.endswith(".key"), name)
            if secrets:
                self.assertEqual(mode(path), 0o600)
                self.assertNotIn(secrets[0], r.stdout + r.stderr)
        listed = {o["name"]: o for o in self.place.json("key", "list", "--keys", os.path.join(data, "keys"),
                                                        endpoint=False)}
        self.assertEqual({n: (o["role"], o["queues"]) for n, o in listed.items()},
                         {"admin": ("admin", "*"), "worker": ("worker", "*")})
        for name, told in listed.items():
            self.assertEqual(PUBLIC.findall(read(os.path.join(data, name + ".key"))), [told["public_key"]])

    def test_it_tells_what_a_workers_host_needs(self):
        lines = self.init().stdout.splitlines()
        broker = PUBLIC.findall(read(self.place.path("data", "keys", "broker.pub")))[0]
        self.assertEqual(lines[-2:], ["endpoint = tcp://HOST:5670", f'broker-key = "{broker}"'])
        self.assertTrue(all(line.startswith("#") for line in lines[:-2]))
        self.assertIn(os.path.realpath(self.place.path("data", "worker.key")), lines[-3])

    def test_a_worker_works_by_the_lines_that_were_told(self):
        port = harness.socket_port()
        told = self.init("--listen", "tcp://127.0.0.1:1", "--listen", f"tcp://broker.example:{port}",
                         "--keep", "1h").stdout
        self.assertIn(f"endpoint = tcp://broker.example:{port}\n", told)
        told = told.replace("broker.example", "127.0.0.1")
        config = self.place.path("worker.conf")
        write(config, told)
        # The lines say nothing of the worker's key: it is found where it usually is.
        usual = {"XDG_CONFIG_HOME": self.place.path("config")}
        os.makedirs(self.place.path("config", "stint"))
        shutil.copy(self.place.path("data", "worker.key"), self.place.path("config", "stint"))
        self.place.endpoint = f"tcp://127.0.0.1:{port}"
        self.place.broker("--require-keys")
        self.place.processes.append(harness.Process(
            [harness.program("stint-worker"), "--config", config, "--exec"], self.place.path("worker.log"), usual))
        env = {"STINT_KEY": self.place.path("data", "admin.key"),
               "STINT_BROKER_KEY": self.place.path("data", "keys", "broker.pub")}
        r = self.place.stint("run", "echo", "done", env=env)
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "done\n")
        r = subprocess.run([harness.program("stint-worker"), "--config", config, "--exec", "--key", "nothing.key"],
                           capture_output=True, text=True, timeout=harness.DEADLINE_S)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("nothing.key", r.stderr)

    def test_keys_may_lie_elsewhere(self):
        keys = self.place.path("elsewhere")
        told = self.init("--keys", keys).stdout
        self.assertIn(keys, told)
        self.assertEqual(sorted(os.listdir(keys)), ["admin.pub", "broker.key", "broker.pub", "worker.pub"])
        self.assertEqual(sorted(os.listdir(self.place.path("data"))), ["admin.key", "worker.key"])
        self.assertEqual(mode(keys), 0o700)

    def test_a_wildcard_is_told_as_this_hosts_name(self):
        told = self.init("--listen", "tcp://*:7777").stdout
        self.assertIn(f"endpoint = tcp://{os.uname().nodename}:7777\n", told)

    def test_a_second_time_changes_nothing(self):
        self.init()
        before = {name: read(self.place.path("data", name)) for name in self.FILES}
        self.assertIn("is there already", self.init(code=73).stderr)
        self.assertEqual({name: read(self.place.path("data", name)) for name in self.FILES}, before)

    def test_any_of_the_files_is_in_its_way(self):
        os.makedirs(self.place.path("data", "keys"))
        for name in self.FILES:
            write(self.place.path("data", name), "mine\n")
            self.assertIn(name, self.init(code=73).stderr)
            self.assertEqual(read(self.place.path("data", name)), "mine\n")
            os.remove(self.place.path("data", name))
        self.assertEqual(os.listdir(self.place.path("data")), ["keys"])
        self.init()

    def test_a_foreign_directory_is_left_alone(self):
        data = self.place.path("data")
        write(data, "a file\n")
        self.assertIn("not a directory", self.init(code=73).stderr)
        os.remove(data)
        os.mkdir(data)
        write(self.place.path("data", "holiday.txt"), "mine\n")
        self.assertIn("other things", self.init(code=78).stderr)
        self.assertEqual(os.listdir(data), ["holiday.txt"])
        os.remove(self.place.path("data", "holiday.txt"))
        os.chmod(data, 0o777)
        self.assertIn("chmod 700", self.init(code=78).stderr)
        self.assertEqual(os.listdir(data), [])
        os.chmod(data, 0o700)
        if os.geteuid() == 0:
            os.chown(data, 12345, -1)
            self.assertIn("another user", self.init(code=78).stderr)
            os.chown(data, 0, -1)
        self.init()

    def test_what_could_not_be_finished_is_taken_away(self):
        os.makedirs(self.place.path("data", "keys"))
        os.chmod(self.place.path("data", "keys"), 0o722)
        self.init(code=78)
        self.assertEqual(os.listdir(self.place.path("data")), ["keys"])
        self.assertIn("can't make", self.init(data="no/where", code=73).stderr)

    def test_a_brokers_directory_gets_keys_and_a_broker_takes_it(self):
        self.place.broker()
        harness.wait_until(lambda: self.place.json("ping"), "it is there")
        self.assertEqual(self.place.broker_process.stop(), 0)
        self.init()
        self.place.broker()
        harness.wait_until(lambda: self.place.json("ping"), "it takes the directory")

    def test_an_output_that_is_full_is_told(self):
        with open("/dev/full", "w") as full:
            r = subprocess.run([harness.program("stintd"), "--init", "--data", self.place.path("data")],
                               stdout=full, stderr=subprocess.PIPE, text=True, timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, 74, r.stderr)


if __name__ == "__main__":
    harness.main()
