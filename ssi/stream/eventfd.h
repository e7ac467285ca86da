// SPDX-License-Identifier: MIT
// eventfd(2): a 64-bit counter as an open file. Other nodes forward to its home.
#pragma once

#include "ssi/fs/file.h"

// `flags`: O_NONBLOCK or 0. NULL: no memory.
struct file *eventfd_new(uint32_t count, bool semaphore, uint32_t flags);
