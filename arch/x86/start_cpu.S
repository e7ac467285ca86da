// SPDX-License-Identifier: MIT
// The first code of the other CPUs, copied below 1 MiB by smp.c: real mode, then 32 bits with
// paging at once, by tables that still map the first megabytes as they are; then high.

#define PLACE  0x8000
#define EFER   0xc0000080
#define OFFSET(label) (label - cpu_start_begin)

    .section .rodata
    .globl cpu_start_begin, cpu_start_end, cpu_start_words
    .align 16
    .code16
cpu_start_begin:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    lgdtl OFFSET(start_gdt_pointer)
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $0x08, $(PLACE + OFFSET(start_32))

    .code32
start_32:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %cr4, %eax
    or $0x20, %eax                          // PAE
    mov %eax, %cr4
    cmpl $0, PLACE + OFFSET(cpu_start_words) + 8
    je 1f
    mov $EFER, %ecx                         // entries of the kernel have the NX bit
    rdmsr
    or $0x800, %eax
    wrmsr
1:  mov PLACE + OFFSET(cpu_start_words), %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80010000, %eax                    // paging, write protect
    and $0x9fffffff, %eax                   // caches on: an INIT leaves them off
    mov %eax, %cr0
    mov PLACE + OFFSET(cpu_start_words) + 4, %esp
    mov PLACE + OFFSET(cpu_start_words) + 12, %ecx
    xor %ebp, %ebp
    push %ebp                               // ends the chain of frames
    push %ebp
    push %ecx
    push %ebp
    mov $cpu_begin, %eax
    jmp *%eax

    .align 8
start_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff                // flat code
    .quad 0x00cf93000000ffff                // flat data
start_gdt_pointer:
    .word 23
    .long PLACE + OFFSET(start_gdt)
    .align 4
cpu_start_words:
    .skip 16
cpu_start_end:

    .section .note.GNU-stack, "", @progbits
