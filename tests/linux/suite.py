"""The same static program on a Debian kernel and in a container here: it must print the same."""

import difflib
import os
import subprocess

from image import docker_archive
from linux_guest import guest
from xt import paths

PROGRAM = os.path.join(paths.SERVICES, "bin", "test-conformance")
FOLDER = os.path.join(paths.BUILD, "linux-guest")
NAME = "test-conformance"


def _run_on_linux(output):
    """What the guest prints, and its console's lines. Usually it needs 15 seconds; the limit is for a machine that does other things, too."""
    for path in (output, output + ".console"):
        if os.path.exists(path):
            os.unlink(path)
    words = guest.command(FOLDER, output, f"themelios.run=/bin/{NAME} themelios.bundle=1")
    try:
        subprocess.run(words, timeout=600, check=True, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        pass # the missing end says so
    texts = []
    for path in (output, output + ".console"):
        with open(path, encoding="utf-8", errors="replace") as file:
            texts.append(file.read().splitlines())
    return texts


def _on_linux(context, printed):
    """What the program prints in a runc container on Debian's kernel."""
    guest.build(FOLDER, {"/bin/" + NAME: PROGRAM})
    output = os.path.join(context.log_folder, "linux-guest.output")
    lines, console = _run_on_linux(output)
    if not lines:
        # The peer's boot is not what is tested: one more, where it did not come as far as the program.
        print("the Linux guest printed nothing, and is booted once more; its console's end:", *console[-5:], sep="\n  ", flush=True)
        lines, console = _run_on_linux(output)
    printed.extend(lines)
    assert printed and printed[-1] == "== end", "\n".join([f"the program printed {len(printed)} lines and no end; the guest's console:", *console[-20:]])


def _here(context, wanted):
    if not wanted:
        _on_linux(context, wanted)
    loaded = context.docker("load", "-i", docker_archive.of_program(os.path.join(paths.IMAGES, NAME + ".tar"), NAME, PROGRAM))
    assert loaded.returncode == 0, loaded.stderr
    result = context.docker("run", "--rm", NAME)
    found = result.stdout.splitlines()
    with open(os.path.join(context.log_folder, "conformance.output"), "w", encoding="utf-8") as file:
        file.write(result.stdout + result.stderr)
    lines = list(difflib.unified_diff(wanted, found, "Linux", "ThemeliOS", lineterm="", n=0))
    assert not lines and result.returncode == 0, (
        f"exit code {result.returncode}; {len(lines)} lines of difference\n" + "\n".join(lines[:60]) + result.stderr[-500:])


def cases(context):
    printed = []
    yield "on Linux", lambda: _on_linux(context, printed)
    yield "here", lambda: _here(context, printed)
