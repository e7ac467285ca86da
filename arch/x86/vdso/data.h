// SPDX-License-Identifier: MIT
// The data page: what user code needs to read the clock. The kernel writes it (arch/x86/vdso.c).
#pragma once

#include "arch/x86/vdso/places.h"
#include "lib/clock_line.h"

struct vdso_data {
    // Changes with all that is below, odd meanwhile. The top byte is the node's; a process that
    // comes changes it, too: who began to read before a move begins again, wherever it went.
    volatile uint32_t sequence;
    uint8_t sysenter; // 1: this CPU has it
    uint8_t fence;    // 1: it has LFENCE
    uint16_t reserved;
    uint64_t tsc_start;        // cycle of nanosecond 0 of the node's clock
    uint32_t ns_per_cycle_q24; // nanoseconds per cycle, 24 bits of fraction
    uint32_t reserved2;
    struct clock_line line; // the cluster's clock over the node's
};
STATIC_ASSERT(offsetof(struct vdso_data, sysenter) == VDSO_DATA_SYSENTER, "vsyscall.S reads it");

static inline uint64_t vdso_cycles_to_ns(uint64_t cycles, uint32_t ns_per_cycle_q24)
{
    uint64_t high = cycles >> 32, low = cycles & UINT32_MAX;
    return ((high * ns_per_cycle_q24) << 8) + ((low * ns_per_cycle_q24) >> 24);
}
