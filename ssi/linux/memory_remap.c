// SPDX-License-Identifier: MIT
// mremap(2), remap_file_pages(2).
#include "ssi/linux/memory.h"
#include "ssi/container/container.h"
#include "ssi/process/linux_abi.h"

enum { // linux/mman.h
    MREMAP_MAYMOVE = 1,
    MREMAP_FIXED = 2,
    MREMAP_DONTUNMAP = 4,
    MREMAP_ALL = 7,
};

// Two segments that Linux would have as one: anonymous memory of one kind, whatever object is
// behind it.
static bool alike(const struct segment *a, const struct segment *b)
{
    return a->end == b->start && a->prot == b->prot && !a->note && !b->note &&
           !(a->flags & SEGMENT_SHARED) && ((a->flags ^ b->flags) & ~(unsigned)SEGMENT_BRK) == 0;
}

// Is [at, at + bytes) within one mapping, as Linux counts them?
static bool within_one(const struct segment *g, uint32_t at, uint32_t bytes)
{
    while (bytes > g->end - at) {
        const struct segment *next = space_find(space(), g->end);
        if (!next || !alike(g, next))
            return false;
        bytes -= g->end - at;
        at = g->end;
        g = next;
    }
    return true;
}

// The segment's range [at, at + bytes) also shows at `to`: same container, same pages.
static int map_again(const struct segment *g, uint32_t at, uint32_t bytes, uint32_t to)
{
    struct container *c = g->object;
    uint32_t index = g->index + ((at - g->start) >> PAGE_SHIFT);
    container_get(c);
    int e = space_map(space(), to, bytes, g->prot, g->flags & ~(unsigned)SEGMENT_BRK, c, index,
                      g->ops, g->note);
    if (e < 0)
        container_put(c);
    return e;
}

// A private mapping of a file goes on in a container of its own: where its pages come from a
// provider they can be had twice.
static int map_provided(const struct segment *g, uint32_t index, uint32_t more, uint32_t to)
{
    struct io_source source = container_source(g->object);
    struct container *c = source.kind == IO_anonymous ? NULL : container_new(&source);
    if (!c)
        return -ENOMEM;
    int e = space_map(space(), to, more, g->prot, g->flags, c, index, g->ops, g->note);
    if (e < 0)
        container_put(c);
    return e;
}

// `more` bytes at `to` go on what ends at `end` in the last segment of the old range: in the same
// container while its pages there are not in use, else in a fresh one.
static int map_behind(uint32_t end, uint32_t more, uint32_t to)
{
    const struct segment *g = space_find(space(), end - 1);
    if (!g)
        return -EFAULT; // another thread was faster
    uint32_t index = g->index + ((end - g->start) >> PAGE_SHIFT);
    if (g->flags & SEGMENT_SHARED)
        return map_again(g, end, more, to);
    if (g->note)
        return container_shown_from(g->object, index) ? map_provided(g, index, more, to)
                                                      : map_again(g, end, more, to);
    if (end == g->end && container_extends(g->object, index))
        return map_again(g, end, more, to);
    return memory_map_anonymous(to, more, g->prot, g->flags & ~(unsigned)SEGMENT_BRK);
}

static int map_pieces(uint32_t at, uint32_t end, uint32_t to)
{
    while (at < end) {
        const struct segment *g = space_find(space(), at);
        if (!g)
            return -EFAULT; // what was at `to` took its time to go, and another thread was faster
        uint32_t stop = MIN(end, g->end);
        int e = map_again(g, at, stop - at, to);
        if (e < 0)
            return e;
        to += stop - at;
        at = stop;
    }
    return 0;
}

// [at, at + old) shows at `to`, where `new` bytes are free, and goes on there; or nothing is there.
static int map_there(uint32_t at, uint32_t old, uint32_t new, uint32_t to)
{
    int e = map_pieces(at, at + old, to);
    if (e == 0 && new > old)
        e = map_behind(at + old, new - old, to + old);
    if (e < 0)
        (void)space_unmap(space(), to, new);
    return e;
}

// MREMAP_DONTUNMAP: private memory is left behind empty, shared memory is seen twice.
static int leave_behind(uint32_t at, uint32_t bytes)
{
    const struct segment *g = space_find(space(), at);
    return !g || (g->flags & SEGMENT_SHARED)
               ? 0
               : memory_map_anonymous(at, bytes, g->prot, g->flags & ~(unsigned)SEGMENT_BRK);
}

static long move(uint32_t at, uint32_t old, uint32_t new, uint32_t flags, uint32_t to)
{
    int e = 0;
    if (flags & MREMAP_FIXED) {
        if (new < old)
            e = space_unmap(space(), at + new, old - new);
        old = MIN(old, new);
    } else {
        to = space_hole(space(), 0, new);
        e = to ? 0 : -ENOMEM;
    }
    if (e == 0)
        e = map_there(at, old, new, to);
    if (e == 0)
        e = flags & MREMAP_DONTUNMAP ? leave_behind(at, old) : space_unmap(space(), at, old);
    return e < 0 ? e : (long)to;
}

// A second view of shared memory.
static long see_twice(const struct segment *g, uint32_t at, uint32_t new, uint32_t flags,
                      uint32_t to)
{
    if (!(flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    if (!(flags & MREMAP_FIXED))
        to = space_hole(space(), 0, new);
    if (!to)
        return -ENOMEM;
    int e = map_again(g, at, new, to);
    return e < 0 ? e : (long)to;
}

static bool room_above(uint32_t end, uint32_t more)
{
    struct segment *above = space_find_from(space(), end);
    return more <= USER_TOP - end && (!above || above->start >= end + more);
}

static int check(uint32_t at, uint32_t old, uint32_t new, uint32_t flags, uint32_t to)
{
    if ((flags & ~(uint32_t)MREMAP_ALL) || (at & PAGE_MASK) || new == 0 ||
        ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE)) ||
        ((flags & MREMAP_DONTUNMAP) && old != new))
        return -EINVAL;
    if ((flags & MREMAP_FIXED) && (memory_range_bad(to, new) || (to < at + old && at < to + new)))
        return -EINVAL;
    return 0;
}

long sys_mremap(struct call *c)
{
    uint32_t at = c->args[0], old = memory_round_up(c->args[1]);
    uint32_t new = memory_round_up(c->args[2]), flags = c->args[3], to = c->args[4];
    int e = check(at, old, new, flags, to);
    if (e < 0)
        return e;
    memory_settle();
    struct segment *g = at < USER_TOP ? space_find(space(), at) : NULL;
    if (!g)
        return -EFAULT;
    bool shared = g->flags & SEGMENT_SHARED;
    if ((old == 0 && !shared) || ((flags & MREMAP_DONTUNMAP) && !shared && g->note))
        return -EINVAL;
    if (new <= old && old && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
        e = new < old ? space_unmap(space(), at + new, old - new) : 0;
        return e < 0 ? e : (long)at;
    }
    if (!within_one(g, at, flags & MREMAP_FIXED ? MIN(old, new) : old)) // the rest only goes
        return -EFAULT;
    if (new > old && !memory_within_limit(new - old))
        return -ENOMEM;
    if (new > old && (g->flags & SEGMENT_LOCKED) && (e = memory_may_lock(new - old, -EAGAIN)) < 0)
        return e;
    if (old == 0)
        return see_twice(g, at, new, flags, to);
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
        return move(at, old, new, flags, to);
    if (room_above(at + old, new - old)) {
        e = map_behind(at + old, new - old, at + old);
        return e < 0 ? e : (long)at;
    }
    return flags & MREMAP_MAYMOVE ? move(at, old, new, flags, 0) : -ENOMEM;
}

// Do the segments from `g` on show one object in one way up to `end`?
static bool one_view(const struct segment *g, uint32_t end)
{
    while (g->end < end) {
        const struct segment *next = space_find(space(), g->end);
        if (!next || next->object != g->object || next->prot != g->prot || next->flags != g->flags)
            return false;
        g = next;
    }
    return true;
}

// As Linux does it since it has no non-linear mappings: a new mapping of the same object.
long sys_remap_file_pages(struct call *c)
{
    uint32_t at = ALIGN_DOWN(c->args[0], PAGE_SIZE), bytes = ALIGN_DOWN(c->args[1], PAGE_SIZE);
    uint32_t index = c->args[3], pages = bytes >> PAGE_SHIFT;
    if (c->args[2] || at + bytes <= at || index + pages < index || at >= USER_TOP)
        return -EINVAL;
    memory_settle();
    struct segment *g = space_find(space(), at);
    if (!g || !(g->flags & SEGMENT_SHARED) || !one_view(g, at + bytes))
        return -EINVAL;
    struct container *object = g->object;
    container_get(object);
    int e = space_map(space(), at, bytes, g->prot, g->flags, object, index, g->ops, g->note);
    if (e < 0)
        container_put(object);
    return e;
}
