// SPDX-License-Identifier: MIT
// Context switch between kernel stacks. struct arch_context is what is pushed here, lowest first:
// edi, esi, ebx, ebp, return address.

    .text
    .globl arch_context_switch
arch_context_switch:                        // (struct arch_context **save, *next)
    mov 4(%esp), %eax
    mov 8(%esp), %edx
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, (%eax)
    mov %edx, %esp
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

// First code of a new context: esi = argument, edi = entry. It never returns.
    .globl context_begin
context_begin:
    xor %ebp, %ebp
    push %esi
    call *%edi
    ud2

    .section .note.GNU-stack, "", @progbits
