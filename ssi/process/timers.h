// SPDX-License-Identifier: MIT
// Timers of a process: POSIX timers (timer_create(2)) and the two of CPU time of setitimer(2).
// Instants are of the clock they run on: the cluster's monotonic one, which real time follows at a
// fixed distance, or CPU time in ns. One that waits for its signal to be taken does not run: what
// it missed is its overrun.
#pragma once

#include "ssi/process/process.h"

void process_timer_init(struct process_timer *t, struct process *p, enum timer_clock clock);
struct process_timer *process_timer_find(struct process *p, int32_t id);
void process_timer_delete(struct process_timer *t);
// Its clock now.
uint64_t process_timer_now_ns(const struct process_timer *t);
// First expiry at at_ns of its clock (0: disarms).
void process_timer_set(struct process_timer *t, uint64_t at_ns, uint64_t interval_ns);
uint64_t process_timer_left_ns(struct process_timer *t); // until the next expiry, 0: not set
// A signal of a timer is taken by its task: its overrun is filled in, the timer runs on.
void process_timer_taken(struct process *p, struct signal_info *info);

void process_timers_delete(struct process *p); // POSIX ones, at exec and at the end
void process_timers_stop(struct process *p);   // frozen for a move
void process_timers_start(struct process *p);  // goes on, here or there
