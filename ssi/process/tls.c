// SPDX-License-Identifier: MIT
#include "ssi/process/tls.h"
#include "lib/errno.h"

enum { // struct user_desc.flags
    DESC_32BIT = 1,
    DESC_CONTENTS_SHIFT = 1,
    DESC_READ_EXEC_ONLY = 1 << 3,
    DESC_LIMIT_IN_PAGES = 1 << 4,
    DESC_NOT_PRESENT = 1 << 5,
    DESC_USEABLE = 1 << 6,
};

static unsigned contents(const struct user_desc *d)
{
    return d->flags >> DESC_CONTENTS_SHIFT & 3;
}

// Programs clear an entry with all zeros, or with "not present, read only" and zeros (ldt.h).
static bool is_empty(const struct user_desc *d)
{
    uint32_t flags = d->flags & 0x7f;
    return d->base == 0 && d->limit == 0 &&
           (flags == 0 || flags == (DESC_READ_EXEC_ONLY | DESC_NOT_PRESENT));
}

static int free_entry(const struct arch_tls *tls)
{
    for (int i = 0; i < USER_TLS_COUNT; i++) {
        if (!tls->desc[i][0] && !tls->desc[i][1])
            return i;
    }
    return -ESRCH;
}

int tls_set(struct arch_tls *tls, struct user_desc *d, bool may_choose)
{
    int i = (int)d->entry_number - USER_TLS_MIN;
    if (may_choose && d->entry_number == UINT32_MAX) {
        i = free_entry(tls);
        if (i < 0)
            return i;
        d->entry_number = (uint32_t)i + USER_TLS_MIN;
    }
    if (i < 0 || i >= USER_TLS_COUNT)
        return -EINVAL;
    if (is_empty(d)) {
        tls->desc[i][0] = tls->desc[i][1] = 0;
        return 0;
    }
    if (contents(d) > 1 || !(d->flags & DESC_32BIT) || d->flags & DESC_NOT_PRESENT)
        return -EINVAL; // code segments, 16-bit ones and traps for the kernel: no
    // A data segment of ring 3, present, accessed (Intel SDM 3A, 3.4.5).
    uint32_t writable = d->flags & DESC_READ_EXEC_ONLY ? 0 : 1u << 9;
    uint32_t down = contents(d) == 1 ? 1u << 10 : 0;
    tls->desc[i][0] = d->base << 16 | (d->limit & 0xffff);
    tls->desc[i][1] = (d->base & 0xff000000u) | (d->limit & 0xf0000u) | (d->base >> 16 & 0xff) |
                      1u << 8 | writable | down | 1u << 12 | 3u << 13 | 1u << 15 |
                      (d->flags & DESC_USEABLE ? 1u << 20 : 0) | 1u << 22 |
                      (d->flags & DESC_LIMIT_IN_PAGES ? 1u << 23 : 0);
    return arch_tls_sanitise(tls) ? 0 : -EINVAL;
}

int tls_get(const struct arch_tls *tls, struct user_desc *d)
{
    int i = (int)d->entry_number - USER_TLS_MIN;
    if (i < 0 || i >= USER_TLS_COUNT)
        return -EINVAL;
    uint32_t low = tls->desc[i][0], high = tls->desc[i][1];
    d->base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000u);
    d->limit = (low & 0xffff) | (high & 0xf0000u);
    d->flags =
        (high >> 22 & 1 ? DESC_32BIT : 0) | (high >> 10 & 1 ? 1u << DESC_CONTENTS_SHIFT : 0) |
        (high >> 9 & 1 ? 0 : DESC_READ_EXEC_ONLY) | (high >> 23 & 1 ? DESC_LIMIT_IN_PAGES : 0) |
        (high >> 15 & 1 ? 0 : DESC_NOT_PRESENT) | (high >> 20 & 1 ? DESC_USEABLE : 0);
    return 0;
}

// The empty descriptor of modify_ldt(2): only "read only" and "not present" set.
static bool is_empty_local(const struct user_desc *d)
{
    return d->base == 0 && d->limit == 0 &&
           (d->flags & 0x7f) == (DESC_READ_EXEC_ONLY | DESC_NOT_PRESENT);
}

int tls_local(const struct user_desc *d, bool old, uint32_t desc[2])
{
    bool conforms = contents(d) == 3;
    if (conforms && (old || !(d->flags & DESC_NOT_PRESENT)))
        return -EINVAL;
    desc[0] = desc[1] = 0;
    if ((old && d->base == 0 && d->limit == 0) || is_empty_local(d))
        return 0;
    if (!(d->flags & DESC_32BIT))
        return -EINVAL;
    uint32_t type = contents(d) << 2 | (d->flags & DESC_READ_EXEC_ONLY ? 0 : 2) | 1; // accessed
    desc[0] = d->base << 16 | (d->limit & 0xffff);
    desc[1] = (d->base & 0xff000000u) | (d->limit & 0xf0000u) | (d->base >> 16 & 0xff) | type << 8 |
              1u << 12 | 3u << 13 | (d->flags & DESC_NOT_PRESENT ? 0 : 1u << 15) |
              (d->flags & DESC_USEABLE && !old ? 1u << 20 : 0) | 1u << 22 |
              (d->flags & DESC_LIMIT_IN_PAGES ? 1u << 23 : 0);
    return arch_ldt_entry_good(desc) ? 0 : -EINVAL;
}
