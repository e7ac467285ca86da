// SPDX-License-Identifier: MIT
// A process that moves between three nodes: what migrate.c, the process room and the link do, in
// the smallest form, around the shipped hand-off code.
#pragma once

#include "ssi/migrate/handoff.h"

enum {
    NODES = 3,
    QUEUE = 12,
    TARGETS = 2
};

_Static_assert(NODE_MAX == NODES, "build the explorer with -DNODE_MAX=3");

// Messages of the link and of the process room that are no part of handoff.def.
enum {
    MOVES_FLUSH = 100,
    MOVES_HERE = 101,
    MOVES_END = 102
};

// Work that the room has begun and that ends with a local result.
enum {
    JOB_CHECK = 1,
    JOB_FREEZE = 2,
    JOB_BUILD = 4,
    JOB_IMPORT = 8,
    JOB_FREE = 16
};

enum epoch_phase {
    EPOCH_OLD,
    EPOCH_FLUSHING,
    EPOCH_NEW
};

struct packet {
    uint8_t kind, state, node, incarnation, attempt;
    int8_t error;
};

struct channel {
    uint8_t count;
    struct packet queue[QUEUE];
};

struct moves_node {
    struct handoff_source source;
    struct handoff_target target[TARGETS];
    uint8_t jobs;                 // of the source record
    uint8_t record_jobs[TARGETS]; // CHECK, IMPORT
    uint8_t attempts;
    uint8_t here; // the process is here, with this incarnation
    uint8_t frozen, imported, reserved;
    uint8_t asker; // somebody waits for the answer to a move begun here
    uint8_t alive, repaired, epoch, flushed, ended;
};

struct moves {
    struct handoff_birth birth;
    struct moves_node node[NODES];
    struct channel channel[NODES][NODES];
    uint8_t moves, breaks, errors, aborts, crashes;
    uint8_t crashed; // 1 + the node that died
    uint8_t padding[3];
};

struct moves_config {
    const char *name;
    uint8_t start, birth;
    uint8_t moves, breaks, errors, aborts, crashes;
};

extern const struct moves_config *moves_config;

enum moves_choice {
    DELIVER,  // the oldest message from a to b
    START,    // the process on a is asked to move to b
    RESULT,   // node a's job b succeeds (bits above 5: of which target record)
    FAILURE,  // node a's job b fails
    ABORT,    // the hand-off from a is given up (its process ends, or the asker)
    BREAK,    // the link between a and b breaks: what was on its way is gone
    REPAIRED, // node a learns that its link to b is whole again
    CRASH,
    FLUSH,
    INSTALL,
};
#define CHOICE(what, a, b) ((uint32_t)(what) << 16 | (uint32_t)(a) << 8 | (uint32_t)(b))

void moves_start(struct moves *w);
void moves_choices(const void *state);
void moves_apply(void *state, uint32_t choice);
void moves_label(const void *state, uint32_t choice, char *text, size_t size);
void moves_show(const void *state, char *text, size_t size);

// ---- between moves.c and moves_told.c
void moves_check(const struct moves *w);
void moves_check_quiet(const struct moves *w);
bool moves_other_side(const struct moves *w, unsigned n, unsigned other);
