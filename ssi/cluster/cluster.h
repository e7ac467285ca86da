// SPDX-License-Identifier: MIT
// Who is in the cluster. Membership is a numbered epoch; identity is (id, incarnation).
#pragma once

#include "lib/fmt.h"
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
// The epoch in which a message sent now arrives: the present one; while the next one is being
// flushed, that one (what is sent then waits until both ends have installed it).
uint32_t cluster_sending_epoch(void);
bool cluster_is_member(node_id_t n);
const struct member *cluster_member(node_id_t n); // NULL when not a member of this epoch
unsigned cluster_count(void);
// Iterates the members of this epoch by id: start with NODE_NONE, ends with NODE_NONE.
node_id_t cluster_next(node_id_t after);
// Next living id upward, cyclic: who takes over what `n` was home of.
node_id_t cluster_successor(node_id_t n);
// The founder serves the writable tree; its successor when it is gone.
node_id_t cluster_fs_home(void);

// Sleeps until this node is a member of an epoch and its cluster clock is set.
void cluster_wait_joined(void);

// Called in the epoch's install, after FLUSH, on every survivor, in thread context, in order of
// registration; must not wait for other nodes. `gone` and `joined` are lists of ids.
struct epoch_change {
    uint32_t epoch;
    const node_id_t *gone, *joined;
    unsigned gone_count, joined_count;
};
// The first install on a node tells all members as joined, itself included; a room that registers
// later looks at the members there are. An id whose node was replaced is in both lists.
void cluster_on_epoch(void (*fn)(const struct epoch_change *));

// A node without its quorum's contact runs no user code: whoever returns to user mode calls the
// gate first, which sleeps until the quorum is back (or the node restarts, expelled).
bool cluster_is_fenced(void);
void cluster_gate(void);

// `weft node remove N`: 0 when the request was taken: N drains, then goes; -EINVAL no such member,
// -EBUSY the last one, -EAGAIN no coordinator answers. May sleep.
int cluster_leave(node_id_t n);
// Asked about twice a second on a leaving node: is your room empty? It goes when all say so.
void cluster_on_leaving(bool (*is_empty)(void));

// What each node tells the others each second; process/ and sched/ fill in what they know.
struct cluster_load {
    uint32_t free_kib;
    uint32_t processes;
    uint32_t load; // 100 x threads running or ready per CPU
};
void cluster_on_load_fill(void (*fill)(struct cluster_load *));
bool cluster_load_of(node_id_t n, struct cluster_load *out); // false: not heard yet

// One cluster clock (PROTOCOLS 7): monotonic, never goes back on this node.
uint64_t cluster_clock_ns(void);
uint64_t cluster_real_ns(void); // since 1970

// The cluster's log of events: a line in /proc/cluster/events on this node, and in the log.
void cluster_event(const char *format, ...) PRINTF_LIKE(1, 2);

// Counters for /proc/cluster/counters: every drop and refusal by reason.
void cluster_count_add(const char *reason, uint32_t n); // `reason` is a literal, kept by pointer

// Texts of /proc/cluster/{nodes,events,counters}.
void cluster_nodes_show(struct text *t);
void cluster_events_show(struct text *t);
void cluster_counters_show(struct text *t);
