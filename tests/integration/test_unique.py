"""Unique keys with real programs: of a queue one job at a time has a key, however many submit it at once and
whatever is killed; what the command says of it; and that it goes through dump, load and verify."""

import json
import os
import subprocess

import harness

CLIENTS, KEYS = 8, 12500


class Unique(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker()

    def submit(self, *options, payload="x", code=0):
        r = self.place.stint("submit", *options, payload)
        self.assertExit(r, code)
        return r.stdout.strip(), r.stderr

    def jobs(self, queue="default"):
        return [j for j in self.place.json("ls", "--limit", "0", timeout=120) if j["queue"] == queue]

    def verify(self):
        self.assertEqual(self.broker.stop(), 0)
        r = subprocess.run([harness.program("stintd"), "--verify", "--data", self.place.path("data")],
                           capture_output=True, text=True, timeout=120)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)

    def test_one_that_is_there_is_told_of(self):
        first, said = self.submit("--unique", "report")
        self.assertEqual(said, "")
        again, said = self.submit("--unique", "report")
        self.assertEqual(again, first)
        self.assertIn("was there already", said)
        told = self.place.json("submit", "--unique", "report", "x")
        self.assertEqual((told[0]["id"], told[0]["met"]), (first, "job"))
        changed = self.place.json("submit", "--unique", "report", "--unique-replace", "another payload")
        self.assertEqual((changed[0]["id"], changed[0]["met"]), (first, "changed"))
        shown = self.place.json("show", "--payload", first)[0]
        self.assertEqual((shown["unique"], shown["unique_while"], shown["payload"]),
                         ("report", "active", "another payload"))
        self.assertEqual([j["id"] for j in self.place.json("ls", "--where", "unique=report")], [first])
        self.assertNotIn("met", self.place.json("submit", "x")[0])

    def test_one_whose_key_is_held_can_not_come_back_or_move(self):
        first, _ = self.submit("--unique", "k")
        self.assertExit(self.place.stint("cancel", first), 0)
        second, _ = self.submit("--unique", "k")
        other, _ = self.submit("-q", "other", "--unique", "k")
        for command in (["retry", first], ["change", "--queue", "other", second]):
            r = self.place.stint(*command)
            self.assertExit(r, 65)
            self.assertIn("holds its unique key", r.stderr)
        plain, _ = self.submit("-q", "other")
        for where, ids in (('unique=""', [plain]), ('unique!=""', [other]), ("unique=k*", [other])):
            self.assertEqual([j["id"] for j in self.place.json("ls", "-q", "other", "--where", where)], ids)
        r = self.place.stint("ls", "--where", "nothing=1")
        self.assertIn("worker, unique,", r.stderr)

    def test_options_that_can_not_be_meant(self):
        for options in (["--unique-for", "1m"], ["--unique-replace"], ["--unique", ""],
                        ["--unique", "k", "--unique-while", "sleeping"], ["--unique", "k", "--unique-for", "soon"]):
            self.submit(*options, code=64)
        self.submit("--unique", "k" * 256, code=65)
        self.submit("--unique", b"\xff", code=65)
        self.assertEqual(self.jobs(), [])

    def test_a_job_a_line_each_with_a_key_of_its_own(self):
        r = self.place.stint("submit", "--each", "--unique", "line {} of {}", input="a\nb\na\nc\nb\n")
        self.assertExit(r, 0)
        ids = r.stdout.split()
        self.assertEqual((ids[0], ids[1]), (ids[2], ids[4]))
        self.assertIn("jobs that were there already: 2;", r.stderr)
        self.assertEqual(sorted(j["unique"] for j in self.jobs()),
                         ["line a of a", "line b of b", "line c of c"])
        for wrong in (b"a\0b", b"", b"k" * 256, b"\xff"):
            r = self.place.stint("submit", "-q", "wrong", "--each", "--unique", "{}",
                                 input=b"first\n" + wrong + b"\nlast\n")
            self.assertExit(r, 65)
            self.assertIn("line 2: ", r.stderr)
            self.assertIn("stopped at line 2: 1 jobs are stored", r.stderr)
        self.assertEqual(len(self.jobs("wrong")), 1)

    def test_a_command_that_runs_already_is_waited_for(self):
        self.place.worker("--exec", "--slots", "2")
        go, ran = self.place.path("go"), self.place.path("ran")
        command = f"echo x >> {ran}; while ! [ -e {go} ]; do sleep 0.05; done; echo done"
        runs = [subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, "run", "--unique", "once",
                                  "-S", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL, text=True) for _ in range(3)]
        self.addCleanup(lambda: [p.kill() or p.communicate() for p in runs if p.poll() is None])
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 1, "it runs")
        harness.wait_until(lambda: self.place.stats()["peers"] >= 4, "all wait for it")
        open(go, "w").close()
        for p in runs:
            out, said = p.communicate(timeout=60)
            self.assertEqual((p.returncode, out), (0, "done\n"), said)
        self.assertEqual(len(self.jobs()), 1 + self.late(ran))

    def test_a_command_that_was_forgotten_is_told(self):
        self.place.worker("--exec")
        options = ["--unique", "once", "--unique-for", "1h", "--keep", "0"]
        self.assertExit(self.place.stint("run", "--detach", *options, "echo", "done"), 0)
        harness.wait_until(lambda: self.place.stats()["totals"]["succeeded"] == 1, "it is over")
        r = self.place.stint("run", *options, "echo", "done")
        self.assertExit(r, 66)
        self.assertIn("was forgotten", r.stderr)

    def late(self, ran):
        """Runs of those that came when it was over; none, mostly."""
        with open(ran) as f:
            return len(f.read().split()) - 1

    def test_many_that_race_make_one_job_of_each_key(self):
        with open(self.place.path("lines"), "w") as f:
            f.write("".join(f"{n}\n" for n in range(KEYS)))
        clients = []
        for i in range(CLIENTS):
            with open(self.place.path("lines")) as lines, open(self.place.path(f"ids{i}"), "w") as out:
                clients.append(subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, "submit",
                                                 "--each", "--unique", "{}"], stdin=lines, stdout=out,
                                                stderr=subprocess.DEVNULL))
        self.addCleanup(lambda: [p.kill() or p.wait() for p in clients if p.poll() is None])
        ids = []
        for i, p in enumerate(clients):
            self.assertEqual(p.wait(timeout=120), 0)
            with open(self.place.path(f"ids{i}")) as f:
                ids.append(f.read().split())
        self.assertEqual(len(ids[0]), KEYS)
        self.assertTrue(all(one == ids[0] for one in ids))
        self.assertEqual(self.place.stats()["jobs"]["ready"], KEYS)
        self.verify()

    def test_a_broker_that_is_killed_makes_no_second_one(self):
        lines = "".join(f"{n}\n" for n in range(KEYS))
        for i in range(3):
            told = self.place.path(f"ids{i}")
            with open(told, "w") as out:
                p = subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, "submit", "--each",
                                      "--unique", "{}"], stdin=subprocess.PIPE, stdout=out, text=True,
                                     stderr=subprocess.DEVNULL)
            self.addCleanup(lambda p=p: p.poll() is None and (p.kill() or p.wait()))
            p.stdin.write(lines)
            harness.wait_until(lambda: os.path.getsize(told) > 0, "some are answered")
            self.broker.kill()
            self.broker = self.place.broker()
            p.stdin.close()
            self.assertEqual(p.wait(timeout=120), 0)
            with open(told) as f:
                ids = f.read().split()
            self.assertEqual(len(ids), KEYS)
            self.assertEqual(len(set(ids)), KEYS)
            self.assertEqual(self.place.stats()["jobs"]["ready"], KEYS)
        self.verify()

    def test_keys_go_through_dump_and_load(self):
        held, _ = self.submit("--unique", "held", "--unique-for", "1h", "--in", "1h")
        done, _ = self.submit("--unique", "done", "--unique-for", "1h")
        self.submit("--unique", "tab\tand \"quotes\"")
        self.assertExit(self.place.stint("cancel", self.submit("--unique", "free")[0]), 0)
        w = self.place.worker("--handle", "default=cat", "--slots", "1")
        harness.wait_until(lambda: self.place.state(done) == "succeeded", "it is done")
        w.stop()
        self.verify()
        stintd = harness.program("stintd")
        dumped = subprocess.run([stintd, "--dump", "--data", self.place.path("data")], capture_output=True, timeout=60)
        self.assertEqual(dumped.returncode, 0, dumped.stderr)
        rows = [json.loads(line) for line in dumped.stdout.splitlines()]
        keys = {row["key"]: row for row in rows if row["type"] == "unique"}
        self.assertEqual(set(keys), {"held", "done"})
        self.assertNotIn("until_ms", keys["held"])
        self.assertIn("until_ms", keys["done"])
        self.assertExit(self.place.stint("load", "--data", self.place.path("loaded"), "-", input=dumped.stdout), 0)
        again = subprocess.run([stintd, "--dump", "--data", self.place.path("loaded")], capture_output=True,
                               timeout=60)
        self.assertEqual([line for line in again.stdout.splitlines() if b'"header"' not in line],
                         [line for line in dumped.stdout.splitlines() if b'"header"' not in line])
        self.broker = self.place.broker("--data", self.place.path("loaded"))
        for key, job in (("held", held), ("done", done)):
            self.assertEqual(self.submit("--unique", key)[0], job)
        self.submit("--unique", "free")

    def test_keys_of_a_queue_that_was_removed_do_not_keep_a_dump_from_being_loaded(self):
        done, _ = self.submit("--unique", "done", "--unique-for", "1h", "--keep", "0")
        w = self.place.worker("--handle", "default=cat", "--slots", "1")
        harness.wait_until(lambda: self.place.stats()["succeeded"] == 1, "it is done")
        w.stop()
        self.assertExit(self.place.stint("queue", "rm", "default"), 0)
        self.verify()
        stintd = harness.program("stintd")
        dumped = subprocess.run([stintd, "--dump", "--data", self.place.path("data")], capture_output=True, timeout=60)
        self.assertEqual(dumped.returncode, 0, dumped.stderr)
        self.assertExit(self.place.stint("load", "--data", self.place.path("loaded"), "-", input=dumped.stdout), 0)
        self.broker = self.place.broker("--data", self.place.path("loaded"))
        self.assertNotEqual(self.submit("--unique", "done")[0], done)


if __name__ == "__main__":
    harness.main()
