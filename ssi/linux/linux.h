// SPDX-License-Identifier: MIT
// The Linux i386 system calls. A call is one row of syscalls.def and one body
//
//     long sys_NAME(struct call *c);     // arguments in c->args; the task is task_current()
//
// which returns what eax shall hold: >= 0 or a negative errno. A body that spans an interruptible
// sleep keeps its progress in `c` (deadline_ns, done, body[]) and nowhere else; when its sleep
// gives -EINTR it returns -EINTR, or what it has done so far. The dispatcher then moves, stops or
// runs a handler, and either enters the body again with the same `c` or gives the program EINTR, as
// signal(7) has it. A body that is entered again finds c->deadline_ns, done and body[] as it left
// them; they are zero on the first entry.
#pragma once

#include "lib/errno.h"
#include "ssi/process/process.h"

#define SYSCALL(number, name, body) long body(struct call *c);
#include "ssi/linux/syscalls.def"
#undef SYSCALL

enum linux_number {
#define LINUX_CALL(number, name) LINUX_NR_##name = number,
#include "ssi/linux/names.def"
#undef LINUX_CALL
};

struct linux_timespec32 {
    int32_t seconds, nanoseconds;
} PACKED;
struct linux_timespec64 {
    int64_t seconds;
    int32_t nanoseconds, pad;
} PACKED;
struct linux_timeval32 {
    int32_t seconds, microseconds;
} PACKED;
STATIC_ASSERT(sizeof(struct linux_timespec64) == 16, "timespec64 of the ABI");

// A path from user memory: *path is on the heap, heap_free it. 0, -EFAULT, -ENAMETOOLONG, -ENOMEM.
// An empty path is fine here. May sleep.
int linux_path_in(uint32_t user, char **path);

// A timespec from user memory, in nanoseconds: 0, -EFAULT, -EINVAL (out of range). May sleep.
int linux_timespec_in(uint32_t user, bool wide, uint64_t *ns);
int linux_timespec_out(uint32_t user, bool wide, uint64_t ns);

// A signal mask for the time of the call (ppoll and its like), at `user` (0: none); the dispatcher
// puts the old one back. 0, -EINVAL, -EFAULT. May sleep.
int linux_mask_for_call(uint32_t user, uint32_t bytes);

struct pidfd_of;
// The process that a pidfd names, which has not ended: 0, -EBADF, -ESRCH. May sleep.
int linux_pidfd_in(uint32_t fd, struct pidfd_of *of);

// A siginfo_t that a program sends with `signal`: 0, -EFAULT. May sleep.
int linux_siginfo_in(uint32_t user, uint32_t signal, struct signal_info *info);
// What looks like the kernel's or kill's may only be sent to oneself.
bool linux_may_pretend(const struct signal_info *info, int32_t pid);

// Does the call end with EINTR whenever a handler ran, with SA_RESTART or not (signal(7))?
bool linux_call_never_restarts(const struct call *c);
// Is it made again whatever the handler's flags are?
bool linux_call_always_restarts(const struct call *c);

// A relative timeout as this call's absolute deadline (cluster time), worked out on the first
// entry only and kept in c->deadline_ns. UINT64_MAX: for ever.
uint64_t linux_deadline(struct call *c, uint64_t relative_ns);
// The same instant on this node's clock, for wait_sleep.
uint64_t linux_deadline_local(uint64_t cluster_ns);
