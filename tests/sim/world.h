// SPDX-License-Identifier: MIT
// A cluster of simulated nodes: the shipped kernel above arch/, mm/frame and kernel/thread, booted
// through its init levels, on one hostile wire. Every node's containers are checked after every
// event.
#pragma once

#include "kernel/timer.h"
#include "ssi/cluster/cluster.h"
#include "tests/sim/run.h"

#define WORLD_MAX 8

// Founds a cluster of `count` nodes; the wire's faults come from the options loss, dup, reorder and
// corrupt (per mille), else from the seed. `settings` are words for every node's command line.
// Returns when all are members.
void world_open(unsigned count, const char *settings);
void world_settings(unsigned i, const char *words); // before world_open: for one node only
void world_key(unsigned i, const char *text);       // its cluster key from its next boot on
void world_newcomer(void); // the node behind the last boots; the others know nothing of it
unsigned world_count(void);
unsigned world_here(void); // number of the current node; it is its id as well
void world_enter(unsigned i);
void world_faults_stop(void); // the wire is good from here on

bool world_lives(unsigned i);
bool world_serves(unsigned i); // and its boot is over
void world_kill(unsigned i);   // as by a power cut
unsigned world_living(void);
// The node boots again: another incarnation, with nothing of what it had.
void world_boot(unsigned i);
bool world_reborn(unsigned i);        // its first life is over
void world_boots_again(bool on);      // nodes that reset do so by themselves
void world_cut(unsigned i, bool out); // its cable
void world_cut_one_way(unsigned i, bool mute, bool deaf);
void world_part(unsigned i, unsigned side); // who is on another side is not reached
void world_still(unsigned i, unsigned ms);  // nothing of it runs for that long
void world_lose(unsigned i);                // the next message it sends is lost with its connection
// A fault `...:tell` of any node kills this one.
void world_third(unsigned i);

// A kernel thread on node i, that ends when fn returns.
void world_thread(unsigned i, void (*fn)(void *), void *arg);
void world_run_ms(unsigned ms);
// Runs until `done`, or fails with `what` after that much virtual time.
void world_until(bool (*done)(void), unsigned seconds, const char *what);
bool world_together(void); // the living are members of one epoch, and nobody else is

// Bytes of the heap in use on node i.
size_t world_heap_used(unsigned i);
// Frames that pages of containers hold on node i.
uint32_t world_frames_used(unsigned i);
void world_story(void);                   // every node's counters, into the log
int world_stamp(char *text, size_t size); // "time node" for log lines
