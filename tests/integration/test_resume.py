"""A map that goes on: it knows its lines by what is in them, whatever the next input is."""

import os
import shutil
import signal
import subprocess
import time

import harness


class Resume(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker_options = ["--heartbeat", "100ms", "--lost", "1s", "--grace", "2s"]
        self.place.broker(*self.broker_options)
        self.place.worker("--exec", "--slots", "2")
        self.runs, self.go = self.place.path("runs"), self.place.path("go")
        self.script = self.place.path("script")
        # Runs every line but those that begin with `hold`, which wait for the file.
        with open(self.script, "w") as f:
            f.write(f'#!/bin/sh\ncase $1 in hold*) while [ ! -e {self.go} ]; do sleep 0.02; done;; esac\n'
                    f'echo "$1" >>{self.runs}\ncase $1 in bad*) [ -e {self.go} ] || exit 3;; esac\n'
                    'echo "<$1>"\n')
        os.chmod(self.script, 0o755)

    def ran(self):
        if not os.path.exists(self.runs):
            return []
        with open(self.runs) as f:
            return f.read().split()

    def begin(self, lines, *options):
        return subprocess.Popen(
            [harness.program("stint"), "map", "-e", self.place.endpoint, "--state",
             self.place.path("state"), "--input", self.file(lines), *options, self.script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def file(self, lines):
        path = self.place.path(f"input-{len(os.listdir(self.place.directory))}")
        with open(path, "w") as f:
            f.write("".join(line + "\n" for line in lines))
        return path

    def marked(self):
        """Lines that are known as shown: a byte in each record of 40, behind a head of 16."""
        if not os.path.exists(self.place.path("state", "lines")):
            return 0
        with open(self.place.path("state", "lines"), "rb") as f:
            records = f.read()[16:]
        return sum(records[at + 32] in (1, 2) for at in range(0, len(records) - 39, 40))

    def interrupted(self, lines, shown, failed=0):
        """A map over these lines, killed when so many of their results were shown."""
        p = self.begin(lines)
        out = [p.stdout.readline().strip() for _ in range(shown)]
        harness.wait_until(lambda: self.marked() >= shown + failed, "it is known what was shown")
        p.send_signal(signal.SIGKILL)
        rest, err = p.stdout.read(), p.stderr.read()  # communicate would lose what readline has read
        p.wait(30)
        p.stdout.close()
        p.stderr.close()
        return out + rest.split(), err

    def resume(self, lines, *options, code=0):
        p = self.begin(lines, *options)
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, code, err)
        return out.split(), err

    def test_jobs_for_later_whose_answer_did_not_come_are_for_later_when_they_are_sent_again(self):
        """Whether the broker has stored them by then or not."""
        for killed in (False, True):
            state = self.place.path(f"later-{killed}")
            command = [harness.program("stint"), "map", "-e", self.place.endpoint, "--state", state, "--in", "1h",
                       "-q", f"later-{killed}", self.script]
            p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            harness.wait_until(lambda: self.place.stats()["peers"] >= 3, "it is there")
            self.place.broker_process.signal(signal.SIGSTOP)
            p.stdin.write(b"a\nb\nc\n")
            p.stdin.close()
            log = os.path.join(state, "log")
            harness.wait_until(lambda: os.path.exists(log) and os.path.getsize(log) > 0, "it has written what it sends")
            time.sleep(0.3)  # so that it is sent, mostly
            p.kill()
            p.wait(30)
            if killed:
                self.place.broker_process.kill()
                self.place.broker(*self.broker_options)
            else:
                self.place.broker_process.signal(signal.SIGCONT)
            p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(lambda p=p: p.poll() is None and (p.kill() or p.communicate()))
            p.stdin.write(b"a\nb\nc\n")
            p.stdin.close()
            jobs = lambda: self.place.json("ls", "-q", f"later-{killed}")
            harness.wait_until(lambda: len(jobs()) == 3 or p.poll() is not None, "they are there")
            self.assertIsNone(p.poll(), p.poll() is not None and p.stderr.read())
            self.assertEqual([j["state"] for j in jobs()], 3 * ["scheduled"])
            p.kill()
            p.wait(30)
            p.stdout.close()
            p.stderr.close()

    def test_changed_input_runs_what_is_new_and_skips_what_is_done(self):
        old = ["a", "b", "c", "hold1", "d"]
        first, _ = self.interrupted(old, 3)
        self.assertEqual(first, ["<a>", "<b>", "<c>"])
        open(self.go, "w").close()
        # The first lines are gone, others stand before and between.
        out, err = self.resume(["new1", "c", "hold1", "new2", "d", "b"])
        self.assertEqual(out, ["<new1>", "<hold1>", "<new2>", "<d>"])
        self.assertIn("2 lines done before", err)
        self.assertIn("2 new", err)
        self.assertIn("1 lines of the input before are not in this one", err)
        self.assertEqual(sorted(self.ran()), sorted(old + ["new1", "new2"]))

    def test_equal_lines_are_told_apart_by_how_many_there_are(self):
        self.interrupted(["same", "same", "hold1"], 2)
        open(self.go, "w").close()
        out, err = self.resume(["same", "same", "same", "hold1"])
        self.assertEqual(out, ["<same>", "<hold1>"])
        self.assertEqual(self.ran().count("same"), 3)

    def test_the_same_input_goes_on_and_each_line_runs_once(self):
        lines = [str(n) for n in range(700)] + ["hold1"]
        shown, _ = self.interrupted(lines, 100)
        open(self.go, "w").close()
        out, _ = self.resume(lines)
        self.assertEqual(set(shown + out), {f"<{line}>" for line in lines})
        self.assertEqual(sorted(self.ran()), sorted(lines))

    def test_failed_lines_are_run_again_when_asked_for(self):
        lines = ["a", "bad1", "b", "bad2"]
        out, err = self.resume(lines, code=1)
        self.assertEqual(out[0], "<a>")
        self.assertIn("2 of 4 failed", err)
        open(self.go, "w").close()
        out, err = self.resume(lines, "--retry-failed")
        self.assertEqual(out, ["<bad1>", "<bad2>"])
        self.assertIn("2 lines done before", err)
        self.assertEqual(sorted(self.ran()), sorted(lines + ["bad1", "bad2"]))

    def test_an_interrupted_map_says_which_lines_had_failed_and_ends_with_1(self):
        lines = ["bad1", "a", "hold1"]
        self.interrupted(lines, 0, failed=2)
        open(self.go, "w").close()
        out, err = self.resume(lines, code=1)
        self.assertEqual(out, ["<hold1>"])
        self.assertIn("1 of the skipped lines had failed; --retry-failed", err)

    def test_retry_failed_without_a_former_map_is_refused(self):
        _, err = self.resume(["a"], "--retry-failed", code=66)
        self.assertIn("nothing is known", err)

    def test_an_outcome_that_is_gone_is_made_again(self):
        lines = ["hold1", "a", "b"]
        p = self.begin(lines, "--keep", "1ms")
        harness.wait_until(lambda: sorted(self.ran()) == ["a", "b"], "two are done")
        p.kill()
        p.communicate()
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] == 0, "they are forgotten")
        open(self.go, "w").close()
        out, err = self.resume(lines, "--keep", "1d")
        self.assertEqual(out, ["<hold1>", "<a>", "<b>"])
        self.assertIn("2 outcomes were not kept", err)
        self.assertNotIn("is short", err)

    def test_outcomes_that_are_not_kept_until_it_goes_on_are_refused_or_told_of(self):
        _, err = self.resume(["a"], "--keep", "0", code=64)
        self.assertIn("outcomes have to be kept", err)
        _, err = self.resume(["a"], "--keep", "1m")
        self.assertIn("--keep 1m is short", err)

    def test_a_broker_that_has_lost_its_data_is_told_and_the_rest_is_run(self):
        lines = ["a", "b", "hold1", "c"]
        self.interrupted(lines, 2)
        self.place.broker_process.kill()
        shutil.rmtree(self.place.path("data"))
        self.place.broker(*self.broker_options)
        open(self.go, "w").close()
        out, err = self.resume(lines)
        self.assertEqual(out, ["<hold1>", "<c>"])
        self.assertIn("forgotten this map's session", err)

    def test_a_second_map_in_the_same_directory_is_told_so(self):
        p = self.begin(["hold1"])
        harness.wait_until(lambda: self.place.stats()["submitted"] == 1, "the first is at work")
        _, err = self.resume(["hold1"], code=75)
        self.assertIn(f"in use by another command (process {p.pid})", err)
        open(self.go, "w").close()
        p.communicate(timeout=30)
        self.assertEqual(p.returncode, 0)

    def test_a_directory_with_other_files_is_left_alone(self):
        os.mkdir(self.place.path("state"))
        with open(self.place.path("state", "lines"), "w") as f:
            f.write("somebody's own")
        _, err = self.resume(["a"], code=78)
        self.assertIn("holds other files", err)
        with open(self.place.path("state", "lines")) as f:
            self.assertEqual(f.read(), "somebody's own")

    def test_a_torn_log_is_read_as_far_as_it_goes(self):
        lines = ["a", "b", "hold1", "c"]
        self.interrupted(lines, 2)
        with open(self.place.path("state", "log"), "ab") as f:
            f.write(b"\x01\0\0\0\xff\0\0\0torn")
        open(self.go, "w").close()
        out, _ = self.resume(lines)
        self.assertEqual(out, ["<hold1>", "<c>"])
        self.assertEqual(sorted(self.ran()), sorted(lines))


if __name__ == "__main__":
    harness.main()
