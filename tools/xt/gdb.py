"""Attaches gdb to the kernel of the running node.

PROGRAM adds the symbols of a native program or service of the build folders."""

import os

from . import node, paths, qemu
from .shell import Failure, need


def add(parser):
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="native programs whose symbols are wanted too")
    parser.add_argument("--port", type=int, default=1234, help="of QEMU's debugger connection (default 1234)")


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
    with qemu.Qmp(node.QMP) as qmp:
        qmp.monitor(f"gdbserver tcp:127.0.0.1:{arguments.port}")
    os.execv(gdb, [gdb, "-q", "-ex", "set confirm off", *extra, "-ex", f"target remote 127.0.0.1:{arguments.port}", paths.KERNEL])
