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

import harness


MOVES = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}


class Screen:
    """A command on a vt100, and what stands on it: curses writes only what has changed."""

    def __init__(self, endpoint, lines, columns, *args, **env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self.fd = 0
            self.set_size(lines, columns)
            os.execve(harness.program("stint"), ["stint", "-e", endpoint, "top", *args],
                      dict(os.environ, TERM="vt100", LANG="C.UTF-8", **env))
        self.rest, self.line, self.column = b"", 0, 0
        self.wipe(lines, columns)

    def set_size(self, lines, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wipe(self, lines, columns):
        self.lines, self.columns = lines, columns
        self.cells = [[" "] * columns for _ in range(lines)]

    def resize(self, lines, columns):
        """All is drawn anew then."""
        self.read()
        self.wipe(lines, columns)
        self.set_size(lines, columns)

    def put(self, character):
        if self.column >= self.columns:
            self.line, self.column = self.line + 1, 0
        if 0 <= self.line < self.lines:
            self.cells[self.line][self.column] = character
        self.column += 1

    def erase(self, what, numbers):
        line = min(self.line, self.lines - 1)
        if numbers[0] == 0:
            self.cells[line][self.column:] = [" "] * len(self.cells[line][self.column:])
        elif numbers[0] == 1:
            self.cells[line][:self.column + 1] = [" "] * len(self.cells[line][:self.column + 1])
        else:
            self.cells[line] = [" "] * self.columns
        if what == "J" and numbers[0] != 1:
            for i in range(0 if numbers[0] == 2 else line + 1, self.lines):
                self.cells[i] = [" "] * self.columns

    def control(self, what, numbers):
        if what == "H":
            self.line = max(numbers[0], 1) - 1
            self.column = max(numbers[1], 1) - 1 if len(numbers) > 1 else 0
        elif what in MOVES:
            down, right = MOVES[what]
            self.line += down * max(numbers[0], 1)
            self.column = max(0, min(self.column, self.columns - 1) + right * max(numbers[0], 1))
        elif what in "JK":
            self.erase(what, numbers)

    def take(self, text):
        pieces = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])|\x1b[()#].|\x1b.|[\x00-\x1f]|[^\x00-\x1f]")
        for piece in pieces.finditer(text):
            if piece[2]:
                self.control(piece[2], [int(n or 0) for n in piece[1].split(";")])
            elif piece[0] == "\r":
                self.column = 0
            elif piece[0] == "\n":
                self.line += 1
            elif piece[0] == "\b":
                self.column -= self.column > 0
            elif piece[0] >= " ":
                self.put(piece[0])

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            try:
                piece = os.read(self.fd, 65536)
            except OSError:
                return
            if not piece:
                return
            self.rest += piece
            whole = re.match(rb"(?s)(.*?)(\x1b[^A-Za-z]*|[\xc0-\xff][\x80-\xbf]*)?\Z", self.rest)
            cut = whole.end(1)
            try:  # a character at the end may be whole
                self.rest[cut:].decode()
                if not self.rest[cut:].startswith(b"\x1b"):
                    cut = len(self.rest)
            except UnicodeDecodeError:
                pass
            text, self.rest = self.rest[:cut], self.rest[cut:]
            self.take(text.decode("utf-8", "replace"))

    def text(self):
        self.read()
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def press(self, key):
        os.write(self.fd, key.encode())

    def until(self, words, what=None):
        try:
            harness.wait_until(lambda: words in self.text(), what or f"the screen shows {words!r}")
        except AssertionError:
            print(self.text())
            raise

    def end(self):
        """Its exit status."""
        ended = []

        def is_over():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                ended.append(status)
            return pid

        try:
            harness.wait_until(is_over, "it ends")
        finally:
            if not ended:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            os.close(self.fd)
        return os.waitstatus_to_exitcode(ended[0])


def has_screen():
    with open(harness.program("stint"), "rb") as f:
        return b"libncursesw" in f.read()


class Top(harness.Case):
    def setUp(self):
        super().setUp()
        self.place.broker()

    def screen(self, lines=24, columns=120, *args, **env):
        return Screen(self.place.endpoint, lines, columns, "--interval", "200ms", *args, **env)

    def submit(self, queue, kind="default", *options):
        r = self.place.stint("submit", "-q", queue, "-k", kind, *options, "x")
        self.assertExit(r, 0)
        return r.stdout.strip()

    def queue(self, name):
        return next(q for q in self.place.json("queues") if q["name"] == name)


class Keys(Top):
    def setUp(self):
        super().setUp()
        if not has_screen():
            self.skipTest("built without ncurses")

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
        job = self.submit("alpha", "bad", "--attempts", "1")
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
        s.resize(40, 100)
        s.until("queue-29")
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
        self.place.worker("--handle", "bad=sh -c 'echo wrong >&2; false'", "--queue", "alpha")
        job = self.submit("alpha", "bad", "--attempts", "1")
        self.place.stint("wait", "-Q", job)
        r = self.place.stint("top", "--once")
        self.assertExit(r, 0)
        for words in ("broker up", "alpha", "WORKER", "FAILED", "wrong"):
            self.assertIn(words, r.stdout)
        self.assertNotIn("\x1b", r.stdout)

    def test_limits_of_queues_are_told(self):
        self.submit("alpha")
        self.submit("beta")
        self.place.stint("queue", "set", "alpha", "--running", "10", "--rate", "7/s")
        lines = self.place.stint("top", "--once").stdout.splitlines()
        self.assertTrue(any(l.startswith("alpha") and l.endswith(" 10, 7.0/s") for l in lines), lines)
        alpha, beta = self.place.json("top", "--once")[0]["queues"]
        self.assertEqual((alpha["running_max"], alpha["rate_per_hour"]), (10, 25200))
        self.assertNotIn("running_max", beta)

    def test_json_has_all_of_it(self):
        self.submit("alpha")
        o = self.place.json("top", "--once")[0]
        self.assertEqual(o["schema"], "stint.top/1")
        self.assertEqual([q["queue"] for q in o["queues"]], ["alpha"])
        self.assertIn("live", o["queues"][0])
        self.assertEqual(o["queues"][0]["ready"], 1)
        self.assertIn("stats", o)

    def test_an_interval_that_is_none_is_refused(self):
        self.assertExit(self.place.stint("top", "--interval", "5ms"), 64)


if __name__ == "__main__":
    harness.main()
