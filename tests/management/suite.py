"""A node whose management ends in the middle of work: it comes back, and nothing that it had made is left."""

import os
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


def _docker(port, *words):
    return docker.capture(port, list(words), timeout=120)


def _figures(port):
    return api.get_json(port, "/themelios/node")


def _settled(port):
    """The figures once no sandbox but management's is there."""
    end = time.monotonic() + 120
    while True:
        figures = _figures(port)
        if figures["sandboxes"] == 1:
            return figures
        assert time.monotonic() < end, figures
        time.sleep(0.1)


def _crash(port, what):
    before = _settled(port)
    for name, published in (("one", "8002:80"), ("two", "8003:80")):
        started = _docker(port, "run", "-d", "--name", name, "-p", published, "busybox", "sleep", "10000")
        assert started.returncode == 0, started.stderr
    _docker(port, "create", "--name", "crash-" + what, "busybox", "true")
    end = time.monotonic() + 120
    while True:
        listed = _docker(port, "ps", "-aq")
        if listed.returncode == 0 and listed.stdout.strip() == "":
            break
        assert time.monotonic() < end, f"management does not come back: {listed.stdout}{listed.stderr}"
        time.sleep(0.2)
    # Names, published ports and memory are free again.
    again = _docker(port, "run", "--rm", "--name", "one", "-p", "8002:80", "busybox", "echo", "hello")
    assert (again.returncode, again.stdout) == (0, "hello\n"), again.stderr
    after = _settled(port)
    assert before["free_pages"] - after["free_pages"] < SPARE_PAGES, (before["free_pages"], after["free_pages"])
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
