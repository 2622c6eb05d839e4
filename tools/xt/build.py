"""Builds the kernel, the native programs, the services and the root image.

PART x86_64, services, host, twin (the image for attack tests), debug (a twin whose kernel checks the order of its locks), coverage (a kernel
that counts its branches) or host-coverage (unit tests that do) builds one configuration alone."""

import argparse
import os

from . import paths, root_image
from .shell import Failure, run_steps
from .shell import run as execute

PRESETS = {"x86_64": "x86_64-release", "services": "services", "host": "host", "twin": "x86_64-twin", "debug": "x86_64-debug-twin",
           "coverage": "x86_64-coverage", "host-coverage": "host-coverage"}
FOLDERS = {"x86_64": paths.NATIVE, "services": paths.SERVICES, "host": paths.HOST, "twin": paths.TWIN, "debug": paths.DEBUG,
           "coverage": paths.COVERAGE, "host-coverage": paths.HOST_COVERAGE}


def _part(text):
    if text not in PRESETS:
        raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(PRESETS)}")
    return text


def add(parser):
    parser.add_argument("part", nargs="*", metavar="PART", type=_part, help="x86_64, services, host, twin, debug, coverage, host-coverage (default: x86_64 and services)")
    parser.add_argument("--debug", action="store_true", help="the debug configuration of the kernel and native programs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="compile N files at a time")


def build(part, debug=False, jobs=None, targets=()):
    """Configures where needed and builds one configuration."""
    preset = "x86_64-debug" if part == "x86_64" and debug else PRESETS[part]
    folder = FOLDERS[part]
    log = os.path.join(paths.BUILD, f"{part}.log")
    os.makedirs(paths.BUILD, exist_ok=True)
    open(log, "w").close()
    if not os.path.exists(os.path.join(folder, "build.ninja")) or _debug_differs(folder, part, debug):
        execute(["cmake", "--preset", preset, "-B", folder], log=log, cwd=paths.TOP)
    command = ["cmake", "--build", folder, "-j", str(jobs or os.cpu_count())]
    if targets:
        command += ["--target", *targets]
    run_steps(command, log, cwd=paths.TOP)


def _debug_differs(folder, part, debug):
    if part != "x86_64":
        return False
    with open(os.path.join(folder, "CMakeCache.txt"), encoding="utf-8") as cache:
        return f"THEMELIOS_DEBUG:BOOL={'ON' if debug else 'OFF'}\n" not in cache.read()


def build_node(debug=False, jobs=None):
    """Everything that a node needs."""
    for part in ("x86_64", "services"):
        print(f"building {part} ...", flush=True)
        build(part, debug, jobs)
    if not os.path.exists(paths.DIRECT):
        raise Failure("the build made no loader: " + paths.DIRECT)
    root_image.make()


def run_parts(arguments):
    for part in arguments.part:
        print(f"building {part} ...", flush=True)
        build(part, arguments.debug, arguments.jobs)


def run(arguments):
    if arguments.part:
        run_parts(arguments)
    else:
        build_node(arguments.debug, arguments.jobs)
        print(f"built: {os.path.relpath(paths.DIRECT, paths.TOP)}, {os.path.relpath(paths.ROOT_IMAGE, paths.TOP)}")
