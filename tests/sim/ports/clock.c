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

static bool ties_by_seed;
static uint64_t events;
void (*sim_after_event)(void);

void sim_ties_by_seed(bool on)
{
    ties_by_seed = on;
}

uint64_t sim_events(void)
{
    return events;
}

static uint64_t due_ns(const struct sim_node *n, const struct timer *t)
{
    return MAX(MAX(t->at_ns, n->still_until_ns), now_ns);
}

static struct timer *first_timer(struct sim_node **owner)
{
    struct timer *first = NULL;
    uint64_t first_ns = 0;
    unsigned ties = 0;
    struct sim_node *n;
    list_for_each (n, &sim_nodes, link) {
        if (n->stopped || list_empty(&n->timers))
            continue;
        struct timer *t = list_entry(n->timers.next, struct timer, link);
        uint64_t ns = due_ns(n, t);
        if (first && ns > first_ns)
            continue;
        bool tie = first && ns == first_ns;
        ties = tie ? ties + 1 : 1;
        if (tie && (!ties_by_seed || sim_random() % ties != 0))
            continue;
        first = t;
        first_ns = ns;
        *owner = n;
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
        if (!t || due_ns(owner, t) > until_ns) {
            now_ns = MAX(now_ns, t ? until_ns : now_ns);
            return false;
        }
        now_ns = due_ns(owner, t);
        sim_node_enter(owner);
        list_remove(&t->link);
        t->fn(t->arg);
        events++;
        if (sim_after_event && !owner->stopped)
            sim_after_event();
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
