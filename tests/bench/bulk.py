"""./dev bench --only bulk: what is done to a million jobs by a filter, while another submits one at a time.

For each operation: how long it took, and how long the other's submits took meanwhile."""

import json
import subprocess
import time

import harness


class Other:
    """Another process that submits one job at a time, until the operation is over."""

    def __init__(self, place):
        self.place = place
        self.times = []

    def sample(self, count):
        """Some submits, one after the other; the command tells percentiles only, so that each of
        these runs is short and the worst of all is kept."""
        r = self.place.stint("bench", "--json", "-m", "latency", "-q", "other", "--samples",
                             str(count), timeout=300)
        assert r.returncode == 0, r.stderr
        figures = {f["name"]: f["value"] for f in map(json.loads, r.stdout.splitlines())}
        self.times.append((figures["submit_p50_us"], figures["submit_p99_us"]))


def one(bench, place, name, *args):
    begun = time.monotonic()
    command = subprocess.Popen(
        [harness.program("stint"), "bulk", "--endpoint", place.endpoint, "--json", "--yes", *args],
        stdout=subprocess.PIPE)
    other = Other(place)
    while command.poll() is None:
        other.sample(200)
    seconds = time.monotonic() - begun
    told = json.loads(command.stdout.read())
    assert told["done"] == told["counted"] > 0 and told["moved"] == 0, told
    bench.report(f"bulk_{name}_jobs", told["done"], "jobs")
    bench.report(f"bulk_{name}_rate", told["done"] / seconds, "jobs/s")
    p50s, p99s = zip(*other.times)
    bench.report(f"bulk_{name}_submit_p50_ms", sorted(p50s)[len(p50s) // 2] / 1000, "ms")
    bench.report(f"bulk_{name}_submit_p99_ms", sorted(p99s)[len(p99s) // 2] / 1000, "ms")
    bench.report(f"bulk_{name}_submit_p99_worst_ms", max(p99s) / 1000, "ms")


def run(bench):
    jobs = bench.options.jobs
    place = bench.place()
    try:
        quiet = Other(place)
        quiet.sample(2000)
        bench.report("bulk_quiet_submit_p99_ms", quiet.times[0][1] / 1000, "ms")
        bench.figure(place, "-m", "submit", "-b", 1000, "-n", jobs, "-q", "fill")
        one(bench, place, "reprioritised", "priority", "--to", "7", "--where", "queue=fill")
        one(bench, place, "moved", "move", "--to", "else", "--where", "queue=fill")
        one(bench, place, "cancelled", "cancel", "--where", "queue=else")
        one(bench, place, "retried", "retry", "--where", "queue=else state=cancelled")
        one(bench, place, "purged", "delete", "--where", "queue=else state=ready")
    finally:
        place.close()
