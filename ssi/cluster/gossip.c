// SPDX-License-Identifier: MIT
// Once a second each node tells the others how much it has left.
#include "ssi/cluster/cluster_priv.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "ssi/cluster/rpc.h"

enum {
    GOSSIP_MS = 1000,
    GOSSIP_FILLS_MAX = 4
};

struct gossip_load { // on the wire
    uint32_t free_kib;
    uint32_t processes;
    uint32_t load;
} PACKED;
STATIC_ASSERT(sizeof(struct gossip_load) == 12, "load on the wire");

typedef void (*gossip_fill)(struct cluster_load *);

NODE_VAR(struct cluster_load, gossip_loads[NODE_MAX]);
NODE_VAR(uint32_t, gossip_incarnations[NODE_MAX]); // whose load it is; 0: none
NODE_VAR(gossip_fill, gossip_fills[GOSSIP_FILLS_MAX]);
NODE_VAR(unsigned, gossip_fill_count);

void cluster_on_load_fill(void (*fill)(struct cluster_load *))
{
    if (node(gossip_fill_count) < GOSSIP_FILLS_MAX)
        node(gossip_fills)[node(gossip_fill_count)++] = fill;
}

static void gossip_note(node_id_t n, const struct cluster_load *load)
{
    const struct member *m = cluster_member(n);
    if (m == NULL)
        return;
    node(gossip_loads)[n] = *load;
    node(gossip_incarnations)[n] = m->incarnation;
}

static void gossip_mine(struct cluster_load *load)
{
    memset(load, 0, sizeof(*load));
    load->free_kib = frame_free_count() * (PAGE_SIZE / 1024);
    for (unsigned i = 0; i < node(gossip_fill_count); i++)
        node(gossip_fills)[i](load);
}

bool cluster_load_of(node_id_t n, struct cluster_load *out)
{
    const struct member *m = cluster_member(n);
    if (m == NULL)
        return false;
    if (n == cluster_self()) {
        gossip_mine(out);
        return true;
    }
    if (node(gossip_incarnations)[n] != m->incarnation)
        return false;
    *out = node(gossip_loads)[n];
    return true;
}

void cluster_on_load(const struct rpc_in *in)
{
    struct gossip_load wire;
    if (in->n != sizeof(wire)) {
        cluster_count_add("gossip: malformed", 1);
        return;
    }
    memcpy(&wire, in->bytes, sizeof(wire));
    struct cluster_load load = {
        .free_kib = wire.free_kib, .processes = wire.processes, .load = wire.load};
    gossip_note(in->from, &load);
}

static void gossip_thread(void *arg)
{
    (void)arg;
    cluster_wait_epoch();
    for (;;) {
        struct cluster_load load;
        gossip_mine(&load);
        struct gossip_load wire = {
            .free_kib = load.free_kib, .processes = load.processes, .load = load.load};
        for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n))
            if (n != cluster_self())
                (void)rpc_send(n, MSG_cluster_load, &wire, sizeof(wire)); // the next one comes
        (void)wait_for_ns(GOSSIP_MS * NS_PER_MS, 0);
    }
}

void cluster_gossip_start(void)
{
    thread_create("gossip", THREAD_NORMAL, gossip_thread, NULL);
}
