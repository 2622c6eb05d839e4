"""Random calls to the kernel's native interface, from a process with little and one with much."""

import os
import re

from xt import build, paths

CPUS = (1, 2, 4)
SEED = 1
# Calls in the boot with so many processors: ten millions in all. More processors hinder each other, and a call costs the more.
SHORT = {1: 9_000_000, 2: 600_000, 4: 400_000}
ALL = 100_000_000
WHOLE = ALL // len(CPUS) + 1
CHECKED = 200_000


def _fuzz(context, cpus, folder=paths.NATIVE, most=WHOLE, counts=None):
    calls = min(most, WHOLE if context.full else SHORT[cpus])
    code, text = context.boot(f"fuzz-{os.path.basename(folder)}-{cpus}", append=f"seed={SEED + cpus} calls={calls} threads={min(cpus + 1, 4)}", kernel=os.path.join(folder, "bin", "test-fuzz"),
                              cpus=cpus, timeout=7200 if context.full else 1800)
    lines = [line for line in text.splitlines() if line.startswith(("fuzz:", "  ", "FAIL", "PANIC"))]
    figures = [line for line in lines if line.startswith("fuzz:")]
    print("\n".join(figures))
    counted = sum(int(number) for number in re.findall(r"fuzz: \d+ rounds, \d+ of them ended by the watchdog, (\d+) calls", text))
    assert code == 33 and "native tests: 3 passed, 0 failed" in text and counted >= calls, "\n".join((f"QEMU ended with {code}", *lines, *text.splitlines()[-5:]))
    if counts is not None:
        counts.append(counted)
    return "; ".join(line.removeprefix("fuzz: ") for line in figures if " rounds, " in line)


def _all(context, counts):
    text = f"fuzz: {sum(counts):,} calls at {', '.join(str(cpus) for cpus in CPUS)} processors"
    print(text)
    assert len(counts) == len(CPUS), "not each number of processors was tried: this counts what the cases before it did"
    assert sum(counts) >= (ALL if context.full else sum(SHORT.values())), text
    return text.removeprefix("fuzz: ")


def cases(context):
    counts = []
    yield "build", lambda: build.build("debug", targets=["test-fuzz"])
    for cpus in CPUS:
        yield f"{cpus} CPUs", lambda cpus=cpus: _fuzz(context, cpus, counts=counts)
    yield "all of them", lambda: _all(context, counts)
    # What a kernel without checks may survive: ranks of locks, frames and roots that somebody still uses.
    for cpus in CPUS:
        yield f"checks, {cpus} CPUs", lambda cpus=cpus: _fuzz(context, cpus, paths.DEBUG, CHECKED)
