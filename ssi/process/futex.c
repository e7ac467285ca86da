// SPDX-License-Identifier: MIT
// Waiters are known by key: a word of private memory by (space, address), one of shared memory by
// (container, offset), so that processes which map it at different addresses meet. A waiter
// leaves the table whenever it leaves its sleep: nothing of it stays behind when it moves.
#include "ssi/process/futex.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"

#define FUTEX_HASH    64
#define ROBUST_MAX    2048 // as Linux: a damaged list ends somewhere
#define WORD_WAITERS  0x80000000u
#define WORD_DIED     0x40000000u
#define WORD_TID_MASK 0x3fffffffu

struct futex_key {
    const void *object;
    uint64_t at;
};

struct futex_waiter {
    struct list link;
    struct futex_key key;
    uint32_t bitset;
    bool woken;
    struct wait_queue sleep;
};

NODE_VAR(struct list, futexes[FUTEX_HASH]);

static void futex_init(void)
{
    for (unsigned i = 0; i < FUTEX_HASH; i++)
        list_init(&node(futexes)[i]);
}
INIT_STEP(INIT_CORE, futex_init);

static int key_of(struct process *p, uint32_t at, struct futex_key *k)
{
    if (at & 3)
        return -EINVAL;
    struct segment *s = space_find(p->space, at);
    if (s && s->flags & SEGMENT_SHARED)
        *k = (struct futex_key){s->object, ((uint64_t)s->index << PAGE_SHIFT) + (at - s->start)};
    else
        *k = (struct futex_key){p->space, at};
    return at < USER_TOP ? 0 : -EFAULT;
}

static struct list *bucket(const struct futex_key *k)
{
    uint64_t h = (uint64_t)(uintptr_t)k->object / 64 + k->at / 4;
    return &node(futexes)[(h ^ h >> 7) % FUTEX_HASH];
}

static bool same(const struct futex_key *a, const struct futex_key *b)
{
    return a->object == b->object && a->at == b->at;
}

// Reads the word without sleeping between the read and what the caller does next.
static int read_word(uint32_t at, uint32_t *word)
{
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
    int e = read_word(at, &word);
    if (e == 0)
        e = key_of(p, at, &w.key); // after the last sleep: the space may have changed
    if (e < 0)
        return e;
    if (word != value)
        return -EAGAIN;
    wait_init(&w.sleep);
    list_append(bucket(&w.key), &w.link);
    while (!w.woken && e == 0)
        e = wait_sleep(&w.sleep, deadline_ns, WAIT_INTERRUPTIBLE);
    if (w.woken)
        return 0;
    list_remove(&w.link);
    return e;
}

static void wake(struct futex_waiter *w)
{
    list_remove(&w->link);
    w->woken = true;
    wait_wake_all(&w->sleep);
}

static uint32_t wake_key(const struct futex_key *k, uint32_t count, uint32_t bitset)
{
    uint32_t n = 0;
    struct futex_waiter *w, *next;
    list_for_each_safe (w, next, bucket(k), link) {
        if (n == count)
            break;
        if (!same(&w->key, k) || !(w->bitset & bitset))
            continue;
        wake(w);
        n++;
    }
    return n;
}

int futex_wake(struct process *p, uint32_t at, uint32_t count, uint32_t bitset)
{
    struct futex_key k;
    int e = key_of(p, at, &k);
    return e < 0 ? e : (int)wake_key(&k, count, bitset);
}

int futex_requeue(struct process *p, uint32_t at, uint32_t count, uint32_t to, uint32_t move,
                  bool compare, uint32_t value)
{
    uint32_t word;
    int e = compare ? read_word(at, &word) : 0;
    if (e < 0)
        return e;
    if (compare && word != value)
        return -EAGAIN;
    struct futex_key from, target;
    e = key_of(p, at, &from);
    if (e == 0)
        e = key_of(p, to, &target);
    if (e < 0)
        return e;
    uint32_t woken = wake_key(&from, count, FUTEX_ANY), moved = 0;
    struct futex_waiter *w, *next;
    list_for_each_safe (w, next, bucket(&from), link) {
        if (moved == move || same(&from, &target))
            break;
        if (!same(&w->key, &from))
            continue;
        list_remove(&w->link);
        w->key = target;
        list_append(bucket(&target), &w->link);
        moved++;
    }
    return (int)(woken + moved);
}

// ---- robust futexes
// ------------------------------------------------------------------------------
// The holder died: the word says so, and one waiter is woken. Other threads may store at the same
// time only on another CPU, where the word's waiters bit makes them enter the kernel.
static void release_one(struct task *t, uint32_t at)
{
    uint32_t word;
    if (read_word(at, &word) < 0 || (word & WORD_TID_MASK) != (uint32_t)t->tid)
        return;
    uint32_t released = (word & WORD_WAITERS) | WORD_DIED;
    if (user_write(at, &released, sizeof(released)) < 0)
        return;
    if (word & WORD_WAITERS)
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
            release_one(t, (entry & ~1u) + head.offset);
        entry = next;
    }
    if (head.pending)
        release_one(t, (head.pending & ~1u) + head.offset);
}
