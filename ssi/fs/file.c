// SPDX-License-Identifier: MIT
#include "ssi/fs/file.h"
#include "kernel/thread.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/generated_priv.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/locks.h"
#include "ssi/fs/notify.h"
#include "ssi/fs/owner.h"
#include "ssi/fs/remote.h"
#include "ssi/fs/tree.h"

void (*file_on_watched_end)(struct file *f);

struct file *file_new(const struct file_ops *ops, uint32_t flags, void *data)
{
    struct file *f = heap_zalloc(sizeof(*f));
    if (f == NULL)
        return NULL;
    f->ops = ops;
    f->users = 1;
    f->flags = flags;
    f->home = cluster_self();
    f->data = data;
    list_init(&f->link);
    list_init(&f->watchers);
    return f;
}

void file_get(struct file *f)
{
    ASSERT(f->users > 0);
    f->users++;
}

void file_put(struct file *f)
{
    ASSERT(f->users > 0);
    if (--f->users > 0)
        return;
    if (!list_empty(&f->watchers))
        file_on_watched_end(f);
    file_owner_end(f);
    locks_release(f, f->place.inode);
    if (f->ops->release)
        f->ops->release(f);
    if (f->keeps) { // tree files say so themselves
        notify_file(f, file_writes(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
        inode_put(f->keeps);
    }
    list_remove(&f->link);
    heap_free(f);
}

void file_hold_inode(struct file *f, struct inode *i)
{
    inode_get(i);
    f->keeps = i;
    f->place = place_of(0, i->number);
}

unsigned file_poll(struct file *f)
{
    unsigned now = f->ops->poll ? f->ops->poll(f) : POLL_IN | POLL_OUT;
    if (f->ops->polls_plainly)
        return now;
    now |= now & POLL_IN ? POLL_RDNORM : 0;
    return now | (now & POLL_OUT ? POLL_WRNORM : 0);
}

bool file_is_tree(const struct file *f)
{
    return tree_file_is(f) || proxy_is_tree(f);
}

bool file_is_pipe(struct file *f)
{
    struct fs_stat st;
    return f->ops->seek == NULL && file_stat(f, &st) == 0 && (st.mode & S_IFMT) == S_IFIFO;
}

int file_stat(struct file *f, struct fs_stat *st)
{
    if (f->keeps) {
        inode_stat(f->keeps, st);
        return 0;
    }
    if (f->place.mount != 0)
        return generated_stat(f->place, st);
    return f->ops->stat ? f->ops->stat(f, st) : -EINVAL;
}

int file_set(struct file *f, const struct fs_set *s)
{
    if (f->keeps)
        return s->size_set ? -EINVAL : tree_inode_set(f->keeps, s);
    return f->ops->set ? f->ops->set(f, s) : f->place.mount && !s->size_set ? -EPERM : -EINVAL;
}

int64_t file_seek_in(struct file *f, uint64_t end, int64_t offset, int whence)
{
    int64_t from = 0, to;
    switch (whence) {
    case WHENCE_SET:
        break;
    case WHENCE_CUR:
        from = (int64_t)f->offset;
        break;
    case WHENCE_END:
        from = (int64_t)end;
        break;
    case WHENCE_DATA: // all of a file counts as data, as the manual page allows
    case WHENCE_HOLE:
        if (offset < 0 || (uint64_t)offset >= end)
            return -ENXIO;
        offset = whence == WHENCE_DATA ? offset : (int64_t)end;
        break;
    default:
        return -EINVAL;
    }
    if (__builtin_add_overflow(from, offset, &to) || to < 0)
        return -EINVAL;
    f->offset = (uint64_t)to;
    return to;
}

typedef int (*move_fn)(struct file *f, struct xfer *x, const uint64_t *at);

// One step without waiting: a stream that has given some bytes must not wait for more of them.
static int move_more(struct file *f, move_fn move, struct xfer *x, const uint64_t *at, bool some)
{
    if (!some || (f->flags & O_NONBLOCK) || f->ops->poll_queue == NULL || f->home != cluster_self())
        return move(f, x, at);
    f->flags |= O_NONBLOCK; // nobody sees it: what does not wait does not sleep
    int e = move(f, x, at);
    f->flags &= ~O_NONBLOCK;
    return e;
}

// Moves until all is done, the file has no more, or an error. `stops` with what there is: a read.
static long move_all(struct file *f, move_fn move, struct xfer *x, const uint64_t *at, bool reads)
{
    uint64_t pos = at ? *at : 0;
    bool stream = f->ops->seek == NULL;
    size_t start = x->done;
    for (;;) {
        size_t before = x->done;
        bool some = x->done > start && reads && stream;
        x->short_copy = false;
        int e = move_more(f, move, x, at ? &pos : NULL, some);
        pos += x->done - before;
        if (e < 0)
            return x->done > start ? (long)(x->done - start) : e;
        if (x->left == 0)
            break;
        if (x->short_copy) {
            e = xfer_fault_in(x, reads);
            if (e < 0)
                return x->done > start ? (long)(x->done - start) : e;
            continue;
        }
        if (x->done == before || (reads && stream))
            break;
        kernel_pause(); // a long move lets others in between its steps
    }
    return (long)(x->done - start);
}

long file_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    if (at && f->ops->seek == NULL && !(f->flags & O_PATH))
        return -ESPIPE;
    if (!file_reads(f) || (f->flags & O_PATH))
        return -EBADF;
    if (f->ops->read == NULL)
        return -EINVAL;
    long done = move_all(f, f->ops->read, x, at, true);
    if (done > 0)
        notify_file(f, IN_ACCESS);
    return done;
}

long file_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    if (at && f->ops->seek == NULL && !(f->flags & O_PATH))
        return -ESPIPE;
    if (!file_writes(f) || (f->flags & O_PATH))
        return -EBADF;
    if (f->ops->write == NULL)
        return -EINVAL;
    long done = move_all(f, f->ops->write, x, at, false);
    if (done > 0)
        notify_file(f, IN_MODIFY);
    return done;
}

int xfer_take_all(struct xfer *x, void *to, size_t n)
{
    for (size_t got = 0;;) {
        x->short_copy = false;
        got += xfer_take(x, (char *)to + got, n - got);
        if (got == n)
            return 0;
        int e = xfer_fault_in(x, false);
        if (e < 0)
            return e;
    }
}

int xfer_put_all(struct xfer *x, const void *from, size_t n)
{
    for (size_t put = 0;;) {
        x->short_copy = false;
        put += xfer_put(x, (const char *)from + put, n - put);
        if (put == n)
            return 0;
        int e = xfer_fault_in(x, true);
        if (e < 0)
            return e;
    }
}
