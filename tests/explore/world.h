// SPDX-License-Identifier: MIT
// A world of three nodes around the shipped coherence code: what the container room and the link
// do, in the smallest form that keeps their promises, and every freedom they leave.
#pragma once

#include "ssi/container/gate.h"

enum {
    NODES = 3,
    PAGES = 2,
    QUEUE = 9,
    REGS = 3
};

_Static_assert(NODE_MAX == NODES, "build the explorer with -DNODE_MAX=3");

// Messages of the link and of the container room that are no part of coherence.def.
enum {
    WORLD_FLUSH = 100,
    WORLD_END = 101,
    WORLD_HOME = 102,
    WORLD_ADOPT = 103
};

struct packet {
    uint8_t kind, right, held, flags, node, page, version, generation;
};

struct channel {
    uint8_t count;
    struct packet queue[QUEUE];
};

struct world_node {
    struct coh_home home[PAGES];
    struct coh_gate gate;
    struct coh_holder holder[PAGES];
    uint8_t frame[PAGES]; // version of the content, 0: no frame
    uint8_t child_held[PAGES], child_frame[PAGES];
    uint8_t seen[PAGES]; // the youngest version this node's threads have read or written
    uint8_t reg[REGS];   // what its reads gave, in order (litmus)
    uint8_t reads;
    uint8_t op;                       // pending operation: 0 none, else OP(page, write)
    uint8_t done;                     // operations begun
    uint8_t alive, draining, reoffer; // reoffer: mask of pages whose push was refused
    uint8_t hint, generation;         // where it believes the home is, and how sure
    uint8_t former, asked_former;     // the hint before; mask of pages asked for there
    uint8_t rebuilding;               // it is a successor that learns from the survivors
    uint8_t epoch;                    // enum epoch_phase
    uint8_t flushed;                  // whose FLUSH has come
    uint8_t ended;                    // successor: whose list is complete
};

enum epoch_phase {
    EPOCH_OLD,
    EPOCH_FLUSHING,
    EPOCH_NEW
};

#define OP(page, write) (uint8_t)(1 + (page)*2 + (write))

struct world {
    struct world_node node[NODES];
    struct channel channel[NODES][NODES]; // [from][to]
    uint8_t latest[PAGES];                // version of the last write; 1: as the provider gave it
    uint8_t directory_owner[PAGES], directory_copies[PAGES],
        directory_lost[PAGES];                                    // on its way with DIRECTORY
    uint8_t moves, evicts, naks, drains, crashes, clones, lodges; // how many more may happen
    uint8_t crashed;                                              // 1 + the node that died
    uint8_t loss_excused[PAGES];                                  // it died with the latest content
};

// One exploration. A script is a text of operations per node, "Wx Ry"; without one each node does
// `ops` operations of its choice on page x.
struct world_config {
    const char *name;
    uint8_t pages, ops;
    const char *script[NODES];
    uint8_t moves, evicts, naks, drains, crashes, clones, lodges;
    bool touched; // the home has the pages at the start
    bool hold;    // a woken thread does its instruction at once (minimum hold)
    const char *(*verdict)(const struct world *w); // litmus: NULL, or what must not be
    const char *(*snapshot)(const struct world *w, const uint8_t *version); // of a clone
};

extern const struct world_config *world_config;

void world_start(struct world *w);
// What may happen, as a choice number.
enum world_choice {
    DELIVER, // the oldest message from a to b
    REFUSE,  // the same, and b has no memory for the page
    BEGIN,   // node a begins operation b
    RETRY,   // node a's waiting thread looks again
    EVICT,   // node a drops its copy of page b
    DETACH,  // node a has no user any more: it drains
    REOFFER, // node a offers page b again
    MOVE,    // the home at a moves to b
    CLONE,   // a process forks: the home at a freezes everybody
    LODGE,   // node a is short of memory: b is a page of it and who has room
    CRASH,   // node a dies
    FLUSH,   // node a agrees to the new epoch
    INSTALL, // node a installs the new epoch
};
#define CHOICE(what, a, b) ((uint32_t)(what) << 16 | (uint32_t)(a) << 8 | (uint32_t)(b))

void world_choices(const void *state);
void world_apply(void *state, uint32_t choice);
void world_label(const void *state, uint32_t choice, char *text, size_t size);
void world_show(const void *state, char *text, size_t size);

// ---- between world.c (what happens), world_epoch.c (crashes) and world_check.c (what must hold)
void world_send(struct world *w, unsigned from, unsigned to, struct packet p);
void world_deliver(struct world *w, unsigned from, unsigned to, struct packet p, bool accept);
void world_settle(struct world *w);
void world_holder_step(struct world *w, unsigned n, struct coh_env *env, struct packet p,
                       unsigned from);
void world_home_step(struct world *w, unsigned n, struct packet p, unsigned from,
                     const struct node_set *lost);
void world_gate_step(struct world *w, unsigned n, struct coh_gate_event *e);
bool world_is_home(const struct world *w, unsigned n);
bool world_can(const struct world *w, unsigned n, uint8_t op);
void world_crash(struct world *w, unsigned n);
void world_flush(struct world *w, unsigned n);
void world_install(struct world *w, unsigned n);
void world_end(struct world *w, unsigned from, unsigned to);
void world_adopt(struct world *w, unsigned from, unsigned to, uint8_t generation);
void world_learn(struct world *w, unsigned n, uint8_t home, uint8_t generation);
void world_tell_home(struct world *w, unsigned n);
void world_hear_home(struct world *w, unsigned n, uint8_t home, uint8_t generation);
void world_check(struct world *w);
void world_check_quiet(const struct world *w);
void world_check_clone(const struct world *w);
void world_canon(struct world *w);
