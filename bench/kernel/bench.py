"""The kernel's own operations, in instructions and writes of CR3: calls, messages, faults, mappings, switches, the restricted round trip."""

import os
import re

from xt import paths

# One guest instruction is one nanosecond of the guest's clock: what is read off it does not depend on this machine.
ICOUNT = ("-icount", "shift=0,sleep=off")


def figures(context):
    image = os.path.join(paths.NATIVE, "bin", "test-native-calls")
    code, text = context.boot("bench-kernel", append="costs=1 only=none", kernel=image, cpus=1, extra=ICOUNT, timeout=300, accel="tcg,thread=single")
    found = re.findall(r"^cost (.+): (\d+) ns, (\d+\.\d+) root loads\r?$", text, re.M)
    assert "costs: all" in text, f"QEMU ended with {code} and not all figures:\n" + text[-1000:]
    for name, instructions, loads in found:
        yield name, int(instructions), "instructions"
        if float(loads):
            yield f"{name}: CR3", float(loads), "writes"
