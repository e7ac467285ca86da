// SPDX-License-Identifier: MIT
// A clock as a line over another one: it runs beside it, for a while a little faster or slower
// until it is where it should be, and never steps nor goes back. A function of the other clock
// alone: the kernel and the vDSO (arch/x86/vdso), which both read the cluster's clock by it, get
// the same.
#pragma once

#include "lib/types.h"

#define CLOCK_SLEW_PPM     500
#define CLOCK_SLEW_PER_Q32 2147483u     // CLOCK_SLEW_PPM, 32 bits of fraction
#define CLOCK_SLEW_MAX_NS  (1ull << 50) // what is further away is slewed to in several turns

struct clock_line {
    uint64_t from_ns; // of the other clock: here the line begins
    uint64_t at_ns;   // of this one, then
    uint64_t slew_ns; // so long after from_ns it is faster or slower
    uint64_t real_ns; // added to it: nanoseconds since 1970
    uint32_t slower;  // 1: slower, 0: faster
    uint32_t reserved;
};

static inline uint64_t clock_line_at(const struct clock_line *l, uint64_t other_ns)
{
    uint64_t gone = other_ns > l->from_ns ? other_ns - l->from_ns : 0;
    uint64_t slew = MIN(gone, l->slew_ns);
    uint64_t change =
        (slew >> 32) * CLOCK_SLEW_PER_Q32 + (((slew & UINT32_MAX) * CLOCK_SLEW_PER_Q32) >> 32);
    return l->at_ns + (l->slower ? gone - change : gone + change);
}

// From `now_ns` of the other clock on, where the line goes on without a step, it makes for the
// other clock + offset_ns.
static inline void clock_line_turn(struct clock_line *l, uint64_t now_ns, int64_t offset_ns)
{
    uint64_t at = clock_line_at(l, now_ns);
    int64_t missing = (int64_t)(now_ns + (uint64_t)offset_ns - at);
    uint64_t distance = missing < 0 ? 0 - (uint64_t)missing : (uint64_t)missing;
    l->from_ns = now_ns;
    l->at_ns = at;
    l->slower = missing < 0;
    l->slew_ns = MIN(distance, CLOCK_SLEW_MAX_NS) * (1000000 / CLOCK_SLEW_PPM);
}
