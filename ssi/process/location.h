// SPDX-License-Identifier: MIT
// Where processes are. The birth node of a PID (its successor, when that is gone) knows for sure;
// every other node keeps hints. All by incarnation: what is older than what is known is ignored.
#pragma once

#include "lib/types.h"

// The birth node is told by the hand-off (never sleeps).
void location_set(int32_t pid, node_id_t node, uint32_t incarnation);
// This incarnation will never run any more: the parent's wait, kill and /proc/cluster/events say
// so. `how` is a literal: "during its move". Never sleeps.
void location_dead(int32_t pid, uint32_t incarnation, const char *how);
// On a node that has seen it come or go (never sleeps).
void location_hint(int32_t pid, node_id_t node, uint32_t incarnation);
// Where to ask for it first: this node, a hint, or its birth node. Never NODE_NONE.
node_id_t location_guess(int32_t pid);
