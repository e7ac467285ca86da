// SPDX-License-Identifier: MIT
// futex(2) on words of this node's processes; shared memory may have waiters on other nodes.
#pragma once

#include "ssi/process/process.h"

#define FUTEX_ANY 0xffffffffu // bitset that matches every waiter

// Waits while the word at `at` holds `value`: 0 woken, -EAGAIN another value, -ETIMEDOUT at the
// (cluster) deadline, -EINTR, -EFAULT. Sleeps.
int futex_wait(struct process *p, uint32_t at, uint32_t value, uint32_t bitset,
               uint64_t deadline_ns);
// Waits while each of the words holds its value: which one was woken, -EAGAIN one has another
// value, else as futex_wait. Sleeps.
#define FUTEX_WORDS_MAX 128u
struct futex_word {
    uint32_t at, value;
};
int futex_wait_many(struct process *p, const struct futex_word *words, unsigned count,
                    uint64_t deadline_ns);
// Wakes up to `count` waiters whose bitset matches: how many. -EFAULT, -EINVAL. May sleep.
int futex_wake(struct process *p, uint32_t at, uint32_t count, uint32_t bitset);
// Wakes up to `count`, moves up to `move` of the others to wait at `to`; with compare only if the
// word at `at` holds `value` (-EAGAIN). How many woken or moved. May sleep.
int futex_requeue(struct process *p, uint32_t at, uint32_t count, uint32_t to, uint32_t move,
                  bool compare, uint32_t value);

// Locks whose word names the owner (FUTEX_LOCK_PI and its kin), at `deadline_ns` of this node.
// 0; -EAGAIN (try) somebody has it, -EDEADLK, -ESRCH its owner is gone, -EINVAL the word says
// something else than those who wait, -ETIMEDOUT, -EINTR, -EFAULT. Sleeps.
int futex_lock(struct process *p, uint32_t at, uint64_t deadline_ns, bool try);
int futex_unlock(struct process *p, uint32_t at); // 0, -EPERM, -EINVAL, -EFAULT. May sleep
// Waits as futex_wait until it is moved to the lock at `to` and has it. *moved: it was moved, and
// with an error it waits for the lock no more. -EOPNOTSUPP: other nodes have the memory. Sleeps.
int futex_wait_requeue(struct process *p, uint32_t at, uint32_t value, uint32_t to,
                       uint64_t deadline_ns, bool *moved);
// Gives the lock at `to` to the first of them or lets it wait for it, and up to `move` others, if
// the word at `at` is `value`. How many, -EAGAIN, -EINVAL, -EDEADLK, -ESRCH. May sleep.
int futex_requeue_lock(struct process *p, uint32_t at, uint32_t to, uint32_t move, uint32_t value);
// A task ends, or its program does: who waits for its locks gets them. After the robust ones.
void futex_owner_ended(struct task *t);
// A task ends with robust futexes held: the next owner learns of it (get_robust_list(2)).
void futex_robust_release(struct task *t);
