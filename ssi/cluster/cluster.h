// SPDX-License-Identifier: MIT
// Who is in the cluster. Membership is a numbered epoch; identity is (id, incarnation).
#pragma once

#include "lib/types.h"
#include "lib/limits.h"

enum member_state {
    MEMBER_GONE,
    MEMBER_JOINING,
    MEMBER_ONLINE,
    MEMBER_LEAVING
};

struct member {
    node_id_t id;
    uint32_t incarnation;
    enum member_state state;
    uint32_t ip;
    uint16_t cpus;
    uint32_t features_edx, features_ecx; // what it lets programs see
};

node_id_t cluster_self(void); // NODE_NONE before the first epoch
uint32_t cluster_epoch(void); // 0 before
bool cluster_is_member(node_id_t n);
const struct member *cluster_member(node_id_t n); // NULL when not a member of this epoch
unsigned cluster_count(void);
// Iterates the members of this epoch by id: start with NODE_NONE, ends with NODE_NONE.
node_id_t cluster_next(node_id_t after);
// Next living id upward, cyclic: who takes over what `n` was home of.
node_id_t cluster_successor(node_id_t n);
// The founder serves the writable tree; its successor when it is gone.
node_id_t cluster_fs_home(void);

// Sleeps until this node is a member of an epoch.
void cluster_wait_joined(void);

// Called in the epoch's install, after FLUSH, on every survivor, in thread context, in order of
// registration; must not wait for other nodes. `gone` and `joined` are lists of ids.
struct epoch_change {
    uint32_t epoch;
    const node_id_t *gone, *joined;
    unsigned gone_count, joined_count;
};
void cluster_on_epoch(void (*fn)(const struct epoch_change *));

// One cluster clock (PROTOCOLS 7): monotonic, never goes back on this node.
uint64_t cluster_clock_ns(void);
uint64_t cluster_real_ns(void); // since 1970

// The cluster's log of events: a line in /proc/cluster/events on this node, and in the log.
void cluster_event(const char *format, ...) PRINTF_LIKE(1, 2);

// Counters for /proc/cluster/counters: every drop and refusal by reason.
void cluster_count_add(const char *reason, uint32_t n); // `reason` is a literal, kept by pointer
