// SPDX-License-Identifier: MIT
#include "mm/space_priv.h"
#include "lib/assert.h"

#define TREE_FROM 64u // segments: a walk among fewer is shorter than what the tree costs to keep

static uint32_t gap_below(const struct space *s, const struct segment *g)
{
    const struct segment *before = segment_before(s, g);
    return g->start - (before ? before->end : 0);
}

// ---- widest gaps: of a segment's own and those of its children ----------------------------------

static uint32_t widest(const struct space *s, const struct segment *g)
{
    uint32_t most = gap_below(s, g);
    if (g->left)
        most = MAX(most, g->left->widest_gap);
    if (g->right)
        most = MAX(most, g->right->widest_gap);
    return most;
}

// Up the tree as long as it changes anything.
static void gaps_look(const struct space *s, struct segment *g)
{
    for (; g; g = g->parent) {
        uint32_t now = widest(s, g);
        if (now == g->widest_gap)
            return;
        g->widest_gap = now;
    }
}

void segment_gap_changed(const struct space *s, struct segment *g)
{
    if (s->root)
        gaps_look(s, g);
}

// ---- shape --------------------------------------------------------------------------------------

static uint32_t weight(const struct segment *g)
{
    uint32_t x = (uint32_t)(uintptr_t)g;
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static void replace_child(struct space *s, struct segment *old, struct segment *by)
{
    struct segment *parent = old->parent;
    if (parent == NULL)
        s->root = by;
    else if (parent->left == old)
        parent->left = by;
    else
        parent->right = by;
    if (by)
        by->parent = parent;
}

// `g` takes the place of its parent, which becomes its child: the order stays.
static void rotate_up(struct space *s, struct segment *g)
{
    struct segment *parent = g->parent, *middle;
    replace_child(s, parent, g);
    if (parent->left == g) {
        parent->left = middle = g->right;
        g->right = parent;
    } else {
        parent->right = middle = g->left;
        g->left = parent;
    }
    if (middle)
        middle->parent = parent;
    parent->parent = g;
    g->widest_gap = parent->widest_gap; // the same segments are below it
    parent->widest_gap = widest(s, parent);
}

// `g` is in the list already, and is planted right before `above`; NULL: behind all that are.
static void plant(struct space *s, struct segment *above, struct segment *g)
{
    struct segment *before = segment_before(s, g);
    g->left = g->right = g->parent = NULL;
    if (s->root == NULL) {
        s->root = g;
    } else if (above && above->left == NULL) {
        g->parent = above;
        above->left = g;
    } else { // the last one of what is left of `above`, or of all
        g->parent = before;
        before->right = g;
    }
    g->widest_gap = gap_below(s, g);
    gaps_look(s, g->parent);
    if (above)
        gaps_look(s, above);
    uint32_t own = weight(g);
    while (g->parent && own > weight(g->parent))
        rotate_up(s, g);
}

static void plant_all(struct space *s)
{
    struct segment *g;
    list_for_each (g, &s->segments, link)
        plant(s, NULL, g);
}

void segment_insert(struct space *s, struct segment *above, struct segment *g)
{
    list_append(above ? &above->link : &s->segments, &g->link);
    if (s->root)
        plant(s, above, g);
    else if (s->segment_count >= TREE_FROM)
        plant_all(s);
}

void segment_remove(struct space *s, struct segment *g)
{
    struct segment *above = segment_after(s, g);
    if (s->root == NULL) {
        list_remove(&g->link);
        return;
    }
    while (g->left && g->right)
        rotate_up(s, weight(g->left) > weight(g->right) ? g->left : g->right);
    struct segment *parent = g->parent;
    replace_child(s, g, g->left ? g->left : g->right);
    list_remove(&g->link);
    gaps_look(s, parent);
    if (above)
        gaps_look(s, above);
}

// ---- finding ------------------------------------------------------------------------------------

// From the segment that was found last: what follows each other is looked for nearby.
static struct segment *walk_to(const struct space *s, uint32_t address)
{
    struct segment *g = s->last_hit, *next;
    if (g == NULL && !list_empty(&s->segments))
        g = list_entry(s->segments.next, struct segment, link);
    while (g && address >= g->end)
        g = segment_after(s, g);
    while (g && (next = segment_before(s, g)) != NULL && address < next->end)
        g = next;
    return g;
}

struct segment *segment_find_from(const struct space *s, uint32_t address)
{
    struct segment *g = s->root, *found = NULL;
    if (g == NULL)
        return walk_to(s, address);
    while (g) {
        if (address < g->end) {
            found = g;
            g = g->left;
        } else {
            g = g->right;
        }
    }
    return found;
}

// Of `g` and what is below it in the tree, which has such a gap.
static struct segment *highest_gap(const struct space *s, struct segment *g, uint32_t bytes)
{
    for (;;) {
        if (g->right && g->right->widest_gap >= bytes)
            g = g->right;
        else if (gap_below(s, g) >= bytes)
            return g;
        else
            g = g->left;
    }
}

// The highest segment before `g`, and before all that is right of it in the tree, of which a part
// may have such a gap.
static struct segment *back_from(const struct space *s, struct segment *g, uint32_t bytes)
{
    if (s->root == NULL)
        return segment_before(s, g);
    if (g->left && g->left->widest_gap >= bytes)
        return highest_gap(s, g->left, bytes);
    while (g->parent && g->parent->left == g)
        g = g->parent;
    return g->parent;
}

struct segment *segment_gap(const struct space *s, struct segment *g, uint32_t bytes)
{
    while (g && gap_below(s, g) < bytes)
        g = back_from(s, g, bytes);
    return g;
}

// ---- invariants ---------------------------------------------------------------------------------

void segments_check(const struct space *s)
{
    const struct segment *g;
    if (s->root == NULL)
        return;
    ASSERT(s->root->parent == NULL && !list_empty(&s->segments));
    list_for_each (g, &s->segments, link) {
        ASSERT(g->left == NULL || (g->left->parent == g && g->left->start < g->start));
        ASSERT(g->right == NULL || (g->right->parent == g && g->right->start > g->start));
        ASSERT(g->parent == NULL || weight(g->parent) >= weight(g));
        ASSERT(g->parent != NULL || g == s->root);
        ASSERT(g->widest_gap == widest(s, g));
        ASSERT(segment_find_from(s, g->start) == g);
    }
}
