"""A thousand seeded alterations of a log of 10,000 records: each one is found."""

import random
import unittest

from audit_log import layout, logfile, testing, verify
from audit_log.layout import BATCH_BYTES, HEADER_BYTES, RECORD_BYTES

RECORDS = 10_000
BATCHES = testing.batches_of(1, RECORDS)
OTHER = testing.batches_of(2, RECORDS, boot=testing.BOOT + 1)
# The same boot by its number, and other records.
TWIN = testing.batches_of(3, RECORDS)
FILE = testing.file(BATCHES)
HEAD = testing.head(BATCHES)
PREFACE = len(FILE) - len(BATCHES) * BATCH_BYTES


def _flip(chance, low, high):
    at = chance.randrange(low, high)
    return FILE[:at] + bytes([FILE[at] ^ 1 << chance.randrange(8)]) + FILE[at + 1:]


def _count(batch):
    return layout.header(batch).count


def _records(batch):
    return [batch[HEADER_BYTES + index * RECORD_BYTES:HEADER_BYTES + (index + 1) * RECORD_BYTES] for index in range(_count(batch))]


def _with_records(batch, records):
    """Its header as it was but for the count."""
    return (batch[:4] + len(records).to_bytes(4, "little") + batch[8:HEADER_BYTES] + b"".join(records)).ljust(BATCH_BYTES, b"\0")


def _replace(index, batch):
    return [*BATCHES[:index], batch, *BATCHES[index + 1:]]


def _any_batch(chance, least=2):
    """The place of a batch with at least so many records."""
    while _count(BATCHES[index := chance.randrange(len(BATCHES))]) < least:
        pass
    return index


# Each gives the bytes of the altered file, and the head from elsewhere or None.

def flip_anywhere(chance):
    return _flip(chance, 0, len(FILE)), None


def flip_in_the_preface(chance):
    return _flip(chance, 0, PREFACE), None


def flip_in_a_header(chance):
    at = PREFACE + chance.randrange(len(BATCHES)) * BATCH_BYTES
    return _flip(chance, at, at + HEADER_BYTES), None


def cut_batches_at_the_end(chance):
    return testing.file(BATCHES[:chance.randrange(len(BATCHES))], HEAD), None


def cut_bytes_at_the_end(chance):
    return FILE[:chance.randrange(len(FILE))], None


def cut_bytes_in_the_middle(chance):
    begin = chance.randrange(len(FILE) - 1)
    return FILE[:begin] + FILE[chance.randrange(begin + 1, len(FILE)):], None


def insert_bytes(chance):
    at = chance.randrange(len(FILE) + 1)
    return FILE[:at] + chance.randbytes(chance.randrange(1, 2 * BATCH_BYTES)) + FILE[at:], None


def remove_batches(chance):
    # From the second one on: without the first ones it would be a log that begins later.
    begin = chance.randrange(1, len(BATCHES))
    return testing.file(BATCHES[:begin] + BATCHES[begin + chance.randrange(1, 4):], HEAD), None


def exchange_batches(chance):
    first, second = chance.sample(range(len(BATCHES)), 2)
    batches = list(BATCHES)
    batches[first], batches[second] = batches[second], batches[first]
    return testing.file(batches, HEAD), None


def double_a_batch(chance):
    source = chance.randrange(len(BATCHES))
    place = chance.choice([source, chance.randrange(len(BATCHES))])
    return testing.file(BATCHES[:place + 1] + [BATCHES[source]] + BATCHES[place + 1:], HEAD), None


def exchange_records(chance):
    index = _any_batch(chance)
    records = _records(BATCHES[index])
    first, second = chance.sample(range(len(records)), 2)
    records[first], records[second] = records[second], records[first]
    return testing.file(_replace(index, _with_records(BATCHES[index], records))), None


def exchange_records_of_two_batches(chance):
    first, second = chance.sample(range(len(BATCHES)), 2)
    here, there = chance.randrange(_count(BATCHES[first])), chance.randrange(_count(BATCHES[second]))
    batches = list(BATCHES)
    batches[first] = testing.with_record(BATCHES[first], here, _records(BATCHES[second])[there])
    batches[second] = testing.with_record(BATCHES[second], there, _records(BATCHES[first])[here])
    return testing.file(batches, HEAD), None


def remove_a_record(chance):
    index = _any_batch(chance)
    records = _records(BATCHES[index])
    records.pop(chance.randrange(len(records)))
    return testing.file(_replace(index, _with_records(BATCHES[index], records)), HEAD), None


def double_a_record(chance):
    index = _any_batch(chance)
    records = _records(BATCHES[index])
    at = chance.randrange(len(records) - 1)
    return testing.file(_replace(index, _with_records(BATCHES[index], [*records[:at + 1], records[at], *records[at + 1:]][:62])), HEAD), None


def replay(chance):
    """An older state, whole, with its own head; the newest head is known."""
    return testing.file(BATCHES[:chance.randrange(len(BATCHES))]), HEAD


def join_two_boots(chance):
    at = chance.randrange(1, len(BATCHES))
    tail = OTHER[at:] if chance.random() < 0.5 else OTHER
    return testing.file(BATCHES[:at] + tail), None


def join_two_logs(chance):
    at = chance.randrange(1, len(BATCHES))
    return testing.file(BATCHES[:at] + TWIN[at:]), None


def _changed_record(chance, index):
    at = chance.randrange(_count(BATCHES[index]))
    record = layout.record(BATCHES[index], at)
    return testing.with_record(BATCHES[index], at, record._replace(object=record.object ^ 1 << chance.randrange(20)).pack())


def make_one_batch_anew(chance):
    """Its digest is right again."""
    index = chance.randrange(len(BATCHES))
    return testing.file(_replace(index, testing.again([_changed_record(chance, index)])[0]), HEAD), None


def make_the_chain_anew(chance):
    """All digests and the file's own head are right again; the newest head, or an older one from behind the change, is known."""
    index = chance.randrange(len(BATCHES))
    known = BATCHES[:chance.randrange(index, len(BATCHES)) + 1]
    return testing.file(testing.again(_replace(index, _changed_record(chance, index)))), testing.head(known)


def change_the_head(chance):
    digest = bytearray(HEAD.digest)
    digest[chance.randrange(32)] ^= 1 << chance.randrange(8)
    sequence = chance.choice([HEAD.sequence, chance.randrange(1, HEAD.sequence), HEAD.sequence + chance.randrange(1, 100)])
    return testing.file(BATCHES, logfile.Head(sequence, bytes(digest) if sequence == HEAD.sequence else HEAD.digest)), None


KINDS = ((flip_anywhere, 250), (flip_in_the_preface, 50), (flip_in_a_header, 50), (cut_batches_at_the_end, 50), (cut_bytes_at_the_end, 50), (cut_bytes_in_the_middle, 50), (insert_bytes, 25),
         (remove_batches, 75), (exchange_batches, 50), (double_a_batch, 50), (exchange_records, 50), (exchange_records_of_two_batches, 25), (remove_a_record, 25), (double_a_record, 25),
         (replay, 50), (join_two_boots, 25), (join_two_logs, 25), (make_one_batch_anew, 25), (make_the_chain_anew, 25), (change_the_head, 25))


class Alterations(unittest.TestCase):
    def test_the_log_itself_holds(self):
        for head in (None, HEAD, testing.head(BATCHES[:5])):
            report = verify.verify_file(FILE, head)
            self.assertIsNone(report.defect)
            self.assertEqual((report.records, report.held, report.batches, report.first, report.head), (RECORDS, len(BATCHES), len(BATCHES), 1, HEAD))

    def test_a_thousand_are_found(self):
        self.assertEqual(sum(count for _, count in KINDS), 1000)
        missed = []
        for number, (alter, count) in enumerate(KINDS):
            found, told = 0, set()
            for seed in range(count):
                data, head = alter(random.Random(number * 1000 + seed))
                self.assertNotEqual(data, FILE, (alter.__name__, seed))
                report = verify.verify_file(data, head)
                if report.defect is None:
                    missed.append((alter.__name__, seed))
                    continue
                found += 1
                told.add(report.defect.kind)
                # Of what is said to hold nothing was altered. A head from elsewhere alone can be older than an alteration.
                held = data[len(data) - len(logfile.parse(data).batches):][:report.held * BATCH_BYTES] if report.held else b""
                if alter is not make_the_chain_anew:
                    self.assertEqual(held, b"".join(BATCHES[:report.held]), (alter.__name__, seed, report))
            print(f"{alter.__name__.replace('_', ' '):34} {count:4} altered, {found:4} found, {count - found} missed; as {', '.join(sorted(told))}", flush=True)
        self.assertEqual(missed, [])

    def test_a_log_that_begins_later_holds_and_says_so(self):
        report = verify.verify_file(testing.file(BATCHES[9:]), HEAD)
        self.assertEqual((report.defect, report.first, report.held), (None, 10, len(BATCHES) - 9))


if __name__ == "__main__":
    unittest.main()
