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

// void lock_park(serving, ticket, flush): an NMI between the labels goes on at the end, so one that
// comes before the halt is not missed.
    .globl lock_park, lock_park_begin, lock_park_end
lock_park:
    mov 4(%esp), %eax
    mov 12(%esp), %ecx
lock_park_begin:
    mov (%ecx), %edx
    cmp 4(%ecx), %edx
    jne lock_park_end
    mov 8(%esp), %edx
    cmp %edx, (%eax)
    je lock_park_end
    hlt
lock_park_end:
    ret

// First code of a new context: esi = argument, edi = entry. It never returns.
    .globl context_begin
context_begin:
    xor %ebp, %ebp
    push %esi
    call *%edi
    ud2

    .section .note.GNU-stack, "", @progbits
