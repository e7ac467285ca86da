// SPDX-License-Identifier: MIT
// Sections ids, places, timers, children: who the process is and whom it belongs to.
#include "ssi/ghost/sections.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/timers.h"

struct ids_wire {
    int32_t parent, pgrp, sid;
    struct credentials cred;
    struct rlimit_pair limits[RLIMITS];
    char name[16];
    char path[256];
    uint32_t arg_start, arg_end, env_start, env_end;
    uint64_t start_ns;
    struct usage usage, reaped;
    int32_t exit_signal, nice, oom_adjust, oom_adjust_least, parent_death_signal;
    uint32_t personality;
    uint16_t tty_node;
    uint8_t tty_attached, did_exec, not_dumpable;
    uint8_t subreaper, no_huge_pages;
    uint32_t tty_number;
    int32_t hung_up_group;
    struct {
        uint16_t node;
        uint32_t request;
    } PACKED seen[SIGNALS_SEEN];
    uint32_t seen_next;
    struct node_set watchers;
} PACKED;

int ids_write(struct ghost_job *job, struct ghost *g)
{
    const struct process *p = job->process;
    struct usage usage;
    usage_of_process(p, &usage);
    struct ids_wire w = {
        .parent = p->parent,
        .pgrp = p->pgrp,
        .sid = p->sid,
        .cred = p->cred,
        .arg_start = p->arg_start,
        .arg_end = p->arg_end,
        .env_start = p->env_start,
        .env_end = p->env_end,
        .start_ns = p->start_ns,
        .usage = usage,
        .reaped = p->reaped,
        .exit_signal = p->exit_signal,
        .nice = p->nice,
        .oom_adjust = p->oom_adjust,
        .oom_adjust_least = p->oom_adjust_least,
        .parent_death_signal = p->parent_death_signal,
        .personality = p->personality,
        .tty_node = p->tty_node,
        .tty_number = p->tty_number,
        .hung_up_group = p->hung_up_group,
        .tty_attached = p->tty_attached,
        .did_exec = p->did_exec,
        .not_dumpable = p->not_dumpable,
        .subreaper = p->subreaper,
        .no_huge_pages = p->no_huge_pages,
        .seen_next = p->seen_next,
        .watchers = p->watchers,
    };
    memcpy(w.limits, p->limits, sizeof(w.limits));
    memcpy(w.name, p->name, sizeof(w.name));
    memcpy(w.path, p->path, sizeof(w.path));
    for (unsigned i = 0; i < SIGNALS_SEEN; i++) {
        w.seen[i].node = p->seen[i].node;
        w.seen[i].request = p->seen[i].request;
    }
    return GHOST_PUT(g, w);
}

int ids_read(struct ghost_job *job, struct ghost *g)
{
    struct process *p = job->process;
    struct ids_wire w;
    if (GHOST_TAKE(g, w) < 0)
        return -EPROTO;
    p->cred = w.cred;
    if (!credentials_valid(&p->cred))
        return -EPROTO;
    w.name[sizeof(w.name) - 1] = '\0';
    w.path[sizeof(w.path) - 1] = '\0';
    p->parent = w.parent;
    p->pgrp = w.pgrp;
    p->sid = w.sid;
    memcpy(p->limits, w.limits, sizeof(p->limits));
    memcpy(p->name, w.name, sizeof(p->name));
    memcpy(p->path, w.path, sizeof(p->path));
    p->arg_start = w.arg_start;
    p->arg_end = w.arg_end;
    p->env_start = w.env_start;
    p->env_end = w.env_end;
    p->start_ns = w.start_ns;
    p->ended = w.usage;
    p->reaped = w.reaped;
    p->exit_signal = w.exit_signal;
    p->nice = w.nice;
    p->oom_adjust = MAX(-1000, MIN(1000, w.oom_adjust));
    p->oom_adjust_least = w.oom_adjust_least;
    p->parent_death_signal = w.parent_death_signal;
    p->personality = w.personality;
    p->tty_node = w.tty_node;
    p->tty_number = w.tty_number;
    p->hung_up_group = w.hung_up_group;
    p->tty_attached = w.tty_attached;
    p->did_exec = w.did_exec;
    p->not_dumpable = w.not_dumpable;
    p->subreaper = w.subreaper;
    p->no_huge_pages = w.no_huge_pages != 0;
    p->seen_next = w.seen_next % SIGNALS_SEEN;
    p->watchers = w.watchers;
    for (unsigned i = 0; i < SIGNALS_SEEN; i++)
        p->seen[i] = (struct signal_seen){.node = w.seen[i].node, .request = w.seen[i].request};
    return 0;
}

// ---- places: root, current directory, umask ----------------------------------------------------

struct places_wire {
    struct fs_place root, cwd;
    uint32_t umask;
} PACKED;

int places_write(struct ghost_job *job, struct ghost *g)
{
    const struct fs_context *fs = job->process->fs;
    struct places_wire w = {.root = fs->root, .cwd = fs->cwd, .umask = fs->umask};
    return GHOST_PUT(g, w);
}

int places_read(struct ghost_job *job, struct ghost *g)
{
    struct places_wire w;
    if (GHOST_TAKE(g, w) < 0)
        return -EPROTO;
    struct fs_context *fs = job->process->fs;
    if (fs == NULL)
        fs = heap_zalloc(sizeof(*fs));
    if (fs == NULL)
        return -ENOMEM;
    fs->users = 1;
    fs->root = w.root;
    fs->cwd = w.cwd;
    fs->umask = w.umask;
    job->process->fs = fs;
    return 0;
}

// ---- timers, in cluster time -------------------------------------------------------------------

struct timers_wire {
    uint64_t alarm_at_ns; // 0: not set
    uint64_t alarm_interval_ns;
    struct {
        uint64_t at_ns, interval_ns;
    } PACKED cpu[2];
    int32_t ids;
    uint32_t count; // of struct timer_wire behind it
} PACKED;

struct timer_wire { // fields of struct process_timer
    int32_t id;
    uint8_t clock, real, pending, reserved;
    int32_t signal, tid, thread;
    uint32_t value;
    uint64_t at_ns, interval_ns;
    uint32_t overrun, overrun_told;
} PACKED;

static int timer_write(struct ghost *g, const struct process_timer *t)
{
    struct timer_wire w = {
        .id = t->id,
        .clock = (uint8_t)t->clock,
        .real = t->real,
        .pending = t->pending,
        .signal = t->signal,
        .tid = t->tid,
        .thread = t->thread,
        .value = t->value,
        .at_ns = t->at_ns,
        .interval_ns = t->interval_ns,
        .overrun = t->overrun,
        .overrun_told = t->overrun_told,
    };
    return GHOST_PUT(g, w);
}

int timers_write(struct ghost_job *job, struct ghost *g)
{
    const struct process *p = job->process;
    const struct process_timer *t;
    struct timers_wire w = {.alarm_interval_ns = p->alarm_interval_ns, .ids = p->timer_ids};
    if (job->alarm_set) {
        uint64_t now = clock_now_ns();
        uint64_t left = p->alarm.at_ns > now ? p->alarm.at_ns - now : 1;
        w.alarm_at_ns = cluster_clock_ns() + left;
    }
    for (unsigned k = 0; k < 2; k++) {
        w.cpu[k].at_ns = p->cpu_timers[k].at_ns;
        w.cpu[k].interval_ns = p->cpu_timers[k].interval_ns;
    }
    list_for_each (t, &p->timers, link)
        w.count++;
    int e = GHOST_PUT(g, w);
    list_for_each (t, &p->timers, link)
        e = e < 0 ? e : timer_write(g, t);
    return e;
}

static int timer_read(struct process *p, struct ghost *g)
{
    struct timer_wire w;
    if (GHOST_TAKE(g, w) < 0 || w.clock >= TIMER_CLOCKS || w.signal < 0 || w.signal > SIGNAL_MAX ||
        process_timer_find(p, w.id))
        return -EPROTO;
    struct process_timer *t = heap_zalloc(sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    process_timer_init(t, p, (enum timer_clock)w.clock);
    t->id = w.id;
    t->real = w.real;
    t->pending = w.pending;
    t->signal = w.signal;
    t->tid = w.tid;
    t->thread = w.thread;
    t->code = SI_TIMER;
    t->value = w.value;
    t->at_ns = w.at_ns;
    t->interval_ns = w.interval_ns;
    t->overrun = w.overrun;
    t->overrun_told = w.overrun_told;
    list_append(&p->timers, &t->link);
    return 0;
}

// None runs yet: they are armed at RESUME, when the process is this node's.
int timers_read(struct ghost_job *job, struct ghost *g)
{
    struct timers_wire w;
    struct process *p = job->process;
    if (GHOST_TAKE(g, w) < 0)
        return -EPROTO;
    p->alarm_interval_ns = w.alarm_interval_ns;
    if (w.alarm_at_ns) {
        uint64_t now = cluster_clock_ns();
        uint64_t left = w.alarm_at_ns > now ? w.alarm_at_ns - now : 1;
        p->alarm.at_ns = clock_now_ns() + left;
        job->alarm_set = true;
    }
    for (unsigned k = 0; k < 2; k++) {
        p->cpu_timers[k].at_ns = w.cpu[k].at_ns;
        p->cpu_timers[k].interval_ns = w.cpu[k].interval_ns;
    }
    p->timer_ids = w.ids;
    int e = 0;
    for (uint32_t k = 0; e == 0 && k < w.count; k++)
        e = timer_read(p, g);
    return e;
}

// ---- children: what the process as a parent knows of them --------------------------------------

struct child_wire {
    int32_t pid, pgrp, status, exit_signal;
    uint32_t uid;
    uint16_t node;
    uint16_t state;
    struct usage usage;
} PACKED;

int children_write(struct ghost_job *job, struct ghost *g)
{
    const struct child *c;
    uint32_t count = 0;
    list_for_each (c, &job->process->children, link)
        count++;
    int e = GHOST_PUT(g, count);
    list_for_each (c, &job->process->children, link) {
        struct child_wire w = {
            .pid = c->pid,
            .pgrp = c->pgrp,
            .status = c->status,
            .exit_signal = c->exit_signal,
            .uid = c->uid,
            .node = c->node,
            .state = (uint16_t)c->state,
            .usage = c->usage,
        };
        if (e == 0)
            e = GHOST_PUT(g, w);
    }
    return e;
}

int children_read(struct ghost_job *job, struct ghost *g)
{
    uint32_t count;
    int e = GHOST_TAKE(g, count);
    for (uint32_t i = 0; e == 0 && i < count; i++) {
        struct child_wire w;
        e = GHOST_TAKE(g, w);
        if (e < 0 || w.state > CHILD_EXITED)
            return -EPROTO;
        struct child *c = heap_zalloc(sizeof(*c));
        if (c == NULL)
            return -ENOMEM;
        *c = (struct child){
            .pid = w.pid,
            .pgrp = w.pgrp,
            .status = w.status,
            .exit_signal = w.exit_signal,
            .uid = w.uid,
            .node = w.node,
            .state = (enum child_state)w.state,
            .usage = w.usage,
        };
        list_append(&job->process->children, &c->link);
    }
    return e;
}
