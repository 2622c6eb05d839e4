"""A log as a file: a preface of text, then the batches one behind the other.

    THEMELIOS-AUDIT 1
    head SEQUENCE:HEX                    the newest batch: its sequence and its digest; 0 and zeros where there is none
    clock REALTIME_NS MONOTONIC_NS       may be left out: one moment by UTC and by the node's monotonic clock
    check HEX                            SHA-256 of the lines above
    (an empty line)

Each thing has one spelling alone, so that no byte of a preface can change without being found.
"""

import hashlib
import os
import re
import tempfile
from typing import NamedTuple

MAGIC_LINE = b"THEMELIOS-AUDIT 1\n"
# A preface is far shorter.
_PREFACE_LIMIT = 1024
_NUMBER = r"(0|[1-9][0-9]{0,19})"
_HEAD = re.compile(_NUMBER + ":([0-9a-f]{64})")
_PREFACE = re.compile((rf"head {_HEAD.pattern}\n(?:clock {_NUMBER} {_NUMBER}\n)?").encode())
_CHECK = re.compile(rb"check ([0-9a-f]{64})\n\n")


class FormatError(ValueError):
    """What is wrong with a preface or a head, in words."""


class Head(NamedTuple):
    sequence: int
    digest: bytes

    def __str__(self):
        return f"{self.sequence}:{self.digest.hex()}"


NO_HEAD = Head(0, bytes(32))


class Clock(NamedTuple):
    """One moment, by both clocks."""

    realtime: int  # nanoseconds since 1970, UTC
    monotonic: int  # nanoseconds since the boot


class LogFile(NamedTuple):
    head: Head
    clock: Clock | None
    batches: bytes


def _number(text):
    value = int(text)
    if value >= 1 << 64:
        raise FormatError(f"{value} is no number of 64 bits")
    return value


def _head(sequence, digest):
    head = Head(_number(sequence), bytes.fromhex(digest))
    if (head.sequence == 0) != (head.digest == NO_HEAD.digest):
        raise FormatError("a head has the sequence 0 if and only if its digest is zeros")
    return head


def parse_head(text):
    """SEQUENCE:HEX. Raises FormatError."""
    found = _HEAD.fullmatch(text)
    if not found:
        raise FormatError("a head is SEQUENCE:HEX, a decimal number and 64 digits from 0 to f")
    return _head(found[1], found[2])


def pack(log):
    lines = MAGIC_LINE + f"head {log.head}\n".encode()
    if log.clock is not None:
        lines += f"clock {log.clock.realtime} {log.clock.monotonic}\n".encode()
    return lines + f"check {hashlib.sha256(lines).hexdigest()}\n\n".encode() + log.batches


def parse(data):
    """The parts of a file; its batches are not looked at. Raises FormatError."""
    if not data.startswith(MAGIC_LINE):
        raise FormatError("its first line is not " + MAGIC_LINE.decode().strip())
    preface = data[:_PREFACE_LIMIT]
    found = _PREFACE.match(preface, len(MAGIC_LINE))
    if not found:
        raise FormatError("its preface has no lines as they have to be: head SEQUENCE:HEX, and clock REALTIME_NS MONOTONIC_NS or none")
    check = _CHECK.match(preface, found.end())
    if not check:
        raise FormatError("its preface does not end with a line check HEX and an empty line")
    if check[1].decode() != hashlib.sha256(data[:found.end()]).hexdigest():
        raise FormatError("its preface was changed: the line check is not of the lines above it")
    clock = Clock(_number(found[3]), _number(found[4])) if found[3] else None
    return LogFile(_head(found[1].decode(), found[2].decode()), clock, data[check.end():])


def write(path, log):
    """The whole file or none, and readable for its owner alone. Raises OSError."""
    folder, name = os.path.split(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pack(log))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
