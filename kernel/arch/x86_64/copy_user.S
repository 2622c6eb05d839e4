# copy_user(to, from, length), and store_user, which puts rax, rdx and rcx to r8 and changes rax alone: the only code of the kernel that follows an address of user mode. 0 where
# it was done, 1 where a page was not there for it, and ZF says so too: the kernel's page fault within the bounds goes on at the landing (kernel_interrupt). STAC and CLAC are put in their places where the processor has SMAP.
.macro access section:req
9:  nop
    nop
    nop
    .pushsection \section, "a"
    .long 9b - .
    .popsection
.endm

.section .text.entry, "ax"
.globl copy_user
.balign 16
copy_user:
    access .stac_places
.globl copy_user_begin
copy_user_begin:
    movl %edx, %ecx
    shrl $5, %ecx
    jz 2f
1:  movq (%rsi), %rax
    movq 8(%rsi), %r8
    movq 16(%rsi), %r9
    movq 24(%rsi), %r10
    movq %rax, (%rdi)
    movq %r8, 8(%rdi)
    movq %r9, 16(%rdi)
    movq %r10, 24(%rdi)
    addq $32, %rsi
    addq $32, %rdi
    decl %ecx
    jnz 1b
2:  testb $16, %dl
    jz 3f
    movq (%rsi), %rax
    movq 8(%rsi), %r8
    movq %rax, (%rdi)
    movq %r8, 8(%rdi)
    addq $16, %rsi
    addq $16, %rdi
3:  testb $8, %dl
    jz 4f
    movq (%rsi), %rax
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
4:  andl $7, %edx
    jz 6f
5:  movb (%rsi), %al
    movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decl %edx
    jnz 5b
6:  access .clac_places
    xorl %eax, %eax
    ret

.globl store_user
.balign 16
store_user:
    access .stac_places
    movq %rax, (%r8)
    movq %rdx, 8(%r8)
    movq %rcx, 16(%r8)
.globl copy_user_end
copy_user_end:
    access .clac_places
    xorl %eax, %eax
    ret
.globl copy_user_landing
copy_user_landing:
    access .clac_places
    xorl %eax, %eax
    incl %eax
    ret
