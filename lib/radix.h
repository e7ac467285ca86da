// SPDX-License-Identifier: MIT
// Radix tree from a 32-bit index to a pointer, 16 slots per node: containers keep their pages in
// one. Grows with the highest index in use; memory comes from the functions it is given.
#pragma once

#include "lib/types.h"

#define RADIX_SLOTS 16u // of a node

struct radix_memory {
    void *(*alloc)(size_t bytes); // zeroed not needed; NULL when out of memory
    void (*free)(void *memory);
};

struct radix {
    void *root;
    unsigned height; // levels; 0: empty
    const struct radix_memory *memory;
};

void radix_init(struct radix *r, const struct radix_memory *memory);

// NULL when nothing is there.
void *radix_get(const struct radix *r, uint32_t index);

// Stores `value` (not NULL); false when out of memory, and then nothing changed.
bool radix_set(struct radix *r, uint32_t index, void *value) MUST_CHECK;

// Takes the value out and returns it; frees nodes that become empty.
void *radix_remove(struct radix *r, uint32_t index);

// First value at `*index` or above, with its index stored; NULL when there is none.
void *radix_next(const struct radix *r, uint32_t *index);

// Leaf by leaf, for who goes over many values: a leaf is the RADIX_SLOTS values at a multiple of
// RADIX_SLOTS, NULL where nothing is.
// The first leaf with an index at `*index` or above, whose first index is stored; NULL: none.
void *const *radix_leaf(const struct radix *r, uint32_t *index);
// Stores a leaf, `used` of whose values are not NULL (at least one), where none is; false when out
// of memory, and then nothing changed.
bool radix_put_leaf(struct radix *r, uint32_t index, void *const values[RADIX_SLOTS],
                    unsigned used) MUST_CHECK;
// Takes the first leaf of all out of the tree; false when there is none.
bool radix_take_leaf(struct radix *r, uint32_t *index, void *values[RADIX_SLOTS]);

// All values in order of index; the body may remove the current one.
#define radix_for_each(r, index, value)                                                            \
    for ((index) = 0; ((value) = radix_next((r), &(index))) != NULL; (index)++)
