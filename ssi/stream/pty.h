// SPDX-License-Identifier: MIT
// Pseudo-terminals (pty(7)): a terminal whose device is an open file, the master. Numbers are
// unique in the cluster: node * PTYS_PER_NODE + n; a pty lives where its master was opened, and
// other nodes forward.
#pragma once

#include "ssi/stream/stream.h"

#define PTS_MAJOR     136u
#define PTYS_PER_NODE 256u

// /dev/ptmx: a new pty's master. 0, -ENOMEM, -ENOSPC.
int pty_open_master(const struct fs_who *who, uint32_t flags, struct file **f);
// /dev/pts/NUMBER of this node: 0, -EIO (locked, or its master is closed), -ENXIO, -ENOMEM.
int pty_open_slave(uint32_t number, uint32_t flags, struct file **f);
int pty_set(uint32_t number, const struct fs_set *s); // chmod, chown of the slave's name
struct tty *pty_slave(uint32_t number);               // NULL: no such pty here

static inline node_id_t pty_node(uint32_t number)
{
    return (node_id_t)(number / PTYS_PER_NODE);
}

struct pty_facts {
    uint32_t uid, gid, mode;
};
// Of a pty of this node whose master is open; false: none.
bool pty_facts(uint32_t number, struct pty_facts *facts);
uint32_t pty_next(int64_t after); // of this node; UINT32_MAX: no more
