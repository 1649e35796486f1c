"""The README's fleet, word for word: its commands are run on three hosts (namespaces) of the names that it
has, with the project as it is installed, and print what it says. Exits 77 where namespaces are not
permitted."""

import os
import re
import signal
import subprocess
import sys

import harness
import hosts
import readme


def general(text):
    """Lines in any order, as hosts answer when they do; a process has any number."""
    return sorted(re.sub(r"pid \d+", "pid N", line) for line in text.splitlines())


class Shell:
    """One on the broker's host, for all commands, as a person has it: what is begun in the background goes on."""

    def __init__(self, machines, place):
        self.end = "end-of-a-command"
        self.process = subprocess.Popen(machines.argv(1, "bash", "-s"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        place.processes.append(self)

    def run(self, command):
        """What it printed, and its exit status. A here-document ends with a line of its own."""
        self.process.stdin.write(f"{command}\necho {self.end} $?\n")
        self.process.stdin.flush()
        printed = ""
        for line in self.process.stdout:
            if line.startswith(self.end):
                return printed, int(line.split()[1])
            printed += line
        raise AssertionError("the shell has ended: " + printed)

    # As the others that a place has.
    log_path = os.devnull

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()


def follow(machines, place):
    """Runs what the README says, and compares."""
    shell = Shell(machines, place)
    ready = machines.root(1, "root", "stintd.log")
    count = 0
    for command, said in readme.steps("broker$"):
        printed, code = shell.run(command)
        print("broker$ " + command + "\n" + printed, end="")
        if code != 0:
            raise AssertionError(f"{command}: exit status {code}")
        if general(printed) != general(said):
            raise AssertionError(f"{command}: the README says\n{said}")
        if command.endswith("&"):  # a person is slower than it is
            harness.wait_until(lambda: "event=ready" in "".join(place.lines_of(ready)), "the broker is ready")
        count += 1
    if count < 7:
        raise AssertionError(f"only {count} commands are there")
    told = "".join(place.lines_of(machines.root(1, "root", "for-workers")))
    if not re.search(r"^endpoint = tcp://10\.0\.0\.1:5670\nbroker-key = \".{40}\"\n\Z", told, re.M):
        raise AssertionError("for-workers has not the two lines: " + told)


def end_on_signal(number, _):
    sys.exit(128 + number)


def main():
    harness.arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_on_signal)
    place = harness.Place()
    machines = hosts.Machines(place, ["broker", "host1", "host2"], "10.0.0")
    try:
        hosts.check_permitted("unshare", "hostname", "cmake")
        machines.make()
        follow(machines, place)
    except hosts.Skip as skip:
        print(f"quick start: skipped: {skip}", file=sys.stderr)
        return hosts.SKIPPED
    except (AssertionError, subprocess.TimeoutExpired) as failure:
        print(f"quick start: {failure}", file=sys.stderr)
        for name in ("root-broker/root/stintd.log", "root-host1/root/.local/state/stint/fleet/host1/log"):
            print("".join(place.lines_of(place.path(name))[-10:]), file=sys.stderr)
        return 1
    finally:
        machines.remove()
        place.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
