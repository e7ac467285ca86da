// SPDX-License-Identifier: MIT
// Frames and the heap of mm/ as host memory, for unit tests and the simulator. Each node has its
// own frames, numbered from 1; every frame is low.
#include <stdlib.h>
#include "arch/x86/arch.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/radix.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/sim/ports/ports.h"

#define FRAMES 16384u

struct host_frame {
    uint32_t users;
    bool for_net; // by how it was asked for: low and not cleared
    void *bytes;  // allocated while in use, so that ASan sees a late access
};

NODE_VAR(struct host_frame *, frames);
NODE_VAR(uint32_t, frames_used);
NODE_VAR(uint32_t, frames_for_net);
NODE_VAR(uint32_t, frames_cursor);
NODE_VAR(uint32_t, frames_limit);
NODE_VAR(uint32_t, frames_reserve);
NODE_VAR(uint32_t, frames_taken);
NODE_VAR(uint32_t, heap_fail_in);
NODE_VAR(uint32_t, frame_fail_in);
NODE_VAR(size_t, heap_used);

void port_frames_limit(uint32_t count)
{
    node(frames_limit) = count;
}

void port_frames_reserve(uint32_t count)
{
    node(frames_reserve) = count;
}

void port_frames_take(uint32_t count)
{
    node(frames_taken) = count;
}

void port_frames_forget(void)
{
    ASSERT(node(frames_used) == 0);
    free(node(frames));
    node(frames) = NULL;
}

uint32_t port_frames_of_pages(void)
{
    return node(frames_used) - node(frames_for_net);
}

uint32_t frame_total_count(void)
{
    return node(frames_limit) ? node(frames_limit) : FRAMES;
}

frame_t frame_alloc(unsigned flags)
{
    uint32_t limit = frame_total_count();
    if (node(frames) == NULL)
        node(frames) = calloc(FRAMES + 1, sizeof(struct host_frame));
    if (node(frame_fail_in) && --node(frame_fail_in) == 0)
        return FRAME_NONE;
    uint32_t kept = flags & FRAME_CRITICAL ? 0 : node(frames_reserve);
    if (node(frames_used) + node(frames_taken) + kept >= limit)
        return FRAME_NONE;
    for (;;) {
        uint32_t f = node(frames_cursor) = node(frames_cursor) % FRAMES + 1;
        if (node(frames)[f].users)
            continue;
        bool for_net = (flags & FRAME_LOW) && !(flags & FRAME_ZERO);
        node(frames)[f] =
            (struct host_frame){.users = 1, .for_net = for_net, .bytes = malloc(PAGE_SIZE)};
        node(frames_for_net) += for_net;
        memset(node(frames)[f].bytes, flags & FRAME_ZERO ? 0 : 0xa5, PAGE_SIZE);
        node(frames_used)++;
        return f;
    }
}

static struct host_frame *frame_of(frame_t f)
{
    ASSERT(f > 0 && f <= FRAMES && node(frames)[f].users > 0);
    return &node(frames)[f];
}

void frame_get(frame_t f)
{
    frame_of(f)->users++;
}

void frame_put(frame_t f)
{
    struct host_frame *h = frame_of(f);
    if (--h->users > 0)
        return;
    free(h->bytes);
    h->bytes = NULL;
    node(frames_used)--;
    node(frames_for_net) -= h->for_net;
}

unsigned frame_users(frame_t f)
{
    return frame_of(f)->users;
}

bool frame_canary_on(void)
{
    return false;
}

void frame_canary_fill(void *at UNUSED, size_t bytes UNUSED)
{
}

uint32_t frame_free_count(void)
{
    return frame_total_count() - MIN(frame_total_count(), node(frames_used) + node(frames_taken));
}

void *frame_low_address(frame_t f)
{
    return frame_of(f)->bytes;
}

frame_t frame_of_low(const void *address)
{
    for (frame_t f = 1; f <= FRAMES; f++) {
        const char *bytes = node(frames)[f].users ? node(frames)[f].bytes : NULL;
        if (bytes && (const char *)address >= bytes && (const char *)address < bytes + PAGE_SIZE)
            return f;
    }
    return FRAME_NONE;
}

void *arch_frame_map(uint32_t frame)
{
    return frame_of(frame)->bytes;
}

void arch_frame_unmap(void *mapped UNUSED)
{
}

void arch_frame_zero(uint32_t frame)
{
    memset(frame_of(frame)->bytes, 0, PAGE_SIZE);
}

void arch_frame_copy(uint32_t to, uint32_t from)
{
    memcpy(frame_of(to)->bytes, frame_of(from)->bytes, PAGE_SIZE);
}

// ---- heap ---------------------------------------------------------------------------------------

void *heap_alloc(size_t bytes)
{
    if (node(heap_fail_in) && --node(heap_fail_in) == 0)
        return NULL;
    return heap_alloc_critical(bytes);
}

void *heap_alloc_critical(size_t bytes)
{
    size_t *p = aligned_alloc(64, ALIGN_UP(bytes + 64, (size_t)64));
    p[0] = bytes;
    node(heap_used) += bytes;
    memset((char *)p + 64, 0x5a, bytes);
    return (char *)p + 64;
}

void *heap_zalloc(size_t bytes)
{
    void *p = heap_alloc(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void heap_free(void *p)
{
    if (p == NULL)
        return;
    size_t *head = (size_t *)((char *)p - 64);
    node(heap_used) -= head[0];
    free(head);
}

// The host's heap is nobody's frames.
size_t heap_bytes_used(void)
{
    return node(heap_used);
}

bool heap_class(unsigned n, unsigned *bytes, unsigned *blocks)
{
    (void)n, (void)bytes, (void)blocks;
    return false;
}

void heap_trim(void)
{
}

void heap_fail_at(uint32_t n)
{
    node(heap_fail_in) = n;
}

uint32_t heap_fails_in(void)
{
    return node(heap_fail_in);
}

void frame_fail_at(uint32_t n)
{
    node(frame_fail_in) = n;
}

uint32_t frame_fails_in(void)
{
    return node(frame_fail_in);
}

const struct radix_memory heap_radix_memory = {.alloc = heap_alloc, .free = heap_free};

void frame_get_all(const frame_t *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        frame_get(f[i]);
}

void frame_put_all(const frame_t *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        frame_put(f[i]);
}
