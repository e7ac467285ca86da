// SPDX-License-Identifier: MIT
// What the components of a global scheduler are written with (the paper, 4.2): probes, local
// analyzers and scheduling managers are functions `int NAME(void *arg)`. The names below are the
// paper's; the macros work on the parameter `arg`.
#pragma once

#include "lib/types.h"

typedef int32_t weight_t; // a probe's value; what it means is the probe's

// What `arg` points to.
struct component_call {
    weight_t weight;    // analyzers, managers: the probe's value
    uint16_t probe;     // which probe it comes from
    uint16_t analyzer;  // which analyzer runs, or asked
    uint16_t manager;   // which manager runs
    uint32_t period_ms; // active probes: their period
    uint64_t *memory;   // probes: 8 words that the probe keeps between its calls
};

#define COMPONENT_ARG ((const struct component_call *)arg)
#define PROBE_WEIGHT  (COMPONENT_ARG->weight)
#define ANALYZER_ID   (COMPONENT_ARG->analyzer)

// ---- probes
// --------------------------------------------------------------------------------------- Publishes
// a value to every analyzer linked to the probe that `arg` belongs to.
void probe_publish(const void *arg, weight_t weight);

// ---- local analyzers: they see this node only, judge, and may ask
// --------------------------------- Wakes the managers linked to that analyzer. 0 or -EINVAL.
int send_scheduling_request(unsigned analyzer_id);

// ---- scheduling managers: they alone see the cluster and act
// -------------------------------------- First process running here that may be moved; 0: none.
int32_t find_a_kerrighed_process(void);
// The node whose value in the manager's table, moves under way counted, is lowest; NODE_NONE: no
// values yet.
node_id_t find_a_node_for_migration(void);
// Moves it if the rules allow (CONTRACT, Scheduler): 0, or a negative errno. Sleeps until done.
int do_process_migration(int32_t pid, node_id_t node);

// The functions that stages.def names.
#define STAGE(kind, number, name, function) int function(void *arg);
#include "sched/policy/stages.def"
#undef STAGE
