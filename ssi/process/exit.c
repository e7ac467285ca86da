// SPDX-License-Identifier: MIT
// The end of tasks and processes (_exit(2), exit_group(2)).
#include "ssi/process/group_exit.h"
#include "kernel/thread.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/user.h"
#include "ssi/fs/locks.h"
#include "ssi/process/futex.h"
#include "ssi/process/pidfd.h"
#include "ssi/process/priv.h"
#include "ssi/process/ipc.h"
#include "ssi/process/tracee.h"

void task_memory_left(struct task *t)
{
    futex_robust_release(t);
    futex_owner_ended(t);
    if (!t->clear_child_tid)
        return;
    uint32_t at = t->clear_child_tid;
    t->clear_child_tid = 0;
    if (t->process->space->users <= 1 && t->process->task_count <= 1)
        return; // nobody is left to see it
    uint32_t zero = 0;
    if (user_write(at, &zero, sizeof(zero)) == 0)
        (void)futex_wake(t->process, at, 1, FUTEX_ANY);
}

// From here on this kernel thread has no user memory.
static void leave_space(struct task *t)
{
    t->thread->space = NULL;
    arch_space_load(NULL);
}

void process_end_tell(struct process *p)
{
    int32_t pid = p->pid, pgrp = p->pgrp;
    bool tied = group_is_tied_by(p);
    struct pidfd_end end = pidfd_end_of(p);
    // The report sleeps: when the parent's node dies meanwhile, parent_lost() has reaped it.
    if (child_report(p, NEWS_EXITED) != 0 && process_find(pid) == p)
        process_reap(p);
    pidfd_tell_end(&end);
    if (tied)
        group_untied(pgrp);
}

// The last task: the process becomes a zombie, and its parent hears of it.
static void NORETURN process_end(struct task *t, int status)
{
    struct process *p = t->process;
    int32_t tid = t->tid;
    p->exiting = true;
    tracer_ends(p, 0);
    leave_space(t);
    tracee_task_ended(t, status);
    task_free(t);
    if (tid != p->pid)
        tid_put(p, tid);
    session_leader_ends(p);
    children_orphan(p);
    if (process_on_end)
        process_on_end(p);
    ipc_exit(p);
    locks_owner_gone(p->pid, p->incarnation > 1);
    process_release_resources(p);
    p->state = PROCESS_ZOMBIE;
    // Told only now: when a wait returns, all that the process held is free.
    if (!tracee_process_ended(p))
        process_end_tell(p);
    thread_exit();
}

static void NORETURN task_end(struct task *t, int status)
{
    struct process *p = t->process;
    int32_t tid = t->tid;
    tracer_ends(p, tid);
    if (p->task_count == 1)
        process_end(t, status); // meanwhile it has become the last
    leave_space(t);
    tracee_task_ended(t, status);
    task_free(t);
    if (tid != p->pid)
        tid_put(p, tid);
    wait_wake_all(&p->task_wait);
    thread_exit();
}

void task_exit(int status)
{
    struct task *t = task_current();
    struct process *p = t->process;
    if (!t->ending) {
        if (process_on_task_end)
            process_on_task_end(t);
        if (t->trace)
            tracee_exits(t, p->exiting ? p->exit_status : status);
        t->ending = true;
        task_memory_left(t); // may sleep: others may end meanwhile
    }
    if (!p->exiting)
        p->exit_status = status;
    if (p->task_count > 1)
        task_end(t, status);
    process_end(t, status);
}

void process_exit_group(int status)
{
    struct process *p = process_current();
    if (!p->exiting) {
        p->exiting = true;
        p->exit_status = status;
        if (p->state == PROCESS_STOPPED)
            p->state = PROCESS_RUNNING;
        process_wake_tasks(p);
    }
    task_exit(status);
}

int process_become_single(struct process *p)
{
    struct task *t = task_current();
    if (!t || t->process != p)
        return 0; // the first program of a process that does not run yet
    if (p->exiting || p->sole)
        return -EINTR;
    p->sole = t;
    process_wake_tasks(p);
    while (p->task_count > 1) {
        if (wait_sleep(&p->task_wait, WAIT_FOREVER, 0) < 0)
            break;
    }
    p->sole = NULL;
    if (p->exiting)
        return -EINTR;
    task_take_pid(t);
    return 0;
}
