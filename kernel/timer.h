// SPDX-License-Identifier: MIT
// One-shot timers on the node's monotonic clock. Callbacks run with the kernel lock held, between
// threads: they must not sleep; they wake threads or queue work.
#pragma once

#include "lib/list.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

struct timer { // a node of a pairing heap: setting costs O(1), firing and cancelling O(log n)
    struct list link;  // among its siblings; the root's: of the heap's head
    struct list below; // timers that come no earlier
    uint64_t at_ns;
    uint64_t order; // of two for the same instant the one that was set first fires first
    void (*fn)(void *);
    void *arg;
};

uint64_t clock_now_ns(void); // monotonic since boot of this node

void timer_init(struct timer *t, void (*fn)(void *), void *arg);
void timer_set(struct timer *t, uint64_t at_ns); // moves it when it is already set
void timer_cancel(struct timer *t);              // fine when not set
bool timer_is_set(const struct timer *t);
