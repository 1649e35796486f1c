"""Jobs that wait for others with real programs: what the command takes and says, what a program is told, that a graph is
stored as a whole or not at all however the broker is killed, and that it goes through dump, load and verify."""

import random
import subprocess
import time

import harness
import peer
import test_interop

ROOT = b"root"


def graph(layers, width):
    """Jobs in layers, each after all of the one before, as elements of a SUBMIT; the last joins them."""
    jobs = [ROOT]
    before = [0]
    for _ in range(layers):
        here = []
        for _ in range(width):
            here.append(len(jobs))
            jobs.append({3: b"x", 18: before})
        before = here
    jobs.append({3: b"last", 18: before})
    return jobs


class After(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "2s", "--grace", "300ms"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def submit(self, *options, code=0):
        r = self.place.stint("submit", *options, "x")
        self.assertExit(r, code)
        return r.stdout.strip() if code == 0 else r.stderr

    def until(self, job, state):
        harness.wait_until(lambda: self.place.state(job) == state, f"{job} is {state}")

    def test_it_waits_is_seen_everywhere_and_runs(self):
        first, second = self.submit("-q", "one"), self.submit("-q", "one")
        job = self.submit("-q", "two", "--after", f"{first},{second}", "--after", first)
        any_end = self.submit("-q", "two", "--after", job, "--after-any")
        shown = self.place.json("show", job)[0]
        self.assertEqual((shown["state"], shown["after"]), ("blocked", 2))
        self.assertNotIn("after_end", shown)
        self.assertEqual(shown["parents"], [first, second])
        self.assertRegex(self.place.stint("show", job).stdout, rf"(?m)^parents +{first} {second}$")
        self.assertEqual(self.place.json("show", any_end)[0]["after_end"], "any")
        self.assertRegex(self.place.stint("show", any_end).stdout, r"(?m)^after_end +any$")
        self.assertEqual({j["id"] for j in self.place.json("ls", "--states", "blocked")}, {job, any_end})
        self.assertEqual(len(self.place.json("ls", "--where", "state=blocked queue=two")), 2)
        self.assertEqual(self.place.stint("why", job).stdout, "it waits until 2 other jobs have ended\n")
        self.assertIn("all that waits in it waits for other jobs", self.place.stint("why", "--queue", "two").stdout)
        self.assertEqual(self.place.stats()["jobs"]["blocked"], 2)
        self.assertIn('state="blocked"} 2', self.place.stint("stats", "--format", "openmetrics").stdout)
        self.place.worker("--queue", "one", "--handle", "default=true")
        self.until(job, "ready")
        self.assertEqual(self.place.json("show", any_end)[0]["after"], 1)
        self.assertExit(self.place.stint("cancel", job), 0)
        self.until(any_end, "ready")
        self.assertIn("there is no such job", self.submit("--after", "0.77.100.1", code=66))
        for wrong in ("x", "", f"{first},", f",{first}", "1.2.3"):
            self.submit(f"--after={wrong}", code=64)
        self.submit("--after-any", code=64)

    def test_a_failure_cancels_what_is_after_it_and_run_says_so(self):
        bad = self.submit("--kind", "bad", "--attempts", "1")
        child = self.submit("--after", bad)
        grandchild = self.submit("--after", child)
        settled = self.submit("--after", bad, "--after-any", "--kind", "good")
        self.place.worker("--handle", "bad=false", "--handle", "good=true")
        self.until(grandchild, "cancelled")
        self.assertIn(f"has not succeeded: {bad}", self.place.json("show", child)[0]["error"])
        self.assertIn(f"has not succeeded: {child}", self.place.json("show", grandchild)[0]["error"])
        self.until(settled, "succeeded")
        r = self.place.stint("run", "--after", bad, "true")
        self.assertExit(r, 1)
        self.assertIn("cancelled: it was to run after", r.stderr)
        self.assertExit(self.place.stint("retry", bad), 0)
        self.until(bad, "dead")
        self.assertEqual(self.place.state(child), "cancelled")
        self.assertExit(self.place.stint("bulk", "retry", "--yes", "--where", "state=cancelled"), 0)
        self.until(child, "ready")

    def test_a_graph_in_a_file(self):
        text = "# the bread\n\nflour: 1 kg\nwater:\ndough flour water: knead: well\n\tbread dough flour:bake\n"
        r = self.place.stint("submit", "--graph", "-", "-q", "kitchen", input=text)
        self.assertExit(r, 0)
        flour, water, dough, bread = r.stdout.split()
        shown = [self.place.json("show", job)[0] for job in (flour, water, dough, bread)]
        self.assertEqual([s.get("after", 0) for s in shown], [0, 0, 2, 2])
        self.assertEqual([s.get("payload_bytes", 0) for s in shown], [4, 0, 11, 4])
        before = self.place.stats()["jobs"]
        for wrong, told in (("a b: x", "no line before it is called b"), ("a: x\na: y", "two lines with this name: a"),
                            ("a x", "NAME [PARENT...]: PAYLOAD"), (" : x", "name is missing"), ("a a: x", "called a"),
                            ("\n".join(f"j{i}: x" for i in range(4097)), "at most 4096"),
                            ("a: " + "x" * (4 << 20) + "\nb: y", "4 MiB")):
            r = self.place.stint("submit", "--graph", "-", input=wrong)
            self.assertExit(r, 65)
            self.assertIn(told, r.stderr)
        self.assertEqual(self.place.stats()["jobs"], before)
        for more in (("x",), ("--each",), ("--after", flour), ("--unique", "k"), ("--object",)):
            self.assertExit(self.place.stint("submit", "--graph", "-", *more, input="a: x"), 64)
        self.assertExit(self.place.stint("submit", "--graph", self.place.path("nothing")), 66)
        self.assertExit(self.place.stint("submit", "--graph", "-", input=""), 0)
        wide = "root: x\n" + "".join(f"j{i} root: x\n" for i in range(1000)) + \
            "join " + " ".join(f"j{i}" for i in range(1000)) + ": x\n"
        r = self.place.stint("submit", "--graph", "-", input=wide)
        self.assertExit(r, 0)
        self.place.worker("--handle", "default=true", "--slots", "4")
        self.until(r.stdout.split()[-1], "succeeded")

    def test_a_program_asks_for_the_results_of_those_that_it_was_after(self):
        self.place.worker("--exec", "--slots", "2", "--env", "PATH=" + self.path_with_stint())
        parents = [self.place.stint("run", "--detach", "echo", word).stdout.strip() for word in ("hello", "world")]
        r = self.place.stint("run", "--after", ",".join(parents), "--shell", "for id in $STINT_AFTER; do stint result $id; done")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "hello\nworld\n")
        r = self.place.stint("run", "--shell", "echo ${STINT_AFTER-none}")
        self.assertEqual(r.stdout, "none\n")

    @staticmethod
    def path_with_stint():
        return harness.program("stint").rsplit("/", 1)[0] + ":/usr/bin:/bin"

    def test_a_graph_is_stored_as_a_whole_or_not_at_all_whatever_kill_comes(self):
        jobs = graph(20, 20)
        chance = random.Random(4711)
        wholes = 0
        for _ in range(12):
            before = sum(self.place.stats()["jobs"].values())
            client = peer.Client(self.place.endpoint)
            client.socket.send(client.submission_frame(jobs))
            time.sleep(chance.random() * 0.03)
            self.broker.kill()
            self.broker = self.place.broker(*self.options)
            stored = sum(self.place.stats()["jobs"].values()) - before
            self.assertIn(stored, (0, len(jobs)))
            wholes += stored > 0
            self.assertEqual(self.place.stats()["jobs"]["blocked"], wholes * (len(jobs) - 1))
            client.close()
        self.broker.kill()
        self.place.stintd("--verify")
        self.broker = self.place.broker(*self.options)
        self.place.worker("--handle", "default=true", "--slots", "8")
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] == wholes * len(jobs), "all have run", 120)

    def test_a_graph_ends_through_kills_of_the_broker(self):
        client = peer.Client(self.place.endpoint)
        ids = client.submit(graph(10, 20))
        self.place.worker("--handle", "default=true", "--slots", "4")
        for _ in range(4):
            time.sleep(0.3)
            self.broker.kill()
            self.broker = self.place.broker(*self.options)
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] == len(ids), "all have run", 120)
        self.assertEqual(self.place.stats()["jobs"]["blocked"], 0)
        self.broker.kill()
        self.assertIn("blocked    0", self.place.stintd("--verify"))
        self.broker = self.place.broker(*self.options)

    def test_very_many_are_cancelled_with_one_through_kills_of_the_broker(self):
        root = self.submit("-q", "nobody")
        lines = "x\n" * 20000
        self.assertExit(self.place.stint("submit", "--each", "--after", root, input=lines), 0)
        self.assertEqual(self.place.stats()["jobs"]["blocked"], 20000)
        cancelling = subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, "cancel", root])
        time.sleep(0.02)
        self.broker.kill()
        self.broker = self.place.broker(*self.options)
        self.assertEqual(cancelling.wait(60), 0)
        harness.wait_until(lambda: self.place.stats()["jobs"]["cancelled"] == 20001, "all are cancelled", 120)
        self.assertEqual(self.broker.stop(), 0)
        self.place.stintd("--verify")
        self.broker = self.place.broker(*self.options)

    def test_it_goes_through_dump_load_and_verify(self):
        first, second = self.submit("-q", "one"), self.submit("-q", "one")
        self.assertExit(self.place.stint("change", "--queue", "moved", second), 0)
        blocked = self.submit("--after", f"{first},{second}", "--in", "1ms")
        over = self.submit("--after", first, "-p", "7")
        self.assertExit(self.place.stint("cancel", over), 0)
        last = self.submit("--after", blocked, "--after-any", "--expires", "1h")
        self.assertEqual(self.broker.stop(), 0)
        dump = self.place.dump_and_load()
        # One that has ended, and whose followers are to be told.
        ended = f'{{"type":"ended","id":"{first}","state":"expired"}}'
        told = dump.replace('{"type":"end"}', ended + '\n{"type":"end"}')
        self.assertExit(self.place.stint("load", "--data", self.place.path("told"), "-", input=told), 0)
        self.place.stintd("--verify", data="told")
        self.assertIn(ended, self.place.stintd("--dump", data="told").splitlines())
        for wrong in ("ready", "blocked", "gone"):
            r = self.place.stint("load", "--data", self.place.path("wrong"), "-", input=told.replace('"expired"}', f'"{wrong}"}}'))
            self.assertNotEqual(r.returncode, 0)
        # One whose line is missing has not succeeded, for those who wait for it.
        cut = "\n".join(line for line in dump.splitlines() if f'"id":"{first}"' not in line)
        self.assertExit(self.place.stint("load", "--data", self.place.path("cut"), "-", input=cut), 0)
        self.place.stintd("--verify", data="cut")
        cut_off = self.place.broker("--data", self.place.path("cut"))
        self.until(blocked, "cancelled")
        self.until(last, "ready")
        self.assertEqual(cut_off.stop(), 0)
        self.broker = self.place.broker("--data", self.place.path("loaded"))
        self.assertEqual((self.place.state(blocked), self.place.state(last)), ("blocked", "blocked"))
        self.place.worker("--queue", "one", "--queue", "moved", "--queue", "default", "--handle", "default=true")
        self.until(last, "succeeded")

    def test_a_broken_line_of_a_dump_is_refused(self):
        first = self.submit()
        job = self.submit("--after", first)
        self.assertEqual(self.broker.stop(), 0)
        dump = self.place.stintd("--dump")
        for old, new in (('"after_left":1', '"after_left":2'), (f'"waits_for":["{first}"]', '"waits_for":["0.1.2"]'),
                         (f'"waits_for":["{first}"]', f'"waits_for":["{job}"]'), (f'"after":["{first}"]', '"after":[]'),
                         (',"state":"blocked"', ',"state":"ready"')):
            self.assertIn(old, dump)
            r = self.place.stint("load", "--data", self.place.path("loaded"), "-", input=dump.replace(old, new))
            self.assertNotEqual(r.returncode, 0, new)
        self.broker = self.place.broker(*self.options)


class Older(harness.Case):
    """A broker that can do all but that."""

    def test_nothing_is_sent_to_it_and_the_command_says_why(self):
        code, said, heard = test_interop.told_by_older(self, "after", "submit", "--after", "0.1.100.1", "x")
        self.assertNotIn(peer.SUBMIT, heard)
        self.assertIn("too old for jobs that wait for others", said)
        self.assertEqual(code, 76)


if __name__ == "__main__":
    harness.main()
