// SPDX-License-Identifier: MIT
#include "kernel/wait.h"
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "lib/errno.h"

void wait_init(struct wait_queue *q)
{
    list_init(&q->waiters);
    list_init(&q->watches);
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

void wait_tell(struct wait_queue *q)
{
    struct wait_watch *w, *next;
    list_for_each_safe (w, next, &q->watches, link)
        w->fn(w);
}

void wait_end(struct wait_queue *q)
{
    while (list_pop(&q->watches) != NULL)
        continue;
}

static void wake(struct thread *t, int result)
{
    list_remove(&t->wait_link);
    t->wake_result = result;
    thread_make_ready(t);
}

// The thread may have been woken already and not have run yet.
static void timed_out(void *arg)
{
    struct thread *t = arg;
    if (t->state == THREAD_WAITING)
        wake(t, -ETIMEDOUT);
}

int wait_sleep(struct wait_queue *q, uint64_t deadline_ns, unsigned flags)
{
    struct thread *t = thread_current();
    if ((flags & WAIT_INTERRUPTIBLE) && t->asked)
        return -EINTR;
    bool ends = deadline_ns != WAIT_FOREVER;
    if (ends && deadline_ns <= clock_now_ns())
        return -ETIMEDOUT;
    struct timer timeout;
    if (ends) {
        timer_init(&timeout, timed_out, t);
        timer_set(&timeout, deadline_ns);
    }
    t->interruptible = flags & WAIT_INTERRUPTIBLE;
    t->wake_result = 0;
    list_append(&q->waiters, &t->wait_link);
    t->state = THREAD_WAITING;
    thread_block();
    t->interruptible = false;
    if (ends)
        timer_cancel(&timeout);
    return t->wake_result;
}

static struct thread *first_waiter(struct wait_queue *q)
{
    return list_empty(&q->waiters) ? NULL : list_entry(q->waiters.next, struct thread, wait_link);
}

void wait_wake_one(struct wait_queue *q)
{
    struct thread *t = first_waiter(q);
    if (t)
        wake(t, 0);
    wait_tell(q);
}

void wait_wake_all_with(struct wait_queue *q, int result)
{
    struct thread *t;
    while ((t = first_waiter(q)) != NULL)
        wake(t, result);
    wait_tell(q);
}

void wait_wake_all(struct wait_queue *q)
{
    wait_wake_all_with(q, 0);
}

bool wait_empty(const struct wait_queue *q)
{
    return list_empty(&q->waiters);
}

int wait_for_ns(uint64_t ns, unsigned flags)
{
    struct wait_queue q;
    wait_init(&q);
    int e = wait_sleep(&q, clock_now_ns() + ns, flags);
    return e == -ETIMEDOUT ? 0 : e;
}
