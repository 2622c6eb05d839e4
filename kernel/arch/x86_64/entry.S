# Entries into the kernel. They save arch::Registers, put C++'s world in order and call one function. Interrupts stay off.

.set CPU_KERNEL_STACK, 8
.set CPU_USER_STACK, 16
.set CPU_CURRENT, 24
.set CPU_ROOT, 32
.set CPU_NATIVE_ROOT, 40
.set CPU_GUEST_ROOT, 48
.set CPU_ROOT_LOADS, 56
.set CPU_TASK_STACK, 68         # TaskState::stack[0]
# arch::EntryState
.set STATE_TOP, 0
.set STATE_NATIVE_TOP, 8
.set STATE_GUEST, 16
.set STATE_FS_BASE, 24
.set STATE_GS_BASE, 32
.set STATE_ATTENTION, 40
# abi::RestrictedState from its GuestRegisters on, and the page's FastCalls from there
.set GUEST_RBX, 8
.set GUEST_RCX, 16
.set GUEST_RDX, 24
.set GUEST_RSI, 32
.set GUEST_RDI, 40
.set GUEST_RBP, 48
.set GUEST_RSP, 56
.set GUEST_R8, 64
.set GUEST_R9, 72
.set GUEST_R10, 80
.set GUEST_R11, 88
.set GUEST_R12, 96
.set GUEST_R13, 104
.set GUEST_R14, 112
.set GUEST_R15, 120
.set GUEST_RIP, 128
.set GUEST_FLAGS, 136
.set GUEST_FS_BASE, 144
.set GUEST_GS_BASE, 152
.set EXIT_REASON, 160
.set REASON_SYSCALL, 1
.set OPERATION_COUNT, 184
.set FAST_INDEX, 520
.set FAST_VALUES, 1032
.set FAST_CALLS, 512
.set FAST_SERVED, 0x80
.set LOCK_SERVING, 4            # in SpinLock
.set FRAME, 176                 # of arch::Registers
.set SAVED_RAX, 112
.set FLAGS, 152
.set TRAP_OR_RESUME, 0x10100
.set GUEST_FLAGS_FREE, 0x240cd5 # what guest_flags() allows but for those two
.set GUEST_FLAGS_FIXED, 0x202
.set RESTRICTED_ENTER, 40       # abi::KernelCall
.set IPC_CALL, 45
.set IPC_REPLY_RECEIVE, 48
# Offsets in arch::Registers
.set R15, 0
.set R14, 8
.set R13, 16
.set R12, 24
.set R11, 32
.set R10, 40
.set R9, 48
.set R8, 56
.set RBP, 64
.set RDI, 72
.set RSI, 80
.set RDX, 88
.set RCX, 96
.set RBX, 104
.set RAX, 112
.set VECTOR, 120
.set ERROR, 128
.set RIP, 136
.set CS, 144
.set RSP, 160
.set SS, 168
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

# arch::Registers of a SYSCALL, from the end of the thread's kernel stack down.
.macro take_kernel_stack
    movq %rsp, %gs:CPU_USER_STACK
    movq %gs:CPU_KERNEL_STACK, %rsp
.endm
.macro push_call_frame
    pushq $USER_DATA
    pushq %gs:CPU_USER_STACK
    pushq %r11
    pushq $USER_CODE
    pushq %rcx
    pushq $0
    pushq $256
    save_general
    xorl %ebp, %ebp
.endm

.section .text.entry, "ax"

# Makes \root, one of the current thread's two, the page-table root, unless it is. Whoever changes the tables tells this CPU, whichever of the two is loaded: see CpuTlbState.
.macro change_root root
    cmpq \root, %gs:CPU_ROOT
    je 8f
    movq \root, %gs:CPU_ROOT
    incq %gs:CPU_ROOT_LOADS
    movq \root, %cr3
8:
.endm

# Where the processor has FSGSBASE, SYSCALL comes here. Whose call it is, the place that entries push to says: it is the end of the stack, which ends with a page, for native
# code, and lies below native code's frame for a guest.
.globl fast_system_call_entry
.balign 16
fast_system_call_entry:
    swapgs
    testl $0xfff, %gs:CPU_KERNEL_STACK
    jz native_call

    # A guest's call. Its registers go where the personality finds them and nowhere else. No register is free yet but rsp, and whatever comes in here has a stack of its own.
    movq %rsp, %gs:CPU_USER_STACK
    movq %gs:CPU_CURRENT, %rsp
    movq STATE_GUEST(%rsp), %rsp
    movq %rax, (%rsp)
    andl $(FAST_CALLS - 1), %eax    # no guess of the processor leads out of the table
    cmpb $0, FAST_INDEX(%rsp, %rax)
    jne fast_call
guest_call:
    movq %rbx, GUEST_RBX(%rsp)
    movq %rcx, GUEST_RCX(%rsp)
    movq %rcx, GUEST_RIP(%rsp)
    movq %rdx, GUEST_RDX(%rsp)
    movq %rsi, GUEST_RSI(%rsp)
    movq %rdi, GUEST_RDI(%rsp)
    movq %rbp, GUEST_RBP(%rsp)
    movq %r8, GUEST_R8(%rsp)
    movq %r9, GUEST_R9(%rsp)
    movq %r10, GUEST_R10(%rsp)
    movq %r11, GUEST_R11(%rsp)
    movq %r11, GUEST_FLAGS(%rsp)
    movq %r12, GUEST_R12(%rsp)
    movq %r13, GUEST_R13(%rsp)
    movq %r14, GUEST_R14(%rsp)
    movq %r15, GUEST_R15(%rsp)
    movq %rsp, %rax
    movq %gs:CPU_USER_STACK, %rcx
    movq %rcx, GUEST_RSP(%rax)
    movl $REASON_SYSCALL, EXIT_REASON(%rax)
    movq %gs:CPU_CURRENT, %rdx
    rdfsbase %rsi
    movq %rsi, GUEST_FS_BASE(%rax)
    movq %rsi, STATE_FS_BASE(%rdx)
    movq STATE_NATIVE_TOP(%rdx), %rsp
    movq %rsp, STATE_TOP(%rdx)
    movq %rsp, %gs:CPU_KERNEL_STACK
    movq %rsp, %gs:CPU_TASK_STACK
    movq %gs:CPU_NATIVE_ROOT, %rsi
    change_root %rsi
    # What is to be done before user mode, a switch among it, was asked for by an interrupt, which comes as soon as user mode lets it.
    movq RIP-FRAME(%rsp), %rcx
    movq FLAGS-FRAME(%rsp), %r11
    movq RBP-FRAME(%rsp), %rbp
    movq RSP-FRAME(%rsp), %rsp
    swapgs
    rdgsbase %rsi
    movq %rsi, GUEST_GS_BASE(%rax)
    movq %rsi, STATE_GS_BASE(%rdx)
    xorl %eax, %eax
    xorl %edx, %edx
    sysretq

fast_call:
    cmpq $(FAST_CALLS - 1), (%rsp)
    ja guest_call
    testl $TRAP_OR_RESUME, %r11d
    jnz guest_call
    movzbl FAST_INDEX(%rsp, %rax), %eax
    testb $FAST_SERVED, %al
    jnz served_call
    andl $15, %eax
    movq FAST_VALUES(%rsp, %rax, 8), %rax
    movq %gs:CPU_USER_STACK, %rsp
    swapgs
    sysretq

# A guest's call that is served here may wait, so it has a frame of all registers.
served_call:
    movq (%rsp), %rax
    movq %gs:CPU_KERNEL_STACK, %rsp
    push_call_frame
    jmp general_call

# SYSCALL: rip in rcx, flags in r11. FMASK cleared IF, DF and AC.
.globl system_call_entry
.balign 16
system_call_entry:
    swapgs
    take_kernel_stack
    push_call_frame
    jmp general_call

native_call:
    take_kernel_stack
    cmpq $IPC_CALL, %rax
    je native_ipc_call
    jb 1f
    cmpq $IPC_REPLY_RECEIVE, %rax
    ja plain_call
    je native_ipc_reply_receive
native_general:
    push_call_frame
    jmp general_call
1:  cmpq $RESTRICTED_ENTER, %rax
    je native_enter

# A call whose arguments are its six registers: of the frame these are saved, and what C++ does not keep. Called from the upper half, so SYSRET returns from it.
plain_call:
    testl $TRAP_OR_RESUME, %r11d
    jnz native_general
    testq %rcx, %rcx
    jns native_general
    subq $FRAME, %rsp
    movq %rcx, RIP(%rsp)
    movq %r11, FLAGS(%rsp)
    movq %gs:CPU_USER_STACK, %rcx
    movq %rcx, RSP(%rsp)
    movq %rbp, RBP(%rsp)
    movq %rdi, RDI(%rsp)
    movq %rsi, RSI(%rsp)
    movq %rdx, RDX(%rsp)
    movq %r10, R10(%rsp)
    movq %r8, R8(%rsp)
    movq %r9, R9(%rsp)
    movq %rax, %rdi
    movq %rsp, %rsi
    xorl %ebp, %ebp
    call kernel_plain_call
    movq RDI(%rsp), %rdi
    movq RSI(%rsp), %rsi
    movq RDX(%rsp), %rdx
    movq R10(%rsp), %r10
    movq R8(%rsp), %r8
    movq R9(%rsp), %r9
    movq RBP(%rsp), %rbp
    movq RIP(%rsp), %rcx
    movq FLAGS(%rsp), %r11
    movq RSP(%rsp), %rsp
    swapgs
    sysretq

# A call or an answer without a deadline, between two threads of this processor. Its message stays in the registers, but for the words that C++ needs them for; these are put below
# the frame, for the frame is the partner's and everybody's from the moment at which this thread waits. The lock of the queue keeps the stack.
.set KEPT, 32
.macro exchange_directly function
    testl $TRAP_OR_RESUME, %r11d
    jnz native_general
    testq %rcx, %rcx                    # called from the upper half, so SYSRET returns from it
    jns native_general
    cmpq $-1, %rbx                      # abi::never
    jne native_general
    subq $FRAME + KEPT, %rsp
    movq %rcx, KEPT + RIP(%rsp)
    movq %r11, KEPT + FLAGS(%rsp)
    movq %gs:CPU_USER_STACK, %rcx
    movq %rcx, KEPT + RSP(%rsp)
    movq %rbp, KEPT + RBP(%rsp)
    movq %rdi, KEPT + RDI(%rsp)
    movq %rdx, (%rsp)
    movq %r10, 8(%rsp)
    movq %r8, 16(%rsp)
    movq %r9, 24(%rsp)
    jmp \function
.endm
.macro load_kept
    movq (%rsp), %rdx
    movq 8(%rsp), %r10
    movq 16(%rsp), %r8
    movq 24(%rsp), %r9
.endm

.balign 16
native_ipc_call:
    exchange_directly kernel_call_directly
.balign 16
native_ipc_reply_receive:
    exchange_directly kernel_reply_receive_directly

# The partner runs. Its frame ends at rcx, rdx is the lock to give free, rdi what rbx is to be.
.globl exchange_over
.balign 16
exchange_over:
    movq %rdx, %rax
    movq %rdi, %rbx
    load_kept
    movq RSP-FRAME(%rcx), %rsp
    incl LOCK_SERVING(%rax)
    movq RBP-FRAME(%rcx), %rbp
    movq RDI-FRAME(%rcx), %rdi
    movq FLAGS-FRAME(%rcx), %r11
    movq RIP-FRAME(%rcx), %rcx
    xorl %eax, %eax
    swapgs
    sysretq

# Nothing was done: the rest of the frame. rdx is the call's number.
.globl exchange_generally
exchange_generally:
    movq %rdx, %rax
    load_kept
    addq $KEPT, %rsp
    movq RIP(%rsp), %rcx
    movq FLAGS(%rsp), %r11
    movq $-1, RBX(%rsp)
    movq %rax, RAX(%rsp)
    movq %rcx, RCX(%rsp)
    movq %rdx, RDX(%rsp)
    movq %rsi, RSI(%rsp)
    movq %r8, R8(%rsp)
    movq %r9, R9(%rsp)
    movq %r10, R10(%rsp)
    movq %r11, R11(%rsp)
    movq %r12, R12(%rsp)
    movq %r13, R13(%rsp)
    movq %r14, R14(%rsp)
    movq %r15, R15(%rsp)
    movq $256, VECTOR(%rsp)
    movq $0, ERROR(%rsp)
    movq $USER_CODE, CS(%rsp)
    movq $USER_DATA, SS(%rsp)
    xorl %ebp, %ebp
    jmp general_call

# restricted_enter where all is as usual: the guest was prepared by the general way, nothing is to be done before it, and SYSRET can return to it. Other threads of the process may
# write the page at any time: what is checked is read once. rip in rcx, flags in r11, and neither these nor what the general way needs is touched before the last check.
.macro otherwise condition
    j\condition enter_generally
.endm
.balign 16
native_enter:
    testq %rdi, %rdi                    # no flags
    otherwise nz
    testq %rcx, %rcx                    # called from the upper half
    otherwise ns
    testl $TRAP_OR_RESUME, %r11d
    otherwise nz
    movq %gs:CPU_CURRENT, %rdx
    movq STATE_GUEST(%rdx), %rax
    testq %rax, %rax
    otherwise z
    cmpl $0, STATE_ATTENTION(%rdx)
    otherwise ne
    cmpl $0, OPERATION_COUNT(%rax)
    otherwise ne
    movq GUEST_RIP(%rax), %r8
    movq %r8, %r9
    shrq $47, %r9
    otherwise nz
    cmpq GUEST_RCX(%rax), %r8
    otherwise ne
    movq GUEST_FLAGS(%rax), %r10
    cmpq GUEST_R11(%rax), %r10
    otherwise ne
    movq %r10, %r9
    andq $~GUEST_FLAGS_FREE, %r9
    cmpq $GUEST_FLAGS_FIXED, %r9
    otherwise ne
    movq GUEST_FS_BASE(%rax), %r9
    cmpq STATE_FS_BASE(%rdx), %r9
    otherwise ne
    movq GUEST_GS_BASE(%rax), %r9
    cmpq STATE_GS_BASE(%rdx), %r9
    otherwise ne
    movq %rcx, RIP-FRAME(%rsp)
    movq %r11, FLAGS-FRAME(%rsp)
    movq %rbp, RBP-FRAME(%rsp)
    movq %gs:CPU_USER_STACK, %r9
    movq %r9, RSP-FRAME(%rsp)
    subq $FRAME, %rsp
    movq %rsp, STATE_TOP(%rdx)
    movq %rsp, %gs:CPU_KERNEL_STACK
    movq %rsp, %gs:CPU_TASK_STACK
    movq %gs:CPU_GUEST_ROOT, %r9
    change_root %r9
    movq %r8, %rcx
    movq %r10, %r11
    # What is loaded from the page here may be anything: general registers alone.
    movq GUEST_RBX(%rax), %rbx
    movq GUEST_RDX(%rax), %rdx
    movq GUEST_RSI(%rax), %rsi
    movq GUEST_RDI(%rax), %rdi
    movq GUEST_RBP(%rax), %rbp
    movq GUEST_R8(%rax), %r8
    movq GUEST_R9(%rax), %r9
    movq GUEST_R10(%rax), %r10
    movq GUEST_R12(%rax), %r12
    movq GUEST_R13(%rax), %r13
    movq GUEST_R14(%rax), %r14
    movq GUEST_R15(%rax), %r15
    movq GUEST_RSP(%rax), %rsp
    movq (%rax), %rax
    swapgs
    sysretq

enter_generally:
    movl $RESTRICTED_ENTER, %eax
    push_call_frame

general_call:
    movq %rsp, %rdi
    subq $FRAME, %rsp       # the guest's frame: restricted_enter fills it
    call kernel_system_call
    # rax says whether SYSRET may be used. The frame is the one that was chosen meanwhile: native code's or the guest's.
return_from_call:
    movq %gs:CPU_KERNEL_STACK, %rsp
    subq $FRAME, %rsp
    testb %al, %al
    jz restore_by_iret
restore_by_sysret:
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
    # On both ways: a wrong guess of either goes on with the other one's base (CVE-2019-1125).
1:  lfence
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

# A thread that handed the processor over has nothing on its stack but the frame: switch_stacks finds this in place of what it saves.
exchange_resume:
    movq %gs:CPU_KERNEL_STACK, %rsp
    subq $FRAME, %rsp
    movq %rsp, %rdi
    subq $FRAME, %rsp
    call kernel_exchange_ends
    jmp return_from_call

.section .data.rel.ro, "aw"
.balign 16
.globl exchange_resume_frame
exchange_resume_frame:
    .fill 6, 8, 0
    .quad exchange_resume

# A new thread comes here from switch_stacks: its first return to user mode.
.section .text.entry, "ax"
.globl thread_first_run
thread_first_run:
    call kernel_thread_begins
    jmp return_by_iret
