// SPDX-License-Identifier: MIT
#include "net/tcp/ring.h"

#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/string.h"
#include "mm/heap.h"

bool ring_init(struct ring *r, uint32_t size, bool critical)
{
    uint32_t slots = 1;
    while (slots < size / PAGE_SIZE + 2) // an unaligned run touches one page more
        slots *= 2;
    *r = (struct ring){.mask = slots - 1, .size = size, .critical = critical};
    r->slots = heap_zalloc(slots * sizeof(*r->slots));
    return r->slots != NULL;
}

static void slot_free(struct ring *r, uint32_t slot)
{
    if (r->slots[slot] == FRAME_NONE)
        return;
    frame_put(r->slots[slot]);
    r->slots[slot] = FRAME_NONE;
    r->frames--;
}

static void slots_free(struct ring *r)
{
    for (uint32_t i = 0; i <= r->mask && r->frames; i++)
        slot_free(r, i);
}

void ring_free(struct ring *r)
{
    if (!r->slots)
        return;
    slots_free(r);
    heap_free(r->slots);
    *r = (struct ring){0};
}

// Address of the byte at a position; NULL when its page has no frame.
static uint8_t *byte_at(const struct ring *r, uint32_t position)
{
    frame_t frame = r->slots[position >> PAGE_SHIFT & r->mask];
    if (frame == FRAME_NONE)
        return NULL;
    return (uint8_t *)frame_low_address(frame) + (position & PAGE_MASK);
}

static uint8_t *byte_make(struct ring *r, uint32_t position)
{
    uint32_t slot = position >> PAGE_SHIFT & r->mask;
    if (r->slots[slot] == FRAME_NONE) {
        r->slots[slot] = frame_alloc(FRAME_LOW | (r->critical ? FRAME_CRITICAL : 0));
        if (r->slots[slot] == FRAME_NONE)
            return NULL;
        r->frames++;
    }
    return byte_at(r, position);
}

size_t ring_write(struct ring *r, uint32_t offset, const void *bytes, size_t n)
{
    ASSERT(offset <= r->size && n <= r->size - offset);
    const uint8_t *from = bytes;
    size_t done = 0;
    while (done < n) {
        uint32_t position = r->start + offset + (uint32_t)done;
        size_t piece = MIN(n - done, (size_t)(PAGE_SIZE - (position & PAGE_MASK)));
        uint8_t *to = byte_make(r, position);
        if (!to)
            break;
        memcpy(to, from + done, piece);
        done += piece;
    }
    return done;
}

void ring_read(const struct ring *r, uint32_t offset, void *bytes, size_t n)
{
    uint8_t *to = bytes;
    for (size_t done = 0; done < n;) {
        uint32_t position = r->start + offset + (uint32_t)done;
        size_t piece = MIN(n - done, (size_t)(PAGE_SIZE - (position & PAGE_MASK)));
        const uint8_t *from = byte_at(r, position);
        ASSERT(from);
        memcpy(to + done, from, piece);
        done += piece;
    }
}

const uint8_t *ring_view(const struct ring *r, uint32_t offset, size_t *n)
{
    ASSERT(offset < r->length);
    uint32_t position = r->start + offset;
    *n = MIN((size_t)(r->length - offset), (size_t)(PAGE_SIZE - (position & PAGE_MASK)));
    return byte_at(r, position);
}

void ring_lend(const struct ring *r, uint32_t offset, struct buf *b, uint32_t n)
{
    for (uint32_t done = 0; done < n;) {
        uint32_t position = r->start + offset + done, in_page = position & PAGE_MASK;
        uint32_t piece = MIN(n - done, (uint32_t)PAGE_SIZE - in_page);
        buf_lend(b, r->slots[position >> PAGE_SHIFT & r->mask], in_page, piece);
        done += piece;
    }
}

void ring_extend(struct ring *r, uint32_t n)
{
    ASSERT(n <= ring_space(r));
    r->length += n;
}

void ring_consume(struct ring *r, uint32_t n, bool keep)
{
    ASSERT(n <= r->length);
    uint32_t old_page = r->start >> PAGE_SHIFT;
    r->start += n;
    r->length -= n;
    if (r->length == 0 && !keep) {
        slots_free(r);
        return;
    }
    for (uint32_t page = old_page; page != r->start >> PAGE_SHIFT;) {
        slot_free(r, page & r->mask);
        page = (page + 1) & (UINT32_MAX >> PAGE_SHIFT);
    }
}
