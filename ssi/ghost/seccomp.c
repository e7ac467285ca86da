// SPDX-License-Identifier: MIT
// Section seccomp: the mode of the task and its filters, oldest first. They are checked as if a
// program had given them.
#include "ssi/ghost/sections.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/process/seccomp.h"

struct seccomp_wire {
    uint8_t mode, reserved;
    uint16_t filters;
} PACKED;

struct filter_wire {
    uint16_t count;
    uint8_t log, reserved;
} PACKED;

static int filter_write(const struct seccomp_filter *f, struct ghost *g)
{
    struct filter_wire head = {.count = (uint16_t)f->count, .log = f->log};
    int e = GHOST_PUT(g, head);
    return e < 0 ? e : ghost_put(g, f->code, f->count * sizeof(f->code[0]));
}

int seccomp_write(struct ghost_job *job, struct ghost *g)
{
    const struct task *t = job->task;
    unsigned filters = seccomp_filters(t), k = filters;
    struct seccomp_wire w = {.mode = t->seccomp, .filters = (uint16_t)filters};
    int e = GHOST_PUT(g, w);
    if (e < 0 || filters == 0)
        return e;
    const struct seccomp_filter **all = heap_alloc(filters * sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    for (const struct seccomp_filter *f = t->filters; f; f = f->older)
        all[--k] = f;
    for (; k < filters && e == 0; k++)
        e = filter_write(all[k], g);
    heap_free(all);
    return e;
}

static int filter_read(struct ghost_job *job, struct ghost *g)
{
    struct filter_wire head;
    if (GHOST_TAKE(g, head) < 0 || head.count == 0 || head.count > BPF_CLASSIC_MAX)
        return -EPROTO;
    struct seccomp_filter *f = seccomp_filter_new(head.count);
    if (f == NULL)
        return -ENOMEM;
    f->log = head.log != 0;
    int e = ghost_take(g, f->code, f->count * sizeof(f->code[0]));
    if (e == 0 && (e = seccomp_filter_check(f)) == -EINVAL)
        e = -EPROTO;
    if (e == 0)
        return seccomp_filter_add(job->task, f, false) == 0 ? 0 : -EPROTO;
    seccomp_filter_put(f);
    return e;
}

int seccomp_read(struct ghost_job *job, struct ghost *g)
{
    struct seccomp_wire w;
    int e = 0;
    if (job->task == NULL || GHOST_TAKE(g, w) < 0 || w.mode > SECCOMP_FILTER ||
        (w.filters != 0) != (w.mode == SECCOMP_FILTER))
        return -EPROTO;
    for (unsigned k = 0; k < w.filters && e == 0; k++)
        e = filter_read(job, g);
    if (e == 0 && w.mode == SECCOMP_STRICT)
        e = seccomp_strict(job->task);
    return e;
}
