// SPDX-License-Identifier: MIT
// The state of a proxy: see proxy.c.
#pragma once

#include "ssi/fs/proxy.h"

struct proxy {
    struct file *file;
    struct list link; // of this node's proxies
    uint32_t held;    // users that the home counts for this node
    enum remote_kind kind;
    bool dead;                 // its home is gone: -EIO
    bool own_offset;           // file->offset is the offset, the home's is old
    bool homing;               // it is on its way home: who needs it waits
    bool came;                 // with a process from another node
    uint32_t asking;           // requests under way
    uint32_t exports;          // counts the times another node was made a user
    uint32_t ready;            // counts "ready" messages
    struct wait_queue changed; // poll may have: pollers watch it
    struct wait_queue settled; // nothing is asked any more, or the offset is home
};

struct proxy_list {
    struct list all;
    bool set_up;
};
