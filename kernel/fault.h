// SPDX-License-Identifier: MIT
// Fault points, for tests: each send and each commit of the cluster's protocols has a name,
// ROOM:STATE, and can be struck there (`fault=ROOM:STATE:die|drop|stall|tell[@N]`, or a line to
// /proc/cluster/faults while it runs). Each strike happens once, at the N-th time that the node
// gets there (first, when N is not given). die: the node is gone, as by a power cut. drop: what is
// sent there is lost; where the link promises delivery it is lost with its connection, and the
// link has to make it good. stall: the node stands still for FAULT_STALL_MS. tell: a line in the
// log and nothing else, for who strikes from outside.
//
// A room's points are rows of faults.def, or are listed by a FAULT_LIST of that room when they are
// one for each row of a table of its own. `make fault-points` prints them all.
#pragma once

#include "lib/fmt.h"
#include "lib/limits.h"
#include "lib/set.h"
#include "lib/types.h"

#define FAULT_STALL_MS  1500
#define FAULT_WORDS_MAX 64

// NULL until something is armed: a point costs one comparison. Set by fault_arm, or by a test.
extern bool (*fault_on_point)(const char *room, const char *state, node_id_t to);

// True: what is sent here is to be lost. `to`: its receiver, NODE_NONE for a commit. The arguments
// are looked at only when something is armed.
#define FAULT(room, state, to) (fault_on_point != NULL && fault_on_point(room, state, to))

typedef void (*fault_tell_fn)(const char *room, const char *state, void *arg);
typedef void (*fault_list_fn)(fault_tell_fn tell, void *arg);
#define FAULT_LIST(fn)                                                                             \
    static const fault_list_fn fn##_list = (fn);                                                   \
    SET_ENTRY(fault_list, fn##_list)

void fault_points_each(fault_tell_fn tell, void *arg);

// `words` as behind fault= above, or heap:N:fail, frame:N:fail: the N-th allocation from now on
// finds no memory; `clear` forgets all that is armed. 0, -EINVAL (no such point or action),
// -ENOSPC (FAULTS_MAX are armed).
int fault_arm(const char *words);
void faults_show(struct text *t); // what is armed, and how often the node came there
