"""Tells what is missing on this machine; changes nothing."""

import json
import os
import platform
import shutil
import subprocess

from . import paths, qemu, setup, tree_stats


def add(parser):
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--stats", action="store_true", help="figures of the tree instead: privileged lines, kernel calls")


def _first_line(words):
    try:
        return (subprocess.run(words, capture_output=True, text=True).stdout.splitlines() or [""])[0]
    except OSError:
        return ""


def findings():
    absent = setup.missing()
    yield "machine", platform.machine() == "x86_64", f"{platform.machine()}, {os.cpu_count()} processors"
    yield "packages", not absent, "all installed" if not absent else "missing: " + " ".join(absent) + " (./xt setup)"
    yield "compiler", bool(shutil.which("clang++-19")), _first_line(["clang++-19", "--version"]) or "no clang++-19"
    yield "qemu", bool(shutil.which(qemu.PROGRAM)), _first_line([qemu.PROGRAM, "--version"]) or "no " + qemu.PROGRAM
    cli = shutil.which("docker") or (paths.TOOLS_CLI if os.path.exists(paths.TOOLS_CLI) else "")
    yield "docker", bool(cli), _first_line([cli, "--version"]) if cli else "no Docker CLI (./xt setup)"
    if shutil.which(qemu.PROGRAM):
        accel = qemu.accelerator("auto")
        yield "accelerator", True, accel + ("" if accel == "kvm" else " (no guest boots under KVM here)")
    free = shutil.disk_usage(paths.TOP).free >> 30
    yield "disk", free >= 4, f"{free} GiB free" + ("" if free >= 4 else ", 4 are needed")


def _stats(as_json):
    rows = dict(tree_stats.figures())
    if as_json:
        print(json.dumps(rows, indent=2))
        return 0
    for name, value in rows.items():
        print(f"{value:8} {name}")
    return 0


def run(arguments):
    if arguments.stats:
        return _stats(arguments.json)
    rows = list(findings())
    if arguments.json:
        print(json.dumps({name: {"ok": ok, "detail": detail} for name, ok, detail in rows}, indent=2))
    else:
        for name, ok, detail in rows:
            print(f"{'ok     ' if ok else 'MISSING'} {name:12} {detail}")
    return 0 if all(ok for _, ok, _ in rows) else 1
