// SPDX-License-Identifier: MIT
// Seconds of a time in nanoseconds. A 32-bit CPU divides 64 bits in a function of the compiler's
// that takes long; this is a multiplication for every time until 2043.
#pragma once

#include "lib/types.h"

#define SECONDS_NS         1000000000u
#define SECONDS_SHIFT      29          // what is above it has 32 bits
#define SECONDS_GUESS_Q32  2305843009u // 2^29 ns in seconds, 32 bits of fraction, rounded down
#define SECONDS_GUESS_BITS (SECONDS_SHIFT + 32)

// The seconds that are over, and the nanoseconds since, 0 to 999999999 before 1970 as well.
static inline int64_t seconds_of(int64_t ns, int32_t *rest_ns)
{
    if ((uint64_t)ns >> SECONDS_GUESS_BITS) {
        int64_t whole = ns / SECONDS_NS, before = ns % SECONDS_NS < 0;
        *rest_ns = (int32_t)(ns % SECONDS_NS + before * (int64_t)SECONDS_NS);
        return whole - before;
    }
    // What the guess leaves out is less than two seconds: below 2^32 ns.
    uint32_t upper = (uint32_t)((uint64_t)ns >> SECONDS_SHIFT);
    uint32_t seconds = (uint32_t)(((uint64_t)upper * SECONDS_GUESS_Q32) >> 32);
    uint32_t rest = (uint32_t)ns - seconds * SECONDS_NS;
    if (rest >= SECONDS_NS) {
        rest -= SECONDS_NS;
        seconds++;
    }
    *rest_ns = (int32_t)rest;
    return seconds;
}
