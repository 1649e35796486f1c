"""The broker as a process: its log and standard streams, its data directory, the limits it is given,
its settings, the disk it is on."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import unittest

import harness
import peer


# A sanitizer or valgrind wants address space and descriptors of its own.
INSTRUMENTED = bool(harness.WRAP) or not {"ASAN_OPTIONS", "TSAN_OPTIONS"}.isdisjoint(os.environ)
FORMAT = f"stint-data {harness.DATA_FORMAT}"  # the first line of a manifest


def full_pipe(size=4096):
    """A pipe that takes nothing more: (read end, write end)."""
    ends = os.pipe()
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, size)
    os.set_blocking(ends[1], False)
    try:
        while True:
            os.write(ends[1], b"\n" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(ends[1], True)
    return ends


class Streams(harness.Case):
    def start(self, stderr, *options):
        p = subprocess.Popen(self.place.broker_argv(*options), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=stderr)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def serve_and_stop(self, p):
        self.assertExit(self.place.stint("submit", "x"), 0)
        for i in range(200):
            p.send_signal(signal.SIGHUP)  # each is a line
            if i % 50 == 0:
                self.assertExit(self.place.stint("ping"), 0)
        self.assertExit(self.place.stint("submit", "x"), 0)
        p.terminate()
        self.assertEqual(p.wait(harness.DEADLINE_S), 0)

    def test_a_log_that_nobody_reads_stops_nobody(self):
        reader, writer = full_pipe()
        self.addCleanup(os.close, reader)
        p = self.start(writer)
        self.assertTrue(os.get_blocking(writer), "others who share the pipe find it as it was")
        os.close(writer)
        self.serve_and_stop(p)

    def test_lines_that_did_not_fit_are_counted_and_told(self):
        reader, writer = full_pipe()
        self.addCleanup(os.close, reader)
        p = self.start(writer)
        os.close(writer)
        c = peer.Client(self.place.endpoint)
        for _ in range(2000):
            p.send_signal(signal.SIGHUP)
            c.ask(peer.PING, peer.PONG, {})  # a turn of the loop: a line
        log = []
        os.set_blocking(reader, False)

        def read():
            try:
                log.append(os.read(reader, 1 << 16))
            except BlockingIOError:
                pass
            return b"".join(log)

        harness.wait_until(lambda: b"log lines were dropped" in read(), "it is told")
        self.assertIn(b"event=ready", read())
        told = harness.wait_until(lambda: re.search(rb'dropped" lines=(\d+)\n', read()), "how many")
        self.assertGreater(int(told.group(1)), 100)

    def test_a_log_whose_reader_is_gone_stops_nobody(self):
        reader, writer = os.pipe()
        os.close(reader)
        p = self.start(writer)
        os.close(writer)
        self.serve_and_stop(p)

    def test_a_log_on_a_full_disk_or_without_waiting_stops_nobody(self):
        with open("/dev/full", "wb") as full:
            self.serve_and_stop(self.start(full))
        reader, writer = full_pipe()
        os.set_blocking(writer, False)
        p = self.start(writer)
        os.close(writer)
        self.serve_and_stop(p)
        os.close(reader)

    def test_why_it_does_not_start_is_no_reason_to_wait_either(self):
        reader, writer = full_pipe()
        for options, code in ((["--grace", "soon"], 64), (["--data", "/proc/none"], 73)):
            p = subprocess.Popen([harness.program("stintd"), *options], stderr=writer)
            self.addCleanup(p.kill)
            self.assertEqual(p.wait(harness.DEADLINE_S), code)
        os.close(reader)
        os.close(writer)

    @staticmethod
    def opened(process, fd):
        try:
            return os.readlink(f"/proc/{process.pid}/fd/{fd}")
        except FileNotFoundError:
            return None

    @unittest.skipIf(harness.WRAP, "the program is valgrind")
    def test_the_standard_streams_are_always_open_in_the_broker_and_the_worker(self):
        broker = self.place.broker_argv()
        worker = [harness.program("stint-worker"), "--endpoint", self.place.endpoint, "--handle",
                  "work=cat"]
        for argv in (broker, worker):
            p = subprocess.Popen(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *argv])
            self.addCleanup(p.wait)
            self.addCleanup(p.kill)
            program = os.path.realpath(argv[len(harness.WRAP)])
            harness.wait_until(lambda: os.readlink(f"/proc/{p.pid}/exe") == program and
                               self.place.stint("ping").returncode == 0, "it runs")
            harness.wait_until(lambda: [self.opened(p, fd) for fd in range(3)] == 3 * ["/dev/null"],
                               "all three are open")
        job = self.place.stint("submit", "-k", "work", "payload").stdout.strip()
        self.assertExit(self.place.stint("wait", job), 0)
        self.assertEqual(self.place.stint("result", job).stdout, "payload")

    def test_in_json_every_line_is_an_object_also_why_it_does_not_start(self):
        p = self.place.broker("--log-format", "json")
        self.assertExit(self.place.stint("ping"), 0)
        second = self.place.broker("--log-format", "json")
        self.assertEqual(second.process.wait(harness.DEADLINE_S), 75)
        p.stop()
        lines = [json.loads(line) for line in p.log().splitlines()]
        self.assertEqual({line["schema"] for line in lines}, {"stint.log/1"})
        events = {line["event"]: line for line in lines}
        self.assertEqual(events["ready"]["endpoint"], self.place.endpoint)
        self.assertIn("another broker", events["not started"]["error"])

    def test_every_worker_that_is_lost_is_a_line_with_its_name_as_a_field(self):
        broker = self.place.broker("--log-format", "json", "--heartbeat", "100ms", "--lost", "1s")
        names = {f"worker {i}" for i in range(6)}
        workers = [self.place.worker("--handle", "work=cat", "--slots", "1", "--name", n) for n in names]
        harness.wait_until(lambda: self.place.stats()["workers"] == len(names), "all are there")
        for w in workers:
            w.kill()

        def lost():
            lines = [json.loads(line) for line in broker.log().splitlines(True) if line.endswith("\n")]
            return [line["worker"] for line in lines if line["event"] == "a worker is lost"]

        harness.wait_until(lambda: len(lost()) == len(names), "each is told")
        self.assertEqual(set(lost()), names)

    def test_output_that_could_not_be_written_is_told(self):
        p = self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)
        p.stop()
        for options in (["--verify"], ["--check-config"], ["--help"], ["--version"]):
            with open("/dev/full", "wb") as full:
                r = subprocess.run(self.place.broker_argv(*options), stdout=full,
                                   stderr=subprocess.PIPE, text=True)
            self.assertEqual(r.returncode, 74, options)
            self.assertIn("standard output", r.stderr)


class Directory(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.place.broker()
        self.job = self.place.stint("submit", "payload").stdout.strip()
        self.assertTrue(self.job)

    def data(self, name="jobs.lmdb"):
        return self.place.path("data", name)

    def refuse(self, code, *words, options=(), data=None):
        argv = [harness.program("stintd"), "--listen", self.place.endpoint + "2", "--data",
                data or self.place.path("data"), *options]
        r = subprocess.run(argv, capture_output=True, text=True, timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, code, r.stderr)
        for word in words:
            self.assertIn(word, r.stderr)

    def test_a_broker_may_serve_in_its_data_directory(self):
        os.makedirs(self.place.path("own"))
        self.place.endpoint = f"ipc://{self.place.path('own', 'socket')}"
        first = self.place.broker("--data", self.place.path("own"))
        harness.wait_until(lambda: self.place.stint("ping").returncode == 0, "it serves")
        self.assertEqual(first.stop(), 0)
        self.assertNotIn("socket", os.listdir(self.place.path("own")))

    def test_a_second_broker_is_refused_also_when_the_lock_files_were_removed(self):
        for name in ("LOCK", "jobs.lmdb-lock"):
            os.remove(self.data(name))
            self.refuse(75, "another broker")
        self.assertExit(self.place.stint("submit", "x"), 0)

    def test_a_second_broker_is_refused_under_any_name_of_the_file(self):
        os.symlink(self.place.path("data"), self.place.path("other"))
        self.refuse(75, "another broker", data=self.place.path("other"))
        os.mkdir(self.place.path("third"))
        os.link(self.data(), self.place.path("third", "jobs.lmdb"))
        shutil.copy(self.data("MANIFEST"), self.place.path("third"))
        self.refuse(75, "another broker", data=self.place.path("third"))
        self.assertExit(self.place.stint("submit", "x"), 0)

    def lose(self, how):
        """Nothing is acknowledged once the data are gone."""
        how()
        r = self.place.stint("submit", "--timeout", "2s", "too late")
        self.assertNotEqual(r.returncode, 0)
        self.assertEqual(self.broker.process.wait(harness.DEADLINE_S), 66, self.broker.log())
        self.assertIn("the data file is gone", self.broker.log())

    def test_it_stops_when_its_data_file_is_removed(self):
        self.lose(lambda: os.remove(self.data()))

    def test_it_stops_when_its_directory_is_removed(self):
        self.lose(lambda: shutil.rmtree(self.place.path("data")))

    def test_it_stops_when_its_directory_is_moved_away(self):
        self.lose(lambda: os.rename(self.place.path("data"), self.place.path("moved")))
        os.rename(self.place.path("moved"), self.place.path("data"))
        self.place.broker()
        self.assertEqual(self.place.state(self.job), "ready")

    def test_it_stops_when_its_data_file_is_replaced(self):
        def replace():
            shutil.copy(self.data(), self.data("copy"))
            os.rename(self.data("copy"), self.data())
        self.lose(replace)

    def test_it_stops_without_being_asked_anything_when_its_data_are_gone(self):
        os.remove(self.data())
        self.assertEqual(self.broker.process.wait(harness.DEADLINE_S), 66)

    def manifest(self, change):
        self.broker.stop()
        with open(self.data("MANIFEST")) as f:
            text = f.read()
        with open(self.data("MANIFEST"), "w") as f:
            f.write(change(text))
        return text

    def test_a_data_file_that_the_manifest_does_not_know_is_set_aside_and_never_deleted(self):
        def forget(text):
            return "".join("size 0\n" if line.startswith("size") else line
                           for line in text.splitlines(True))
        for n in (1, 2):
            self.manifest(forget)
            with open(self.data(), "rb") as f:
                before = f.read()
            self.broker = self.place.broker()
            self.assertExit(self.place.stint("submit", f"after {n}"), 0)
            self.assertIn(f"jobs.lmdb.set-aside-{n}", self.broker.log())
            with open(self.data(f"jobs.lmdb.set-aside-{n}"), "rb") as f:
                self.assertEqual(f.read(), before)
            self.assertTrue(os.path.exists(self.data(f"journal-00.set-aside-{n}")))

    def test_a_directory_of_the_first_format_is_taken_and_brought_up_to_date(self):
        self.manifest(lambda text: text[:text.index("broker")].replace(FORMAT, "stint-data 1"))
        self.broker = self.place.broker()
        self.assertEqual(self.place.state(self.job), "ready")
        with open(self.data("MANIFEST")) as f:
            self.assertRegex(f.read(), "^" + FORMAT + r"\n.*\n.*\nbroker 0\n$")

    def test_jobs_of_another_broker_number_are_named_so(self):
        for options in ([], ["--verify"]):
            self.broker.stop()
            self.refuse(78, "belongs to broker number 0", "--broker-number 0",
                        options=["--broker-number", "7", *options])
        self.manifest(lambda text: text[:text.index("broker")].replace(FORMAT, "stint-data 1"))
        self.refuse(78, "belongs to broker number 0", options=["--broker-number", "7"])
        self.place.broker()
        self.assertEqual(self.place.state(self.job), "ready")

    def test_a_manifest_that_is_not_whole_is_refused(self):
        whole = self.manifest(lambda text: text)
        changes = ["", "\n", whole[:-1], whole + "x", whole + whole, whole.replace("size ", "size -"),
                   whole.replace("broker 0", "broker 65536"), whole.replace("broker 0", "broker -1"),
                   whole.replace(FORMAT, "stint-data 0"), whole.replace("identity ", "identity"),
                   whole.replace("size ", "size 99999999999999999999"), whole.replace("\n", "\0")]
        for text in changes:
            self.manifest(lambda _: text)
            self.refuse(65, "MANIFEST")
        self.manifest(lambda _: whole)
        self.place.broker()
        self.assertEqual(self.place.state(self.job), "ready")


class Limits(harness.Case):
    def run_with(self, ulimit, *options):
        p = harness.Process(["sh", "-c", f'ulimit {ulimit}; exec "$@"', "sh",
                             *self.place.broker_argv(*options)], self.place.path("stintd.log"))
        self.place.processes.append(p)
        return p

    @unittest.skipIf(INSTRUMENTED, "it needs more address space")
    def test_too_little_address_space_names_the_option(self):
        p = self.run_with("-v 4000000")
        self.assertEqual(p.process.wait(harness.DEADLINE_S), 74)
        self.assertIn("--store-size", p.log())
        self.run_with("-v 4000000", "--store-size", "1G")
        self.assertExit(self.place.stint("ping"), 0)

    def test_a_limit_of_file_sizes_limits_the_store_and_is_no_signal(self):
        p = self.run_with("-f 16384", "--disk-free", "0")  # of 512 or 1,024 bytes, by the shell
        c = peer.Client(self.place.endpoint)
        while isinstance(c.submit([b"x" * 10000] * 100)[0], bytes):
            pass
        self.assertTrue(p.running(), p.log())
        self.assertIn("ulimit -f", p.log())
        p.stop()
        p = self.run_with("-f 1000")
        self.assertEqual(p.process.wait(harness.DEADLINE_S), 78, p.log())
        self.assertIn("raise the limit of file sizes", p.log())
        p = self.place.broker()
        self.assertExit(self.place.stint("ping"), 0)

    def test_a_list_on_the_command_line_replaces_that_of_the_file(self):
        path = self.place.path("conf")
        with open(path, "w") as f:
            f.write(f"listen = ipc://{self.place.path('of-the-file')}\n")
        self.place.broker("--config", path)
        self.assertExit(self.place.stint("ping"), 0)
        self.assertFalse(os.path.exists(self.place.path("of-the-file")))

    def settings(self, code, *options, text=None, **env):
        """What the program says of settings that are wrong."""
        if text is not None:
            with open(self.place.path("conf"), "w") as f:
                f.write(text)
            options = (*options, "--config", self.place.path("conf"))
        r = subprocess.run([harness.program("stintd"), "--data", self.place.path("data"), *options], env={**os.environ, **env},
                           capture_output=True, text=True, timeout=harness.DEADLINE_S)
        self.assertExit(r, code)
        return r.stderr

    def test_settings_that_do_not_go_together_are_told_in_the_format_of_the_log(self):
        for options in (["--lost", "1s", "--heartbeat", "1s"], ["--verify", "--dump"], ["--require-keys"],
                        ["--listen", "tcp://*:5999"], ["--log-level", "loud"]):
            for said in (self.settings(78, *options, STINT_LOG_FORMAT="json"),
                         self.settings(78, *options, text="log-format = json\n"),
                         self.settings(78, *options, "--log-format", "json")):
                line = json.loads(said)
                self.assertEqual((line["event"], line["level"]), ("not started", "error"))
                self.assertIn(options[0], line["error"].replace("tcp:", "--listen "))

    def test_a_setting_that_is_wrong_is_told_in_the_format_of_the_log_wherever_that_stands(self):
        json_log = ["--log-format", "json"]
        wrong = (["--listen", "bad"], ["--keep", "xx"], ["--nonsense"], ["-Z"], ["stray"])
        said = [(option[0], self.settings(64, *options)) for option in wrong
                for options in ([*json_log, *option], [*option, *json_log])]
        said += [(option[0], self.settings(64, *option, STINT_LOG_FORMAT="json")) for option in wrong]
        said += [("keep", self.settings(78, text="keep = xx\nlog-format = json\n")),
                 ("keep", self.settings(78, STINT_KEEP="xx", STINT_LOG_FORMAT="json")),
                 ("--nonsense", self.settings(64, "--nonsense", text="log-format = json\n")),
                 ("/no/such", self.settings(78, *json_log, "--config", "/no/such"))]
        for option, line in said:
            line = json.loads(line)
            self.assertEqual((line["event"], line["level"]), ("not started", "error"))
            self.assertIn(option, line["error"])
        self.assertRegex(self.settings(64, "--keep", "xx", "--log-format", "text", STINT_LOG_FORMAT="json"), "^stintd: --keep=xx")

    def test_an_endpoint_that_is_given_twice_is_named_so(self):
        for endpoint in (self.place.endpoint, "tcp://127.0.0.1:5999"):
            twice = "--listen", endpoint, "--listen", endpoint
            self.assertIn(f"{endpoint}: it is given twice", self.settings(64, *twice))
        self.assertIn("given twice", self.settings(78, text=2 * f"listen = {self.place.endpoint}\n"))
        any_port = "tcp://127.0.0.1:*"
        self.settings(0, "--check-config", "--listen", any_port, "--listen", any_port)

    @staticmethod
    def sleeps(pid):
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "S"

    def test_a_configuration_that_never_comes_is_waited_for_until_a_signal(self):
        os.mkfifo(self.place.path("fifo"))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            p = subprocess.Popen([harness.program("stintd"), "--config", self.place.path("fifo")], stderr=subprocess.PIPE)
            self.addCleanup(p.communicate)
            self.addCleanup(p.kill)
            harness.wait_until(lambda: self.sleeps(p.pid), "it opens the pipe")
            p.send_signal(number)
            self.assertEqual(p.wait(20), -number)

    def test_the_service_manager_is_told(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(self.place.path("notify"))
            s.settimeout(harness.DEADLINE_S)
            p = self.place.broker(env={"NOTIFY_SOCKET": self.place.path("notify"),
                                       "WATCHDOG_USEC": "5000000"})
            self.assertEqual(s.recv(100), b"READY=1")
            self.assertEqual(s.recv(100), b"WATCHDOG=1")
            self.assertEqual(s.recv(100), b"WATCHDOG=1")
            p.stop()
            while (said := s.recv(100)) == b"WATCHDOG=1":
                pass
            self.assertEqual(said, b"STOPPING=1")

    def test_the_service_manager_is_told_of_a_worker_by_the_process_that_it_started(self):
        self.place.broker("--lost", "10m")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            s.bind(self.place.path("notify"))
            s.settimeout(harness.DEADLINE_S)
            p = self.place.worker("--exec", "--drain", "10m", env={"NOTIFY_SOCKET": self.place.path("notify"),
                                                                   "WATCHDOG_USEC": "5000000"})

            def heard():
                said, credentials, _, _ = s.recvmsg(200, 100)
                self.assertEqual(struct.unpack("3i", credentials[0][2])[0], p.pid)
                return said

            def hear(wanted):
                said = [heard()]
                while wanted not in said[-1] and len(said) < 30:  # about a second each
                    said.append(heard())
                self.assertIn(wanted, said[-1])
                return said[-1]

            self.assertTrue(heard().startswith(b"READY=1\nSTATUS="))
            hear(b"connected to the broker")
            self.assertEqual(hear(b"WATCHDOG"), b"WATCHDOG=1")
            gate = self.place.path("gate")
            job = self.place.stint("run", "--detach", "sh", "-c", f"env; until [ -e {gate} ]; do sleep 0.02; done").stdout.strip()
            harness.wait_until(lambda: self.place.state(job) == "running", "the job runs")
            p.signal(signal.SIGTERM)
            self.assertIn(b"STOPPING=1", hear(b"STOPPING"))
            self.assertEqual(hear(b"EXTEND"), b"EXTEND_TIMEOUT_USEC=30000000")
            worker = p.children()[0]
            os.kill(worker, signal.SIGSTOP)  # the guard goes on, and says nothing in its name
            s.settimeout(3)
            with self.assertRaises(TimeoutError):
                for _ in range(10):
                    heard()
            os.kill(worker, signal.SIGCONT)
            with open(gate, "w"):
                pass
            self.assertEqual(p.process.wait(harness.DEADLINE_S), 0)
            printed = self.place.stint("result", job).stdout
            self.assertIn("STINT_JOB_ID", printed)
            self.assertNotIn("NOTIFY_SOCKET", printed)
            self.assertNotIn("WATCHDOG", printed)

    def test_a_worker_that_has_nothing_to_do_nor_to_say_is_alive(self):
        self.place.broker("--heartbeat", "10m", "--lost", "30m")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(self.place.path("notify"))
            s.settimeout(30)  # less than it would sleep
            self.place.worker("--exec", env={"NOTIFY_SOCKET": self.place.path("notify"), "WATCHDOG_USEC": "5000000"})
            alive = 0
            while alive < 13:  # longer than a conversation may stand still
                alive += s.recv(200) == b"WATCHDOG=1"


class Extremes(harness.Case):
    """Settings as small and as large as they may be."""

    def submit(self, count, size):
        c = peer.Client(self.place.endpoint)
        return [isinstance(answer, bytes) for _ in range(count) for answer in c.submit([b"x" * size])]

    def test_the_smallest_reserve_of_the_disk_is_no_full_disk(self):
        for reserve in ("1", "4096", "64K", "100K"):
            broker = self.place.broker("--disk-reserve", reserve)
            self.assertEqual(self.submit(100, 10000), 100 * [True], reserve)
            self.assertEqual(broker.stop(), 0)
            self.assertNotIn("the disk is full", broker.log())

    def journal(self):
        return sorted(name for name in os.listdir(self.place.path("data")) if name.startswith("journal-"))

    def settle_all(self, jobs, *options):
        broker = self.place.broker("--journal-size", "4M", *options)
        w = peer.Worker(self.place.endpoint, slots=4, window=4)
        for _ in range(jobs):
            job, attempt, _, _ = w.take()
            self.assertEqual(w.settle(job, attempt, peer.SUCCEEDED, b"r" * 10000), [])
            w.say({0: peer.PING, 1: 0})
        self.assertEqual(broker.stop(), 0, broker.log())

    def test_the_journal_does_not_grow_where_the_disk_never_has_enough_room(self):
        broker = self.place.broker("--journal-size", "4M")
        self.assertEqual(self.submit(600, 10), 600 * [True])
        self.assertEqual(broker.stop(), 0)
        before = self.journal()
        self.settle_all(250, "--disk-free", str(2**64 - 1))
        self.assertEqual(self.journal(), before)
        self.settle_all(250)
        self.assertGreater(len(self.journal()), len(before))


class OwnDisk(harness.Case):
    """A file system of its own, which others fill."""

    SIZE = "48m"

    def setUp(self):
        super().setUp()
        self.disk = self.place.path("data")
        os.mkdir(self.disk)
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + self.SIZE, "tmpfs", self.disk],
                           capture_output=True, text=True)
        if r.returncode != 0:
            self.skipTest("may not mount a file system: " + r.stderr.strip())
        self.addCleanup(self.unmount)

    def unmount(self):
        for p in self.place.processes:
            p.kill()
        subprocess.run(["umount", self.disk], check=True)

    def fill(self):
        """To the last byte."""
        with open(os.path.join(self.disk, "others"), "ab", buffering=0) as f:
            for piece in (1 << 20, 4096):
                try:
                    while True:
                        f.write(b"\0" * piece)
                except OSError:
                    pass

    def settle(self, worker, jobs, result):
        for _ in range(jobs):
            job, attempt, _, _ = worker.take()
            self.assertEqual(worker.settle(job, attempt, peer.SUCCEEDED, result), [])
            worker.say({0: peer.PING, 1: 0})


class LargeDisk(OwnDisk):
    """With room for many times of what is kept back."""

    SIZE = "600m"

    def test_a_disk_that_others_fill_is_met_before_a_commit_is(self):
        broker = self.place.broker("--keep", "1h")
        c = peer.Client(self.place.endpoint)
        w = peer.Worker(self.place.endpoint, slots=1, window=1)
        accepted = [c.submit([b"x" * 50000])[0]]
        self.fill()
        while isinstance(accepted[-1], bytes):
            accepted.append(c.submit([b"x" * 50000])[0])
            self.assertTrue(broker.running(), broker.log())
        self.settle(w, len(accepted) - 1, b"r")
        self.assertTrue(broker.running(), broker.log())
        os.remove(os.path.join(self.disk, "others"))
        harness.wait_until(lambda: self.place.stint("submit", "x").returncode == 0, "there is room")
        self.assertEqual(broker.stop(), 0, broker.log())

    def test_little_that_is_submitted_is_refused_too_when_others_filled_the_disk(self):
        self.place.broker()
        self.assertExit(self.place.stint("submit", "--no-wait", "x"), 0)
        self.fill()
        harness.wait_until(lambda: self.place.stint("submit", "--no-wait", "x").returncode == 75, "it is refused")


class Disk(OwnDisk):
    def start(self):
        return self.place.broker("--disk-free", "1M", "--disk-reserve", "8M", "--keep", "1h")

    def test_what_was_accepted_is_dispatched_and_settled_on_a_full_disk(self):
        broker = self.start()
        c = peer.Client(self.place.endpoint)
        for _ in range(50):
            self.assertIsInstance(c.submit([b"x" * 100] * 10)[0], bytes)
        self.fill()
        w = peer.Worker(self.place.endpoint, slots=4, window=4)
        self.settle(w, 100, b"r" * 10000)
        self.assertTrue(broker.running(), broker.log())
        self.assertExit(self.place.stint("submit", "--no-wait", "x"), 75)
        broker.kill()
        broker = self.start()  # also on the full disk
        self.assertExit(self.place.stint("ping"), 0)
        w = peer.Worker(self.place.endpoint, slots=4, window=4)
        self.settle(w, 100, b"r" * 10000)
        self.assertTrue(broker.running(), broker.log())
        os.remove(os.path.join(self.disk, "others"))
        harness.wait_until(lambda: self.place.stint("submit", "x").returncode == 0, "there is room")
        self.fill()
        w = peer.Worker(self.place.endpoint, slots=4, window=4)
        self.settle(w, 100, b"r" * 10000)
        self.assertEqual(broker.stop(), 0, broker.log())

    def verify(self, program, env, code=0, options=(), **kwargs):
        r = subprocess.run([program, "--verify", "--data", self.disk, *options], capture_output=True, text=True,
                           env={**env, "TMPDIR": self.place.directory}, timeout=harness.DEADLINE_S, **kwargs)
        self.assertExit(r, code)
        return r.stdout + r.stderr

    def remount(self, how):
        subprocess.run(["mount", "-o", "remount," + how, self.disk], check=True)

    def files(self):
        """What changes when anything is written."""
        return {f.name: (f.stat().st_mtime_ns, f.stat().st_size) for f in os.scandir(self.disk)}

    @unittest.skipIf(harness.WRAP, "another user may not run the build's libraries")
    def test_what_can_not_be_written_to_is_verified(self):
        """As its owner on a disk that is read only, and as somebody else; its broker was stopped, or killed."""
        program = self.place.program_for_others("stintd")
        os.chmod(self.place.directory, 0o777)
        for jobs, end in ((2, harness.Process.stop), (4, harness.Process.kill)):
            broker = self.start()
            self.assertExit(self.place.stint("submit", "--each", input="one\ntwo\n"), 0)
            end(broker)
            os.chmod(self.disk, 0o755)
            for file in os.scandir(self.disk):
                os.chmod(file.path, 0o644)
            before, beside = self.files(), sorted(os.listdir(self.place.directory))
            said = [self.verify(*program, user=65534)]
            self.remount("ro")
            said.append(self.verify(*program))
            for text in said:
                self.assertRegex(text, rf"(?s)ready +{jobs}\n.*problems +0\n")
            self.assertIn("belongs to broker number 0", self.verify(*program, 78, ["--broker-number", "1"]))
            used = os.open(self.disk, os.O_RDONLY)
            fcntl.flock(used, fcntl.LOCK_EX)
            self.assertIn("another broker", self.verify(*program, 75))
            os.close(used)
            self.remount("rw")
            self.assertEqual(self.files(), before)
            self.assertEqual(sorted(os.listdir(self.place.directory)), beside)

    def test_damage_is_found_where_nothing_can_be_written(self):
        broker = self.start()
        self.assertExit(self.place.stint("submit", "--each", input="one\ntwo\n"), 0)
        broker.kill()
        size = os.path.getsize(os.path.join(self.disk, "jobs.lmdb"))
        os.truncate(os.path.join(self.disk, "jobs.lmdb"), size - 8192)
        self.remount("ro")
        self.assertIn("damaged", self.verify(harness.program("stintd"), os.environ, 65))
        self.remount("rw")
        os.truncate(os.path.join(self.disk, "jobs.lmdb"), size)
        os.remove(os.path.join(self.disk, "journal-01"))
        self.remount("ro")
        self.assertIn("journal-01", self.verify(harness.program("stintd"), os.environ, 65))
        self.remount("rw")

    def test_a_reserve_that_is_being_used_up_is_told_and_so_is_its_return(self):
        broker = self.start()
        c = peer.Client(self.place.endpoint)
        self.assertIsInstance(c.submit([b"x" * 100] * 600)[0], bytes)
        self.fill()
        w = peer.Worker(self.place.endpoint)
        self.settle(w, 550, b"r" * 10000)
        harness.wait_until(lambda: "the disk is full; its reserve is being used up" in broker.log(), "it is told")
        os.remove(os.path.join(self.disk, "others"))
        harness.wait_until(lambda: c.submit([b"x"]) and "the disk has room again" in broker.log(), "so is that")


if __name__ == "__main__":
    harness.main()
