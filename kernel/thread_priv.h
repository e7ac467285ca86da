// SPDX-License-Identifier: MIT
// Between the scheduler, the timers and the wait queues. Private to kernel/.
#pragma once

#include "kernel/thread.h"

void thread_scheduler_init(void);           // the boot stack becomes the idle thread
void thread_start_scheduler(void) NORETURN; // which lets others run from now on
void thread_block(void);                    // current is WAITING already; runs others
void thread_make_ready(struct thread *t);   // from WAITING
uint64_t thread_slice_end_ns(void);         // UINT64_MAX: nobody else wants the CPU
void thread_slice_check(uint64_t now_ns);

void timer_interrupt(void);
void timer_rearm(void);
