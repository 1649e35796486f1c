"""The broker in a program of somebody else's: what it promises inside (test_embed.c), and beside other
processes: it is killed, a stintd takes its directory over and gives it back, and the example of the
README is moved from the one to the other by changing a string."""

import os
import re
import shlex
import shutil
import subprocess

import harness

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Of the loader's own, the list of open brokers, which fork needs, and where hashes begin, drawn before anything runs.
WRITABLE = {"registry", "ids_seed", "completed.0", "__dso_handle", "__TMC_END__", "_GLOBAL_OFFSET_TABLE_", "_DYNAMIC"}


def built(*names):
    return os.path.join(harness.BUILD, *names)


class Host:
    """A program with a broker in it; it says a line for each that it is given."""

    def __init__(self, where):
        self.process = subprocess.Popen([*harness.WRAP, built("tests", "embed_host"), where],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.endpoint = self.hear().removeprefix("open ")

    def hear(self):
        line = self.process.stdout.readline().rstrip("\n")
        if not line:
            raise AssertionError("the host ended: " + self.process.communicate()[1])
        return line

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.hear()

    def submit(self, payload):
        return self.say(payload).removeprefix("ok ")

    def end(self):
        self.process.stdin.write("end\n")
        said = self.process.communicate(timeout=harness.DEADLINE_S)
        return self.process.returncode, said[1]

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=harness.DEADLINE_S)


class Embedded(harness.Case):
    def host(self):
        host = Host(self.place.path("data"))
        self.addCleanup(host.kill)
        return host

    def broker(self, *options):
        return self.place.broker("--grace", "1ms", *options)

    def states(self, ids):
        return {self.place.state(job) for job in ids}

    def test_a_broker_in_a_program_keeps_its_promises_and_leaves_the_rest_alone(self):
        self.run_tests()

    def test_a_damaged_file_ends_the_broker_alone(self):
        self.run_tests("damaged", ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")

    def run_tests(self, *which, **env):
        r = subprocess.run([*harness.WRAP, built("tests", "test_embed"), *which], capture_output=True, text=True,
                           timeout=500, env={**os.environ, **env})
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        self.assertFalse([c for c in harness.COMPLAINTS if c in r.stderr], r.stderr)

    def test_what_was_accepted_is_there_after_each_kill(self):
        ids = []
        for _ in range(5):
            host = self.host()
            ids += [host.submit(f"job {len(ids)}") for _ in range(20)]
            host.kill()
        host = self.host()
        self.place.endpoint = host.endpoint
        self.assertEqual(self.states(ids), {"ready"})
        host.say("work")  # and once more to its end
        harness.wait_until(lambda: self.states(ids) == {"succeeded"}, "all are run")
        self.assertEqual(host.end(), (0, ""))

    def test_a_stintd_goes_on_with_the_directory_and_gives_it_back(self):
        host = self.host()
        ids = [host.submit("inside")]
        self.assertEqual(host.end(), (0, ""))
        broker = self.broker()
        for _ in range(2):
            self.assertEqual(self.states(ids), {"ready"})
            ids.append(self.place.stint("submit", input="outside").stdout.strip())
            self.assertEqual(broker.stop(), 0)
            host = self.host()
            ids.append(host.submit("inside"))
            host.kill()
            broker = self.broker()
        self.assertEqual(self.states(ids), {"ready"})
        self.assertEqual(broker.stop(), 0)
        verify = subprocess.run([harness.program("stintd"), "--verify", "--data", self.place.path("data")],
                                capture_output=True, text=True)
        self.assertEqual(verify.returncode, 0, verify.stderr)
        self.assertRegex(verify.stdout, rf"ready +{len(ids)}\n")

    def test_two_processes_never_have_one_directory(self):
        host = self.host()
        r = subprocess.run([harness.program("stintd"), "--listen", self.place.endpoint, "--data",
                            self.place.path("data")], capture_output=True, text=True,
                           timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, 75, r.stderr)
        self.assertIn(f"another broker (process {host.process.pid}) uses", r.stderr)
        for held in (host.process.pid, None):
            if held is None:
                self.assertEqual(host.end(), (0, ""))
                held = self.broker().pid
                harness.wait_until(lambda: self.place.stint("ping").returncode == 0, "it serves")
            second = subprocess.run([built("tests", "embed_host"), self.place.path("data")],
                                    capture_output=True, text=True, timeout=harness.DEADLINE_S)
            self.assertEqual(second.returncode, 3)
            self.assertIn(f"another broker (process {held}) uses", second.stderr)

    def test_the_command_and_workers_of_other_processes_find_it(self):
        host = self.host()
        self.place.endpoint = host.endpoint
        job = host.submit("hello")
        self.place.worker("--handle", "default=cat")
        harness.wait_until(lambda: self.place.state(job) == "succeeded", "it is run")
        self.assertEqual(self.place.stint("result", job).stdout, "hello\n")
        self.assertEqual(host.end(), (0, ""))

    def test_nothing_in_the_library_is_the_process_s_but_one_list_and_a_seed(self):
        said = subprocess.run(["nm", "-C", built("broker", "libstint_embed.so")], capture_output=True,
                              text=True, check=True).stdout
        sections = subprocess.run(["readelf", "-SW", built("broker", "libstint_embed.so")],
                                  capture_output=True, text=True, check=True).stdout
        spans = {name: (int(at, 16), int(at, 16) + int(size, 16)) for name, at, size in re.findall(
            r"\] (\.\w[\w.]*) +\w+ +([0-9a-f]{16}) [0-9a-f]+ ([0-9a-f]+) ", sections)}
        if "asan" in said or "gcov" in said or "tsan" in said:
            self.skipTest("instruments have data of their own")
        writable = set()
        for at, kind, name in re.findall(r"^([0-9a-f]+) ([bBdDsS]) (\S+)", said, re.M):
            if any(low <= int(at, 16) < high for low, high in (spans[".data"], spans[".bss"])):
                writable.add(name)
        self.assertEqual(writable - WRITABLE, set())
        self.assertIn("registry", writable)

    def test_a_program_may_have_functions_of_the_same_names(self):
        """Those of the static library are its own; the shared one exports nothing else."""
        program = self.place.path("names")
        with open(program + ".c", "w") as f:
            f.write("#include <stint_embed.h>\n#include <stdlib.h>\n"
                    "void log_event(void); void log_event(void) { abort(); }\n"
                    "int core_new(void); int core_new(void) { abort(); }\n"
                    "int main(int argc, char **argv) { struct stint_embed *e;\n"
                    "if (argc != 2 || stint_embed_open(argv[1], 0, &e)) return 1;\n"
                    "stint_embed_close(&e); return 0; }\n")
        for kind in ("libstint_embed.a", "libstint_embed.so"):
            self.compile(program, built("broker", kind), "-lzmq", "-llmdb", "-lpthread", "-rdynamic")
            r = self.run_here([program, self.place.path(kind)])
            self.assertEqual(r.returncode, 0, r.stderr)

    def compile(self, program, *libraries):
        include = [f"-I{SOURCE}/{name}" for name in ("broker", "client", "worker", "proto")]
        r = subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *flags(), *include, "-o", program,
                            program + ".c", *libraries], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)

    def run_here(self, argv):
        path = ":".join((built("broker"), built("client")))
        return subprocess.run(argv, capture_output=True, text=True, timeout=harness.DEADLINE_S,
                              env={**os.environ, "LD_LIBRARY_PATH": path, "ASAN_OPTIONS": "detect_leaks=1"})

    def test_the_example_of_the_readme_runs_and_moves_by_one_string(self):
        with open(os.path.join(SOURCE, "README.md")) as f:
            examples = [e for e in re.findall(r"```c\n(.*?)```", f.read(), re.S) if "stint_embed_open" in e]
        self.assertEqual(len(examples), 1)
        program = self.place.path("example")
        with open(program + ".c", "w") as f:
            f.write(examples[0])
        self.compile(program, built("broker", "libstint_embed.so"), built("client", "libstint.so"), "-lpthread")
        for _ in range(2):  # the second time on what is there
            r = self.run_here([program, self.place.path("data")])
            self.assertEqual((r.returncode, r.stdout), (0, "hello\n"), r.stderr)
        self.broker()
        r = self.run_here([program, self.place.endpoint])
        self.assertEqual((r.returncode, r.stdout), (0, "hello\n"), r.stderr)


def flags():
    """The sanitizers that the libraries were built with, if any."""
    with open(built("CMakeCache.txt")) as f:
        found = re.search(r"^STINT_SANITIZE:STRING=(\S+)", f.read(), re.M)
    return shlex.split(f"-fsanitize={found.group(1)}") if found else []


if __name__ == "__main__":
    if not shutil.which("cc"):
        raise SystemExit("no compiler")
    harness.main()
