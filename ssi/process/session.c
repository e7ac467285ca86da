// SPDX-License-Identifier: MIT
#include "ssi/process/session.h"
#include "lib/errno.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/priv.h"
#include "ssi/process/remote.h"

// Is there such a group in the session, as far as this node and the caller's children tell?
static bool group_exists(struct process *me, int32_t pgrp, int32_t sid)
{
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->pgrp == pgrp && p->sid == sid)
            return true;
    }
    struct child *c;
    list_for_each (c, &me->children, link) {
        if (c->pgrp == pgrp && !process_find(c->pid))
            return true;
    }
    return false;
}

int32_t session_of_group(struct process *me, int32_t pgrp)
{
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->pgrp == pgrp)
            return p->sid;
    }
    return group_exists(me, pgrp, me->sid) ? me->sid : session_getsid(pgrp);
}

int session_set_child_group(struct process *child, int32_t pgrp, int32_t sid)
{
    if (child->sid != sid || child->sid == child->pid)
        return -EPERM;
    if (child->did_exec)
        return -EACCES;
    child->pgrp = pgrp;
    return 0;
}

static int set_of_child(struct process *me, int32_t pid, int32_t pgrp)
{
    struct child *c = child_find(me, pid);
    if (!c)
        return -ESRCH;
    struct process *child = process_find(pid);
    if (child && child->did_exec && child->sid == me->sid)
        return -EACCES;
    if (pgrp != pid && !group_exists(me, pgrp, me->sid))
        return -EPERM;
    int e = child && child->state != PROCESS_MOVING ? session_set_child_group(child, pgrp, me->sid)
                                                    : remote_set_group(pid, pgrp, me->sid);
    if (e == 0 && (c = child_find(me, pid)) != NULL)
        c->pgrp = pgrp;
    return e;
}

int session_setpgid(struct process *me, int32_t pid, int32_t pgrp)
{
    if (pgrp < 0)
        return -EINVAL;
    if (!pid)
        pid = me->pid;
    if (!pgrp)
        pgrp = pid;
    if (pid != me->pid)
        return set_of_child(me, pid, pgrp);
    if (me->sid == me->pid)
        return -EPERM;
    if (pgrp != me->pid && !group_exists(me, pgrp, me->sid))
        return -EPERM;
    if (me->pgrp == pgrp)
        return 0;
    me->pgrp = pgrp;
    (void)child_report(me, NEWS_GROUP); // no parent: nobody waits by group
    return 0;
}

int32_t session_setsid(struct process *me)
{
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (p->pgrp == me->pid)
            return -EPERM;
    }
    me->sid = me->pgrp = me->pid;
    me->tty_attached = false;
    me->tty_node = NODE_NONE;
    me->hung_up_group = 0;
    (void)child_report(me, NEWS_GROUP);
    return me->sid;
}

int32_t session_getpgid(int32_t pid)
{
    struct process *p = process_find(pid);
    if (p)
        return p->pgrp;
    struct remote_facts f;
    int e = remote_facts(pid, &f);
    return e < 0 ? e : f.pgrp;
}

int32_t session_getsid(int32_t pid)
{
    struct process *p = process_find(pid);
    if (p)
        return p->sid;
    struct remote_facts f;
    int e = remote_facts(pid, &f);
    return e < 0 ? e : f.sid;
}
