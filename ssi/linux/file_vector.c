// SPDX-License-Identifier: MIT
// readv, writev and their kin.
#include "ssi/linux/file.h"
#include "mm/heap.h"
#include "ssi/stream/socket.h"

#define IOV_MAX      1024u
#define GATHER_BYTES 4096u  // writev up to this goes out as one write
#define WHOLE_BYTES  65536u // of a stream that goes or comes in one piece

struct linux_iovec {
    uint32_t at, bytes;
} PACKED;

// The vector from user memory, on the heap, with the sum of its lengths.
static int vector_in(uint32_t user, uint32_t count, struct linux_iovec **v, uint64_t *total)
{
    if (count > IOV_MAX)
        return -EINVAL;
    *v = heap_alloc(MAX(count, 1) * sizeof(**v));
    if (*v == NULL)
        return -ENOMEM;
    int e = user_read(*v, user, count * sizeof(**v));
    *total = 0;
    for (uint32_t k = 0; k < count && e == 0; k++) {
        if ((*v)[k].bytes > INT32_MAX)
            e = -EINVAL;
        *total += (*v)[k].bytes;
    }
    if (e == 0 && *total > INT32_MAX)
        e = -EINVAL;
    if (e < 0)
        heap_free(*v);
    return e;
}

static long vector_read(struct file *f, const struct linux_iovec *v, uint32_t count, uint64_t *at)
{
    long total = 0;
    for (uint32_t k = 0; k < count; k++) {
        struct xfer x;
        // A stream that gave some bytes must not be waited on for more.
        if (total > 0 && f->ops->seek == NULL && !(f->ops->poll && f->ops->poll(f) & POLL_IN))
            break;
        xfer_user(&x, v[k].at, v[k].bytes);
        long r = file_read(f, &x, at);
        if (r < 0)
            return total ? total : r;
        total += r;
        if (at)
            *at += (uint64_t)r;
        if ((uint32_t)r < v[k].bytes)
            break;
    }
    return total;
}

// A socket's message must not be read in parts.
static long vector_read_whole(struct file *f, const struct linux_iovec *v, uint32_t count,
                              uint64_t total)
{
    struct xfer x;
    uint32_t most = socket_is(f) && !socket_is_stream(f) ? SOCKET_MESSAGE_MAX : WHOLE_BYTES;
    size_t room = (size_t)MIN(total, (uint64_t)most), done = 0;
    char *bytes = heap_alloc(MAX(room, (size_t)1));
    if (bytes == NULL)
        return -ENOMEM;
    xfer_kernel(&x, bytes, room);
    long r = file_read(f, &x, NULL);
    for (uint32_t k = 0; k < count && r > 0 && done < (size_t)r; k++) {
        size_t n = MIN((size_t)v[k].bytes, (size_t)r - done);
        int e = n ? user_write(v[k].at, bytes + done, n) : 0;
        r = e < 0 ? e : r;
        done += n;
    }
    heap_free(bytes);
    return r;
}

// A read of a pipe takes what there is once, however it is spread (a packet has no second half).
static long vector_read_pipe(struct file *f, const struct linux_iovec *v, uint32_t count,
                             uint64_t total)
{
    for (uint32_t k = 0; k < count; k++) {
        int e = v[k].bytes ? user_fault_in(v[k].at, v[k].bytes, true) : 0;
        if (e < 0)
            return e;
    }
    return vector_read_whole(f, v, count, total);
}

enum {
    RWF_APPEND = 16,
    RWF_NOAPPEND = 32,
    RWF_KNOWN = 7 | RWF_APPEND | RWF_NOAPPEND // HIPRI, DSYNC, SYNC: memory is all there is
};

// Of bytes that there are: may they move so?
static int rwf_check(uint32_t flags, uint64_t total)
{
    if (total == 0)
        return 0;
    if (flags & ~(uint32_t)RWF_KNOWN)
        return -EOPNOTSUPP;
    return (flags & RWF_APPEND) && (flags & RWF_NOAPPEND) ? -EINVAL : 0;
}

// What a file is open for, before the vector is looked at. Only with `at` NULL need it not seek.
static int vector_file_check(const struct file *f, const uint64_t *at, bool reads)
{
    if (at && f->ops->seek == NULL)
        return -ESPIPE;
    if (reads ? !file_reads(f) : !file_writes(f))
        return -EBADF;
    return (reads ? f->ops->read == NULL : f->ops->write == NULL) ? -EINVAL : 0;
}

static long vector_read_kind(struct file *f, const struct linux_iovec *v, uint32_t count,
                             uint64_t total, uint64_t *at)
{
    if (socket_is(f) || f->ops->seeks_nowhere) // what it gives has a length of its own
        return vector_read_whole(f, v, count, total);
    if (count > 1 && at == NULL && file_is_pipe(f))
        return vector_read_pipe(f, v, count, total);
    return vector_read(f, v, count, at);
}

static long vector_read_call(uint32_t fd, uint32_t user, uint32_t count, uint64_t *at,
                             uint32_t flags)
{
    struct linux_iovec *v;
    uint64_t total;
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    long r = vector_file_check(f, at, true);
    if (r == 0)
        r = vector_in(user, count, &v, &total);
    if (r == 0) {
        r = rwf_check(flags, total);
        if (r == 0 && total > 0)
            r = vector_read_kind(f, v, count, total, at);
        file_count_read(r);
        heap_free(v);
    }
    file_put(f);
    return r;
}

// Small vectors go as one write, so that a pipe or a terminal gets them whole.
static long vector_write_small(struct file *f, const struct linux_iovec *v, uint32_t count,
                               uint32_t total, const uint64_t *at)
{
    struct xfer x;
    uint32_t used = 0;
    long e = 0;
    char *bytes = heap_alloc(MAX(total, 1));
    if (bytes == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < count && e == 0; k++) {
        e = user_read(bytes + used, v[k].at, v[k].bytes);
        used += e == 0 ? v[k].bytes : 0;
    }
    if (e == 0 || used > 0) { // what could be read goes
        xfer_kernel(&x, bytes, MIN(used, total));
        e = file_write(f, &x, at);
    }
    heap_free(bytes);
    return e;
}

// Bytes of the vector behind the first `skip`: as many as there are and as fit, or an error.
static long vector_gather(const struct linux_iovec *v, uint32_t count, uint64_t skip, char *to,
                          uint32_t size)
{
    uint32_t used = 0;
    for (uint32_t k = 0; k < count && used < size; k++) {
        uint32_t begin = (uint32_t)MIN(skip, v[k].bytes);
        uint32_t n = MIN(v[k].bytes - begin, size - used);
        skip -= begin;
        int e = n ? user_read(to + used, v[k].at + begin, n) : 0;
        if (e < 0)
            return used ? (long)used : e;
        used += n;
    }
    return (long)used;
}

// To a pipe with O_DIRECT: packets do not end where the vector's parts do.
static long vector_write_packets(struct file *f, const struct linux_iovec *v, uint32_t count,
                                 uint64_t skip)
{
    long total = 0, r = 0;
    char *bytes = heap_alloc(GATHER_BYTES);
    if (bytes == NULL)
        return -ENOMEM;
    for (;;) {
        struct xfer x;
        long n = vector_gather(v, count, skip + (uint64_t)total, bytes, GATHER_BYTES);
        if (n <= 0) {
            r = n;
            break;
        }
        xfer_kernel(&x, bytes, (size_t)n);
        r = file_write(f, &x, NULL);
        total += MAX(r, 0);
        if (r < n)
            break;
    }
    heap_free(bytes);
    return total ? total : r;
}

// Goes on `skip` bytes behind the start of the vector.
static long vector_write(struct file *f, const struct linux_iovec *v, uint32_t count, uint64_t skip,
                         uint64_t *at)
{
    long total = 0;
    for (uint32_t k = 0; k < count; k++) {
        struct xfer x;
        uint32_t begin = (uint32_t)MIN(skip, v[k].bytes);
        skip -= begin;
        if (begin == v[k].bytes)
            continue;
        xfer_user(&x, v[k].at + begin, v[k].bytes - begin);
        long r = file_write(f, &x, at);
        if (r < 0)
            return total ? total : r;
        total += r;
        if (at)
            *at += (uint64_t)r;
        if ((uint32_t)r < v[k].bytes - begin)
            break;
    }
    return total;
}

static long vector_write_kind(struct call *c, struct file *f, const struct linux_iovec *v,
                              uint32_t count, uint64_t total, const uint64_t *at)
{
    size_t allowed = (size_t)total;
    uint64_t pos = at ? *at + c->done : 0;
    long r = file_size_limit(f, at, &allowed);
    bool message = socket_is(f) && !socket_is_stream(f); // must not be sent in parts
    bool whole = message || (socket_is(f) && total <= WHOLE_BYTES);
    if (r < 0)
        return r;
    if (message && total > SOCKET_MESSAGE_MAX)
        return -EMSGSIZE;
    if ((whole || total <= GATHER_BYTES) && c->done == 0)
        return vector_write_small(f, v, count, (uint32_t)allowed, at);
    if ((f->flags & O_DIRECT) && f->ops->seek == NULL && at == NULL)
        return vector_write_packets(f, v, count, c->done);
    return vector_write(f, v, count, c->done, at ? &pos : NULL);
}

static long vector_write_call(struct call *c, uint32_t fd, uint32_t user, uint32_t count,
                              const uint64_t *at, uint32_t flags)
{
    struct linux_iovec *v;
    uint64_t total;
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    long r = vector_file_check(f, at, false);
    if (r == 0)
        r = vector_in(user, count, &v, &total);
    if (r == 0) {
        r = rwf_check(flags, total);
        if (r == 0 && total > 0)
            r = vector_write_kind(c, f, v, count, total, at);
        file_count_write(r);
        r = file_moved(c, f, r, total);
        heap_free(v);
    }
    file_put(f);
    return r;
}

long sys_readv(struct call *c)
{
    return vector_read_call(c->args[0], c->args[1], c->args[2], NULL, 0);
}

long sys_writev(struct call *c)
{
    return vector_write_call(c, c->args[0], c->args[1], c->args[2], NULL, 0);
}

long sys_preadv(struct call *c)
{
    uint64_t at = u64_of(c->args[3], c->args[4]);
    return (int64_t)at < 0 ? -EINVAL : vector_read_call(c->args[0], c->args[1], c->args[2], &at, 0);
}

long sys_pwritev(struct call *c)
{
    uint64_t at = u64_of(c->args[3], c->args[4]);
    return (int64_t)at < 0 ? -EINVAL
                           : vector_write_call(c, c->args[0], c->args[1], c->args[2], &at, 0);
}

// preadv2 and pwritev2: at -1 the file's own offset is meant.
long sys_preadv2(struct call *c)
{
    uint64_t at = u64_of(c->args[3], c->args[4]);
    if ((int64_t)at < -1)
        return -EINVAL;
    return vector_read_call(c->args[0], c->args[1], c->args[2], at == UINT64_MAX ? NULL : &at,
                            c->args[5]);
}

long sys_pwritev2(struct call *c)
{
    uint64_t at = u64_of(c->args[3], c->args[4]);
    uint32_t flags = c->args[5], how = flags & (RWF_APPEND | RWF_NOAPPEND);
    if ((int64_t)at < -1)
        return -EINVAL;
    struct file *f = how ? file_of(c->args[0]) : NULL;
    uint32_t was = f ? f->flags & O_APPEND : 0;
    if (f)
        f->flags = (f->flags & ~O_APPEND) | (how == RWF_APPEND ? O_APPEND : 0);
    long r = vector_write_call(c, c->args[0], c->args[1], c->args[2], at == UINT64_MAX ? NULL : &at,
                               flags);
    if (f) {
        f->flags = (f->flags & ~O_APPEND) | was;
        file_put(f);
    }
    return r;
}
