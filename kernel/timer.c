// SPDX-License-Identifier: MIT
#include "kernel/timer.h"
#include "arch/x86/arch.h"
#include "kernel/thread_priv.h"
#include "lib/node_var.h"

NODE_VAR(struct list, timers) = LIST_INIT(timers); // ordered by deadline
NODE_VAR(uint64_t, armed_ns) = UINT64_MAX;         // what the hardware was last told

uint64_t clock_now_ns(void)
{
    return arch_clock_ns();
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    *t = (struct timer){.fn = fn, .arg = arg};
    list_init(&t->link);
}

static void hardware_arm(uint64_t at_ns)
{
    if (at_ns == node(armed_ns))
        return;
    node(armed_ns) = at_ns;
    arch_timer_set(at_ns);
}

// The hardware serves the earliest of: the first timer, the end of the running time slice.
void timer_rearm(void)
{
    uint64_t at = thread_slice_end_ns();
    if (!list_empty(&node(timers)))
        at = MIN(at, list_entry(node(timers).next, struct timer, link)->at_ns);
    hardware_arm(at);
}

void timer_set(struct timer *t, uint64_t at_ns)
{
    list_remove(&t->link);
    t->at_ns = at_ns;
    struct list *at = node(timers).prev;
    while (at != &node(timers) && list_entry(at, struct timer, link)->at_ns > at_ns)
        at = at->prev;
    list_push(at, &t->link);
    if (node(timers).next == &t->link)
        timer_rearm();
}

void timer_cancel(struct timer *t)
{
    list_remove(&t->link);
}

bool timer_is_set(const struct timer *t)
{
    return !list_empty(&t->link);
}

void timer_interrupt(void)
{
    node(armed_ns) = UINT64_MAX;
    uint64_t now = clock_now_ns();
    while (!list_empty(&node(timers))) {
        struct timer *t = list_entry(node(timers).next, struct timer, link);
        if (t->at_ns > now)
            break;
        list_remove(&t->link);
        t->fn(t->arg);
    }
    thread_slice_check(now);
    timer_rearm();
}
