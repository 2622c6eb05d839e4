# The object's file, as part of the personality; linux/exec/vdso.cpp copies it to where guests see it.
    .section .rodata.vdso, "a"
    .global vdso_image, vdso_image_end
    .balign 8
vdso_image:
    .incbin VDSO_FILE
vdso_image_end:
    .section .note.GNU-stack, "", @progbits
