// SPDX-License-Identifier: MIT
// pidfd_open(2), pidfd_getfd(2), pidfd_send_signal(2), process_mrelease(2).
#include "ssi/process/pidfd.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "ssi/linux/file.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/priv.h"

static long installed(struct file *f)
{
    int fd = fd_install(process_current()->files, f, 0, true);
    if (fd < 0)
        file_put(f);
    return fd;
}

// PIDFD_THREAD is refused: threads have none.
long sys_pidfd_open(struct call *c)
{
    int32_t pid = (int32_t)c->args[0];
    struct file *f;
    if ((c->args[1] & ~(uint32_t)O_NONBLOCK) || pid <= 0)
        return -EINVAL;
    int e = pidfd_open(pid, c->args[1], &f);
    return e < 0 ? e : installed(f);
}

long sys_pidfd_getfd(struct call *c)
{
    struct pidfd_of of;
    struct file *f = c->args[2] ? NULL : file_of(c->args[0]), *got;
    if (f == NULL)
        return c->args[2] ? -EINVAL : -EBADF;
    int e = pidfd_names(f, false, &of);
    if (e == 0 && (e = pidfd_state(&of)) == 1)
        e = -ESRCH;
    file_put(f);
    if (e == 0)
        e = pidfd_file(process_current(), &of, c->args[1], &got);
    return e < 0 ? e : installed(got);
}

static int info_of_call(const struct call *c, int32_t pid, struct signal_info *info)
{
    const struct process *me = process_current();
    uint32_t signal = c->args[1], said;
    *info = (struct signal_info){
        .signal = (int32_t)signal, .code = SI_USER, .pid = me->pid, .uid = process_acting(me)->uid};
    if (c->args[2] == 0)
        return 0;
    int e = linux_siginfo_in(c->args[2], signal, info);
    if (e == 0)
        e = user_read(&said, c->args[2], sizeof(said));
    if (e < 0)
        return e;
    if (said != signal)
        return -EINVAL;
    return linux_may_pretend(info, pid) ? 0 : -EPERM;
}

long sys_pidfd_send_signal(struct call *c)
{
    struct pidfd_of of;
    struct signal_info info;
    if (c->args[3])
        return -EINVAL;
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    int e = pidfd_names(f, true, &of);
    file_put(f);
    if (e == 0)
        e = info_of_call(c, of.pid, &info);
    if (e < 0 || (e = pidfd_state(&of)) < 0)
        return e;
    if (c->args[1] > SIGNAL_MAX)
        return -EINVAL;
    return signal_kill(process_current(), of.pid, &info);
}

int linux_pidfd_in(uint32_t fd, struct pidfd_of *of)
{
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    int e = pidfd_names(f, false, of);
    file_put(f);
    if (e == 0)
        e = pidfd_state(of);
    return e > 0 ? -ESRCH : e;
}

// ---- process_mrelease --------------------------------------------------------------------------
// The memory of one that is about to end. NULL: it has none any more, or is not here.
static struct process *with_memory(const struct pidfd_of *of)
{
    struct process *p = process_find(of->pid);
    bool same = p && (of->start_ns == 0 || p->start_ns == of->start_ns);
    return same && p->state != PROCESS_ZOMBIE && p->space ? p : NULL;
}

static bool about_to_end(const struct process *p)
{
    const struct task *t;
    list_for_each (t, &p->tasks, link)
        if (task_killed(t))
            return true;
    return p->exiting;
}

// What is killed gives its memory back itself, as soon as it runs: that is waited for. It may be
// freed meanwhile.
long sys_process_mrelease(struct call *c)
{
    struct pidfd_of of;
    if (c->args[1])
        return -EINVAL;
    int e = linux_pidfd_in(c->args[0], &of);
    if (e < 0)
        return e;
    struct process *p = with_memory(&of);
    if (p == NULL)
        return process_find(of.pid) ? -ESRCH : -EIO; // it is on another node
    if (!about_to_end(p))
        return -EINVAL;
    while ((p = with_memory(&of)) != NULL && e == 0)
        e = wait_sleep(&p->task_wait, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
    return e;
}
