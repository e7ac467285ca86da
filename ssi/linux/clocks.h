// SPDX-License-Identifier: MIT
// Clock ids of Linux (clock_gettime(2)).
#pragma once

#include "lib/types.h"

enum {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_PROCESS_CPUTIME_ID = 2,
    CLOCK_THREAD_CPUTIME_ID = 3,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
    CLOCK_SGI_CYCLE = 10, // of other machines
    CLOCK_TAI = 11,
    TIMER_ABSTIME = 1,
};

// The CPU time of a process or a thread, as clock_getcpuclockid(3) numbers it.
struct cpu_clock {
    int32_t id;                    // pid or tid; 0: the caller's
    bool thread, user_only, exact; // exact: not counted in ticks, as Linux has it
};

static inline bool clock_known(uint32_t clock)
{
    return (int32_t)clock < 0 || (clock <= CLOCK_TAI && clock != CLOCK_SGI_CYCLE);
}

// Those that can be read and neither slept by nor set a timer to: EOPNOTSUPP. The number of a
// descriptor (CLOCKFD, no driver has one here) is one of them.
static inline bool clock_only_tells(uint32_t clock)
{
    return clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
           clock == CLOCK_MONOTONIC_COARSE || ((int32_t)clock < 0 && (clock & 7) == 3);
}

// They would wake a machine that sleeps, which none does.
static inline bool clock_wakes(uint32_t clock)
{
    return clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

// False: no such number.
static inline bool cpu_clock_of(uint32_t clock, struct cpu_clock *k)
{
    k->id = (int32_t) ~(clock >> 3 | 0xe0000000u);
    k->thread = clock & 4;
    k->user_only = (clock & 3) == 1;
    k->exact = (clock & 3) == 2;
    return (int32_t)clock < 0 && (clock & 3) != 3;
}
