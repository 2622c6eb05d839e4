import unittest

from check import binary

LISTING = """
ffff800000200000 <plain>:
ffff800000200000:      \tmovq\t%rax, %rbx
ffff800000200010:      \tnopw\t%cs:(%rax,%rax)
ffff800000200020:      \tlock\t\tcmpxchgq\t%rcx, (%rdi)
"""


def listing(symbol, *instructions):
    return [f"ffff800000200000 <{symbol}>:"] + [f"ffff800000200000:      \t{text}" for text in instructions]


class Code(unittest.TestCase):
    def found(self, symbol, *instructions, kernel=False):
        return list(binary.code_violations(listing(symbol, *instructions), kernel))

    def test_plain_code_passes(self):
        self.assertEqual(list(binary.code_violations(LISTING.splitlines())), [])

    def test_vector_and_x87_are_found(self):
        for text in ("movaps\t%xmm0, (%rdi)", "vmovdqu\t(%rsi), %ymm1", "fldl\t(%rsp)", "fstpt\t(%rax)", "movq\t%mm0, %rax", "emms",
                     "kmovq\t%k1, %rax", "faddp\t%st, %st(1)", "fninit", "xsave64\t(%rdi)", "ldmxcsr\t(%rsp)"):
            self.assertEqual(len(self.found("function", text)), 1, text)

    def test_the_kernel_saves_state_but_computes_nothing(self):
        self.assertEqual(self.found("save", "xsave64\t(%rdi)", "fxrstor64\t(%rdi)", kernel=True), [])
        self.assertEqual(len(self.found("save", "addsd\t%xmm0, %xmm1", kernel=True)), 1)

    def test_named_copy_routines_may_use_vectors(self):
        self.assertEqual(self.found("copy_large_forward", "movups\t%xmm0, (%rdi)"), [])

    def test_segments_are_found(self):
        self.assertEqual(len(self.found("function", "movq\t%fs:0x28, %rax")), 1)
        self.assertEqual(len(self.found("function", "movq\t%gs:0x0, %rax")), 1)
        self.assertEqual(self.found("function", "movq\t%gs:0x0, %rax", kernel=True), [])
        self.assertEqual(self.found("function", "xchgq\t%r8, %gs:0x18", kernel=True), [])
        self.assertEqual(len(self.found("function", "movq\t%gs:0x1018, %rax", kernel=True)), 1)
        self.assertEqual(len(self.found("function", "movq\t%gs:0x8(%rax), %rax", kernel=True)), 1)
        self.assertEqual(len(self.found("function", "movq\t%fs:0x0, %rax", kernel=True)), 1)
        self.assertEqual(self.found("system_call_entry", "movq\t%rsp, %gs:0x8", kernel=True), [])

    def test_a_guarded_frame_is_noted(self):
        seen = []
        call = "    1000: callq\t0x2000 <__stack_chk_fail>\n"
        self.assertEqual(list(binary.note_guards(["    1000: callq\t0x2000 <__stack_chk_failure>\n"], seen)), ["    1000: callq\t0x2000 <__stack_chk_failure>\n"])
        self.assertEqual(seen, [])
        self.assertEqual(list(binary.note_guards([call, call], seen)), [call, call])
        self.assertEqual(seen, [call])

    def test_instructions_that_only_look_alike_pass(self):
        self.assertEqual(self.found("function", "jmp\t0xffff800000200000 <fld_like_name>", "callq\t0x0 <memcpy>"), [])


if __name__ == "__main__":
    unittest.main()
