"""Lets every single operation of the broker on its files fail: with EIO and with ENOSPC, once and from
then on, and every write be a short one. The broker stops with a message, or goes on; what was
acknowledged is there after the next start. The program is the real one, unchanged (faults.c)."""

import concurrent.futures
import scenario
from scenario import harness

# EX_DATAERR, EX_UNAVAILABLE, EX_OSERR, EX_CANTCREAT, EX_IOERR, EX_TEMPFAIL, EX_NOPERM
STOPPED = {65, 69, 71, 73, 74, 75, 77}
KINDS = ("EIO:{}", "EIO:{}+", "ENOSPC:{}", "ENOSPC:{}+", "short:{}")


def operations(life):
    """How many there are in this life when nothing fails."""
    place = harness.Place()
    s = scenario.Scenario(place)
    try:
        s.live(life, scenario.preload(place, "none:0", place.path("count")))
        with open(place.path("count")) as f:
            return int(f.read())
    finally:
        s.close()


def try_fault(life, fault):
    place = harness.Place()
    s = scenario.Scenario(place)
    try:
        try:
            s.live(life, scenario.preload(place, fault))
        except scenario.Dead:
            pass
        code, said = s.broker.process.wait(30), s.broker.log().strip()
        wrong = []
        if code < 0 or (code and code not in STOPPED):
            wrong.append(f"it ended with {code}: {said[-300:]}")
        elif code and not said:
            wrong.append(f"it ended with {code} and said nothing")
        return code != 0, wrong + s.check()
    except (TimeoutError, AssertionError) as e:
        return False, [f"{type(e).__name__}: {e}; {s.broker.log()[-400:]}"]
    finally:
        s.close()


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--every", type=int, default=1, help="try each n-th fault only"),
        p.add_argument("--jobs", type=int, default=4)))
    totals = [operations(life) for life in scenario.LIVES]
    faults = [(life, k.format(n)) for life, total in zip(scenario.LIVES, totals)
              for n in range(1, total + 1) for k in KINDS][::options.every]
    stops = violations = 0
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for (life, fault), (stopped, wrong) in zip(faults, pool.map(try_fault, *zip(*faults))):
            stops += stopped
            for w in wrong:
                violations += 1
                print(f"{fault} in life {life}: {w}", flush=True)
    print(f"{len(faults)} disk faults at {' and '.join(map(str, totals))} operations: the broker stopped with a message "
          f"{stops} times and went on {len(faults) - stops} times; {violations} violations")
    if violations or not stops:
        raise SystemExit("disk faults: failed")


if __name__ == "__main__":
    main()
