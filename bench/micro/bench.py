"""Operations of Linux programs, in instructions: in a container here (`split` and `fused`), and in a runc container of a Linux guest in the same QEMU."""

import os
import re
import shutil
import subprocess

from image import erofs
from linux_guest import guest
from xt import paths

PROGRAM = os.path.join(paths.SERVICES, "bin", "test-micro")
# One guest instruction is one nanosecond of the guest's clock: the figures do not depend on this machine.
ICOUNT = ("-icount", "shift=0,sleep=off")
ROW = re.compile(r"^([a-z_]+) (\d+)\r?$", re.M)


def _here(context, mode):
    """The personality as the first program, with nothing else on the node."""
    folder = os.path.join(paths.BUILD, "bench", "micro.root")
    for name in ("bin", "tmp"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    shutil.copy2(PROGRAM, os.path.join(folder, "bin", "micro"))
    shutil.copy2("/bin/busybox", os.path.join(folder, "bin", "busybox"))
    root = os.path.join(paths.BUILD, "bench", "micro.erofs")
    erofs.make(folder, root)
    code, text = context.boot("bench-micro-" + mode, append="program=/bin/micro" + (" fused=1" if mode == "fused" else ""), root=root, cpus=1,
                              kernel=os.path.join(paths.NATIVE, "bin", "test-native-linux"), extra=ICOUNT, timeout=600, accel="tcg,thread=single")
    found = {name: int(value) for name, value in ROW.findall(text)}
    assert found, f"QEMU ended with {code} and no figures:\n" + text[-1000:]
    return found


def _linux(context):
    folder = os.path.join(paths.BUILD, "linux-guest-micro")
    os.makedirs(folder, exist_ok=True)
    guest.build(folder, {"/bin/micro": PROGRAM})
    output = os.path.join(context.log_folder, "bench-micro-linux.output")
    for path in (output, output + ".console"):
        if os.path.exists(path):
            os.unlink(path)
    subprocess.run(guest.command(folder, output, "themelios.run=/bin/micro themelios.bundle=1", cpus=1, icount=True), timeout=900, check=True,
                   stdin=subprocess.DEVNULL)
    with open(output, encoding="utf-8", errors="replace") as file:
        found = {name: int(value) for name, value in ROW.findall(file.read())}
    assert found, f"no figures of the Linux guest; see {output}.console"
    return found


def figures(context):
    split, fused, linux = _here(context, "split"), _here(context, "fused"), _linux(context)
    for name, value in linux.items():
        for mode, found in (("split", split), ("fused", fused)):
            assert name in found, f"{mode}: no figure for {name}"
            yield f"{name}, {mode}", found[name], "instructions"
        yield f"{name}, Linux with runc", value, "instructions"
        yield f"{name}, split to Linux", round(split[name] / value, 2), "x"
        yield f"{name}, fused to Linux", round(fused[name] / value, 2), "x"
