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


def _on_linux(context, printed):
    """What the program prints in a runc container on Debian's kernel."""
    guest.build(FOLDER, {"/bin/" + NAME: PROGRAM})
    output = os.path.join(context.log_folder, "linux-guest.output")
    for path in (output, output + ".console"):
        if os.path.exists(path):
            os.unlink(path)
    words = guest.command(FOLDER, output, f"themelios.run=/bin/{NAME} themelios.bundle=1")
    try:
        subprocess.run(words, timeout=120, check=True, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        pass # the missing end says so
    with open(output, encoding="utf-8", errors="replace") as file:
        printed.extend(file.read().splitlines())
    assert printed and printed[-1] == "== end", f"the program printed {len(printed)} lines and no end; see {output}.console"


def _here(context, wanted):
    if not wanted:
        _on_linux(context, wanted)
    loaded = context.docker("load", "-i", docker_archive.of_program(os.path.join(paths.IMAGES, NAME + ".tar"), NAME, PROGRAM))
    assert loaded.returncode == 0, loaded.stderr
    result = context.docker("run", "--rm", NAME, timeout=120)
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
