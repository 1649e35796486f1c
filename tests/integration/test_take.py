"""stint take and stint settle: a job taken by hand, its lease held by a process that stays; and what
becomes of it when the script, that process or the broker goes away."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import threading

import harness


class Take(harness.Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.place.path("run"), 0o700)
        self.env = {"XDG_RUNTIME_DIR": self.place.path("run")}
        self.broker = self.place.broker("--heartbeat", "100ms", "--lost", "600ms", "--grace", "1s")
        self.addCleanup(self.end_holders)

    def end_holders(self):
        """By what the broker knows of them: each is named by its process."""
        with contextlib.suppress(Exception):
            for pid in self.holders():
                os.kill(pid, signal.SIGKILL)

    def holders(self):
        names = [w["name"] for w in self.place.json("workers") if w.get("state") != "away"]
        return [int(n.rpartition(":")[2]) for n in names if ":take:" in n]

    def submit(self, payload="work", *args):
        r = self.place.stint("submit", *args, input=payload)
        self.assertExit(r, 0)
        return r.stdout.strip()

    def stint(self, *args, **kwargs):
        kwargs["env"] = {**self.env, **kwargs.get("env", {})}
        return self.place.stint(*args, **kwargs)

    def take(self, *args):
        """The ticket, and what follows it."""
        r = self.stint("take", *args)
        self.assertExit(r, 0)
        return r.stdout.split("\n", 1)

    def settle(self, ticket, *args, code=0, **kwargs):
        r = self.stint("settle", ticket, *args, **kwargs)
        self.assertExit(r, code)
        return r

    def show(self, job):
        return self.place.json("show", job)[0]

    def becomes(self, job, **fields):
        harness.wait_until(lambda: fields.items() <= self.show(job).items(), f"{job} is {fields}")

    @staticmethod
    def is_dead(pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                ended = f.read().rpartition(")")[2].split()[0] == "Z"
            return ended and len(os.listdir(f"/proc/{pid}/task")) == 1  # the other threads close what it had
        except FileNotFoundError:
            return True

    def sockets(self):
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self.place.path("run", "stint"))
        return []

    def test_a_job_is_taken_and_settled(self):
        job = self.submit("two\nlines")
        ticket, payload = self.take()
        self.assertEqual((ticket, payload), (f"{job}/1", "two\nlines"))
        self.assertEqual(self.show(job)["state"], "running")
        self.settle(ticket, "--result", "-", input="done")
        self.assertEqual(self.show(job)["state"], "succeeded")
        self.assertEqual(self.place.stint("result", job).stdout, "done")
        harness.wait_until(lambda: not self.holders(), "nobody stays")
        self.assertEqual(self.sockets(), [])
        self.assertIn("is not held here", self.settle(ticket, code=66).stderr)

    def test_a_script_reads_ticket_and_payload_from_a_pipe(self):
        job = self.submit("payload")
        script = ('stint take | { read -r ticket; sed s/^/got-/ > "$1"; '
                  'stint settle "$ticket" --result "$1"; }')
        path = os.path.dirname(harness.program("stint")) + ":" + os.environ["PATH"]
        subprocess.run(["sh", "-ec", script, "sh", self.place.path("out")], check=True,
                       env={**os.environ, **self.env, "PATH": path, "STINT_ENDPOINT": self.place.endpoint})
        self.assertEqual(self.place.stint("result", job).stdout, "got-payload")

    def test_json_tells_all_of_it(self):
        job = self.submit('{"to":"ann"}', "--object", "-p", "7")
        r = self.stint("take", "--json")
        self.assertExit(r, 0)
        taken = json.loads(r.stdout)
        self.assertEqual({k: taken[k] for k in ("schema", "ticket", "id", "attempt", "queue", "priority",
                                                "payload_object")},
                         {"schema": "stint.taken/1", "ticket": f"{job}/1", "id": job, "attempt": 1,
                          "queue": "default", "priority": 7, "payload_object": {"to": "ann"}})
        self.assertRegex(taken["lease_until"], r"^\d{4}-")
        said = json.loads(self.settle(job, "--json").stdout)  # the id alone will do
        self.assertEqual(said, {"schema": "stint.settled/1", "ticket": f"{job}/1"})

    def test_each_outcome_is_what_it_says(self):
        for args, fields in ((["--failed", "--error", "no luck"], {"failures": 1, "error": "no luck"}),
                             (["--dead"], {"state": "dead", "error": "settled by hand"}),
                             (["--snooze", "1h"], {"state": "scheduled"}),
                             (["--return"], {"state": "ready"}), ([], {"state": "succeeded"})):
            with self.subTest(args=args):
                job = self.submit("x", "--backoff", "1h")
                ticket, _ = self.take()
                self.settle(ticket, *args)
                shown = self.show(job)
                self.assertLessEqual(fields.items(), shown.items())
                if args in (["--return"], ["--snooze", "1h"]):
                    self.assertNotIn("failures", shown)
                self.place.stint("cancel", job)

    def test_queues_and_kinds_are_chosen(self):
        self.submit("a", "-q", "one", "-k", "mail")
        wanted = self.submit("b", "-q", "two", "-k", "thumb")
        ticket, payload = self.take("-q", "one", "-q", "two", "-k", "thumb", "-k", "thumb")
        self.assertEqual((ticket, payload), (f"{wanted}/1", "b"))
        self.settle(ticket)
        wanted = self.submit("c", "-q", "news.today", "-k", "mail")
        ticket, payload = self.take("-q", "news.*", "-q", "two", "-k", "mail")
        self.assertEqual((ticket, payload), (f"{wanted}/1", "c"))
        self.settle(ticket)

    def test_no_job_and_no_broker_are_told_apart(self):
        r = self.stint("take", "--wait", "300ms")
        self.assertExit(r, 124)
        self.assertIn("no job came", r.stderr)
        self.broker.stop()
        r = self.stint("take", "--broker-timeout", "300ms")
        self.assertExit(r, 69)
        r = self.stint("take", "-q", "no name")
        self.assertNotEqual(r.returncode, 0)
        self.assertNotEqual(r.stderr, "")

    def test_a_lease_that_ends_is_a_run_that_failed(self):
        job = self.submit("x", "--backoff", "1ms")
        ticket, _ = self.take("--lease", "300ms")
        self.becomes(job, failures=1)
        self.assertIn("lease", self.show(job)["error"])
        self.settle(ticket, code=66)
        again, _ = self.take()
        self.assertEqual(again, f"{job}/2")
        self.settle(ticket, "--dead", code=66)  # an old ticket ends nobody else's run
        self.assertEqual(self.show(job)["state"], "running")
        self.settle(again)
        self.assertEqual(self.show(job)["state"], "succeeded")

    def test_a_script_that_dies_gives_its_job_up(self):
        job = self.submit("x", "--backoff", "1h")
        script = subprocess.Popen(["sleep", "600"])
        self.addCleanup(script.kill)
        self.take("--while", str(script.pid), "--lease", "10m")
        self.assertEqual(self.show(job)["state"], "running")
        script.kill()
        script.wait()
        self.becomes(job, failures=1)
        self.assertIn(f"({script.pid}) ended", self.show(job)["error"])

    def test_a_holder_that_is_killed_is_a_worker_that_is_lost(self):
        job = self.submit("x")
        ticket, _ = self.take("--lease", "10m")
        holder, = harness.wait_until(self.holders, "it is known")
        os.kill(holder, signal.SIGKILL)
        harness.wait_until(lambda: self.is_dead(holder), "its sockets are closed")
        self.assertEqual(len(self.sockets()), 1)
        self.settle(ticket, code=66)
        self.assertEqual(self.sockets(), [])
        harness.wait_until(lambda: self.show(job)["state"] != "running", "it is back")

    def test_an_outcome_that_is_lost_with_its_holder_is_not_called_stored(self):
        job = self.submit("x", "--backoff", "1h")
        ticket, _ = self.take("--lease", "10m")
        holder, = harness.wait_until(self.holders, "it is known")
        self.broker.kill()
        settle = subprocess.Popen([harness.program("stint"), "settle", ticket, "--endpoint", self.place.endpoint,
                                   "--broker-timeout", "60s"], stderr=subprocess.PIPE, text=True,
                                  env={**os.environ, **self.env})
        self.addCleanup(settle.kill)
        harness.wait_until(lambda: not self.sockets(), "it has heard")
        os.kill(holder, signal.SIGKILL)
        harness.wait_until(lambda: self.is_dead(holder), "it can't tell anybody")
        self.broker = self.place.broker("--heartbeat", "100ms", "--lost", "600ms", "--grace", "1s")
        said = settle.communicate(timeout=harness.DEADLINE_S)[1]
        self.assertEqual(settle.returncode, 66, said)
        self.assertIn("lost before this could be stored", said)
        self.assertNotEqual(self.show(job)["state"], "succeeded")

    def test_a_broker_that_is_killed_takes_no_lease_away(self):
        job = self.submit()
        ticket, _ = self.take("--lease", "10m")
        self.broker.kill()
        self.broker = self.place.broker("--heartbeat", "100ms", "--lost", "600ms", "--grace", "60s")
        self.settle(ticket, "--result", "-", input="after", timeout=120)
        shown = self.show(job)
        self.assertEqual((shown["state"], shown["attempt"]), ("succeeded", 1))

    def test_an_outcome_waits_for_a_broker_that_is_away(self):
        job = self.submit()
        ticket, _ = self.take("--lease", "10m")
        self.broker.kill()
        r = self.settle(ticket, "--broker-timeout", "500ms", code=75)
        self.assertIn("as soon as", r.stderr)
        self.assertExit(self.place.stint("ping", "--broker-timeout", "4s"), 69)  # longer than a worker that ends waits
        self.broker = self.place.broker("--heartbeat", "100ms", "--lost", "600ms", "--grace", "60s")
        self.becomes(job, state="succeeded", attempt=1)

    def test_many_take_at_once_and_each_gets_its_own(self):
        jobs = {self.submit(str(i)) for i in range(6)}
        taken = []
        threads = [threading.Thread(target=lambda: taken.append(self.take()[0])) for _ in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual({t.removesuffix("/1") for t in taken}, jobs)
        for ticket in taken:
            self.settle(ticket)
        self.assertEqual({self.place.state(j) for j in jobs}, {"succeeded"})

    def test_what_was_not_printed_was_not_taken(self):
        job = self.submit()
        with open("/dev/full", "w") as full:
            r = subprocess.run([harness.program("stint"), "take", "--endpoint", self.place.endpoint],
                               stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                               env={**os.environ, **self.env}, timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, 74, r.stderr)
        harness.wait_until(lambda: self.show(job)["state"] == "ready", "it is back")
        self.assertNotIn("failures", self.show(job))
        self.assertEqual(self.sockets(), [])

    def test_a_job_that_is_cancelled_is_not_held_any_more(self):
        job = self.submit()
        ticket, _ = self.take("--lease", "10m")
        self.assertExit(self.place.stint("cancel", job), 0)
        harness.wait_until(lambda: not self.sockets(), "it is let go")
        self.settle(ticket, code=66)
        self.assertEqual(self.show(job)["state"], "cancelled")

    def test_nothing_of_the_script_is_kept_open(self):
        self.submit()
        with open(self.place.path("lock"), "w") as lock:
            kept = fcntl.fcntl(lock, fcntl.F_DUPFD_CLOEXEC, 50)  # where nothing of the command's own comes
        self.addCleanup(os.close, kept)
        r = subprocess.run([harness.program("stint"), "take", "--endpoint", self.place.endpoint],
                           capture_output=True, text=True, pass_fds=(kept,),
                           env={**os.environ, **self.env}, timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, 0, r.stderr)
        holder, = harness.wait_until(self.holders, "it is known")
        opened = {os.readlink(f"/proc/{holder}/fd/{fd}") for fd in os.listdir(f"/proc/{holder}/fd")}
        self.assertFalse({o for o in opened if o.startswith(("pipe:", self.place.path("lock")))}, opened)
        self.settle(r.stdout.split()[0])

    def test_a_directory_that_others_may_write_to_is_not_used(self):
        job = self.submit()
        os.mkdir(self.place.path("run", "stint"))
        os.chmod(self.place.path("run", "stint"), 0o777)
        r = self.stint("take")
        self.assertExit(r, 73)
        self.assertIn("alone", r.stderr)
        harness.wait_until(lambda: self.show(job)["state"] == "ready", "it is back")
        self.settle(job, code=66)

    def test_what_makes_no_sense_is_refused(self):
        for args, named in ((["take", "--lease", "0"], "--lease"), (["take", "--wait", "0"], "--wait"),
                            (["take", "--while", "x"], "--while=x"), (["take", "x"], "x"),
                            (["settle"], "ticket"), (["settle", "nonsense"], "nonsense"),
                            (["settle", "0.1.100.1/0"], "0.1.100.1/0"), (["settle", "0.1.100.1/1x"], "/1x"),
                            (["settle", "0.1.100.1/99999999999"], "99999999999"),
                            (["settle", "0.1.100.1", "--dead", "--failed"], "one of"),
                            (["settle", "0.1.100.1", "--error", "x"], "--error"),
                            (["settle", "0.1.100.1", "--snooze", "soon"], "--snooze=soon")):
            with self.subTest(args=args):
                r = self.stint(*args)
                self.assertExit(r, 64)
                self.assertIn(named, r.stderr)
        for text in ("0.1.100.1", "0.1.100.1/1"):
            self.assertIn(text, self.settle(text, code=66).stderr)


if __name__ == "__main__":
    harness.main()
