"""packaging/slurm/stint-worker.sbatch against a real broker: Slurm's part is played by its variables and by
an srun that starts one process a node here, each with a number of processors of its own."""

import os
import shutil
import signal
import subprocess
import time

import harness

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "slurm", "stint-worker.sbatch")
# As srun: ends with the worst of its tasks, and kills them if it is told to end itself.
SRUN = """#!/bin/sh
while [ "$1" != sh ]; do echo "$1" >>"{root}/srun-options"; shift; done
node=0
pids=
trap 'for each in $pids; do kill -KILL "$each"; done' TERM
for cpus in $TEST_CPUS; do
    node=$((node + 1))
    SLURMD_NODENAME=node$node SLURM_CPUS_ON_NODE=$cpus "$@" &
    pids="$pids $!"
    echo "$!" >>"{root}/tasks"
done
worst=0
for p in $pids; do
    wait "$p"
    code=$?
    [ "$code" -le "$worst" ] || worst=$code
done
exit "$worst"
"""
SQUEUE = """#!/bin/sh
case $* in *--jobs=77*--format=%L*) echo "$TEST_LEFT" ;; *) exit 1 ;; esac
"""


class Slurm(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker()
        os.mkdir(self.place.path("bin"))
        for name, text in (("srun", SRUN.format(root=self.place.directory)), ("squeue", SQUEUE)):
            with open(self.place.path("bin", name), "w") as f:
                f.write(text)
            os.chmod(self.place.path("bin", name), 0o755)
        os.symlink(harness.program("stint-worker"), self.place.path("bin", "stint-worker"))

    def batch(self, *args, script=SCRIPT, **env):
        """The script on its job's first node."""
        variables = {"PATH": self.place.path("bin") + ":" + os.environ["PATH"], "STINT_ENDPOINT": self.place.endpoint,
                     "SLURM_JOB_ID": "77", "TEST_CPUS": "3", "TEST_LEFT": "UNLIMITED", **env}
        p = harness.Process([script, *args], self.place.path("batch.log"), variables)
        self.place.processes.append(p)
        self.addCleanup(self.end, p)
        return p

    def signal_tasks(self, number=signal.SIGTERM):
        """As Slurm does before a job's time is over, and when it is cancelled."""
        for pid in self.place.lines_of(self.place.path("tasks")):
            try:
                os.kill(int(pid), number)
            except ProcessLookupError:
                pass

    def end(self, p):
        if p.running():
            self.signal_tasks(signal.SIGKILL)
            p.process.wait(harness.DEADLINE_S)

    def workers(self):
        return {w["name"]: w for w in self.place.json("workers")}

    def wait_for(self, count):
        harness.wait_until(lambda: len(self.workers()) == count, f"{count} workers are there")
        return self.workers()

    def running_job(self, seconds):
        job = self.place.stint("run", "--detach", "sleep", seconds).stdout.strip()
        harness.wait_until(lambda: self.place.state(job) == "running", "the job runs")
        return job

    def test_a_worker_a_node_with_a_slot_a_processor_works_and_leaves_when_it_is_idle(self):
        p = self.batch("--exec", "--exit-idle", "10s", TEST_CPUS="3 5")
        workers = self.wait_for(2)
        self.assertEqual({n: w["slots"] for n, w in workers.items()}, {"node1:77": 3, "node2:77": 5})
        self.assertEqual([w["labels"] for w in workers.values()], ["slurm"] * 2)
        r = self.place.stint("map", "echo", "{}", input="".join(f"{n}\n" for n in range(200)))
        self.assertEqual(r.stdout, "".join(f"{n}\n" for n in range(200)), r.stderr)
        self.assertEqual(p.process.wait(harness.DEADLINE_S), 0, p.log())
        self.assertEqual(self.workers(), {})
        self.assertEqual(p.log().count("it was idle"), 2)
        self.assertIn("--ntasks-per-node=1\n", self.place.lines_of(self.place.path("srun-options")))

    def test_slots_may_follow_the_work(self):
        self.batch("--exec", "--local-max", "2")
        self.assertEqual(self.wait_for(1)["node1:77"]["slots"], 1)
        self.running_job("300")
        self.running_job("300")
        harness.wait_until(lambda: self.workers()["node1:77"]["slots"] == 2, "it has a slot more")

    def test_before_its_time_is_over_it_takes_no_more_jobs_and_gives_back_what_does_not_end(self):
        p = self.batch("--exec", SLURM_JOB_END_TIME=str(int(time.time()) + 20), DRAIN_SECONDS="2")
        self.wait_for(1)
        job = self.running_job("300")
        self.assertEqual(p.process.wait(harness.DEADLINE_S), 0, p.log())
        self.assertIn("its time is over", p.log())
        self.assertEqual(self.place.state(job), "ready")

    def test_how_long_the_job_has_is_read_as_slurm_writes_it(self):
        with open(self.place.path("bin", "stint-worker.fake"), "w") as f:
            f.write('#!/bin/sh\necho "after=${STINT_EXIT_AFTER:-none} drain=${STINT_DRAIN:-none} idle=$STINT_EXIT_IDLE"\n')
        os.chmod(f.name, 0o755)
        for left, said in (("UNLIMITED", "after=none drain=none"), ("INVALID", "after=none drain=none"),
                           ("1-02:03:04", f"after={86400 + 7384 - 300}s drain=270s"), ("2-00:00:00", "after=172500s drain=270s"),
                           ("20:00", "after=900s drain=270s"), ("02:00:00", "after=6900s drain=270s"), ("0:00", "after=1s drain=1s"),
                           ("1:00", "after=30s drain=27s"), ("08:09", "after=245s drain=220s")):
            with self.subTest(left=left):
                p = self.batch("--exec", TEST_LEFT=left, STINT_WORKER=f.name)
                self.assertEqual(p.process.wait(harness.DEADLINE_S), 0)
                self.assertEqual(p.log(), said + " idle=5m\n")
                os.unlink(self.place.path("batch.log"))
        # Newer ones say when it ends.
        p = self.batch("--exec", SLURM_JOB_END_TIME=str(int(time.time()) + 100000), TEST_LEFT="0:10", STINT_WORKER=f.name)
        self.assertEqual(p.process.wait(harness.DEADLINE_S), 0)
        self.assertRegex(p.log(), r"^after=99\d\d\ds drain=270s ")

    def test_a_signal_lets_what_runs_finish(self):
        p = self.batch("--exec", "--drain", "10m", TEST_CPUS="1 1")
        self.wait_for(2)
        gate = self.place.path("gate")
        job = self.place.stint("run", "--detach", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.02; done; echo whole").stdout.strip()
        harness.wait_until(lambda: self.place.state(job) == "running", "the job runs")
        # srun would kill its tasks if it were told to end.
        p.signal(signal.SIGTERM)
        self.signal_tasks()
        self.wait_for(1)
        self.assertTrue(p.running(), p.log())
        with open(gate, "w"):
            pass
        self.assertEqual(p.process.wait(harness.DEADLINE_S), 0, p.log())
        self.assertEqual(self.place.stint("result", job).stdout, "whole\n")

    def test_what_a_worker_ends_with_is_what_the_job_ends_with(self):
        self.assertEqual(self.batch("--slots", "none").process.wait(harness.DEADLINE_S), 64)
        p = self.batch("--exec", STINT_ENDPOINT="")
        self.assertEqual(p.process.wait(harness.DEADLINE_S), 64)
        self.assertIn("where is the broker", p.log())
        for env, said in (({"SLURM_JOB_ID": ""}, "run by sbatch"), ({"DRAIN_SECONDS": "5m"}, "DRAIN_SECONDS")):
            p = self.batch("--exec", **env)
            self.assertEqual(p.process.wait(harness.DEADLINE_S), 64)
            self.assertIn(said, p.log())

    def test_words_arrive_as_they_were_written(self):
        self.batch("--handle", "say=printf '%s|' \"a  b\" '$HOME' '*'")
        self.wait_for(1)
        job = self.place.stint("submit", "-k", "say", "x").stdout.strip()
        self.assertExit(self.place.stint("wait", "-Q", job), 0)
        self.assertEqual(self.place.stint("result", job).stdout, "a  b|$HOME|*|")

    def test_shells_and_shellcheck_have_no_objection(self):
        for argv in (["bash", "-n", SCRIPT], ["sh", "-n", SCRIPT], *([["shellcheck", SCRIPT]] if shutil.which("shellcheck") else [])):
            r = subprocess.run(argv, capture_output=True, text=True)
            self.assertEqual((r.returncode, r.stdout + r.stderr), (0, ""))


if __name__ == "__main__":
    harness.main()
