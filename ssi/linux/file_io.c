// SPDX-License-Identifier: MIT
// Moving bytes: read, write and their many forms, seeking, sendfile.
#include "ssi/linux/file.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/inode.h"
#include "ssi/stream/socket.h"

#define COPY_BYTES   (16u << 10)
#define RLIMIT_FSIZE 1
#define SIGPIPE      13
#define SIGXFSZ      25

static void raise(int signal)
{
    struct signal_info info = {.signal = signal, .pid = process_current()->pid};
    signal_post_task(task_current(), &info);
}

long file_moved(struct call *c, const struct file *f, long moved, uint64_t wanted)
{
    if (moved == -EPIPE && c->done == 0)
        raise(SIGPIPE);
    if (moved >= 0)
        c->done += (uint64_t)moved;
    if (c->done == 0)
        return moved;
    // Part of it is done. If the wait for the rest was ended to move or stop the process, go on
    // with it afterwards; a handler that waits ends the call with what there is.
    bool asked = moved == -EINTR || (moved >= 0 && thread_current()->asked);
    bool waits = f->ops->seek == NULL && !(f->flags & O_NONBLOCK);
    if (c->done < wanted && asked && waits && !signal_pending(task_current())) {
        thread_current()->asked = true;
        return -EINTR;
    }
    return (long)c->done;
}

int file_size_limit(struct file *f, const uint64_t *at, size_t *n)
{
    uint32_t limit = process_current()->limits[RLIMIT_FSIZE].current;
    if (limit == UINT32_MAX || !file_is_tree(f) || !file_writes(f))
        return 0;
    struct fs_stat st;
    uint64_t from = at ? *at : f->ops->seek ? (uint64_t)f->ops->seek(f, 0, WHENCE_CUR) : 0;
    if ((f->flags & O_APPEND) && file_stat(f, &st) == 0)
        from = st.bytes;
    if (from >= limit && *n > 0) {
        raise(SIGXFSZ);
        return -EFBIG;
    }
    *n = (size_t)MIN((uint64_t)*n, limit - from);
    return 0;
}

int file_size_allowed(uint64_t bytes)
{
    uint32_t limit = process_current()->limits[RLIMIT_FSIZE].current;
    if (limit == UINT32_MAX || bytes <= limit)
        return 0;
    raise(SIGXFSZ);
    return -EFBIG;
}

// ---- read and write ----------------------------------------------------------------------------
static long read_to(uint32_t fd, uint32_t to, uint32_t n, const uint64_t *at)
{
    struct xfer x;
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    xfer_user(&x, to, MIN(n, MOVE_BYTES_MAX));
    long r = file_read(f, &x, at);
    file_count_read(r);
    file_put(f);
    return r;
}

static long write_from(struct call *c, uint32_t fd, uint32_t from, uint32_t bytes,
                       const uint64_t *at)
{
    struct xfer x;
    uint32_t done = (uint32_t)c->done;
    size_t n = MIN(bytes, MOVE_BYTES_MAX);
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    uint64_t pos = at ? *at + done : 0;
    long r = file_size_limit(f, at, &n);
    if (r == 0) {
        xfer_user(&x, from + done, n - MIN(n, done));
        r = file_write(f, &x, at ? &pos : NULL);
        file_count_write(r);
        r = file_moved(c, f, r, n);
    }
    file_put(f);
    return r;
}

long sys_read(struct call *c)
{
    return read_to(c->args[0], c->args[1], c->args[2], NULL);
}

long sys_write(struct call *c)
{
    return write_from(c, c->args[0], c->args[1], c->args[2], NULL);
}

long sys_pread64(struct call *c)
{
    uint64_t at = u64_of(c->args[3], c->args[4]);
    return (int64_t)at < 0 ? -EINVAL : read_to(c->args[0], c->args[1], c->args[2], &at);
}

long sys_pwrite64(struct call *c)
{
    uint64_t at = u64_of(c->args[3], c->args[4]);
    return (int64_t)at < 0 ? -EINVAL : write_from(c, c->args[0], c->args[1], c->args[2], &at);
}

// ---- seeking -----------------------------------------------------------------------------------
static int64_t seek(uint32_t fd, int64_t offset, uint32_t whence)
{
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    int64_t r = whence > WHENCE_HOLE    ? -EINVAL
                : f->ops->seek          ? f->ops->seek(f, offset, (int)whence)
                : f->ops->seeks_nowhere ? 0
                                        : -ESPIPE;
    file_put(f);
    return r;
}

long sys_lseek(struct call *c)
{
    int64_t r = seek(c->args[0], (int32_t)c->args[1], c->args[2]);
    return r > INT32_MAX ? -EOVERFLOW : (long)r;
}

long sys__llseek(struct call *c)
{
    int64_t r = seek(c->args[0], (int64_t)u64_of(c->args[2], c->args[1]), c->args[4]);
    return r < 0 ? (long)r : user_write(c->args[3], &r, sizeof(r));
}

// ---- from file to file -------------------------------------------------------------------------
long file_write_piece(struct file *out, const uint64_t *to, char *bytes, size_t n)
{
    struct xfer x;
    size_t allowed = n;
    long r = file_size_limit(out, to, &allowed);
    if (r < 0)
        return r;
    xfer_kernel(&x, bytes, allowed);
    r = file_write(out, &x, to);
    if (r == (long)allowed && allowed < n)
        raise(SIGXFSZ);
    return r;
}

// Moves up to `count` bytes from *pos of `in` to `out` (at *to, or its own offset). Bytes, or an
// error when nothing was moved.
static long copy(struct file *out, uint64_t *to, struct file *in, uint64_t *pos, uint64_t count)
{
    long total = 0, e = 0;
    char *bytes = heap_alloc(COPY_BYTES);
    if (bytes == NULL)
        return -ENOMEM;
    while ((uint64_t)total < count) {
        struct xfer x;
        xfer_kernel(&x, bytes, (size_t)MIN(count - (uint64_t)total, COPY_BYTES));
        e = file_read(in, &x, pos);
        if (e <= 0)
            break;
        long got = e;
        e = file_write_piece(out, to, bytes, (size_t)got); // at the end of `in` no limit is asked
        if (e < 0)
            break;
        total += e;
        *pos += (uint64_t)e;
        if (to)
            *to += (uint64_t)e;
        if (e < got || thread_current()->asked)
            break;
        kernel_pause(); // neither end need ever sleep: 2 GiB from one device to another
    }
    heap_free(bytes);
    return total ? total : e;
}

// The place a call gives, when it gives one.
static int copy_position_in(uint32_t user, bool wide, uint64_t *pos)
{
    int32_t narrow = 0;
    if (user == 0)
        return 0;
    int e = wide ? user_read(pos, user, sizeof(*pos)) : user_read(&narrow, user, sizeof(narrow));
    if (!wide)
        *pos = (uint64_t)(int64_t)narrow;
    return e;
}

// Where to begin: that place, or the file's own offset.
static int copy_position(struct file *f, uint32_t user, uint64_t *pos)
{
    if (f->ops->seek == NULL)
        return user ? -ESPIPE : -EINVAL;
    if (user == 0)
        *pos = (uint64_t)f->ops->seek(f, 0, WHENCE_CUR);
    return (int64_t)*pos < 0 ? -EINVAL : 0;
}

static int copy_position_back(struct file *f, uint32_t user, bool wide, uint64_t pos)
{
    int32_t narrow = (int32_t)pos;
    if (user == 0)
        return (int)MIN(f->ops->seek(f, (int64_t)pos, WHENCE_SET), 0);
    return wide ? user_write(user, &pos, sizeof(pos)) : user_write(user, &narrow, sizeof(narrow));
}

// What is wrong with the file to read from comes before what is wrong with the other.
static int sendfile_check(struct file *out, struct file *in, uint32_t user, uint64_t *pos)
{
    if (in == NULL || !file_reads(in))
        return -EBADF;
    int e = copy_position(in, user, pos);
    if (e < 0 && (e == -ESPIPE || in->ops->seek))
        return e;
    if (out == NULL || !file_writes(out))
        return -EBADF;
    return e < 0 || in->ops->list || ((out->flags & O_APPEND) && !file_is_pipe(out)) ? -EINVAL : 0;
}

static long sendfile_call(struct call *c, bool wide)
{
    uint64_t pos = 0, count = MIN(c->args[3], MOVE_BYTES_MAX);
    struct file *out = file_of(c->args[0]), *in = file_of(c->args[1]);
    long r = copy_position_in(c->args[2], wide, &pos);
    if (r == 0)
        r = sendfile_check(out, in, c->args[2], &pos);
    if (r == 0) {
        r = copy(out, NULL, in, &pos, count - c->done);
        file_count_read(r);
        file_count_write(r);
        if (r > 0) {
            int e = copy_position_back(in, c->args[2], wide, pos);
            r = e < 0 ? e : r;
        }
        bool end = r >= 0 && !thread_current()->asked;
        r = file_moved(c, out, r, end ? c->done + (uint64_t)MAX(r, 0) : count);
    }
    if (out)
        file_put(out);
    if (in)
        file_put(in);
    return r;
}

long sys_sendfile(struct call *c)
{
    return sendfile_call(c, false);
}

long sys_sendfile64(struct call *c)
{
    return sendfile_call(c, true);
}

static int both_regular(struct file *a, struct file *b)
{
    struct fs_stat sa, sb;
    int e = file_stat(a, &sa);
    if (e == 0)
        e = file_stat(b, &sb);
    if (e < 0)
        return e;
    if ((sa.mode & S_IFMT) == S_IFDIR || (sb.mode & S_IFMT) == S_IFDIR)
        return -EISDIR;
    return (sa.mode & S_IFMT) == S_IFREG && (sb.mode & S_IFMT) == S_IFREG ? 0 : -EINVAL;
}

// Of the bytes that there are: may they go where they are to go?
static int copy_allowed(struct file *in, uint64_t from, struct file *out, uint64_t to,
                        uint64_t *count)
{
    struct fs_stat st;
    int e = file_stat(in, &st);
    if (e < 0)
        return e;
    if (from + *count > (uint64_t)INT64_MAX || to + *count > (uint64_t)INT64_MAX)
        return -EOVERFLOW;
    *count = MIN(*count, st.bytes - MIN(from, st.bytes));
    size_t n = (size_t)*count;
    e = file_size_limit(out, &to, &n);
    *count = n;
    if (e < 0)
        return e;
    bool same = in->place.inode == out->place.inode;
    return same && from < to + *count && to < from + *count ? -EINVAL : 0;
}

long sys_copy_file_range(struct call *c)
{
    uint64_t from = 0, to = 0, count = MIN(c->args[4], MOVE_BYTES_MAX);
    struct file *in = file_of(c->args[0]), *out = file_of(c->args[2]);
    long r = in && out ? copy_position_in(c->args[1], true, &from) : -EBADF;
    if (r == 0)
        r = copy_position_in(c->args[3], true, &to);
    if (r == 0 && c->args[5] != 0)
        r = -EINVAL;
    if (r == 0)
        r = both_regular(in, out);
    if (r == 0 && ((out->flags & O_APPEND) || !file_writes(out) || !file_reads(in)))
        r = -EBADF;
    bool regular = r == 0;
    if (r == 0)
        r = copy_position(in, c->args[1], &from);
    if (r == 0)
        r = copy_position(out, c->args[3], &to);
    if (regular && (from + count < from || to + count < to)) // negative, and not by far
        r = -EOVERFLOW;
    if (r == 0)
        r = copy_allowed(in, from, out, to, &count);
    if (r == 0)
        r = copy(out, &to, in, &from, count);
    if (r >= 0) {
        file_count_read(r);
        file_count_write(r);
    }
    if (r > 0) {
        int e = copy_position_back(in, c->args[1], true, from);
        if (e == 0)
            e = copy_position_back(out, c->args[3], true, to);
        r = e < 0 ? e : r;
    }
    if (in)
        file_put(in);
    if (out)
        file_put(out);
    return r;
}

// ---- durability and advice ---------------------------------------------------------------------
static long on_file(uint32_t fd, long (*fn)(struct file *f))
{
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    long r = fn(f);
    file_put(f);
    return r;
}

static long sync_one(struct file *f)
{
    return f->ops->sync ? f->ops->sync(f) : -EINVAL;
}

static long advice_fine(struct file *f)
{
    struct fs_stat st;
    bool known = f->ops->seek == NULL && file_stat(f, &st) == 0;
    return known && (st.mode & S_IFMT) == S_IFIFO ? -ESPIPE : 0;
}

static long has_range(struct file *f)
{
    return f->ops->seek ? 0 : -ESPIPE;
}

static long is_open(struct file *f)
{
    (void)f;
    return 0;
}

long sys_fsync(struct call *c)
{
    return on_file(c->args[0], sync_one);
}

long sys_sync(struct call *c)
{
    (void)c;
    return 0;
}

long sys_syncfs(struct call *c)
{
    return on_file(c->args[0], is_open);
}

#define ADVICE_MAX 5u // POSIX_FADV_NOREUSE

static long readahead_fine(struct file *f)
{
    struct fs_stat st;
    if (!file_reads(f))
        return -EBADF;
    int e = file_stat(f, &st);
    return e < 0 ? e : (st.mode & S_IFMT) == S_IFREG ? 0 : -EINVAL;
}

long sys_readahead(struct call *c)
{
    return on_file(c->args[0], readahead_fine);
}

long sys_fadvise64(struct call *c)
{
    long r = on_file(c->args[0], advice_fine);
    return r == 0 && c->args[4] > ADVICE_MAX ? -EINVAL : r;
}

long sys_fadvise64_64(struct call *c)
{
    long r = on_file(c->args[0], advice_fine);
    bool wrong = c->args[5] > ADVICE_MAX || (int32_t)c->args[4] < 0;
    return r == 0 && wrong ? -EINVAL : r;
}

long sys_sync_file_range(struct call *c)
{
    int64_t from = (int64_t)u64_of(c->args[1], c->args[2]), end;
    int64_t n = (int64_t)u64_of(c->args[3], c->args[4]);
    bool wrong =
        from < 0 || __builtin_add_overflow(from, n, &end) || end < from || c->args[5] & ~7u;
    long r = on_file(c->args[0], is_open);
    return r < 0 ? r : wrong ? -EINVAL : on_file(c->args[0], has_range);
}

// A hole reads as zeros.
static long write_zeros(struct file *f, uint64_t at, uint64_t n)
{
    char *zeros = heap_zalloc(COPY_BYTES);
    long r = zeros ? 0 : -ENOMEM;
    while (n > 0 && r >= 0) {
        struct xfer x;
        xfer_kernel(&x, zeros, (size_t)MIN(n, COPY_BYTES));
        r = file_write(f, &x, &at);
        at += (uint64_t)MAX(r, 0);
        n -= (uint64_t)MAX(r, 0);
    }
    heap_free(zeros);
    return MIN(r, 0);
}

enum {
    FALLOC_KEEP_SIZE = 1,
    FALLOC_PUNCH_HOLE = 2,
    FALLOC_KNOWN = 0xfb // COLLAPSE_RANGE, ZERO_RANGE, INSERT_RANGE, UNSHARE_RANGE, WRITE_ZEROES
};

// What every file system refuses, then what is no file that could have room.
static int fallocate_check(struct file *f, uint32_t mode, const struct fs_stat *st)
{
    uint32_t what = mode & ~(uint32_t)FALLOC_KEEP_SIZE, type = st->mode & S_IFMT;
    if ((mode & ~(uint32_t)FALLOC_KNOWN) || (what & (what - 1)) || mode == FALLOC_PUNCH_HOLE)
        return -EOPNOTSUPP;
    if (!file_writes(f))
        return -EBADF;
    if (type != S_IFREG)
        return type == S_IFIFO ? -ESPIPE : type == S_IFDIR ? -EISDIR : -ENODEV;
    return 0;
}

long sys_fallocate(struct call *c)
{
    uint32_t mode = c->args[1];
    uint64_t from = u64_of(c->args[2], c->args[3]), n = u64_of(c->args[4], c->args[5]);
    struct fs_stat st = {0};
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    long r = (int64_t)from < 0 || (int64_t)n <= 0 ? -EINVAL : 0;
    if (r == 0 && file_stat(f, &st) < 0)
        st.mode = 0; // no file of any kind
    if (r == 0)
        r = fallocate_check(f, mode, &st);
    if (r == 0 && (from + n > FILE_BYTES_MAX))
        r = -EFBIG;
    if (r == 0 && mode > 1 && mode != (FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE))
        r = -EOPNOTSUPP;
    if (r == 0 && mode <= FALLOC_KEEP_SIZE && from + n > st.bytes)
        r = file_size_allowed(from + n);
    if (r == 0 && mode == 3)
        r = from < st.bytes ? write_zeros(f, from, MIN(n, st.bytes - from)) : 0;
    if (r == 0 && !mode && from + n > st.bytes)
        r = file_set(f, &(struct fs_set){.size_set = true, .bytes = from + n});
    file_put(f);
    return r;
}
