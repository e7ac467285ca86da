// SPDX-License-Identifier: MIT
// A cluster without a wire: ssi/cluster's rpc and membership over queues, one per ordered pair,
// with random delays on the virtual clock. For tests of the rooms above; build with -DWEFT_SIM.
#pragma once

#include "lib/types.h"

void mesh_start(unsigned nodes); // makes them, runs their init steps; node 0 is entered
void mesh_stop(void);
void mesh_enter(unsigned node); // its NODE_VARs from here on
void mesh_kill(unsigned node);  // silent from now on; an epoch without it follows
bool mesh_quiet(void);          // no message is on its way
extern const char *mesh_off;

struct mesh_traffic {
    uint64_t messages, bytes;
};
extern struct mesh_traffic mesh_traffic;
uint32_t mesh_counter(const char *reason); // cluster_count_add, all nodes
