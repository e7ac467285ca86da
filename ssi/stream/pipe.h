// SPDX-License-Identifier: MIT
// Pipes and FIFOs: a ring, of 64 KiB at first, in pages that are allocated when first written to.
// What an end with O_DIRECT writes are packets (pipe(2)): each counts as a page, and a read takes
// at most one and drops its rest.
#pragma once

#include "ssi/fs/special.h"
#include "ssi/stream/stream.h"

#define PIPE_BYTES     (64u << 10)
#define PIPE_BYTES_MAX (1u << 20) // by F_SETPIPE_SZ
#define PIPE_ATOMIC    4096u      // PIPE_BUF: writes up to this are not torn

// For fs_special_ops.
int fifo_open(void **fifo, uint32_t flags, struct file **f);
void fifo_free(void *fifo);
