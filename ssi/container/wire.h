// SPDX-License-Identifier: MIT
// What nodes say to each other about containers. Little-endian, packed. All in class `forward`, so
// that what one node tells another about a page or a container arrives in the order it was said.
#pragma once

#include "lib/node_set.h"
#include "ssi/container/coherence.h"
#include "ssi/container/container.h"

// A one-way message that is kept and said later when memory is short, in its order. Never sleeps.
void wire_send(node_id_t to, unsigned kind, const void *bytes, size_t n);

struct container_head_wire { // begins every message of this room
    struct container_id id;
    uint32_t generation; // of the sender's belief where the home is
    uint16_t home;
    uint16_t count; // pages that follow; notes: enum container_note
} PACKED;
STATIC_ASSERT(sizeof(struct container_head_wire) == 16, "wire form");

enum container_content {
    CONTENT_NONE,
    CONTENT_BYTES,    // PAGE_SIZE bytes follow
    CONTENT_PROVIDER, // the provider still has it: nothing follows
};

struct container_page_wire {
    uint32_t index;
    struct coh_wire coh;
    uint8_t content; // enum container_content
    uint8_t reserved;
} PACKED;
STATIC_ASSERT(sizeof(struct container_page_wire) == 12, "wire form");

enum container_note {
    NOTE_ATTACHED = 1, // the sender has a user
    NOTE_LEFT,         // it has none any more; `set`: nodes that its users ever went to
    NOTE_ASK,          // home: have you a user?
    NOTE_USED,         // yes
    NOTE_UNUSED,       // no
    NOTE_FREE,         // home: nobody has: free all
    NOTE_HOME,         // the sender is the home from now on (the head says the rest)
};

const char *container_note_name(unsigned note); // never NULL

struct container_note_wire {
    struct container_head_wire head;
    uint16_t speaker; // whose note it is when a former home passes it on; else NODE_NONE
    uint16_t round;   // ASK, and its answers
    uint32_t set[NODE_SET_WORDS];
} PACKED;

// Entries of the directory as they move with the home: owner and copies; who waits asks again.
struct container_entry_wire {
    uint32_t index;
    uint16_t owner;  // NODE_NONE: lost
    uint16_t copies; // node ids that follow, 16 bits each; the owner is not among them
} PACKED;

// Messages of the gate: head.count is the kind (a GATE row of coherence.def).
struct container_gate_wire {
    struct container_head_wire head;
    struct container_id child;         // FREEZE, FROZEN: whose fork
    int32_t status;                    // FROZEN: 0 or negative errno
    uint32_t entries;                  // DIRECTORY: container_entry_wire that follow
    uint32_t attached[NODE_SET_WORDS]; // DIRECTORY
    uint32_t known[NODE_SET_WORDS];    // DIRECTORY
} PACKED;

struct container_adopt_wire { // to the successor of a dead home: be the home of this
    struct container_ref ref;
    uint8_t used; // the sender has a user
} PACKED;

struct container_lodge_wire { // to a node with memory: keep pages of this; and the answer
    struct container_ref ref;
    uint32_t pages; // wanted; of the answer: that it will keep
} PACKED;

struct container_clone_wire { // "clone this": a call to the home
    struct container_id id, child;
} PACKED;

struct container_clone_reply {
    uint16_t home; // of the child; or where the home of the parent is now
    uint16_t reserved;
    uint32_t generation;
} PACKED;
