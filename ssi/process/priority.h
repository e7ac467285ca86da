// SPDX-License-Identifier: MIT
// Nice values: what they mean for a thread's turns, and setpriority(2) over the whole cluster. All
// threads of a process have one value.
#pragma once

#include "ssi/process/process.h"

enum priority_which { // as the ABI has it
    PRIO_PROCESS = 0,
    PRIO_PGRP = 1,
    PRIO_USER = 2,
};

// The thread's time slice follows the nice value and the policy. Never sleeps.
void task_weigh(struct task *t);

// The lowest nice value of those that `who` names: a PID, a group or a user, none of them 0 but for
// users, on any node. 0 with *nice, or -ESRCH. May sleep.
int priority_of(enum priority_which which, int32_t who, int *nice);
// Theirs is `nice` from now on, as far as `me` may. 0; -ESRCH; -EPERM, -EACCES: one or more of them
// were refused. May sleep.
int priority_set(const struct process *me, enum priority_which which, int32_t who, int nice);
// The same for one of this node. Never sleeps.
int priority_set_one(const struct process *me, struct process *p, int nice);
