import unittest

from audit_log import names


class Names(unittest.TestCase):
    def test_come_from_the_interface_files(self):
        self.assertEqual((names.OPERATIONS[11], names.KINDS[6], names.ERRORS[3], names.END_REASONS[1], names.CALLS[13]), ("denial", "memory", "missing_right", "exit", "process_grant"))

    def test_rights_are_words(self):
        self.assertEqual(names.rights(0b11011), ["duplicate", "transfer", "read", "write"])
        self.assertEqual(names.rights(1 << 31), ["bit 31"])
        self.assertEqual(names.rights(0), [])

    def test_reads_an_enum(self):
        self.assertEqual(names.enumerators("enum class Other { x = 9 }; enum class A : int {\n  b = 1, // c = 7,\n  d = 2\n};", "A"), {1: "b", 2: "d"})

    def test_refuses_what_it_would_lose(self):
        for text in ("", "enum class A : int;", "enum class A { b };", "enum class A { b = 1, c = 1 };", "enum class A { b = 1 << 2 };"):
            with self.assertRaises(ValueError):
                names.enumerators(text, "A")
        self.assertEqual(names.single_bits("namespace n { inline constexpr R a = 1u << 3; inline constexpr R all = (1u << 4) - 1; }", "n"), {3: "a"})
        for text in ("", "namespace n { inline constexpr R a = 8; }", "namespace n { inline constexpr R a = 1u << 3; inline constexpr R b = 1u << 3; }"):
            with self.assertRaises(ValueError):
                names.single_bits(text, "n")


if __name__ == "__main__":
    unittest.main()
