// SPDX-License-Identifier: MIT
#include "kernel/timer.h"
#include "arch/x86/arch.h"
#include "kernel/thread_priv.h"
#include "lib/node_var.h"

#define LOOK_NS (100 * NS_PER_MS)

NODE_VAR(struct list, timers) = LIST_INIT(timers); // the root of the heap, or nothing
NODE_VAR(uint64_t, timers_set);                    // ever
// One CPU serves the first timer; the others only the ends of their slices.
NODE_VAR(unsigned, server);
NODE_VAR(uint64_t, served_ns) = UINT64_MAX; // when the server will look; UINT64_MAX: it does not

uint64_t clock_now_ns(void)
{
    return arch_clock_ns();
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    *t = (struct timer){.fn = fn, .arg = arg};
    list_init(&t->link);
    list_init(&t->below);
}

// ---- the heap ----------------------------------------------------------------------------------
static struct timer *first(const struct list *l)
{
    return list_empty(l) ? NULL : list_entry(l->next, struct timer, link);
}

static bool fires_before(const struct timer *a, const struct timer *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

// Two roots without siblings become one.
static struct timer *merge(struct timer *a, struct timer *b)
{
    if (a == NULL || b == NULL)
        return a ? a : b;
    if (fires_before(b, a)) {
        struct timer *later = a;
        a = b;
        b = later;
    }
    list_push(&a->below, &b->link);
    return a;
}

static struct timer *pop(struct list *l)
{
    struct timer *t = first(l);
    if (t)
        list_remove(&t->link);
    return t;
}

// Siblings become one: by pairs from the left, then all pairs from the right.
static struct timer *merge_all(struct list *siblings)
{
    struct list pairs = LIST_INIT(pairs);
    struct timer *t, *all = NULL;
    while ((t = pop(siblings)) != NULL)
        list_push(&pairs, &merge(t, pop(siblings))->link);
    while ((t = pop(&pairs)) != NULL)
        all = merge(all, t);
    return all;
}

static void root_merge(struct timer *t)
{
    t = merge(pop(&node(timers)), t);
    if (t)
        list_push(&node(timers), &t->link);
}

// This CPU's clock shoots at at_ns or before: a shot that finds nothing due costs less than telling
// the hardware of each time that became later, which most switches of threads would do twice.
static void hardware_arm(uint64_t at_ns)
{
    struct run_queue *q = run_queue_here();
    if (at_ns >= q->armed_ns)
        return;
    q->armed_ns = at_ns;
    arch_timer_set(at_ns);
}

static uint64_t first_ns(void)
{
    const struct timer *t = first(&node(timers));
    return t ? t->at_ns : UINT64_MAX;
}

// The clock of this CPU serves the earliest of: the end of the running time slice; the first timer,
// unless another CPU will look no later; a look at the marks of a thread that stays in user mode.
void timer_rearm(void)
{
    const struct run_queue *q = run_queue_here();
    uint64_t at = q->slice_end_ns, soonest = first_ns();
    unsigned here = arch_cpu_id();
    if (node(server) == here || soonest < node(served_ns)) {
        node(server) = here;
        node(served_ns) = soonest;
        at = MIN(at, soonest);
    } else if (q->running != q->idle && q->armed_ns == UINT64_MAX) {
        at = MIN(at, clock_now_ns() + LOOK_NS);
    }
    hardware_arm(at);
}

void timer_set(struct timer *t, uint64_t at_ns)
{
    timer_cancel(t);
    t->at_ns = at_ns;
    t->order = node(timers_set)++;
    root_merge(t);
    if (first(&node(timers)) == t)
        timer_rearm();
}

void timer_cancel(struct timer *t)
{
    if (!timer_is_set(t))
        return;
    list_remove(&t->link);
    root_merge(merge_all(&t->below));
}

bool timer_is_set(const struct timer *t)
{
    return !list_empty(&t->link);
}

void timer_interrupt(void)
{
    struct timer *t;
    run_queue_here()->armed_ns = UINT64_MAX;
    if (node(server) == arch_cpu_id())
        node(served_ns) = UINT64_MAX;
    uint64_t now = clock_now_ns();
    while ((t = first(&node(timers))) != NULL && t->at_ns <= now) {
        timer_cancel(t);
        t->fn(t->arg);
    }
    run_queue_slice_check(now);
    timer_rearm();
}
