"""libstint against the real broker (test_library.c), and against one that goes wrong in all the ways
that a client has to cope with (test_client.c, test_told.c, scripted.py)."""

import os
import subprocess

import harness
import scripted


class Library(harness.Case):
    def run_program(self, name):
        r = subprocess.run([*harness.WRAP, os.path.join(harness.BUILD, "tests", name)],
                           env=dict(os.environ, STINT_ENDPOINT=self.place.endpoint), capture_output=True, text=True,
                           timeout=500)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)

    def test_libstint_does_what_its_header_says(self):
        large = self.place.path("large")
        with open(large, "w") as f:
            f.write("#!/bin/sh\nhead -c 4000000 /dev/zero\necho warning >&2\n")
        os.chmod(large, 0o755)
        self.place.broker("--queue-backlog-max", "20000", "--result-max", "4M")
        self.place.worker("--handle", "default=cat", "--handle", f"large={large}", "--queue", "run", "--result-max", "4M")
        self.run_program("test_library")
        self.run_program("test_library_worker")

    def test_libstint_tells_the_truth_when_things_go_wrong(self):
        broker = scripted.Broker(self.place.endpoint)
        broker.start()
        try:
            self.run_program("test_client")
            self.run_program("test_told")
        finally:
            broker.stop()


if __name__ == "__main__":
    harness.main()
