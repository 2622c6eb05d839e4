import unittest

from audit_log import layout, locate, logfile, testing, verify
from audit_log.layout import BATCH_BYTES, HEADER_BYTES, RECORD_BYTES
from audit_log.testing import again, chain, file, head, record, seal, with_record

GROUPS = [[record("create", time=1000 * batch + number, cpu=number % 2, process=3, object=10 * batch + number, kind="memory", other=1) for number in range(5)] for batch in range(8)]
BATCHES = chain(GROUPS)


class Verify(unittest.TestCase):
    def told(self, data, kind, pattern, held, head=None, batch=None, record=None):
        data = data if isinstance(data, bytes) else file(data, testing.head(BATCHES))
        report = verify.verify_file(data, head)
        self.assertIsNotNone(report.defect)
        self.assertEqual((report.defect.kind, report.held), (kind, held), report)
        self.assertRegex(report.defect.text, pattern)
        if batch is not None:
            self.assertEqual((report.defect.batch, report.defect.record), (batch, record))
        return report

    def refined(self, batches, pattern, record):
        log = testing.log(batches, head(BATCHES))
        defect = locate.refine(log, verify.verify(log).defect)
        self.assertRegex(defect.text, pattern)
        self.assertEqual(defect.record, record)

    def changed(self, index, batch):
        return [*BATCHES[:index], batch, *BATCHES[index + 1:]]

    def byte(self, index, offset, value):
        return self.changed(index, BATCHES[index][:offset] + bytes([value]) + BATCHES[index][offset + 1:])

    def made_anew(self, batch, index=None):
        """What is impossible in a batch, with all digests right."""
        batches = again(self.changed(3, batch))
        self.told(file(batches), "impossible", "batch 4: " + (f"record {index}: " if index else ""), 3, batch=4, record=index)
        return verify.verify_file(file(batches)).defect.text

    def test_holds(self):
        report = verify.verify_file(file(BATCHES))
        self.assertEqual(report, verify.Report(None, 8, 8, 40, 1, 8, testing.BOOT, head(BATCHES)))

    def test_nothing_holds_too(self):
        self.assertEqual(verify.verify_file(file([])), verify.Report(None, 0, 0, 0, None, None, None, None))
        self.assertIsNone(verify.verify_file(file([]), logfile.NO_HEAD).defect)
        self.told(file([]), "behind", "the log has no batch and the head that was given is 8", 0, head(BATCHES))
        self.told([], "behind", "the log has no batch and the log's own head is 8", 0)

    def test_a_batch_that_was_changed(self):
        self.told(self.byte(4, 153, 0xff), "changed", "batch 5 was changed", 4, batch=5)
        self.told(self.byte(0, 153, 0xff), "changed", "batch 1 was changed", 0, batch=1)
        self.told(self.byte(7, 153, 0xff), "changed", "batch 8 was changed", 7, batch=8)

    def test_the_first_of_several_is_told(self):
        twice = self.byte(4, 153, 0xff)
        twice[2] = twice[2][:153] + b"\xff" + twice[2][154:]
        self.told(twice, "changed", "batch 3 was changed", 2, batch=3)

    def test_says_which_record(self):
        at = HEADER_BYTES + 2 * RECORD_BYTES
        self.told(self.byte(4, at + 8, 0xee), "changed", r"batch 5 .*record 3: there is no operation 238", 4, batch=5, record=3)
        self.refined(self.byte(4, at + 24, 0xee), "record 3 was changed in its byte 24: it was 0x2a and is 0xee", 3)
        self.refined(self.byte(7, at + 24, 0xee), "record 3 was changed", 3)
        self.refined(self.byte(4, 9, 1), "its field `sequence` was changed: byte 9 was 0x00 and is 0x01", None)
        self.refined(self.byte(4, 100, BATCHES[4][100] ^ 1), "the field `digest` itself was changed", None)
        self.refined(self.byte(7, 100, BATCHES[7][100] ^ 1), "the field `digest` itself was changed", None)
        # The batch behind knows the digest all the same.
        changed = self.byte(4, at + 24, 0xee)[4]
        self.refined(self.changed(4, changed[:100] + bytes([changed[100] ^ 1]) + changed[101:]), "record 3 was changed", 3)
        both = with_record(with_record(BATCHES[4], 1, GROUPS[4][4].pack()), 4, GROUPS[4][1].pack())
        self.refined(self.changed(4, both), "its records 2 and 5 were exchanged", 2)
        self.refined(self.changed(4, with_record(BATCHES[4], 1, GROUPS[4][1]._replace(object=0x777, other=9).pack())), "in which of its records cannot be told", None)

    def test_what_the_kernel_does_not_write(self):
        batch, first = BATCHES[3], GROUPS[3][0]
        self.assertIn("time is before that of an earlier record of CPU 0", self.made_anew(with_record(batch, 2, GROUPS[3][2]._replace(time=2999).pack()), 3))
        self.assertIn("no operation 99", self.made_anew(with_record(batch, 0, first._replace(operation=99).pack()), 1))
        self.assertIn("no operation 0", self.made_anew(with_record(batch, 4, bytes(RECORD_BYTES)), 5))
        self.assertIn("other than zeros behind its 5 records", self.made_anew(with_record(batch, 6, b"\1" + bytes(63)), 7))
        self.assertIn("has 0 records", self.made_anew(batch[:4] + bytes(4) + batch[8:]))
        self.assertIn("has 63 records", self.made_anew(batch[:4] + b"\x3f\0\0\0" + batch[8:]))
        self.assertIn("reserved", self.made_anew(batch[:40] + b"\1" + batch[41:]))
        self.assertIn("first word", self.made_anew(b"X" + batch[1:]))

    def test_times_of_several_cpus_may_be_mixed(self):
        mixed = chain([[record("create", time=9, cpu=0), record("create", time=5, cpu=1), record("create", time=9, cpu=0)]])
        self.assertIsNone(verify.verify_file(file(mixed)).defect)
        self.told(file(chain([[record("create", time=9)], [record("create", time=8)]])), "impossible", "batch 2: record 1: its time", 1)

    def test_removed(self):
        self.told(BATCHES[:3] + BATCHES[4:], "removed", "batch 4 was removed: batch 3 is followed by batch 5", 3, batch=4)
        self.told(BATCHES[:3] + BATCHES[6:], "removed", "batches 4 to 6 were removed", 3, batch=4)

    def test_cut_at_the_end(self):
        self.told(BATCHES[:5], "behind", "ends at batch 5 and the log's own head is 8: the log was cut", 5, batch=6)
        self.told(file(BATCHES)[:-100], "cut", "3996 bytes of no whole batch: batch 8 was cut", 7, batch=8)
        self.told(file(BATCHES) + b"x", "cut", "1 byte of no whole batch", 8)

    def test_cut_and_grown_in_the_middle(self):
        data = b"".join(BATCHES)
        start = len(file(BATCHES)) - len(data)

        def at(place):
            return start + 3 * BATCH_BYTES + place
        whole = file(BATCHES)
        self.told(whole[:at(700)] + whole[at(800):], "cut", "missing from batch 4 on: 100 bytes; batch 5 is whole again", 3, batch=4)
        self.told(whole[:at(700)] + whole[at(700 + 5000):], "cut", "missing from batch 4 on: 5000 bytes; batch 6 is whole again", 3, batch=4)
        self.told(whole[:at(700)] + b"abc" + whole[at(700):], "surplus", "too many from batch 4 on: 3 bytes; batch 5", 3, batch=4)
        self.told(whole[:-3000] + b"x" + whole[-3000:], "cut", "batch 8 was cut, grown or changed", 7)

    def test_reordered(self):
        self.told([*BATCHES[:2], BATCHES[4], BATCHES[3], BATCHES[2], *BATCHES[5:]], "reordered", "batch 5 stands where batch 3 should be", 2, batch=3)
        self.told([BATCHES[4], *BATCHES[1:4], BATCHES[0], *BATCHES[5:]], "reordered", "batch 5 stands at the begin, and batch 2 behind it", 0, batch=5)

    def test_doubled(self):
        self.told([*BATCHES[:4], BATCHES[3], *BATCHES[4:]], "doubled", "batch 4 is there a second time, where batch 5 should be", 4, batch=4)
        self.told([*BATCHES, BATCHES[3]], "doubled", "batch 4 is there a second time, where batch 9", 8, batch=4)

    def test_two_boots(self):
        other = chain(GROUPS, boot=5)
        self.told(file(BATCHES[:4] + other), "joined", "batch 1 is of another boot than batch 4", 4, batch=1)
        self.told(file(BATCHES[:4] + other[4:]), "joined", "batch 5 is of another boot", 4, batch=5)

    def test_made_anew(self):
        changed = with_record(BATCHES[3], 0, GROUPS[3][0]._replace(object=99).pack())
        self.told(self.changed(3, again([changed])[0]), "replaced", "batch 5 does not follow this batch 4", 3, batch=4)
        anew = again(self.changed(3, changed))
        self.assertIsNone(verify.verify_file(file(anew)).defect)
        self.told(file(anew), "replaced", "batch 8 is not the one that the head that was given names", 7, head(BATCHES), batch=8)
        self.told(file(anew), "replaced", "batch 5 is not the one that", 4, head(BATCHES[:5]), batch=5)
        self.told(anew, "replaced", "the log's own head", 7)

    def test_heads_from_elsewhere(self):
        for count in range(1, 9):
            self.assertIsNone(verify.verify_file(file(BATCHES), head(BATCHES[:count])).defect)
        self.told(file(BATCHES[:5]), "behind", "ends at batch 5 and the head that was given is 8: the log was cut at its end, or is an older state", 5, head(BATCHES), batch=6)
        self.told(file(BATCHES, head(BATCHES[:6])), "beyond", "goes on to batch 8, behind its own head, 6", 8)

    def test_a_log_that_begins_later(self):
        later = file(BATCHES[3:])
        report = verify.verify_file(later, head(BATCHES[:6]))
        self.assertEqual((report.defect, report.first, report.held), (None, 4, 5))
        self.assertIsNone(verify.verify_file(later, logfile.NO_HEAD).defect)
        # The first batch names the one before it.
        self.assertIsNone(verify.verify_file(later, head(BATCHES[:3])).defect)
        self.told(later, "replaced", "batch 3 is not the one", 0, logfile.Head(3, bytes([7] * 32)), batch=3)
        self.told(later, "not_kept", "head that was given is 2 and the log begins at batch 4", 5, head(BATCHES[:2]))

    def test_the_first_batch(self):
        for first, previous in ((1, bytes([1] * 32)), (4, bytes(32)), (0, bytes(32)), (0, bytes([1] * 32))):
            self.told(file(chain(GROUPS, first=first, previous=previous)), "impossible", "zeros in batch 1 and in no other", 0)

    def test_any_bytes_are_judged(self):
        for data in (b"", b"THEMELIOS-AUDIT 2\n", bytes(5000)):
            self.told(data, "preface", "first line", 0)
        for body in (bytes(BATCH_BYTES), b"\xff" * (3 * BATCH_BYTES), b"AUD1" * 3000, b"AUD1", bytes(BATCH_BYTES - 1)):
            self.assertIsNotNone(verify.verify(logfile.LogFile(logfile.NO_HEAD, None, body)).defect)
        largest = seal([record("create")], (1 << 64) - 1, bytes([1] * 32))
        self.assertIsNone(verify.verify_file(file([largest])).defect)
        self.assertIsNotNone(verify.verify_file(file([largest, largest])).defect)


if __name__ == "__main__":
    unittest.main()
