"""Groups, with real programs: of each one job at a time in their order, limits that no event breaks, turns, through kills
and dumps; and what the command says of them."""

import collections
import datetime
import json

import harness
import test_interop

SUBMIT, SET_QUEUE = 16, 59


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Groups(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker()

    def set(self, *options, queue="sync", code=0):
        r = self.place.stint("queue", "set", queue, *options)
        self.assertExit(r, code)
        return r

    def submit(self, group, *lines, options=(), queue="sync"):
        named = ["--group", group] if group is not None else []
        return self.place.stint("submit", "--each", "-q", queue, "-k", "run", *named, *options,
                                input="".join(f"{line}\n" for line in lines))

    def worker(self, line, *options, queue="sync"):
        return self.place.worker("--queue", queue, *options, "--handle", f"run={self.place.script(line)}")

    def groups(self, queue="sync", *options):
        return {g["group"]: (g["ready"], g["running"]) for g in self.place.json("groups", queue, *options)}

    def wait_for(self, state, count):
        harness.wait_until(lambda: self.place.stats()["jobs"][state] >= count, f"{count} {state}", 120)

    def watch(self):
        self.assertExit(self.place.stint("feed", "add", "all"), 0)

    def heard(self):
        return self.place.json("events", "--feed", "all", timeout=60)

    def test_jobs_of_a_group_run_one_after_the_other_in_their_order(self):
        self.set("--group-running", "1")
        self.watch()
        ids = {g: self.submit(g, *range(12)).stdout.split() for g in ("a", "b", "c")}
        self.worker("sleep 0.01", "--slots", "4")
        self.wait_for("succeeded", 36)
        running = collections.Counter()
        order = collections.defaultdict(list)
        of = {id: g for g, all in ids.items() for id in all}
        for e in self.heard():
            group = of.get(e.get("id"))
            if group and e["event"] == "started":
                running[group] += 1
                self.assertEqual(running[group], 1, "two of a group run")
                order[group].append(e["id"])
            elif group and e["event"] == "succeeded":
                running[group] -= 1
        self.assertEqual({g: order[g] for g in ids}, ids)
        self.assertEqual(self.groups(), {})

    def test_one_that_fails_keeps_its_place_through_a_kill(self):
        self.set("--group-running", "1")
        first = self.submit("a", "first", options=["--backoff", "20s"]).stdout.split()[0]
        second = self.submit("a", "second").stdout.split()[0]
        other = self.submit("b", "other").stdout.split()[0]
        self.worker("read line; [ $line != first ] || [ $STINT_JOB_ATTEMPT = 2 ]", "--slots", "4")
        self.assertExit(self.place.stint("wait", other, timeout=60), 0)
        harness.wait_until(lambda: self.place.json("show", first)[0]["state"] == "scheduled", "it has failed")
        self.assertTrue(self.place.json("show", first)[0]["group_holds"])
        self.broker.kill()
        self.broker = self.place.broker()
        self.assertEqual(self.place.json("show", second)[0]["state"], "ready")
        harness.wait_until(lambda: "its group runs as many jobs as it may, 1" in self.place.stint("why", second).stdout,
                           "the worker is back, and it is the group that holds it up")
        self.assertEqual(self.groups(), {"a": (1, 1)})
        self.assertExit(self.place.stint("promote", first), 0)
        self.assertExit(self.place.stint("wait", first, second, timeout=60), 0)
        jobs = [self.place.json("show", id)[0] for id in (first, second)]
        self.assertLessEqual(jobs[0]["settled"], jobs[1]["started"] if "started" in jobs[1] else jobs[1]["settled"])

    def test_no_more_of_a_group_begin_than_its_rate_allows(self):
        self.set("--group-rate", "5/s")
        self.watch()
        ids = self.submit("a", *range(15)).stdout.split()
        self.worker("true", "--slots", "8")
        self.wait_for("succeeded", 15)
        at = sorted(when(e["at"]) for e in self.heard() if e["event"] == "started" and e["id"] in ids)
        self.assertEqual(len(at), 15)
        for i, begun in enumerate(at):  # in no second more than the rate allows, and a second's worth
            self.assertLessEqual(sum(begun <= t < begun + 1 for t in at[i:]), 10)

    def test_one_with_very_many_does_not_starve_another(self):
        self.watch()
        many = self.submit("many", *range(400)).stdout.split()
        few = self.submit("few", *range(20)).stdout.split()
        none = self.submit(None, *range(20)).stdout.split()
        self.worker("true", "--slots", "1")
        self.wait_for("succeeded", 200)
        started = [e["id"] for e in self.heard() if e["event"] == "started"][:90]
        self.assertGreaterEqual(len(set(started) & set(few)), 18)
        self.assertGreaterEqual(len(set(started) & set(none)), 18)
        self.assertGreaterEqual(len(set(started) & set(many)), 20)

    def test_what_is_set_is_told_lasts_through_a_kill_and_is_taken_back(self):
        r = self.set("--group-running", "2", "--group-rate", "10/s", "--group-weight", "eu=3", "--group-weight", "a=b=1000")
        self.assertIn("each is limited, and some have weights; it was not there before", r.stderr)
        self.broker.kill()
        self.broker = self.place.broker()
        q = self.place.json("queues")[0]
        self.assertEqual((q["group_running_max"], q["group_rate_per_hour"], q["group_weights"]), (2, 36000, 2))
        self.submit("eu", "x")
        self.assertEqual(self.place.json("groups", "sync")[0]["weight"], 3)
        said = self.place.json("queue", "set", "sync", "--group-weight", "eu=1", "--group-rate", "none")[0]
        self.assertEqual((said.get("group_rate_per_hour"), said["group_weights"]), (None, 1))
        self.set("--group-running", "none", "--group-weight", "a=b=1")
        q = self.place.json("queues")[0]
        self.assertFalse({"group_running_max", "group_rate_per_hour", "group_weights"} & set(q))

    def test_options_that_can_not_be_meant(self):
        for options in (["--group-running", "0"], ["--group-running", "many"], ["--group-rate", "10"],
                        ["--group-rate", "0/s"], ["--group-weight", "eu"], ["--group-weight", "=3"],
                        ["--group-weight", "eu=0"], ["--group-weight", "eu=1001"]):
            self.set(*options, code=64)
        self.assertExit(self.place.stint("queue", "pause", "sync", "--group-running", "2"), 64)
        self.set("--group-running", "none", queue="never", code=66)
        self.assertExit(self.submit("", "x"), 64)
        self.assertExit(self.submit("g" * 129, "x"), 65)
        self.assertExit(self.submit("{}", "x", ""), 65)
        self.assertExit(self.place.stint("groups", "never"), 66)
        self.assertExit(self.place.stint("groups"), 64)

    def test_lines_name_their_groups_and_programs_are_told_theirs(self):
        self.assertExit(self.submit("of {}", "x", "y", "x"), 0)
        self.assertEqual(self.groups(), {"of x": (2, 0), "of y": (1, 0)})
        self.assertEqual(self.groups("sync", "--group", "of y"), {"of y": (1, 0)})
        self.assertEqual(len(self.place.json("ls", "-q", "sync", "--group", "of x")), 2)
        self.assertEqual(len(self.place.json("ls", "-q", "sync", "--where", "group!='of x'")), 1)
        self.place.worker("--queue", "told", "--exec")
        r = self.place.stint("map", "-q", "told", "--group", "{}", "-S", "echo $STINT_GROUP {}", input="a\nb\n", timeout=60)
        self.assertEqual(r.stdout.splitlines(), ["a a", "b b"])
        r = self.place.stint("run", "-q", "told", "-S", "echo ${STINT_GROUP-none}", timeout=60)
        self.assertEqual(r.stdout.strip(), "none")
        self.assertExit(self.place.stint("bulk", "cancel", "--where", "queue=sync group='of x'", "--yes"), 0)
        self.assertEqual(self.groups(), {"of y": (1, 0)})

    def test_a_line_that_names_no_group_fails_alone(self):
        self.place.worker("--queue", "lines", "--exec", "--handle", "show=sh -c 'echo $STINT_GROUP'")
        lines = "a\n\n" + "b" * 129 + "\nc\n"
        r = self.place.stint("map", "-q", "lines", "--group", "{}", "echo", input=lines, timeout=60)
        self.assertExit(r, 1)
        self.assertEqual(r.stdout.splitlines(), ["a", "c"])
        self.assertEqual(r.stderr.count("the name of its group has no bytes, or over 128"), 2, r.stderr)
        r = self.place.stint("map", "-q", "lines", "-k", "show", "--group", "{}", input="a\n" "b\0c\n", timeout=60)
        self.assertExit(r, 1)
        self.assertEqual(r.stdout.splitlines(), ["a"])
        self.assertIn("zero byte", r.stderr)

    def test_a_queue_says_that_its_groups_hold_it_up(self):
        self.set("--group-running", "1")
        first = self.submit("a", "first", options=["--backoff", "1h"]).stdout.split()[0]
        self.worker("exit 1")
        harness.wait_until(lambda: self.place.json("show", first)[0]["state"] == "scheduled", "it has failed")
        self.submit("a", "second")
        self.assertIn("all that is ready in it waits for its groups", self.place.stint("why", "--queue", "sync").stdout)
        self.submit("b", "third", options=["--in", "1h"])
        why, = self.place.json("why", "--queue", "sync")
        self.assertEqual((why["reason"], why["slots"]), ("group_full", 1))
        self.submit("c", "fourth", options=["--needs", "gpu"])
        why, = self.place.json("why", "--queue", "sync")
        self.assertEqual((why["reason"], why["needs"]), ("needs", "gpu"))

    def test_it_goes_through_dump_load_and_verify(self):
        self.set("--group-running", "1", "--group-weight", "eu=3", "--group-rate", "1/h")
        for group in ("eu", "us", None):
            self.assertExit(self.submit(group, *range(3), options=["--backoff", "1h"]), 0)
        worker = self.worker("[ $STINT_GROUP != us ]", "--slots", "4")
        self.wait_for("succeeded", 1)
        self.wait_for("scheduled", 1)
        self.assertEqual(worker.stop(), 0)  # it would take what is brought back
        self.assertEqual(self.broker.stop(), 0)
        rows = [json.loads(line) for line in self.place.dump_and_load().splitlines()]
        self.assertIn(("eu", 3), [(r["name"], r["weight"]) for r in rows if r["type"] == "group_weight"])
        self.assertTrue(any(r.get("group_holds") for r in rows))
        self.broker = self.place.broker("--data", self.place.path("loaded"))
        self.assertEqual(self.groups(), {"eu": (2, 0), "us": (2, 1)})
        self.assertEqual(self.place.json("groups", "sync")[0]["weight"], 3)
        self.assertGreater(self.place.json("groups", "sync")[0]["wait_ms"], 60000)
        self.set("--group-rate", "none")
        self.assertExit(self.place.stint("bulk", "promote", "--where", "queue=sync", "--yes"), 0)
        self.worker("true", "--slots", "4")
        harness.wait_until(lambda: self.groups() == {}, "all of it is done", 60)


class Older(harness.Case):
    """A broker that can do all but that."""

    def test_nothing_of_it_is_sent_and_the_command_says_why(self):
        for args in (["submit", "--group", "a", "x"], ["queue", "set", "sync", "--group-running", "1"], ["groups", "sync"]):
            code, said, heard = test_interop.told_by_older(self, "groups", *args)
            self.assertFalse({SUBMIT, SET_QUEUE} & set(heard))
            self.assertIn("too old for groups", said)
            self.assertEqual(code, 76)


if __name__ == "__main__":
    harness.main()
