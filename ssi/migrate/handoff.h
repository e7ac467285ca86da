// SPDX-License-Identifier: MIT
// The hand-off of one process as pure step functions: what the source, the target and the birth
// node do at each message, local result and epoch. Table and drawing: handoff.def. Nothing here
// sleeps, allocates or knows the time; the room (migrate.c) executes the effects and answers with
// the local results CHECKED, FROZEN, BUILT, IMPORTED, FREED.
//
// What the room owes:
//  1. A record per (pid, incarnation, attempt) and side, made by handoff_*_init when START or a
//  message finds
//     none and kept while the state is not NONE; handoff_kind_side() says whose a message is.
//     Local results for a record that is gone are dropped.
//  2. Messages of one class between the two nodes, in order; the effects before the sends, all in
//     one stretch of the kernel lock. A node that sent FLUSH(n+1) handles nothing more from nodes
//     that epoch n+1 leaves out (docs/protocols-notes.md).
//  3. A node refuses (CHECKED -EBUSY) a process of which it still has a source record, and START
//     for one that is not whole and running here. START waits while the target record that brought
//     the process here is not gone (FORGET comes with the answer to the last asker): only so does a
//     source in COMMIT know where the process is when a new birth node asks.
#pragma once

#include "lib/node_set.h"
#include "lib/types.h"

enum handoff_kind {
#define HANDOFF_KIND(number, name, side, sentence) HANDOFF_##name##_K = (number),
#include "ssi/migrate/handoff.def"
#undef HANDOFF_KIND
    HANDOFF_LOCAL_FIRST = 32,
    HANDOFF_KIND_MAX = 48,
};

enum handoff_state {
#define HANDOFF_STATE(name, word, next) HANDOFF_##name,
#include "ssi/migrate/handoff.def"
#undef HANDOFF_STATE
    HANDOFF_STATES
};

enum handoff_side {
    HANDOFF_AT_NOBODY,
    HANDOFF_AT_SOURCE,
    HANDOFF_AT_TARGET,
    HANDOFF_AT_BIRTH,
    HANDOFF_AT_BOTH, // REPAIRED, EPOCH: every record; EPOCH: every birth entry too
};

struct handoff_event {
    uint8_t kind;         // enum handoff_kind
    uint8_t state;        // STILL: the sender's enum handoff_state
    node_id_t from;       // sender; self for local events
    node_id_t node;       // START: the target. LOCATION: where it is (NODE_NONE: with the
                          // sender). DEAD: with whom it died
    node_id_t birth;      // who keeps the birth table of this pid in this epoch
    int error;            // local results, REFUSED: 0 or negative errno
    uint32_t incarnation; // LOCATION, DEAD: which one; elsewhere that of the record
    uint32_t attempt;     // that of the record
    struct node_set lost; // EPOCH: who is no member any more
};

struct handoff_send {
    uint8_t kind;  // enum handoff_kind below HANDOFF_LOCAL_FIRST
    uint8_t state; // STILL
    node_id_t to, node;
    int error;
    uint32_t incarnation, attempt;
};

// Effects, in the order of execution, before the sends.
enum handoff_do {
    // the source
    HANDOFF_DO_FREEZE = 1,   // stop its threads at the way back to user mode, then FROZEN
    HANDOFF_DO_BUILD = 2,    // make the ghost, then BUILT; GHOST is sent from it, kept until freed
    HANDOFF_DO_CONTINUE = 4, // it runs on here (also undoes a freeze that is not complete)
    HANDOFF_DO_FREE = 8,     // the process is no more here: free page tables and ghost in bounded
                             // pieces, then FREED
    HANDOFF_DO_ANSWER = 16,  // out.answer to the one who asked for the move; exactly once
    // the target
    HANDOFF_DO_CHECK = 32,     // test and reserve, then CHECKED
    HANDOFF_DO_UNRESERVE = 64, // give the reservation back
    HANDOFF_DO_IMPORT = 128,   // make a process of the ghost that does not run, then IMPORTED
    HANDOFF_DO_DISCARD = 256,  // throw the imported or half imported process away, and the
                               // reservation
    HANDOFF_DO_RUN = 512,      // it runs here, with the next incarnation
    // the birth node
    HANDOFF_DO_DEATH = 1024, // tell parent, waiters and /proc/cluster/events that it is dead
};

#define HANDOFF_SENDS_MAX 3

struct handoff_out {
    bool refused;    // no such cell: nothing was changed; count it
    uint8_t was, is; // old and new state, for the trace and the fault points
    uint8_t sends;
    uint16_t effects; // mask of enum handoff_do
    int answer;       // HANDOFF_DO_ANSWER: 0 or negative errno
    struct handoff_send send[HANDOFF_SENDS_MAX];
};

struct handoff_source {
    uint8_t state; // enum handoff_state
    node_id_t target;
    uint32_t incarnation; // of the process here; the target runs incarnation + 1
    uint32_t attempt;     // tells this move from an earlier one of the same incarnation that was
                          // given up: the room counts them
};

struct handoff_target {
    uint8_t state;
    bool checked; // CHECK: the reservation is there
    node_id_t source;
    uint32_t incarnation, attempt; // as the source's record
};

// What the birth node, or after its death its successor, knows of a process. The successor's entry
// is made by handoff_birth_init_rebuild, for every pid that somebody speaks of: each survivor sends
// LOCATION of what is here (not of what it has in COMMIT or RESUME as source), then its open
// hand-offs speak; when all have, LISTED. A death is reported no earlier.
struct handoff_birth {
    bool dead; // reported
    bool rebuilding;
    node_id_t node;
    uint32_t incarnation;      // 0: nobody has spoken for it
    uint32_t dead_incarnation; // rebuilding: the youngest that is called dead
};

void handoff_source_init(struct handoff_source *s, uint32_t incarnation, uint32_t attempt);
void handoff_target_init(struct handoff_target *t, uint32_t incarnation, uint32_t attempt);
void handoff_birth_init(struct handoff_birth *b, node_id_t node, uint32_t incarnation);
void handoff_birth_init_rebuild(struct handoff_birth *b);

void handoff_source_step(struct handoff_source *s, const struct handoff_event *in,
                         struct handoff_out *out);
void handoff_target_step(struct handoff_target *t, const struct handoff_event *in,
                         struct handoff_out *out);
// LOCATION, DEAD, EPOCH, LISTED.
void handoff_birth_step(struct handoff_birth *b, const struct handoff_event *in,
                        struct handoff_out *out);

int handoff_source_check(const struct handoff_source *s);
int handoff_target_check(const struct handoff_target *t);
int handoff_source_show(const struct handoff_source *s, char *text, size_t size);
int handoff_target_show(const struct handoff_target *t, char *text, size_t size);
enum handoff_side handoff_kind_side(unsigned kind);
const char *handoff_kind_name(unsigned kind);   // never NULL
const char *handoff_state_word(unsigned state); // never NULL: none check freeze ship ready ...
// The state of a word; HANDOFF_STATES when there is none.
enum handoff_state handoff_state_of(const char *word);
