// SPDX-License-Identifier: MIT
// Waiters are known by key: a word of private memory by (space, address), one of shared memory by
// (container, offset), so that processes which map it at different addresses, or on different
// nodes, meet. A waiter sleeps in the table of its own node and leaves it whenever it leaves its
// sleep: nothing of it stays behind when it moves. A waker tells all nodes when the container is
// linked. No wake is lost: the waiter reads the word and enters the table without a sleep between;
// if it read the old value, memory being sequentially consistent, the store comes after, and the
// waker's message after that.
#include "ssi/process/futex.h"
#include "kernel/init.h"
#include "lib/string.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/process/futex_priv.h"
#include "ssi/process/messages.h"

#define ROBUST_MAX 2048 // as Linux: a damaged list ends somewhere

struct message_wake {
    struct container_id id;
    uint64_t at;
    uint32_t count, bitset;
} PACKED;

NODE_VAR(struct list, futexes[FUTEX_HASH]);

static void futex_init(void)
{
    for (unsigned i = 0; i < FUTEX_HASH; i++)
        list_init(&node(futexes)[i]);
}
INIT_STEP(INIT_CORE, futex_init);

int futex_key_of(struct process *p, uint32_t at, struct futex_key *k,
                 const struct container **linked)
{
    *k = (struct futex_key){p->space, at};
    *linked = NULL;
    if (at & 3)
        return -EINVAL;
    if (at >= USER_TOP)
        return -EFAULT;
    struct segment *s = space_find(p->space, at);
    if (!s || !(s->flags & SEGMENT_SHARED))
        return 0;
    k->object = s->object;
    k->at = ((uint64_t)s->index << PAGE_SHIFT) + (at - s->start);
    if (container_is_linked(s->object))
        *linked = s->object;
    return 0;
}

struct list *futex_bucket(const struct futex_key *k)
{
    uint64_t h = (uint64_t)(uintptr_t)k->object / 64 + k->at / 4;
    return &node(futexes)[(h ^ h >> 7) % FUTEX_HASH];
}

bool futex_same(const struct futex_key *a, const struct futex_key *b)
{
    return a->object == b->object && a->at == b->at;
}

int futex_read_word(uint32_t at, uint32_t *word)
{
    if (at & 3)
        return -EINVAL; // it may lie on two pages, one of which cannot be had
    while (user_copy_in(word, at, sizeof(*word)) < sizeof(*word)) {
        int e = user_fault_in(at, sizeof(*word), false);
        if (e < 0)
            return e;
    }
    return 0;
}

int futex_wait(struct process *p, uint32_t at, uint32_t value, uint32_t bitset,
               uint64_t deadline_ns)
{
    struct futex_waiter w = {.bitset = bitset};
    uint32_t word;
    const struct container *linked;
    int e = futex_read_word(at, &word); // no sleep from its read until this thread is in the table
    if (e == 0)
        e = futex_key_of(p, at, &w.key, &linked);
    if (e < 0)
        return e;
    if (word != value)
        return -EAGAIN;
    wait_init(&w.sleep);
    list_append(futex_bucket(&w.key), &w.link);
    while (!w.woken && e == 0)
        e = wait_sleep(&w.sleep, deadline_ns, WAIT_INTERRUPTIBLE);
    if (w.woken)
        return 0;
    list_remove(&w.link);
    return e;
}

void futex_wake_waiter(struct futex_waiter *w)
{
    list_remove(&w->link);
    w->woken = true;
    wait_wake_all(&w->sleep);
}

struct list *futex_bucket_at(unsigned i)
{
    return &node(futexes)[i];
}

static uint32_t wake_key(const struct futex_key *k, uint32_t count, uint32_t bitset)
{
    uint32_t n = 0;
    struct futex_waiter *w, *next;
    list_for_each_safe (w, next, futex_bucket(k), link) {
        if (n == count)
            break;
        if (w->kind != FUTEX_PLAIN || !futex_same(&w->key, k) || !(w->bitset & bitset))
            continue;
        futex_wake_waiter(w);
        n++;
    }
    return n;
}

void process_on_futex(const struct rpc_in *in)
{
    struct message_wake m;
    if (in->n != sizeof(m)) {
        cluster_count_add("process: malformed message", 1);
        rpc_reply(in->from, in->request, -EPROTO, NULL, 0);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    struct futex_key k = {container_named(&m.id), m.at};
    uint32_t n = 0;
    if (k.object)
        n = m.bitset ? wake_key(&k, m.count, m.bitset) : futex_lock_retry(&k, m.count);
    rpc_reply(in->from, in->request, 0, &n, sizeof(n));
}

uint32_t futex_wake_elsewhere(const struct container *c, uint64_t at, uint32_t count,
                              uint32_t bitset)
{
    struct container_id id = container_id_of(c); // before the first sleep
    uint32_t woken = 0;
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE && woken < count;
         n = cluster_next(n)) {
        struct message_wake m = {id, at, count - woken, bitset};
        uint32_t more;
        if (n == cluster_self())
            continue;
        if (rpc_call(n, MSG_process_futex, &m, sizeof(m), &more, sizeof(more), 0) ==
            (long)sizeof(more))
            woken += MIN(more, count - woken);
    }
    return woken;
}

int futex_wake(struct process *p, uint32_t at, uint32_t count, uint32_t bitset)
{
    struct futex_key k;
    const struct container *linked;
    int e = futex_key_of(p, at, &k, &linked);
    if (e == 0 && futex_is_particular(&k))
        e = -EINVAL;
    if (e < 0)
        return e;
    uint32_t woken = wake_key(&k, count, bitset);
    if (linked && woken < count)
        woken += futex_wake_elsewhere(linked, k.at, count - woken, bitset);
    return (int)woken;
}

int futex_requeue(struct process *p, uint32_t at, uint32_t count, uint32_t to, uint32_t move,
                  bool compare, uint32_t value)
{
    uint32_t word;
    int e = compare ? futex_read_word(at, &word) : 0;
    if (e < 0)
        return e;
    if (compare && word != value)
        return -EAGAIN;
    struct futex_key from, target;
    const struct container *linked, *target_linked;
    e = futex_key_of(p, at, &from, &linked);
    if (e == 0)
        e = futex_key_of(p, to, &target, &target_linked);
    if (e == 0 && (count || move) && futex_is_particular(&from))
        e = -EINVAL;
    if (e < 0)
        return e;
    uint32_t woken = wake_key(&from, count, FUTEX_ANY), moved = 0;
    struct futex_waiter *w, *next;
    list_for_each_safe (w, next, futex_bucket(&from), link) {
        if (moved == move)
            break;
        if (!futex_same(&w->key, &from))
            continue;
        moved++;
        if (futex_same(&from, &target))
            continue;
        list_remove(&w->link);
        w->key = target;
        list_append(futex_bucket(&target), &w->link);
    }
    // Waiters on other nodes are woken instead of moved: they look at the word and wait again.
    if (linked && woken + moved < (uint64_t)count + move)
        woken += futex_wake_elsewhere(linked, from.at, UINT32_MAX, FUTEX_ANY);
    return (int)(woken + moved);
}

// ---- robust futexes ----------------------------------------------------------------------------
// The holder died: the word says so, and one waiter is woken. A thread on another CPU may set the
// waiters bit at the same time.
static void release_one(struct task *t, uint32_t at, bool lock)
{
    uint32_t word, seen;
    if (futex_read_word(at, &word) < 0)
        return;
    do {
        if ((word & WORD_TID_MASK) != (uint32_t)t->tid)
            return;
        seen = word;
        if (user_compare_exchange(at, &word, (seen & WORD_WAITERS) | WORD_DIED) < 0)
            return;
    } while (word != seen);
    if (lock)
        futex_lock_died(t, at, word);
    else if (word & WORD_WAITERS)
        (void)futex_wake(t->process, at, 1, FUTEX_ANY);
}

void futex_robust_release(struct task *t)
{
    struct {
        uint32_t first, offset, pending;
    } head;
    uint32_t list = t->robust_list;
    t->robust_list = 0;
    if (!list || user_read(&head, list, sizeof(head)) < 0)
        return;
    uint32_t entry = head.first;
    for (unsigned i = 0; i < ROBUST_MAX && (entry & ~1u) != list; i++) {
        uint32_t next;
        if (user_read(&next, entry & ~1u, sizeof(next)) < 0)
            return;
        if (entry != head.pending)
            release_one(t, (entry & ~1u) + head.offset, entry & 1);
        entry = next;
    }
    if (head.pending)
        release_one(t, (head.pending & ~1u) + head.offset, head.pending & 1);
}
