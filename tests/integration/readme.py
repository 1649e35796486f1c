"""The README's blocks: which commands it has, and what it says that they print."""

import os
import re

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")


def text():
    with open(PATH) as f:
        return f.read()


def blocks():
    """Those that are indented, without that."""
    indented = re.sub(r"^```c\n.*?^```$", "", text(), flags=re.M | re.S)
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", indented, re.M)
    return [re.sub(r"^    ", "", block, flags=re.M).strip("\n") + "\n" for block in found]


def steps(prompt):
    """Commands of the blocks that have this prompt, each with what it prints. A here-document is part of its
    command."""
    for block in blocks():
        for part in re.split(rf"^{re.escape(prompt)} ", block, flags=re.M)[1:]:
            command, _, printed = part.partition("\n")
            here = re.search(r"<<(\w+)", command)
            if here:
                document, end, printed = printed.partition(f"{here[1]}\n")
                command += "\n" + document + end.rstrip("\n")
            yield command, printed
