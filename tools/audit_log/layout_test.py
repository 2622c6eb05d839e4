import os
import subprocess
import unittest

from audit_log import layout

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class Layout(unittest.TestCase):
    def test_is_that_of_the_header(self):
        checks = [f"sizeof(abi::AuditBatch) == {layout.BATCH_BYTES}", f"sizeof(abi::AuditRecord) == {layout.RECORD_BYTES}", f"abi::audit_batch_magic == {layout.MAGIC}",
                  f"abi::audit_batch_records == {layout.BATCH_RECORDS}", f"offsetof(abi::AuditBatch, records) == {layout.HEADER_BYTES}"]
        for structure, fields in (("AuditBatch", layout.BATCH_FIELDS), ("AuditRecord", layout.RECORD_FIELDS)):
            for name, offset, size in fields:
                checks.append(f"offsetof(abi::{structure}, {name}) == {offset} && sizeof(abi::{structure}::{name}) == {size}")
        checks += [f"offsetof(abi::AuditRecord, {name}) == 48" for name in ("place", "count")] + ["offsetof(abi::AuditRecord, text) == 32"]
        source = '#include "abi/audit.hpp"\n' + "".join(f"static_assert({check});\n" for check in checks)
        result = subprocess.run(["clang++-19", "-std=c++23", "-fsyntax-only", "-I", TOP, "-x", "c++", "-"], input=source, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_packs_what_it_reads(self):
        data = bytes(range(256)) * 16
        self.assertEqual(layout.pack_header(layout.header(data)), data[:layout.HEADER_BYTES])
        self.assertEqual(layout.record(data, 3).pack(), data[320:384])
        self.assertEqual(layout.record(data, 3).text, data[352:384])

    def test_every_byte_has_a_field(self):
        self.assertEqual([layout.field_at(at) for at in (0, 96, 127, 128, 128 + 64 * 61 + 63)],
                         [(None, "magic"), (None, "digest"), (None, "digest"), (1, "time"), (62, "lease")])
        for fields, size in ((layout.BATCH_FIELDS, layout.HEADER_BYTES), (layout.RECORD_FIELDS, layout.RECORD_BYTES)):
            self.assertEqual([offset for _, offset, _ in fields], [sum(size for _, _, size in fields[:index]) for index in range(len(fields))])
            self.assertEqual(sum(size for _, _, size in fields), size)


if __name__ == "__main__":
    unittest.main()
