// SPDX-License-Identifier: MIT
// The global_infos tables: values of analyzers by node, replicated to the nodes that <nodes> names.
#pragma once

#include "lib/fmt.h"
#include "sched/policy/graph.h"

struct global_info {
    weight_t value;
    bool known;
    uint64_t stamp_ns; // cluster time it was measured
};

// The row of `n` in the table that link `link` of the running policy names; NULL: no such table.
const struct global_info *table_row(unsigned link, node_id_t n);
void tables_show(struct text *t);
void tables_reset(void); // another policy runs
// A value measured on this node: into our table, and to the manager's other nodes.
void table_publish(unsigned manager, unsigned link, weight_t weight);
