// SPDX-License-Identifier: MIT
// /proc, for all processes of the cluster on every node. Other rooms hang their files into
// /proc/cluster.
#pragma once

#include "lib/fmt.h"
#include "ssi/process/process.h"

// /proc/cluster/NAME, on every node. `show` writes the text and may sleep; `write` gets one whole
// buffer and returns the bytes used or a negative errno, may sleep; NULL: read-only (who may write
// is the writer's to check, root alone is usual). `name` is kept. Call before INIT_SHELL.
void procfs_cluster_file(const char *name, void (*show)(struct text *t),
                         long (*write)(const struct fs_who *who, const char *bytes, size_t n));

// The PID of which `at` is the folder /proc/PID; 0: it is none.
int32_t procfs_folder_of(struct fs_place at);

// Set by ssi/migrate. A write of a node id to /proc/PID/node, on the node that has the process:
// synchronous, CONTRACT's errors.
extern int (*process_on_migrate)(int32_t pid, node_id_t to, const struct credentials *who);
// Text of /proc/PID/depends; NULL: empty.
extern void (*process_on_depends)(struct process *p, struct text *t);
// Why the process cannot move, in words; NULL: it can. (Set to migrate_reason.)
extern const char *(*process_on_cantmove)(struct process *p);
