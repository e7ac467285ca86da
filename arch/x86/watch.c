// SPDX-License-Identifier: MIT
// The debug registers (Intel SDM 3B, 18.2).
#include "arch/x86/x86.h"

#define DR6_NOTHING 0xffff0ff0u // causes are the other bits, but for bit 12
#define DR6_CAUSES  (ARCH_WATCH_HITS | ARCH_WATCH_STEP)
#define DR7_NOTHING 0x400u

void arch_watch_load(const struct arch_watch *w)
{
    __asm__ volatile("mov %0, %%db7" : : "r"(DR7_NOTHING));
    if (w == NULL)
        return;
    __asm__ volatile("mov %0, %%db0" : : "r"(w->address[0]));
    __asm__ volatile("mov %0, %%db1" : : "r"(w->address[1]));
    __asm__ volatile("mov %0, %%db2" : : "r"(w->address[2]));
    __asm__ volatile("mov %0, %%db3" : : "r"(w->address[3]));
    __asm__ volatile("mov %0, %%db7" : : "r"(w->control | DR7_NOTHING));
}

uint32_t arch_watch_causes(void)
{
    uint32_t dr6;
    __asm__ volatile("mov %%db6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%db6" : : "r"(DR6_NOTHING));
    return dr6 & DR6_CAUSES;
}
