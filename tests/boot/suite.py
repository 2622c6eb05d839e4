"""Boots: the banner at 1, 2 and 4 processors, the kernel's own tests, the hand-over by the Limine protocol, the place of the kernel's image."""

import os
import re
import struct

from xt import paths

MAGIC = struct.pack("<2Q", 0xc7b1dd30df4c8b88, 0x0a82e883a194f07b)
BASE_REVISION = struct.pack("<3Q", 0xf9562b2d5c95a6c8, 0x6a7b384944536bdc, 2)
START = struct.pack("<4Q", 0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9)
END = struct.pack("<2Q", 0xadc0e0531bb10d03, 0x9572709f31764c62)
# What the kernel may ask for: all of it is in stock Limine at base revision 2.
ALLOWED = {
    (0x48dcf1cb8ad2b852, 0x63984e959a98244b): "higher-half direct map",
    (0x9d5827dcd881dd75, 0xa3148604f6fab11b): "framebuffer",
    (0x67cf3d9d378a806f, 0xe304acdfc50c3c62): "memory map",
    (0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69): "executable file",
    (0x71ba76863cc55f63, 0xb2644a48c516a487): "executable address",
    (0x3e7e279702be32af, 0xca1c4f3bd1280cee): "modules",
    (0xc5e77b6b397e7b43, 0x27637845accdcf3c): "RSDP",
}


def _banner(context, cpus):
    image = os.path.join(paths.NATIVE, "bin", "test-native-basics")
    _, text = context.boot(f"banner-{cpus}", kernel=image, cpus=cpus, until=" CPUs, ")
    assert re.search(r"^Hello from ThemeliOS \d+\.\d+\.\d+\r?$", text, re.M), text[-500:]
    assert re.search(rf"^{cpus} CPUs, ", text, re.M), text[-500:]


def _kernel_tests(context, cpus):
    image = os.path.join(paths.NATIVE, "bin", "test-native-basics")
    code, text = context.boot(f"kernel-tests-{cpus}", append="test=kernel", kernel=image, cpus=cpus)
    found = re.search(r"kernel tests: (\d+) passed, (\d+) failed", text)
    assert found, "no result; the serial port's last lines:\n" + "\n".join(text.splitlines()[-20:])
    assert code == 33 and found[2] == "0" and int(found[1]) > 0, "\n".join(line for line in text.splitlines() if "FAIL" in line or "does not hold" in line)


def _slide(context, name, append="", extra=()):
    image = os.path.join(paths.NATIVE, "bin", "test-native-basics")
    code, text = context.boot(f"slide-{name}", append=f"test=kernel {append}".strip(), kernel=image, extra=extra)
    found = re.search(r"^image moved by (?:0x)?([0-9a-f]+)\r?$", text, re.M)
    assert found and code == 33, text[-1000:]
    return int(found[1], 16), text


def _slides(context):
    """By whole pages, far, and by another number at each boot."""
    moved = [_slide(context, str(boot))[0] for boot in range(4)]
    assert all(slide % 4096 == 0 and slide < 2 << 30 for slide in moved), moved
    assert len(set(moved)) > 1 and max(moved) > 1 << 20, moved


def _stays(context):
    for append in ("nokaslr", "nokaslr key=value"):
        slide, _ = _slide(context, "off", append)
        assert slide == 0, hex(slide)
    assert _slide(context, "other-word", "nokaslr2 xnokaslr")[0] != 0


def _weak_numbers(context):
    """A processor without random numbers: the image moves all the same, and the loader says from what."""
    words = "the kernel's place is from the time-stamp counter alone"
    slide, text = _slide(context, "weak", extra=("-cpu", "max,rdrand=off,rdseed=off"))
    assert words in text and slide != 0, text[:500]
    assert words not in _slide(context, "strong")[1]


def _requests():
    with open(os.path.join(paths.NATIVE, "bin", "kernel"), "rb") as stream:
        image = stream.read()
    begin, end = image.find(START), image.find(END)
    assert 0 <= begin < end, "the markers of the request section are missing or in the wrong order"
    section = image[begin:end]
    assert BASE_REVISION in section, "base revision 2 is not asked for"
    at, seen = section.find(MAGIC), set()
    while at >= 0:
        identity = struct.unpack_from("<2Q", section, at + 16)
        assert identity in ALLOWED, f"request {identity[0]:#x} {identity[1]:#x} is not among those that stock Limine answers"
        assert (at + begin) % 8 == 0, f"{ALLOWED[identity]}: not aligned to 8 bytes"
        assert identity not in seen, f"{ALLOWED[identity]}: asked for twice"
        seen.add(identity)
        at = section.find(MAGIC, at + 16)
    assert len(seen) >= 6, f"only {len(seen)} requests found"


def cases(context):
    yield "request section", _requests
    yield "the image moves", lambda: _slides(context)
    yield "nokaslr", lambda: _stays(context)
    yield "no random numbers", lambda: _weak_numbers(context)
    for cpus in (1, 2, 4):
        yield f"banner {cpus} CPUs", lambda cpus=cpus: _banner(context, cpus)
        yield f"kernel tests {cpus} CPUs", lambda cpus=cpus: _kernel_tests(context, cpus)
