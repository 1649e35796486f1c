"""Plants faults, one at a time, and reports which of our tests notice: the unit tests, then the fuzz
corpora, then 200 seeds of the simulator, on the model store and on LMDB, then 1,000 more, then the
integration tests. What survives is a test that is missing, or a change that changes nothing. Works on
a copy of the tree.

The faults are those of planted.py, each thought of by somebody; or, with --drawn, changes of single
lines that nobody picked (drawn.py)."""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
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


def builds(tree, *targets):
    return passes(["ninja", "-C", "build", *targets], tree, 600)


def tests_of(group, timeout_s):
    return ["ctest", "--test-dir", "build", "-j2", "--stop-on-failure", "--timeout", str(timeout_s), "-R", f"^{group}/"]


def notices(tree, options):
    """What notices the fault that is planted; None if nothing does."""
    sim = os.path.join("build", "tests", "sim", "stint_sim")
    tests = [] if options.sim_only else [("unit tests", tests_of("unit", 60)),
                                         ("fuzz corpora", tests_of("fuzz", 60))]
    tests += [(f"{SEEDS} seeds", [sim, "--no-shrink", "--seeds", SEEDS]),
              (f"{SEEDS} seeds on LMDB", [sim, "--no-shrink", "--lmdb", "--seeds", SEEDS])]
    if not options.sim_only:
        tests.append((f"{MORE_SEEDS} seeds", [sim, "--no-shrink", "--from", SEEDS, "--seeds", MORE_SEEDS]))
    for name, argv in tests:
        if not passes(argv, tree, 900):  # seconds: the machine may be slow
            return name
    if not options.sim_only and not (builds(tree) and passes(tests_of("integration", 300), tree, 900)):
        return "integration tests"
    return None


def put_in_place_of(old, new):
    return lambda text: text.replace(old, new, 1) if old in text else None


def faults(options):
    if options.drawn:
        yield from drawn.draw(SOURCE, options.seed)
        return
    for name, file, old, new in PLANTED:
        if options.pattern in name:
            yield name, file, put_in_place_of(old, new)


def plant(tree, name, file, change, options):
    """(could it be planted, what notices it)"""
    path = os.path.join(tree, file)
    with open(path) as f:
        text = f.read()
    changed = change(text)
    if changed is None:
        return False, None
    try:
        with open(path, "w") as f:
            f.write(changed)
        if not builds(tree, "tests/all", "tests/sim/all", "tests/fuzz/all"):
            return False, None
        return True, notices(tree, options)
    finally:
        with open(path, "w") as f:
            f.write(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="only faults whose name has this in it")
    parser.add_argument("--check", action="store_true", help="only see that each can still be planted")
    parser.add_argument("--sim-only", action="store_true", help="only the simulator may notice")
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


def main():
    options = arguments()
    if options.check:
        check()
    tree = tempfile.mkdtemp(prefix="stint-mutation-")
    caught, cant = {}, 0
    begin = time.monotonic()
    try:
        copy_tree(tree)
        subprocess.run(["cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DSTINT_WERROR=OFF"],
                       cwd=tree, stdout=subprocess.DEVNULL, check=True)
        by = notices(tree, options) if builds(tree) else "the compiler"
        if by:
            raise SystemExit(f"mutate: the tree without a fault does not pass: {by}")
        for name, file, change in faults(options):
            planted, by = plant(tree, name, file, change, options)
            if planted:
                caught[by] = caught.get(by, 0) + 1
                print(f"{'caught by ' + by if by else 'SURVIVED':28} {name}", flush=True)
            elif not options.drawn:
                cant += 1
                print(f"{'CAN NOT BE PLANTED':28} {name}", flush=True)
            if options.drawn and sum(caught.values()) >= options.drawn:
                break
    finally:
        shutil.rmtree(tree)
    total = sum(caught.values())
    found = total - caught.get(None, 0)
    print((f"seed {options.seed}: " if options.drawn else "") +
          f"{total} faults planted, {found} caught ({100 * found / max(1, total):.0f} %) in "
          f"{time.monotonic() - begin:.0f} s: " + ", ".join(f"{n} by {k}" for k, n in caught.items() if k))
    if cant or (not options.drawn and found < 0.9 * total):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
