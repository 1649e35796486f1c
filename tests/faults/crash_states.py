"""Records a whole life of the broker (scenario.py) and lets crash_states open what a loss of power at
any moment of it could have left. With the data file's syncs ignored it has to find violations: that
shows that it can."""

import os
import subprocess

import scenario
from scenario import harness


def record(path):
    place = harness.Place()
    s = scenario.Scenario(place)
    try:
        s.start(scenario.preload(place, f"record:{path}"))
        s.run()
        s.broker.stop()
    finally:
        s.close()


def walk(recording, *options):
    program = os.path.join(harness.BUILD, "tests", "faults", "crash_states")
    return subprocess.Popen([program, recording, *options], stdout=subprocess.PIPE, text=True)


def main():
    options, _ = harness.arguments(lambda p: (
        p.add_argument("--states", type=int, default=1000000, help="to build; most are built twice"),
        p.add_argument("--jobs", type=int, default=os.cpu_count())))
    place = harness.Place()
    try:
        recording = place.path("recording")
        record(recording)
        walks = [walk(recording, "--states", str(options.states), "--share", f"{i}/{options.jobs}")
                 for i in range(options.jobs)]
        failed = False
        for w in walks:
            print(w.communicate()[0], end="", flush=True)
            failed |= w.returncode != 0
        careless = walk(recording, "--states", "2000", "--ignore-syncs")
        said = careless.communicate()[0].splitlines()
        print("with the syncs of the data file ignored: " + said[-1])
        if failed or careless.returncode == 0:
            raise SystemExit("crash states: failed")
    finally:
        place.close()


if __name__ == "__main__":
    main()
