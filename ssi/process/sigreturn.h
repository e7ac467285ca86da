// SPDX-License-Identifier: MIT
// The end of a handler, for the bodies of sigreturn, rt_sigreturn and sigaltstack.
#pragma once

#include "ssi/process/process.h"

// The current task's registers, mask and FPU state as its frame has them; SIGSEGV when it is bad.
// Sets all registers: the call's result must not be stored. May sleep.
void frame_pop_plain(struct task *t);
void frame_pop_rt(struct task *t);

uint32_t frame_altstack_flags(const struct task *t); // SS_ONSTACK, SS_DISABLE or 0
