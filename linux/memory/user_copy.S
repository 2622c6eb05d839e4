# Copies between the personality and guest memory. A fault on a guest address between user_copy_begin and user_copy_end continues at user_copy_landing with rax = the
# fault's address and rdx = the error code; every routine keeps what it has done in registers that the landing knows.

.section .text.user_copy, "ax"

.globl user_copy_begin
user_copy_begin:

# rdi to, rsi from, rdx bytes. Returns the bytes that were not copied in rax; where that is not 0, the fault's address in rdx and its error code in rcx.
# Eight bytes at a time: under emulation `rep movsb` counts every byte. Short of a fault nothing is copied twice.
.globl user_copy
.balign 16
user_copy:
    movq %rdx, %r8
    cmpq $8, %r8
    jb 3f
    cmpq $64, %r8
    jb 2f
1:
    movq (%rsi), %rax
    movq 8(%rsi), %rcx
    movq %rax, (%rdi)
    movq %rcx, 8(%rdi)
    movq 16(%rsi), %rax
    movq 24(%rsi), %rcx
    movq %rax, 16(%rdi)
    movq %rcx, 24(%rdi)
    movq 32(%rsi), %rax
    movq 40(%rsi), %rcx
    movq %rax, 32(%rdi)
    movq %rcx, 40(%rdi)
    movq 48(%rsi), %rax
    movq 56(%rsi), %rcx
    movq %rax, 48(%rdi)
    movq %rcx, 56(%rdi)
    addq $64, %rsi
    addq $64, %rdi
    subq $64, %r8
    cmpq $64, %r8
    jae 1b
    cmpq $8, %r8
    jb 3f
2:
    movq (%rsi), %rax
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    subq $8, %r8
    cmpq $8, %r8
    jae 2b
3:
    testq %r8, %r8
    jz 5f
4:
    movb (%rsi), %al
    movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decq %r8
    jnz 4b
5:
    xorl %eax, %eax
    ret

# rdi to, rsi from, rdx most bytes: up to and with a NUL. Returns as user_copy; the caller looks for the NUL in what was copied.
.globl user_copy_text
.balign 16
user_copy_text:
    movq %rdx, %r8
    testq %r8, %r8
    jz 5b
6:
    movb (%rsi), %al
    movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decq %r8
    jz 5b
    testb %al, %al
    jnz 6b
    xorl %eax, %eax
    ret

# rdi address, rsi bytes: zeroes. Returns as user_copy.
.globl user_clear
.balign 16
user_clear:
    movq %rsi, %r8
    xorl %eax, %eax
    cmpq $8, %r8
    jb 8f
7:
    movq %rax, (%rdi)
    addq $8, %rdi
    subq $8, %r8
    cmpq $8, %r8
    jae 7b
8:
    testq %r8, %r8
    jz 5b
9:
    movb %al, (%rdi)
    incq %rdi
    decq %r8
    jnz 9b
    xorl %eax, %eax
    ret

# rdi address, esi expected, edx desired, rcx where the old value goes: an atomic compare and exchange of 4 bytes. Returns as user_copy.
.globl user_compare_exchange
.balign 16
user_compare_exchange:
    movl $4, %r8d
    movl %esi, %eax
    lock cmpxchgl %edx, (%rdi)
    movl %eax, (%rcx)
    xorl %eax, %eax
    ret

.globl user_copy_end
user_copy_end:

.globl user_copy_landing
user_copy_landing:
    movq %rdx, %rcx
    movq %rax, %rdx
    movq %r8, %rax
    ret
.section .note.GNU-stack, "", @progbits
