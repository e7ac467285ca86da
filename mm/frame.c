// SPDX-License-Identifier: MIT
// Two free lists, low and high, threaded through the frame records. Runs (frames side by side) are
// found by a scan from a moving hint: they are rare, for DMA rings and large heap blocks.
#include "mm/frame_priv.h"
#include "arch/x86/arch.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/string.h"

#define LOW_FRAMES_MAX (0x30000000u >> PAGE_SHIFT) // arch's direct map
#define NOT_RAM        UINT32_MAX

struct frame {
    uint32_t users; // 0: free, NOT_RAM: never handed out
    uint32_t next;  // free list; of an allocated run's first frame: its length
    uint32_t prev;
};
STATIC_ASSERT(sizeof(struct frame) <= 16, "there is one for each 4 KiB of RAM");

// Single frames come from the head and go back there; runs go back to the tail, so that the last
// that are left still lie side by side.
struct free_list {
    uint32_t head, tail;
    uint32_t count;
};

NODE_VAR(struct frame *, frames);
NODE_VAR(uint32_t, frame_end); // one past the last frame with a record
NODE_VAR(struct free_list, free_low);
NODE_VAR(struct free_list, free_high);
NODE_VAR(uint32_t, total);
NODE_VAR(uint32_t, reserve); // kept for critical traffic
NODE_VAR(uint32_t, run_hint);
NODE_VAR(uint32_t, frame_countdown);

NODE_VAR(bool, canary_on);

bool frame_canary_on(void)
{
    return node(canary_on);
}

void frame_canary_fill(void *at, size_t bytes)
{
    for (uint32_t *w = at; w < (uint32_t *)at + bytes / sizeof(*w); w++)
        *w = FRAME_CANARY;
}

static void fill_frame(frame_t f)
{
    void *at = arch_frame_map(f);
    frame_canary_fill(at, PAGE_SIZE);
    arch_frame_unmap(at);
}

void frame_canary_start(void)
{
    node(canary_on) = true;
    for (frame_t f = 1; f < node(frame_end); f++)
        if (node(frames)[f].users == 0)
            fill_frame(f);
}

static struct free_list *list_of(frame_t f)
{
    return f < LOW_FRAMES_MAX ? &node(free_low) : &node(free_high);
}

static void free_push(frame_t f)
{
    struct free_list *l = list_of(f);
    struct frame *r = &node(frames)[f];
    *r = (struct frame){.next = l->head};
    if (l->head)
        node(frames)[l->head].prev = f;
    else
        l->tail = f;
    l->head = f;
    l->count++;
}

static void free_append(frame_t f)
{
    struct free_list *l = list_of(f);
    if (l->tail == 0) {
        free_push(f);
        return;
    }
    node(frames)[f] = (struct frame){.prev = l->tail};
    node(frames)[l->tail].next = f;
    l->tail = f;
    l->count++;
}

static void free_take(frame_t f)
{
    struct free_list *l = list_of(f);
    struct frame *r = &node(frames)[f];
    if (r->prev)
        node(frames)[r->prev].next = r->next;
    else
        l->head = r->next;
    if (r->next)
        node(frames)[r->next].prev = r->prev;
    else
        l->tail = r->prev;
    l->count--;
    *r = (struct frame){.users = 1};
}

uint32_t frame_table_bytes(uint32_t end)
{
    return end * (uint32_t)sizeof(struct frame);
}

void frame_table_init(void *table, uint32_t end)
{
    node(frames) = table;
    node(frame_end) = end;
    for (uint32_t f = 0; f < end; f++)
        node(frames)[f].users = NOT_RAM;
}

void frame_add_ram(frame_t first, frame_t end)
{
    end = MIN(end, node(frame_end));
    // Downwards, so that the list begins with the lowest frames.
    for (frame_t f = end; f-- > MAX(first, 1u);) {
        if (node(frames)[f].users != NOT_RAM)
            continue;
        free_push(f);
        node(total)++;
    }
    node(reserve) = node(total) / 50;
}

frame_t frame_alloc(unsigned flags)
{
    uint32_t floor = flags & FRAME_CRITICAL ? 0 : node(reserve);
    if (node(frame_countdown) > 0 && --node(frame_countdown) == 0)
        return FRAME_NONE;
    if (frame_free_count() <= floor)
        return FRAME_NONE;
    bool use_low = (flags & FRAME_LOW) || node(free_high).count == 0;
    frame_t f = use_low ? node(free_low).head : node(free_high).head;
    if (f == FRAME_NONE)
        return FRAME_NONE;
    free_take(f);
    if (flags & FRAME_ZERO)
        arch_frame_zero(f);
    return f;
}

static inline void user_add(struct frame *table, frame_t end, frame_t f)
{
    uint32_t *users = &table[f].users;
    ASSERT(f < end && *users != 0);
    *users += *users != NOT_RAM;
}

static inline void user_take(struct frame *table, frame_t end, frame_t f)
{
    ASSERT(f < end && table[f].users != 0);
    if (table[f].users != NOT_RAM && --table[f].users == 0)
        free_push(f);
}

void frame_get(frame_t f)
{
    user_add(node(frames), node(frame_end), f);
}

void frame_put(frame_t f)
{
    user_take(node(frames), node(frame_end), f);
}

void frame_get_all(const frame_t *f, unsigned n)
{
    struct frame *table = node(frames);
    frame_t end = node(frame_end);
    for (unsigned i = 0; i < n; i++)
        user_add(table, end, f[i]);
}

void frame_put_all(const frame_t *f, unsigned n)
{
    struct frame *table = node(frames);
    frame_t end = node(frame_end);
    for (unsigned i = 0; i < n; i++)
        user_take(table, end, f[i]);
}

unsigned frame_users(frame_t f)
{
    ASSERT(f < node(frame_end));
    return node(frames)[f].users;
}

static bool run_is_free(frame_t first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (node(frames)[first + i].users != 0)
            return false;
    return true;
}

frame_t frame_alloc_run(unsigned count, unsigned flags)
{
    frame_t end = MIN(node(frame_end), LOW_FRAMES_MAX);
    if (count == 1)
        return frame_alloc(FRAME_LOW | flags);
    uint32_t floor = flags & FRAME_CRITICAL ? 0 : node(reserve);
    if (node(free_low).count < count + floor || end < count)
        return FRAME_NONE;
    for (frame_t tried = 0; tried < end; tried++) {
        frame_t f = node(run_hint)++;
        if (f + count > end) {
            node(run_hint) = 1;
            continue;
        }
        if (f == 0 || !run_is_free(f, count))
            continue;
        for (unsigned i = 0; i < count; i++)
            free_take(f + i);
        node(frames)[f].next = count;
        node(run_hint) = f + count;
        return f;
    }
    return FRAME_NONE;
}

unsigned frame_run_length(frame_t first)
{
    return MAX(node(frames)[first].next, 1u);
}

void frame_free_run(frame_t first)
{
    for (unsigned n = frame_run_length(first), i = 0; i < n; i++) {
        ASSERT(node(frames)[first + i].users == 1);
        free_append(first + i);
    }
}

void frame_fail_at(uint32_t n)
{
    node(frame_countdown) = n;
}

uint32_t frame_fails_in(void)
{
    return node(frame_countdown);
}

uint32_t frame_free_count(void)
{
    return node(free_low).count + node(free_high).count;
}

uint32_t frame_total_count(void)
{
    return node(total);
}

void *frame_low_address(frame_t f)
{
    ASSERT(f < LOW_FRAMES_MAX);
    return arch_frame_map(f); // the direct map: nothing to unmap
}

frame_t frame_of_low(const void *address)
{
    return arch_frame_of_low(address);
}

uint32_t frame_physical_of(const void *low)
{
    return (arch_frame_of_low(low) << PAGE_SHIFT) | ((uint32_t)(uintptr_t)low & PAGE_MASK);
}
