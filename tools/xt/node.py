"""The one node of this checkout: what is known about it, starting, waiting, ending."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time

from . import api, paths, qemu
from .shell import Failure, last_lines

STATE = os.path.join(paths.RUN, "node.json")
SERIAL = os.path.join(paths.RUN, "serial.log")
QMP = os.path.join(paths.RUN, "qmp.sock")
ERRORS = os.path.join(paths.RUN, "qemu.log")
# There where the node was asked to end: whoever waits for it knows why it did.
STOPPED = os.path.join(paths.RUN, "stopped")

# A line of the serial log with one of these ends the wait.
FATAL = ("kernel panic", "PANIC")


def _is_qemu(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"qemu-system" in file.read().split(b"\0")[0]
    except OSError:
        return False


def load():
    """The state of the running node, or None."""
    try:
        with open(STATE, encoding="utf-8") as file:
            state = json.load(file)
    except (OSError, ValueError):
        return None
    return state if _is_qemu(state.get("pid")) else None


def need_running():
    state = load()
    if state is None:
        raise Failure("no node runs; start one with ./xt run")
    return state


def _remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def start(accel, memory, cpus, api_port, publish, command_line="", display=False):
    """Starts QEMU in a session of its own. Returns its process."""
    if load() is not None:
        raise Failure("a node runs already; ./xt stop ends it")
    os.makedirs(paths.RUN, exist_ok=True)
    for path in (SERIAL, QMP, ERRORS):
        _remove(path)
    words = (qemu.base(accel, memory, cpus, "file:" + SERIAL, display) + (qemu.cdrom() if display else qemu.direct(command_line)) + qemu.network(api_port, publish)
             + ["-qmp", f"unix:{QMP},server=on,wait=off"])
    with open(ERRORS, "wb") as errors:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True, cwd=paths.TOP)
    with open(STATE, "w", encoding="utf-8") as file:
        json.dump({"pid": process.pid, "api": api_port, "publish": publish, "accel": accel, "memory": memory, "cpus": cpus}, file)
    return process


def explain(reason):
    errors = last_lines(ERRORS, 10)
    return Failure(f"{reason}\n--- the end of {os.path.relpath(SERIAL, paths.TOP)}\n{last_lines(SERIAL, 30)}"
                   + (f"\n--- QEMU\n{errors}" if errors else ""))


def wait_ready(process, api_port, limit):
    """Waits until the API answers; gives the seconds it took. On the way out of a failure QEMU is ended."""
    begin = time.monotonic()
    door = api.Knocking(api_port)
    try:
        while True:
            try:
                process.wait(timeout=0.05)
                raise Failure("the node was stopped before its API answered") if was_stopped(process) else explain(f"QEMU ended with {process.returncode} before the API answered")
            except subprocess.TimeoutExpired:
                pass
            if door.answered():
                return time.monotonic() - begin
            log = last_lines(SERIAL, 40)
            if any(word in log for word in FATAL):
                raise explain("the kernel stopped before the API answered")
            if time.monotonic() - begin > limit:
                raise explain(f"the API did not answer within {limit} seconds")
    except BaseException:
        end(process)
        raise


def settled(api_port, sandboxes=1):
    """The figures once there are so many sandboxes (one: the management plane's), and what was others' is gone: for a second nothing changes but what the looks themselves
    cost, of whose memory management keeps a page now and then."""
    limit = time.monotonic() + 300
    before, same = figures(api_port), 0
    while same < 5:
        assert time.monotonic() < limit, f"the node does not come to rest: {before}"
        time.sleep(0.2)
        now = figures(api_port)
        rests = now["sandboxes"] == sandboxes and now["objects"] == before["objects"] and abs(now["free_pages"] - before["free_pages"]) < 16
        before, same = now, same + 1 if rests else 0
    return before


def figures(api_port):
    """What a node tells of itself."""
    return api.get_json(api_port, "/themelios/node", timeout=100)


def end(process):
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    forget(process.pid)


def forget(pid):
    """Of the node of that pid alone: there may be another by now."""
    try:
        with open(STATE, encoding="utf-8") as file:
            known = json.load(file).get("pid")
    except (OSError, ValueError):
        return
    if known == pid:
        _remove(STATE) # another command may have been faster


def was_stopped(process):
    """Whether that node was asked to end by ./xt stop."""
    try:
        with open(STOPPED, encoding="utf-8") as file:
            return file.read() == str(process.pid)
    except OSError:
        return False


def stop():
    """Ends the running node by its control socket, or by its pid where that does not answer."""
    state = load()
    if state is None:
        return False
    pid = state["pid"]
    with open(STOPPED, "w", encoding="utf-8") as file:
        file.write(str(pid))
    try:
        with qemu.Qmp(QMP) as qmp:
            qmp.command("quit")
    except Failure:
        if _is_qemu(pid):
            os.kill(pid, signal.SIGTERM)
    if not _wait_gone(pid, 10) and _is_qemu(pid):
        os.kill(pid, signal.SIGKILL)
        _wait_gone(pid, 5)
    forget(pid)
    return True


def _wait_gone(pid, seconds):
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
