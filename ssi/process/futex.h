// SPDX-License-Identifier: MIT
// futex(2) on words of this node's processes; shared memory may have waiters on other nodes.
#pragma once

#include "ssi/process/process.h"

#define FUTEX_ANY 0xffffffffu // bitset that matches every waiter

// Waits while the word at `at` holds `value`: 0 woken, -EAGAIN another value, -ETIMEDOUT at the
// (cluster) deadline, -EINTR, -EFAULT. Sleeps.
int futex_wait(struct process *p, uint32_t at, uint32_t value, uint32_t bitset,
               uint64_t deadline_ns);
// Wakes up to `count` waiters whose bitset matches: how many. -EFAULT, -EINVAL. May sleep.
int futex_wake(struct process *p, uint32_t at, uint32_t count, uint32_t bitset);
// Wakes up to `count`, moves up to `move` of the others to wait at `to`; with compare only if the
// word at `at` holds `value` (-EAGAIN). How many woken or moved. May sleep.
int futex_requeue(struct process *p, uint32_t at, uint32_t count, uint32_t to, uint32_t move,
                  bool compare, uint32_t value);
// A task ends with robust futexes held: the next owner learns of it (get_robust_list(2)).
void futex_robust_release(struct task *t);
