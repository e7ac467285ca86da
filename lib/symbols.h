// SPDX-License-Identifier: MIT
// Names of the kernel's functions by address, for panics and lock reports. host-tools/symtab writes
// the table from a first link; the second link, boot/boot.mk, puts it into section .symtab_weft.
#pragma once

#include "lib/types.h"

struct symbol {
    uint32_t address;
    uint32_t name; // offset in symbol_names
};

// In order of address. All three are absent (NULL) in the first link and in host programs.
extern const struct symbol symbol_table[] __attribute__((weak));
extern const struct symbol symbol_table_end[] __attribute__((weak));
extern const char symbol_names[] __attribute__((weak));

#define SYMBOL_SPAN_MAX 65536u // no function is larger

// The function that `address` lies in, with how far inside; NULL when none is known.
const char *symbol_find(uintptr_t address, uintptr_t *offset);
