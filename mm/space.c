// SPDX-License-Identifier: MIT
#include "mm/space.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "mm/heap.h"
#include "mm/space_priv.h"

#define ADDRESS_MIN      0x10000u    // nothing is placed below: NULL pointers stay faults
#define MMAP_TOP_DEFAULT 0xb7800000u // Linux i386 with an 8 MiB stack and its gap
#define STACK_LIMIT      (8u << 20)
#define STACK_GUARD      PAGE_SIZE

struct space *space_new(void)
{
    struct space *s = heap_zalloc(sizeof(*s));
    if (s == NULL)
        return NULL;
    if (!arch_space_init(&s->arch)) {
        heap_free(s);
        return NULL;
    }
    list_init(&s->segments);
    s->users = 1;
    s->mmap_top = MMAP_TOP_DEFAULT;
    s->stack_limit_bytes = STACK_LIMIT;
    return s;
}

void space_get(struct space *s)
{
    s->users++;
}

static uint32_t segment_pages(const struct segment *g)
{
    return (g->end - g->start) >> PAGE_SHIFT;
}

// Takes it out of the space; its pages are in no table any more.
static void segment_leave(struct space *s, struct segment *g)
{
    struct segment *above = segment_after(s, g);
    s->last_hit = above ? above : segment_before(s, g);
    segment_remove(s, g);
    s->mapped_pages -= segment_pages(g);
    s->segment_count--;
}

static void segment_free(struct segment *g)
{
    g->ops->detach(g);
    heap_free(g);
}

static void segments_free(struct list *gone)
{
    for (struct list *l; (l = list_pop(gone)) != NULL;)
        segment_free(list_entry(l, struct segment, link));
}

void space_put(struct space *s)
{
    ASSERT(s->users > 0);
    if (--s->users > 0)
        return;
    arch_space_free(&s->arch);
    struct list gone;
    list_move(&gone, &s->segments);
    s->root = s->last_hit = NULL;
    segments_free(&gone);
    heap_free(s);
}

// ---- finding ------------------------------------------------------------------------------------

struct segment *space_find_from(struct space *s, uint32_t address)
{
    struct segment *g = s->last_hit;
    if (g && g->start <= address && address < g->end)
        return g;
    g = segment_find_from(s, address);
    if (g)
        s->last_hit = g;
    return g;
}

struct segment *space_find(struct space *s, uint32_t address)
{
    struct segment *g = space_find_from(s, address);
    return g && g->start <= address ? g : NULL;
}

static bool range_valid(uint32_t start, uint32_t bytes)
{
    return (start & PAGE_MASK) == 0 && bytes > 0 && start < USER_TOP && bytes <= USER_TOP - start;
}

static bool range_free(struct space *s, uint32_t start, uint32_t bytes)
{
    struct segment *g = space_find_from(s, start);
    return g == NULL || g->start >= start + bytes;
}

uint32_t space_hole(struct space *s, uint32_t hint, uint32_t bytes)
{
    if (bytes == 0 || bytes > USER_TOP - ADDRESS_MIN)
        return 0;
    bytes = ALIGN_UP(bytes, PAGE_SIZE);
    if (hint >= ADDRESS_MIN && range_valid(hint, bytes) && range_free(s, hint, bytes))
        return hint;
    struct segment *above = segment_find_from(s, s->mmap_top);
    struct segment *below = above ? segment_before(s, above) : segment_last(s);
    uint32_t top = above ? MIN(s->mmap_top, above->start) : s->mmap_top;
    if (below && top - below->end < bytes) {
        above = segment_gap(s, below, bytes);
        top = above ? above->start : 0;
    }
    return top >= ADDRESS_MIN && top - ADDRESS_MIN >= bytes ? top - bytes : 0;
}

// ---- splitting and joining ----------------------------------------------------------------------
// A split changes nothing that anybody can see, so a change that fails half-way may leave one.

static int split_at(struct space *s, uint32_t address)
{
    struct segment *g = space_find(s, address);
    if (g == NULL || g->start == address)
        return 0;
    bool room = s->segment_count < SPACE_SEGMENTS_MAX;
    struct segment *upper = room ? heap_alloc(sizeof(*upper)) : NULL;
    if (upper == NULL)
        return -ENOMEM;
    *upper = *g;
    upper->reference_given = false;
    upper->start = address;
    upper->index = g->index + ((address - g->start) >> PAGE_SHIFT);
    list_init(&upper->object_link);
    g->end = address;
    segment_insert(s, segment_after(s, g), upper);
    s->segment_count++;
    upper->ops->attach(upper);
    return 0;
}

static bool continues(const struct segment *a, const struct segment *b)
{
    return a->end == b->start && a->object == b->object && a->ops == b->ops && a->prot == b->prot &&
           a->flags == b->flags && a->note == b->note && a->index + segment_pages(a) == b->index;
}

// Joins `g` with the one before it if they continue each other; returns what holds g's range now.
static struct segment *join_before(struct space *s, struct segment *g)
{
    struct segment *a = segment_before(s, g);
    if (a == NULL || !continues(a, g))
        return g;
    segment_leave(s, g);
    a->end = g->end;
    g->joined = true;
    s->mapped_pages += segment_pages(g);
    struct segment *above = segment_after(s, a);
    if (above)
        segment_gap_changed(s, above);
    segment_free(g);
    return a;
}

static void join_around(struct space *s, struct segment *g)
{
    g = join_before(s, g);
    struct segment *b = segment_after(s, g);
    if (b)
        join_before(s, b);
}

// ---- changing -----------------------------------------------------------------------------------

// What is in the range is in the space no more, all at once: what detach does later may sleep, and
// others may map something there meanwhile.
static int take_out(struct space *s, uint32_t start, uint32_t end, struct list *gone)
{
    struct segment *g;
    if (split_at(s, start) < 0 || split_at(s, end) < 0)
        return -ENOMEM;
    while ((g = space_find_from(s, start)) != NULL && g->start < end) {
        arch_space_unmap(&s->arch, g->start, segment_pages(g));
        segment_leave(s, g);
        list_append(gone, &g->link);
    }
    return 0;
}

int space_unmap(struct space *s, uint32_t start, uint32_t bytes)
{
    struct list gone;
    if (!range_valid(start, bytes))
        return -EINVAL;
    list_init(&gone);
    int e = take_out(s, start, start + ALIGN_UP(bytes, PAGE_SIZE), &gone);
    segments_free(&gone);
    return e;
}

static void mapped_more(struct space *s, uint32_t pages)
{
    s->mapped_pages += pages;
    s->mapped_pages_most = MAX(s->mapped_pages_most, s->mapped_pages);
}

static void insert(struct space *s, struct segment *g)
{
    segment_insert(s, segment_find_from(s, g->start), g);
    mapped_more(s, segment_pages(g));
    s->segment_count++;
    s->last_hit = g;
}

int space_map(struct space *s, uint32_t start, uint32_t bytes, unsigned prot, unsigned flags,
              void *object, uint32_t index, const struct segment_ops *ops, void *note)
{
    if (!range_valid(start, bytes))
        return -EINVAL;
    bytes = ALIGN_UP(bytes, PAGE_SIZE);
    bool room = s->segment_count < SPACE_SEGMENTS_MAX;
    struct segment *g = room ? heap_zalloc(sizeof(*g)) : NULL;
    if (g == NULL)
        return -ENOMEM;
    struct list gone;
    list_init(&gone);
    int error = take_out(s, start, start + bytes, &gone);
    if (error < 0) {
        heap_free(g);
        return error;
    }
    g->space = s;
    g->start = start;
    g->end = start + bytes;
    g->prot = (uint8_t)prot;
    g->flags = (uint8_t)(flags | (s->lock_later ? SEGMENT_LOCKED : 0));
    g->index = index;
    g->object = object;
    g->ops = ops;
    g->note = note;
    g->reference_given = true;
    list_init(&g->object_link);
    insert(s, g);
    ops->attach(g);
    g->reference_given = false;
    join_around(s, g);
    segments_free(&gone);
    return 0;
}

static bool range_whole(struct space *s, uint32_t start, uint32_t end)
{
    while (start < end) {
        struct segment *g = space_find(s, start);
        if (g == NULL)
            return false;
        start = g->end;
    }
    return true;
}

static void protect_one(struct space *s, struct segment *g, unsigned prot)
{
    unsigned lost = g->prot & ~prot;
    g->prot = (uint8_t)prot;
    if (lost == PROT_W)
        arch_space_write_protect(&s->arch, g->start, segment_pages(g));
    else if (lost)
        arch_space_unmap(&s->arch, g->start, segment_pages(g));
    join_before(s, g);
}

int space_protect(struct space *s, uint32_t start, uint32_t bytes, unsigned prot)
{
    if (!range_valid(start, bytes))
        return bytes == 0 ? 0 : -EINVAL;
    uint32_t end = start + ALIGN_UP(bytes, PAGE_SIZE);
    if (!range_whole(s, start, end))
        return -ENOMEM;
    if (split_at(s, start) < 0 || split_at(s, end) < 0)
        return -ENOMEM;
    for (uint32_t at = start; at < end;) {
        struct segment *g = space_find(s, at);
        at = g->end;
        protect_one(s, g, prot);
    }
    struct segment *above = space_find(s, end);
    if (above && above->start == end)
        join_before(s, above);
    return 0;
}

int space_flags(struct space *s, uint32_t start, uint32_t bytes, unsigned set, unsigned clear)
{
    if (!range_valid(start, bytes))
        return -EINVAL;
    uint32_t end = start + ALIGN_UP(bytes, PAGE_SIZE);
    if (split_at(s, start) < 0 || split_at(s, end) < 0)
        return -ENOMEM;
    struct segment *g = space_find_from(s, start);
    while (g && g->start < end) {
        g->flags = (uint8_t)((g->flags & ~clear) | set);
        g = segment_after(s, join_before(s, g));
    }
    if (g && g->start == end)
        join_before(s, g);
    return 0;
}

// ---- faults -------------------------------------------------------------------------------------

// A stack that may reach down to `address`, grown to it; NULL when there is none.
static struct segment *stack_grow(struct space *s, uint32_t address)
{
    struct segment *g = space_find_from(s, address);
    if (g == NULL || !(g->flags & SEGMENT_GROWS_DOWN))
        return NULL;
    uint32_t start = ALIGN_DOWN(address, PAGE_SIZE);
    uint32_t pages = (g->start - start) >> PAGE_SHIFT;
    struct segment *below = segment_before(s, g);
    uint32_t floor = below ? below->end + STACK_GUARD : ADDRESS_MIN;
    if (g->end - start > s->stack_limit_bytes || start < floor || pages > g->index)
        return NULL;
    g->start = start;
    g->index -= pages;
    segment_gap_changed(s, g);
    mapped_more(s, pages);
    return g;
}

// On this CPU what may be written or run may be read, too.
static bool access_allowed(unsigned prot, unsigned access)
{
    return prot != 0 && (access & ~prot & (PROT_W | PROT_X)) == 0;
}

static bool map_answer(struct segment *g, uint32_t page, const struct fault_answer *answer,
                       unsigned rights)
{
    if (answer->writable && (g->prot & PROT_W))
        rights |= MAP_WRITE;
    if (g->prot & PROT_X)
        rights |= MAP_EXEC;
    return arch_space_map(&g->space->arch, page, answer->frame, rights);
}

int space_fault(struct space *s, uint32_t address, unsigned access)
{
    uint32_t page = ALIGN_DOWN(address, PAGE_SIZE);
    bool slept = false;
    for (;;) {
        struct segment *g = space_find(s, address);
        if (g == NULL)
            g = stack_grow(s, address);
        if (g == NULL)
            return -EFAULT;
        if (!access_allowed(g->prot, access))
            return -EACCES;
        struct fault_answer answer;
        uint32_t index = g->index + ((page - g->start) >> PAGE_SHIFT);
        int error = g->ops->fault(g, index, access, &answer);
        if (error == -EAGAIN) {
            slept = true;
            continue;
        }
        if (error < 0)
            return error;
        if (slept)
            s->major_faults++;
        else
            s->minor_faults++;
        return map_answer(g, page, &answer, 0) ? 0 : -ENOMEM;
    }
}

// ---- page tables for objects --------------------------------------------------------------------

static bool shows(const struct segment *g, uint32_t index, uint32_t *address)
{
    if (index < g->index || index - g->index >= segment_pages(g))
        return false;
    *address = g->start + ((index - g->index) << PAGE_SHIFT);
    return true;
}

void segment_unmap_page(struct segment *g, uint32_t index)
{
    uint32_t address;
    if (shows(g, index, &address))
        arch_space_unmap(&g->space->arch, address, 1);
}

void segment_write_protect_page(struct segment *g, uint32_t index)
{
    uint32_t address;
    if (shows(g, index, &address))
        arch_space_write_protect(&g->space->arch, address, 1);
}

void segment_map_page(struct segment *g, uint32_t index, frame_t frame, bool writable)
{
    uint32_t address;
    if (!shows(g, index, &address) || g->prot == 0)
        return;
    // Without a frame for a table it is simply not shown: its own fault will say so.
    struct fault_answer answer = {.frame = frame, .writable = writable};
    (void)map_answer(g, address, &answer, MAP_ABSENT);
}

// ---- invariants ---------------------------------------------------------------------------------

void space_check(struct space *s)
{
    uint32_t pages = 0, count = 0, end = 0;
    struct segment *g;
    list_for_each (g, &s->segments, link) {
        ASSERT(g->space == s);
        ASSERT(g->start >= end && g->start < g->end && g->end <= USER_TOP);
        ASSERT(((g->start | g->end) & PAGE_MASK) == 0);
        ASSERT(g->ops != NULL && !g->reference_given);
        end = g->end;
        pages += segment_pages(g);
        count++;
    }
    ASSERT(count == s->segment_count && pages == s->mapped_pages);
    ASSERT(s->users > 0);
    segments_check(s);
}
