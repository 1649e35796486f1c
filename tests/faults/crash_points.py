"""Stops the broker at every single write, sync and send of a scenario, one after the other, and looks
at each restart; then at those of its second life, which goes on after a kill. The program is the real
one, unchanged; what stops it is preloaded (faults.c)."""

import concurrent.futures
import scenario
from scenario import harness


def try_point(life, n):
    """Was it stopped at operation n, or are there not so many? And what was wrong after that."""
    place = harness.Place()
    s = scenario.Scenario(place)
    try:
        try:
            s.live(life, scenario.preload(place, f"crash:{n}"))
        except scenario.Dead:
            pass
        died = s.broker.process.wait(30) == -9
        return died, s.check()
    except (TimeoutError, AssertionError) as e:
        return True, [f"{type(e).__name__}: {e}; {s.broker.log()[-400:]}"]
    finally:
        s.close()


def walk(pool, life, options):
    """How many points there are, and how many violations."""
    points = violations = 0
    n, over = 1, False
    while not over:
        these = [n + i * options.every for i in range(4 * options.jobs)]
        n = these[-1] + options.every
        for point, (died, wrong) in zip(these, pool.map(try_point, [life] * len(these), these)):
            points += died
            over |= not died
            for w in wrong:
                violations += 1
                print(f"stopped at operation {point} of life {life}: {w}", flush=True)
    return points, violations


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--every", type=int, default=1, help="try each n-th point only"),
        p.add_argument("--jobs", type=int, default=4)))
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        walked = [walk(pool, life, options) for life in scenario.LIVES]
    violations = sum(v for _, v in walked)
    print(f"{sum(p for p, _ in walked)} crash points walked ({walked[0][0]} and, after a kill, {walked[1][0]}), "
          f"{violations} violations")
    if violations or any(p * options.every < 50 for p, _ in walked):
        raise SystemExit("crash points: failed")


if __name__ == "__main__":
    main()
