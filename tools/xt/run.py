"""Builds, boots a node in QEMU, waits for its API, and runs a first container.

Without --detach the node ends with Ctrl-C or ./xt stop. The API is on this machine's loopback interface only."""

import argparse
import json
import os
import socket
import sys

from image import busybox

from . import build, docker, iso, node, paths, qemu
from .shell import Failure


def _size(text):
    try:
        return qemu.parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text):
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"'{text}' is no port")
    return int(text)


def _ports(text):
    return [_port(part) for part in text.split(",")]


def _count(text):
    if not text.isdigit() or not 0 < int(text) <= 64:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of processors from 1 to 64")
    return int(text)


def add(parser):
    parser.add_argument("--memory", type=_size, default=2048, metavar="SIZE", help="of the node, such as 2G or 512M (default 2G)")
    parser.add_argument("--cpus", type=_count, default=2, metavar="N", help="processors (default 2)")
    parser.add_argument("--api", type=_port, default=2375, metavar="PORT", help="where the API appears on 127.0.0.1 (default 2375)")
    parser.add_argument("--publish", type=_ports, default=[], metavar="PORT[,PORT]", help="ports of containers that appear on 127.0.0.1")
    parser.add_argument("--insecure", action="store_true", help="say that the API without TLS is meant (it is on loopback)")
    parser.add_argument("--accel", choices=["auto", "tcg", "kvm"], default="auto", help="auto: kvm where a guest boots under it (default)")
    parser.add_argument("--detach", action="store_true", help="leave the node running in the background")
    parser.add_argument("--display", action="store_true", help="boot the ISO and show the node's screen in a window")
    parser.add_argument("--debug", action="store_true", help="run the debug configuration")
    parser.add_argument("--no-build", action="store_true", help="run what was built last")
    parser.add_argument("--append", default="", metavar="TEXT", help="command line of the kernel")
    parser.add_argument("--timeout", type=int, default=300, metavar="SECONDS", help="how long the API may take (default 300)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, the last line")


def first_container(api_port):
    """Loads the busybox image where the node has none, and runs a container of it. Returns what it printed."""
    if docker.capture(api_port, ["image", "inspect", "busybox"]).returncode != 0:
        if not os.path.exists(paths.BUSYBOX):
            busybox.make(paths.BUSYBOX)
        loaded = docker.capture(api_port, ["load", "-i", paths.BUSYBOX])
        if loaded.returncode != 0:
            raise Failure("docker load: " + loaded.stderr.strip())
    result = docker.capture(api_port, ["run", "--rm", "busybox", "echo", "Hello from a container on ThemeliOS"])
    if result.returncode != 0:
        raise Failure(f"the first container ended with {result.returncode}: {result.stderr.strip()}")
    return result.stdout


def _look_for_ports(api_port, publish):
    """QEMU names a port that it cannot have in the midst of its own words, and minutes later."""
    if api_port in publish or len(set(publish)) != len(publish):
        raise Failure("each port can lead to one place: --api and --publish name one twice")
    for port in (api_port, *publish):
        with socket.socket() as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind(("127.0.0.1", port))
            except OSError as error:
                raise Failure(f"port {port} of 127.0.0.1 cannot be used ({error.strerror}); --api and --publish choose others") from None


def run(arguments):
    if arguments.display and arguments.append:
        raise Failure("--display boots the ISO, whose command line is fixed; --append is for the direct boot")
    docker.program()
    if node.load() is not None:
        raise Failure("a node runs already; ./xt stop ends it")
    _look_for_ports(arguments.api, arguments.publish)
    if not arguments.no_build:
        build.build_node(arguments.debug)
    accel = qemu.accelerator(arguments.accel)
    print(f"booting (q35, {accel}, {arguments.cpus} processors, {arguments.memory} MiB) ...", flush=True)
    if arguments.display:
        iso.make()
    process = node.start(accel, arguments.memory, arguments.cpus, arguments.api, arguments.publish, arguments.append, arguments.display)
    try:
        seconds = node.wait_ready(process, arguments.api, arguments.timeout)
        print(f"the API answers after {seconds:.1f} s", flush=True)
        print("$ docker run --rm busybox echo ...", flush=True)
        try:
            print(first_container(arguments.api), end="", flush=True)
        except Failure as failure:
            raise node.explain(str(failure)) from None
    except BaseException:
        node.end(process)
        raise
    if not arguments.insecure:
        print("The API has no TLS; it is reachable from this machine alone (--insecure says that this is meant).")
    # The exact words that scripts wait for.
    print(f"ThemeliOS ready: API on 127.0.0.1:{arguments.api}", flush=True)
    print("Next:  ./xt docker run -it --rm busybox sh\n       ./xt status\n       ./xt stop", flush=True)
    if arguments.json:
        print(json.dumps({"api": f"127.0.0.1:{arguments.api}", "pid": process.pid, "accel": accel, "boot_seconds": round(seconds, 2)}))
    sys.stdout.flush()
    if arguments.detach:
        return 0
    try:
        process.wait()
    except KeyboardInterrupt:
        node.end(process)
        return 0
    node.forget(process.pid)
    if node.was_stopped(process):
        print("the node was stopped", flush=True)
        return 0
    raise node.explain(f"QEMU ended with {process.returncode}")
