// SPDX-License-Identifier: MIT
// Section aio: contexts of native asynchronous I/O with the results that wait in them. Operations
// are never under way when a process moves.
#include "ssi/process/aio.h"
#include "lib/errno.h"
#include "ssi/ghost/sections.h"

struct aio_wire {
    uint32_t id, limit, count;
} PACKED;

int aio_write(struct ghost_job *job, struct ghost *g)
{
    uint32_t contexts = 0;
    for (const struct aio_context *a = job->process->aio; a; a = a->next)
        contexts++;
    int e = GHOST_PUT(g, contexts);
    for (const struct aio_context *a = job->process->aio; a && e == 0; a = a->next) {
        struct aio_wire w = {a->id, a->limit, a->count};
        e = GHOST_PUT(g, w);
        if (e == 0)
            e = ghost_put(g, a->results, a->count * sizeof(a->results[0]));
    }
    return e;
}

static int context_read(struct process *p, struct ghost *g)
{
    struct aio_wire w;
    struct aio_context *a;
    struct aio_result r;
    if (GHOST_TAKE(g, w) < 0 || w.id == 0 || w.limit == 0 || w.count > w.limit)
        return -EPROTO;
    int e = aio_new(p, w.id, w.limit, &a);
    for (uint32_t k = 0; k < w.count && e == 0; k++) {
        e = GHOST_TAKE(g, r);
        if (e == 0)
            e = aio_begin(a);
        if (e == 0)
            aio_done(a, &r);
    }
    return e;
}

int aio_read(struct ghost_job *job, struct ghost *g)
{
    uint32_t contexts;
    int e = GHOST_TAKE(g, contexts);
    while (contexts-- > 0 && e == 0)
        e = context_read(job->process, g);
    return e;
}
