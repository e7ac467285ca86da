// SPDX-License-Identifier: MIT
// Between the files of ssi/process.
#pragma once

#include "ssi/process/linux_abi.h"
#include "ssi/process/pid.h"
#include "ssi/process/process.h"

// ---- table.c
int32_t pid_take(void); // a fresh PID or TID of this node; 0: none free
void pid_put(int32_t pid);
bool pid_in_use(int32_t pid);
unsigned process_count(void); // on this node, zombies counted
void process_release_resources(struct process *p);
void fs_context_put(struct fs_context *c);
void signal_actions_put(struct signal_actions *a);
void vfork_release(struct process *p);
void vfork_put(struct vfork_wait *v);

// ---- limits.c
void process_limits_init(struct process *p);

// ---- signal.c
void signal_set_init(struct signal_set *s);
void signal_set_clear(struct process *p, struct signal_set *s);
void signal_alarm(void *process);
