// SPDX-License-Identifier: MIT
// rseq(2): a thread's words in its own memory that say on which CPU it runs, and a critical section
// that begins anew when the thread was interrupted in it: it lost its CPU, moved, or a signal came.
// The words are those of Linux 6.1, 20 bytes.
#pragma once

#include "ssi/process/process.h"

// 0; -EBUSY these are registered already, -EINVAL, -EPERM another signature, -EFAULT. May sleep.
int rseq_register(struct task *t, uint32_t at, uint32_t bytes, uint32_t signature);
int rseq_unregister(struct task *t, uint32_t at, uint32_t bytes, uint32_t signature);
// For the current task that has registered them: the words are right, and its registers are
// outside of any critical section. 0; -EINTR asked to leave meanwhile, nothing is lost; -EFAULT,
// -EINVAL, -ENOMEM: the words cannot be had or make no sense, which is a SIGSEGV. May sleep.
int rseq_attend(struct task *t);
// The same on its way to user mode: with the SIGSEGV.
void rseq_return(struct task *t);
// Every critical section of the space's tasks that runs, or is interrupted, begins anew.
void rseq_restart_all(const struct space *s);

// The task begins to run on this CPU. A system call is never made in a critical section, so only
// another CPU matters to it.
static inline void rseq_switched(struct task *t)
{
    if (t->rseq_at && (t->regs->vector != 0x80 || t->rseq_cpu != arch_cpu_id()))
        t->rseq_due = true;
}
