// SPDX-License-Identifier: MIT
// Work for later in thread context: a small pool of worker threads per class runs it; it may
// sleep. A work item is queued at most once at a time.
#pragma once

#include "kernel/thread.h"

struct work {
    struct list link;
    void (*fn)(struct work *);
    enum thread_class class;
};

void work_init(struct work *w, enum thread_class class, void (*fn)(struct work *));
void work_queue(struct work *w); // no-op when it is queued already
