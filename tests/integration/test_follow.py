"""What a job writes on standard error, as people follow it while it runs: from where it stands, through retries, over
broken connections of everybody, and at no cost for those whom nobody follows."""

import json
import subprocess
import time

import harness


class Follow(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "5s", "--grace", "3s"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def start(self, script, *args):
        r = self.place.stint("run", "--detach", *args, "-S", "--", script)
        self.assertExit(r, 0)
        return r.stdout.strip()

    def release(self, name="go"):
        with open(self.place.path(name), "w"):
            pass

    def until(self, name="go"):
        return f"while [ ! -e {self.place.path(name)} ]; do sleep 0.05; done"

    def follow(self, job, *options):
        p = subprocess.Popen([harness.program("stint"), "--endpoint", self.place.endpoint, "follow", *options, job],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        self.addCleanup(p.kill)
        return p

    def end(self, p, code):
        out, err = p.communicate(timeout=harness.DEADLINE_S)
        self.assertEqual(p.returncode, code, out + err)
        return out, err

    def test_from_where_it_stands_to_its_end(self):
        self.place.worker("--exec", "--slots", "2")
        job = self.start(f"echo first >&2; echo result; {self.until()}; printf 'last\\n' >&2")
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs")
        followers = [self.follow(job) for _ in range(3)]
        for p in followers:
            self.assertEqual(p.stdout.readline(), "first\n")
        self.release()
        for p in followers:
            self.assertEqual(self.end(p, 0), ("last\n", f"stint follow: run 1\nstint follow: {job} is succeeded\n"))
        self.assertEqual(self.end(self.follow(job), 0), ("", f"stint follow: {job} is succeeded\n"))

    def test_one_that_waits_and_is_tried_again(self):
        job = self.start(f"echo run $STINT_JOB_ATTEMPT >&2; {self.until()}; printf end >&2; exit 3", "--attempts", "2",
                         "--backoff", "10ms", "--in", "300ms")
        p = self.follow(job)
        self.place.worker("--exec")
        self.assertEqual(p.stdout.readline(), "run 1\n")
        self.release()
        out, err = self.end(p, 1)
        self.assertEqual(out, "end\nrun 2\nend\n")
        self.assertEqual(err, f"stint follow: run 1\nstint follow: run 2\nstint follow: {job} is dead: exit status 3\n")

    def test_of_too_much_some_is_left_out_and_that_is_said(self):
        self.place.worker("--exec")
        job = self.start(f"head -c 100000 /dev/zero | tr '\\0' x >&2; {self.until()}; "
                         "head -c 1000000 /dev/zero | tr '\\0' y >&2; sleep 0.5; echo end >&2")
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs")
        time.sleep(0.5)
        p = self.follow(job, "--json")
        first = json.loads(p.stdout.readline())
        self.assertEqual((first["schema"], first["attempt"], first["text"]), ("stint.output/1", 1, "x" * 4096))
        self.assertEqual(first["left_out"], 100000 - 4096)
        self.release()
        pieces = [json.loads(line) for line in self.end(p, 0)[0].splitlines()]
        self.assertEqual(pieces.pop()["state"], "succeeded")
        self.assertTrue(pieces[-1]["text"].endswith("end\n"))
        heard = sum(len(o["text"]) + o["left_out"] for o in [first, *pieces])
        self.assertEqual(heard, 1100000 + len("end\n"))
        self.assertLess(max(len(o["text"]) for o in pieces), 65537)

    def test_it_goes_on_when_the_broker_or_the_worker_was_cut_off(self):
        self.place.worker("--exec")
        job = self.start(f"echo one >&2; {self.until('a')}; echo two >&2; {self.until('b')}; echo three >&2; {self.until()}")
        p = self.follow(job)
        self.assertEqual(p.stdout.readline(), "one\n")
        self.broker.kill()
        self.release("a")
        self.broker = self.place.broker(*self.options)
        self.assertEqual(p.stdout.readline(), "two\n")
        self.release("b")
        self.assertEqual(p.stdout.readline(), "three\n")
        self.release()
        self.assertEqual(self.end(p, 0)[0], "")

    def test_what_there_is_not_is_said(self):
        r = self.place.stint("follow", "0.99.100.1")
        self.assertExit(r, 66)
        self.assertExit(self.place.stint("follow", "x"), 64)
        self.assertExit(self.place.stint("follow"), 64)
        job = self.start("true")
        p = self.follow(job)
        time.sleep(0.3)
        self.assertExit(self.place.stint("cancel", job), 0)
        self.assertIn("is cancelled", self.end(p, 1)[1])


if __name__ == "__main__":
    harness.main()
