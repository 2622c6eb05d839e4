"""What the numbers in records are called, read from the interface files themselves, so that the two cannot differ.

A line that this reader does not understand is an error: a name that silently went missing would be worse.
"""

import os
import re

from abi import language

_TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def _text(name):
    with open(os.path.join(_TOP, "abi", name), encoding="utf-8") as file:
        return file.read()


def _without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def enumerators(text, name):
    """Number → name, of `enum class NAME` in the text of a header."""
    found = re.search(rf"enum class {name}\b[^{{;]*\{{([^}}]*)\}}", _without_comments(text))
    if not found:
        raise ValueError(f"no enum class {name}")
    known = {}
    for part in filter(None, (part.strip() for part in found[1].split(","))):
        row = re.fullmatch(r"(\w+)\s*=\s*(\d+)", part)
        if not row or int(row[2]) in known:
            raise ValueError(f"enum class {name}: not an enumerator with a number of its own: {part}")
        known[int(row[2])] = row[1]
    return known


def single_bits(text, name):
    """Bit number → name, of the constants in `namespace NAME` in the text of a header; a mask of several is left out."""
    found = re.search(rf"namespace {name} \{{([^}}]*)\}}", _without_comments(text))
    if not found:
        raise ValueError(f"no namespace {name}")
    known = {}
    for part in filter(None, (part.strip() for part in found[1].split(";"))):
        row = re.fullmatch(r"inline constexpr \w+ (\w+) = (?:1u << (\d+)|\(1u << \d+\) - 1)", part)
        if not row or row[2] and int(row[2]) in known:
            raise ValueError(f"namespace {name}: not a constant of one bit: {part}")
        if row[2]:
            known[int(row[2])] = row[1]
    return known


OPERATIONS = enumerators(_text("audit.hpp"), "AuditOperation")
KINDS = enumerators(_text("types.hpp"), "ObjectKind")
ERRORS = enumerators(_text("types.hpp"), "Error")
END_REASONS = enumerators(_text("info.hpp"), "EndReason")
RIGHTS = single_bits(_text("types.hpp"), "right")
CALLS = {call.number: call.name for call in language.parse(_text("kernel.abi"), "abi/kernel.abi").calls}


def rights(mask):
    """The words for a mask of rights, of the lowest bit first."""
    return [RIGHTS.get(bit, f"bit {bit}") for bit in range(32) if mask >> bit & 1]
