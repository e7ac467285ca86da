// SPDX-License-Identifier: MIT
// Calls on the address space: brk(2), mmap(2) and their family.
#include "ssi/linux/linux.h"
#include "mm/user.h"
#include "ssi/container/container.h"
#include "ssi/process/linux_abi.h"

enum { // mmap(2), asm-generic/mman-common.h
    MMAP_SHARED = 0x01,
    MMAP_PRIVATE = 0x02,
    MMAP_SHARED_VALIDATE = 0x03,
    MMAP_TYPE = 0x0f,
    MMAP_FIXED = 0x10,
    MMAP_ANONYMOUS = 0x20,
    MMAP_GROWSDOWN = 0x0100,
    MMAP_FIXED_NOREPLACE = 0x100000,
    MREMAP_MAYMOVE = 1,
    MREMAP_FIXED = 2,
    MSYNC_ASYNC = 1,
    MSYNC_INVALIDATE = 2,
    MSYNC_SYNC = 4,
    MADVISE_DONTNEED = 4,
    MADVISE_FREE = 8,
    MADVISE_DODUMP = 17,
    PROT_ALL = PROT_R | PROT_W | PROT_X,
    PROT_GROWSDOWN_FLAG = 0x01000000,
};

#define ADDRESS_MIN  0x10000u // vm.mmap_min_addr
#define MODE_TYPE    0170000u
#define MODE_REGULAR 0100000u

static struct space *space(void)
{
    return process_current()->space;
}

static uint32_t round_up(uint32_t bytes) // 0 when it overflows
{
    return ALIGN_UP(bytes, PAGE_SIZE);
}

static bool within_limit(uint32_t more_bytes)
{
    uint32_t limit = process_current()->limits[RLIMIT_AS].current;
    if (limit == RLIM_INFINITY)
        return true;
    uint64_t now = (uint64_t)space()->mapped_pages << PAGE_SHIFT;
    return now + more_bytes <= limit;
}

static int map_anonymous(uint32_t at, uint32_t bytes, unsigned prot, unsigned flags)
{
    struct container *c = container_new_anonymous();
    if (!c)
        return -ENOMEM;
    uint32_t index = flags & SEGMENT_GROWS_DOWN ? at >> PAGE_SHIFT : 0;
    int e = space_map(space(), at, bytes, prot, flags, c, index, &container_segment_ops, NULL);
    if (e < 0)
        container_put(c);
    return e;
}

// ---- brk
// -----------------------------------------------------------------------------------------
// The heap goes on in its own container while it can: one segment, however often it grows.
static int heap_grow(struct space *s, uint32_t from, uint32_t bytes)
{
    struct segment *below = from > s->brk_start ? space_find(s, from - 1) : NULL;
    if (below && below->end == from && below->flags & SEGMENT_BRK &&
        below->prot == (PROT_R | PROT_W)) {
        struct container *c = below->object;
        uint32_t index = below->index + ((below->end - below->start) >> PAGE_SHIFT);
        if (container_extends(c, index)) {
            container_get(c);
            int e = space_map(s, from, bytes, PROT_R | PROT_W, SEGMENT_BRK, c, index,
                              &container_segment_ops, NULL);
            if (e < 0)
                container_put(c);
            return e;
        }
    }
    return map_anonymous(from, bytes, PROT_R | PROT_W, SEGMENT_BRK);
}

static bool heap_may_reach(struct space *s, uint32_t from, uint32_t to)
{
    struct segment *above = space_find_from(s, from);
    if (above && above->start < to + PAGE_SIZE)
        return false;
    uint32_t limit = process_current()->limits[RLIMIT_DATA].current;
    return to <= USER_TOP - PAGE_SIZE && within_limit(to - from) &&
           (limit == RLIM_INFINITY || to - s->brk_start <= limit);
}

long sys_brk(struct call *c)
{
    struct space *s = space();
    uint32_t wanted = c->args[0];
    if (wanted < s->brk_start || wanted > USER_TOP)
        return (long)s->brk;
    uint32_t old_end = round_up(s->brk), new_end = round_up(wanted);
    if (new_end > old_end) {
        if (!heap_may_reach(s, old_end, new_end) || heap_grow(s, old_end, new_end - old_end) < 0)
            return (long)s->brk;
    } else if (new_end < old_end) {
        if (space_unmap(s, new_end, old_end - new_end) < 0)
            return (long)s->brk;
    }
    s->brk = wanted;
    return (long)s->brk;
}

// ---- mmap
// ----------------------------------------------------------------------------------------
static int place(uint32_t hint, uint32_t bytes, uint32_t flags, uint32_t *at)
{
    if (!(flags & (MMAP_FIXED | MMAP_FIXED_NOREPLACE))) {
        *at = space_hole(space(), ALIGN_DOWN(hint, PAGE_SIZE), bytes);
        return *at ? 0 : -ENOMEM;
    }
    if (hint & PAGE_MASK)
        return -EINVAL;
    if (hint >= USER_TOP || bytes > USER_TOP - hint)
        return -ENOMEM;
    if (hint < ADDRESS_MIN && process_current()->cred.euid)
        return -EPERM;
    if (flags & MMAP_FIXED_NOREPLACE) {
        struct segment *s = space_find_from(space(), hint);
        if (s && s->start < hint + bytes)
            return -EEXIST;
    }
    *at = hint;
    return 0;
}

static int check_file(const struct file *f, unsigned prot, bool shared)
{
    unsigned access = f->flags & O_ACCMODE;
    if (f->flags & O_PATH)
        return -EBADF;
    if (access == O_WRONLY)
        return -EACCES;
    if (shared && (prot & PROT_W) && access != O_RDWR)
        return -EACCES;
    return f->ops->map ? 0 : -ENODEV;
}

// A shared mapping of a file that is open for reading only may never become writable: the note
// says so, mprotect asks it.
static int map_file(uint32_t fd, uint64_t offset, uint32_t at, uint32_t bytes, unsigned prot,
                    bool shared)
{
    struct file *f = fd_file_get(process_current()->files, (int)fd);
    if (!f)
        return -EBADF;
    struct container *c;
    uint32_t index;
    int e = check_file(f, prot, shared);
    if (e == 0)
        e = f->ops->map(f, offset, shared, &c, &index);
    if (e == 0) {
        bool read_only = shared && (f->flags & O_ACCMODE) != O_RDWR;
        e = space_map(space(), at, bytes, prot, shared ? SEGMENT_SHARED : 0, c, index,
                      &container_segment_ops,
                      (void *)(uintptr_t)(read_only ? MAPS_READ_ONLY : MAPS_FILE));
        if (e < 0)
            container_put(c);
    }
    file_put(f);
    return e;
}

// Pages of a private mapping that lie wholly behind the file's end are SIGBUS (mmap(2)): they show
// a source that has nothing. (Of a shared one they are not: the file may still grow into them.)
static int map_behind(uint32_t fd, uint64_t offset, uint32_t at, uint32_t bytes, unsigned prot)
{
    struct file *f = fd_file_get(process_current()->files, (int)fd);
    struct fs_stat st;
    if (!f)
        return -EBADF;
    int e = file_stat(f, &st);
    file_put(f);
    uint64_t there = ALIGN_UP(st.bytes > offset ? st.bytes - offset : 0, PAGE_SIZE);
    if (e < 0 || (st.mode & MODE_TYPE) != MODE_REGULAR || there >= bytes)
        return e;
    struct io_source nothing = {.kind = IO_image, .bytes = UINT32_MAX};
    struct container *c = container_new(&nothing);
    if (!c)
        return -ENOMEM;
    e = space_map(space(), at + (uint32_t)there, bytes - (uint32_t)there, prot, 0, c, 0,
                  &container_segment_ops, (void *)(uintptr_t)MAPS_FILE);
    if (e < 0)
        container_put(c);
    return e;
}

static long map(uint32_t hint, uint32_t length, uint32_t prot, uint32_t flags, uint32_t fd,
                uint64_t offset)
{
    uint32_t type = flags & MMAP_TYPE;
    uint32_t bytes = round_up(length);
    if (length == 0 ||
        (type != MMAP_SHARED && type != MMAP_PRIVATE && type != MMAP_SHARED_VALIDATE))
        return -EINVAL;
    if (bytes == 0 || bytes > USER_TOP || !within_limit(bytes))
        return -ENOMEM;
    if (!(flags & MMAP_ANONYMOUS) && !fd_file(process_current()->files, (int)fd))
        return -EBADF;
    uint32_t at;
    int e = place(hint, bytes, flags, &at);
    if (e < 0)
        return e;
    bool shared = type != MMAP_PRIVATE;
    if (flags & MMAP_ANONYMOUS) {
        unsigned kind = shared ? SEGMENT_SHARED : flags & MMAP_GROWSDOWN ? SEGMENT_GROWS_DOWN : 0;
        e = map_anonymous(at, bytes, prot & PROT_ALL, kind);
    } else {
        e = map_file(fd, offset, at, bytes, prot & PROT_ALL, shared);
        if (e == 0 && !shared) {
            e = map_behind(fd, offset, at, bytes, prot & PROT_ALL);
            if (e < 0)
                (void)space_unmap(space(), at, bytes);
        }
    }
    return e < 0 ? e : (long)at;
}

long sys_mmap2(struct call *c)
{
    return map(c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
               (uint64_t)c->args[5] << PAGE_SHIFT);
}

long sys_old_mmap(struct call *c)
{
    uint32_t a[6]; // the arguments lie in memory
    int e = user_read(a, c->args[0], sizeof(a));
    if (e < 0)
        return e;
    if (a[5] & PAGE_MASK)
        return -EINVAL;
    return map(a[0], a[1], a[2], a[3], a[4], a[5]);
}

static bool range_bad(uint32_t at, uint32_t bytes)
{
    return (at & PAGE_MASK) || at > USER_TOP || bytes > USER_TOP - at;
}

long sys_munmap(struct call *c)
{
    uint32_t at = c->args[0], bytes = round_up(c->args[1]);
    if (bytes == 0 || range_bad(at, bytes))
        return -EINVAL;
    return space_unmap(space(), at, bytes);
}

// May the whole range be writable? Files opened for reading only may not, when shared.
static int check_writable(uint32_t at, uint32_t end)
{
    struct space *s = space();
    struct segment *g;
    for (g = space_find_from(s, at); g && g->start < end; g = space_find_from(s, g->end)) {
        if ((uintptr_t)g->note == MAPS_READ_ONLY)
            return -EACCES;
    }
    return 0;
}

long sys_mprotect(struct call *c)
{
    uint32_t at = c->args[0], bytes = round_up(c->args[1]), prot = c->args[2];
    if ((at & PAGE_MASK) || (prot & ~(PROT_ALL | PROT_GROWSDOWN_FLAG)))
        return -EINVAL;
    if (c->args[1] == 0)
        return 0;
    if (bytes == 0 || range_bad(at, bytes))
        return -ENOMEM;
    if (prot & PROT_GROWSDOWN_FLAG) {
        struct segment *g = space_find(space(), at);
        if (!g || !(g->flags & SEGMENT_GROWS_DOWN))
            return -EINVAL;
        bytes += at - g->start;
        at = g->start;
    }
    int e = prot & PROT_W ? check_writable(at, at + bytes) : 0;
    return e < 0 ? e : space_protect(space(), at, bytes, prot & PROT_ALL);
}

static bool range_whole(uint32_t at, uint32_t bytes)
{
    uint32_t end = at + bytes;
    while (at < end) {
        struct segment *g = space_find(space(), at);
        if (!g)
            return false;
        at = g->end;
    }
    return true;
}

// ---- madvise, msync, mincore
// ---------------------------------------------------------------------
static int discard(uint32_t at, uint32_t end)
{
    while (at < end) {
        struct segment *g = space_find_from(space(), at);
        if (!g || g->start >= end)
            return 0;
        at = MAX(at, g->start);
        uint32_t stop = MIN(end, g->end);
        if (!(g->flags & SEGMENT_SHARED)) { // shared pages have other users: they stay as they are
            uint32_t index = g->index + ((at - g->start) >> PAGE_SHIFT);
            int e = container_discard(g->object, index, (stop - at) >> PAGE_SHIFT);
            if (e < 0)
                return e;
        }
        at = stop;
    }
    return 0;
}

long sys_madvise(struct call *c)
{
    uint32_t at = c->args[0], bytes = round_up(c->args[1]), advice = c->args[2];
    if ((at & PAGE_MASK) || (c->args[1] && !bytes) || advice > 25 ||
        (advice > MADVISE_DODUMP + 1 && advice < 20))
        return -EINVAL;
    if (bytes == 0)
        return 0;
    if (range_bad(at, bytes) || !range_whole(at, bytes))
        return -ENOMEM;
    if (advice == MADVISE_DONTNEED || advice == MADVISE_FREE)
        return discard(at, at + bytes);
    return 0; // the others are hints
}

long sys_msync(struct call *c)
{
    uint32_t at = c->args[0], bytes = round_up(c->args[1]), flags = c->args[2];
    if ((at & PAGE_MASK) || (flags & ~(MSYNC_ASYNC | MSYNC_INVALIDATE | MSYNC_SYNC)) ||
        (flags & (MSYNC_ASYNC | MSYNC_SYNC)) == (MSYNC_ASYNC | MSYNC_SYNC))
        return -EINVAL;
    if (range_bad(at, bytes) || !range_whole(at, bytes))
        return -ENOMEM;
    return 0; // one copy of each page serves mappings, reads and writes
}

long sys_mincore(struct call *c)
{
    uint32_t at = c->args[0], bytes = round_up(c->args[1]);
    if (at & PAGE_MASK)
        return -EINVAL;
    if (range_bad(at, bytes) || !range_whole(at, bytes))
        return -ENOMEM;
    for (uint32_t i = 0; i < bytes >> PAGE_SHIFT; i++) {
        uint32_t frame;
        unsigned rights;
        uint8_t in = arch_space_look(&space()->arch, at + (i << PAGE_SHIFT), &frame, &rights);
        int e = user_write(c->args[2] + i, &in, 1);
        if (e < 0)
            return e;
    }
    return 0;
}

// ---- mremap
// --------------------------------------------------------------------------------------
static bool grows_in_place(struct segment *g, uint32_t at, uint32_t old, uint32_t new)
{
    struct segment *above = space_find_from(space(), at + old);
    uint32_t index = g->index + ((at + old - g->start) >> PAGE_SHIFT);
    return at + old == g->end && new <= USER_TOP - at && (!above || above->start >= at + new) &&
           ((g->flags & SEGMENT_SHARED) || container_extends(g->object, index));
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

static long remap_move(uint32_t at, uint32_t old, uint32_t new, uint32_t flags, uint32_t to)
{
    struct segment *g = space_find(space(), at);
    uint32_t index = g->index + ((at + old - g->start) >> PAGE_SHIFT);
    bool extends = new <= old || (g->flags & SEGMENT_SHARED) ||
                   (at + old == g->end && container_extends(g->object, index));
    if (flags & MREMAP_FIXED) {
        if ((to & PAGE_MASK) || range_bad(to, new) || (to < at + old && at < to + new))
            return -EINVAL;
        int e = space_unmap(space(), to, new);
        if (e < 0)
            return e;
        g = space_find(space(), at);
    } else {
        to = space_hole(space(), 0, new);
        if (!to)
            return -ENOMEM;
    }
    uint32_t moved = extends ? new : MIN(old, new);
    int e = map_again(g, at, moved, to);
    if (e == 0 && new > moved) // pages behind were in use for something else: fresh ones
        e = map_anonymous(to + moved, new - moved, g->prot, 0);
    if (e == 0)
        e = space_unmap(space(), at, old);
    return e < 0 ? e : (long)to;
}

long sys_mremap(struct call *c)
{
    uint32_t at = c->args[0], old = round_up(c->args[1]), new = round_up(c->args[2]);
    uint32_t flags = c->args[3];
    if ((at & PAGE_MASK) || (flags & ~(uint32_t)(MREMAP_MAYMOVE | MREMAP_FIXED)) || new == 0 ||
        ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE)))
        return -EINVAL;
    struct segment *g = at < USER_TOP ? space_find(space(), at) : NULL;
    if (!g || old > g->end - at)
        return -EFAULT;
    if (old == 0)
        return -EINVAL; // a second view of shared memory: not offered
    if (flags & MREMAP_FIXED)
        return remap_move(at, old, new, flags, c->args[4]);
    if (new <= old) {
        int e = new < old ? space_unmap(space(), at + new, old - new) : 0;
        return e < 0 ? e : (long)at;
    }
    if (!within_limit(new - old))
        return -ENOMEM;
    if (grows_in_place(g, at, old, new)) {
        int e = map_again(g, at + old, new - old, at + old);
        return e < 0 ? e : (long)at;
    }
    return flags & MREMAP_MAYMOVE ? remap_move(at, old, new, flags, 0) : -ENOMEM;
}

// ---- mlock and its family: there is no swap, what is mapped stays
// ------------------------------------
static long lock_range(const struct call *c)
{
    uint32_t skew = c->args[0] & PAGE_MASK, at = c->args[0] - skew;
    uint32_t bytes = round_up(c->args[1] + skew);
    if (c->args[1] == 0)
        return 0;
    if (bytes < c->args[1])
        return -EINVAL;
    return range_bad(at, bytes) || !range_whole(at, bytes) ? -ENOMEM : 0;
}

long sys_mlock(struct call *c)
{
    return lock_range(c);
}

long sys_munlock(struct call *c)
{
    return lock_range(c);
}

long sys_mlockall(struct call *c)
{
    return c->args[0] == 0 || c->args[0] > 7 || c->args[0] == 4 ? -EINVAL : 0;
}

long sys_munlockall(struct call *c)
{
    (void)c;
    return 0;
}
