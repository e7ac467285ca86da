// SPDX-License-Identifier: MIT
// The cluster clock (PROTOCOLS 7): a joiner takes monotonic and real time from the node that
// keeps it (the home of files: the founder, then its successor), by the question with the least
// round trip; from then on it slews by at most 500 ppm and never steps back: a line over
// the node's clock (lib/clock_line.h), which the vDSO reads, too. Read it with
// cluster_clock_ns and cluster_real_ns of cluster.h.
#pragma once

#include "lib/types.h"

void cluster_clock_start(void); // its thread asks once the node is a member, then every 10 s
bool cluster_clock_is_set(void);
