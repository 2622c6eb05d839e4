# The kernel's first instructions: onto a stack of its own, because the loader's lies in the loader's mappings.

.section .text.entry, "ax"
.globl kernel_entry
kernel_entry:
    cli
    cld
    leaq start_stack_top(%rip), %rsp
    xorl %ebp, %ebp
    pushq $0
    jmp kernel_start

.section .bss
.balign 4096
start_stack: .skip 16384
start_stack_top:
