// SPDX-License-Identifier: MIT
// Looking into other processes: process_vm_readv(2), process_vm_writev(2), process_madvise(2),
// kcmp(2). Of this node:
// what is on another one exists, but cannot be reached from here (-EIO).
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/linux/file.h"
#include "ssi/linux/memory.h"
#include "ssi/process/pidfd.h"
#include "ssi/process/reach.h"
#include "ssi/stream/epoll.h"

#define VECTORS_MAX 1024u
#define BYTES_MAX   0x7ffff000u

struct linux_iovec {
    uint32_t at, bytes;
} PACKED;

// ---- memory ------------------------------------------------------------------------------------
static int vectors_in(uint32_t user, uint32_t count, struct linux_iovec **v, uint64_t *total)
{
    *total = 0;
    *v = NULL;
    if (count > VECTORS_MAX)
        return -EINVAL;
    *v = heap_alloc(MAX(count, 1u) * sizeof(**v));
    if (*v == NULL)
        return -ENOMEM;
    int e = count ? user_read(*v, user, count * sizeof(**v)) : 0;
    for (uint32_t k = 0; e == 0 && k < count; k++) {
        if ((int32_t)(*v)[k].bytes < 0)
            e = -EINVAL;
        *total += (*v)[k].bytes;
    }
    return e;
}

struct walk {
    const struct linux_iovec *v;
    uint32_t count, k, skip; // which one, and how far into it
};

// The next stretch that is not empty; false at the end.
static bool walk_next(struct walk *w, uint32_t *at, uint32_t *bytes)
{
    while (w->k < w->count && w->skip == w->v[w->k].bytes) {
        w->k++;
        w->skip = 0;
    }
    if (w->k == w->count)
        return false;
    *at = w->v[w->k].at + w->skip;
    *bytes = w->v[w->k].bytes - w->skip;
    return true;
}

static long step(int32_t pid, uint32_t here, uint32_t there, uint8_t *bounce, size_t n, bool write)
{
    int e = write ? user_read(bounce, here, n) : 0;
    long moved =
        e < 0 ? e : process_memory_move(pid, there, bounce, n, write ? REACH_WRITE : REACH_READ);
    if (moved > 0 && !write && (e = user_write(here, bounce, (size_t)moved)) < 0)
        return e;
    return moved;
}

static long all_moved(int32_t pid, struct walk *local, struct walk *remote, bool write)
{
    uint32_t here, there, have, want;
    size_t done = 0;
    long moved = 0;
    uint8_t *bounce = heap_alloc(PAGE_SIZE);
    if (bounce == NULL)
        return -ENOMEM;
    while (done < BYTES_MAX && walk_next(local, &here, &have) && walk_next(remote, &there, &want)) {
        size_t n = MIN(MIN(have, want), PAGE_SIZE - (there & PAGE_MASK));
        moved = step(pid, here, there, bounce, n, write);
        if (moved <= 0)
            break;
        local->skip += (uint32_t)moved;
        remote->skip += (uint32_t)moved;
        done += (size_t)moved;
        kernel_pause();
    }
    heap_free(bounce);
    return done ? (long)done : moved;
}

static long process_vm(const struct call *c, bool write)
{
    struct linux_iovec *local = NULL, *remote = NULL;
    uint64_t here, there = 0;
    struct process *q;
    if (c->args[5])
        return -EINVAL;
    long r = vectors_in(c->args[1], c->args[2], &local, &here);
    if (r == 0 && here > 0)
        r = vectors_in(c->args[3], c->args[4], &remote, &there);
    if (r == 0 && there > 0)
        r = process_reach((int32_t)c->args[0], &q);
    if (r == 0 && there > 0 && q->space == NULL)
        r = -ESRCH;
    if (r == 0 && there > 0) {
        struct walk l = {local, c->args[2], 0, 0}, f = {remote, c->args[4], 0, 0};
        r = all_moved((int32_t)c->args[0], &l, &f, write);
    }
    heap_free(local);
    heap_free(remote);
    return r;
}

// ---- process_madvise ---------------------------------------------------------------------------
// The process that a pidfd names, to be reached: 0, -EBADF, -ESRCH, -EACCES, -EIO. May sleep.
static int reach_by_pidfd(uint32_t fd, struct process **q)
{
    struct pidfd_of of;
    int e = linux_pidfd_in(fd, &of);
    if (e < 0)
        return e;
    e = process_reach(of.pid, q);
    if (e == 0 && (*q)->space == NULL)
        e = -ESRCH;
    return e == -EPERM ? -EACCES : e;
}

// Bytes of the pieces that were advised, or the error of the first.
static long advise_all(struct space *of, const struct linux_iovec *v, uint32_t count,
                       uint32_t advice)
{
    long done = 0;
    for (uint32_t k = 0; k < count; k++) {
        int e = memory_advise(of, v[k].at, v[k].bytes, advice);
        if (e < 0)
            return done ? done : e;
        done += (long)v[k].bytes;
    }
    return done;
}

long sys_process_madvise(struct call *c)
{
    struct linux_iovec *v = NULL;
    struct process *q = NULL;
    uint64_t total;
    if (c->args[4])
        return -EINVAL;
    long r = vectors_in(c->args[1], c->args[2], &v, &total);
    if (r == 0)
        r = reach_by_pidfd(c->args[0], &q);
    if ((r == 0 || r == -EACCES || r == -EIO) && !memory_advice_is_hint(c->args[3]))
        r = -EINVAL;
    if (r == 0 && q != process_current() && !process_can(CAP_SYS_NICE))
        r = -EPERM;
    if (r == 0) // hints of another space: nothing sleeps
        r = advise_all(q->space, v, c->args[2], c->args[3]);
    heap_free(v);
    return r;
}

long sys_process_vm_readv(struct call *c)
{
    return process_vm(c, false);
}

long sys_process_vm_writev(struct call *c)
{
    return process_vm(c, true);
}

// ---- kcmp --------------------------------------------------------------------------------------
enum {
    KCMP_FILE,
    KCMP_VM,
    KCMP_FILES,
    KCMP_FS,
    KCMP_SIGHAND,
    KCMP_IO,
    KCMP_SYSVSEM,
    KCMP_EPOLL_TFD,
};

struct kcmp_epoll_slot { // of the ABI
    uint32_t epoll, fd, offset;
} PACKED;

static long order(const void *a, const void *b)
{
    return a == b ? 0 : (uintptr_t)a < (uintptr_t)b ? 1 : 2;
}

static struct file *file_in(const struct process *p, uint32_t fd)
{
    return p->files && fd <= INT32_MAX ? fd_file(p->files, (int)fd) : NULL;
}

// The slot is read before anything is looked up: that may sleep.
static long compare_watched(const struct process *a, uint32_t fd, const struct process *b,
                            const struct kcmp_epoll_slot *slot)
{
    const struct file *f = file_in(a, fd), *e = file_in(b, slot->epoll);
    const struct epoll_item *cursor = NULL;
    struct epoll_item_facts i;
    uint32_t skip = slot->offset;
    if (f == NULL || e == NULL)
        return -EBADF;
    if (!epoll_is(e))
        return -EINVAL;
    while (epoll_next(e, &cursor, &i))
        if (i.fd == (int)slot->fd && skip-- == 0)
            return order(f, i.file);
    return -ENOENT;
}

static long compare_files(const struct process *a, uint32_t x, const struct process *b, uint32_t y)
{
    const struct file *f = file_in(a, x), *g = file_in(b, y);
    return f && g ? order(f, g) : -EBADF;
}

// A process has its own as soon as it has any.
static long compare_own(const struct process *a, bool a_has, const struct process *b, bool b_has)
{
    return order(a_has ? a : NULL, b_has ? b : NULL);
}

long sys_kcmp(struct call *c)
{
    struct process *a, *b;
    struct kcmp_epoll_slot slot = {0};
    uint32_t type = c->args[2], x = c->args[3], y = c->args[4];
    int slot_error = type == KCMP_EPOLL_TFD ? user_read(&slot, y, sizeof(slot)) : 0;
    int e = process_reach((int32_t)c->args[1], &b);
    int first = process_reach((int32_t)c->args[0], &a);
    if (first == -ESRCH || e == -ESRCH)
        return -ESRCH;
    if (first < 0 || e < 0)
        return first < 0 ? first : e;
    switch (type) {
    case KCMP_FILE:
        return compare_files(a, x, b, y);
    case KCMP_VM:
        return order(a->space, b->space);
    case KCMP_FILES:
        return order(a->files, b->files);
    case KCMP_FS:
        return order(a->fs, b->fs);
    case KCMP_SIGHAND:
        return order(a->actions, b->actions);
    case KCMP_IO: // nobody shares one
        return 0;
    case KCMP_SYSVSEM:
        return compare_own(a, a->ipc_undoes, b, b->ipc_undoes);
    case KCMP_EPOLL_TFD:
        return slot_error < 0 ? slot_error : compare_watched(a, x, b, &slot);
    }
    return -EINVAL;
}
