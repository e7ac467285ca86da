// SPDX-License-Identifier: MIT
// Signals between nodes: each is numbered by its sender's node and carried out once, also when the
// sender has to ask again because the process was on its way.
#include "kernel/fault.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "kernel/work.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/group.h"
#include "ssi/process/messages.h"
#include "ssi/process/owner.h"
#include "ssi/process/remote.h"

#define SWEEPS_MAX 2000
#define WAIT_NS    (2 * NS_PER_MS)

NODE_VAR(uint32_t, last_request);

static struct wire_info info_out(const struct signal_info *i)
{
    return (struct wire_info){i->signal, i->error,   i->code,  i->pid,
                              i->uid,    i->address, i->value, i->status};
}

// False: no such signal; a peer is not trusted.
static bool info_in(const struct wire_info *w, struct signal_info *i)
{
    *i = (struct signal_info){w->signal, w->error,   w->code,  w->pid,
                              w->uid,    w->address, w->value, w->status};
    return w->signal >= 0 && w->signal <= SIGNAL_MAX;
}

struct wire_sender remote_sender(const struct process *p)
{
    const struct credentials *c = process_acting(p);
    return (struct wire_sender){p->pid, p->sid, c->uid, c->euid, c->permitted, c->effective};
}

static bool permitted(const struct wire_sender *s, const struct process *to, int signal)
{
    if (s->effective & CAPABILITY_BIT(CAP_KILL) || s->euid == to->cred.suid ||
        s->euid == to->cred.uid || s->uid == to->cred.suid || s->uid == to->cred.uid)
        return true;
    return signal == SIGCONT && s->sid == to->sid;
}

bool signal_seen_before(struct process *p, node_id_t from, uint32_t request)
{
    for (unsigned i = 0; i < SIGNALS_SEEN; i++) {
        if (p->seen[i].node == from && p->seen[i].request == request)
            return true;
    }
    p->seen[p->seen_next] = (struct signal_seen){from, request};
    p->seen_next = (p->seen_next + 1) % SIGNALS_SEEN;
    return false;
}

// ---- to one process ----------------------------------------------------------------------------
// To the task of p, to p when tid is 0. -ESRCH when it has none of it (any more).
static int post(struct process *p, int32_t tid, const struct signal_info *info)
{
    struct task *t = tid ? task_find(tid) : NULL;
    if (tid && (t == NULL || t->process != p))
        return -ESRCH;
    if (info->signal == 0)
        return 0;
    return t ? signal_post_task(t, info) : signal_post_process(p, info);
}

void process_on_signal(const struct rpc_in *in)
{
    struct process *p = answer_find(in, sizeof(struct message_signal));
    if (!p)
        return;
    struct message_signal m;
    struct signal_info info;
    memcpy(&m, in->bytes, sizeof(m));
    int e = 0;
    if (!info_in(&m.info, &info))
        e = -EINVAL;
    else if (!permitted(&m.sender, p, info.signal))
        e = -EPERM;
    else if (info.signal == 0 || !signal_seen_before(p, in->from, m.request))
        e = post(p, m.tid, &info);
    (void)FAULT("signal", "queued", in->from);
    answer_done(in, p->incarnation, e, NULL, 0);
}

int remote_signal(const struct process *from, int32_t pid, int32_t tid,
                  const struct signal_info *info)
{
    struct message_signal m = {
        .about = {pid, 0},
        .request = ++node(last_request),
        .tid = tid,
        .sender = remote_sender(from),
        .info = info_out(info),
    };
    return routed_call(pid, MSG_process_signal, &m, sizeof(m), NULL, 0);
}

// ---- to a group --------------------------------------------------------------------------------
static bool addressed(const struct process *p, const struct message_group *m)
{
    if (p->state == PROCESS_ZOMBIE && m->pgrp == GROUP_EVERYBODY)
        return false;
    return m->pgrp == GROUP_EVERYBODY ? p->pid != m->sender.pid : p->pgrp == m->pgrp;
}

// To the members on this node. Never sleeps.
static void group_apply(node_id_t from, const struct message_group *m, struct group_answer *a)
{
    struct signal_info info;
    if (!info_in(&m->info, &info))
        return;
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (!addressed(p, m))
            continue;
        if (p->state == PROCESS_MOVING) {
            a->moving++;
        } else if (!m->from_kernel && !permitted(&m->sender, p, info.signal)) {
            a->refused++;
        } else {
            a->reached++;
            if (info.signal && !signal_seen_before(p, from, m->request))
                (void)signal_post_process(p, &info);
        }
    }
}

void process_on_group(const struct rpc_in *in)
{
    struct message_group m;
    struct group_answer a = {0};
    if (in->n != sizeof(m)) {
        cluster_count_add("process: malformed message", 1);
        rpc_reply(in->from, in->request, -EPROTO, NULL, 0);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    group_apply(in->from, &m, &a);
    rpc_reply(in->from, in->request, 0, &a, sizeof(a));
}

// Once over all nodes.
static void sweep(const struct message_group *m, struct group_answer *sum)
{
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        struct group_answer a = {0};
        if (n == cluster_self())
            group_apply(n, m, &a);
        else if (rpc_call(n, MSG_process_group, m, sizeof(*m), &a, sizeof(a), 0) != (long)sizeof(a))
            continue;
        sum->reached += a.reached;
        sum->refused += a.refused;
        sum->moving += a.moving;
    }
}

// A member that moves while we go round is met by the second round, or waited for. The numbers
// keep a member that is met twice from getting it twice.
static void sweep_all(const struct message_group *m, struct group_answer *sum)
{
    for (unsigned i = 0; i < SWEEPS_MAX; i++) {
        *sum = (struct group_answer){0};
        sweep(m, sum);
        if (cluster_count() <= 1 && !sum->moving)
            return;
        if (i >= 1 && !sum->moving)
            return;
        if (sum->moving)
            (void)wait_for_ns(WAIT_NS, 0);
    }
}

int group_kill(const struct process *from, int32_t pgrp, const struct signal_info *info)
{
    struct message_group m = {
        .pgrp = pgrp,
        .request = ++node(last_request),
        .sender = remote_sender(from),
        .info = info_out(info),
    };
    struct group_answer sum;
    sweep_all(&m, &sum);
    if (sum.reached)
        return 0;
    return sum.refused ? -EPERM : -ESRCH;
}

// ---- the terminal's signals, and others that must not sleep ------------------------------------
#define SOON_MAX 1024 // signals that wait for one process each

struct soon {
    struct list link;
    bool to_one;
    union {
        struct message_group message;
        struct message_signal one;
    };
};

NODE_VAR(struct list, soon_queue);
NODE_VAR(struct work, soon_work);
NODE_VAR(unsigned, soon_ones);

// Nobody asks how it went. A queue that is full gets SIGIO instead, as fcntl(2) has it of F_SETSIG.
static void one_run(struct message_signal *m)
{
    node(soon_ones)--;
    int e = routed_call(m->about.pid, MSG_process_signal, m, sizeof(*m), NULL, 0);
    if (e != -EAGAIN)
        return;
    m->request = ++node(last_request);
    m->info = (struct wire_info){.signal = SIGIO, .code = SI_KERNEL};
    (void)routed_call(m->about.pid, MSG_process_signal, m, sizeof(*m), NULL, 0);
}

static void soon_run(struct work *w)
{
    (void)w;
    struct list *l;
    while ((l = list_pop(&node(soon_queue))) != NULL) {
        struct soon *s = list_entry(l, struct soon, link);
        struct group_answer sum;
        if (s->to_one)
            one_run(&s->one);
        else
            sweep_all(&s->message, &sum);
        heap_free(s);
    }
}

static void queue_soon(const struct soon *what)
{
    struct soon *s = heap_alloc(sizeof(*s));
    if (!s) {
        cluster_count_add("process: no memory to pass a signal on", 1);
        return;
    }
    *s = *what;
    node(soon_ones) += s->to_one;
    list_append(&node(soon_queue), &s->link);
    work_queue(&node(soon_work));
}

static void group_soon(struct message_group *m)
{
    struct group_answer here = {0};
    m->request = ++node(last_request);
    group_apply(cluster_self(), m, &here);
    if (cluster_count() <= 1 && !here.moving)
        return;
    struct soon s = {.message = *m};
    queue_soon(&s);
}

void group_signal_soon(int32_t pgrp, int signal)
{
    struct message_group m = {
        .pgrp = pgrp,
        .from_kernel = true,
        .info = {.signal = signal, .code = SI_KERNEL},
    };
    group_soon(&m);
}

// ---- of open files: to their owners ------------------------------------------------------------
static bool queued(const struct message_signal *m)
{
    const struct soon *s;
    list_for_each (s, &node(soon_queue), link)
        if (s->to_one && s->one.about.pid == m->about.pid && s->one.tid == m->tid &&
            s->one.info.signal == m->info.signal)
            return true;
    return false;
}

static void owner_one(const struct wire_sender *by, int32_t pid, int32_t tid,
                      const struct signal_info *info)
{
    struct process *p = process_find(pid);
    if (p && p->state != PROCESS_MOVING) {
        struct signal_info plain = {.signal = SIGIO, .code = SI_KERNEL};
        if (permitted(by, p, 0) && post(p, tid, info) == -EAGAIN)
            (void)post(p, tid, &plain);
        return;
    }
    struct soon s = {.to_one = true,
                     .one = {.about = {pid, 0},
                             .request = ++node(last_request),
                             .tid = tid,
                             .sender = *by,
                             .info = info_out(info)}};
    if (info->signal < SIGRTMIN && queued(&s.one))
        return; // one is enough
    if (node(soon_ones) >= SOON_MAX)
        cluster_count_add("process: too many signals wait to be passed on", 1);
    else
        queue_soon(&s);
}

void owner_signal_soon(const struct file_owner_facts *to, const struct signal_info *info)
{
    struct wire_sender by = {.sid = -1, .uid = to->uid, .euid = to->euid};
    by.effective = to->euid == 0 ? CAPABILITY_BIT(CAP_KILL) : 0;
    struct message_group m = {.pgrp = to->id, .sender = by, .info = info_out(info)};
    if (to->type == OWNER_GROUP)
        group_soon(&m);
    else
        owner_one(&by, to->type == OWNER_TASK ? to->process : to->id,
                  to->type == OWNER_TASK ? to->id : 0, info);
}

static void soon_init(void)
{
    list_init(&node(soon_queue));
    node(soon_ones) = 0;
    work_init(&node(soon_work), THREAD_NORMAL, soon_run);
}
INIT_STEP(INIT_THREADS, soon_init);
