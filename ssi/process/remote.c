// SPDX-License-Identifier: MIT
// What is done to a process on another node: signals, groups, news of children, orphans, reaping.
#include "ssi/process/remote.h"
#include "kernel/init.h"
#include "kernel/work.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/wire.h"
#include "ssi/process/group.h"
#include "ssi/process/location.h"
#include "ssi/process/messages.h"
#include "ssi/process/pidfd.h"
#include "ssi/process/session.h"

#define MOVE_WAIT_NS (5 * NS_PER_MS)

// ---- facts -------------------------------------------------------------------------------------
void process_on_facts(const struct rpc_in *in)
{
    struct process *p = answer_find_thread(in, sizeof(struct message_about));
    if (!p)
        return;
    struct remote_facts f = {
        .pid = p->pid,
        .parent = p->parent,
        .pgrp = p->pgrp,
        .sid = p->sid,
        .incarnation = p->incarnation,
        .uid = p->cred.uid,
        .euid = p->cred.euid,
        .suid = p->cred.suid,
        .nice = p->nice,
        .effective = p->cred.effective,
        .permitted = p->cred.permitted,
        .inheritable = p->cred.inheritable,
        .state = (uint16_t)p->state,
        .subreaper = p->subreaper && !p->exiting,
        .node = cluster_self(),
    };
    answer_done(in, p->incarnation, 0, &f, sizeof(f));
}

int remote_facts(int32_t pid, struct remote_facts *f)
{
    struct message_about m = {pid, 0};
    struct {
        struct answer head;
        struct remote_facts facts;
    } PACKED reply;
    int e = routed_call(pid, MSG_process_facts, &m, sizeof(m), &reply, sizeof(reply));
    if (e == 0)
        *f = reply.facts;
    return e;
}

// ---- groups ------------------------------------------------------------------------------------
void process_on_set_group(const struct rpc_in *in)
{
    struct process *p = answer_find(in, sizeof(struct message_set_group));
    if (!p)
        return;
    struct message_set_group m;
    memcpy(&m, in->bytes, sizeof(m));
    answer_done(in, p->incarnation, session_set_child_group(p, m.pgrp, m.sid), NULL, 0);
}

int remote_set_group(int32_t pid, int32_t pgrp, int32_t sid)
{
    struct message_set_group m = {{pid, 0}, pgrp, sid};
    return routed_call(pid, MSG_process_set_group, &m, sizeof(m), NULL, 0);
}

// ---- children and parents ----------------------------------------------------------------------
void process_on_child(const struct rpc_in *in)
{
    struct process *parent = answer_find(in, sizeof(struct message_child));
    if (!parent)
        return;
    struct message_child m;
    memcpy(&m, in->bytes, sizeof(m));
    int e = child_report_apply(&m.report);
    int wanted = e == 1 ? -ECHILD : e; // "reap it" travels as an errno of its own
    answer_done(in, parent->incarnation, wanted, NULL, 0);
}

int remote_child_report(const struct child_report *r)
{
    struct message_child m = {{r->parent, 0}, *r};
    int e = routed_call(r->parent, MSG_process_child, &m, sizeof(m), NULL, 0);
    return e == -ECHILD ? 1 : e;
}

void process_on_reap(const struct rpc_in *in)
{
    struct message_about m;
    if (in->n != sizeof(m)) {
        cluster_count_add("process: malformed message", 1);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    struct process *p = process_find(m.pid);
    if (p && p->state == PROCESS_ZOMBIE)
        process_reap(p);
}

void remote_child_reap(node_id_t where, int32_t pid)
{
    struct message_about m = {pid, 0};
    wire_send(where, MSG_process_reap, &m, sizeof(m));
}

void process_on_orphan(const struct rpc_in *in)
{
    struct process *p = answer_find(in, sizeof(struct message_orphan));
    if (!p)
        return;
    struct message_orphan m;
    memcpy(&m, in->bytes, sizeof(m));
    uint32_t incarnation = p->incarnation;
    if (p->state == PROCESS_ZOMBIE && m.parent == PID_CLUSTER)
        process_reap(p);
    else
        process_orphaned(p, m.parent);
    answer_done(in, incarnation, 0, NULL, 0);
}

int remote_orphan(int32_t pid, int32_t parent)
{
    struct message_orphan m = {{pid, 0}, parent};
    int e = routed_call(pid, MSG_process_orphan, &m, sizeof(m), NULL, 0);
    if (e < 0 && e != -ESRCH)
        cluster_count_add("process: an orphan was not told", 1);
    return e;
}

void process_on_adopt(const struct rpc_in *in)
{
    struct process *p = answer_find(in, sizeof(struct message_adopt));
    if (!p)
        return;
    struct message_adopt m;
    memcpy(&m, in->bytes, sizeof(m));
    struct child c = {
        .pid = m.child,
        .pgrp = m.pgrp,
        .state = (enum child_state)m.state,
        .status = m.status,
        .uid = m.uid,
        .node = m.node,
        .usage = m.usage,
    };
    bool good = m.state <= CHILD_EXITED && m.node < NODE_MAX && !child_find(p, m.child);
    int e = good ? child_adopt(p, &c) : -EPROTO;
    answer_done(in, p->incarnation, e == 1 ? -ECHILD : e, NULL, 0); // as of process_on_child
}

int remote_child_adopt(int32_t parent, const struct child *c)
{
    struct message_adopt m = {
        .about = {parent, 0},
        .child = c->pid,
        .pgrp = c->pgrp,
        .status = c->status,
        .uid = c->uid,
        .node = c->node,
        .state = (uint16_t)c->state,
        .usage = c->usage,
    };
    int e = routed_call(parent, MSG_process_adopt, &m, sizeof(m), NULL, 0);
    return e == -ECHILD ? 1 : e;
}

void process_on_gone(const struct rpc_in *in)
{
    struct message_gone m;
    if (in->n != sizeof(m)) {
        cluster_count_add("process: malformed message", 1);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    int32_t pid = m.about.pid;
    node_id_t where;
    uint32_t known;
    if (pid_birth_node(pid) != cluster_self() || process_find(pid) || !pid_in_use(pid))
        return;
    if (location_known(pid, &where, &known) && known > m.about.incarnation) {
        cluster_count_add("process: news of an older incarnation refused", 1);
        return;
    }
    location_forget(pid);
    pid_put(pid);
    (void)init_child_ended(pid, m.status);
}

void remote_pid_free(int32_t pid, uint32_t incarnation, int status)
{
    struct message_gone m = {{pid, incarnation}, status};
    node_id_t birth = pid_birth_node(pid);
    if (cluster_is_member(birth))
        wire_send(birth, MSG_process_gone, &m, sizeof(m));
}

void tid_put(const struct process *p, int32_t tid)
{
    if (pid_birth_node(tid) != cluster_self()) {
        remote_pid_free(tid, p->incarnation, 0);
        return;
    }
    location_forget(tid);
    pid_put(tid);
}

// ---- after a node's death: who of the relatives is left ----------------------------------------
static void child_lost(struct process *parent, const struct child *c)
{
    struct child_report r = {
        .parent = parent->pid,
        .child = c->pid,
        .news = NEWS_EXITED,
        .node = NODE_NONE,
        .status = SIGKILL,
        .pgrp = c->pgrp,
        .uid = c->uid,
    };
    (void)child_report_apply(&r);
}

static void parent_lost(struct process *p)
{
    if (p->state == PROCESS_MOVING) { // what is set now would not travel: when it has arrived
        relatives_check();
        return;
    }
    if (p->state == PROCESS_ZOMBIE) {
        process_reap(p);
        return;
    }
    process_orphaned(p, PID_CLUSTER);
}

// On every node: a process is no more, whoever was its relative.
void process_on_lost(const struct rpc_in *in)
{
    struct message_about m;
    if (in->n != sizeof(m)) {
        cluster_count_add("process: malformed message", 1);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    cluster_event("process %d lost with node %u", m.pid, m.incarnation);
    pidfd_process_lost(m.pid);
    int32_t pid = 0;
    for (struct process *p; (p = process_next(pid)) != NULL;) {
        pid = p->pid;
        struct child *c = child_find(p, m.pid);
        if (c && c->state != CHILD_EXITED)
            child_lost(p, c);
        if (p->parent == m.pid)
            parent_lost(p);
    }
}

// This node included; `with` travels in the incarnation's place.
void relatives_lost(int32_t pid, node_id_t with)
{
    struct message_about m = {pid, with};
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n))
        wire_send(n, MSG_process_lost, &m, sizeof(m));
}

static void check_children(int32_t pid)
{
    // After each search the lists may have changed: begin again behind the child looked at.
    int32_t after = 0;
    for (;;) {
        struct process *p = process_find(pid);
        struct child *c, *next = NULL;
        if (!p || p->state == PROCESS_ZOMBIE)
            return;
        list_for_each (c, &p->children, link) {
            if (c->pid > after && c->state != CHILD_EXITED && !process_find(c->pid) &&
                (!next || c->pid < next->pid))
                next = c;
        }
        if (!next)
            return;
        after = next->pid;
        if (location_search(after) != NODE_NONE)
            continue;
        p = process_find(pid);
        c = p ? child_find(p, after) : NULL;
        if (!c || c->state == CHILD_EXITED || process_find(after))
            continue;
        node_id_t birth = pid_birth_node(after);
        if (!cluster_is_member(birth)) // else the birth node says so
            cluster_event("process %d lost with node %u", after, birth);
        child_lost(p, c);
    }
}

static void check_parent(int32_t pid)
{
    struct process *p = process_find(pid);
    if (!p || p->parent == PID_CLUSTER || process_find(p->parent))
        return;
    if (location_search(p->parent) != NODE_NONE)
        return;
    while ((p = process_find(pid)) != NULL && p->state == PROCESS_MOVING)
        (void)wait_for_ns(MOVE_WAIT_NS, 0);
    if (p)
        parent_lost(p);
}

static void check_work(struct work *w)
{
    (void)w;
    int32_t pid = 0;
    for (struct process *p; (p = process_next(pid)) != NULL;) {
        pid = p->pid;
        check_children(pid);
        check_parent(pid);
    }
    pidfd_check_all();
}

NODE_VAR(struct work, relatives_work);

void relatives_check(void)
{
    work_queue(&node(relatives_work));
}

static void relatives_init(void)
{
    work_init(&node(relatives_work), THREAD_NORMAL, check_work);
}
INIT_STEP(INIT_THREADS, relatives_init);
