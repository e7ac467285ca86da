// SPDX-License-Identifier: MIT
// Debug registers of a tracee, as its tracer sees them (ptrace(2), PTRACE_POKEUSER; Intel SDM 3B,
// 18.2): four addresses, why the last debug exception came, what is watched. They are loaded while
// the task runs, and gone with the tracer.
#pragma once

#include "kernel/thread.h"

struct task;

enum { // beside the addresses, 0 to 3
    WATCH_STATUS = 6,
    WATCH_CONTROL = 7
};

struct watch {
    struct arch_watch set;       // its control: as the tracer wrote it
    uint32_t other_causes;       // DR6 with the bits flipped that are usually set
    uint8_t bytes[ARCH_WATCHES]; // 0: never enabled
};

uint32_t watch_get(const struct watch *w, unsigned number);
// Of a stopped tracee. 0, -EIO (there is no such register), -EINVAL (an address, a kind, a length).
int watch_set(struct task *t, unsigned number, uint32_t value);
// A debug exception with these causes came: those that are to be told. Its instruction will run.
uint32_t watch_told(struct watch *w, uint32_t causes, struct arch_regs *r);
void watch_forget(struct task *t);              // the task itself executes another program
bool watch_loaded(const struct thread *thread); // when it runs
void watch_leave(struct thread *thread);        // the task ends
