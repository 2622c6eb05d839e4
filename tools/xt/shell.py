"""Running programs, and the one exception that ends a command with a sentence."""

import os
import re
import shlex
import shutil
import subprocess
import sys


class Failure(Exception):
    """What went wrong, in words for the person at the terminal."""


def run(words, quiet=False, log=None, **options):
    """Runs a program to its end. Its output goes to the terminal, or to `log` (a path); a failure shows the log's end."""
    words = [str(word) for word in words]
    try:
        if log:
            os.makedirs(os.path.dirname(log), exist_ok=True)
            with open(log, "ab") as file:
                code = subprocess.run(words, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options).returncode
        else:
            code = subprocess.run(words, stdout=subprocess.DEVNULL if quiet else None, **options).returncode
    except FileNotFoundError:
        raise Failure(f"'{words[0]}' is not installed; ./xt setup installs what is needed") from None
    if code != 0:
        tail = "\n" + last_lines(log, 30) if log else ""
        raise Failure(f"{shlex.join(words[:6])} ended with {code}{tail}")


def run_steps(words, log, **options):
    """Runs a program whose lines begin with [DONE/ALL], as Ninja's do; its output goes to `log`, how far it is to the terminal."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    terminal = sys.stdout.isatty()
    shown = 0
    with open(log, "ab") as file, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options) as process:
        for line in process.stdout:
            file.write(line)
            found = re.match(rb"\[(\d+)/(\d+)\]", line)
            if not found:
                continue
            done, steps = int(found[1]), int(found[2])
            if terminal:
                print(f"\r  {done} of {steps}", end="\n" if done == steps else "", flush=True)
            elif done * 4 // steps > shown and steps > 4:
                shown = done * 4 // steps
                print(f"  {done} of {steps}", flush=True)
    if process.returncode != 0:
        raise Failure(f"{shlex.join(words[:6])} ended with {process.returncode}\n{last_lines(log, 30)}")


def output(words, **options):
    try:
        return subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True, **options).stdout
    except FileNotFoundError:
        raise Failure(f"'{words[0]}' is not installed; ./xt setup installs what is needed") from None
    except subprocess.CalledProcessError as error:
        raise Failure(f"{shlex.join(error.cmd[:6])} ended with {error.returncode}") from None


def last_lines(path, count):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-count:]).rstrip()
    except OSError:
        return "(no output)"


def need(program):
    found = shutil.which(program)
    if not found:
        raise Failure(f"'{program}' is not installed; ./xt setup installs what is needed")
    return found
