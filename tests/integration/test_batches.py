"""Batches with real programs: what the command takes and says, counts and callback jobs through kills of the broker, and
that batches go through dump, load and verify."""

import json
import os
import subprocess

import harness
import test_interop


class Batches(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "2s", "--grace", "300ms"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def batch(self, *args, code=0, **kwargs):
        r = self.place.stint("batch", *args, **kwargs)
        self.assertExit(r, code)
        return r

    def new(self, *args):
        return self.batch("new", *args).stdout.strip()

    def submit(self, batch, *args, **kwargs):
        r = self.place.stint("submit", "--batch", batch, *args, **kwargs)
        self.assertExit(r, 0)
        return r.stdout.split()

    def one(self, batch):
        return self.place.json("batch", "show", batch)[0]

    def worker(self, *args):
        return self.place.worker(*args)

    def test_one_is_made_filled_closed_and_waited_for(self):
        b = self.new("--title", "invoices of May", "--keep", "1h")
        self.assertRegex(b, r"^[0-9a-f]{16}$")
        log = self.place.path("log")
        self.assertIn("have succeeded", self.batch("success", b, "-S", "--", f"echo success $STINT_BATCH $STINT_BATCH_JOBS >> {log}").stderr)
        self.assertIn("have ended", self.batch("always", b, "-S", "--", f"echo always $STINT_BATCH_SUCCEEDED >> {log}").stderr)
        ids = self.submit(b, "--each", input="x\n" * 3)
        self.assertEqual(len(ids), 3)
        listed = self.place.json("ls", "--batch", b)
        self.assertEqual({x["id"] for x in listed}, set(ids))
        self.assertEqual({x["batch"] for x in listed}, {b})
        shown = self.one(b)
        self.assertEqual((shown["schema"], shown["state"], shown["title"], shown["jobs"], shown["left"]),
                         ("stint.batch/1", "open", "invoices of May", 3, 3))
        self.assertIn("3 have not ended", self.batch("close", b).stderr)
        self.worker("--exec", "--handle", "default=true", "--slots", "4")
        self.assertIn("3 jobs: 3 succeeded", self.batch("wait", b, "--timeout", "50s").stdout)
        done = self.one(b)
        self.assertExit(self.place.stint("wait", done["success_id"], done["always_id"]), 0)
        with open(log) as f:
            self.assertEqual(sorted(f.read().split("\n")), ["", "always 3", f"success {b} 3"])
        self.assertEqual(self.place.json("show", done["success_id"])[0]["batch_end"], "success")
        self.assertIn("invoices of May", self.batch("ls").stdout)
        r = self.place.stint("submit", "--batch", b, "x")
        self.assertExit(r, 65)
        self.assertIn("the batch is over", r.stderr)

    def test_a_program_that_runs_adds_to_its_batch(self):
        b = self.new()
        r = self.place.stint("run", "--detach", "--batch", b, "--shell", "stint submit --batch $STINT_BATCH more")
        self.assertExit(r, 0)
        self.batch("close", b)
        self.worker("--exec", "--handle", "default=true", "--env", "PATH=" + self.path_with_stint())
        self.assertIn("2 jobs: 2 succeeded", self.batch("wait", b, "--timeout", "50s").stdout)

    @staticmethod
    def path_with_stint():
        return harness.program("stint").rsplit("/", 1)[0] + ":/usr/bin:/bin"

    def test_a_failure_is_an_exit_code_and_no_success(self):
        b = self.new()
        self.batch("success", b, "x")
        self.submit(b, "-a", "1", "x")
        self.batch("close", b)
        self.worker("--handle", "default=false")
        self.assertIn("1 dead", self.batch("wait", b, "--timeout", "50s", code=1).stdout)
        self.assertNotIn("success_id", self.one(b))

    def test_lines_are_a_batch(self):
        r = self.place.stint("submit", "--each", "--as-batch", input="a\nb\nc\n")
        self.assertExit(r, 0)
        b = r.stdout.strip()
        self.assertEqual((self.one(b)["jobs"], self.one(b)["state"]), (3, "closed"))
        self.assertIn("--each", self.place.stint("submit", "--as-batch", "x").stderr)
        for r in (self.place.stint("submit", "--graph", "-", "--as-batch", input="a: b\n"),
                  self.place.stint("submit", "--each", "--as-batch", "--at-end", input="a\n")):
            self.assertExit(r, 64)
            self.assertIn("--as-batch", r.stderr)
        r = self.place.stint("submit", "--each", "--as-batch", "--unique", "{}", input="\na\n")
        self.assertExit(r, 65)
        self.assertIn("stopped at line 1: no jobs are stored", r.stderr)
        self.assertNotIn("sed", r.stderr)
        self.assertRegex(r.stderr, "go on with --batch [0-9a-f]{16} in the place of --as-batch")
        self.assertIn("unique, batch, group", self.place.stint("ls", "--where", "nothing=1").stderr)

    def test_map_and_graphs_are_put_into_one(self):
        b = self.new()
        self.worker("--exec", "--handle", "default=true", "--slots", "2")
        self.assertExit(self.place.stint("map", "--batch", b, "echo", input="1\n2\n3\n"), 0)
        self.submit(b, "--graph", "-", input="eggs: three\npancake eggs: fry it\n")
        self.batch("close", b)
        self.assertIn("5 jobs: 5 succeeded", self.batch("wait", b, "--timeout", "50s").stdout)

    def test_bulk_and_moves_are_about_its_jobs(self):
        b = self.new()
        self.submit(b, "--each", input="x\n" * 40)
        self.place.stint("submit", "--each", input="y\n" * 40)
        self.assertExit(self.place.stint("bulk", "move", "--where", f"batch={b}", "--to", "other", "--yes"), 0)
        self.assertEqual({x["queue"] for x in self.place.json("ls", "--batch", b)}, {"other"})
        self.assertExit(self.place.stint("bulk", "delete", "--where", f"batch={b} queue=other", "--yes"), 0)
        self.assertEqual((self.one(b)["cancelled_jobs"], self.one(b)["left"]), (40, 0))
        self.assertExit(self.place.stint("queue", "rm", "other"), 0)
        self.batch("close", b)
        self.batch("wait", b, code=1)
        self.broker.kill()
        self.place.stintd("--verify")

    def test_cancel_ends_all_of_it(self):
        b = self.new()
        self.submit(b, "--each", input="x\n" * 3000)
        self.assertIn("is cancelled: 3000 jobs, 0 have not ended", self.batch("cancel", b).stderr)
        self.assertEqual(self.one(b)["cancelled_jobs"], 3000)
        self.batch("wait", b, code=1)
        self.assertExit(self.place.stint("submit", "--batch", b, "x"), 65)

    def test_what_is_wrong_is_said(self):
        self.batch(code=64)
        self.batch("show", "7", code=64)
        self.batch("close", code=64)
        for verb in ("show", "close", "wait", "cancel", "success", "always"):
            self.assertIn("no such batch", self.batch(verb, "0000000000000007", code=66).stderr)
        r = self.place.stint("submit", "--batch", "0000000000000007", "x")
        self.assertExit(r, 66)
        self.batch("wait", self.new(), "--timeout", "300ms", code=124)
        self.assertIn("open", self.batch("ls").stdout)

    def test_options_without_effect_are_refused_and_a_list_is_of_a_queue(self):
        b, other = self.new("-q", "one"), self.new("-q", "two")
        self.assertEqual([x["batch"] for x in self.place.json("batch", "ls", "-q", "two")], [other])
        self.assertIn("there are no batches of queue three", self.batch("ls", "-q", "three").stderr)
        for args, option in ((["new", "--kind", "x"], "kind"), (["new", "--in", "3s"], "in"), (["new", "-f", "x"], "file"),
                             (["ls", "-p", "3"], "priority"), (["show", b, "--timeout", "1s"], "timeout"),
                             (["wait", b, "-q", "one"], "queue"), (["cancel", b, "--exec"], "exec"),
                             (["success", b, "-Q", "x"], "quiet")):
            self.assertIn(f"--{option} has no effect with {args[0]}", self.batch(*args, code=64).stderr)
        self.assertEqual(len(self.place.json("batch", "ls")), 2)
        for option, args in (("null", ["-0"]), ("file", ["-f", "x"]), ("unique", ["--unique", "x"]),
                             ("after", ["--after", "0.1.100.7"])):
            r = self.place.stint("submit", "--graph", "-", *args, input="a: b\n")
            self.assertExit(r, 64)
            self.assertIn(f"--{option}", r.stderr)

    def test_an_id_that_no_batch_can_have_is_told_from_one_that_is_none(self):
        for args, code in ((["batch", "show", "f" * 16], 64), (["submit", "--batch", "f" * 16, "x"], 64),
                           (["ls", "--where", "batch=" + "f" * 16], 65)):
            r = self.place.stint(*args)
            self.assertExit(r, code)
            self.assertIn("1fffffffffffffff", r.stderr)
        self.assertIn("16 digits", self.batch("show", "7", code=64).stderr)

    def test_a_batch_that_is_gone_is_not_said_to_be_open(self):
        submit = subprocess.Popen([harness.program("stint"), "submit", "-e", self.place.endpoint, "--each", "--as-batch"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(submit.kill)
        b = harness.wait_until(lambda: self.place.json("batch", "ls"), "it is made")[0]["batch"]
        self.broker.kill()
        os.rename(self.place.path("data"), self.place.path("former"))
        self.broker = self.place.broker(*self.options)
        said = submit.communicate("x\n", timeout=harness.DEADLINE_S)[1]
        self.assertEqual(submit.returncode, 66, said)
        self.assertIn("no such batch", said)
        self.assertNotIn(f"the batch {b} is there", said)

    def test_kills_lose_no_count_and_make_no_second_job(self):
        """The broker is killed again and again while batches end: each has one job for success and one always."""
        self.worker("--handle", "default=true", "--slots", "8")
        batches = []
        for n in range(12):
            b = self.new()
            self.batch("success", b, "-q", "made", "s")
            self.batch("always", b, "-q", "made", "a")
            self.submit(b, "--each", input="x\n" * 5)
            batches.append(b)
            self.batch("close", b)
            self.broker.kill()
            self.broker = self.place.broker(*self.options)
        for b in batches:
            self.assertIn("5 jobs: 5 succeeded", self.batch("wait", b, "--timeout", "50s").stdout)
        made = self.place.json("ls", "-q", "made", "--limit", "0")
        for b in batches:
            self.assertEqual(sorted(x["batch_end"] for x in made if x["batch"] == b), ["always", "success"])
        self.assertEqual(len(made), 24)
        self.broker.kill()
        self.place.stintd("--verify")

    def test_they_go_through_dump_load_and_verify(self):
        b, c, d = self.new("--title", "kept"), self.new(), self.new()
        self.batch("success", b, "s")
        self.batch("always", c, "-q", "other", "a")
        for x in (b, c, d):
            self.submit(x, "--each", input="x\ny\n")
        self.batch("close", b)
        self.batch("cancel", c)
        before = self.place.json("batch", "ls")
        self.broker.kill()
        dump = self.place.dump_and_load()
        lines = [json.loads(line) for line in dump.splitlines()]
        self.assertEqual(len([o for o in lines if o["type"] == "batch"]), 3)
        # A job whose line is lost has ended badly, which may be the end of its batch.
        members = [o for o in lines if o["type"] == "job" and o.get("batch") == int(b, 16)]
        for lost, over in ((members[:1], False), (members, True)):
            where = f"lost-{len(lost)}"
            rest = "".join(json.dumps(o) + "\n" for o in lines if o not in lost)
            self.assertExit(self.place.stint("load", "--data", self.place.path(where), "-", input=rest), 0)
            self.place.stintd("--verify", data=where)
            row = next(o for o in map(json.loads, self.place.stintd("--dump", data=where).splitlines())
                       if o["type"] == "batch" and o["batch"] == int(b, 16))
            self.assertEqual((row["dead"], "settled_ms" in row, "owes_success" in row), (len(lost), over, False))
        self.broker = self.place.broker("--data", self.place.path("loaded"), *self.options)
        self.assertEqual(self.place.json("batch", "ls"), before)
        self.batch("cancel", b)
        self.assertEqual(self.one(b)["cancelled_jobs"], 2)
        for change in ({"jobs": 1}, {"dead": 9}, {"batch": 0}, {"success": "no job"}, {"queue": ""}):
            bad = [json.dumps({**o, **change}) if o.get("type") == "batch" and o["batch"] == int(b, 16) else json.dumps(o)
                   for o in lines]
            r = self.place.stint("load", "--data", self.place.path("bad"), "-", input="\n".join(bad) + "\n")
            self.assertNotEqual(r.returncode, 0, change)


class Older(harness.Case):
    """A broker that can do all but that."""

    def test_nothing_is_sent_to_it_and_the_command_says_why(self):
        for words in (["batch", "ls"], ["batch", "new"], ["submit", "--batch", "0000000000000007", "x"]):
            code, said, heard = test_interop.told_by_older(self, "batches", *words)
            self.assertFalse({16, 85, 86} & set(heard))
            self.assertIn("too old for batches", said)
            self.assertEqual(code, 76)


if __name__ == "__main__":
    harness.main()
