// SPDX-License-Identifier: MIT
// Between futex.c and futex_pi.c: who waits for what.
#pragma once

#include "ssi/process/futex.h"

#define WORD_WAITERS  0x80000000u
#define WORD_DIED     0x40000000u
#define WORD_TID_MASK 0x3fffffffu

struct container;

struct futex_key {
    const void *object; // space or container of this node
    uint64_t at;
};

enum futex_kind {
    FUTEX_PLAIN,     // until a wake-up
    FUTEX_LOCK,      // until the word is its own
    FUTEX_CONDITION, // until it is moved to wait for a lock (FUTEX_WAIT_REQUEUE_PI)
};

struct futex_waiter {
    struct list link;
    struct futex_key key;
    enum futex_kind kind;
    uint32_t bitset;
    bool woken;
    struct wait_queue sleep;
    bool granted;            // FUTEX_LOCK: the word is its own
    uint32_t tid, owner;     // FUTEX_LOCK: whose it is, and who has the lock
    struct futex_key target; // FUTEX_CONDITION: the lock
};

#define FUTEX_HASH 64
struct list *futex_bucket(const struct futex_key *k);
struct list *futex_bucket_at(unsigned i); // all of them, 0 .. FUTEX_HASH - 1
bool futex_same(const struct futex_key *a, const struct futex_key *b);
// *linked: the container when waiters may be on other nodes, else NULL. 0, -EINVAL, -EFAULT.
int futex_key_of(struct process *p, uint32_t at, struct futex_key *k,
                 const struct container **linked);
// Reads the word without sleeping between the read and what the caller does next.
int futex_read_word(uint32_t at, uint32_t *word);
void futex_wake_waiter(struct futex_waiter *w); // and takes it out of its list
// Waiters on other nodes, until `count` are awake; bitset 0: those of FUTEX_LOCK. May sleep.
uint32_t futex_wake_elsewhere(const struct container *c, uint64_t at, uint32_t count,
                              uint32_t bitset);

// ---- futex_pi.c
bool futex_is_particular(const struct futex_key *k); // one of them is not to be woken by futex_wake
// Those of the key that wait for a lock look again whether they get it, up to `count`.
uint32_t futex_lock_retry(const struct futex_key *k, uint32_t count);
// The robust word at `at` was the task's, and says now that its owner died.
void futex_lock_died(struct task *t, uint32_t at, uint32_t word);
