// SPDX-License-Identifier: MIT
// Clocks without a system call. Runs in user mode, in any process, on any node: it reads the data
// page of the node that it is on, and knows by the sequence number that it was one node's all the
// while.
#include "arch/x86/vdso/clock.h"
#include "arch/x86/vdso/data.h"

#define NS_PER_S   1000000000u
#define NR_GETTIME 265
#define NR_WIDE    403

enum { // clock_gettime(2)
    REALTIME = 0,
    MONOTONIC = 1,
    MONOTONIC_RAW = 4,
    REALTIME_COARSE = 5,
    MONOTONIC_COARSE = 6,
    BOOTTIME = 7,
    TAI = 11,
};

static const struct vdso_data *data(void)
{
    return (const struct vdso_data *)VDSO_DATA;
}

static uint64_t cycles(const struct vdso_data *d)
{
    uint64_t now;
    if (d->fence)
        __asm__ volatile("lfence" : : : "memory");
    __asm__ volatile("rdtsc" : "=A"(now) : : "memory");
    return now;
}

// The cluster's clock, and what makes it real time.
static uint64_t now_ns(uint64_t *real_ns)
{
    const struct vdso_data *d = data();
    for (;;) {
        uint32_t sequence = __atomic_load_n(&d->sequence, __ATOMIC_ACQUIRE);
        if (sequence & 1) {
            __asm__ volatile("pause");
            continue;
        }
        uint64_t now = cycles(d), gone = now > d->tsc_start ? now - d->tsc_start : 0;
        uint64_t ns = clock_line_at(&d->line, vdso_cycles_to_ns(gone, d->ns_per_cycle_q24));
        *real_ns = d->line.real_ns;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (d->sequence == sequence)
            return ns;
    }
}

static uint32_t divide(uint32_t high, uint32_t low, uint32_t by, uint32_t *rest)
{
    uint32_t quotient;
    __asm__("divl %4" : "=a"(quotient), "=d"(*rest) : "a"(low), "d"(high), "r"(by));
    return quotient;
}

static uint64_t seconds_of(uint64_t ns, uint32_t *rest)
{
    uint32_t high = (uint32_t)(ns >> 32);
    uint32_t low = divide(high % NS_PER_S, (uint32_t)ns, NS_PER_S, rest);
    return (uint64_t)(high / NS_PER_S) << 32 | low;
}

// Of a clock that can be read here, or false.
static bool clock_ns(uint32_t clock, uint64_t *ns)
{
    uint64_t real;
    switch (clock) {
    case REALTIME:
    case REALTIME_COARSE:
    case TAI:
        *ns = now_ns(&real);
        *ns += real;
        return true;
    case MONOTONIC:
    case MONOTONIC_RAW:
    case MONOTONIC_COARSE:
    case BOOTTIME:
        *ns = now_ns(&real);
        return true;
    }
    return false;
}

static int ask_kernel(int number, uint32_t clock, void *to)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(clock), "c"(to) : "memory");
    return result;
}

int __vdso_clock_gettime(uint32_t clock, struct vdso_timespec *to)
{
    uint64_t ns;
    uint32_t rest;
    if (!clock_ns(clock, &ns))
        return ask_kernel(NR_GETTIME, clock, to);
    to->seconds = (int32_t)seconds_of(ns, &rest);
    to->ns = (int32_t)rest;
    return 0;
}

int __vdso_clock_gettime64(uint32_t clock, struct vdso_timespec64 *to)
{
    uint64_t ns;
    uint32_t rest;
    if (!clock_ns(clock, &ns))
        return ask_kernel(NR_WIDE, clock, to);
    to->seconds = (int64_t)seconds_of(ns, &rest);
    to->ns = rest;
    return 0;
}

int __vdso_gettimeofday(struct vdso_timeval *to, int32_t zone[2])
{
    uint64_t ns;
    uint32_t rest;
    if (to) {
        (void)clock_ns(REALTIME, &ns);
        to->seconds = (int32_t)seconds_of(ns, &rest);
        to->us = (int32_t)(rest / 1000);
    }
    if (zone)
        zone[0] = zone[1] = 0;
    return 0;
}

int32_t __vdso_time(int32_t *to)
{
    uint64_t ns;
    uint32_t rest;
    (void)clock_ns(REALTIME, &ns);
    int32_t now = (int32_t)seconds_of(ns, &rest);
    if (to)
        *to = now;
    return now;
}
