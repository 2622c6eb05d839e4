"""Logs for tests, made as the kernel makes them."""

import random

from audit_log import layout, logfile, names
from audit_log.layout import BATCH_BYTES, BATCH_RECORDS, HEADER_BYTES, RECORD_BYTES, Record

OPERATION = {name: number for number, name in names.OPERATIONS.items()}
KIND = {name: number for number, name in names.KINDS.items()}
CLOCK = logfile.Clock(1_700_000_000_000_000_000, 5_000_000_000)
BOOT = 0x1122334455667788


def record(operation, time=1000, cpu=0, kind="none", call=0, process=0, object=0, text=None, **rest):
    made = Record(time, OPERATION[operation], cpu, KIND[kind], call, process, object, **rest)
    return layout.Record._make(made[:7] + layout._RECORD.unpack(bytes(32) + text.ljust(32, b"\0"))[7:]) if text is not None else made


def seal(records, sequence, previous, boot=BOOT, sealed=0):
    """The bytes of one batch."""
    header = layout.pack_header(layout.Header(layout.MAGIC, len(records), sequence, sealed, boot, bytes(32), previous, bytes(32)))
    batch = (header + b"".join(each.pack() for each in records)).ljust(BATCH_BYTES, b"\0")
    return batch[:96] + layout.digest(batch) + batch[HEADER_BYTES:]


def chain(groups, boot=BOOT, first=1, previous=bytes(32)):
    """Batches of these groups of records."""
    batches = []
    for sequence, records in enumerate(groups, first):
        batches.append(seal(records, sequence, previous, boot))
        previous = layout.header(batches[-1]).digest
    return batches


def again(batches):
    """All digests made anew, as somebody could who has changed something."""
    made, previous = [], layout.header(batches[0]).previous
    for batch in batches:
        batch = batch[:64] + previous + bytes(32) + batch[HEADER_BYTES:]
        previous = layout.digest(batch)
        made.append(batch[:96] + previous + batch[HEADER_BYTES:])
    return made


def head(batches):
    if not batches:
        return logfile.NO_HEAD
    last = layout.header(batches[-1])
    return logfile.Head(last.sequence, last.digest)


def log(batches, its_head=None, clock=CLOCK):
    return logfile.LogFile(its_head or head(batches), clock, b"".join(batches))


def file(batches, its_head=None):
    return logfile.pack(log(batches, its_head))


def records_of(seed, count, cpus=4):
    """Records of all operations, by several CPUs, each in the order of its time and all with times of their own."""
    chance = random.Random(seed)
    times = [0] * cpus
    made = [record("boot", time=1, text=chance.randbytes(32))]
    for number in range(1, count):
        cpu = chance.randrange(cpus)
        times[cpu] = max(times[cpu] + 1, number * 1000 + chance.randrange(800) * cpus + cpu)
        operation = chance.choice([name for name in OPERATION if name not in ("none", "boot")])
        who = {"time": times[cpu], "cpu": cpu, "process": chance.randrange(40), "object": number, "kind": chance.choice(["process", "memory", "quota", "endpoint"])}
        if operation in ("name", "launch"):
            made.append(record(operation, text=chance.randbytes(chance.randrange(1, 33)), **who))
        else:
            made.append(record(operation, other=chance.randrange(100), rights=chance.randrange(1 << 17), error=chance.randrange(1, 24), badge=chance.randrange(1 << 20), lease=number % 7, **who))
    return made


def batches_of(seed, count, boot=BOOT):
    """A log of `count` records; the kernel seals a batch when it is asked for one, so not all are full."""
    chance, records, groups = random.Random(seed), records_of(seed, count), []
    while records:
        size = BATCH_RECORDS if chance.random() < 0.8 else chance.randrange(1, BATCH_RECORDS)
        groups.append(records[:size])
        records = records[size:]
    return chain(groups, boot)


def with_record(batch, index, changed):
    """The batch with these bytes as its record at `index`, its digest as it was."""
    at = HEADER_BYTES + index * RECORD_BYTES
    return batch[:at] + changed + batch[at + RECORD_BYTES:]
