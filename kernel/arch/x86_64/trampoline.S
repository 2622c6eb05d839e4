# Start code of the other CPUs, copied to 0x8000: real mode, protected mode, long mode with the root that the mailbox names.

.set BASE, 0x8000

.section .rodata.trampoline, "a"
.globl trampoline_begin, trampoline_end
.code16
trampoline_begin:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl BASE + (trampoline_gdt_pointer - trampoline_begin)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x08, $(BASE + (trampoline_32 - trampoline_begin))
.code32
trampoline_32:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl BASE + (trampoline_root - trampoline_begin), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    andl $0x9fffffff, %eax
    orl $0x80010001, %eax
    movl %eax, %cr0
    ljmp $0x18, $(BASE + (trampoline_64 - trampoline_begin))
.code64
trampoline_64:
    movq BASE + (trampoline_stack - trampoline_begin), %rsp
    movq BASE + (trampoline_argument - trampoline_begin), %rdi
    movq BASE + (trampoline_entry - trampoline_begin), %rax
    xorl %ebp, %ebp
    pushq $0
    jmp *%rax
.balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00af9b000000ffff
trampoline_gdt_pointer:
    .word trampoline_gdt_pointer - trampoline_gdt - 1
    .long BASE + (trampoline_gdt - trampoline_begin)
.balign 8
.globl trampoline_mailbox
trampoline_mailbox:
trampoline_root: .quad 0
trampoline_stack: .quad 0
trampoline_entry: .quad 0
trampoline_argument: .quad 0
trampoline_end:
