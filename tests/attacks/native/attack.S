# What attackers need in assembly.

.set THREAD_BLOCK, 64
.set STACK_SIZE, 65536

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

.section .rodata.guest, "a"

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
