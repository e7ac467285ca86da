// SPDX-License-Identifier: MIT
#include "ssi/process/priority.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/messages.h"

#define SLICE_MIN_NS  (1u * NS_PER_MS)
#define SLICE_MAX_NS  (40u * NS_PER_MS)
#define SLICE_RR_NS   (100u * NS_PER_MS)
#define SLICE_IDLE_NS (NS_PER_MS / 2) // SCHED_IDLE: less than the nicest
#define NICEST        20
#define SWEEPS_MAX    2000
#define WAIT_NS       (2 * NS_PER_MS)

// A fourth more or less with each step, as sched(7) has it, within bounds: who waits for a thread
// of -20 does not wait for long, and one of 19 gets something done in its turn.
void task_weigh(struct task *t)
{
    uint64_t slice = THREAD_SLICE_NS;
    int nice = t->process->nice;
    for (; nice > 0; nice--)
        slice = slice * 4 / 5;
    for (; nice < 0; nice++)
        slice = slice * 5 / 4;
    slice = MAX(MIN(slice, (uint64_t)SLICE_MAX_NS), (uint64_t)SLICE_MIN_NS);
    t->thread->slice_ns = t->realtime                     ? (uint32_t)SLICE_RR_NS
                          : t->policy == TASK_POLICY_IDLE ? (uint32_t)SLICE_IDLE_NS
                                                          : (uint32_t)slice;
    thread_realtime_set(t->thread, t->realtime, t->policy == TASK_POLICY_RR);
}

// ---- on one node -------------------------------------------------------------------------------
struct message_priority {
    uint16_t which, set; // enum priority_which; 0: only asked
    int32_t who, nice;
    uint32_t euid; // of who sets
    uint32_t any;  // CAP_SYS_NICE
} PACKED;

struct priority_answer {
    int32_t best; // the lowest nice value
    int32_t error;
    uint32_t matched, moving;
} PACKED;

static int apply(struct process *p, const struct message_priority *m)
{
    struct task *t;
    if (!m->any && m->euid != p->cred.uid && m->euid != p->cred.euid)
        return -EPERM;
    if (m->nice < p->nice && !m->any &&
        (uint32_t)(NICEST - m->nice) > p->limits[RLIMIT_NICE].current)
        return -EACCES;
    p->nice = m->nice;
    list_for_each (t, &p->tasks, link)
        task_weigh(t);
    return 0;
}

static bool selected(const struct process *p, const struct message_priority *m)
{
    switch ((enum priority_which)m->which) {
    case PRIO_PROCESS:
        return p->pid == m->who;
    case PRIO_PGRP:
        return p->pgrp == m->who;
    case PRIO_USER:
        return p->cred.uid == (uint32_t)m->who;
    }
    return false; // a peer's message: no such choice
}

static void sweep(const struct message_priority *m, struct priority_answer *a)
{
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->state == PROCESS_ZOMBIE || !selected(p, m))
            continue;
        if (p->state == PROCESS_MOVING) { // what is set now might not travel
            a->moving++;
            continue;
        }
        int e = m->set ? apply(p, m) : 0;
        a->error = e < 0 ? e : a->error;
        a->best = MIN(a->best, p->nice);
        a->matched++;
    }
}

void process_on_priority(const struct rpc_in *in)
{
    struct message_priority m;
    struct priority_answer a = {.best = NICEST};
    if (in->n != sizeof(m)) {
        cluster_count_add("process: malformed message", 1);
        rpc_reply(in->from, in->request, -EPROTO, NULL, 0);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    if (m.nice >= -NICEST && m.nice < NICEST)
        sweep(&m, &a);
    rpc_reply(in->from, in->request, 0, &a, sizeof(a));
}

// ---- on all ------------------------------------------------------------------------------------
static void sweep_all(const struct message_priority *m, struct priority_answer *a)
{
    *a = (struct priority_answer){.best = NICEST};
    sweep(m, a);
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        struct priority_answer there;
        if (n == cluster_self())
            continue;
        long got = rpc_call(n, MSG_process_priority, m, sizeof(*m), &there, sizeof(there), 0);
        if (got != (long)sizeof(there)) {
            if (got != -EHOSTDOWN) // with a node that died its processes are gone
                a->error = got < 0 ? (int32_t)got : -EIO;
            continue;
        }
        a->best = MIN(a->best, there.best);
        a->error = there.error < 0 ? there.error : a->error;
        a->matched += there.matched;
        a->moving += there.moving;
    }
}

// One that is on its way may be missed by two nodes: until nobody is.
static int everywhere(const struct message_priority *m, struct priority_answer *a)
{
    sweep_all(m, a);
    for (unsigned k = 0; a->moving > 0 && k < SWEEPS_MAX; k++) {
        (void)wait_for_ns(WAIT_NS, 0);
        sweep_all(m, a);
    }
    return a->error < 0 ? a->error : a->matched ? 0 : -ESRCH;
}

int priority_of(enum priority_which which, int32_t who, int *nice)
{
    struct message_priority m = {.which = (uint16_t)which, .who = who};
    struct priority_answer a;
    const struct process *p = which == PRIO_PROCESS ? process_find(who) : NULL;
    if (p && p->state != PROCESS_ZOMBIE && p->state != PROCESS_MOVING) {
        *nice = p->nice;
        return 0;
    }
    int e = everywhere(&m, &a);
    *nice = a.best;
    return e;
}

static struct message_priority wish(const struct process *me, int nice)
{
    return (struct message_priority){.set = 1,
                                     .nice = nice,
                                     .euid = process_acting(me)->euid,
                                     .any = credentials_can(process_acting(me), CAP_SYS_NICE)};
}

int priority_set_one(const struct process *me, struct process *p, int nice)
{
    struct message_priority m = wish(me, nice);
    return apply(p, &m);
}

int priority_set(const struct process *me, enum priority_which which, int32_t who, int nice)
{
    struct message_priority m = wish(me, nice);
    struct priority_answer a;
    struct process *p = which == PRIO_PROCESS ? process_find(who) : NULL;
    if (p && p->state != PROCESS_ZOMBIE && p->state != PROCESS_MOVING)
        return apply(p, &m);
    m.which = (uint16_t)which;
    m.who = who;
    return everywhere(&m, &a);
}
