// SPDX-License-Identifier: MIT
#include "ssi/fs/locks.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "ssi/fs/inode.h"

struct lock {
    struct list link;
    uint64_t inode;
    struct lock_range range;
};

struct lock_table {
    struct list locks;
    struct wait_queue freed;
    bool ready;
};

NODE_VAR(struct lock_table, table);

static struct lock_table *locks(void)
{
    struct lock_table *t = &node(table);
    if (!t->ready) {
        list_init(&t->locks);
        wait_init(&t->freed);
        t->ready = true;
    }
    return t;
}

static bool same_owner(const struct lock_range *a, const struct lock_range *b)
{
    return a->whole || b->whole ? a->whole == b->whole : a->owner == b->owner;
}

static bool overlap(const struct lock_range *a, const struct lock_range *b)
{
    return a->from < b->to && b->from < a->to;
}

static const struct lock *conflict(uint64_t inode, const struct lock_range *r)
{
    const struct lock *l;
    list_for_each (l, &locks()->locks, link)
        if (l->inode == inode && overlap(&l->range, r) && !same_owner(&l->range, r) &&
            (l->range.whole != NULL) == (r->whole != NULL) &&
            (l->range.kind == LOCK_EXCLUSIVE || r->kind == LOCK_EXCLUSIVE))
            return l;
    return NULL;
}

static struct lock *lock_new(uint64_t inode, const struct lock_range *r)
{
    struct lock *l = heap_alloc(sizeof(*l));
    if (l)
        *l = (struct lock){.inode = inode, .range = *r};
    return l;
}

// Takes [r->from, r->to) out of the owner's locks. `spare` becomes the upper half of a lock that is
// split and is NULL afterwards.
static void carve(uint64_t inode, const struct lock_range *r, struct lock **spare)
{
    struct lock *l, *next;
    list_for_each_safe (l, next, &locks()->locks, link) {
        if (l->inode != inode || !same_owner(&l->range, r) || !overlap(&l->range, r))
            continue;
        bool below = l->range.from<r->from, above = l->range.to> r->to;
        if (below && above) { // happens once: an owner's locks do not overlap
            **spare = *l;
            (*spare)->range.from = r->to;
            l->range.to = r->from;
            list_push(&l->link, &(*spare)->link);
            *spare = NULL;
        } else if (below) {
            l->range.to = r->from;
        } else if (above) {
            l->range.from = r->to;
        } else {
            list_remove(&l->link);
            heap_free(l);
        }
    }
}

int locks_set(struct file *f, const struct lock_range *r, bool waits)
{
    uint64_t inode = f->place.inode;
    while (r->kind != LOCK_NONE && conflict(inode, r)) {
        if (!waits)
            return -EAGAIN;
        int e = wait_sleep(&locks()->freed, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    struct lock *own = lock_new(inode, r), *spare = lock_new(inode, r);
    if (own == NULL || spare == NULL) {
        heap_free(own);
        heap_free(spare);
        return -ENOMEM;
    }
    carve(inode, r, &spare);
    if (r->kind != LOCK_NONE)
        list_append(&locks()->locks, &own->link);
    else
        heap_free(own);
    heap_free(spare);
    wait_wake_all(&locks()->freed);
    return 0;
}

int locks_get(struct file *f, struct lock_range *r)
{
    const struct lock *l = conflict(f->place.inode, r);
    if (l)
        *r = l->range;
    else
        r->kind = LOCK_NONE;
    return 0;
}

// Locks of an owner on one file, or on all (inode 0).
static void drop(uint64_t inode, const struct lock_range *owner)
{
    struct lock *l, *next;
    bool any = false;
    list_for_each_safe (l, next, &locks()->locks, link)
        if ((inode == 0 || l->inode == inode) && same_owner(&l->range, owner)) {
            list_remove(&l->link);
            heap_free(l);
            any = true;
        }
    if (any)
        wait_wake_all(&locks()->freed);
}

void locks_drop(struct file *f, int32_t owner)
{
    if (!list_empty(&locks()->locks))
        drop(f->place.inode, &(struct lock_range){.owner = owner});
}

void locks_release(const struct file *f, uint64_t inode)
{
    if (!list_empty(&locks()->locks))
        drop(inode, &(struct lock_range){.whole = f});
}

void locks_owner_gone(int32_t owner)
{
    if (!list_empty(&locks()->locks))
        drop(0, &(struct lock_range){.owner = owner});
}
