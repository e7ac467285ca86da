// SPDX-License-Identifier: MIT
// What the terminal asks of processes: signals to its foreground group, and whether a background
// process may use it (POSIX 11.1.4; termios(3), "tty job control").
#include "kernel/init.h"
#include "lib/errno.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/group.h"
#include "ssi/process/priv.h"
#include "ssi/stream/stream.h"

static int background(uint32_t number, int32_t foreground, bool reading)
{
    struct task *t = task_current();
    if (!t) // on behalf of another node, which alone knows the caller
        return 0;
    const struct process *p = t->process;
    int32_t pgrp = p->pgrp;
    bool its_own = p->tty_attached && p->tty_number == number && p->tty_node == cluster_self();
    if (pgrp == foreground || !its_own)
        return 0;
    int signal = reading ? SIGTTIN : SIGTTOU;
    bool deaf =
        (t->blocked & SIGBIT(signal)) || t->process->actions->action[signal - 1].handler == SIG_IGN;
    if (deaf)
        return reading ? -EIO : 0;
    if (group_is_orphaned(pgrp))
        return -EIO;
    group_signal_soon(pgrp, signal);
    return -ERESTART;
}

static int controlling(int32_t pid, uint32_t *number)
{
    const struct process *p = process_find(pid);
    if (!p || !p->tty_attached)
        return -ENXIO;
    *number = p->tty_number;
    return p->tty_node;
}

static void hung_up(uint32_t number, int32_t session, int32_t foreground)
{
    (void)number;
    session_terminal_hung_up(session, foreground);
}

static const struct tty_signals signals = {
    .group = group_signal_soon,
    .background = background,
    .controlling = controlling,
    .hung_up = hung_up,
};

static void terminal_init(void)
{
    tty_signals_set(&signals);
}
INIT_STEP(INIT_PROCESS, terminal_init);
