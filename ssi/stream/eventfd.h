// SPDX-License-Identifier: MIT
// eventfd(2): a 64-bit counter as an open file. Other nodes forward to its home.
#pragma once

#include "ssi/fs/file.h"

// Adds to the counter of an eventfd, here or elsewhere, as far as there is room: 0; -EINVAL: it is
// none. Never waits for programs. May sleep when it is elsewhere.
int eventfd_add(struct file *f, uint64_t more);
// `flags`: O_NONBLOCK or 0. NULL: no memory.
struct file *eventfd_new(uint32_t count, bool semaphore, uint32_t flags);
