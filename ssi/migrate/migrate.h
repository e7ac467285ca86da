// SPDX-License-Identifier: MIT
// Migration: a running process goes to another node by the hand-off of PROTOCOLS 6.
#pragma once

#include "ssi/process/process.h"

// Moves a process of this node; sleeps until it runs there (0) or stays (negative errno as CONTRACT
// has them for /proc/PID/node). `decided_by` is a word for the record: it is copied.
int migrate_process(int32_t pid, node_id_t target, const char *decided_by);

// Why the process cannot move, in words, or NULL: /proc/PID/cantmove.
const char *migrate_reason(struct process *p);
