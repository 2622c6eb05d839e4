# Entry points of the direct loader. PVH (QEMU -kernel, microVM monitors) and Multiboot2 (GRUB) both enter in 32-bit protected mode without paging; the two differ
# in what ebx points at. Goes on to long mode with the first 4 GiB mapped one to one.

.section .multiboot2, "a"
.balign 8
multiboot2_header:
    .long 0xe85250d6, 0, multiboot2_end - multiboot2_header, -(0xe85250d6 + 0 + (multiboot2_end - multiboot2_header))
    .balign 8
    .word 6, 0              # module alignment: modules on page boundaries
    .long 8
    .balign 8
    .word 5, 1              # framebuffer, optional
    .long 20
    .long 1024, 768, 32
    .balign 8
    .word 0, 0
    .long 8
multiboot2_end:

.section .note.pvh, "a", @note
.balign 4
    .long 4, 4, 18          # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_start

.section .text.start, "ax"
.code32
.globl multiboot2_start
multiboot2_start:
    movl $2, %esi
    jmp common_start
.globl pvh_start
pvh_start:
    movl $1, %esi
common_start:
    cli
    cld
    movl $loader_stack_top, %esp
    movl %ebx, %edi

    # PML4[0] -> PDPT, four PDs of 2 MiB pages
    movl $boot_pdpt + 3, boot_pml4
    movl $boot_pd, %eax
    orl $3, %eax
    movl $boot_pdpt, %edx
    movl $4, %ecx
1:  movl %eax, (%edx)
    addl $4096, %eax
    addl $8, %edx
    loop 1b
    movl $boot_pd, %edx
    movl $0x83, %eax
    movl $2048, %ecx
2:  movl %eax, (%edx)
    addl $0x200000, %eax
    addl $8, %edx
    loop 2b

    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax         # PAE
    movl %eax, %cr4
    movl $0xc0000080, %ecx  # EFER: long mode, no-execute
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    andl $0x9fffffff, %eax  # caches on
    orl $0x80010001, %eax   # paging, write protect
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $0x08, $long_start

.code64
long_start:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    movl %edi, %edi
    movl %esi, %esi
    xchgq %rdi, %rsi        # kind, information
    call loader_main
3:  hlt
    jmp 3b

# enter_kernel(entry, root, stack): new tables, new stack, zero registers, as the protocol says.
.globl enter_kernel
enter_kernel:
    movq %rsi, %cr3
    movq %rdx, %rsp
    pushq $0                # no return address
    movq %rdi, %rax
    xorl %ebx, %ebx
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %edi, %edi
    xorl %ebp, %ebp
    jmp *%rax

.section .rodata
.balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .quad gdt

# What the loader carries. Page-aligned: the kernel takes the modules' pages as they are.
.section .payload, "a"
.balign 4096
.globl kernel_image_begin, kernel_image_end, init_image_begin, init_image_end
kernel_image_begin:
    .incbin KERNEL_IMAGE
kernel_image_end:
.balign 4096
init_image_begin:
    .incbin INIT_IMAGE
init_image_end:
.balign 4096

.section .bss
.balign 4096
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd:   .skip 4 * 4096
loader_stack: .skip 16384
loader_stack_top:
