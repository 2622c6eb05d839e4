"""A copy of the tree under build/mutants/ that errors are put into: only what changed is built again, and the sources stay as they are."""

import os
import re
import subprocess
import time

from xt import paths, qemu
from xt.suites import read_text

FOLDER = os.path.join(paths.BUILD, "mutants")
TREE = os.path.join(FOLDER, "tree")
OUT = os.path.join(FOLDER, "x86_64")
LOG = os.path.join(FOLDER, "build.log")
IMAGE = os.path.join(OUT, "bin", "test-native-calls")
TICKS = os.sysconf("SC_CLK_TCK")

ICOUNT = ("-icount", "shift=0,sleep=off")

# What a boot may take of a processor's time; and how long nothing at all may happen: who sleeps for so long is not woken. An idle QEMU takes a hundredth of a processor by itself.
MOST_CPU_SECONDS = 90
ASLEEP_SECONDS = 20
IDLE_SHARE = 0.03


# What a boot does not come back from.
LOST = re.compile(r"^(PANIC.*|process 1: .*)$", re.MULTILINE)
FAILED = re.compile(r"^FAIL (\w+)$", re.MULTILINE)


class Unbuilt(Exception):
    """The tree does not build."""


def _sources():
    """Path below the top → where it is."""
    for folder, folders, files in os.walk(paths.TOP):
        inner = os.path.relpath(folder, paths.TOP)
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git") and not (inner == "." and name == "build")]
        for name in files:
            yield os.path.normpath(os.path.join(inner, name)), os.path.join(folder, name)


def _content(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    """Where it differs: what is the same is not built again."""
    path = os.path.join(TREE, path)
    if os.path.exists(path) and _content(path) == content:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def copy():
    """Makes the copy what the tree is."""
    wanted = set()
    for inner, path in _sources():
        wanted.add(inner)
        write(inner, _content(path))
        os.chmod(os.path.join(TREE, inner), os.stat(path).st_mode)
    for folder, _, files in os.walk(TREE):
        for name in files:
            if os.path.relpath(os.path.join(folder, name), TREE) not in wanted:
                os.unlink(os.path.join(folder, name))


def _run(words):
    with open(LOG, "wb") as log:
        code = subprocess.run(words, cwd=TREE, stdout=log, stderr=log, stdin=subprocess.DEVNULL).returncode
    if code != 0:
        raise Unbuilt("\n".join(line for line in read_text(LOG).splitlines() if re.search(r"error|FAILED", line))[:3000] or read_text(LOG)[-2000:])


def build():
    if not os.path.exists(os.path.join(OUT, "build.ninja")):
        _run(["cmake", "--preset", "x86_64-release", "-B", OUT, "-DTHEMELIOS_LINK_TIME=OFF"])
    _run(["cmake", "--build", OUT, "-j", str(os.cpu_count()), "--target", "test-native-calls"])


def _cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def boot(accel, only, measured=False):
    """Runs the tests that `only` names (empty: all) on the kernel that was built last. Gives what went wrong, or nothing, and the serial text.
    `measured`: a guest instruction is a nanosecond of the guest's clock, and tests hold what they take against it."""
    serial = os.path.join(FOLDER, "serial")
    # The loader wants a root image, and nobody here looks into it.
    root = os.path.join(FOLDER, "root")
    with open(root, "wb") as file:
        file.write(bytes(4096))
    open(serial, "wb").close()
    words = qemu.base("tcg,thread=single" if measured else accel, 1024, 1 if measured else 2, "file:" + serial) + (list(ICOUNT) if measured else [])
    words += ["-kernel", IMAGE, "-initrd", root, "-append", f"only={only}" + (" bounded_cpus=1" if measured else "")]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    awake, used = time.monotonic(), 0.0
    try:
        while True:
            try:
                code = process.wait(timeout=0.1)
                text = read_text(serial)
                break
            except subprocess.TimeoutExpired:
                pass
            text = read_text(serial)
            # One test that fails is enough.
            if LOST.search(text) or FAILED.search(text):
                code = None
                break
            now, cpu = time.monotonic(), _cpu_seconds(process.pid)
            if cpu > used + IDLE_SHARE * ASLEEP_SECONDS:
                awake, used = now, cpu
            if cpu > MOST_CPU_SECONDS or now > awake + ASLEEP_SECONDS:
                return f"{_last_case(text)} does not end", text
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    lost = LOST.search(text)
    if lost:
        return f"{_last_case(text)}: {lost[1]}", text
    failed = FAILED.findall(text)
    if failed:
        return ", ".join(failed), text
    counted = re.search(r"native tests: (\d+) passed, 0 failed", text)
    if code != 33 or not counted or int(counted[1]) == 0:
        return f"{_last_case(text)}: ended with {code}", text
    return None, text


def _last_case(text):
    return (re.findall(r"^run (\w+)", text, re.MULTILINE) or ["the boot"])[-1]
