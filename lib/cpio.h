// SPDX-License-Identifier: MIT
// Reader of cpio "newc" archives (cpio(5)), the format of the ROOT part of a boot archive. Every
// bound is checked; nothing is allocated or copied, all pointers lead into the archive.
//
// host-tools/mkarchive pads the name field with NULs so that the data of each regular file begins
// at a multiple of 4 KiB from the start: the kernel may map whole pages of it in place. What
// follows the data in its last page is the next header: that page must be copied, its tail zeroed.
#pragma once

#include "lib/types.h"

// File types, in the bits of `mode` under CPIO_TYPE; same values as S_IFMT and S_IF* of Linux.
#define CPIO_TYPE    0170000u
#define CPIO_FILE    0100000u
#define CPIO_DIR     0040000u
#define CPIO_SYMLINK 0120000u
#define CPIO_CHAR    0020000u
#define CPIO_BLOCK   0060000u
#define CPIO_FIFO    0010000u

struct cpio {
    const uint8_t *bytes;
    size_t size;
    size_t offset;   // of the next header
    const char *why; // what is wrong, in words, after cpio_next() has failed
};

struct cpio_entry {
    const char *name; // ends with NUL; no leading "/" or "./", no empty, "." or ".." component;
                      // "" is the root folder itself
    uint32_t mode;    // type and permission bits
    uint32_t uid;
    uint32_t gid;
    uint32_t mtime; // seconds since 1970
    uint32_t nlink;
    uint32_t ino;
    uint32_t rdev_major;
    uint32_t rdev_minor;
    const uint8_t *data; // contents, or the target of a symlink (no NUL behind it)
    size_t bytes;        // of data
};

void cpio_open(struct cpio *c, const void *bytes, size_t size);

// 1: `e` is the next entry; 0: the end of the archive was reached; -EINVAL: damaged, see `why`.
int cpio_next(struct cpio *c, struct cpio_entry *e) MUST_CHECK;
