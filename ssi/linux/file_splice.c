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
    PIECE_BYTES = 4096
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

// Bytes of a pipe behind the first `skip`, which stay there: how many; 0: no more come.
static long peek(struct file *in, uint32_t skip, char *bytes, size_t size, bool wait)
{
    for (;;) {
        memcpy(bytes, &skip, sizeof(skip));
        long n = in->ops->ioctl(in, FIFO_PEEK, bytes, sizeof(skip), size);
        if (n != 0)
            return n == -ENODATA ? 0 : n;
        int e = wait ? file_await(in, POLL_IN, WAIT_FOREVER) : -EAGAIN;
        if (e < 0)
            return e;
    }
}

static void skip(struct file *in, long n)
{
    uint32_t bytes = (uint32_t)n;
    (void)in->ops->ioctl(in, FIFO_SKIP, &bytes, sizeof(bytes), 0);
}

// How many of so many bytes are written at once. What is no pipe may take fewer when it is told not
// to wait.
static long room(struct file *out, bool pipe, size_t most, bool wait)
{
    long n;
    if (!pipe)
        return wait || out->ops->poll == NULL || (out->ops->poll(out) & (POLL_OUT | POLL_ERR))
                   ? (long)most
                   : -EAGAIN;
    while ((n = out->ops->ioctl(out, FIFO_ROOM, NULL, 0, 0)) == 0) {
        int e = wait ? file_await(out, POLL_OUT, WAIT_FOREVER) : -EAGAIN;
        if (e < 0)
            return e;
    }
    return MIN(n, (long)most);
}

// O_NONBLOCK of a pipe counts as the flag does.
static bool may_wait(uint32_t flags, const struct file *in_pipe, const struct file *out_pipe)
{
    return !(flags & SPLICE_F_NONBLOCK) && !(in_pipe && (in_pipe->flags & O_NONBLOCK)) &&
           !(out_pipe && (out_pipe->flags & O_NONBLOCK));
}

struct move {
    struct file *in, *out;
    uint64_t *from, *to; // NULL: the file's own offset
    bool to_pipe;
    char *bytes; // PIECE_BYTES
};

// A piece leaves a pipe when it has been written. Bytes, or an error.
static long piece_from_pipe(const struct move *m, size_t most, bool wait)
{
    long n = room(m->out, m->to_pipe, most, wait);
    if (n > 0)
        n = peek(m->in, 0, m->bytes, (size_t)n, wait);
    if (n > 0)
        n = file_write_piece(m->out, m->to, m->bytes, (size_t)n);
    if (n > 0)
        skip(m->in, n);
    return n;
}

// As much is read as the pipe takes: it is written whole.
static long piece_to_pipe(const struct move *m, size_t most, bool wait)
{
    struct xfer x;
    long n = room(m->out, true, most, wait);
    if (n <= 0)
        return n;
    xfer_kernel(&x, m->bytes, (size_t)n);
    n = plain_read(m->in, &x, m->from, wait);
    if (n <= 0)
        return n;
    xfer_kernel(&x, m->bytes, (size_t)n);
    return file_write(m->out, &x, NULL);
}

// Waits for the first bytes only. Bytes moved, or an error when there were none.
static long move_all(const struct move *m, bool from_pipe, uint64_t n, bool wait)
{
    long total = 0, r;
    do {
        size_t most = (size_t)MIN(n - (uint64_t)total, PIECE_BYTES);
        r = from_pipe ? piece_from_pipe(m, most, wait && total == 0)
                      : piece_to_pipe(m, most, wait && total == 0);
        if (r <= 0)
            break;
        total += r;
        if (m->from)
            *m->from += (uint64_t)r;
        if (m->to)
            *m->to += (uint64_t)r;
    } while ((uint64_t)total < n && !thread_current()->asked);
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
    struct move m = {.in = in,
                     .out = out,
                     .from = in_at ? &from : NULL,
                     .to = out_at ? &to : NULL,
                     .to_pipe = file_is_pipe(out),
                     .bytes = heap_alloc(PIECE_BYTES)};
    if (m.bytes == NULL)
        return -ENOMEM;
    bool from_pipe = file_is_pipe(in);
    bool wait = may_wait(c->args[5], from_pipe ? in : NULL, m.to_pipe ? out : NULL);
    long r = move_all(&m, from_pipe, MIN(c->args[4], MOVE_BYTES_MAX), wait);
    heap_free(m.bytes);
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
    bool wait = may_wait(c->args[3], in, out);
    char *bytes = heap_alloc(PIECE_BYTES);
    if (bytes == NULL)
        return -ENOMEM;
    long total = 0, n;
    do {
        size_t most = MIN(c->args[2] - (size_t)total, (size_t)PIECE_BYTES);
        n = peek(in, (uint32_t)total, bytes, most, wait && total == 0);
        if (n > 0)
            n = room(out, true, (size_t)n, wait && total == 0);
        if (n > 0)
            n = file_write_piece(out, NULL, bytes, (size_t)n);
        total += MAX(n, 0);
    } while (n > 0 && (uint32_t)total < c->args[2] && !thread_current()->asked);
    heap_free(bytes);
    return total ? total : n;
}

static long with_both(struct call *c, uint32_t in_fd, uint32_t out_fd,
                      long (*fn)(const struct call *, struct file *, struct file *))
{
    struct file *in = file_of(in_fd), *out = file_of(out_fd);
    long r = !in || !out ? -EBADF : file_moved(c, out, fn(c, in, out), 0);
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
