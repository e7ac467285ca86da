// SPDX-License-Identifier: MIT
// Where a node's random bytes begin: the CPU's own generator, and the time that slow accesses take.
#include "arch/x86/x86.h"

enum {
    RDRAND_TRIES = 10, // Intel's software developer's manual, volume 1, 7.3.17
    SLOW_PORT = 0x61,
};

bool arch_random_u32(uint32_t *value)
{
    for (unsigned i = 0; cpu_info.rdrand && i < RDRAND_TRIES; i++) {
        uint8_t ok;
        __asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(*value), "=qm"(ok) : : "cc");
        if (ok)
            return true;
    }
    return false;
}

uint32_t arch_jitter(void)
{
    (void)arch_in8(SLOW_PORT);
    return (uint32_t)rdtsc();
}
