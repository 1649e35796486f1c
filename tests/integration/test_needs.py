"""Jobs that need labels and amounts, with real programs: who runs them, what is told of it, that no worker ever runs more
than it has through kills of the broker, that a large one gets its room, and that it goes through dump, load and verify."""

import subprocess
import time

import harness
import peer
import test_interop


class Needs(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "2s", "--grace", "1s"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def submit(self, *options, payload="x", code=0):
        r = self.place.stint("submit", *options, payload)
        self.assertExit(r, code)
        return r.stdout.strip() if code == 0 else r.stderr

    def until(self, job, state, **how):
        harness.wait_until(lambda: self.place.state(job) == state, f"{job} is {state}", **how)

    def worker(self, name, *options):
        return self.place.worker("--name", name, *options)

    def why(self, *what):
        return self.place.json("why", *what)[0]

    def test_it_is_told_everywhere_and_runs_where_it_can(self):
        job = self.submit("--needs", "mem=0.5G,zone=a gpu=1")
        self.assertEqual(self.place.json("show", job)[0]["needs"], "gpu=1 mem=512M zone=a")
        self.assertRegex(self.place.stint("show", job).stdout, r"(?m)^needs +gpu=1 mem=512M zone=a$")
        self.worker("plain", "--handle", "default=false", "--has", "gpu=1")
        harness.wait_until(lambda: self.why(job)["reason"] == "needs", "nobody has it")
        self.assertIn("which none of the 1 worker for it has", self.place.stint("why", job).stdout)
        self.assertIn("--has 'gpu=1 mem=512M zone=a'", self.place.stint("why", "--queue", "default").stdout)
        script = self.place.script('echo "$STINT_NEEDS"')
        self.worker("some", "--handle", f"default={script}", "--has", "gpu=1 mem=1G zone=a cpus=3")
        self.until(job, "succeeded")
        self.assertEqual(self.place.stint("result", job).stdout, "gpu=1 mem=512M zone=a\n")
        by_name = {w["name"]: w for w in self.place.json("workers")}
        self.assertEqual(by_name["some"]["has"], "cpus=3 gpu=1 mem=1G zone=a")
        self.assertRegex(by_name["plain"]["has"], r"^cpus=[0-9.]+K? gpu=1 mem=[0-9]+[GM]$")
        self.assertNotIn("taken", by_name["some"])
        for wrong in ("", " ", "gpu=", "gpu=-1", "gpu=0", "a b=c=d", "cpus=1 cpus=2"):
            code = 64 if not wrong.strip() else 65
            self.submit("--needs", wrong, code=code)
        r = self.place.stint("submit", "--each", "--needs", "ssd", input="a\nb\n")
        self.assertExit(r, 0)
        ssd = set(r.stdout.split())
        self.assertEqual({self.place.json("show", j)[0]["needs"] for j in ssd}, {"ssd"})
        plain = self.place.stint("submit", "--in", "1h", "x").stdout.strip()
        for where, ids in (("needs=ssd", ssd), ("needs=s*", ssd), ("needs~SD", ssd), ('needs=""', {plain}),
                           ('needs!="" state=ready', ssd), ("needs=gpu", set())):
            self.assertEqual({j["id"] for j in self.place.json("ls", "--where", where)}, ids, where)
        self.assertExit(self.place.stint("ls", "--where", "needs<4"), 65)
        self.assertExit(self.place.stint("bulk", "cancel", "--where", "needs=ssd", "--yes"), 0)
        self.assertEqual({self.place.json("show", j)[0]["state"] for j in ssd}, {"cancelled"})

    def test_who_waits_for_it_is_told_that_nobody_has_it(self):
        self.worker("plain", "--exec", "--slots", "2")
        for verb, needs in (("run", "gpu"), ("map", "gpu=1")):
            p = subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, verb, "--needs", needs, "echo"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if verb == "map":
                p.stdin.write("x\n")
            p.stdin.close()
            said = p.stderr.readline()
            self.assertIn(f"{needs}, which none of", said)
            worker = self.worker("able", "--exec", "--has", needs)
            self.assertEqual(p.wait(60), 0)
            p.stdout.close()
            p.stderr.close()
            worker.stop()

    def most(self, log):
        """The most of each amount that ran at a time, as programs have noted it."""
        running, most = {}, {}
        with open(log) as f:
            for line in f:
                amount, worker = line[1:].split()
                running[worker] = running.get(worker, 0) + (1 if line[0] == "+" else -1) * int(amount)
                most[worker] = max(most.get(worker, 0), running[worker])
        self.assertEqual(set(running.values()), {0})
        return most

    def test_no_worker_runs_more_than_it_has_however_the_broker_is_killed(self):
        log = self.place.path("log")
        script = self.place.script('cpus=${STINT_NEEDS#cpus=}; echo "+$cpus $STINT_JOB_WORKER" >> %s; sleep 0.0$cpus; '
                                   'echo "-$cpus $STINT_JOB_WORKER" >> %s' % (log, log))
        for name, cpus in (("one", 4), ("two", 2)):
            self.worker(name, "--handle", f"default={script}", "--slots", "6", "--has", f"cpus={cpus}")
        for needs in ("cpus=1", "cpus=2", "cpus=4", "cpus=1"):
            r = self.place.stint("submit", "--each", "--needs", needs, input="x\n" * 40)
            self.assertExit(r, 0)
        for _ in range(4):
            time.sleep(0.4)
            self.broker.kill()
            self.broker = self.place.broker(*self.options)
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] == 160, "all have run", 120)
        most = self.most(log)
        self.assertLessEqual(most["one"], 4)
        self.assertLessEqual(most["two"], 2)

    def test_a_large_one_gets_its_room_among_small_ones(self):
        self.worker("one", "--shell", "default=sleep 0.2", "--slots", "4", "--has", "cpus=2")
        self.assertExit(self.place.stint("submit", "--each", "--needs", "cpus=1", input="x\n" * 200), 0)
        large = self.submit("--needs", "cpus=2", "--priority", "100")
        first = self.submit("--needs", "cpus=2", "--priority", "200")
        self.until(first, "succeeded", deadline_s=60)
        self.assertEqual(self.place.state(large), "ready") # it came behind them
        self.assertGreater(self.place.stats()["jobs"]["ready"], 50)

    def test_what_a_worker_has_is_checked_and_its_labels_count(self):
        for wrong in ("gpu=x=y", "cpus=1 cpus=2", "cpus=-1"):
            worker = self.place.worker("--exec", "--has", wrong)
            harness.wait_until(lambda worker=worker: not worker.running(), "it has ended")
            self.assertIn("--has", worker.log())
        job = self.submit("--needs", "fast", "-q", "quick")
        self.worker("fast", "--queue", "quick", "--label", "fast", "--handle", "default=true")
        self.until(job, "succeeded")

    def test_it_goes_through_dump_load_and_verify_and_stays_with_what_becomes_of_the_job(self):
        job = self.submit("--needs", "gpu=1 ssd", "-q", "one")
        self.assertExit(self.place.stint("change", "--queue", "two", "--priority", "7", job), 0)
        self.assertEqual(self.place.json("show", job)[0]["needs"], "gpu=1 ssd")
        bad = self.submit("--needs", "disk", "--attempts", "1", "-q", "bad")
        worker = self.worker("bad", "--queue", "bad", "--handle", "default=false", "--has", "disk")
        self.until(bad, "dead")
        worker.stop()
        self.assertExit(self.place.stint("retry", bad), 0)
        self.assertEqual(self.place.json("show", bad)[0]["needs"], "disk")
        self.assertExit(self.place.stint("schedule", "set", "nightly", "--cron", "0 0 1 1 *", "--needs", "gpu=2", "x"), 0)
        self.assertEqual(self.place.json("schedule", "show", "nightly")[0]["job"]["needs"], "gpu=2")
        made = self.place.stint("schedule", "run", "nightly").stdout.strip()
        self.assertEqual(self.place.json("show", made)[0]["needs"], "gpu=2")
        self.broker.stop()
        self.assertIn('"needs": "gpu=1 ssd"', self.place.dump_and_load().replace('"needs":"', '"needs": "'))
        bad = self.place.stintd("--dump").replace("gpu=1 ssd", "ssd gpu=1")
        r = self.place.stint("load", "--data", self.place.path("other"), "-", input=bad)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("needs are no labels and amounts in their order", r.stderr)
        self.broker = self.place.broker(*self.options)
        self.assertEqual(self.place.json("show", job)[0]["needs"], "gpu=1 ssd")
        self.worker("able", "--queue", "two", "--has", "gpu=1", "--label", "ssd", "--handle", "default=true")
        self.until(job, "succeeded")

    def test_a_queue_of_very_many_needs_takes_no_more_of_them_for_now(self):
        client = peer.Client(self.place.endpoint)
        client.submit([b"x"])
        client.submit([{3: b"x", 26: f"label.{i}"} for i in range(256)])
        r = self.place.stint("submit", "--needs", "another", "--no-wait", "x")
        self.assertExit(r, 75)
        self.assertIn("need at most so many different things, 256", r.stderr)
        self.assertExit(self.place.stint("submit", "--needs", "label.17", "--no-wait", "x"), 0)
        self.assertExit(self.place.stint("submit", "--needs", "another", "-q", "other", "--no-wait", "x"), 0)
        client.close()


class AnOlderBroker(harness.Case):
    """A broker that can do all but that."""

    def test_nothing_is_sent_to_it_and_the_command_says_why(self):
        code, said, heard = test_interop.told_by_older(self, "needs", "submit", "--needs", "gpu", "x")
        self.assertNotIn(peer.SUBMIT, heard)
        self.assertIn("too old for jobs that need something", said)
        self.assertEqual(code, 76)


if __name__ == "__main__":
    harness.main()
