// SPDX-License-Identifier: MIT
// What of message queues is handed down to the operations on names.
#pragma once

#include "ssi/fs/name.h"

// in.value: messages | their bytes << 32, 0 as the system has it; in.mtime_ns: RLIMIT_MSGQUEUE.
int mqueue_open_here(struct name_call *c);
int mqueue_unlink_here(struct name_call *c);
