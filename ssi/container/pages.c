// SPDX-License-Identifier: MIT
// Pages of a container on this node: first touch, copy on write, and the vm interface linker.
#include "ssi/container/container_priv.h"
#include "kernel/thread.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"

#define STEPS_OF_A_PAGE 64u // segments looked at in the time that a page takes
#define AROUND_PAGES    16u // fault-around: pages shown beside a clean one, aligned block

bool page_set(struct container *c, uint32_t index, page_t p)
{
    page_t old = page_get(c, index);
    // The record is a number in a pointer's clothes; the tree never follows it.
    if (!radix_set(&c->pages, index, (void *)p)) // NOLINT(performance-no-int-to-ptr)
        return false;
    c->present += page_frame(p) != FRAME_NONE;
    c->present -= page_frame(old) != FRAME_NONE;
    return true;
}

// The record of a page of which nothing was known.
static bool page_add(struct container *c, uint32_t index, page_t p)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): as in page_set
    if (!radix_set(&c->pages, index, (void *)p))
        return false;
    c->present++;
    return true;
}

void page_replace(struct container *c, uint32_t index, page_t p)
{
    bool ok = page_set(c, index, p);
    ASSERT(ok);
}

// ---- the reverse map ----------------------------------------------------------------------------

// The next segment after `s` that may show page `index`; NULL for `s`: the first. Of many segments
// in step, as mprotect(2) makes them of one mapping, only one can, and the space finds it.
static struct segment *shows_next(const struct container *c, struct segment *s, uint32_t index)
{
    const struct list *at = s ? &s->object_link : &c->segments;
    if (at->next == &c->segments || (c->in_step && s))
        return NULL;
    s = list_entry(at->next, struct segment, object_link);
    if (!c->in_step || c->segment_count == 1)
        return s;
    uint32_t page = index + segment_step(s);
    s = page < USER_TOP >> PAGE_SHIFT ? space_find(s->space, page << PAGE_SHIFT) : NULL;
    return s && s->object == c ? s : NULL;
}

void page_hide(struct container *c, uint32_t index)
{
    struct segment *s = NULL;
    while ((s = shows_next(c, s, index)) != NULL)
        segment_unmap_page(s, index);
}

void page_protect(struct container *c, uint32_t index)
{
    struct segment *s = NULL;
    while ((s = shows_next(c, s, index)) != NULL)
        segment_write_protect_page(s, index);
}

static bool page_attached(const struct container *c, uint32_t index)
{
    struct segment *s = NULL;
    while ((s = shows_next(c, s, index)) != NULL)
        if (index >= s->index && index < segment_index_end(s))
            return true;
    return false;
}

// Others have their turn when so many pages were looked for among the segments.
static void pause_sometimes(const struct container *c, unsigned *n)
{
    *n += c->in_step ? 1 : 1 + c->segment_count / STEPS_OF_A_PAGE;
    if (*n < PIECE_PAGES)
        return;
    *n = 0;
    kernel_pause();
}

void page_drop(struct container *c, uint32_t index)
{
    page_t p = page_get(c, index);
    if (p == 0)
        return;
    radix_remove(&c->pages, index);
    if (page_frame(p) == FRAME_NONE)
        return;
    page_hide(c, index);
    c->present--;
    if (!(p & PAGE_BORROWED))
        frame_put(page_frame(p));
}

frame_t page_frame_new(unsigned frame_flags)
{
    frame_t f = frame_alloc(frame_flags);
    if (f == FRAME_NONE) {
        container_reap_now();
        f = frame_alloc(frame_flags);
    }
    return f;
}

// ---- waiting for a page -------------------------------------------------------------------------

void page_wait_begin(struct container *c, struct page_wait *w, uint32_t index)
{
    *w = (struct page_wait){.index = index};
    wait_init(&w->queue);
    list_append(&c->waits, &w->link);
    container_get(c);
}

int page_wait_end(struct container *c, struct page_wait *w)
{
    while (!w->done)
        sleep_until_woken(&w->queue); // ends with the page or with the epoch
    container_put(c);
    return w->result ? w->result : -EAGAIN;
}

bool page_wake(struct container *c, uint32_t index, int result)
{
    bool any = false;
    struct page_wait *w, *next;
    list_for_each_safe (w, next, &c->waits, link) {
        if (w->index != index)
            continue;
        list_remove(&w->link);
        w->done = true;
        w->result = result;
        wait_wake_all(&w->queue);
        any = true;
    }
    return any;
}

// ---- first touch --------------------------------------------------------------------------------

static bool fill_under_way(struct container *c, uint32_t index)
{
    struct page_fill *f;
    list_for_each (f, &c->fills, link) {
        if (f->index == index)
            return true;
    }
    return false;
}

static int touch_anonymous(struct container *c, uint32_t index)
{
    frame_t f = page_frame_new(FRAME_ZERO);
    if (f == FRAME_NONE)
        return -ENOMEM;
    if (page_add(c, index, page_make(f, 0)))
        return 0;
    frame_put(f);
    return -ENOMEM;
}

frame_t page_lent(struct container *c, uint32_t index)
{
    return c->linker->shared_frame ? c->linker->shared_frame(&c->source, index) : FRAME_NONE;
}

// The new record; 0: nothing is lent, or no memory.
static page_t touch_borrowed(struct container *c, uint32_t index)
{
    frame_t f = page_lent(c, index);
    page_t p = page_make(f, PAGE_CLEAN | PAGE_BORROWED);
    return f != FRAME_NONE && page_add(c, index, p) ? p : 0;
}

static int fill_from_provider(struct container *c, uint32_t index)
{
    // The provider may sleep while it writes: the frame needs an address that stays.
    frame_t f = page_frame_new(FRAME_ZERO | FRAME_LOW);
    if (f == FRAME_NONE)
        return -ENOMEM;
    int error = c->linker->first_touch(&c->source, index, frame_low_address(f));
    // Meanwhile the container may have been linked: then the home decides who has the page.
    bool wanted = error == 0 && c->link == NULL && page_get(c, index) == 0;
    if (wanted && page_set(c, index, page_make(f, PAGE_CLEAN)))
        return 0;
    frame_put(f);
    return wanted ? -ENOMEM : error;
}

// Asks the provider, or joins who asks it already. Always "slept".
static int touch_slowly(struct container *c, uint32_t index)
{
    if (fill_under_way(c, index)) {
        struct page_wait w;
        page_wait_begin(c, &w, index);
        return page_wait_end(c, &w);
    }
    struct page_fill fill = {.index = index};
    list_append(&c->fills, &fill.link);
    container_get(c);
    int error = fill_from_provider(c, index);
    list_remove(&fill.link);
    page_wake(c, index, 0);
    container_put(c);
    return error < 0 ? error : -EAGAIN;
}

// What the file has there that `c` privately maps; 0: nothing, or other nodes have a say.
static page_t page_followed(const struct container *c, uint32_t index)
{
    const struct container *file = c->follows;
    page_t p = file && file->link == NULL ? page_get(file, index) : 0;
    return p & PAGE_BORROWED ? 0 : p;
}

static bool touch_followed(struct container *c, uint32_t index)
{
    page_t p = page_followed(c, index);
    if (p == 0 || !page_add(c, index, p))
        return false;
    page_protect(c->follows, index);
    frame_get(page_frame(p));
    return true;
}

static int page_first_touch(struct container *c, uint32_t index)
{
    if (touch_followed(c, index))
        return 0;
    if (c->source.kind == IO_anonymous)
        return touch_anonymous(c, index);
    if (touch_borrowed(c, index) != 0)
        return 0;
    return touch_slowly(c, index);
}

// ---- writing ------------------------------------------------------------------------------------

static bool page_is_own(page_t p)
{
    return !(p & PAGE_BORROWED) && frame_users(page_frame(p)) == 1;
}

static int page_copy(struct container *c, uint32_t index, page_t old)
{
    frame_t f = page_frame_new(0);
    if (f == FRAME_NONE)
        return -ENOMEM;
    arch_frame_copy(f, page_frame(old));
    page_hide(c, index);
    page_replace(c, index,
                 page_with(page_make(f, 0), page_held(old), page_asked(old)) | (old & PAGE_FORMER));
    if (!(old & PAGE_BORROWED))
        frame_put(page_frame(old));
    return 0;
}

static int page_make_writable(struct container *c, uint32_t index, page_t p)
{
    if (c->linker->own)
        return -EACCES;
    if (!page_is_own(p))
        return lodge_wait() ? -EAGAIN : page_copy(c, index, p);
    if (p & PAGE_CLEAN)
        page_replace(c, index, p & ~(page_t)PAGE_CLEAN);
    return 0;
}

int page_want(struct container *c, uint32_t index, unsigned access, page_t *p)
{
    *p = page_get(c, index);
    if (c->link) {
        if (access & PROT_W ? !page_may_write(*p) : !page_may_read(*p))
            return lodge_wait() ? -EAGAIN : transition_want(c, index, access);
    } else if (*p == 0) {
        int error = lodge_wait() ? -EAGAIN : page_first_touch(c, index);
        if (error < 0)
            return error;
        *p = page_get(c, index);
    }
    if (!(access & PROT_W) || (page_is_own(*p) && !(*p & PAGE_CLEAN)))
        return 0;
    int error = page_make_writable(c, index, *p);
    *p = page_get(c, index);
    return error;
}

// ---- interface linker: vm segment ---------------------------------------------------------------

static bool page_shows_writable(page_t p)
{
    return !(p & PAGE_CLEAN) && page_may_write(p) && page_is_own(p);
}

bool container_shows(const struct container *c, uint32_t index)
{
    return c->bound == 0 || index < c->bound - 1;
}

// Pages of a program or library come in runs, and so do those of a process that moved here: show
// the neighbours that cost no waiting.
static void fault_around(struct segment *s, uint32_t index)
{
    struct container *c = s->object;
    uint32_t first = MAX(ALIGN_DOWN(index, AROUND_PAGES), s->index);
    uint32_t end = MIN(ALIGN_DOWN(index, AROUND_PAGES) + AROUND_PAGES,
                       s->index + ((s->end - s->start) >> PAGE_SHIFT));
    for (uint32_t i = first; i < end && container_shows(c, i); i++) {
        page_t p = page_get(c, i);
        if (p == 0 && c->link == NULL)
            p = touch_borrowed(c, i);
        if (i != index && page_may_read(p))
            segment_map_page(s, i, page_frame(p), page_shows_writable(p));
    }
}

static int segment_fault(struct segment *s, uint32_t index, unsigned access,
                         struct fault_answer *answer)
{
    struct container *c = s->object;
    page_t p;
    if (s->space->cloning) {
        container_space_settle(s->space);
        return -EAGAIN;
    }
    if (!container_shows(c, index))
        return -EIO;
    int error = page_want(c, index, access, &p);
    if (error < 0)
        return error;
    answer->frame = page_frame(p);
    answer->writable = page_shows_writable(p);
    if (c->link || ((p & PAGE_CLEAN) && !(access & PROT_W)))
        fault_around(s, index);
    return 0;
}

static void segment_attach(struct segment *s)
{
    struct container *c = s->object;
    if (!s->reference_given)
        container_get(c);
    const struct segment *other = list_entry(c->segments.next, struct segment, object_link);
    c->in_step = list_empty(&c->segments) ||
                 (c->in_step && other->space == s->space && segment_step(other) == segment_step(s));
    list_append(&c->segments, &s->object_link);
    c->segment_count++;
    c->extent = MAX(c->extent, segment_index_end(s));
}

// A page that is as untouched again: of a private mapping of a file it is the file's.
static void page_forget(struct container *c, uint32_t index)
{
    page_t was = page_get(c, index), p = page_followed(c, index);
    if (p == 0) {
        page_drop(c, index);
        return;
    }
    if (page_frame(p) == page_frame(was))
        return;
    page_hide(c, index);
    page_protect(c->follows, index);
    frame_get(page_frame(p));
    page_replace(c, index, p);
    if (!(was & PAGE_BORROWED))
        frame_put(page_frame(was));
}

// What no segment shows any more and nobody but segments can reach is dead.
static void drop_unreachable(struct container *c, uint32_t first, uint32_t end)
{
    if (c->link)
        return; // other nodes may hold them, too: they go with the container
    unsigned n = 0;
    for (uint32_t i = first; radix_next(&c->pages, &i) && i < end; i++) {
        if (!page_attached(c, i))
            page_forget(c, i);
        pause_sometimes(c, &n);
        if (c->link)
            return;
    }
    if (end < c->extent)
        return; // another segment ends there
    struct segment *s;
    c->extent = 0;
    list_for_each (s, &c->segments, object_link)
        c->extent = MAX(c->extent, segment_index_end(s));
}

// What a container cost a space is told by the space when it shows it no more.
static void counts_leave(struct container *c, struct space *space)
{
    struct container_counts n;
    struct segment *other;
    if (c->link == NULL)
        return; // all 0
    list_for_each (other, &c->segments, object_link) {
        if (other->space == space)
            return;
    }
    container_counts_of(c, &n);
    space->left_fetched += n.fetched;
    space->left_drained += n.drained;
}

static void segment_detach(struct segment *s)
{
    struct container *c = s->object;
    list_remove(&s->object_link);
    c->segment_count--;
    counts_leave(c, s->space);
    if (!s->joined && c->users > 1 && c->users - 1 == c->segment_count)
        drop_unreachable(c, s->index, segment_index_end(s));
    container_put(c);
}

const struct segment_ops container_segment_ops = {
    .fault = segment_fault,
    .attach = segment_attach,
    .detach = segment_detach,
};

// A linked container does not grow: in a new one the first touch needs no home.
bool container_extends(const struct container *c, uint32_t index)
{
    return c->link == NULL && index >= c->extent;
}

bool container_shown_from(const struct container *c, uint32_t index)
{
    const struct segment *s;
    list_for_each (s, &c->segments, object_link)
        if (segment_index_end(s) > index)
            return true;
    return false;
}

static int zero_linked(struct container *c, uint32_t index)
{
    page_t p;
    int error;
    while ((error = page_want(c, index, PROT_W, &p)) == -EAGAIN) {
    }
    if (error == 0)
        arch_frame_zero(page_frame(p));
    return error;
}

// Other nodes may hold pages of it: each is fetched and zeroed. The home knows which there are.
static int discard_linked(struct container *c, uint32_t first, uint32_t end)
{
    if (c->source.kind != IO_anonymous)
        return 0;
    container_get(c);
    int error = 0;
    for (uint32_t i = first; i < end && error == 0; i++) {
        if (!link_is_home(c) || page_get(c, i) || radix_get(&c->link->directory, i))
            error = zero_linked(c, i);
    }
    container_put(c);
    return error;
}

int container_discard(struct container *c, uint32_t first, uint32_t count)
{
    uint32_t end = count > UINT32_MAX - first ? UINT32_MAX : first + count;
    end = MIN(end, c->extent);
    if (c->link)
        return discard_linked(c, first, end);
    container_get(c);
    unsigned n = 0;
    for (uint32_t i = first; c->link == NULL && radix_next(&c->pages, &i) && i < end; i++) {
        page_forget(c, i);
        pause_sometimes(c, &n);
    }
    container_put(c);
    return 0;
}
