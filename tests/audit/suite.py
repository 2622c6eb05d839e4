"""The audit log of a node: it verifies, also under load and up to a crash, tells what each container was given, and agrees with the heads of the API's answers."""

import concurrent.futures
import http.client
import os
import tempfile
import threading

from audit_log import describe, logfile, verify
from xt import audit, docker

# Records made while the log is fetched again and again, and nodes that are ended in the middle of it.
RECORDS, ALL_RECORDS = 800, 10_000
CRASHES, ALL_CRASHES = 1, 10


def _run(context, *words):
    done = context.docker("run", "--rm", "busybox", *words)
    assert done.returncode == 0, done.stderr


def _verified(log, head=None):
    report = verify.verify(log, head)
    assert report.defect is None, report.defect.text
    return report


def _head_of_an_answer(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    try:
        connection.request("GET", "/_ping")
        answer = connection.getresponse()
        answer.read()
        return logfile.parse_head(answer.headers["Themelios-Audit-Head"])
    finally:
        connection.close()


def _rows(log, after):
    return [describe.fields(record, known, log.clock) for sequence, _, record, known in describe.of_log(log) if sequence > after]


def _tells_of_containers(context):
    before = _verified(audit.fetch(context.api()))
    _run(context, "true")
    log = audit.fetch(context.api())
    assert _verified(log).boot == before.boot
    rows = _rows(log, before.last)
    sandboxes = {row["object"]: row["object_name"] for row in rows if row["operation"] == "name"}
    assert len(sandboxes) == 1, f"one container is {sandboxes}"
    number = next(iter(sandboxes))
    about = [row for row in rows if number in (row["object"], row.get("other"), row["process"])]
    got = {row["operation"] for row in about}
    assert {"create", "grant", "name", "launch", "end"} <= got, f"of a container the log has {sorted(got)} alone"
    grants = [row for row in about if row["operation"] == "grant"]
    assert all(row["process_name"] == "runtime" and row["other"] == number for row in grants) and len(grants) >= 5, [row["words"] for row in grants]
    order = [row["operation"] for row in about]
    assert order.index("launch") < order.index("end") and order.index("create") < order.index("launch")
    assert not [row for row in rows if row["operation"] == "lost"]


def _tells_of_programs(context):
    rows = _rows(audit.fetch(context.api()), 0)
    names = {row["object_name"] for row in rows if row["operation"] == "name"}
    assert {"log", "pci", "switch", "runtime", "store"} <= names, names
    # Code that native programs execute, and devices that drivers take.
    assert {"boot", "execute", "bind", "transfer"} <= {row["operation"] for row in rows}


def _agrees_with_heads(context):
    heads = []
    for _ in range(3):
        # What was recorded in the last seconds is in no head, but for what an export takes.
        _run(context, "true")
        audit.fetch(context.api())
        heads.append(_head_of_an_answer(context.api()))
    _run(context, "true")
    log = audit.fetch(context.api())
    for head in heads:
        _verified(log, head)
    assert heads[0].sequence < heads[1].sequence < heads[2].sequence < log.head.sequence
    other = heads[1]._replace(digest=heads[0].digest)
    assert verify.verify(log, other).defect is not None, "a head of another log is none of this one"


def _is_kept_in_a_file(context):
    log = audit.fetch(context.api())
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        logfile.write(path, log)
        with open(path, "rb") as file:
            data = file.read()
    assert verify.verify_file(data).defect is None
    for place in range(len(data) - 4096, len(data), 512):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]
        assert verify.verify_file(changed).defect is not None, f"a bit at {place}"


def _holds_under_load(context):
    """Containers come and go on four connections, while the log is fetched again and again: each one holds, goes on from the one before, and no record is missing."""
    wanted = ALL_RECORDS if context.full else RECORDS
    log = audit.fetch(context.api())
    first = last = _verified(log).last
    records = 0
    with concurrent.futures.ThreadPoolExecutor(4) as runners:
        while records < wanted:
            starts = [runners.submit(_run, context, "true") for _ in range(8)]
            while True:
                _, open_ones = concurrent.futures.wait(starts, timeout=1)
                before, log = log.head, audit.fetch(context.api())
                _verified(log, before)
                new = [(sequence, describe.fields(record, known, log.clock)["operation"]) for sequence, _, record, known in describe.of_log(log) if sequence > last]
                assert not new or new[0][0] == last + 1, f"the log goes on with batch {new[0][0]} after {last}"
                assert "lost" not in [operation for _, operation in new]
                records += len(new)
                last = log.head.sequence
                if not open_ones:
                    break
            for start in starts:
                start.result()
    print(f"{records} records in {last - first} batches under load")


def _holds_up_to_a_crash(context):
    """A node is ended while its log is fetched and containers start: the last log that came whole holds, and has all that answers told of before it was asked for."""
    for index in range(ALL_CRASHES if context.full else CRASHES):
        fetched, told, enough = [], [], threading.Event()
        with context.own_node(f"audit-crash-{index}") as port:
            def fetch():
                try:
                    while True:
                        head = _head_of_an_answer(port)
                        fetched.append(audit.fetch(port))
                        told.append(head)
                        if len(told) == 3 + index:
                            enough.set()
                except Exception:
                    enough.set() # the node is gone

            def load():
                while docker.capture(port, ["run", "--rm", "busybox", "true"], timeout=900).returncode == 0:
                    pass

            threads = [threading.Thread(target=fetch), threading.Thread(target=load)]
            for thread in threads:
                thread.start()
            enough.wait()
        for thread in threads:
            thread.join()
        assert len(told) >= 3 + index
        _verified(fetched[-1], told[-1])


def cases(context):
    yield "verifies and tells of containers", lambda: _tells_of_containers(context)
    yield "tells of programs", lambda: _tells_of_programs(context)
    yield "agrees with the heads", lambda: _agrees_with_heads(context)
    yield "file", lambda: _is_kept_in_a_file(context)
    yield "under load", lambda: _holds_under_load(context)
    yield "up to a crash", lambda: _holds_up_to_a_crash(context)
