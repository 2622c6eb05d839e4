import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import generate
import kernel_output
import protocol_output
from language import InterfaceError, message_words, parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CALL = """interface kernel kernel
call 5 memory_create
  doc Makes one.
  in quota: handle quota {charge}
  in size: u64
  in flags: u32
  in buffer: bytes in
  in info: pointer MemoryInfo out
  out memory: handle
  errors no_memory, bad_handle
"""


def kernel(lines):
    return "interface kernel kernel\ncall 1 first\n" + "".join(f"  {line}\n" for line in lines)


class Language(unittest.TestCase):
    def refuse(self, text, reason):
        with self.assertRaisesRegex(InterfaceError, reason):
            parse(text, "x.abi")

    def test_reads_a_call(self):
        call = parse(CALL).calls[0]
        self.assertEqual((call.number, call.name, call.errors), (5, "memory_create", ["no_memory", "bad_handle"]))
        self.assertEqual(call.inputs[0].type.rights, ("charge",))
        self.assertEqual([item.type.registers for item in call.inputs], [1, 1, 1, 2, 1])

    def test_refuses_what_is_undocumented(self):
        self.refuse(kernel(["errors none"]), "no doc")
        self.refuse(kernel(["doc Text."]), "no errors")

    def test_numbers_are_never_reused(self):
        body = "  doc A.\n  errors none\n"
        self.refuse(f"interface a\nretired 2\ncall 2 b\n{body}", "retired")
        self.refuse(f"interface a\ncall 2 b\n{body}call 2 c\n{body}", "used twice")
        self.refuse(f"interface a\ncall 2 b\n{body}call 3 b\n{body}", "name is used twice")
        self.refuse(f"interface a\ncall 0 b\n{body}", "0 is no number")

    def test_refuses_unknown_words(self):
        self.refuse(kernel(["doc A.", "errors nothing_known"]), "unknown error")
        self.refuse(kernel(["doc A.", "in x: u16", "errors none"]), "unknown type 'u16'")
        self.refuse(kernel(["doc A.", "in x: handle thing", "errors none"]), "unknown kind")
        self.refuse(kernel(["doc A.", "in x: handle memory {fly}", "errors none"]), "unknown right")
        self.refuse(kernel(["speak A."]), "unknown word")
        self.refuse("doc A.\n", "outside a call")

    def test_refuses_what_does_not_fit(self):
        self.refuse(kernel(["doc A.", *(f"in x{i}: u64" for i in range(7)), "errors none"]), "6 registers")
        self.refuse(kernel(["doc A.", "out a: u64", "out b: u64", "errors none"]), "more than one value")
        body = "interface a\ncall 1 b\n  doc A.\n"
        self.refuse(body + "  in x: bytes448\n  in y: u64\n  errors none\n", "56 words")
        self.refuse(body + "".join(f"  in h{i}: handle any\n" for i in range(5)) + "  errors none\n", "4 handles")
        self.refuse(body + "  in x: pointer Foo in\n  errors none\n", "numbers, bytesN and handles only")

    def test_refuses_rules_that_say_nothing(self):
        self.refuse(kernel(["doc A.", "in x: u64; often 3 else bad_argument", "errors bad_argument"]), "unknown rule")
        self.refuse(kernel(["doc A.", "in x: u64; not 0 else bad_luck", "errors bad_argument"]), "unknown error")
        self.refuse(kernel(["doc A.", "in x: u64; not 0 else bad_argument", "errors none"]), "not among the call's errors")
        self.refuse(kernel(["doc A.", "in x: u64; ends in heaven else bad_argument", "errors bad_argument"]), "ends in 'heaven'")
        self.refuse(kernel(["doc A.", "in x: deadline; not 0 else bad_argument", "errors bad_argument"]), "rules are for numbers")
        self.refuse("interface a\ncall 1 b\n  doc A.\n  in x: u64; not 0 else bad_argument\n  errors bad_argument\n", "for kernel calls")

    def test_an_error_names_its_line(self):
        self.refuse(kernel(["doc A.", "in x: u16"]), r"x\.abi:4")


class KernelOutput(unittest.TestCase):
    def test_decodes_every_argument_before_the_handler(self):
        table = kernel_output.dispatch_table(parse(CALL), "x")
        body = table[table.index("memory_create(Thread& caller, Arguments"):]
        places = [body.index(text) for text in ("lookup<Quota>(caller, arguments[0], abi::right::charge)", "decode_u32(arguments[2])",
                                                "decode_range(arguments[3], arguments[4])", "decode_range(arguments[5], sizeof(abi::MemoryInfo))",
                                                "return call_memory_create(caller, std::move(quota), size, flags, buffer, info)")]
        self.assertEqual(places, sorted(places))

    def test_the_table_is_a_power_of_two(self):
        self.assertIn("table_size = 8;", kernel_output.dispatch_table(parse(CALL), "x"))

    def test_negative_cases_cover_each_fault(self):
        text = kernel_output.negative(parse(CALL), "x")
        for row in ("{5, 0, Fault::bad_handle,", "{5, 0, Fault::closed_handle, Place::none, abi::Error::bad_handle, 0x0}", "{5, 0, Fault::revoked_handle,",
                    "{5, 2, Fault::too_wide, Place::none, abi::Error::bad_argument, 0x0}", "{5, 0, Fault::wrong_kind,", "{5, 0, Fault::missing_right,",
                    "{5, 3, Fault::bad_pointer,", "{5, 3, Fault::half_readable,", "{5, 5, Fault::read_only,", "{5, 5, Fault::bad_pointer,"):
            self.assertIn(row, text)
        self.assertNotIn("{5, 3, Fault::read_only", text)

    def test_negative_cases_break_each_rule(self):
        text = kernel_output.negative(parse(kernel([
            "doc A.", "in at: u64; multiple of 8 else bad_argument; begins in half else bad_pointer", "in size: u64; not 0 else bad_argument; ends in half else bad_pointer",
            "in flags: u32; bits 0x6fffffff else bad_argument", "in width: u32; one of 1 3 else bad_argument", "in bytes: bytes in; at most 16 else too_large",
            "errors bad_argument, bad_pointer, too_large"])), "x")
        for index, rest in ((0, "distance, Place::none, abi::Error::bad_argument, 0x7"), (0, "beside, Place::half, abi::Error::bad_pointer, 0x0"),
                            (1, "value, Place::none, abi::Error::bad_argument, 0x0"), (1, "too_long, Place::half, abi::Error::bad_pointer, 0x0"),
                            (2, "value, Place::none, abi::Error::bad_argument, 0x10000000"), (2, "value, Place::none, abi::Error::bad_argument, 0x80000000"),
                            (3, "value, Place::none, abi::Error::bad_argument, 0x2"), (5, "value, Place::none, abi::Error::too_large, 0x11")):
            self.assertIn(f"{{1, {index}, Fault::{rest}}}", text)
        self.assertNotIn("Fault::value, Place::none, abi::Error::bad_argument, 0x40000000", text)

    def test_negative_deadlines_end_as_the_call_says(self):
        for errors, polled in (("timed_out, canceled", "timed_out"), ("timed_out, canceled, would_block", "would_block")):
            text = kernel_output.negative(parse(kernel(["doc A.", "in until: deadline", f"errors {errors}"])), "x")
            self.assertIn(f"{{1, 0, Fault::poll, Place::none, abi::Error::{polled}, 0x0}}", text)

    def test_the_call_table_names_what_a_call_may_answer(self):
        row = kernel_output.call_table(parse(CALL), "x")
        row = row[row.index('{5, "memory_create"'):]
        for error in ("bad_handle", "wrong_kind", "missing_right", "bad_pointer", "bad_argument"):
            self.assertIn(f"error_bit(abi::Error::{error})", row)
        self.assertNotIn("peer_closed", row)
        self.assertIn("ArgumentType::value, abi::ObjectKind::none, 0, 4}", row)


class Protocols(unittest.TestCase):
    def test_optional_handles_cost_a_word(self):
        interface = parse("interface a\ncall 1 b\n  doc A.\n  in x: u64\n  in h: optional handle any\n  out t: bytes9\n  errors none\n")
        self.assertEqual(message_words(interface.calls[0].inputs), 2)
        self.assertEqual(message_words(interface.calls[0].outputs), 2)

    def test_names_that_cxx_keeps_are_changed(self):
        self.assertIn("namespace native::switch_ {", protocol_output.messages(parse("interface switch\ncall 1 a\n  doc A.\n  errors none\n"), "x"))


class Tree(unittest.TestCase):
    """The tree's own files: everything that is made compiles, and is the same each time."""

    def test_headers_compile_alone(self):
        names = sorted(os.path.join(TOP, "abi", name) for name in os.listdir(os.path.join(TOP, "abi")) if name.endswith(".abi"))
        with tempfile.TemporaryDirectory() as out:
            generate.generate(out, names)
            before = {path: os.stat(path).st_mtime_ns for path in self.files(out)}
            generate.generate(out, names)
            self.assertEqual(before, {path: os.stat(path).st_mtime_ns for path in self.files(out)})
            source = "".join(f'#include "{os.path.relpath(path, out)}"\n' for path in self.files(out) if path.endswith(".hpp"))
            result = subprocess.run(["clang++-19", "-std=c++23", "-DTHEMELIOS_HOST=1", "-Wall", "-Werror", "-fsyntax-only", "-I", TOP, "-I", out, "-x", "c++",
                                     "-"], input=source, capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)

    def files(self, out):
        return sorted(os.path.join(folder, name) for folder, _, names in os.walk(out) for name in names)


if __name__ == "__main__":
    unittest.main()
