// SPDX-License-Identifier: MIT
// Drain: pages without a user here are offered to the home, which has them pushed to a node with
// users; then the home itself follows. One thread looks at all such containers in turn, a few
// pages each; it holds none of them while it sleeps. What was asked for last is followed first:
// the pages behind a demand are the next to go.
#include "kernel/fault.h"
#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/node_var.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container_priv.h"

#define OFFERS_MAX 8u // of one container under way: what a receiver must have room for
#define TICK_NS    (100 * NS_PER_MS) // when nothing moves, look again
#define TICKS_LOST 20u               // then offers that nobody answered are made again

NODE_VAR(struct list, draining);
NODE_VAR(struct wait_queue, drain_wake);
NODE_VAR(unsigned, idle_ticks);

void drain_consider(struct container *c)
{
    struct container_link *l = c->link;
    if (c->users > 0 || l->lodges || setting_is("drain", "off") || !list_empty(&l->drain_link))
        return;
    l->drain_cursor = 0;
    l->drain_wrapped = false;
    l->drain_offers = 0;
    list_append(&node(draining), &l->drain_link);
    (void)FAULT("drain", "begin", l->home);
    wait_wake_all(&node(drain_wake));
}

void drain_forget(struct container *c)
{
    list_remove(&c->link->drain_link);
}

void drain_progress(struct container *c, uint32_t index)
{
    struct container_link *l = c->link;
    if (list_empty(&l->drain_link))
        return;
    if (l->drain_offers > 0)
        l->drain_offers--;
    else
        l->drain_cursor = index + 1; // asked for before it was offered: the next are hot
    wait_wake_all(&node(drain_wake));
}

void container_drain(struct container *c, node_id_t target)
{
    struct container_link *l = c->link;
    if (l == NULL || target >= NODE_MAX || target == cluster_self())
        return;
    node_set_add(&l->exported, target);
    if (c->users == 0)
        link_left(c);
}

// The next page to offer; false at the end of the round.
static bool next_page(struct container *c, uint32_t *index)
{
    struct container_link *l = c->link;
    for (;;) {
        uint32_t i = l->drain_cursor;
        page_t p = (page_t)radix_next(&c->pages, &i);
        if (p == 0) {
            if (l->drain_wrapped)
                return false;
            l->drain_wrapped = true;
            l->drain_cursor = 0;
            continue;
        }
        l->drain_cursor = i + 1;
        if (page_may_read(p)) {
            *index = i;
            return true;
        }
    }
}

static bool home_can_follow(struct container *c, node_id_t to)
{
    return link_is_home(c) && to != NODE_NONE && c->link->gate.state == COH_GATE_OPEN &&
           gate_directory_fits(c, to);
}

// A page that the home holds alone and that is as its provider gave it can be untouched again.
static bool forget_clean(struct container *c, uint32_t index)
{
    struct container_link *l = c->link;
    page_t p = page_get(c, index);
    if (!link_is_home(c) || !(p & PAGE_CLEAN) || page_held(p) != COH_HELD_WRITER || l->orphaned ||
        page_asked(p) || radix_get(&l->directory, index))
        return false;
    page_drop(c, index);
    return true;
}

static void offer(struct container *c, uint32_t index)
{
    struct coh_msg m = {.kind = COH_DRAIN, .from = cluster_self()};
    c->link->drain_offers += page_held(page_get(c, index)) != COH_HELD_READER;
    transition_event(c, index, &m, NULL);
}

static bool offer_some(struct container *c)
{
    struct container_link *l = c->link;
    uint32_t index;
    unsigned looked = 0;
    if (link_is_home(c) && node_set_empty(&l->attached))
        return false;
    wire_cork();
    for (; l->drain_offers < OFFERS_MAX && looked < PIECE_PAGES && next_page(c, &index); looked++) {
        if (!forget_clean(c, index))
            offer(c, index);
    }
    wire_uncork();
    return looked > 0;
}

// A few pages of one container: true when something was done.
static bool drain_piece(struct container *c)
{
    struct container_link *l = c->link;
    if (c->users > 0) {
        drain_forget(c);
        return false;
    }
    if (c->present > 0)
        return offer_some(c);
    if (!link_is_home(c)) {
        drain_forget(c);
        return false;
    }
    node_id_t to = node_set_first(&l->attached);
    if (!home_can_follow(c, to))
        return false;
    (void)FAULT("drain", "move", to);
    struct coh_gate_event e = {.kind = COH_MOVE, .from = cluster_self(), .node = to};
    gate_event(c, &e, NULL, 0);
    gate_look(c);
    return true;
}

// Offers may have been lost with a home, or refused for want of memory: a new round.
static void new_round(void)
{
    struct container_link *l;
    list_for_each (l, &node(draining), drain_link) {
        l->drain_offers = 0;
        l->drain_cursor = 0;
        l->drain_wrapped = false;
    }
}

static void drain_run(void *arg UNUSED)
{
    for (;;) {
        bool any = false;
        struct container_link *l, *next;
        list_for_each_safe (l, next, &node(draining), drain_link)
            any |= drain_piece(l->container);
        if (any) {
            node(idle_ticks) = 0;
            kernel_pause();
            continue;
        }
        bool none = list_empty(&node(draining));
        uint64_t until = none ? WAIT_FOREVER : clock_now_ns() + TICK_NS;
        if (wait_sleep(&node(drain_wake), until, 0) == 0)
            node(idle_ticks) = 0;
        else if (++node(idle_ticks) % TICKS_LOST == 0)
            new_round();
    }
}

static void depends_here(struct container *c, void *arg)
{
    bool *any = arg;
    bool home_here;
    if (c->users == 0)
        lodge_give_back(c);
    *any |= container_pages_only_here(c, &home_here) > 0 || home_here;
}

// A node that leaves the cluster waits until no container depends on it.
static bool nothing_depends(void)
{
    bool any = false;
    link_each(depends_here, &any);
    return !any;
}

static void drain_init(void)
{
    list_init(&node(draining));
    wait_init(&node(drain_wake));
}
INIT_STEP(INIT_CORE, drain_init);

// Not of the idle class: on a busy node that would be never.
static void drain_start(void)
{
    (void)thread_create("drain", THREAD_NORMAL, drain_run, NULL);
    cluster_on_leaving(nothing_depends);
}
INIT_STEP(INIT_NET, drain_start);
