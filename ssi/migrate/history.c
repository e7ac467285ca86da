// SPDX-License-Identifier: MIT
// /proc/cluster/migrations: the hand-offs that ended, of all nodes, in order of time. The target
// keeps those that were done, the source those that failed.
#include "kernel/init.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/container/container.h"
#include "ssi/migrate/migrate_priv.h"
#include "ssi/process/procfs.h"

#define RECORDS_MAX 512u // newest of this node
#define ASKED_MAX   64u  // newest that another node is told

NODE_VAR(struct move_record, records[RECORDS_MAX]);
NODE_VAR(uint32_t, record_count);              // ever added
NODE_VAR(struct move_record, told[ASKED_MAX]); // an answer, sent before anything else runs

void history_add(const struct move_record *r)
{
    node(records)[node(record_count)++ % RECORDS_MAX] = *r;
    log_info("migrate", "%d from node %u to node %u: %s, frozen %u us, ghost %u bytes, by %s",
             r->pid, r->from, r->to, r->outcome, r->freeze_us, r->ghost_bytes, r->decided_by);
}

// What a process unmaps takes its counts along: the most ever seen is what it had.
static uint32_t counted(uint32_t seen, uint32_t before, uint32_t now)
{
    return now > before ? MAX(seen, now - before) : seen;
}

// Pages fetched and drained since the move, of a record whose process is here.
static void counts_update(struct move_record *r, struct process *p)
{
    struct container_counts c;
    if (p == NULL || p->space == NULL || r->incarnation == 0 || p->incarnation != r->incarnation)
        return;
    container_space_counts(p->space, &c);
    r->fetched = counted(r->fetched, r->fetched_before, c.fetched);
    r->drained = counted(r->drained, r->drained_before, c.drained);
}

static uint32_t records_kept(void)
{
    return MIN(node(record_count), RECORDS_MAX);
}

void history_counts_take(struct process *p)
{
    for (uint32_t i = 0; i < records_kept(); i++)
        if (node(records)[i].pid == p->pid)
            counts_update(&node(records)[i], p);
}

// The newest `max` records of this node, oldest first; returns how many.
static uint32_t records_copy(struct move_record *to, uint32_t max)
{
    uint32_t n = MIN(records_kept(), max);
    for (uint32_t i = 0; i < records_kept(); i++)
        counts_update(&node(records)[i], process_find(node(records)[i].pid));
    for (uint32_t i = 0; i < n; i++)
        to[i] = node(records)[(node(record_count) - n + i) % RECORDS_MAX];
    return n;
}

void history_asked(const struct rpc_in *in)
{
    uint32_t n = records_copy(node(told), ASKED_MAX);
    rpc_reply(in->from, in->request, 0, node(told), n * sizeof(node(told)[0]));
}

static void sort_by_time(struct move_record *r, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct move_record key = r[i];
        uint32_t at = i;
        for (; at > 0 && r[at - 1].at_ns > key.at_ns; at--)
            r[at] = r[at - 1];
        r[at] = key;
    }
}

static uint32_t records_gather(struct move_record *all, uint32_t max)
{
    uint32_t n = records_copy(all, RECORDS_MAX);
    node_id_t member = NODE_NONE;
    while ((member = cluster_next(member)) != NODE_NONE && n + ASKED_MAX <= max) {
        if (member == cluster_self())
            continue;
        long got =
            rpc_call(member, MSG_moves_list, NULL, 0, all + n, ASKED_MAX * sizeof(all[0]), 0);
        if (got > 0) // a node that died meanwhile has nothing to say
            n += (uint32_t)got / sizeof(all[0]);
    }
    sort_by_time(all, n);
    return n;
}

static void history_show(struct text *t)
{
    uint32_t max = RECORDS_MAX + 16 * ASKED_MAX;
    struct move_record *all = heap_alloc(max * sizeof(*all));
    if (all == NULL)
        return;
    uint32_t n = records_gather(all, max);
    for (uint32_t i = 0; i < n; i++) {
        const struct move_record *r = &all[i];
        text_add(t, "%d %u %u %.*s %u %u %u %u %.*s\n", r->pid, r->from, r->to,
                 (int)sizeof(r->outcome) - 1, r->outcome, r->freeze_us, r->ghost_bytes, r->fetched,
                 r->drained, DECIDED_BY_BYTES - 1, r->decided_by);
    }
    heap_free(all);
}

static void history_start(void)
{
    procfs_cluster_file("migrations", history_show, NULL);
}
INIT_STEP(INIT_PROCESS, history_start);
