"""stint map: where a line's value goes, and what must not happen without a word on the way there."""

import os
import shutil
import signal
import subprocess

import harness

LINES = ["a  b", "*", "q'\"$(date)", "$HOME", "`x`", "\\"]


class Places(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker("--heartbeat", "100ms", "--lost", "1s", "--grace", "2s")
        self.place.worker("--exec", "--slots", "2")

    def shell(self, text, lines, *options):
        r = self.place.stint("map", *options, "--shell", text, input="".join(n + "\n" for n in lines))
        self.assertExit(r, 0)
        return r.stdout.splitlines()

    def test_a_place_is_the_line_itself_within_all_of_a_shell_s_quotes(self):
        for text in ("printf '%s\\n' {}", "printf '%s\\n' \"{}\"", "printf '%s\\n' '{}'",
                     "printf '%s\\n' \"$(printf '%s\\n' \"{}\")\"", "x=\"{}\"; printf '%s\\n' \"$x\"",
                     "printf '%s\\n' {} # it's {}", "printf \"%s\\n\" ''{}"):
            self.assertEqual(self.shell(text, LINES), LINES, text)
        # A parenthesis that ends a pattern closes nothing, and the word case is one of the shell's own
        # only where a command begins.
        for text in ("$(case x in x) printf '%s\\n' '{}' ;; esac)", "$(case x in (x) printf '%s\\n' \"{}\" ;; esac)",
                     "$(if :; then case x in y) ;; x) (printf '%s\\n' {});; esac; fi)",
                     "$(\ncase x\nin\nx)\nprintf '%s\\n' {} # it)\nesac\n)",
                     "$(echo case in >/dev/null; printf '%s\\n' '{}')", "$(: {}case in; printf '%s\\n' '{}')"):
            self.assertEqual(self.shell(f"printf '%s\\n' \"{text}\"", LINES), LINES, text)
        around = [f"<{line}>\\\"" for line in LINES]
        self.assertEqual(self.shell("printf '%s\\n' \"<{}>\\\\\\\"\"", LINES), around)
        self.assertEqual(self.shell("printf '<%s\\n' '{}>\\\"'", LINES), around)
        self.assertEqual(self.shell("echo \\{} {} {.}", ["a.b"]), ["{} a.b a"])
        self.assertEqual(self.shell("echo $(( ({} + 1) * 2 ))", ["4"]), ["10"])

    def test_several_lines_together_are_several_words_for_a_shell_too(self):
        self.assertEqual(self.shell("for i in {}; do echo \"<$i>\"; done; echo \"all {}\"",
                                    ["1 2", "3"], "-N", "2"), ["<1 2>", "<3>", "all 1 2 3"])

    def test_a_shell_command_without_a_place_is_told_of(self):
        r = self.place.stint("map", "-S", "echo", input="a\n")
        self.assertIn("nothing in the command stands for the line", r.stderr)
        for text in ("echo {}", "echo \"$1\"", "echo \"${1}\"", "echo \"$@\""):
            r = self.place.stint("map", "-S", text, input="a\n")
            self.assertEqual((r.stdout, r.stderr), ("a\n", ""), text)

    def test_a_zero_byte_is_told_of_by_its_line_and_harms_no_other(self):
        r = self.place.stint("map", "echo", input="x\na\0b\ny\n")
        self.assertExit(r, 1)
        self.assertEqual(r.stdout, "x\ny\n")
        self.assertIn("zero byte", r.stderr)

    def test_bytes_that_drive_old_terminals_are_written_as_text(self):
        r = self.place.stint("map", "false", input="caf\u00e9 \u4e2d \u009b2J".encode() + b" \x9b2J\xe9\n")
        self.assertEqual(r.stderr, "stint map: caf\u00e9 \u4e2d \\xc2\\x9b2J \\x9b2J\\xe9: exit status 1\n")

    def test_halt_does_not_wait_for_those_before_the_one_that_failed(self):
        go = self.place.path("go")
        text = f"if [ {{}} = 1 ]; then while [ ! -e {go} ]; do sleep 0.05; done; else exit 3; fi"
        r = self.place.stint("map", "--halt", "now,fail=1", "-S", text, input="1\n2\n", timeout=30)
        self.assertExit(r, 1)
        self.assertIn("2: exit status 3", r.stderr)
        self.assertIn("1 lines that were read were not run", r.stderr)

    def test_a_dry_run_tells_its_trouble_waits_in_peace_and_speaks_json(self):
        r = self.place.stint("map", "--dry-run", "--input", self.place.directory, "echo")
        self.assertExit(r, 74)
        self.assertIn("Is a directory", r.stderr)
        rows = self.place.json("map", "--dry-run", "echo", input=b"caf\xe9\n")
        self.assertEqual((rows[0]["schema"], rows[0]["number"], rows[0]["line"]),
                         ("stint.command/1", 1, {"base64": "Y2Fm6Q=="}))
        p = subprocess.Popen([harness.program("stint"), "map", "--dry-run", "echo"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdin.write(b"a\n")
        p.stdin.flush()
        self.assertEqual(os.read(p.stdout.fileno(), 100), b"echo a\n")
        p.communicate()

    def test_ctrl_c_says_what_is_not_run(self):
        p = subprocess.Popen([harness.program("stint"), "map", "-e", self.place.endpoint, "echo"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(b"a\nb\n")
        p.stdin.flush()
        self.assertEqual([p.stdout.readline(), p.stdout.readline()], [b"a\n", b"b\n"])
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 130)
        self.assertIn(b"no job of it goes on", err)
        self.assertIn(b"what stands behind line 2 is not run", err)

    def test_a_map_that_gives_up_leaves_the_ids_of_what_goes_on(self):
        results = self.place.path("results")
        os.makedirs(os.path.join(results, "1"))
        os.symlink("/dev/full", os.path.join(results, "1", "stdout"))
        go = self.place.path("go")
        r = self.place.stint("map", "--results", results, "-S",
                             f"[ {{}} = a ] || while [ ! -e {go} ]; do sleep 0.05; done; echo {{}}",
                             input="a\nb\n", timeout=30)
        self.assertExit(r, 74)
        open(go, "w").close()
        path = r.stderr.split("--file ")[1].split()[0]
        r = self.place.stint("wait", "--results", "--file", path)
        self.assertEqual((r.returncode, r.stdout), (0, "b\n"))
        os.remove(path)

    def test_results_of_other_lines_are_not_written_over_when_the_input_has_changed(self):
        results, go = self.place.path("results"), self.place.path("go")
        text = f"echo <{{}}>; [ {{}} != hold ] || while [ ! -e {go} ]; do sleep 0.05; done"
        text = text.replace("<{}>", "'<{}>'")
        argv = [harness.program("stint"), "map", "-e", self.place.endpoint, "--results", results,
                "--state", self.place.path("state"), "-S", text, ":::"]
        p = subprocess.Popen([*argv, "a", "hold"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(p.stdout.readline(), b"<a>\n")
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=30)
        open(go, "w").close()
        r = subprocess.run([*argv, "new", "hold", "a"], capture_output=True, timeout=30)
        self.assertEqual(r.returncode, 0, r.stderr)

        def kept(name):
            with open(os.path.join(results, name, "stdout")) as f:
                return f.read()
        self.assertEqual([kept("1"), kept("1.2"), kept("2")], ["<a>\n", "<new>\n", "<hold>\n"])

    def test_markers_of_parallel_that_are_not_known_are_told_wherever_they_stand(self):
        for words in (("::::", "file"), (":::+", "a"), ("{}", "::::+", "file"), (":::", "a", ":::+", "b")):
            r = self.place.stint("map", "echo", *words, input="a\n")
            self.assertEqual((r.returncode, r.stdout), (64, ""), words)
            self.assertIn("is not known here; ::: and --input are", r.stderr)
        r = self.place.stint("map", "-S", "echo :::: {}", input="a\n")
        self.assertEqual((r.returncode, r.stdout), (0, ":::: a\n"))

    def test_where_both_outputs_are_one_what_is_said_of_a_job_comes_behind_its_output(self):
        argv = [harness.program("stint"), "map", "-e", self.place.endpoint, "-S",
                "echo out {}; echo err {} >&2; exit $1", ":::", "0", "3", "0"]
        r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(r.stdout.splitlines(), [
            "out 0", "err 0", "out 3", "stint map: 3: exit status 3: err 3", "out 0", "err 0"])

    def test_results_that_can_not_be_written_are_refused_before_anything_runs(self):
        mark, file = self.place.path("mark"), self.place.path("file")
        open(file, "w").close()
        r = self.place.stint("map", "--results", file, "touch", ":::", mark)
        self.assertExit(r, 73)
        self.assertIn("Not a directory", r.stderr)
        self.assertFalse(os.path.exists(mark))

    def joblog(self, *args, code):
        """What a map's joblog says: a dictionary a line, in the order of input."""
        path = self.place.path("joblog")
        self.assertExit(self.place.stint("map", "--joblog", path, *args), code)
        with open(path) as f:
            names, *rows = [line.rstrip("\n").split("\t") for line in f]
        os.remove(path)
        return sorted((dict(zip(names, row)) for row in rows), key=lambda row: int(row["Seq"]))

    def test_a_joblog_tells_who_ran_a_job_and_when_without_the_time_that_it_waited(self):
        harness.wait_until(lambda: self.place.json("workers"), "it is there")
        worker = self.place.json("workers")[0]["name"]
        for options in ((), ("-u",)):
            rows = self.joblog(*options, "-S", "sleep 0.2; echo {}", ":::", "a", "b", "c", "d", code=0)
            self.assertEqual([row["Host"] for row in rows], 4 * [worker])
            begun = [float(row["Starttime"]) for row in rows]
            ended = [float(row["Starttime"]) + float(row["JobRuntime"]) for row in rows]
            # Two at a time: the third one begins when one of the first two has ended.
            self.assertGreaterEqual(begun[2] + 0.005, min(ended[:2]))
            self.assertGreaterEqual(begun[3] + 0.005, min(ended[:3]))

    def test_a_joblog_has_the_exit_values_of_a_shell(self):
        rows = self.joblog("-S", "{}", ":::", "exit 3", "true", "kill -9 $$", code=1)
        self.assertEqual([(row["Exitval"], row["Signal"]) for row in rows],
                         [("127", "0"), ("0", "0"), ("127", "0")])  # a line is one word
        rows = self.joblog("sh", "-c", ":::", "exit 3", "true", "kill -9 $$", code=1)
        self.assertEqual([(row["Exitval"], row["Signal"]) for row in rows],
                         [("3", "0"), ("0", "0"), ("0", "9")])
        self.assertEqual(self.joblog("/none", ":::", "a", code=1)[0]["Exitval"], "127")
        self.assertEqual(self.joblog("--timeout", "100ms", "sleep", ":::", "1000", code=1)[0]["Exitval"], "124")

    def test_a_joblog_is_whole_where_the_broker_was_away(self):
        go = self.place.path("go")
        path = self.place.path("joblog")
        p = subprocess.Popen(
            [harness.program("stint"), "map", "-e", self.place.endpoint, "--joblog", path, "-S",
             f"while [ ! -e {go} ]; do sleep 0.05; done; echo {{}}", ":::", "a", "b", "c"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 2, "they run")
        self.place.broker_process.kill()
        self.place.broker("--heartbeat", "100ms", "--lost", "1s", "--grace", "2s")
        open(go, "w").close()
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (0, "a\nb\nc\n"), err)
        with open(path) as f:
            self.assertEqual([line.split()[0] for line in f], ["Seq", "1", "2", "3"])

    def test_options_without_effect_are_refused(self):
        for options in (("wait", "-Q", "-r", "0.1.1.1"), ("wait", "-Q", "-j", "0.1.1.1"),
                        ("result", "-j", "--stderr", "0.1.1.1")):
            self.assertExit(self.place.stint(*options), 64)

    def stopped(self, *options, cwd=None):
        """A map with a state that has done line a, and has b on its way."""
        p = subprocess.Popen(
            [harness.program("stint"), "map", "-e", self.place.endpoint, "--state",
             self.place.path("state"), *options, "-S", "echo {}; test {} = a || sleep 1000",
             ":::", "a", "b"], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(p.stdout.readline(), b"a\n")
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=30)
        self.assertEqual(p.returncode, 130)

    def test_a_state_is_of_a_command_with_its_directory_environment_and_input(self):
        self.stopped("--env", "X=1")
        command = ("-S", "echo {}; test {} = a || sleep 1000", ":::", "a", "b")
        for options in ((), ("--env", "X=2"), ("--env", "X=1", "--wd", "/"),
                        ("--env", "X=1", "--stdin", "/etc/hostname")):
            r = self.place.stint("map", "--state", self.place.path("state"), *options, *command)
            self.assertExit(r, 78)
            self.assertIn("belongs to another command", r.stderr)

    def test_a_state_that_no_line_has_gone_into_is_anybody_s(self):
        for command in ("echo", "printf"):
            r = self.place.stint("map", "--state", self.place.path("state"), "-e", "tcp://127.0.0.1:1",
                                 "--broker-timeout", "100ms", command, ":::", "a", endpoint=False)
            self.assertExit(r, 69)

    def test_names_that_are_not_ascii_are_shown_in_tables_whole_and_cut(self):
        self.place.stint("run", "--detach", "-q", "other", "echo", "é", "aé" * 150)
        r = self.place.stint("ls", "-q", "other", env={"LC_ALL": "C"})
        self.assertIn("echo é aéaéaé", r.stdout)

    def test_a_time_that_no_counter_holds_is_refused(self):
        for option in ("--keep", "--timeout", "--delay", "--backoff"):
            for time_text in ("18446744073709551615ms", "99999999999999999999999ms", "36501d"):
                r = self.place.stint("map", "-R", option, time_text, "echo", ":::", "a")
                self.assertExit(r, 64)
                self.assertIn(f"{option}={time_text}", r.stderr)
        r = self.place.stint("ls", "-n", "99999999999999999999999")
        self.assertExit(r, 64)


class Local(harness.Case):
    def local(self, *args, **kwargs):
        return self.place.stint(args[0], "--local", self.place.path("my work, etc"), *args[1:],
                                endpoint=False, **kwargs)

    def test_a_local_directory_may_have_blanks_and_an_endpoint_does_not_go_with_it(self):
        r = self.local("map", "echo", ":::", "a")
        self.assertExit(r, 0)
        for verb in (("map", "echo", ":::", "a"), ("run", "echo")):
            r = self.local(verb[0], "-e", "tcp://127.0.0.1:1", *verb[1:])
            self.assertExit(r, 64)
            self.assertIn("--endpoint does not go with it", r.stderr)

    def test_a_directory_that_can_not_be_used_is_not_one_that_is_busy(self):
        file = self.place.path("file")
        open(file, "w").close()
        for options in (("--local", file), ("--local", "/proc/self"), ("--state", file),
                        ("--local", self.place.path("none", "deeper")), ("--local", "")):
            r = self.place.stint("map", *options, "echo", ":::", "a", endpoint=False)
            self.assertExit(r, 73)

    def begun(self, *args):
        mark = self.place.path("mark")
        p = subprocess.Popen(
            [harness.program("stint"), args[0], "--local", self.place.path("my work, etc"), "-S",
             f"echo begun >>{mark}; sleep 1000", *args[1:]], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.wait_until(lambda: os.path.exists(mark) and os.path.getsize(mark) > 0, "it has begun")
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 130, err)
        return mark, err

    def test_a_local_run_that_was_interrupted_is_not_run_again(self):
        mark, err = self.begun("run")
        self.assertIn("not run again", err)
        r = self.local("run", "echo", "other")
        self.assertEqual((r.returncode, r.stdout), (0, "other\n"))
        with open(mark) as f:
            self.assertEqual(f.read(), "begun\n")

    def test_a_local_map_that_is_refused_runs_nothing_of_the_one_before(self):
        mark, _ = self.begun("map", ":::", "$1")
        log = self.place.path("my work, etc", "stintd.log")
        before = os.path.getsize(log)
        r = self.local("map", "echo", ":::", "a")
        self.assertExit(r, 78)
        self.assertEqual(os.path.getsize(log), before)
        with open(mark) as f:
            self.assertEqual(f.read(), "begun\n")

    def interrupted(self):
        """A map of three lines, stopped in the first one, with the others behind it. Returns how it
        goes on, and what says which lines were begun."""
        log, go = self.place.path("log"), self.place.path("go")
        command = ("--slots", "1", "-S", f"echo {{}} >>{log}; [ -e {go} ] || sleep 1000; echo {{}}",
                   ":::", "one", "two", "three")
        p = subprocess.Popen(
            [harness.program("stint"), "map", "--local", self.place.path("my work, etc"), *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.wait_until(lambda: self.words(log), "it has begun")
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 130, err)
        open(go, "w").close()
        return command, log

    def words(self, path):
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return f.read().split()

    def test_another_command_runs_nothing_of_an_interrupted_local_map_which_goes_on_later(self):
        command, log = self.interrupted()
        r = self.local("run", "echo", "other")
        self.assertEqual((r.returncode, r.stdout), (0, "other\n"))
        self.assertRegex(r.stderr, "[23] jobs that another command has left in .*my work, etc are cancelled")
        self.assertEqual(self.words(log), ["one"])
        r = self.local("run", "echo", "other")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "other\n", ""))
        r = self.local("map", *command)
        self.assertEqual((r.returncode, r.stdout), (0, "one\ntwo\nthree\n"), r.stderr)
        self.assertEqual(self.words(log), ["one", "one", "two", "three"])

    def test_a_local_map_that_was_given_up_is_not_run_by_the_one_after_it(self):
        _, log = self.interrupted()
        r = self.local("map", "echo", ":::", "new")
        self.assertExit(r, 78)
        self.assertIn(f"stint map: {self.place.path('my work, etc')} belongs to another", r.stderr)
        shutil.rmtree(self.place.path("my work, etc", "map"))
        r = self.local("map", "echo", ":::", "new")
        self.assertEqual((r.returncode, r.stdout), (0, "new\n"))
        self.assertRegex(r.stderr, "[23] jobs that another command has left")
        self.assertEqual(self.words(log), ["one"])

    def test_a_local_run_that_was_killed_is_not_run_again(self):
        mark = self.place.path("mark")
        p = subprocess.Popen([harness.program("stint"), "run", "--local", self.place.path("my work, etc"), "-S",
                              f"echo begun >>{mark}; sleep 1000"], stdin=subprocess.DEVNULL)
        harness.wait_until(lambda: self.words(mark), "it has begun")
        p.kill()
        p.wait(30)
        r = self.local("run", "echo", "other", timeout=90)
        self.assertEqual((r.returncode, r.stdout), (0, "other\n"))
        self.assertEqual(self.words(mark), ["begun"])

    def test_a_queue_that_can_not_be_is_told_by_its_name(self):
        for command in (("map", "-q", "", "echo", ":::", "a"), ("run", "-q", "", "echo")):
            r = self.local(*command)
            self.assertExit(r, 65)
            self.assertIn("--queue=: the name is not allowed", r.stderr)


if __name__ == "__main__":
    harness.main()
