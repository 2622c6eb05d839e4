import os
import tempfile
import unittest

from audit_log import logfile, testing


class Preface(unittest.TestCase):
    def test_gives_back_what_was_packed(self):
        for clock in (testing.CLOCK, None):
            log = logfile.LogFile(logfile.Head(7, bytes(range(32))), clock, b"any bytes\n\n")
            self.assertEqual(logfile.parse(logfile.pack(log)), log)

    def test_has_one_spelling(self):
        data = logfile.pack(logfile.LogFile(logfile.Head(10, b"\xab" * 32), testing.CLOCK, b""))
        for at in range(len(data)):
            for bit in range(8):
                changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]
                with self.assertRaises(logfile.FormatError, msg=(at, bit)):
                    logfile.parse(changed)
        for end in range(len(data)):
            with self.assertRaises(logfile.FormatError):
                logfile.parse(data[:end])

    def test_heads(self):
        text = "5:" + "0a" * 32
        self.assertEqual(str(logfile.parse_head(text)), text)
        self.assertEqual(logfile.parse_head(str(logfile.NO_HEAD)), logfile.NO_HEAD)
        for bad in ("", "5", text[:-1], text + "0", text + "\n", " " + text, "0" + text, "-" + text, text.upper(), "0:" + "0a" * 32, "5:" + "00" * 32, "18446744073709551616:" + "0a" * 32,
                    "\u0665:" + "0a" * 32):
            with self.assertRaises(logfile.FormatError, msg=bad):
                logfile.parse_head(bad)


class Write(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.log = testing.log(testing.batches_of(1, 5))

    def test_is_for_its_owner_alone(self):
        path = os.path.join(self.folder, "log")
        with open(path, "w", encoding="utf-8") as file:
            file.write("older")
        os.chmod(path, 0o644)
        logfile.write(path, self.log)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, "rb") as file:
            self.assertEqual(logfile.parse(file.read()), self.log)
        self.assertEqual(os.listdir(self.folder), ["log"])

    def test_leaves_nothing_behind_where_it_fails(self):
        os.mkdir(os.path.join(self.folder, "log"))
        with self.assertRaises(OSError):
            logfile.write(os.path.join(self.folder, "log"), self.log)
        self.assertEqual(os.listdir(self.folder), ["log"])
        with self.assertRaises(OSError):
            logfile.write(os.path.join(self.folder, "none", "log"), self.log)


if __name__ == "__main__":
    unittest.main()
