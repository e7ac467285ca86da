// SPDX-License-Identifier: MIT
// For unit tests of code that never has to sleep: one thread, no timers, work done when asked.
// A sleep is an error of the test.
#include "kernel/wait.h"
#include "kernel/work.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "tests/sim/ports/ports.h"

void wait_init(struct wait_queue *q)
{
    list_init(&q->waiters);
    list_init(&q->watches);
}

int wait_sleep(struct wait_queue *q UNUSED, uint64_t deadline UNUSED, unsigned flags UNUSED)
{
    ASSERT(!"the test would sleep for ever");
    return -EINTR;
}

void wait_tell(struct wait_queue *q UNUSED)
{
}

void wait_wake_all(struct wait_queue *q UNUSED)
{
}

void wait_watch_add(struct wait_queue *q, struct wait_watch *w, void (*fn)(struct wait_watch *))
{
    w->fn = fn;
    list_append(&q->watches, &w->link);
}

void wait_watch_remove(struct wait_watch *w)
{
    list_remove(&w->link);
}

void kernel_pause(void)
{
}

void work_init(struct work *w, enum thread_class class, void (*fn)(struct work *))
{
    list_init(&w->link);
    w->class = class;
    w->fn = fn;
}

void work_queue(struct work *w)
{
    w->fn(w);
}
