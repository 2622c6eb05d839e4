import json
import random
import unittest

from audit_log import describe, logfile, names, testing
from audit_log.testing import record

HOSTILE = b'a"\x1b[31m\n\x80\xff (process 1)'


class Describe(unittest.TestCase):
    def setUp(self):
        self.records = [record("name", kind="process", object=7, text=b"runtime"), record("name", kind="process", object=9, text=HOSTILE)]
        self.known = describe.Names(self.records)

    def what(self, *arguments, **fields):
        return describe.what(record(*arguments, **fields), self.known)

    def test_every_operation_has_words(self):
        self.assertEqual(set(describe.PHRASES), set(names.OPERATIONS.values()) - {"none"})

    def test_words(self):
        for expected, made in (
                ("created memory 5, charged to quota 2", record("create", object=5, kind="memory", other=2)),
                ("made a capability for endpoint 5 with read, send, badge 0x11", record("mint", object=5, kind="endpoint", rights=0x88, badge=0x11)),
                ('granted to "runtime" (process 7): memory 5 with read, write, under lease 4', record("grant", object=5, kind="memory", other=7, rights=0x18, lease=4)),
                ("sent to process 8: audit log 5 with no rights", record("transfer", object=5, kind="audit_log", other=8)),
                ("revoked all capabilities under lease 4", record("revoke", object=4, kind="lease")),
                ("made memory 5 executable in space 6 at 0x7f0000001000", record("execute", object=5, kind="memory", other=6, badge=0x7f0000001000)),
                ('killed "runtime" (process 7)', record("kill", object=7, kind="process")),
                ('"runtime" (process 7) ended: bad entry, status 3', record("end", object=7, kind="process", error=5, badge=3)),
                ("was refused process_grant: missing_right, 12 times", record("denial", call=13, error=3, badge=12)),
                ("was refused process_grant: missing_right", record("denial", call=13, error=3, badge=1)),
                ("gave up irq 5", record("unbind", object=5, kind="irq")),
                ("took io port 5", record("bind", object=5, kind="io_port")),
                ("took memory 5 for io space 6", record("bind", object=5, kind="memory", other=6)),
                ("destroyed quota 2 with all that was charged to it", record("destroy", object=2, kind="quota")),
                ('named process 7 "runtime"', self.records[0]),
                ('launched "runtime" (process 7) by the record with SHA-256 ' + "ab" * 32, record("launch", object=7, kind="process", text=b"\xab" * 32)),
                ("booted; random bytes " + "cd" * 32, record("boot", text=b"\xcd" * 32)),
                ("called process_grant on memory 5 of process 8", record("use", call=13, object=5, kind="memory", other=8)),
                ('called process_grant on "runtime" (process 7)', record("use", call=13, object=7, kind="process", other=7)),
                ("called process_grant on quota 2", record("use", call=13, object=2, kind="quota")),
                ("did not come about: to process 8 memory 5 with read", record("take_back", object=5, kind="memory", other=8, rights=0x8)),
                ("31 records are missing here", record("lost", badge=31))):
            self.assertEqual(describe.what(made, self.known), expected)

    def test_numbers_without_a_name_stay_numbers(self):
        self.assertEqual(self.what("denial", call=9999, error=77, badge=2), "was refused call 9999: error 77, 2 times")
        self.assertEqual(describe.what(record("create", object=5)._replace(kind=300), self.known), "created kind 300 5")
        self.assertEqual(describe.what(record("create", object=5)._replace(operation=300), self.known), "operation 300 object 5")
        self.assertEqual(self.what("end", object=5, kind="process", error=99), "process 5 ended: reason 99, status 0")

    def test_hostile_texts_are_harmless(self):
        cleaned = "a??[31m??? (process 1)"
        self.assertEqual(self.known.process(9), f'"{cleaned}" (process 9)')
        self.assertEqual(describe.what(self.records[1], self.known), f'named process 9 "{cleaned}"')
        chance = random.Random(1)
        for number in range(300):
            made = record("name", object=number, kind="process", process=number, text=chance.randbytes(32))
            known = describe.Names([made])
            for text in (describe.line(made, known, None), json.dumps(describe.fields(made, known, None), ensure_ascii=False)):
                self.assertTrue(text.isascii() and text.isprintable(), text)

    def test_names_hold_from_their_record_on(self):
        log = testing.log(testing.chain([[record("create", process=7), record("name", object=7, text=b"first"), record("create", process=7), record("name", object=7, text=b"second"),
                                          record("create", process=7), record("create", process=0), record("create", process=3)]]))
        self.assertEqual([known.process(made.process) for _, _, made, known in describe.of_log(log) if made.operation == testing.OPERATION["create"]],
                         ['"first" (process 7)', '"first" (process 7)', '"second" (process 7)', "kernel", "process 3"])

    def test_times(self):
        made = record("create", time=12_345_678_901)
        self.assertEqual(describe.time(made, None), "      12.345678")
        self.assertEqual(describe.time(made, testing.CLOCK), "2023-11-14 22:13:27.345678Z")
        most = (1 << 64) - 1
        self.assertEqual(describe.time(record("create", time=most), logfile.Clock(most, 0)), "3139-02-09 23:09:07.419103Z")
        # What would be before 1970 is told since the boot.
        self.assertEqual(describe.time(made, logfile.Clock(0, 13_000_000_000)), "      12.345678")

    def test_any_log_can_be_shown(self):
        for seed in range(20):
            body = random.Random(seed).randbytes(3 * 4096 + 17)
            log = testing.log([body], logfile.NO_HEAD)
            for _, _, made, known in describe.of_log(log):
                self.assertTrue(describe.line(made, known, log.clock).isprintable())
                json.dumps(describe.fields(made, known, log.clock))
        for _, _, made, known in describe.of_log(testing.log(testing.batches_of(4, 400))):
            self.assertTrue(describe.line(made, known, None).isprintable())


if __name__ == "__main__":
    unittest.main()
