// SPDX-License-Identifier: MIT
// Where processes are. The birth node of a PID knows for sure; every other node keeps hints, and
// one that is asked wrongly says where to ask (PROTOCOLS 7). All by incarnation: what is older than
// what is known is ignored. When the birth node is gone, all members are asked.
#pragma once

#include "ssi/process/process.h"

// The birth node is told by the hand-off (never sleeps).
void location_set(int32_t pid, node_id_t node, uint32_t incarnation);
// The same of a thread beside the first: it is lost with its process, which alone is reported.
void location_set_thread(int32_t tid, node_id_t node, uint32_t incarnation);
// This incarnation died in its move, with `node`: the parent's wait, kill and /proc/cluster/events
// say so. At the birth node, or at its successor. Never sleeps.
void location_dead(int32_t pid, uint32_t incarnation, node_id_t node);
// One has come: its successor hears of it now, not soon, so that it is reported should this node
// die the next moment. Never sleeps.
void census_tell(void);
// On a node that has seen it come or go (never sleeps).
void location_hint(int32_t pid, node_id_t node, uint32_t incarnation);
// Where to ask for it first: this node, a hint, or its birth node. Never NODE_NONE.
node_id_t location_guess(int32_t pid);

// As location_guess, but NODE_NONE when its birth node is gone and nothing is known.
node_id_t location_of(int32_t pid);
// What is written down here, if anything.
bool location_known(int32_t pid, node_id_t *node, uint32_t *incarnation);
void location_forget(int32_t pid);
// Gives up all hints: who asks next begins at the birth node. Never sleeps.
void location_trim(void);
// Finds the process by asking all members: its node, or NODE_NONE when nobody has it. May sleep.
node_id_t location_search(int32_t pid);
