// SPDX-License-Identifier: MIT
// Asking the node that has a process, wherever that is now (PROTOCOLS 7).
#pragma once

#include "ssi/process/process.h"

struct remote_facts {
    int32_t pid, parent, pgrp, sid;
    uint32_t incarnation;
    uint32_t uid, euid, suid;
    int32_t nice;
    uint16_t state; // enum process_state
    uint16_t node;
    uint16_t subreaper, reserved;
    uint64_t effective, permitted, inheritable; // capabilities of its leader
} PACKED;

int remote_facts(int32_t pid, struct remote_facts *f); // 0, -ESRCH. May sleep.
int remote_set_group(int32_t pid, int32_t pgrp, int32_t sid);
// kill(2) to one process that is not here: 0, -ESRCH, -EPERM, -EAGAIN.
int remote_signal(const struct process *from, int32_t pid, int32_t tid,
                  const struct signal_info *info);
