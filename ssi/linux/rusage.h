// SPDX-License-Identifier: MIT
// struct rusage of i386 (getrusage(2)).
#pragma once

#include "ssi/linux/linux.h"

struct linux_rusage {
    struct linux_timeval32 user, system;
    int32_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv,
        nsignals, nvcsw, nivcsw;
} PACKED;
STATIC_ASSERT(sizeof(struct linux_rusage) == 72, "rusage of the ABI");

void linux_rusage_fill(struct linux_rusage *u, const struct usage *from);
