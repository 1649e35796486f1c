"""Stops the broker at every single write, sync and send of a scenario, one after the other, and looks
at each restart. The program is the real one, unchanged; what stops it is preloaded (faults.c)."""

import concurrent.futures
import scenario
from scenario import harness


def try_point(n):
    """Does it come to its end without reaching operation n? And what was wrong after that."""
    place = harness.Place()
    s = scenario.Scenario(place)
    try:
        s.start(scenario.preload(place, f"crash:{n}"))
        try:
            s.run()
            s.broker.stop()
        except scenario.Dead:
            pass
        died = s.broker.process.wait(30) == -9
        return died, s.check()
    except (TimeoutError, AssertionError) as e:
        return True, [f"{type(e).__name__}: {e}; {s.broker.log()[-400:]}"]
    finally:
        s.close()


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--every", type=int, default=1, help="try each n-th point only"),
        p.add_argument("--jobs", type=int, default=4)))
    points = violations = 0
    n, over = 1, False
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        while not over:
            these = [n + i * options.every for i in range(4 * options.jobs)]
            n = these[-1] + options.every
            for point, (died, wrong) in zip(these, pool.map(try_point, these)):
                points += died
                over |= not died
                for w in wrong:
                    violations += 1
                    print(f"stopped at operation {point}: {w}", flush=True)
    print(f"{points} crash points walked, {violations} violations")
    if violations or points * options.every < 100:
        raise SystemExit("crash points: failed")


if __name__ == "__main__":
    main()
