// SPDX-License-Identifier: MIT
// Which child a wait is for (wait(2), waitid(2)).
#pragma once

#include "ssi/process/process.h"

enum wait_kind {
    WAIT_ANY,
    WAIT_PID,
    WAIT_GROUP,
};

struct wait_query {
    enum wait_kind kind;
    int32_t id;       // PID or process group
    uint32_t options; // WEXITED WUNTRACED WCONTINUED __WALL __WCLONE ...
};

// A child with news of the kind asked for: 1 with *found; 0: there are such children, none has
// news; -ECHILD: there are none. Never sleeps.
int wait_look(struct process *p, const struct wait_query *q, struct child **found);
// The news was told: a zombie goes (may sleep), other news are as if never there.
void wait_take(struct process *p, struct child *c);
