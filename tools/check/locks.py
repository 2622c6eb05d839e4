"""Whether the kernel is compiled so that a field with a lock (lib/base/thread_safety.hpp) cannot be used without it."""

import json
import os
import shlex
import subprocess

SOURCE = """#include "kernel/arch/spin_lock.hpp"
namespace kernel {
SpinLock lock{LockRank::log};
int value BASE_GUARDED_BY(lock);
void put(int next) BASE_REQUIRES(lock) { value = next; }
"""
RIGHT = "void f() { LockGuard guard(lock); put(value); }"
# What must not compile → what the compiler says.
WRONG = {
    "int f() { return value; }": "requires holding lock 'lock'",
    "void f() { put(1); }": "requires holding lock 'lock'",
    "void f() { lock.lock(); }": "still held at the end of function",
    "void f() { LockGuard guard(lock); LockGuard again(lock); }": "already held",
    "void f() { lock.unlock(); }": "was not held",
}


def _command(native):
    """The compiler and its options for the kernel's C++, without input and output."""
    with open(os.path.join(native, "compile_commands.json"), encoding="utf-8") as file:
        found = [entry["command"] for entry in json.load(file) if entry["file"].endswith("kernel/core/log.cpp")]
    words = [word for word in shlex.split(found[0]) if not word.endswith(("ccache", "log.cpp")) and word != "-c"]
    output = words.index("-o")
    return words[:output] + words[output + 2:] + ["-fsyntax-only", "-x", "c++", "-"]


def violations(native):
    command = _command(native)
    for text, expected in {RIGHT: None, **WRONG}.items():
        result = subprocess.run(command, input=SOURCE + text + "\n}\n", capture_output=True, text=True)
        refused = result.returncode != 0
        if expected is None and refused:
            yield f"'{text}' does not compile:\n{result.stderr}"
        elif expected is not None and not (refused and expected in result.stderr):
            yield f"'{text}' compiles: no analysis of locks"
