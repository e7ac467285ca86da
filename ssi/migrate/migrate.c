// SPDX-License-Identifier: MIT
// The room around the hand-off's step functions: finds the record of a message, steps it, carries
// out the effects, sends what it says. Who asks for a move comes in here too.
#include "ssi/migrate/migrate.h"
#include "kernel/init.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/container/wire.h"
#include "ssi/migrate/migrate_priv.h"
#include "ssi/process/aio.h"
#include "ssi/process/location.h"
#include "ssi/process/procfs.h"
#include "ssi/process/seccomp.h"
#include "ssi/process/tracee.h"

#define FILTERS_MAX (SECCOMP_CHAIN_MAX / 2) // of seccomp: half of a ghost
#define RESULTS_MAX 2048u                   // of asynchronous I/O: a quarter

NODE_VAR(uint8_t, message[RPC_BYTES_MAX]); // put together here: nothing sleeps meanwhile

// Who keeps the birth record of a pid in this epoch.
node_id_t birth_node_of(int32_t pid)
{
    node_id_t born = (node_id_t)(pid / PID_PER_NODE);
    return cluster_is_member(born) ? born : cluster_successor(born);
}

void move_send(node_id_t to, const struct move_wire *w, const void *piece, size_t n)
{
    ASSERT(n <= GHOST_PIECE_BYTES);
    FAULT_SEND("handoff", handoff_kind_name(w->kind), to);
    memcpy(node(message), w, sizeof(*w));
    if (n > 0)
        memcpy(node(message) + sizeof(*w), piece, n);
    wire_send(to, MSG_move, node(message), sizeof(*w) + n); // also when memory is short
}

static struct move_wire wire_of(int32_t pid, uint32_t incarnation, uint32_t attempt,
                                const struct handoff_send *s)
{
    return (struct move_wire){
        .pid = pid,
        .incarnation = incarnation,
        .attempt = attempt,
        .kind = s->kind,
        .state = s->state,
        .node = s->node,
        .error = s->error,
        .about = s->incarnation,
    };
}

// ---- the source --------------------------------------------------------------------------------

static void departure_sends(struct departure *d, const struct handoff_out *out)
{
    for (unsigned i = 0; i < out->sends; i++) {
        const struct handoff_send *s = &out->send[i];
        struct move_wire w = wire_of(d->pid, d->step.incarnation, d->step.attempt, s);
        if (s->kind == HANDOFF_GHOST_K) {
            departure_ghost_send(d);
            continue;
        }
        if (s->kind == HANDOFF_CHECK_REQ_K) {
            const struct process *p = process_find(d->pid);
            w.features_edx = p ? p->features_edx : 0;
            w.features_ecx = p ? p->features_ecx : 0;
            memcpy(w.decided_by, d->decided_by, sizeof(w.decided_by));
        }
        move_send(s->to, &w, NULL, 0);
    }
}

void departure_event(struct departure *d, struct handoff_event *in)
{
    struct handoff_out out;
    in->birth = birth_node_of(d->pid);
    handoff_source_step(&d->step, in, &out);
    if (out.refused) {
        cluster_count_add("migrate: no such event at the source", 1);
        return;
    }
    trace_state("source", handoff_state_word(out.was), handoff_state_word(out.is), (uint32_t)d->pid,
                d->step.attempt);
    bool drop =
        out.is != out.was && FAULT("handoff-source", handoff_state_word(out.is), d->step.target);
    // Sends before effects that free what they are made of; both in one stretch of the lock.
    if (drop)
        timer_set(&d->repair, clock_now_ns() + FAULT_REPAIR_NS);
    else
        departure_sends(d, &out);
    departure_effects(d, &out);
}

// ---- the target --------------------------------------------------------------------------------

static void arrival_step(struct arrival *a, struct handoff_event *in, const struct move_wire *asked)
{
    struct handoff_out out;
    in->birth = birth_node_of(a->pid);
    handoff_target_step(&a->step, in, &out);
    if (out.refused) {
        cluster_count_add("migrate: no such event at the target", 1);
        arrival_over(a);
        return;
    }
    trace_state("target", handoff_state_word(out.was), handoff_state_word(out.is), (uint32_t)a->pid,
                a->step.attempt);
    bool drop =
        out.is != out.was && FAULT("handoff-target", handoff_state_word(out.is), a->step.source);
    if (drop)
        timer_set(&a->repair, clock_now_ns() + FAULT_REPAIR_NS);
    for (unsigned i = 0; !drop && i < out.sends; i++) {
        struct move_wire w = wire_of(a->pid, a->step.incarnation, a->step.attempt, &out.send[i]);
        move_send(out.send[i].to, &w, NULL, 0);
    }
    arrival_effects(a, &out, asked);
}

void arrival_event(struct arrival *a, struct handoff_event *in)
{
    arrival_step(a, in, NULL);
}

// ---- messages ----------------------------------------------------------------------------------

// The target speaks of itself and names no node.
static void birth_message(const struct move_wire *w, node_id_t from)
{
    node_id_t at = w->node == NODE_NONE ? from : w->node;
    if (w->kind == HANDOFF_LOCATION_K && w->state)
        location_set_thread(w->pid, at, w->about);
    else if (w->kind == HANDOFF_LOCATION_K)
        location_set(w->pid, at, w->about);
    else
        location_dead(w->pid, w->about, w->node);
}

// A message for a side that has no record: answered from a record made for it alone.
static void source_message(const struct move_wire *w, struct handoff_event *in)
{
    struct departure *d = departure_find(w->pid, w->incarnation, w->attempt);
    if (d) {
        departure_event(d, in);
        return;
    }
    struct handoff_source none;
    struct handoff_out out;
    handoff_source_init(&none, w->incarnation, w->attempt);
    handoff_source_step(&none, in, &out);
    for (unsigned i = 0; !out.refused && i < out.sends; i++) {
        struct move_wire answer = wire_of(w->pid, w->incarnation, w->attempt, &out.send[i]);
        move_send(out.send[i].to, &answer, NULL, 0);
    }
}

static void target_message(const struct move_wire *w, struct handoff_event *in, const void *piece,
                           size_t n)
{
    struct arrival *a = arrival_find(w);
    if (a == NULL)
        a = arrival_new(w);
    if (a == NULL) {
        struct move_wire answer = *w;
        answer.kind = HANDOFF_REFUSED_K;
        answer.error = -ENOMEM;
        move_send(in->from, &answer, NULL, 0);
        return;
    }
    if (w->kind == HANDOFF_GHOST_K && !arrival_piece(a, w, piece, n))
        return;
    arrival_step(a, in, w);
}

void migrate_message(const struct rpc_in *in)
{
    struct move_wire w;
    if (in->n < sizeof(w)) {
        cluster_count_add("migrate: malformed message", 1);
        return;
    }
    memcpy(&w, in->bytes, sizeof(w));
    w.decided_by[sizeof(w.decided_by) - 1] = '\0';
    bool carries = w.kind == HANDOFF_GHOST_K;
    if (w.kind >= HANDOFF_LOCAL_FIRST || w.pid <= PID_CLUSTER || (in->n > sizeof(w)) != carries) {
        cluster_count_add("migrate: malformed message", 1);
        return;
    }
    struct handoff_event e = {
        .kind = w.kind,
        .state = w.state,
        .from = in->from,
        .node = w.node,
        .error = w.error,
        .incarnation = w.about ? w.about : w.incarnation,
        .attempt = w.attempt,
    };
    switch (handoff_kind_side(w.kind)) {
    case HANDOFF_AT_SOURCE:
        source_message(&w, &e);
        break;
    case HANDOFF_AT_TARGET:
        target_message(&w, &e, (const uint8_t *)in->bytes + sizeof(w), in->n - sizeof(w));
        break;
    case HANDOFF_AT_BIRTH:
        birth_message(&w, in->from);
        break;
    case HANDOFF_AT_BOTH:
    case HANDOFF_AT_NOBODY:
        cluster_count_add("migrate: malformed message", 1);
        break;
    }
}

static void on_epoch(const struct epoch_change *change)
{
    struct handoff_event e = {.kind = HANDOFF_EPOCH_K, .from = cluster_self()};
    for (unsigned i = 0; i < change->gone_count; i++)
        node_set_add(&e.lost, change->gone[i]);
    departures_epoch(&e);
    arrivals_epoch(&e);
}

// ---- who asks ----------------------------------------------------------------------------------

static uint32_t filters_of(const struct process *p) // instructions, of each thread anew
{
    const struct task *t;
    uint32_t sum = 0;
    list_for_each (t, &p->tasks, link)
        sum += t->filters ? t->filters->chain : 0;
    return sum;
}

static uint32_t results_of(const struct process *p) // of asynchronous I/O
{
    uint32_t n = 0;
    for (const struct aio_context *a = p->aio; a; a = a->next)
        n += a->count;
    return n;
}

const char *migrate_reason(struct process *p)
{
    if (p->cannot_move)
        return p->cannot_move;
    if (p->traced || tracee_any(p))
        return "it is traced";
    if (!list_empty(&p->tracees))
        return "it traces another process";
    if (p->state == PROCESS_STOPPED)
        return "it is stopped";
    if (p->task_count > GHOST_THREADS)
        return "it has too many threads";
    if (p->vfork || (p->space && p->space->users > 1))
        return "it shares its memory with another process";
    if (p->fs && p->fs->users > 1)
        return "it shares its current directory with another process";
    if (p->actions && p->actions->users > 1)
        return "it shares its signal handlers with another process";
    if (filters_of(p) > FILTERS_MAX)
        return "its seccomp filters are too large";
    if (results_of(p) > RESULTS_MAX)
        return "too many results of its asynchronous I/O wait";
    if (p->parked + 1 <
        p->task_count) // the others' calls have files in use: looked at when all are here
        return NULL;
    return p->files ? ghost_files_stay(p->files) : NULL;
}

// 0 when a hand-off may begin, 1 when there is nothing to do.
static int request_check(struct process *p, node_id_t target)
{
    if (p == NULL || p->state == PROCESS_ZOMBIE || p->exiting)
        return -ESRCH;
    if (!cluster_is_member(target))
        return -EINVAL;
    if (target == cluster_self())
        return 1;
    if (migrate_reason(p) != NULL)
        return -EBUSY;
    return 0;
}

// Sleeps until the hand-off has its answer. The process that asks for itself is called away from
// here by the freeze (-EINTR) and comes again with the same call.
static int answer_wait(struct departure *d)
{
    int e = 0;
    d->has_asker = true;
    // Answered, but on another CPU its thread may be about to leave still: here until it has.
    while ((!d->answered || (d->frozen && d->verdict == VERDICT_LEAVE)) && e == 0)
        e = wait_sleep(&d->asker, WAIT_FOREVER, d->self_asked ? WAIT_INTERRUPTIBLE : 0);
    int answer = d->answered ? d->answer : e;
    d->answer_taken = d->answered;
    d->has_asker = false;
    departure_over(d);
    return answer;
}

int migrate_process(int32_t pid, node_id_t target, const char *decided_by)
{
    int e = arrival_wait_closed(pid);
    struct process *p = process_find(pid);
    int32_t self = p && p == process_current() ? task_current()->tid : 0;
    struct departure *d = departure_of(pid);
    if (d && self && d->self_asked == self)
        return answer_wait(d);
    if (e == 0)
        e = request_check(p, target);
    if (e != 0)
        return e > 0 ? 0 : e;
    if (d)
        return -EBUSY;
    d = departure_new(p, target, decided_by);
    if (d == NULL)
        return -ENOMEM;
    d->self_asked = self;
    d->has_asker = true;
    struct handoff_event start = {.kind = HANDOFF_START_K, .from = cluster_self(), .node = target};
    departure_event(d, &start);
    return answer_wait(d);
}

// The rule is kill's: who may kill a process may move it.
static int on_migrate(int32_t pid, node_id_t to, const struct credentials *who)
{
    const struct process *p = process_find(pid);
    if (p == NULL)
        return -ESRCH;
    if (!credentials_can(who, CAP_KILL) && who->euid != p->cred.uid && who->euid != p->cred.suid &&
        who->uid != p->cred.uid && who->uid != p->cred.suid)
        return -EPERM;
    return migrate_process(pid, to, "user");
}

static void migrate_start(void)
{
    process_on_migrate = on_migrate;
    cluster_on_epoch(on_epoch);
}
INIT_STEP(INIT_PROCESS, migrate_start);
