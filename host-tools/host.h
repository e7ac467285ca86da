// SPDX-License-Identifier: MIT
// What the host tools share: they say what is wrong and end, and never leave half a file.
#pragma once

#include "lib/types.h"

struct bytes {
    uint8_t *at;
    size_t size;
};

extern const char *host_tool_name; // stands before every message; each tool sets it first

// "TOOL: text" on stderr, then exit status 1.
void host_fail(const char *format, ...) NORETURN PRINTF_LIKE(1, 2);

// Memory or the end of the tool; never NULL. The grown part is not zeroed.
void *host_alloc(size_t size);
void *host_grow(void *old, size_t size);
char *host_text(const char *format, ...) PRINTF_LIKE(1, 2);

// The whole file; ends the tool when it cannot be read or is larger than `max` bytes. One NUL
// follows the bytes.
struct bytes host_read(const char *path, size_t max);

// Writes through a temporary file beside `path` and renames it, so `path` is old or new, not half.
void host_write(const char *path, const void *bytes, size_t size);
