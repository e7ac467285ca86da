// SPDX-License-Identifier: MIT
// Wait queues. The pattern: while (!condition) if ((e = wait_sleep(...)) < 0) return e;
// Every wait ends: woken, timeout, interruption, or a caller that wakes with an error when the
// membership epoch changes.
#pragma once

#include "lib/list.h"

struct wait_queue {
    struct list waiters;
    struct list watches;
};

// Told of each wake-up of a queue: how one thread waits for many queues (poll), and a home tells
// another node. `fn` must not sleep; it may remove the watch.
struct wait_watch {
    struct list link;
    void (*fn)(struct wait_watch *w);
};

#define WAIT_FOREVER UINT64_MAX

enum {
    WAIT_INTERRUPTIBLE = 1, // ends with -EINTR when the thread is asked (signal, move)
};

void wait_init(struct wait_queue *q);

// Sleeps until woken: 0, -ETIMEDOUT at `deadline_ns` (clock_now_ns time), -EINTR, or the result
// that the waker gave. May return 0 spuriously.
int wait_sleep(struct wait_queue *q, uint64_t deadline_ns, unsigned flags) MUST_CHECK;

void wait_wake_one(struct wait_queue *q);
void wait_wake_all(struct wait_queue *q);
void wait_wake_all_with(struct wait_queue *q, int result); // negative errno
bool wait_empty(const struct wait_queue *q);

// Sleeps for a while; -EINTR when interruptible and asked.
int wait_for_ns(uint64_t ns, unsigned flags);

void wait_watch_add(struct wait_queue *q, struct wait_watch *w, void (*fn)(struct wait_watch *));
// Tells the watches only: nothing for a sleeper, but news for who wants every change (epoll's
// edges).
void wait_tell(struct wait_queue *q);
// The queue goes away, nobody sleeps in it: its watches are in no queue any more.
void wait_end(struct wait_queue *q);
void wait_watch_remove(struct wait_watch *w); // fine when it is not in a queue any more
