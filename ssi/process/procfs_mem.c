// SPDX-License-Identifier: MIT
// /proc/PID/mem: the memory of a process of this node as a file. Who may trace it may open it; each
// move asks again, since a program may have changed its ids or been replaced.
#include "ssi/process/procfs_priv.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/process/reach.h"

struct memory_file {
    int32_t pid;
    uint64_t start_ns;         // of that process
    const struct space *space; // of that program; only compared
};

// 0; 1: the program it was opened of is gone; -EACCES, -EIO.
static int still_there(const struct memory_file *m)
{
    struct process *p;
    int e = process_reach(m->pid, &p);
    if (e == -ESRCH)
        return 1;
    if (e < 0)
        return e == -EPERM ? -EACCES : e;
    return p->space == NULL || p->space != m->space || p->start_ns != m->start_ns;
}

static long piece_out(const struct memory_file *m, struct xfer *x, uint32_t at, uint8_t *bounce,
                      size_t n)
{
    long got = process_memory_move(m->pid, at, bounce, n, REACH_PEEK);
    return got <= 0 ? got : (long)xfer_put(x, bounce, (size_t)got);
}

// What could not be written is given back to the transfer.
static long piece_in(const struct memory_file *m, struct xfer *x, uint32_t at, uint8_t *bounce,
                     size_t n)
{
    struct xfer before = *x;
    size_t taken = xfer_take(x, bounce, n);
    if (taken == 0)
        return 0;
    bool short_copy = x->short_copy;
    long put = process_memory_move(m->pid, at, bounce, taken, REACH_POKE);
    *x = before;
    if (put > 0) {
        (void)xfer_take(x, bounce, (size_t)put); // it was there a moment ago
        x->short_copy = short_copy;
    }
    return put;
}

static int move(struct file *f, struct xfer *x, const uint64_t *at, bool write)
{
    const struct memory_file *m = f->data;
    uint64_t from = at ? *at : f->offset;
    int e = still_there(m);
    if (e != 0)
        return e > 0 ? 0 : e;
    uint8_t *bounce = heap_alloc(PAGE_SIZE);
    if (bounce == NULL)
        return -ENOMEM;
    long moved = 0;
    x->short_copy = false;
    while (x->left > 0 && !x->short_copy) {
        size_t n = MIN(x->left, (size_t)(PAGE_SIZE - (from & PAGE_MASK)));
        moved = from >= USER_TOP ? -EIO
                : write          ? piece_in(m, x, (uint32_t)from, bounce, n)
                                 : piece_out(m, x, (uint32_t)from, bounce, n);
        if (moved <= 0)
            break;
        from += (uint64_t)moved;
    }
    heap_free(bounce);
    if (!at)
        f->offset = from;
    if (moved >= 0 || x->done > 0)
        return 0;
    return moved == -ENOMEM || moved == -EINTR ? (int)moved : -EIO;
}

static int memory_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    return move(f, x, at, false);
}

static int memory_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    return move(f, x, at, true);
}

static int64_t memory_seek(struct file *f, int64_t offset, int whence)
{
    if (whence != WHENCE_SET && whence != WHENCE_CUR)
        return -EINVAL;
    f->offset = (uint64_t)offset + (whence == WHENCE_CUR ? f->offset : 0);
    return (int64_t)f->offset;
}

static void memory_release(struct file *f)
{
    heap_free(f->data);
}

static const struct file_ops memory_ops = {
    .name = "memory",
    .read = memory_read,
    .write = memory_write,
    .seek = memory_seek,
    .release = memory_release,
    .bound = "it has the memory of a process open",
};

int proc_open_memory(int32_t pid, uint32_t flags, struct file **f)
{
    struct process *p;
    int e = process_reach(pid, &p);
    if (e < 0)
        return e == -ESRCH ? e : -EACCES;
    struct memory_file *m = heap_zalloc(sizeof(*m));
    *f = m ? file_new(&memory_ops, flags & O_ACCMODE, m) : NULL;
    if (*f == NULL) {
        heap_free(m);
        return -ENOMEM;
    }
    m->pid = p->pid;
    m->start_ns = p->start_ns;
    m->space = p->space;
    return 0;
}
