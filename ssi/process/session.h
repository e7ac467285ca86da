// SPDX-License-Identifier: MIT
// Process groups and sessions of processes anywhere in the cluster (setpgid(2), setsid(2)).
#pragma once

#include "ssi/process/process.h"

// 0, -EINVAL, -ESRCH, -EPERM, -EACCES. May sleep.
int session_setpgid(struct process *me, int32_t pid, int32_t pgrp);
int32_t session_setsid(struct process *me); // the new session, -EPERM
// The group or the session of a process, -ESRCH. May sleep.
int32_t session_getpgid(int32_t pid);
int32_t session_getsid(int32_t pid);
int32_t session_of_group(struct process *me, int32_t pgrp); // of whoever is in it

// On the node that has the child, asked by its parent in session `sid`.
int session_set_child_group(struct process *child, int32_t pgrp, int32_t sid);
