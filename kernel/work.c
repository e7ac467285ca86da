// SPDX-License-Identifier: MIT
// Workers start when work waits and no worker is free, up to a bound per class, and end when they
// were idle for a while: so a worker that sleeps never keeps other work from running. The last idle
// one of a class stays, so that work that comes now and then does not make memory come and go.
#include "kernel/work.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/node_var.h"

#define WORKERS_MAX  32
#define IDLE_KEEP_NS (500 * NS_PER_MS)

struct pool {
    struct list queue;
    struct wait_queue idle;
    unsigned workers;
    unsigned sleeping;
    bool ready;
};

NODE_VAR(struct pool, pools[THREAD_CLASSES]);

static struct pool *pool_of(enum thread_class class)
{
    struct pool *p = &node(pools)[class];
    if (!p->ready) {
        list_init(&p->queue);
        wait_init(&p->idle);
        p->ready = true;
    }
    return p;
}

static void worker(void *arg)
{
    struct pool *p = arg;
    for (;;) {
        struct list *l = list_pop(&p->queue);
        if (l) {
            struct work *w = list_entry(l, struct work, link);
            w->fn(w);
            continue;
        }
        uint64_t until = p->sleeping > 0 ? clock_now_ns() + IDLE_KEEP_NS : WAIT_FOREVER;
        p->sleeping++;
        int e = wait_sleep(&p->idle, until, 0);
        p->sleeping--;
        if (e < 0 && p->sleeping > 0 && list_empty(&p->queue))
            break;
    }
    p->workers--;
}

void work_init(struct work *w, enum thread_class class, void (*fn)(struct work *))
{
    *w = (struct work){.fn = fn, .class = class};
    list_init(&w->link);
}

void work_queue(struct work *w)
{
    struct pool *p = pool_of(w->class);
    if (!list_empty(&w->link))
        return;
    list_append(&p->queue, &w->link);
    if (p->sleeping > 0) {
        wait_wake_one(&p->idle);
    } else if (p->workers < WORKERS_MAX) {
        // Without memory for one more, a worker that is busy now will come to it.
        if (thread_create("worker", w->class, worker, p))
            p->workers++;
    }
}
