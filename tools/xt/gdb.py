"""Attaches gdb to the kernel of the running node.

PROGRAM adds the symbols of a native program or service of the build folders."""

import os
import re
import subprocess

from . import node, paths, qemu
from .shell import Failure, need


def add(parser):
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="native programs whose symbols are wanted too")
    parser.add_argument("--port", type=int, default=1234, help="of QEMU's debugger connection (default 1234)")


def slide(registers, symbols):
    """How far the loader moved the kernel: where QEMU's `info registers` has the interrupt table, less where `llvm-nm -C` has it."""
    loaded = re.search(r"^IDT=\s*([0-9a-f]+)", registers, re.M)
    linked = re.search(r"^([0-9a-f]+) \w kernel::arch::\(anonymous namespace\)::gates\b", symbols, re.M)
    if not loaded or not linked or int(loaded[1], 16) < int(linked[1], 16): # the last: the loader still runs
        raise Failure("where the kernel lies is not to be seen: boot it with nokaslr")
    return int(loaded[1], 16) - int(linked[1], 16)


def run(arguments):
    node.need_running()
    gdb = need("gdb")
    extra = []
    for name in arguments.programs:
        path = os.path.join(paths.NATIVE, "bin", name)
        if not os.path.exists(path):
            raise Failure(f"no program '{name}' in {os.path.relpath(os.path.dirname(path), paths.TOP)}")
        # Programs are linked where they run, in the upper half that each process has of its own.
        extra += ["-ex", f"add-symbol-file {path}"]
    symbols = subprocess.run(["llvm-nm-19", "-C", paths.KERNEL], capture_output=True, text=True, check=True).stdout
    with qemu.Qmp(node.QMP) as qmp:
        moved = slide(qmp.monitor("info registers"), symbols)
        qmp.monitor(f"gdbserver tcp:127.0.0.1:{arguments.port}")
    os.execv(gdb, [gdb, "-q", "-ex", "set confirm off", "-ex", f"symbol-file -o {moved:#x} {paths.KERNEL}", *extra, "-ex", f"target remote 127.0.0.1:{arguments.port}"])
