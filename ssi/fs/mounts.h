// SPDX-License-Identifier: MIT
// What was mounted, known to the home of the tree alone. A mount has a number, its view: places
// below it carry the view, so that ".." and getcwd leave it where it was entered, however often its
// root is mounted. There is one set of mounts for the whole cluster; when the home dies it goes
// with the rest of the writable layer.
#pragma once

#include "ssi/fs/tree.h"

// Is there a mount over directory `i` as reached through `view`? Then *under is its root, which may
// lie in a generated tree.
bool mount_over(uint32_t view, const struct inode *i, struct fs_place *under);
// Out of the roots of mounts: the directory that is covered where `i` is the root of `*view`, else
// `i` itself.
struct inode *mount_leave(struct inode *i, uint32_t *view);
// The directory above `i`.
struct inode *mount_up(struct inode *i, uint32_t *view);
// The directory that mount `*view` covers, *view the one that is reached through; NULL: no such.
struct inode *mount_covered(uint32_t *view);
// May nothing be written through `view`?
bool mount_readonly(uint32_t view);
// Is a file system of the tree with this device number (fs.h) mounted?
bool mount_is_device(uint64_t device);
