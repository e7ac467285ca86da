// SPDX-License-Identifier: MIT
// pidfds (pidfd_open(2)): open files that name a process, on whatever node that is. One has its
// home where it was made and is used from other nodes as any stream. The process carries the set of
// nodes that have one; they are told of its end. A process is told from a later one with its PID by
// the instant it was made.
#pragma once

#include "ssi/process/process.h"

// ioctl of a pidfd, never a user's: the struct pidfd_of comes back. Other files: -ENOTTY.
#define PIDFD_FACTS 0xfffffff8u

struct pidfd_of {
    int32_t pid;
    uint32_t reserved;
    uint64_t start_ns; // struct process's; 0: of any
} PACKED;

// Of a process anywhere. 0; -ESRCH; -EINVAL: the TID of a thread; -ENOMEM. May sleep.
int pidfd_open(int32_t pid, uint32_t flags, struct file **f);
// Of a new process of this node that does not run yet. 0, -ENOMEM. Never sleeps.
int pidfd_of_child(struct process *child, struct file **f);
// Which process a file names: a pidfd, here or elsewhere, or, if `folders`, a folder /proc/PID. 0,
// -EBADF. May sleep.
int pidfd_names(struct file *f, bool folders, struct pidfd_of *of);
// Is it still there? 0; 1: it has ended and waits for its parent; -ESRCH. May sleep.
int pidfd_state(const struct pidfd_of *of);
// pidfd_getfd(2): a file that it has open, with a user more. 0; -ESRCH, -EPERM, -EBADF; -EBUSY: it
// is on another node, and the file cannot be used from here. May sleep.
int pidfd_file(const struct process *me, const struct pidfd_of *of, uint32_t fd, struct file **f);

// What is said of the end of a process, taken while it is still there, and said when its parent has
// heard of it, so that a wait after a poll finds it. Never sleeps.
struct pidfd_end {
    struct pidfd_of of;
    struct node_set nodes;
};
struct pidfd_end pidfd_end_of(const struct process *p);
void pidfd_tell_end(const struct pidfd_end *end);
// It was lost with its node. Never sleeps.
void pidfd_process_lost(int32_t pid);
// A node died: are the processes that pidfds of this node name still there? Sleeps.
void pidfd_check_all(void);
