// SPDX-License-Identifier: MIT
// System calls by the CPU's fast entry, and where signal handlers return to. Runs in user mode.
// Registers as for int 0x80. SYSENTER keeps neither EIP nor ESP: the kernel comes back to
// VDSO_RETURN with the stack that is in EBP, and takes the 6th argument from it.
#include "arch/x86/vdso/places.h"

// The linker script checks that these lie where places.h says.
    .globl vdso_sysenter, vdso_again, vdso_return
    .hidden vdso_sysenter, vdso_again, vdso_return

    .section .text.entry, "ax", @progbits
    .globl __kernel_vsyscall
    .type __kernel_vsyscall, @function
__kernel_vsyscall:
    .cfi_startproc
    push %ecx
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset ecx, 0
    push %edx
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset edx, 0
    push %ebp
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset ebp, 0
    cmpb $0, VDSO_DATA + VDSO_DATA_SYSENTER
    je vdso_again
    mov %esp, %ebp
vdso_sysenter:
    sysenter
// Without SYSENTER; a stack that the kernel could not read at once, so that it faults here as any
// other; and, from the int 0x80, a call that a signal interrupted and that is made again.
vdso_again:
    mov (%esp), %ebp
    int $0x80
vdso_return:
    pop %ebp
    .cfi_adjust_cfa_offset -4
    .cfi_restore ebp
    pop %edx
    .cfi_adjust_cfa_offset -4
    .cfi_restore edx
    pop %ecx
    .cfi_adjust_cfa_offset -4
    .cfi_restore ecx
    ret
    .cfi_endproc
    .size __kernel_vsyscall, . - __kernel_vsyscall

// Debuggers and unwinders know these two by their bytes.
    .org VDSO_SIGRETURN - VDSO_VSYSCALL, 0x90
    .globl __kernel_sigreturn
    .type __kernel_sigreturn, @function
__kernel_sigreturn:
    pop %eax
    mov $119, %eax
    int $0x80
    .size __kernel_sigreturn, . - __kernel_sigreturn

    .org VDSO_RT_SIGRETURN - VDSO_VSYSCALL, 0x90
    .globl __kernel_rt_sigreturn
    .type __kernel_rt_sigreturn, @function
__kernel_rt_sigreturn:
    mov $173, %eax
    int $0x80
    .size __kernel_rt_sigreturn, . - __kernel_rt_sigreturn

    .section .note.GNU-stack, "", @progbits
