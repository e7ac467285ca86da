// SPDX-License-Identifier: MIT
#include "arch/x86/x86.h"

// What switch.S pushes and pops.
struct arch_context {
    uint32_t edi, esi, ebx, ebp, eip;
};

void context_begin(void);

struct arch_context *arch_context_new(void *stack_top, void (*entry)(void *), void *arg)
{
    // Room for a user frame at the very top, so that a thread may become a user thread.
    struct arch_context *c = (struct arch_context *)((struct arch_regs *)stack_top - 1) - 1;
    *c = (struct arch_context){
        .edi = (uint32_t)entry, .esi = (uint32_t)arg, .eip = (uint32_t)context_begin};
    return c;
}
