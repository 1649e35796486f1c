"""stint top on a terminal of its own: keys act on the queue that was chosen, small terminals and none at all do,
and nothing that a peer is called drives the terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unittest

import harness


class Screen:
    """A command on a terminal, and all that it has written."""

    def __init__(self, endpoint, lines, columns, *args, **env):
        self.said = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(harness.program("stint"), ["stint", "-e", endpoint, "top", *args],
                      dict(os.environ, TERM="xterm", LANG="C.UTF-8", **env))
        self.resize(lines, columns)

    def resize(self, lines, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            try:
                piece = os.read(self.fd, 65536)
            except OSError:
                return
            if not piece:
                return
            self.said += piece

    def text(self):
        """Without what moves and colours."""
        self.read()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]", " ", self.said.decode("utf-8", "replace"))

    def press(self, key):
        self.said = b""
        os.write(self.fd, key.encode())

    def until(self, words, what=None):
        harness.wait_until(lambda: words in self.text(), what or f"the screen shows {words!r}")

    def end(self):
        """Its exit status."""
        for _ in range(600):
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        raise AssertionError("it does not end: " + self.text()[-2000:])


def has_screen():
    with open(harness.program("stint"), "rb") as f:
        return b"libncursesw" in f.read()


class Top(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker()

    def screen(self, lines=24, columns=120, *args, **env):
        return Screen(self.place.endpoint, lines, columns, "-i", "200ms", *args, **env)

    def submit(self, queue, kind="default", *options):
        r = self.place.stint("submit", "-q", queue, "-k", kind, *options, "x")
        self.assertExit(r, 0)
        return r.stdout.strip()

    def queue(self, name):
        return next(q for q in self.place.json("queues") if q["name"] == name)


@unittest.skipUnless(has_screen(), "built without ncurses")
class Keys(Top):
    def test_keys_act_on_the_chosen_queue(self):
        for name in ("alpha", "beta"):
            self.submit(name)
        s = self.screen()
        s.until("beta")
        s.press("j")
        s.press("p")
        s.until("beta is paused")
        self.assertTrue(self.queue("beta")["paused"])
        self.assertFalse(self.queue("alpha")["paused"])
        s.press("r")
        s.until("beta is resumed")
        self.assertFalse(self.queue("beta")["paused"])
        s.press("k")
        s.press("c")
        s.until("alpha is closed")
        self.assertTrue(self.queue("alpha")["closed"])
        s.press("o")
        s.until("alpha is open")
        s.press("h")
        s.until("Keys of stint top")
        s.press("x")
        s.until("QUEUE")
        s.press("q")
        self.assertEqual(s.end(), 0)

    def test_the_dead_are_retried_after_a_yes(self):
        self.place.worker("--handle", "bad=false", "--queue", "alpha")
        job = self.submit("alpha", "bad", "--max-attempts", "1")
        self.place.stint("wait", "-Q", job)
        s = self.screen()
        s.until("dead")
        self.assertExit(self.place.stint("queue", "pause", "alpha"), 0)
        s.press("R")
        s.until("? y or n")
        s.press("n")
        s.until("nothing was done")
        self.assertEqual(self.place.state(job), "dead")
        s.press("R")
        s.until("? y or n")
        s.press("y")
        s.until("1 dead jobs retried")
        self.assertEqual(self.place.state(job), "ready")
        s.press("q")
        self.assertEqual(s.end(), 0)

    def test_a_small_terminal_a_resize_and_one_without_colours(self):
        for i in range(30):
            self.submit(f"queue-{i:02}")
        s = self.screen(3, 20, NO_COLOR="1")
        s.until("broker up")
        s.said = b""
        s.resize(40, 100)
        s.until("queue-29")
        s.said = b""
        s.resize(1, 1)
        s.press(" ")
        s.press("j")
        s.resize(12, 60)
        s.until("queue-01")
        s.press("q")
        self.assertEqual(s.end(), 0)

    def test_an_interrupt_ends_it(self):
        s = self.screen()
        s.until("there is no queue yet")
        os.kill(s.pid, signal.SIGTERM)
        self.assertEqual(s.end(), 128 + signal.SIGTERM)

    def test_names_of_workers_are_shown_in_their_characters_and_drive_nothing(self):
        self.place.worker("--handle", "default=cat", "--queue", "alpha", "--name", "zürich")
        self.submit("alpha")
        s = self.screen()
        s.until("zürich")
        s.press("q")
        self.assertEqual(s.end(), 0)


class Text(Top):
    def test_without_a_terminal_it_is_text(self):
        self.place.worker("--handle", "bad=echo wrong >&2; false", "--queue", "alpha")
        job = self.submit("alpha", "bad", "--max-attempts", "1")
        self.place.stint("wait", "-Q", job)
        r = self.place.stint("top", "--once")
        self.assertExit(r, 0)
        for words in ("broker up", "alpha", "WORKER", "FAILED", "wrong"):
            self.assertIn(words, r.stdout)
        self.assertNotIn("\x1b", r.stdout)

    def test_json_has_all_of_it(self):
        self.submit("alpha")
        o = self.place.json("top", "--once")[0]
        self.assertEqual(o["schema"], "stint.top/1")
        self.assertEqual([q["queue"] for q in o["queues"]], ["alpha"])
        self.assertIn("live", o["queues"][0])
        self.assertEqual(o["queues"][0]["ready"], 1)
        self.assertIn("stats", o)

    def test_an_interval_that_is_none_is_refused(self):
        self.assertExit(self.place.stint("top", "-i", "5ms"), 64)


if __name__ == "__main__":
    harness.main()
