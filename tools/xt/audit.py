"""Exports the node's audit log, verifies an exported one, and shows its records.

./xt audit export FILE           the records that the node keeps, into a file
./xt audit verify FILE           whether nothing in it was changed, left out, doubled or moved
./xt audit show [FILE]           its records in words; without FILE, the node's own
"""

import argparse
import json
import os
import sys
import time

from audit_log import describe, locate, logfile, verify

from . import api, node
from .shell import Failure

VERIFY = """Reads FILE alone; no node is needed. Ends with 0 where the log holds, with 1 where it does not; the first defect is told, and how many batches hold before it.

What a log says of itself proves that it was not damaged, nor changed by somebody who overlooked something. Whoever can make all its digests anew, and the file's own head, can
write any log: that is found only by a head from elsewhere, --head. Every reply of the node's API has the one of that moment, `Themelios-Audit-Head: SEQUENCE:HEX`: keep one
where the log's keeper cannot change it. An older one must be of a batch in the log, or of the one just before; one from before that is no proof, and so ends with 1. A newer one
means that the log was cut at its end, or is an older state of it. Sequences begin anew with each boot: a head is good for the log of its own boot.

The line `clock` in FILE, by which records are shown in wall-clock time, is the word of whoever exported it."""

# Ample: the node keeps far less.
_LARGEST = 1 << 28


def _head(text):
    try:
        return logfile.parse_head(text)
    except logfile.FormatError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add(parser):
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name, text, description, function):
        own = verbs.add_parser(name, help=text, description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        own.set_defaults(function=function)
        return own

    export = verb("export", "write the node's log into a file", "Writes what the running node keeps of its log into FILE, whole or not at all, readable for its owner alone; and verifies it.", _export)
    export.add_argument("file", metavar="FILE")
    check = verb("verify", "tell whether a log holds", VERIFY, _verify)
    check.add_argument("file", metavar="FILE")
    check.add_argument("--head", type=_head, metavar="SEQUENCE:HEX", help="one that is known from elsewhere")
    show = verb("show", "show the records in words", "One line a record: when, who, what. Bytes of names that are not printable are shown as `?`.\n"
                "A log that does not hold is shown as it stands, with a warning, and ends with 1.", _show)
    show.add_argument("file", metavar="FILE", nargs="?", help="an exported log (default: the running node's)")
    for own in (export, check, show):
        own.add_argument("--json", action="store_true", help="as JSON")


def fetch(port):
    """The log that the node with its API at `port` keeps, as a LogFile."""
    answer = api.request(port, "/themelios/audit", timeout=100, limit=_LARGEST)
    if answer is None:
        raise Failure(f"no node on 127.0.0.1:{port} gives a whole answer to GET /themelios/audit")
    status, headers, body = answer
    if status != 200:
        raise Failure(f"GET /themelios/audit gave {status}: {describe.printable(body[:200])}")
    if len(body) > _LARGEST:
        raise Failure("the node's log is larger than a log can be")
    # The one of the reply that has the log: of a later reply, the log need not have it yet.
    try:
        head = logfile.parse_head(headers.get("Themelios-Audit-Head", ""))
    except logfile.FormatError as error:
        raise Failure(f"the node's reply has no Themelios-Audit-Head that can be read: {error}") from None
    return logfile.LogFile(head, _clock(port), body)


def _clock(port):
    """The node tells its monotonic clock alone; UTC is this machine's, as the answer came. None where it does not tell it."""
    try:
        monotonic = api.get_json(port, "/themelios/node", timeout=100).get("monotonic_nanoseconds")
    except (Failure, AttributeError):
        return None
    now = time.time_ns()
    return logfile.Clock(now, monotonic) if type(monotonic) is int and 0 <= monotonic < 1 << 64 else None


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


def _as_json(report):
    defect = report.defect
    return {"holds": defect is None, "defect": defect and {"kind": defect.kind, "text": defect.text, "batch": defect.batch, "record": defect.record}, "batches": report.batches,
            "batches_that_hold": report.held, "records_that_hold": report.records, "first": report.first, "last": report.last,
            "boot": None if report.boot is None else f"{report.boot:016x}", "head": report.head and str(report.head)}


def _held(report):
    """What holds, as words; a log may begin later than the boot."""
    words = f"{verify.plural(report.records, 'record')} in {verify.plural(report.held, 'batch')}"
    if report.first is not None and report.first > 1:
        words += f"; it begins at batch {report.first}: what was before is not kept"
    return words


def _print_report(path, report, with_head):
    if report.defect is not None:
        print(f"{path}: does NOT hold: {report.defect.text}")
        print(f"before that hold {_held(report)}")
        return
    print(f"{path}: holds: {_held(report)}")
    print(f"head {report.head or logfile.NO_HEAD}" + ("" if with_head else "; verified by the file's own head alone (--head)"))


def _verify(arguments):
    data = _read(arguments.file)
    report = verify.verify_file(data, arguments.head)
    if report.defect is not None and report.defect.kind == "changed":
        report = report._replace(defect=locate.refine(logfile.parse(data), report.defect))
    if arguments.json:
        print(json.dumps(_as_json(report), indent=2))
    else:
        _print_report(arguments.file, report, arguments.head is not None)
    return 0 if report.defect is None else 1


def _export(arguments):
    log = fetch(node.need_running()["api"])
    try:
        logfile.write(arguments.file, log)
    except OSError as error:
        raise Failure(f"{arguments.file}: {error.strerror}") from None
    report = verify.verify(log)
    if arguments.json:
        print(json.dumps(_as_json(report), indent=2))
    else:
        # The head came with the log and not from elsewhere, but straight from the node.
        _print_report(arguments.file, report, True)
    return 0 if report.defect is None else 1


def _show(arguments):
    if arguments.file is None:
        log = fetch(node.need_running()["api"])
    else:
        try:
            log = logfile.parse(_read(arguments.file))
        except logfile.FormatError as error:
            raise Failure(f"{arguments.file}: {error}") from None
    report = verify.verify(log)
    try:
        if arguments.json:
            rows = [{"batch": sequence, "record": number, **describe.fields(record, known, log.clock)} for sequence, number, record, known in describe.of_log(log)]
            print(json.dumps({"log": _as_json(report), "records": rows}, indent=2))
        else:
            if report.first is not None and report.first > 1:
                print(f"(begins at batch {report.first}: what was before is not kept)")
            for _, _, record, known in describe.of_log(log):
                print(describe.line(record, known, log.clock))
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has seen enough. Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if report.defect is not None:
        print(f"xt: this log does NOT hold: {report.defect.text}; above, it is as it stands ({verify.plural(report.held, 'batch')} hold)", file=sys.stderr)
        return 1
    return 0


def run(arguments):
    return arguments.function(arguments)
