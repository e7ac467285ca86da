// SPDX-License-Identifier: MIT
// Address spaces: segments in a list by address, of many also in a tree, over a cache of page
// tables. What backs a segment is the business of the room above (containers): mm knows it as
// `object` and `ops`.
// Nothing here sleeps by itself; ops->fault may.
#pragma once

#include "arch/x86/arch.h"
#include "lib/list.h"
#include "mm/frame.h"

enum {
    PROT_R = 1,
    PROT_W = 2,
    PROT_X = 4
}; // as Linux PROT_READ, PROT_WRITE, PROT_EXEC

enum {
    SEGMENT_SHARED = 1,      // writes are seen by every user of the object
    SEGMENT_GROWS_DOWN = 2,  // a stack: a fault below extends it
    SEGMENT_STACK = 4,       // named [stack] in maps
    SEGMENT_BRK = 8,         // named [heap] in maps
    SEGMENT_LOCKED = 16,     // mlock(2): counted
    SEGMENT_NOT_FORKED = 32, // madvise(2): a child has nothing there
    SEGMENT_WIPED = 64,      // madvise(2): a child has zeros there
    SEGMENT_READER = 128,    // shared, and may never be written
};

struct segment;

struct fault_answer {
    frame_t frame; // a user of this frame is passed on to the page tables' holder: the object
                   // keeps its own, mm takes none
    bool writable; // map with write access now
};

struct segment_ops {
    // The page `index` of the object is wanted with `access` (PROT_*). 0 with *answer; -EFAULT or
    // -EIO beyond the end (SIGBUS); -EHOSTDOWN: lost with a node; -ENOMEM; -EINTR. May sleep; when
    // it slept, the segment may be gone: it returns -EAGAIN and is asked again from the start.
    int (*fault)(struct segment *s, uint32_t index, unsigned access, struct fault_answer *answer);
    // A segment begins or ends to refer to its object (also at split and at clone of a space).
    void (*attach)(struct segment *s);
    void (*detach)(struct segment *s);
};

struct segment {
    struct list link;                      // in the space, by address
    struct segment *left, *right, *parent; // in the space's tree, mm's
    uint32_t widest_gap;                   // right below one of this part of the tree; mm's
    struct list object_link;               // in the object: its reverse map; the object's to use
    struct space *space;
    uint32_t start, end;  // page aligned, [start, end)
    uint8_t prot;         // PROT_*
    uint8_t flags;        // SEGMENT_*
    bool joined;          // at its detach: another shows its pages from now on
    bool reference_given; // ops->attach takes no reference: the caller of space_map handed its own
    uint32_t index;       // page of the object at `start`
    void *object;         // struct container
    const struct segment_ops *ops;
    void *note; // what it maps, for /proc/PID/maps; the upper room's
};

#define SPACE_SEGMENTS_MAX 65530 // vm.max_map_count of Linux: one program cannot fill the heap

struct space {
    struct arch_space arch;
    struct list segments; // by address
    struct segment *root; // of the tree of them
    struct segment *last_hit;
    uint32_t segment_count;  // at most SPACE_SEGMENTS_MAX
    uint32_t users;          // tasks that share it
    uint32_t brk_start, brk; // program break
    uint32_t mmap_top;       // holes are searched downwards from here
    uint32_t stack_limit_bytes;
    bool lock_later;     // mlockall(2): what is mapped from now on is SEGMENT_LOCKED,
    bool populate_later; // and brought in at once
    bool cloning;        // by one of its threads, which may sleep; the upper room's
    uint16_t barriers;   // membarrier(2): the commands that were registered
    uint32_t mapped_pages, mapped_pages_most; // sum over segments, now and at a time
    uint64_t minor_faults, major_faults;
    uint32_t left_fetched, left_drained; // pages of objects unmapped since, the upper room's count
};

struct space *space_new(void); // NULL: no memory; one user
void space_get(struct space *s);
// The last one unmaps everything: then it is loaded on no CPU any more. May sleep by ops->detach.
void space_put(struct space *s);

struct segment *space_find(struct space *s, uint32_t address);      // holds `address`, or NULL
struct segment *space_find_from(struct space *s, uint32_t address); // first that ends above it

// Adds [start, start + bytes) in place of what is there: the range is never free meanwhile, so no
// other thread maps something there. The object's reference is the segment's from now on
// (ops->attach is called); on failure it stays the caller's. Neighbours that continue each other
// become one segment. A SEGMENT_GROWS_DOWN segment needs an `index` with room below:
// start >> PAGE_SHIFT does. 0, -ENOMEM, -EINVAL. May sleep by ops->detach of what was there, not
// when the range was free.
int space_map(struct space *s, uint32_t start, uint32_t bytes, unsigned prot, unsigned flags,
              void *object, uint32_t index, const struct segment_ops *ops, void *note);
// The range is free at once; then it may sleep by ops->detach, and others may map something there.
int space_unmap(struct space *s, uint32_t start, uint32_t bytes);
int space_protect(struct space *s, uint32_t start, uint32_t bytes, unsigned prot); // -ENOMEM: hole
// Sets and clears flags of what is mapped in the range: 0, -ENOMEM, -EINVAL.
int space_flags(struct space *s, uint32_t start, uint32_t bytes, unsigned set, unsigned clear);
// A free range of `bytes`, `hint` if it is free and not 0; 0: none.
uint32_t space_hole(struct space *s, uint32_t hint, uint32_t bytes);

// Resolves a user fault: 0, -EFAULT no segment, -EACCES wrong access, -EIO beyond the object,
// -EHOSTDOWN the page was lost with a node (the process must be killed), -ENOMEM, -EINTR.
// May sleep; afterwards the instruction is simply tried again.
int space_fault(struct space *s, uint32_t address, unsigned access);

// Page-table upkeep for objects: all attached segments that show page `index`.
void segment_unmap_page(struct segment *s, uint32_t index);
void segment_write_protect_page(struct segment *s, uint32_t index);
// Shows a page of the object beside one that was asked for, when nothing is shown there yet.
void segment_map_page(struct segment *s, uint32_t index, frame_t frame, bool writable);

void space_check(struct space *s); // invariants; asserts
