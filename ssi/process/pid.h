// SPDX-License-Identifier: MIT
// PIDs and TIDs born on this node: pid = birth node * PID_PER_NODE + n, n in 2..32767 counted
// upward, for PID 1 is the cluster's; what lives is skipped, and a number is not used again for 2 s
// after its release.
#pragma once

#include "lib/types.h"
#include "lib/limits.h"

#define PID_REST_NS (2ull * 1000 * 1000 * 1000)
#define PID_WORDS   (PID_PER_NODE / 32)

struct pid_pool {
    uint32_t used[PID_WORDS];
    uint32_t young[PID_WORDS]; // released since `turned_ns`
    uint32_t old[PID_WORDS];   // released in the period before
    uint64_t turned_ns;
    uint32_t first, next; // none below the first is ever given
};

void pid_pool_init(struct pid_pool *p, uint32_t first);
// n, or 0 when none is free.
uint32_t pid_pool_take(struct pid_pool *p, uint64_t now_ns);
// The number n itself: 0, -EEXIST it is used, -EBUSY it rests, -EINVAL it is never given.
int pid_pool_claim(struct pid_pool *p, uint32_t n, uint64_t now_ns);
void pid_pool_release(struct pid_pool *p, uint32_t n, uint64_t now_ns);
bool pid_pool_used(const struct pid_pool *p, uint32_t n);

static inline node_id_t pid_birth_node(int32_t pid)
{
    return (node_id_t)((uint32_t)pid / PID_PER_NODE);
}
