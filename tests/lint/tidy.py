"""The house rules that a program can check: includes, purity, lengths, banned calls, lost files."""

import argparse
import os
import re
import subprocess
import sys

FUNCTION_LINES = 70
FILE_LINES = 700
COLUMNS = 100
STRUCT_FIELDS = 20

# May only shrink: files and functions over their limit, with the reason.
LONG_FILES = {}
LONG_FUNCTIONS = {
    "proto/message_ask.c:job_info_field": "a switch of one line a field",
    "broker/options.c:options_read": "the table of settings",
    "worker/main.c:read_config": "the table of settings",
}
# Likewise of structs.
LARGE_STRUCTS = {
    "message": "a union of what each message says",
    "stint_job": "public: what a job may be told to be, field by field",
    "job_spec": "the same, as SUBMIT says it",
    "stint_worker_options": "public: what a worker may be told to be, field by field",
    "message_arrays": "a union of what each message has many of",
    "stint_job_info": "public: what a job is, field by field",
    "stint_stats": "public: a figure a field",
    "stint_schedule_info": "public: what a schedule is, field by field",
}

ZMQ, LMDB = r"<zmq\.h>", r"<lmdb\.h>"
PURE_BANNED = [ZMQ, LMDB, r"<czmq\.h>", r"<stdio\.h>", r"<time\.h>", r"<unistd\.h>", r"<sys/.*>"]
PROTO_IO = {"proto/wire.c", "proto/wire.h", "proto/greeting.c", "proto/settings.c", "proto/settings.h", "proto/log.c",
            "proto/log.h", "proto/log_pairs.c", "proto/log_pairs.h", "proto/log_sink.c", "proto/log_sink.h", "proto/streams.c", "proto/id.c",
            "proto/now.h", "proto/directory.h", "proto/defaults.c", "proto/units.c", "proto/ending.c", "proto/json_bytes.c", "proto/key.c", "proto/key_files.c", "proto/reach.c",
            "proto/notify.c", "proto/zone_files.c"}
# What the command includes of proto besides the public headers: nothing that knows of jobs.
SHARED_WITH_COMMAND = {"streams.h", "now.h", "units.h", "ending.h", "json_bytes.h", "words.h", "key.h", "key_files.h", "cron.h", "zone.h", "zone_files.h"}
CORE = re.compile(r"broker/(core/.*|store/(store|record|rows|upgrade|journal|journal_record))\.[ch]$")

# What the core's archive may need from outside: memory, and nothing that knows time or the world.
PURE_SYMBOLS = {
    "memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "strcmp", "malloc", "calloc", "realloc", "free",
    "abort", "qsort", "strcpy", "__assert_fail", "__stack_chk_fail", "__memcpy_chk",
    "__memset_chk", "__strcpy_chk", "_GLOBAL_OFFSET_TABLE_"}

BANNED = {
    r"\b(sleep|usleep|nanosleep)\s*\(": "wait for a condition",
    r"\b(strcat|sprintf|vsprintf|gets|strtok)\s*\(": "use a bounded call",
    r"\b(TODO|FIXME|XXX)\b": "do it, or say what was left out and why",
}
ALLOWED = {("client/cli/cmd_bench.c", "nanosleep"): "paces the idle latency samples"}


def without_comments(text):
    """The text's code alone: no comments, no directives, nothing inside quotes."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:\\\n|.)*$", "", text, flags=re.M)
    return re.sub(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", "0", text)


def brace_end(code, at):
    """Where the brace closes that opens at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == "{") - (code[i] == "}")
        if depth == 0:
            return i
    return len(code)


def fields_of(body):
    """How many fields a struct's body declares. Those of a nested struct without a name count, as it
    is no type of its own."""
    count, at = 0, 0
    nested = re.compile(r"\s*(?:const\s+)?(struct|union|enum)\b\s*(\w*)\s*\{")
    while True:
        m = nested.match(body, at)
        end = brace_end(body, m.end() - 1) if m else at
        semicolon = body.find(";", end)
        if semicolon < 0:
            return count
        declared = body[end + 1 if m else at:semicolon]
        if m and m.group(1) != "enum" and not m.group(2):
            count += fields_of(body[m.end():end])
        elif declared.strip():
            # Commas of parameters and of sizes separate no fields.
            previous = None
            while previous != declared:
                previous, declared = declared, re.sub(r"\([^()]*\)|\[[^][]*\]", "", declared)
            count += 1 + declared.count(",")
        at = semicolon + 1


def structs_of(text):
    """Name and number of fields of each struct with a name, and of each at file scope without."""
    code = without_comments(text)
    for m in re.finditer(r"\b(?:struct|union)\s*(\w*)\s*\{", code):
        before = code[:m.start()]
        if m.group(1) or before.count("{") == before.count("}"):
            yield m.group(1), fields_of(code[m.end():brace_end(code, m.end() - 1)])


class Tidy:
    def __init__(self, source, build):
        self.source, self.build = source, build
        self.problems = []

    def complain(self, where, what):
        self.problems.append(f"{where}: {what}")

    def files(self):
        for folder in ("proto", "broker", "client", "worker", "tests"):
            for at, _, names in os.walk(os.path.join(self.source, folder)):
                for name in sorted(names):
                    if name.endswith((".c", ".h", ".def")):
                        path = os.path.join(at, name)
                        yield os.path.relpath(path, self.source), open(path).read()

    def includes(self, path, text):
        folder = path.split("/")[0]
        for line, name in re.findall(r"^#include ([<\"]([^>\"]+)[>\"])", text, re.M):
            base = os.path.basename(name)
            near = os.path.join(os.path.dirname(path), base) # two places may have one of this name
            home = near if near in self.paths else self.home.get(base, "")
            where = home.split("/")[0] if line[0] == '"' else ""
            if folder == "tests":
                continue
            if folder == "proto" and where not in ("", "proto"):
                self.complain(path, f"proto includes nothing of ours outside proto: {name}")
            if folder == "broker" and where in ("client", "worker"):
                self.complain(path, f"the broker never includes {where}: {name}")
            if folder in ("client", "worker") and where == "broker":
                self.complain(path, f"{folder} never includes the broker: {name}")
            if path.startswith("client/cli/") and not (
                    self.home.get(base, "").startswith("client/cli/") or base.startswith("stint") or
                    base in SHARED_WITH_COMMAND or line[0] == "<"):
                self.complain(path, f"the command is written on the public headers alone: {name}")
            pure = CORE.search(path) or (folder == "proto" and path not in PROTO_IO)
            if pure and any(re.fullmatch(p, line) for p in PURE_BANNED):
                self.complain(path, f"pure code may not include {line}")
            if CORE.search(path) and base in ("link.h", "wire.h", "settings.h", "log.h", "log_pairs.h", "log_sink.h"):
                self.complain(path, f"the core may not include {name}")
            if path.startswith("broker/net/") and base == "store.h":
                self.complain(path, "the router knows no store")
            if path.startswith("client/cli/") and line == "<zmq.h>":
                self.complain(path, "the command knows no zmq")

    def lengths(self, path, text):
        lines = text.split("\n")
        if len(lines) - 1 > FILE_LINES and path not in LONG_FILES:
            self.complain(path, f"{len(lines) - 1} lines, over {FILE_LINES}: which two ideas share it?")
        for n, line in enumerate(lines, 1):
            if len(line) > COLUMNS:
                self.complain(f"{path}:{n}", f"over {COLUMNS} columns")
            if line.rstrip() != line or "\t" in line:
                self.complain(f"{path}:{n}", "a tab, or blanks at the end")
        begin = name = None
        for n, line in enumerate(lines):
            m = re.match(r"^([a-z_0-9]+)\(", line)
            if m:
                name = m.group(1)
            if line == "{" and name:
                begin = n
            if line == "}" and begin is not None:
                length, key = n - begin + 1, f"{path}:{name}"
                if length > FUNCTION_LINES and key not in LONG_FUNCTIONS and \
                        not (path.startswith("tests/") and name == "main"):
                    self.complain(key, f"{length} lines, over {FUNCTION_LINES}")
                begin = name = None

    def structs(self, path, text):
        for name, count in structs_of(text):
            if count > STRUCT_FIELDS and name not in LARGE_STRUCTS and not path.startswith("tests/"):
                self.complain(f"{path}:struct {name}", f"{count} fields, over {STRUCT_FIELDS}: "
                              "give those that belong together a struct of their own")

    def banned(self, path, text):
        for pattern, instead in BANNED.items():
            for m in re.finditer(pattern, text):
                word = re.match(r"\w+", m.group(0)).group(0)
                if (path, word) not in ALLOWED:
                    line = text.count("\n", 0, m.start()) + 1
                    self.complain(f"{path}:{line}", f"{word}: {instead}")

    def first_comment(self, path, text):
        if path.endswith((".c", ".h", ".def")) and not text.startswith("/*"):
            self.complain(path, "the first comment says what the file is for")

    def listed(self):
        """Every .c stands in some CMakeLists.txt, so that none is dead."""
        lists = ""
        for at, dirs, names in os.walk(self.source):
            dirs[:] = [d for d in dirs if not d.startswith(("build", "."))]
            for n in names:
                if n == "CMakeLists.txt":
                    lists += open(os.path.join(at, n)).read()
        for path, _ in self.files():
            base = os.path.basename(path)
            if path.endswith(".c") and base not in lists and base[:-2] not in lists:
                self.complain(path, "in no CMakeLists.txt")

    def purity(self):
        def symbols(name, flag):
            path = os.path.join(self.build, name)
            out = subprocess.run(["nm", flag, path], capture_output=True, text=True, check=True).stdout
            return {l.split()[-1] for l in out.splitlines() if l.strip() and not l.endswith(":")}
        core = "broker/core/libstint_core.a"
        mine = set().union(*(symbols(a, "--defined-only") for a in (
            core, "broker/store/libstint_record.a", "proto/libstint_proto.a")))
        needed = symbols(core, "--undefined-only") - mine
        needed = {s for s in needed if not s.startswith(("__asan", "__ubsan", "__tsan", "__sanitizer"))}
        for s in sorted(needed - PURE_SYMBOLS):
            self.complain(core, f"the core needs {s}, which is not pure")

    def exported(self):
        """The libraries export what their headers declare, and nothing else."""
        self.exported_by("client/libstint.so", "proto/stint_status.h", "proto/stint_id.h", "proto/stint_job.h", "proto/stint_batch.h",
                         "client/stint.h", "worker/stint_worker.h")
        self.exported_by("broker/libstint_embed.so", "broker/stint_embed.h")
        self.exported_by("client/libstint_objects.so", "client/stint_objects.h")

    def exported_by(self, library, *headers):
        headers = "".join(open(os.path.join(self.source, h)).read() for h in headers)
        declared = set(re.findall(r"STINT_EXPORT [^;(]*?\b(stint_\w+)\(", headers))
        out = subprocess.run(["nm", "-D", "--defined-only",
                              os.path.join(self.build, library)],
                             capture_output=True, text=True, check=True).stdout
        exported = {l.split()[-1].split("@")[0] for l in out.splitlines()
                    if l.split()[-2] in "TDBR"}
        exported = {s for s in exported if not s.startswith(("__asan", "__odr", "_init", "_fini"))}
        for s in sorted(exported ^ declared):
            self.complain(library, f"{s} is {'exported' if s in exported else 'declared'} only")

    def headers(self):
        """Each public header compiles alone, as C and as C++, and what its structs begin with does too."""
        for h in ("stint_status.h", "stint_id.h", "stint_job.h", "stint_batch.h", "stint.h", "stint_worker.h",
                  "stint_embed.h", "stint_objects.h"):
            program = f'#include "{h}"\n' + "".join(
                f"struct {name.lower()} {name.lower()}_now = {name}_INIT;\n"
                for name in re.findall(r"(?m)^#define (STINT_\w+)_INIT\b", open(os.path.join(self.source, self.home[h])).read()))
            for compiler, std in (("cc", "c11"), ("c++", "c++11")):
                r = subprocess.run(
                    [compiler, f"-std={std}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                     "-fsyntax-only", "-x", "c" if compiler == "cc" else "c++",
                     *("-I" + os.path.join(self.source, d) for d in ("proto", "client", "worker", "broker")),
                     "-"], input=program, text=True, capture_output=True)
                if r.returncode != 0:
                    self.complain(h, f"does not compile alone with {compiler}: {r.stderr[:300]}")

    def run(self):
        everything = list(self.files())
        self.paths = {p for p, _ in everything}
        self.home = {os.path.basename(p): p for p, _ in everything}
        for path, text in everything:
            self.includes(path, text)
            self.lengths(path, text)
            self.structs(path, text)
            self.banned(path, text)
            self.first_comment(path, text)
        self.listed()
        self.purity()
        self.exported()
        self.headers()
        for p in self.problems:
            print(p)
        print(f"tidy: {len(everything)} files, {len(self.problems)} problems")
        return 1 if self.problems else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    sys.exit(Tidy(options.source, options.build).run())


if __name__ == "__main__":
    main()
