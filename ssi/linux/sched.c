// SPDX-License-Identifier: MIT
// Scheduling: affinity, policies, priorities. SCHED_BATCH gets turns as SCHED_OTHER does,
// SCHED_IDLE the shortest. SCHED_DEADLINE is refused.
#include "ssi/linux/linux.h"
#include "kernel/timer.h"
#include "lib/limits.h"
#include "mm/user.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/priority.h"

long sys_sched_yield(struct call *c)
{
    (void)c;
    thread_yield_turn();
    return 0;
}

static struct task *task_of(int32_t tid)
{
    return tid ? task_find(tid) : task_current();
}

static bool may_schedule(const struct task *t)
{
    const struct credentials *me = task_current()->cred, *its = t->cred;
    return process_can(CAP_SYS_NICE) || me->euid == its->uid || me->euid == its->euid;
}

#define MASK_BYTES 4u // CPUs of one node, in longs

long sys_sched_getaffinity(struct call *c)
{
    if (c->args[1] < MASK_BYTES || c->args[1] & 3)
        return -EINVAL;
    const struct task *t = task_of((int32_t)c->args[0]);
    if (!t)
        return -ESRCH;
    uint32_t mask = t->thread->affinity & (uint32_t)((1ull << arch_cpu_count()) - 1);
    int e = user_write(c->args[2], &mask, sizeof(mask));
    return e < 0 ? e : (long)MASK_BYTES;
}

// The CPUs are those of the node where the thread is; the mask goes with it when it moves.
long sys_sched_setaffinity(struct call *c)
{
    uint32_t mask = 0;
    int e = user_read(&mask, c->args[2], MIN(c->args[1], MASK_BYTES));
    if (e < 0)
        return e;
    struct task *t = task_of((int32_t)c->args[0]);
    if (!t)
        return -ESRCH;
    if (!may_schedule(t))
        return -EPERM;
    return thread_affinity_set(t->thread, mask) ? 0 : -EINVAL;
}

long sys_getcpu(struct call *c)
{
    uint32_t cpu = arch_cpu_id(), unit = 0;
    int e = c->args[0] ? user_write(c->args[0], &cpu, sizeof(cpu)) : 0;
    if (e == 0 && c->args[1])
        e = user_write(c->args[1], &unit, sizeof(unit));
    return e;
}

enum { // policies
    SCHED_OTHER = 0,
    SCHED_FIFO = 1,
    SCHED_RR = 2,
    SCHED_BATCH = 3,
    SCHED_IDLE = 5,
    SCHED_DEADLINE = 6,
    SCHED_RESET_ON_FORK = 0x40000000, // beside the policy
    PRIORITY_MAX = 99,
};

struct wish {
    uint32_t policy;
    bool reset; // SCHED_RESET_ON_FORK
    uint32_t priority;
    uint64_t runtime_ns; // of SCHED_DEADLINE
    bool keep;           // SCHED_FLAG_KEEP_PARAMS: asked for all, given `reset` alone, as on Linux
};

// What no permission makes right: 0 or -EINVAL.
static int wish_check(const struct wish *w)
{
    switch (w->policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return w->priority >= 1 && w->priority <= PRIORITY_MAX ? 0 : -EINVAL;
    case SCHED_OTHER:
    case SCHED_BATCH:
    case SCHED_IDLE:
        return w->priority == 0 ? 0 : -EINVAL;
    case SCHED_DEADLINE:
        return w->priority == 0 && w->runtime_ns ? 0 : -EINVAL;
    }
    return -EINVAL;
}

static bool is_realtime(uint32_t policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

// Without CAP_SYS_NICE RLIMIT_RTPRIO bounds both the policies and the priority, but what a thread
// has it may keep.
static bool realtime_allowed(const struct task *t, const struct wish *w)
{
    uint32_t limit = t->process->limits[RLIMIT_RTPRIO].current;
    return (w->policy == t->policy || limit > 0) &&
           (w->priority <= t->realtime || w->priority <= limit);
}

static bool nice_allowed(const struct process *p, int nice)
{
    return (uint32_t)(20 - nice) <= p->limits[RLIMIT_NICE].current;
}

// 0, -EINVAL, -EPERM: not one's own, a step up that is not allowed, or SCHED_DEADLINE, which is not
// there.
static int policy_set(struct task *t, const struct wish *w)
{
    int e = wish_check(w);
    if (e < 0)
        return e;
    bool up = (t->policy_reset && !w->reset) ||
              (t->policy == SCHED_IDLE && w->policy != SCHED_IDLE &&
               !nice_allowed(t->process, t->process->nice)) ||
              (is_realtime(w->policy) && !realtime_allowed(t, w));
    if (!may_schedule(t) || w->policy == SCHED_DEADLINE || (up && !process_can(CAP_SYS_NICE)))
        return -EPERM;
    t->policy_reset = w->reset;
    if (w->keep)
        return 0;
    t->policy = (uint8_t)w->policy;
    t->realtime = (uint8_t)w->priority;
    task_weigh(t);
    return 0;
}

long sys_sched_getscheduler(struct call *c)
{
    if ((int32_t)c->args[0] < 0)
        return -EINVAL;
    const struct task *t = task_of((int32_t)c->args[0]);
    return t ? t->policy | (t->policy_reset ? SCHED_RESET_ON_FORK : 0) : -ESRCH;
}

long sys_sched_setscheduler(struct call *c)
{
    struct wish w = {.policy = c->args[1] & ~(uint32_t)SCHED_RESET_ON_FORK,
                     .reset = c->args[1] & SCHED_RESET_ON_FORK};
    if ((int32_t)c->args[0] < 0 || (int32_t)c->args[1] < 0 || c->args[2] == 0)
        return -EINVAL;
    int e = user_read(&w.priority, c->args[2], sizeof(w.priority));
    if (e < 0)
        return e;
    struct task *t = task_of((int32_t)c->args[0]);
    return t ? policy_set(t, &w) : -ESRCH;
}

long sys_sched_getparam(struct call *c)
{
    if ((int32_t)c->args[0] < 0 || c->args[1] == 0)
        return -EINVAL;
    const struct task *t = task_of((int32_t)c->args[0]);
    if (!t)
        return -ESRCH;
    int32_t priority = t->realtime;
    return user_write(c->args[1], &priority, sizeof(priority));
}

long sys_sched_setparam(struct call *c)
{
    uint32_t priority;
    if ((int32_t)c->args[0] < 0 || c->args[1] == 0)
        return -EINVAL;
    int e = user_read(&priority, c->args[1], sizeof(priority));
    if (e < 0)
        return e;
    struct task *t = task_of((int32_t)c->args[0]);
    return t ? policy_set(t, &(struct wish){.policy = t->policy,
                                            .reset = t->policy_reset,
                                            .priority = priority})
             : -ESRCH;
}

static long priority_range(uint32_t policy, long realtime)
{
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return realtime;
    case SCHED_OTHER:
    case SCHED_BATCH:
    case SCHED_IDLE:
    case SCHED_DEADLINE:
        return 0;
    }
    return -EINVAL;
}

long sys_sched_get_priority_max(struct call *c)
{
    return priority_range(c->args[0], PRIORITY_MAX);
}

long sys_sched_get_priority_min(struct call *c)
{
    return priority_range(c->args[0], 1);
}

static long rr_interval(struct call *c, bool wide)
{
    if ((int32_t)c->args[0] < 0)
        return -EINVAL;
    const struct task *t = task_of((int32_t)c->args[0]);
    if (!t)
        return -ESRCH;
    return linux_timespec_out(c->args[1], wide, t->policy == SCHED_FIFO ? 0 : t->thread->slice_ns);
}

long sys_sched_rr_get_interval(struct call *c)
{
    return rr_interval(c, false);
}

long sys_sched_rr_get_interval_time64(struct call *c)
{
    return rr_interval(c, true);
}

static int clamp_nice(int32_t nice)
{
    return MAX(-20, MIN(19, nice));
}

// A step up that is not allowed is EPERM here, EACCES in setpriority(2).
long sys_nice(struct call *c)
{
    struct process *p = process_current();
    int32_t by = MAX(-40, MIN(40, (int32_t)c->args[0]));
    int e = priority_set_one(p, p, clamp_nice(p->nice + by));
    return e == -EACCES ? -EPERM : e;
}

// 0 is the caller's own.
static int32_t priority_who(uint32_t which, uint32_t who)
{
    const struct process *me = process_current();
    if (who)
        return (int32_t)who;
    return which == PRIO_PROCESS ? me->pid
           : which == PRIO_PGRP  ? me->pgrp
                                 : (int32_t)process_acting(me)->uid;
}

// The kernel's form of the answer is 20 - nice, so that it is never negative.
long sys_getpriority(struct call *c)
{
    uint32_t which = c->args[0];
    int nice;
    if (which > PRIO_USER)
        return -EINVAL;
    int e = priority_of((enum priority_which)which, priority_who(which, c->args[1]), &nice);
    return e < 0 ? e : 20L - nice;
}

long sys_setpriority(struct call *c)
{
    uint32_t which = c->args[0];
    if (which > PRIO_USER)
        return -EINVAL;
    return priority_set(process_current(), (enum priority_which)which,
                        priority_who(which, c->args[1]), clamp_nice((int32_t)c->args[2]));
}

// ---- sched_setattr(2), sched_getattr(2) ---------------------------------------------------------
struct sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
    uint32_t util_min, util_max;
} PACKED;
STATIC_ASSERT(sizeof(struct sched_attr) == 56, "SCHED_ATTR_SIZE_VER1");

enum {
    ATTR_FIRST_BYTES = 48, // before there was util_min
    ATTR_RESET_ON_FORK = 0x01,
    ATTR_KEEP_POLICY = 0x08,
    ATTR_KEEP_PARAMS = 0x10,
    ATTR_UTIL = 0x60, // hints about the load
    ATTR_ALL = 0x7f,
};

// What a newer program knows more must be zero.
static int zero_behind(uint32_t at, uint32_t bytes)
{
    uint8_t piece[64];
    while (bytes) {
        uint32_t n = MIN(bytes, (uint32_t)sizeof(piece));
        int e = user_read(piece, at, n);
        if (e < 0)
            return e;
        for (uint32_t i = 0; i < n; i++) {
            if (piece[i])
                return -E2BIG;
        }
        at += n;
        bytes -= n;
    }
    return 0;
}

// 0, -EFAULT, -EINVAL, or -E2BIG: then the program is told the size that is known here.
static int attr_in(uint32_t at, struct sched_attr *a)
{
    uint32_t known = sizeof(*a), bytes;
    *a = (struct sched_attr){0};
    int e = user_read(&bytes, at, sizeof(bytes));
    if (e < 0)
        return e;
    bytes = bytes ? bytes : ATTR_FIRST_BYTES;
    if (bytes < ATTR_FIRST_BYTES || bytes > PAGE_SIZE)
        e = -E2BIG;
    if (e == 0 && bytes > known)
        e = zero_behind(at + known, bytes - known);
    if (e == 0)
        e = user_read(a, at, MIN(bytes, known));
    if (e == -E2BIG && user_write(at, &known, sizeof(known)) < 0)
        return -EFAULT;
    if (e == 0 && (a->flags & ATTR_UTIL) && bytes < known)
        return -EINVAL;
    return e;
}

static int attr_set(struct task *t, const struct sched_attr *a)
{
    // What is kept, a real-time thread's priority or another's nice value, is not asked about.
    bool keep = a->flags & ATTR_KEEP_PARAMS;
    struct wish w = {.policy = a->flags & ATTR_KEEP_POLICY ? t->policy : a->policy,
                     .reset = a->flags & ATTR_KEEP_POLICY ? t->policy_reset
                                                          : a->flags & ATTR_RESET_ON_FORK,
                     .priority = keep && t->realtime ? t->realtime : a->priority,
                     .keep = keep,
                     .runtime_ns = a->runtime_ns};
    struct process *p = t->process;
    bool means_nice = w.policy == SCHED_OTHER || w.policy == SCHED_BATCH;
    int nice = (keep && !t->realtime) || !means_nice ? p->nice : clamp_nice(a->nice);
    if (a->flags & ~(uint64_t)ATTR_ALL)
        return -EINVAL;
    if (a->flags & ATTR_UTIL)
        return -EOPNOTSUPP; // as a Linux without CONFIG_UCLAMP_TASK
    if (wish_check(&w) == 0 && nice < p->nice && !nice_allowed(p, nice) &&
        !process_can(CAP_SYS_NICE))
        return -EPERM;
    int e = policy_set(t, &w);
    return e < 0 || keep ? e : priority_set_one(process_current(), p, nice);
}

long sys_sched_setattr(struct call *c)
{
    struct sched_attr a;
    if (c->args[1] == 0 || (int32_t)c->args[0] < 0 || c->args[2])
        return -EINVAL;
    int e = attr_in(c->args[1], &a);
    if (e < 0)
        return e;
    if ((int32_t)a.policy < 0)
        return -EINVAL;
    struct task *t = task_of((int32_t)c->args[0]);
    return t ? attr_set(t, &a) : -ESRCH;
}

long sys_sched_getattr(struct call *c)
{
    uint32_t bytes = c->args[2];
    if (c->args[1] == 0 || (int32_t)c->args[0] < 0 || bytes > PAGE_SIZE ||
        bytes < ATTR_FIRST_BYTES || c->args[3])
        return -EINVAL;
    const struct task *t = task_of((int32_t)c->args[0]);
    if (!t)
        return -ESRCH;
    bytes = MIN(bytes, (uint32_t)sizeof(struct sched_attr));
    struct sched_attr a = {.size = bytes,
                           .policy = t->policy,
                           .flags = t->policy_reset ? ATTR_RESET_ON_FORK : 0,
                           .nice = t->realtime ? 0 : t->process->nice,
                           .priority = t->realtime};
    return user_write(c->args[1], &a, bytes);
}
