// SPDX-License-Identifier: MIT
// Calls on signals (signal(7)). i386 has them twice: the old ones with 32-bit masks, and rt_*.
#include "ssi/linux/linux.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/siginfo.h"
#include "ssi/process/sigreturn.h"

#define SIGSET_BYTES 8u

struct user_sigaction { // rt_sigaction
    uint32_t handler, flags, restorer;
    uint32_t mask[2];
} PACKED;

struct user_old_sigaction { // sigaction
    uint32_t handler, mask, flags, restorer;
} PACKED;

enum { // how of sigprocmask
    SIG_BLOCK = 0,
    SIG_UNBLOCK = 1,
    SIG_SETMASK = 2,
};

// ---- actions -----------------------------------------------------------------------------------
static bool valid(uint32_t signal)
{
    return signal >= 1 && signal <= SIGNAL_MAX;
}

static int action_change(uint32_t signal, const struct signal_action *new,
                         struct signal_action *old)
{
    if (!valid(signal) || (new && (signal == SIGKILL || signal == SIGSTOP)))
        return -EINVAL;
    struct process *p = process_current();
    struct signal_action *a = &p->actions->action[signal - 1];
    *old = *a;
    if (!new)
        return 0;
    *a = *new;
    a->flags &= SA_KNOWN; // a program sees by asking which flags there are
    a->mask &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
    signal_action_changed(p, (int)signal);
    return 0;
}

long sys_rt_sigaction(struct call *c)
{
    struct user_sigaction u;
    struct signal_action new, old;
    if (c->args[3] != SIGSET_BYTES)
        return -EINVAL;
    if (c->args[1]) {
        int e = user_read(&u, c->args[1], sizeof(u));
        if (e < 0)
            return e;
        new = (struct signal_action){u.handler, u.flags, u.restorer,
                                     u.mask[0] | (sigset64)u.mask[1] << 32};
    }
    int e = action_change(c->args[0], c->args[1] ? &new : NULL, &old);
    if (e < 0 || !c->args[2])
        return e;
    u = (struct user_sigaction){
        old.handler, old.flags, old.restorer, {(uint32_t)old.mask, (uint32_t)(old.mask >> 32)}};
    return user_write(c->args[2], &u, sizeof(u));
}

long sys_sigaction(struct call *c)
{
    struct user_old_sigaction u;
    struct signal_action new, old;
    if (c->args[1]) {
        int e = user_read(&u, c->args[1], sizeof(u));
        if (e < 0)
            return e;
        new = (struct signal_action){u.handler, u.flags, u.restorer, u.mask};
    }
    int e = action_change(c->args[0], c->args[1] ? &new : NULL, &old);
    if (e < 0 || !c->args[2])
        return e;
    u = (struct user_old_sigaction){old.handler, (uint32_t)old.mask, old.flags, old.restorer};
    return user_write(c->args[2], &u, sizeof(u));
}

long sys_signal(struct call *c)
{
    struct signal_action old;
    struct signal_action new = {.handler = c->args[1], .flags = SA_RESETHAND | SA_NODEFER};
    int e = action_change(c->args[0], &new, &old);
    return e < 0 ? e : (long)old.handler;
}

// ---- masks -------------------------------------------------------------------------------------
static int mask_change(uint32_t how, sigset64 set)
{
    struct task *t = task_current();
    switch (how) {
    case SIG_BLOCK:
        signal_mask_set(t, t->blocked | set);
        return 0;
    case SIG_UNBLOCK:
        signal_mask_set(t, t->blocked & ~set);
        return 0;
    case SIG_SETMASK:
        signal_mask_set(t, set);
        return 0;
    }
    return -EINVAL;
}

long sys_rt_sigprocmask(struct call *c)
{
    sigset64 old = task_current()->blocked, set;
    if (c->args[3] != SIGSET_BYTES)
        return -EINVAL;
    if (c->args[1]) {
        int e = user_read(&set, c->args[1], sizeof(set));
        if (e == 0)
            e = mask_change(c->args[0], set);
        if (e < 0)
            return e;
    }
    return c->args[2] ? user_write(c->args[2], &old, sizeof(old)) : 0;
}

long sys_sigprocmask(struct call *c)
{
    uint32_t old = (uint32_t)task_current()->blocked, set;
    if (c->args[1]) {
        int e = user_read(&set, c->args[1], sizeof(set));
        sigset64 high = c->args[0] == SIG_SETMASK ? task_current()->blocked >> 32 << 32 : 0;
        if (e == 0)
            e = mask_change(c->args[0], set | high);
        if (e < 0)
            return e;
    }
    return c->args[2] ? user_write(c->args[2], &old, sizeof(old)) : 0;
}

static sigset64 pending_now(void)
{
    struct task *t = task_current();
    return (t->pending.pending | t->process->pending.pending) & t->blocked;
}

long sys_rt_sigpending(struct call *c)
{
    sigset64 set = pending_now();
    if (c->args[1] > SIGSET_BYTES)
        return -EINVAL;
    return user_write(c->args[0], &set, c->args[1]);
}

long sys_sigpending(struct call *c)
{
    uint32_t set = (uint32_t)pending_now();
    return user_write(c->args[0], &set, sizeof(set));
}

// ---- waiting for signals -----------------------------------------------------------------------
// Sleeps until the thread is asked; a handler makes the call end with EINTR.
static long sleep_until_handler(void)
{
    struct wait_queue nobody;
    wait_init(&nobody);
    for (;;) {
        int e = wait_sleep(&nobody, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
}

long sys_pause(struct call *c)
{
    (void)c;
    return sleep_until_handler();
}

// The mask is changed on the first entry only; on the way back it is the program's again.
static long suspend(struct call *c, sigset64 mask)
{
    struct task *t = task_current();
    if (!c->done) {
        c->done = 1;
        t->blocked_saved = t->blocked;
        t->blocked_saved_valid = true;
        signal_mask_set(t, mask);
    }
    return sleep_until_handler();
}

long sys_rt_sigsuspend(struct call *c)
{
    sigset64 mask = 0;
    if (c->args[1] != SIGSET_BYTES)
        return -EINVAL;
    if (!c->done) {
        int e = user_read(&mask, c->args[0], sizeof(mask));
        if (e < 0)
            return e;
    }
    return suspend(c, mask);
}

long sys_sigsuspend(struct call *c)
{
    return suspend(c, c->args[2]); // i386: the third argument is the mask
}

static long timed_wait(struct call *c, bool wide)
{
    struct task *t = task_current();
    sigset64 set;
    uint64_t timeout = UINT64_MAX;
    if (c->args[3] != SIGSET_BYTES)
        return -EINVAL;
    int e = user_read(&set, c->args[0], sizeof(set));
    if (e == 0 && c->args[2] && !c->deadline_ns)
        e = linux_timespec_in(c->args[2], wide, &timeout);
    if (e < 0)
        return e;
    uint64_t deadline = linux_deadline(c, timeout);
    set &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
    struct signal_info info;
    struct wait_queue nobody;
    wait_init(&nobody);
    t->waiting_for = set;
    while (!signal_take(t, set, &info)) {
        e = wait_sleep(&nobody, linux_deadline_local(deadline), WAIT_INTERRUPTIBLE);
        if (e < 0 && !signal_take(t, set, &info)) {
            t->waiting_for = 0;
            return e == -ETIMEDOUT ? -EAGAIN : e;
        } else if (e < 0) {
            break;
        }
    }
    t->waiting_for = 0;
    uint8_t out[128];
    signal_info_out(out, &info);
    if (c->args[1] && user_write(c->args[1], out, sizeof(out)) < 0)
        return -EFAULT;
    return info.signal;
}

long sys_rt_sigtimedwait(struct call *c)
{
    return timed_wait(c, false);
}

long sys_rt_sigtimedwait_time64(struct call *c)
{
    return timed_wait(c, true);
}

// ---- handlers' ends and their stack ------------------------------------------------------------
long sys_sigreturn(struct call *c)
{
    c->active = false; // all registers are the frame's
    frame_pop_plain(task_current());
    return 0;
}

long sys_rt_sigreturn(struct call *c)
{
    c->active = false;
    frame_pop_rt(task_current());
    return 0;
}

long sys_sigaltstack(struct call *c)
{
    struct {
        uint32_t at, flags, bytes;
    } new, old;
    struct task *t = task_current();
    uint32_t state = frame_altstack_flags(t);
    old.at = t->altstack_at;
    old.flags = state | (t->altstack_flags & SS_AUTODISARM);
    old.bytes = t->altstack_bytes;
    if (c->args[0]) {
        int e = user_read(&new, c->args[0], sizeof(new));
        if (e < 0)
            return e;
        uint32_t mode = new.flags & ~SS_AUTODISARM;
        if (state == SS_ONSTACK)
            return -EPERM;
        if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK)
            return -EINVAL;
        if (mode == SS_DISABLE)
            new.at = new.bytes = 0;
        else if (new.bytes < MINSIGSTKSZ)
            return -ENOMEM;
        t->altstack_at = new.at;
        t->altstack_bytes = new.bytes;
        t->altstack_flags = new.flags;
    }
    return c->args[1] ? user_write(c->args[1], &old, sizeof(old)) : 0;
}

// ---- sending -----------------------------------------------------------------------------------
static struct signal_info info_from_me(uint32_t signal, int code)
{
    const struct process *p = process_current();
    return (struct signal_info){
        .signal = (int32_t)signal, .code = code, .pid = p->pid, .uid = process_acting(p)->uid};
}

// A signal that there is not is refused only where somebody would have got it: `how` says with
// none whether there is such a one.
static long send(struct signal_info *info,
                 long (*how)(int32_t tgid, int32_t id, const struct signal_info *info),
                 int32_t tgid, int32_t id)
{
    if ((uint32_t)info->signal <= SIGNAL_MAX)
        return how(tgid, id, info);
    info->signal = 0;
    return how(tgid, id, info) == -ESRCH ? -ESRCH : -EINVAL;
}

static long to_processes(int32_t unused, int32_t pid, const struct signal_info *info)
{
    (void)unused;
    return signal_kill(process_current(), pid, info);
}

static long to_task(int32_t tgid, int32_t tid, const struct signal_info *info)
{
    struct process *me = process_current();
    // On another node a thread is found by its process; by its tid alone only who is alone.
    if (task_find(tid) == NULL && (tgid == 0 || tgid == tid))
        return signal_kill(me, tid, info);
    return signal_thread(me, tgid, tid, info);
}

long sys_kill(struct call *c)
{
    struct signal_info info = info_from_me(c->args[1], SI_USER);
    return send(&info, to_processes, 0, (int32_t)c->args[0]);
}

long sys_tkill(struct call *c)
{
    struct signal_info info = info_from_me(c->args[1], SI_TKILL);
    return (int32_t)c->args[0] <= 0 ? -EINVAL : send(&info, to_task, 0, (int32_t)c->args[0]);
}

long sys_tgkill(struct call *c)
{
    struct signal_info info = info_from_me(c->args[2], SI_TKILL);
    if ((int32_t)c->args[0] <= 0 || (int32_t)c->args[1] <= 0)
        return -EINVAL;
    return send(&info, to_task, (int32_t)c->args[0], (int32_t)c->args[1]);
}

int linux_siginfo_in(uint32_t at, uint32_t signal, struct signal_info *info)
{
    uint32_t w[6]; // signo, errno, code, pid, uid, value
    int e = user_read(w, at, sizeof(w));
    if (e < 0)
        return e;
    *info = (struct signal_info){.signal = (int32_t)signal,
                                 .error = (int32_t)w[1],
                                 .code = (int32_t)w[2],
                                 .pid = (int32_t)w[3],
                                 .uid = w[4],
                                 .value = (int32_t)w[5]};
    if (info->code > 0) { // as the kernel would say it: a fault's address, a child's status
        info->address = w[3];
        info->status = (int32_t)w[5];
    }
    return 0;
}

bool linux_may_pretend(const struct signal_info *info, int32_t id)
{
    return (info->code < 0 && info->code != SI_TKILL) || id == task_current()->tid;
}

long sys_rt_sigqueueinfo(struct call *c)
{
    struct signal_info info;
    int32_t pid = (int32_t)c->args[0];
    int e = linux_siginfo_in(c->args[2], c->args[1], &info);
    if (e < 0)
        return e;
    if (!linux_may_pretend(&info, pid))
        return -EPERM;
    return pid <= 0 ? -ESRCH : send(&info, to_processes, 0, pid);
}

long sys_rt_tgsigqueueinfo(struct call *c)
{
    struct signal_info info;
    int32_t tgid = (int32_t)c->args[0], tid = (int32_t)c->args[1];
    int e = linux_siginfo_in(c->args[3], c->args[2], &info);
    if (e < 0)
        return e;
    if (tgid <= 0 || tid <= 0)
        return -EINVAL;
    if (!linux_may_pretend(&info, tid))
        return -EPERM;
    return send(&info, to_task, tgid, tid);
}
