"""Many workers at once: all of them come back when the broker was killed, and nothing is run again. The workers
are those of ./dev bench --fleet, in one process. How long it takes is measured there."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import fleet
import harness
import peer

WORKERS, SLOTS = 200, 4
OPTIONS = ["--lost", "30s", "--grace", "60s", "--log-level", "warn"]


class Scale(harness.Case):
    def setUp(self):
        super().setUp()
        self.port = harness.socket_port()
        self.place.endpoint = f"tcp://127.0.0.1:{self.port}"

    def begin(self):
        self.broker = self.place.broker(*OPTIONS)

    def fleet_of(self, workers, *apart):
        f = fleet.Fleet(self.port, workers, SLOTS, *apart)
        self.addCleanup(f.close)
        f.hear("all", 0)
        return f

    def restart(self, f):
        after = len(f.said)
        self.broker.kill()
        self.begin()
        f.hear("all", after)

    def fill(self, f, jobs):
        f.tell("hold")
        self.assertExit(self.place.stint("submit", "--each", input="x\n" * jobs), 0)
        harness.wait_until(lambda: f.ask("count", "count")[1] == jobs, "every slot runs a job")

    def test_all_workers_come_back_after_a_kill_and_nothing_is_run_again(self):
        self.begin()
        f = self.fleet_of(WORKERS)
        self.fill(f, WORKERS * SLOTS)
        for _ in range(2):
            self.restart(f)
        self.assertEqual(f.ask("count", "count"), [WORKERS * SLOTS, WORKERS * SLOTS, 0])
        self.assertEqual(len(self.place.json("workers")), WORKERS)
        f.tell("settle")
        harness.wait_until(lambda: self.place.stats()["jobs"]["succeeded"] == WORKERS * SLOTS, "all is settled")
        stats = self.place.stats()
        self.assertEqual([stats[name] for name in ("requeued", "stale", "failed")], [0, 0, 0])

    def test_workers_with_a_kind_or_a_queue_of_their_own_are_a_fleet_too(self):
        self.begin()
        for apart, job in (("kinds", {2: "own7"}), ("queues", {1: "own7", 2: "x"})):
            f = self.fleet_of(WORKERS, apart)
            f.tell("hold")
            client = peer.Client(self.place.endpoint)
            client.submit([job])
            harness.wait_until(lambda: f.ask("count", "count")[1] == 1, "it has found its worker")
            running, = [w["name"] for w in self.place.json("workers") if w["held"]]
            self.assertEqual(running, "w7")
            f.tell("settle")
            harness.wait_until(lambda: self.place.stats()["jobs"]["running"] == 0, "it is settled")
            client.close()
            f.close()
            harness.wait_until(lambda: not [w for w in self.place.json("workers") if w.get("state") != "away"],
                               "they are gone")

    def test_too_few_descriptors_are_told_and_whoever_has_no_room_is_refused(self):
        argv = ["sh", "-c", 'ulimit -n 200; exec "$0" "$@"', *self.place.broker_argv(*OPTIONS)]
        self.broker = harness.Process(argv, self.place.path("stintd.log"))
        self.place.processes.append(self.broker)
        harness.wait_until(lambda: "allows fewer connections than --peers-max" in self.broker.log(), "it is said")
        room = int(self.broker.log().split("connections=")[1].split()[0])
        self.assertTrue(0 < room < 200)
        self.assertExit(self.place.stint("ping", "--broker-timeout", "30s"), 0)
        f = fleet.Fleet(self.port, 300, SLOTS)
        self.addCleanup(f.close)
        peers = lambda: len(os.listdir(f"/proc/{self.broker.pid}/fd"))
        harness.wait_until(lambda: peers() >= room, "there are as many as may be")
        self.assertTrue(self.broker.running())
        f.close()
        self.assertExit(self.place.stint("ping", "--broker-timeout", "30s"), 0)


if __name__ == "__main__":
    harness.main()
