// SPDX-License-Identifier: MIT
// Between the files of this folder: the records of hand-offs under way, and their wire form.
#pragma once

#include "kernel/work.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/ghost/ghost.h"
#include "ssi/migrate/handoff.h"
#include "ssi/migrate/migrate.h"

#define DECIDED_BY_BYTES 24

// A message of the hand-off (MSG_move). GHOST carries a piece of the ghost behind it; the step
// function sees it when the last piece is there.
struct move_wire {
    int32_t pid;
    uint32_t incarnation;                // of the source's process
    uint32_t attempt;                    // tells moves of one incarnation apart
    uint8_t kind;                        // enum handoff_kind
    uint8_t state;                       // STILL; LOCATION: 1 of a thread beside the first
    uint16_t node;                       // LOCATION
    int32_t error;                       // REFUSED
    uint32_t about;                      // LOCATION, DEAD: which incarnation
    uint32_t ghost_at, ghost_bytes;      // GHOST: this piece's place, the whole's size
    uint32_t pages;                      // CHECK_REQ: resident, for the target to judge
    uint32_t features_edx, features_ecx; // CHECK_REQ
    char decided_by[DECIDED_BY_BYTES];   // CHECK_REQ
} PACKED;
STATIC_ASSERT(sizeof(struct move_wire) == 68, "wire form");

#define GHOST_PIECE_BYTES (RPC_BYTES_MAX - sizeof(struct move_wire))

enum verdict { // what a frozen task is told
    VERDICT_NONE,
    VERDICT_CONTINUE,
    VERDICT_LEAVE,
};

struct departure { // a hand-off whose source is here
    struct list link;
    struct handoff_source step;
    int32_t pid;
    char decided_by[DECIDED_BY_BYTES];
    struct ghost_job job;
    struct ghost ghost;
    bool frozen; // its task sleeps in departure_attend
    enum verdict verdict;
    struct wait_queue wait; // the frozen task
    bool answered;
    int answer;
    struct wait_queue asker; // migrate_process
    bool has_asker;          // the record stays until it has looked
    bool answer_taken;
    int32_t self_asked;    // the thread of the process that asked, if one of its own did
    uint64_t begun_ns;     // cluster time
    struct timer repair;   // after a dropped message
    struct timer patience; // with threads that do not come
};

struct arrival { // a hand-off whose target is here
    struct list link;
    struct handoff_target step;
    int32_t pid;
    char decided_by[DECIDED_BY_BYTES];
    struct ghost_job job;
    struct ghost ghost;
    uint32_t ghost_total;   // bytes, kept for the record
    uint64_t frozen_ns;     // cluster time, as the ghost says
    bool importing;         // import_work is queued or runs
    bool discarded;         // what was imported, or will be, must go
    bool check_waits;       // the process has not left this node all the way
    struct move_wire asked; // CHECK_REQ
    struct work work;
    struct timer repair; // after a dropped message
};

// ---- migrate.c: events in, effects and messages out
void departure_event(struct departure *d, struct handoff_event *in);
void arrival_event(struct arrival *a, struct handoff_event *in);
void move_send(node_id_t to, const struct move_wire *w, const void *piece, size_t n);
node_id_t birth_node_of(int32_t pid);

// ---- departure.c: the source
struct departure *departure_find(int32_t pid, uint32_t incarnation, uint32_t attempt);
struct departure *departure_of(int32_t pid);
struct departure *departure_new(struct process *p, node_id_t target, const char *decided_by);
void departure_effects(struct departure *d, const struct handoff_out *out);
void departure_over(struct departure *d); // frees it when nobody looks at it any more
void departure_ghost_send(struct departure *d);
void departures_epoch(struct handoff_event *in);

// ---- arrival.c: the target
struct arrival *arrival_find(const struct move_wire *w);
struct arrival *arrival_new(const struct move_wire *w);
void arrival_effects(struct arrival *a, const struct handoff_out *out,
                     const struct move_wire *asked);
bool arrival_piece(struct arrival *a, const struct move_wire *w, const void *piece, size_t n);
void arrival_over(struct arrival *a);
int arrival_wait_closed(int32_t pid); // sleeps
void arrival_departed(int32_t pid);   // a departure is over: a check may have waited for it
void arrivals_epoch(struct handoff_event *in);

// ---- history.c: /proc/cluster/migrations
struct move_record {
    int32_t pid;
    uint32_t incarnation; // that came of it; 0: none
    uint16_t from, to;
    char outcome[16]; // done, refused, aborted, lost
    uint32_t freeze_us, ghost_bytes, fetched, drained;
    uint32_t fetched_before, drained_before; // the containers' counts at RESUME
    uint64_t at_ns;                          // cluster time it ended
    char decided_by[DECIDED_BY_BYTES];
} PACKED;
void history_add(const struct move_record *r);
// The process leaves this node or ends: its record keeps the pages that it took meanwhile.
void history_counts_take(struct process *p);

// Messages that a fault point dropped: this much later the broken link counts as whole again.
#define FAULT_REPAIR_NS (500 * NS_PER_MS)
