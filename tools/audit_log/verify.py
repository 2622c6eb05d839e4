"""Whether a log holds: each batch by its own digest, all of them by their chain, the chain by a head.

Where it does not, the first defect is told, and how many batches hold before it.
"""

import struct
from typing import NamedTuple

from . import layout, logfile, names
from .layout import BATCH_BYTES, BATCH_RECORDS, HEADER_BYTES, RECORD_BYTES, ZERO_DIGEST

# A batch that begins elsewhere than it should is looked for by its first word; so many places that have it are tried.
_LOOKS = 4096


class Defect(NamedTuple):
    """`kind`: preface, changed (a digest is not that of the contents), impossible (contents that the kernel does not write), replaced (the chain is broken between two batches that are
    each whole), removed, reordered, doubled, joined (two boots), cut (bytes are missing), surplus (bytes are too many), behind (the log ends before a head), beyond (it goes on behind its
    head), not_kept (a head is of a batch before the first one)."""

    kind: str
    text: str
    batch: int | None = None  # sequence
    record: int | None = None  # from 1 on
    place: int | None = None  # of the batch among those of the file, from 0 on


class Report(NamedTuple):
    defect: Defect | None
    held: int  # batches before the defect; all of them where there is none
    batches: int  # whole ones in the file
    records: int  # in the batches that hold
    first: int | None  # sequences
    last: int | None
    boot: int | None
    head: logfile.Head | None  # of the last batch


def plural(count, word):
    return f"{count} {word}" if count == 1 else f"{count} {word}{'es' if word.endswith('ch') else 's'}"


class _Found(Exception):
    def __init__(self, held, kind, text, **where):
        super().__init__(text)
        self.held, self.defect = held, Defect(kind, text, **where)


def _impossible(batch, header, times):
    """(record or None, what) of what the kernel does not write into a batch; None where all is well. `times`: of each CPU, the latest one; goes on."""
    if header.magic != layout.MAGIC:
        return None, "its first word is not that of a batch"
    if not 1 <= header.count <= BATCH_RECORDS:
        return None, f"it says that it has {header.count} records, and has 1 to {BATCH_RECORDS}"
    if any(header.reserved):
        return None, "its reserved bytes are not zeros"
    end = HEADER_BYTES + header.count * RECORD_BYTES
    if any(batch[end:]):
        at = next(index for index in range(end, BATCH_BYTES) if batch[index])
        return layout.field_at(at)[0], f"there are bytes other than zeros behind its {plural(header.count, 'record')}"
    for number, (time, operation, cpu) in enumerate(layout.orders(batch, header.count), 1):
        if operation == 0 or operation not in names.OPERATIONS:
            return number, f"there is no operation {operation}"
        if time < times.get(cpu, 0):
            return number, f"its time is before that of an earlier record of CPU {cpu}"
        times[cpu] = time
    return None


def _resumes(data, place, sequence):
    """Where behind `place` a whole batch of this sequence or a later one begins, and its sequence; None if nowhere."""
    word = struct.pack("<I", layout.MAGIC)
    at = place
    for _ in range(_LOOKS):
        at = data.find(word, at + 1)
        if at < 0 or at + BATCH_BYTES > len(data):
            return None
        batch = data[at:at + BATCH_BYTES]
        header = layout.header(batch)
        if header.sequence >= sequence and layout.digest(batch) == header.digest:
            return at, header.sequence
    return None


def _changed(data, index, name, header, times):
    """The defect of a batch whose digest is not that of its contents."""
    batch = data[index * BATCH_BYTES:(index + 1) * BATCH_BYTES]
    following = _resumes(data, index * BATCH_BYTES, name + 1)
    if following is not None and following[0] % BATCH_BYTES:
        distance = (following[1] - name) * BATCH_BYTES - (following[0] - index * BATCH_BYTES)
        if distance > 0:
            return "cut", f"missing from batch {name} on: {plural(distance, 'byte')}; batch {following[1]} is whole again", {}
        return "surplus", f"too many from batch {name} on: {plural(-distance, 'byte')}; batch {following[1]} is whole again", {}
    if following is None and len(data) % BATCH_BYTES:
        return "cut", f"batch {name} was cut, grown or changed: its digest is not that of its contents, and the log's length is not one of whole batches", {}
    what = _impossible(batch, header, times)
    where = {} if what is None or what[0] is None else {"record": what[0]}
    hint = "" if what is None else f" ({_of_record(what[0])}{what[1]})"
    return "changed", f"batch {name} was changed: its digest is not that of its contents{hint}", where


def _of_record(number):
    return "" if number is None else f"record {number}: "


def _out_of_order(data, index, header, previous):
    """The defect of a batch that is whole, of the same boot, and has another sequence than the next one."""
    count, expected, sequence = len(data) // BATCH_BYTES, previous.sequence + 1, header.sequence
    batch = data[index * BATCH_BYTES:(index + 1) * BATCH_BYTES]
    if sequence < expected:
        for earlier in range(index):
            if data[earlier * BATCH_BYTES:(earlier + 1) * BATCH_BYTES] == batch:
                return "doubled", f"batch {sequence} is there a second time, where batch {expected} should be"
        return "reordered", f"batch {sequence} stands behind batch {previous.sequence}"
    for later in range(index + 1, count):
        other = layout.header(data[later * BATCH_BYTES:(later + 1) * BATCH_BYTES])
        if other.sequence == expected and other.boot == header.boot:
            return "reordered", f"batch {sequence} stands where batch {expected} should be, which is there further behind: their order was changed"
    missing = f"batch {expected} was" if sequence == expected + 1 else f"batches {expected} to {sequence - 1} were"
    return "removed", f"{missing} removed: batch {previous.sequence} is followed by batch {sequence}"


def _check_head(head, whose, chain, held):
    """`chain`: the headers of all batches. Raises what is wrong with the log by this head."""
    last = chain[-1].sequence if chain else 0
    if head.sequence > last:
        ends = f"the log ends at batch {last}" if chain else "the log has no batch"
        raise _Found(held, "behind", f"{ends} and {whose} is {head.sequence}: the log was cut at its end, or is an older state of it", batch=last + 1, place=held)
    if head.sequence == last:
        if chain and chain[-1].digest != head.digest:
            raise _Found(held - 1, "replaced", f"batch {last} is not the one that {whose} names: it was changed and its digest made anew, or it is of another boot, or the head is not of "
                         "this log", batch=last, place=held - 1)
        return
    first = chain[0].sequence
    if head.sequence < first - 1:
        if head.sequence:
            raise _Found(held, "not_kept", f"{whose} is {head.sequence} and the log begins at batch {first}: whether the one leads to the other cannot be told", batch=first)
        return
    # A batch names the one before it, so the one before the first is known too.
    known = chain[head.sequence - first].digest if head.sequence >= first else chain[0].previous
    if known != head.digest:
        at = max(head.sequence - first, 0)
        raise _Found(at, "replaced", f"batch {head.sequence} is not the one that {whose} names: it was changed and all digests from it on made anew, or it is of another boot", batch=head.sequence,
                     place=at)


def _walk(data, chain):
    """Raises the first defect; `chain` gets the headers of the batches that hold."""
    times = {}
    for index in range(len(data) // BATCH_BYTES):
        batch = data[index * BATCH_BYTES:(index + 1) * BATCH_BYTES]
        header, previous = layout.header(batch), chain[-1] if chain else None
        name = previous.sequence + 1 if previous else header.sequence
        if layout.digest(batch) != header.digest:
            kind, text, where = _changed(data, index, name, header, times)
            raise _Found(index, kind, text, batch=name, place=index, **where)
        if previous and header.boot != previous.boot:
            raise _Found(index, "joined", f"batch {header.sequence} is of another boot than batch {previous.sequence} before it: two logs were joined", batch=header.sequence, place=index)
        if previous and header.sequence < chain[0].sequence:
            # A log may begin later, but not before what it begins with.
            raise _Found(0, "reordered", f"batch {chain[0].sequence} stands at the begin, and batch {header.sequence} behind it: their order was changed", batch=chain[0].sequence, place=0)
        if previous and header.sequence != name:
            kind, text = _out_of_order(data, index, header, previous)
            raise _Found(index, kind, text, batch=header.sequence if kind == "doubled" else name, place=index)
        if previous and header.previous != previous.digest:
            raise _Found(index - 1, "replaced", f"batch {name} does not follow this batch {name - 1}: one of the two was changed and its digest made anew, or is of another log", batch=name - 1,
                         place=index - 1)
        if header.sequence == 0 or (header.sequence == 1) != (header.previous == ZERO_DIGEST):
            raise _Found(index, "impossible", f"batch {name}: the digest of the batch before is zeros in batch 1 and in no other; batch 0 there is not", batch=name, place=index)
        if what := _impossible(batch, header, times):
            raise _Found(index, "impossible", f"batch {name}: {_of_record(what[0])}{what[1]}, though its digest is right", batch=name, record=what[0], place=index)
        chain.append(header)
    if left := len(data) % BATCH_BYTES:
        name = chain[-1].sequence + 1 if chain else None
        raise _Found(len(chain), "cut", f"the log ends with {plural(left, 'byte')} of no whole batch" + (f": batch {name} was cut" if name else ""), batch=name, place=len(chain))


def verify(log, head=None):
    """A Report on a LogFile; `head` is one that is known from elsewhere."""
    chain, defect, held = [], None, None
    try:
        _walk(log.batches, chain)
        # The one from elsewhere first: it says more.
        if head is not None:
            _check_head(head, "the head that was given", chain, len(chain))
        _check_head(log.head, "the log's own head", chain, len(chain))
        if log.head.sequence != (chain[-1].sequence if chain else 0):
            raise _Found(len(chain), "beyond", f"the log goes on to batch {chain[-1].sequence}, behind its own head, {log.head.sequence}", batch=log.head.sequence + 1)
    except _Found as found:
        held, defect = found.held, found.defect
    held = len(chain) if held is None else max(0, held)
    last = chain[-1] if chain else None
    return Report(defect, held, len(log.batches) // BATCH_BYTES, sum(header.count for header in chain[:held]), chain[0].sequence if chain else None, last and last.sequence,
                  last and last.boot, last and logfile.Head(last.sequence, last.digest))


def verify_file(data, head=None):
    """A Report on the bytes of a file."""
    try:
        log = logfile.parse(data)
    except logfile.FormatError as error:
        return Report(Defect("preface", str(error)), 0, 0, 0, None, None, None, None)
    return verify(log, head)
