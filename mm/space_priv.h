// SPDX-License-Identifier: MIT
// The segments of a space as a tree by address, beside their list: finding one, and finding a gap
// of a given width, take steps in the logarithm of their number. A treap: a segment stands above
// those of smaller weight, and the weight is a hash of where it lies, so nothing is stored for it.
#pragma once

#include "mm/space.h"

struct segment *segment_before(const struct space *s, const struct segment *g); // NULL: none
struct segment *segment_after(const struct space *s, const struct segment *g);

// Into the list and the tree, right before `above`; NULL: behind all.
void segment_tree_insert(struct space *s, struct segment *above, struct segment *g);
void segment_tree_remove(struct space *s, struct segment *g); // out of both

// What lies below `g` has become wider or narrower: its start has moved, or the end before it.
void segment_tree_gap_changed(const struct space *s, struct segment *g);

struct segment *segment_tree_find(const struct space *s, uint32_t address); // first that ends above

// The highest segment at or before `g` with so many free bytes right below it; NULL: none.
struct segment *segment_tree_gap(const struct space *s, struct segment *g, uint32_t bytes);

void segment_tree_check(const struct space *s); // invariants; asserts
