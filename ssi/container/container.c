// SPDX-License-Identifier: MIT
// Containers as objects: made, counted, cloned, freed, shown.
#include "ssi/container/container_priv.h"
#include "kernel/init.h"
#include "kernel/thread.h"
#include "kernel/work.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"

#define SHARE_WINDOW 256u // pages protected and shared between two release points

// Linkers of rooms that are not in this image (unit tests) are NULL: their kind is refused.
#define IO_LINKER(number, name, ops) extern const struct io_linker ops __attribute__((weak));
#include "ssi/container/linkers.def"
#undef IO_LINKER

const struct io_linker *container_linker_of(unsigned kind)
{
    switch (kind) {
#define IO_LINKER(number, name, ops)                                                               \
    case number:                                                                                   \
        return &(ops);
#include "ssi/container/linkers.def"
#undef IO_LINKER
    }
    return NULL;
}

NODE_VAR(struct list, all);
NODE_VAR(struct list, dying); // no users left; their pages go piece by piece
NODE_VAR(struct work, reaper);
NODE_VAR(uint64_t, clones);          // of spaces, begun
NODE_VAR(struct wait_queue, cloned); // threads that wait until a clone of their space is made

struct container *container_new(const struct io_source *source)
{
    const struct io_linker *linker = container_linker_of(source->kind);
    if (linker == NULL)
        return NULL;
    struct container *c = heap_zalloc(sizeof(*c));
    if (c == NULL)
        return NULL;
    c->users = 1;
    c->source = *source;
    c->linker = linker;
    radix_init(&c->pages, &heap_radix_memory);
    list_init(&c->segments);
    list_init(&c->followers);
    list_init(&c->follow_link);
    list_init(&c->fills);
    list_init(&c->waits);
    list_append(&node(all), &c->all_link);
    return c;
}

struct container *container_new_anonymous(void)
{
    struct io_source source = {.kind = IO_anonymous};
    return container_new(&source);
}

struct container *container_new_content(uint64_t object)
{
    struct io_source source = {.kind = IO_anonymous, .object = object};
    return container_new(&source);
}

struct io_source container_source(const struct container *c)
{
    return c->source;
}

void container_get(struct container *c)
{
    c->users++;
}

struct container_id container_id_of(const struct container *c)
{
    return c->id;
}

struct container *container_in_turn(void)
{
    if (list_empty(&node(all)))
        return NULL;
    struct container *c = list_entry(node(all).next, struct container, all_link);
    list_remove(&c->all_link);
    list_append(&node(all), &c->all_link);
    return c;
}

uint32_t container_pages_present(const struct container *c)
{
    return c->present;
}

uint32_t container_segment_count(const struct container *c)
{
    return c->segment_count;
}

// ---- end ----------------------------------------------------------------------------------------

// The frames of a leaf that count a user for each record of them.
static unsigned frames_of(void *const leaf[RADIX_SLOTS], frame_t frames[RADIX_SLOTS])
{
    unsigned n = 0;
    for (unsigned i = 0; i < RADIX_SLOTS; i++) {
        page_t p = (page_t)leaf[i];
        if (page_frame(p) != FRAME_NONE && !(p & PAGE_BORROWED))
            frames[n++] = page_frame(p);
    }
    return n;
}

// No segment shows them any more.
static void leaf_free(void *const leaf[RADIX_SLOTS])
{
    frame_t frames[RADIX_SLOTS];
    frame_put_all(frames, frames_of(leaf, frames));
}

static bool free_piece(struct container *c)
{
    uint32_t index;
    if (c->ended) {
        if (!transition_directory_trim(c->ended, PIECE_PAGES))
            return false;
        heap_free(c->ended);
        c->ended = NULL;
    }
    for (unsigned n = 0; n < PIECE_PAGES; n += RADIX_SLOTS) {
        void *leaf[RADIX_SLOTS];
        if (!radix_take_leaf(&c->pages, &index, leaf)) {
            list_remove(&c->all_link);
            heap_free(c);
            return true;
        }
        leaf_free(leaf);
    }
    return false;
}

static void reap(struct work *w UNUSED)
{
    while (!list_empty(&node(dying))) {
        struct container *c = list_entry(node(dying).next, struct container, all_link);
        free_piece(c);
        kernel_pause();
    }
}

void container_reap_now(void)
{
    while (!list_empty(&node(dying))) {
        struct container *c = list_entry(node(dying).next, struct container, all_link);
        while (!free_piece(c)) {
        }
    }
}

void container_end(struct container *c)
{
    ASSERT(c->users == 0 && c->link == NULL);
    ASSERT(list_empty(&c->segments) && list_empty(&c->fills) && list_empty(&c->waits));
    list_remove(&c->follow_link);
    for (struct list *f; (f = list_pop(&c->followers)) != NULL;)
        list_entry(f, struct container, follow_link)->follows = NULL;
    if (free_piece(c))
        return;
    list_remove(&c->all_link);
    list_append(&node(dying), &c->all_link);
    work_queue(&node(reaper));
}

void container_put(struct container *c)
{
    ASSERT(c->users > 0);
    if (--c->users > 0)
        return;
    if (c->link)
        link_left(c); // other nodes may have users: the home decides
    else
        container_end(c);
}

// ---- clone --------------------------------------------------------------------------------------

static void protect_window(struct container *c, uint32_t first, uint32_t end)
{
    struct segment *s;
    list_for_each (s, &c->segments, object_link) {
        uint32_t from = MAX(first, s->index), to = MIN(end, segment_index_end(s));
        if (from < to)
            arch_space_write_protect(&s->space->arch, s->start + ((from - s->index) << PAGE_SHIFT),
                                     to - from);
    }
}

// The records that the clone gets of a leaf, their frames, and how many: all that have a frame, but
// with no home that must hear of it, what the provider lends is taken from it again when touched.
static unsigned leaf_shared(const struct container *c, void *const leaf[RADIX_SLOTS],
                            void *shared[RADIX_SLOTS], frame_t frames[RADIX_SLOTS])
{
    unsigned n = 0;
    page_t not_shared = c->link ? 0 : PAGE_BORROWED;
    for (unsigned i = 0; i < RADIX_SLOTS; i++) {
        page_t p = (page_t)leaf[i];
        bool is = page_frame(p) != FRAME_NONE && !(p & not_shared);
        shared[i] = is ? leaf[i] : NULL;
        frames[n] = page_frame(p);
        n += is;
    }
    return n;
}

static void leaf_unask(void *shared[RADIX_SLOTS])
{
    for (unsigned i = 0; i < RADIX_SLOTS; i++) {
        page_t p = (page_t)shared[i];
        if (p) // the record is a number in a pointer's clothes; the tree never follows it
            shared[i] = (void *)page_with( // NOLINT(performance-no-int-to-ptr)
                p, page_held(p), COH_RIGHT_NONE);
    }
}

// Shares a leaf of the tree of pages with the clone.
static bool share_leaf(struct container *c, struct container *child, uint32_t index,
                       void *const leaf[RADIX_SLOTS])
{
    void *shared[RADIX_SLOTS];
    frame_t frames[RADIX_SLOTS];
    unsigned n = leaf_shared(c, leaf, shared, frames);
    if (n == 0)
        return true;
    if (c->link)
        leaf_unask(shared);
    if (!radix_put_leaf(&child->pages, index, shared, n))
        return false;
    child->present += n;
    frame_get_all(frames, c->link ? frames_of(shared, frames) : n);
    return true;
}

bool pages_share(struct container *c, struct container *child)
{
    child->extent = c->extent;
    // Other threads may run between two windows: what they write to a page that is shared already
    // is copied first, and one that is not yet is protected when its turn comes. While a linked
    // container is frozen nothing may come between.
    uint32_t at = 0;
    while (radix_leaf(&c->pages, &at)) {
        uint32_t end = ALIGN_DOWN(at, SHARE_WINDOW) + SHARE_WINDOW;
        protect_window(c, at, end);
        for (void *const *leaf; (leaf = radix_leaf(&c->pages, &at)) && at < end; at += RADIX_SLOTS)
            if (!share_leaf(c, child, at, leaf))
                return false;
        if (child->link)
            continue;
        kernel_pause();
        if (c->link)
            return false; // now it is its home's business
    }
    return true;
}

static void follow(struct container *c, struct container *file)
{
    list_append(&file->followers, &c->follow_link);
    c->follows = file;
}

static struct container *clone_local(struct container *c)
{
    struct container *child = container_new(&c->source);
    if (child && !pages_share(c, child)) {
        container_put(child);
        return NULL;
    }
    return child;
}

struct container *container_clone(struct container *c)
{
    container_get(c); // others may unmap it meanwhile
    struct container *child = c->link ? NULL : clone_local(c);
    if (child == NULL && c->link)
        child = fork_linked(c);
    if (child && c->follows) {
        follow(child, c->follows);
        child->bound = c->bound;
    }
    container_put(c);
    return child;
}

void container_follow(struct container *c, struct container *file, uint64_t bytes)
{
    follow(c, file);
    container_bound(c, bytes);
}

// The object that the clone of a space maps for a segment that shows `c`: one clone per container,
// however many segments refer to it. With a user for the new segment.
static struct container *clone_object(struct container *c, unsigned flags, uint64_t number)
{
    if (flags & SEGMENT_WIPED)
        return container_new_anonymous();
    if (flags & SEGMENT_SHARED || c->clone_number == number) {
        struct container *same = flags & SEGMENT_SHARED ? c : c->clone;
        container_get(same);
        return same;
    }
    struct container *clone = container_clone(c);
    c->clone = clone;
    c->clone_number = clone ? number : 0;
    return clone;
}

static int clone_segment(struct space *to, const struct segment *s, uint64_t number)
{
    if (s->flags & SEGMENT_NOT_FORKED)
        return 0;
    struct segment g = *s; // what was unmapping it before goes on while this sleeps
    container_get(g.object);
    struct container *c = clone_object(g.object, g.flags, number);
    container_put(g.object);
    if (c == NULL)
        return -ENOMEM;
    unsigned flags = g.flags & ~(unsigned)SEGMENT_LOCKED; // mlock(2): not inherited
    int error = space_map(to, g.start, g.end - g.start, g.prot, flags, c, g.index, g.ops, g.note);
    if (error < 0)
        container_put(c);
    return error;
}

void container_space_settle(struct space *s)
{
    while (s->cloning)
        sleep_until_woken(&node(cloned)); // a clone ends: its waits end
}

static int clone_segments(struct space *from, struct space *to)
{
    // By address, looked up afresh: a clone may sleep, and a stack may grow meanwhile.
    uint64_t number = ++node(clones);
    uint32_t at = 0;
    for (struct segment *s; (s = space_find_from(from, at)) != NULL;) {
        at = s->end;
        int e = clone_segment(to, s, number);
        if (e < 0)
            return e;
    }
    return 0;
}

struct space *container_clone_space(struct space *from)
{
    container_space_settle(from);
    struct space *to = space_new();
    if (to == NULL)
        return NULL;
    to->brk_start = from->brk_start;
    to->brk = from->brk;
    to->mmap_top = from->mmap_top;
    to->stack_limit_bytes = from->stack_limit_bytes;
    to->barriers = from->barriers;
    from->cloning = true;
    int e = clone_segments(from, to);
    from->cloning = false;
    wait_wake_all(&node(cloned));
    if (e < 0) {
        space_put(to);
        return NULL;
    }
    return to;
}

// ---- reports ------------------------------------------------------------------------------------

static void container_check(struct container *c)
{
    uint32_t index, pages = 0, segments = 0;
    void *value;
    radix_for_each (&c->pages, index, value) {
        page_t p = (page_t)value;
        struct coh_holder h = {.held = page_held(p), .asked = page_asked(p)};
        bool frame = page_frame(p) != FRAME_NONE;
        ASSERT(p & PAGE_HERE);
        ASSERT(frame == (h.held != COH_HELD_NONE));
        ASSERT(coh_holder_check(&h) == 0);
        ASSERT(c->link || (h.held == COH_HELD_WRITER && h.asked == COH_RIGHT_NONE));
        ASSERT(!frame || (p & PAGE_BORROWED) || frame_users(page_frame(p)) > 0);
        pages += frame;
    }
    const struct segment *s, *first = list_entry(c->segments.next, struct segment, object_link);
    list_for_each (s, &c->segments, object_link) {
        ASSERT(s->object == c);
        ASSERT(!c->in_step || (s->space == first->space && segment_step(s) == segment_step(first)));
        ASSERT(s->index + ((s->end - s->start) >> PAGE_SHIFT) <= c->extent);
        segments++;
    }
    ASSERT(pages == c->present);
    ASSERT(segments == c->segment_count && segments <= c->users);
    if (c->link)
        linked_check(c);
}

void containers_check(void)
{
    struct container *c;
    list_for_each (c, &node(all), all_link)
        container_check(c);
}

void containers_show(struct text *t)
{
    struct container *c;
    text_add(t, "id kind users segments present extent [home generation gate busy]\n");
    list_for_each (c, &node(all), all_link) {
        text_add(t, "%u.%u %s %u %u %u %u", c->id.node, c->id.number, c->linker->name, c->users,
                 c->segment_count, c->present, c->extent);
        if (c->link)
            link_show(c, t);
        text_add(t, "\n");
    }
}

static void containers_start(void)
{
    list_init(&node(all));
    list_init(&node(dying));
    wait_init(&node(cloned));
    work_init(&node(reaper), THREAD_NORMAL, reap);
}
INIT_STEP(INIT_CORE, containers_start);
