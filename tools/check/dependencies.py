"""Which folder may include what of which: kernel → abi, lib/base; everything else → abi, lib; nothing → kernel; linux and services meet the rest through abi.
Inside kernel/ each folder uses only those before it (KERNEL_LAYERS), and the machine by kernel/arch/NAME.hpp."""

import os
import re
import subprocess

INCLUDE = re.compile(r'^\s*#\s*(?:include|\.?incbin)\s*"([^"]+)"')
SOURCES = (".c", ".cc", ".cpp", ".h", ".hpp", ".S", ".inc")

# Top folder → prefixes that its files may include, beside its own folder and generated code.
ALLOWED = {
    "abi": ("abi/",),
    "kernel": ("abi/", "lib/base/", "boot/limine.hpp"),
    "boot": ("abi/", "lib/base/", "boot/limine.hpp"),
    "lib": ("abi/", "lib/"),
    "drivers": ("abi/", "lib/"),
    "servers": ("abi/", "lib/"),
    "linux": ("abi/", "lib/"),
    "services": ("abi/", "lib/"),
    "bench": ("abi/", "lib/"),
    "tools": ("abi/", "lib/"),
}
# A library that the kernel uses must not lead to others.
ALLOWED_BELOW = {"lib/base": ("abi/", "lib/base/")}
# The kernel's folders from the bottom. arch/ calls up through kernel/arch/upcalls.hpp alone, which includes nothing of the others.
KERNEL_LAYERS = ("arch", "core", "memory", "object", "audit", "space", "thread", "ipc", "restricted", "device", "call", "init")
# Tests look inside what they test, and drive it with what they need.
UNBOUND = ("tests",)


def check_kernel_layers(path, included):
    """The same for two files of the kernel."""
    folder, target = path.split("/")[1], included.split("/")[1]
    if included.startswith("kernel/arch/x86_64/") and folder != "arch":
        return "the machine is included by kernel/arch/NAME.hpp"
    if folder == "tests" or target not in KERNEL_LAYERS:
        return None
    if folder not in KERNEL_LAYERS:
        return f"kernel/{folder} has no place in KERNEL_LAYERS"
    if KERNEL_LAYERS.index(target) > KERNEL_LAYERS.index(folder):
        return f"kernel/{folder} must not include kernel/{target}/, which lies above it"
    return None


def check_include(path, included):
    """The reason why `path` must not include `included` (both from the top of the tree), or None."""
    top = path.split("/", 1)[0]
    if top not in ALLOWED or "/" not in included or "/tests/" in path or path.endswith("_test.cpp"):
        return None
    for prefix, allowed in ALLOWED_BELOW.items():
        if path.startswith(prefix + "/") and not included.startswith(allowed):
            return f"{prefix} may include only {', '.join(allowed)}"
    if top == "kernel" and included.startswith("kernel/"):
        return check_kernel_layers(path, included)
    if included.startswith(top + "/") or included.startswith(ALLOWED[top]):
        return None
    if included.startswith("native/"):
        return "only native code includes the kernel's stubs" if top in ("kernel", "abi", "services") else None
    first = included.split("/", 1)[0]
    if first in ALLOWED or first in UNBOUND or first == "kernel":
        return f"{top} must not include {first}/"
    return None


def violations(top):
    listing = subprocess.run(["git", "-C", top, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    for name in listing.splitlines():
        path = os.path.join(top, name)
        if not name.endswith(SOURCES) or not os.path.exists(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                match = INCLUDE.match(line)
                reason = match and check_include(name, match[1])
                if reason:
                    yield f'{name}:{number}: "{match[1]}": {reason}'
