// SPDX-License-Identifier: MIT
// The machine of a simulated node beside its memory: how it ends, and its CPU in user mode. A user
// program is a step function over the user registers: one step is one instruction, and may touch
// one aligned word or make one system call. All that the program knows lies in registers and
// memory, so it goes wherever the ghost goes.
#pragma once

#include "arch/x86/arch.h"

enum machine_end {
    MACHINE_OFF,   // powered off as asked
    MACHINE_RESET, // would boot again
    MACHINE_DIED,  // as by a power cut: arch_exit
};

// The current node's boot archive has this cluster key; "": none.
void machine_set_key(const char *text);

// Called in the node that ends, which is stopped by then.
extern void (*machine_on_end)(enum machine_end how);

struct machine_program {
    const char *name;
    void (*step)(struct arch_regs *r);
};

extern uint32_t machine_step_ns_max; // a step stands for a stretch of a program

// eip says which program runs: that of number eip >> 12 from MACHINE_TEXT on.
#define MACHINE_TEXT 0x08048000u
extern const struct machine_program *const machine_programs[];
extern const unsigned machine_program_count;
static inline uint32_t machine_entry(unsigned program)
{
    return MACHINE_TEXT + (program << 12);
}

// An instruction that touches memory: false when it faulted; the step then returns and is made
// again, unless a signal came. Any fault is handled by the kernel as on the machine.
bool machine_load(struct arch_regs *r, uint32_t address, uint32_t *value);
bool machine_store(struct arch_regs *r, uint32_t address, uint32_t value);
// int 0x80: the last thing of a step; eax has the answer in the next one.
void machine_call(struct arch_regs *r, uint32_t number, uint32_t b, uint32_t c, uint32_t d);
// The FPU's registers of the current node, 16 words.
uint32_t *machine_fpu(void);
