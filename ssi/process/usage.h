// SPDX-License-Identifier: MIT
// What a process has used (getrusage(2), proc(5)): it moves with the process, and its parent has
// the sum of the children it waited for.
#pragma once

#include "lib/types.h"

struct process;
struct task;

struct usage { // also in messages and ghosts
    uint64_t user_ns, system_ns;
    uint64_t read_bytes, written_bytes; // by read(2), write(2) and their forms
    uint32_t reads, writes;
    uint32_t minor_faults, major_faults;
    uint32_t sleeps, preemptions; // the CPU was given up, or taken away
    uint32_t pages_most;          // mapped at a time, on one node
} PACKED;

void usage_add(struct usage *sum, const struct usage *more); // the larger pages_most
void usage_of_task(const struct task *t, struct usage *u);   // times and switches
void usage_of_process(const struct process *p, struct usage *u);
// Its memory is about to be left: p->ended keeps what it has cost.
void usage_leave_space(struct process *p);

// CPU time so far, of all its tasks.
void process_times(const struct process *p, uint64_t *user_ns, uint64_t *system_ns);
void task_times(const struct task *t, uint64_t *user_ns, uint64_t *system_ns);
