// SPDX-License-Identifier: MIT
// Every way into the kernel and back. All gates are interrupt gates: interrupts stay off in the
// kernel. The frame pushed here is struct arch_regs; from kernel mode it lacks esp and ss.

#include "arch/x86/vdso/places.h"

#define KERNEL_DS         0x68
#define CPU_GS            0xd8
#define USER_CS           0x73
#define USER_DS           0x7b
#define EFLAGS_FIXED      0x002
#define EFLAGS_IF         0x200
#define VECTOR_PROTECTION 13
#define VECTOR_SYSENTER   0x100

    .text
common:                                     // vector and error code are on the stack
    push %gs
    push %fs
    push %es
    push %ds
    push %eax
    push %ebp
    push %edi
    push %esi
    push %edx
    push %ecx
    push %ebx
    cld
    mov $KERNEL_DS, %eax
    mov %eax, %ds
    mov %eax, %es
    mov $CPU_GS, %eax
    mov %eax, %gs
    cmpl $0, user_access_guarded
    je 1f
    clac                                    // a program may have set AC: it would open its pages
1:  mov %esp, %eax
    xor %ebp, %ebp
    push %eax
    call trap_dispatch
    add $4, %esp

    .globl return_from_trap
return_from_trap:
    pop %ebx
    pop %ecx
    pop %edx
    pop %esi
    pop %edi
    pop %ebp
    pop %eax
load_ds:
    pop %ds
load_es:
    pop %es
    .globl load_fs
load_fs:
    pop %fs
load_gs:
    pop %gs
    add $8, %esp
leave:
    iret

// A selector that the CPU refuses on the way out is taken as null. A program may take away the
// descriptor that its stack lies in, or its code, which then is of the local table
// (arch_regs_sanitise; TLS descriptors are of data): then it has a protection fault, on the common
// stack.
    .section copy_fixups, "a"
    .long load_ds, fix_ds
    .long load_es, fix_es
    .long load_fs, fix_fs
    .long load_gs, fix_gs
    .long leave, fix_stack
    .text
fix_ds:
    movl $0, (%esp)
    jmp load_ds
fix_es:
    movl $0, (%esp)
    jmp load_es
fix_fs:
    movl $0, (%esp)
    jmp load_fs
fix_gs:
    movl $0, (%esp)
    jmp load_gs
fix_stack:
    movl $USER_DS, 16(%esp)
    push $0
    push $VECTOR_PROTECTION
    jmp common

// A call by SYSENTER, from VDSO_SYSENTER or anywhere: the way back is VDSO_RETURN. The CPU has
// taken the stack of the thread that runs and cleared IF; all other flags are still the program's:
// TF makes the first instructions here trap (trap.c), NT would spoil the iret. EBP is the user's
// stack.
    .globl sysenter_entry, sysenter_flags_clean
sysenter_entry:
    push $USER_DS
    push %ebp
    pushf
    push $EFLAGS_FIXED
    popf
sysenter_flags_clean:
    orl $EFLAGS_IF, (%esp)
    push $USER_CS
    push $VDSO_RETURN
    push %eax
    push $VECTOR_SYSENTER
    jmp common

// void user_enter(struct arch_regs *frame_on_stack)
    .globl user_enter
user_enter:
    mov 4(%esp), %esp
    jmp return_from_trap

// One stub per vector; exceptions 8, 10-14, 17, 21 come with an error code. For system calls the
// number asked for takes the error code's place.
    .macro stub vector
    .align 8
stub_\vector:
    .if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21
    .elseif \vector == 0x80
    push %eax
    .else
    push $0
    .endif
    push $\vector
    jmp common
    .endm

    .altmacro
    .set v, 0
    .rept 256
    stub %v
    .set v, v + 1
    .endr

    .section .rodata
    .globl trap_stubs
    .align 4
trap_stubs:
    .macro stub_address vector
    .long stub_\vector
    .endm
    .set v, 0
    .rept 256
    stub_address %v
    .set v, v + 1
    .endr

    .section .note.GNU-stack, "", @progbits
