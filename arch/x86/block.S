// SPDX-License-Identifier: MIT
// Pages and large copies by 16 bytes at a time, for CPUs with SSE. The registers belong to the
// program that is interrupted: they are put back. The kernel has interrupts off meanwhile.

#define PAGE_BYTES  4096
#define BLOCK_SHIFT 8
#define BLOCK_BYTES (1 << BLOCK_SHIFT)

    .macro save_registers                   // four of them, on the stack
    sub $64, %esp
    movups %xmm0, (%esp)
    movups %xmm1, 16(%esp)
    movups %xmm2, 32(%esp)
    movups %xmm3, 48(%esp)
    .endm

    .macro restore_registers
    movups (%esp), %xmm0
    movups 16(%esp), %xmm1
    movups 32(%esp), %xmm2
    movups 48(%esp), %xmm3
    add $64, %esp
    .endm

    .text
    .globl page_zero
page_zero:                                  // (page)
    mov 4(%esp), %edx
    sub $16, %esp
    movups %xmm0, (%esp)
    xorps %xmm0, %xmm0
    lea PAGE_BYTES(%edx), %ecx
1:  .set offset, 0
    .rept 32
    movaps %xmm0, offset(%edx)
    .set offset, offset + 16
    .endr
    add $512, %edx
    cmp %ecx, %edx
    jb 1b
    movups (%esp), %xmm0
    add $16, %esp
    ret

    .macro load_four from
    movaps \from(%eax), %xmm0
    movaps \from + 16(%eax), %xmm1
    movaps \from + 32(%eax), %xmm2
    movaps \from + 48(%eax), %xmm3
    .endm

    .macro store_four to
    movaps %xmm0, \to(%edx)
    movaps %xmm1, \to + 16(%edx)
    movaps %xmm2, \to + 32(%edx)
    movaps %xmm3, \to + 48(%edx)
    .endm

    .globl page_copy
page_copy:                                  // (to, from)
    mov 4(%esp), %edx
    mov 8(%esp), %eax
    save_registers
    lea PAGE_BYTES(%edx), %ecx
1:  .irp offset, 0, 64, 128, 192
    load_four \offset
    store_four \offset
    .endr
    add $256, %eax
    add $256, %edx
    cmp %ecx, %edx
    jb 1b
    restore_registers
    ret

// An instruction that may fault: the copy ends there, before the block it is in.
    .macro faulting instruction:vararg
9:  \instruction
    .pushsection copy_fixups, "a"
    .long 9b, blocks_end
    .popsection
    .endm

    .macro copy_four at
    faulting movups \at(%eax,%ecx), %xmm0
    faulting movups \at + 16(%eax,%ecx), %xmm1
    faulting movups \at + 32(%eax,%ecx), %xmm2
    faulting movups \at + 48(%eax,%ecx), %xmm3
    faulting movups %xmm0, \at(%edx,%ecx)
    faulting movups %xmm1, \at + 16(%edx,%ecx)
    faulting movups %xmm2, \at + 32(%edx,%ecx)
    faulting movups %xmm3, \at + 48(%edx,%ecx)
    .endm

// size_t blocks_copy_maybe_faulting(void *to, const void *from, size_t blocks): blocks not copied
// whole.
    .globl blocks_copy_maybe_faulting
blocks_copy_maybe_faulting:
    mov 4(%esp), %edx
    mov 8(%esp), %eax
    mov 12(%esp), %ecx
    save_registers
    shl $BLOCK_SHIFT, %ecx
    add %ecx, %eax                          // both ends; what is left lies before them
    add %ecx, %edx
    neg %ecx
    cmpl $0, user_access_guarded
    je 1f
    stac
1:  copy_four 0
    copy_four 64
    copy_four 128
    copy_four 192
    add $BLOCK_BYTES, %ecx
    jnz 1b
blocks_end:
    cmpl $0, user_access_guarded
    je 2f
    clac
2:  restore_registers
    neg %ecx
    shr $BLOCK_SHIFT, %ecx
    mov %ecx, %eax
    ret

    .section .note.GNU-stack, "", @progbits
