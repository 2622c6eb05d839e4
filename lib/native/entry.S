# Where native threads begin and end, and the IPC calls with registers of their own.

.set THREAD_BLOCK, 64
.set STACK_SIZE, 65536
.set CALL_FUTEX_WAKE, 43
.set CALL_THREAD_EXIT, 24

.section .text.native_entry, "ax"

# First thread: rdi StartInfo, rsi ThreadPage, rsp somewhere in an aligned stack. The control block goes to the stack's top.
.globl _start
.balign 16
_start:
    movq %rsp, %rax
    andq $-STACK_SIZE, %rax
    addq $(STACK_SIZE - THREAD_BLOCK), %rax
    movq %rax, %rsp
    xorl %ebp, %ebp
    movq %rsi, (%rax)
    call native_start
    ud2

# Further threads: rdi ThreadBlock (already filled but for the page), rsi ThreadPage.
.globl native_thread_entry
.balign 16
native_thread_entry:
    movq %rdi, %rsp
    xorl %ebp, %ebp
    movq %rsi, (%rdi)
    call native_thread_main
    ud2

# native_thread_leave(word, value): stores the value, wakes one waiter of the word and ends the thread. From the store on the stack may be given to another thread,
# so it is not touched any more.
.globl native_thread_leave
.balign 16
native_thread_leave:
    movl %esi, (%rdi)
    movl $CALL_FUTEX_WAKE, %eax
    movl $0x7fffffff, %esi
    xorl %edx, %edx
    xorl %r10d, %r10d
    xorl %r8d, %r8d
    syscall
    movl $CALL_THREAD_EXIT, %eax
    syscall
    ud2

# native_ipc(number, handle, MessageRegisters*): tag, badge or deadline, eight words; in and out. Returns rax.
.globl native_ipc
.balign 16
native_ipc:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rdx, %rbp
    movq %rdi, %rax
    movq %rsi, %rdi
    movq (%rbp), %rsi
    movq 8(%rbp), %rbx
    movq 16(%rbp), %rdx
    movq 24(%rbp), %r10
    movq 32(%rbp), %r8
    movq 40(%rbp), %r9
    movq 48(%rbp), %r12
    movq 56(%rbp), %r13
    movq 64(%rbp), %r14
    movq 72(%rbp), %r15
    syscall
    movq %rsi, (%rbp)
    movq %rbx, 8(%rbp)
    movq %rdx, 16(%rbp)
    movq %r10, 24(%rbp)
    movq %r8, 32(%rbp)
    movq %r9, 40(%rbp)
    movq %r12, 48(%rbp)
    movq %r13, 56(%rbp)
    movq %r14, 64(%rbp)
    movq %r15, 72(%rbp)
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
.section .note.GNU-stack, "", @progbits
