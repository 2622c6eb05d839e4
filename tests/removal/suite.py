"""`docker rm -f` of what is largest: soon gone, and neither the neighbours nor the API feel it. By the guest's clock."""

import os
import subprocess
import threading
import time

from image import docker_archive
from xt import docker, node, paths, qemu
from xt.shell import Failure

PROGRAM = os.path.join(paths.SERVICES, "bin", "test-removal")
NAME = "test-removal"
MILLISECOND = 1_000_000
# From the request to its answer, and how much longer than before anybody else's may take.
GONE = 3000 * MILLISECOND
LONGER = 300 * MILLISECOND
ATTEMPTS = 3 # where this machine's own pauses are in a figure
STALL = 0.5 # seconds
STRETCH = 200 * MILLISECOND # in which somebody is looked at
# How large each is at least: processes, threads, GiB, mappings.
LOADS = {"processes": 2048, "threads": 2048, "sparse": 128, "mappings": 4096}
TASKS = ("processes", "threads") # of those each is a thread of the container
SPARE = 256 # pages that a heap may have grown by
# Without --pids-limit a container has as many threads as its personality's memory bears: those 2,048 where the node has so much, in MiB.
MEMORY = 2304
# The guest's clock counts instructions where it is busy, whatever this machine does besides, and goes as time does where it idles.
ICOUNT = ("-icount", "shift=0,sleep=on")
# With more processors that measure would tell of the emulator: under -icount QEMU 7.2 takes the turn from a processor that sets its timer, and lets the others compute until
# that timer is due, so that whoever has short timers does hardly anything else beside one that computes. With two the guest's clock goes as time does.
COUNTS, GOES = "1 CPU", "2 CPUs"


def _done(port, *words):
    result = docker.capture(port, list(words), timeout=600)
    assert result.returncode == 0, f"docker {' '.join(words)}: {result.stderr[-500:]}"
    return result.stdout


def _now(port):
    """The guest's time, as the API tells it."""
    return node.figures(port)["monotonic_nanoseconds"]


def _grow(port, load, *options):
    """Runs a load, and says once it is at its largest how large that is."""
    _done(port, "run", "-d", *options, "--name", load, NAME, NAME, load)
    with subprocess.Popen(docker.words(port, ["logs", "-f", load]), stdout=subprocess.PIPE, text=True, env=docker.environment()) as follows:
        patience = threading.Timer(600, follows.kill)
        patience.start()
        said = follows.stdout.readline()
        patience.cancel()
        follows.kill()
    assert said, f"{load} does not come to its largest"
    word, size, tasks = said.split()
    assert word == "ready", said
    if load in TASKS:
        assert tasks == size, f"{load}: {size} of them, and {tasks} threads by the control group"
    return int(size)


class Watch:
    """The guest's times: of the slowest answer of the neighbour in each fiftieth of a second, and of the API's answers."""

    def __init__(self, port, address):
        self._port = port
        self._asking = subprocess.Popen(docker.words(port, ["run", "--rm", "--name", "asks", NAME, NAME, "ask", address]), stdout=subprocess.PIPE, text=True, env=docker.environment())
        self.neighbour, self.api = [], []
        self._ended = False
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._read, self._ping)]
        for thread in self._threads:
            thread.start()
        # A stretch from before the first answers on would be told in part.
        self._until(lambda: self.neighbour and self.api)

    def _until(self, condition):
        limit = time.monotonic() + 600
        while not condition():
            assert time.monotonic() < limit and self._asking.poll() is None, "nobody asks the neighbour any more"
            time.sleep(0.02)

    def _read(self):
        for line in self._asking.stdout:
            self.neighbour.append(tuple(int(word) for word in line.split()))

    def _ping(self):
        # Each answer tells when it was made: two that follow on each other, when the second was asked for and how long it took at most.
        last = _now(self._port)
        while not self._ended:
            time.sleep(0.02)
            try:
                answered = _now(self._port)
            except Failure:
                return # whoever waits for the next answer says so
            self.api.append((answered, answered - last))
            last = answered

    def worst(self, begin, end):
        """Of the neighbour and the API in a stretch of the guest's time, which must be one that is told in full."""
        self._until(lambda: self.neighbour[-1][0] > end and self.api[-1][0] > end)
        found = []
        for rows in (list(self.neighbour), list(self.api)):
            # What ended behind the stretch may have begun within it.
            inside = [took for at, took in rows if at > begin and at - took <= end]
            assert inside, (begin, end, rows[-10:])
            found.append(max(inside))
        return found

    def close(self):
        self._ended = True
        self._asking.kill()
        self._asking.wait()


def _remove(port, watch, load):
    """How long it took until it was gone, by how much longer the neighbour's and the API's worst answers took meanwhile than before, and all that in words."""
    before = _now(port)
    quiet = watch.worst(before, before + STRETCH)
    size = _grow(port, load)
    assert size >= LOADS[load], f"{load}: no more than {size}"
    begin = _now(port)
    _done(port, "rm", "-f", load)
    end = _now(port)
    meanwhile = watch.worst(begin, end + STRETCH)
    there = watch.worst(begin - STRETCH, begin)
    text = ", ".join(f"{who} {was // MILLISECOND} ms, {loaded // MILLISECOND} ms beside it, {took // MILLISECOND} ms while it went"
                     for who, was, loaded, took in zip(("neighbour", "API"), quiet, there, meanwhile))
    text = f"removal of {load}, {size} of them: {(end - begin) // MILLISECOND} ms; {text}"
    print(text, flush=True)
    assert load not in _done(port, "ps", "-a", "--format", "{{.Names}}").split()
    return end - begin, *(took - was for was, took in zip(quiet, meanwhile)), text


def _removal(port, watch, load, counts):
    """This machine may stop while the guest's clock goes on: where that counts instructions the pauses of who asks the API from outside are in the API's figure alone, else they
    are in all. Those figures are measured again where they are too large; what the removal itself does is in each attempt."""
    for _ in range(ATTEMPTS):
        gone, neighbour, api_too, text = _remove(port, watch, load)
        rest = gone <= GONE and neighbour <= LONGER
        assert rest or not counts, text
        if rest and api_too <= LONGER:
            return
    raise AssertionError(text)


def _pages_come_back(port, load):
    """Of so many threads nothing is left, neither a page nor an object. A small one first: what the management plane's heap takes for it stays."""
    sandboxes = node.figures(port)["sandboxes"]
    assert _grow(port, load, "--pids-limit", "100") == 100
    _done(port, "rm", "-f", load)
    before = node.settled(port, sandboxes)
    size = _grow(port, load)
    there = node.figures(port)
    _done(port, "rm", "-f", load)
    after = node.settled(port, sandboxes)
    taken, left = (before["free_pages"] - each["free_pages"] for each in (there, after))
    text = f"{size} {load}: free pages {before['free_pages']}, {there['free_pages']} with them, {after['free_pages']} behind them: {left} fewer than before"
    print(text, flush=True)
    assert size >= LOADS[load] and taken > size, text
    assert left < SPARE and after["objects"] == before["objects"], f"{text}; objects {before['objects']} -> {after['objects']}"


def _stall_is_seen(port, watch):
    """Where the neighbour does not answer for half a second, the measure tells it; unless who asks stood still as well, with this machine."""
    for _ in range(ATTEMPTS):
        begin = _now(port)
        _done(port, "kill", "-s", "USR1", "serves")
        neighbour, _ = watch.worst(begin, begin + STRETCH)
        if neighbour > LONGER:
            return
    raise AssertionError(f"{neighbour // MILLISECOND} ms: the measure tests nothing")


def _stall_of_the_api_is_seen(port, watch, control, counts):
    """Where the API gets no request and gives no answer for half a second, the measure tells it, and that the neighbour goes on."""
    begin = _now(port)
    with qemu.Qmp(control) as machine:
        machine.monitor("set_link net0 off")
        time.sleep(STALL)
        machine.monitor("set_link net0 on")
    neighbour, api_too = watch.worst(begin, begin + STRETCH)
    print(f"without a link: neighbour {neighbour // MILLISECOND} ms, API {api_too // MILLISECOND} ms", flush=True)
    assert api_too > LONGER, f"{api_too // MILLISECOND} ms: the measure tests nothing"
    assert neighbour <= LONGER or not counts, f"{neighbour // MILLISECOND} ms: it stalls as well"


def _cases(context, where):
    counts = where == COUNTS
    control = os.path.join(context.log_folder, "removal.qmp")
    extra = ("-m", str(MEMORY), "-qmp", f"unix:{control},server=on,wait=off")
    how = {"extra": (*extra, *ICOUNT), "accel": "tcg,thread=single", "cpus": 1} if counts else {"extra": extra, "cpus": 2}
    own = context.own_node("removal", **how)
    port = watch = None

    def start():
        nonlocal port
        if port is None:
            port = own.__enter__()
            _done(port, "load", "-i", docker_archive.of_program(os.path.join(paths.BUILD, "test-logs", NAME + ".tar"), NAME, PROGRAM))
            _done(port, "run", "-d", "--name", "serves", NAME, NAME, "serve")
        return port

    def quiet(function, *words):
        return lambda: function(start(), *words)

    def case(function, *words):
        def run():
            nonlocal watch
            start()
            if watch is None:
                watch = Watch(port, _done(port, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "serves").strip())
            function(port, watch, *words)
        return run

    try:
        for load in TASKS if counts or context.full else ():
            yield f"pages of {load} at {where}", quiet(_pages_come_back, load)
        for load in LOADS:
            yield f"{load} at {where}", case(_removal, load, counts)
        yield f"teeth a stall is seen at {where}", case(_stall_is_seen)
        yield f"teeth a stall of the API is seen at {where}", case(_stall_of_the_api_is_seen, control, counts)
    finally:
        if watch:
            watch.close()
        if port:
            own.__exit__(None, None, None)


def cases(context):
    for where in (COUNTS, GOES):
        yield from _cases(context, where)
