// SPDX-License-Identifier: MIT
// The segments of a space in a list by address, and of many also in a tree: finding one, and
// finding a gap of a given width, then take steps in the logarithm of their number. A treap: a
// segment stands above those of smaller weight, and the weight is a hash of where it lies, so
// nothing is stored for it.
#pragma once

#include "mm/space.h"

static inline struct segment *segment_before(const struct space *s, const struct segment *g)
{
    return g->link.prev == &s->segments ? NULL : list_entry(g->link.prev, struct segment, link);
}

static inline struct segment *segment_after(const struct space *s, const struct segment *g)
{
    return g->link.next == &s->segments ? NULL : list_entry(g->link.next, struct segment, link);
}

static inline struct segment *segment_last(const struct space *s)
{
    return list_empty(&s->segments) ? NULL : list_entry(s->segments.prev, struct segment, link);
}

// Right before `above`; NULL: behind all. Not yet counted in the space.
void segment_insert(struct space *s, struct segment *above, struct segment *g);
void segment_remove(struct space *s, struct segment *g);

// What lies below `g` has become wider or narrower: its start has moved, or the end before it.
void segment_gap_changed(const struct space *s, struct segment *g);

struct segment *segment_find_from(const struct space *s, uint32_t address); // first that ends above

// The highest segment at or before `g` with so many free bytes right below it; NULL: none.
struct segment *segment_gap(const struct space *s, struct segment *g, uint32_t bytes);

void segments_check(const struct space *s); // invariants; asserts
