"""What a test suite is, and what it gets.

A suite is a module: built in (xt/builtin_suites.py), or tests/NAME/suite.py. It has a docstring (its first line is shown) and

    def cases(context): yield "case name", function

Each function is a test: it returns, or raises (AssertionError for what it tests; anything else counts as failed too).
A text that it returns is a figure, which `--record` keeps with the outcome.
`FULL = True` at the head leaves the suite out of `./xt test`; `./xt test --full NAME` runs it. `OWN_BUILD = True` says that it needs nothing
that it does not build itself. Others ask `context.full` where they have more to do.
"""

import contextlib
import importlib.util
import os
import random
import shutil
import socket
import subprocess
import time

from . import api, docker, node, paths, qemu, root_image
from .shell import Failure, last_lines, run


class Context:
    """What suites share: the tree, what was built, nodes."""

    def __init__(self, full=False, accel="tcg"):
        self.full = full
        self.accel = accel
        self.top = paths.TOP
        self.build = paths.BUILD
        self.log_folder = os.path.join(paths.BUILD, "test-logs")
        self._node = None
        os.makedirs(self.log_folder, exist_ok=True)

    # --- one node for all suites that talk to the API
    def api(self, cpus=None):
        """Port of a ready node's API; the node is started by the first who asks and lives until the tests end, or until somebody asks for
        another number of processors."""
        if self._node is not None and (self._node[0].poll() is not None or cpus not in (None, self._node[3])):
            self.close()
        if self._node is None:
            if node.load() is not None:
                raise Failure("a node runs already; ./xt stop ends it before the tests")
            port, web = free_ports(2)
            process = node.start(self.accel, 2048, cpus or 2, port, [web])
            self._node = (process, port, web, cpus or 2)
            try:
                node.wait_ready(process, port, 600)
            except BaseException:
                self._node = None
                raise
        return self._node[1]

    def published_port(self):
        """A port of 127.0.0.1 that leads to the same port of the node."""
        self.api()
        return self._node[2]

    def docker(self, *words, **options):
        """The stock CLI against the shared node; a CompletedProcess with text."""
        return docker.capture(self.api(), list(words), **{"timeout": 900, **options})

    def node_log(self):
        """The end of the shared node's serial port; empty where there is no node."""
        return last_lines(node.SERIAL, 15) if self._node is not None else ""

    def close(self):
        if self._node is not None:
            node.end(self._node[0])
            self._node = None

    # --- boots of their own
    @contextlib.contextmanager
    def own_node(self, name, append="", kernel=None, root=None, extra=(), accel=None, cpus=2):
        """A node with the API beside the shared one; gives the API's port, and ends with the block."""
        log = os.path.join(self.log_folder, name + ".serial")
        (port,) = free_ports(1)
        words = qemu.base(accel or self.accel, 2048, cpus, "file:" + log) + ["-kernel", kernel or paths.DIRECT, "-initrd", root or paths.ROOT_IMAGE]
        words += (["-append", append] if append else []) + qemu.network(port, []) + list(extra)
        with open(log + ".qemu", "wb") as errors:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        try:
            end = time.monotonic() + 600
            door = api.Knocking(port)
            while not door.answered():
                if process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("the API did not answer; the serial port's last lines:\n" + "\n".join(read_text(log).splitlines()[-20:]))
                time.sleep(0.1)
            yield port
        finally:
            process.kill()
            process.wait()

    def boot(self, name, append="", until=None, patience=0, timeout=300, cpus=2, memory=1024, extra=(), kernel=None, root=None, accel=None):
        """Boots once, without network, until QEMU ends by itself or `until`, or each of several texts, appears on the serial port; then it
        has `patience` seconds more. Returns (exit code or None, serial text). An exit code of 33 is the guest's own word for success."""
        log = os.path.join(self.log_folder, name.replace("/", "-").replace(" ", "-") + ".serial")
        errors = log + ".qemu"
        if os.path.exists(log):
            os.unlink(log)
        if root is None and not os.path.exists(paths.ROOT_IMAGE):
            root_image.make()
        words = qemu.base(accel or self.accel, memory, cpus, "file:" + log)
        words += ["-kernel", kernel or paths.DIRECT, "-initrd", root or paths.ROOT_IMAGE] + (["-append", append] if append else []) + list(extra)
        with open(errors, "wb") as file:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        end = time.monotonic() + timeout
        wanted, seen = [until] if isinstance(until, str) else until, None
        try:
            while True:
                text = read_text(log)
                if wanted and all(each in text for each in wanted):
                    seen = seen or time.monotonic()
                    if time.monotonic() >= seen + patience:
                        return None, text
                try:
                    code = process.wait(timeout=0.1)
                    if not os.path.exists(log):
                        raise AssertionError("QEMU did not start: " + read_text(errors)[-1000:])
                    return code, read_text(log)
                except subprocess.TimeoutExpired:
                    pass
                if time.monotonic() > end:
                    raise AssertionError(f"no end within {timeout} s; the serial port's last lines:\n" + "\n".join(text.splitlines()[-20:]))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def tool(self, name):
        """A program that a case needs; its absence is a failure that says so."""
        found = shutil.which(name)
        if not found:
            raise AssertionError(f"{name} is not installed")
        return found

    def execute(self, words, name):
        run(words, log=os.path.join(self.log_folder, name + ".log"), cwd=self.top)


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on now, and that nobody gets who connects: Linux takes the ports of connections from 32768 on."""
    ports = []
    for port in random.sample(range(20000, 32000), 1000):
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            ports.append(port)
        if len(ports) == count:
            return ports
    raise Failure(f"there are no {count} free ports from 20000 to 32000")


def discover():
    """Name → module, the built-in ones first."""
    from . import builtin_suites
    suites = dict(builtin_suites.SUITES)
    folder = os.path.join(paths.TOP, "tests")
    if os.path.isdir(folder):
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name, "suite.py")
            if os.path.exists(path):
                specification = importlib.util.spec_from_file_location("suite_" + name, path)
                module = importlib.util.module_from_spec(specification)
                specification.loader.exec_module(module)
                suites[name] = module
    return suites


def summary(module):
    return (module.__doc__ or "").strip().splitlines()[0] if module.__doc__ else ""
