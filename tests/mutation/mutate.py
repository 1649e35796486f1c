"""Plants faults, one at a time, and reports which of our tests notice: the unit tests, then the fuzz
corpora, then 200 seeds of the simulator, on the model store and on LMDB, then 1,000 more, then the
integration tests. What survives is a test that is missing, or a change that changes nothing. Works on
a copy of the tree.

The faults are those of planted.py, each thought of by somebody; or, with --drawn, changes of single
lines that nobody picked (drawn.py)."""

import argparse
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import drawn  # noqa: E402
from planted import PLANTED  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SEEDS, MORE_SEEDS = "200", "1000"


def copy_tree(to):
    files = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=SOURCE, capture_output=True, check=True).stdout
    for name in files.decode().split("\0"):
        path = os.path.join(SOURCE, name)
        if name and os.path.exists(path):
            os.makedirs(os.path.dirname(os.path.join(to, name)), exist_ok=True)
            shutil.copy2(path, os.path.join(to, name))


def passes(argv, cwd, timeout_s):
    """Everything that a test started ends with it, also if it hangs."""
    p = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return p.wait(timeout_s) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        try:
            os.killpg(p.pid, 9)
        except ProcessLookupError:
            pass
        p.wait()


class Tree:
    """A copy of the tree with a build of its own, where one fault at a time is planted."""

    def __init__(self, options, order):
        self.options, self.order = options, order
        self.path = tempfile.mkdtemp(prefix="stint-mutation-")
        copy_tree(self.path)
        linker = ["-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold"] if shutil.which("mold") else []
        subprocess.run(["cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DSTINT_WERROR=OFF",
                        "-DCMAKE_BUILD_TYPE=Release", *linker],
                       cwd=self.path, stdout=subprocess.DEVNULL, check=True)
        if not self.builds():
            raise SystemExit("mutate: the tree does not build")
        self.units = self.unit_tests()

    def unit_tests(self):
        """Name and command of each."""
        shown = subprocess.run(["ctest", "--test-dir", "build", "--show-only=json-v1"], cwd=self.path,
                               capture_output=True, check=True).stdout
        return {t["name"]: t["command"] for t in json.loads(shown)["tests"] if t["name"].startswith("unit/")}

    def builds(self, *targets):
        return passes(["ninja", "-C", "build", *targets], self.path, 600)

    def unit_that_notices(self, names):
        """None if they pass; the compiler's complaint is nobody's."""
        programs = [os.path.relpath(self.units[n][0], os.path.join(self.path, "build")) for n in names]
        if not self.builds(*programs):
            raise DoesNotBuild
        return next((n for n in names if not passes(self.units[n], self.path, 60)), None)

    def notices(self, file):
        """What notices the fault that is planted in this file; None if nothing does."""
        if not self.options.sim_only:
            likely = self.order.likely(file, self.units)
            rest = [n for n in self.units if n not in likely]
            name = self.unit_that_notices(likely) or self.unit_that_notices(rest)
            if name:
                self.order.caught(file, name)
                return name
        if not self.builds("tests/all", "tests/sim/all", "tests/fuzz/all"):
            raise DoesNotBuild
        sim = os.path.join("build", "tests", "sim", "stint_sim")
        ctest = ["ctest", "--test-dir", "build", "--stop-on-failure"]
        tests = [] if self.options.sim_only else [("fuzz corpora", [*ctest, "--timeout", "60", "-R", "^fuzz/"])]
        tests += [(f"{SEEDS} seeds", [sim, "--no-shrink", "--seeds", SEEDS]),
                  (f"{SEEDS} seeds on LMDB", [sim, "--no-shrink", "--lmdb", "--seeds", SEEDS])]
        if not self.options.sim_only:
            tests.append((f"{MORE_SEEDS} seeds", [sim, "--no-shrink", "--from", SEEDS, "--seeds", MORE_SEEDS]))
        for name, argv in tests:
            if not passes(argv, self.path, 900):  # seconds: the machine may be slow
                return name
        if self.options.sim_only or self.options.quick:
            return None
        with ONE_AT_A_TIME:  # they are tests of programs that wait: no two suites beside each other
            whole = self.builds() and passes([*ctest, "-j4", "--timeout", "300", "-R", "^integration/"], self.path, 900)
        return None if whole else "integration tests"

    def plant(self, file, change):
        """(could it be planted, what notices it)"""
        path = os.path.join(self.path, file)
        with open(path) as f:
            text = f.read()
        changed = change(text)
        if changed is None:
            return False, None
        try:
            with open(path, "w") as f:
                f.write(changed)
            return True, self.notices(file)
        except DoesNotBuild:
            return False, None
        finally:
            with open(path, "w") as f:
                f.write(text)


class DoesNotBuild(Exception):
    pass


ONE_AT_A_TIME = threading.Lock()


class Order:
    """Which unit tests are asked first: those that are called as the file is, and those that found the
    last faults in it and before it. Only these are built, as long as one of them notices."""

    def __init__(self):
        self.by_file, self.last = {}, []

    def likely(self, file, units):
        stem = os.path.splitext(os.path.basename(file))[0]
        named = [n for n in units if f"test_{stem}" in n]
        found = self.by_file.get(file, [])[:4]
        return list(dict.fromkeys(found + named + self.last[:2])) or list(units)[:1]

    def caught(self, file, name):
        found = self.by_file.setdefault(file, [])
        for names in found, self.last:
            if name in names:
                names.remove(name)
            names.insert(0, name)


def put_in_place_of(old, new):
    return lambda text: text.replace(old, new, 1) if old in text else None


def faults(options):
    if options.drawn:
        yield from drawn.draw(SOURCE, options.seed)
        return
    for name, file, old, new in PLANTED:
        if re.search(options.pattern, name):
            yield name, file, put_in_place_of(old, new)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="only faults whose name has this regular expression in it")
    parser.add_argument("--check", action="store_true", help="only see that each can still be planted")
    parser.add_argument("--sim-only", action="store_true", help="only the simulator may notice")
    parser.add_argument("--quick", action="store_true", help="without the integration tests")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="go on behind the first N")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="trees at once (default: one a processor)")
    parser.add_argument("--drawn", type=int, metavar="N", help="N changes that are drawn at random")
    parser.add_argument("--seed", type=int, default=None, help="of what is drawn")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(1 << 30)
    return options


def check():
    """Does each of them still have its place in the code?"""
    wrong = 0
    for name, file, old, _ in PLANTED:
        with open(os.path.join(SOURCE, file)) as f:
            found = f.read().count(old)
        if found == 0:
            print(f"{name}: not found in {file}")
            wrong += 1
    print(f"{len(PLANTED)} faults to plant, {wrong} without a place")
    raise SystemExit(wrong > 0)


class Report:
    """Lines as they come, and the sum of them."""

    def __init__(self, options):
        self.options, self.lock = options, threading.Lock()
        self.begin = time.monotonic()
        self.by, self.total, self.cant = {}, 0, 0

    def add(self, name, planted, by):
        with self.lock:
            if planted:
                self.total += 1
                kind = "unit tests" if by and by.startswith("unit/") else by
                self.by[kind] = self.by.get(kind, 0) + 1
                print(f"{'caught by ' + by if by else 'SURVIVED':40} {name}", flush=True)
            elif not self.options.drawn:
                self.cant += 1
                print(f"{'CAN NOT BE PLANTED':40} {name}", flush=True)

    def is_enough(self):
        return self.options.drawn and self.total >= self.options.drawn

    def end(self):
        found = self.total - self.by.get(None, 0)
        print((f"seed {self.options.seed}: " if self.options.drawn else "") +
              f"{self.total} faults planted, {found} caught ({100 * found / max(1, self.total):.0f} %) in "
              f"{time.monotonic() - self.begin:.0f} s: " + ", ".join(f"{n} by {k}" for k, n in self.by.items() if k))
        if self.cant or (not self.options.drawn and found < 0.9 * self.total):
            raise SystemExit(1)


def check_tree(tree):
    """Without a fault all of it passes."""
    by = tree.notices("")
    if by:
        print(f"mutate: the tree without a fault does not pass: {by}", file=sys.stderr, flush=True)
        shutil.rmtree(tree.path)
        os._exit(1)


def work(options, order, left, report, is_first):
    """One tree's share of the faults; whoever is free takes the next."""
    tree = Tree(options, order)
    try:
        if is_first:
            check_tree(tree)
        while not report.is_enough():
            try:
                with report.lock:
                    name, file, change = next(left)
            except StopIteration:
                return
            report.add(name, *tree.plant(file, change))
    finally:
        shutil.rmtree(tree.path)


def main():
    options = arguments()
    if options.check:
        check()
    report, order = Report(options), Order()
    left = itertools.islice(faults(options), options.skip, None)
    jobs = [threading.Thread(target=work, args=(options, order, left, report, i == 0))
            for i in range(options.jobs)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    report.end()


if __name__ == "__main__":
    main()
