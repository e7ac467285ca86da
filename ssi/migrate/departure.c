// SPDX-License-Identifier: MIT
// The source of a hand-off. The process freezes itself: on their way to user mode, with an empty
// kernel stack below, its threads wait for each other; the last builds the ghost and sleeps until
// it is told to go on or to leave.
#include "ssi/migrate/migrate_priv.h"
#include "kernel/init.h"
#include "kernel/settings.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/container/container.h"
#include "ssi/process/location.h"
#include "ssi/process/timers.h"

#define FREEZE_NS_MAX (10 * NS_PER_S) // then the move is off

NODE_VAR(struct list, departures) = LIST_INIT(departures);
NODE_VAR(uint32_t, attempts); // moves ever begun here

struct departure *departure_find(int32_t pid, uint32_t incarnation, uint32_t attempt)
{
    struct departure *d;
    list_for_each (d, &node(departures), link)
        if (d->pid == pid && d->step.incarnation == incarnation && d->step.attempt == attempt)
            return d;
    return NULL;
}

struct departure *departure_of(int32_t pid)
{
    struct departure *d;
    list_for_each (d, &node(departures), link)
        if (d->pid == pid)
            return d;
    return NULL;
}

static void repaired(void *arg)
{
    struct handoff_event e = {.kind = HANDOFF_REPAIRED_K, .from = cluster_self()};
    departure_event(arg, &e);
}

// A thread does not come: it may wait for this move itself, by way of another process.
static void too_long(void *arg)
{
    struct handoff_event e = {.kind = HANDOFF_ABORT_K, .from = cluster_self(), .error = -EBUSY};
    struct departure *d = arg;
    if (d->step.state == HANDOFF_FREEZE && !d->frozen)
        departure_event(d, &e);
}

struct departure *departure_new(struct process *p, node_id_t target, const char *decided_by)
{
    struct departure *d = heap_zalloc(sizeof(*d));
    if (d == NULL)
        return NULL;
    handoff_source_init(&d->step, p->incarnation, ++node(attempts));
    d->pid = p->pid;
    d->begun_ns = cluster_clock_ns();
    d->job.target = target;
    str_copy(d->decided_by, decided_by, sizeof(d->decided_by));
    wait_init(&d->wait);
    wait_init(&d->asker);
    timer_init(&d->patience, too_long, d);
    timer_init(&d->repair, repaired, d);
    list_append(&node(departures), &d->link);
    return d;
}

// A record goes when its machine is at rest, its answer was taken and no frozen task looks at it.
void departure_over(struct departure *d)
{
    if (d->step.state != HANDOFF_NONE || d->has_asker || d->frozen)
        return;
    if (d->self_asked && d->verdict != VERDICT_LEAVE && !d->answer_taken)
        return; // the process comes again with its call
    int32_t pid = d->pid;
    list_remove(&d->link);
    timer_cancel(&d->repair);
    timer_cancel(&d->patience);
    ghost_free(&d->ghost);
    heap_free(d);
    arrival_departed(pid);
}

static void local_event(struct departure *d, enum handoff_kind kind, int error)
{
    struct handoff_event e = {.kind = (uint8_t)kind, .from = cluster_self(), .error = error};
    departure_event(d, &e);
}

void departure_ghost_send(struct departure *d)
{
    struct move_wire w = {
        .pid = d->pid,
        .incarnation = d->step.incarnation,
        .attempt = d->step.attempt,
        .kind = HANDOFF_GHOST_K,
        .ghost_bytes = (uint32_t)d->ghost.n,
    };
    for (size_t at = 0; at < d->ghost.n; at += GHOST_PIECE_BYTES) {
        w.ghost_at = (uint32_t)at;
        move_send(d->step.target, &w, d->ghost.bytes + at, MIN(d->ghost.n - at, GHOST_PIECE_BYTES));
    }
}

// Asks its threads to come to departure_attend; -ESRCH when it ends before that.
static void freeze(struct departure *d)
{
    struct process *p = process_find(d->pid);
    if (p == NULL || p->exiting || p->state == PROCESS_ZOMBIE) {
        local_event(d, HANDOFF_ABORT_K, -ESRCH);
        return;
    }
    struct task *t;
    list_for_each (t, &p->tasks, link) {
        if (t->parked)
            continue;
        t->move_asked = true;
        thread_ask(t->thread);
    }
    timer_set(&d->patience, clock_now_ns() + FREEZE_NS_MAX);
}

static void record_failure(const struct departure *d, const char *outcome)
{
    struct move_record r = {
        .pid = d->pid,
        .from = cluster_self(),
        .to = d->step.target,
        .ghost_bytes = (uint32_t)d->ghost.n,
        .at_ns = cluster_clock_ns(),
    };
    str_copy(r.outcome, outcome, sizeof(r.outcome));
    memcpy(r.decided_by, d->decided_by, sizeof(r.decided_by));
    history_add(&r);
}

static void task_let_go(struct departure *d, enum verdict verdict)
{
    d->verdict = verdict;
    if (d->frozen) {
        wait_wake_all(&d->wait);
        return;
    }
    struct process *p = process_find(d->pid);
    struct task *t;
    if (p == NULL)
        return;
    list_for_each (t, &p->tasks, link)
        t->move_asked = false;
    wait_wake_all(&p->task_wait);
}

// Of the process and its threads: whoever asks here is told where they are.
static void whereabouts(const struct departure *d)
{
    const struct process *p = process_find(d->pid);
    const struct task *t;
    location_hint(d->pid, d->step.target, d->step.incarnation + 1);
    ASSERT(p != NULL);
    list_for_each (t, &p->tasks, link)
        if (t->tid != d->pid)
            location_set_thread(t->tid, d->step.target, d->step.incarnation + 1);
}

void departure_effects(struct departure *d, const struct handoff_out *out)
{
    if (out->effects & HANDOFF_DO_CONTINUE)
        task_let_go(d, VERDICT_CONTINUE);
    if (out->effects & HANDOFF_DO_FREE) {
        whereabouts(d);
        task_let_go(d, VERDICT_LEAVE);
    }
    if (out->effects & HANDOFF_DO_ANSWER) {
        d->answered = true;
        d->answer = out->answer;
        if (out->answer < 0)
            record_failure(d, out->answer == -ESRCH ? "aborted" : "refused");
        wait_wake_all(&d->asker);
    }
    if (out->effects & HANDOFF_DO_FREEZE)
        freeze(d);
    else
        departure_over(d);
    // BUILD is the frozen thread's own: departure_attend goes on with it.
}

// ---- in the process's own thread ---------------------------------------------------------------

static void alarm_stop(struct departure *d, struct process *p)
{
    d->job.alarm_set = timer_is_set(&p->alarm);
    timer_cancel(&p->alarm);
    process_timers_stop(p);
}

static void go_on(struct departure *d, struct task *t)
{
    struct process *p = t->process;
    if (d->ghost.n > 0)
        ghost_export_undo(&d->job);
    ghost_free(&d->ghost);
    p->state = PROCESS_RUNNING;
    wait_wake_all(&p->task_wait);
    if (d->job.alarm_set)
        timer_set(&p->alarm, p->alarm.at_ns);
    process_timers_start(p);
    t->move_asked = false;
    t->thread->asked = true; // what came meanwhile waits to be looked at
    d->frozen = false;
    departure_over(d);
}

// The pages stay behind for the target to fetch, and are drained to it.
static void pages_leave(struct space *s, node_id_t target)
{
    const struct segment *v;
    list_for_each (v, &s->segments, link)
        container_drain(v->object, target);
}

static void task_leave(struct task *t)
{
    t->thread->space = NULL;
    arch_space_load(NULL);
    task_free(t);
}

static void NORETURN leave(struct departure *d, struct task *t)
{
    struct process *p = t->process;
    node_id_t target = d->step.target;
    p->leaving = true;
    wait_wake_all(&p->task_wait);
    while (p->task_count > 1)
        if (wait_sleep(&p->task_wait, WAIT_FOREVER, 0) < 0)
            break;
    ASSERT(p->task_count == 1);
    history_counts_take(p);
    ghost_export_done(&d->job);
    pages_leave(p->space, target);
    task_leave(t);
    process_free(p);
    d->frozen = false;
    wait_wake_all(&d->asker);
    local_event(d, HANDOFF_FREED_K, 0);
    thread_exit();
}

// One of several threads has come. False: nothing comes of the move, it goes on; true: all others
// are parked, and this one builds the ghost.
static bool park(struct task *t)
{
    struct process *p = t->process;
    bool builds = false;
    t->parked = true;
    p->parked++;
    while (!builds && !p->leaving) {
        const struct departure *d = departure_of(p->pid);
        if (p->state != PROCESS_MOVING) {
            if (p->exiting || p->sole || d == NULL || d->step.state != HANDOFF_FREEZE)
                break;
            builds = p->parked == p->task_count;
        }
        t->thread->asked = false;
        if (!builds && wait_sleep(&p->task_wait, WAIT_FOREVER, 0) < 0)
            break;
    }
    t->parked = false;
    p->parked--;
    if (p->leaving) {
        task_leave(t);
        wait_wake_all(&p->task_wait);
        thread_exit();
    }
    t->thread->asked = true; // what came meanwhile waits to be looked at
    return builds;
}

// The mark was seen. Returns when the process stays here.
static void departure_attend(struct task *t)
{
    struct process *p = t->process;
    struct departure *d = departure_of(p->pid);
    t->move_asked = false;
    if (d == NULL || d->step.state != HANDOFF_FREEZE)
        return;
    if (p->parked + 1 < p->task_count && !park(t))
        return;
    if (migrate_reason(p) != NULL) {
        local_event(d, HANDOFF_FROZEN_K, -EBUSY);
        return;
    }
    p->state = PROCESS_MOVING;
    d->frozen = true;
    d->job.process = p;
    d->job.task = list_entry(p->tasks.next, struct task, link);
    d->job.frozen_ns = cluster_clock_ns();
    alarm_stop(d, p);
    local_event(d, HANDOFF_FROZEN_K, 0);
    if (d->verdict == VERDICT_NONE) {
        int e = ghost_export(&d->job, &d->ghost);
        if (e < 0)
            log_warn("migrate", "%d cannot move: %s", d->pid,
                     d->job.why ? d->job.why : errno_text(e));
        if (d->verdict == VERDICT_NONE)
            local_event(d, HANDOFF_BUILT_K, e);
    }
    while (d->verdict == VERDICT_NONE)
        if (wait_sleep(&d->wait, WAIT_FOREVER, 0) < 0)
            break;
    ASSERT(d->verdict != VERDICT_NONE);
    if (d->verdict == VERDICT_LEAVE)
        leave(d, t);
    go_on(d, t);
}

// It will not come again with its call.
static void departure_task_ends(struct task *t)
{
    struct departure *d = departure_of(t->process->pid);
    if (d == NULL || d->self_asked != t->tid)
        return;
    d->answer_taken = true;
    departure_over(d);
}

// The process ends while somebody wants it elsewhere.
static void departure_process_ends(struct process *p)
{
    struct departure *d = departure_of(p->pid);
    history_counts_take(p);
    if (d == NULL || d->frozen)
        return;
    if (d->step.state == HANDOFF_NONE)
        departure_over(d);
    else
        local_event(d, HANDOFF_ABORT_K, -ESRCH);
}

void departures_epoch(struct handoff_event *in)
{
    struct departure *d, *next;
    list_for_each_safe (d, next, &node(departures), link)
        departure_event(d, in);
}

static void departures_start(void)
{
    process_on_move = departure_attend;
    process_on_end = departure_process_ends;
    process_on_task_end = departure_task_ends;
}
INIT_STEP(INIT_PROCESS, departures_start);
