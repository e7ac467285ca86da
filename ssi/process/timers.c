// SPDX-License-Identifier: MIT
#include "ssi/process/timers.h"
#include "kernel/timer.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/priv.h"

#define OVERRUN_MAX 0x7fffffffu
// CPU time is looked at again when it could have been used up, but not more often than this.
#define CPU_LOOK_NS (4 * NS_PER_MS)

uint64_t process_timer_now_ns(const struct process_timer *t)
{
    uint64_t user, system;
    const struct task *task;
    switch (t->clock) {
    case TIMER_CLUSTER:
        return cluster_clock_ns();
    case TIMER_PROCESS_CPU:
    case TIMER_PROCESS_USER:
        process_times(t->process, &user, &system);
        return t->clock == TIMER_PROCESS_USER ? user : user + system;
    case TIMER_THREAD_CPU:
    case TIMER_THREAD_USER:
        task = task_find(t->thread);
        if (task == NULL)
            return 0;
        task_times(task, &user, &system);
        return t->clock == TIMER_THREAD_USER ? user : user + system;
    case TIMER_CLOCKS:
        break;
    }
    return 0;
}

static void arm(struct process_timer *t)
{
    timer_cancel(&t->timer);
    if (t->at_ns == 0 || t->signal == 0 || t->pending || t->process->state == PROCESS_MOVING)
        return;
    uint64_t now = process_timer_now_ns(t);
    uint64_t left = t->at_ns > now ? t->at_ns - now : 0;
    if (t->clock != TIMER_CLUSTER && left > 0)
        left = MAX(left / MAX(t->process->task_count, 1u), CPU_LOOK_NS);
    timer_set(&t->timer, clock_now_ns() + left);
}

// The expiry that was due, and those that were missed meanwhile, which are returned.
static uint64_t forward(struct process_timer *t)
{
    uint64_t now = process_timer_now_ns(t), missed = 0;
    if (t->at_ns == 0 || t->at_ns > now)
        return 0;
    if (t->interval_ns == 0) {
        t->at_ns = 0;
        return 0;
    }
    missed = (now - t->at_ns) / t->interval_ns;
    t->at_ns += (missed + 1) * t->interval_ns;
    return missed;
}

static void overrun_add(struct process_timer *t, uint64_t more)
{
    t->overrun = (uint32_t)MIN(t->overrun + more, OVERRUN_MAX);
}

static bool is_pending(const struct process_timer *t, const struct task *to)
{
    const struct signal_set *s = to ? &to->pending : &t->process->pending;
    const struct signal_queued *q;
    list_for_each (q, &s->queue, link)
        if (q->info.code == SI_TIMER && q->info.pid == t->id)
            return true;
    return false;
}

static void fire(struct process_timer *t)
{
    struct process *p = t->process;
    struct task *to = t->tid ? task_find(t->tid) : NULL;
    struct signal_info info = {
        .signal = t->signal, .code = t->code, .pid = t->id, .value = (int32_t)t->value};
    if (t->code != SI_TIMER)
        info.pid = info.value = 0;
    if (t->tid && (to == NULL || to->process != p))
        return; // the task is gone
    t->overrun = 0;
    overrun_add(t, forward(t));
    (void)(to ? signal_post_task(to, &info) : signal_post_process(p, &info));
    t->pending = t->code == SI_TIMER && is_pending(t, to);
    arm(t);
}

static void on_time(void *arg)
{
    struct process_timer *t = arg;
    if (t->at_ns && t->at_ns <= process_timer_now_ns(t))
        fire(t);
    else
        arm(t);
}

void process_timer_init(struct process_timer *t, struct process *p, enum timer_clock clock)
{
    list_init(&t->link);
    t->process = p;
    t->clock = clock;
    timer_init(&t->timer, on_time, t);
}

struct process_timer *process_timer_find(struct process *p, int32_t id)
{
    struct process_timer *t;
    list_for_each (t, &p->timers, link)
        if (t->id == id)
            return t;
    return NULL;
}

void process_timer_delete(struct process_timer *t)
{
    timer_cancel(&t->timer);
    list_remove(&t->link);
    heap_free(t);
}

void process_timer_set(struct process_timer *t, uint64_t at_ns, uint64_t interval_ns)
{
    t->at_ns = at_ns;
    t->interval_ns = interval_ns;
    t->overrun = t->overrun_told = 0;
    t->pending = false; // a signal that waits is of the old setting: it is taken as it is
    arm(t);
}

uint64_t process_timer_left_ns(struct process_timer *t)
{
    uint64_t now = process_timer_now_ns(t);
    if (t->at_ns == 0)
        return 0;
    if (t->at_ns > now)
        return t->at_ns - now;
    if (t->interval_ns)
        return t->interval_ns - (now - t->at_ns) % t->interval_ns;
    return t->signal ? 1 : 0; // about to fire; one without a signal is over
}

void process_timer_taken(struct process *p, struct signal_info *info)
{
    struct process_timer *t = process_timer_find(p, info->pid);
    if (t == NULL || !t->pending)
        return;
    if (t->interval_ns && t->at_ns && t->at_ns <= process_timer_now_ns(t))
        overrun_add(t, forward(t) + 1);
    t->pending = false;
    t->overrun_told = t->overrun;
    info->uid = t->overrun;
    arm(t);
}

void process_timers_delete(struct process *p)
{
    struct process_timer *t, *next;
    list_for_each_safe (t, next, &p->timers, link)
        process_timer_delete(t);
}

void process_timers_stop(struct process *p)
{
    struct process_timer *t;
    list_for_each (t, &p->timers, link)
        timer_cancel(&t->timer);
    for (unsigned k = 0; k < 2; k++)
        timer_cancel(&p->cpu_timers[k].timer);
}

void process_timers_start(struct process *p)
{
    struct process_timer *t;
    list_for_each (t, &p->timers, link)
        arm(t);
    for (unsigned k = 0; k < 2; k++)
        arm(&p->cpu_timers[k]);
}
