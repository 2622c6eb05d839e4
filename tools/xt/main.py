"""Reads the command line; each command is a module with `add(parser)` and `run(arguments)`."""

import argparse
import importlib
import signal
import sys

from .shell import Failure

# Command, module, one line. In the order of --help.
COMMANDS = (
    ("setup", "setup", "install what the build and the tests need"),
    ("doctor", "doctor", "tell what is missing on this machine"),
    ("build", "build", "build everything, and the root image"),
    ("run", "run", "boot a node in QEMU and run a first container"),
    ("stop", "stop", "end the node"),
    ("status", "status", "show the node's own figures"),
    ("audit", "audit", "export, verify and show the audit log"),
    ("docker", "docker", "run the stock Docker CLI against the node"),
    ("test", "test", "run the tests"),
    ("bench", "bench", "run the benchmarks"),
    ("iso", "iso", "make the hybrid BIOS and UEFI image"),
    ("gdb", "gdb", "debug the kernel of a node"),
    ("docs", "docs", "build the book and the reference pages"),
    ("new-server", "new_server", "make a native server with a failing test"),
    ("clean", "clean", "remove what was built"),
)

# What builds installs first what it lacks.
NEED_SETUP = ("build", "run", "test", "bench", "iso", "docs")


def _interrupted(*_):
    raise KeyboardInterrupt


def main(words):
    # Asked to end in another way than by Ctrl-C, a command ends the node that it started all the same.
    signal.signal(signal.SIGTERM, _interrupted)
    parser = argparse.ArgumentParser(prog="./xt", description="Builds, boots and tests ThemeliOS.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    modules, parsers = {}, {}
    for name, module, text in COMMANDS:
        modules[name] = importlib.import_module("xt." + module)
        # Everything behind `docker` belongs to the Docker CLI, its --help too.
        own = commands.add_parser(name, help=text, description=modules[name].__doc__, add_help=name != "docker", allow_abbrev=False,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
        modules[name].add(own)
        parsers[name] = own
    if words[:1] == ["docker"]:
        arguments = argparse.Namespace(command="docker", words=words[1:])
    else:
        arguments, left = parser.parse_known_args(words)
        if left:
            parsers[arguments.command].error("unrecognized arguments: " + " ".join(left))
    try:
        if arguments.command in NEED_SETUP:
            importlib.import_module("xt.setup").ensure()
        return modules[arguments.command].run(arguments) or 0
    except Failure as failure:
        print(f"xt: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
