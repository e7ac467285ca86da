// SPDX-License-Identifier: MIT
// Section threads: those beside the first, each as the sections of a thread have it, with what is
// its own of the rest: credentials, name, pending signals.
#include "ssi/ghost/sections.h"
#include "lib/errno.h"
#include "lib/string.h"

struct thread_wire {
    struct credentials cred;
    char name[16];
} PACKED;

static int thread_write(struct ghost_job *job, struct ghost *g)
{
    const struct task *t = job->task;
    struct thread_wire w = {.cred = *t->cred};
    str_copy(w.name, t->thread->name, sizeof(w.name));
    int e = task_write(job, g);
    if (e == 0)
        e = GHOST_PUT(g, w);
    if (e == 0)
        e = fpu_write(job, g);
    if (e == 0)
        e = affinity_write(job, g);
    if (e == 0)
        e = rseq_write(job, g);
    if (e == 0)
        e = seccomp_write(job, g);
    return e < 0 ? e : signal_set_write(&t->pending, g);
}

int threads_write(struct ghost_job *job, struct ghost *g)
{
    struct task *first = job->task, *t;
    uint32_t count = job->process->task_count - 1;
    int e = GHOST_PUT(g, count);
    list_for_each (t, &job->process->tasks, link) {
        job->task = t;
        if (t != first && e == 0)
            e = thread_write(job, g);
    }
    job->task = first;
    return e;
}

static int thread_read(struct ghost_job *job, struct ghost *g)
{
    struct thread_wire w;
    int e = task_read(job, g);
    if (e < 0)
        return e;
    struct task *t = job->task;
    if (GHOST_TAKE(g, w) < 0 || t->cred == &job->process->cred)
        return -EPROTO;
    *t->cred = w.cred;
    if (!credentials_valid(t->cred))
        return -EPROTO;
    w.name[sizeof(w.name) - 1] = '\0';
    str_copy(t->thread->name, w.name, sizeof(t->thread->name));
    e = fpu_read(job, g);
    if (e == 0)
        e = affinity_read(job, g);
    if (e == 0)
        e = rseq_read(job, g);
    if (e == 0)
        e = seccomp_read(job, g);
    return e < 0 ? e : signal_set_read(job->process, &t->pending, g);
}

int threads_read(struct ghost_job *job, struct ghost *g)
{
    struct task *first = job->task;
    uint32_t count;
    if (first == NULL || GHOST_TAKE(g, count) < 0 || count >= GHOST_THREADS)
        return -EPROTO;
    int e = 0;
    for (uint32_t k = 0; k < count && e == 0; k++) {
        job->task = NULL;
        e = thread_read(job, g);
    }
    job->task = first;
    return e;
}
