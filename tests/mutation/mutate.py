"""Plants faults, one at a time, and reports which of our tests notice: the unit tests, then the fuzz
corpora, then 200 seeds of the simulator, on the model store and on LMDB, then 1,000 more. What
survives is a test that is missing. Works on a copy of the tree."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
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
    try:
        return subprocess.run(argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, timeout=timeout_s).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def builds(tree):
    return passes(["ninja", "-C", "build", "tests/all", "tests/sim/all", "tests/fuzz/all"], tree, 300)


def notices(tree, sim_only):
    """What notices the fault that is planted; None if nothing does."""
    sim = os.path.join("build", "tests", "sim", "stint_sim")
    ctest = ["ctest", "--test-dir", "build", "-j2", "--timeout", "60", "--stop-on-failure"]
    tests = [] if sim_only else [("unit tests", [*ctest, "-R", "^unit/"]),
                                 ("fuzz corpora", [*ctest, "-R", "^fuzz/"])]
    tests += [(f"{SEEDS} seeds", [sim, "--no-shrink", "--seeds", SEEDS]),
              (f"{SEEDS} seeds on LMDB", [sim, "--no-shrink", "--lmdb", "--seeds", SEEDS])]
    if not sim_only:
        tests.append((f"{MORE_SEEDS} seeds", [sim, "--no-shrink", "--from", SEEDS, "--seeds", MORE_SEEDS]))
    for name, argv in tests:
        if not passes(argv, tree, 300):
            return name
    return None


def plant(tree, file, old, new):
    path = os.path.join(tree, file)
    with open(path) as f:
        text = f.read()
    if text.count(old) < 1:
        return None
    with open(path, "w") as f:
        f.write(text.replace(old, new, 1))
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="only faults whose name has this in it")
    parser.add_argument("--sim-only", action="store_true", help="only the simulator may notice")
    options = parser.parse_args()
    tree = tempfile.mkdtemp(prefix="stint-mutation-")
    caught, survived, broken = {}, [], []
    begin = time.monotonic()
    try:
        copy_tree(tree)
        subprocess.run(["cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DSTINT_WERROR=OFF"],
                       cwd=tree, stdout=subprocess.DEVNULL, check=True)
        if not builds(tree) or notices(tree, options.sim_only):
            raise SystemExit("mutate: the tree without a fault does not pass")
        for name, file, old, new in PLANTED:
            if options.pattern not in name:
                continue
            text = plant(tree, file, old, new)
            if text is None or not builds(tree):
                broken.append(name)
                print(f"CAN'T PLANT  {name}", flush=True)
            else:
                by = notices(tree, options.sim_only)
                caught[by] = caught.get(by, 0) + 1
                if not by:
                    survived.append(name)
                print(f"{'caught by ' + by if by else 'SURVIVED':24} {name}", flush=True)
            if text is not None:
                with open(os.path.join(tree, file), "w") as f:
                    f.write(text)
        total = sum(caught.values())
        found = total - len(survived)
        print(f"{total} faults planted, {found} caught ({100 * found / max(1, total):.0f} %) in "
              f"{time.monotonic() - begin:.0f} s: " +
              ", ".join(f"{n} by {k}" for k, n in caught.items() if k))
        if broken or found < 0.9 * total:
            raise SystemExit(1)
    finally:
        shutil.rmtree(tree)


if __name__ == "__main__":
    main()
