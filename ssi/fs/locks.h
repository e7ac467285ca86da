// SPDX-License-Identifier: MIT
// Advisory locks on tree files: byte ranges that belong to a process (fcntl) and whole-file locks
// that belong to an open file (flock). The two do not see each other, as on Linux. All are kept at
// the home of the tree.
#pragma once

#include "lib/fmt.h"
#include "ssi/fs/file.h"

enum { // as F_RDLCK, F_WRLCK, F_UNLCK
    LOCK_SHARED = 0,
    LOCK_EXCLUSIVE = 1,
    LOCK_NONE = 2
};

struct lock_range {
    uint64_t from, to; // [from, to); to UINT64_MAX: the end, however far
    int32_t owner;     // process, of a byte range
    int32_t kind;
    const struct file *whole; // the open file that it belongs to (flock, OFD), else NULL
    bool ofd;                 // a byte range of an open file: seen by byte ranges, not by flock
    node_id_t by;             // node that asked: its locks end when it dies
};

// Sets or takes away. -EAGAIN when it conflicts and may not wait, -EINTR, -ENOMEM, -EDEADLK (among
// waiters of one node).
// May sleep when `waits`.
int locks_set(struct file *f, const struct lock_range *r, bool waits);
// The first lock that would conflict with *r replaces it; kind LOCK_NONE: none.
int locks_get(struct file *f, struct lock_range *r);
// A process closed a descriptor of the file, which drops all its byte ranges on it; one of O_PATH
// drops none.
void locks_drop(struct file *f, int32_t owner);
// A process has ended: its byte ranges go, on every file. `moved`: it came from another node, which
// may have set some for it.
void locks_owner_gone(int32_t owner, bool moved);
// An open file of this node is released: its flock goes.
void locks_release(const struct file *f, uint64_t inode);

// /proc/locks (proc(5)): all on files of the tree, as the home tells, and this node's on what has
// no name. May sleep.
void locks_show(struct text *t);

// At the home: on a tree file of this node, without waiting.
int locks_set_here(uint64_t inode, const struct lock_range *r);
int locks_get_here(uint64_t inode, struct lock_range *r);
