// SPDX-License-Identifier: MIT
// The cluster clock (PROTOCOLS 7): a joiner takes monotonic and real time from the node that
// keeps it (the home of files: the founder, then its successor), by the question with the least
// round trip; from then on it slews by at most 500 ppm and never steps back. Read it with
// cluster_clock_ns and cluster_real_ns of cluster.h.
#pragma once

#include "lib/types.h"

#define CLOCK_SLEW_PPM 500

void cluster_clock_start(void); // its thread asks once the node is a member, then every 10 s
bool cluster_clock_is_set(void);
// Moves the clock by at most what the slew allows since the last call; the step of the clock's
// arithmetic, for tests. Returns the offset to add to the node's clock.
int64_t cluster_clock_slew(int64_t offset_ns, int64_t target_ns, uint64_t elapsed_ns);
