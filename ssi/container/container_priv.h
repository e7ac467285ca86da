// SPDX-License-Identifier: MIT
// What the files of this room share. A page's record is packed into the radix tree's pointer, so
// that a present page costs no allocation: frame << PAGE_FRAME_SHIFT | PAGE_* flags (on i686 that
// names frames of 32 GiB).
#pragma once

#include "kernel/wait.h"
#include "lib/assert.h"
#include "lib/list.h"
#include "lib/radix.h"
#include "ssi/container/container.h"
#include "ssi/container/gate.h"

#define INDEX_END   (1u << 20) // pages of 4 GiB
#define PIECE_PAGES 64u        // work between two release points (PROTOCOLS 1)

typedef uintptr_t page_t; // 0: nothing is known of this page here

enum {
    PAGE_HERE = 1,     // always set: a record is never 0
    PAGE_CLEAN = 2,    // as the provider gave it: it can give it again
    PAGE_BORROWED = 4, // the frame belongs to the provider: never written, no user counted
    PAGE_HELD_SHIFT = 3,
    PAGE_HELD_MASK = 7 << PAGE_HELD_SHIFT, // enum coh_held, turned so that 0 is WRITER
    PAGE_ASKED_SHIFT = 6,
    PAGE_ASKED_MASK = 3 << PAGE_ASKED_SHIFT, // enum coh_right asked of the home
    PAGE_FORMER = 1 << 8,                    // asked of a former home, which must say MOVED
    PAGE_FRAME_SHIFT = 9,
};

static inline page_t page_make(frame_t frame, unsigned flags)
{
    return (page_t)frame << PAGE_FRAME_SHIFT | PAGE_HERE | flags;
}

static inline frame_t page_frame(page_t p)
{
    return (frame_t)(p >> PAGE_FRAME_SHIFT);
}

static inline enum coh_held page_held(page_t p)
{
    unsigned turned = (p & PAGE_HELD_MASK) >> PAGE_HELD_SHIFT;
    return p ? (enum coh_held)((turned + COH_HELD_WRITER) % COH_HELDS) : COH_HELD_NONE;
}

static inline enum coh_right page_asked(page_t p)
{
    return (enum coh_right)((p & PAGE_ASKED_MASK) >> PAGE_ASKED_SHIFT);
}

static inline page_t page_with(page_t p, enum coh_held held, enum coh_right asked)
{
    unsigned turned = ((unsigned)held + COH_HELDS - COH_HELD_WRITER) % COH_HELDS;
    p &= ~(page_t)(PAGE_HELD_MASK | PAGE_ASKED_MASK | PAGE_FORMER);
    return p | PAGE_HERE | turned << PAGE_HELD_SHIFT | (unsigned)asked << PAGE_ASKED_SHIFT;
}

// A local container's pages are all WRITER, so linking changes none of them.
static inline bool page_may_write(page_t p)
{
    return page_frame(p) != FRAME_NONE && page_held(p) == COH_HELD_WRITER;
}

static inline bool page_may_read(page_t p)
{
    enum coh_held held = page_held(p);
    return page_frame(p) != FRAME_NONE && held != COH_HELD_NONE && held != COH_HELD_GIVING;
}

// For waits that end with an event or with the epoch: never interrupted, no deadline.
static inline void sleep_until_woken(struct wait_queue *q)
{
    int result = wait_sleep(q, WAIT_FOREVER, 0);
    ASSERT(result == 0);
}

// A page whose provider is being asked: later faults on it wait.
struct page_fill {
    struct list link;
    uint32_t index;
};

// A thread that waits for a page, on its own stack.
struct page_wait {
    struct list link;
    uint32_t index;
    bool done;
    int result;
    struct wait_queue queue;
};

// What a linked container has more: PROTOCOLS 5.
struct container_link {
    struct list hash_link;
    struct container *container;
    node_id_t home;        // where this node believes it to be
    uint32_t generation;   // of that belief: +1 at each move of the home
    struct coh_gate gate;  // AWAY when the home is elsewhere
    node_id_t former;      // the home before
    uint32_t asked_pages;  // requests out
    uint32_t next_index;   // a fault here goes on in sequence
    uint32_t window_pages; // pages to ask for ahead
    struct container_counts counts;
    // A node that has no user of it any more pushes its pages to who has.
    struct list drain_link;
    uint32_t drain_cursor;    // next page to look at
    bool drain_wrapped;       // the scan went round once since the last jump
    uint32_t drain_offers;    // offered and not gone yet, about
    struct node_set exported; // nodes that its users went to from here
    // Memory is short (lodge.c).
    bool lodges;                   // nobody uses it here, but its home may push pages to this node
    node_id_t lodge_to;            // at the home: who takes pages of it,
    uint32_t lodge_pages;          // so many more,
    uint32_t lodge_wishes;         // elsewhere: not fulfilled yet, about
    uint32_t lodge_cursor;         // from here on
    uint64_t lodge_asked_until_ns; // an answer is waited for
    // At the home only.
    struct radix directory;      // pages whose entry does not follow from the home's own frame
    uint32_t busy;               // entries in transition
    unsigned walking;            // an event is being told to every entry
    bool orphaned;               // the old home died: what no survivor reported is lost
    struct node_set attached;    // nodes with users, as far as known
    struct node_set known;       // nodes that may have a record of it
    struct node_set asked;       // nodes asked whether they have users, not answered yet
    uint16_t round;              // of asking
    bool ending;                 // asking
    bool rebuilding;             // survivors report
    struct container_fork *fork; // the clone that the gate closes for
};

struct container {
    struct list all_link; // every container of the node
    uint32_t users;       // segments, files, waiting threads
    struct io_source source;
    const struct io_linker *linker;
    struct radix pages;        // page_t by index
    uint32_t present;          // of them, with a frame
    uint32_t extent;           // one above the highest page ever attached and not given back
    uint32_t bound;            // 1 + pages that segments may show; 0: all
    struct list segments;      // attached: the reverse map
    bool in_step;              // they are of one space, and each page lies at one address at most
    struct list followers;     // by follow_link: clones that hear of its end (container_follow)
    struct list follow_link;   // of what it is a private mapping of:
    struct container *follows; // this one; NULL: of none, or that has ended
    uint32_t segment_count;
    struct container *clone;      // made of it for the clone of a space
    uint64_t clone_number;        // that was the node's so manyeth: `clone` is one of its own
    struct list fills;            // struct page_fill
    struct list waits;            // struct page_wait
    struct container_id id;       // of a linked one
    struct container_link *link;  // NULL: local
    struct container_link *ended; // of one that waits to be freed: its directory
};

// ---- pages.c
static inline page_t page_get(const struct container *c, uint32_t index)
{
    return (page_t)radix_get(&c->pages, index);
}

// Where its page 0 would lie; equal for segments of one space: they show no page twice.
static inline uint32_t segment_step(const struct segment *s)
{
    return (s->start >> PAGE_SHIFT) - s->index;
}

static inline uint32_t segment_index_end(const struct segment *s)
{
    return s->index + ((s->end - s->start) >> PAGE_SHIFT);
}

bool page_set(struct container *c, uint32_t index, page_t p) MUST_CHECK;
void page_replace(struct container *c, uint32_t index, page_t p); // the record exists
// Takes the record out, its mappings away, and lets the frame go.
void page_drop(struct container *c, uint32_t index);
void page_hide(struct container *c, uint32_t index);    // from user code, on all CPUs
void page_protect(struct container *c, uint32_t index); // from writes
frame_t page_frame_new(unsigned frame_flags);
// The provider's own frame for good, or FRAME_NONE.
frame_t page_lent(struct container *c, uint32_t index);

// Makes page `index` present with `access`: 0 without having slept; -EAGAIN when it slept (look
// again from the start); -EIO, -EHOSTDOWN, -ENOMEM. With 0, *p is its record.
int page_want(struct container *c, uint32_t index, unsigned access, page_t *p);

void page_wait_begin(struct container *c, struct page_wait *w, uint32_t index);
int page_wait_end(struct container *c, struct page_wait *w);     // sleeps; -EAGAIN or the error
bool page_wake(struct container *c, uint32_t index, int result); // did anybody wait?

// ---- container.c
struct container *container_in_turn(void); // each call the next one of this node; NULL: none
const struct io_linker *container_linker_of(unsigned kind); // NULL: unknown
void container_reap_now(void);           // frees what waits to be freed; never sleeps
void container_end(struct container *c); // no user, no link: frees it, perhaps in the background
// All pages of `c` to `child` as well, copy on write; false: no memory, `child` is of no use.
// Sleeps only when `c` is local.
bool pages_share(struct container *c, struct container *child) MUST_CHECK;

// ---- transition.c: pages of a linked container
int transition_want(struct container *c, uint32_t index, unsigned access);
// A message or local event for one page (NULL: only what the node said to itself meanwhile).
// `bytes`: PAGE_SIZE of content that DATA brings; NULL: the provider gives it. Never sleeps.
void transition_event(struct container *c, uint32_t index, const struct coh_msg *msg,
                      const void *bytes);
// The same event for every entry of the home's directory.
void transition_home_event(struct container *c, enum coh_kind kind, const struct node_set *lost);
// Does this slot of a directory say just that `node` owns the page?
bool transition_owned_plainly(const void *slot, node_id_t node);
// Frees at most so many entries; true when none is left.
bool transition_directory_trim(struct container_link *l, unsigned entries);
// The entry of a page, made when it is absent and kept until the next step on it; NULL: no memory.
struct coh_home *transition_entry(struct container *c, uint32_t index);
// This node is short of memory: it drops its copy of a page, or has the home push the page to who
// has room (the home's own to link->lodge_to). False: no memory for that.
bool transition_lodge(struct container *c, uint32_t index) MUST_CHECK;

// ---- hold.c
void hold_begin(struct container *c, uint32_t index); // a thread waited for it, and it came
// Does `m` have to wait? Then it is kept, and delivered later.
bool hold_back(struct container *c, uint32_t index, const struct coh_msg *m);
void hold_release(void); // everything that waits, now: before an epoch
void hold_forget(struct container *c);

// ---- wire.c
void wire_cork(void); // gathers what follows into as few messages as possible
void wire_uncork(void);
void wire_page(struct container *c, node_id_t to, uint32_t index, const struct coh_msg *m);

// ---- link.c
struct container *link_find(const struct container_id *id);
bool link_make(struct container *c, const struct container_id *id, node_id_t home,
               uint32_t generation);
struct container_id link_new_id(void);
void link_left(struct container *c);                     // its last user here went
void link_requested(struct container *c, node_id_t who); // at the home: for a user, it seems
void link_learn(struct container *c, node_id_t home, uint32_t generation);
void linked_check(struct container *c); // invariants
void link_show(struct container *c, struct text *t);
void link_check_end(struct container *c); // at the home: does anybody use it?
// At the home: a clone could not be recorded here; who has made a record of it frees that.
void link_free_unmade(const struct container_id *id, const struct node_set *known);
// The home counts this node among the users of a container that found no memory here.
void link_decline(const struct container_id *id, node_id_t home);
void link_epoch_end(struct container *c, const struct node_set *lost);
// The home is another one now; what is asked of the one before stays its business while it lives.
void link_set_home(struct container *c, node_id_t home, uint32_t generation);
void link_former_died(struct container *c);
void link_tell_home(struct container *c); // where it is from now on: here
void link_end_home(struct container *c);  // this node is the home no more
bool link_is_home(const struct container *c);
struct container *link_import(const struct container_ref *ref); // made here, one user; or NULL
// Calls fn for every linked container of this node; fn may free the one it is given.
void link_each(void (*fn)(struct container *c, void *arg), void *arg);

// ---- drain.c
void drain_consider(struct container *c);
void drain_progress(struct container *c, uint32_t index); // a page went, or came back
void drain_forget(struct container *c);

// ---- lodge.c
// Before a page takes a frame: false when it may. Memory is short and pages of others are on their
// way elsewhere: true, and it slept. When none can go, nobody waits.
bool lodge_wait(void);
// May a page that comes from another node have a frame? `pushed`: nobody here asked for it.
bool lodge_accepts(const struct container *c, bool pushed);
void lodge_progress(struct container *c, bool went); // a page went, or was refused
void lodge_give_back(struct container *c); // nobody uses it here: its pages go to who does

// ---- homes.c: the gate
bool gate_directory_fits(struct container *c, node_id_t new_home); // into one message
void gate_event(struct container *c, const struct coh_gate_event *e,
                const struct container_id *child, int status);
void gate_look(struct container *c); // perhaps all is quiet now

// ---- fork.c
struct container *fork_linked(struct container *c); // with a user; NULL: no memory; sleeps
const struct container_id *fork_child_of(const struct container_fork *f);
void fork_copy(struct container *c); // at the home, when all holders have answered
// A holder's part: its pages to the child as well. 0 or -ENOMEM.
int fork_freeze(struct container *c, const struct container_id *child, node_id_t home);
void fork_failed(struct container *c, int status);
