"""Flips bits in every page of a small data file, and in every block of the journal of a broker that was
killed. The broker refuses to start, or stops, with a message, or serves what is undamaged: what it tells of
a job is what was stored, or it says that something is damaged. It never serves a changed job, never drops
one silently, and never ends without a word.

Left out is the journal's last record: if it is not whole, nobody can tell whether it was damaged later or
never was."""

import concurrent.futures
import json
import os
import random
import shutil
import subprocess

import scenario
from scenario import harness, peer

PAGE = BLOCK = 4096
TRIES = 10
ENDED = {65, 70, 73, 74, 78}


def make(killed):
    """A directory with everything in it, and what it holds: id -> (state, payload)."""
    place = harness.Place()
    s = scenario.Scenario(place)
    s.start()
    s.run()
    rows = contents(place)
    if killed:  # with something in the journal that no checkpoint has
        for n in range(8):
            payload = f"late {n}"
            rows[peer.text(s.submit([payload.encode()])[0])] = ("ready", payload)
        s.broker.kill()
    else:
        s.broker.stop()
    for p in (s.client, s.worker):
        p.close()
    return place, rows


def contents(place):
    listed = place.stint("ls", "--json", "--limit", "0", "--broker-timeout", "30s", timeout=40)
    if listed.returncode != 0:
        raise ValueError(listed.stderr)
    states = {row["id"]: row["state"] for row in map(json.loads, listed.stdout.splitlines())}
    payloads = {row["id"]: row.get("payload") for row in place.json("show", "--payload", *states, timeout=40)}
    return {job: (state, payloads.get(job)) for job, state in states.items()}


def try_flip(arguments):
    source, rows, name, at, bit = arguments
    place = harness.Place()
    try:
        shutil.copytree(source, place.path("data"))
        with open(place.path("data", name), "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1 << bit]))
        verify = [harness.program("stintd"), "--verify", "--data", place.path("data")]
        verified = subprocess.run(verify, capture_output=True, timeout=60)
        if verified.returncode < 0:
            return "wrong", f"--verify died of signal {-verified.returncode}"
        p, failed = place.broker(*scenario.OPTIONS, "--grace", "60s"), ""
        try:
            found = contents(place)
        except (subprocess.TimeoutExpired, IndexError, ValueError) as e:
            found, failed = {}, str(e)
        if not p.running():
            code = p.process.wait()
            return ("refused", "") if code in ENDED and p.log().strip() else \
                ("wrong", f"it ended with {code}: {p.log()[-200:]}")
        p.stop()
        # A pointer into a page that was free shows when that page is used again.
        later = subprocess.run(verify, capture_output=True, timeout=60)
        said = "damaged" in p.log() or verified.returncode != 0 or later.returncode != 0
        changed = [j for j, row in found.items() if rows.get(j) != row]
        missing = [j for j in rows if j not in found]
        if changed and not all(j in rows and found[j][0] in ("ready", "running") and
                               found[j][1] == rows[j][1] for j in changed) and not said:
            return "wrong", f"it serves {changed[0]} as {found[changed[0]]}"
        if any(j in rows and row[1] is not None and row[1] != rows[j][1] for j, row in found.items()):
            return "wrong", "it serves a changed payload"
        if missing and not said:
            return "wrong", f"{len(missing)} of {len(rows)} are gone, and nothing is said {failed}"
        return ("said", "") if said else ("no harm", "")
    finally:
        place.close()


def data_flips(source, rows, chance, each):
    size = os.path.getsize(os.path.join(source, "jobs.lmdb"))
    return [(source, rows, "jobs.lmdb", page + (chance.randrange(64) if n % 3 == 0 else chance.randrange(PAGE)),
             chance.randrange(8)) for page in range(0, size, PAGE) for n in range(each)]


def records(source):
    """Of each record in the journal: index, file, where it begins, bytes of header and payload."""
    for name in sorted(n for n in os.listdir(source) if n.startswith("journal-")):
        with open(os.path.join(source, name), "rb") as f:
            whole = f.read()
        for at in range(0, len(whole), BLOCK):
            if whole[at:at + 4] == b"SJNL":
                yield (int.from_bytes(whole[at + 24:at + 32], "big"), name, at,
                       88 + int.from_bytes(whole[at + 64:at + 68], "big"))


def journal_flips(source, rows, chance, each):
    *others, _ = sorted(records(source))
    return [(source, rows, name, at + (chance.randrange(88) if n % 3 == 0 else chance.randrange(size)),
             chance.randrange(8)) for _, name, at, size in others for n in range(each)]


def walk(pool, flips):
    """Counts of what came of them, and how often it was wrong."""
    counts = {}
    for flip, (what, why) in zip(flips, pool.map(try_flip, flips)):
        counts[what] = counts.get(what, 0) + 1
        if what == "wrong":
            print(f"{flip[2]}, byte {flip[3] % PAGE} of page {flip[3] // PAGE}, bit {flip[4]}: {why}", flush=True)
    return counts


def damage(what, flips_of, killed, chance, options):
    place, rows = make(killed)
    try:
        flips = flips_of(place.path("data"), rows, chance, options.flips)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            counts = walk(pool, flips)
        print(f"{what}: {len(flips)} bits flipped: refused or stopped with a message {counts.get('refused', 0)}, "
              f"told of {counts.get('said', 0)}, without harm {counts.get('no harm', 0)}; "
              f"{counts.get('wrong', 0)} violations", flush=True)
        return counts
    finally:
        place.close()


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--flips", type=int, default=24, help="in each page"),
        p.add_argument("--jobs", type=int, default=4),
        p.add_argument("--seed", type=int, default=1)))
    chance = random.Random(options.seed)
    violations = damage("data file", data_flips, False, chance, options).get("wrong", 0)
    violations += damage("data file of a broker that was killed", data_flips, True, chance, options).get("wrong", 0)
    for _ in range(TRIES):  # a checkpoint may come just before the kill; then no flip is met by anything
        counts = damage("journal", journal_flips, True, chance, options)
        violations += counts.get("wrong", 0)
        if counts.get("refused"):
            break
    else:
        violations += 1
        print("nothing of any journal was needed", flush=True)
    if violations:
        raise SystemExit("damage: failed")


if __name__ == "__main__":
    main()
