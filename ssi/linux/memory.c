// SPDX-License-Identifier: MIT
// Calls on the address space: brk(2), mmap(2) and their family.
#include "ssi/linux/memory.h"
#include "mm/user.h"
#include "ssi/container/container.h"
#include "ssi/fs/special.h"
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
    MMAP_DENYWRITE = 0x0800,
    MMAP_EXECUTABLE = 0x1000,
    MMAP_LOCKED = 0x2000,
    MMAP_NORESERVE = 0x4000,
    MMAP_POPULATE = 0x8000,
    MMAP_NONBLOCK = 0x10000,
    MMAP_STACK = 0x20000,
    MMAP_HUGETLB = 0x40000,
    MMAP_HUGE_SHIFT = 26,
    MMAP_HUGE_MASK = 0x3f,
    MMAP_HUGE_2MB = 21,
    // What MAP_SHARED_VALIDATE knows: more is EOPNOTSUPP.
    MMAP_KNOWN = MMAP_TYPE | MMAP_FIXED | MMAP_ANONYMOUS | MMAP_GROWSDOWN | MMAP_DENYWRITE |
                 MMAP_EXECUTABLE | MMAP_LOCKED | MMAP_NORESERVE | MMAP_POPULATE | MMAP_NONBLOCK |
                 MMAP_STACK | MMAP_HUGETLB,
    PROT_ALL = PROT_R | PROT_W | PROT_X,
    PROT_SEM_FLAG = 8, // means nothing here
    PROT_GROWSDOWN_FLAG = 0x01000000,
    PROT_GROWS_BOTH = 0x03000000, // with PROT_GROWSUP, which is for other machines
};

#define MODE_TYPE    0170000u
#define MODE_REGULAR 0100000u

bool memory_within_limit(uint32_t more_bytes)
{
    uint32_t limit = process_current()->limits[RLIMIT_AS].current;
    if (limit == RLIM_INFINITY)
        return true;
    uint64_t now = (uint64_t)space()->mapped_pages << PAGE_SHIFT;
    return now + more_bytes <= limit;
}

int memory_map_anonymous(uint32_t at, uint32_t bytes, unsigned prot, unsigned flags)
{
    struct container *c = container_new_anonymous();
    if (!c)
        return -ENOMEM;
    uint32_t index = flags & SEGMENT_GROWS_DOWN ? at >> PAGE_SHIFT : 0;
    if (flags & SEGMENT_SHARED) // it stays as large as it was made, also where mremap shows more
        container_bound(c, bytes);
    int e = space_map(space(), at, bytes, prot, flags, c, index, &container_segment_ops, NULL);
    if (e < 0)
        container_put(c);
    return e;
}

// ---- brk ---------------------------------------------------------------------------------------
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
    return memory_map_anonymous(from, bytes, PROT_R | PROT_W, SEGMENT_BRK);
}

static bool heap_may_reach(struct space *s, uint32_t from, uint32_t to)
{
    struct segment *above = space_find_from(s, from);
    if (above && above->start < to + PAGE_SIZE)
        return false;
    uint32_t limit = process_current()->limits[RLIMIT_DATA].current;
    return to <= USER_TOP - PAGE_SIZE && memory_within_limit(to - from) &&
           (limit == RLIM_INFINITY || to - s->brk_start <= limit);
}

long sys_brk(struct call *c)
{
    memory_settle();
    struct space *s = space();
    uint32_t wanted = c->args[0];
    if (wanted < s->brk_start || wanted > USER_TOP)
        return (long)s->brk;
    uint32_t old_end = memory_round_up(s->brk), new_end = memory_round_up(wanted);
    if (new_end > old_end) {
        if (!heap_may_reach(s, old_end, new_end) || memory_may_lock_later(new_end - old_end) < 0 ||
            heap_grow(s, old_end, new_end - old_end) < 0)
            return (long)s->brk;
        if (s->populate_later)
            (void)memory_populate(old_end, new_end);
    } else if (new_end < old_end) {
        if (space_unmap(s, new_end, old_end - new_end) < 0)
            return (long)s->brk;
    }
    s->brk = wanted;
    return (long)s->brk;
}

// ---- mmap --------------------------------------------------------------------------------------
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
    if (hint < MMAP_ADDRESS_MIN && !process_can(CAP_SYS_RAWIO))
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
    if (f->flags & O_PATH)
        return -EBADF;
    if (!file_reads(f))
        return -EACCES;
    if (shared && (prot & PROT_W) && !file_writes(f))
        return -EACCES;
    return f->ops->map ? 0 : -ENODEV;
}

// Is the file a memfd whose seals forbid new writers? May sleep when it lives on another node.
static bool sealed_for_writers(struct file *f)
{
    if (!file_is_tree(f) || f->ops->ioctl == NULL)
        return false;
    uint32_t none = 0;
    long seals = f->ops->ioctl(f, SEALS_GET, &none, sizeof(none), 0);
    return seals > 0 && (seals & (FS_SEAL_WRITE | FS_SEAL_FUTURE_WRITE));
}

// What a mapping of a file shows. It is made before its place is chosen: making it may sleep, and
// other threads may take the place meanwhile.
struct view {
    struct container *object;
    uint32_t index;
    uint32_t there; // bytes on pages that the file has; behind them a private mapping is SIGBUS
    bool read_only; // may never become writable: the note says so, mprotect asks it
};

// Of a shared mapping the file's container knows the end.
static int bytes_there(struct file *f, uint64_t offset, bool shared, uint32_t bytes,
                       uint32_t *there)
{
    struct fs_stat st;
    *there = bytes;
    if (shared)
        return 0;
    int e = file_stat(f, &st);
    uint64_t n = ALIGN_UP(st.bytes > offset ? st.bytes - offset : 0, PAGE_SIZE);
    if (e == 0 && (st.mode & MODE_TYPE) == MODE_REGULAR && n < bytes)
        *there = (uint32_t)n;
    return e;
}

static int view_file(struct file *f, uint64_t offset, uint32_t bytes, unsigned prot, bool shared,
                     struct view *v)
{
    int e = check_file(f, prot, shared);
    if (e == 0)
        e = bytes_there(f, offset, shared, bytes, &v->there);
    if (e < 0)
        return e;
    bool sealed = shared && sealed_for_writers(f);
    if (sealed && (prot & PROT_W))
        return -EPERM;
    v->read_only = sealed || (shared && (f->flags & O_ACCMODE) != O_RDWR);
    return f->ops->map(f, offset, shared, &v->object, &v->index);
}

// What lies behind the end shows a source that has nothing.
static int map_behind(uint32_t at, uint32_t bytes, unsigned prot, unsigned kind)
{
    struct io_source nothing = {.kind = IO_image, .bytes = UINT32_MAX};
    struct container *c = container_new(&nothing);
    if (!c)
        return -ENOMEM;
    int e = space_map(space(), at, bytes, prot, kind, c, 0, &container_segment_ops,
                      (void *)(uintptr_t)MAPS_FILE);
    if (e < 0)
        container_put(c);
    return e;
}

// The view's object is the mapping's from now on.
static int map_view(const struct view *v, uint32_t at, uint32_t bytes, unsigned prot, unsigned kind)
{
    int e = space_map(space(), at, bytes, prot, kind | (v->read_only ? SEGMENT_READER : 0),
                      v->object, v->index, &container_segment_ops,
                      (void *)(uintptr_t)(v->read_only ? MAPS_READ_ONLY : MAPS_FILE));
    if (e < 0) {
        container_put(v->object);
        return e;
    }
    if (v->there < bytes)
        e = map_behind(at + v->there, bytes - v->there, prot, kind);
    if (e < 0)
        (void)space_unmap(space(), at, bytes);
    return e;
}

// As `flags` say where: at `hint`, or where there is room. *at.
static int map_file(uint32_t fd, uint64_t offset, uint32_t hint, uint32_t bytes, uint32_t flags,
                    unsigned prot, unsigned kind, uint32_t *at)
{
    struct view v;
    struct file *f = fd_file_get(process_current()->files, (int)fd);
    if (!f)
        return -EBADF;
    int e = view_file(f, offset, bytes, prot, kind & SEGMENT_SHARED, &v);
    file_put(f);
    if (e < 0)
        return e;
    memory_settle();
    e = place(hint, bytes, flags, at);
    if (e == 0)
        return map_view(&v, *at, bytes, prot, kind);
    container_put(v.object);
    return e;
}

// What of the flags cannot be had: 0, -EINVAL, -EOPNOTSUPP, -ENOMEM, -EPERM, -EAGAIN.
static int check_flags(uint32_t bytes, uint32_t flags)
{
    uint32_t type = flags & MMAP_TYPE;
    bool anonymous = flags & MMAP_ANONYMOUS;
    if (type != MMAP_SHARED && type != MMAP_PRIVATE && (type != MMAP_SHARED_VALIDATE || anonymous))
        return -EINVAL;
    if (type == MMAP_SHARED_VALIDATE && (flags & ~(uint32_t)MMAP_KNOWN))
        return -EOPNOTSUPP;
    if ((flags & MMAP_GROWSDOWN) && (type != MMAP_PRIVATE || !anonymous))
        return -EINVAL;
    if (flags & MMAP_HUGETLB) { // of files there are none, of anonymous memory none is set aside
        uint32_t shift = flags >> MMAP_HUGE_SHIFT & MMAP_HUGE_MASK;
        return anonymous && (shift == 0 || shift == MMAP_HUGE_2MB) ? -ENOMEM : -EINVAL;
    }
    int e = flags & MMAP_LOCKED ? memory_may_lock(bytes, -EAGAIN) : 0;
    return e < 0 ? e : memory_may_lock_later(bytes);
}

static long map(uint32_t hint, uint32_t length, uint32_t prot, uint32_t flags, uint32_t fd,
                uint64_t offset)
{
    uint32_t bytes = memory_round_up(length), at = 0;
    memory_settle();
    if (!(flags & MMAP_ANONYMOUS) && !fd_file(process_current()->files, (int)fd))
        return -EBADF;
    if (length == 0)
        return -EINVAL;
    if (bytes == 0 || bytes > USER_TOP || !memory_within_limit(bytes))
        return -ENOMEM;
    if (((offset + bytes) >> PAGE_SHIFT) > UINT32_MAX)
        return -EOVERFLOW;
    int e = place(hint, bytes, flags, &at);
    if (e == 0)
        e = check_flags(bytes, flags);
    if (e < 0)
        return e;
    unsigned kind = flags & MMAP_LOCKED ? SEGMENT_LOCKED : 0;
    kind |= (flags & MMAP_TYPE) != MMAP_PRIVATE ? SEGMENT_SHARED : 0;
    kind |= flags & MMAP_GROWSDOWN ? SEGMENT_GROWS_DOWN : 0;
    prot &= PROT_ALL;
    e = flags & MMAP_ANONYMOUS ? memory_map_anonymous(at, bytes, prot, kind)
                               : map_file(fd, offset, hint, bytes, flags, prot, kind, &at);
    bool fill = (flags & (MMAP_LOCKED | MMAP_POPULATE)) && !(flags & MMAP_NONBLOCK);
    if (e == 0 && (fill || space()->populate_later))
        (void)memory_populate(at, at + bytes);
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

bool memory_range_bad(uint32_t at, uint32_t bytes)
{
    return (at & PAGE_MASK) || at > USER_TOP || bytes > USER_TOP - at;
}

long sys_munmap(struct call *c)
{
    uint32_t at = c->args[0], bytes = memory_round_up(c->args[1]);
    if (bytes == 0 || memory_range_bad(at, bytes))
        return -EINVAL;
    memory_settle();
    return space_unmap(space(), at, bytes);
}

static int protect_one(struct segment *g, uint32_t from, uint32_t to, uint32_t prot)
{
    // A file opened for reading only may never become writable when it is shared, nor what is the
    // kernel's.
    uintptr_t note = (uintptr_t)g->note;
    if ((prot & PROT_W) && (note == MAPS_READ_ONLY || note == MAPS_VDSO || note == MAPS_VVAR))
        return -EACCES;
    return space_protect(space(), from, to - from, prot & PROT_ALL);
}

// What lies before a hole, or before what may not be so, has changed when that is met.
long sys_mprotect(struct call *c)
{
    uint32_t at = c->args[0], bytes = memory_round_up(c->args[1]), prot = c->args[2];
    if ((at & PAGE_MASK) || (prot & PROT_GROWS_BOTH) == PROT_GROWS_BOTH)
        return -EINVAL;
    if (c->args[1] == 0)
        return 0;
    if (bytes == 0 || memory_range_bad(at, bytes))
        return -ENOMEM;
    if (prot & ~(PROT_ALL | PROT_SEM_FLAG | PROT_GROWSDOWN_FLAG))
        return -EINVAL;
    memory_settle();
    if (prot & PROT_GROWSDOWN_FLAG) {
        struct segment *g = space_find_from(space(), at);
        if (!g || g->start >= at + bytes)
            return -ENOMEM;
        if (g->start > at || !(g->flags & SEGMENT_GROWS_DOWN))
            return -EINVAL;
        bytes += at - g->start;
        at = g->start;
    }
    for (uint32_t end = at + bytes; at < end;) {
        struct segment *g = space_find(space(), at);
        if (!g)
            return -ENOMEM;
        uint32_t stop = MIN(end, g->end);
        int e = protect_one(g, at, stop, prot);
        if (e < 0)
            return e;
        at = stop;
    }
    return 0;
}

// ---- protection keys: the CPU has none, as far as programs are told. Only -1, none, can be used.
long sys_pkey_mprotect(struct call *c)
{
    uint32_t at = c->args[0], bytes = memory_round_up(c->args[1]);
    if (c->args[3] == UINT32_MAX || (at & PAGE_MASK) || c->args[1] == 0)
        return sys_mprotect(c);
    return at + bytes <= at ? -ENOMEM : -EINVAL;
}

long sys_pkey_alloc(struct call *c)
{
    (void)c;
    return -EINVAL;
}

long sys_pkey_free(struct call *c)
{
    (void)c;
    return -EINVAL;
}
