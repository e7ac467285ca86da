// SPDX-License-Identifier: MIT
// Calls that make, replace, end and await processes.
#include "ssi/linux/file.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/fs/inode.h"
#include "ssi/linux/rusage.h"
#include "ssi/process/ipc.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/pidfd.h"
#include "ssi/process/siginfo.h"
#include "ssi/process/wait.h"

long sys_exit(struct call *c)
{
    task_exit((int)(c->args[0] & 0xff) << 8);
}

long sys_exit_group(struct call *c)
{
    process_exit_group((int)(c->args[0] & 0xff) << 8);
}

// ---- fork --------------------------------------------------------------------------------------
long sys_fork(struct call *c)
{
    (void)c;
    return process_fork(SIGCHLD, task_current()->regs, 0, 0, 0, 0, 0, 0);
}

long sys_vfork(struct call *c)
{
    (void)c;
    return process_fork(CLONE_VM | CLONE_VFORK | SIGCHLD, task_current()->regs, 0, 0, 0, 0, 0, 0);
}

// i386 order: flags, stack, parent_tid, tls, child_tid. A pidfd goes where parent_tid would.
long sys_clone(struct call *c)
{
    if ((c->args[0] & CLONE_PIDFD) && (c->args[0] & CLONE_PARENT_SETTID))
        return -EINVAL;
    return process_fork(c->args[0], task_current()->regs, c->args[1], c->args[2], c->args[3],
                        c->args[4], c->args[2], 0);
}

struct user_clone_args { // struct clone_args
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup; // of later versions
} PACKED;
#define CLONE_ARGS_FIRST 64u // bytes of the first version
#define PID_LEVELS_MAX   32u // of nested namespaces on Linux; there is one here

// The PID that the caller chose, 0: none.
static int chosen_in(const struct user_clone_args *a, int32_t *chosen)
{
    *chosen = 0;
    if (a->set_tid_size > PID_LEVELS_MAX || (a->set_tid == 0) != (a->set_tid_size == 0))
        return -EINVAL;
    if (!a->set_tid)
        return 0;
    int e = a->set_tid <= UINT32_MAX ? user_read(chosen, (uint32_t)a->set_tid, sizeof(*chosen))
                                     : -EFAULT;
    if (e < 0)
        return e;
    if (a->set_tid_size > 1 || *chosen <= 0)
        return -EINVAL;
    return process_can(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

// clone3(2). Of PIDs only those of the caller's node can be chosen. There are no cgroups.
long sys_clone3(struct call *c)
{
    struct user_clone_args a = {0};
    int32_t chosen;
    if (c->args[1] < CLONE_ARGS_FIRST)
        return -EINVAL;
    if (c->args[1] > PAGE_SIZE)
        return -E2BIG;
    int e = user_read(&a, c->args[0], MIN(c->args[1], (uint32_t)sizeof(a)));
    if (e < 0)
        return e;
    for (uint32_t at = sizeof(a); at < c->args[1]; at++) { // newer fields must be zero
        uint8_t byte;
        e = user_read(&byte, c->args[0] + at, 1);
        if (e < 0)
            return e;
        if (byte)
            return -E2BIG;
    }
    bool thread = a.flags & CLONE_THREAD;
    uint64_t both = CLONE_PIDFD | CLONE_PARENT_SETTID;
    if ((a.flags & CLONE_DETACHED) || ((a.flags & both) == both && a.pidfd == a.parent_tid))
        return -EINVAL;
    if (a.flags >> 33 || (a.flags & CLONE_SIGNAL_MASK) || a.exit_signal > SIGNAL_MAX ||
        (thread && a.exit_signal) || (a.stack == 0) != (a.stack_size == 0) ||
        a.stack + a.stack_size > USER_TOP)
        return -EINVAL;
    e = chosen_in(&a, &chosen);
    if (e < 0)
        return e;
    return process_fork(a.flags | a.exit_signal, task_current()->regs,
                        (uint32_t)(a.stack + a.stack_size), (uint32_t)a.parent_tid, (uint32_t)a.tls,
                        (uint32_t)a.child_tid, (uint32_t)a.pidfd, chosen);
}

// unshare(2). The threads of a process share what this call divides for good, so where there are
// several it is refused; and there are no namespaces.
static int unshare_refused(const struct process *p, uint32_t flags)
{
    const uint32_t group = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    const uint32_t own = CLONE_FILES | CLONE_FS | CLONE_SYSVSEM;
    if (flags & ~(group | own | CLONE_NEW_ANY))
        return -EINVAL;
    if (flags & (group | own) && p->task_count > 1)
        return -EINVAL;
    if (flags & (CLONE_SIGHAND | CLONE_VM) && p->actions->users > 1)
        return -EINVAL;
    if (flags & CLONE_VM && p->space->users > 1)
        return -EINVAL;
    if (flags & CLONE_NEW_ANY)
        return process_can(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
    return 0;
}

long sys_unshare(struct call *c)
{
    struct process *p = process_current();
    uint32_t flags = c->args[0];
    int e = unshare_refused(p, flags);
    if (e == 0)
        e = process_unshare(p, flags & (CLONE_FILES | CLONE_FS));
    if (e == 0 && flags & CLONE_SYSVSEM && p->ipc_undoes) { // as if it had ended
        struct ipc_ask a = {.kind = IPC_KIND_SEM, .op = IPC_OP_EXIT};
        e = (int)ipc_ask(&a, NULL, NULL, 0, NULL);
    }
    return e;
}

// ---- exec --------------------------------------------------------------------------------------
#define ARG_FIRST_BYTES (32u << 10) // room that nearly every exec is content with
#define ARG_GROWTH      8u
#define ARG_STRING_MAX  (32 * PAGE_SIZE) // execve(2): bytes of one string
#define ARG_ALWAYS      (128u << 10)     // however small the stack may be

// Strings of a NULL-ended vector of user pointers, back to back behind what `a` has, into `room`
// bytes. -E2BIG: they do not fit.
static int strings_in(uint32_t vector, struct exec_args *a, size_t room, uint32_t *count)
{
    *count = 0;
    for (; vector; vector += 4) {
        uint32_t at;
        int e = user_read(&at, vector, sizeof(at));
        if (e < 0)
            return e;
        if (!at)
            return 0;
        if (a->bytes >= room)
            return -E2BIG;
        long n = user_read_string(a->strings + a->bytes, at,
                                  MIN(room - a->bytes, (size_t)ARG_STRING_MAX));
        if (n < 0)
            return n == -ENAMETOOLONG ? -E2BIG : (int)n;
        a->bytes += (size_t)n + 1;
        ++*count;
    }
    return 0;
}

// execve(2): strings and pointers take a quarter of the stack at most.
static bool args_fit(const struct exec_args *a)
{
    uint32_t stack = process_current()->limits[RLIMIT_STACK].current;
    return a->bytes + (a->argc + a->envc) * sizeof(uint32_t) <= MAX(stack / 4, ARG_ALWAYS);
}

static int args_try(uint32_t argv, uint32_t envp, struct exec_args *a, size_t room)
{
    *a = (struct exec_args){.strings = heap_alloc(room)};
    if (!a->strings)
        return -ENOMEM;
    int e = strings_in(argv, a, room - 1, &a->argc);
    if (e == 0 && a->argc == 0) { // one empty string, as on Linux since 5.18
        a->strings[a->bytes++] = 0;
        a->argc = 1;
    }
    if (e == 0)
        e = strings_in(envp, a, room, &a->envc);
    if (e == 0 && !args_fit(a))
        e = -E2BIG;
    if (e < 0)
        heap_free(a->strings);
    return e;
}

// argv and envp as one block.
static int args_in(uint32_t argv, uint32_t envp, struct exec_args *a)
{
    int e = -E2BIG;
    for (size_t room = ARG_FIRST_BYTES; e == -E2BIG && room <= ARG_BYTES_MAX; room *= ARG_GROWTH)
        e = args_try(argv, envp, a, room);
    return e;
}

// `path` and `name` are given away; `name` may be NULL. The name leads through descriptor `fd`.
static long exec_path(char *path, uint32_t argv, uint32_t envp, struct fs_place at, char *name,
                      int fd)
{
    struct exec_args a;
    int e = *path ? args_in(argv, envp, &a) : -ENOENT;
    if (e == 0) {
        a.name = name;
        a.name_ends = name && fd_cloexec(process_current()->files, fd);
        e = process_exec(process_current(), path, at, &a);
        heap_free(a.strings);
    }
    heap_free(path);
    heap_free(name);
    return e;
}

long sys_execve(struct call *c)
{
    char *path;
    int e = linux_path_in(c->args[0], &path);
    return e < 0 ? e : exec_path(path, c->args[1], c->args[2], process_current()->fs->cwd, NULL, 0);
}

// What a program is told that was found from a descriptor. NULL: no memory.
static char *name_from(uint32_t fd, const char *path)
{
    size_t size = strlen(path) + 24;
    char *name = heap_alloc(size);
    if (name)
        fmt_print(name, size, "/dev/fd/%u%s%s", fd, *path ? "/" : "", path);
    return name;
}

// AT_EMPTY_PATH: the open file itself, as fexecve(3) asks for it; by its name in /proc.
static long exec_descriptor(uint32_t fd, uint32_t argv, uint32_t envp)
{
    const size_t size = 32;
    struct process *p = process_current();
    if (!fd_file(p->files, (int)fd))
        return -EBADF;
    char *path = heap_alloc(size), *name = name_from(fd, "");
    if (!path || !name) {
        heap_free(path);
        heap_free(name);
        return -ENOMEM;
    }
    fmt_print(path, size, "/proc/self/fd/%u", fd);
    return exec_path(path, argv, envp, p->fs->cwd, name, (int)fd);
}

long sys_execveat(struct call *c)
{
    struct file_name n;
    struct fs_stat st;
    char *path;
    uint32_t flags = c->args[4];
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int e = linux_path_in(c->args[1], &path);
    if (e < 0)
        return e;
    bool empty = *path == '\0';
    heap_free(path);
    if (empty && (flags & AT_EMPTY_PATH) && (int32_t)c->args[0] != AT_FDCWD)
        return exec_descriptor(c->args[0], c->args[2], c->args[3]);
    e = file_name_begin(&n, (int32_t)c->args[0], c->args[1]);
    if (e < 0)
        return e;
    if (flags & AT_SYMLINK_NOFOLLOW && (e = fs_stat(&n.who, n.at, n.path, FS_NOFOLLOW, &st)) == 0)
        e = (st.mode & S_IFMT) == S_IFLNK ? -ELOOP : 0;
    if (e < 0) {
        file_name_end(&n);
        return e;
    }
    bool from = (int32_t)c->args[0] != AT_FDCWD && n.path[0] != '/';
    char *name = from ? name_from(c->args[0], n.path) : NULL;
    if (from && !name) {
        file_name_end(&n);
        return -ENOMEM;
    }
    return exec_path(n.path, c->args[2], c->args[3], n.at, name, (int)c->args[0]);
}

// ---- wait --------------------------------------------------------------------------------------
// Sleeps until a child has news: 1 with *found, 0 with WNOHANG, or a negative errno.
static int wait_for(struct process *p, const struct wait_query *q, struct child **found)
{
    for (;;) {
        int e = wait_look(p, q, found);
        if (e != 0 || q->options & WNOHANG)
            return e;
        e = wait_sleep(&p->child_wait, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return wait_look(p, q, found) == 1 ? 1 : e;
    }
}

static int status_of(const struct child *child)
{
    return child->state == CHILD_CONTINUED ? WAIT_STATUS_CONTINUED : child->status;
}

static void usage_of(const struct child *child, struct linux_rusage *u)
{
    linux_rusage_fill(u, &child->usage);
}

static long wait4(int32_t pid, uint32_t status_at, uint32_t options, uint32_t rusage_at)
{
    struct process *p = process_current();
    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    struct wait_query q = {.kind = WAIT_ANY, .options = options | WEXITED};
    if (pid > 0)
        q = (struct wait_query){WAIT_PID, pid, q.options};
    else if (pid != -1)
        q = (struct wait_query){WAIT_GROUP, pid ? -pid : p->pgrp, q.options};
    struct child *child;
    int e = wait_for(p, &q, &child);
    if (e <= 0)
        return e;
    int32_t found = child->pid, status = status_of(child);
    struct linux_rusage usage;
    usage_of(child, &usage);
    wait_take(p, child);
    // As on Linux the child is gone even if its status cannot be stored.
    if (status_at && user_write(status_at, &status, sizeof(status)) < 0)
        return -EFAULT;
    if (rusage_at && user_write(rusage_at, &usage, sizeof(usage)) < 0)
        return -EFAULT;
    return found;
}

long sys_wait4(struct call *c)
{
    return wait4((int32_t)c->args[0], c->args[1], c->args[2], c->args[3]);
}

long sys_waitpid(struct call *c)
{
    return wait4((int32_t)c->args[0], c->args[1], c->args[2], 0);
}

static struct signal_info info_of(const struct child *child)
{
    struct signal_info i = {.signal = SIGCHLD, .pid = child->pid, .uid = child->uid};
    int status = child->status;
    if (child->state == CHILD_CONTINUED) {
        i.code = CLD_CONTINUED;
        i.status = SIGCONT;
    } else if (child->state == CHILD_STOPPED) {
        i.code = child->tracee ? CLD_TRAPPED : CLD_STOPPED;
        i.status = status >> 8; // of a tracee with the event
    } else if (status & 0x7f) {
        i.code = status & WAIT_CORE_FLAG ? CLD_DUMPED : CLD_KILLED;
        i.status = status & 0x7f;
    } else {
        i.code = CLD_EXITED;
        i.status = status >> 8 & 0xff;
    }
    return i;
}

enum { // idtype_t
    P_ALL = 0,
    P_PID = 1,
    P_PGID = 2,
    P_PIDFD = 3,
};

// One of those that do not wait: *options get WNOHANG, and nothing yet is -EAGAIN.
static int wait_pidfd(uint32_t fd, struct wait_query *q)
{
    struct pidfd_of of;
    struct file *f = (int32_t)fd < 0 ? NULL : file_of(fd);
    int e = (int32_t)fd < 0 ? -EINVAL : f ? pidfd_names(f, false, &of) : -EBADF;
    if (e == 0) {
        q->kind = WAIT_PID;
        q->id = of.pid;
        q->options |= f->flags & O_NONBLOCK ? WNOHANG : 0;
    }
    if (f)
        file_put(f);
    return e;
}

static int waitid_query(const struct process *p, uint32_t type, int32_t id, struct wait_query *q)
{
    switch (type) {
    case P_ALL:
        q->kind = WAIT_ANY;
        return 0;
    case P_PID:
        q->kind = WAIT_PID;
        q->id = id;
        return id > 0 ? 0 : -EINVAL;
    case P_PGID:
        q->kind = WAIT_GROUP;
        q->id = id ? id : p->pgrp;
        return id >= 0 ? 0 : -EINVAL;
    case P_PIDFD:
        return wait_pidfd((uint32_t)id, q);
    }
    return -EINVAL;
}

// 1: *info and *usage of the one that has news, 0: nobody has.
static int wait_by_id(struct call *c, struct signal_info *info, struct linux_rusage *usage)
{
    struct process *p = process_current();
    uint32_t options = c->args[3];
    if (options & ~(WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE |
                    __WALL) ||
        !(options & (WEXITED | WUNTRACED | WCONTINUED)))
        return -EINVAL;
    struct wait_query q = {.options = options};
    struct child *child;
    int e = waitid_query(p, c->args[0], (int32_t)c->args[1], &q);
    if (e == 0)
        e = wait_for(p, &q, &child);
    if (e == 0 && !(options & WNOHANG))
        e = -EAGAIN;
    if (e != 1)
        return e;
    *info = info_of(child);
    usage_of(child, usage);
    if (!(options & WNOWAIT))
        wait_take(p, child);
    return 1;
}

// The siginfo_t is written whatever comes of it: zeros where there is nobody.
long sys_waitid(struct call *c)
{
    uint8_t siginfo[128] = {0};
    struct signal_info info;
    struct linux_rusage usage = {0};
    int e = wait_by_id(c, &info, &usage);
    if (e == -EINTR)
        return e;
    if (e == 1)
        signal_info_out(siginfo, &info);
    if (c->args[2] && user_write(c->args[2], siginfo, sizeof(siginfo)) < 0)
        return -EFAULT;
    if (e == 1 && c->args[4] && user_write(c->args[4], &usage, sizeof(usage)) < 0)
        return -EFAULT;
    return MIN(e, 0);
}
