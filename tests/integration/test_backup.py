"""Backups, dumps and compaction of real data directories: under load, under kills, on full disks, of damaged
files; compared by dump with what the broker had."""

import json
import os
import resource
import shutil
import signal
import subprocess
import threading

import harness
import peer
import test_upgrade

LINES = 20000


class Case(harness.Case):
    def stintd(self, *args, data="data", **kwargs):
        """Runs stintd on a directory of the place's; the result has text."""
        kwargs.setdefault("timeout", 300)
        r = subprocess.run([*harness.WRAP, harness.program("stintd"), *args, "--data", self.place.path(data)],
                           stdin=kwargs.pop("stdin", subprocess.DEVNULL), capture_output=True, **kwargs)
        r.raw, r.stdout, r.stderr = r.stdout, r.stdout.decode("utf-8", "replace"), r.stderr.decode("utf-8", "replace")
        return r

    def good(self, *args, **kwargs):
        r = self.stintd(*args, **kwargs)
        self.assertExit(r, 0)
        return r

    def refused(self, code, words, *args, **kwargs):
        r = self.stintd(*args, **kwargs)
        self.assertExit(r, code)
        self.assertIn(words, r.stderr)
        return r

    def dump(self, data="data"):
        return self.good("--dump", data=data).raw

    def rows(self, data="data", **fields):
        rows = map(json.loads, self.dump(data).splitlines())
        return [r for r in rows if all(r.get(name) == value for name, value in fields.items())]

    def submit(self, queue, count, size=0):
        r = self.place.stint("submit", "--each", "-q", queue, input="".join(
            f"{queue} {i} {'x' * size}\n" for i in range(count)), timeout=120)
        self.assertExit(r, 0)
        ids = r.stdout.split()
        self.assertEqual(len(ids), count)
        return ids

    def bench(self, *args, jobs=10000):
        r = self.place.stint("bench", "-q", "load", "-n", str(jobs), *args, timeout=300)
        self.assertExit(r, 0)

    def files(self):
        """What is in the place but what the broker itself makes."""
        return sorted(set(os.listdir(self.place.directory)) - {"data", "socket", "stintd.log"})

    def only_whole(self, directory, name):
        """A file has this name for a moment before it gets its own, and is finished then; where files can be
        without a name, that is."""
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path, "rb") as f:
                self.assertEqual(f.read(24)[16:20], bytes.fromhex("dec0efbe"))
            os.remove(path)

    def held_dump(self, *options):
        """A dump that holds its read transaction, as nobody takes what it writes."""
        p = subprocess.Popen([harness.program("stintd"), "--dump", "--data", self.place.path("data"), *options],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        first = p.stdout.readline()
        self.assertIn(b'"type":"header"', first)
        return p, first

    def data_size(self):
        return os.path.getsize(self.place.path("data", "jobs.lmdb"))


class Load:
    """Jobs that are submitted, run and kept as long as it lasts."""

    def __init__(self, case):
        self.case, self.ended, self.rounds, self.failed = case, threading.Event(), 0, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        harness.wait_until(lambda: self.rounds or self.failed, "it is under load", 300)

    def run(self):
        try:
            while not self.ended.is_set():
                self.case.bench("--kept", "--priorities", "3", jobs=3000)
                self.rounds += 1
        except AssertionError as e:
            self.failed = e

    def end(self):
        self.ended.set()
        self.thread.join()
        self.case.assertIsNone(self.failed)


class Backup(Case):
    def test_under_full_load_it_has_all_that_was_acknowledged_before_and_nothing_from_after(self):
        self.place.broker()
        before = self.submit("before", 300, size=50) + self.submit("before", 3, size=9000)
        load = Load(self)
        self.addCleanup(load.ended.set)
        begun = load.rounds
        backup = self.place.path("backup")
        r = self.good("--backup", backup, "--log-format", "json")
        told = json.loads(r.stderr.splitlines()[-1])
        after = self.submit("after", 50)
        harness.wait_until(lambda: load.failed or load.rounds > begun, "the broker goes on", 300)
        load.end()
        self.assertEqual(told["event"], "backup made")
        self.assertEqual(os.path.getsize(backup), told["bytes"])
        self.good("--restore", backup, data="restored")
        self.good("--verify", data="restored")
        live, restored = self.rows(type="job"), self.rows("restored", type="job")
        self.assertEqual(len(restored), told["jobs"])
        there = {row["id"] for row in restored}
        self.assertLessEqual(set(before), there)
        self.assertFalse(there & set(after))
        # What nobody settled meanwhile is the same; of the others, nothing went back.
        now = {row["id"]: row for row in live}
        for row in restored:
            if row["queue"] == "before":
                self.assertEqual(row, now[row["id"]])
            elif row["state"] not in ("ready", "running"):
                self.assertEqual(row, now[row["id"]])
            else:
                self.assertEqual(row["payload"], now[row["id"]].get("payload", row["payload"]))
        self.assertEqual(sum(row["queue"] == "before" for row in live), len(before))
        self.assertEqual(self.files(), ["backup", "restored"])

    def test_what_is_restored_serves_and_its_ids_and_sessions_go_on(self):
        self.place.broker()
        c = peer.Client(self.place.endpoint, session=test_upgrade.SESSION)
        ids = c.submit([b"one", b"two"])
        last = c.submission
        self.good("--backup", self.place.path("backup"))
        self.place.broker_process.stop()
        shutil.rmtree(self.place.path("data"))
        self.good("--restore", self.place.path("backup"))
        self.place.broker()
        again = peer.Client(self.place.endpoint, session=test_upgrade.SESSION)
        self.assertEqual(again.welcome[10], last)
        again.submission = last - 1
        self.assertEqual(again.submit([b"one", b"two"]), ids)
        self.assertEqual(self.place.stats()["jobs"]["ready"], 2)

    def test_through_pipes(self):
        self.place.broker()
        self.submit("q", 20)
        made = self.good("--backup", "-")
        with open(self.place.path("backup"), "wb") as f:
            f.write(made.raw)
        with open(self.place.path("backup"), "rb") as f:
            self.good("--restore", "-", data="restored", stdin=f)
        self.assertEqual(self.dump("restored"), self.dump(self.place.path("backup")))
        self.good("--verify", data="backup")

    def test_a_directory_that_was_only_restored_can_be_backed_up_again(self):
        self.place.broker()
        self.submit("q", 20)
        self.good("--backup", self.place.path("one"))
        self.good("--restore", self.place.path("one"), data="restored")
        self.good("--backup", self.place.path("two"), data="restored")
        self.assertEqual(self.dump("one"), self.dump("two"))
        self.assertNotIn("jobs.lmdb-lock", os.listdir(self.place.path("restored")))

    def test_one_that_is_killed_anywhere_leaves_nothing_and_an_older_one_stays(self):
        self.place.broker()
        self.submit("q", 2000, size=500)
        backup = self.place.path("backup")
        self.good("--backup", backup)
        with open(backup, "rb") as f:
            whole = f.read()
        argv = [harness.program("stintd"), "--backup", backup, "--data", self.place.path("data")]
        for n in range(12):
            p = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
            try:
                p.wait(0.003 * n * n)
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGKILL if n % 2 else signal.SIGTERM)
            self.assertIn(p.wait(), (0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM))
            self.only_whole(self.place.directory, f"backup.new-{p.pid}")
            self.assertEqual(self.files(), ["backup"])
            with open(backup, "rb") as f:
                found = f.read()
            if found != whole:  # it was killed after its last step, if it was killed
                self.good("--verify", data="backup")
                whole = found

    def test_a_full_disk_leaves_nothing(self):
        self.place.broker()
        self.submit("q", 2000, size=500)

        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))
        self.refused(74, "nothing is left of it", "--backup", self.place.path("backup"), preexec_fn=small_files)
        self.assertEqual(self.files(), [])
        self.good("--backup", self.place.path("backup"))
        r = self.stintd("--restore", self.place.path("backup"), data="restored", preexec_fn=small_files)
        self.assertExit(r, 74)
        self.assertEqual(self.files(), ["backup"])

    def test_nothing_is_written_over_but_a_backup(self):
        self.place.broker()
        self.submit("q", 1)
        with open(self.place.path("letter"), "w") as f:
            f.write("precious" * 200)
        self.refused(73, "choose another name", "--backup", self.place.path("letter"))
        self.refused(73, "choose another name", "--backup", self.place.path("data"))
        self.refused(73, "no/such", "--backup", self.place.path("no", "such"))
        self.assertEqual(os.path.getsize(self.place.path("letter")), 1600)

    def test_a_damaged_backup_is_refused_wherever_the_damage_is(self):
        self.place.broker()
        self.submit("q", 100, size=100)
        backup = self.place.path("backup")
        self.good("--backup", backup)
        with open(backup, "rb") as f:
            whole = f.read()
        for at in (0, 100, 4096 + 20, len(whole) // 2, len(whole) - 513, len(whole) - 512, len(whole) - 480,
                   len(whole) - 300, len(whole) - 1):
            with open(self.place.path("bad"), "wb") as f:
                f.write(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            for args in (("--restore", self.place.path("bad")),):
                r = self.stintd(*args, data="restored")
                self.assertExit(r, 65)
            self.assertExit(self.stintd("--verify", data="bad"), 65)
            self.assertExit(self.stintd("--dump", data="bad"), 65)
        for size in (0, 100, 4096, len(whole) - 1):
            with open(self.place.path("bad"), "wb") as f:
                f.write(whole[:size])
            self.refused(65, "cut short", "--restore", self.place.path("bad"), data="restored")
        newer = whole[:-512] + whole[-512:].replace(b"stint-backup 1", b"stint-backup 2")
        with open(self.place.path("bad"), "wb") as f:
            f.write(newer)
        self.refused(78, "use a newer stintd", "--restore", self.place.path("bad"), data="restored")
        self.assertEqual(self.files(), ["backup", "bad"])

    def test_a_directory_with_data_is_not_restored_into(self):
        self.place.broker()
        self.submit("q", 1)
        self.good("--backup", self.place.path("backup"))
        self.refused(73, "already", "--restore", self.place.path("backup"))
        self.refused(66, "no data directory", "--backup", self.place.path("other"), data="nowhere")
        os.mkdir(self.place.path("restored"))
        self.good("--restore", self.place.path("backup"), data="restored")
        self.refused(73, "already", "--restore", self.place.path("backup"), data="restored")

    def test_a_number_that_is_given_is_that_of_the_broker_whose_data_they_are(self):
        self.place.broker("--broker-number", "3")
        job, = self.submit("one", 1)
        self.place.broker_process.stop()
        files = {name: self.place.path(name) for name in ("backup", "lines")}
        self.good("--backup", files["backup"])
        with open(files["lines"], "wb") as f:
            f.write(self.dump())
        ways = ["--backup", self.place.path("another")], ["--dump"], ["--restore", files["backup"]], ["--load", files["lines"]]
        for way in ways:
            data = "new" + way[0] if way[0] in ("--restore", "--load") else "data"
            before = self.files()
            for number in ("0", "4"):
                self.refused(78, "belongs to broker number 3", *way, "--broker-number", number, data=data)
            self.assertEqual(self.files(), before)
            self.good(*way, "--broker-number", "3", data=data)
        for way in (["--dump"], ["--verify"], ["--backup", self.place.path("third")]):
            self.refused(78, "belongs to broker number 3", *way, "--broker-number", "0", data="backup")
            self.good(*way, data="backup")
        self.place.broker("--broker-number", "3", "--data", self.place.path("new--restore"))
        self.assertEqual(self.place.state(job), "ready")

    def test_what_is_for_one_way_alone_is_refused_with_others(self):
        for way in (["--verify"], ["--restore", "x"], ["--dump"], ["--init"]):
            self.refused(78, "--ignore-unknown is for --load alone", *way, "--ignore-unknown")
        self.refused(78, "one at a time", "--verify", "--dump")

    def test_the_command_does_it_too(self):
        self.place.broker()
        ids = self.submit("q", 3)
        data = ["--data", self.place.path("data")]
        r = self.place.stint("backup", "--json", *data, self.place.path("backup"))
        self.assertExit(r, 0)
        self.assertEqual(json.loads(r.stderr)["jobs"], 3)
        r = self.place.stint("dump", self.place.path("backup"))
        self.assertExit(r, 0)
        self.assertEqual([json.loads(x)["id"] for x in r.stdout.splitlines() if '"job"' in x], ids)
        for verb, source in (("load", r.stdout), ("restore", self.place.path("backup"))):
            to = self.place.path(verb)
            r = self.place.stint(verb, "--data", to, "-", input=source) if verb == "load" else \
                self.place.stint(verb, "--data", to, source)
            self.assertExit(r, 0)
            self.assertEqual([j["id"] for j in self.rows(verb, type="job")], ids)
        self.assertExit(self.place.stint("backup"), 64)
        self.assertExit(self.place.stint("load", "a", "b"), 64)


class Readers(Case):
    def test_a_broker_that_is_killed_and_comes_back_disturbs_no_reader(self):
        first = self.place.broker()
        ids = self.submit("q", 3000, size=100)
        reader, header = self.held_dump()
        first.kill()
        self.place.broker("--grace", "100ms")
        self.submit("later", 10)
        self.bench(jobs=5000)
        rest, said = reader.communicate(timeout=120)
        self.assertEqual(reader.returncode, 0, said)
        rows = list(map(json.loads, (header + rest).splitlines()))
        self.assertEqual(rows[-1], {"type": "end"})
        self.assertEqual([row["id"] for row in rows if row["type"] == "job"], ids)

    def test_pages_that_a_killed_reader_held_are_used_again(self):
        self.place.broker("--disk-reserve", "0")
        self.submit("q", 3000, size=100)
        reader, _ = self.held_dump()
        reader.kill()
        reader.wait()
        size, same = self.data_size(), 0
        for _ in range(30):  # it grows to what the largest transaction needs, and then no more
            self.bench(jobs=10000)
            self.second_passes()
            grown = self.data_size() > size
            size, same = self.data_size(), 0 if grown else same + 1
            if same == 3:
                return
        self.fail(f"it grows with every run, to {size} bytes")

    def second_passes(self):
        """The broker has looked at who reads: it does so each second."""
        begin = self.place.stats()["uptime_ms"]
        harness.wait_until(lambda: self.place.stats()["uptime_ms"] > begin + 2000, "time passes")

    def test_a_reader_that_makes_the_file_grow_gives_up(self):
        self.place.broker("--disk-reserve", "0")
        self.submit("q", 3000, size=100)
        reader, _ = self.held_dump("--growth-max", "4M")
        harness.wait_until(lambda: self.bench(jobs=5000) or reader.poll() is not None, "it gives up")
        self.assertEqual(reader.returncode, 75)
        self.assertIn(b"--growth-max", reader.stderr.read())

    def test_while_somebody_reads_nothing_is_compacted(self):
        broker = self.place.broker()
        self.submit("q", 3000, size=100)
        reader, _ = self.held_dump()
        self.refused(75, "another broker", "--compact")
        broker.stop()
        self.refused(75, "somebody reads", "--compact")
        reader.kill()
        reader.wait()
        self.good("--compact")


class Compact(Case):
    def grown(self):
        broker = self.place.broker("--disk-reserve", "0")
        ids = self.submit("q", 50)
        self.submit("load", 4000, size=1000)
        self.assertEqual(broker.stop(), 0)
        broker = self.place.broker("--disk-reserve", "0")  # its manifest knows how large the file is
        self.bench("-m", "drain", jobs=100)
        self.assertEqual(broker.stop(), 0)
        return ids

    def test_a_file_that_has_grown_is_made_small_and_nothing_is_lost(self):
        self.grown()
        before, size = self.dump(), self.data_size()
        told = json.loads(self.good("--compact", "--log-format", "json").stderr.splitlines()[-1])
        self.assertEqual((told["bytes_before"], told["bytes"]), (size, self.data_size()))
        self.assertLess(told["bytes"], size)
        self.assertEqual(self.dump(), before)
        self.good("--verify")
        self.place.broker()
        self.submit("q", 1)

    def test_one_that_is_killed_anywhere_leaves_the_old_or_the_new(self):
        self.grown()
        before = self.dump()
        argv = [harness.program("stintd"), "--compact", "--data", self.place.path("data")]
        for n in range(12):
            p = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
            try:
                p.wait(0.003 * n * n)
            except subprocess.TimeoutExpired:
                p.kill()
            p.wait()
            self.good("--verify")
            self.assertEqual(self.dump(), before)
            self.only_whole(self.place.path("data"), f"jobs.lmdb.new-{p.pid}")
            self.assertLessEqual(set(os.listdir(self.place.path("data"))),
                                 {"LOCK", "MANIFEST", "MANIFEST.new", "TERM", "jobs.lmdb", "jobs.lmdb-lock",
                                  *(f"journal-0{i}" for i in range(4))})

    def test_a_full_disk_leaves_the_old_file(self):
        self.grown()
        before, size = self.dump(), self.data_size()
        self.refused(74, "the old file stays", "--compact", preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (100000, 100000)))
        self.assertEqual((self.dump(), self.data_size()), (before, size))
        self.good("--verify")


class Dump(Case):
    """Of a directory with everything in it, written by an older stintd."""

    def setUp(self):
        super().setUp()
        if not os.path.exists(os.path.join(harness.BUILD, test_upgrade.WALL)):
            self.skipTest("built without the library that sets the clock")
        test_upgrade.unpack(self.place, 3)

    def served(self, *options):
        p = self.place.broker(*test_upgrade.OPTIONS, *options, env=test_upgrade.at_its_time())
        self.assertExit(self.place.stint("ping", timeout=60), 0)
        return p

    def ours(self):
        """Brought to this format, with keys beside it, and jobs that run still."""
        broker = self.served("--grace", "1h")
        self.place.stint("fleet", "size", "7")
        self.assertExit(self.place.stint("queue", "pause", "other"), 0)
        self.assertExit(self.place.stint("queue", "close", "third"), 0)
        moved = self.place.json("ls", "--states", "ready", "--limit", "2")
        self.assertExit(self.place.stint("change", "-p", "201", *[row["id"] for row in moved]), 0)
        self.moved = {row["id"] for row in moved}
        self.assertEqual(broker.stop(), 0)
        os.mkdir(self.place.path("data", "keys"), 0o700)
        for name, options in (("one", ["--role", "worker", "--queues", "mail.*, default"]), ("two", ["--rights", "see"])):
            self.assertExit(self.place.stint("key", "new", name, *options, "--out", self.place.directory,
                                             endpoint=False), 0)
            shutil.move(self.place.path(f"{name}.pub"), self.place.path("data", "keys", f"{name}.pub"))

    def load(self, text, *options, data="loaded"):
        with open(self.place.path("lines"), "wb") as f:
            f.write(text)
        return self.stintd("--load", self.place.path("lines"), *options, data=data)

    def test_loaded_and_dumped_again_it_is_the_same_to_the_byte(self):
        self.ours()
        dump = self.dump()
        self.assertExit(self.load(dump), 0)
        self.assertEqual(self.dump("loaded"), dump)
        self.assertEqual(sorted(os.listdir(self.place.path("loaded", "keys"))), ["one.pub", "two.pub"])
        self.good("--backup", self.place.path("backup"))
        without_keys = [line for line in dump.splitlines() if b'"type":"key"' not in line]
        self.assertEqual(self.dump("backup").splitlines(), without_keys)
        self.good("--verify", data="loaded")
        types = [json.loads(line)["type"] for line in dump.splitlines()]
        self.assertEqual(set(types), {"header", "queue", "level", "fleet", "key", "job", "session", "answer", "end"})
        self.assertNotIn(b"secret", dump)
        jobs = [json.loads(line) for line in dump.splitlines() if b'"type":"job"' in line]
        self.assertEqual({job["id"] for job in jobs if ".201." in job.get("at", "")}, self.moved)
        queues = [json.loads(line) for line in dump.splitlines() if b'"type":"queue"' in line]
        self.assertEqual({(q["name"], state) for q in queues for state in ("paused", "closed") if state in q},
                         {("other", "paused"), ("third", "closed")})
        self.assertEqual(sum(job["state"] == "running" for job in jobs), test_upgrade.JOBS["running"])

    def test_what_is_loaded_serves_as_if_nothing_had_happened(self):
        self.ours()
        before = self.dump()
        self.assertExit(self.load(before), 0)
        shutil.rmtree(self.place.path("data"))
        os.rename(self.place.path("loaded"), self.place.path("data"))
        shutil.rmtree(self.place.path("data", "keys"))
        broker = self.served()
        self.assertEqual(self.place.stats()["sessions"], 2)
        ids = {json.loads(line)["id"] for line in before.splitlines() if b'"type":"job"' in line}
        self.assertEqual({r["id"] for r in self.place.json("ls", "--limit", "0", timeout=60)}, ids)
        self.assertEqual(self.place.json("fleet", "size")[0]["slots"], 7)
        self.assertEqual({q["name"]: (q["paused"], q["closed"]) for q in self.place.json("queues")},
                         {"default": (False, False), "other": (True, False), "third": (False, True),
                          "fourth": (False, False)})
        self.assertExit(self.place.stint("queue", "resume", "other"), 0)
        c = peer.Client(self.place.endpoint, session=test_upgrade.SESSION)
        self.assertEqual(c.welcome[10], test_upgrade.SUBMISSION)
        c.submission = test_upgrade.SUBMISSION - 1
        self.assertLessEqual({peer.text(i) for i in c.submit(test_upgrade.LAST)}, ids)
        self.assertNotIn(peer.text(c.submit([b"a new one"])[0]), ids)
        c.close()
        test_upgrade.Upgrade.finish(self, test_upgrade.QUEUES)
        self.assertEqual(broker.stop(), 0)
        self.good("--verify")

    def test_every_line_is_checked_and_named(self):
        self.ours()
        lines = self.dump().splitlines(keepends=True)
        at = {json.loads(line)["type"]: n for n, line in reversed(list(enumerate(lines)))}
        settled = next(n for n, line in enumerate(lines) if b'"state":"succeeded"' in line)
        moved = next(n for n, line in enumerate(lines) if b'"at":' in line)
        waiting = next(n for n, line in enumerate(lines) if b'"state":"scheduled"' in line)

        def edit(n, old, new):
            self.assertIn(old, lines[n])
            return lines[:n] + [lines[n].replace(old, new, 1)] + lines[n + 1:], n + 1
        job, session, answer, queue = at["job"], at["session"], at["answer"], at["queue"]
        cases = [
            (edit(0, b'"stint_dump":1', b'"stint_dump":2'), 78, "use a newer one"),
            (edit(0, b'"stint_dump":1,', b''), 65, "this is no dump"),
            (edit(0, b'"broker":0', b'"broker":70000'), 65, "broker is to be a number"),
            (edit(0, b'"broker":0', b'"broker":5'), 65, None),
            (edit(0, b'"identity":"', b'"identity":"x'), 65, "identity"),
            (edit(job, b'"type":"job"', b'"type":"jobs"'), 65, "jobs is no type"),
            (edit(job, b'"state":"', b'"stat":"'), 65, "state is missing"),
            (edit(job, b'"state":"running"', b'"state":"asleep"'), 65, "asleep is no state"),
            (edit(job, b'"kind":"', b'"kind":"?'), 65, "kind"),
            (edit(job, b'"queue":"', b'"queue":"other-'), 65, "its id is of the queue"),
            (edit(job, b'"id":"0.', b'"id":"1.'), 65, "another broker"),
            (edit(job, b'"id":"0.', b'"id":"0.x'), 65, "no id of a job"),
            (edit(job, b'}\n', b',"colour":"red"}\n'), 65, "no field colour"),
            (edit(job, b'}\n', b',"uncounted":9000}\n'), 65, "uncounted"),
            (edit(job, b'}\n', b',"kind":"x"}\n'), 65, "no JSON"),
            (edit(job, b'{', b'{{'), 65, "no JSON"),
            (edit(job, b'}\n', b',"output":"x"}\n'), 65, "dead jobs alone"),
            (edit(settled, b'"expires_ms"', b'"expired_ms"'), 65, "expires_ms is missing"),
            (edit(waiting, b'"due_ms"', b'"do_ms"'), 65, "due_ms is missing"),
            (edit(at["level"], b'"next":', b'"next":-'), 65, "next is to be a number"),
            (edit(at["level"], b'"queue":', b'"queue":9'), 65, "no line before names the queue"),
            (edit(at["queue"], b'"name":"', b'"name":" '), 65, "no name of a queue"),
            (edit(at["key"], b'"public_key":"', b'"public_key":"" ,"x":"'), 65, "no key"),
            (edit(at["key"], b'"name":"one"', b'"name":"local"'), 65, "no name of a key"),
            (edit(session, b'"pruned":', b'"pruned":9'), 65, "pruned"),
            (edit(session, b'"session":"', b'"session":"Z'), 65, "session is to be"),
            (edit(answer, b'"session":"', b'"session":"0'), 65, "session is to be"),
            (edit(answer, b'"hash":"', b'"hash":"g'), 65, "hash"),
            ((lines[:job] + [lines[job]] + lines[job:], job + 2), 65, "of this id already"),
            ((lines[:2] + [lines[1]] + lines[2:], 3), 65, "key of this name already"),
            ((lines[:queue + 1] + [lines[queue]] + lines[queue + 1:], queue + 2), 65, "order of their numbers"),
            ((lines[:job] + [lines[at["level"]]] + lines[job:], job + 1), 65, "level of this queue and priority"),
            ((lines[:session] + [lines[session]] + lines[session:], session + 2), 65, "session of this name already"),
            (edit(moved, b'"at":"', b'"at":"9'), 65, "another broker"),
            (edit(moved, b'"id":"0.', b'"id":"9.'), 65, "another broker"),
            ((lines[:moved] + [lines[moved]] + lines[moved:], moved + 2), 65, "of this id already"),
            ((lines[1:], 1), 65, "header is missing"),
            ((lines + [lines[1]], len(lines) + 1), 65, "behind the end"),
            ((lines[:-1], len(lines) - 1), 65, "cut short"),
            ((lines[:1] + [b"\n"] + lines[1:], 2), 65, "no JSON"),
        ]
        for (text, number), code, words in cases:
            r = self.load(b"".join(text))
            self.assertEqual(r.returncode, code, (words, number, r.stderr))
            if words:
                self.assertIn(words, r.stderr)
                self.assertIn(f"lines:{number}: ", r.stderr)
            self.assertFalse(os.path.exists(self.place.path("loaded")), r.stderr)
        later = b"".join(edit(job, b'}\n', b',"colour":"red"}\n')[0][:-1] + [b'{"type":"mood"}\n', lines[-1]])
        self.assertExit(self.load(later), 65)
        self.assertExit(self.load(later, "--ignore-unknown"), 0)
        self.assertEqual(self.dump("loaded"), b"".join(lines))

    def test_an_output_that_takes_nothing_is_told_of(self):
        self.ours()
        with open("/dev/full", "w") as full:
            for args in (["--dump"], ["--backup", "-"]):
                r = subprocess.run([harness.program("stintd"), *args, "--data", self.place.path("data")],
                                   stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=60)
                self.assertEqual(r.returncode, 74, r.stderr)

    def test_a_damaged_row_is_told_of_and_the_rest_is_dumped(self):
        self.ours()
        rows = self.rows(type="job")
        with open(self.place.path("data", "jobs.lmdb"), "r+b") as f:
            whole = f.read()
            at = whole.index(b"waits in the other")
            while at >= 0:  # copies in pages that are free now, too
                f.seek(at)
                f.write(b"W")
                at = whole.find(b"waits in the other", at + 1)
        r = self.refused(65, "rows are damaged", "--dump")
        found = [json.loads(line) for line in r.stdout.splitlines()]
        self.assertEqual(found[-1], {"type": "end"})
        damaged = [row["id"] for row in found if row["type"] == "damaged"]
        self.assertTrue(damaged)
        self.assertEqual([row for row in found if row["type"] == "job"],
                         [row for row in rows if row["id"] not in damaged])
        self.refused(65, "a record is damaged", "--backup", self.place.path("backup"))
        self.assertExit(self.load(r.raw), 0)
        self.assertRegex(self.good("--verify", data="loaded").stdout, r"set aside +1\n")
        self.assertEqual(self.files(), ["lines", "loaded", "one.key", "two.key"])

    def test_ids_are_not_given_again_and_nothing_is_taken_over(self):
        self.ours()
        dump = self.dump()
        self.assertExit(self.load(dump, data="data"), 73)
        self.assertEqual(self.dump(), dump)
        os.makedirs(self.place.path("kept", "keys"))
        with open(self.place.path("kept", "keys", "two.pub"), "w") as f:
            f.write("mine")
        r = self.load(dump, data="kept")
        self.assertExit(r, 73)
        self.assertEqual(os.listdir(self.place.path("kept", "keys")), ["two.pub"])
        self.assertNotIn("jobs.lmdb", os.listdir(self.place.path("kept")))

    def test_an_older_format_is_backed_up_as_it_is_and_dumped_once_it_was_served(self):
        self.refused(78, "has format 3", "--dump")
        self.good("--backup", self.place.path("backup"))
        self.refused(78, "--restore it first", "--dump", data="backup")
        self.good("--restore", self.place.path("backup"), data="restored")
        with open(self.place.path("restored", "MANIFEST")) as f:
            self.assertEqual(f.readline(), "stint-data 3\n")
        shutil.rmtree(self.place.path("data"))
        os.rename(self.place.path("restored"), self.place.path("data"))
        self.served()
        self.assertEqual(len(self.place.json("ls", "--limit", "0", timeout=60)), sum(test_upgrade.JOBS.values()))


class Large(Case):
    def test_the_memory_of_dump_and_load_does_not_follow_the_jobs(self):
        self.place.broker()
        peaks = []
        for count in (LINES, 3 * LINES):
            self.bench("-m", "submit", jobs=count)
            self.good("--backup", self.place.path("backup"))
            dump = self.place.path("lines")
            with open(dump, "wb") as f:
                one = self.peak(["--dump", "--data", self.place.path("backup")], f)
            shutil.rmtree(self.place.path("loaded"), ignore_errors=True)
            peaks.append((one, self.peak(["--load", dump, "--data", self.place.path("loaded")], subprocess.DEVNULL)))
        for small, large in zip(*peaks):
            self.assertLess(large, small + 16000)

    @staticmethod
    def peak(args, out):
        """The largest anonymous memory in KiB that was seen of a run."""
        p, most = subprocess.Popen([harness.program("stintd"), *args], stdout=out, stderr=subprocess.DEVNULL), 0
        while p.poll() is None:
            try:
                with open(f"/proc/{p.pid}/status") as f:
                    found = [int(line.split()[1]) for line in f if line.startswith("RssAnon:")]
            except (FileNotFoundError, ProcessLookupError):
                found = []
            most = max([most, *found])
        if p.returncode:
            raise AssertionError(f"{args} ended with {p.returncode}")
        return most


if __name__ == "__main__":
    harness.main()
