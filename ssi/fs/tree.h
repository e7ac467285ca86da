// SPDX-License-Identifier: MIT
// The tree of this node: built from the boot archive, walked by name. Nothing here sleeps.
#pragma once

#include "ssi/fs/inode.h"
#include "ssi/fs/name.h"

// Builds the tree on first use. False: no memory for it.
bool tree_ready(void);

// Reads a cpio archive into the tree: entries in its order, so that inode numbers agree on all
// nodes. A damaged archive is read up to the damage: false, and *why in words.
bool tree_build(const void *bytes, size_t size, const char **why);

// Covers the directory `path` (made when it is missing) with generated tree number `mount`.
int tree_cover(const char *path, uint16_t mount);
struct inode *tree_covered(uint16_t mount); // the directory it covers

struct found {
    struct inode *dir;   // holds the last name; NULL when that is "/", "." or ".."
    struct inode *inode; // NULL: there is no such name in dir
    const char *name;    // last component; valid while c->path is
    size_t length;
    bool slash;    // the path ends with a slash
    uint32_t view; // the mount through which it was reached
};

// Walks c->path from c->in.at. 0 with *f, NAME_CROSSED, or negative errno (-ENOENT when a
// directory on the way is missing; a missing last name is f->inode == NULL).
int tree_walk(struct name_call *c, bool follow, struct found *f);
// As tree_walk, but the last name must exist.
int tree_walk_to(struct name_call *c, bool follow, struct inode **i);

// treefile.c: an open file on `i`. NULL: no memory.
struct file *tree_file_new(struct inode *i, uint32_t flags);
void tree_file_uncount(struct file *f); // it may write, but does not forbid to run the file
int tree_inode_set(struct inode *i, const struct fs_set *s); // may sleep when size is set
int tree_resize(struct inode *i, uint64_t bytes);            // may sleep
// Counts a user as program image: no one may write from now on. -ETXTBSY: somebody does.
int tree_image_begin(struct inode *i);
bool tree_file_is(const struct file *f);
struct inode *tree_file_inode(const struct file *f);
// Bytes of a file, as far as there are; for linkers and remote readers. May sleep.
int tree_read(struct inode *i, uint64_t offset, struct xfer *x);
