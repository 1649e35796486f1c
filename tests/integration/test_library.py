"""libstint against the real broker: the program is test_library.c."""

import os
import subprocess

import harness


class Library(harness.Case):
    def test_libstint_does_what_its_header_says(self):
        self.place.broker("--queue-backlog-max", "20000")
        self.place.worker("--handle", "default=cat", "--queue", "run")
        r = subprocess.run([*harness.WRAP, os.path.join(harness.BUILD, "tests", "test_library")],
                           env=dict(os.environ, STINT_ENDPOINT=self.place.endpoint), capture_output=True, text=True,
                           timeout=500)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)


if __name__ == "__main__":
    harness.main()
