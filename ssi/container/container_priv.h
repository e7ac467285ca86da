// SPDX-License-Identifier: MIT
// What the files of this room share. A page's record is packed into the radix tree's pointer, so
// that a present page costs no allocation: frame << 8 | PAGE_* flags.
#pragma once

#include "kernel/wait.h"
#include "lib/radix.h"
#include "ssi/container/container.h"

typedef uintptr_t page_t; // 0: nothing is here

enum {
    PAGE_HERE = 1,     // always set: a record is never 0
    PAGE_CLEAN = 2,    // as the provider gave it: it can give it again
    PAGE_BORROWED = 4, // the frame belongs to the provider: never written, no user counted
    PAGE_COPY = 8,     // other nodes may hold it, too: read only (linked containers)
};

static inline page_t page_make(frame_t frame, unsigned flags)
{
    return (page_t)frame << 8 | PAGE_HERE | flags;
}

static inline frame_t page_frame(page_t p)
{
    return (frame_t)(p >> 8);
}

// A page whose provider is being asked: later faults on it sleep here.
struct page_fill {
    struct list link;
    uint32_t index;
    struct wait_queue done;
};

struct container {
    struct list all_link; // every container of the node
    uint32_t users;       // segments, files, transitions
    struct container_id id;
    struct io_source source;
    const struct io_linker *linker;
    struct radix pages;   // page_t by index
    uint32_t present;     // pages in it
    uint32_t extent;      // one above the highest page ever attached and not given back
    struct list segments; // attached: the reverse map
    uint32_t segment_count;
    struct list fills; // struct page_fill
};

// ---- pages.c
static inline page_t page_get(const struct container *c, uint32_t index)
{
    return (page_t)radix_get(&c->pages, index);
}

bool page_set(struct container *c, uint32_t index, page_t p) MUST_CHECK;
// Takes the record out, its mappings away, and lets the frame go.
void page_drop(struct container *c, uint32_t index);
frame_t page_frame_new(unsigned frame_flags);

// Makes page `index` present with `access`: 0 without having slept; -EAGAIN when it slept (look
// again from the start); -EIO, -EHOSTDOWN, -ENOMEM.
int page_want(struct container *c, uint32_t index, unsigned access);

// ---- container.c
void container_reap_now(void); // frees what waits to be freed; never sleeps
