// SPDX-License-Identifier: MIT
// The log ring, for /dev/kmsg and panics.
#pragma once

#include "lib/types.h"

// Copies lines from byte number *from on (0: the oldest kept); advances it; 0 at the end.
size_t klog_read(uint64_t *from, char *to, size_t size);
