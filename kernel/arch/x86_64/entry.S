# Entries into the kernel. They save arch::Registers, put C++'s world in order and call one function. Interrupts stay off.

.set CPU_KERNEL_STACK, 8
.set CPU_USER_STACK, 16
.set FRAME, 176                 # of arch::Registers
.set USER_DATA, 0x1b
.set USER_CODE, 0x23

.macro save_general
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

.macro restore_general
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
.endm

# A place that becomes CLAC where the processor has it. Every entry by an interrupt gate has one ahead of C++: the gate leaves AC as user mode set it.
.macro clear_access
9:  nop
    nop
    nop
    .pushsection .clac_places, "a"
    .long 9b - .
    .popsection
.endm

.section .text.entry, "ax"

# SYSCALL: rip in rcx, flags in r11. FMASK cleared IF, DF and AC.
.globl system_call_entry
.balign 16
system_call_entry:
    swapgs
    movq %rsp, %gs:CPU_USER_STACK
    movq %gs:CPU_KERNEL_STACK, %rsp
    pushq $USER_DATA
    pushq %gs:CPU_USER_STACK
    pushq %r11
    pushq $USER_CODE
    pushq %rcx
    pushq $0
    pushq $256
    save_general
    xorl %ebp, %ebp
    movq %rsp, %rdi
    subq $FRAME, %rsp       # the guest's frame: restricted_enter fills it
    call kernel_system_call
    # rax says whether SYSRET may be used. The frame is the one that was chosen meanwhile: native code's or the guest's.
    movq %gs:CPU_KERNEL_STACK, %rsp
    subq $FRAME, %rsp
    testb %al, %al
    jz restore_by_iret
    restore_general
    addq $16, %rsp          # vector, error
    popq %rcx               # rip
    addq $8, %rsp
    popq %r11               # flags
    popq %rsp
    swapgs
    sysretq

.globl return_by_iret
return_by_iret:
    movq %gs:CPU_KERNEL_STACK, %rsp
    subq $FRAME, %rsp
restore_by_iret:
    restore_general
    addq $16, %rsp
    swapgs
    iretq

# Compatibility mode has no way in: there is no 32-bit code segment. Should it come here, it gets nothing.
.globl compatibility_call_entry
.balign 16
compatibility_call_entry:
    movl $-38, %eax
    sysretl

# All vectors come together here: vector and error are on the stack.
.balign 16
common_entry:
    cld
    clear_access
    save_general
    testb $3, 144(%rsp)     # cs
    jz 1f
    swapgs
    lfence
1:
handle_interrupt:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    call kernel_interrupt
    testb $3, 144(%rsp)
    jnz return_by_iret
    restore_general
    addq $16, %rsp
    iretq

# NMI, #MC, #DB and #DF: may come between the CPL change and swapgs, so neither CPL nor the sign of GS tells. The stack they run on holds the CPU's address at its top.
.balign 16
paranoid_entry:
    cld
    clear_access
    save_general
    testb $3, 144(%rsp)
    jz 1f
    # From user mode it is an ordinary entry; it may end in a switch of threads, so it goes on on the thread's own stack.
    swapgs
    lfence
    movq %rsp, %rsi
    movq %gs:CPU_KERNEL_STACK, %rdi
    subq $FRAME, %rdi
    movq %rdi, %rdx
    movl $22, %ecx
    rep movsq
    movq %rdx, %rsp
    jmp handle_interrupt
1:  movl $0xc0000101, %ecx  # GS base
    rdmsr
    movl %eax, %r12d
    movl %edx, %r13d
    leaq -1(%rsp), %rax
    orq $4095, %rax         # the frame lies in the stack's highest page
    movq -7(%rax), %rax
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    xorl %ebp, %ebp
    movq %rsp, %rdi
    call kernel_interrupt
    movl $0xc0000101, %ecx
    movl %r12d, %eax
    movl %r13d, %edx
    wrmsr
    restore_general
    addq $16, %rsp
    iretq

.macro vector_entry number, target
    .balign 16
vector_\number:
    .if (\number == 8) || (\number >= 10 && \number <= 14) || (\number == 17) || (\number == 21) || (\number == 29) || (\number == 30)
    .else
    pushq $0
    .endif
    pushq $\number
    jmp \target
.endm

.altmacro
.macro one_vector number
    .if (\number == 1) || (\number == 2) || (\number == 8) || (\number == 18)
    vector_entry \number, paranoid_entry
    .else
    vector_entry \number, common_entry
    .endif
.endm
.set i, 0
.rept 256
    one_vector %i
    .set i, i + 1
.endr

.section .data.rel.ro, "aw"
.balign 8
.globl vector_table
vector_table:
.macro one_address number
    .quad vector_\number
.endm
.set i, 0
.rept 256
    one_address %i
    .set i, i + 1
.endr

# switch_stacks(save, load): callee-saved registers and the stack pointer. The other side comes back from its own call.
.section .text.entry, "ax"
.globl switch_stacks
.balign 16
switch_stacks:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

# A new thread comes here from switch_stacks: its first return to user mode.
.globl thread_first_run
thread_first_run:
    call kernel_thread_begins
    jmp return_by_iret
