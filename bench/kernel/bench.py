"""The kernel's own operations, in instructions: calls, messages, the restricted round trip, split and fused."""

import os
import re

from xt import paths

# One guest instruction is one nanosecond of the guest's clock: what is read off it does not depend on this machine.
ICOUNT = ("-icount", "shift=0,sleep=off")


def figures(context):
    image = os.path.join(paths.NATIVE, "bin", "test-native-calls")
    code, text = context.boot("bench-kernel", append="costs=1 only=none", kernel=image, cpus=1, extra=ICOUNT, timeout=300, accel="tcg,thread=single")
    found = re.findall(r"^cost (.+): (\d+) ns\r?$", text, re.M)
    assert found, f"QEMU ended with {code} and no figures:\n" + text[-1000:]
    for name, value in found:
        yield name, int(value), "instructions"
