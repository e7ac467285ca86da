// SPDX-License-Identifier: MIT
#include "sched/manager/tables.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"

#define TABLES_MAX 16

struct table {
    struct policy_name name;
    struct global_info row[NODE_MAX];
};

NODE_VAR(struct table *, tables[TABLES_MAX]);

struct value_wire {
    struct policy_name table;
    int32_t value;
    uint32_t policy_crc; // values of another policy are not ours
    uint64_t stamp_ns;
} PACKED;

static struct table *table_find(const struct policy_name *name, bool make)
{
    for (unsigned i = 0; i < TABLES_MAX; i++) {
        struct table **t = &node(tables)[i];
        if (*t == NULL && make) {
            *t = heap_zalloc(sizeof(**t));
            if (*t)
                (*t)->name = *name;
        }
        if (*t == NULL)
            return NULL;
        if (memcmp((*t)->name.text, name->text, sizeof(name->text)) == 0)
            return *t;
    }
    return NULL;
}

const struct global_info *table_row(unsigned link, node_id_t n)
{
    const struct policy *p = graph_policy();
    if (p == NULL || link >= p->header->analyzer_links || n >= NODE_MAX)
        return NULL;
    const struct table *t = table_find(&p->analyzer_links[link].global_infos, false);
    return t ? &t->row[n] : NULL;
}

static void row_set(const struct policy_name *name, node_id_t n, weight_t value, uint64_t stamp_ns)
{
    struct table *t = table_find(name, true);
    if (t == NULL)
        cluster_count_add("sched: no memory for a table", 1);
    else if (stamp_ns >= t->row[n].stamp_ns)
        t->row[n] = (struct global_info){.value = value, .known = true, .stamp_ns = stamp_ns};
}

void table_publish(unsigned manager, unsigned link, weight_t weight)
{
    const struct policy *p = graph_policy();
    struct value_wire w = {.table = p->analyzer_links[link].global_infos,
                           .value = weight,
                           .policy_crc = p->header->crc32c,
                           .stamp_ns = cluster_clock_ns()};
    row_set(&w.table, cluster_self(), weight, w.stamp_ns);
    node_id_t n = NODE_NONE;
    while ((n = cluster_next(n)) != NODE_NONE)
        if (n != cluster_self() && policy_manager_on_node(p, &p->managers[manager], n) &&
            rpc_send(n, MSG_sched_value, &w, sizeof(w)) < 0)
            cluster_count_add("sched: value not sent", 1);
}

// Only those exist that the policy itself names: a peer makes no others.
static bool named(const struct policy *p, const struct policy_name *table)
{
    for (unsigned k = 0; k < p->header->analyzer_links; k++)
        if (memcmp(p->analyzer_links[k].global_infos.text, table->text, sizeof(table->text)) == 0)
            return true;
    return false;
}

void sched_value_arrived(const struct rpc_in *in)
{
    struct value_wire w;
    const struct policy *p = graph_policy();
    if (in->n != sizeof(w)) {
        cluster_count_add("sched: malformed value", 1);
        return;
    }
    memcpy(&w, in->bytes, sizeof(w));
    if (!policy_name_good(&w.table) || p == NULL || w.policy_crc != p->header->crc32c)
        cluster_count_add("sched: value of another policy", 1);
    else if (!named(p, &w.table))
        cluster_count_add("sched: value for a table that the policy does not name", 1);
    else
        row_set(&w.table, in->from, w.value, w.stamp_ns);
}

void tables_reset(void)
{
    for (unsigned i = 0; i < TABLES_MAX; i++) {
        heap_free(node(tables)[i]);
        node(tables)[i] = NULL;
    }
}

void tables_show(struct text *t)
{
    for (unsigned i = 0; i < TABLES_MAX && node(tables)[i]; i++) {
        const struct table *table = node(tables)[i];
        for (unsigned n = 0; n < NODE_MAX; n++)
            if (table->row[n].known && cluster_is_member((node_id_t)n))
                text_add(t, "%s %u %d\n", table->name.text, n, table->row[n].value);
    }
}
