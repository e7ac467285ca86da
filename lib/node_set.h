// SPDX-License-Identifier: MIT
// A set of nodes: one bit per id, a plain value that may be copied and compared. Ids at or above
// NODE_MAX are never members: adding one is our own bug, asking for one is answered "no".
#pragma once

#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/types.h"

#define NODE_SET_WORDS ((NODE_MAX + 31) / 32)

struct node_set {
    uint32_t words[NODE_SET_WORDS];
};

#define node_set_for_each(set, id)                                                                 \
    for (node_id_t id = node_set_next(set, 0); id != NODE_NONE;                                    \
         id = node_set_next(set, (node_id_t)(id + 1)))

static inline bool node_set_has(const struct node_set *set, node_id_t id)
{
    return id < NODE_MAX && (set->words[id / 32] >> (id % 32) & 1);
}

static inline void node_set_add(struct node_set *set, node_id_t id)
{
    ASSERT(id < NODE_MAX);
    set->words[id / 32] |= (uint32_t)1 << (id % 32);
}

static inline void node_set_remove(struct node_set *set, node_id_t id)
{
    if (id < NODE_MAX)
        set->words[id / 32] &= ~((uint32_t)1 << (id % 32));
}

static inline void node_set_clear(struct node_set *set)
{
    *set = (struct node_set){{0}};
}

static inline struct node_set node_set_of(node_id_t id)
{
    struct node_set set = {{0}};
    node_set_add(&set, id);
    return set;
}

static inline bool node_set_empty(const struct node_set *set)
{
    uint32_t any = 0;
    for (unsigned i = 0; i < NODE_SET_WORDS; i++)
        any |= set->words[i];
    return !any;
}

static inline bool node_set_equal(const struct node_set *a, const struct node_set *b)
{
    uint32_t differs = 0;
    for (unsigned i = 0; i < NODE_SET_WORDS; i++)
        differs |= a->words[i] ^ b->words[i];
    return !differs;
}

static inline void node_set_minus(struct node_set *set, const struct node_set *gone)
{
    for (unsigned i = 0; i < NODE_SET_WORDS; i++)
        set->words[i] &= ~gone->words[i];
}

static inline unsigned node_set_count(const struct node_set *set)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NODE_SET_WORDS; i++)
        for (uint32_t w = set->words[i]; w; w &= w - 1)
            count++;
    return count;
}

// The lowest member that is at least `from`; NODE_NONE when there is none.
static inline node_id_t node_set_next(const struct node_set *set, node_id_t from)
{
    for (unsigned i = from / 32; i < NODE_SET_WORDS; i++) {
        uint32_t w = set->words[i];
        if (i == from / 32u)
            w &= ~(uint32_t)0 << (from % 32);
        for (unsigned bit = 0; w; w >>= 1, bit++)
            if (w & 1)
                return (node_id_t)(i * 32 + bit);
    }
    return NODE_NONE;
}

static inline node_id_t node_set_first(const struct node_set *set)
{
    return node_set_next(set, 0);
}

// The next member after `id`, upward and around: the order of turns and of successors.
static inline node_id_t node_set_cyclic(const struct node_set *set, node_id_t id)
{
    node_id_t next = id < NODE_MAX ? node_set_next(set, (node_id_t)(id + 1)) : NODE_NONE;
    return next != NODE_NONE ? next : node_set_first(set);
}
