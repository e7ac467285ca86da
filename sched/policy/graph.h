// SPDX-License-Identifier: MIT
// The policy that runs: probes, analyzers and managers of a blob, wired as its XML says. The way
// of a value has no turn back: timer -> probe -> analyzer -> manager.
#pragma once

#include "lib/fmt.h"
#include "sched/policy/blob.h"
#include "sched/policy/components.h"

// Takes a copy of the blob, checks it, stops what runs and starts it. False: `why` in words, and
// what ran goes on. NULL blob: no policy from now on.
bool graph_load(const void *blob, size_t bytes, char why[POLICY_WHY_BYTES]) MUST_CHECK;
const struct policy *graph_policy(void); // NULL: none runs
void graph_show(struct text *t);         // /proc/cluster/policy

// Set by sched/manager: a value of an analyzer for its manager's table, and a request.
extern void (*graph_on_value)(unsigned manager, unsigned link, weight_t weight);
extern void (*graph_on_request)(unsigned manager, unsigned analyzer, weight_t weight);
extern void (*graph_on_change)(void); // another policy runs now
