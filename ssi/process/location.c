// SPDX-License-Identifier: MIT
#include "ssi/process/location.h"
#include "kernel/fault.h"
#include "kernel/init.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/messages.h"
#include "ssi/process/priv.h"

#define HASH_SIZE 128
#define HINTS_MAX 4096 // of processes born elsewhere; the oldest goes first

struct location {
    struct list hash_link;
    struct list age_link; // hints only: in order of arrival
    int32_t pid;
    uint32_t incarnation;
    node_id_t node;
    bool thread; // of a process that has another PID: nobody's child
};

NODE_VAR(struct list, locations[HASH_SIZE]);
NODE_VAR(struct list, hints);
NODE_VAR(unsigned, hint_count);

static struct location *find(int32_t pid)
{
    struct location *l;
    list_for_each (l, &node(locations)[(uint32_t)pid % HASH_SIZE], hash_link) {
        if (l->pid == pid)
            return l;
    }
    return NULL;
}

static void drop(struct location *l)
{
    list_remove(&l->hash_link);
    if (!list_empty(&l->age_link)) {
        list_remove(&l->age_link);
        node(hint_count)--;
    }
    heap_free(l);
}

void location_set(int32_t pid, node_id_t where, uint32_t incarnation)
{
    struct location *l = find(pid);
    if (l && l->incarnation > incarnation)
        return;
    if (!l) {
        l = heap_zalloc(sizeof(*l));
        if (!l) {
            cluster_count_add("process: no memory for a location", 1);
            return;
        }
        l->pid = pid;
        list_init(&l->age_link);
        list_append(&node(locations)[(uint32_t)pid % HASH_SIZE], &l->hash_link);
        if (pid_birth_node(pid) != cluster_self()) {
            list_append(&node(hints), &l->age_link);
            if (++node(hint_count) > HINTS_MAX)
                drop(list_entry(node(hints).next, struct location, age_link));
        }
    }
    l->node = where;
    l->incarnation = incarnation;
    (void)FAULT("location", "set", where);
}

void location_hint(int32_t pid, node_id_t where, uint32_t incarnation)
{
    location_set(pid, where, incarnation);
}

void location_set_thread(int32_t tid, node_id_t where, uint32_t incarnation)
{
    location_set(tid, where, incarnation);
    struct location *l = find(tid);
    if (l)
        l->thread = true;
}

void location_forget(int32_t pid)
{
    struct location *l = find(pid);
    if (l)
        drop(l);
}

void location_trim(void)
{
    while (!list_empty(&node(hints)))
        drop(list_entry(node(hints).next, struct location, age_link));
}

bool location_known(int32_t pid, node_id_t *where, uint32_t *incarnation)
{
    const struct location *l = find(pid);
    if (!l)
        return false;
    *where = l->node;
    *incarnation = l->incarnation;
    return true;
}

node_id_t location_of(int32_t pid)
{
    if (process_find(pid))
        return cluster_self();
    const struct location *l = find(pid);
    if (l && cluster_is_member(l->node))
        return l->node;
    node_id_t birth = pid_birth_node(pid);
    return cluster_is_member(birth) ? birth : NODE_NONE;
}

node_id_t location_guess(int32_t pid)
{
    node_id_t n = location_of(pid);
    return n == NODE_NONE ? pid_birth_node(pid) : n;
}

// The birth node forgets it and tells everybody: a parent or children may be anywhere. A successor
// of the birth node has no list of its pids in use: each hand-off speaks once.
void location_dead(int32_t pid, uint32_t incarnation, node_id_t with)
{
    const struct location *l = find(pid);
    bool born_here = pid_birth_node(pid) == cluster_self();
    // What a hand-off has left here, or had begun to make here, does not run and is no life.
    const struct process *p = process_find(pid);
    bool lives = p && (p->state != PROCESS_MOVING || p->incarnation > incarnation);
    if (lives || (l && l->incarnation > incarnation) || (born_here && !pid_in_use(pid)) ||
        (!born_here && cluster_is_member(pid_birth_node(pid))))
        return;
    (void)FAULT("location", "dead", NODE_NONE);
    location_forget(pid);
    if (born_here) {
        pid_put(pid);
        (void)init_child_ended(pid, SIGKILL);
    }
    relatives_lost(pid, with);
}

node_id_t location_search(int32_t pid)
{
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        struct message_about m = {pid, 0};
        struct {
            struct answer head;
            struct remote_facts facts;
        } PACKED reply;
        long got = rpc_call(n, MSG_process_facts, &m, sizeof(m), &reply, sizeof(reply), 0);
        if (got < (long)sizeof(reply.head))
            continue;
        bool has = reply.head.what == ANSWER_WAIT ||
                   (reply.head.what == ANSWER_DONE && reply.head.result == 0);
        if (has) {
            location_set(pid, n, reply.head.incarnation);
            return n;
        }
    }
    return NODE_NONE;
}

// ---- a new epoch -------------------------------------------------------------------------------
static bool is_gone(const struct epoch_change *c, node_id_t n)
{
    for (unsigned i = 0; i < c->gone_count; i++) {
        if (c->gone[i] == n)
            return true;
    }
    return false;
}

// Processes and threads of this birth node that were on a node that is gone are gone with it.
static void on_epoch(const struct epoch_change *c)
{
    for (unsigned i = 0; c->gone_count && i < HASH_SIZE; i++) {
        struct location *l, *next;
        list_for_each_safe (l, next, &node(locations)[i], hash_link) {
            if (!is_gone(c, l->node))
                continue;
            if (pid_birth_node(l->pid) == cluster_self() && !process_find(l->pid) &&
                !task_find(l->pid)) {
                pid_put(l->pid);
                if (!l->thread) {
                    // A parent may still see what a hand-off had imported there and is thrown away.
                    relatives_lost(l->pid, l->node);
                    (void)init_child_ended(l->pid, SIGKILL);
                }
            }
            drop(l);
        }
    }
    if (c->gone_count)
        relatives_check();
}

static void location_init(void)
{
    for (unsigned i = 0; i < HASH_SIZE; i++)
        list_init(&node(locations)[i]);
    list_init(&node(hints));
    cluster_on_epoch(on_epoch);
}
INIT_STEP(INIT_THREADS, location_init);
