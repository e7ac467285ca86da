// SPDX-License-Identifier: MIT
// What the terminal asks of processes: signals to its foreground group, and whether a background
// process may use it (POSIX 11.1.4; termios(3), "tty job control").
#include "kernel/init.h"
#include "lib/errno.h"
#include "ssi/process/group.h"
#include "ssi/process/priv.h"
#include "ssi/stream/stream.h"

static int background(int32_t foreground, bool reading)
{
    struct task *t = task_current();
    if (!t) // on behalf of another node, which alone knows the caller
        return 0;
    int32_t pgrp = t->process->pgrp;
    if (pgrp == foreground || !t->process->tty_attached)
        return 0;
    int signal = reading ? SIGTTIN : SIGTTOU;
    bool deaf =
        (t->blocked & SIGBIT(signal)) || t->process->actions->action[signal - 1].handler == SIG_IGN;
    if (deaf)
        return reading ? -EIO : 0;
    if (group_is_orphaned(pgrp, t->process->sid))
        return -EIO;
    group_signal_soon(pgrp, signal);
    return -ERESTART;
}

static int controlling(int32_t pid)
{
    const struct process *p = process_find(pid);
    return p && p->tty_attached ? p->tty_node : -ENXIO;
}

static const struct tty_signals signals = {
    .group = group_signal_soon,
    .background = background,
    .controlling = controlling,
};

static void terminal_init(void)
{
    tty_signals_set(&signals);
}
INIT_STEP(INIT_PROCESS, terminal_init);
