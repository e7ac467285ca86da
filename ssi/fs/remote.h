// SPDX-License-Identifier: MIT
// What the rooms of ssi/fs and above ask of the code that talks to other nodes. All may sleep.
#pragma once

#include "ssi/fs/inode.h"

struct file;

// The home is about to give an archived file other content: after this returned, no node reads it
// from its own archive any more. Sets i->modified.
void remote_announce_modified(struct inode *i);

// Bytes of a tree file by inode number, wherever its home is: how many, or negative errno.
long remote_inode_read(uint64_t inode, uint64_t offset, void *to, size_t n);

// Opens a node of a generated tree on another node: a file there, a proxy here.
int remote_open_generated(node_id_t on, struct fs_place place, uint32_t flags, struct file **f);

bool proxy_is_tree(const struct file *f); // a regular file or directory of the tree, at its home
