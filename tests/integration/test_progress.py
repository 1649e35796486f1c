"""How far jobs are, told by real programs: of a shell, by the command, and by a handler in C; shown by
each verb that shows it, through restarts, and no program can do harm with it."""

import os
import subprocess

import harness


class Progress(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker("--heartbeat", "100ms", "--lost", "2s", "--grace", "2s")

    def start(self, script, *args):
        r = self.place.stint("run", "--detach", *args, "-S", "--", script)
        self.assertExit(r, 0)
        return r.stdout.strip()

    def shown(self, job):
        return self.place.json("show", job)[0]

    def wait_for(self, job, percent, text=None):
        def there():
            o = self.shown(job)
            return o.get("progress_percent") == percent and o.get("progress_text") == text
        harness.wait_until(there, f"the job is at {percent}, {text}")

    def release(self, name="go"):
        with open(self.place.path(name), "w"):
            pass

    def until(self, name="go"):
        return f"while [ ! -e {self.place.path(name)} ]; do sleep 0.05; done"

    def test_a_shell_tells_it_and_each_verb_shows_it(self):
        self.place.worker("--exec", "--slots", "2", "--name", "here")
        job = self.start(f"echo 'progress 40 half way' >&$STINT_CONTROL; {self.until()}; echo out")
        self.wait_for(job, 40, "half way")
        self.assertGreaterEqual(self.shown(job)["progress_ms_ago"], 1)
        self.assertIn("half way", self.place.stint("show", job).stdout)
        self.assertIn("40", self.place.stint("ls", "--columns", "id,progress").stdout)
        running = [o for o in self.place.json("worker", "show", "here") if o["schema"] == "stint.running/1"]
        self.assertEqual([o.get("progress_text") for o in running], ["half way"])
        self.release()
        self.assertEqual(self.place.stint("wait", "--results", job).stdout, "out\n")
        self.assertNotIn("progress_percent", self.shown(job))

    def test_who_waits_hears_it_if_it_wants_to(self):
        self.place.worker("--exec", "--slots", "2")
        job = self.start(f"echo 'progress 1 begins' >&8; {self.until()}; echo progress 99 >&8; {self.until('end')}")
        self.wait_for(job, 1, "begins")
        waits = subprocess.Popen([harness.program("stint"), "--endpoint", self.place.endpoint, "wait",
                                  "--progress", job], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("1 %  begins", waits.stderr.readline())
        self.release()
        self.assertIn("99 %", waits.stderr.readline())
        self.release("end")
        out, err = waits.communicate(timeout=harness.DEADLINE_S)
        self.assertEqual((waits.returncode, err), (0, ""))
        self.assertIn("succeeded", out)

    def test_the_command_tells_it_from_within_and_says_so_elsewhere(self):
        self.place.worker("--exec", "--slots", "2")
        stint = harness.program("stint")
        job = self.start(f"{stint} progress 7 'two words' and more; {self.until()}; "
                         f"{stint} progress 8.9% next; {self.until('end')}")
        self.wait_for(job, 7, "two words and more")
        self.release()
        self.wait_for(job, 8, "next")
        self.release("end")
        self.assertExit(self.place.stint("wait", job), 0)
        for args, env, code, word in (
                (["5"], {}, 69, "not within a job"), (["5"], {"STINT_CONTROL": "77"}, 69, "77"),
                (["5"], {"STINT_CONTROL": "x"}, 69, "x"), (["101"], {}, 64, "101"), (["3.x"], {}, 64, "3.x"), ([], {}, 64, "how far")):
            r = self.place.stint("progress", *args, env=env)
            self.assertExit(r, code)
            self.assertIn(word, r.stderr)

    def test_it_is_told_again_to_a_broker_that_was_killed(self):
        self.place.worker("--exec", "--slots", "2")
        job = self.start(f"echo 'progress 55 kept' >&8; {self.until()}")
        self.wait_for(job, 55, "kept")
        self.broker.kill()
        self.broker = self.place.broker("--heartbeat", "100ms", "--lost", "2s", "--grace", "2s")
        self.wait_for(job, 55, "kept")
        self.release()
        self.assertExit(self.place.stint("wait", job), 0)

    def test_the_next_run_begins_with_none(self):
        self.place.worker("--exec", "--slots", "1")
        job = self.start(f"[ $STINT_JOB_ATTEMPT = 2 ] || {{ echo progress 90 >&8; {self.until()}; exit 1; }}; "
                         f"{self.until('end')}", "--attempts", "2", "--backoff", "1ms")
        self.wait_for(job, 90)
        self.release()
        harness.wait_until(lambda: self.shown(job).get("attempt") == 2 and self.shown(job)["state"] == "running",
                           "it runs again")
        self.assertNotIn("progress_percent", self.shown(job))
        self.release("end")
        self.assertExit(self.place.stint("wait", job), 0)

    def test_rubbish_floods_and_daemons_harm_nobody(self):
        worker = self.place.worker("--exec", "--slots", "2", "--log-level", "debug")
        flood = self.start("yes 'progress 3 flood' >&8")
        rubbish = self.start("head -c 1000000 /dev/urandom >&8; echo end")
        self.assertEqual(self.place.stint("wait", "--results", rubbish).stdout, "end\n")
        self.wait_for(flood, 3, "flood")
        for _ in range(20):
            self.assertEqual(self.place.stint("run", "echo", "ok").stdout, "ok\n")
        daemon = self.start("setsid sh -c 'trap \"\" PIPE; while :; do echo progress 1 >&8; sleep 0.01; done' & echo up")
        self.assertEqual(self.place.stint("wait", "--results", daemon).stdout, "up\n")
        self.assertExit(self.place.stint("cancel", flood), 0)
        closed = self.start("exec 8>&-; echo closed")
        self.assertEqual(self.place.stint("wait", "--results", closed).stdout, "closed\n")
        self.assertEqual(worker.log().count("says what is not known"), 1)
        self.assertEqual(worker.stop(), 0)

    def test_a_handler_in_c_tells_it(self):
        self.place.worker("--plugin", os.path.join(harness.BUILD, "tests", "test_plugin.so"), "--slots", "1")
        r = self.place.stint("submit", "-k", "slow", input=self.place.path("go"))
        self.assertExit(r, 0)
        job = r.stdout.strip()
        self.wait_for(job, 25, "waits for a file")
        self.release()
        self.assertExit(self.place.stint("wait", job), 0)

    def test_a_terminal_is_driven_by_no_text(self):
        self.place.worker("--exec", "--slots", "1")
        job = self.start(f"printf 'progress 1 a\\033[31mb\\302\\233c\\377\\n' >&8; {self.until()}")
        harness.wait_until(lambda: "progress_text" in self.shown(job), "it has told something")
        self.assertNotIn("\x1b", self.place.stint("show", job).stdout)
        self.release()
        self.assertExit(self.place.stint("wait", job), 0)


if __name__ == "__main__":
    harness.main()
