"""./dev bench: what stint does on this machine, and with --peers what others do in the same run.

Prints a table, or with --json an object a figure: name, value, unit. A rate is the median of three
runs. Data lie beside the build, on a real disk, or where --data says."""

import argparse
import contextlib
import glob
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import harness
import baseline
import bulk
import fleet

GROUPS = ["lifecycle", "latency", "stream", "map", "backlog", "bulk", "peers", "fleet"]
FLEET = ["of_1", "of_1000", "after_long", "of_10000", "resize", "keys", "strangers"]


class Bench:
    def __init__(self, options):
        self.options = options
        self.figures = {}
        self.parent = os.path.abspath(os.path.join(options.data or harness.BUILD, "bench-data"))
        os.makedirs(self.parent, exist_ok=True)

    def report(self, name, value, unit):
        self.figures[name] = value
        if self.options.json:
            print(json.dumps({"name": name, "value": value, "unit": unit}), flush=True)
        else:
            print(f"{name:32} {value:14,.2f} {unit}", flush=True)

    def place(self):
        place = harness.Place()
        shutil.rmtree(place.directory)
        place.directory = tempfile.mkdtemp(dir=self.parent)
        place.endpoint = "tcp://127.0.0.1:%d" % harness.socket_port()
        place.broker("--log-level", "error")
        assert place.stint("ping").returncode == 0
        return place

    def figure(self, place, *args):
        """The figures of one `stint bench`."""
        r = place.stint("bench", "--json", *map(str, args), timeout=590)
        if r.returncode != 0:
            raise SystemExit("stint bench failed: " + r.stderr)
        return {f["name"]: f["value"] for f in map(json.loads, r.stdout.splitlines())}

    def rate(self, place, name, *args, runs=3):
        values = [self.figure(place, "--name", name, *args)[name] for _ in range(runs)]
        self.report(name, statistics.median(values), "jobs/s")

    def lifecycle(self):
        place = self.place()
        jobs = self.options.jobs
        try:
            self.rate(place, "lifecycle_1", "-b", 1, "-n", jobs // 2)
            self.rate(place, "lifecycle_16", "-b", 16, "-n", jobs)
            self.rate(place, "lifecycle_256", "-b", 256, "-n", jobs)
            self.rate(place, "lifecycle_1000", "-b", 1000, "-n", jobs)
            self.rate(place, "lifecycle_256_prio4", "-b", 256, "-n", jobs, "--priorities", 4)
            self.rate(place, "lifecycle_256_kept", "-b", 256, "-n", jobs, "--kept")
            self.rate(place, "unique", "-b", 256, "-n", jobs // 2, "--feature", "unique")
            self.rate(place, "scheduled", "-b", 256, "-n", jobs // 2, "--feature", "scheduled")
            self.rate(place, "chain", "-b", 256, "-n", jobs // 10, "--feature", "chain")
            self.rate(place, "graph", "-n", jobs // 10, "--feature", "graph")
            self.rate(place, "group_limited", "-b", 256, "-n", jobs // 2, "-q", "limited", "--feature", "group_limited")
            self.rate(place, "groups_fair", "-b", 256, "-n", jobs // 2, "-q", "fair", "--feature", "groups_fair")
            self.rate(place, "submit_256", "-m", "submit", "-n", jobs, "-q", "fill", runs=1)
            self.rate(place, "drain_256", "-m", "drain", "-n", jobs, "-q", "fill", runs=1)
        finally:
            place.close()

    def latency(self):
        place = self.place()
        try:
            for name, value in self.figure(place, "-m", "latency", "-d", place.directory).items():
                self.report(name, value, "ratio" if "over" in name else "us")
            for name, value in self.figure(place, "-m", "start", "--samples", 500).items():
                self.report(name, value, "us")
        finally:
            place.close()

    def stream(self):
        """One submit after the other, long enough for checkpoints to come in between."""
        place = self.place()
        try:
            figures = self.figure(place, "-m", "latency", "--samples", 100000)
            for name in ("p50", "p99", "p999"):
                self.report(f"stream_{name}_us", figures[f"submit_{name}_us"], "us")
            self.report("stream_p999_over_p50", figures["submit_p999_us"] / figures["submit_p50_us"], "ratio")
        finally:
            place.close()

    def map(self):
        place = self.place()
        lines = "".join(f"{n}\n" for n in range(4000))
        try:
            place.worker("--exec", "--log-level", "error")
            ours, theirs = [], []
            for _ in range(5):  # in turns, as the machine drifts
                begun = time.monotonic()
                assert place.stint("map", "true", input=lines).returncode == 0
                ours.append(4000 / (time.monotonic() - begun))
                begun = time.monotonic()
                subprocess.run(["xargs", "-P2", "-n1", "true"], input=lines.encode(), check=True)
                theirs.append(4000 / (time.monotonic() - begun))
            self.report("map_true", statistics.median(ours), "programs/s")
            self.report("xargs_P2_true", statistics.median(theirs), "programs/s")
            self.report("map_over_xargs", statistics.median(ours) / statistics.median(theirs), "ratio")
        finally:
            place.close()

    def backlog(self):
        place = self.place()
        jobs = self.options.backlog
        try:
            empty = statistics.median(self.figure(place, "-n", self.options.jobs)["lifecycle"]
                                      for _ in range(3))
            self.rate(place, "backlog10m_submit", "-m", "submit", "-b", 1000, "-n", jobs, runs=1)
            self.report("backlog10m_rss_anon_mib", place.broker_process.anonymous_kib() / 1024, "MiB")
            place.broker_process.kill()
            begun = time.monotonic()
            place.broker("--log-level", "error")
            self.figure(place, "-m", "drain", "-n", 1)
            self.report("backlog10m_restart_s", time.monotonic() - begun, "s")
            full = statistics.median(self.figure(place, "-n", self.options.jobs)["lifecycle"]
                                     for _ in range(3))
            self.report("backlog10m_lifecycle", full, "jobs/s")
            self.report("backlog10m_rate_ratio", full / empty, "ratio")
            self.report("backlog10m_rss_anon_after_mib",
                        place.broker_process.anonymous_kib() / 1024, "MiB")
        finally:
            place.close()

    @contextlib.contextmanager
    def server(self, name, argv):
        """One of the peers, in a directory of its own: yields its port."""
        directory = tempfile.mkdtemp(dir=self.parent)
        port = harness.socket_port()
        who = self.postgresql_user() if name == "postgresql" else {}
        if name == "postgresql":
            directory, argv = self.postgresql_directory(directory, argv, who)
        server = subprocess.Popen([a.format(port=port, dir=directory) for a in argv],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)
        try:
            def answers():
                if name == "postgresql":  # which lets one connect before it is up
                    return subprocess.run([os.path.join(os.path.dirname(argv[0]), "pg_isready"), "-h", "127.0.0.1", "-p", str(port)],
                                          stdout=subprocess.DEVNULL).returncode == 0
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    return True
                except OSError:
                    return False
            harness.wait_until(answers, name + " answers")
            yield port
        finally:
            server.terminate()
            server.wait()
            shutil.rmtree(directory, ignore_errors=True)

    @staticmethod
    def postgresql_user():
        """PostgreSQL does not run as root."""
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}

    @staticmethod
    def postgresql_directory(directory, argv, who):
        """Initialised, where its user can reach it, and how it is started."""
        tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        os.chmod(directory, 0o711)
        os.chmod(os.path.dirname(directory), 0o711)
        data = os.path.join(directory, "data")
        os.mkdir(data, 0o700)
        if who:
            shutil.chown(data, who["user"])
        subprocess.run([f"{tools}/initdb", "-D", data, "-A", "trust", "-U", "postgres"],
                       check=True, stdout=subprocess.DEVNULL, **who)
        return data, [os.path.join(tools, "postgres"), *argv]

    def peer_client(self, kind, port, *args):
        client = os.path.join(harness.BUILD, "tests/bench/bench_peers")
        return [float(n) for n in subprocess.run([client, kind, str(port), *map(str, args)], check=True,
                                                 capture_output=True, timeout=300).stdout.split()]

    def peer(self, name, kind, argv, jobs, window, alone=False):
        with self.server(kind, argv) as port:
            rates = [self.peer_client(kind, port, jobs, window)[0] for _ in range(3)]
            self.report(name + "_lifecycle", statistics.median(rates), "jobs/s")
            if alone:
                runs = [self.peer_client(kind, port, 3000, "alone") for _ in range(3)]
                self.report(name + "_submit_p50_us", statistics.median(p50 for p50, _ in runs), "us")
                self.report(name + "_submit_p99_us", statistics.median(p99 for _, p99 in runs), "us")

    def peers(self):
        redis = ["redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--dir", "{dir}", "--save",
                 "", "--appendonly", "yes", "--appendfsync"]
        beanstalkd = ["beanstalkd", "-l", "127.0.0.1", "-p", "{port}"]
        postgresql = ["-D", "{dir}", "-p", "{port}", "-h", "127.0.0.1", "-k", ""]
        jobs = 300000
        self.peer("redis_always", "redis", redis + ["always"], jobs, 4096, alone=True)
        self.peer("redis_everysec", "redis", redis + ["everysec"], jobs, 4096)
        self.peer("beanstalkd_synced", "beanstalkd", beanstalkd + ["-b", "{dir}", "-f", "0"], 10000, 256, alone=True)
        self.peer("beanstalkd_memory", "beanstalkd", beanstalkd, 100000, 256)
        self.peer("postgresql", "postgresql", postgresql, jobs, 10000, alone=True)
        self.our_figures()
        for peer in ("redis_always", "redis_everysec", "beanstalkd_synced", "beanstalkd_memory", "postgresql"):
            self.report("ratio_" + peer,
                        self.figures["lifecycle_256"] / self.figures[peer + "_lifecycle"], "ratio")
        lowest = min(v for k, v in self.figures.items() if k.endswith("_submit_p50_us"))
        self.report("submit_p50_over_lowest", self.figures["submit_p50_us"] / lowest, "ratio")

    def our_figures(self):
        """Those that the peers' stand beside, unless this run has them."""
        if "submit_p50_us" not in self.figures:
            self.latency()
        if "lifecycle_256" in self.figures:
            return
        place = self.place()
        try:
            self.rate(place, "lifecycle_256", "-b", 256, "-n", self.options.jobs)
        finally:
            place.close()

    def bulk(self):
        bulk.run(self)

    def fleet(self):
        fleet.FleetBench(self).run(self.options.part or FLEET)


def main():
    def extra(parser):
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--peers", action="store_true")
        parser.add_argument("--data", help="keep data below this directory; in one in memory, the disk does not count")
        parser.add_argument("--fleet", action="store_true", help="the same as --only fleet")
        parser.add_argument("--part", action="append", choices=FLEET, help="of --fleet; may be given several times")
        parser.add_argument("--strangers", type=int, default=10000, help="a second")
        parser.add_argument("--baseline", action="append", metavar="REV",
                            help="this tree beside that commit, in turns; may be given several times")
        parser.add_argument("--rounds", type=int, default=5, help="of --baseline")
        parser.add_argument("--only", choices=GROUPS)
        parser.add_argument("--jobs", type=int, default=1000000)
        parser.add_argument("--backlog", type=int, default=10000000)
    options, rest = harness.arguments(extra)
    if rest:
        raise SystemExit(f"bench: what is {rest[0]}?")
    bench = Bench(options)
    if options.fleet:
        options.only = "fleet"
    groups = [options.only] if options.only else [
        g for g in GROUPS if g not in ("fleet", "bulk") and (g != "peers" or options.peers)]
    try:
        if options.baseline:
            baseline.compare(bench, options.baseline, options.rounds)
            return
        for group in groups:
            getattr(bench, group)()
    finally:
        shutil.rmtree(bench.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
