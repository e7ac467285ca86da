// SPDX-License-Identifier: MIT
#include "net/buf.h"

#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "net/counters.h"

#define PER_FRAME      (PAGE_SIZE / BUF_BYTES)
#define COMMON_MAX     512u
#define CRITICAL_COUNT 64u

NODE_VAR(struct list, common_free);
NODE_VAR(struct list, critical_free);
NODE_VAR(unsigned, common_made);
NODE_VAR(unsigned, critical_made);
NODE_VAR(unsigned, in_use);

static bool pool_grow(struct list *pool, bool reserve)
{
    struct buf *b = heap_alloc(PER_FRAME * sizeof(*b));
    if (!b)
        return false;
    frame_t frame = frame_alloc(FRAME_LOW);
    if (frame == FRAME_NONE) {
        heap_free(b);
        return false;
    }
    uint8_t *bytes = frame_low_address(frame);
    for (unsigned i = 0; i < PER_FRAME; i++) {
        b[i].base = bytes + i * BUF_BYTES;
        b[i].reserve = reserve;
        b[i].frame = i == 0 ? frame : FRAME_NONE;
        list_append(pool, &b[i].link);
    }
    return true;
}

void buf_init(void)
{
    list_init(&node(common_free));
    list_init(&node(critical_free));
    node(common_made) = 0;
    for (unsigned made = 0; made < CRITICAL_COUNT; made += PER_FRAME)
        if (!pool_grow(&node(critical_free), true))
            return; // a smaller reserve; shortage is counted when it is felt
        else
            node(critical_made) += PER_FRAME;
}

static void pool_free(struct list *pool)
{
    struct list first_ones; // the frame and the record go with the first buffer of each
    list_init(&first_ones);
    struct list *item;
    while ((item = list_pop(pool))) {
        struct buf *b = list_entry(item, struct buf, link);
        if (b->frame != FRAME_NONE)
            list_append(&first_ones, &b->link);
    }
    while ((item = list_pop(&first_ones))) {
        struct buf *b = list_entry(item, struct buf, link);
        frame_put(b->frame);
        heap_free(b);
    }
}

void buf_exit(void)
{
    ASSERT(node(in_use) == 0);
    pool_free(&node(common_free));
    pool_free(&node(critical_free));
}

static struct list *common_take(void)
{
    struct list *item = list_pop(&node(common_free));
    if (item || node(common_made) >= COMMON_MAX)
        return item;
    if (!pool_grow(&node(common_free), false))
        return NULL;
    node(common_made) += PER_FRAME;
    return list_pop(&node(common_free));
}

struct buf *buf_alloc(bool critical)
{
    struct list *item = common_take();
    if (!item) {
        net_counter_add(COUNT_buf_common_empty);
        if (!critical)
            return NULL;
        item = list_pop(&node(critical_free));
        if (!item) {
            net_counter_add(COUNT_buf_critical_empty);
            return NULL;
        }
    }
    struct buf *b = list_entry(item, struct buf, link);
    b->at = b->base + BUF_HEADROOM;
    b->n = 0;
    b->cut_bytes = 0;
    b->piece_count = 0;
    node(in_use)++;
    return b;
}

void buf_free(struct buf *b)
{
    if (!b)
        return;
    ASSERT(node(in_use) > 0);
    node(in_use)--;
    for (unsigned i = 0; i < b->piece_count; i++)
        frame_put(b->pieces[i].frame);
    list_push(b->reserve ? &node(critical_free) : &node(common_free), &b->link);
}

unsigned buf_count(const struct list *bufs)
{
    unsigned n = 0;
    for (const struct list *item = bufs->next; item != bufs; item = item->next)
        n++;
    return n;
}

void buf_free_all(struct list *bufs)
{
    struct list *item;
    while ((item = list_pop(bufs)))
        buf_free(list_entry(item, struct buf, link));
}

void *buf_push(struct buf *b, size_t n)
{
    ASSERT((size_t)(b->at - b->base) >= n);
    b->at -= n;
    b->n += n;
    return b->at;
}

void *buf_put(struct buf *b, size_t n)
{
    ASSERT((size_t)(b->base + BUF_BYTES - b->at) - b->n >= n);
    void *end = b->at + b->n;
    b->n += n;
    return end;
}

void buf_lend(struct buf *b, frame_t frame, uint32_t offset, uint32_t n)
{
    ASSERT(b->piece_count < BUF_PIECES && offset + n <= PAGE_SIZE);
    frame_get(frame);
    b->pieces[b->piece_count++] = (struct buf_piece){frame, (uint16_t)offset, (uint16_t)n};
}

unsigned buf_in_use(void)
{
    return node(in_use);
}

unsigned buf_made(void)
{
    return node(common_made) + node(critical_made);
}
