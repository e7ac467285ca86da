// SPDX-License-Identifier: MIT
#include "lib/string.h"

size_t str_copy(char *to, const char *from, size_t size)
{
    size_t length = strlen(from);
    if (size > 0) {
        size_t n = MIN(length, size - 1);
        memcpy(to, from, n);
        to[n] = '\0';
    }
    return length;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

bool str_to_u64(const char *s, uint64_t *value)
{
    unsigned base = 10;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    if (*s == '\0')
        return false;
    uint64_t v = 0;
    for (; *s; s++) {
        unsigned d = (unsigned)digit_value(*s);
        if (d >= base || v > (UINT64_MAX - d) / base)
            return false;
        v = v * base + d;
    }
    *value = v;
    return true;
}

bool str_to_u32(const char *s, uint32_t *value)
{
    uint64_t v;
    if (!str_to_u64(s, &v) || v > UINT32_MAX)
        return false;
    *value = (uint32_t)v;
    return true;
}
