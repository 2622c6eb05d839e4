"""Figures of the tree that are watched: how much code is privileged, and how many calls lead into it."""

import os
import re
import subprocess

from . import paths

SOURCES = (".hpp", ".cpp", ".S")


def _lines(names):
    total = 0
    for name in names:
        with open(os.path.join(paths.TOP, name), "rb") as file:
            total += sum(1 for _ in file)
    return total


def figures():
    """Name and value of each figure."""
    listing = subprocess.run(["git", "-C", paths.TOP, "ls-files", "-co", "--exclude-standard", "kernel"], capture_output=True, text=True, check=True).stdout
    names = [name for name in listing.splitlines()
             if name.endswith(SOURCES) and os.path.exists(os.path.join(paths.TOP, name))]
    tests = [name for name in names if "/tests/" in name or name.endswith("_test.cpp")]
    machine = [name for name in names if name not in tests and re.match(r"kernel/arch/\w+/", name)]
    rest = [name for name in names if name not in tests and name not in machine]
    yield "kernel, lines free of the architecture", _lines(rest)
    yield "kernel, lines of the architecture", _lines(machine)
    yield "kernel, lines of its tests", _lines(tests)
    with open(os.path.join(paths.TOP, "abi", "kernel.abi"), encoding="utf-8") as file:
        yield "kernel calls", sum(line.startswith("call ") for line in file)
