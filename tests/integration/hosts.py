"""Several hosts on one: network namespaces whose interface eth0 is on one bridge, which is in the first of
them; sshd on them; and, where it matters, files and names of their own. For root."""

import contextlib
import os
import shutil
import signal
import subprocess
import time

import harness

SKIPPED = 77
TOOLS = ("ip", "ssh", "sshd", "ssh-keygen", "flock", "setsid")
CUT = "add table inet cut\nadd chain inet cut {0} {{ type filter hook {0}put priority 0; policy drop; }}\n"
BOTH = ("in", "out")
# A host's own directories lie below $1; $2 is its name.
ENTER = """
for name in etc root var usr/local; do mount --bind "$1/$name" "/$name" || exit; done
hostname "$2"
shift 2
cd /root && exec "$@"
"""


class Skip(Exception):
    """Why it cannot be shown here."""


def run(*argv, **kwargs):
    r = subprocess.run(argv, capture_output=True, text=True, timeout=harness.DEADLINE_S, **kwargs)
    if r.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: exit status {r.returncode}: {r.stdout}{r.stderr}")
    return r.stdout


def check_permitted(*more_tools, tools=TOOLS):
    if os.getuid() != 0:
        raise Skip("network namespaces are for root")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [tool for tool in (*tools, *more_tools) if not shutil.which(tool)]
    if missing:
        raise Skip("not installed: " + ", ".join(missing))


class Network:
    def __init__(self, count, subnet="10.77.0"):
        self.prefix = f"stint-demo-{os.getpid()}-"
        self.count = count
        self.subnet = subnet
        self.made = []

    def name(self, host):
        return f"{self.prefix}{host}"

    def address(self, host):
        return f"{self.subnet}.{host}"

    def argv(self, host, *argv):
        """Words that run a program on this host; its process id is then the program's."""
        return ["ip", "netns", "exec", self.name(host), *argv]

    def on(self, host, *argv, **kwargs):
        return run("ip", "netns", "exec", self.name(host), *argv, **kwargs)

    def make(self):
        for host in range(1, self.count + 1):
            self.made.append(host)
            r = subprocess.run(["ip", "netns", "add", self.name(host)], capture_output=True, text=True)
            if r.returncode != 0:
                raise Skip("no network namespaces here: " + " ".join(r.stderr.split()))
            self.on(host, "ip", "link", "set", "lo", "up")
        self.on(1, "ip", "link", "add", "bridge", "type", "bridge")
        self.on(1, "ip", "address", "add", self.address(1) + "/24", "dev", "bridge")
        self.on(1, "ip", "link", "set", "bridge", "up")
        for host in range(2, self.count + 1):
            port = f"port{host}"
            run("ip", "link", "add", "eth0", "netns", self.name(host), "type", "veth",
                "peer", "name", port, "netns", self.name(1))
            self.on(1, "ip", "link", "set", port, "master", "bridge", "up")
            self.on(host, "ip", "address", "add", self.address(host) + "/24", "dev", "eth0")
            self.on(host, "ip", "link", "set", "eth0", "up")

    def slow(self, host, rate_bits_s):
        """A slow link, in both directions."""
        for where, interface in ((host, "eth0"), (1, f"port{host}")):
            self.on(where, "tc", "qdisc", "add", "dev", interface, "root", "tbf",
                    "rate", f"{rate_bits_s}bit", "burst", "16kb", "latency", "400ms")

    def cut(self, host, ways=BOTH):
        """Nothing comes or goes, or only the one of them, and nobody is told."""
        self.on(host, "nft", "-f", "-", input="".join(CUT.format(way) for way in ways))

    def heal(self, host):
        self.on(host, "nft", "delete", "table", "inet", "cut")

    def processes(self, host):
        r = subprocess.run(["ip", "netns", "pids", self.name(host)], capture_output=True, text=True)
        return [int(pid) for pid in r.stdout.split()]

    def remove(self):
        """Also ends whatever still runs there: a namespace of ours has no process that is not ours."""
        for host in self.made:
            for _ in range(100):
                pids = self.processes(host)
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                if not pids:
                    break
                time.sleep(0.01)
            subprocess.run(["ip", "netns", "delete", self.name(host)], capture_output=True)
        self.made = []

    def start(self, place, host, name, *argv, ready):
        """A program that is to stay, and its log."""
        process = harness.Process(self.argv(host, *argv), place.path(name + ".log"))
        place.processes.append(process)
        harness.wait_until(lambda: ready in process.log() or not process.running(), name + " is ready")
        if not process.running():
            raise AssertionError(f"{name} ended: {process.log()}")

    def start_sshd(self, place, host, host_key, user_key, *options):
        self.start(place, host, f"sshd{host}", shutil.which("sshd"), "-D", "-e", "-f", "/dev/null",
                   "-o", f"ListenAddress={self.address(host)}", "-o", f"HostKey={host_key}",
                   "-o", f"AuthorizedKeysFile={user_key}.pub", "-o", "StrictModes=no", "-o", "UsePAM=no",
                   "-o", "PidFile=none", *options, ready="listening")


def make_ssh_keys(place):
    """Of all hosts, and of the user; their paths."""
    os.makedirs("/run/sshd", exist_ok=True)  # as the system's own unit does
    keys = [place.path(name) for name in ("host_key", "user_key")]
    for key in keys:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    return keys


class Machines(Network):
    """Hosts that have names, which they know of each other, and /etc, /root, /var and /usr/local of their own,
    with the project as it is installed."""

    def __init__(self, place, names, subnet):
        super().__init__(len(names), subnet)
        self.place = place
        self.names = names

    def root(self, host, *names):
        return self.place.path("root-" + self.names[host - 1], *names)

    def argv(self, host, *argv):
        return super().argv(host, "unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", ENTER, "sh",
                            self.root(host), self.names[host - 1], "env", "-i", "HOME=/root", "USER=root",
                            "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", *argv)

    def make(self):
        super().make()
        for host in range(1, self.count + 1):
            self.make_files(host)
        host_key, user_key = make_ssh_keys(self.place)
        self.trust(host_key, user_key)
        for host in range(2, self.count + 1):
            self.start_sshd(self.place, host, host_key, user_key)

    def make_files(self, host):
        for name in ("root/.ssh", "var/lib", "var/tmp", "usr"):
            os.makedirs(self.root(host, name))
        os.chmod(self.root(host, "root", ".ssh"), 0o700)
        subprocess.run(["cp", "-a", "/etc", self.root(host)], stderr=subprocess.DEVNULL)
        install(self.root(host))
        with open(self.root(host, "etc", "hosts"), "w") as f:
            f.write("127.0.0.1 localhost\n")
            f.writelines(f"{self.address(n)} {name}\n" for n, name in enumerate(self.names, 1))

    def trust(self, host_key, user_key):
        """The first host's user gets in at the others without a question."""
        shutil.copy(user_key, self.root(1, "root", ".ssh", "id_ed25519"))
        with open(host_key + ".pub") as key, open(self.root(1, "root", ".ssh", "known_hosts"), "w") as f:
            text = key.read()
            f.writelines(f"{name} {text}" for name in self.names)


def install(root):
    """The project as it is installed, below this directory."""
    run("cmake", "--install", harness.BUILD, "--prefix", "/usr/local", env=dict(os.environ, DESTDIR=root))
