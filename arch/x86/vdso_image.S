// SPDX-License-Identifier: MIT
// The vDSO's page as the linker made it (vdso/vdso.mk); nothing else may lie in the page.

    .section .rodata.vdso, "a", @progbits
    .balign 4096
    .globl vdso_image, vdso_image_end
vdso_image:
    .incbin VDSO_IMAGE
vdso_image_end:
    .balign 4096

    .section .note.GNU-stack, "", @progbits
