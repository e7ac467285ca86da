// SPDX-License-Identifier: MIT
// madvise(2), msync(2), mincore(2), mlock(2) and their family. There is no swap: what is locked is
// brought in and counted.
#include "ssi/linux/memory.h"
#include "kernel/thread.h"
#include "mm/user.h"
#include "ssi/container/container.h"
#include "ssi/process/linux_abi.h"

enum { // asm-generic/mman-common.h
    MSYNC_ASYNC = 1,
    MSYNC_INVALIDATE = 2,
    MSYNC_SYNC = 4,
    MLOCK_LATER = 1, // MLOCK_ONFAULT of mlock2
    MCL_NOW = 1,
    MCL_NEW = 2,   // MCL_FUTURE
    MCL_LATER = 4, // MCL_ONFAULT
    MCL_ALL = 7,
    POPULATE_PIECE = 64, // pages between two release points
    MINCORE_STEP = 512,  // the same, of looking only
};

enum advice {
    ADVICE_NORMAL = 0,
    ADVICE_RANDOM = 1,
    ADVICE_SEQUENTIAL = 2,
    ADVICE_WILLNEED = 3,
    ADVICE_DONTNEED = 4,
    ADVICE_FREE = 8,
    ADVICE_REMOVE = 9,
    ADVICE_DONTFORK = 10,
    ADVICE_DOFORK = 11,
    ADVICE_MERGEABLE = 12,
    ADVICE_UNMERGEABLE = 13,
    ADVICE_HUGEPAGE = 14,
    ADVICE_NOHUGEPAGE = 15,
    ADVICE_DONTDUMP = 16,
    ADVICE_DODUMP = 17,
    ADVICE_WIPEONFORK = 18,
    ADVICE_KEEPONFORK = 19,
    ADVICE_COLD = 20,
    ADVICE_PAGEOUT = 21,
    ADVICE_POPULATE_READ = 22,
    ADVICE_POPULATE_WRITE = 23,
    ADVICE_DONTNEED_LOCKED = 24,
};

// Calls fn for each piece of a segment in the range, up to its first error. Holes are passed over:
// then the result is -ENOMEM. fn may change the segments, and may sleep.
static int each_piece(struct space *of, uint32_t at, uint32_t end,
                      int (*fn)(struct segment *g, uint32_t from, uint32_t to, uint32_t arg),
                      uint32_t arg)
{
    int result = 0;
    while (at < end) {
        struct segment *g = space_find_from(of, at);
        if (!g || g->start > at)
            result = -ENOMEM;
        if (!g || g->start >= end)
            break;
        uint32_t from = MAX(at, g->start), stop = MIN(end, g->end);
        int e = fn(g, from, stop, arg);
        if (e < 0)
            return e;
        at = stop;
    }
    return result;
}

// The first address from `at` on where nothing is mapped, or `end`.
static uint32_t whole_until(struct space *of, uint32_t at, uint32_t end)
{
    while (at < end) {
        struct segment *g = space_find(of, at);
        if (!g)
            return at;
        at = g->end;
    }
    return end;
}

static bool range_whole(uint32_t at, uint32_t bytes)
{
    return whole_until(space(), at, at + bytes) == at + bytes;
}

// ---- bringing in -------------------------------------------------------------------------------
static int populate_piece(struct segment *g, uint32_t from, uint32_t to, uint32_t write)
{
    if (g->prot == 0)
        return -EFAULT;
    for (uint32_t at = from; at < to; at += PAGE_SIZE) {
        int e = user_fault_in(at, 1, write);
        if (e < 0)
            return e;
        if (((at - from) >> PAGE_SHIFT) % POPULATE_PIECE == POPULATE_PIECE - 1)
            kernel_pause();
    }
    return 0;
}

static int populate_as_is(struct segment *g, uint32_t from, uint32_t to, uint32_t unused)
{
    (void)unused;
    return populate_piece(g, from, to, (g->prot & PROT_W) && !(g->flags & SEGMENT_SHARED));
}

int memory_populate(uint32_t at, uint32_t end)
{
    return each_piece(space(), at, end, populate_as_is, 0);
}

// ---- madvise -----------------------------------------------------------------------------------
static bool known(uint32_t advice)
{
    return advice <= ADVICE_DONTNEED || (advice >= ADVICE_FREE && advice <= ADVICE_DONTNEED_LOCKED);
}

static int discard(const struct segment *g, uint32_t from, uint32_t to)
{
    uint32_t index = g->index + ((from - g->start) >> PAGE_SHIFT);
    return container_discard(g->object, index, (to - from) >> PAGE_SHIFT);
}

// Shared pages have other users: they stay as they are. So does a copy of what somebody wrote to a
// file that other nodes use, which nothing could give again.
static int dont_need(const struct segment *g, uint32_t from, uint32_t to)
{
    bool lost = g->note && !container_provides(g->object);
    return (g->flags & SEGMENT_SHARED) || lost ? 0 : discard(g, from, to);
}

static int remove_pages(const struct segment *g, uint32_t from, uint32_t to)
{
    if (!(g->flags & SEGMENT_SHARED))
        return g->note ? -EACCES : -EINVAL;
    return (uintptr_t)g->note == MAPS_READ_ONLY ? -EACCES : discard(g, from, to);
}

static int advise(struct segment *g, uint32_t from, uint32_t to, uint32_t advice)
{
    bool locked = g->flags & SEGMENT_LOCKED, plain = !(g->flags & SEGMENT_SHARED) && !g->note;
    uint32_t bytes = to - from;
    switch (advice) {
    case ADVICE_DONTNEED:
        return locked ? -EINVAL : dont_need(g, from, to);
    case ADVICE_DONTNEED_LOCKED:
        return dont_need(g, from, to);
    case ADVICE_FREE:
        return plain ? dont_need(g, from, to) : -EINVAL;
    case ADVICE_REMOVE:
        return locked ? -EINVAL : remove_pages(g, from, to);
    case ADVICE_DONTFORK:
        return space_flags(space(), from, bytes, SEGMENT_NOT_FORKED, 0);
    case ADVICE_DOFORK:
        return space_flags(space(), from, bytes, 0, SEGMENT_NOT_FORKED);
    case ADVICE_WIPEONFORK:
        return plain ? space_flags(space(), from, bytes, SEGMENT_WIPED, 0) : -EINVAL;
    case ADVICE_KEEPONFORK:
        return space_flags(space(), from, bytes, 0, SEGMENT_WIPED);
    case ADVICE_COLD:
    case ADVICE_PAGEOUT:
        return locked ? -EINVAL : 0;
    case ADVICE_POPULATE_READ:
        return g->prot & PROT_R ? populate_piece(g, from, to, false) : -EINVAL;
    case ADVICE_POPULATE_WRITE:
        return g->prot & PROT_W ? populate_piece(g, from, to, true) : -EINVAL;
    }
    return 0; // the others are hints
}

int memory_advise(struct space *of, uint32_t at, uint32_t length, uint32_t advice)
{
    uint32_t bytes = memory_round_up(length);
    if (!known(advice) || (at & PAGE_MASK) || (length && !bytes))
        return -EINVAL;
    if (bytes == 0)
        return 0;
    if (memory_range_bad(at, bytes))
        return -ENOMEM;
    if (advice != ADVICE_POPULATE_READ && advice != ADVICE_POPULATE_WRITE)
        return each_piece(of, at, at + bytes, advise, advice);
    uint32_t stop = whole_until(of, at, at + bytes); // these do not pass over holes
    int e = each_piece(of, at, stop, advise, advice);
    return e < 0 ? e : stop < at + bytes ? -ENOMEM : 0;
}

long sys_madvise(struct call *c)
{
    memory_settle();
    return memory_advise(space(), c->args[0], c->args[1], c->args[2]);
}

bool memory_advice_is_hint(uint32_t advice)
{
    return advice == ADVICE_WILLNEED || advice == ADVICE_COLD || advice == ADVICE_PAGEOUT;
}

// ---- msync, mincore ----------------------------------------------------------------------------
static int sync_piece(struct segment *g, uint32_t from, uint32_t to, uint32_t flags)
{
    (void)from, (void)to;
    return (flags & MSYNC_INVALIDATE) && (g->flags & SEGMENT_LOCKED) ? -EBUSY : 0;
}

// One copy of each page serves mappings, reads and writes: there is nothing to be done.
long sys_msync(struct call *c)
{
    uint32_t at = c->args[0], bytes = memory_round_up(c->args[1]), flags = c->args[2];
    if ((at & PAGE_MASK) || (flags & ~(MSYNC_ASYNC | MSYNC_INVALIDATE | MSYNC_SYNC)) ||
        (flags & (MSYNC_ASYNC | MSYNC_SYNC)) == (MSYNC_ASYNC | MSYNC_SYNC))
        return -EINVAL;
    if (bytes == 0)
        return 0;
    return memory_range_bad(at, bytes) ? -ENOMEM
                                       : each_piece(space(), at, at + bytes, sync_piece, flags);
}

long sys_mincore(struct call *c)
{
    uint32_t at = c->args[0], bytes = memory_round_up(c->args[1]);
    if (at & PAGE_MASK)
        return -EINVAL;
    if (bytes < c->args[1] || memory_range_bad(at, bytes) || !range_whole(at, bytes))
        return -ENOMEM;
    for (uint32_t i = 0; i < bytes >> PAGE_SHIFT;) {
        uint8_t in[MINCORE_STEP];
        uint32_t n = MIN(ARRAY_SIZE(in), (bytes >> PAGE_SHIFT) - i), frame;
        unsigned rights;
        for (uint32_t k = 0; k < n; k++)
            in[k] = arch_space_look(&space()->arch, at + ((i + k) << PAGE_SHIFT), &frame, &rights);
        int e = user_write(c->args[2] + i, in, n);
        if (e < 0)
            return e;
        i += n;
        kernel_pause(); // a large range lets others in
    }
    return 0;
}

// ---- mlock and its family ----------------------------------------------------------------------
static uint64_t locked_bytes(uint32_t at, uint32_t end)
{
    uint64_t sum = 0;
    for (struct segment *g = space_find_from(space(), at); g && g->start < end;
         g = space_find_from(space(), g->end)) {
        if (g->flags & SEGMENT_LOCKED)
            sum += MIN(end, g->end) - MAX(at, g->start);
    }
    return sum;
}

int memory_may_lock_later(uint32_t more_bytes)
{
    return space()->lock_later && memory_may_lock(more_bytes, -EAGAIN) < 0 ? -EAGAIN : 0;
}

int memory_may_lock(uint32_t more_bytes, int too_much)
{
    const struct process *p = process_current();
    uint32_t limit = p->limits[RLIMIT_MEMLOCK].current;
    if (limit == RLIM_INFINITY || process_can(CAP_IPC_LOCK))
        return 0;
    if (limit == 0)
        return -EPERM;
    uint64_t all = locked_bytes(0, USER_TOP) + more_bytes;
    return all >> PAGE_SHIFT > limit >> PAGE_SHIFT ? too_much : 0;
}

static int lock_piece(struct segment *g, uint32_t from, uint32_t to, uint32_t on)
{
    unsigned flag = SEGMENT_LOCKED;
    (void)g;
    return space_flags(space(), from, to - from, on ? flag : 0, on ? 0 : flag);
}

// Up to the first hole, which is an error.
static int lock_pieces(uint32_t at, uint32_t end, bool on)
{
    uint32_t stop = whole_until(space(), at, end);
    int e = each_piece(space(), at, stop, lock_piece, on);
    return e < 0 ? e : stop < end ? -ENOMEM : 0;
}

// The range that an address and a length of mlock(2) mean: false: none, *result says why.
static bool lock_range(const struct call *c, uint32_t *at, uint32_t *end, long *result)
{
    uint32_t skew = c->args[0] & PAGE_MASK, bytes = memory_round_up(c->args[1] + skew);
    *at = c->args[0] - skew;
    *end = *at + bytes;
    *result = *end < *at ? -EINVAL : memory_range_bad(*at, bytes) ? -ENOMEM : 0;
    return *result == 0 && bytes > 0;
}

static long lock(const struct call *c, bool now)
{
    uint32_t at, end;
    long result;
    int e = memory_may_lock(0, 0);
    if (e < 0)
        return e;
    if (!lock_range(c, &at, &end, &result))
        return result;
    uint32_t more = end - at - (uint32_t)locked_bytes(at, end);
    if ((e = memory_may_lock(more, -ENOMEM)) < 0 || (e = lock_pieces(at, end, true)) < 0 || !now)
        return e;
    e = memory_populate(at, end);
    return e == -ENOMEM ? -EAGAIN : e == -EFAULT ? -ENOMEM : e;
}

long sys_mlock(struct call *c)
{
    return lock(c, true);
}

long sys_mlock2(struct call *c)
{
    return c->args[2] & ~(uint32_t)MLOCK_LATER ? -EINVAL : lock(c, !c->args[2]);
}

long sys_munlock(struct call *c)
{
    uint32_t at, end;
    long result;
    return lock_range(c, &at, &end, &result) ? lock_pieces(at, end, false) : result;
}

static void lock_future(uint32_t flags)
{
    space()->lock_later = flags & MCL_NEW;
    space()->populate_later = (flags & MCL_NEW) && !(flags & MCL_LATER);
}

long sys_mlockall(struct call *c)
{
    uint32_t flags = c->args[0];
    const struct process *p = process_current();
    uint32_t limit = p->limits[RLIMIT_MEMLOCK].current;
    if (flags == 0 || flags > MCL_ALL || flags == MCL_LATER)
        return -EINVAL;
    int e = memory_may_lock(0, 0);
    if (e < 0)
        return e;
    bool now = flags & MCL_NOW;
    if (now && limit != RLIM_INFINITY && !process_can(CAP_IPC_LOCK) &&
        space()->mapped_pages > limit >> PAGE_SHIFT)
        return -ENOMEM;
    lock_future(flags);
    if (now)
        (void)each_piece(space(), 0, USER_TOP, lock_piece, true);
    if (now && !(flags & MCL_LATER))
        (void)memory_populate(0, USER_TOP);
    return 0;
}

long sys_munlockall(struct call *c)
{
    (void)c;
    lock_future(0);
    (void)each_piece(space(), 0, USER_TOP, lock_piece, false);
    return 0;
}
