// SPDX-License-Identifier: MIT
// Signals to process groups.
#pragma once

#include "ssi/process/process.h"

// To the members on this node. Never sleeps.
void group_post_local(int32_t pgrp, const struct signal_info *info);
// To all members of the cluster: here at once, elsewhere by a worker, in order. Never sleeps.
void group_signal_soon(int32_t pgrp, int signal);

// The terminal of session `sid` went away: its leader gets SIGHUP and SIGCONT, and the foreground
// group too when the leader ends. Never sleeps.
void session_terminal_hung_up(int32_t sid, int32_t foreground);

// kill(2) to a group or, with GROUP_EVERYBODY, to all but the sender and PID 1: 0 when one was
// reached, -ESRCH, -EPERM. May sleep.
#define GROUP_EVERYBODY (-1)
int group_kill(const struct process *from, int32_t pgrp, const struct signal_info *info);
