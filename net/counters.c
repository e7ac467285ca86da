// SPDX-License-Identifier: MIT
#include "net/counters.h"

#include "lib/node_var.h"

static const char *const names[NET_COUNTERS] = {
#define COUNTER(name, what) "net_" #name,
#include "net/counters.def"
#undef COUNTER
};

NODE_VAR(uint64_t, counts[NET_COUNTERS]);

void net_counter_add(enum net_counter reason)
{
    node(counts)[reason]++;
}

void net_counter_more(enum net_counter reason, uint64_t n)
{
    node(counts)[reason] += n;
}

uint64_t net_counter(enum net_counter reason)
{
    return node(counts)[reason];
}

void net_counters_each(void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
    for (unsigned i = 0; i < NET_COUNTERS; i++)
        fn(arg, names[i], node(counts)[i]);
}
