// SPDX-License-Identifier: MIT
#include "lib/radix.h"
#include "lib/assert.h"
#include "lib/string.h"

#define BITS       4
#define SLOTS      (1u << BITS)
#define HEIGHT_MAX (32 / BITS)

struct radix_node {
    void *slot[SLOTS];
    unsigned used; // slots that are not NULL
};

void radix_init(struct radix *r, const struct radix_memory *memory)
{
    *r = (struct radix){.memory = memory};
}

static bool covers(unsigned height, uint32_t index)
{
    return height >= HEIGHT_MAX || index < 1u << (height * BITS);
}

static unsigned slot_of(uint32_t index, unsigned level)
{
    return (index >> (level * BITS)) & (SLOTS - 1);
}

void *radix_get(const struct radix *r, uint32_t index)
{
    if (r->height == 0 || !covers(r->height, index))
        return NULL;
    struct radix_node *n = r->root;
    for (unsigned level = r->height - 1; n && level > 0; level--)
        n = n->slot[slot_of(index, level)];
    return n ? n->slot[slot_of(index, 0)] : NULL;
}

static struct radix_node *node_new(struct radix *r)
{
    struct radix_node *n = r->memory->alloc(sizeof(*n));
    if (n)
        memset(n, 0, sizeof(*n));
    return n;
}

// Raises the tree until it covers `index`. An empty tree gets its one root at the right height.
static bool grow(struct radix *r, uint32_t index)
{
    if (r->root == NULL) {
        unsigned height = 1;
        while (!covers(height, index))
            height++;
        r->root = node_new(r);
        r->height = r->root ? height : 0;
        return r->root != NULL;
    }
    while (!covers(r->height, index)) {
        struct radix_node *n = node_new(r);
        if (n == NULL)
            return false;
        n->slot[0] = r->root;
        n->used = 1;
        r->root = n;
        r->height++;
    }
    return true;
}

// Frees the nodes on the way to `index` that hold nothing, from the deepest that there is upward.
static void prune(struct radix *r, uint32_t index)
{
    struct radix_node *path[HEIGHT_MAX];
    struct radix_node *n = r->root;
    unsigned level = r->height;
    while (n && level > 0) {
        path[--level] = n;
        n = level > 0 ? n->slot[slot_of(index, level)] : NULL;
    }
    for (; level < r->height && path[level]->used == 0; level++) {
        r->memory->free(path[level]);
        if (level + 1 < r->height) {
            path[level + 1]->slot[slot_of(index, level + 1)] = NULL;
            path[level + 1]->used--;
        } else {
            r->root = NULL;
            r->height = 0;
        }
    }
}

bool radix_set(struct radix *r, uint32_t index, void *value)
{
    ASSERT(value != NULL);
    if (!grow(r, index))
        return false;
    struct radix_node *n = r->root;
    for (unsigned level = r->height - 1; level > 0; level--) {
        void **slot = &n->slot[slot_of(index, level)];
        if (*slot == NULL) {
            *slot = node_new(r);
            if (*slot == NULL) {
                prune(r, index);
                return false;
            }
            n->used++;
        }
        n = *slot;
    }
    void **slot = &n->slot[slot_of(index, 0)];
    if (*slot == NULL)
        n->used++;
    *slot = value;
    return true;
}

void *radix_remove(struct radix *r, uint32_t index)
{
    if (r->height == 0 || !covers(r->height, index))
        return NULL;
    struct radix_node *n = r->root;
    for (unsigned level = r->height - 1; n && level > 0; level--)
        n = n->slot[slot_of(index, level)];
    if (n == NULL)
        return NULL;
    void *value = n->slot[slot_of(index, 0)];
    if (value == NULL)
        return NULL;
    n->slot[slot_of(index, 0)] = NULL;
    if (--n->used == 0)
        prune(r, index);
    return value;
}

static void *next_in(struct radix_node *n, unsigned level, uint32_t from, uint32_t *index)
{
    for (unsigned s = slot_of(from, level); s < SLOTS; s++) {
        uint32_t base = (from >> (level * BITS)) << (level * BITS);
        if (n->slot[s]) {
            void *found = level ? next_in(n->slot[s], level - 1, from, index) : n->slot[s];
            if (level == 0)
                *index = (from & ~(SLOTS - 1)) | s;
            if (found)
                return found;
        }
        if (s + 1 < SLOTS)
            from = base + (1u << (level * BITS));
    }
    return NULL;
}

void *radix_next(const struct radix *r, uint32_t *index)
{
    if (r->height == 0 || !covers(r->height, *index))
        return NULL;
    return next_in(r->root, r->height - 1, *index, index);
}
