"""Where in a batch something was changed. A digest says that, not where; but if the change was small, undoing it gives the digest again, and trying that out is quick enough.

For a batch that was found to be changed: some seconds.
"""

import hashlib

from . import layout
from .layout import BATCH_BYTES, BATCH_RECORDS, HEADER_BYTES, RECORD_BYTES, ZERO_DIGEST


def _span(index):
    return slice(HEADER_BYTES + index * RECORD_BYTES, HEADER_BYTES + (index + 1) * RECORD_BYTES)


def _swapped(batch, wanted):
    count = min(layout.header(batch).count, BATCH_RECORDS)
    for first in range(count):
        for second in range(first + 1, count):
            tried = bytearray(batch)
            tried[_span(first)], tried[_span(second)] = batch[_span(second)], batch[_span(first)]
            if layout.digest(tried) == wanted:
                return first + 1, second + 1
    return None


def _byte(batch, wanted):
    """Offset of the one byte with another value by which the digest is `wanted`, and that value."""
    zeroed = batch[:96] + ZERO_DIGEST + batch[HEADER_BYTES:]
    before = hashlib.sha256()
    # SHA-256 goes by blocks of 64 bytes: what is before a block is hashed once for all that is tried in it.
    for begin in range(0, BATCH_BYTES, 64):
        block, behind = bytearray(zeroed[begin:begin + 64]), zeroed[begin + 64:]
        for inside in range(64):
            if layout.field_at(begin + inside) == (None, "digest"):
                continue
            kept = block[inside]
            for value in range(256):
                block[inside] = value
                tried = before.copy()
                tried.update(block)
                tried.update(behind)
                if tried.digest() == wanted:
                    return begin + inside, value
            block[inside] = kept
        before.update(block)
    return None


def locate(batch, vouched=None):
    """(record or None, words) for what was changed in a batch whose digest is not that of its contents; None where that cannot be told. `vouched`: its digest by the batch behind it or by
    the head, if that is known."""
    header = layout.header(batch)
    if vouched is not None and layout.digest(batch) == vouched:
        return None, "the field `digest` itself was changed, its contents were not"
    wanted = vouched or header.digest
    if pair := _swapped(batch, wanted):
        return pair[0], f"its records {pair[0]} and {pair[1]} were exchanged"
    if (found := _byte(batch, wanted)) is None:
        return None
    offset, value = found
    record, field = layout.field_at(offset)
    if record is None:
        return None, f"its field `{field}` was changed: byte {offset} was {value:#04x} and is {batch[offset]:#04x}"
    return record, f"record {record} was changed in its byte {(offset - HEADER_BYTES) % RECORD_BYTES}: it was {value:#04x} and is {batch[offset]:#04x}"


def refine(log, defect):
    """The defect, with the record and the words for what was changed where they can be told."""
    if defect is None or defect.kind != "changed":
        return defect
    batch, behind = (log.batches[(defect.place + step) * BATCH_BYTES:(defect.place + step + 1) * BATCH_BYTES] for step in (0, 1))
    vouched = None
    if len(behind) == BATCH_BYTES and layout.digest(behind) == layout.header(behind).digest:
        vouched = layout.header(behind).previous
    elif not behind and log.head.sequence == defect.batch:
        vouched = log.head.digest
    found = locate(batch, vouched)
    if found is None:
        return defect if defect.record is not None else defect._replace(text=defect.text + "; in which of its records cannot be told")
    return defect._replace(text=f"batch {defect.batch} was changed: {found[1]}", record=found[0])
