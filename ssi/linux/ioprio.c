// SPDX-License-Identifier: MIT
// ioprio_get(2), ioprio_set(2): kept and told, of tasks of this node. No disk is there to obey
// them.
#include "ssi/linux/linux.h"
#include "ssi/process/priv.h"

enum {
    WHO_PROCESS = 1,
    WHO_PGRP,
    WHO_USER,
};

enum {
    CLASS_NONE,
    CLASS_REALTIME,
    CLASS_BEST_EFFORT,
    CLASS_IDLE,
};

#define CLASS_SHIFT 13
#define CLASS_MASK  7u
#define LEVEL_MASK  7u

static unsigned class_of(uint32_t priority)
{
    return priority >> CLASS_SHIFT & CLASS_MASK;
}

static int value_check(uint32_t priority)
{
    switch (class_of(priority)) {
    case CLASS_REALTIME:
        return process_can(CAP_SYS_NICE) || process_can(CAP_SYS_ADMIN) ? 0 : -EPERM;
    case CLASS_BEST_EFFORT:
    case CLASS_IDLE:
        return 0;
    case CLASS_NONE:
        return priority & LEVEL_MASK ? -EINVAL : 0;
    }
    return -EINVAL;
}

static bool may_set(const struct task *t)
{
    const struct credentials *me = task_current()->cred;
    return t->cred->uid == me->euid || t->cred->uid == me->uid || process_can(CAP_SYS_NICE);
}

static bool selected(const struct process *p, uint32_t which, int32_t who)
{
    const struct process *me = process_current();
    if (p->state == PROCESS_ZOMBIE)
        return false;
    return which == WHO_PGRP ? p->pgrp == (who ? who : me->pgrp)
                             : p->cred.uid == (who ? (uint32_t)who : task_current()->cred->uid);
}

// The task that a number names, here: 0, -ESRCH; -EIO: it is on another node. May sleep then.
static int one_task(int32_t who, struct task **t)
{
    const struct signal_info nothing = {.signal = 0};
    *t = who ? task_find(who) : task_current();
    if (*t)
        return 0;
    return who > 0 && signal_kill(process_current(), who, &nothing) != -ESRCH &&
                   process_find(who) == NULL
               ? -EIO
               : -ESRCH;
}

static int set_one(struct task *t, uint32_t priority)
{
    if (!may_set(t))
        return -EPERM;
    t->io_priority = (uint16_t)priority;
    return 0;
}

long sys_ioprio_set(struct call *c)
{
    uint32_t which = c->args[0], priority = c->args[2];
    struct task *t;
    int e = value_check(priority), result = -ESRCH;
    if (e < 0 || which < WHO_PROCESS || which > WHO_USER)
        return e < 0 ? e : -EINVAL;
    if (which == WHO_PROCESS) {
        e = one_task((int32_t)c->args[1], &t);
        return e < 0 ? e : set_one(t, priority);
    }
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (!selected(p, which, (int32_t)c->args[1]))
            continue;
        list_for_each (t, &p->tasks, link)
            if ((result = set_one(t, priority)) < 0)
                return result;
    }
    return result;
}

// Without one of its own: what its policy or nice value makes of it.
static uint32_t effective(const struct task *t)
{
    if (class_of(t->io_priority) != CLASS_NONE)
        return t->io_priority;
    unsigned class = t->realtime                     ? CLASS_REALTIME
                     : t->policy == TASK_POLICY_IDLE ? CLASS_IDLE
                                                     : CLASS_BEST_EFFORT;
    return class << CLASS_SHIFT | (uint32_t)(t->process->nice + 20) / 5;
}

long sys_ioprio_get(struct call *c)
{
    uint32_t which = c->args[0];
    long best = -ESRCH;
    struct task *t;
    if (which < WHO_PROCESS || which > WHO_USER)
        return -EINVAL;
    if (which == WHO_PROCESS) {
        int e = one_task((int32_t)c->args[1], &t);
        return e < 0 ? e : t->io_priority;
    }
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (!selected(p, which, (int32_t)c->args[1]))
            continue;
        list_for_each (t, &p->tasks, link)
            best = best < 0 ? (long)effective(t) : MIN(best, (long)effective(t));
    }
    return best;
}
