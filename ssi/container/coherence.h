// SPDX-License-Identifier: MIT
// Coherence of one page over the cluster, as two pure step functions: the home's directory entry
// and a node's own holding (PROTOCOLS 5; Li and Hudak 1989, "fixed distributed manager", with
// confirmation). The table and its drawing are coherence.def. Nothing in here sleeps, allocates,
// keeps a pointer or knows the time: the container room feeds messages, and executes the effects.
//
// What the room owes the step functions:
//  1. Messages of one page from one node to another are handled in the order they were sent
//     (send all in class `forward`). A message to oneself is handled at once, before anything else
//     of that page. A room that holds a message back (minimum hold) holds back all later ones of
//     that page and pair too.
//  2. Effects are carried out before the kernel lock is released, in the order of enum coh_do, the
//     sends between UNMAP/PROTECT and DROP (a sent DATA reads the frame).
//  3. A grant that needs a provider that sleeps is stepped only when the provider has delivered.
//  4. Messages to nodes that are not members are thrown away; from such nodes they never get here.
//     From the moment a node has sent FLUSH(n+1) it handles nothing more from nodes that epoch n+1
//     leaves out (docs/protocols-notes.md says why).
//  5. A node answers for a page it knows nothing of with a fresh holder (coh_holder_init).
// An entry that is absent at the home stands for coh_home_init(h, self) when the home has a frame,
// else for coh_home_init(h, NODE_NONE). While the container is not linked and its gate is open the
// home uses such pages without a step; once it is linked its own faults go through FAULT_*.
#pragma once

#include "lib/node_set.h"
#include "lib/types.h"

enum coh_kind {
#define COH_KIND(number, name, receiver, sentence) COH_##name = (number),
#include "ssi/container/coherence.def"
#undef COH_KIND
    COH_LOCAL_FIRST = 64, // from here on: local events, never accepted from the wire
    COH_KIND_MAX = 96,
};

enum coh_receiver {
    COH_TO_NOBODY,
    COH_TO_HOME,
    COH_TO_HOLDER,
    COH_TO_GATE
};

enum coh_right {
    COH_RIGHT_NONE,
    COH_RIGHT_READ,
    COH_RIGHT_WRITE
};

enum coh_home_state {
#define COH_HOME_STATE(name, word, next) COH_HOME_##name,
#include "ssi/container/coherence.def"
#undef COH_HOME_STATE
    COH_HOME_STATES
};

enum coh_held {
#define COH_HELD(name, word, next) COH_HELD_##name,
#include "ssi/container/coherence.def"
#undef COH_HELD
    COH_HELDS
};

enum {
    COH_HAS_COPY = 1, // requests: the sender has a readable frame and keeps it until answered
    COH_PUSH = 2,     // FORWARD, DATA: a drain, nobody asked for it; MOVED: answers an OFFER
    COH_FIRST = 4,    // GRANT: first touch, the provider gives the page
    COH_FLAGS = 7,
};

struct coh_msg {
    uint8_t kind;   // enum coh_kind
    uint8_t right;  // enum coh_right granted (GRANT, FORWARD, DATA) or wanted (REPORT)
    uint8_t held;   // enum coh_held (REPORT)
    uint8_t flags;  // COH_HAS_COPY, COH_PUSH, COH_FIRST
    node_id_t from; // the sender; self for local events
    node_id_t node; // FORWARD: who gets it; DATA: the home to confirm to; MOVED: the home
};

#define COH_SENDS_MAX 4

struct coh_send {
    struct coh_msg msg; // msg.from is filled in
    struct node_set to; // members; may contain the sender itself
};

// Effects, in the order of execution. A step returns a mask of them.
enum coh_do {
    COH_DO_PROTECT = 1,   // make the frame unwritable on all CPUs (before the sends)
    COH_DO_UNMAP = 2,     // make it unreachable for user code on all CPUs (before the sends)
    COH_DO_DROP = 4,      // let go of the frame (after the sends)
    COH_DO_FIRST = 8,     // get the page from the container's provider
    COH_DO_DATA = 16,     // put the message's page into a frame
    COH_DO_MAP_READ = 32, // user code may read it
    COH_DO_MAP_WRITE = 64,
    COH_DO_WAKE = 128, // threads that wait for this page look again
    COH_DO_FAIL = 256, // threads that wait for this page: it is lost (SIGBUS, or reported dead)
    COH_DO_BACK = 512, // threads that wait for this page: this node refused it (no memory)
};

struct coh_out {
    bool refused;     // no such cell, or a message that does not fit: nothing was changed; count it
    uint8_t was, is;  // old and new state (home) or holding (holder), for the trace
    uint8_t sends;    // messages in `send`
    uint16_t effects; // mask of enum coh_do
    struct coh_send send[COH_SENDS_MAX];
};

// What a step may know besides its entry and its message. The room fills in what applies.
struct coh_env {
    node_id_t self;
    node_id_t home;       // where this node believes the home to be (holder; home on GONE)
    node_id_t only;       // home: the only attached node, NODE_NONE if not exactly one: write-grab
    node_id_t push_to;    // home: who gets drained pages: an attached node, NODE_NONE if none
    node_id_t lodge_to;   // home, LODGE: who gets the home's own pages; knows the container and
                          // has room; NODE_NONE if none
    bool closed;          // home: the gate is not open: start nothing, let requests wait
    bool provider_keeps;  // home: the provider always has the latest content (read-only image)
    bool accept;          // holder: attached or a lodger's, and a frame is there for DATA or FIRST
    bool draining;        // holder: nobody uses the container here
    bool asked_elsewhere; // holder, EPOCH: its request went to a former home that lives and will
                          // answer MOVED
    bool home_lost;       // holder, EPOCH: the old home died, env.home is its successor
    struct node_set lost; // EPOCH: who is no member any more
};

// The directory entry of one page at its home.
struct coh_home {
    uint8_t state;          // enum coh_home_state
    uint8_t right;          // what is being granted to `target`
    uint8_t flags;          // COH_PUSH, COH_FIRST of the grant under way
    bool offered;           // the owner wants to be drained
    node_id_t owner;        // has the latest content; NODE_NONE: untouched (or orphaned, see check)
    node_id_t target;       // who is granted to, or asked to adopt
    node_id_t giver;        // whose old frame is kept until the grant is confirmed
    node_id_t last;         // served last: turns go round from here
    struct node_set copies; // who may have a readable copy, the owner included
    struct node_set pending; // whose INVALIDATED is awaited
    struct node_set waiting; // one request per node
    struct node_set writers; // those of them that want to write
};

// One node's holding of one page.
struct coh_holder {
    uint8_t held;  // enum coh_held
    uint8_t asked; // enum coh_right requested and not answered yet
};

void coh_home_init(struct coh_home *h, node_id_t owner);
void coh_home_init_rebuild(struct coh_home *h); // the successor's entry: reports, then REBUILT
void coh_holder_init(struct coh_holder *p);

void coh_home_step(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                   struct coh_out *out);
void coh_holder_step(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                     struct coh_out *out);

// An idle entry that nobody waits for and that has one owner and no other copy (or is untouched)
// is fully described by its owner: coh_home_init(h, owner) makes it again. With owner == the home
// itself or NODE_NONE it may be absent altogether.
bool coh_home_is_plain(const struct coh_home *h);
// In transition: the gate must wait for it.
bool coh_home_is_busy(const struct coh_home *h);

// What a node that is not the home answers to a READ_REQ, WRITE_REQ or OFFER.
static inline struct coh_msg coh_moved(const struct coh_msg *in, node_id_t self, node_id_t home)
{
    return (struct coh_msg){.kind = COH_MOVED,
                            .flags = in->kind == COH_OFFER ? COH_PUSH : 0,
                            .from = self,
                            .node = home};
}

// 0, or the number of the first invariant that does not hold.
int coh_home_check(const struct coh_home *h);
int coh_holder_check(const struct coh_holder *p);
// One line of text; returns its length (cut at size).
int coh_home_show(const struct coh_home *h, char *text, size_t size);
int coh_holder_show(const struct coh_holder *p, char *text, size_t size);
int coh_msg_show(const struct coh_msg *m, char *text, size_t size);

const char *coh_kind_name(unsigned kind); // never NULL
enum coh_receiver coh_kind_receiver(unsigned kind);
const char *coh_home_state_name(unsigned state); // never NULL
const char *coh_held_name(unsigned held);        // never NULL

// The wire form. DATA is followed by PAGE_SIZE bytes.
struct coh_wire {
    uint8_t kind, right, held, flags;
    uint16_t node;
} __attribute__((packed));
_Static_assert(sizeof(struct coh_wire) == 6, "wire form");

void coh_msg_put(const struct coh_msg *m, struct coh_wire *w);
// False for what no peer may send; `from` is the link's word, and below NODE_MAX.
bool coh_msg_get(const struct coh_wire *w, node_id_t from, struct coh_msg *m) MUST_CHECK;
