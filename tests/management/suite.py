"""A node whose management ends in the middle of work: it comes back, and nothing that it had made is left."""

import os
import subprocess
import time

from xt import api, build, docker, paths, root_image

ROOT = os.path.join(paths.BUILD, "root-crasher.erofs")
PROGRAM = "argument management_program=/bin/"
# What stays taken while management runs for the second time: its heap, and stacks that the kernel keeps.
SPARE_PAGES = 1024


def _image():
    """The twin's root image, with a management program that ends what it is asked to."""
    def other_program(text):
        assert PROGRAM + "init\n" in text
        return text.replace(PROGRAM + "init\n", PROGRAM + "test-crasher\n")
    build.build("twin")
    root_image.make(paths.TWIN, ROOT, {"bin/test-crasher": os.path.join(paths.SERVICES, "bin", "test-crasher")}, other_program)


def _docker(port, *words, timeout=600):
    return docker.capture(port, list(words), timeout=timeout)


def _figures(port):
    return api.get_json(port, "/themelios/node", timeout=100)


def _listed(port):
    """What there is, or None: nobody answers a request that management took and had not answered when it ended."""
    try:
        listed = _docker(port, "ps", "-aq", timeout=20)
    except subprocess.TimeoutExpired:
        return None
    return listed.stdout.split() if listed.returncode == 0 else None


def _settled(port, free_pages=0):
    """The figures once no sandbox but management's is there, and `free_pages` are free."""
    end = time.monotonic() + 300
    while True:
        figures = _figures(port)
        if figures["sandboxes"] == 1 and figures["free_pages"] > free_pages:
            return figures
        assert time.monotonic() < end, f"{figures}; more than {free_pages} free pages are wanted"
        time.sleep(0.1)


def _crash(port, what):
    before = _settled(port)
    for name, published in (("one", "8002:80"), ("two", "8003:80")):
        started = _docker(port, "run", "-d", "--name", name, "-p", published, "busybox", "sleep", "10000")
        assert started.returncode == 0, started.stderr
    _docker(port, "create", "--name", "crash-" + what, "busybox", "true")
    end = time.monotonic() + 300
    while (listed := _listed(port)) != []:
        assert time.monotonic() < end, f"management does not come back: {listed}"
        time.sleep(0.2)
    # Names, published ports and memory are free again.
    again = _docker(port, "run", "--rm", "--name", "one", "-p", "8002:80", "busybox", "echo", "hello")
    assert (again.returncode, again.stdout) == (0, "hello\n"), again.stderr
    after = _settled(port, before["free_pages"] - SPARE_PAGES)
    return after["restarts"] - before["restarts"]


def _all(context):
    with context.own_node("management", "weaken=guest_pointer", os.path.join(paths.TWIN, "bin", "themelios-direct"), ROOT) as port:
        # The first containers make the kernel's stacks and the heaps that stay.
        for _ in range(2):
            assert _docker(port, "run", "--rm", "busybox", "true").returncode == 0
        for what, restarts in (("engine", 0), ("program", 1), ("personality", 1), ("personality", 1)):
            found = _crash(port, what)
            assert found == restarts, f"{what}: {found} restarts"


def cases(context):
    yield "image", _image
    yield "engine, program, personality", lambda: _all(context)
