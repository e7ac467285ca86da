// SPDX-License-Identifier: MIT
// How tasks of one process end together.
#pragma once

#include "ssi/process/process.h"

// exec: every other task ends, the current one becomes the leader with the process's PID. 0; -EINTR
// when the process is being ended by another task. Sleeps.
int process_become_single(struct process *p);

// The current task leaves its memory (exec, exit): clears the word of set_tid_address and wakes
// its waiters, and lets go of robust futexes. May sleep.
void task_memory_left(struct task *t);
