// SPDX-License-Identifier: MIT
// `weft node remove N`: the coordinator marks N as leaving in the next epoch (it is no elector any
// more); N's rooms drain; when all are empty N says so and the epoch after is without it.
#include "ssi/cluster/cluster_priv.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/rpc.h"

enum {
    LEAVE_HOOKS_MAX = 16,
    LEAVE_TRIES = 20,
    LEAVE_AGAIN_MS = 200
};

struct leave_request { // on the wire
    uint16_t id;
    uint16_t has_left;
} PACKED;
STATIC_ASSERT(sizeof(struct leave_request) == 4, "leave on the wire");

typedef bool (*leave_hook)(void);

NODE_VAR(leave_hook, leave_hooks[LEAVE_HOOKS_MAX]);
NODE_VAR(unsigned, leave_hook_count);

void cluster_on_leaving(bool (*is_empty)(void))
{
    if (node(leave_hook_count) < LEAVE_HOOKS_MAX)
        node(leave_hooks)[node(leave_hook_count)++] = is_empty;
}

void cluster_on_leave(const struct rpc_in *in)
{
    struct leave_request r;
    int status = 0;
    if (in->n != sizeof(r)) {
        rpc_reply(in->from, in->request, -EINVAL, NULL, 0);
        return;
    }
    memcpy(&r, in->bytes, sizeof(r));
    if (!cluster_is_member(r.id) || (r.has_left && in->from != r.id))
        status = -EINVAL;
    else if (mb_coordinator(cluster_membership(), cluster_now_ms()) != cluster_self())
        status = -EAGAIN;
    else if (cluster_count() == 1)
        status = -EBUSY;
    else
        cluster_leave_event(r.id, r.has_left);
    rpc_reply(in->from, in->request, status, NULL, 0);
}

int cluster_leave(node_id_t n)
{
    struct leave_request r = {.id = n};
    long e = -EAGAIN;
    for (unsigned i = 0; i < LEAVE_TRIES && (e == -EAGAIN || e == -EHOSTDOWN); i++) {
        if (i > 0)
            (void)wait_for_ns(LEAVE_AGAIN_MS * NS_PER_MS, 0);
        node_id_t boss = mb_coordinator(cluster_membership(), cluster_now_ms());
        e = rpc_call(boss, MSG_cluster_leave, &r, sizeof(r), NULL, 0, 0);
    }
    return e == -EHOSTDOWN ? -EAGAIN : (int)e;
}

void cluster_leave_tick(void)
{
    const struct member *me = cluster_member(cluster_self());
    if (me == NULL || me->state != MEMBER_LEAVING)
        return;
    for (unsigned i = 0; i < node(leave_hook_count); i++)
        if (!node(leave_hooks)[i]())
            return;
    struct leave_request r = {.id = me->id, .has_left = 1};
    node_id_t boss = mb_coordinator(cluster_membership(), cluster_now_ms());
    (void)rpc_send(boss, MSG_cluster_leave, &r, sizeof(r)); // said again at the next tick
}
