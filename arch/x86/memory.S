// SPDX-License-Identifier: MIT
// memcpy, memmove, memset, and the copies between kernel and user memory that may stop at an
// absent page: a fault inside them continues at the fixup that copy_fixups names.

    .text
    .globl memcpy
memcpy:                                     // (to, from, n)
    push %edi
    push %esi
    mov 12(%esp), %edi
    mov 16(%esp), %esi
    mov 20(%esp), %edx
    mov %edi, %eax
    mov %edx, %ecx
    shr $2, %ecx
    rep movsl
    mov %edx, %ecx
    and $3, %ecx
    rep movsb
    pop %esi
    pop %edi
    ret

    .globl memmove
memmove:
    mov 4(%esp), %eax
    mov 8(%esp), %edx
    mov %eax, %ecx
    sub %edx, %ecx
    cmp 12(%esp), %ecx
    jae memcpy                              // `to` does not lie inside [from, from + n)
    push %edi
    push %esi
    mov 20(%esp), %ecx
    lea -1(%eax,%ecx), %edi
    lea -1(%edx,%ecx), %esi
    std
    rep movsb
    cld
    pop %esi
    pop %edi
    ret

    .globl memset
memset:                                     // (to, byte, n)
    push %edi
    mov 8(%esp), %edi
    movzbl 12(%esp), %eax
    imul $0x01010101, %eax
    mov 16(%esp), %edx
    mov %edx, %ecx
    shr $2, %ecx
    rep stosl
    mov %edx, %ecx
    and $3, %ecx
    rep stosb
    mov 8(%esp), %eax
    pop %edi
    ret

// size_t copy_maybe_faulting(void *to, const void *from, size_t n): bytes not copied.
    .globl copy_maybe_faulting
copy_maybe_faulting:
    push %edi
    push %esi
    mov 12(%esp), %edi
    mov 16(%esp), %esi
    mov 20(%esp), %edx
    cmpl $0, user_access_guarded
    je 1f
    stac
1:  mov %edx, %ecx
    shr $2, %ecx
copy_words:
    rep movsl
    mov %edx, %ecx
    and $3, %ecx
copy_bytes:
    rep movsb
copy_done:
    cmpl $0, user_access_guarded
    je 2f
    clac
2:  mov %ecx, %eax
    pop %esi
    pop %edi
    ret
// bool compare_exchange_maybe_faulting(at, expected, desired, *found): 1 done, 0 fault.
    .globl compare_exchange_maybe_faulting
compare_exchange_maybe_faulting:
    push %ebx
    mov 8(%esp), %edx
    mov 12(%esp), %eax
    mov 16(%esp), %ecx
    cmpl $0, user_access_guarded
    je 3f
    stac
3:  mov $1, %ebx
exchange_word:
    lock cmpxchg %ecx, (%edx)
exchange_done:
    cmpl $0, user_access_guarded
    je 4f
    clac
4:  mov 20(%esp), %edx
    mov %eax, (%edx)
    mov %ebx, %eax
    pop %ebx
    ret
exchange_fault:
    xor %ebx, %ebx
    jmp exchange_done

copy_words_fault:                           // what is left, byte by byte up to the very end
    and $3, %edx
    lea (%edx,%ecx,4), %ecx
    jmp copy_bytes

    .section copy_fixups, "a"
    .long copy_words, copy_words_fault
    .long copy_bytes, copy_done
    .long exchange_word, exchange_fault

    .section .note.GNU-stack, "", @progbits
