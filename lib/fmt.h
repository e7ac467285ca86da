// SPDX-License-Identifier: MIT
// printf-like formatting without a C library: %d %i %u %x %X %o %c %s %p %% with 0 - width .prec
// (also *), and the lengths h l ll z. Always ends with NUL; returns the length it wanted.
#pragma once

#include <stdarg.h>
#include "lib/types.h"

int fmt_print(char *to, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
int fmt_vprint(char *to, size_t size, const char *format, va_list args);

// Text that grows in a fixed buffer: procfs pages and reports are written with it.
struct text {
    char *at;      // buffer
    size_t size;   // its size, the NUL counted
    size_t length; // bytes written, never above size - 1
    bool cut;      // something did not fit
};

void text_init(struct text *t, void *buffer, size_t size);
void text_add(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
