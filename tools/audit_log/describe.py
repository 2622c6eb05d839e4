"""Records in words. Their texts, and so names of processes, may come from anybody: nothing of them reaches a terminal but printable ASCII."""

import datetime

from . import layout, names


_PROCESS = next((number for number, name in names.KINDS.items() if name == "process"), None)


def printable(data):
    """A text of a record, without the zeros behind it; each byte that is not printable is a `?`."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7f else "?" for byte in data.rstrip(b"\0"))


def _quoted(text):
    # A quote inside would let a name end early and say more behind it.
    return '"' + text.replace('"', "?") + '"'


def _operation(record):
    return names.OPERATIONS.get(record.operation, f"operation {record.operation}")


def _kind(number):
    known = names.KINDS.get(number, "")
    return f"kind {number}" if known in ("", "count") else "object" if known == "none" else known.replace("_", " ")


def call_name(number):
    return names.CALLS.get(number, f"call {number}")


def error_name(number):
    return names.ERRORS.get(number, f"error {number}")


def _rights(mask):
    return ", ".join(names.rights(mask)) or "no rights"


class Names:
    """What objects are called at each point of a log: by the last `name` record before it, else by the first one behind."""

    def __init__(self, records):
        self._first, self._now = {}, {}
        for record in records:
            if _operation(record) == "name":
                self._first.setdefault(record.object, printable(record.text))

    def pass_by(self, record):
        if _operation(record) == "name":
            self._now[record.object] = printable(record.text)

    def get(self, number):
        return self._now.get(number, self._first.get(number))

    def process(self, number):
        return self.thing("process", number) if number else "kernel"

    def thing(self, word, number):
        known = self.get(number) if number else None
        return f"{_quoted(known)} ({word} {number})" if known is not None else f"{word} {number}"


def _capability(record, known):
    words = f"{known.thing(_kind(record.kind), record.object)} with {_rights(record.rights)}"
    if record.badge:
        words += f", badge {record.badge:#x}"
    if record.lease:
        words += f", under lease {record.lease}"
    return words


def _object(record, known):
    return known.thing(_kind(record.kind), record.object)


def _create(record, known):
    return f"created {_object(record, known)}" + (f", charged to quota {record.other}" if record.other else "")


def _end(record, known):
    reason = names.END_REASONS.get(record.error, f"reason {record.error}")
    return f"{known.process(record.object)} ended: {reason.replace('_', ' ')}, status {record.badge}"


def _denial(record, known):
    times = "" if record.badge == 1 else f", {record.badge} times"
    on = f" on {_object(record, known)}" if record.object else ""
    return f"was refused {call_name(record.call)}{on}: {error_name(record.error)}{times}"


def _bind(record, known):
    return f"took {_object(record, known)}" + (f" for io space {record.other}" if record.other else "")


def _lost(record, known):
    return f"{record.badge} record is missing here" if record.badge == 1 else f"{record.badge} records are missing here"


def _use(record, known):
    of = f" of {known.process(record.other)}" if record.other and (record.kind, record.object) != (_PROCESS, record.other) else ""
    return f"called {call_name(record.call)} on {_object(record, known)}{of}"


# By the operation's name in abi/audit.hpp. `none` is no record.
PHRASES = {
    "boot": lambda record, known: f"booted; random bytes {record.text.hex()}",
    "lost": _lost,
    "create": _create,
    "mint": lambda record, known: f"made a capability for {_capability(record, known)}",
    "grant": lambda record, known: f"granted to {known.process(record.other)}: {_capability(record, known)}",
    "transfer": lambda record, known: f"sent to {known.process(record.other)}: {_capability(record, known)}",
    "revoke": lambda record, known: f"revoked all capabilities under lease {record.object}",
    "execute": lambda record, known: f"made memory {record.object} executable in space {record.other} at {record.badge:#x}",
    "kill": lambda record, known: f"killed {_object(record, known)}",
    "end": _end,
    "denial": _denial,
    "unbind": lambda record, known: f"gave up {_object(record, known)}",
    "bind": _bind,
    "destroy": lambda record, known: f"destroyed quota {record.object} with all that was charged to it",
    "name": lambda record, known: f"named {_kind(record.kind)} {record.object} {_quoted(printable(record.text))}",
    "use": _use,
    "take_back": lambda record, known: f"did not come about: to {known.process(record.other)} {_capability(record, known)}",
    "launch": lambda record, known: f"launched {known.process(record.object)} by the record with SHA-256 {record.text.hex()}",
}


def what(record, known):
    """What was done, on what, as words."""
    phrase = PHRASES.get(_operation(record))
    return phrase(record, known) if phrase else f"{_operation(record)} {_object(record, known)}"


def wall_clock(record, clock):
    """Nanoseconds since 1970; None where it is not known or cannot be."""
    if clock is None:
        return None
    value = clock.realtime - clock.monotonic + record.time
    # Two numbers of 64 bits lead to the year 3139 at most.
    return value if value >= 0 else None


def time(record, clock):
    """Wall clock (UTC) where it is known, else seconds since the boot."""
    nanoseconds = wall_clock(record, clock)
    if nanoseconds is None:
        return f"{record.time // 1_000_000_000:8}.{record.time // 1000 % 1_000_000:06}"
    moment = datetime.datetime.fromtimestamp(nanoseconds // 1_000_000_000, datetime.timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{nanoseconds // 1000 % 1_000_000:06}Z"


def line(record, known, clock):
    return f"{time(record, clock)}  {known.process(record.process):32}  {what(record, known)}"


def fields(record, known, clock):
    """For JSON: numbers as they are in the record, names beside them, nothing that the operation does not speak of. 64-bit numbers stay numbers."""
    operation = _operation(record)
    row = {"time": record.time, "realtime": wall_clock(record, clock), "cpu": record.cpu, "operation": operation, "process": record.process, "process_name": known.get(record.process),
           "kind": _kind(record.kind), "object": record.object, "object_name": known.get(record.object)}
    if operation == "name":
        row["text"] = printable(record.text)
    elif operation in ("boot", "launch"):
        row["text"] = record.text.hex()
    elif operation == "denial":
        row |= {"call": call_name(record.call), "error": error_name(record.error), "count": record.badge}
    elif operation == "lost":
        row["count"] = record.badge
    elif operation == "end":
        row |= {"reason": names.END_REASONS.get(record.error, f"reason {record.error}"), "status": record.badge}
    elif operation == "execute":
        row |= {"other": record.other, "place": record.badge}
    elif operation == "use":
        row |= {"call": call_name(record.call), "other": record.other}
    elif operation in ("mint", "grant", "transfer", "take_back"):
        row |= {"other": record.other, "rights": names.rights(record.rights), "badge": record.badge, "lease": record.lease}
    else:
        row["other"] = record.other
    row["words"] = what(record, known)
    return row


def of_log(log):
    """(sequence, number, record, Names at that point) of all records, whether they hold or not."""
    batches = [log.batches[at:at + layout.BATCH_BYTES] for at in range(0, len(log.batches) // layout.BATCH_BYTES * layout.BATCH_BYTES, layout.BATCH_BYTES)]
    known = Names(record for batch in batches for record in layout.records(batch))
    for batch in batches:
        for number, record in enumerate(layout.records(batch), 1):
            known.pass_by(record)
            yield layout.header(batch).sequence, number, record, known
