// SPDX-License-Identifier: MIT
// What the files of the tree's operations share.
#pragma once

#include "ssi/fs/tree.h"

bool name_owner(const struct name_call *c, const struct inode *i); // or the superuser

int op_unlink(struct name_call *c);
int op_rmdir(struct name_call *c);
int op_rename(struct name_call *c);
int op_link(struct name_call *c);

// mounts.c
int op_mount(struct name_call *c);
int op_umount(struct name_call *c);
int op_mounts(struct name_call *c);
