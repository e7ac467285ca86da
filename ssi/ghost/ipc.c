// SPDX-License-Identifier: MIT
// Section ipc: what the process has of System V IPC. Its memory comes with the space, semaphores
// and queues stay at their home.
#include "ssi/process/ipc.h"
#include "lib/errno.h"
#include "ssi/ghost/sections.h"

struct ipc_wire {
    uint32_t undoes, count;
} PACKED;

struct attachment_wire {
    int32_t id;
    uint32_t at;
} PACKED;

int ipc_write(struct ghost_job *job, struct ghost *g)
{
    const struct process *p = job->process;
    const struct shm_attachment *s;
    struct ipc_wire w = {.undoes = p->ipc_undoes};
    list_for_each (s, &p->shm, link)
        w.count++;
    int e = GHOST_PUT(g, w);
    list_for_each (s, &p->shm, link) {
        struct attachment_wire a = {s->id, s->at};
        e = e < 0 ? e : GHOST_PUT(g, a);
    }
    return e;
}

int ipc_read(struct ghost_job *job, struct ghost *g)
{
    struct ipc_wire w;
    int e = GHOST_TAKE(g, w);
    if (e < 0)
        return e;
    job->process->ipc_undoes = w.undoes;
    for (uint32_t k = 0; e == 0 && k < w.count; k++) {
        struct attachment_wire a;
        e = GHOST_TAKE(g, a);
        if (e == 0)
            e = ipc_shm_attached(job->process, a.id, a.at);
    }
    return e;
}
