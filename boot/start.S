// SPDX-License-Identifier: MIT
// Multiboot 1 entry: paging off, flat segments. Builds coarse PAE tables (2 MiB pages: the first
// 2 MiB identity mapped, the first 768 MiB at KERNEL_BASE), turns paging on, goes high.
// arch/x86/paging.c replaces these tables by fine ones.

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00000003 // modules page aligned, memory map wanted
#define BASE            0xc0000000
#define LARGE_PAGES     384        // 768 MiB

    .section .multiboot, "a"
    .align 4
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_FLAGS
    .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .bss
    .align 4096
    .globl boot_kernel_directory
boot_kernel_directory:
    .skip 4096
boot_identity_directory:
    .skip 4096
    .align 32
    .globl boot_directory_pointers
boot_directory_pointers:
    .skip 32
    .align 16
    .skip 16384
boot_stack_top:

    .text
    .globl start
start:
    cli
    cld
    mov %eax, %ebp                          // loader's magic
    mov %ebx, %esi                          // its information

    mov $(boot_kernel_directory - BASE), %edi
    mov $0x83, %eax                         // present, writable, 2 MiB
    mov $LARGE_PAGES, %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b

    movl $0x83, (boot_identity_directory - BASE)
    movl $(boot_identity_directory - BASE + 1), (boot_directory_pointers - BASE)
    movl $(boot_kernel_directory - BASE + 1), (boot_directory_pointers - BASE + 24)

    mov $1, %eax
    cpuid
    test $(1 << 6), %edx                    // PAE
    jz no_pae

    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    mov $(boot_directory_pointers - BASE), %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80010000, %eax                    // paging, write protect
    mov %eax, %cr0
    mov $high, %eax
    jmp *%eax
high:
    mov $boot_stack_top, %esp
    push $0                                 // ends the chain of frames
    push $0
    push %esi
    push %ebp
    xor %ebp, %ebp
    call arch_boot
2:  hlt
    jmp 2b

// A CPU without PAE is older than i686: say so on COM1 and stop.
no_pae:
    mov $(no_pae_text - BASE), %esi
3:  lodsb
    test %al, %al
    jz 2b
    mov $0x3f8, %dx
    out %al, %dx
    jmp 3b

    .section .rodata
no_pae_text:
    .asciz "weft: this CPU has no PAE; Weft needs an i686\r\n"
