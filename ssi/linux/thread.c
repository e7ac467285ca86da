// SPDX-License-Identifier: MIT
// Calls for threads and their scheduling: TLS, futexes, priorities, affinity.
#include "ssi/linux/linux.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/futex.h"
#include "ssi/process/tls.h"

// ---- TLS, tid words ----------------------------------------------------------------------------
long sys_set_thread_area(struct call *c)
{
    struct user_desc d;
    struct task *t = task_current();
    int e = user_read(&d, c->args[0], sizeof(d));
    bool chose = d.entry_number == UINT32_MAX;
    if (e == 0)
        e = tls_set(&t->tls, &d, true);
    if (e < 0)
        return e;
    arch_user_prepare(t->thread->stack_top, &t->tls);
    return chose ? user_write(c->args[0], &d.entry_number, sizeof(d.entry_number)) : 0;
}

long sys_get_thread_area(struct call *c)
{
    struct user_desc d;
    int e = user_read(&d, c->args[0], sizeof(d));
    if (e == 0)
        e = tls_get(&task_current()->tls, &d);
    return e < 0 ? e : user_write(c->args[0], &d, sizeof(d));
}

long sys_set_tid_address(struct call *c)
{
    task_current()->clear_child_tid = c->args[0];
    return task_current()->tid;
}

#define ROBUST_HEAD_BYTES 12u

long sys_set_robust_list(struct call *c)
{
    if (c->args[1] != ROBUST_HEAD_BYTES)
        return -EINVAL;
    task_current()->robust_list = c->args[0];
    return 0;
}

long sys_get_robust_list(struct call *c)
{
    struct task *t = c->args[0] ? task_find((int32_t)c->args[0]) : task_current();
    uint32_t bytes = ROBUST_HEAD_BYTES;
    if (!t)
        return -ESRCH;
    uint32_t at = t->robust_list;
    int e = user_write(c->args[1], &at, sizeof(at));
    return e < 0 ? e : user_write(c->args[2], &bytes, sizeof(bytes));
}

// ---- futex -------------------------------------------------------------------------------------
enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_PRIVATE_FLAG = 128,
    FUTEX_PRIVATE = 128,
    FUTEX_CLOCK_REALTIME = 256,
};

// WAIT counts from now; WAIT_BITSET names an instant of one of the two clocks.
static int futex_deadline(struct call *c, bool wide, bool absolute, bool realtime)
{
    uint64_t ns = UINT64_MAX;
    if (c->deadline_ns)
        return 0; // entered again
    if (c->args[3]) {
        int e = linux_timespec_in(c->args[3], wide, &ns);
        if (e < 0)
            return e;
        if (absolute) {
            uint64_t now = realtime ? cluster_real_ns() : cluster_clock_ns();
            ns = ns > now ? ns - now : 0;
        }
    }
    (void)linux_deadline(c, ns);
    return 0;
}

static long wait_op(struct call *c, bool wide, uint32_t command, uint32_t bitset)
{
    bool absolute = command == FUTEX_WAIT_BITSET;
    if (!bitset)
        return -EINVAL;
    // A wake that came while this thread was on its way to another node found nobody. A return
    // without one is allowed (futex(2), spurious wake-up): the program looks at its word again.
    uint32_t here = 1u + cluster_self(), before;
    memcpy(&before, c->body, sizeof(before));
    if (before && before != here)
        return 0;
    memcpy(c->body, &here, sizeof(here));
    int e = futex_deadline(c, wide, absolute, c->args[1] & FUTEX_CLOCK_REALTIME);
    if (e < 0)
        return e;
    return futex_wait(process_current(), c->args[0], c->args[2], bitset,
                      linux_deadline_local(c->deadline_ns));
}

static int32_t sign12(uint32_t v)
{
    return (int32_t)(v << 20) >> 20;
}

static bool compare_holds(uint32_t op, int32_t word, int32_t with)
{
    switch (op) {
    case 0:
        return word == with;
    case 1:
        return word != with;
    case 2:
        return word < with;
    case 3:
        return word <= with;
    case 4:
        return word > with;
    case 5:
        return word >= with;
    }
    return false;
}

// futex(2), FUTEX_WAKE_OP: changes the second word and wakes there, too, if its old value fits.
static long wake_op(struct call *c)
{
    struct process *p = process_current();
    uint32_t code = c->args[5], op = code >> 28 & 7, cmp = code >> 24 & 15, word = 0, seen;
    int32_t argument = sign12(code >> 12);
    if (code >> 31)
        argument = (int32_t)(1u << (argument & 31));
    if (op > 4 || cmp > 5)
        return -ENOSYS;
    if ((c->args[0] | c->args[4]) & 3)
        return -EINVAL;
    uint32_t value = (uint32_t)argument;
    do { // until no thread on another CPU wrote between
        seen = word;
        uint32_t new[5] = {value, seen + value, seen | value, seen & ~value, seen ^ value};
        int e = user_compare_exchange(c->args[4], &word, new[op]);
        if (e < 0)
            return e;
    } while (word != seen);
    int n = futex_wake(p, c->args[0], c->args[2], FUTEX_ANY);
    if (n < 0 || !compare_holds(cmp, (int32_t)word, sign12(code)))
        return n;
    int m = futex_wake(p, c->args[4], c->args[3], FUTEX_ANY);
    return m < 0 ? m : n + m;
}

static long futex(struct call *c, bool wide)
{
    struct process *p = process_current();
    uint32_t at = c->args[0], command = c->args[1] & 0x7f, word;
    bool requeues = command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE;
    if ((c->args[1] & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    if (requeues && ((int32_t)c->args[2] < 0 || (int32_t)c->args[3] < 0))
        return -EINVAL;
    // A shared one is known by its page, which must be there.
    if (command == FUTEX_WAKE && !(c->args[1] & FUTEX_PRIVATE) && !(at & 3) &&
        user_read(&word, at, sizeof(word)) < 0)
        return -EFAULT;
    switch (command) {
    case FUTEX_WAIT:
        return wait_op(c, wide, command, FUTEX_ANY);
    case FUTEX_WAIT_BITSET:
        return wait_op(c, wide, command, c->args[5]);
    case FUTEX_WAKE:
        return futex_wake(p, at, c->args[2], FUTEX_ANY);
    case FUTEX_WAKE_BITSET:
        return c->args[5] ? futex_wake(p, at, c->args[2], c->args[5]) : -EINVAL;
    case FUTEX_REQUEUE:
        return futex_requeue(p, at, c->args[2], c->args[4], c->args[3], false, 0);
    case FUTEX_CMP_REQUEUE:
        return futex_requeue(p, at, c->args[2], c->args[4], c->args[3], true, c->args[5]);
    case FUTEX_WAKE_OP:
        return wake_op(c);
    }
    return -ENOSYS;
}

long sys_futex(struct call *c)
{
    return futex(c, false);
}

long sys_futex_time64(struct call *c)
{
    return futex(c, true);
}

// ---- scheduling --------------------------------------------------------------------------------
long sys_sched_yield(struct call *c)
{
    (void)c;
    thread_yield();
    return 0;
}

static struct task *task_of(int32_t tid)
{
    return tid ? task_find(tid) : task_current();
}

static bool may_schedule(const struct task *t)
{
    const struct credentials *me = &process_current()->cred, *its = &t->process->cred;
    return !me->euid || me->euid == its->uid || me->euid == its->euid;
}

#define MASK_BYTES 4u // CPUs of one node, in longs

long sys_sched_getaffinity(struct call *c)
{
    if ((int32_t)c->args[0] < 0 || c->args[1] < MASK_BYTES || c->args[1] & 3)
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
    if ((int32_t)c->args[0] < 0)
        return -EINVAL;
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
};

long sys_sched_getscheduler(struct call *c)
{
    if ((int32_t)c->args[0] < 0)
        return -EINVAL;
    return task_of((int32_t)c->args[0]) ? SCHED_OTHER : -ESRCH;
}

long sys_sched_setscheduler(struct call *c)
{
    int32_t priority;
    if ((int32_t)c->args[0] < 0 || (int32_t)c->args[1] < 0 || c->args[2] == 0)
        return -EINVAL;
    int e = user_read(&priority, c->args[2], sizeof(priority));
    if (e < 0)
        return e;
    const struct task *t = task_of((int32_t)c->args[0]);
    if (!t)
        return -ESRCH;
    if (!may_schedule(t))
        return -EPERM;
    if (c->args[1] == SCHED_FIFO || c->args[1] == SCHED_RR)
        return -EPERM; // no real-time classes here
    return priority == 0 && (c->args[1] == SCHED_OTHER || c->args[1] == SCHED_BATCH) ? 0 : -EINVAL;
}

long sys_sched_getparam(struct call *c)
{
    int32_t priority = 0;
    if ((int32_t)c->args[0] < 0 || c->args[1] == 0)
        return -EINVAL;
    if (!task_of((int32_t)c->args[0]))
        return -ESRCH;
    return user_write(c->args[1], &priority, sizeof(priority));
}

long sys_sched_setparam(struct call *c)
{
    int32_t priority;
    if ((int32_t)c->args[0] < 0 || c->args[1] == 0)
        return -EINVAL;
    int e = user_read(&priority, c->args[1], sizeof(priority));
    if (e < 0)
        return e;
    const struct task *t = task_of((int32_t)c->args[0]);
    if (!t)
        return -ESRCH;
    if (!may_schedule(t))
        return -EPERM;
    return priority == 0 ? 0 : -EINVAL;
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
    return priority_range(c->args[0], 99);
}

long sys_sched_get_priority_min(struct call *c)
{
    return priority_range(c->args[0], 1);
}

static long rr_interval(struct call *c, bool wide)
{
    if ((int32_t)c->args[0] < 0)
        return -EINVAL;
    if (!task_of((int32_t)c->args[0]))
        return -ESRCH;
    return linux_timespec_out(c->args[1], wide, 10 * NS_PER_MS);
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

static int nice_set(struct process *p, int32_t nice)
{
    const struct process *me = process_current();
    if (me->cred.euid && me->cred.euid != p->cred.uid && me->cred.euid != p->cred.euid)
        return -EPERM;
    if (nice < p->nice && me->cred.euid)
        return -EACCES;
    p->nice = nice;
    struct task *t;
    list_for_each (t, &p->tasks, link)
        t->thread->nice = nice;
    return 0;
}

long sys_nice(struct call *c)
{
    struct process *p = process_current();
    int e = nice_set(p, clamp_nice(p->nice + MAX(-40, MIN(40, (int32_t)c->args[0]))));
    return e == -EACCES ? -EPERM : e;
}

enum {
    PRIO_PROCESS = 0,
    PRIO_PGRP = 1,
    PRIO_USER = 2,
};

static bool selected(const struct process *p, uint32_t which, int32_t who)
{
    const struct process *me = process_current();
    switch (which) {
    case PRIO_PROCESS:
        return p->pid == (who ? who : me->pid);
    case PRIO_PGRP:
        return p->pgrp == (who ? who : me->pgrp);
    case PRIO_USER:
        return p->cred.uid == (who ? (uint32_t)who : me->cred.uid);
    }
    return false;
}

// The kernel's form of the answer is 20 - nice, so that it is never negative.
long sys_getpriority(struct call *c)
{
    long best = -ESRCH;
    if (c->args[0] > PRIO_USER)
        return -EINVAL;
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->state != PROCESS_ZOMBIE && selected(p, c->args[0], (int32_t)c->args[1]))
            best = MAX(best, 20L - p->nice);
    }
    return best;
}

long sys_setpriority(struct call *c)
{
    int e = -ESRCH;
    if (c->args[0] > PRIO_USER)
        return -EINVAL;
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->state == PROCESS_ZOMBIE || !selected(p, c->args[0], (int32_t)c->args[1]))
            continue;
        int one = nice_set(p, clamp_nice((int32_t)c->args[2]));
        if (e == -ESRCH || one < 0)
            e = one;
    }
    return e;
}
