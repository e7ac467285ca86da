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
// Its timers and threads never run again; what is running of it now must not return to the clock.
void sim_node_stop(struct sim_node *n);
bool sim_node_is_stopped(const struct sim_node *n);

// ---- clock.c: timer.h on a virtual clock --------------------------------------------------------
void sim_clock_reset(void);
// Fires timers of all nodes in order of time (ties: the node made first, the timer set first)
// until `done` says so, none is left, or the clock would pass until_ns. True: done.
bool sim_run(uint64_t until_ns, bool (*done)(void *arg), void *arg);
void sim_run_for(uint64_t ns);
unsigned sim_timers_set(void); // of the current node
// What is due at the same time on several nodes: in an order drawn from the seed, instead of that
// of the nodes.
void sim_ties_by_seed(bool on);
// Called after each timer and each stretch of a thread, in its node; NULL: nothing.
extern void (*sim_after_event)(void);
uint64_t sim_events(void); // so far

// ---- threads.c: thread.h and wait.h as coroutines
// The current thread's node goes on, others run; the thread comes back after that much time, as
// after an interrupt of user code.
void sim_thread_spend(uint64_t ns);
// As that, but nothing of the node runs meanwhile.
void sim_thread_stand_still(uint64_t ns);
// Nothing of the current node runs before that.
void sim_threads_stand_still(uint64_t until_ns);
// The current thread never runs again; nobody reaps it.
void sim_thread_vanish(void) NORETURN;

// ---- random.c: random.h from a seed -------------------------------------------------------------
void sim_seed(uint64_t seed);
uint64_t sim_random(void);
bool sim_chance(unsigned per_mille);
