#!/usr/bin/env python3
"""An example of what `stint fleet scale` can run: workers on this machine, as many as there is work for.

    stint fleet scale --every 10s --queue mail -- ./scale-here.py 4 100 stint-worker --queue mail --exec --exit-idle 1m

starts a worker for each 100 jobs that are ready, 4 at most. They end by themselves when they are idle,
so that nothing is to be stopped here. For a cloud, put its command in place of Popen: what counts is that
the script asks for what is missing, and may be run again at any time."""

import json
import subprocess
import sys

most, jobs_a_worker, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
told = json.load(sys.stdin)
if (told["schema"], told["version"]) != ("stint.scale/1", 1):
    sys.exit(f"this is for stint.scale/1, and not for {told['schema']}")
total = told["total"]
wanted = min(most, -(-total["ready"] // jobs_a_worker))  # rounded up
for _ in range(total["workers"], wanted):
    # In a session of its own it outlives this script, and the timeout of it.
    subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
