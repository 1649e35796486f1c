"""stint map and stint run: order, failures, interruption and going on."""

import os
import shutil
import signal
import subprocess

import harness
import scripted


class Map(harness.Case):
    def with_broker(self):
        self.place.broker("--heartbeat", "100ms", "--lost", "1s", "--grace", "2s")
        return self.place.worker("--exec")

    def test_results_come_in_the_order_of_input(self):
        self.with_broker()
        lines = [str(n) for n in range(500)]
        r = self.place.stint("map", "echo", "<{}>", input="\n".join(lines) + "\n")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout.split(), [f"<{n}>" for n in lines])

    def test_unordered_results_come_all_the_same(self):
        self.with_broker()
        r = self.place.stint("map", "-u", "echo", input="a\nb\nc\n")
        self.assertEqual(sorted(r.stdout.split()), ["a", "b", "c"])

    def test_a_line_is_one_argument_whatever_is_in_it(self):
        self.with_broker()
        lines = ["a b", "$(touch /tmp/x)", "'quoted\"", "; ls", "*", "é", "-n", "{}"]
        r = self.place.stint("map", "printf", "[%s]\n", input="\n".join(lines) + "\n")
        self.assertEqual(r.stdout.splitlines(), [f"[{line}]" for line in lines])
        r = self.place.stint("map", "--shell", "printf '[%s]\\n' {}", input="\n".join(lines) + "\n")
        self.assertEqual(r.stdout.splitlines(), [f"[{line}]" for line in lines])
        r = self.place.stint("map", "-0", "printf", "[%s]", input="new\nline\0two\0")
        self.assertEqual(r.stdout, "[new\nline][two]")

    def test_a_command_in_one_argument_is_cut_into_words(self):
        self.with_broker()
        r = self.place.stint("map", "printf '%s %s|' {} 'a b'", input="x\ny\n")
        self.assertEqual(r.stdout, "x a b|y a b|")

    def test_failures_are_told_and_the_exit_code_says_so(self):
        self.with_broker()
        r = self.place.stint("map", "--shell", "echo {}; test {} != 2 || { echo no >&2; exit 3; }",
                             input="1\n2\n3\n")
        self.assertExit(r, 1)
        self.assertEqual(r.stdout, "1\n2\n3\n")
        self.assertIn("stint map: 2: exit status 3", r.stderr)
        self.assertIn("no", r.stderr)

    def test_empty_input_is_no_work(self):
        self.with_broker()
        r = self.place.stint("map", "echo", input="")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "")

    def test_json_tells_line_and_result(self):
        self.with_broker()
        rows = self.place.json("map", "echo", "hi", input="a\n")
        self.assertEqual((rows[0]["line"], rows[0]["result"], rows[0]["state"]),
                         ("a", "hi a\n", "succeeded"))

    def start(self, *args, stdin):
        return subprocess.Popen([harness.program("stint"), *args], stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_ctrl_c_detaches_and_the_rest_can_be_followed(self):
        self.with_broker()
        go = self.place.path("go")
        with open(self.place.path("lines"), "w") as f:
            f.write("".join(f"{n}\n" for n in range(20)))
        p = self.start("map", "--endpoint", self.place.endpoint, "--input",
                       self.place.path("lines"), "--shell",
                       f"while [ ! -e {go} ]; do sleep 0.05; done; echo {{}}",
                       stdin=subprocess.DEVNULL)
        harness.wait_until(lambda: self.place.stats()["submitted"] == 20, "all are submitted")
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=20)
        self.assertEqual(p.returncode, 130)
        self.assertIn("stint wait --results --file ", err)
        path = err.split("--file ")[1].strip()
        open(go, "w").close()
        r = self.place.stint("wait", "--results", "--file", path)
        self.assertExit(r, 0)
        self.assertEqual(sorted(map(int, r.stdout.split())), list(range(20)))
        os.remove(path)

    def test_a_broker_killed_in_the_middle_is_not_noticed(self):
        self.with_broker()
        p = self.start("map", "--endpoint", self.place.endpoint, "echo", stdin=subprocess.PIPE)
        p.stdin.write("".join(f"{n}\n" for n in range(300)))
        p.stdin.flush()
        harness.wait_until(lambda: self.place.stats()["succeeded"] > 50, "some are done")
        self.place.broker_process.kill()
        self.place.broker("--heartbeat", "100ms", "--lost", "1s", "--grace", "2s")
        p.stdin.write("".join(f"{n}\n" for n in range(300, 600)))
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0, err)
        self.assertEqual(out.split(), [str(n) for n in range(600)])

    def lose_the_data(self):
        self.place.broker_process.kill()
        shutil.rmtree(self.place.path("data"))
        self.place.broker("--heartbeat", "100ms", "--lost", "1s", "--grace", "2s")

    def test_a_map_without_state_goes_on_with_a_broker_that_has_lost_its_data(self):
        self.with_broker()
        p = self.start("map", "--endpoint", self.place.endpoint, "echo", stdin=subprocess.PIPE)
        p.stdin.write("a\n")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), "a\n")
        self.lose_the_data()
        harness.wait_until(lambda: self.place.stats()["peers"] >= 3, "map and worker are back")
        out, err = p.communicate("b\n", timeout=60)
        self.assertEqual((p.returncode, out), (0, "b\n"), err)

    def test_a_map_with_state_says_that_its_session_is_forgotten(self):
        self.with_broker()
        p = self.start("map", "--endpoint", self.place.endpoint, "--state", self.place.path("s"),
                       "echo", stdin=subprocess.PIPE)
        p.stdin.write("a\n" * 1000)
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), "a\n")
        self.lose_the_data()
        _, err = p.communicate("b\n", timeout=60)
        self.assertNotEqual(p.returncode, 0)
        self.assertIn("forgotten", err)

    def local(self, *command):
        return ["map", "--local", self.place.path("local"), "--input", self.place.path("lines"),
                "--slots", "2", *command]

    def test_local_needs_no_broker(self):
        with open(self.place.path("lines"), "w") as f:
            f.write("".join(f"{n}\n" for n in range(100)))
        r = self.place.stint(*self.local("echo"), endpoint=False)
        self.assertExit(r, 0)
        self.assertEqual(r.stdout.split(), [str(n) for n in range(100)])
        r = self.place.stint(*self.local("echo"), endpoint=False)  # all was done: it begins anew
        self.assertEqual(len(r.stdout.split()), 100)
        r = self.place.stint("run", "--local", self.place.path("local"), "echo", "hi", endpoint=False)
        self.assertEqual(r.stdout, "hi\n")

    def test_a_local_map_killed_again_and_again_runs_every_line_once(self):
        runs = self.place.path("runs")
        script = self.place.path("script")
        with open(script, "w") as f:
            f.write(f'#!/bin/sh\necho "$1" >>{runs}\nsleep 0.01\necho "$1"\n')
        os.chmod(script, 0o755)
        with open(self.place.path("lines"), "w") as f:
            f.write("".join(f"{n}\n" for n in range(400)))
        shown = []
        kills = 0
        while True:
            p = self.start(*self.local(script), stdin=subprocess.DEVNULL)
            if kills < 4:
                wanted = 60 * (kills + 1)
                harness.wait_until(lambda: p.poll() is not None or self.lines(runs) >= wanted,
                                   "some lines are run")
                p.send_signal(signal.SIGKILL if kills % 2 else signal.SIGINT)
                kills += 1
            out, err = p.communicate(timeout=60)
            shown += out.split()
            if p.returncode == 0:
                break
            self.assertIn(p.returncode, (130, -signal.SIGKILL), err)
            harness.wait_until(lambda: not self.of(self.place.path("local")), "its broker is gone")
        self.assertEqual(kills, 4)
        self.assertEqual(set(shown), {str(n) for n in range(400)})
        # A killed map may show a result twice (it was written, and not yet marked so), and what
        # its worker had in hand is run again; but no line is submitted twice.
        self.assertLessEqual(self.lines(runs), 400 + 4 * 2 * 2)

    def lines(self, path):
        try:
            with open(path) as f:
                return sum(1 for _ in f)
        except FileNotFoundError:
            return 0

    def of(self, directory):
        return subprocess.run(["pgrep", "-f", directory + "/"], capture_output=True).stdout

    def test_a_state_directory_of_another_command_is_refused(self):
        self.with_broker()
        with open(self.place.path("lines"), "w") as f:
            f.write("1000\n" * 200)
        p = self.start("map", "--endpoint", self.place.endpoint, "--state", self.place.path("s"),
                       "--input", self.place.path("lines"), "sleep",
                       stdin=subprocess.DEVNULL)
        harness.wait_until(lambda: self.place.stats()["submitted"] == 200, "all are submitted")
        p.kill()
        p.communicate()
        r = self.place.stint("map", "--state", self.place.path("s"), "true", input="a\n")
        self.assertExit(r, 78)
        self.assertIn("another command", r.stderr)


class Scripted(harness.Case):
    """Against a broker that leaves results out, as a real one does of a reader that is behind."""

    def setUp(self):
        super().setUp()
        self.broker = scripted.Broker(self.place.endpoint)
        self.broker.start()

    def tearDown(self):
        self.broker.stop()
        super().tearDown()

    def test_a_result_that_was_left_out_comes_all_the_same(self):
        r = self.place.stint("map", "-q", "leftout", "echo", input="a\nb\n")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "resultresult")

    def test_a_result_that_is_lost_is_a_failure(self):
        for queue in ("damaged", "gone"):
            r = self.place.stint("map", "-q", queue, "echo", input="a\nb\n")
            self.assertExit(r, 1)
            self.assertEqual(r.stdout, "")
            self.assertIn("2 of 2 failed", r.stderr)
        r = self.place.stint("map", "--json", "-q", "damaged", "echo", input="a\n")
        self.assertExit(r, 1)
        self.assertIn("the stored body is damaged", r.stdout)


if __name__ == "__main__":
    harness.main()
