// SPDX-License-Identifier: MIT
// What programs share that time something many times: a clock, and the order of samples.
#pragma once

#include <time.h>

static inline double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline int by_size(const void *a, const void *b) // for qsort
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
