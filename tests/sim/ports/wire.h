// SPDX-License-Identifier: MIT
// A hostile virtual LAN: NICs on one broadcast wire that loses, doubles, delays and damages frames
// by the seed. Frames travel as timers of the receiving node.
#pragma once

#include "net/nic.h"
#include "tests/sim/ports/sim.h"

struct sim_wire {
    struct list nics;
    unsigned loss, dup, reorder, corrupt; // per mille
    uint64_t delay_ns, byte_ns;           // propagation; time on the wire per byte
    unsigned sent, lost, in_flight;
    // Sees each frame before it travels; false: it is lost. NULL: none.
    bool (*filter)(struct sim_wire *w, unsigned from, const uint8_t *frame, size_t n);
    bool (*reaches)(struct sim_wire *w, unsigned to); // NULL: everybody
};

void sim_wire_init(struct sim_wire *w);
// A NIC of the current node, number `index` on the wire (its MAC ends with it), registered.
void sim_wire_attach(struct sim_wire *w, unsigned index);
// Takes the NICs away; frames in flight are dropped.
void sim_wire_free(struct sim_wire *w);
// A frame out of nowhere, handed to every NIC at once.
void sim_wire_inject(struct sim_wire *w, const uint8_t *frame, size_t n);
