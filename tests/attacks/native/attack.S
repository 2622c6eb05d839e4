# What attackers need in assembly.

.set THREAD_BLOCK, 64
.set STACK_SIZE, 65536
.set THREAD_EXIT, 24      # abi::KernelCall

.section .text.cell, "ax"

# The first thread of a cell: as a native program's, but it goes to cell_main. rsi ThreadPage.
.globl cell_entry
.balign 16
cell_entry:
    movq %rsp, %rax
    andq $-STACK_SIZE, %rax
    addq $(STACK_SIZE - THREAD_BLOCK), %rax
    movq %rax, %rsp
    xorl %ebp, %ebp
    movq %rsi, (%rax)
    call cell_main
    ud2

# A SYSCALL of native code that a guest comes to in a fused space, with registers of its own choice; goes on at r15.
.globl borrowed_call
borrowed_call:
    syscall
    jmp *%r15

# run_there(address, number, a, b): calls code in the guest half with native rights; rax = number, rdi = a, rsi = b there. Returns its rax.
.globl run_there
run_there:
    movq %rdi, %r8
    movq %rsi, %rax
    movq %rdx, %rdi
    movq %rcx, %rsi
    xorl %edx, %edx
    call *%r8
    ret

# A thread that writes the registers which it starts with, but those that its start names and the stack, and ends. The last word tells that all are there.
.globl keep_registers
keep_registers:
    movq %rax, seen_registers(%rip)
    movq %rbx, seen_registers+8(%rip)
    movq %rcx, seen_registers+16(%rip)
    movq %rdx, seen_registers+24(%rip)
    movq %rbp, seen_registers+32(%rip)
    movq %r8, seen_registers+40(%rip)
    movq %r9, seen_registers+48(%rip)
    movq %r10, seen_registers+56(%rip)
    movq %r11, seen_registers+64(%rip)
    movq %r12, seen_registers+72(%rip)
    movq %r13, seen_registers+80(%rip)
    movq %r14, seen_registers+88(%rip)
    movq %r15, seen_registers+96(%rip)
    movq $0, seen_registers+104(%rip)
    movq $0, seen_registers+112(%rip)
    movq $0, seen_registers+120(%rip)
    movl $THREAD_EXIT, %eax
    syscall
    ud2

# hold_canaries(canary, turns): all registers hold the canary while it turns, and when it faults.
.globl hold_canaries
hold_canaries:
    movq %rdi, %rax
    movq %rdi, %rbx
    movq %rdi, %rcx
    movq %rdi, %rdx
    movq %rdi, %rbp
    movq %rdi, %r8
    movq %rdi, %r9
    movq %rdi, %r10
    movq %rdi, %r11
    movq %rdi, %r12
    movq %rdi, %r13
    movq %rdi, %r14
    movq %rdi, %r15
1:  decq %rsi
    jnz 1b
    movq (%rsi), %rax
    ud2

.section .bss.seen, "aw", @nobits
.balign 8
.globl seen_registers
seen_registers:
    .skip 128

.section .rodata.guest, "a"

# Called with room for two words: rax = the first vector register's low word, the interrupt table's address, the descriptor table's. As bytes where no native program may
# have the instruction.
.globl read_vector
.globl read_vector_end
read_vector:
    .byte 0x66, 0x48, 0x0f, 0x7e, 0xc0  # movq %xmm0, %rax
    ret
read_vector_end:
.globl read_interrupt_table
.globl read_interrupt_table_end
read_interrupt_table:
    sidt (%rdi)
    movq 2(%rdi), %rax
    ret
read_interrupt_table_end:
.globl read_descriptor_table
.globl read_descriptor_table_end
read_descriptor_table:
    sgdt (%rdi)
    movq 2(%rdi), %rax
    ret
read_descriptor_table_end:

# Puts interrupts off, which a guest may not, and asks with call 1.
.globl guest_privileged
.globl guest_privileged_end
guest_privileged:
    cli
    movl $1, %eax
    syscall
guest_privileged_end:

# Marks itself in rbx and asks with call 1.
.globl guest_marked
.globl guest_marked_end
guest_marked:
    movl $1, %ebx
    movl $1, %eax
    syscall
guest_marked_end:

# Guest code. jumps to r14 and, where it comes back by r15, asks with call 1.
.globl guest_borrow
.globl guest_borrow_back
.globl guest_borrow_end
guest_borrow:
    jmp *%r14
guest_borrow_back:
    movl $1, %eax
    syscall
guest_borrow_end:

# Says 42.
.globl guest_answer
.globl guest_answer_end
guest_answer:
    movl $42, %eax
    ret
guest_answer_end:

# Reads where rdi points, writes there when rdx is 1, jumps there when rdx is 2.
.globl guest_reach
.globl guest_reach_end
guest_reach:
    cmpl $1, %edx
    je 1f
    cmpl $2, %edx
    je 2f
    movq (%rdi), %rax
1:  movq %rax, (%rdi)
2:  jmp *%rdi
guest_reach_end:

# Makes the call that its registers say.
.globl guest_call
.globl guest_call_end
guest_call:
    syscall
    ret
guest_call_end:
.section .note.GNU-stack, "", @progbits
