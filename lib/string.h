// SPDX-License-Identifier: MIT
// The C library's memory and string functions that the kernel uses, under their own names.
#pragma once

#include "lib/types.h"

#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *needle);
// -ffreestanding takes the compiler's knowledge of these away: a few bytes need no call.
#define memcpy(to, from, n)  __builtin_memcpy(to, from, n)
#define memset(to, byte, n)  __builtin_memset(to, byte, n)
#define memmove(to, from, n) __builtin_memmove(to, from, n)
#define memcmp(a, b, n)      __builtin_memcmp(a, b, n)
#define strlen(s)            __builtin_strlen(s)
#endif

// Copies and always ends with NUL; returns strlen(from), so >= size says it was cut.
size_t str_copy(char *to, const char *from, size_t size);

// Whole string as an unsigned number, decimal or 0x hexadecimal; false when it is not one or
// overflows.
bool str_to_u32(const char *s, uint32_t *value) MUST_CHECK;
bool str_to_u64(const char *s, uint64_t *value) MUST_CHECK;
