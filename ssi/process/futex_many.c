// SPDX-License-Identifier: MIT
// Waiting for any of several words (futex_waitv(2)): a waiter for each, and a thread that hears of
// all of them.
#include "lib/errno.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/process/futex_priv.h"

struct many;

struct one {
    struct futex_waiter waiter;
    struct wait_watch watch;
    struct many *all;
};

struct many {
    struct wait_queue woken;
    unsigned count;
    struct one each[];
};

static void on_wake(struct wait_watch *w)
{
    struct one *o = (struct one *)((uintptr_t)w - offsetof(struct one, watch));
    wait_wake_all(&o->all->woken);
}

// All words hold their values, seen without a sleep since the first: 0. May sleep before.
static int compare_all(struct process *p, const struct futex_word *words, struct many *m)
{
    const struct container *linked;
    for (unsigned k = 0; k < m->count;) {
        uint32_t word;
        int e = 0;
        for (unsigned i = 0; k == 0 && i < m->count && e == 0; i++)
            e = futex_key_of(p, words[i].at, &m->each[i].waiter.key, &linked);
        if (e < 0)
            return e;
        if (user_copy_in(&word, words[k].at, sizeof(word)) < sizeof(word)) {
            e = user_fault_in(words[k].at, sizeof(word), false);
            if (e < 0)
                return e;
            k = 0; // the others may have changed
        } else if (word != words[k].value) {
            return -EAGAIN;
        } else {
            k++;
        }
    }
    return 0;
}

// Of several, as Linux tells them.
static int last_woken(const struct many *m)
{
    int last = -1;
    for (unsigned k = 0; k < m->count; k++)
        if (m->each[k].waiter.woken)
            last = (int)k;
    return last;
}

static int sleep_for_any(struct many *m, uint64_t deadline_ns)
{
    int e = 0;
    wait_init(&m->woken);
    for (unsigned k = 0; k < m->count; k++) {
        struct one *o = &m->each[k];
        o->all = m;
        o->waiter.bitset = FUTEX_ANY;
        wait_init(&o->waiter.sleep);
        wait_watch_add(&o->waiter.sleep, &o->watch, on_wake);
        list_append(futex_bucket(&o->waiter.key), &o->waiter.link);
    }
    while (last_woken(m) < 0 && e == 0)
        e = wait_sleep(&m->woken, deadline_ns, WAIT_INTERRUPTIBLE);
    for (unsigned k = 0; k < m->count; k++) {
        wait_watch_remove(&m->each[k].watch);
        if (!m->each[k].waiter.woken)
            list_remove(&m->each[k].waiter.link);
    }
    return last_woken(m) < 0 ? e : last_woken(m);
}

int futex_wait_many(struct process *p, const struct futex_word *words, unsigned count,
                    uint64_t deadline_ns)
{
    struct many *m = heap_zalloc(sizeof(*m) + count * sizeof(m->each[0]));
    if (m == NULL)
        return -ENOMEM;
    m->count = count;
    int e = compare_all(p, words, m);
    if (e == 0)
        e = sleep_for_any(m, deadline_ns);
    heap_free(m);
    return e;
}
