// SPDX-License-Identifier: MIT
// Interface linker "file": a container's bytes by read and write, and truncation.
#include "ssi/container/container_priv.h"
#include "lib/errno.h"
#include "lib/string.h"

static const uint8_t zeros[PAGE_SIZE];

static uint32_t index_of(uint64_t offset)
{
    return (uint32_t)(offset >> PAGE_SHIFT);
}

// A hole of anonymous content reads as zeros and stays a hole.
static bool hole(const struct container *c, uint32_t index)
{
    return c->source.kind == IO_anonymous && c->link == NULL && page_get(c, index) == 0;
}

int container_read(struct container *c, uint64_t offset, struct xfer *x)
{
    x->short_copy = false;
    while (x->left > 0) {
        uint32_t index = index_of(offset), at = (uint32_t)offset & PAGE_MASK;
        size_t n = MIN(x->left, (size_t)(PAGE_SIZE - at)), put;
        if (hole(c, index)) {
            put = xfer_put(x, zeros, n);
        } else {
            page_t p;
            int error = page_want(c, index, PROT_R, &p);
            if (error == -EAGAIN)
                continue;
            if (error < 0)
                return error;
            uint8_t *page = arch_frame_map(page_frame(p));
            put = xfer_put(x, page + at, n);
            arch_frame_unmap(page);
        }
        if (put < n)
            return 0;
        offset += put;
    }
    return 0;
}

int container_write(struct container *c, uint64_t offset, struct xfer *x)
{
    x->short_copy = false;
    while (x->left > 0) {
        uint32_t index = index_of(offset), at = (uint32_t)offset & PAGE_MASK;
        size_t n = MIN(x->left, (size_t)(PAGE_SIZE - at));
        page_t p;
        int error = page_want(c, index, PROT_W, &p);
        if (error == -EAGAIN)
            continue;
        if (error < 0)
            return error;
        uint8_t *page = arch_frame_map(page_frame(p));
        size_t taken = xfer_take(x, page + at, n);
        arch_frame_unmap(page);
        c->extent = MAX(c->extent, index + 1);
        if (taken < n)
            return 0;
        offset += taken;
    }
    return 0;
}

uint32_t container_next(const struct container *c, uint32_t index, bool is_hole)
{
    if (!hole(c, index) && !is_hole)
        return index;
    if (is_hole) {
        while (index < INDEX_END && !hole(c, index) && c->link == NULL)
            index++;
        return hole(c, index) ? index : UINT32_MAX;
    }
    return radix_next(&c->pages, &index) ? index : UINT32_MAX;
}

static void zero_tail(struct container *c, uint32_t index, uint32_t from)
{
    page_t p;
    int error;
    if (c->link == NULL && page_get(c, index) == 0)
        return;
    while ((error = page_want(c, index, PROT_W, &p)) == -EAGAIN) {
    }
    if (error < 0)
        return; // lost, or no memory: whoever maps it meets that, too
    uint8_t *page = arch_frame_map(page_frame(p));
    memset(page + from, 0, PAGE_SIZE - from);
    arch_frame_unmap(page);
}

static void bound_one(struct container *c, uint64_t bytes)
{
    uint32_t pages = index_of(bytes + PAGE_MASK);
    bool fewer = c->bound == 0 || pages + 1 < c->bound;
    c->bound = pages + 1;
    for (uint32_t i = pages; fewer && radix_next(&c->pages, &i); i++)
        page_hide(c, i); // truncation left zeros in a linked one
}

void container_bound(struct container *c, uint64_t bytes)
{
    struct container *f;
    bound_one(c, bytes);
    list_for_each (f, &c->followers, follow_link) {
        if (f->link)
            f->bound = 0; // its end is not known everywhere
        else
            bound_one(f, bytes);
    }
}

bool container_provides(const struct container *c)
{
    return c->source.kind != IO_anonymous || (c->follows && !c->link && !c->follows->link);
}

static void drop_from(struct container *c, uint32_t first)
{
    for (uint32_t i = first; c->link == NULL && radix_next(&c->pages, &i); i++)
        page_drop(c, i);
}

// A page that was written through a private mapping keeps its bytes behind the file's end, one that
// still is the file's does not.
static void followers_truncate(struct container *c, uint64_t bytes)
{
    uint32_t last = index_of(bytes), tail = (uint32_t)bytes & PAGE_MASK;
    struct container *f;
    list_for_each (f, &c->followers, follow_link) {
        drop_from(f, last + (tail > 0));
        page_t p = page_get(c, last);
        if (tail && f->link == NULL && p && page_frame(page_get(f, last)) == page_frame(p))
            zero_tail(f, last, tail);
    }
}

void container_truncate(struct container *c, uint64_t bytes)
{
    uint32_t first = index_of(bytes + PAGE_MASK);
    followers_truncate(c, bytes);
    if (c->link)
        (void)container_discard(c, first, UINT32_MAX);
    drop_from(c, first);
    if (bytes & PAGE_MASK)
        zero_tail(c, index_of(bytes), (uint32_t)bytes & PAGE_MASK);
}
