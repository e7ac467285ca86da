// SPDX-License-Identifier: MIT
// alarm, setitimer and the POSIX timers.
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/linux/clocks.h"
#include "ssi/linux/linux.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/timers.h"

// ---- alarms ------------------------------------------------------------------------------------
static uint64_t alarm_left(const struct process *p)
{
    uint64_t now = clock_now_ns();
    if (!timer_is_set(&p->alarm))
        return 0;
    return p->alarm.at_ns > now ? p->alarm.at_ns - now : 1;
}

static void alarm_set(struct process *p, uint64_t in_ns, uint64_t interval_ns)
{
    p->alarm_interval_ns = in_ns ? interval_ns : 0;
    if (in_ns)
        timer_set(&p->alarm, clock_now_ns() + in_ns);
    else
        timer_cancel(&p->alarm);
}

long sys_alarm(struct call *c)
{
    struct process *p = process_current();
    uint64_t left = alarm_left(p);
    alarm_set(p, (uint64_t)c->args[0] * NS_PER_S, 0);
    if (left && left < NS_PER_S)
        return 1; // something is left: never told as 0
    return (long)((left + NS_PER_S / 2) / NS_PER_S);
}

enum {
    ITIMER_REAL,
    ITIMER_VIRTUAL,
    ITIMER_PROF
};

struct user_itimer {
    struct linux_timeval32 interval, value;
} PACKED;

static struct linux_timeval32 timeval_of(uint64_t ns)
{
    return (struct linux_timeval32){(int32_t)(ns / NS_PER_S), (int32_t)(ns % NS_PER_S / 1000)};
}

static bool timeval_ns(const struct linux_timeval32 *t, uint64_t *ns)
{
    if (t->seconds < 0 || t->microseconds < 0 || t->microseconds >= 1000000)
        return false;
    *ns = (uint64_t)t->seconds * NS_PER_S + (uint64_t)t->microseconds * 1000;
    return true;
}

static int itimer_out(uint32_t at, uint64_t left, uint64_t interval)
{
    struct user_itimer u = {timeval_of(interval), timeval_of(left)};
    return user_write(at, &u, sizeof(u));
}

// CPU time timers: ITIMER_VIRTUAL and ITIMER_PROF.
static struct process_timer *cpu_timer(uint32_t which)
{
    return &process_current()->cpu_timers[which == ITIMER_PROF];
}

static void itimer_now(uint32_t which, uint64_t *left, uint64_t *interval)
{
    const struct process *p = process_current();
    *left = which == ITIMER_REAL ? alarm_left(p) : process_timer_left_ns(cpu_timer(which));
    *interval = which == ITIMER_REAL ? p->alarm_interval_ns : cpu_timer(which)->interval_ns;
}

long sys_getitimer(struct call *c)
{
    uint64_t left, interval;
    if (c->args[0] > ITIMER_PROF)
        return -EINVAL;
    itimer_now(c->args[0], &left, &interval);
    return itimer_out(c->args[1], left, interval);
}

long sys_setitimer(struct call *c)
{
    struct user_itimer u = {0};
    uint64_t left, old_interval, value, interval;
    uint32_t which = c->args[0];
    int e = c->args[1] ? user_read(&u, c->args[1], sizeof(u)) : 0;
    if (e < 0)
        return e;
    if (!timeval_ns(&u.value, &value) || !timeval_ns(&u.interval, &interval) || which > ITIMER_PROF)
        return -EINVAL;
    itimer_now(which, &left, &old_interval);
    if (which == ITIMER_REAL)
        alarm_set(process_current(), value, interval);
    else
        process_timer_set(cpu_timer(which),
                          value ? process_timer_now_ns(cpu_timer(which)) + value : 0, interval);
    return c->args[2] ? itimer_out(c->args[2], left, old_interval) : 0;
}

// ---- POSIX timers ------------------------------------------------------------------------------
enum { // sigev_notify
    SIGEV_SIGNAL = 0,
    SIGEV_NONE = 1,
    SIGEV_THREAD = 2,
    SIGEV_THREAD_ID = 4,
};

struct linux_sigevent {
    uint32_t value;
    int32_t signal, notify, tid;
    uint8_t pad[48];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_sigevent) == 64, "struct sigevent of the ABI");

// By the number of a CPU clock: those of other processes cannot be had.
static int cpu_clock_of_timer(uint32_t clock, struct process_timer *t)
{
    struct cpu_clock k;
    if (!cpu_clock_of(clock, &k))
        return -EINVAL;
    if (k.thread) {
        const struct task *task = k.id ? task_find(k.id) : task_current();
        if (task == NULL || task->process != t->process)
            return -EINVAL;
        t->thread = task->tid;
        t->clock = k.user_only ? TIMER_THREAD_USER : TIMER_THREAD_CPU;
        return 0;
    }
    if (k.id && k.id != t->process->pid)
        return process_find(k.id) ? -EOPNOTSUPP : -EINVAL;
    t->clock = k.user_only ? TIMER_PROCESS_USER : TIMER_PROCESS_CPU;
    return 0;
}

static int clock_of_timer(uint32_t clock, struct process_timer *t)
{
    t->thread = task_current()->tid;
    if ((int32_t)clock < 0)
        return cpu_clock_of_timer(clock, t);
    if (clock_wakes(clock))
        return -EOPNOTSUPP;
    t->real = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
    if (clock == CLOCK_PROCESS_CPUTIME_ID)
        t->clock = TIMER_PROCESS_CPU;
    if (clock == CLOCK_THREAD_CPUTIME_ID)
        t->clock = TIMER_THREAD_CPU;
    return 0;
}

static int notify_of_timer(uint32_t at, uint32_t clock, struct process_timer *t)
{
    struct linux_sigevent v = {.signal = SIGALRM, .notify = SIGEV_SIGNAL};
    int e = at ? user_read(&v, at, sizeof(v)) : 0;
    if (e == 0)
        e = !clock_known(clock) ? -EINVAL : clock_only_tells(clock) ? -EOPNOTSUPP : 0;
    if (e < 0)
        return e;
    t->id = t->process->timer_ids++;
    t->value = at ? v.value : (uint32_t)t->id;
    if (v.notify == SIGEV_NONE)
        return 0;
    if (v.notify != SIGEV_SIGNAL && v.notify != SIGEV_THREAD && v.notify != SIGEV_THREAD_ID)
        return -EINVAL;
    if (v.signal < 1 || v.signal > SIGNAL_MAX)
        return -EINVAL;
    t->signal = v.signal;
    if (v.notify != SIGEV_THREAD_ID)
        return 0;
    const struct task *task = task_find(v.tid);
    t->tid = v.tid;
    return task && task->process == t->process ? 0 : -EINVAL;
}

long sys_timer_create(struct call *c)
{
    struct process *p = process_current();
    struct process_timer *t = heap_zalloc(sizeof(*t));
    if (t == NULL)
        return -EAGAIN;
    process_timer_init(t, p, TIMER_CLUSTER);
    t->code = SI_TIMER;
    int e = notify_of_timer(c->args[1], c->args[0], t);
    if (e == 0)
        e = user_write(c->args[2], &t->id, sizeof(t->id));
    if (e == 0)
        e = clock_of_timer(c->args[0], t);
    if (e < 0) {
        heap_free(t);
        return e;
    }
    list_append(&p->timers, &t->link);
    return 0;
}

// The instant of the timer's clock that a setting means.
static uint64_t instant(const struct process_timer *t, bool absolute, uint64_t value)
{
    uint64_t now = process_timer_now_ns(t);
    if (value == 0)
        return 0;
    if (!absolute)
        return now + value;
    if (!t->real)
        return value;
    uint64_t real = cluster_real_ns();
    return value > real ? now + (value - real) : 1;
}

static int itimerspec_out(uint32_t at, bool wide, uint64_t value, uint64_t interval)
{
    uint32_t half = wide ? sizeof(struct linux_timespec64) : sizeof(struct linux_timespec32);
    int e = linux_timespec_out(at, wide, interval);
    return e < 0 ? e : linux_timespec_out(at + half, wide, value);
}

static long settime(struct call *c, bool wide)
{
    uint32_t half = wide ? sizeof(struct linux_timespec64) : sizeof(struct linux_timespec32);
    uint64_t value = 0, interval = 0;
    if (c->args[2] == 0)
        return -EINVAL;
    int e = linux_timespec_in(c->args[2], wide, &interval);
    if (e == 0)
        e = linux_timespec_in(c->args[2] + half, wide, &value);
    if (e < 0)
        return e;
    struct process_timer *t = process_timer_find(process_current(), (int32_t)c->args[0]);
    if (t == NULL)
        return -EINVAL;
    uint64_t left = process_timer_left_ns(t), old_interval = t->interval_ns;
    process_timer_set(t, instant(t, c->args[1] & TIMER_ABSTIME, value), value ? interval : 0);
    return c->args[3] ? itimerspec_out(c->args[3], wide, left, old_interval) : 0;
}

long sys_timer_settime(struct call *c)
{
    return settime(c, false);
}

long sys_timer_settime64(struct call *c)
{
    return settime(c, true);
}

static long gettime(struct call *c, bool wide)
{
    struct process_timer *t = process_timer_find(process_current(), (int32_t)c->args[0]);
    if (t == NULL)
        return -EINVAL;
    return itimerspec_out(c->args[1], wide, process_timer_left_ns(t), t->interval_ns);
}

long sys_timer_gettime(struct call *c)
{
    return gettime(c, false);
}

long sys_timer_gettime64(struct call *c)
{
    return gettime(c, true);
}

long sys_timer_getoverrun(struct call *c)
{
    const struct process_timer *t = process_timer_find(process_current(), (int32_t)c->args[0]);
    return t ? (long)t->overrun_told : -EINVAL;
}

long sys_timer_delete(struct call *c)
{
    struct process_timer *t = process_timer_find(process_current(), (int32_t)c->args[0]);
    if (t == NULL)
        return -EINVAL;
    process_timer_delete(t);
    return 0;
}
