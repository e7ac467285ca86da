// SPDX-License-Identifier: MIT
// Process groups and sessions, as far as this node's members go (POSIX 3.290, 3.343).
#include "ssi/process/group.h"
#include "ssi/process/priv.h"
#include "ssi/stream/stream.h"
#include "ssi/cluster/cluster.h"

// Parents on other nodes count as such: a group with a shell somewhere is not orphaned.
bool group_is_tied_by(const struct process *p)
{
    const struct process *parent = process_find(p->parent);
    if (p->parent == PID_CLUSTER)
        return false;
    return !parent || (parent->sid == p->sid && parent->pgrp != p->pgrp);
}

bool group_is_orphaned(int32_t pgrp)
{
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->pgrp == pgrp && p->state != PROCESS_ZOMBIE && group_is_tied_by(p))
            return false;
    }
    return true;
}

static bool has_stopped(int32_t pgrp)
{
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->pgrp == pgrp && p->state == PROCESS_STOPPED)
            return true;
    }
    return false;
}

void group_post_local(int32_t pgrp, const struct signal_info *info)
{
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->pgrp == pgrp)
            (void)signal_post_process(p, info);
    }
}

void group_untied(int32_t pgrp)
{
    if (!has_stopped(pgrp) || !group_is_orphaned(pgrp))
        return;
    group_post_local(pgrp, &(struct signal_info){.signal = SIGHUP, .code = SI_KERNEL});
    group_post_local(pgrp, &(struct signal_info){.signal = SIGCONT, .code = SI_KERNEL});
}

static void lose_terminal(int32_t sid)
{
    for (struct process *m = process_next(0); m; m = process_next(m->pid)) {
        if (m->sid == sid)
            m->tty_attached = false;
    }
}

static void hang_up(int32_t pgrp)
{
    group_signal_soon(pgrp, SIGHUP);
    group_signal_soon(pgrp, SIGCONT);
}

// The terminal loses its session: the foreground group is hung up.
void session_leader_ends(struct process *p)
{
    if (p->sid == p->pid && p->hung_up_group)
        hang_up(p->hung_up_group);
    if (p->sid != p->pid || !p->tty_attached || p->tty_node != cluster_self())
        return;
    struct tty *t = tty_find(p->tty_number);
    if (!t || tty_session(t) != p->sid)
        return;
    int32_t foreground = tty_foreground(t);
    tty_set_session(t, 0);
    tty_set_foreground(t, 0);
    lose_terminal(p->sid);
    if (foreground)
        hang_up(foreground);
}

void session_terminal_hung_up(int32_t sid, int32_t foreground)
{
    struct process *leader = process_find(sid);
    lose_terminal(sid);
    if (!leader || leader->state == PROCESS_MOVING) {
        hang_up(sid); // its own group: nobody else is in it, as a rule
        return;
    }
    leader->hung_up_group = foreground;
    (void)signal_post_process(leader, &(struct signal_info){.signal = SIGHUP, .code = SI_KERNEL});
    (void)signal_post_process(leader, &(struct signal_info){.signal = SIGCONT, .code = SI_KERNEL});
}
