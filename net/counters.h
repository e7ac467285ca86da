// SPDX-License-Identifier: MIT
// The network's counters: one per reason to drop or refuse, rows of counters.def.
#pragma once

#include "lib/types.h"

enum net_counter {
#define COUNTER(name, what) COUNT_##name,
#include "net/counters.def"
#undef COUNTER
    NET_COUNTERS,
};

void net_counter_add(enum net_counter reason);
void net_counter_more(enum net_counter reason, uint64_t n);
uint64_t net_counter(enum net_counter reason);
// All of them in the order of the table; `name` is "net_..." and lives for ever.
void net_counters_each(void (*fn)(void *arg, const char *name, uint64_t value), void *arg);
