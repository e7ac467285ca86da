// SPDX-License-Identifier: MIT
// timerfd_create(2): a timer as an open file. It stays where it was made; other nodes forward. Its
// instants are of the cluster's monotonic clock, which real time follows at a fixed distance.
#pragma once

#include "ssi/fs/file.h"

struct timerfd_setting {
    uint64_t at_ns;       // until the next expiry, 0: disarmed. Absolute: on the timer's own clock
    uint64_t interval_ns; // 0: once
    uint32_t absolute;    // only in what is set
} PACKED;

// Its clock is real time or the monotonic one; `flags`: O_NONBLOCK or 0. NULL: no memory.
struct file *timerfd_new(bool real, uint32_t flags);
// Both work on a timerfd of any node: 0, -EINVAL (it is none), -EIO. May sleep.
int timerfd_set(struct file *f, const struct timerfd_setting *set, struct timerfd_setting *old);
int timerfd_get(struct file *f, struct timerfd_setting *left);
