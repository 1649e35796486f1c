"""The `stint` command: every verb, its output for people and machines, and its exit codes."""

import base64
import datetime
import json
import os
import re

import harness


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Command(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker()
        self.place.worker("--exec", "--handle", "echo=cat", "--handle", "fail=false",
                          "--shell", "twice=cat; exit 75", "--shell", "zeros=head -c $(cat) /dev/zero", "--queue", "default", "--queue", "q")

    def submit(self, *args, **kwargs):
        r = self.place.stint("submit", *args, **kwargs)
        self.assertExit(r, 0)
        return r.stdout.split()

    def test_a_job_for_later_is_run_then_and_not_before(self):
        later = self.place.stint("submit", "-k", "echo", "--in", "1h", "x").stdout.strip()
        dated = self.place.stint("submit", "-k", "echo", "--at", "2100-01-01T00:00Z", "x").stdout.strip()
        r = self.place.stint("run", "--in", "500ms", "--json", "--", "echo", "hello")
        self.assertExit(r, 0)
        job = self.place.json("show", self.place.json("ls", "--kind", "exec")[0]["id"])[0]
        self.assertGreaterEqual(moment(job["settled"]), moment(job["submitted"]) + 0.5)
        self.assertEqual([self.place.state(j) for j in (later, dated)], ["scheduled"] * 2)
        self.assertEqual(self.place.json("show", dated)[0]["due"], "2100-01-01T00:00:00.000Z")
        self.assertExit(self.place.stint("change", later, "--at", "2000-01-01"), 0)
        harness.wait_until(lambda: self.place.state(later) == "succeeded", "what was due long ago is run")
        for words in (["--at", "noon"], ["--in", "soon"], ["--in", "1s", "--at", "12:00"]):
            self.assertExit(self.place.stint("submit", *words, "x"), 64)

    def test_submit_takes_an_argument_a_file_and_standard_input(self):
        path = self.place.path("payload")
        with open(path, "w") as f:
            f.write("from a file")
        ids = (self.submit("-k", "echo", "an argument") + self.submit("-k", "echo", "-f", path) +
               self.submit("-k", "echo", input="from a pipe"))
        self.assertExit(self.place.stint("wait", *ids), 0)
        r = self.place.stint("result", *ids)
        self.assertEqual(r.stdout, "an argumentfrom a filefrom a pipe")

    def test_more_results_than_a_broker_keeps_for_one_peer_come_back_whole(self):
        size, count = 1000 * 1000, 90
        ids = self.submit("--each", "-k", "zeros", "-q", "q", input=f"{size}\n" * count)
        self.assertExit(self.place.stint("wait", "-Q", *ids), 0)
        r = self.place.stint("wait", "--results", *ids)
        self.assertExit(r, 0)
        self.assertEqual(len(r.stdout), size * count)

    def test_submit_each_makes_a_job_a_line_in_order(self):
        ids = self.submit("--each", "-k", "echo", input="a\n\nc\nno end")
        self.assertEqual(len(ids), 4)
        self.assertExit(self.place.stint("wait", *ids), 0)
        self.assertEqual(self.place.stint("result", *ids).stdout, "acno end")

    def test_json_is_one_object_a_line_with_its_schema(self):
        job = json.loads(self.place.stint("submit", "--json", "-k", "echo", "x").stdout)["id"]
        self.assertExit(self.place.stint("wait", "-Q", job), 0)
        show = self.place.json("show", job)[0]
        self.assertEqual((show["schema"], show["state"], show["queue"], show["attempt"]),
                         ("stint.job/1", "succeeded", "default", 1))
        self.assertEqual(self.place.json("result", job)[0]["result"], "x")
        self.assertEqual(self.place.json("queues")[0]["schema"], "stint.queue/1")
        self.assertEqual(self.place.json("workers")[0]["slots"], os.cpu_count())
        self.assertEqual(self.place.json("stats")[0]["jobs"]["succeeded"], 1)
        self.assertIn("us", self.place.json("ping")[0])
        self.assertEqual(self.place.json("ls", "-s", "succeeded")[0]["id"], job)

    def test_ls_filters_by_queue_state_and_kind(self):
        done = self.submit("-q", "q", "-k", "echo", "x")
        waiting = self.submit("-q", "unserved", "-k", "echo", "x")
        self.assertExit(self.place.stint("wait", *done), 0)
        self.assertEqual(self.place.stint("ls", "-1", "-q", "q").stdout.split(), done)
        self.assertEqual(self.place.stint("ls", "-1", "-s", "ready").stdout.split(), waiting)
        self.assertEqual(self.place.stint("ls", "-1", "-k", "nothing").stdout, "")
        self.assertIn("unserved", self.place.stint("ls").stdout)
        self.assertExit(self.place.stint("ls", "-q", "never-used"), 66)
        self.assertExit(self.place.stint("ls", "-s", "sleeping"), 64)

    def test_cancel_and_retry_change_where_a_job_stands(self):
        job, = self.submit("-q", "unserved", "x")
        self.assertExit(self.place.stint("cancel", job), 0)
        self.assertEqual(self.place.state(job), "cancelled")
        self.assertExit(self.place.stint("retry", job), 0)
        self.assertEqual(self.place.state(job), "ready")
        self.assertExit(self.place.stint("retry", job), 65)
        self.assertExit(self.place.stint("cancel", "0.1.100.999999"), 66)

    def test_an_object_is_stored_in_msgpack_and_shown_in_json(self):
        text = '{"to":"ann","n":3,"raw":{"base64":"AAH/"}}'
        job = self.place.json("submit", "-qobjects", "--object", text)[0]["id"]
        shown = self.place.json("show", "--payload", job)[0]
        packed = b"\x83\xa2to\xa3ann\xa1n\x03\xa3raw\xc4\x03\x00\x01\xff"
        self.assertEqual(base64.b64decode(shown["payload"]["base64"]), packed)
        self.assertEqual(shown["payload_object"], json.loads(text))
        plain = self.place.stint("show", "--payload", job).stdout
        self.assertRegex(plain, rf"(?m)^payload +{re.escape(text)}$")
        self.assertNotIn("payload_object", plain)
        text = self.place.stint("submit", "-qobjects", text).stdout.strip()  # a text stays one
        self.assertNotIn("payload_object", self.place.json("show", "--payload", text)[0])
        for payload in ('{"to":', "5", '"text"', "9223372036854775808", ""):
            r = self.place.stint("submit", "-qobjects", "--object", payload)
            self.assertExit(r, 65)
            self.assertIn("--object", r.stderr)
        self.assertExit(self.place.stint("submit", "-qobjects", "--object", input="[1]"), 0)
        r = self.place.stint("submit", "-qobjects", "--object", "--each", input='{"a":1}\n[2]\n{\n{"b":3}\n')
        self.assertExit(r, 65)
        self.assertEqual(len(r.stdout.splitlines()), 2)
        self.assertIn("stopped at line 3", r.stderr)
        last = self.place.json("show", "--payload", r.stdout.splitlines()[1])[0]
        self.assertEqual(last["payload_object"], [2])

    def test_a_dead_job_shows_its_error_and_can_be_retried(self):
        job, = self.submit("-k", "fail", "-a", "1", "x")
        self.assertExit(self.place.stint("wait", job), 1)
        show = self.place.json("show", "--payload", job)[0]
        self.assertEqual((show["state"], show["error"], show["payload"]),
                         ("dead", "exit status 1", "x"))
        self.assertExit(self.place.stint("result", job), 1)
        self.assertExit(self.place.stint("retry", job), 0)
        self.assertExit(self.place.stint("wait", job), 1)
        self.assertEqual(self.place.json("show", job)[0]["attempt"], 2)

    def test_run_passes_output_and_exit_code(self):
        r = self.place.stint("run", "sh", "-c", "echo out; echo err >&2; exit 7")
        self.assertExit(r, 7)
        self.assertIn("err", r.stderr)
        r = self.place.stint("run", "--", "printf", "%s|", "a b", "c")
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "a b|c|")
        self.assertExit(self.place.stint("run", "sh", "-c", "kill -9 $$"), 137)
        self.assertExit(self.place.stint("run", "--timeout", "200ms", "sleep", "60"), 124)
        r = self.place.stint("run", "no-such-program")
        self.assertIn("can't run no-such-program", r.stderr)
        self.assertExit(r, 127)

    def test_exit_75_asks_for_a_retry_and_65_fails_for_good(self):
        job, = self.submit("-k", "twice", "-a", "2", "--backoff", "10ms", "x")
        self.assertExit(self.place.stint("wait", job), 1)
        self.assertEqual(self.place.json("show", job)[0]["attempt"], 2)
        job, = self.submit("-k", "exec", "-f", "-",
                           input=b"\x93\xa2sh\xa2-c\xa7exit 65")
        self.assertExit(self.place.stint("wait", job), 1)
        self.assertEqual(self.place.json("show", job)[0]["attempt"], 1)

    def test_a_job_sees_its_id_and_attempt_in_the_environment(self):
        r = self.place.stint("run", "sh", "-c",
                             'echo "$STINT_JOB_ID $STINT_JOB_QUEUE $STINT_JOB_KIND $STINT_JOB_ATTEMPT"')
        words = r.stdout.split()
        self.assertRegex(words[0], r"^0\.\d+\.100\.\d+$")
        self.assertEqual(words[1:], ["default", "exec", "1"])

    def test_events_tell_the_life_of_a_job(self):
        watch = harness.subprocess.Popen(
            [harness.program("stint"), "events", "--endpoint", self.place.endpoint, "--json", "-n",
             "3", "-q", "q"], stdout=harness.subprocess.PIPE)
        harness.wait_until(lambda: self.place.stats()["peers"] >= 3, "the watcher is there")
        job = []
        while watch.poll() is None and len(job) < 50:
            job += self.submit("-q", "q", "-k", "echo", "x")
            try:
                watch.wait(0.2)
            except harness.subprocess.TimeoutExpired:
                pass
        events = [json.loads(line) for line in watch.stdout]
        watch.stdout.close()
        self.assertEqual(events[0]["event"], "submitted")
        self.assertTrue({e["event"] for e in events} <= {"submitted", "started", "succeeded"})

    def test_bad_usage_is_said_in_one_line_with_exit_64(self):
        for args in (["nonsense"], ["ls", "--nonsense"], ["show"], ["show", "not-an-id"],
                     ["submit", "--priority", "256", "x"], ["submit", "--attempts", "-1", "x"],
                     ["submit", "--keep", "long", "x"], ["map"], ["run"], ["wait"],
                     ["ls", "argument"], ["submit", "a", "b"]):
            r = self.place.stint(*args, endpoint=False)
            self.assertExit(r, 64)
            self.assertEqual(r.stderr.count("\n"), 1, r.stderr)
            self.assertTrue(r.stderr.startswith("stint"), r.stderr)

    def test_bad_names_and_sizes_are_refused_with_what_and_why(self):
        r = self.place.stint("submit", "-q", "with blank", "x")
        self.assertExit(r, 65)
        self.assertIn("the name is not allowed", r.stderr)
        r = self.place.stint("submit", "-q", "", "x")
        self.assertExit(r, 65)
        r = self.place.stint("submit", "-k", "k" * 65, "x")
        self.assertExit(r, 65)
        r = self.place.stint("submit", "-f", "-", input=b"x" * ((1 << 20) + 1))
        self.assertExit(r, 65)
        self.assertIn("--payload-max", r.stderr)
        self.assertExit(self.place.stint("submit", "-f", "-", "-k", "echo", input=b"x" * (1 << 20)), 0)
        self.assertExit(self.place.stint("submit", "-f", "/nonexistent"), 66)

    def test_what_is_out_of_range_is_called_as_it_was_given(self):
        for args, said in ((["worker", "resize", "w", "99999"], "99999: write a number of slots from 0 to 65536"),
                           (["fleet", "size", "x"], "x: write a number of slots from 0 to"),
                           (["queue", "set", "q", "--group-weight", "x=0"], "--group-weight=x=0: write NAME=N"),
                           (["peek", "q", "--limit", "x"], " --limit=x: write a number"),
                           (["ls", "--where", "state=nosuch"], "blocked")):
            r = self.place.stint(*args)
            self.assertIn(r.returncode, (64, 65), args)
            self.assertIn(said, r.stderr)

    def test_the_detail_is_told_and_not_that_there_is_one(self):
        for args, detail in ((("submit", "--group", "g" * 200, "x"), "128"), (("submit", "--needs", "=", "x"), "label"),
                             (("ls", "--where", "nonsense=1"), "nonsense")):
            r = self.place.stint(*args)
            self.assertIn(r.returncode, (64, 65), r.stderr)
            self.assertIn(detail, r.stderr)
            self.assertNotIn("the detail", r.stderr)

    def test_an_unreachable_broker_is_69_and_a_bad_endpoint_78(self):
        r = self.place.stint("ping", "--broker-timeout", "300ms", "--endpoint",
                             f"ipc://{self.place.directory}/nobody", endpoint=False)
        self.assertExit(r, 69)
        self.assertIn("can't be reached", r.stderr)
        r = self.place.stint("ping", "--endpoint", "carrier-pigeon", endpoint=False)
        self.assertExit(r, 78)

    def test_the_environment_names_the_broker(self):
        r = self.place.stint("ping", endpoint=False, env={"STINT_ENDPOINT": self.place.endpoint})
        self.assertExit(r, 0)

    def test_a_kind_that_no_worker_handles_waits_until_one_does_and_holds_up_nobody(self):
        job, = self.submit("-k", "unheard-of", "-a", "1", "x")
        other, = self.submit("-k", "echo", "y")
        self.assertExit(self.place.stint("wait", other), 0)
        self.assertEqual(self.place.json("show", job)[0]["state"], "ready")
        self.assertExit(self.place.stint("cancel", job), 0)

    def test_a_rubbish_exec_payload_fails_for_good(self):
        for payload in (b"\xdd\xff\0\0\0", b"text", b"", b"\x91\x01", b"\x81\xa4argv\x90",
                        b"\x90", b"\x91" * 40):
            job, = self.submit("-k", "exec", "-f", "-", input=payload)
            self.assertExit(self.place.stint("wait", job), 1)
            self.assertEqual(self.place.json("show", job)[0]["attempt"], 1)

    def test_binary_payloads_and_results_come_back_as_they_were(self):
        payload = bytes(range(256)) * 1000
        job, = self.submit("-k", "echo", "-f", "-", input=payload)
        self.assertExit(self.place.stint("wait", job), 0)
        r = harness.subprocess.run([harness.program("stint"), "result", "--endpoint",
                                    self.place.endpoint, job], capture_output=True)
        self.assertEqual(r.stdout, payload)
        self.assertIn("base64", self.place.json("result", job)[0]["result"])

    def test_a_plugin_runs_jobs_with_a_state_for_each_slot(self):
        self.place.worker("--plugin", os.path.join(harness.BUILD, "tests", "test_plugin.so"),
                          "--queue", "plugin", "--slots", "1")
        jobs = [self.submit("-q", "plugin", "-k", "turn", text)[0] for text in ("abc", "xyz")]
        self.assertExit(self.place.stint("wait", *jobs), 0)
        self.assertEqual(self.place.stint("result", *jobs).stdout, "cba 1zyx 2")
        job, = self.submit("-q", "plugin", "-k", "snooze", "x")
        self.assertExit(self.place.stint("wait", job), 0)
        show = self.place.json("show", job)[0]
        self.assertEqual((show["attempt"], show.get("failures", 0)), (2, 0))
        job, = self.submit("-q", "plugin", "-k", "silent", "-a", "1", "x")
        self.assertExit(self.place.stint("wait", job), 1)
        self.assertIn("without an outcome", self.place.json("show", job)[0]["error"])
        p = self.place.worker("--plugin", "/nonexistent.so")
        self.assertEqual(p.process.wait(20), 78)

    def test_a_worker_with_nothing_to_run_jobs_with_refuses_to_start(self):
        p = self.place.worker()
        self.assertEqual(p.process.wait(20), 64)
        self.assertIn("--handle", p.log())

    def test_bench_prints_figures(self):
        r = self.place.stint("bench", "--json", "-n", "20000", "-b", "100")
        self.assertExit(r, 0)
        figure = json.loads(r.stdout)
        self.assertEqual((figure["name"], figure["unit"]), ("lifecycle", "jobs/s"))
        self.assertGreater(figure["value"], 0)


if __name__ == "__main__":
    harness.main()
