// SPDX-License-Identifier: MIT
#include "ssi/process/reach.h"
#include "lib/errno.h"
#include "mm/user.h"
#include "ssi/container/container.h"

bool process_may_reach(const struct process *q)
{
    const struct process *me = process_current();
    const struct credentials *a = process_acting(me), *b = &q->cred;
    bool same = credentials_own(a, b) && !(b->permitted & ~a->permitted);
    return q == me || process_can(CAP_SYS_PTRACE) || (same && !q->not_dumpable);
}

static struct process *find_here(int32_t pid)
{
    struct task *t = pid > 0 ? task_find(pid) : NULL;
    return t ? t->process : pid > 0 ? process_find(pid) : NULL;
}

int process_reach(int32_t pid, struct process **found)
{
    const struct signal_info nothing = {.signal = 0};
    *found = find_here(pid);
    if (*found == NULL)
        return pid > 0 && signal_kill(process_current(), pid, &nothing) != -ESRCH ? -EIO : -ESRCH;
    if (!process_may_reach(*found))
        return -EPERM;
    return (*found)->state == PROCESS_MOVING ? -EIO : 0;
}

static bool may_touch(const struct segment *s, enum reach_memory how)
{
    if (s->note == (void *)MAPS_VVAR)
        return false;
    switch (how) {
    case REACH_READ:
        return s->prot & PROT_R;
    case REACH_WRITE:
        return s->prot & PROT_W;
    case REACH_PEEK:
        return true;
    case REACH_POKE:
        return (s->prot & PROT_W) || !(s->flags & SEGMENT_SHARED);
    }
    return false;
}

long process_memory_move(int32_t pid, uint32_t at, void *bytes, size_t n, enum reach_memory how)
{
    struct process *q = find_here(pid);
    struct xfer x;
    int e = how == REACH_READ || how == REACH_WRITE ? process_reach(pid, &q) : 0;
    if (e < 0 || q == NULL || q->space == NULL || q->state == PROCESS_MOVING)
        return e < 0 ? e : -ESRCH;
    struct segment *s = space_find(q->space, at);
    if (s == NULL || !may_touch(s, how))
        return -EFAULT;
    struct container *c = s->object;
    uint64_t offset = ((uint64_t)s->index << PAGE_SHIFT) + (at - s->start);
    if (!container_shows(c, (uint32_t)(offset >> PAGE_SHIFT)))
        return -EFAULT; // behind the end of a file
    xfer_kernel(&x, bytes, MIN(n, (size_t)(PAGE_SIZE - (at & PAGE_MASK))));
    container_get(c);
    e = how == REACH_WRITE || how == REACH_POKE ? container_write(c, offset, &x)
                                                : container_read(c, offset, &x);
    container_put(c);
    if (x.done > 0)
        return (long)x.done;
    return e == -ENOMEM || e == -EINTR ? e : -EFAULT;
}
