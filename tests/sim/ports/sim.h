// SPDX-License-Identifier: MIT
// Many nodes in one process: each simulated node has its own copy of the section of NODE_VARs; one
// virtual clock serves all; everything is decided by a seed. Build with -DWEFT_SIM.
#pragma once

#include "lib/types.h"

struct sim_node;

// ---- node.c: who runs ---------------------------------------------------------------------------
struct sim_node *sim_node_new(void); // start values as in the image; entered when it returns
void sim_node_free(struct sim_node *n);
void sim_node_enter(struct sim_node *n); // NODE_VARs are this node's from here on
struct sim_node *sim_node_current(void);

// ---- clock.c: timer.h on a virtual clock --------------------------------------------------------
void sim_clock_reset(void);
// Fires timers of all nodes in order of time (ties: the node made first, the timer set first)
// until `done` says so, none is left, or the clock would pass until_ns. True: done.
bool sim_run(uint64_t until_ns, bool (*done)(void *arg), void *arg);
void sim_run_for(uint64_t ns);
unsigned sim_timers_set(void); // of the current node

// ---- random.c: random.h from a seed -------------------------------------------------------------
void sim_seed(uint64_t seed);
uint64_t sim_random(void);
bool sim_chance(unsigned per_mille);
