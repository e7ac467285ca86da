// SPDX-License-Identifier: MIT
// Signals on their way to a task of this node, and what happens there (signal(7)): pending sets,
// queues, default actions, stop and continue.
#include "ssi/process/process.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/group_exit.h"
#include "ssi/process/priv.h"
#include "ssi/process/rseq.h"
#include "ssi/process/timers.h"
#include "ssi/process/ldt.h"
#include "ssi/process/tracee.h"

#define SIGNALS_STOP    (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define SIGNALS_IGNORED (SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH))
#define SIGNALS_FAULT                                                                              \
    (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) |        \
     SIGBIT(SIGSYS))
#define SIGNALS_UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))

void signal_set_init(struct signal_set *s)
{
    s->pending = 0;
    list_init(&s->queue);
}

static void queued_free(struct process *p, struct signal_queued *q)
{
    list_remove(&q->link);
    p->signals_queued--;
    heap_free(q);
}

void signal_set_clear(struct process *p, struct signal_set *s)
{
    struct signal_queued *q, *next;
    list_for_each_safe (q, next, &s->queue, link)
        queued_free(p, q);
    s->pending = 0;
}

static void discard(struct process *p, struct signal_set *s, sigset64 which)
{
    struct signal_queued *q, *next;
    list_for_each_safe (q, next, &s->queue, link) {
        if (SIGBIT(q->info.signal) & which)
            queued_free(p, q);
    }
    s->pending &= ~which;
}

static void discard_everywhere(struct process *p, sigset64 which)
{
    discard(p, &p->pending, which);
    struct task *t;
    list_for_each (t, &p->tasks, link)
        discard(p, &t->pending, which);
}

bool signal_is_fatal_default(int signal)
{
    return !(SIGBIT(signal) & (SIGNALS_STOP | SIGNALS_IGNORED));
}

static bool ignored(const struct process *p, int signal)
{
    uint32_t handler = p->actions->action[signal - 1].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && (SIGBIT(signal) & SIGNALS_IGNORED));
}

bool signal_pending(const struct task *t)
{
    return (t->pending.pending | t->process->pending.pending) & ~t->blocked;
}

void signal_mask_set(struct task *t, sigset64 blocked)
{
    t->blocked = blocked & ~SIGNALS_UNBLOCKABLE;
    if (signal_pending(t))
        t->thread->asked = true;
}

void signal_action_changed(struct process *p, int signal)
{
    if (ignored(p, signal))
        discard_everywhere(p, SIGBIT(signal));
}

// ---- posting -----------------------------------------------------------------------------------
static int enqueue(struct process *p, struct signal_set *s, const struct signal_info *info)
{
    bool realtime = info->signal >= SIGRTMIN;
    if (!realtime && (s->pending & SIGBIT(info->signal)))
        return 0; // one is enough
    struct signal_queued *q = NULL;
    if (!realtime || p->signals_queued < p->limits[RLIMIT_SIGPENDING].current)
        q = heap_alloc(sizeof(*q));
    if (!q && realtime && info->code != SI_USER && info->code != SI_KERNEL)
        return -EAGAIN;
    if (q) {
        q->info = *info;
        list_append(&s->queue, &q->link);
        p->signals_queued++;
    }
    s->pending |= SIGBIT(info->signal);
    wait_wake_all(&p->signal_wait);
    return 0;
}

void process_wake_tasks(struct process *p)
{
    struct task *t;
    list_for_each (t, &p->tasks, link) {
        thread_ask(t->thread);
        if (t->vforking)
            wait_wake_all(&t->vforking->wait);
    }
    wait_wake_all(&p->stop_wait);
    wait_wake_all(&p->task_wait);
}

// Stop and continue take each other's pending signals away, whatever is blocked or handled.
static void stop_and_continue(struct process *p, int signal)
{
    if (SIGBIT(signal) & SIGNALS_STOP)
        discard_everywhere(p, SIGBIT(SIGCONT));
    if (signal != SIGCONT)
        return;
    discard_everywhere(p, SIGNALS_STOP);
    if (p->state == PROCESS_STOPPED) {
        p->state = PROCESS_RUNNING;
        p->continued = true;
        process_wake_tasks(p);
    }
    tracees_continue(p);
}

static bool wants(const struct task *t, int signal)
{
    sigset64 open = ~t->blocked | t->waiting_for;
    return !t->ending && (open & SIGBIT(signal));
}

static void wake_for(struct process *p, int signal)
{
    struct task *t;
    list_for_each (t, &p->tasks, link) {
        if (!wants(t, signal))
            continue;
        thread_ask(t->thread);
        return;
    }
}

static bool dropped(const struct process *p, const struct task *t, int signal)
{
    if (!ignored(p, signal) || (t && t->trace && signal != SIGKILL))
        return false;
    return !t || !((t->blocked | t->waiting_for) & SIGBIT(signal));
}

int signal_post_process(struct process *p, const struct signal_info *info)
{
    if (p->state == PROCESS_ZOMBIE || p->exiting || list_empty(&p->tasks)) {
        if (info->signal == SIGKILL)
            tracees_let_end(p);
        return 0;
    }
    struct task *first = list_entry(p->tasks.next, struct task, link);
    stop_and_continue(p, info->signal);
    if (dropped(p, first, info->signal))
        return 0;
    int e = enqueue(p, &p->pending, info);
    if (info->signal == SIGKILL)
        process_wake_tasks(p);
    else
        wake_for(p, info->signal);
    return e;
}

int signal_post_task(struct task *t, const struct signal_info *info)
{
    struct process *p = t->process;
    if (p->state == PROCESS_ZOMBIE || p->exiting || t->ending)
        return 0;
    if (info->signal == SIGKILL)
        return signal_post_process(p, info);
    stop_and_continue(p, info->signal);
    if (dropped(p, t, info->signal))
        return 0;
    int e = enqueue(p, &t->pending, info);
    if (wants(t, info->signal))
        thread_ask(t->thread);
    return e;
}

void signal_force(struct task *t, const struct signal_info *info)
{
    struct signal_action *a = &t->process->actions->action[info->signal - 1];
    if ((t->blocked & SIGBIT(info->signal)) || a->handler == SIG_IGN) {
        *a = (struct signal_action){.handler = SIG_DFL};
        t->blocked &= ~SIGBIT(info->signal);
    }
    (void)enqueue(t->process, &t->pending, info); // not a real-time one: cannot be refused
    t->thread->asked = true;
}

void signal_alarm(void *process)
{
    struct process *p = process;
    if (p->alarm_interval_ns)
        timer_set(&p->alarm, p->alarm.at_ns + p->alarm_interval_ns);
    struct signal_info info = {.signal = SIGALRM, .code = SI_KERNEL};
    (void)signal_post_process(p, &info);
}

// ---- taking ------------------------------------------------------------------------------------
static int lowest(sigset64 s)
{
    if (s & SIGNALS_FAULT) // what the task itself did comes first
        s &= SIGNALS_FAULT;
    return s ? __builtin_ctzll(s) + 1 : 0;
}

static void dequeue(struct process *p, struct signal_set *s, int signal, struct signal_info *info)
{
    struct signal_queued *q, *found = NULL;
    bool more = false;
    list_for_each (q, &s->queue, link) {
        if (q->info.signal != signal)
            continue;
        more = found != NULL;
        if (more)
            break;
        found = q;
    }
    if (found) {
        *info = found->info;
        queued_free(p, found);
    } else {
        *info = (struct signal_info){.signal = signal, .code = SI_USER};
    }
    if (!more)
        s->pending &= ~SIGBIT(signal);
    if (info->code == SI_TIMER)
        process_timer_taken(p, info);
}

bool signal_take(struct task *t, sigset64 wanted, struct signal_info *info)
{
    struct process *p = t->process;
    sigset64 kill = (t->pending.pending | p->pending.pending) & SIGBIT(SIGKILL) & wanted;
    struct signal_set *own = kill & p->pending.pending ? &p->pending : &t->pending;
    int signal = kill ? SIGKILL : lowest(own->pending & wanted);
    if (!signal) {
        own = &p->pending;
        signal = lowest(own->pending & wanted);
    }
    if (!signal)
        return false;
    dequeue(p, own, signal, info);
    return true;
}

// ---- what happens ------------------------------------------------------------------------------
static void stop(struct process *p, int signal)
{
    if (signal != SIGSTOP && group_is_orphaned(p->pgrp))
        return;
    tracees_stop(p);
    if (p->state != PROCESS_RUNNING || p->exiting)
        return;
    p->state = PROCESS_STOPPED;
    p->stop_signal = signal;
    p->continued = false;
    process_wake_tasks(p);
    if (!tracee_of_parent(p))
        parent_told_stopped(p);
}

static void act_by_default(struct task *t, const struct signal_info *info)
{
    struct process *p = t->process;
    if (SIGBIT(info->signal) & SIGNALS_IGNORED)
        return;
    if (SIGBIT(info->signal) & SIGNALS_STOP) {
        stop(p, info->signal);
        return;
    }
    if (SIGBIT(info->signal) & SIGNALS_FAULT)
        log_debug("process", "%s[%d] signal %d at %x, eip %x", p->name, p->pid, info->signal,
                  info->address, t->regs->eip);
    process_exit_group(info->signal);
}

bool task_killed(const struct task *t)
{
    return (t->pending.pending | t->process->pending.pending) & SIGBIT(SIGKILL);
}

// A page's wait may end because of yet another signal: that one comes next.
static int push_frame(struct task *t, const struct signal_info *info,
                      const struct signal_action *action, sigset64 mask)
{
    int e;
    do {
        t->thread->asked = false;
        e = t->rseq_at ? rseq_attend(t) : 0; // the handler's return finds no critical section
        if (e == 0)
            e = frame_push(t, info, action, mask);
    } while (e == -EINTR && !task_killed(t));
    t->thread->asked = true;
    return e;
}

static void run_handler(struct task *t, const struct signal_info *info, struct signal_action *a)
{
    struct signal_action action = *a;
    if (t->call.active || t->call_left)
        process_on_interrupted_call(t, action.flags & SA_RESTART);
    sigset64 saved = t->blocked_saved_valid ? t->blocked_saved : t->blocked;
    t->blocked_saved_valid = false;
    if (action.flags & SA_RESETHAND)
        a->handler = SIG_DFL;
    int e = push_frame(t, info, &action, saved);
    if (e < 0) {
        // No stack for the handler: a SIGSEGV that cannot be caught if that was the one.
        if (info->signal == SIGSEGV)
            a->handler = SIG_DFL;
        signal_force(t, &(struct signal_info){.signal = SIGSEGV, .code = SI_KERNEL});
        return;
    }
    sigset64 blocked = t->blocked | action.mask;
    if (!(action.flags & SA_NODEFER))
        blocked |= SIGBIT(info->signal);
    signal_mask_set(t, blocked);
    if (t->trace)
        tracee_handler_begins(t);
}

static bool deliver_one(struct task *t)
{
    struct signal_info info;
    if (!signal_pending(t) || !signal_take(t, ~t->blocked, &info))
        return false;
    if (t->trace && info.signal != SIGKILL && !tracee_signal(t, &info))
        return true;
    struct signal_action *a = &t->process->actions->action[info.signal - 1];
    if (SIGBIT(info.signal) & SIGNALS_UNBLOCKABLE || a->handler == SIG_DFL)
        act_by_default(t, &info);
    else if (a->handler != SIG_IGN)
        run_handler(t, &info, a);
    return true;
}

// Sleeps while the process is stopped; a move mark and a SIGKILL are seen all the same.
static void stay_stopped(struct task *t)
{
    struct process *p = t->process;
    while (p->state == PROCESS_STOPPED && !p->exiting && !task_killed(t) && !t->move_asked &&
           !t->trace) {
        int e = wait_sleep(&p->stop_wait, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e == -EINTR)
            t->thread->asked = false;
    }
    if (p->state == PROCESS_STOPPED && task_killed(t))
        p->state = PROCESS_RUNNING;
    if (p->continued && p->state == PROCESS_RUNNING) {
        p->continued = false;
        parent_told_continued(p);
    }
}

void task_attend(struct task *t)
{
    struct process *p = t->process;
    for (;;) {
        if (p->exiting || (p->sole && p->sole != t))
            task_exit(p->exit_status);
        if (t->trace && tracee_attend(t))
            continue;
        if (t->move_asked && process_on_move) {
            t->move_asked = false;
            ldt_attend(t);
            process_on_move(t);
        } else if ((p->state == PROCESS_STOPPED && !t->trace) || p->continued) {
            stay_stopped(t);
        } else if (!deliver_one(t)) {
            return;
        }
    }
}
