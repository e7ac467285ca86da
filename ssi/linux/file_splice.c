// SPDX-License-Identifier: MIT
// splice, tee, vmsplice: as their manual pages have them, by copying.
#include "kernel/thread.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/special.h"
#include "ssi/linux/file.h"

enum {
    SPLICE_F_NONBLOCK = 2,
    SPLICE_F_KNOWN = 15,
    STEP_BYTES = 16384,
    PEEK_BYTES = 4096
};

static long plain_read(struct file *f, struct xfer *x, const uint64_t *at, bool wait)
{
    bool was = f->flags & O_NONBLOCK;
    if (!wait)
        f->flags |= O_NONBLOCK;
    long r = file_read(f, x, at);
    if (!wait && !was)
        f->flags &= ~O_NONBLOCK;
    return r;
}

static bool has_room(struct file *out, bool wait)
{
    return wait || out->ops->poll == NULL || (out->ops->poll(out) & (POLL_OUT | POLL_ERR));
}

// Bytes moved, or an error when there were none.
static long move(struct file *in, uint64_t *from, struct file *out, uint64_t *to, uint64_t n,
                 bool wait)
{
    long total = 0, r = 0;
    char *bytes = heap_alloc(STEP_BYTES);
    if (bytes == NULL)
        return -ENOMEM;
    while ((uint64_t)total < n && !thread_current()->asked) {
        struct xfer x;
        if (!has_room(out, wait)) {
            r = -EAGAIN;
            break;
        }
        xfer_kernel(&x, bytes, (size_t)MIN(n - (uint64_t)total, STEP_BYTES));
        r = plain_read(in, &x, from, wait && total == 0);
        if (r <= 0)
            break;
        long got = r;
        xfer_kernel(&x, bytes, (size_t)got);
        r = file_write(out, &x, to);
        if (r < 0)
            break;
        total += r;
        if (from)
            *from += (uint64_t)r;
        if (to)
            *to += (uint64_t)r;
        if (r < got)
            break;
    }
    heap_free(bytes);
    return total ? total : r;
}

static int offset_in(uint32_t user, uint64_t *at)
{
    return user ? user_read(at, user, sizeof(*at)) : 0;
}

static bool offset_fits(const struct file *f, uint32_t user, uint64_t at)
{
    return user == 0 || (f->ops->seek && (int64_t)at >= 0);
}

static long splice_files(const struct call *c, struct file *in, struct file *out)
{
    uint32_t in_at = c->args[1], out_at = c->args[3];
    uint64_t from = 0, to = 0;
    int e = (file_is_pipe(in) && in_at) || (file_is_pipe(out) && out_at) ? -ESPIPE : 0;
    if (e == 0)
        e = offset_in(out_at, &to);
    if (e == 0)
        e = offset_in(in_at, &from);
    if (e == 0 && (!file_reads(in) || !file_writes(out)))
        e = -EBADF;
    if (e == 0 &&
        ((!file_is_pipe(in) && !file_is_pipe(out)) || (in->data == out->data && in->data)))
        e = -EINVAL;
    if (e == 0 && (out->flags & O_APPEND) && !file_is_pipe(out))
        e = -EINVAL;
    if (e == 0 && (in->ops->seeks_nowhere || in->ops->list || out->ops->seeks_nowhere))
        e = -EINVAL;
    if (e == 0 && (!offset_fits(in, in_at, from) || !offset_fits(out, out_at, to)))
        e = -EINVAL;
    if (e < 0)
        return e;
    bool wait = !(c->args[5] & SPLICE_F_NONBLOCK);
    long r = move(in, in_at ? &from : NULL, out, out_at ? &to : NULL,
                  MIN(c->args[4], MOVE_BYTES_MAX), wait);
    if (r > 0 && in_at)
        e = user_write(in_at, &from, sizeof(from));
    if (r > 0 && out_at && e == 0)
        e = user_write(out_at, &to, sizeof(to));
    return e < 0 ? e : r;
}

static long tee_pipes(const struct call *c, struct file *in, struct file *out)
{
    if (!file_reads(in) || !file_writes(out))
        return -EBADF;
    if (!file_is_pipe(in) || !file_is_pipe(out) || in->data == out->data)
        return -EINVAL;
    bool wait = !(c->args[3] & SPLICE_F_NONBLOCK) && !(in->flags & O_NONBLOCK);
    char *bytes = heap_alloc(PEEK_BYTES);
    if (bytes == NULL)
        return -ENOMEM;
    long n;
    size_t size = MIN(c->args[2], (uint32_t)PEEK_BYTES);
    while ((n = in->ops->ioctl(in, FIFO_PEEK, bytes, 0, size)) == 0 && size > 0) {
        if (in->ops->poll(in) & POLL_HUP)
            break;
        n = wait && in->ops->poll_queue
                ? wait_sleep(in->ops->poll_queue(in), WAIT_FOREVER, WAIT_INTERRUPTIBLE)
                : -EAGAIN;
        if (n < 0)
            break;
    }
    if (n > 0 && !has_room(out, wait))
        n = -EAGAIN;
    if (n > 0) {
        struct xfer x;
        xfer_kernel(&x, bytes, (size_t)n);
        n = file_write(out, &x, NULL);
    }
    heap_free(bytes);
    return n;
}

static long with_both(struct call *c, uint32_t in_fd, uint32_t out_fd,
                      long (*fn)(const struct call *, struct file *, struct file *))
{
    struct file *in = file_of(in_fd), *out = file_of(out_fd);
    long r = !in || !out ? -EBADF : fn(c, in, out);
    if (in)
        file_put(in);
    if (out)
        file_put(out);
    return r;
}

long sys_splice(struct call *c)
{
    if (c->args[4] == 0)
        return 0;
    return c->args[5] & ~(uint32_t)SPLICE_F_KNOWN
               ? -EINVAL
               : with_both(c, c->args[0], c->args[2], splice_files);
}

long sys_tee(struct call *c)
{
    if (c->args[3] & ~(uint32_t)SPLICE_F_KNOWN)
        return -EINVAL;
    return c->args[2] ? with_both(c, c->args[0], c->args[1], tee_pipes) : 0;
}

long sys_vmsplice(struct call *c)
{
    if (c->args[3] & ~(uint32_t)SPLICE_F_KNOWN)
        return -EINVAL;
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    bool pipe = file_is_pipe(f), reads = file_reads(f);
    file_put(f);
    if (!pipe)
        return -EBADF;
    return reads ? sys_readv(c) : sys_writev(c);
}
