// SPDX-License-Identifier: MIT
// Size classes: a slab is one frame, with its head at the start and equal blocks behind it. Above
// the largest class a block is whole frames side by side and begins at a page. Empty slabs go back
// to the frames except one per class, which heap_trim gives back too.
#include "mm/heap.h"
#include "arch/x86/arch.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/list.h"
#include "lib/node_var.h"
#include "lib/radix.h"
#include "lib/string.h"
#include "mm/frame_priv.h"

#define SLAB_HEAD  64u
#define SLAB_MAGIC 0x51ab51abu

struct slab {
    uint32_t magic;
    uint16_t class;
    uint16_t used;
    void *free;       // blocks given back, linked through their first word
    uint32_t fresh;   // offset of the first block never handed out
    struct list link; // in partial or idle
};
STATIC_ASSERT(sizeof(struct slab) <= SLAB_HEAD, "blocks begin at SLAB_HEAD");

static const uint16_t class_bytes[] = {16,  32,  48,  64,  96,  128,  192,  256,
                                       320, 448, 576, 672, 800, 1008, 1344, 2016};
#define CLASSES  ARRAY_SIZE(class_bytes)
#define CLASS_OF 16u // bytes per entry of class_of_size

// The class of each size, in steps of CLASS_OF; the same on every node once it is made.
NODE_VAR(uint8_t, class_of_size[2016 / CLASS_OF + 1]);

struct size_class {
    struct list partial; // slabs with room
    struct slab *idle;   // one empty slab kept
    unsigned blocks;     // in use
};

NODE_VAR(struct size_class, classes[CLASSES]);
NODE_VAR(bool, ready);
NODE_VAR(size_t, bytes_used);
NODE_VAR(uint32_t, fail_countdown);

static void classes_init(void)
{
    unsigned step = 0;
    for (unsigned c = 0; c < CLASSES; c++) {
        list_init(&node(classes)[c].partial);
        for (; step * CLASS_OF <= class_bytes[c]; step++)
            node(class_of_size)[step] = (uint8_t)c;
    }
    node(ready) = true;
}

// Powers of two from 64 on keep their alignment because blocks begin at 64 and such classes are
// multiples of 64.
static int class_of(size_t bytes)
{
    size_t step = (bytes + CLASS_OF - 1) / CLASS_OF;
    return step < ARRAY_SIZE(node(class_of_size)) ? node(class_of_size)[step] : -1;
}

static struct slab *slab_new(unsigned class, unsigned frame_flags)
{
    frame_t f = frame_alloc(FRAME_LOW | frame_flags);
    if (f == FRAME_NONE)
        return NULL;
    struct slab *s = frame_low_address(f);
    *s = (struct slab){.magic = SLAB_MAGIC, .class = (uint16_t) class, .fresh = SLAB_HEAD};
    list_init(&s->link);
    return s;
}

static struct slab *slab_with_room(unsigned class, unsigned frame_flags)
{
    struct size_class *k = &node(classes)[class];
    if (!list_empty(&k->partial))
        return list_entry(k->partial.next, struct slab, link);
    struct slab *s = k->idle;
    k->idle = NULL;
    if (s == NULL)
        s = slab_new(class, frame_flags);
    if (s)
        list_push(&k->partial, &s->link);
    return s;
}

static bool slab_full(const struct slab *s)
{
    return s->free == NULL && s->fresh + class_bytes[s->class] > PAGE_SIZE;
}

static void *block_alloc(unsigned class, unsigned frame_flags)
{
    struct slab *s = slab_with_room(class, frame_flags);
    if (s == NULL)
        return NULL;
    void *p = s->free;
    if (p) {
        s->free = *(void **)p;
    } else {
        p = (char *)s + s->fresh;
        s->fresh += class_bytes[class];
    }
    s->used++;
    if (slab_full(s))
        list_remove(&s->link);
    node(classes)[class].blocks++;
    node(bytes_used) += class_bytes[class];
    return p;
}

static void *run_alloc(size_t bytes, unsigned frame_flags)
{
    if (bytes > 64u << 20)
        return NULL;
    unsigned pages = (unsigned)((bytes + PAGE_MASK) >> PAGE_SHIFT);
    frame_t f = frame_alloc_run(pages, frame_flags);
    if (f == FRAME_NONE)
        return NULL;
    node(bytes_used) += pages * PAGE_SIZE;
    return frame_low_address(f);
}

static void *alloc(size_t bytes, unsigned frame_flags)
{
    if (!node(ready))
        classes_init();
    int class = class_of(bytes);
    return class >= 0 ? block_alloc((unsigned)class, frame_flags) : run_alloc(bytes, frame_flags);
}

void *heap_alloc(size_t bytes)
{
    if (node(fail_countdown) > 0 && --node(fail_countdown) == 0)
        return NULL;
    return alloc(bytes, 0);
}

void *heap_alloc_critical(size_t bytes)
{
    return alloc(bytes, FRAME_CRITICAL);
}

void *heap_zalloc(size_t bytes)
{
    void *p = heap_alloc(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

static void slab_release(struct slab *s)
{
    s->magic = 0;
    frame_put(frame_of_low(s));
}

static void block_free(struct slab *s, void *p)
{
    struct size_class *k = &node(classes)[s->class];
    ASSERT(s->magic == SLAB_MAGIC && s->used > 0);
    k->blocks--;
    node(bytes_used) -= class_bytes[s->class];
    if (slab_full(s))
        list_push(&k->partial, &s->link);
    if (frame_canary_on())
        frame_canary_fill(p, class_bytes[s->class]);
    *(void **)p = s->free;
    s->free = p;
    if (--s->used > 0)
        return;
    list_remove(&s->link);
    if (k->idle)
        slab_release(k->idle);
    k->idle = s;
}

void heap_free(void *p)
{
    if (p == NULL)
        return;
    uintptr_t offset = (uintptr_t)p & PAGE_MASK;
    if (offset != 0) {
        block_free((struct slab *)((char *)p - offset), p);
        return;
    }
    frame_t f = frame_of_low(p);
    node(bytes_used) -= frame_run_length(f) * PAGE_SIZE;
    frame_free_run(f);
}

void heap_trim(void)
{
    for (unsigned c = 0; node(ready) && c < CLASSES; c++) {
        if (node(classes)[c].idle)
            slab_release(node(classes)[c].idle);
        node(classes)[c].idle = NULL;
    }
}

size_t heap_bytes_used(void)
{
    return node(bytes_used);
}

bool heap_class(unsigned n, unsigned *bytes, unsigned *blocks)
{
    if (n >= CLASSES)
        return false;
    *bytes = class_bytes[n];
    *blocks = node(classes)[n].blocks;
    return true;
}

void heap_fail_at(uint32_t n)
{
    node(fail_countdown) = n;
}

uint32_t heap_fails_in(void)
{
    return node(fail_countdown);
}

const struct radix_memory heap_radix_memory = {.alloc = heap_alloc, .free = heap_free};
