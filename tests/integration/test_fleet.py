"""The fleet is looked after from one place: workers are resized, paused, drained and stopped while they
work, and what was set lasts. Real brokers and workers; nobody waits for time, but for what is to be seen."""

import os
import signal
import subprocess

import harness
import peer
import zmq

OPTIONS = ["--heartbeat", "200ms", "--lost", "20s", "--grace", "20s"]


class Fleet(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker(*OPTIONS)

    def worker(self, name, *options, slots=2, env=None):
        w = self.place.worker("--handle", "sleep=sleep 1000", "--handle", "echo=cat", "--exec", "--name", name,
                              *(["--slots", str(slots)] if slots else []), *options, env=env)
        self.shown(name)
        return w

    def all(self, name=None):
        return [w for w in self.place.json("workers") if name in (None, w["name"])]

    def shown(self, name, **fields):
        """The worker of that name, once it is there and these fields are so."""
        def is_so():
            for w in self.all(name):
                if all(w.get(k) == v for k, v in fields.items()):
                    return w
            return None
        return harness.wait_until(is_so, f"{name} has {fields}")

    def tell(self, *args, workers=1):
        found = self.place.json("worker", *args)
        self.assertEqual([f["workers"] for f in found], [workers], args)

    def submit(self, count=1, kind="echo", payload="x", *options):
        r = self.place.stint("submit", "--kind", kind, *options, "--each",
                             input="".join(f"{payload}\n" for _ in range(count)))
        self.assertExit(r, 0)
        return r.stdout.split()

    def states(self, **expected):
        harness.wait_until(lambda: all(self.place.stats()["jobs"][s] == n for s, n in expected.items()),
                           f"the jobs are {expected}")

    def running(self, name):
        rows = self.place.json("worker", "show", name)
        return [r for r in rows if r["schema"] == "stint.running/1"]


class Resize(Fleet):
    def test_a_worker_gets_more_slots_than_it_was_started_with_and_fewer_again(self):
        self.worker("one")
        self.submit(12, "sleep")
        self.states(running=2, ready=10)
        self.tell("resize", "one", "9")
        self.shown("one", slots=9)
        self.states(running=9, ready=3)
        self.tell("resize", "one", "3")
        self.shown("one", slots=3, held=9)  # those that run are not touched
        self.tell("resize", "one", "own")
        self.shown("one", slots=2, held=9)

    def test_jobs_are_unharmed_by_a_hundred_resizes_under_load(self):
        w = self.worker("one", slots=1)
        before = self.threads_of(w)
        long, = self.submit(1, "sleep")
        self.states(running=1)
        ids = []
        for n in range(100):
            ids += self.submit(10)
            self.tell("resize", "one", "64")
            self.shown("one", slots=64)
            self.tell("resize", "one", "1")
            self.shown("one", slots=1)
        self.tell("resize", "one", "64")
        self.states(succeeded=len(ids), running=1, ready=0)
        self.assertEqual(self.running("one")[0]["id"], long)
        rows = {r["id"]: r for r in self.place.json("ls", "--limit", "0")}
        self.assertEqual(set(rows), {long, *ids})
        self.assertEqual({(r["state"], r.get("failures", 0)) for i, r in rows.items() if i != long},
                         {("succeeded", 0)})
        self.assertEqual(rows[long]["attempt"], 1)
        stats = self.place.stats()
        self.assertEqual([stats[k] for k in ("succeeded", "failed", "dead", "stale", "refused")],
                         [len(ids), 0, 0, 0, 0])
        self.tell("resize", "one", "own")
        harness.wait_until(lambda: self.threads_of(w) <= before, "the threads are gone again")

    @staticmethod
    def threads_of(w):
        return len(os.listdir(f"/proc/{w.children()[0]}/task"))

    def test_a_worker_goes_no_further_than_its_descriptors_allow(self):
        argv = ["sh", "-c", 'ulimit -n 100; exec "$0" "$@"', harness.program("stint-worker"), "--endpoint",
                self.place.endpoint, "--exec", "--name", "small", "--slots", "2"]
        self.place.processes.append(harness.Process(argv, self.place.path("small.log")))
        self.shown("small")
        self.tell("resize", "small", "1000")
        self.shown("small", slots=5)  # (100 - 30) / 12

    def test_names_and_what_was_set_survive_reconnects_and_restarts(self):
        w = self.worker("one")
        self.tell("resize", "one", "7")
        self.shown("one", slots=7)
        self.tell("pause", "one")
        self.shown("one", state="paused")
        self.broker.kill()
        self.broker = self.place.broker(*OPTIONS)
        self.shown("one", slots=7, state="paused")
        self.assertEqual(w.stop(), 0)
        harness.wait_until(lambda: not self.all("one"), "it has left")
        self.worker("one")
        self.shown("one", slots=7, state="paused")
        self.broker.stop()
        self.broker = self.place.broker(*OPTIONS)
        self.shown("one", slots=7, state="paused")
        self.tell("resume", "one")
        self.tell("resize", "one", "own")
        self.shown("one", slots=2)
        self.assertEqual([w["name"] for w in self.all()], ["one"])

    def test_a_worker_that_is_cut_off_keeps_its_name_and_its_jobs(self):
        w = self.worker("one")
        self.submit(2, "sleep")
        self.states(running=2)
        before = sorted((r["id"], r["attempt"]) for r in self.running("one"))
        self.broker.kill()
        self.broker = self.place.broker(*OPTIONS)
        self.shown("one", held=2)
        self.assertEqual(sorted((r["id"], r["attempt"]) for r in self.running("one")), before)
        self.assertTrue(w.running())


class Pause(Fleet):
    def test_a_paused_worker_gives_back_what_has_not_begun_and_is_given_nothing(self):
        self.worker("one", "--prefetch", "8")
        ids = self.submit(10, "sleep")
        self.shown("one", held=10)
        harness.wait_until(lambda: [r["state"] for r in self.running("one")].count("running") == 2,
                           "two of them run")
        self.tell("pause", "one")
        self.shown("one", state="paused", held=2)
        self.states(running=2, ready=8)
        rows = self.place.json("ls", "--limit", "0")
        self.assertEqual({r.get("failures", 0) for r in rows}, {0})
        self.worker("two", slots=8)
        self.shown("two", held=8)  # they are not lost on others
        self.tell("resume", "one")
        more = self.submit(2, "echo")
        self.assertExit(self.place.stint("cancel", *ids), 0)
        self.states(succeeded=len(more), cancelled=len(ids))

    def test_those_with_a_label_are_paused_and_no_others(self):
        self.worker("one", "--label", "gpu", "--label", "eu")
        self.worker("two", "--label", "eu")
        self.worker("three")
        self.assertEqual(self.shown("one")["labels"], "gpu eu")
        self.tell("pause", "--label", "gpu")
        self.shown("one", state="paused")
        self.assertNotIn("state", self.shown("two"))
        self.tell("pause", "--label", "eu", workers=2)
        self.shown("two", state="paused")
        self.assertNotIn("state", self.shown("three"))
        self.tell("resume", "--all", workers=3)
        harness.wait_until(lambda: not any("state" in w for w in self.all()), "all are resumed")

    def test_nobody_of_that_name_or_label_is_said(self):
        self.worker("one")
        r = self.place.stint("worker", "pause", "eno")
        self.assertExit(r, 66)
        self.assertIn("no worker eno", r.stderr)
        r = self.place.stint("worker", "pause", "--label", "gpu")
        self.assertExit(r, 0)
        self.assertIn("no worker has the label gpu", r.stderr)
        self.assertExit(self.place.stint("worker", "show", "eno"), 66)


class Leave(Fleet):
    def test_drain_lets_a_job_finish_however_long_and_the_worker_ends(self):
        w = self.worker("one", "--drain", "1ms")  # which bounds a stop by a signal, not this
        release = self.place.path("release")
        os.mkfifo(release)
        job, = self.submit_exec(["cat", release])
        self.states(running=1)
        self.tell("drain", "one")
        self.shown("one", state="leaving")
        waits, = self.submit()
        self.assertEqual(self.place.state(waits), "ready")
        self.assertTrue(w.running())
        with open(release, "w") as f:
            f.write("at last")
        self.assertEqual(w.process.wait(harness.DEADLINE_S), 0)
        self.assertEqual(self.place.stint("result", job).stdout, "at last")
        self.assertEqual(self.place.state(waits), "ready")
        self.assertEqual(self.all(), [])

    def submit_exec(self, argv):
        client = peer.Client(self.place.endpoint)
        jobs = client.submit([{2: "exec", 3: peer.msgpack.packb(argv)}])
        return [peer.text(j) for j in jobs]

    def test_stop_ends_what_runs_and_another_worker_runs_it(self):
        first = self.worker("first", slots=1)
        job, = self.submit(1, "sleep")
        self.states(running=1)
        self.tell("stop", "first")
        self.assertEqual(first.process.wait(harness.DEADLINE_S), 0)
        self.states(ready=1)
        self.worker("second")
        self.states(running=1)
        shown = self.place.json("show", job)[0]
        self.assertEqual((shown["attempt"], shown.get("failures", 0)), (2, 0))

    def test_a_drain_that_is_told_while_the_worker_is_cut_off_is_heard_when_it_is_back(self):
        w = self.worker("one")
        for pid in w.children():
            os.kill(pid, signal.SIGSTOP)
        self.tell("drain", "one")
        for pid in w.children():
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(w.process.wait(harness.DEADLINE_S), 0)

    def test_a_worker_ends_by_itself_when_it_is_idle(self):
        w = self.place.worker("--exec", "--exit-idle", "300ms")
        self.assertEqual(w.process.wait(harness.DEADLINE_S), 0)
        self.assertIn("it was idle", w.log())

    def test_a_worker_is_not_idle_as_long_as_an_outcome_is_not_confirmed(self):
        self.broker.kill()
        self.broker = self.place.broker("--heartbeat", "100ms", "--lost", "1s", "--grace", "20s")
        gate = self.place.path("gate")
        job = self.place.stint(
            "run", "--detach", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.02; done; echo whole").stdout.strip()
        w = self.place.worker("--exec", "--exit-idle", "2s")
        harness.wait_until(lambda: self.place.state(job) == "running", "it runs")
        self.broker.kill()
        with open(gate, "w"):
            pass
        with self.assertRaises(subprocess.TimeoutExpired):
            w.process.wait(8)
        self.broker = self.place.broker(*OPTIONS)
        self.assertEqual(w.process.wait(harness.DEADLINE_S), 0)
        shown = self.place.json("show", job)[0]
        self.assertEqual((shown["state"], shown["attempt"]), ("succeeded", 1))

    def test_a_worker_ends_by_itself_after_its_time(self):
        self.submit(1, "sleep")
        w = self.place.worker("--handle", "sleep=sleep 1000", "--exit-after", "400ms", "--drain", "50ms")
        self.assertEqual(w.process.wait(harness.DEADLINE_S), 0)
        self.assertIn("its time is over", w.log())
        self.states(ready=1)  # if it ran it was cancelled, and runs again elsewhere


class Size(Fleet):
    def test_the_fleets_size_is_divided_and_lasts(self):
        self.worker("one")
        self.worker("two")
        told = self.place.json("fleet", "size", "11")[0]
        self.assertEqual((told["slots"], told["workers"]), (11, 2))
        def slots():
            return sorted(w["slots"] for w in self.all())
        harness.wait_until(lambda: slots() == [5, 6], "it is divided")
        self.tell("resize", "two", "4")
        self.shown("one", slots=7)
        self.broker.kill()
        self.broker = self.place.broker(*OPTIONS)
        harness.wait_until(lambda: slots() == [4, 7], "it is as before")
        self.assertEqual(self.place.json("fleet", "size")[0]["slots"], 11)
        self.place.json("fleet", "size", "0")
        harness.wait_until(lambda: slots() == [2, 4], "each has its own")

    def test_no_more_run_than_the_fleets_size(self):
        self.place.json("fleet", "size", "3")
        for name in ("one", "two"):
            self.worker(name, slots=8)
        harness.wait_until(lambda: sorted(w["slots"] for w in self.all()) == [1, 2], "it is divided")
        self.submit(20, "sleep")
        self.states(running=3, ready=17)

    def test_slots_follow_the_work_between_bounds(self):
        self.worker("one", "--local-min", "1", "--local-max", "6", "--cool-down", "300ms", slots=None)
        self.shown("one", slots=1)
        ids = self.submit(20, "sleep")
        self.shown("one", slots=6)
        self.assertExit(self.place.stint("cancel", *ids), 0)
        self.shown("one", slots=1)
        self.tell("resize", "one", "3")
        ids = self.submit(20, "sleep")
        self.shown("one", slots=3)
        self.tell("resize", "one", "0")
        self.shown("one", slots=0)
        self.assertExit(self.place.stint("cancel", *ids), 0)
        self.tell("resize", "one", "own")
        self.shown("one", slots=1)
        self.submit(20, "sleep")
        self.shown("one", slots=6)


class OnItsWay(harness.Case):
    def test_what_was_on_its_way_to_a_worker_that_was_made_smaller_comes_back(self):
        """A broker that has told a worker to have one slot, and has sent what eight could take."""
        socket = zmq.Context.instance().socket(zmq.ROUTER)
        socket.bind(self.place.endpoint)
        self.addCleanup(socket.close, 0)
        self.place.worker("--handle", "sleep=sleep 1000", "--slots", "8", "--no-prefetch")
        say = lambda to, m: socket.send_multipart([to, peer.pack(m)])
        jobs = [bytes([0, 0, 0, 0, 0, 1, 155, 0]) + n.to_bytes(8, "big") for n in range(1, 9)]
        returned, sent = set(), False
        while len(returned) < 7:
            self.assertTrue(socket.poll(1000 * harness.DEADLINE_S), "the worker gives them back")
            who, frame = socket.recv_multipart()
            m = peer.unpack(frame)
            if m[0] == peer.HELLO:
                say(who, {0: peer.WELCOME, 2: 1, 3: 1, 4: 0, 5: 60000, 6: 120000, 7: 8 << 20, 8: 1 << 20,
                          9: 1 << 20, 10: 0, 11: [[0, "x"]], 12: "scripted", 13: peer.FEATURES})
            elif m[0] == peer.CLAIM:
                say(who, {0: peer.CLAIMED, 1: m[1], 2: []})
                say(who, {0: peer.ORDER, 2: 1})
            elif m[0] == peer.PING and not sent and m.get(4) == 1:  # it has its one slot; we have not heard
                sent = True
                say(who, {0: peer.DISPATCH, 2: "default", 3: [{1: j, 2: 1, 3: "sleep", 4: b""} for j in jobs]})
                say(who, {0: peer.PONG, 1: m[1], 2: 1})
            elif m[0] == peer.SETTLE:
                returned |= {o[0] for o in m[2] if o[2] == peer.RETURNED}
                say(who, {0: peer.SETTLED, 2: [[m[1], []]]})
        self.assertEqual(len(returned), 7)


class Wire(Fleet):
    def test_a_worker_in_another_language_takes_orders(self):
        c = peer.Client(self.place.endpoint)
        w = peer.Worker(self.place.endpoint, labels=["gpu"], cores=4, slots=1, window=1)
        self.assertTrue(c.has("control"))
        self.assertEqual(c.control(peer.RESIZE, label="gpu", slots=3), 1)
        while w.order is None or w.order.get(2) != 3:
            w.other(w.next())
        self.assertEqual(c.control(peer.PAUSE, name="python"), 1)
        while not w.order.get(3):
            w.other(w.next())
        self.assertEqual(c.control(peer.RESUME), 1)
        self.assertEqual(c.control(peer.DRAIN, name="nobody"), 0)
        job, = c.submit([b"x"])
        w.take()
        self.assertEqual([j[1] for j in c.running("python")], [job])
        w.settle(job, 1, peer.SUCCEEDED, b"")
        w.close()


if __name__ == "__main__":
    harness.main()
