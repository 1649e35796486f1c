"""Options of the command: what is ignored nowhere, letters, JSON, tables, completion."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import harness


class Options(harness.Case):
    def usage(self, *args, **kwargs):
        r = self.place.stint(*args, endpoint=False, **kwargs)
        self.assertExit(r, 64)
        return r.stderr

    def running(self):
        self.place.broker()
        self.place.worker("--exec", "--handle", "echo=cat", "--slots", "2", "--queue", "default",
                          "--queue", "q")

    def test_nothing_is_ignored_in_silence(self):
        for args, named in ((["queues", "extra"], "extra"), (["ping", "extra"], "extra"),
                            (["map", "-P", "4", "echo"], "--slots"),
                            (["map", "-L", "w", "-P", "-3", "echo"], "--slots=-3"),
                            (["ls", "-n", "-5"], "--limit=-5"), (["ls", "-n", "3x"], "--limit=3x"),
                            (["events", "-n", "x"], "--limit=x"),
                            (["peek", "q", "--offset", "-1"], " --offset=-1"), (["peek", "q", "-n", "x"], " --limit=x"),
                            (["submit", "-a", "0", "x"], "--attempts=0"),
                            (["submit", "-p", "256", "x"], "--priority=256"),
                            (["submit", "--backoff", "0", "x"], "--backoff=0"),
                            (["submit", "--timeout", "soon", "x"], "--timeout=soon"),
                            (["submit", "-0", "x"], "--null"),
                            (["submit", "x", "y"], "one payload"),
                            (["map", "--retry-failed", "echo"], "--retry-failed"),
                            (["map", "--backoff", "1s", "echo"], "--backoff"),
                            (["map", "--tag", "-j", "echo"], "--tag"),
                            (["map", "--halt", "later", "echo"], "--halt=later"),
                            (["map", "--stdin", "-", "cat"], "--stdin"),
                            (["map", "-N", "0", "echo"], "--max-args=0"),
                            (["map", "-i", "x", "echo", ":::", "a"], "--input"),
                            (["map", "echo", ":::", "a", "::::", "b"], "::::"),
                            (["run", "--detach", "-L", "w", "true"], "--detach"),
                            (["run", "--kind", "k", "true"], "--kind k"),
                            (["--broker-timeout", "0", "ping"], "--broker-timeout=0"),
                            (["bench", "-n", "0"], "--jobs=0"), (["bench", "--payload", "x"], "--payload=x"),
                            (["worker"], "resize"), (["worker", "nonsense", "x"], "nonsense"),
                            (["worker", "pause"], "--all"), (["worker", "pause", "x", "y"], "y"),
                            (["worker", "pause", "--all", "x"], "x"), (["worker", "resize", "x"], "how many"),
                            (["worker", "pause", "--all", "--label", "l"], "--label"),
                            (["worker", "resize", "x", "many"], "many"), (["worker", "show"], "name"),
                            (["worker", "show", "--all"], "name"), (["fleet"], "size"),
                            (["queue"], "resume"), (["why"], "which job"),
                            (["key"], "revoke"), (["key", "nonsense"], "nonsense"), (["key", "new"], "which name"),
                            (["key", "list", "x"], "x"), (["key", "show", "f", "--out", "d"], "--out"),
                            (["take", "x"], "x"), (["settle"], "ticket"), (["settle", "x"], "x"),
                            (["fleet", "size", "-1"], "-1"), (["fleet", "size", "1", "2"], "2"),
                            (["fleet", "scale"], "which command"), (["fleet", "scale", "--every", "1s", "--once", "--", "true"], "--once"),
                            (["fleet", "scale", "--every", "10ms", "--", "true"], "--every"),
                            (["fleet", "scale", "--every", "often", "--", "true"], "--every=often"),
                            (["fleet", "scale", "--timeout", "0", "--", "true"], "--timeout"),
                            (["fleet", "scale", "--now", "--", "true"], "--every"),
                            (["fleet", "size", "--once"], "size"), (["fleet", "status", "-q", "q", "f"], "scale"),
                            (["ls", "--nonsense"], "--nonsense"), (["--nonsense"], "--nonsense"),
                            (["nonsense"], "nonsense"), (["map"], "which command"), (["run"], "which command")):
            with self.subTest(args=args):
                self.assertIn(named, self.usage(*args, input=""))

    def test_keep_order_of_parallel_is_not_taken_for_a_command(self):
        self.assertIn("to keep the order of input, leave -k out", self.usage("map", "-k", "echo", "{}"))

    def test_options_of_all_verbs_stand_before_the_verb_and_after_it(self):
        self.running()
        for args in (["-e", self.place.endpoint, "-j", "ping"], ["ping", "-j", "-e", self.place.endpoint],
                     ["--json", "ping", f"--endpoint={self.place.endpoint}"]):
            r = self.place.stint(*args, endpoint=False)
            self.assertExit(r, 0)
            self.assertEqual(json.loads(r.stdout)["schema"], "stint.ping/1")

    def test_help_is_everywhere(self):
        verbs = self.place.stint("--words", endpoint=False).stdout.split()
        for verb in verbs:
            told = {self.place.stint(*args, endpoint=False).stdout
                    for args in ([verb, "-h"], [verb, "--help"], ["help", verb], ["-h", verb])}
            self.assertEqual(len(told), 1)
            self.assertIn(f"Usage: stint {verb} ", told.pop())
        self.assertEqual(self.place.stint("help", endpoint=False).stdout,
                         self.place.stint("-h", endpoint=False).stdout)

    def test_a_letter_means_the_same_wherever_it_is_taken(self):
        words = {}
        for verb in self.place.stint("--words", endpoint=False).stdout.split():
            told = self.place.stint("help", verb, endpoint=False).stdout
            for letter, word in re.findall(r"^ +-(\w), --([a-z-]+)", told, re.M):
                words.setdefault(letter, set()).add(word)
        same = {"n": {"limit", "jobs"}}  # how many
        for letter, meant in words.items():
            self.assertTrue(len(meant) == 1 or meant == same.get(letter), (letter, meant))

    def test_what_looks_like_a_place_and_is_none_is_warned_of(self):
        r = self.place.stint("map", "--dry-run", "echo", "{}", "{+}", "${HOME}", "{a,b}", "{ print }",
                             input="x\n", endpoint=False)
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "echo x '{+}' '${HOME}' '{a,b}' '{ print }'\n")
        self.assertEqual(len(r.stderr.splitlines()), 1)
        self.assertIn("{+} stands for nothing", r.stderr)

    def test_places_are_trimmed_as_in_parallel(self):
        for line, wanted in (("dir/file.tar.gz", "dir/file.tar file.tar.gz dir file.tar"),
                             ("file", "file file . file"), ("/file", "/file file / file"),
                             ("a.b/c", "a.b/c c a.b c"), ("", "   .  ")):
            r = self.place.stint("map", "--dry-run", "-S", "x {.} {/} {//} {/.} {1/}", ":::", line,
                                 endpoint=False)
            words = subprocess.run(["sh", "-c", "set -- " + r.stdout.strip() + "; shift 4; echo \"$1 $2 $3 $4\""],
                                   capture_output=True, text=True).stdout
            self.assertEqual(words.split(), wanted.split(), line)

    def test_the_directory_and_the_environment_of_the_submitter_go_along(self):
        self.running()
        here = self.place.path("here")
        os.mkdir(here)
        def run(*args, **more):
            return subprocess.run([harness.program("stint"), "-e", self.place.endpoint, *args], cwd=here,
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                  env=dict(os.environ, **more))
        self.assertEqual(run("run", "pwd").stdout, here + "\n")
        self.assertEqual(run("map", "-S", "pwd", ":::", "x").stdout, here + "\n")
        self.assertEqual(run("run", "--wd", "/", "pwd").stdout, "/\n")
        self.assertNotEqual(run("run", "--wd", "-", "pwd").stdout, here + "\n")
        r = run("run", "--wd", "/nowhere", "pwd")
        self.assertEqual((r.returncode, r.stdout), (126, ""), r.stderr)
        self.assertIn("/nowhere", r.stderr)
        r = run("run", "--env", "ONE", "--env", "TWO=zwei", "-S", 'echo "$ONE $TWO $THREE"', ONE="eins", THREE="drei")
        self.assertEqual(r.stdout, "eins zwei \n")
        self.assertEqual(run("run", "--env", "MISSING_HERE", "true").returncode, 64)

    def test_each_job_of_a_map_reads_the_file_of_stdin(self):
        self.running()
        with open(self.place.path("given"), "w") as f:
            f.write("given\n")
        r = self.place.stint("map", "--stdin", self.place.path("given"), "cat", "-", ":::", "-", "-")
        self.assertEqual(r.stdout, "given\ngiven\n")

    def test_a_kind_of_ones_own_gets_the_line_itself(self):
        self.running()
        r = self.place.stint("map", "-k", "echo", input="a\nb\n")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "ab")

    def test_attempts_imply_retries(self):
        self.running()
        tries = self.place.path("tries")
        script = f'echo x >>{tries}; test "$(wc -l <{tries})" -ge 3'
        self.assertExit(self.place.stint("run", "-S", script), 1)
        self.assertExit(self.place.stint("run", "--attempts", "5", "--backoff", "10ms", "-S", script), 0)
        with open(tries) as f:
            self.assertEqual(len(f.readlines()), 3)

    def test_halt_counts_failures_and_says_what_was_not_run(self):
        self.running()
        for when in ("now,fail=2", "soon,fail=2"):
            r = self.place.stint("map", "-u", "--halt", when, "-S", "echo {}; test {} -gt 2",
                                 input="".join(f"{n}\n" for n in range(1, 4000)))
            self.assertExit(r, 1)
            self.assertIn("ended early by --halt", r.stderr)
            self.assertLess(len(r.stdout.split()), 3000)
        r = self.place.stint("map", "--halt", "now,success=1", "-S", "test {} = 1 || sleep 600", input="1\n2\n")
        self.assertExit(r, 0)

    def test_json_of_a_map_tells_all_of_the_job(self):
        self.running()
        rows = self.place.json("map", "-q", "q", "-p", "7", "-S", "printf '%s' {}; exit $(printf %s {} | wc -c)",
                               input=b"\xe9\n\n")
        bad = next(r for r in rows if r["number"] == 1)
        good = next(r for r in rows if r["number"] == 2)
        self.assertEqual(bad["line"], {"base64": "6Q=="})
        self.assertEqual((good["line"], good["state"], good["exit_status"]), ("", "succeeded", 0))
        self.assertEqual((bad["state"], bad["exit_status"]), ("dead", 1))
        for row in rows:
            self.assertEqual((row["schema"], row["queue"], row["kind"], row["priority"], row["attempt"]),
                             ("stint.job/1", "q", "exec", 7, 1))
            self.assertIn("submitted", row)

    def test_every_json_object_has_a_schema(self):
        self.running()
        job = self.place.json("submit", "-k", "echo", "x")[0]
        self.assertExit(self.place.stint("wait", "-Q", job["id"]), 0)
        objects = [job, *self.place.json("ls", "-1"), *self.place.json("ls"), *self.place.json("queues"),
                   *self.place.json("workers"), *self.place.json("fleet", "size"),
                   *self.place.json("fleet", "scale", "--once", "--", "true"),
                   *self.place.json("worker", "resume", "--all"), *self.place.json("stats"), *self.place.json("top", "--once"),
                   *self.place.json("ping"),
                   *self.place.json("show", job["id"]), *self.place.json("cancel", job["id"]),
                   *self.place.json("bench", "-n", "1000"), *self.place.json("run", "true"),
                   *self.place.json("run", "--detach", "true"), *self.place.json("map", "echo", ":::", "x")]
        objects += self.place.json("key", "new", "k", "--out", self.place.directory)
        self.place.stint("submit", "-q", "hand", "x")
        hand = {"env": {"XDG_RUNTIME_DIR": self.place.directory}}
        objects += self.place.json("take", "-q", "hand", **hand)
        objects += self.place.json("settle", objects[-1]["ticket"], **hand)
        for o in objects:
            self.assertRegex(o["schema"], r"^stint\.[a-z]+/1$")
        self.assertEqual(self.place.json("ls", "-1", "-k", "echo")[0], {"schema": "stint.id/1", "id": job["id"]})

    def test_a_missing_job_is_named(self):
        self.running()
        job = self.place.stint("submit", "-q", "unserved", "x").stdout.strip()
        r = self.place.stint("show", job, "0.1.100.999999")
        self.assertExit(r, 66)
        self.assertIn("0.1.100.999999: there is no such job", r.stderr)
        self.assertIn("unserved", r.stdout)
        r = self.place.stint("retry", job)
        self.assertExit(r, 65)
        self.assertIn(f"{job}: it is ready, and so can't be retried", r.stderr)

    def test_a_kind_that_nobody_handles_is_shown_as_unserved(self):
        self.running()
        self.place.stint("submit", "-k", "unheard-of", "x")
        harness.wait_until(lambda: self.place.json("queues")[0].get("unserved") == "unheard-of",
                           "the queue tells it")
        self.assertIn("unheard-of", self.place.stint("queues").stdout)

    def test_empty_lists_say_so(self):
        self.place.broker()
        for verb, said in (("ls", "no such jobs"), ("queues", "no queue"), ("workers", "no worker")):
            r = self.place.stint(verb)
            self.assertExit(r, 0)
            self.assertEqual(r.stdout, "")
            self.assertIn(said, r.stderr)

    def terminal(self, width, *args):
        """What a command shows on a terminal so wide."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        p = subprocess.Popen([harness.program("stint"), "-e", self.place.endpoint, *args],
                             stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.DEVNULL)
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        p.wait(30)
        return shown.decode().replace("\r", "").splitlines()

    def test_tables_fit_the_terminal_and_never_cut_a_pipe(self):
        self.running()
        self.place.stint("run", "-S", "echo a rather long complaint about everything there is >&2; exit 3")
        self.place.stint("run", "--detach", "-q", "unserved", "echo", "w" * 150)
        for width in (40, 60, 80, 120):
            for verb in (["ls"], ["queues"], ["workers"]):
                shown = self.terminal(width, *verb)
                self.assertGreater(len(shown), 1)
                self.assertLessEqual(max(map(len, shown)), width, shown)
        self.assertTrue(any("exit status 3" in line for line in self.terminal(80, "ls")))
        self.assertIn("w" * 150, self.place.stint("ls").stdout)
        self.assertIn("COMMAND", self.place.stint("ls").stdout)

    def test_long_lists_have_one_heading(self):
        self.place.broker()
        self.place.stint("submit", "-E", "-q", "unserved", input="x\n" * 2500)
        r = self.place.stint("ls", "-n", "0")
        self.assertEqual(len(r.stdout.splitlines()), 2501)
        self.assertEqual(r.stdout.count("STATE"), 1)

    def test_stats_are_aligned(self):
        self.place.broker()
        lines = self.place.stint("stats").stdout.splitlines()
        values = {re.match(r"\S+ +", line).end() for line in lines}
        self.assertEqual(len(values), 1)

    def test_completion_offers_values(self):
        self.running()
        job = self.place.stint("submit", "-k", "echo", "x").stdout.strip()
        completion = os.path.join(os.path.dirname(__file__), "..", "..", "packaging", "stint.bash")
        def complete(*words):
            script = f"source {completion}; COMP_WORDS=({' '.join(words)} ''); " \
                     f"COMP_CWORD={len(words)}; _stint; printf '%s\\n' \"${{COMPREPLY[@]}}\""
            return subprocess.run(
                ["bash", "-c", script], capture_output=True, text=True,
                env=dict(os.environ, STINT_ENDPOINT=self.place.endpoint,
                         PATH=os.path.dirname(harness.program("stint")) + ":" + os.environ["PATH"])
            ).stdout.split()
        self.assertIn("map", complete("stint"))
        self.assertIn("default", complete("stint", "ls", "-q"))
        self.assertIn("dead", complete("stint", "ls", "--states"))
        self.assertIn(job, complete("stint", "show"))
        self.assertIn("echo", complete("stint", "-j", "ls", "-k"))
        self.assertIn("wait", complete("stint", "help"))
        self.assertExit(self.place.stint("feed", "add", "hooks"), 0)
        batch = self.place.stint("batch", "new").stdout.strip()
        self.assertIn("success", complete("stint", "batch"))
        self.assertEqual(complete("stint", "batch", "show"), [batch])
        self.assertEqual(complete("stint", "ls", "--batch"), [batch])
        self.assertIn("add", complete("stint", "feed"))
        self.assertEqual(complete("stint", "feed", "rm"), ["hooks"])
        # A value before the verb is not the verb; bash cuts words at : and =.
        for before in (["--key", "mine.key"], ["--broker-key", "=", "broker.pub"],
                       ["-e", "tcp", ":", "//localhost", ":", "5670"],
                       ["--endpoint", "=", "tcp", ":", "//localhost", ":", "5670"]):
            self.assertIn("success", complete("stint", *before, "-j", "batch"))

    def test_completions_know_the_words_behind_the_verbs(self):
        words = {}
        for verb in self.place.stint("--words", endpoint=False).stdout.split():
            usage = self.place.stint("help", verb, endpoint=False).stdout.splitlines()[0]
            words[verb] = set(re.findall(r"(?<=[ |])[a-z]+(?=[ |]|$)", usage.partition("]")[2]))
        for shell in ("bash", "fish", "zsh"):
            with open(os.path.join(os.path.dirname(__file__), "..", "..", "packaging", f"stint.{shell}")) as f:
                offered = [set(re.findall(r"[a-z]+", line)) for line in f]
            for verb in ("batch", "feed", "schedule", "bulk", "queue", "worker", "fleet", "key"):
                self.assertGreater(len(words[verb]), 1, verb)
                self.assertTrue(any(words[verb] <= line for line in offered), (shell, verb))


if __name__ == "__main__":
    harness.main()
