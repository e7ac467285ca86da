// SPDX-License-Identifier: MIT
// signalfd(2): pending signals of whoever reads, as an open file. It moves with its process.
#pragma once

#include "ssi/process/process.h"

// `flags`: O_NONBLOCK or 0. NULL: no memory.
struct file *signalfd_new(const struct process *owner, sigset64 mask, uint32_t flags);
bool signalfd_is(const struct file *f);
sigset64 signalfd_mask(const struct file *f);
void signalfd_set_mask(struct file *f, sigset64 mask);
