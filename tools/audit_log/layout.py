"""The batches of the audit log, byte for byte as abi/audit.hpp has them. Nothing here judges whether they are right."""

import hashlib
import struct
from typing import NamedTuple

MAGIC = 0x31445541
BATCH_BYTES = 4096
BATCH_RECORDS = 62
HEADER_BYTES = 128
RECORD_BYTES = 64
ZERO_DIGEST = bytes(32)

# Field, offset, bytes. In the order of the structure; together they fill it.
BATCH_FIELDS = (("magic", 0, 4), ("count", 4, 4), ("sequence", 8, 8), ("sealed", 16, 8), ("boot", 24, 8), ("reserved", 32, 32), ("previous", 64, 32), ("digest", 96, 32))
RECORD_FIELDS = (("time", 0, 8), ("operation", 8, 2), ("cpu", 10, 2), ("kind", 12, 2), ("call", 14, 2), ("process", 16, 8), ("object", 24, 8),
                 ("other", 32, 8), ("rights", 40, 4), ("error", 44, 4), ("badge", 48, 8), ("lease", 56, 8))

_HEADER = struct.Struct("<IIQQQ32s32s32s")
_RECORD = struct.Struct("<QHHHHQQQIIQQ")
_ORDER = struct.Struct("<QHH52x")


class Header(NamedTuple):
    magic: int
    count: int
    sequence: int
    sealed: int
    boot: int
    reserved: bytes
    previous: bytes
    digest: bytes


class Record(NamedTuple):
    """`badge` is the word that has badge, place or count; of records with a text, the fields from `other` on are that text's bytes."""

    time: int
    operation: int
    cpu: int
    kind: int
    call: int
    process: int
    object: int
    other: int = 0
    rights: int = 0
    error: int = 0
    badge: int = 0
    lease: int = 0

    @property
    def text(self):
        return _RECORD.pack(*self)[32:]

    def pack(self):
        return _RECORD.pack(*self)


def header(batch):
    return Header._make(_HEADER.unpack_from(batch))


def pack_header(fields):
    return _HEADER.pack(*fields)


def digest(batch):
    """What `digest` of the batch has to be."""
    return hashlib.sha256(batch[:96] + ZERO_DIGEST + batch[HEADER_BYTES:]).digest()


def record(batch, index):
    """The record at the place `index`, from 0 on."""
    return Record._make(_RECORD.unpack_from(batch, HEADER_BYTES + index * RECORD_BYTES))


def records(batch):
    """As many as the header says, at most as there is room for."""
    return [record(batch, index) for index in range(min(header(batch).count, BATCH_RECORDS))]


def orders(batch, count):
    """(time, operation, cpu) of the first `count` records: what their order is checked by."""
    return _ORDER.iter_unpack(batch[HEADER_BYTES:HEADER_BYTES + count * RECORD_BYTES])


def field_at(offset):
    """The record (from 1 on; None: the header) and the field that the byte at `offset` of a batch belongs to."""
    if offset < HEADER_BYTES:
        number, inside, fields = None, offset, BATCH_FIELDS
    else:
        number, inside, fields = (offset - HEADER_BYTES) // RECORD_BYTES + 1, (offset - HEADER_BYTES) % RECORD_BYTES, RECORD_FIELDS
    return number, next(name for name, begin, size in fields if begin <= inside < begin + size)
