# Tiny guest programs. Copied into the guest half by the tests; position independent.

.section .rodata.guest, "a"

# Adds rdi and rsi, asks with call 7, and again for ever.
.globl guest_add
.globl guest_add_end
guest_add:
1:  leaq (%rdi,%rsi), %rbx
    movl $7, %eax
    syscall
    jmp 1b
guest_add_end:

# Makes call rdi, and with its answer in rbx call 9, for ever.
.globl guest_constant
.globl guest_constant_end
guest_constant:
    movq %rdi, %rax
    syscall
    movq %rax, %rbx
    movl $9, %eax
    syscall
    jmp guest_constant
guest_constant_end:

# Makes call rbx, with its answer in rbx call 9, for ever.
.globl guest_ask
.globl guest_ask_end
guest_ask:
    movq %rbx, %rax
    syscall
    movq %rax, %rbx
    movl $9, %eax
    syscall
    jmp guest_ask
guest_ask_end:

# Makes call 39 a hundred times, with the arguments that it got, then call 9, and again for ever.
.globl guest_constants
.globl guest_constants_end
guest_constants:
    movl $100, %ebx
1:  movl $39, %eax
    syscall
    decl %ebx
    jnz 1b
    movl $9, %eax
    syscall
    jmp guest_constants
guest_constants_end:

# Loops for ever.
.globl guest_loop
.globl guest_loop_end
guest_loop:
    incq %rax
    jmp guest_loop
guest_loop_end:

# Reads where rdi points, writes rsi there when rdx is 1, jumps there when rdx is 2, then asks with call 1.
.globl guest_touch
.globl guest_touch_end
guest_touch:
    cmpl $1, %edx
    je 2f
    cmpl $2, %edx
    je 3f
    movq (%rdi), %rbx
    jmp 4f
2:  movq %rsi, (%rdi)
    jmp 4f
3:  jmp *%rdi
4:  movl $1, %eax
    syscall
    jmp guest_touch
guest_touch_end:

# Faults: rdi 0 ud2, 1 int3, 2 divide by zero, 3 cli, 4 hlt, 5 read CR0.
.globl guest_fault
.globl guest_fault_end
guest_fault:
    testl %edi, %edi
    jz 10f
    cmpl $1, %edi
    je 11f
    cmpl $2, %edi
    je 12f
    cmpl $3, %edi
    je 13f
    cmpl $4, %edi
    je 14f
    movq %cr0, %rax
    jmp guest_fault
10: ud2
11: int3
    jmp 11b
12: xorl %edx, %edx
    xorl %ecx, %ecx
    divl %ecx
13: cli
14: hlt
guest_fault_end:

# Fills xmm0 from rdi, sets fs and gs bases from fs:0 and gs:0 into rbx and rbp, asks with call 2, then returns xmm0 in rbx with call 3.
.globl guest_vector
.globl guest_vector_end
guest_vector:
    movq %rdi, %xmm0
    movq %fs:0, %rbx
    movq %gs:0, %rbp
    movl $2, %eax
    syscall
    movq %xmm0, %rbx
    movl $3, %eax
    syscall
    jmp guest_vector
guest_vector_end:

# Sets its segment bases to rdi and rsi and asks with call 4, then returns fs:0 and gs:0 in rbx and rbp with call 5.
.globl guest_bases
.globl guest_bases_end
guest_bases:
    wrfsbase %rdi
    wrgsbase %rsi
    movl $4, %eax
    syscall
    movq %fs:0, %rbx
    movq %gs:0, %rbp
    movl $5, %eax
    syscall
    jmp guest_bases
guest_bases_end:

# Writes to each of rsi pages from rdi on, then asks with call 1.
.globl guest_sweep
.globl guest_sweep_end
guest_sweep:
    movb $1, (%rdi)
    addq $4096, %rdi
    decq %rsi
    jnz guest_sweep
    movl $1, %eax
    syscall
guest_sweep_end:

.section .text.personality, "ax"

# native_peek(address, out) and native_poke(address, value): touch guest memory with fault fix-up; 0, or -1.
.globl native_peek
.globl peek_begin
.globl peek_end
.globl peek_landing
peek_begin:
native_peek:
    movq (%rdi), %rax
    movq %rax, (%rsi)
    xorl %eax, %eax
    ret
.globl native_poke
native_poke:
    movq %rsi, (%rdi)
    xorl %eax, %eax
    ret
peek_end:
peek_landing:
    movq $-1, %rax
    ret

.text
# call_in_registers(endpoint, tag, count): calls without a deadline, each with the last answer's words.
.globl call_in_registers
.balign 16
call_in_registers:
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rbp
    pushq %rsi
    movl %edx, %ebp
    movq $-1, %rbx          # never
1:  movl $45, %eax          # ipc_call
    movq (%rsp), %rsi
    syscall
    decl %ebp
    jnz 1b
    popq %rsi
    popq %rbp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    ret

# answer_in_registers(endpoint): answers each call with its own words, until one with the number 9.
.globl answer_in_registers
.balign 16
answer_in_registers:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
1:  movl $48, %eax          # ipc_reply_receive
    movq $-1, %rbx
    syscall
    testq %rax, %rax
    js 2f
    movq %rsi, %rcx
    shrq $32, %rcx
    cmpl $9, %ecx
    jne 1b
    movl $47, %eax          # ipc_reply
    movq $-1, %rdi          # abi::current_reply
    syscall
2:  popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
.globl answer_in_registers_end
answer_in_registers_end:

# A process of its own: rdi an endpoint, rsi its ThreadPage. Closes the capability of each call, and answers without words.
.globl answer_and_close
.globl answer_and_close_end
.balign 16
answer_and_close:
    pushq %rdi
    pushq %rsi
1:  xorl %esi, %esi
    movq 8(%rsp), %rdi
    movq $-1, %rbx
    movl $48, %eax          # ipc_reply_receive
    syscall
    testq %rax, %rax
    js 2f
    movq (%rsp), %rax
    movq 384(%rax), %rdi    # MessageArea::handles
    movl $1, %eax           # handle_close
    syscall
    jmp 1b
2:  movl $17, %eax          # process_exit
    movl $1, %edi
    syscall
answer_and_close_end:

# A process of its own that lets others run, for ever.
.globl yield_for_ever
.globl yield_for_ever_end
yield_for_ever:
    movl $25, %eax          # thread_yield
    syscall
    jmp yield_for_ever
yield_for_ever_end:

# A process of its own: makes 1,000 leases out of the quota rdi, and closes each.
.globl make_leases
.globl make_leases_end
make_leases:
    movq %rdi, %rbp
    movl $1000, %ebx
1:  movq %rbp, %rdi
    xorl %esi, %esi
    movl $4, %eax           # lease_create
    syscall
    movq %rdx, %rdi
    movl $1, %eax           # handle_close
    syscall
    decl %ebx
    jnz 1b
    movl $17, %eax          # process_exit
    xorl %edi, %edi
    syscall
make_leases_end:

# A process of its own: with the Notification rdi makes a badged capability, 200 plain ones, a badged one, 200 badged ones and a badged one, and closes each.
.globl mint_often
.globl mint_often_end
mint_often:
    movq %rdi, %rbp
    xorl %r13d, %r13d
1:  movl $7, %r12d
    call 3f
    cmpl $14, %r13d
    je 4f
    movl %r13d, %r12d
    movl $200, %ebx
2:  call 3f
    decl %ebx
    jnz 2b
    addl $7, %r13d
    jmp 1b
3:  movq %rbp, %rdi
    movl $128, %esi         # right::send
    movl %r12d, %edx
    xorl %r10d, %r10d
    movl $2, %eax           # handle_duplicate
    syscall
    movq %rdx, %rdi
    movl $1, %eax           # handle_close
    syscall
    ret
4:  movl $17, %eax          # process_exit
    xorl %edi, %edi
    syscall
mint_often_end:
.section .note.GNU-stack, "", @progbits
