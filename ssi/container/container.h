// SPDX-License-Identifier: MIT
// Containers (the paper, section 3): cluster-wide objects that hold pages by index, between the
// virtual layer (segments, files) and what provides the pages. Interface linkers attach users: vm
// segments (segment_ops) and the read/write path of files. An I/O linker attaches the provider.
// A container that never left its node is local and sends no message; it becomes linked in O(1).
#pragma once

#include "lib/fmt.h"
#include "lib/limits.h"
#include "mm/space.h"
#include "mm/user.h"

struct container;

// Cluster-wide name: node that made it, and a number there.
struct container_id {
    uint16_t node;
    uint16_t reserved;
    uint32_t number;
} PACKED;

enum io_linker_kind {
#define IO_LINKER(number, name, ops) IO_##name = number,
#include "ssi/container/linkers.def"
#undef IO_LINKER
};

// Whence pages come that nobody has touched: plain data, so that a ghost can carry it.
struct io_source {
    uint16_t kind; // enum io_linker_kind
    uint16_t reserved;
    uint32_t bytes;  // bytes of the source that count; behind them zeros
    uint64_t object; // which file, meaning is the linker's
    uint64_t offset; // byte offset in it of the container's page 0; may be unaligned
} PACKED;

struct io_linker {
    const char *name;
    // Fills a page that nobody touched yet; it comes zeroed. 0, -EIO, -EHOSTDOWN. May sleep.
    int (*first_touch)(const struct io_source *s, uint32_t index, void *page);
    // Optional: a frame that already holds the page for good (boot image, page aligned): it is
    // shared read-only and copied on the first write. FRAME_NONE: none.
    frame_t (*shared_frame)(const struct io_source *s, uint32_t index);
    // Optional: a page leaves for good, or must be made durable.
    int (*write_back)(const struct io_source *s, uint32_t index, const void *page);
    // Optional: each node has its own container of this kind, with pages that only its provider
    // writes. It is never linked; a reference that comes in a ghost means the node's own, which
    // this returns with one user more.
    struct container *(*own)(void);
};

// NULL: no memory. One user.
struct container *container_new(const struct io_source *source);
struct container *container_new_anonymous(void);
// Anonymous memory that holds the content of file `object`: for /proc/PID/maps, also of its clones.
struct container *container_new_content(uint64_t object);
struct io_source container_source(const struct container *c);
void container_get(struct container *c);
void container_put(struct container *c);
struct container_id container_id_of(const struct container *c);
bool container_is_linked(const struct container *c); // may other nodes use it?
// May a shared segment that is attached now change its pages? Of other nodes only their attaching
// is known: that counts.
bool container_may_be_changed(const struct container *c);
// The one of that name as this node knows it, borrowed; NULL when it does not.
struct container *container_named(const struct container_id *id);

// Fork: a new container with the same pages, shared copy-on-write on every node; no page crosses
// the wire. Write-protects the parent's attached segments. NULL: no memory (nothing changed).
// May sleep.
struct container *container_clone(struct container *c);

// Fork: a space with the same segments; private ones refer to clones, SEGMENT_SHARED ones to the
// same containers. `note`s are copied as they are. NULL: no memory. May sleep.
// The clone is `from` at one moment for each of its threads: what one of them writes or maps later
// than something that the clone has not is not in the clone either, as its page faults and changes
// of mappings wait.
struct space *container_clone_space(struct space *from);

// Before a thread changes mappings of a space: until no other thread clones it. May sleep.
void container_space_settle(struct space *s);

// Interface linker "vm": pass to space_map with the container as object.
extern const struct segment_ops container_segment_ops;

// May a segment (brk, mremap) go on in the same container from page `index`? False when pages from
// there on were used before: then the caller maps a new container behind it.
bool container_extends(const struct container *c, uint32_t index);
// Does a segment of this node show page `index` or one above it?
bool container_shown_from(const struct container *c, uint32_t index);

// madvise(MADV_DONTNEED): pages [first, first + count) are as untouched again. 0, -ENOMEM,
// -EHOSTDOWN. May sleep.
int container_discard(struct container *c, uint32_t first, uint32_t count);

// Interface linker "file": bytes through the container's pages. `x` limits the length; they
// return 0 when done or when the copy came short (x->short_copy), or a negative errno. May sleep.
int container_read(struct container *c, uint64_t offset, struct xfer *x);
int container_write(struct container *c, uint64_t offset, struct xfer *x);
// The first page from `index` on that is a hole, or that is none; UINT32_MAX: there is none. Pages
// of a container that other nodes use count as content.
uint32_t container_next(const struct container *c, uint32_t index, bool is_hole);
// Pages from `first_page` on are dropped; the tail of the page before is zeroed from `bytes`.
void container_truncate(struct container *c, uint64_t bytes);

// Segments may show the pages of the first `bytes` bytes only: what lies behind is -EIO to their
// faults (SIGBUS) until the next call. Known on this node alone: a segment on another node sees
// zeros there. Never sleeps.
void container_bound(struct container *c, uint64_t bytes);
bool container_shows(const struct container *c, uint32_t index); // that page may be seen
// `c`, a new clone of the file's content, is privately mapped: from now on truncation takes its
// pages behind the end, too, and it shows `bytes` bytes, or as many as the file is bound to later.
// What other nodes know of (a linked clone) keeps its pages. While neither is linked, a page of it
// that is untouched, or so again, is the file's as that has it then. Never sleeps.
void container_follow(struct container *c, struct container *file, uint64_t bytes);
// Would a page that is discarded come back as its provider has it, or the file that it follows?
// False for a copy of a file that other nodes use: its content would be lost.
bool container_provides(const struct container *c);

uint32_t container_pages_present(const struct container *c);
uint32_t container_segment_count(const struct container *c); // of this node

// What a linked container cost this node since it was linked here: all 0 while it is local.
struct container_counts {
    uint32_t fetched;     // pages that came because they were asked for
    uint32_t drained;     // pages that were pushed to this node
    uint32_t pushed;      // pages that this node pushed
    uint32_t sent;        // pages that this node sent because they were asked for
    uint32_t first;       // first touches granted by a home elsewhere, without data
    uint32_t upgrades;    // rights granted without data
    uint32_t invalidated; // copies taken away
    uint32_t refused;     // pages that this node could not take
};
void container_counts_of(const struct container *c, struct container_counts *counts);
// Sum over the containers that the segments of a space refer to, each counted once, with what it
// has unmapped.
void container_space_counts(struct space *s, struct container_counts *counts);

// ---- linking, for the ghost and the hand-off
// ------------------------------------------------------- What travels in a ghost: enough to attach
// on another node.
struct container_ref {
    struct container_id id;
    struct io_source source;
    uint16_t home;
    uint16_t reserved;
    uint32_t home_generation;
    uint32_t extent; // pages that were ever attached, see container_extends
} PACKED;

// Makes it linked (O(1), idempotent) and writes its reference.
int container_export(struct container *c, struct container_ref *ref);
// The container of a reference on this node, with one user more; made if it is not known yet.
struct container *container_import(const struct container_ref *ref);

// The user that was attached here goes to `target`: pages left here are drained to it in the
// background, hot ones first, and home follows (PROTOCOLS 5), unless the setting drain=off.
void container_drain(struct container *c, node_id_t target);
// Pages of it that only this node has, and whether home is here: 0 and false when nothing of it
// depends on this node any more.
uint32_t container_pages_only_here(const struct container *c, bool *home_here);

// What a user of `c` on this node depends on: the node that is its home, and, when that is this
// node, the pages that another one owns (0 elsewhere: only the home knows).
uint32_t container_pages_elsewhere(const struct container *c, node_id_t *home);

void containers_show(struct text *t); // /proc/cluster/containers
void containers_check(void);          // invariants of all containers of this node; asserts
