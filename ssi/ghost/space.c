// SPDX-License-Identifier: MIT
// Section space: the segments, each as a reference to the container that it shows. No page travels
// (the paper, 4.3.1): they follow on demand and by drain.
#include "ssi/ghost/sections.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "ssi/container/container.h"

#define SEGMENTS_MAX 4096u

struct space_wire {
    uint32_t brk_start, brk, mmap_top, stack_limit_bytes;
    uint32_t lock_later, populate_later;
    uint32_t segments;
} PACKED;

struct segment_wire {
    uint32_t start, end, index;
    uint8_t prot, flags;
    uint16_t note; // what /proc/PID/maps says of it
    struct container_ref container;
} PACKED;

int space_write(struct ghost_job *job, struct ghost *g)
{
    const struct space *s = job->process->space;
    const struct segment *v;
    struct space_wire w = {.brk_start = s->brk_start,
                           .brk = s->brk,
                           .mmap_top = s->mmap_top,
                           .stack_limit_bytes = s->stack_limit_bytes,
                           .lock_later = s->lock_later,
                           .populate_later = s->populate_later};
    list_for_each (v, &s->segments, link)
        w.segments++;
    int e = GHOST_PUT(g, w);
    list_for_each (v, &s->segments, link) {
        struct segment_wire sw = {.start = v->start,
                                  .end = v->end,
                                  .index = v->index,
                                  .prot = v->prot,
                                  .flags = v->flags,
                                  .note = (uint16_t)(uintptr_t)v->note};
        if (e == 0)
            e = container_export(v->object, &sw.container);
        if (e == 0)
            e = GHOST_PUT(g, sw);
    }
    return e;
}

static bool segment_is_sane(const struct segment_wire *w)
{
    return w->start < w->end && w->end <= USER_TOP && (w->start & PAGE_MASK) == 0 &&
           (w->end & PAGE_MASK) == 0 && w->prot <= (PROT_R | PROT_W | PROT_X);
}

static int segment_read(struct space *s, struct ghost *g)
{
    struct segment_wire w;
    if (GHOST_TAKE(g, w) < 0 || !segment_is_sane(&w) || space_find(s, w.start) != NULL)
        return -EPROTO;
    struct container *c = container_import(&w.container);
    if (c == NULL)
        return -ENOMEM;
    int e = space_map(s, w.start, w.end - w.start, w.prot, w.flags, c, w.index,
                      &container_segment_ops, (void *)(uintptr_t)w.note);
    if (e < 0)
        container_put(c);
    return e;
}

int space_read(struct ghost_job *job, struct ghost *g)
{
    struct space_wire w;
    if (GHOST_TAKE(g, w) < 0 || w.segments > SEGMENTS_MAX || w.mmap_top > USER_TOP)
        return -EPROTO;
    struct process *p = job->process;
    if (p->space == NULL)
        p->space = space_new();
    if (p->space == NULL)
        return -ENOMEM;
    p->space->brk_start = w.brk_start;
    p->space->brk = w.brk;
    p->space->mmap_top = w.mmap_top;
    p->space->stack_limit_bytes = w.stack_limit_bytes;
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < w.segments; i++)
        e = segment_read(p->space, g);
    p->space->lock_later = w.lock_later; // those that came are as they were
    p->space->populate_later = w.populate_later;
    return e;
}
