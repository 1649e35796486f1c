"""Faults that nobody picked: each line of the code under test, and each small change that an operator
can make to it. mutate.py draws some of them at random."""

import os
import random
import re

FILES = (*(f"broker/core/{n}.c" for n in (
             "apart", "attempt", "book", "change", "conversation", "core", "dispatch", "fleet", "job",
             "outbox", "peers", "query", "queues", "reply", "sessions", "settle", "submit", "sweep",
             "watch")),
         "broker/net/routes.c", "broker/store/store_lmdb.c", "broker/store/record.c", "proto/id.h",
         "proto/link.c",
         "proto/message.c", "proto/message_ask.c", "proto/message_fields.c", "proto/message_fields.h",
         "proto/message_figures.c", "proto/message_session.c", "proto/message_submit.c",
         "proto/message_work.c", "proto/pack.c",
         "proto/session.c", "client/client.c", "client/query.c", "client/submit.c",
         "client/watch.c", "worker/task.c", "worker/worker.c")

# What is looked for in a line, what is put in its place.
OPERATORS = [(name, re.compile(pattern), new) for name, pattern, new in (
    ("bound", r" < (?!<)", " <= "), ("bound", r" <= ", " < "),
    ("bound", r" > (?!>)", " >= "), ("bound", r" >= ", " > "),
    ("equal", r" == ", " != "), ("equal", r" != ", " == "),
    ("logic", r" && ", " || "), ("logic", r" \|\| ", " && "),
    ("one off", r" \+ 1(?![\d.])", ""), ("one off", r" - 1(?![\d.])", ""),
    ("sign", r" \+ (?=[a-z])", " - "), ("sign", r" - (?=[a-z])", " + "),
    ("sign", r" \+= ", " -= "), ("sign", r" -= ", " += "),
    ("not", r"!(?=[a-z(*])", ""),
    ("constant", r"\btrue\b", "false"), ("constant", r"\bfalse\b", "true"),
    ("choice", r"\bearlier\(", "later("), ("choice", r"\blater\(", "earlier("),
    ("dropped", r"^(\s+)(?!return|break|continue|goto|case|default|struct |enum |const |static |"
                r"uint|size_t|int |unsigned |bool |char |assert)[^;{}=#]*[\w)\]]\);$", r"\1;"),
    ("dropped", r"^(\s+)[\w>.\[\]*-]+ [+|&-]?= [^;{}]*;$", r"\1;"),
    ("dropped", r"^(\s+)(?:[\w>.\[\]-]+(?:\+\+|--)|\+\+[\w>.\[\]-]+);$", r"\1;"),
    ("skipped", r"^(\s+)if \((.*)\)( \{)?$", r"\1if (false)\3"),
)]
# Lines whose change says nothing here: comments, assertions, what happens out of memory (nothing
# tries that), and memory given back (only `./dev san` can tell).
LEFT_OUT = re.compile(r"^\s*(/?\*|//|#|\})|assert|abort|free\(|_free|destroy|fini\(|[^=]=\s*\{")


def statements(text):
    """(line number, line) of function bodies."""
    body = False
    for n, line in enumerate(text.split("\n")):
        if line == "{":
            body = True
        elif line == "}":
            body = False
        elif body and line.startswith("    ") and not LEFT_OUT.search(line):
            yield n, line


def all_faults(source):
    for file in FILES:
        with open(os.path.join(source, file)) as f:
            text = f.read()
        for n, line in statements(text):
            for name, pattern, new in OPERATORS:
                for match in pattern.finditer(line):
                    changed = line[:match.start()] + match.expand(new) + line[match.end():]
                    yield file, n, name, line, changed


def replaced(n, changed):
    def change(text):
        lines = text.split("\n")
        lines[n] = changed
        return "\n".join(lines)
    return change


def draw(source, seed):
    """All of them in an order that the seed decides: (name, file, what changes its text)."""
    drawn = list(all_faults(source))
    random.Random(seed).shuffle(drawn)
    for file, n, name, line, changed in drawn:
        yield f"{file}:{n + 1}: {name}: {line.strip()}  ->  {changed.strip()}", file, replaced(n, changed)
