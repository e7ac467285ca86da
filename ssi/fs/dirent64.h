// SPDX-License-Identifier: MIT
// Records of getdents64(2), as every listing of a directory makes them.
#pragma once

#include "mm/user.h"

struct linux_dirent64 {
    uint64_t inode;
    int64_t next; // offset to seek to for the entry behind this one
    uint16_t bytes;
    uint8_t type; // DT_*: bits 12-15 of the mode
    char name[];
} PACKED;

// Adds one record; false when it does not fit.
bool dirent64_put(struct xfer *x, uint64_t inode, uint64_t next, uint32_t mode, const char *name,
                  size_t length);
