// SPDX-License-Identifier: MIT
// Who traces whom, and the stops. A record of struct tracee belongs to the tracer, as struct child
// to the parent; it outlives its task until the end was told.
#include "ssi/process/tracee.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/priv.h"
#include "ssi/process/reach.h"

#define FLAGS_TF    0x100u
#define VECTOR_CALL 0x80u

NODE_VAR(unsigned, tracees); // records with a task on this node

static void state_set(struct tracee *e, enum tracee_state state)
{
    ASSERT(state != TRACEE_LISTENS || e->state == TRACEE_STOPPED);
    e->state = state;
}

static struct tracee *of_news(const struct child *news)
{
    return (struct tracee *)((uintptr_t)news - offsetof(struct tracee, news));
}

static bool leads(const struct tracee *e)
{
    return e->task && e->task->tid == e->task->process->pid;
}

// ---- records -----------------------------------------------------------------------------------
static void count(int change)
{
    bool before = node(tracees) > 0;
    node(tracees) += (unsigned)change;
    if (process_on_tracing && before != (node(tracees) > 0))
        process_on_tracing(!before);
}

static struct tracee *record_new(struct task *t, struct process *tracer, int32_t tracer_tid)
{
    struct tracee *e = heap_zalloc(sizeof(*e));
    if (e == NULL)
        return NULL;
    struct process *p = t->process;
    e->news.tracee = true;
    e->news.pid = t->tid;
    e->news.pgrp = p->pgrp;
    e->news.uid = p->cred.uid;
    e->news.node = cluster_self();
    e->tracer = tracer;
    e->tracer_tid = tracer_tid;
    e->privileged = credentials_can(process_acting(tracer), CAP_SYS_PTRACE);
    e->task = t;
    e->in_call = t->call.active;
    t->trace = e;
    if (leads(e))
        p->traced = e;
    list_append(&tracer->tracees, &e->news.link);
    count(1);
    return e;
}

static void task_leave(struct tracee *e)
{
    if (e->task == NULL)
        return;
    e->task->trace = NULL;
    e->task = NULL;
    count(-1);
}

// Its process, when this is the record of its leader.
static struct process *led_by(const struct tracee *e)
{
    struct process *p = process_find(e->news.pid);
    return p && p->traced == e ? p : NULL;
}

static void record_free(struct tracee *e)
{
    struct process *p = led_by(e);
    if (p)
        p->traced = NULL;
    task_leave(e);
    list_remove(&e->news.link);
    heap_free(e);
}

// ---- the tracer hears --------------------------------------------------------------------------
static void tell(struct tracee *e, int code)
{
    struct process *tracer = e->tracer;
    const struct signal_action *a = &tracer->actions->action[SIGCHLD - 1];
    int status = e->news.status;
    struct signal_info info = {
        .signal = SIGCHLD, .code = code, .pid = e->news.pid, .uid = e->news.uid};
    info.status = code == CLD_EXITED                           ? status >> 8 & 0xff
                  : code == CLD_TRAPPED || code == CLD_STOPPED ? status >> 8 & 0x7f
                                                               : status & 0x7f;
    bool stop = code == CLD_TRAPPED || code == CLD_STOPPED;
    if (!stop || (a->handler != SIG_IGN && !(a->flags & SA_NOCLDSTOP)))
        (void)signal_post_process(tracer, &info);
    wait_wake_all(&tracer->child_wait);
}

static void tell_end(struct tracee *e, int status)
{
    e->news.state = CHILD_EXITED;
    e->news.status = status;
    tell(e, (status & 0x7f) == 0 ? CLD_EXITED : status & WAIT_CORE_FLAG ? CLD_DUMPED : CLD_KILLED);
}

// ---- stops -------------------------------------------------------------------------------------
static bool must_leave(const struct task *t)
{
    const struct process *p = t->process;
    if (task_killed(t))
        return true;
    return !t->trace->ends && (p->exiting || (p->sole && p->sole != t));
}

// The task sleeps until its tracer lets it go, is gone, or its end has come; t->resume_signal is
// what the tracer gave it. `code`: signal and event, as a wait's status has them.
static void stop_here(struct task *t, uint32_t code, int why, struct signal_info *info)
{
    struct tracee *e = t->trace;
    t->resume_signal = 0;
    if (must_leave(t))
        return;
    tracee_step_hide(t);
    e->info = info;
    e->interrupt = false; // any stop will do
    state_set(e, TRACEE_STOPPED);
    e->news.state = CHILD_STOPPED;
    e->news.status = (int)(code << 8 | 0x7f);
    e->news.pgrp = t->process->pgrp;
    e->news.uid = t->process->cred.uid;
    tell(e, why);
    while (t->trace == e && e->state != TRACEE_RUNS && !must_leave(t)) {
        if (wait_sleep(&t->process->stop_wait, WAIT_FOREVER, 0) < 0)
            continue;
    }
    if (t->trace != e)
        return;
    state_set(e, TRACEE_RUNS);
    e->news.state = CHILD_RUNNING;
    e->info = NULL;
    e->call = CALL_NONE;
}

// siginfo_t has pid and address in one place.
static struct signal_info own_info(const struct task *t, uint32_t code, int signal)
{
    return (struct signal_info){.signal = signal,
                                .code = (int32_t)code,
                                .pid = t->tid,
                                .address = (uint32_t)t->tid,
                                .uid = t->process->cred.uid};
}

static void event_stop(struct task *t, uint32_t event, uint32_t message)
{
    uint32_t code = event << 8 | SIGTRAP;
    struct signal_info info = own_info(t, code, SIGTRAP);
    t->trace->message = message;
    stop_here(t, code, CLD_TRAPPED, &info);
}

// Of one that was seized: a group-stop, or none while none is in force.
static void seized_stop(struct task *t)
{
    const struct process *p = t->process;
    struct tracee *e = t->trace;
    uint32_t signal = p->state == PROCESS_STOPPED ? (uint32_t)p->stop_signal : SIGTRAP;
    uint32_t code = EVENT_STOP << 8 | signal;
    struct signal_info info = own_info(t, code, (int)signal);
    e->notify = false;
    e->group_passed = p->state == PROCESS_STOPPED;
    e->message = 0;
    stop_here(t, code, CLD_STOPPED, &info);
}

bool tracee_attend(struct task *t)
{
    struct tracee *e = t->trace;
    const struct process *p = t->process;
    bool group = p->state == PROCESS_STOPPED && !e->group_passed;
    if (p->continued && p->state == PROCESS_RUNNING)
        return false; // that is to be told first
    if (!group && !e->interrupt && !e->notify)
        return false;
    if (e->seized) {
        seized_stop(t);
    } else {
        e->group_passed = true;
        stop_here(t, (uint32_t)p->stop_signal, CLD_STOPPED, NULL);
    }
    return !task_killed(t);
}

bool tracee_signal(struct task *t, struct signal_info *info)
{
    const struct process *tracer = t->trace->tracer;
    struct signal_info kept = *info;
    int32_t pid = tracer->pid;
    uint32_t uid = process_acting(tracer)->uid;
    stop_here(t, (uint32_t)info->signal, CLD_TRAPPED, &kept);
    if (t->resume_signal == 0)
        return false;
    *info = kept;
    if (t->resume_signal != info->signal)
        *info = (struct signal_info){
            .signal = t->resume_signal, .code = SI_USER, .pid = pid, .uid = uid};
    if (!(t->blocked & SIGBIT(info->signal)) && !task_killed(t))
        return true;
    (void)signal_post_task(t, info);
    return false;
}

static bool steps(const struct tracee *e)
{
    return e->mode == RESUME_STEP || e->mode == RESUME_EMULATE_STEP;
}

void tracee_handler_begins(struct task *t)
{
    struct signal_info info = own_info(t, SIGTRAP, SIGTRAP);
    if (steps(t->trace))
        stop_here(t, SIGTRAP, CLD_TRAPPED, &info);
}

// ---- system calls ------------------------------------------------------------------------------
static void call_stop(struct task *t, enum tracee_call call)
{
    struct tracee *e = t->trace;
    uint32_t code = e->options & TRACE_SYSGOOD ? SIGTRAP | 0x80 : SIGTRAP;
    struct signal_info info = own_info(t, code, SIGTRAP);
    e->call = e->options & TRACE_SYSGOOD ? call : CALL_NONE;
    e->message = call;
    stop_here(t, code, CLD_TRAPPED, &info);
    if (t->resume_signal == 0)
        return;
    struct signal_info given = {.signal = t->resume_signal, .code = SI_KERNEL};
    (void)signal_post_task(t, &given);
}

bool tracee_call_begins(struct task *t)
{
    struct arch_regs *r = t->regs;
    enum tracee_mode mode = t->trace->mode;
    bool emulated = mode == RESUME_EMULATE || mode == RESUME_EMULATE_STEP;
    t->trace->in_call = true;
    if (mode != RESUME_SYSCALL && !emulated)
        return true;
    r->eax = (uint32_t)-ENOSYS;
    call_stop(t, CALL_ENTRY);
    return !emulated && !task_killed(t) && r->error != UINT32_MAX;
}

bool tracee_seccomp(struct task *t, uint32_t data)
{
    struct tracee *e = t->trace;
    if (e == NULL || !(e->options & TRACE_SECCOMP))
        return false;
    e->call = CALL_SECCOMP;
    event_stop(t, EVENT_SECCOMP, data);
    return !task_killed(t);
}

bool tracee_call_must_end(const struct task *t)
{
    const struct tracee *e = t->trace;
    const struct process *p = t->process;
    return signal_pending(t) || e->interrupt || e->notify ||
           (p->state == PROCESS_STOPPED && !e->group_passed);
}

void tracee_call_ends(struct task *t)
{
    struct tracee *e = t->trace;
    e->in_call = false;
    if (e->mode == RESUME_SYSCALL) {
        call_stop(t, CALL_EXIT);
    } else if (e->mode == RESUME_STEP) {
        struct signal_info info = {.signal = SIGTRAP, .code = TRAP_BRKPT, .address = t->regs->eip};
        signal_force(t, &info);
    }
}

// ---- single steps ------------------------------------------------------------------------------
void tracee_step_set(struct task *t)
{
    if (!steps(t->trace) || t->regs->eflags & FLAGS_TF)
        return;
    t->regs->eflags |= FLAGS_TF;
    t->step_forced = true;
}

void tracee_step_hide(struct task *t)
{
    if (t->step_forced)
        t->regs->eflags &= ~FLAGS_TF;
    t->step_forced = false;
}

bool tracee_step_left(struct task *t)
{
    if (t->trace || !t->step_forced)
        return false;
    tracee_step_hide(t);
    return true;
}

// ---- events ------------------------------------------------------------------------------------
void tracee_execs(struct task *t, int32_t old_tid)
{
    struct tracee *e = t->trace;
    t->regs->vector = VECTOR_CALL;
    t->regs->error = t->call.number;
    watch_forget(t);
    if (e->options & TRACE_EXEC) {
        event_stop(t, EVENT_EXEC, (uint32_t)old_tid);
    } else if (!e->seized) {
        struct signal_info info = own_info(t, SI_USER, SIGTRAP);
        (void)signal_post_task(t, &info);
    }
}

// The event that a clone is, if it is to be told.
static uint32_t fork_event(const struct tracee *e, uint64_t clone_flags)
{
    uint32_t event = clone_flags & CLONE_VFORK                      ? EVENT_VFORK
                     : clone_flags & CLONE_THREAD                   ? EVENT_CLONE
                     : (clone_flags & CLONE_SIGNAL_MASK) != SIGCHLD ? EVENT_CLONE
                                                                    : EVENT_FORK;
    uint32_t option = 1u << event;
    return !(clone_flags & CLONE_UNTRACED) && e->options & option ? event : EVENT_NONE;
}

int tracee_inherit(struct task *parent, struct task *t, uint64_t clone_flags)
{
    const struct tracee *from = parent->trace;
    if (from == NULL || !(clone_flags & CLONE_PTRACE || fork_event(from, clone_flags)))
        return 0;
    struct tracee *e = record_new(t, from->tracer, from->tracer_tid);
    if (e == NULL)
        return -ENOMEM;
    e->options = from->options;
    e->seized = from->seized;
    e->privileged = from->privileged;
    e->interrupt = e->seized;
    if (!e->seized)
        (void)signal_post_task(t, &(struct signal_info){.signal = SIGSTOP, .code = SI_USER});
    return 0;
}

void tracee_forks(struct task *t, uint64_t clone_flags, int32_t child)
{
    uint32_t event = t->trace ? fork_event(t->trace, clone_flags) : EVENT_NONE;
    if (event != EVENT_NONE)
        event_stop(t, event, (uint32_t)child);
}

void tracee_vfork_done(struct task *t, int32_t child)
{
    if (t->trace && t->trace->options & TRACE_VFORK_DONE)
        event_stop(t, EVENT_VFORK_DONE, (uint32_t)child);
}

void tracee_exits(struct task *t, int status)
{
    struct tracee *e = t->trace;
    if (!(e->options & TRACE_EXIT))
        return;
    e->ends = true;
    event_stop(t, EVENT_EXIT, (uint32_t)status);
}

// ---- ends --------------------------------------------------------------------------------------
void tracee_task_ended(struct task *t, int status)
{
    struct tracee *e = t->trace;
    struct process *p = t->process;
    if (e == NULL)
        return;
    bool leader = p->traced == e;
    task_leave(e);
    e->news.state = CHILD_RUNNING; // a stop that nobody asked about
    if (!leader)
        tell_end(e, p->exiting ? p->exit_status : status);
}

bool tracee_process_ended(struct process *p)
{
    struct tracee *e = p->traced;
    if (e == NULL)
        return false;
    if (tracee_of_parent(p)) {
        record_free(e);
        return false;
    }
    tell_end(e, p->exit_status);
    return true;
}

void tracee_told(struct child *news)
{
    struct tracee *e = of_news(news);
    if (news->state != CHILD_EXITED) {
        news->state = CHILD_RUNNING;
        return;
    }
    struct process *p = led_by(e);
    record_free(e);
    if (p)
        process_end_tell(p);
}

void tracee_task_gone(struct task *t)
{
    if (t->trace)
        record_free(t->trace);
}

// exec by another thread than the leader: whoever traced the leader hears no more of it.
void tracee_takes_pid(struct task *t)
{
    struct process *p = t->process;
    if (p->traced && p->traced != t->trace)
        record_free(p->traced);
    if (t->trace == NULL)
        return;
    t->trace->news.pid = t->tid;
    p->traced = t->trace;
}

// ---- the tracer --------------------------------------------------------------------------------
int tracee_traceme(void)
{
    struct task *t = task_current();
    struct process *parent = process_find(t->process->parent);
    if (t->trace || parent == NULL || parent->exiting || parent->state == PROCESS_MOVING ||
        parent->state == PROCESS_ZOMBIE)
        return -EPERM;
    return record_new(t, parent, 0) ? 0 : -ENOMEM;
}

int tracee_attach(struct task *t, bool seize, uint32_t options)
{
    struct process *p = t->process;
    const struct task *me = task_current();
    if (p == me->process || t->trace || t->ending || p->exiting || !process_may_reach(p))
        return -EPERM;
    struct tracee *e = record_new(t, me->process, me->tid);
    if (e == NULL)
        return -ENOMEM;
    e->seized = seize;
    e->options = options;
    struct child *c = leads(e) && tracee_of_parent(p) ? child_find(me->process, p->pid) : NULL;
    if (c && c->state == CHILD_STOPPED)
        c->state = CHILD_RUNNING; // told as the tracee's stop
    if (!seize)
        (void)signal_post_task(t, &(struct signal_info){.signal = SIGSTOP, .code = SI_KERNEL});
    thread_ask(t->thread);
    wait_wake_all(&p->stop_wait);
    return 0;
}

void tracee_detach(struct tracee *e, int signal)
{
    struct task *t = e->task;
    if (t) {
        t->resume_signal = signal;
        thread_ask(t->thread); // a group-stop may be in force
        wait_wake_all(&t->process->stop_wait);
    }
    record_free(e);
}

void tracee_resume(struct tracee *e, enum tracee_mode mode, int signal)
{
    e->mode = mode;
    e->task->resume_signal = signal;
    e->news.state = CHILD_RUNNING;
    state_set(e, TRACEE_RUNS);
    wait_wake_all(&e->task->process->stop_wait);
}

// A listener stops anew, at once.
static void stop_again(struct tracee *e)
{
    if (e->state == TRACEE_LISTENS)
        state_set(e, TRACEE_RUNS);
    thread_ask(e->task->thread);
    wait_wake_all(&e->task->process->stop_wait);
}

void tracee_listen(struct tracee *e)
{
    state_set(e, TRACEE_LISTENS);
    if (e->notify || e->interrupt)
        stop_again(e);
}

void tracee_interrupt(struct tracee *e)
{
    e->interrupt = true;
    stop_again(e);
}

bool tracee_is_mine(const struct child *news)
{
    const struct tracee *e = of_news(news);
    return e->tracer_tid == 0 || e->tracer_tid == task_current()->tid;
}

void tracer_ends(struct process *p, int32_t tid)
{
    bool again = true;
    while (again) { // an end that is told may sleep
        struct child *c, *next;
        again = false;
        list_for_each_safe (c, next, &p->tracees, link) {
            struct tracee *e = of_news(c);
            if (tid && e->tracer_tid != tid)
                continue;
            again = true;
            if (c->state == CHILD_EXITED) {
                tracee_told(c);
                break;
            }
            if (e->task && e->options & TRACE_EXITKILL)
                (void)signal_post_process(e->task->process,
                                          &(struct signal_info){.signal = SIGKILL});
            tracee_detach(e, 0);
        }
    }
}

// ---- stop and continue -------------------------------------------------------------------------
void tracees_stop(struct process *p)
{
    struct task *t;
    list_for_each (t, &p->tasks, link) {
        if (t->trace)
            t->trace->group_passed = false;
    }
}

void tracees_continue(struct process *p)
{
    struct task *t;
    list_for_each (t, &p->tasks, link) {
        if (t->trace == NULL)
            continue;
        t->trace->group_passed = false;
        t->trace->notify = t->trace->seized;
        if (t->trace->seized)
            stop_again(t->trace);
    }
}

void tracees_let_end(struct process *p)
{
    struct task *t;
    list_for_each (t, &p->tasks, link) {
        if (tracee_stopped(t))
            state_set(t->trace, TRACEE_RUNS);
    }
    wait_wake_all(&p->stop_wait);
}

// ---- asked -------------------------------------------------------------------------------------
bool tracee_of_parent(const struct process *p)
{
    return p->traced && p->traced->tracer->pid == p->parent;
}

bool tracee_of_unprivileged(const struct process *p)
{
    const struct task *t = task_current();
    return t && t->process == p && t->trace && !t->trace->privileged;
}

bool tracee_any(const struct process *p)
{
    const struct task *t;
    list_for_each (t, &p->tasks, link) {
        if (t->trace)
            return true;
    }
    return false;
}

bool tracee_stopped(const struct task *t)
{
    return t->trace && t->trace->state != TRACEE_RUNS;
}

int32_t tracee_tracer(const struct task *t)
{
    return t && t->trace ? t->trace->tracer->pid : 0;
}
