// SPDX-License-Identifier: MIT
// What the vDSO gives programs, by the names and with the structs of Linux i386 (vdso(7)). Results
// are 0 or a negative errno; a bad pointer is the program's own fault (SIGSEGV, as on Linux).
#pragma once

#include "lib/types.h"

struct vdso_timespec {
    int32_t seconds, ns;
};

struct vdso_timespec64 {
    int64_t seconds;
    int64_t ns;
};

struct vdso_timeval {
    int32_t seconds, us;
};

int __vdso_clock_gettime(uint32_t clock, struct vdso_timespec *to);
int __vdso_clock_gettime64(uint32_t clock, struct vdso_timespec64 *to);
int __vdso_gettimeofday(struct vdso_timeval *to, int32_t zone[2]);
int32_t __vdso_time(int32_t *to);
