// SPDX-License-Identifier: MIT
// Local descriptor tables (modify_ldt(2)): one of a process, shared by its threads; a child gets a
// copy. The threads of a process that has one load it when they are switched to; all others know
// nothing of it.
#pragma once

#include "ssi/process/process.h"

#define LDT_ENTRIES 8192u

struct ldt {
    uint32_t users; // processes: those that CLONE_VM made have the same
    uint32_t count; // entries up to the last one that was ever written
    uint32_t desc[LDT_ENTRIES][2];
};

// Writes an entry of the current process, or of one that does not run; the descriptor must be good
// (arch_ldt_entry_good). 0, -ENOMEM. May sleep, after it is written.
int ldt_set(struct process *p, uint32_t entry, const uint32_t desc[2]);
// Of a process that has one:
int ldt_fork(struct process *to, const struct process *from, bool shared); // 0, -ENOMEM
void ldt_drop(struct process *p); // it has none any more; p is the current process, or runs nowhere
void ldt_reload(const struct task *t); // the current one
void ldt_attend(struct task *t);       // the current one was asked: the process's table may be new

// What is done when the task's thread stops and begins to run: for most nothing of this.
typedef void (*thread_switch)(struct thread *t);
thread_switch ldt_switch_out(const struct task *t);
thread_switch ldt_switch_in(const struct task *t);
void task_switches_set(struct task *t);
