// SPDX-License-Identifier: MIT
// Section signals: actions, and what is pending for the process and for its thread, in order.
#include "ssi/ghost/sections.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"

#define QUEUED_MAX 4096u

struct action_wire {
    uint32_t signal, handler, flags, restorer;
    uint64_t mask;
} PACKED;

static bool action_is_default(const struct signal_action *a)
{
    return a->handler == 0 && a->flags == 0 && a->mask == 0;
}

static int actions_write(const struct signal_actions *a, struct ghost *g)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < SIGNAL_MAX; i++)
        count += !action_is_default(&a->action[i]);
    int e = GHOST_PUT(g, count);
    for (unsigned i = 0; e == 0 && i < SIGNAL_MAX; i++) {
        const struct signal_action *s = &a->action[i];
        struct action_wire w = {.signal = i + 1,
                                .handler = s->handler,
                                .flags = s->flags,
                                .restorer = s->restorer,
                                .mask = s->mask};
        if (!action_is_default(s))
            e = GHOST_PUT(g, w);
    }
    return e;
}

int signal_set_write(const struct signal_set *s, struct ghost *g)
{
    const struct signal_queued *q;
    uint32_t count = 0;
    list_for_each (q, &s->queue, link)
        count++;
    int e = GHOST_PUT(g, s->pending);
    if (e == 0)
        e = GHOST_PUT(g, count);
    list_for_each (q, &s->queue, link) {
        if (e == 0)
            e = GHOST_PUT(g, q->info);
    }
    return e;
}

int signals_write(struct ghost_job *job, struct ghost *g)
{
    int e = actions_write(job->process->actions, g);
    if (e == 0)
        e = signal_set_write(&job->process->pending, g);
    return e < 0 ? e : signal_set_write(&job->task->pending, g);
}

static int actions_read(struct process *p, struct ghost *g)
{
    if (p->actions == NULL)
        p->actions = heap_zalloc(sizeof(*p->actions));
    if (p->actions == NULL)
        return -ENOMEM;
    p->actions->users = 1;
    uint32_t count;
    if (GHOST_TAKE(g, count) < 0 || count > SIGNAL_MAX)
        return -EPROTO;
    for (uint32_t i = 0; i < count; i++) {
        struct action_wire w;
        if (GHOST_TAKE(g, w) < 0 || w.signal < 1 || w.signal > SIGNAL_MAX)
            return -EPROTO;
        p->actions->action[w.signal - 1] = (struct signal_action){
            .handler = w.handler, .flags = w.flags, .restorer = w.restorer, .mask = w.mask};
    }
    return 0;
}

int signal_set_read(struct process *p, struct signal_set *s, struct ghost *g)
{
    uint32_t count;
    if (GHOST_TAKE(g, s->pending) < 0 || GHOST_TAKE(g, count) < 0 || count > QUEUED_MAX)
        return -EPROTO;
    for (uint32_t i = 0; i < count; i++) {
        struct signal_queued *q = heap_zalloc(sizeof(*q));
        if (q == NULL)
            return -ENOMEM;
        if (GHOST_TAKE(g, q->info) < 0 || q->info.signal < 1 || q->info.signal > SIGNAL_MAX) {
            heap_free(q);
            return -EPROTO;
        }
        list_append(&s->queue, &q->link);
        p->signals_queued++;
    }
    return 0;
}

int signals_read(struct ghost_job *job, struct ghost *g)
{
    if (job->task == NULL)
        return -EPROTO;
    int e = actions_read(job->process, g);
    if (e == 0)
        e = signal_set_read(job->process, &job->process->pending, g);
    return e < 0 ? e : signal_set_read(job->process, &job->task->pending, g);
}
