// SPDX-License-Identifier: MIT
#include "ssi/fs/locks.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/wire.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/proxy.h"

#define CIRCLE_MAX   64
#define ASK_AGAIN_NS (20 * NS_PER_MS)

struct lock {
    struct list link;
    uint64_t inode;
    struct lock_range range;
};

struct held { // at the home, by a process of this node, perhaps
    struct list link;
    uint64_t inode;
    int32_t owner;
};

// A process of this node that waits for a byte range.
struct waiter {
    struct list link;
    uint64_t inode;
    const struct lock_range *range;
};

struct lock_table {
    struct list waiters;
    struct list locks;
    struct list held;
    struct wait_queue freed;
    bool ready;
};

NODE_VAR(struct lock_table, table);

static struct lock_table *locks(void)
{
    struct lock_table *t = &node(table);
    if (!t->ready) {
        list_init(&t->locks);
        list_init(&t->held);
        list_init(&t->waiters);
        wait_init(&t->freed);
        t->ready = true;
    }
    return t;
}

static bool same_owner(const struct lock_range *a, const struct lock_range *b)
{
    if (a->whole || b->whole)
        return a->whole == b->whole && a->ofd == b->ofd;
    return a->owner == b->owner;
}

static bool is_flock(const struct lock_range *r)
{
    return r->whole && !r->ofd;
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
            is_flock(&l->range) == is_flock(r) &&
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

int locks_set_here(uint64_t inode, const struct lock_range *r)
{
    if (r->kind != LOCK_NONE && conflict(inode, r))
        return -EAGAIN;
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

int locks_get_here(uint64_t inode, struct lock_range *r)
{
    const struct lock *l = conflict(inode, r);
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
        if ((inode == 0 || l->inode == inode) &&
            (owner->whole ? l->range.whole == owner->whole : same_owner(&l->range, owner))) {
            list_remove(&l->link);
            heap_free(l);
            any = true;
        }
    if (any)
        wait_wake_all(&locks()->freed);
}

// ---- from other nodes --------------------------------------------------------------------------
static bool held_find(uint64_t inode, int32_t owner)
{
    const struct held *h;
    list_for_each (h, &locks()->held, link)
        if (h->owner == owner && h->inode == inode)
            return true;
    return false;
}

static void held_add(uint64_t inode, int32_t owner)
{
    struct held *h = held_find(inode, owner) ? NULL : heap_alloc(sizeof(*h));
    if (h == NULL)
        return; // without memory for it the home is told when the process ends, as always
    *h = (struct held){.inode = inode, .owner = owner};
    list_append(&locks()->held, &h->link);
}

// Forgets what `owner` may hold at the home, on one file or on all (inode 0); false: nothing.
static bool held_forget(uint64_t inode, int32_t owner)
{
    struct held *h, *next;
    bool any = false;
    list_for_each_safe (h, next, &locks()->held, link)
        if (h->owner == owner && (inode == 0 || h->inode == inode)) {
            list_remove(&h->link);
            heap_free(h);
            any = true;
        }
    return any;
}

static int ask_home(struct file *f, struct lock_range *r, bool get)
{
    struct file_reply reply;
    struct file_lock_wire w = {
        .from = r->from, .to = r->to, .owner = r->owner, .kind = r->kind, .get = get};
    w.whole = r->whole != NULL;
    w.ofd = r->ofd;
    struct file_ask a = {.op = FILE_LOCK, .in_bytes = sizeof(w), .out_size = sizeof(w)};
    int64_t e = proxy_ask(f, &a, &w, &w, &reply);
    if (e == 0 && get && reply.bytes == sizeof(w)) {
        r->from = w.from;
        r->to = w.to;
        r->owner = w.owner;
        r->kind = w.kind;
    }
    if (e == 0 && !get && !r->whole)
        held_add(f->place.inode, r->owner);
    return (int)e;
}

static void tell_home(uint64_t inode, int32_t owner)
{
    struct file_unlock m = {.inode = inode, .owner = owner};
    wire_send(cluster_fs_home(), MSG_fs_unlock, &m, sizeof(m));
}

void fs_unlock_told(const struct rpc_in *in)
{
    struct file_unlock m;
    if (in->n != sizeof(m)) {
        cluster_count_add("fs: malformed unlock", 1);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    drop(m.inode, &(struct lock_range){.owner = m.owner});
}

// ---- for all files -----------------------------------------------------------------------------
static const struct waiter *waiter_of(int32_t owner)
{
    const struct waiter *w;
    list_for_each (w, &locks()->waiters, link)
        if (w->range->owner == owner && !w->range->whole)
            return w;
    return NULL;
}

// Would waiting for `r` close a circle of processes that wait for each other?
static bool deadlock(uint64_t inode, const struct lock_range *r)
{
    const struct lock *l = conflict(inode, r);
    for (int steps = 0; l && !l->range.whole && !r->whole && steps < CIRCLE_MAX; steps++) {
        const struct waiter *w = waiter_of(l->range.owner);
        if (w == NULL)
            return false;
        l = conflict(w->inode, w->range);
        if (l && l->range.owner == r->owner)
            return true;
    }
    return false;
}

// What locks know a file by: streams have no inode.
static uint64_t key_of(const struct file *f)
{
    return f->place.inode ? f->place.inode : (uint64_t)(uintptr_t)f->data | UINT64_C(1) << 63;
}

static int wait_for(struct file *f, const struct lock_range *r)
{
    struct waiter w = {.inode = key_of(f), .range = r};
    if (!proxy_is(f) && deadlock(w.inode, r))
        return -EDEADLK;
    // The home does not keep waiters of other nodes: they ask again.
    uint64_t until = proxy_is(f) ? clock_now_ns() + ASK_AGAIN_NS : WAIT_FOREVER;
    list_append(&locks()->waiters, &w.link);
    int e = wait_sleep(&locks()->freed, until, WAIT_INTERRUPTIBLE);
    list_remove(&w.link);
    return e == -ETIMEDOUT ? 0 : e;
}

int locks_set(struct file *f, const struct lock_range *range, bool waits)
{
    struct lock_range r = *range;
    r.by = cluster_self();
    for (;;) {
        int e = proxy_is(f) ? ask_home(f, &r, false) : locks_set_here(key_of(f), &r);
        if (e != -EAGAIN || !waits)
            return e;
        if ((e = wait_for(f, &r)) < 0)
            return e;
    }
}

int locks_get(struct file *f, struct lock_range *r)
{
    return proxy_is(f) ? ask_home(f, r, true) : locks_get_here(key_of(f), r);
}

void locks_drop(struct file *f, int32_t owner)
{
    if (f->flags & O_PATH)
        return;
    if (proxy_is(f)) {
        if (held_forget(f->place.inode, owner) || proxy_came(f))
            tell_home(f->place.inode, owner);
    } else if (!list_empty(&locks()->locks)) {
        drop(key_of(f), &(struct lock_range){.owner = owner});
    }
}

void locks_release(const struct file *f, uint64_t inode)
{
    if (!list_empty(&locks()->locks))
        drop(inode ? inode : key_of(f), &(struct lock_range){.whole = f});
}

void locks_owner_gone(int32_t owner, bool moved)
{
    bool asked = held_forget(0, owner);
    if (!fs_is_home() && (asked || moved))
        tell_home(0, owner);
    if (!list_empty(&locks()->locks))
        drop(0, &(struct lock_range){.owner = owner});
}

// ---- /proc/locks -------------------------------------------------------------------------------
static void line(struct text *t, unsigned number, const struct lock *l)
{
    const struct lock_range *r = &l->range;
    const char *kind = is_flock(r) ? "FLOCK" : r->ofd ? "OFDLCK" : "POSIX";
    const struct inode *i = inode_find(l->inode);
    struct fs_stat st = {0};
    if (i)
        inode_stat(i, &st);
    text_add(t, "%u: %-6s ADVISORY  %s %d %02x:%02x:%llu ", number, kind,
             r->kind == LOCK_EXCLUSIVE ? "WRITE" : "READ ", r->ofd ? -1 : r->owner,
             (unsigned)(st.dev >> 8), (unsigned)(st.dev & 0xff), (unsigned long long)st.inode);
    if (r->to == UINT64_MAX)
        text_add(t, "%llu EOF\n", (unsigned long long)r->from);
    else
        text_add(t, "%llu %llu\n", (unsigned long long)r->from, (unsigned long long)r->to - 1);
}

// Whole lines of this node's locks behind the first `from`, as many as there is room for; the first
// of all has the number `before` + 1.
static void lines(struct text *t, unsigned from, unsigned before)
{
    const struct lock *l;
    unsigned number = 0;
    list_for_each (l, &locks()->locks, link) {
        size_t length = t->length;
        if (number++ < from)
            continue;
        line(t, before + number, l);
        if (t->cut) {
            t->length = length;
            t->at[length] = '\0';
            return;
        }
    }
}

void fs_locks_asked(const struct rpc_in *in)
{
    struct locks_ask a;
    struct text t;
    char *reply = in->n == sizeof(a) ? heap_alloc(RPC_BYTES_MAX) : NULL;
    if (reply == NULL) {
        rpc_reply(in->from, in->request, in->n == sizeof(a) ? -ENOMEM : -EPROTO, NULL, 0);
        return;
    }
    memcpy(&a, in->bytes, sizeof(a));
    text_init(&t, reply, RPC_BYTES_MAX);
    lines(&t, a.from, 0);
    rpc_reply(in->from, in->request, 0, t.at, t.length);
    heap_free(reply);
}

static unsigned lines_in(const char *s, size_t n)
{
    unsigned count = 0;
    for (size_t k = 0; k < n; k++)
        count += s[k] == '\n';
    return count;
}

// What the home says of its own; how many.
static unsigned home_lines(struct text *t)
{
    struct locks_ask a = {0};
    long got = 0;
    char *reply = heap_alloc(RPC_BYTES_MAX);
    if (reply == NULL)
        return 0;
    do {
        got = rpc_call(cluster_fs_home(), MSG_fs_locks, &a, sizeof(a), reply, RPC_BYTES_MAX, 0);
        if (got > 0)
            text_add(t, "%.*s", (int)got, reply);
        a.from += lines_in(reply, (size_t)MAX(got, 0));
    } while (got > 0 && !t->cut);
    heap_free(reply);
    return a.from;
}

void locks_show(struct text *t)
{
    lines(t, 0, fs_is_home() ? 0 : home_lines(t));
}

static void locks_on_epoch(const struct epoch_change *change)
{
    struct lock *l, *next;
    (void)change;
    list_for_each_safe (l, next, &locks()->locks, link)
        if (!cluster_is_member(l->range.by)) {
            list_remove(&l->link);
            heap_free(l);
        }
    wait_wake_all(&locks()->freed);
}

static void locks_start(void)
{
    cluster_on_epoch(locks_on_epoch);
}
INIT_STEP(INIT_FILES, locks_start);
