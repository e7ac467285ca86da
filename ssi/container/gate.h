// SPDX-License-Identifier: MIT
// The gate of a linked container, a pure step function like coherence: it stops new transitions so
// that a fork or a move of the home finds every page at rest. Table and drawing: coherence.def.
// Every node that knows the container has one: AWAY where the home is elsewhere.
//
// The room counts its pages in transition (coh_home_is_busy) and steps QUIET whenever that count
// is zero in CLOSING. Its env.closed for coh_home_step is coh_gate_closed(). CLONE and MOVE are
// refused while the gate is not open: the room tries again when it opens.
//
// At a new epoch the room steps EPOCH_HOME on its entries, unless the gate is MOVING (then the
// directory is the target's, or comes back with DO_EPOCH), then EPOCH_GATE. A successor that
// rebuilds gives way to a home that tells of itself: GONE on all its entries, and it is AWAY.
#pragma once

#include "ssi/container/coherence.h"

enum coh_gate_state {
#define COH_GATE_STATE(name, word, next) COH_GATE_##name,
#include "ssi/container/coherence.def"
#undef COH_GATE_STATE
    COH_GATE_STATES
};

struct coh_gate {
    uint8_t state;           // enum coh_gate_state
    bool moving;             // why it closes: to move the home (else to clone)
    bool missed_epoch;       // MOVING: an epoch came, the entries do not know of it
    node_id_t target;        // MOVING: the new home; TAKING: the old one
    struct node_set pending; // who is to be frozen, then whose FROZEN is awaited
};

struct coh_gate_event {
    uint8_t kind;         // a GATE row of coherence.def
    node_id_t from;       // the sender; self for local events
    node_id_t node;       // MOVE: the new home
    bool accept;          // DIRECTORY: this node knows the container and has memory for it
    struct node_set set;  // CLONE: all nodes that may hold pages (self may be in it)
    struct node_set lost; // EPOCH_GATE
};

// Executed in this order: GONE before the send, all others after it.
enum coh_gate_do {
    COH_GATE_DO_FREEZE = 1,  // mark every frame of the container here shared (one more user)
    COH_GATE_DO_COPY = 2,    // do the same, and copy the directory for the child, in one go
    COH_GATE_DO_ENTRIES = 4, // the DIRECTORY just sent carries every entry: owner and copies of
                             // each page, frames of this node without entry included
    COH_GATE_DO_TAKE = 8,    // be the home, by the entries of this DIRECTORY; then as EPOCH (they
                             // may be older than the last epoch)
    COH_GATE_DO_GONE = 16,   // the home is `target`: tell all who know the container (before YOURS
                             // is sent), step GONE on every entry with env.home = target, drop them
    COH_GATE_DO_EPOCH = 32,  // step EPOCH_HOME on every entry, with all who are no members as lost
    COH_GATE_DO_TELL = 128,  // tell all who know the container that the home is here
    COH_GATE_DO_OPEN = 64,   // step OPEN on every entry where somebody waits
};

struct coh_gate_out {
    bool refused;
    uint8_t was, is;
    uint8_t effects;
    uint8_t send; // kind to send, 0 for none
    struct node_set to;
};

void coh_gate_init(struct coh_gate *g, bool home);
void coh_gate_step(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                   struct coh_gate_out *out);
int coh_gate_check(const struct coh_gate *g);
int coh_gate_show(const struct coh_gate *g, char *text, size_t size);
const char *coh_gate_state_name(unsigned state);

static inline bool coh_gate_closed(const struct coh_gate *g)
{
    return g->state != COH_GATE_OPEN;
}
