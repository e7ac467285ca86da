// SPDX-License-Identifier: MIT
// System calls of traced tasks (ptrace(2)), for dispatch.c. A call that is left because a tracer
// or a signal wants the task is shown in the registers as on Linux: eax holds one of its internal
// errors, orig_eax the number, and when no handler ran the instruction is run once more, unless the
// tracer has changed them.
#pragma once

#include "ssi/process/process.h"

// On the way to user mode, with the registers of the task: the stop at the end of a call that is
// over, or is to be left now. May sleep.
void traced_call_look(struct task *t);
// The call is over and its end was not looked at yet.
bool traced_call_due(const struct task *t);
// Signals were seen to and no handler took it: t->call_left becomes what the program goes on with.
void traced_call_restart(struct task *t);
// A handler is about to run while t->call_left.
void traced_call_handled(struct task *t, bool sa_restart);
