// SPDX-License-Identifier: MIT
// The trace ring: where lib/log.h's trace_state goes with the setting trace=1, with its time; for
// /proc/cluster/trace and for the last words of a dying node.
#pragma once

#include "lib/fmt.h"

// The newest records that fit, oldest first: `us what about which from -> to`.
void trace_show(struct text *t);
void trace_show_last(struct text *t, uint32_t count);
