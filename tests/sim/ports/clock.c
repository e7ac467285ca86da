// SPDX-License-Identifier: MIT
#include "tests/sim/ports/sim.h"

#include "kernel/timer.h"
#include "tests/sim/ports/sim_priv.h"

static uint64_t now_ns = 1;

void sim_clock_reset(void)
{
    now_ns = 1;
}

uint64_t clock_now_ns(void)
{
    return now_ns;
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    list_init(&t->link);
    t->at_ns = 0;
    t->fn = fn;
    t->arg = arg;
}

void timer_set(struct timer *t, uint64_t at_ns)
{
    list_remove(&t->link);
    t->at_ns = at_ns;
    struct list *timers = &sim_node_current()->timers, *before = timers->prev;
    while (before != timers && list_entry(before, struct timer, link)->at_ns > at_ns)
        before = before->prev;
    list_push(before, &t->link);
}

void timer_cancel(struct timer *t)
{
    list_remove(&t->link);
}

bool timer_is_set(const struct timer *t)
{
    return !list_empty(&t->link);
}

unsigned sim_timers_set(void)
{
    unsigned n = 0;
    struct timer *t;
    list_for_each (t, &sim_node_current()->timers, link)
        n++;
    return n;
}

static struct timer *first_timer(struct sim_node **owner)
{
    struct timer *first = NULL;
    struct sim_node *n;
    list_for_each (n, &sim_nodes, link) {
        if (list_empty(&n->timers))
            continue;
        struct timer *t = list_entry(n->timers.next, struct timer, link);
        if (!first || t->at_ns < first->at_ns) {
            first = t;
            *owner = n;
        }
    }
    return first;
}

bool sim_run(uint64_t until_ns, bool (*done)(void *arg), void *arg)
{
    for (;;) {
        if (done && done(arg))
            return true;
        struct sim_node *owner = NULL;
        struct timer *t = first_timer(&owner);
        if (!t || t->at_ns > until_ns) {
            now_ns = MAX(now_ns, t ? until_ns : now_ns);
            return false;
        }
        now_ns = MAX(now_ns, t->at_ns);
        sim_node_enter(owner);
        list_remove(&t->link);
        t->fn(t->arg);
    }
}

void sim_run_for(uint64_t ns)
{
    struct sim_node *here = sim_node_current();
    uint64_t until = now_ns + ns;
    (void)sim_run(until, NULL, NULL);
    now_ns = MAX(now_ns, until);
    sim_node_enter(here);
}
