// SPDX-License-Identifier: MIT
#include "lib/radix.h"
#include "lib/assert.h"
#include "lib/string.h"

#define BITS       4
#define SLOTS      RADIX_SLOTS
#define HEIGHT_MAX (32 / BITS)
STATIC_ASSERT(SLOTS == 1u << BITS, "a node's slots");

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

// The leaf that holds `index`, made when it is absent; NULL when out of memory.
static struct radix_node *leaf_make(struct radix *r, uint32_t index)
{
    if (!grow(r, index))
        return NULL;
    struct radix_node *n = r->root;
    for (unsigned level = r->height - 1; level > 0; level--) {
        void **slot = &n->slot[slot_of(index, level)];
        if (*slot == NULL) {
            *slot = node_new(r);
            if (*slot == NULL) {
                prune(r, index);
                return NULL;
            }
            n->used++;
        }
        n = *slot;
    }
    return n;
}

bool radix_set(struct radix *r, uint32_t index, void *value)
{
    ASSERT(value != NULL);
    struct radix_node *n = leaf_make(r, index);
    if (n == NULL)
        return false;
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

// First used slot of `n`, which stands at `level`, from where `*at` is in it; SLOTS: none. `*at`
// moves there.
static unsigned slot_from(const struct radix_node *n, unsigned level, uint32_t *at)
{
    unsigned s = slot_of(*at, level);
    if (n->slot[s])
        return s;
    while (++s < SLOTS && n->slot[s] == NULL) {
    }
    if (s < SLOTS)
        *at = (*at & -(SLOTS << (level * BITS))) | s << (level * BITS);
    return s;
}

// The first leaf whose values may be at `*index` or above: down from the root, and where a subtree
// has nothing any more, down again to what comes after it.
static struct radix_node *leaf_from(const struct radix *r, uint32_t *index)
{
    uint32_t at = *index & ~(SLOTS - 1);
    while (r->height > 0 && covers(r->height, at)) {
        struct radix_node *n = r->root;
        unsigned level = r->height - 1, s = 0;
        for (; level > 0 && (s = slot_from(n, level, &at)) < SLOTS; level--)
            n = n->slot[s];
        if (level == 0) {
            *index = at;
            return n;
        }
        if (level == r->height - 1)
            break;
        at = ((at >> ((level + 1) * BITS)) + 1) << ((level + 1) * BITS);
    }
    return NULL;
}

void *const *radix_leaf(const struct radix *r, uint32_t *index)
{
    struct radix_node *n = leaf_from(r, index);
    return n ? n->slot : NULL;
}

void *radix_next(const struct radix *r, uint32_t *index)
{
    for (uint32_t at = *index;;) {
        struct radix_node *n = leaf_from(r, &at);
        if (n == NULL)
            return NULL;
        for (unsigned s = at > *index ? 0 : slot_of(*index, 0); s < SLOTS; s++) {
            if (n->slot[s]) {
                *index = at + s;
                return n->slot[s];
            }
        }
        at += SLOTS;
        if (at == 0)
            return NULL;
    }
}

bool radix_put_leaf(struct radix *r, uint32_t index, void *const values[RADIX_SLOTS], unsigned used)
{
    ASSERT(slot_of(index, 0) == 0 && used > 0);
    struct radix_node *n = leaf_make(r, index);
    if (n == NULL)
        return false;
    ASSERT(n->used == 0);
    memcpy(n->slot, values, sizeof(n->slot));
    n->used = used;
    return true;
}

bool radix_take_leaf(struct radix *r, uint32_t *index, void *values[RADIX_SLOTS])
{
    *index = 0;
    struct radix_node *n = leaf_from(r, index);
    if (n == NULL)
        return false;
    memcpy(values, n->slot, sizeof(n->slot));
    n->used = 0;
    prune(r, *index);
    return true;
}
