// SPDX-License-Identifier: MIT
// A new epoch: transitions that waited for the dead are resolved by the step functions; a home that
// died passes to its successor, which learns from every survivor what it holds (adopt, reports,
// then "that was all"). What nobody reports is lost: its users are killed when they touch it.
#include "kernel/init.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container_priv.h"
#include "ssi/container/wire.h"

NODE_VAR(struct node_set, awaited); // survivors that have not said "that was all"
NODE_VAR(bool, rebuilding);

// ---- the new home -------------------------------------------------------------------------------

static void become_home(struct container *c, uint32_t generation)
{
    struct container_link *l = c->link;
    l->home = cluster_self();
    l->generation = MAX(l->generation, generation) + 1;
    coh_gate_init(&l->gate, true);
    node_set_clear(&l->attached);
    node_set_clear(&l->asked);
    l->known = node_set_of(cluster_self());
    if (c->users > 0)
        node_set_add(&l->attached, cluster_self());
    l->ending = false;
    l->orphaned = true;
    l->rebuilding = true;
}

static void rebuilt_one(struct container *c, void *arg UNUSED)
{
    struct container_link *l = c->link;
    if (!l->rebuilding)
        return;
    l->rebuilding = false;
    transition_home_event(c, COH_REBUILT, NULL);
    link_check_end(c);
}

static void rebuilt(void)
{
    if (!node(rebuilding))
        return;
    node(rebuilding) = false;
    link_each(rebuilt_one, NULL);
}

// ---- what this node reports ---------------------------------------------------------------------

static void report(struct container *c)
{
    struct coh_msg m = {.kind = COH_EPOCH_HOLDER, .from = cluster_self()};
    wire_cork();
    for (uint32_t i = 0; radix_next(&c->pages, &i); i++)
        transition_event(c, i, &m, NULL);
    wire_uncork();
}

static void adopt(struct container *c, node_id_t home)
{
    struct container_adopt_wire w = {
        .ref = {.id = c->id,
                .source = c->source,
                .home = c->link->home,
                .home_generation = c->link->generation,
                .extent = c->extent},
        .used = c->users > 0,
    };
    wire_send(home, MSG_container_adopt, &w, sizeof(w));
}

static void home_died(struct container *c)
{
    struct container_link *l = c->link;
    node_id_t heir = cluster_successor(l->home);
    log_info("container", "home %u of %u.%u is gone, successor %u", l->home, c->id.node,
             c->id.number, heir);
    if (heir == cluster_self()) {
        become_home(c, l->generation);
    } else {
        l->home = heir;
        adopt(c, heir);
    }
    report(c);
}

// ---- every container ----------------------------------------------------------------------------

static void forget(struct container_link *l, const struct node_set *lost)
{
    node_set_minus(&l->attached, lost);
    node_set_minus(&l->known, lost);
    node_set_minus(&l->exported, lost);
}

static void epoch_one(struct container *c, void *arg)
{
    const struct node_set *lost = arg;
    struct container_link *l = c->link;
    forget(l, lost);
    if (!node_set_has(lost, l->home) && node_set_has(lost, l->former))
        link_former_died(c);
    if (!link_is_home(c)) {
        if (node_set_has(lost, l->home))
            home_died(c);
        return;
    }
    if (l->gate.state != COH_GATE_MOVING) // else the directory is another's, or comes back
        transition_home_event(c, COH_EPOCH_HOME, lost);
    struct coh_gate_event e = {.kind = COH_EPOCH_GATE, .from = cluster_self(), .lost = *lost};
    struct container_id id = c->id;
    gate_event(c, &e, l->fork ? fork_child_of(l->fork) : NULL, 0);
    if (link_find(&id) == c) // a gate that opens may find that nobody uses it any more
        link_epoch_end(c, lost);
}

static void on_epoch(const struct epoch_change *change)
{
    struct node_set lost = {{0}}, heirs = {{0}};
    for (unsigned i = 0; i < change->gone_count; i++)
        node_set_add(&lost, change->gone[i]);
    if (change->gone_count == 0)
        return;
    hold_release();
    rebuilt(); // what an earlier epoch began: all reports of its survivors are here (flush)
    for (unsigned i = 0; i < change->gone_count; i++)
        node_set_add(&heirs, cluster_successor(change->gone[i]));
    if (node_set_has(&heirs, cluster_self())) {
        node(rebuilding) = true;
        node_set_clear(&node(awaited));
        for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n))
            node_set_add(&node(awaited), n);
        node_set_remove(&node(awaited), cluster_self());
    }
    link_each(epoch_one, &lost);
    struct container_head_wire done = {.generation = change->epoch};
    node_set_for_each (&heirs, n) {
        if (n != cluster_self())
            wire_send(n, MSG_container_reported, &done, sizeof(done));
    }
    if (node_set_empty(&node(awaited)))
        rebuilt();
}

// ---- messages -----------------------------------------------------------------------------------

void container_on_adopt(const struct rpc_in *in)
{
    struct container_adopt_wire w;
    if (in->n != sizeof(w) || !node(rebuilding)) {
        cluster_count_add("container: adoption refused", 1);
        return;
    }
    memcpy(&w, in->bytes, sizeof(w));
    struct container *c = link_find(&w.ref.id);
    if (c == NULL) {
        c = container_new(&w.ref.source);
        if (c && !link_make(c, &w.ref.id, cluster_self(), w.ref.home_generation)) {
            container_put(c);
            c = NULL;
        }
        if (c == NULL) {
            cluster_count_add("container: no memory to be a home", 1);
            return;
        }
        c->users = 0;
        become_home(c, w.ref.home_generation);
    }
    if (!link_is_home(c)) {
        // It had not heard that the home had moved to the one that died.
        become_home(c, w.ref.home_generation);
        report(c);
    }
    c->extent = MAX(c->extent, MIN(w.ref.extent, INDEX_END));
    node_set_add(&c->link->known, in->from);
    if (w.used)
        node_set_add(&c->link->attached, in->from);
}

void container_on_reported(const struct rpc_in *in)
{
    node_set_remove(&node(awaited), in->from);
    if (node_set_empty(&node(awaited)))
        rebuilt();
}

static void epoch_start(void)
{
    cluster_on_epoch(on_epoch);
}
INIT_STEP(INIT_THREADS, epoch_start);
