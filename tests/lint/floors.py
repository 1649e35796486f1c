"""The broker's wings and floors: its core is a staircase (floors.txt), store, core and net include each
other as said here, and no files of the broker call each other in a circle. Checks includes in the source
and calls in the compiled objects; then plants a call and an include that go up, to see that it finds
them."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# What a wing may include of another one.
ALLOWED = {
    ("core", "store"): {"store.h", "record.h", "rows.h", "feed_rows.h", "schedule_rows.h",
                         "group_rows.h", "batch_rows.h", "upgrade.h"},
    ("net", "core"): {"core.h"},
}
# The core's interface, which its files see through state.h.
INTERFACE = {("state", "core")}


def floors():
    with open(os.path.join(HERE, "floors.txt")) as f:
        names = [line.split()[0] for line in f if line.strip() and line[0] != "#"]
    return {name: floor for floor, name in enumerate(names)}


def included(path):
    with open(path) as f:
        return re.findall(r'^#include "([^"]+)"', f.read(), re.M)


def check_includes(broker, floor):
    home = {name: wing for wing in ("core", "store", "net")
            for name in os.listdir(os.path.join(broker, wing)) if name.endswith((".c", ".h"))}
    for name, wing in sorted(home.items()):
        base = name[:-2]
        if wing == "core" and base not in floor:
            yield f"broker/core/{name}: has no floor in tests/lint/floors.txt"
            continue
        for header in included(os.path.join(broker, wing, name)):
            there = home.get(header)
            if there and there != wing and header not in ALLOWED.get((wing, there), ()):
                yield f"broker/{wing}/{name}: {wing} does not include {there}'s {header}"
            if wing == there == "core" and floor.get(header[:-2], 0) > floor[base] and \
                    (base, header[:-2]) not in INTERFACE:
                yield f"broker/core/{name}: includes {header}, which stands above it"


def symbols(objects):
    """For each object its name, what it defines and what it needs."""
    for path in objects:
        out = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
        pairs = [line.split()[-2:] for line in out.splitlines()]
        yield (os.path.basename(path).split(".")[0], {n for kind, n in pairs if kind in "TDBR"},
               {n for kind, n in pairs if kind == "U"})


def check_calls(objects, floor):
    table = list(symbols(objects))
    home = {name: where for where, defined, _ in table for name in defined}
    for where, _, needed in table:
        for name in sorted(needed):
            there = home.get(name, where)
            if where in floor and there in floor and floor[there] > floor[where]:
                yield f"broker/core/{where}.c: calls {name} of {there}.c, which stands above it"


def check_circles(objects):
    """Takes away whoever calls none of those that are left; who stays is in a circle, or calls one."""
    table = list(symbols(objects))
    home = {name: where for where, defined, _ in table for name in defined}
    calls = {where: {home[n] for n in needed if n in home} - {where} for where, _, needed in table}
    while free := {where for where, called in calls.items() if not called & calls.keys()}:
        calls = {where: called for where, called in calls.items() if where not in free}
    if calls:
        yield "broker: files that call each other in a circle, or call such: " + ", ".join(sorted(calls))


def objects_of(build, part="broker/core/CMakeFiles/stint_core.dir"):
    return sorted(os.path.join(folder, n) for folder, _, names in os.walk(os.path.join(build, part))
                  for n in names if n.endswith(".c.o"))


def plant(source, build, floor):
    """Both kinds of fault, in a copy."""
    with tempfile.TemporaryDirectory() as directory:
        copy = os.path.join(directory, "broker")
        shutil.copytree(os.path.join(source, "broker"), copy)
        path = os.path.join(copy, "core/job.c")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace('#include "job.h"\n', '#include "job.h"\n#include "dispatch.h"\n') +
                    "void planted(struct core *core);\n"
                    "void planted(struct core *core) { dispatch_all(core); }\n")
        compiled = os.path.join(directory, "job.c.o")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-c", "-o", compiled, path,
                        *("-I" + d for d in (os.path.join(copy, "core"), os.path.join(copy, "store"),
                                             os.path.join(source, "proto")))], check=True)
        objects = [compiled if os.path.basename(o) == "job.c.o" else o for o in objects_of(build)]
        if not any("includes dispatch.h" in p for p in check_includes(copy, floor)):
            yield "floors.py does not find an include that goes up"
        if not any("calls dispatch_all" in p for p in check_calls(objects, floor)):
            yield "floors.py does not find a call that goes up"
        if not any("dispatch, " in p and "job, " in p for p in check_circles(objects)):
            yield "floors.py does not find a circle"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    floor = floors()
    objects = objects_of(options.build)
    problems = [*check_includes(os.path.join(options.source, "broker"), floor),
                *check_calls(objects, floor), *check_circles(objects_of(options.build, "broker")), *plant(options.source, options.build, floor)]
    for p in problems:
        print(p)
    print(f"floors: {len(objects)} files of the core, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
