// SPDX-License-Identifier: MIT
// seccomp(2): which system calls a task may make. A filter is a classic BPF program; a task has a
// chain of them, shared with the tasks it made, and every one is asked at each call. While no task
// of this node has any, the way into the kernel knows nothing of it (process_on_seccomp).
#pragma once

#include "lib/bpf_classic.h"
#include "ssi/process/process.h"

enum seccomp_mode { // as prctl(PR_GET_SECCOMP) tells them
    SECCOMP_NONE = 0,
    SECCOMP_STRICT = 1,
    SECCOMP_FILTER = 2,
    SECCOMP_DEAD = 3, // a filter has killed it
};

enum { // what a filter returns, in the upper half
    SECCOMP_KILL_PROCESS = 0x80000000,
    SECCOMP_KILL_THREAD = 0x00000000,
    SECCOMP_TRAP = 0x00030000,
    SECCOMP_ERRNO = 0x00050000,
    SECCOMP_NOTIFY = 0x7fc00000, // there are no listeners: ENOSYS
    SECCOMP_TRACE = 0x7ff00000,
    SECCOMP_LOG = 0x7ffc0000,
    SECCOMP_ALLOW = 0x7fff0000,
};

#define SECCOMP_INPUT_BYTES 64u    // struct seccomp_data
#define SECCOMP_CHAIN_MAX   32768u // instructions of all filters of a task, 4 more for each filter

struct seccomp_filter {
    uint32_t users; // tasks and younger filters
    struct seccomp_filter *older;
    uint32_t chain; // instructions up to here, against SECCOMP_CHAIN_MAX
    bool log;
    uint32_t count;
    struct bpf_classic code[];
};

// A filter of `count` instructions, to be filled and checked; NULL: no memory.
struct seccomp_filter *seccomp_filter_new(uint32_t count);
int seccomp_filter_check(const struct seccomp_filter *f); // 0, -EINVAL, -ENOMEM
void seccomp_filter_put(struct seccomp_filter *f);        // NULL is fine

// A filter more for the task, which is filtered from now on; the filter is taken over, also on
// errors. -EINVAL (strict mode), -ENOMEM (too many). `all`: the other threads get the same chain;
// if one cannot, because it has filters of its own, its id is returned and nothing changes.
int32_t seccomp_filter_add(struct task *me, struct seccomp_filter *f, bool all);
int seccomp_strict(struct task *t); // 0, -EINVAL

void seccomp_inherit(struct task *to, const struct task *from);
void seccomp_release(struct task *t);
unsigned seccomp_filters(const struct task *t);

// On the way into a system call, t->regs as the program left them. False: it is not made, and
// eax and signals are as they shall be. May sleep, or not return.
bool seccomp_call(struct task *t);

// ssi/linux: from now on a task of this node is filtered, or none is any more.
extern void (*process_on_seccomp)(bool any);
