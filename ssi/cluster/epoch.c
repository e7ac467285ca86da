// SPDX-License-Identifier: MIT
// The installed epoch: what cluster.h's questions are answered from, and who hears of a new one.
#include "ssi/cluster/cluster_priv.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"

enum {
    EPOCH_HOOKS_MAX = 32
};

typedef void (*epoch_hook)(const struct epoch_change *);

NODE_VAR(node_id_t, epoch_self) = NODE_NONE;
NODE_VAR(uint32_t, epoch_number);
NODE_VAR(node_id_t, epoch_fs_home) = NODE_NONE;
NODE_VAR(struct member, epoch_members[NODE_MAX]); // by id; MEMBER_GONE: none
NODE_VAR(unsigned, epoch_count);
NODE_VAR(epoch_hook, epoch_hooks[EPOCH_HOOKS_MAX]);
NODE_VAR(unsigned, epoch_hook_count);
NODE_VAR(node_id_t, epoch_gone[NODE_MAX]);
NODE_VAR(node_id_t, epoch_joined[NODE_MAX]);

node_id_t cluster_self(void)
{
    return node(epoch_self);
}

uint32_t cluster_epoch(void)
{
    return node(epoch_number);
}

const struct member *cluster_member(node_id_t n)
{
    if (n >= NODE_MAX)
        return NULL;
    const struct member *m = &node(epoch_members)[n];
    return m->state == MEMBER_ONLINE || m->state == MEMBER_LEAVING ? m : NULL;
}

bool cluster_is_member(node_id_t n)
{
    return cluster_member(n) != NULL;
}

unsigned cluster_count(void)
{
    return node(epoch_count);
}

node_id_t cluster_next(node_id_t after)
{
    for (unsigned n = after == NODE_NONE ? 0 : after + 1u; n < NODE_MAX; n++)
        if (cluster_is_member((node_id_t)n))
            return (node_id_t)n;
    return NODE_NONE;
}

node_id_t cluster_successor(node_id_t n)
{
    node_id_t next = cluster_next(n);
    return next != NODE_NONE ? next : cluster_next(NODE_NONE);
}

node_id_t cluster_fs_home(void)
{
    return node(epoch_fs_home);
}

void cluster_on_epoch(void (*fn)(const struct epoch_change *))
{
    ASSERT(node(epoch_hook_count) < EPOCH_HOOKS_MAX);
    node(epoch_hooks)[node(epoch_hook_count)++] = fn;
}

uint32_t cluster_gone_incarnation(node_id_t n, uint32_t *ip)
{
    const struct member *m = &node(epoch_members)[n];
    *ip = m->ip;
    return m->state == MEMBER_GONE ? m->incarnation : 0;
}

static void epoch_tell(const struct member *m, const char *what)
{
    cluster_event("node %u.%u (%u.%u.%u.%u) %s in epoch %u", m->id, m->incarnation, m->ip >> 24,
                  (m->ip >> 16) & 255, (m->ip >> 8) & 255, m->ip & 255, what, node(epoch_number));
}

// Those of the old epoch that the new one has not got, by identity.
static unsigned epoch_drop_gone(const struct mb_record *r)
{
    unsigned gone = 0;
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        struct member *m = &node(epoch_members)[n];
        const struct mb_member *now = mb_record_member(r, n);
        if (now != NULL && now->incarnation == m->incarnation)
            continue;
        epoch_tell(m, m->state == MEMBER_LEAVING ? "left" : "died");
        m->state = MEMBER_GONE;
        node(epoch_gone)[gone++] = n;
    }
    return gone;
}

static unsigned epoch_add_members(const struct mb_record *r)
{
    unsigned joined = 0;
    for (unsigned i = 0; i < r->count; i++) {
        const struct mb_member *from = &r->members[i];
        struct member *m = &node(epoch_members)[from->id];
        bool was = m->state != MEMBER_GONE;
        bool leaves = from->leaving && m->state != MEMBER_LEAVING;
        *m = (struct member){.id = from->id,
                             .incarnation = from->incarnation,
                             .state = from->leaving ? MEMBER_LEAVING : MEMBER_ONLINE,
                             .ip = from->ip,
                             .cpus = from->cpus,
                             .features_edx = from->features_edx,
                             .features_ecx = from->features_ecx};
        if (!was)
            node(epoch_joined)[joined++] = m->id;
        if (!was || leaves)
            epoch_tell(m, leaves ? "leaves" : "joined");
    }
    return joined;
}

void cluster_epoch_install(const struct mb_record *r, node_id_t self)
{
    node(epoch_number) = r->epoch;
    node(epoch_self) = self;
    node(epoch_fs_home) = r->fs_home;
    unsigned gone = epoch_drop_gone(r);
    unsigned joined = epoch_add_members(r);
    node(epoch_count) = r->count;
    log_info("cluster", "epoch %u: %u members, this is node %u", r->epoch, r->count, self);
    struct epoch_change change = {.epoch = r->epoch,
                                  .gone = node(epoch_gone),
                                  .gone_count = gone,
                                  .joined = node(epoch_joined),
                                  .joined_count = joined};
    for (unsigned i = 0; i < node(epoch_hook_count); i++)
        node(epoch_hooks)[i](&change);
}
