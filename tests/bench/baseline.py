"""./dev bench --baseline REV: this tree beside the given commits, in turns in one run.

Each commit is built in a place of its own below the build directory, as this tree is by default,
and kept there for the next time. A round measures every tree once, in turn; the figures are medians
over the rounds, with this tree's over the commit's behind them. Brokers listen on a socket file and
keep their data beside the build, or where --data says."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile

import harness

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
MEASURES = [
    ("-m", "lifecycle", "-b", "256", "-n", "{jobs}", "--name", "lifecycle_256"),
    ("-m", "lifecycle", "-b", "1", "-n", "{fewer}", "--name", "lifecycle_1"),
    ("-m", "latency", "--samples", "2000"),
    ("-m", "start", "--samples", "1000"),
]
HERE = "this tree"


def run(*argv, **options):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, **options).stdout


def build_of(revision):
    """Where that commit's programs are; built if they aren't yet."""
    commit = run("git", "-C", SOURCE, "rev-parse", "--verify", revision + "^{commit}").decode().strip()
    parent = os.path.join(harness.BUILD, "baseline", commit[:12])
    source, build = os.path.join(parent, "source"), os.path.join(parent, "build")
    if os.path.exists(os.path.join(parent, "built")):
        return build
    shutil.rmtree(parent, ignore_errors=True)
    os.makedirs(source)
    archive = run("git", "-C", SOURCE, "archive", commit)
    run("tar", "-x", "-C", source, input=archive)
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    run("ninja", "-C", build, "stintd", "stint")
    open(os.path.join(parent, "built"), "w").close()
    return build


def measure(build, parent, jobs, values):
    """One broker, and each measure once; appends to `values`, by name."""
    directory = tempfile.mkdtemp(dir=parent)
    endpoint = "ipc://" + os.path.join(directory, "s")
    client = [os.path.join(build, "client/cli/stint")]
    broker = subprocess.Popen(
        [os.path.join(build, "broker/stintd"), "--data", os.path.join(directory, "data"),
         "--listen", endpoint, "--log-level", "error"], stdout=subprocess.DEVNULL)
    try:
        run(*client, "ping", "--endpoint", endpoint)
        for arguments in MEASURES:
            words = [w.format(jobs=jobs, fewer=jobs // 4) for w in arguments]
            out = run(*client, "bench", "--json", "--endpoint", endpoint, *words, timeout=300)
            for figure in map(json.loads, out.splitlines()):
                values.setdefault(figure["name"], []).append(figure["value"])
    finally:
        broker.terminate()
        broker.wait()
        shutil.rmtree(directory)


def compare(bench, revisions, rounds):
    trees = {HERE: harness.BUILD, **{r: build_of(r) for r in revisions}}
    values = {name: {} for name in trees}
    for _ in range(rounds):
        for name, build in trees.items():
            measure(build, bench.parent, bench.options.jobs, values[name])
    for figure, here in values[HERE].items():
        median = statistics.median(here)
        bench.report(figure, median, "us" if figure.endswith("_us") else "jobs/s")
        for revision in revisions:
            if figure not in values[revision]:  # an older one may not measure it
                continue
            there = statistics.median(values[revision][figure])
            bench.report(f"{figure} of {revision}", there, "us" if figure.endswith("_us") else "jobs/s")
            bench.report(f"{figure} over {revision}", median / there, "ratio")
