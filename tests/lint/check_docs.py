"""The documents against the programs: every option of --help is in its man page and the other way
round, and the table of letters says who takes them; PROTOCOL.md's tables say what the headers say;
libstint(3) names every function, and each of the client's stands in the synopsis of a page of its own, as the header declares it;
the README names the packages that ./dev installs."""

import argparse
import os
import re
import subprocess
import sys

problems = []


def complain(what):
    problems.append(what)


def help_options(argv):
    r = subprocess.run(argv + ["--help"], capture_output=True, text=True)
    if r.returncode != 0:
        complain(f"{' '.join(argv)} --help ends with {r.returncode}")
    return set(re.findall(r"--([a-z][a-z-]+)", r.stdout))


def page_options(text):
    return set(re.findall(r"\*--([a-z][a-z-]+)\*", text))


def compare_letters(stint, verbs, table):
    """The table of letters: a row has letters, what they mean, and which verbs take them."""
    taken, written = set(), set()
    for verb in verbs:
        r = subprocess.run([stint, verb, "--help"], capture_output=True, text=True)
        taken |= {(letter, verb) for letter in re.findall(r"^ +-(\w), --", r.stdout, re.M)}
    for letters, where in re.findall(r"^\S+ +(\*-.*)\n:\S* +.*\n:\S* +(.*)", table, re.M):
        for letter in re.findall(r"\*-(\w)\*", letters):
            takers = verbs if where == "all" else where.split(", ")
            written |= {(letter, verb) for verb in takers if verb != "before the verb"}
    for letter, verb in sorted(taken ^ written):
        complain(f"stint.1, LETTERS: -{letter} of {verb} is {'missing' if (letter, verb) in taken else 'not in --help'}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    o = parser.parse_args()

    def source(*names):
        with open(os.path.join(o.source, *names)) as f:
            return f.read()

    def program(*names):
        return os.path.join(o.build, *names)

    for argv, page in (([program("broker", "stintd")], "stintd.8.scd"),
                       ([program("worker", "stint-worker")], "stint-worker.1.scd")):
        told, written = help_options(argv), page_options(source("docs", "man", page))
        for option in sorted(told ^ written):
            complain(f"{page}: --{option} is {'only in --help' if option in told else 'not in --help'}")

    stint = program("client", "cli", "stint")
    page = source("docs", "man", "stint.1.scd")
    verbs = subprocess.run([stint, "--words"], capture_output=True, text=True).stdout.split()
    told = set()
    for verb in verbs:
        told |= help_options([stint, verb])
        if not re.search(rf"^## .*\b{verb}\b", page, re.M):
            complain(f"stint.1: no section for {verb}")
    for option in sorted(told ^ page_options(page)):
        if option in ("retry",) and option in told:
            continue
        complain(f"stint.1: --{option} is {'only in --help' if option in told else 'not in --help'}")
    compare_letters(stint, verbs, page.partition("# LETTERS")[2].partition("\n# ")[0])

    protocol = source("proto", "PROTOCOL.md")
    declared = re.findall(r"^X\((\d+), (\w+), \w, \w+\)", source("proto", "message.def"), re.M)
    written = re.findall(r"^\| (\d+) \| ([A-Z_]+) \| [A-Z] \|", protocol, re.M)
    if declared != written:
        complain(f"PROTOCOL.md: messages differ: {sorted(set(declared) ^ set(written))}")
    declared = re.findall(r'^X\(\w+, "(\w+)"\)', source("proto", "features.def"), re.M)
    features = protocol.partition("| feature |")[2].partition("\n\n")[0]
    written = re.findall(r"^\| ([a-z_]+) \|", features, re.M)
    if not declared or declared != written:
        complain(f"PROTOCOL.md: features differ: {sorted(set(declared) ^ set(written))}")
    declared = [(c, n) for c, n in re.findall(r"X\((\d+), (\w+),", source("proto", "stint_status.h"))
                if int(c) < 64]
    written = re.findall(r"^\| (\d+) \| ([A-Z_]+) \| [a-z]", protocol, re.M)
    if declared != written:
        complain(f"PROTOCOL.md: statuses differ: {sorted(set(declared) ^ set(written))}")

    headers = "".join(source(*h) for h in (("proto", "stint_status.h"), ("proto", "stint_id.h"),
                                           ("proto", "stint_job.h"), ("proto", "stint_batch.h"), ("client", "stint.h"),
                                           ("worker", "stint_worker.h"),
                                           ("broker", "stint_embed.h"), ("client", "stint_objects.h")))
    page = source("docs", "man", "libstint.3.scd")
    for name in sorted(set(re.findall(r"STINT_EXPORT [^;(]*?\b(stint_\w+)\(", headers))):
        if f"*{name}*" not in page:
            complain(f"libstint.3: {name} is missing")

    said = source("dev")
    packages = set(" ".join(re.findall(r'^\w*packages="(.*?)"', said, re.M | re.S)).split())
    packages |= set(re.findall(r"^ +install ([a-z]\w+)$", said, re.M))
    table = source("README.md").partition("| package | why |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"[a-z][\w.-]+", " ".join(re.findall(r"^\| ([^|]*) \|", table, re.M))))
    for package in sorted(packages ^ listed):
        complain(f"README.md: {package} is {'not in the table of packages' if package in packages else 'not what ./dev installs'}")

    header = source("client", "stint.h") + source("broker", "stint_embed.h") + source("client", "stint_objects.h")
    pages = [source("docs", "man", f) for f in os.listdir(os.path.join(o.source, "docs", "man"))
             if re.fullmatch(r"stint_\w+\.3\.scd", f)]
    synopses = " ".join(" ".join(p.split("# DESCRIPTION")[0].split()) for p in pages)
    for declared in re.findall(r"STINT_EXPORT ([^;]+?\));", header):
        declared = " ".join(declared.split()).replace("( ", "(")
        if declared + ";" not in synopses:
            complain(f"no man page has in its synopsis: {declared}")

    for p in problems:
        print(p)
    print(f"check_docs: {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
