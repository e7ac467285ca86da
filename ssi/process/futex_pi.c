// SPDX-License-Identifier: MIT
// Locks whose word names the owner (futex(2), priority inheritance). All waiters are equal, since
// none has a real-time priority, so the first one is next, and nobody is boosted: the same holds on
// Linux among threads of SCHED_OTHER. The word is handed to the next waiter by who gives the lock
// back, or ends with it. Where waiters may be on other nodes the word becomes free instead, one of
// them is told and tries for itself: it leaves the waiters bit set, so none is forgotten.
#include "ssi/process/futex.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/user.h"
#include "ssi/process/futex_priv.h"

#define CHAIN_MAX 1024 // owners that wait for each other

NODE_VAR(unsigned, particular); // waiters that are not FUTEX_PLAIN, those just woken counted

// ---- the table ---------------------------------------------------------------------------------
static struct futex_waiter *first_waiter(const struct futex_key *k)
{
    struct futex_waiter *w;
    list_for_each (w, futex_bucket(k), link)
        if (futex_same(&w->key, k))
            return w;
    return NULL;
}

static struct futex_waiter *waiter_where(bool (*fits)(const struct futex_waiter *, uint32_t),
                                         uint32_t tid)
{
    for (unsigned i = 0; i < FUTEX_HASH; i++) {
        struct futex_waiter *w;
        list_for_each (w, futex_bucket_at(i), link)
            if (w->kind == FUTEX_LOCK && fits(w, tid))
                return w;
    }
    return NULL;
}

static bool waits_itself(const struct futex_waiter *w, uint32_t tid)
{
    return w->tid == tid;
}

static bool waits_for(const struct futex_waiter *w, uint32_t owner)
{
    return w->owner == owner;
}

// Does `owner` wait for `tid`, by however many others?
static bool would_deadlock(uint32_t owner, uint32_t tid)
{
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        const struct futex_waiter *w = waiter_where(waits_itself, owner);
        if (!w)
            return false;
        owner = w->owner;
        if (owner == tid)
            return true;
    }
    return false;
}

bool futex_is_particular(const struct futex_key *k)
{
    const struct futex_waiter *w;
    if (node(particular) == 0)
        return false;
    list_for_each (w, futex_bucket(k), link)
        if (futex_same(&w->key, k) && w->kind != FUTEX_PLAIN)
            return true;
    return false;
}

// The word is its own already; the others wait for it from now on.
static void grant(struct futex_waiter *next)
{
    struct futex_key k = next->key;
    struct futex_waiter *w;
    next->granted = true;
    futex_wake_waiter(next);
    list_for_each (w, futex_bucket(&k), link)
        if (futex_same(&w->key, &k))
            w->owner = next->tid;
}

uint32_t futex_lock_retry(const struct futex_key *k, uint32_t count)
{
    uint32_t n = 0;
    struct futex_waiter *w, *next;
    list_for_each_safe (w, next, futex_bucket(k), link) {
        if (n == count)
            break;
        if (w->kind != FUTEX_LOCK || !futex_same(&w->key, k))
            continue;
        futex_wake_waiter(w);
        n++;
    }
    return n;
}

// ---- the word ----------------------------------------------------------------------------------
// 1: it was `word` and is `desired`, without a sleep since it was read. 0: read it again.
static int exchange(uint32_t at, uint32_t word, uint32_t desired)
{
    uint32_t found;
    if (arch_compare_exchange_user(at, word, desired, &found))
        return found == word;
    return user_fault_in(at, sizeof(word), true);
}

struct lock {
    struct futex_key key;
    const struct container *linked;
    uint32_t word, owner;
    struct futex_waiter *waiter; // the first; only valid until the next sleep
};

static int read_lock(struct process *p, uint32_t at, struct lock *l)
{
    int e = futex_read_word(at, &l->word);
    if (e == 0)
        e = futex_key_of(p, at, &l->key, &l->linked);
    if (e < 0)
        return e;
    l->owner = l->word & WORD_TID_MASK;
    l->waiter = first_waiter(&l->key);
    return 0;
}

// -EINVAL: somebody waits there who does not wait for a lock.
static int look(struct process *p, uint32_t at, struct lock *l)
{
    int e = read_lock(p, at, l);
    return e == 0 && l->waiter && l->waiter->kind != FUTEX_LOCK ? -EINVAL : e;
}

// Owners of memory that no other node has are here.
static bool owner_is_gone(const struct lock *l)
{
    const struct task *t = task_find((int32_t)l->owner);
    return l->owner && !l->linked && (!t || t->memory_left);
}

// `tid` gets the lock if nobody has it: 1; 0: the word says that somebody waits; -EAGAIN: look
// again. With `contended` the word says so in any case.
static int acquire(struct lock *l, uint32_t at, uint32_t tid, bool contended)
{
    const struct futex_waiter *w = l->waiter;
    bool handed_on = !l->owner && (l->word & WORD_DIED); // its owner's end is not over
    if (l->owner == tid)
        return -EDEADLK;
    if (w && w->kind != FUTEX_LOCK)
        return -EINVAL;
    if (w && !l->linked && l->owner != w->owner && !handed_on)
        return -EINVAL;
    bool free = !l->owner && (!w || l->linked);
    uint32_t waiters = contended || w ? WORD_WAITERS : 0;
    uint32_t word = free ? (l->word & WORD_DIED) | tid | waiters : l->word | WORD_WAITERS;
    if (word != l->word) {
        int e = exchange(at, l->word, word);
        if (e <= 0)
            return e < 0 ? e : -EAGAIN;
    }
    if (free)
        return 1;
    if (w && handed_on)
        l->owner = w->owner;
    return owner_is_gone(l) ? -ESRCH : 0;
}

// ---- lock and unlock ---------------------------------------------------------------------------
static int sleep_for(struct futex_waiter *w, uint64_t deadline_ns)
{
    int e = 0;
    wait_init(&w->sleep);
    list_append(futex_bucket(&w->key), &w->link);
    node(particular)++;
    while (!w->woken && e == 0)
        e = wait_sleep(&w->sleep, deadline_ns, WAIT_INTERRUPTIBLE);
    node(particular)--;
    if (w->woken)
        return 0;
    list_remove(&w->link);
    return e;
}

int futex_lock(struct process *p, uint32_t at, uint64_t deadline_ns, bool try)
{
    uint32_t tid = (uint32_t)task_current()->tid;
    bool tried = false;
    for (;;) {
        struct lock l;
        int e = read_lock(p, at, &l);
        if (e == 0)
            e = acquire(&l, at, tid, tried);
        if (e == -EAGAIN)
            continue;
        if (e != 0)
            return e < 0 ? e : 0;
        if (try)
            return -EAGAIN;
        if (would_deadlock(l.owner, tid))
            return -EDEADLK;
        struct futex_waiter w = {.kind = FUTEX_LOCK, .key = l.key, .tid = tid, .owner = l.owner};
        e = sleep_for(&w, deadline_ns);
        if (e < 0 || w.granted)
            return e;
        tried = true;
    }
}

int futex_unlock(struct process *p, uint32_t at)
{
    uint32_t tid = (uint32_t)task_current()->tid;
    for (;;) {
        struct lock l;
        uint32_t word;
        int e = user_read(&word, at, sizeof(word));
        if (e < 0)
            return e;
        if ((word & WORD_TID_MASK) != tid)
            return -EPERM;
        e = look(p, at, &l);
        if (e < 0)
            return e;
        if (l.owner != tid)
            return -EPERM;
        e = exchange(at, l.word, l.waiter ? l.waiter->tid | WORD_WAITERS : 0);
        if (e < 0)
            return e;
        if (e == 0)
            continue;
        if (l.waiter)
            grant(l.waiter);
        else if (l.linked && (l.word & WORD_WAITERS))
            (void)futex_wake_elsewhere(l.linked, l.key.at, 1, 0);
        return 0;
    }
}

// ---- an owner ends -----------------------------------------------------------------------------
// Where the process has what the key names; 0: nowhere.
static uint32_t address_of(const struct process *p, const struct futex_key *k)
{
    if (k->object == p->space)
        return (uint32_t)k->at;
    struct segment *s;
    for (uint32_t at = 0; (s = space_find_from(p->space, at)); at = s->end) {
        uint64_t first = (uint64_t)s->index << PAGE_SHIFT;
        if ((s->flags & SEGMENT_SHARED) && s->object == k->object && k->at >= first &&
            k->at - first < s->end - s->start)
            return s->start + (uint32_t)(k->at - first);
    }
    return 0;
}

// 0: the next one has it; else look again or an error.
static int hand_on(struct task *t, uint32_t at)
{
    struct lock l;
    int e = at ? look(t->process, at, &l) : -EFAULT;
    if (e < 0 || !l.waiter)
        return e < 0 ? e : -EINVAL;
    if (l.owner && l.owner != (uint32_t)t->tid)
        return -EINVAL; // the program wrote something of its own
    e = exchange(at, l.word, l.waiter->tid | WORD_WAITERS | WORD_DIED);
    if (e > 0)
        grant(l.waiter);
    return e > 0 ? 0 : e < 0 ? e : -EAGAIN;
}

void futex_owner_ended(struct task *t)
{
    struct futex_waiter *w;
    t->memory_left = node(particular) == 0;
    while (!t->memory_left && (w = waiter_where(waits_for, (uint32_t)t->tid))) {
        struct futex_key k = w->key;
        uint32_t at = address_of(t->process, &k);
        int e;
        while ((e = hand_on(t, at)) == -EAGAIN)
            ;
        if (e < 0)
            (void)futex_lock_retry(&k, UINT32_MAX);
    }
    t->memory_left = true;
}

void futex_lock_died(struct task *t, uint32_t at, uint32_t word)
{
    struct lock l;
    if ((word & WORD_WAITERS) && look(t->process, at, &l) == 0 && !l.waiter && l.linked)
        (void)futex_wake_elsewhere(l.linked, l.key.at, 1, 0);
}

// ---- conditions --------------------------------------------------------------------------------
int futex_wait_requeue(struct process *p, uint32_t at, uint32_t value, uint32_t to,
                       uint64_t deadline_ns, bool *moved)
{
    struct futex_waiter w = {.kind = FUTEX_CONDITION, .tid = (uint32_t)task_current()->tid};
    const struct container *linked, *target_linked;
    uint32_t word;
    int e = futex_read_word(at, &word);
    if (e == 0)
        e = futex_key_of(p, at, &w.key, &linked);
    if (e == 0)
        e = futex_key_of(p, to, &w.target, &target_linked);
    if (e < 0)
        return e;
    if (futex_same(&w.key, &w.target))
        return -EINVAL;
    if (linked || target_linked)
        return -EOPNOTSUPP;
    if (word != value)
        return -EAGAIN;
    e = sleep_for(&w, deadline_ns);
    *moved = w.kind == FUTEX_LOCK;
    if (e < 0 || w.granted)
        return e;
    return *moved ? futex_lock(p, to, deadline_ns, false) : -EAGAIN;
}

struct requeue {
    struct futex_key from;
    struct lock l;
};

// Both words without a sleep between: 0, -EAGAIN the first one is another, -EBUSY look again.
static int requeue_look(struct process *p, uint32_t at, uint32_t to, uint32_t value,
                        struct requeue *r)
{
    const struct container *linked;
    uint32_t word;
    int e = futex_read_word(at, &word);
    if (e == 0)
        e = futex_key_of(p, at, &r->from, &linked);
    if (e == 0)
        e = look(p, to, &r->l);
    if (e < 0)
        return e;
    if (futex_same(&r->from, &r->l.key))
        return -EINVAL;
    if (linked || r->l.linked)
        return -EOPNOTSUPP;
    if (user_copy_in(&word, at, sizeof(word)) < sizeof(word))
        return -EBUSY;
    return word == value ? 0 : -EAGAIN;
}

static bool may_move(const struct requeue *r, const struct futex_waiter *w)
{
    return w->kind == FUTEX_CONDITION && futex_same(&w->target, &r->l.key);
}

// Up to `count` of them wait for the lock from now on, which `owner` has.
static int move_to_lock(const struct requeue *r, uint32_t count, uint32_t owner)
{
    uint32_t n = 0;
    struct futex_waiter *w, *next;
    list_for_each_safe (w, next, futex_bucket(&r->from), link) {
        if (n == count)
            break;
        if (!futex_same(&w->key, &r->from))
            continue;
        if (!may_move(r, w))
            return -EINVAL;
        list_remove(&w->link);
        w->kind = FUTEX_LOCK;
        w->key = r->l.key;
        w->owner = owner;
        list_append(futex_bucket(&w->key), &w->link);
        n++;
    }
    return (int)n;
}

int futex_requeue_lock(struct process *p, uint32_t at, uint32_t to, uint32_t move, uint32_t value)
{
    struct requeue r;
    int e;
    struct futex_waiter *first;
    do {
        e = requeue_look(p, at, to, value, &r);
        if (e == -EBUSY)
            continue;
        first = e == 0 ? first_waiter(&r.from) : NULL;
        if (!first)
            return e;
        if (!may_move(&r, first))
            return -EINVAL;
        e = acquire(&r.l, to, first->tid, move > 0);
    } while (e == -EAGAIN || e == -EBUSY);
    if (e < 0)
        return e;
    if (e == 0)
        return move_to_lock(&r, (uint32_t)MIN(1ull + move, (uint64_t)UINT32_MAX), r.l.owner);
    uint32_t owner = first->tid;
    first->granted = true;
    futex_wake_waiter(first);
    e = move_to_lock(&r, move, owner);
    return e < 0 ? e : e + 1;
}
