"""Schedules with real programs: what the command takes and says, that each tick makes one job through kills of the
broker, and that schedules go through dump, load and verify."""

import datetime
import json
import os
import re
import signal
import time

import harness
import test_interop

FAR = "0 0 1 1 *"


class Schedules(harness.Case):
    options = ["--heartbeat", "200ms", "--lost", "2s", "--grace", "300ms"]

    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*self.options)

    def schedule(self, *args, code=0, **kwargs):
        r = self.place.stint("schedule", *args, **kwargs)
        self.assertExit(r, code)
        return r

    def one(self, name="s", *args):
        return self.place.json("schedule", "show", name, *args)[0]

    def jobs(self, *where):
        return self.place.json("ls", "--limit", "0", *where)

    def test_one_is_set_listed_shown_changed_and_removed(self):
        r = self.schedule("set", "s", "--cron", "30 2 * * mon-fri", "-q", "mail", "-k", "send", "-p", "7", "--missed", "all:3",
                          "--overlap", "skip", "--expires", "1h", "hello")
        self.assertIn("the schedule s is made; its next job is made at ", r.stderr)
        self.assertIn("was there and is changed", self.schedule("set", "s", "--cron", FAR, "-q", "mail", "--overlap",
                                                                "replace", "hello").stderr)
        s = self.one("s", "--next", "3")
        self.assertEqual((s["schema"], s["state"], s["cron"], s["zone"], s["queue"], s["overlap"], s["missed"]),
                         ("stint.schedule/1", "on", FAR, "UTC", "mail", "replace", "one"))
        self.assertEqual((s["job"]["payload"], s["job"]["priority"], len(s["next"])), ("hello", 100, 3))
        self.assertTrue(all(re.fullmatch(r"\d{4}-01-01T00:00:00.000Z", t) for t in s["next"]))
        self.schedule("set", "t", "--every", "90m", "--group", "of t", "--needs", "cpus=1")
        self.assertEqual([self.one("t")["job"][field] for field in ("group", "needs")], ["of t", "cpus=1"])
        self.schedule("set", "t", "--every", "90m")
        listed = self.place.json("schedule", "ls")
        self.assertEqual([(x["name"], x["when"]) for x in listed], [("s", FAR), ("t", "every 90 m")])
        self.assertIn(FAR, self.schedule("ls").stdout)
        self.assertIn("next_at", self.schedule("show", "s").stdout)
        self.assertIn("is paused", self.schedule("pause", "s", "t").stderr)
        self.assertEqual([x["state"] for x in self.place.json("schedule", "ls")], ["paused", "paused"])
        self.assertIn("paused", self.schedule("set", "t", "--every", "1h").stderr)
        self.schedule("resume", "s")
        self.schedule("rm", "s", "t")
        self.assertEqual(self.place.json("schedule", "ls"), [])
        self.assertIn("there is no schedule", self.schedule("ls").stderr)
        for verb in ("show", "pause", "resume", "rm", "run"):
            self.assertIn("no such schedule", self.schedule(verb, "s", code=66).stderr)

    def test_what_is_none_is_refused(self):
        for args in (["--cron", "* * * *"], ["--cron", "60 * * * *"], ["--every", "999ms"], ["--every", "x"], [],
                     ["--cron", FAR, "--every", "1h"], ["--every", "1h", "--zone", "UTC"],
                     ["--cron", FAR, "--missed", "all"], ["--cron", FAR, "--missed", "all:1001"],
                     ["--cron", FAR, "--overlap", "stop"], ["--cron", FAR, "--expires", "@99999999999"],
                     ["--cron", FAR, "a", "b"], ["--cron", FAR, "--env", "X", "a"]):
            self.schedule("set", "s", *args, code=64)
        self.assertIn("five fields", self.schedule("set", "s", "--cron", "* * * *", code=64).stderr)
        self.assertIn("time zone", self.schedule("set", "s", "--cron", FAR, "--zone", "Europe/Nowhere", code=65).stderr)
        self.assertIn("time zone", self.schedule("set", "s", "--cron", FAR, "--zone", "../../etc/passwd", code=65).stderr)
        never = self.schedule("set", "s", "--cron", "0 0 30 2 *", code=65).stderr
        self.assertTrue(never.endswith("this time never comes\n"), never)
        self.assertNotIn("out of its range", never)
        self.schedule("set", "a b", "--cron", FAR, code=65)
        with open(self.place.path("large"), "wb") as f:
            f.write(b"x" * 16500)
        self.schedule("set", "s", "--cron", FAR, "-f", self.place.path("large"), code=65)
        for args in ([], ["what"], ["ls", "x"], ["show"], ["next"], ["rm"], ["ls", "--every", "1h"]):
            self.schedule(*args, code=64)
        self.assertEqual(self.place.json("schedule", "ls"), [])

    def test_options_without_effect_are_refused_and_a_list_is_of_a_queue(self):
        self.schedule("set", "one", "--cron", FAR, "-q", "a")
        self.schedule("set", "two", "--cron", FAR, "-q", "b")
        self.assertEqual([x["name"] for x in self.place.json("schedule", "ls", "-q", "b")], ["two"])
        self.assertIn("there is no schedule of queue c", self.schedule("ls", "-q", "c").stderr)
        for args, option in ((["rm", "one", "-p", "3"], "priority"), (["run", "one", "--unique", "x"], "unique"),
                             (["show", "one", "-q", "a"], "queue"), (["next", FAR, "-k", "x"], "kind"),
                             (["set", "one", "--cron", FAR, "--next", "3"], "next")):
            self.assertIn(f"--{option} has no effect with {args[0]}", self.schedule(*args, code=64).stderr)
        self.assertEqual(len(self.place.json("schedule", "ls")), 2)
        self.assertIn("--missed=all:0: ", self.schedule("set", "s", "--cron", FAR, "--missed", "all:0", code=64).stderr)

    def test_its_unique_key_is_shown_and_a_run_that_meets_a_job_says_so(self):
        self.schedule("set", "s", "--cron", FAR, "--unique", "only", "--unique-while", "waiting", "--unique-for", "5m",
                      "--unique-replace", "--unique-move", "x")
        job = self.one()["job"]
        self.assertEqual([job.get("unique" + field) for field in ("", "_while", "_for_ms", "_replace", "_move")],
                         ["only", "waiting", 300000, True, True])
        self.assertIn("unique_while", self.schedule("show", "s").stdout)
        self.schedule("set", "s", "--cron", FAR, "--unique", "only", "x")
        first = self.schedule("run", "s")
        self.assertEqual(first.stderr, "")
        again = self.schedule("run", "s")
        self.assertEqual(again.stdout, first.stdout)
        self.assertIn("was there already, and has this key", again.stderr)
        self.assertEqual(self.place.json("schedule", "run", "s")[0]["met"], "job")
        self.schedule("set", "t", "--cron", FAR, "x")
        self.assertNotIn("met", self.place.json("schedule", "run", "t")[0])

    def test_times_to_come_are_told_without_a_broker(self):
        self.broker.stop()
        r = self.place.stint("schedule", "next", "0 0 29 2 *", "--next", "2", endpoint=False)
        self.assertExit(r, 0)
        times = r.stdout.split()
        self.assertTrue(all(re.fullmatch(r"\d{4}-02-29T00:00:00.000Z", t) for t in times), times)
        self.assertEqual(int(times[1][:4]) - int(times[0][:4]), 4)
        if os.path.exists("/usr/share/zoneinfo/Europe/Berlin"):
            r = self.place.stint("schedule", "next", "30 2 * 12 *", "--zone", "Europe/Berlin", "--next", "1", endpoint=False)
            self.assertIn("T01:30:00.000Z", r.stdout)
        self.assertExit(self.place.stint("schedule", "next", "0 0 30 2 *", endpoint=False), 64)
        self.assertExit(self.place.stint("schedule", "next", FAR, "--zone", "No/Where", endpoint=False), 64)

    def test_a_command_is_run_as_run_runs_it(self):
        self.place.worker("--exec", "--slots", "1")
        self.schedule("set", "s", "--cron", FAR, "--exec", "--env", "A=b", "--", "sh", "-c", "echo $A; exit 0")
        job = self.schedule("run", "s").stdout.strip()
        r = self.place.stint("wait", "--results", job)
        self.assertExit(r, 0)
        self.assertEqual(r.stdout, "b\n")
        self.schedule("set", "s", "--cron", FAR, "-S", "echo $((6 * 7))")
        self.assertEqual(self.place.stint("wait", "--results", self.schedule("run", "s").stdout.strip()).stdout, "42\n")
        self.assertEqual(self.place.json("show", job)[0]["schedule"], "s")
        self.assertEqual(self.one()["jobs"], 2)

    def test_a_job_names_its_schedule_also_in_a_feed_and_after_a_restart(self):
        self.assertExit(self.place.stint("feed", "add", "all"), 0)
        self.schedule("set", "s", "--every", "1s", "x")
        harness.wait_until(lambda: self.one()["jobs"] >= 2, "two jobs are made")
        self.schedule("pause", "s")
        plain = self.place.stint("submit", "y").stdout.strip()
        told = {e["id"]: e.get("schedule") for e in self.place.json("events", "--feed", "all") if e["event"] == "submitted"}
        self.assertEqual({told.pop(plain), *told.values()}, {None, "s"})
        self.broker.kill()
        self.broker = self.place.broker(*self.options)
        shown = {j["id"]: j.get("schedule") for j in self.jobs()}
        self.assertEqual(shown.pop(plain), None)
        self.assertEqual(set(shown.values()), {"s"})
        self.assertEqual(self.one()["state"], "paused")

    def test_each_tick_makes_one_job_through_kills_of_the_broker(self):
        # Ticks that are missed are all made up for, so there are as many jobs as ticks.
        self.schedule("set", "s", "--every", "1s", "--missed", "all:1000", "x")
        began = self.one()["next_at"]
        for n in range(8):
            # a kill at any moment around a tick
            deadline = time.monotonic() + 0.83
            while time.monotonic() < deadline:
                time.sleep(0.01)
            self.broker.kill()
            self.broker = self.place.broker(*self.options)
        self.schedule("pause", "s")
        s = self.one()
        seconds = (moment(s["last_at"]) - moment(began)).total_seconds() + 1
        self.assertEqual((s["jobs"], len(self.jobs())), (round(seconds), round(seconds)))
        self.broker.kill()
        self.place.stintd("--verify")

    def test_a_broker_that_stood_still_makes_up_for_it_as_it_was_told(self):
        self.schedule("set", "one", "--every", "1s", "--missed", "one", "x")
        self.schedule("set", "all", "--every", "1s", "--missed", "all:100", "x")
        os.kill(self.broker.process.pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(self.broker.process.pid, signal.SIGCONT)
        self.schedule("pause", "one", "all")
        one, every = self.one("one"), self.one("all")
        self.assertGreaterEqual(every["jobs"], 4)
        self.assertLess(one["jobs"], every["jobs"])
        self.assertGreaterEqual(one["jobs"], 1)

    def test_overlap_is_as_it_was_told(self):
        self.schedule("set", "skip", "--every", "1s", "--overlap", "skip", "-q", "skip", "x")
        self.schedule("set", "replace", "--every", "1s", "--overlap", "replace", "-q", "replace", "x")
        harness.wait_until(lambda: self.one("replace")["jobs"] >= 3 and self.one("skip").get("skipped", 0) >= 1,
                           "it has come again")
        self.schedule("pause", "skip", "replace")
        self.assertEqual([j["state"] for j in self.jobs("-q", "skip")], ["ready"])
        states = [j["state"] for j in self.jobs("-q", "replace")]
        self.assertEqual((states.count("ready"), states.count("cancelled")), (1, len(states) - 1))

    def test_they_go_through_dump_load_and_verify(self):
        self.schedule("set", "cron", "--cron", "30 2 * * *", "--missed", "all:7", "--overlap", "replace", "-q", "mail", "a")
        self.schedule("set", "every", "--every", "1h", "b")
        self.schedule("pause", "every")
        job = self.schedule("run", "cron").stdout.strip()
        before = {n: self.one(n) for n in ("cron", "every")}
        self.assertEqual(self.broker.stop(), 0)
        dump = self.place.dump_and_load()
        for change in ({"cron": "* * *"}, {"missed": "some"}, {"job": ""}, {"every_ms": 5}, {"name": "a b"},
                       {"most": 5000}, {"began_ms": 1 << 62}):
            bad = []
            for line in dump.splitlines():
                o = json.loads(line)
                bad.append(json.dumps({**o, **change}) if o.get("name") == "cron" else line)
            r = self.place.stint("load", "--data", self.place.path("bad"), "-", input="\n".join(bad) + "\n")
            self.assertExit(r, 65)
        self.place.broker("--data", self.place.path("loaded"))
        self.assertEqual({n: self.one(n) for n in before}, before)
        self.assertEqual(self.place.json("show", job)[0]["schedule"], "cron")


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


class Older(harness.Case):
    """A broker that can do all but that."""

    def test_nothing_is_sent_to_it_and_the_command_says_why(self):
        code, said, heard = test_interop.told_by_older(self, "schedules", "schedule", "ls")
        self.assertNotIn(80, heard)
        self.assertIn("too old for schedules", said)
        self.assertEqual(code, 76)

    def test_nothing_is_left_out_of_its_job(self):
        for option, lacking in (("--group", "groups"), ("--needs", "needs")):
            code, said, heard = test_interop.told_by_older(self, lacking, "schedule", "set", "s", "--every", "1h", option, "a", "x")
            self.assertNotIn(79, heard)
            self.assertIn("too old for", said)
            self.assertEqual(code, 76)


if __name__ == "__main__":
    harness.main()
