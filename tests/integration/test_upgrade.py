"""Data directories of formats 2 to 12, each written by the last stintd of that format and then killed, are
opened by this one. They hold jobs in every state, four queues, several priorities, bodies in parts, the output of
a dead job, two sessions and their last answers."""

import os
import subprocess
import tarfile

import harness
import peer

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
JOBS = {"ready": 304, "scheduled": 2, "running": 4, "succeeded": 2, "dead": 1, "cancelled": 2}
WRITTEN = 1795597860  # when it was, in seconds since 1970
QUEUES = ["default", "other", "third", "fourth"]
SESSION, SUBMISSION = bytes(range(16)), 10
LAST = [{3: b"waits urgently", 4: 255}, {1: "fourth", 3: b"P" * 5000},
        {1: "other", 3: b"waits in the other"}]
NEW = f"stint-data {harness.DATA_FORMAT}"
OPTIONS = ["--heartbeat", "200ms", "--lost", "2s", "--grace", "300ms", "--keep", "3650d", "--log-format", "json",
           "--journal-size", "256K"]
FAULTS, WALL = "tests/faults/faults.so", "tests/faults/wall.so"


def unpack(place, number):
    os.makedirs(place.path("data"), 0o700)
    with tarfile.open(os.path.join(DATA, f"format-{number}.tar.xz")) as tar:
        for member in tar:
            with open(place.path("data", member.name), "wb") as f:
                f.write(tar.extractfile(member).read())


def at_its_time(*libraries, **variables):
    """An environment in which the directory was left a moment ago: its outcomes have not expired."""
    preload = ":".join(os.path.join(harness.BUILD, library) for library in (WALL, *libraries))
    return dict(os.environ, LD_PRELOAD=preload, STINT_WALL=str(WRITTEN), **variables)


class OldDirectory(harness.Case):
    old = 2
    jobs, queues, results = JOBS, QUEUES, ["R" * 9000, "done"]

    def setUp(self):
        super().setUp()
        if not os.path.exists(os.path.join(harness.BUILD, WALL)):
            self.skipTest("built without the library that sets the clock")
        unpack(self.place, self.old)

    def broker(self):
        return self.place.broker(*OPTIONS, env=at_its_time())

    def format(self):
        with open(self.place.path("data", "MANIFEST")) as f:
            return f.readline().strip()

    def verify(self):
        r = subprocess.run([harness.program("stintd"), "--verify", "--data", self.place.path("data")],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        return {line.rsplit(None, 1)[0]: int(line.split()[-1]) for line in r.stdout.splitlines()}

    def rows(self):
        rows = self.place.json("ls", "--limit", "0", timeout=60)
        self.assertEqual(len(rows), sum(self.jobs.values()))
        return rows


class Upgrade(OldDirectory):
    def outcome(self, state):
        return [self.place.stint("result", r["id"]).stdout for r in self.rows() if r["state"] == state]

    def finish(self, queues=None):
        """A worker brings all that is not scheduled to its end."""
        w = peer.Worker(self.place.endpoint, queues=queues or self.queues, slots=50, window=50)
        while there := sum(self.place.stats()["jobs"][s] for s in ("ready", "running")):
            for _ in range(there):
                job, attempt, _, _ = w.take()
                w.settle(job, attempt, peer.SUCCEEDED, b"at last")
        w.close()

    def test_it_serves_and_everything_is_there(self):
        broker = self.broker()
        states = [r["state"] for r in self.rows()]
        for state in ("succeeded", "dead", "cancelled"):
            self.assertEqual(states.count(state), self.jobs[state], state)
        waiting = ("ready", "running", "scheduled")  # those become due, as time has passed since
        self.assertEqual(sum(map(states.count, waiting)), sum(self.jobs[s] for s in waiting))
        self.assertEqual({q["name"] for q in self.place.json("queues")}, set(self.queues))
        self.assertEqual(sorted(self.outcome("succeeded")), self.results)
        dead = next(r["id"] for r in self.rows() if r["state"] == "dead")
        self.assertIn("its last words", self.place.stint("show", "--result", dead).stdout
                      + self.place.stint("result", dead).stdout)
        self.assertEqual(broker.log().count("brought to a newer format"), 1, broker.log())
        self.assertEqual(self.format(), NEW)

    def test_a_session_goes_on_and_its_last_answer_is_given_again(self):
        self.broker()
        before = {r["id"] for r in self.rows()}
        c = peer.Client(self.place.endpoint, session=SESSION)
        self.assertEqual(c.welcome[10], SUBMISSION)
        c.submission = SUBMISSION - 1
        ids = c.submit(LAST)
        self.assertLessEqual({peer.text(i) for i in ids}, before)
        fresh = c.submit([b"after the upgrade"])
        self.assertNotIn(peer.text(fresh[0]), before)
        self.assertEqual(len(self.place.json("ls", "--limit", "0")), len(before) + 1)

    def test_a_worker_finishes_the_jobs_and_the_books_are_right(self):
        broker = self.broker()
        self.finish()
        self.assertEqual(broker.stop(), 0)
        found = self.verify()
        ended = ("ready", "running", "scheduled", "blocked", "succeeded")
        self.assertEqual(found["succeeded"] + found["scheduled"], sum(self.jobs.get(s, 0) for s in ended))
        second = self.broker()
        self.rows()
        self.assertEqual(second.log().count("brought to a newer format"), 1, "only the first start upgrades")

    def test_verify_looks_at_the_old_rows_and_changes_none(self):
        for _ in range(2):
            found = self.verify()
            self.assertEqual({s: found[s] for s in self.jobs}, self.jobs)
            self.assertEqual((found["sessions"], found["answers"]), (2, 2))
        self.assertEqual(self.format(), f"stint-data {self.old}")
        broker = self.broker()
        self.rows()
        self.assertEqual(broker.log().count("brought to a newer format"), 1)


class UpgradeOfFormat3(Upgrade):
    old = 3


class UpgradeOfFormat4(Upgrade):
    old = 4

    def test_no_queue_is_paused_or_closed(self):
        self.broker()
        for q in self.place.json("queues"):
            self.assertEqual((q["paused"], q["closed"]), (False, False), q)
        self.assertEqual(self.place.stint("queue", "pause", "default").returncode, 0)
        self.assertEqual(self.format(), NEW)


class UpgradeOfFormat5(UpgradeOfFormat4):
    old = 5

    def test_a_feed_is_made_and_records(self):
        self.broker()
        self.assertEqual(self.place.json("feed", "ls"), [])
        self.assertEqual(self.place.stint("feed", "add", "all").returncode, 0)
        job = self.place.stint("submit", "x").stdout.strip()
        told = self.place.json("events", "--feed", "all")
        self.assertIn((job, "submitted"), [(e["id"], e["event"]) for e in told])


class UpgradeOfFormat6(UpgradeOfFormat5):
    old = 6


class UpgradeOfFormat7(UpgradeOfFormat6):
    old = 7

    def test_a_job_may_expire(self):
        self.broker()
        job = self.place.stint("submit", "--in", "1h", "--expires", "100ms", "x").stdout.strip()
        self.assertEqual(self.place.stint("wait", job).returncode, 1)
        self.assertEqual(self.place.json("show", job)[0]["state"], "expired")
        self.assertEqual(self.place.stats()["totals"]["expired"], 1)


class UpgradeOfFormat8(UpgradeOfFormat7):
    old = 8

    def test_queues_have_their_limits(self):
        self.broker()
        fourth = next(q for q in self.place.json("queues") if q["name"] == "fourth")
        self.assertEqual((fourth["running_max"], fourth["rate_per_hour"]), (3, 7 * 3600))


class UpgradeOfFormat9(UpgradeOfFormat8):
    old = 9


class UpgradeOfFormat10(UpgradeOfFormat9):
    """One job more, which has run twice; a weight, and a schedule."""
    old = 10
    jobs = dict(JOBS, succeeded=3)
    queues = [*QUEUES, "fifth"]
    results = ["R" * 9000, "at last", "done"]

    def test_what_was_kept_of_runs_is_told(self):
        self.broker()
        ids = [r["id"] for r in self.rows() if r["queue"] == "fifth"]
        runs = self.place.json("show", *ids)[0]["attempts"]
        self.assertEqual([(r["attempt"], r["end"], r["worker"], r.get("error")) for r in runs],
                         [(1, "failed", "python", "not yet"), (2, "succeeded", "python", None)])
        times = [r[k] for r in runs for k in ("started", "ended")]
        self.assertEqual(times, sorted(times))
        self.assertTrue(times[0].startswith("2026-11-25T"), times)

    def test_what_was_set_is_there(self):
        self.broker()
        self.assertEqual({q["name"]: q.get("weight") for q in self.place.json("queues")}["fourth"], 3)
        self.assertEqual([s["name"] for s in self.place.json("schedule", "ls")], ["yearly"])


class UpgradeOfFormat11(UpgradeOfFormat10):
    """A queue more, of which a job at a time runs of each group, with priorities; and a batch."""
    old = 11
    jobs = dict(JOBS, ready=349, running=1, succeeded=3)
    queues = [*QUEUES, "fifth", "grouped"]

    def test_jobs_of_groups_go_one_after_the_other_the_most_urgent_first(self):
        self.broker()
        group = {r["id"]: r.get("group") for r in self.place.json("show", *(
            r["id"] for r in self.rows() if r["queue"] == "grouped"))}
        w = peer.Worker(self.place.endpoint, queues=["grouped"], slots=50, window=50)
        went = {"a": [], "b": [], None: []}
        for _ in group:
            job, attempt, _, _ = w.take()
            w.settle(job, attempt, peer.SUCCEEDED)
            _, _, priority, sequence = map(int, peer.text(job).split("."))
            went[group[peer.text(job)]].append((-priority, sequence))
        w.close()
        self.assertEqual({name: len(jobs) for name, jobs in went.items()}, {"a": 31, "b": 10, None: 1})
        went["a"].remove((-100, 1))  # it ran, and goes when it is known to be lost
        for name, jobs in went.items():
            self.assertEqual(jobs, sorted(jobs), name)
        self.assertEqual(self.place.json("groups", "grouped"), [])

    def test_a_batch_is_there(self):
        self.broker()
        self.assertEqual([(b["title"], b["jobs"]) for b in self.place.json("batch", "ls")], [("of old", 1)])


class UpgradeOfFormat12(UpgradeOfFormat11):
    """A graph more: a root, of which three jobs wait and one of another priority, and one that waits for the three."""
    old = 12
    jobs = dict(UpgradeOfFormat11.jobs, ready=350, blocked=5)
    queues = [*UpgradeOfFormat11.queues, "graph"]

    def test_a_graph_goes_on_in_its_order(self):
        self.broker()
        graph = self.place.json("show", "--payload", *(r["id"] for r in self.rows() if r["queue"] == "graph"))
        names = {r["id"]: r["payload"] for r in graph}
        parents = {r["payload"]: {names[p] for p in r["parents"]} for r in graph if r.get("parents")}
        kids = {"kid 0", "kid 1", "kid 2"}
        self.assertEqual(parents, {**{k: {"root"} for k in kids}, "away": {"root"}, "join": kids})
        w = peer.Worker(self.place.endpoint, queues=["graph"], slots=1, window=1)
        went = []
        for _ in names:
            job, attempt, _, _ = w.take()
            w.settle(job, attempt, peer.SUCCEEDED)
            went.append(names[peer.text(job)])
        w.close()
        self.assertEqual(went[0], "root")
        self.assertEqual(set(went), set(names.values()))
        self.assertTrue(all(went.index(k) < went.index("join") for k in kids), went)


class KilledUpgrade(OldDirectory):
    """Of formats of which rows are written anew, and of the newest: all others are only marked, as that one."""

    def test_a_start_that_is_killed_anywhere_leaves_the_old_or_the_new(self):
        found, point = set(), 0
        while True:
            point += 1
            shown = self.killed_at(point)
            if shown is None:
                break
            found.add(shown)
        self.assertGreater(point, 5)
        self.assertEqual({rows for _, rows in found}, {"old", "new"})

    def killed_at(self, point):
        """What a start left that was killed at this operation: the manifest's format, and the rows'; None
        if it came to serving."""
        place = harness.Place()
        try:
            unpack(place, self.old)
            self.place, kept = place, self.place
            first = place.broker(*OPTIONS, env=at_its_time(
                FAULTS, STINT_FAULTS_DIRECTORY=place.path("data"), STINT_FAULTS=f"crash:{point}"))
            harness.wait_until(lambda: not first.running() or '"ready"' in first.log() or
                               "event=ready" in first.log(), "it is killed or serves")
            if first.running():
                return None
            said = first.log().count("brought to a newer format")
            shown = self.format()
            found = self.verify()
            self.assertEqual({s: found[s] for s in self.jobs}, self.jobs)
            second = place.broker(*OPTIONS, env=at_its_time())
            self.rows()
            upgraded = second.log().count("brought to a newer format") - said
            self.assertEqual(second.stop(), 0)
            self.assertEqual(self.format(), NEW)
            self.verify()
            return shown, "old" if upgraded else "new"
        finally:
            self.place = kept
            place.close()


class KilledUpgradeOfFormat8(KilledUpgrade):
    old = 8


class KilledUpgradeOfFormat12(KilledUpgrade):
    old = 12
    jobs = UpgradeOfFormat12.jobs


if __name__ == "__main__":
    harness.main()
