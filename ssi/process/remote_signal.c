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

static struct wire_sender sender_of(const struct process *p)
{
    return (struct wire_sender){p->pid, p->sid, p->cred.uid, p->cred.euid};
}

static bool permitted(const struct wire_sender *s, const struct process *to, int signal)
{
    if (s->euid == 0 || s->euid == to->cred.suid || s->euid == to->cred.uid ||
        s->uid == to->cred.suid || s->uid == to->cred.uid)
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
    else if (info.signal && !signal_seen_before(p, in->from, m.request))
        e = signal_post_process(p, &info);
    (void)FAULT("signal", "queued", in->from);
    answer_done(in, p->incarnation, e, NULL, 0);
}

int remote_signal(const struct process *from, int32_t pid, const struct signal_info *info)
{
    struct message_signal m = {
        .about = {pid, 0},
        .request = ++node(last_request),
        .sender = sender_of(from),
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
        .sender = sender_of(from),
        .info = info_out(info),
    };
    struct group_answer sum;
    sweep_all(&m, &sum);
    if (sum.reached)
        return 0;
    return sum.refused ? -EPERM : -ESRCH;
}

// ---- the terminal's signals, and others that must not sleep ------------------------------------
struct soon {
    struct list link;
    struct message_group message;
};

NODE_VAR(struct list, soon_queue);
NODE_VAR(struct work, soon_work);

static void soon_run(struct work *w)
{
    (void)w;
    struct list *l;
    while ((l = list_pop(&node(soon_queue))) != NULL) {
        struct soon *s = list_entry(l, struct soon, link);
        struct group_answer sum;
        sweep_all(&s->message, &sum);
        heap_free(s);
    }
}

void group_signal_soon(int32_t pgrp, int signal)
{
    struct message_group m = {
        .pgrp = pgrp,
        .request = ++node(last_request),
        .from_kernel = true,
        .info = {.signal = signal, .code = SI_KERNEL},
    };
    struct group_answer here = {0};
    group_apply(cluster_self(), &m, &here);
    if (cluster_count() <= 1 && !here.moving)
        return;
    struct soon *s = heap_alloc(sizeof(*s));
    if (!s) {
        cluster_count_add("process: no memory to pass a group's signal on", 1);
        return;
    }
    s->message = m;
    list_append(&node(soon_queue), &s->link);
    work_queue(&node(soon_work));
}

static void soon_init(void)
{
    list_init(&node(soon_queue));
    work_init(&node(soon_work), THREAD_NORMAL, soon_run);
}
INIT_STEP(INIT_THREADS, soon_init);
