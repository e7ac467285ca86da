// SPDX-License-Identifier: MIT
// What the loader told us, as the kernel sees it: taken from Multiboot once, in arch/x86/boot.c.
#pragma once

#include "lib/types.h"

#define BOOT_RANGES_MAX  32
#define BOOT_MODULES_MAX 8

struct boot_range {
    uint64_t start, end; // bytes, [start, end)
};

struct bootinfo {
    const char *command_line; // may begin with a file name or URL, depending on the loader
    const char *loader;
    struct boot_range ram[BOOT_RANGES_MAX]; // usable
    unsigned ram_count;
    struct boot_range module[BOOT_MODULES_MAX];
    unsigned module_count;
};

// The kernel's start in C, called once by arch/x86 on the boot stack with paging on.
void kernel_main(const struct bootinfo *info) __attribute__((noreturn));
