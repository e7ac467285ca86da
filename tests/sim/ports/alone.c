// SPDX-License-Identifier: MIT
// A node without a cluster: nobody to talk to. For tests of one node's side of a room.
#include "kernel/random.h"
#include "kernel/settings.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/link.h"
#include "ssi/cluster/rpc.h"

node_id_t cluster_self(void)
{
    return 0;
}

bool cluster_is_member(node_id_t n)
{
    return n == 0;
}

node_id_t cluster_next(node_id_t after)
{
    return after == NODE_NONE ? 0 : NODE_NONE;
}

node_id_t cluster_fs_home(void)
{
    return 0;
}

uint64_t cluster_real_ns(void)
{
    return UINT64_C(1700000000) * 1000000000;
}

node_id_t cluster_successor(node_id_t n UNUSED)
{
    return 0;
}

void cluster_on_epoch(void (*fn)(const struct epoch_change *) UNUSED)
{
}

void cluster_on_leaving(bool (*is_empty)(void) UNUSED)
{
}

void cluster_count_add(const char *reason UNUSED, uint32_t n UNUSED)
{
}

bool cluster_load_of(node_id_t n UNUSED, struct cluster_load *out UNUSED)
{
    return false;
}

bool link_can_carry_page(void)
{
    return true;
}

int rpc_send(node_id_t to UNUSED, enum rpc_kind kind UNUSED, const void *bytes UNUSED,
             size_t n UNUSED)
{
    return -EHOSTDOWN;
}

long rpc_call(node_id_t to UNUSED, enum rpc_kind kind UNUSED, const void *bytes UNUSED,
              size_t n UNUSED, void *reply UNUSED, size_t reply_size UNUSED, unsigned flags UNUSED)
{
    return -EHOSTDOWN;
}

void rpc_reply(node_id_t to UNUSED, uint32_t request UNUSED, int status UNUSED,
               const void *bytes UNUSED, size_t n UNUSED)
{
}

bool setting_is(const char *key UNUSED, const char *value UNUSED)
{
    return false;
}

uint32_t random_u32(void)
{
    return 7;
}

struct thread *thread_create(const char *name UNUSED, enum thread_class class UNUSED,
                             void (*fn)(void *) UNUSED, void *arg UNUSED)
{
    return NULL;
}

uint64_t clock_now_ns(void)
{
    return 0;
}

void timer_init(struct timer *t, void (*fn)(void *) UNUSED, void *arg UNUSED)
{
    list_init(&t->link);
}

void timer_set(struct timer *t UNUSED, uint64_t at_ns UNUSED)
{
}

bool timer_is_set(const struct timer *t UNUSED)
{
    return false;
}

int wait_for_ns(uint64_t ns UNUSED, unsigned flags UNUSED)
{
    ASSERT(!"the test would sleep");
    return 0;
}

void rpc_lose_next(void)
{
}
