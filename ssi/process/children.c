// SPDX-License-Identifier: MIT
// Parents and children, which may be on different nodes: the child's node reports, the parent's
// node keeps the record that waits look at.
#include "ssi/process/priv.h"
#include "kernel/fault.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/process/location.h"
#include "ssi/process/remote.h"

uint32_t process_resident_pages(const struct process *p)
{
    uint32_t pages = 0;
    const struct segment *s;
    const void *last = NULL;
    if (!p->space)
        return 0;
    list_for_each (s, &p->space->segments, link) {
        if (s->object != last)
            pages += container_pages_present(s->object);
        last = s->object;
    }
    return MIN(pages, p->space->mapped_pages);
}

struct child *child_find(struct process *p, int32_t pid)
{
    struct child *c;
    list_for_each (c, &p->children, link) {
        if (c->pid == pid)
            return c;
    }
    return NULL;
}

// ---- on the parent's node ----------------------------------------------------------------------
static void child_free(struct child *c)
{
    list_remove(&c->link);
    heap_free(c);
}

static void send_sigchld(struct process *parent, const struct child *c, int signal, int code)
{
    struct signal_info info = {
        .signal = signal, .code = code, .pid = c->pid, .uid = c->uid, .status = c->status};
    if (code == CLD_EXITED)
        info.status = c->status >> 8 & 0xff;
    else if (code == CLD_STOPPED)
        info.status = c->status >> 8 & 0xff;
    else if (code == CLD_CONTINUED)
        info.status = SIGCONT;
    else
        info.status = c->status & 0x7f;
    (void)signal_post_process(parent, &info);
}

static int apply_exit(struct process *parent, struct child *c)
{
    const struct signal_action *a = &parent->actions->action[SIGCHLD - 1];
    bool unwanted = c->exit_signal == SIGCHLD && (a->handler == SIG_IGN || a->flags & SA_NOCLDWAIT);
    int code = (c->status & 0x7f) == 0      ? CLD_EXITED
               : c->status & WAIT_CORE_FLAG ? CLD_DUMPED
                                            : CLD_KILLED;
    if (c->exit_signal && !(c->exit_signal == SIGCHLD && a->handler == SIG_IGN))
        send_sigchld(parent, c, c->exit_signal, code);
    wait_wake_all(&parent->child_wait);
    if (!unwanted)
        return 0;
    child_free(c);
    return 1;
}

static void apply_stop(struct process *parent, struct child *c, bool stopped)
{
    const struct signal_action *a = &parent->actions->action[SIGCHLD - 1];
    c->state = stopped ? CHILD_STOPPED : CHILD_CONTINUED;
    if (a->handler != SIG_IGN && !(a->flags & SA_NOCLDSTOP))
        send_sigchld(parent, c, SIGCHLD, stopped ? CLD_STOPPED : CLD_CONTINUED);
    wait_wake_all(&parent->child_wait);
}

static int record_only(struct child *c, const struct child_report *r)
{
    if (r->news != NEWS_EXITED)
        return 0;
    c->state = CHILD_EXITED;
    c->usage = r->usage;
    return 0;
}

int child_report_apply(const struct child_report *r)
{
    struct process *parent = process_find(r->parent);
    if (!parent || parent->state == PROCESS_ZOMBIE)
        return -ESRCH;
    if (parent->state == PROCESS_MOVING)
        return -EAGAIN;
    struct child *c = child_find(parent, r->child);
    if (!c)
        return -ESRCH;
    if (c->state == CHILD_EXITED)
        return 1; // reported lost before: that stays, and nobody will ask for its zombie
    c->node = r->node;
    c->pgrp = r->pgrp;
    c->uid = r->uid;
    c->status = r->status;
    if (parent->exiting) // who gets its children finds it so: see children_orphan
        return record_only(c, r);
    switch ((enum child_news)r->news) {
    case NEWS_EXITED:
        (void)FAULT("wait", "told", r->node);
        c->state = CHILD_EXITED;
        c->usage = r->usage;
        return apply_exit(parent, c);
    case NEWS_STOPPED:
    case NEWS_CONTINUED:
        apply_stop(parent, c, r->news == NEWS_STOPPED);
        return 0;
    case NEWS_GROUP:
        wait_wake_all(&parent->child_wait);
        return 0;
    }
    return -EINVAL; // a peer's message: no such news
}

// ---- on the child's node -----------------------------------------------------------------------
int child_report(struct process *p, enum child_news news)
{
    if (p->parent == PID_CLUSTER)
        return news == NEWS_EXITED && init_child_ended(p->pid, p->exit_status) ? 1 : 0;
    struct child_report r = {
        .parent = p->parent,
        .child = p->pid,
        .child_incarnation = p->incarnation,
        .news = news,
        .node = cluster_self(),
        .pgrp = p->pgrp,
        .uid = p->cred.uid,
    };
    struct usage own;
    usage_of_process(p, &own);
    usage_add(&own, &p->reaped);
    r.usage = own;
    if (news == NEWS_EXITED)
        r.status = p->exit_status;
    else if (news == NEWS_STOPPED)
        r.status = p->stop_signal << 8 | 0x7f;
    else
        r.status = WAIT_STATUS_CONTINUED;
    int e = child_report_apply(&r);
    return e == -ESRCH || e == -EAGAIN ? remote_child_report(&r) : e;
}

void parent_told_stopped(struct process *p)
{
    (void)child_report(p, NEWS_STOPPED); // no parent: nobody to tell
}

void parent_told_continued(struct process *p)
{
    (void)child_report(p, NEWS_CONTINUED);
}

void process_orphaned(struct process *child, int32_t parent)
{
    bool tied = group_is_tied_by(child);
    child->parent = parent;
    child->exit_signal = SIGCHLD;
    if (child->parent_death_signal && child->state != PROCESS_ZOMBIE) {
        struct signal_info info = {.signal = child->parent_death_signal, .code = SI_USER};
        (void)signal_post_process(child, &info);
    }
    if (tied)
        group_untied(child->pgrp);
}

void process_reap(struct process *p)
{
    int32_t pid = p->pid;
    uint32_t incarnation = p->incarnation;
    int status = p->exit_status;
    process_free(p);
    location_forget(pid);
    if (pid_birth_node(pid) == cluster_self())
        pid_put(pid);
    else
        remote_pid_free(pid, incarnation, status);
}

void child_reap(struct process *parent, struct child *c)
{
    int32_t pid = c->pid;
    node_id_t node = c->node;
    (void)FAULT("wait", "reaped", node);
    usage_add(&parent->reaped, &c->usage);
    child_free(c);
    struct process *zombie = process_find(pid);
    if (zombie && zombie->state == PROCESS_ZOMBIE)
        process_reap(zombie);
    else if (node != cluster_self())
        remote_child_reap(node, pid);
}

static void child_to_init(struct process *p, struct child *c)
{
    int32_t pid = c->pid;
    if (c->state == CHILD_EXITED) {
        child_reap(p, c);
        return;
    }
    child_free(c);
    struct process *child = process_find(pid);
    if (child && child->state != PROCESS_MOVING)
        process_orphaned(child, PID_CLUSTER);
    else
        (void)remote_orphan(pid, PID_CLUSTER);
}

// ---- subreapers (prctl(2), PR_SET_CHILD_SUBREAPER) ---------------------------------------------
#define ANCESTORS_MAX 256

// The nearest ancestor that wants p's orphans, or PID 1. May sleep.
static int32_t reaper_of(const struct process *p)
{
    int32_t pid = p->parent;
    for (unsigned k = 0; k < ANCESTORS_MAX && pid != PID_CLUSTER; k++) {
        const struct process *q = process_find(pid);
        struct remote_facts f;
        if (q && q->subreaper && !q->exiting && q->state != PROCESS_ZOMBIE)
            return pid;
        if (q) {
            pid = q->parent;
        } else if (remote_facts(pid, &f) < 0) {
            return PID_CLUSTER;
        } else {
            if (f.subreaper && f.state != PROCESS_ZOMBIE)
                return pid;
            pid = f.parent;
        }
    }
    return PID_CLUSTER;
}

int child_adopt(struct process *parent, const struct child *given)
{
    if (parent->exiting || parent->state == PROCESS_ZOMBIE)
        return -ESRCH;
    struct child *c = heap_alloc(sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    *c = *given;
    c->exit_signal = SIGCHLD;
    list_append(&parent->children, &c->link);
    if (c->state == CHILD_EXITED)
        return apply_exit(parent, c);
    return 0;
}

static int give_record(int32_t reaper, const struct child *c)
{
    struct process *parent = process_find(reaper);
    if (parent && parent->state != PROCESS_MOVING)
        return child_adopt(parent, c);
    return remote_child_adopt(reaper, c);
}

static int tell_parent(int32_t pid, int32_t parent)
{
    struct process *child = process_find(pid);
    if (child == NULL || child->state == PROCESS_MOVING)
        return remote_orphan(pid, parent);
    process_orphaned(child, parent);
    return 0;
}

static void reap_there(const struct child *c)
{
    struct process *zombie = process_find(c->pid);
    if (zombie && zombie->state == PROCESS_ZOMBIE)
        process_reap(zombie);
    else if (c->node != cluster_self())
        remote_child_reap(c->node, c->pid);
}

// Its end was told to us, not to the reaper.
static void pass_on_end(int32_t reaper, const struct child *c)
{
    struct child_report r = {
        .parent = reaper,
        .child = c->pid,
        .news = NEWS_EXITED,
        .node = c->node,
        .status = c->status,
        .pgrp = c->pgrp,
        .uid = c->uid,
        .usage = c->usage,
    };
    int e = child_report_apply(&r);
    if (e == -ESRCH || e == -EAGAIN)
        e = remote_child_report(&r);
    if (e != 0)
        reap_there(c);
}

// False: the reaper is gone too, or has no memory. Meanwhile the child may end: it says so here.
static bool child_to_reaper(struct child *c, int32_t reaper)
{
    bool was_over = c->state == CHILD_EXITED;
    int e = give_record(reaper, c);
    if (e < 0)
        return false;
    bool unwanted = e == 1;
    e = tell_parent(c->pid, reaper);
    if (c->state != CHILD_EXITED && e == -ESRCH) { // gone without a word
        c->state = CHILD_EXITED;
        c->status = SIGKILL;
    }
    if (unwanted)
        reap_there(c);
    else if (!was_over && c->state == CHILD_EXITED)
        pass_on_end(reaper, c);
    child_free(c);
    return true;
}

void children_orphan(struct process *p)
{
    int32_t reaper = list_empty(&p->children) ? PID_CLUSTER : reaper_of(p);
    while (!list_empty(&p->children)) {
        struct child *c = list_entry(p->children.next, struct child, link);
        if (reaper == PID_CLUSTER || !child_to_reaper(c, reaper)) {
            reaper = PID_CLUSTER;
            child_to_init(p, c);
        }
    }
}
