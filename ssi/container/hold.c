// SPDX-License-Identifier: MIT
// Minimum hold (PROTOCOLS 5): a page that a thread here waited for is not taken away again before
// the thread had time to use it; else nodes that share a page could pass it round for ever. What
// wants it away waits here; until it is answered the home says nothing more about that page.
#include "kernel/init.h"
#include "kernel/timer.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container_priv.h"

#define HOLD_NS (1 * NS_PER_MS)
#define RECENT  32u // pages that came last

struct arrived {
    struct container *c;
    uint32_t index;
    uint64_t until_ns;
};

struct delayed {
    struct list link;
    struct container *c;
    uint32_t index;
    struct coh_msg msg;
    uint64_t until_ns;
};

NODE_VAR(struct arrived, arrived[RECENT]);
NODE_VAR(unsigned, arrived_next);
NODE_VAR(struct list, delayed);
NODE_VAR(struct timer, hold_timer);

void hold_begin(struct container *c, uint32_t index)
{
    unsigned at = node(arrived_next)++ % RECENT;
    node(arrived)[at] =
        (struct arrived){.c = c, .index = index, .until_ns = clock_now_ns() + HOLD_NS};
}

static uint64_t held_until(struct container *c, uint32_t index)
{
    for (unsigned i = 0; i < RECENT; i++) {
        const struct arrived *a = &node(arrived)[i];
        if (a->c == c && a->index == index)
            return a->until_ns;
    }
    return 0;
}

static bool takes_away(const struct coh_msg *m)
{
    return m->kind == COH_INVALIDATE || (m->kind == COH_FORWARD && !(m->flags & COH_PUSH));
}

bool hold_back(struct container *c, uint32_t index, const struct coh_msg *m)
{
    uint64_t until = takes_away(m) && c->users > 0 ? held_until(c, index) : 0;
    struct delayed *d = until > clock_now_ns() ? heap_alloc(sizeof(*d)) : NULL;
    if (d == NULL)
        return false; // also without memory: no patience then
    *d = (struct delayed){.c = c, .index = index, .msg = *m, .until_ns = until};
    list_append(&node(delayed), &d->link);
    if (!timer_is_set(&node(hold_timer)))
        timer_set(&node(hold_timer), until);
    return true;
}

static void forget_arrival(struct container *c, uint32_t index)
{
    for (unsigned i = 0; i < RECENT; i++) {
        if (node(arrived)[i].c == c && node(arrived)[i].index == index)
            node(arrived)[i] = (struct arrived){0};
    }
}

static void deliver(struct delayed *d)
{
    list_remove(&d->link);
    forget_arrival(d->c, d->index);
    if (cluster_is_member(d->msg.from))
        transition_event(d->c, d->index, &d->msg, NULL);
    heap_free(d);
}

void hold_release(void)
{
    while (!list_empty(&node(delayed)))
        deliver(list_entry(node(delayed).next, struct delayed, link));
}

static void hold_over(void *arg UNUSED)
{
    wire_cork();
    while (!list_empty(&node(delayed))) {
        struct delayed *d = list_entry(node(delayed).next, struct delayed, link);
        if (d->until_ns > clock_now_ns()) {
            timer_set(&node(hold_timer), d->until_ns);
            break;
        }
        deliver(d);
    }
    wire_uncork();
}

void hold_forget(struct container *c)
{
    struct delayed *d, *next;
    list_for_each_safe (d, next, &node(delayed), link) {
        if (d->c == c) {
            list_remove(&d->link);
            heap_free(d);
        }
    }
    for (unsigned i = 0; i < RECENT; i++) {
        if (node(arrived)[i].c == c)
            node(arrived)[i] = (struct arrived){0};
    }
}

static void hold_start(void)
{
    list_init(&node(delayed));
    timer_init(&node(hold_timer), hold_over, NULL);
}
INIT_STEP(INIT_CORE, hold_start);
