"""Native programs that are the first program of an image of their own: the kernel's calls from user mode."""

import os
import re

from xt import build, paths

CPUS = (1, 2, 4)
# Not a test by itself: the personality, which runs what the command line names.
OTHERS = ("test-native-linux",)
# One guest instruction is one nanosecond of the guest's clock: how late somebody is does not depend on this machine.
ICOUNT = ("-icount", "shift=0,sleep=off")


def _image(name, folder=paths.NATIVE):
    return os.path.join(folder, "bin", f"test-native-{name}")


def _boot(context, name, cpus, folder=paths.NATIVE):
    # Four processors on fewer of the host's spin long for one that is not there.
    code, text = context.boot(f"native-{os.path.basename(folder)}-{name}-{cpus}", kernel=_image(name, folder), cpus=cpus, timeout=900)
    found = re.search(r"native tests: (\d+) passed, (\d+) failed", text)
    assert found, "no result; the serial port's last lines:\n" + "\n".join(text.splitlines()[-20:])
    assert code == 33 and found[2] == "0" and int(found[1]) > 0, "\n".join(line for line in text.splitlines() if "FAIL" in line or "native tests" in line)


def _bounded(context, cpus):
    """Nothing that a program asks for keeps another one from its CPU for long."""
    # Once with memory above the hole below 4 GiB, which a range of a device is then held against page by page.
    code, text = context.boot(f"native-bounded-{cpus}", append=f"only=bounded bounded_cpus={cpus}", kernel=_image("calls"), cpus=cpus, memory=5120 if cpus == 1 else 1024,
                              extra=ICOUNT, timeout=900, accel="tcg,thread=single")
    figures = [line for line in text.splitlines() if line.startswith("bounded ")]
    print("\n".join(line for line in figures if not line.startswith("bounded worst")), flush=True)
    late, name = max(((int(late), name) for name, late in re.findall(r"^bounded worst: (.+) with (\d+) ns$", text, re.MULTILINE)), default=(0, "none"))
    print(f"bounded, the worst of all with {cpus} processors: {name}, {late} ns", flush=True)
    found = re.search(r"native tests: (\d+) passed, (\d+) failed", text)
    assert found and figures, "no result; the serial port's last lines:\n" + "\n".join(text.splitlines()[-20:])
    assert code == 33 and found[2] == "0", "\n".join(line for line in text.splitlines() if "FAIL" in line or line.startswith("  "))


def _wrong_order(context):
    """The debug kernel dies where two locks are taken the wrong way round."""
    _, text = context.boot("native-lock-order", append="weaken=lock_order only=ports_gather_notifications_and_endpoints", kernel=_image("calls", paths.DEBUG))
    assert "PANIC: order of locks: port_binding is taken under port" in text, "locks in the wrong order are not noticed: the ranks test nothing"


def _returned_root(context):
    """The debug kernel dies where a root is to be free that a processor uses."""
    def is_noticed():
        try:
            _, text = context.boot("native-root-returned", append="weaken=root_returned only=a_processor_has_no_root_of_the_process_that_ends_there",
                                   kernel=_image("calls", paths.DEBUG), timeout=60)
        except AssertionError as hangs:
            print(f"the twin neither stops nor ends, tried once more: {hangs}", flush=True)
            return False
        return re.search(r"PANIC: processor \d uses a root that is about to be free", text)

    # The other processor may have taken the root up again by then, which ends otherwise.
    assert any(is_noticed() for _ in range(3)), "a root that is freed too early is not noticed: the checks test nothing"


def _open_door(context):
    """The debug kernel dies where a process is torn down that was given a thread meanwhile."""
    _, text = context.boot("native-last-thread", append="weaken=last_thread only=no_thread_joins_a_process_whose_last_one_has_left", kernel=_image("calls", paths.DEBUG))
    assert re.search(r"PANIC: process \d+ ends with [1-9]\d* threads", text), "a thread that joins too late is not noticed: the checks test nothing"


def cases(context):
    folder = os.path.join(paths.NATIVE, "bin")
    names = sorted(name.removeprefix("test-native-") for name in os.listdir(folder) if name.startswith("test-native-") and name not in OTHERS)
    assert names, "no test images were built"
    yield "build", lambda: build.build("debug", targets=[f"test-native-{name}" for name in names])
    for name in names:
        for cpus in CPUS:
            yield f"{name} {cpus} CPUs", lambda name=name, cpus=cpus: _boot(context, name, cpus)
    # Whoever holds a lock takes only those behind it in the list of ranks.
    for name in names:
        for cpus in (1, 2):
            yield f"lock ranks, {name} {cpus} CPUs", lambda name=name, cpus=cpus: _boot(context, name, cpus, paths.DEBUG)
    yield "lock ranks, teeth", lambda: _wrong_order(context)
    yield "lock ranks, teeth of roots", lambda: _returned_root(context)
    yield "lock ranks, teeth of threads", lambda: _open_door(context)
    for cpus in CPUS:
        yield f"bounded {cpus} CPUs", lambda cpus=cpus: _bounded(context, cpus)
