"""How long the largest Linux calls of a container keep everybody else from a processor, in instructions."""

import os
import re
import shutil

from image import erofs
from xt import build, paths

PROGRAM = os.path.join(paths.SERVICES, "bin", "test-bounded")
IMAGE = "test-native-linux"
# One guest instruction is one nanosecond of the guest's clock: how late somebody is does not depend on this machine.
ICOUNT = ("-icount", "shift=0,sleep=off")
LIMIT = 1_000_000
# Which processors are watched and which the container runs on. QEMU lets them run by turns where it counts instructions; with more than two it passes over the one behind that which
# computes for as long as timers of others are due, whatever the kernel does. So of four the container has the first, and the second is not watched.
CPUS = {1: (0b1, 0b1), 2: (0b11, 0b11), 4: (0b1101, 0b1)}
PARTS = ("ranges", "shared", "files", "descriptors", "threads")


def _root():
    folder = os.path.join(paths.BUILD, "test-logs", "bounded.root")
    os.makedirs(os.path.join(folder, "bin"), exist_ok=True)
    os.makedirs(os.path.join(folder, "tmp"), exist_ok=True)
    shutil.copy2(PROGRAM, os.path.join(folder, "bin", "bounded"))
    shutil.copy2("/bin/busybox", os.path.join(folder, "bin", "true"))
    root = os.path.join(paths.BUILD, "test-logs", "bounded.erofs")
    erofs.make(folder, root)
    return root


def _figures(context, name, cpus, parts, folder=paths.NATIVE, append=""):
    """What the serial port says, and the status with which QEMU ended."""
    watched, guest = CPUS[cpus]
    program = ",".join(("/bin/bounded", str(watched.bit_count()), str(LIMIT), *parts))
    return context.boot(f"bounded-{name}-{cpus}", append=f"program={program} watched_cpus={watched:x} guest_cpus={guest:x} {append}", root=_root(), cpus=cpus, kernel=os.path.join(folder, "bin", IMAGE),
                        extra=ICOUNT, timeout=900, accel="tcg,thread=single")


def _in_time(context, cpus, part):
    code, text = _figures(context, part, cpus, (part,))
    lines = [re.sub(r"^.*?(?=bounded|FAIL)", "", line) for line in text.splitlines() if "bounded" in line or "FAIL" in line]
    print("\n".join(line for line in lines if "late" in line or "worst" in line), flush=True)
    assert code == 33 and re.search(r"bounded: [1-9]\d* calls, all in time", text), "\n".join(text.splitlines()[-20:] + [line for line in lines if "FAIL" in line])


def _teeth(context):
    """The calls are measured where their work is not done in steps: then they are too long."""
    build.build("twin")
    code, text = _figures(context, "teeth", 1, ("ranges",), paths.TWIN, "weaken=unbounded_step")
    assert code == 35 and re.search(r"FAIL mremap 32 MiB: \d+ ns", text) and "too long" in text, "moves are short without steps: the measure tests nothing"


def cases(context):
    for cpus in CPUS:
        for part in PARTS:
            yield f"{part} {cpus} CPUs", lambda cpus=cpus, part=part: _in_time(context, cpus, part)
    yield "teeth unbounded_step", lambda: _teeth(context)
