// SPDX-License-Identifier: MIT
// What the bodies about memory share.
#pragma once

#include "ssi/container/container.h"
#include "ssi/linux/linux.h"

static inline uint32_t memory_round_up(uint32_t bytes) // 0 when it overflows
{
    return ALIGN_UP(bytes, PAGE_SIZE);
}

static inline struct space *space(void) // of the process that calls
{
    return process_current()->space;
}

// First in a call that changes what is mapped: a fork by another thread has all of it or nothing.
static inline void memory_settle(void)
{
    if (space()->cloning)
        container_space_settle(space());
}

bool memory_within_limit(uint32_t more_bytes); // RLIMIT_AS
// Is it no range of pages that a program may have?
bool memory_range_bad(uint32_t at, uint32_t bytes);
// Fresh anonymous memory; `flags` are SEGMENT_*. As space_map.
int memory_map_anonymous(uint32_t at, uint32_t bytes, unsigned prot, unsigned flags);

// madvise(2); of another space than the caller's only what is but a hint.
int memory_advise(struct space *of, uint32_t at, uint32_t length, uint32_t advice);
bool memory_advice_is_hint(uint32_t advice);

// RLIMIT_MEMLOCK: 0, -EPERM when the process may lock nothing, `too_much` when not so much more.
int memory_may_lock(uint32_t more_bytes, int too_much);
// The same for what mlockall(MCL_FUTURE) is about: 0, -EAGAIN.
int memory_may_lock_later(uint32_t more_bytes);
// Brings in what is mapped in the range as its rights allow: 0, -ENOMEM (also a hole), -EFAULT
// (behind the end of a file), -EINTR. May sleep.
int memory_populate(uint32_t at, uint32_t end);
