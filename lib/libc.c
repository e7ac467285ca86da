// SPDX-License-Identifier: MIT
// The C library's string functions for the freestanding kernel; on the host the C library has
// them, so this file is linked into the kernel only. memcpy, memset, memmove: arch/x86/memory.S.
#include "lib/libc.h"
#include "lib/assert.h"
#include "lib/string.h"

#if !__STDC_HOSTED__
#undef memcmp
#undef strlen
#endif

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (uint32_t v, w; n >= sizeof(v); n -= sizeof(v), x += sizeof(v), y += sizeof(v)) {
        __builtin_memcpy(&v, x, sizeof(v));
        __builtin_memcpy(&w, y, sizeof(w));
        if (v != w)
            break; // the bytes say which is less
    }
    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    for (const uint8_t *p = s; n > 0; n--, p++)
        if (*p == (uint8_t)c)
            return (void *)p;
    return NULL;
}

size_t strlen(const char *s)
{
    const char *end = s;
    while (*end)
        end++;
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++)
        if (*a != *b || *a == '\0')
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;
    return (char *)s;
}

char *strrchr(const char *s, int c)
{
    const char *found = NULL;
    for (;; s++) {
        if (*s == (char)c)
            found = s;
        if (*s == '\0')
            return (char *)found;
    }
}

char *strstr(const char *s, const char *needle)
{
    size_t n = strlen(needle);
    for (; *s || n == 0; s++)
        if (strncmp(s, needle, n) == 0)
            return (char *)s;
    return NULL;
}

// What Debian's hardened BearSSL objects call: a checked copy, and the end of a smashed stack.
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    ASSERT(n <= room);
    return memcpy(to, from, n);
}

void *__memset_chk(void *to, int c, size_t n, size_t room)
{
    ASSERT(n <= room);
    return memset(to, c, n);
}

void __stack_chk_fail_local(void)
{
    assert_failed("stack canary", "stack of the current thread", 0);
}
