// SPDX-License-Identifier: MIT
// What a process may use at most, at its start (getrlimit(2)).
#include "ssi/process/priv.h"
#include "mm/frame.h"

// A small process takes some 13 frames: one user's may fill less than half of the memory.
#define FRAMES_PER_PROCESS 32u

void process_limits_init(struct process *p)
{
    for (unsigned i = 0; i < RLIMITS; i++)
        p->limits[i] = (struct rlimit_pair){RLIM_INFINITY, RLIM_INFINITY};
    p->limits[RLIMIT_STACK].current = STACK_BYTES_DEFAULT;
    p->limits[RLIMIT_CORE].current = 0;
    p->limits[RLIMIT_NOFILE] = (struct rlimit_pair){FD_MAX, FD_MAX};
    uint32_t processes = MIN(8192u, frame_total_count() / FRAMES_PER_PROCESS);
    p->limits[RLIMIT_NPROC] = (struct rlimit_pair){processes, processes};
    p->limits[RLIMIT_SIGPENDING] = (struct rlimit_pair){4096, 4096};
    p->limits[RLIMIT_MEMLOCK] = (struct rlimit_pair){8u << 20, 8u << 20};
    p->limits[RLIMIT_MSGQUEUE] = (struct rlimit_pair){819200, 819200};
    p->limits[RLIMIT_NICE] = (struct rlimit_pair){0, 0};
    p->limits[RLIMIT_RTPRIO] = (struct rlimit_pair){0, 0};
}
