// SPDX-License-Identifier: MIT
// Whole network stacks on one simulated wire: node i has 10.77.0.(10+i)/24.
#pragma once

#include "net/net.h"
#include "tests/sim/ports/wire.h"

#define STACKS_MAX  8
#define STACK_IP(i) (0x0a4d000au + (i))

struct sim_stacks {
    struct sim_wire wire;
    struct sim_node *node[STACKS_MAX];
    unsigned count;
};

void sim_stacks_start(struct sim_stacks *s, unsigned count, uint64_t seed);
// Ends all nodes. Before that: no buffer, connection, frame or byte of heap may be left over;
// NULL or what is.
const char *sim_stacks_stop(struct sim_stacks *s);
static inline void sim_stacks_enter(const struct sim_stacks *s, unsigned i)
{
    sim_node_enter(s->node[i]);
}
