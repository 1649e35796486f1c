"""stint fleet up, down and status: workers on other hosts. A host here is a directory that is its home,
and its ssh a script that runs what it is given there; the last tests use the real ssh and sshd."""

import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

import harness

FAKE_SSH = """#!/bin/sh
# ssh OPTION... -- HOST COMMAND
while [ "$1" != -- ]; do shift; done
echo "$2" >>"{root}/asked"
case $2 in
*away) echo "ssh: connect to host $2: No route to host" >&2; exit 255 ;;
*silent) exec sleep 600 ;;
*closing) exec sleep 600 >&- 2>&- ;;
*lingering) echo "stint-fleet: not-running 0"; exec sleep 1 >&- 2>&- ;;
*hostile) printf 'stint-fleet: not-running 0 a\\302\\2332Jb\\033[31mc\\tstint-fleet: running 1\\n'; exit 0 ;;
*chatty) echo "Welcome to $2"; echo "stint-fleet: not so" | tr a-z A-Z; echo "mail: none" >&2 ;;
esac
unset XDG_STATE_HOME
HOME="{root}/${{2##*@}}"; export HOME
mkdir -p "$HOME" && cd && exec sh -c "$3"
"""


class Launch(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker()
        self.ssh = self.place.path("ssh")
        with open(self.ssh, "w") as f:
            f.write(FAKE_SSH.format(root=self.place.directory))
        os.chmod(self.ssh, 0o700)
        self.addCleanup(self.kill_workers)

    def home(self, host, *names):
        return self.place.path(host, ".local", "state", "stint", "fleet", host, *names)

    def pid(self, host):
        with open(self.home(host, "pid")) as f:
            return int(f.read())

    def kill_workers(self):
        for host in os.listdir(self.place.directory):
            if os.path.exists(self.home(host, "pid")):
                try:
                    os.kill(self.pid(host), signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def file(self, *lines):
        path = self.place.path("fleet")
        with open(path, "w") as f:
            f.write("".join(line + "\n" for line in lines))
        return path

    def fleet(self, verb, *args, **kwargs):
        if "input" not in kwargs:
            args = (*args, self.place.path("fleet"))
        return self.place.stint("fleet", verb, *args, env={"STINT_SSH": self.ssh}, **kwargs)

    def states(self, verb, *args, code=0):
        """state by host"""
        r = self.fleet(verb, "--json", *args)
        self.assertExit(r, code)
        objects = [json.loads(line) for line in r.stdout.splitlines()]
        self.assertEqual({o["schema"] for o in objects}, {"stint.host/1"})
        return {o["host"]: o["state"] for o in objects}

    def usual(self):
        return f"* exec program={harness.program('stint-worker')}"

    def workers(self):
        return sorted((w["name"], w["slots"]) for w in self.place.json("workers"))

    def test_workers_are_started_once_asked_after_and_stopped(self):
        self.file("# two hosts", self.usual(), "", "one slots=2", "root@two slots=3 queue=q")
        self.assertEqual(self.states("status"), {"one": "not running", "two": "not running"})
        self.assertEqual(self.states("up"), {"one": "started", "two": "started"})
        self.assertEqual(self.workers(), [("one", 2), ("two", 3)])
        pids = self.pid("one"), self.pid("two")
        self.assertEqual(self.states("up"), {"one": "running", "two": "running"})
        self.assertEqual((self.pid("one"), self.pid("two")), pids)
        objects = [json.loads(line) for line in self.fleet("status", "--json").stdout.splitlines()]
        self.assertEqual(sorted((o["host"], o["pid"], o["connected"], o["slots"]) for o in objects),
                         [("one", pids[0], True, 2), ("two", pids[1], True, 3)])
        self.assertIn("root@two", [o["address"] for o in objects])
        self.assertExit(self.place.stint("run", "true"), 0)
        self.assertEqual(self.states("down"), {"one": "stopped", "two": "stopped"})
        self.assertEqual(self.states("down"), {"one": "not running", "two": "not running"})
        self.assertEqual(self.workers(), [])

    def test_one_line_a_host_for_people(self):
        self.file(self.usual(), "chatty slots=1", "away")
        r = self.fleet("up")
        self.assertExit(r, 1)
        lines = sorted(r.stdout.splitlines())
        self.assertEqual(len(lines), 2, r.stdout)
        self.assertRegex(lines[0], r"^away +failed +ssh: connect to host away: No route to host")
        self.assertRegex(lines[1], r"^chatty +started +pid \d+$")
        self.assertRegex(self.fleet("status").stdout, r"(?m)^chatty +running +pid \d+, 1 slots, 0 jobs held, since ")

    def test_a_changed_line_restarts_its_worker_when_its_jobs_have_ended(self):
        self.file(self.usual(), "one slots=1", "two slots=1")
        self.states("up")
        self.file(self.usual(), "one slots=1", "two slots=2")
        self.assertEqual(self.states("up"), {"one": "running", "two": "restarted"})
        self.assertEqual(self.workers(), [("one", 1), ("two", 2)])
        gate = self.place.path("gate")
        job = self.place.stint("run", "--detach", "-q", "default", "--", "sh", "-c",
                               f"until [ -e {gate} ]; do sleep 0.02; done; echo done").stdout.strip()
        harness.wait_until(lambda: self.place.state(job) == "running", "the job runs")
        busy = [w["name"] for w in self.place.json("workers") if w["held"]][0]
        self.file(self.usual(), "one slots=5", "two slots=5")
        self.assertEqual(self.states("up", "--wait", "100ms", code=1)[busy], "failed")
        with open(gate, "w"):
            pass
        self.assertExit(self.place.stint("wait", job), 0)
        harness.wait_until(lambda: self.states("up")[busy] in ("started", "running", "restarted"), "it is up")
        self.assertEqual(self.workers(), [("one", 5), ("two", 5)])

    def test_jobs_have_a_day_to_finish_unless_something_else_is_said(self):
        self.file(self.usual(), "one slots=1", "two slots=1 drain=2s")
        self.states("up")
        drains = {}
        for host in ("one", "two"):
            with open(f"/proc/{self.pid(host)}/cmdline") as f:
                drains[host] = [a for a in f.read().split("\0") if a.startswith("--drain")]
        self.assertEqual(drains, {"one": ["--drain=24h"], "two": ["--drain=2s"]})

    def test_down_waits_for_what_runs_and_now_gives_it_back(self):
        self.file(self.usual(), "one slots=1 drain=10m")
        self.states("up")
        job = self.place.stint("run", "--detach", "sleep", "300").stdout.strip()
        harness.wait_until(lambda: self.place.state(job) == "running", "the job runs")
        r = self.fleet("down", "--wait", "100ms")
        self.assertExit(r, 1)
        self.assertIn("it still runs jobs", r.stdout)
        self.assertEqual(self.place.state(job), "running")
        self.assertEqual(self.states("down", "--now"), {"one": "stopped"})
        self.assertEqual(self.place.state(job), "ready")

    def test_up_after_a_down_that_still_waits_starts_a_worker_anew(self):
        self.file(self.usual(), "one slots=1 drain=10m")
        self.states("up")
        gate = self.place.path("gate")
        job = self.place.stint("run", "--detach", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.02; done").stdout.strip()
        harness.wait_until(lambda: self.place.state(job) == "running", "the job runs")
        self.assertExit(self.fleet("down", "--wait", "100ms"), 1)
        self.assertEqual(self.states("up", "--wait", "100ms", code=1), {"one": "failed"})  # it is to end
        with open(gate, "w"):
            pass
        harness.wait_until(lambda: self.states("up")["one"] in ("started", "restarted"), "it is started anew")
        self.assertEqual(self.states("up"), {"one": "running"})
        self.assertEqual(self.workers(), [("one", 1)])

    def test_what_a_host_says_drives_no_terminal(self):
        self.file("one address=hostile")
        r = self.fleet("status")
        self.assertRegex(r.stdout, r"^one +not running")
        self.assertNotIn("\x9b", r.stdout)
        self.assertNotIn("\x1b", r.stdout)
        self.assertEqual(r.stdout.count("\n"), 1)

    def test_the_brokers_secret_is_not_copied(self):
        key = self.place.path("broker.key")
        with open(key, "w") as f:
            f.write('curve\n    public-key = "x"\n    secret-key = "y"\n')
        self.file(self.usual(), f"one copy-broker-key={key}")
        r = self.fleet("up")
        self.assertExit(r, 1)
        self.assertIn("it holds a secret key", r.stdout)
        self.assertFalse(os.path.exists(self.home("one", "broker.pub")))

    def test_what_a_worker_says_at_its_end_is_told(self):
        self.file(self.usual(), "one program=/no/such/worker", "two slots=none", "three handle=x=/no/such/handler")
        r = self.fleet("up")
        self.assertExit(r, 1)
        for said in ("there is no program /no/such/worker", "slots", "/no/such/handler"):
            self.assertIn(said, r.stdout)
        self.assertEqual(r.stdout.count("failed"), 3)
        self.assertEqual(self.states("status"), dict.fromkeys(("one", "two", "three"), "not running"))

    def test_a_worker_that_reaches_no_broker_is_told_and_goes_on(self):
        port = harness.socket_port()
        self.file(self.usual(), f"one endpoint=tcp://127.0.0.1:{port}")
        r = self.fleet("up", "--wait", "1s")
        self.assertExit(r, 1)
        self.assertIn("is not connected yet", r.stdout)
        self.assertEqual(self.states("status"), {"one": "running"})
        self.assertIn("not connected", self.fleet("status").stdout)

    def test_words_arrive_as_they_were_written(self):
        script = self.place.path("say it's here")
        with open(script, "w") as f:
            f.write("#!/bin/sh\nprintf '%s|' \"$@\"\n")
        os.chmod(script, 0o700)
        self.file(f"* program={harness.program('stint-worker')}",
                  "one slots=1 \"handle=say=\\\"" + script + "\\\" 'a  b' \\\"it's\\\" '$HOME' '*'\"")
        self.assertEqual(self.states("up"), {"one": "started"})
        job = self.place.stint("submit", "-k", "say", "x").stdout.strip()
        self.assertExit(self.place.stint("wait", "-Q", job), 0)
        self.assertEqual(self.place.stint("result", job).stdout, "a  b|it's|$HOME|*|")

    def test_two_at_once_start_one_worker(self):
        self.file(self.usual(), "one slots=1")
        argv = [harness.program("stint"), "fleet", "-e", self.place.endpoint, "up", self.place.path("fleet")]
        both = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 env=dict(os.environ, STINT_SSH=self.ssh)) for _ in range(2)]
        for p in both:
            p.communicate(timeout=60)
        self.assertEqual(self.workers(), [("one", 1)])
        self.assertEqual(self.states("up"), {"one": "running"})

    def test_a_killed_worker_is_started_again(self):
        self.file(self.usual(), "one slots=1")
        self.states("up")
        os.kill(self.pid("one"), signal.SIGKILL)
        harness.wait_until(lambda: self.states("status") == {"one": "not running"}, "it is gone")
        self.assertEqual(self.states("up"), {"one": "started"})

    def test_keys_are_copied_for_their_owner_alone(self):
        files = {"copy-key": "key", "copy-broker-key": "broker.pub"}
        for setting, name in files.items():
            ours = self.place.path("ours")
            for text in ("a key\n", "another\n"):  # none that a worker takes
                with open(ours, "w") as f:
                    f.write(text)
                self.file(self.usual(), f"one slots=1 {setting}={ours}")
                self.assertEqual(self.states("up", code=1), {"one": "failed"})
                with open(self.home("one", name)) as f:
                    self.assertEqual(f.read().strip(), text.strip())
                self.assertEqual(os.stat(self.home("one", name)).st_mode & 0o777, 0o600)
            for wrong in ("", "a\0b", "x" * 20000):
                with open(ours, "w") as f:
                    f.write(wrong)
                r = self.fleet("up")
                self.assertExit(r, 1)
                self.assertIn("it is no key", r.stdout)
            self.file(self.usual(), f"one {setting}=/no/such/key")
            self.assertIn("No such file", self.fleet("up").stdout)

    def test_workers_connect_by_the_keys_that_were_copied(self):
        self.place.broker_process.kill()
        data, port = self.place.path("keyed"), harness.socket_port()
        subprocess.run([harness.program("stintd"), "--init", "--data", data], check=True, stdout=subprocess.DEVNULL)
        endpoint = f"tcp://127.0.0.1:{port}"
        broker = harness.Process([harness.program("stintd"), "--data", data, "--listen", endpoint, "--require-keys",
                                  "--listen", self.place.endpoint + "2"], self.place.path("keyed.log"))
        self.place.processes.append(broker)
        harness.wait_until(lambda: "event=ready" in broker.log(), "the broker is ready")
        self.file(self.usual(), f"one slots=1 endpoint={endpoint} copy-key={data}/worker.key copy-broker-key={data}/keys/broker.pub")
        self.assertEqual(self.states("up"), {"one": "started"}, broker.log())
        self.file(self.usual(), f"one slots=1 endpoint={endpoint} copy-keys={data}")  # the same, said shortly
        self.assertEqual(self.states("up"), {"one": "running"})
        env = {"STINT_KEY": f"{data}/admin.key", "STINT_BROKER_KEY": f"{data}/keys/broker.pub"}
        r = self.place.stint("run", "-e", endpoint, "echo", "far", endpoint=False, env=env)
        self.assertEqual(r.stdout, "far\n", r.stderr)
        self.assertEqual(self.states("down"), {"one": "stopped"})

    def test_an_interrupt_ends_it_and_tells_of_each_host(self):
        self.file(self.usual(), *(f"h{n} address=h{n}-silent" for n in range(5)))
        p = subprocess.Popen([harness.program("stint"), "fleet", "-e", self.place.endpoint, "up", "--at-once", "2",
                              self.place.path("fleet")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, env=dict(os.environ, STINT_SSH=self.ssh))
        harness.wait_until(lambda: len(self.place.lines_of(self.place.path("asked"))) == 2, "two hosts are asked")
        with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
            children = f.read().split()
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 130, out)
        self.assertEqual(out.count("failed"), 5, out)
        for child in children:
            self.assertFalse(os.path.exists(f"/proc/{child}"))

    def test_an_ssh_that_closes_its_output_and_lives_on_is_ended_by_the_first_interrupt(self):
        self.file(self.usual(), "one address=one-closing", "two address=two-lingering")
        p = subprocess.Popen([harness.program("stint"), "fleet", "-e", self.place.endpoint, "status",
                              self.place.path("fleet")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, env=dict(os.environ, STINT_SSH=self.ssh))
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        self.assertRegex(p.stdout.readline(), "^two +not running")  # the other one holds up nobody
        with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
            child = f.read().strip()
        self.addCleanup(self.end, int(child))
        harness.wait_until(lambda: not {"1", "2"} & set(os.listdir(f"/proc/{child}/fd")), "its output is closed")
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(20), 130)
        self.assertRegex(p.stdout.read(), "^one +failed +interrupted")
        self.assertFalse(os.path.exists(f"/proc/{child}"))

    @staticmethod
    def end(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def test_a_wrong_file_is_told_with_its_line(self):
        for line, said in (("-oProxyCommand=x", "a host's name"), ("one slots=1\none", "stands in the file already"),
                           ("one name=x", "the name of its host"), ("one 'slots=1", "not closed"),
                           ("one --slots=1", "as stint-worker --help"), ("one =x", "as stint-worker --help"),
                           ("one copy-keys=", "it takes a value"), ("one copy-keys", "it takes a value"),
                           ("one copy-key=a copy-keys=b", "given twice"), ("one copy-keys=a copy-broker-key=b", "given twice"),
                           ("* address=x", "differs from host to host"), ("one address=", "it takes a value"),
                           ("one address=-x", "no address"), ("one address=a address=b", "given twice"),
                           ("a/b", "a host's name"), ("..", "a host's name"), ("one\0", "it is no text")):
            with self.subTest(line=line):
                self.file(line)
                r = self.fleet("up")
                self.assertExit(r, 78)
                self.assertIn(said, r.stderr)
                self.assertRegex(r.stderr, r"fleet, line [12]: ")
                self.assertEqual(r.stdout, "")
        self.file("# nothing")
        r = self.fleet("up")
        self.assertExit(r, 78)
        self.assertIn("names no host", r.stderr)
        self.assertExit(self.fleet("up", "-", input="one slots=1 program=/no\n"), 1)

    def test_wrong_words_are_64(self):
        self.file("one")
        for args in ([], ["up"], ["sideways", "f"], ["up", "f", "g"], ["up", "--now", "f"], ["status", "--wait", "1s", "f"],
                     ["up", "--at-once", "0", "f"], ["up", "--wait", "soon", "f"], ["up", "--ssh", "'", self.place.path("fleet")]):
            with self.subTest(args=args):
                self.assertExit(self.place.stint("fleet", *args), 64)
        r = self.place.stint("fleet", "up", self.place.path("fleet"), endpoint=False, env={"STINT_ENDPOINT": ""})
        self.assertExit(r, 64)
        self.assertIn("where is the broker", r.stderr)
        self.assertExit(self.place.stint("fleet", "up", "/no/such/file"), 66)

    @unittest.skipUnless(shutil.which("sshd", path="/usr/sbin:/usr/bin") and shutil.which("ssh"), "there is no sshd here")
    def test_over_the_real_ssh(self):
        config, port = self.place.path("ssh_config"), harness.socket_port()
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.place.path(name)], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        user, worker = os.environ.get("USER") or subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip(), harness.program("stint-worker")
        with open(config, "w") as f:
            f.write(f"Host one\nHostName 127.0.0.1\nPort {port}\nUser {user}\nIdentityFile {self.place.path('user_key')}\n"
                    f"IdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n")
        sshd = harness.Process(["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port),
                                "-o", f"HostKey={self.place.path('host_key')}", "-o", "ListenAddress=127.0.0.1",
                                "-o", f"AuthorizedKeysFile={self.place.path('user_key.pub')}", "-o", "StrictModes=no",
                                "-o", "UsePAM=no", "-o", f"PidFile={self.place.path('sshd.pid')}",
                                "-o", f"SetEnv=HOME={self.place.path('one')} XDG_STATE_HOME={self.place.path('one', '.local', 'state')}"],
                               self.place.path("sshd.log"))
        self.place.processes.append(sshd)
        harness.wait_until(lambda: "listening" in sshd.log(), "sshd listens")
        self.file(f"* exec program={worker}", "one slots=2")
        self.ssh = f"ssh -F {config}"
        self.assertEqual(self.states("up"), {"one": "started"}, sshd.log())
        self.assertEqual(self.states("up"), {"one": "running"})
        self.assertEqual(self.place.stint("run", "echo", "far").stdout, "far\n")
        self.assertEqual(self.states("down"), {"one": "stopped"})


if __name__ == "__main__":
    sys.exit(harness.main())
