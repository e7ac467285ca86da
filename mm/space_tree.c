// SPDX-License-Identifier: MIT
#include "mm/space_priv.h"
#include "lib/assert.h"

struct segment *segment_before(const struct space *s, const struct segment *g)
{
    return g->link.prev == &s->segments ? NULL : list_entry(g->link.prev, struct segment, link);
}

struct segment *segment_after(const struct space *s, const struct segment *g)
{
    return g->link.next == &s->segments ? NULL : list_entry(g->link.next, struct segment, link);
}

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
void segment_tree_gap_changed(const struct space *s, struct segment *g)
{
    for (; g; g = g->parent) {
        uint32_t now = widest(s, g);
        if (now == g->widest_gap)
            return;
        g->widest_gap = now;
    }
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

void segment_tree_insert(struct space *s, struct segment *above, struct segment *g)
{
    list_append(above ? &above->link : &s->segments, &g->link);
    struct segment *before = segment_before(s, g);
    g->left = g->right = g->parent = NULL;
    if (above && above->left == NULL) {
        g->parent = above;
        above->left = g;
    } else if (before) { // the last one of what is left of `above`, or of all
        g->parent = before;
        before->right = g;
    } else {
        s->root = g;
    }
    g->widest_gap = gap_below(s, g);
    segment_tree_gap_changed(s, g->parent);
    if (above)
        segment_tree_gap_changed(s, above);
    uint32_t own = weight(g);
    while (g->parent && own > weight(g->parent))
        rotate_up(s, g);
}

void segment_tree_remove(struct space *s, struct segment *g)
{
    struct segment *above = segment_after(s, g);
    while (g->left && g->right)
        rotate_up(s, weight(g->left) > weight(g->right) ? g->left : g->right);
    struct segment *parent = g->parent;
    replace_child(s, g, g->left ? g->left : g->right);
    list_remove(&g->link);
    segment_tree_gap_changed(s, parent);
    if (above)
        segment_tree_gap_changed(s, above);
}

// ---- finding ------------------------------------------------------------------------------------

struct segment *segment_tree_find(const struct space *s, uint32_t address)
{
    struct segment *found = NULL;
    for (struct segment *g = s->root; g;) {
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

struct segment *segment_tree_gap(const struct space *s, struct segment *g, uint32_t bytes)
{
    while (g) {
        if (gap_below(s, g) >= bytes)
            return g;
        if (g->left && g->left->widest_gap >= bytes)
            return highest_gap(s, g->left, bytes);
        while (g->parent && g->parent->left == g)
            g = g->parent;
        g = g->parent; // the first one before all that was looked at
    }
    return NULL;
}

// ---- invariants ---------------------------------------------------------------------------------

void segment_tree_check(const struct space *s)
{
    const struct segment *g;
    ASSERT((s->root == NULL) == list_empty(&s->segments));
    ASSERT(s->root == NULL || s->root->parent == NULL);
    list_for_each (g, &s->segments, link) {
        ASSERT(g->left == NULL || (g->left->parent == g && g->left->start < g->start));
        ASSERT(g->right == NULL || (g->right->parent == g && g->right->start > g->start));
        ASSERT(g->parent == NULL || weight(g->parent) >= weight(g));
        ASSERT(g->parent != NULL || g == s->root);
        ASSERT(g->widest_gap == widest(s, g));
        ASSERT(segment_tree_find(s, g->start) == g);
    }
}
