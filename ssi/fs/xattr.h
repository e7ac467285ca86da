// SPDX-License-Identifier: MIT
// Extended attributes of an inode (xattr(7)): user.*, trusted.* and security.*, kept at the home
// of the tree like all else of it. What the kernel would have to obey is refused: POSIX ACLs and
// capabilities of files.
#pragma once

#include "ssi/fs/name.h"

struct inode;
struct xattr;

int op_xattr(struct name_call *c); // in.mode: enum fs_xattr_op; in.value: FS_XATTR_*
void xattrs_free(struct xattr *first);
