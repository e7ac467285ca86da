// SPDX-License-Identifier: MIT
// Clocks and sleeping (time(7)). CLOCK_MONOTONIC and CLOCK_REALTIME are the cluster's: a process
// that moves sees them go on.
#include "ssi/linux/linux.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/linux/clocks.h"
#include "ssi/linux/dispatch.h"
#include "ssi/linux/rusage.h"

#define CPU_LOOK_NS (4 * NS_PER_MS)
#define TICK_NS     (NS_PER_S / 100)
#define JIFFY_NS    (NS_PER_S / 250) // how finely Linux counts what it does not measure

static void my_times(uint64_t *user, uint64_t *system)
{
    process_times(process_current(), user, system);
}

static int cpu_clock_ns(uint32_t clock, uint64_t *ns)
{
    struct cpu_clock k;
    uint64_t user, system;
    if (!cpu_clock_of(clock, &k))
        return -EINVAL;
    if (k.thread) {
        const struct task *t = k.id ? task_find(k.id) : task_current();
        if (t == NULL || t->process != process_current())
            return -EINVAL;
        task_times(t, &user, &system);
    } else {
        const struct process *p = k.id ? process_find(k.id) : process_current();
        if (p == NULL)
            return -EINVAL;
        process_times(p, &user, &system);
    }
    *ns = k.user_only ? user : user + system;
    return 0;
}

static int clock_ns(uint32_t clock, uint64_t *ns)
{
    uint64_t user, system;
    if ((int32_t)clock < 0)
        return cpu_clock_ns(clock, ns);
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
    case CLOCK_REALTIME_ALARM:
        *ns = cluster_real_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = cluster_clock_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        my_times(&user, &system);
        *ns = user + system;
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        task_times(task_current(), &user, &system);
        *ns = user + system;
        return 0;
    }
    return -EINVAL;
}

// ---- reading clocks ----------------------------------------------------------------------------
static long gettime(struct call *c, bool wide)
{
    uint64_t ns;
    int e = clock_ns(c->args[0], &ns);
    return e < 0 ? e : linux_timespec_out(c->args[1], wide, ns);
}

long sys_clock_gettime(struct call *c)
{
    return gettime(c, false);
}

long sys_clock_gettime64(struct call *c)
{
    return gettime(c, true);
}

static long getres(struct call *c, bool wide)
{
    uint64_t ns;
    int e = clock_ns(c->args[0], &ns);
    if (e < 0 || !c->args[1])
        return e;
    struct cpu_clock k;
    bool coarse = c->args[0] == CLOCK_REALTIME_COARSE || c->args[0] == CLOCK_MONOTONIC_COARSE ||
                  (cpu_clock_of(c->args[0], &k) && !k.exact);
    return linux_timespec_out(c->args[1], wide, coarse ? JIFFY_NS : 1);
}

long sys_clock_getres(struct call *c)
{
    return getres(c, false);
}

long sys_clock_getres_time64(struct call *c)
{
    return getres(c, true);
}

long sys_time(struct call *c)
{
    int32_t now = (int32_t)(cluster_real_ns() / NS_PER_S);
    if (c->args[0]) {
        int e = user_write(c->args[0], &now, sizeof(now));
        if (e < 0)
            return e;
    }
    return now;
}

long sys_gettimeofday(struct call *c)
{
    uint64_t ns = cluster_real_ns();
    struct linux_timeval32 t = {(int32_t)(ns / NS_PER_S), (int32_t)(ns % NS_PER_S / 1000)};
    uint32_t zone[2] = {0, 0};
    int e = c->args[0] ? user_write(c->args[0], &t, sizeof(t)) : 0;
    if (e == 0 && c->args[1])
        e = user_write(c->args[1], zone, sizeof(zone));
    return e;
}

// ---- CPU time ----------------------------------------------------------------------------------
static struct linux_timeval32 timeval_of(uint64_t ns)
{
    return (struct linux_timeval32){(int32_t)(ns / NS_PER_S), (int32_t)(ns % NS_PER_S / 1000)};
}

void linux_rusage_fill(struct linux_rusage *u, const struct usage *from)
{
    *u = (struct linux_rusage){
        .user = timeval_of(from->user_ns),
        .system = timeval_of(from->system_ns),
        .maxrss = (int32_t)(from->pages_most * (PAGE_SIZE / 1024)),
        .minflt = (int32_t)from->minor_faults,
        .majflt = (int32_t)from->major_faults,
        .nvcsw = (int32_t)from->sleeps,
        .nivcsw = (int32_t)from->preemptions,
    };
}

long sys_getrusage(struct call *c)
{
    enum {
        RUSAGE_CHILDREN = -1,
        RUSAGE_SELF = 0,
        RUSAGE_THREAD = 1
    };
    const struct process *p = process_current();
    struct usage used, whole;
    struct linux_rusage u;
    usage_of_process(p, &whole);
    switch ((int32_t)c->args[0]) {
    case RUSAGE_SELF:
        used = whole;
        break;
    case RUSAGE_CHILDREN:
        used = p->reaped;
        break;
    case RUSAGE_THREAD: // faults are counted of the memory, which threads share
        usage_of_task(task_current(), &used);
        used.minor_faults = whole.minor_faults;
        used.major_faults = whole.major_faults;
        used.pages_most = whole.pages_most;
        break;
    default:
        return -EINVAL;
    }
    linux_rusage_fill(&u, &used);
    return user_write(c->args[1], &u, sizeof(u));
}

long sys_times(struct call *c)
{
    struct process *p = process_current();
    uint64_t user, system;
    my_times(&user, &system);
    int32_t t[4] = {(int32_t)(user / TICK_NS), (int32_t)(system / TICK_NS),
                    (int32_t)(p->reaped.user_ns / TICK_NS),
                    (int32_t)(p->reaped.system_ns / TICK_NS)};
    if (c->args[0]) {
        int e = user_write(c->args[0], t, sizeof(t));
        if (e < 0)
            return e;
    }
    return (long)(uint32_t)(cluster_clock_ns() / TICK_NS & INT32_MAX);
}

// ---- sleeping ----------------------------------------------------------------------------------
// Until c->deadline_ns; the deadline outlives interruptions and moves.
static long sleep_on(struct call *c)
{
    struct wait_queue nobody;
    wait_init(&nobody);
    for (;;) {
        if (cluster_clock_ns() >= c->deadline_ns)
            return 0;
        int e = wait_sleep(&nobody, linux_deadline_local(c->deadline_ns), WAIT_INTERRUPTIBLE);
        if (e == -EINTR)
            return e;
    }
}

static long sleep_relative(struct call *c, uint32_t request_at, bool wide)
{
    if (!c->deadline_ns) {
        uint64_t ns;
        int e = linux_timespec_in(request_at, wide, &ns);
        if (e < 0)
            return e;
        (void)linux_deadline(c, ns);
    }
    return sleep_on(c);
}

long sys_nanosleep(struct call *c)
{
    return sleep_relative(c, c->args[0], false);
}

// How many threads may make a clock of CPU time go on at once.
static uint32_t cpu_clock_tasks(uint32_t clock)
{
    struct cpu_clock k;
    const struct process *p = process_current();
    if (cpu_clock_of(clock, &k) && k.thread)
        return 1;
    if (cpu_clock_of(clock, &k) && k.id)
        p = process_find(k.id);
    return p ? MAX(p->task_count, 1u) : 1;
}

static bool own_thread_clock(uint32_t clock)
{
    struct cpu_clock k;
    return cpu_clock_of(clock, &k) && k.thread && (k.id == 0 || k.id == task_current()->tid);
}

// Until that CPU time has come so far: looked at when it could have.
static long cpu_sleep(struct call *c, bool wide)
{
    uint64_t until, now, value;
    int e = clock_ns(c->args[0], &now);
    memcpy(&until, c->body, sizeof(until));
    if (e == 0 && until == 0) {
        e = linux_timespec_in(c->args[2], wide, &value);
        if (e < 0)
            return e;
        until = c->args[1] & TIMER_ABSTIME ? MAX(value, 1u) : now + value;
        memcpy(c->body, &until, sizeof(until));
    }
    while (e == 0 && clock_ns(c->args[0], &now) == 0 && now < until) {
        uint64_t left = (until - now) / cpu_clock_tasks(c->args[0]);
        e = wait_for_ns(MAX(left, CPU_LOOK_NS), WAIT_INTERRUPTIBLE);
    }
    return e;
}

static long clock_sleep(struct call *c, bool wide)
{
    uint32_t clock = c->args[0];
    uint64_t any;
    if (!clock_known(clock))
        return -EINVAL;
    if (clock_only_tells(clock) || clock == CLOCK_THREAD_CPUTIME_ID)
        return -EOPNOTSUPP;
    int bad = linux_timespec_in(c->args[2], wide, &any);
    if (bad < 0)
        return bad;
    if (clock_wakes(clock))
        return -EOPNOTSUPP;
    if (own_thread_clock(clock)) // it would never end
        return -EINVAL;
    if (clock == CLOCK_PROCESS_CPUTIME_ID || (int32_t)clock < 0)
        return cpu_sleep(c, wide);
    if (!(c->args[1] & TIMER_ABSTIME))
        return sleep_relative(c, c->args[2], wide);
    if (!c->deadline_ns) {
        uint64_t at, now;
        int e = linux_timespec_in(c->args[2], wide, &at);
        if (e == 0)
            e = clock_ns(clock, &now);
        if (e < 0)
            return e;
        if (at <= now)
            return 0;
        (void)linux_deadline(c, at - now);
    }
    return sleep_on(c);
}

long sys_clock_nanosleep(struct call *c)
{
    return clock_sleep(c, false);
}

long sys_clock_nanosleep_time64(struct call *c)
{
    return clock_sleep(c, true);
}

void linux_time_left_out(const struct call *c)
{
    uint32_t to;
    bool wide = c->number == LINUX_NR_clock_nanosleep_time64;
    switch (c->number) {
    case LINUX_NR_nanosleep:
        to = c->args[1];
        break;
    case LINUX_NR_clock_nanosleep:
    case LINUX_NR_clock_nanosleep_time64:
        to = c->args[1] & TIMER_ABSTIME ? 0 : c->args[3];
        break;
    default:
        return;
    }
    uint64_t now = cluster_clock_ns();
    if (!to || !c->deadline_ns)
        return;
    uint64_t left = c->deadline_ns > now ? c->deadline_ns - now : 0;
    if (linux_timespec_out(to, wide, left) < 0)
        cluster_count_add("linux: time left of a sleep not writable", 1);
}

// One cluster clock: nobody sets it (PROTOCOLS 7). What is wrong with the time is told first.
long sys_settimeofday(struct call *c)
{
    struct linux_timeval32 t = {0, 0};
    uint64_t zone;
    int e = c->args[0] ? user_read(&t, c->args[0], sizeof(t)) : 0;
    if (e == 0 && (t.seconds < 0 || t.microseconds < 0 || t.microseconds >= 1000000))
        e = -EINVAL;
    if (e == 0 && c->args[1])
        e = user_read(&zone, c->args[1], sizeof(zone));
    if (e < 0)
        return e;
    return c->args[0] || c->args[1] || !process_can(CAP_SYS_TIME) ? -EPERM : 0;
}

static long settime(const struct call *c, bool wide)
{
    uint64_t t;
    struct cpu_clock k;
    uint32_t clock = c->args[0];
    if (clock != CLOCK_REALTIME && (int32_t)clock >= 0)
        return -EINVAL;
    int e = linux_timespec_in(c->args[1], wide, &t);
    if (clock != CLOCK_REALTIME && e != -EFAULT) // whatever the time is
        e = cpu_clock_of(clock, &k) ? clock_ns(clock, &t) : -EINVAL;
    return e < 0 ? e : -EPERM;
}

long sys_clock_settime(struct call *c)
{
    return settime(c, false);
}

long sys_clock_settime64(struct call *c)
{
    return settime(c, true);
}

long sys_stime(struct call *c)
{
    (void)c;
    return -EPERM;
}
