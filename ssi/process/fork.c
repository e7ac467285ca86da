// SPDX-License-Identifier: MIT
// clone(2) in all its forms: fork, vfork, threads.
#include "ssi/process/process.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/process/pidfd.h"
#include "ssi/process/priv.h"
#include "ssi/process/ldt.h"
#include "ssi/process/seccomp.h"
#include "ssi/process/tls.h"
#include "ssi/process/ipc.h"
#include "ssi/process/tracee.h"

struct request {
    uint64_t flags;
    uint32_t stack, parent_tid, tls, child_tid, pidfd;
    const struct arch_regs *regs;
    struct user_desc desc; // with CLONE_SETTLS
    int32_t chosen;        // the PID or TID that it is to have, claimed; 0: a fresh one
};

static int check_flags(uint64_t flags)
{
    if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
        return -EINVAL;
    if ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND))
        return -EINVAL;
    if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
        return -EINVAL;
    if (flags & CLONE_NEW_ANY)
        return process_can(CAP_SYS_ADMIN) ? -EINVAL : -EPERM; // no namespaces here
    if ((flags & CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_DETACHED)))
        return -EINVAL;
    return flags & CLONE_PARENT ? -EINVAL : 0;
}

static unsigned tasks_of_user(uint32_t uid)
{
    unsigned n = 0;
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->cred.uid == uid)
            n += MAX(p->task_count, 1u);
    }
    return n;
}

static int check_limit(const struct process *p)
{
    uint32_t limit = p->limits[RLIMIT_NPROC].current;
    uint32_t uid = task_current()->cred->uid;
    if (uid == 0 || process_can(CAP_SYS_RESOURCE) || process_can(CAP_SYS_ADMIN))
        return 0;
    if (limit != RLIM_INFINITY && tasks_of_user(uid) >= limit)
        return -EAGAIN;
    // The last of the memory is for who can put things right.
    return frame_free_count() < frame_total_count() / 16 ? -ENOMEM : 0;
}

// ---- the shareable objects of a new process ----------------------------------------------------
static struct fs_context *fs_copy(const struct fs_context *from)
{
    struct fs_context *c = heap_alloc(sizeof(*c));
    if (c) {
        *c = *from;
        c->users = 1;
    }
    return c;
}

void actions_clear(struct signal_actions *actions)
{
    for (unsigned i = 0; i < SIGNAL_MAX; i++) {
        struct signal_action *a = &actions->action[i];
        *a = (struct signal_action){.handler = a->handler == SIG_IGN ? SIG_IGN : SIG_DFL};
    }
}

static struct signal_actions *actions_copy(const struct signal_actions *from)
{
    struct signal_actions *a = heap_alloc(sizeof(*a));
    if (a) {
        *a = *from;
        a->users = 1;
    }
    return a;
}

static bool take_fs(struct process *to, struct process *from, uint64_t flags)
{
    if (flags & CLONE_FS) {
        to->fs = from->fs;
        to->fs->users++;
        return true;
    }
    to->fs = fs_copy(from->fs);
    return to->fs != NULL;
}

static bool take_actions(struct process *to, struct process *from, uint64_t flags)
{
    if (flags & CLONE_SIGHAND) {
        to->actions = from->actions;
        to->actions->users++;
        return true;
    }
    to->actions = actions_copy(from->actions);
    if (to->actions && (flags & CLONE_CLEAR_SIGHAND))
        actions_clear(to->actions);
    return to->actions != NULL;
}

static bool take_files(struct process *to, struct process *from, uint64_t flags)
{
    if (flags & CLONE_FILES) {
        fd_table_get(from->files);
        to->files = from->files;
        to->files_shared = from->files_shared = true;
        return true;
    }
    to->files = fd_table_clone(from->files);
    return to->files != NULL;
}

int process_unshare(struct process *p, uint32_t flags)
{
    if (flags & CLONE_SIGHAND && p->actions->users > 1) {
        struct signal_actions *own = actions_copy(p->actions);
        if (!own)
            return -ENOMEM;
        signal_actions_put(p->actions);
        p->actions = own;
    }
    if (flags & CLONE_FS && p->fs->users > 1) {
        struct fs_context *own = fs_copy(p->fs);
        if (!own)
            return -ENOMEM;
        fs_context_put(p->fs);
        p->fs = own;
    }
    if (flags & CLONE_FILES && p->files_shared) {
        struct fd_table *shared = p->files, *own = fd_table_clone(shared);
        if (!own)
            return -ENOMEM;
        p->files = own;
        p->files_shared = false;
        fd_table_put(shared);
    }
    return 0;
}

static bool take_space(struct process *to, struct process *from, uint64_t flags)
{
    if (flags & CLONE_VM) {
        space_get(from->space);
        to->space = from->space;
        return true;
    }
    to->space = container_clone_space(from->space);
    return to->space != NULL;
}

static void copy_facts(struct process *to, const struct process *from)
{
    to->parent = from->pid;
    to->pgrp = from->pgrp;
    to->sid = from->sid;
    to->cred = *task_current()->cred;
    memcpy(to->limits, from->limits, sizeof(to->limits));
    memcpy(to->name, from->name, sizeof(to->name));
    memcpy(to->path, from->path, sizeof(to->path));
    to->arg_start = from->arg_start;
    to->arg_end = from->arg_end;
    to->env_start = from->env_start;
    to->env_end = from->env_end;
    to->nice = from->nice;
    to->oom_adjust = from->oom_adjust;
    to->oom_adjust_least = from->oom_adjust_least;
    to->features_edx = from->features_edx;
    to->features_ecx = from->features_ecx;
    to->tty_attached = from->tty_attached;
    to->tty_node = from->tty_node;
    to->tty_number = from->tty_number;
    to->personality = from->personality;
    to->not_dumpable = from->not_dumpable;
    to->no_huge_pages = from->no_huge_pages;
    to->executable = from->executable;
    if (to->executable)
        file_get(to->executable);
}

static struct process *copy_process(struct process *from, uint64_t flags, int32_t chosen)
{
    struct process *to = process_new(chosen);
    if (!to)
        return NULL;
    copy_facts(to, from);
    to->exit_signal = (int)(flags & CLONE_SIGNAL_MASK);
    if (take_fs(to, from, flags) && take_actions(to, from, flags) && take_files(to, from, flags) &&
        take_space(to, from, flags) && ((flags & CLONE_VM) || ipc_fork(to, from)) &&
        (from->ldt == NULL || ldt_fork(to, from, flags & CLONE_VM) == 0))
        return to;
    process_reap(to);
    return NULL;
}

// ---- the task ----------------------------------------------------------------------------------
static void copy_task(struct task *to, struct task *from, const struct request *r)
{
    arch_fpu_save(&from->fpu);
    to->fpu = from->fpu;
    to->tls = from->tls;
    *to->cred = *from->cred;
    if (from->seccomp)
        seccomp_inherit(to, from);
    to->blocked = from->blocked_saved_valid ? from->blocked_saved : from->blocked;
    if ((r->flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM) {
        to->altstack_flags = SS_DISABLE;
    } else {
        to->altstack_at = from->altstack_at;
        to->altstack_bytes = from->altstack_bytes;
        to->altstack_flags = from->altstack_flags;
    }
    to->io_priority = from->io_priority;
    to->slack_ns = to->slack_default_ns = from->slack_ns;
    to->memory_errors = from->memory_errors;
    to->io_flusher = from->io_flusher;
    bool reset = from->policy_reset && from->realtime;
    to->policy = reset ? 0 : from->policy;
    to->realtime = reset ? 0 : from->realtime;
    if (!(r->flags & CLONE_VM)) {
        to->rseq_at = from->rseq_at;
        to->rseq_bytes = from->rseq_bytes;
        to->rseq_signature = from->rseq_signature;
        to->rseq_cpu = UINT32_MAX;
        to->rseq_due = from->rseq_at != 0;
    }
    if (from->policy_reset && to->process != from->process && to->process->nice < 0)
        to->process->nice = 0;
    to->start = *r->regs;
    to->start.eax = 0;
    if (r->stack)
        to->start.esp = r->stack;
    if (r->flags & CLONE_CHILD_SETTID)
        to->set_child_tid = r->child_tid;
    if (r->flags & CLONE_CHILD_CLEARTID)
        to->clear_child_tid = r->child_tid;
}

static int read_tls(struct request *r)
{
    if (!(r->flags & CLONE_SETTLS))
        return 0;
    return user_read(&r->desc, r->tls, sizeof(r->desc));
}

static int finish_task(struct task *t, struct task *from, struct request *r)
{
    copy_task(t, from, r);
    if (!(r->flags & CLONE_SETTLS))
        return 0;
    return tls_set(&t->tls, &r->desc, false);
}

static int32_t new_thread(struct process *p, struct task *me, struct request *r)
{
    struct task *t = task_new(p, r->chosen);
    if (!t && r->chosen)
        pid_put(r->chosen);
    if (!t)
        return -EAGAIN;
    int e = finish_task(t, me, r);
    if (e == 0 && (r->flags & CLONE_PARENT_SETTID))
        e = user_write(r->parent_tid, &t->tid, sizeof(t->tid)); // may sleep
    if (e == 0 && (p->exiting || p->sole))
        e = -EAGAIN; // the process is coming to its end
    if (e == 0)
        e = tracee_inherit(me, t, r->flags);
    if (e < 0) {
        task_discard(t);
        return e;
    }
    int32_t tid = t->tid;
    t->move_asked = me->move_asked; // else a move would wait for it
    task_start(t);
    tracee_forks(me, r->flags, tid);
    return tid;
}

static struct child *child_record(struct process *parent, const struct process *p)
{
    struct child *c = heap_zalloc(sizeof(*c));
    if (!c)
        return NULL;
    c->pid = p->pid;
    c->pgrp = p->pgrp;
    c->exit_signal = p->exit_signal;
    c->uid = p->cred.uid;
    c->node = cluster_self();
    list_append(&parent->children, &c->link);
    return c;
}

// Until the child has left this memory. Not interruptible but by the end of this process.
static void vfork_sleep(struct task *me, struct vfork_wait *v)
{
    struct process *p = me->process;
    me->vforking = v;
    while (!v->done && !p->exiting &&
           !((p->pending.pending | me->pending.pending) & SIGBIT(SIGKILL)))
        if (wait_sleep(&v->wait, WAIT_FOREVER, 0) < 0)
            break;
    me->vforking = NULL;
    vfork_put(v);
}

static struct vfork_wait *vfork_begin(struct process *child)
{
    struct vfork_wait *v = heap_zalloc(sizeof(*v));
    if (!v)
        return NULL;
    v->users = 2;
    wait_init(&v->wait);
    child->vfork = v;
    return v;
}

// CLONE_PIDFD: 0 with the descriptor in *fd, or an error and there is none.
static int give_pidfd(struct process *p, struct process *child, uint32_t at, int *fd)
{
    struct file *f;
    int e = pidfd_of_child(child, &f);
    if (e < 0)
        return e;
    *fd = fd_install(p->files, f, 0, true);
    if (*fd < 0) {
        file_put(f);
        return *fd;
    }
    e = user_write(at, fd, sizeof(*fd));
    if (e < 0)
        fd_close(p->files, *fd);
    return e;
}

static int32_t new_process(struct process *p, struct task *me, struct request *r)
{
    struct process *child = copy_process(p, r->flags, r->chosen);
    if (!child)
        return -ENOMEM;
    struct task *t = task_new(child, child->pid);
    struct vfork_wait *v = NULL;
    int e = t ? finish_task(t, me, r) : -EAGAIN, fd = -1;
    if (e == 0 && (r->flags & CLONE_PIDFD))
        e = give_pidfd(p, child, r->pidfd, &fd);
    if (e == 0 && (r->flags & CLONE_PARENT_SETTID))
        (void)user_write(r->parent_tid, &child->pid, sizeof(child->pid)); // as Linux: no error
    if (e == 0 && (r->flags & CLONE_VFORK)) {
        v = vfork_begin(child);
        e = v ? 0 : -ENOMEM;
    }
    if (e == 0)
        e = tracee_inherit(me, t, r->flags);
    if (e == 0 && !child_record(p, child))
        e = -ENOMEM;
    if (e < 0) {
        if (fd >= 0)
            fd_close(p->files, fd);
        if (v)
            vfork_put(v);
        if (t)
            task_discard(t);
        process_reap(child);
        return e;
    }
    int32_t pid = child->pid;
    task_start(t);
    tracee_forks(me, r->flags, pid);
    if (v) {
        vfork_sleep(me, v);
        tracee_vfork_done(me, pid);
    }
    return pid;
}

int32_t process_fork(uint64_t clone_flags, const struct arch_regs *regs, uint32_t child_stack,
                     uint32_t parent_tid, uint32_t tls, uint32_t child_tid, uint32_t pidfd,
                     int32_t chosen)
{
    struct task *me = task_current();
    struct process *p = me->process;
    struct request r = {.flags = clone_flags,
                        .stack = child_stack,
                        .parent_tid = parent_tid,
                        .tls = tls,
                        .child_tid = child_tid,
                        .pidfd = pidfd,
                        .chosen = chosen,
                        .regs = regs};
    int e = check_flags(clone_flags);
    if (e == 0)
        e = check_limit(p);
    if (e == 0)
        e = read_tls(&r);
    if (e == 0 && chosen)
        e = pid_claim(chosen); // from here on it is the new one's
    if (e < 0)
        return e;
    if (clone_flags & CLONE_THREAD)
        return new_thread(p, me, &r);
    return new_process(p, me, &r);
}
