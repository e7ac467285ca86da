// SPDX-License-Identifier: MIT
#include "mm/user.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/space.h"

#define FAULT_IN_PAGES     16 // at most so many at once: the rest is asked for again
#define STRING_PIECE_BYTES 64
#define ROUNDS_MAX         1000 // pages may be taken away between fault and copy, but not for ever

typedef struct space *(*current_fn)(void);
typedef void (*lost_fn)(void);
NODE_VAR(current_fn, current_space);
NODE_VAR(lost_fn, current_lost);

void user_set_current(struct space *(*current)(void))
{
    node(current_space) = current;
}

void user_set_lost(void (*lost)(void))
{
    node(current_lost) = lost;
}

static struct space *current(void)
{
    return node(current_space) ? node(current_space)() : NULL;
}

size_t user_copy_in(void *to, uint32_t user, size_t n)
{
    return current() ? arch_copy_from_user(to, user, n) : 0;
}

size_t user_copy_out(uint32_t user, const void *from, size_t n)
{
    return current() ? arch_copy_to_user(user, from, n) : 0;
}

static bool shown(struct space *s, uint32_t page, bool write)
{
    uint32_t frame;
    unsigned rights;
    return arch_space_look(&s->arch, page, &frame, &rights) && (!write || (rights & MAP_WRITE));
}

int user_fault_in(uint32_t user, size_t n, bool write)
{
    struct space *s = current();
    if (s == NULL || user >= USER_TOP)
        return -EFAULT;
    uint32_t first = ALIGN_DOWN(user, PAGE_SIZE);
    uint32_t end = user + (uint32_t)MIN(MAX(n, (size_t)1), (size_t)(USER_TOP - user));
    unsigned pages = 0;
    for (uint32_t at = first; at < end && pages < FAULT_IN_PAGES; at += PAGE_SIZE, pages++) {
        if (shown(s, at, write))
            continue;
        int error = space_fault(s, at, write ? PROT_W : PROT_R);
        if (error == -EACCES || error == -EIO)
            error = -EFAULT;
        if (error == -EHOSTDOWN && at == first && node(current_lost)) {
            node(current_lost)();
            error = -EINTR;
        }
        if (error < 0)
            return at == first ? error : 0;
    }
    return 0;
}

// After a first copy that stopped at a page that is not there.
static int read_rest(char *at, uint32_t user, size_t n)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        size_t got = user_copy_in(at, user, n);
        at += got;
        user += (uint32_t)got;
        n -= got;
        if (n == 0)
            return 0;
        int error = user_fault_in(user, n, false);
        if (error < 0)
            return error;
        if (got)
            round = 0;
    }
    return -EFAULT;
}

int user_read(void *to, uint32_t user, size_t n)
{
    size_t got = user_copy_in(to, user, n);
    return got == n ? 0 : read_rest((char *)to + got, user + (uint32_t)got, n - got);
}

static int write_rest(uint32_t user, const char *at, size_t n)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        size_t put = user_copy_out(user, at, n);
        at += put;
        user += (uint32_t)put;
        n -= put;
        if (n == 0)
            return 0;
        int error = user_fault_in(user, n, true);
        if (error < 0)
            return error;
        if (put)
            round = 0;
    }
    return -EFAULT;
}

int user_write(uint32_t user, const void *from, size_t n)
{
    size_t put = user_copy_out(user, from, n);
    return put == n ? 0 : write_rest(user + (uint32_t)put, (const char *)from + put, n - put);
}

int user_compare_exchange(uint32_t user, uint32_t *expected, uint32_t desired)
{
    if (user & 3)
        return -EINVAL;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (current() && arch_compare_exchange_user(user, *expected, desired, expected))
            return 0;
        int error = user_fault_in(user, sizeof(desired), true);
        if (error < 0)
            return error;
    }
    return -EFAULT;
}

long user_read_string(char *to, uint32_t user, size_t size)
{
    size_t length = 0;
    while (length < size) {
        // Most are short. Up to the page's end at most: it may stop right before an unmapped page.
        uint32_t at = user + (uint32_t)length;
        size_t chunk = MIN(size - length, (size_t)(PAGE_SIZE - (at & PAGE_MASK)));
        if (at < user)
            return -EFAULT;
        size_t read = MIN(chunk, (size_t)STRING_PIECE_BYTES);
        int error = user_read(to + length, at, read);
        if (error < 0)
            return error;
        size_t n = strnlen(to + length, read);
        length += n;
        if (n < read)
            return (long)length;
    }
    return -ENAMETOOLONG;
}

void xfer_user(struct xfer *x, uint32_t user, size_t n)
{
    *x = (struct xfer){.user = true, .user_at = user, .left = n};
}

void xfer_kernel(struct xfer *x, void *kernel, size_t n)
{
    *x = (struct xfer){.kernel_at = kernel, .left = n};
}

static void xfer_advance(struct xfer *x, size_t asked, size_t got)
{
    if (x->user)
        x->user_at += (uint32_t)got;
    else
        x->kernel_at += got;
    x->left -= got;
    x->done += got;
    x->short_copy = got < asked;
}

size_t xfer_put(struct xfer *x, const void *from, size_t n)
{
    size_t asked = MIN(n, x->left), got = asked;
    if (x->user)
        got = user_copy_out(x->user_at, from, asked);
    else
        memcpy(x->kernel_at, from, asked);
    xfer_advance(x, asked, got);
    return got;
}

size_t xfer_take(struct xfer *x, void *to, size_t n)
{
    size_t asked = MIN(n, x->left), got = asked;
    if (x->user)
        got = user_copy_in(to, x->user_at, asked);
    else
        memcpy(to, x->kernel_at, asked);
    xfer_advance(x, asked, got);
    return got;
}

void xfer_undo(struct xfer *x, const struct xfer *start)
{
    uint32_t at = x->user_at;
    *x = *start;
    x->short_copy = true;
    x->stopped = at;
}

int xfer_fault_in(struct xfer *x, bool write)
{
    uint32_t at = x->stopped ? x->stopped : x->user_at;
    x->short_copy = false;
    x->stopped = 0;
    return x->user ? user_fault_in(at, x->left - (at - x->user_at), write) : -EFAULT;
}
