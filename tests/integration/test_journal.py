"""The journal of a data directory: what a start applies, what it refuses and in which words, who reads beside
a broker, and what may be copied."""

import glob
import hashlib
import os
import re
import shutil
import signal
import subprocess
import threading

import harness
import peer

BLOCK = 4096
SMALL = ["--journal-size", "256K"]  # four segments of 32 KiB to begin with, eight at most


class Journal(harness.Case):
    def data(self, *names):
        return self.place.path("data", *names)

    def upkeep(self, *options, data="data"):
        return subprocess.run([harness.program("stintd"), *options, "--data", self.place.path(data)],
                              capture_output=True, text=True, timeout=60)

    def submit(self, client, count):
        return [peer.text(client.submit([f"job {n}".encode()])[0]) for n in range(count)]

    def applied(self, log):
        """How many records the starts in this log have applied."""
        return sum(map(int, re.findall(r'"the journal was applied" records=(\d+)', log)))

    def killed(self, *options, records=4):
        """A directory whose broker was killed before a checkpoint had these records, and its jobs. A checkpoint
        is made each second, so it takes another try now and then."""
        while True:
            broker = self.place.broker(*options)
            jobs = self.submit(peer.Client(self.place.endpoint), records + 4)
            broker.kill()
            shutil.copytree(self.data(), self.place.path("try"))
            argv = [harness.program("stintd"), "--listen", "ipc://" + self.place.path("try-socket"), "--data",
                    self.place.path("try")]
            second = harness.Process(argv, self.place.path("try.log"))
            harness.wait_until(lambda: "event=ready" in second.log(), "it serves")
            second.kill()
            enough = self.applied(second.log()) >= records
            shutil.rmtree(self.place.path("try"))
            if enough:
                return jobs

    def rows(self):
        return {r["id"]: r["state"] for r in self.place.json("ls", "--limit", "0")}

    def files(self):
        def digest(name):
            with open(self.data(name), "rb") as f:
                return hashlib.sha256(f.read()).hexdigest()
        return {name: digest(name)
                for name in sorted(os.listdir(self.data())) if name != "LOCK" and not name.endswith("-lock")}

    def records(self):
        """Where the records begin: (index, file, offset), the oldest first."""
        found = []
        for path in glob.glob(self.data("journal-*")):
            with open(path, "rb") as f:
                whole = f.read()
            found += [(int.from_bytes(whole[at + 24:at + 32], "big"), path, at)
                      for at in range(0, len(whole), BLOCK) if whole[at:at + 4] == b"SJNL"]
        return sorted(found)

    def refuse(self, code, *words):
        broker = self.place.broker()
        self.assertEqual(broker.process.wait(20), code, broker.log())
        for word in words:
            self.assertIn(word, broker.log().strip().splitlines()[-1])
        verified = self.upkeep("--verify")
        self.assertExit(verified, code)
        for word in words:
            self.assertIn(word, verified.stderr)

    def test_what_was_killed_goes_on_with_all_that_was_answered(self):
        jobs = self.killed()
        broker = self.place.broker()
        self.assertGreaterEqual(set(self.rows()), set(jobs))
        applied = self.applied(broker.log())
        self.assertGreater(applied, 0)
        jobs += self.submit(peer.Client(self.place.endpoint), 2)
        self.assertEqual(broker.stop(), 0)
        again = self.place.broker()
        self.assertGreaterEqual(set(self.rows()), set(jobs))
        self.assertEqual(self.applied(again.log()), applied, "a clean stop leaves nothing to apply")

    def test_verify_sees_both_together_and_changes_nothing(self):
        jobs = self.killed()
        before = self.files()
        for _ in range(2):
            verified = self.upkeep("--verify")
            self.assertExit(verified, 0)
            self.assertGreaterEqual(int(re.search(r"ready +(\d+)", verified.stdout)[1]), len(jobs))
            self.assertEqual(self.files(), before)

    def test_a_copy_of_a_stopped_directory_goes_on(self):
        jobs = self.killed()
        os.rename(self.data(), self.place.path("first"))
        shutil.copytree(self.place.path("first"), self.data())
        broker = self.place.broker()
        self.assertGreaterEqual(set(self.rows()), set(jobs))
        self.assertEqual(broker.stop(), 0)

    def test_dump_and_backup_of_a_killed_directory_have_what_the_journal_has(self):
        jobs = self.killed()
        dumped = self.upkeep("--dump")
        self.assertExit(dumped, 0)
        for job in jobs:
            self.assertIn(f'"{job}"', dumped.stdout)
        self.assertExit(self.upkeep("--backup", self.place.path("backup")), 0)
        self.assertExit(self.upkeep("--restore", self.place.path("backup"), data="restored"), 0)
        again = self.upkeep("--dump", data="restored")
        self.assertExit(again, 0)
        for job in jobs:
            self.assertIn(f'"{job}"', again.stdout)
        os.unlink(self.data("jobs.lmdb"))
        os.unlink(self.data("MANIFEST"))
        told = self.upkeep("--restore", self.place.path("backup"))
        self.assertExit(told, 73)  # a journal is left of what was there
        self.assertIn("holds a broker's data already", told.stderr)

    def test_who_reads_beside_a_broker_sees_what_was_answered_before(self):
        self.place.broker()
        c = peer.Client(self.place.endpoint)
        for n in range(5):
            job, = self.submit(c, 1)
            self.assertIn(f'"{job}"', self.upkeep("--dump").stdout)
        job, = self.submit(c, 1)
        self.assertExit(self.upkeep("--backup", self.place.path("backup")), 0)
        self.assertIn(f'"{job}"', subprocess.run(
            [harness.program("stintd"), "--dump", "--data", self.place.path("backup")],
            capture_output=True, text=True).stdout)

    def test_a_record_that_is_not_whole_is_the_end_or_damage(self):
        self.killed()
        *_, before, last = self.records()
        kept = self.place.path("kept")
        shutil.copytree(self.data(), kept)
        with open(before[1], "r+b") as f:
            f.seek(before[2] + 100)
            f.write(b"\xff\xff")
        self.refuse(65, "the journal is damaged", "restore")
        shutil.rmtree(self.data())
        shutil.copytree(kept, self.data())
        with open(last[1], "r+b") as f:  # as a crash leaves it
            f.seek(last[2] + 100)
            f.write(b"\xff\xff")
        self.assertExit(self.upkeep("--verify"), 0)
        broker = self.place.broker()
        self.rows()
        self.assertEqual(broker.stop(), 0)

    def test_a_segment_that_is_gone_or_of_another_size_is_refused(self):
        self.killed()
        whole = self.place.path("whole")
        os.rename(self.data("journal-01"), whole)
        self.refuse(65, "journal-01", "not there", "restore")
        shutil.copy(whole, self.data("journal-01"))
        os.truncate(self.data("journal-01"), 4096)
        self.refuse(65, "journal-01", "cut short")
        shutil.copy(whole, self.data("journal-01"))
        with open(self.data("journal-01"), "ab") as f:
            f.write(b"more")
        self.refuse(65, "journal-01", "damaged")
        shutil.copy(whole, self.data("journal-01"))
        broker = self.place.broker()
        self.rows()
        self.assertEqual(broker.stop(), 0)

    def test_a_journal_of_another_time_or_directory_is_refused(self):
        broker = self.place.broker()
        self.submit(peer.Client(self.place.endpoint), 3)
        broker.stop()
        old = self.place.path("old")
        shutil.copytree(self.data(), old)
        broker = self.place.broker()
        self.submit(peer.Client(self.place.endpoint), 3)
        broker.stop()
        new = self.place.path("new")
        os.rename(self.data(), new)
        for data, journal, words in ((new, old, "does not belong"), (old, new, "older than its journal")):
            shutil.copytree(data, self.data())
            for path in glob.glob(os.path.join(journal, "journal-*")):
                shutil.copy(path, self.data())
            broker = self.place.broker()
            self.assertEqual(broker.process.wait(20), 65, broker.log())
            self.assertIn(words, broker.log().strip().splitlines()[-1])
            shutil.rmtree(self.data())

    def flip(self, places):
        with open(self.data("jobs.lmdb"), "r+b") as f:
            for at in places:
                f.seek(at)
                byte, = f.read(1)
                f.seek(at)
                f.write(bytes([byte ^ 1]))

    def places_of(self, text):
        with open(self.data("jobs.lmdb"), "rb") as f:
            return [m.start() for m in re.finditer(re.escape(text), f.read())]

    def test_a_journal_of_which_the_data_file_says_nothing_is_not_thrown_away(self):
        jobs = self.killed()
        places = self.places_of(b"journal")  # the row's key, in each copy of its page
        self.assertTrue(places)
        self.flip(places)
        before = {name: digest for name, digest in self.files().items() if name.startswith("journal")}
        said = "says nothing of the journal beside it"
        self.refuse(65, said)
        for options in (["--backup", self.place.path("backup")], ["--dump"]):
            told = self.upkeep(*options)
            self.assertExit(told, 65)
            self.assertIn(said, told.stderr)
        after = self.files()
        self.assertEqual({name: after.get(name) for name in before}, before)
        self.flip(places)
        self.place.broker()
        self.assertGreaterEqual(set(self.rows()), set(jobs))

    def test_what_is_put_back_wrongly_and_refused_takes_nothing_away(self):
        broker = self.place.broker(*SMALL)
        self.submit(peer.Client(self.place.endpoint), 1)
        self.assertEqual(broker.stop(), 0)
        older = self.place.path("older")
        shutil.copy(self.data("jobs.lmdb"), older)
        broker = self.place.broker(*SMALL)
        client = peer.Client(self.place.endpoint)
        jobs = []
        while not os.path.exists(self.data("journal-04")):
            jobs += self.submit(client, 20)
        jobs += self.submit(client, 20)
        broker.kill()
        newer = self.place.path("newer")
        shutil.copy(self.data("jobs.lmdb"), newer)
        segments = sorted(glob.glob(self.data("journal-*")))
        shutil.copy(older, self.data("jobs.lmdb"))
        refused = self.place.broker(*SMALL)
        self.assertEqual(refused.process.wait(20), 65, refused.log())
        self.assertEqual(sorted(glob.glob(self.data("journal-*"))), segments)
        shutil.copy(newer, self.data("jobs.lmdb"))
        self.place.broker(*SMALL)
        self.assertGreaterEqual(set(self.rows()), set(jobs))

    def test_who_reads_beside_a_broker_that_writes_all_the_time_is_not_told_of_damage(self):
        self.place.broker()
        self.submit(peer.Client(self.place.endpoint), 1)
        writer = threading.Thread(target=self.write_until, args=(stop := threading.Event(),))
        writer.start()
        try:
            for n in range(3):
                self.assertExit(self.upkeep("--backup", self.place.path(f"backup{n}")), 0)
        finally:
            stop.set()
            writer.join()

    def test_who_waits_beside_a_broker_ends_with_a_signal(self):
        broker = self.place.broker()
        client = peer.Client(self.place.endpoint)
        while True:  # a checkpoint may come just before it stands still
            self.submit(client, 3)
            broker.signal(signal.SIGSTOP)
            for options in (["--dump"], ["--backup", self.place.path("backup")]):
                p = subprocess.Popen([harness.program("stintd"), *options, "--data", self.data()],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                try:
                    p.wait(0.5)
                except subprocess.TimeoutExpired:
                    p.send_signal(signal.SIGTERM)
                self.assertIn(p.wait(20), (0, 128 + signal.SIGTERM, -signal.SIGTERM), p.stderr.read())
                p.stderr.close()
            broker.signal(signal.SIGCONT)
            if p.returncode != 0:
                break
            os.unlink(self.place.path("backup"))
        self.assertFalse(os.path.exists(self.place.path("backup")))

    def write_until(self, stop):
        client = peer.Client(self.place.endpoint)
        while not stop.is_set():
            self.submit(client, 10)

    def test_a_term_of_another_directory_is_refused_and_it_rises(self):
        def term():
            with open(self.data("TERM")) as f:
                return int(re.search(r"(?m)^term (\d+)", f.read())[1])
        for n in range(1, 4):
            broker = self.place.broker()
            self.assertExit(self.place.stint("ping"), 0)
            self.assertEqual(term(), n)
            broker.stop()
        with open(self.data("TERM")) as f:
            text = f.read()
        with open(self.data("TERM"), "w") as f:
            f.write(text.replace("identity ", "identity 0")[:-1])
        broker = self.place.broker()
        self.assertEqual(broker.process.wait(20), 65)
        self.assertIn("TERM", broker.log())

    def test_a_term_that_can_not_be_read_is_no_damage(self):
        self.killed()
        os.remove(self.data("TERM"))
        os.mkdir(self.data("TERM"))
        self.refuse(74, "can't read", "TERM")

    def test_a_file_that_goes_while_it_is_in_use_is_missed(self):
        broker = self.place.broker()
        c = peer.Client(self.place.endpoint)
        self.submit(c, 1)
        os.remove(self.data("journal-00"))
        self.assertEqual(broker.process.wait(20), 66)
        self.assertIn("a file of the journal", broker.log())

    def test_it_grows_as_it_has_to_and_not_beyond_its_size(self):
        broker = self.place.broker(*SMALL)
        c = peer.Client(self.place.endpoint)
        files = lambda: len(glob.glob(self.data("journal-[0-9]*")))
        self.submit(c, 1)
        self.assertEqual(files(), 4)

        def grown():
            for _ in range(20):
                c.submit([b"x" * 200] * 100)
            return files() > 5
        harness.wait_until(grown, "it has grown")
        for _ in range(200):
            c.submit([b"x" * 200] * 100)
        self.assertLessEqual(files(), 8)
        self.assertTrue(all(os.path.getsize(p) == 32 << 10 for p in glob.glob(self.data("journal-[0-9]*"))))
        broker.kill()
        broker = self.place.broker()
        self.assertEqual(self.place.stats()["jobs"]["ready"], c.submission * 100 - 99)
        self.assertEqual(broker.stop(), 0)

    def test_it_begins_with_what_it_needs_where_the_disk_is_to_be_kept_free(self):
        self.place.broker("--disk-free", "1000000G")
        self.place.stats()  # it serves
        self.assertEqual(len(glob.glob(self.data("journal-[0-9]*"))), 2)

    def test_jobs_larger_than_a_record_are_committed_all_the_same(self):
        broker = self.place.broker(*SMALL)
        c = peer.Client(self.place.endpoint)
        jobs = [peer.text(c.submit([bytes([n]) * 500000])[0]) for n in range(4)]
        jobs += self.submit(c, 2)
        broker.kill()
        self.place.broker(*SMALL)
        self.assertEqual(set(self.rows()), set(jobs))
        shown = self.place.json("show", "--payload", jobs[3])[0]
        self.assertEqual(len(shown["payload"]), 500000)


if __name__ == "__main__":
    harness.main()
