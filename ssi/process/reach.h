// SPDX-License-Identifier: MIT
// Reaching into other processes of this node: who may (ptrace(2), "access mode checking"), and
// their memory.
#pragma once

#include "ssi/process/process.h"

// May the current process look into q, with its real ids?
bool process_may_reach(const struct process *q);
// A process or thread of this node that may be reached: 0, -ESRCH, -EPERM; -EIO: it is on another
// node, or on its way there. May sleep when it is not here.
int process_reach(int32_t pid, struct process **found);

enum reach_memory {
    REACH_READ,
    REACH_WRITE,
    REACH_PEEK, // as a debugger: whatever the protection of the page is
    REACH_POKE, // private pages that may only be read or run, too: they become the process's own
};
// Up to n bytes that lie in one segment of process or thread `pid`, to or from kernel memory: how
// many, or -EFAULT, -ESRCH, -EPERM, -EIO, -ENOMEM, -EINTR. To read and write it must be reached;
// who peeks and pokes has been asked before. May sleep.
long process_memory_move(int32_t pid, uint32_t at, void *bytes, size_t n, enum reach_memory how);
