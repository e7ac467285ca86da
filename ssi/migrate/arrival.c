// SPDX-License-Identifier: MIT
// The target of a hand-off: collects the ghost, imports it in a worker thread, runs the process
// when COMMIT is in hand.
#include "ssi/migrate/migrate_priv.h"
#include "kernel/init.h"
#include "kernel/wait.h"
#include "kernel/work.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/container/container.h"
#include "ssi/process/location.h"
#include "ssi/process/timers.h"

#define FREE_FRAMES_MIN 256u // 1 MiB: below it nobody is let in
#define OPEN_NS_MAX     (10 * NS_PER_S)

NODE_VAR(struct list, arrivals) = LIST_INIT(arrivals);
NODE_VAR(struct wait_queue, closed); // who waits for a record to go

NODE_VAR(bool, is_open);

static void import_work(struct work *w);
static void check_begin(struct arrival *a);

// The record of a process that runs here and whose hand-off is not closed, or of one that is
// imported and may yet be thrown away: nobody can take it from here.
static struct arrival *arrival_of(int32_t pid)
{
    struct arrival *a;
    list_for_each (a, &node(arrivals), link)
        if (a->pid == pid && (a->step.state == HANDOFF_RESUME || a->job.process != NULL))
            return a;
    return NULL;
}

struct arrival *arrival_find(const struct move_wire *w)
{
    struct arrival *a;
    list_for_each (a, &node(arrivals), link)
        if (a->pid == w->pid && a->step.incarnation == w->incarnation &&
            a->step.attempt == w->attempt)
            return a;
    return NULL;
}

// A process moves on only when the hand-off that brought it is closed at its source (handoff.h):
// waits for FORGET, or for the epoch without the source. 0 or a negative errno.
int arrival_wait_closed(int32_t pid)
{
    int e = 0;
    while (e == 0 && arrival_of(pid) != NULL)
        e = wait_sleep(&node(closed), WAIT_FOREVER, 0);
    return e;
}

// A FORGET that was dropped is asked for again: without it the process could never move on.
static void repaired(void *arg)
{
    struct handoff_event e = {.kind = HANDOFF_REPAIRED_K, .from = cluster_self()};
    struct arrival *a = arg;
    if (a->check_waits) { // for this node's rooms, and they do not open
        check_begin(a);
        return;
    }
    if (a->step.state == HANDOFF_RESUME)
        timer_set(&a->repair, clock_now_ns() + FAULT_REPAIR_NS);
    arrival_event(a, &e);
}

struct arrival *arrival_new(const struct move_wire *w)
{
    struct arrival *a = heap_zalloc(sizeof(*a));
    if (a == NULL)
        return NULL;
    handoff_target_init(&a->step, w->incarnation, w->attempt);
    a->pid = w->pid;
    memcpy(a->decided_by, w->decided_by, sizeof(a->decided_by));
    work_init(&a->work, THREAD_URGENT, import_work);
    timer_init(&a->repair, repaired, a);
    list_append(&node(arrivals), &a->link);
    return a;
}

void arrival_over(struct arrival *a)
{
    // While import_work uses the record it stays, and is discarded there.
    if (a->step.state != HANDOFF_NONE || a->job.process != NULL || a->importing)
        return;
    list_remove(&a->link);
    timer_cancel(&a->repair);
    ghost_free(&a->ghost);
    heap_free(a);
    wait_wake_all(&node(closed));
}

static void local_event(struct arrival *a, enum handoff_kind kind, int error)
{
    struct handoff_event e = {.kind = (uint8_t)kind, .from = cluster_self(), .error = error};
    arrival_event(a, &e);
}

// ---- CHECK -------------------------------------------------------------------------------------

static int check(const struct arrival *a)
{
    struct arch_features f = arch_cpu_features();
    const struct member *self = cluster_member(cluster_self());
    if (self == NULL || self->state != MEMBER_ONLINE || !node(is_open))
        return -EHOSTDOWN; // not open: the wait for it has ended
    if ((a->asked.features_edx & ~f.edx) || (a->asked.features_ecx & ~f.ecx))
        return -EBUSY; // it may have seen what this CPU lacks
    if (departure_of(a->pid) != NULL || process_find(a->pid) != NULL)
        return -EBUSY;
    return frame_free_count() < FREE_FRAMES_MIN ? -ENOMEM : 0;
}

// A process that comes back may overtake the last steps of its own thread out of here.
static bool own_thread_leaves(const struct arrival *a)
{
    const struct departure *d = departure_of(a->pid);
    return d != NULL && (d->step.state == HANDOFF_RESUME || d->step.state == HANDOFF_NONE);
}

// The timer is free for it: repair begins when the process runs here.
static void check_begin(struct arrival *a)
{
    bool boots = !node(is_open) && clock_now_ns() < a->repair.at_ns;
    a->check_waits = boots || own_thread_leaves(a);
    if (a->check_waits)
        return;
    timer_cancel(&a->repair);
    local_event(a, HANDOFF_CHECKED_K, check(a));
}

void arrival_departed(int32_t pid)
{
    struct arrival *a, *next;
    list_for_each_safe (a, next, &node(arrivals), link)
        if (a->pid == pid && a->check_waits)
            check_begin(a);
}

// ---- the ghost ---------------------------------------------------------------------------------

// Puts a piece in its place; true when the ghost is whole.
bool arrival_piece(struct arrival *a, const struct move_wire *w, const void *piece, size_t n)
{
    struct ghost *g = &a->ghost;
    if (w->ghost_at == 0 && a->step.state == HANDOFF_CHECK) {
        ghost_free(g);
        if (w->ghost_bytes <= GHOST_BYTES_MAX)
            g->bytes = heap_alloc(w->ghost_bytes);
        g->capacity = g->bytes ? w->ghost_bytes : 0;
    }
    if (w->ghost_at != g->n || n > g->capacity - g->n || w->ghost_bytes < g->n + n) {
        cluster_count_add("migrate: piece of a ghost out of place", 1);
        // A ghost that cannot be whole is refused when it is checked; the last piece tells.
        return (uint64_t)w->ghost_at + n >= w->ghost_bytes;
    }
    memcpy(g->bytes + g->n, piece, n);
    g->n += n;
    return g->n == w->ghost_bytes;
}

static int import(struct arrival *a)
{
    const char *why;
    if (!ghost_check(&a->ghost, &why)) {
        log_warn("migrate", "ghost of %d refused: %s", a->pid, why);
        cluster_count_add("migrate: ghost refused", 1);
        return -EPROTO;
    }
    struct ghost_header h;
    memcpy(&h, a->ghost.bytes, sizeof(h));
    if (h.pid != a->pid || h.incarnation != a->step.incarnation || h.source != a->step.source)
        return -EPROTO;
    int e = ghost_import(&a->job, &a->ghost);
    a->ghost_total = (uint32_t)a->ghost.n;
    // The cluster's clock must not go back for the process (PROTOCOLS 7).
    for (uint64_t now = cluster_clock_ns(); e == 0 && now < h.frozen_ns; now = cluster_clock_ns())
        (void)wait_for_ns(h.frozen_ns - now, 0);
    a->frozen_ns = h.frozen_ns;
    return e;
}

static void import_work(struct work *w)
{
    struct arrival *a = container_of(w, struct arrival, work);
    int e = 0;
    if (!a->discarded && a->job.process == NULL)
        e = import(a);
    ghost_free(&a->ghost);
    if (a->discarded && a->job.process)
        ghost_import_undo(&a->job);
    a->importing = false;
    if (a->discarded)
        arrival_over(a);
    else
        local_event(a, HANDOFF_IMPORTED_K, e);
}

// ---- effects -----------------------------------------------------------------------------------

static void discard(struct arrival *a)
{
    a->discarded = true;
    if (!a->importing && a->job.process) {
        a->importing = true; // files are told to their homes: that may sleep
        work_queue(&a->work);
    }
}

// Threads have birth nodes of their own, which need not be the process's.
static void threads_tell(const struct process *p)
{
    const struct task *t;
    struct move_wire w = {
        .kind = HANDOFF_LOCATION_K, .state = 1, .node = cluster_self(), .about = p->incarnation};
    list_for_each (t, &p->tasks, link) {
        w.pid = t->tid;
        if (t->tid == p->pid)
            continue;
        location_set_thread(t->tid, cluster_self(), p->incarnation);
        if (birth_node_of(t->tid) != cluster_self())
            move_send(birth_node_of(t->tid), &w, NULL, 0);
    }
}

static void run(struct arrival *a)
{
    struct process *p = a->job.process;
    uint64_t now = cluster_clock_ns();
    struct move_record r = {
        .pid = a->pid,
        .incarnation = p->incarnation,
        .from = a->step.source,
        .to = cluster_self(),
        .outcome = "done",
        .freeze_us = (uint32_t)((now - a->frozen_ns) / 1000),
        .ghost_bytes = a->ghost_total,
        .at_ns = now,
    };
    struct container_counts c;
    container_space_counts(p->space, &c);
    r.fetched_before = c.fetched;
    r.drained_before = c.drained;
    memcpy(r.decided_by, a->decided_by, sizeof(r.decided_by));
    history_add(&r);
    p->state = PROCESS_RUNNING;
    p->arrived_ns = now;
    if (a->job.alarm_set)
        timer_set(&p->alarm, p->alarm.at_ns);
    process_timers_start(p);
    location_hint(a->pid, cluster_self(), p->incarnation);
    timer_set(&a->repair, clock_now_ns() + FAULT_REPAIR_NS);
    threads_tell(p);
    struct task *t;
    list_for_each (t, &p->tasks, link)
        task_start(t);
    census_tell();
    a->job.process = NULL;
    a->job.task = NULL;
}

void arrival_effects(struct arrival *a, const struct handoff_out *out,
                     const struct move_wire *asked)
{
    if (out->effects & HANDOFF_DO_DISCARD)
        discard(a);
    if (out->effects & HANDOFF_DO_RUN)
        run(a);
    if (out->effects & HANDOFF_DO_IMPORT) {
        a->importing = true;
        work_queue(&a->work);
    }
    if (out->effects & HANDOFF_DO_CHECK) {
        a->asked = *asked;
        if (!node(is_open))
            timer_set(&a->repair, clock_now_ns() + OPEN_NS_MAX);
        check_begin(a);
    } else {
        arrival_over(a);
    }
}

void arrivals_epoch(struct handoff_event *in)
{
    struct arrival *a, *next;
    list_for_each_safe (a, next, &node(arrivals), link)
        arrival_event(a, in);
}

static void arrivals_start(void)
{
    wait_init(&node(closed));
}
INIT_STEP(INIT_CORE, arrivals_start);

// A node is a member before its rooms can take a process in: who asked before waits until now, or
// for OPEN_NS_MAX.
static void arrivals_open(void)
{
    struct arrival *a, *next;
    node(is_open) = true;
    list_for_each_safe (a, next, &node(arrivals), link)
        if (a->check_waits)
            check_begin(a);
}
INIT_STEP(INIT_SCHED, arrivals_open);
