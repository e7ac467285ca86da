// SPDX-License-Identifier: MIT
#include "ssi/process/wait.h"
#include "lib/errno.h"
#include "ssi/process/priv.h"
#include "ssi/process/tracee.h"

static bool matches(const struct child *c, const struct wait_query *q)
{
    if (!c->tracee && !(q->options & __WALL) &&
        (c->exit_signal != SIGCHLD) != !!(q->options & __WCLONE))
        return false;
    switch (q->kind) {
    case WAIT_ANY:
        return true;
    case WAIT_PID:
        return c->pid == q->id;
    case WAIT_GROUP:
        return c->pgrp == q->id;
    }
    return false;
}

static bool has_news(const struct child *c, const struct wait_query *q)
{
    switch (c->state) {
    case CHILD_RUNNING:
        return false;
    case CHILD_STOPPED:
        return c->tracee || (q->options & WUNTRACED);
    case CHILD_CONTINUED:
        return q->options & WCONTINUED;
    case CHILD_EXITED:
        return q->options & WEXITED;
    }
    return false;
}

int wait_look(struct process *p, const struct wait_query *q, struct child **found)
{
    bool any = false;
    struct child *c;
    list_for_each (c, &p->children, link) {
        if (!matches(c, q))
            continue;
        any |= c->state != CHILD_EXITED; // of those nothing else will ever be told
        if (!has_news(c, q))
            continue;
        *found = c;
        return 1;
    }
    list_for_each (c, &p->tracees, link) {
        if (!matches(c, q) || (q->options & __WNOTHREAD && !tracee_is_mine(c)))
            continue;
        any |= c->state != CHILD_EXITED; // of those nothing else will ever be told
        if (!has_news(c, q))
            continue;
        *found = c;
        return 1;
    }
    return any ? 0 : -ECHILD;
}

void wait_take(struct process *p, struct child *c)
{
    if (c->tracee)
        tracee_told(c);
    else if (c->state == CHILD_EXITED)
        child_reap(p, c);
    else
        c->state = CHILD_RUNNING;
}
