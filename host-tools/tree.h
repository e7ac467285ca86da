// SPDX-License-Identifier: MIT
// A tree of files in memory, on its way into a cpio archive. Paths are as in lib/cpio.h: no leading
// "/", "" is the root. Owners are always 0:0; a later entry of the same path replaces the earlier.
#pragma once

#include "host-tools/host.h"

struct tree_entry {
    char *path;
    uint32_t mode; // CPIO_* type and permission bits
    uint32_t rdev_major;
    uint32_t rdev_minor;
    struct bytes data; // contents, or the target of a symlink
    size_t number;     // order of arrival
};

struct tree {
    struct tree_entry *entries;
    size_t count;
    size_t room; // entries allocated
};

// A file or a folder with all below it from the host, to appear as `path`. Symlinks stay symlinks
// below a folder; a symlink given itself is followed.
void tree_add_host(struct tree *t, const char *host_path, const char *path);

// All entries of a cpio newc archive; ends the tool when it is damaged.
void tree_add_cpio(struct tree *t, const void *bytes, size_t size, const char *from);

// A line for each entry of a cpio archive: mode in octal, bytes, name, and the target of a symlink.
void tree_list_cpio(const void *bytes, size_t size, const char *from);

// The whole tree as cpio newc: sorted by path, folders that are missing put in with mode 755, all
// times `mtime`, contents of regular files at multiples of 4096 (see lib/cpio.h).
struct bytes tree_cpio(struct tree *t, uint32_t mtime);

void tree_free(struct tree *t);
