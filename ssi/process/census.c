// SPDX-License-Identifier: MIT
// Each node tells its successor which processes it has, soon after that changed. When it dies
// together with their birth node, the successor looks for each of them and reports those that
// nobody has: a process is never silently gone.
#include "kernel/init.h"
#include "kernel/timer.h"
#include "kernel/work.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/location.h"
#include "ssi/process/messages.h"
#include "ssi/process/priv.h"

#define SOON_NS  (20 * NS_PER_MS) // changes are told together
#define PIDS_MAX ((RPC_BYTES_MAX - 64) / sizeof(int32_t))

struct census { // of one other node
    struct list link;
    node_id_t of;
    bool died;
    uint32_t count;
    int32_t pids[];
};

NODE_VAR(struct list, censuses) = LIST_INIT(censuses);
NODE_VAR(struct timer, census_timer);
NODE_VAR(struct work, census_work);
NODE_VAR(int32_t, census_pids[PIDS_MAX]);
NODE_VAR(bool, census_started);

static void census_due(void *arg)
{
    (void)arg;
    uint32_t n = 0;
    for (struct process *p = process_next(0); p && n < PIDS_MAX; p = process_next(p->pid))
        if (p->state != PROCESS_ZOMBIE)
            node(census_pids)[n++] = p->pid;
    node_id_t to = cluster_successor(cluster_self());
    if (to != NODE_NONE && to != cluster_self() &&
        rpc_send(to, MSG_process_census, node(census_pids), n * sizeof(int32_t)) < 0)
        census_changed(); // no memory now: soon again
}

void census_tell(void)
{
    timer_cancel(&node(census_timer));
    census_due(NULL);
}

void census_changed(void)
{
    if (node(census_started) && !timer_is_set(&node(census_timer)))
        timer_set(&node(census_timer), clock_now_ns() + SOON_NS);
}

static void census_forget(node_id_t of)
{
    struct census *c, *next;
    list_for_each_safe (c, next, &node(censuses), link) {
        if (c->of != of || c->died)
            continue;
        list_remove(&c->link);
        heap_free(c);
    }
}

void process_on_census(const struct rpc_in *in)
{
    if (in->n % sizeof(int32_t) != 0 || in->n > sizeof(node(census_pids))) {
        cluster_count_add("process: malformed message", 1);
        return;
    }
    census_forget(in->from);
    struct census *c = heap_zalloc(sizeof(*c) + in->n);
    if (c == NULL) {
        cluster_count_add("process: no memory for a census", 1);
        return;
    }
    c->of = in->from;
    c->count = (uint32_t)(in->n / sizeof(int32_t));
    memcpy(c->pids, in->bytes, in->n);
    list_append(&node(censuses), &c->link);
}

// Those of a dead node that no living birth node answers for, and that nobody has.
static void census_report(const struct census *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        node_id_t birth = pid_birth_node(c->pids[i]);
        if (!cluster_is_member(birth) && location_search(c->pids[i]) == NODE_NONE)
            relatives_lost(c->pids[i], c->of);
    }
}

static void census_look(struct work *w)
{
    (void)w;
    for (;;) {
        struct census *c, *dead = NULL;
        list_for_each (c, &node(censuses), link)
            dead = c->died ? c : dead;
        if (dead == NULL)
            return;
        list_remove(&dead->link);
        census_report(dead);
        heap_free(dead);
    }
}

static void on_epoch(const struct epoch_change *change)
{
    struct census *c;
    bool any = false;
    for (unsigned i = 0; i < change->gone_count; i++) {
        list_for_each (c, &node(censuses), link) {
            c->died = c->died || c->of == change->gone[i];
            any = any || c->died;
        }
    }
    if (any)
        work_queue(&node(census_work));
    census_changed(); // the successor may be another one
}

static void census_start(void)
{
    work_init(&node(census_work), THREAD_NORMAL, census_look);
    timer_init(&node(census_timer), census_due, NULL);
    node(census_started) = true;
    cluster_on_epoch(on_epoch);
}
INIT_STEP(INIT_PROCESS, census_start);
