// SPDX-License-Identifier: MIT
// Generated trees (/proc, /dev): a room registers one mount; its nodes are numbers that the room
// understands. Reads show text made at open; writes give the room one whole buffer.
#pragma once

#include "lib/fmt.h"
#include "ssi/fs/file.h"

struct gen_entry {
    uint64_t inode; // the room's number, not 0; 1 is the mount's root directory
    uint32_t mode;  // type and permissions
    uint32_t uid, gid;
    uint64_t rdev; // devices
    char name[64];
};

struct gen_tree {
    const char *path; // "/proc"
    // The entry `name` of directory `dir`; -ENOENT. May sleep.
    int (*look)(const struct fs_who *who, uint64_t dir, const char *name, struct gen_entry *e);
    // Attributes of a node; -ENOENT when it is gone.
    int (*attributes)(uint64_t inode, struct gen_entry *e);
    // The entry at *cursor (0 at first) of directory `dir`, *cursor advanced; -ENOENT at the end.
    int (*list)(uint64_t dir, uint64_t *cursor, struct gen_entry *e);
    // Content of a regular file. `t` is as large as the room asked by text_bytes; when that was too
    // small (t->cut) it is called again with more. May sleep.
    int (*show)(uint64_t inode, struct text *t);
    size_t text_bytes; // 0: 16 KiB
    // A write: bytes used or negative errno; may sleep.
    long (*write)(const struct fs_who *who, uint64_t inode, const char *bytes, size_t n);
    // Target of a symbolic link.
    int (*link)(const struct fs_who *who, uint64_t inode, char *to, size_t size);
    // chmod and chown, by who may: 0 or negative errno. NULL: nobody may.
    int (*set)(uint64_t inode, const struct fs_set *s);
    // Opens what is not plain text (devices): its own file. NULL: show/write are used.
    int (*open)(const struct fs_who *who, uint64_t inode, uint32_t flags, struct file **f);
};

// A text of `size` bytes, of eight times as many when it was cut, and so on to some MiB. 0 with *t,
// whose `at` is to be freed; -ENOMEM or what `show` says: there is none. May sleep.
typedef int (*text_show_fn)(void *arg, struct text *t);
int generated_text(struct text *t, size_t size, text_show_fn show, void *arg);

// `tree` is kept. Returns the mount's number, the same on all nodes (fs_place.mount).
uint16_t fs_mount_generated(const struct gen_tree *tree);
uint16_t fs_generated_number(const char *path); // 0: there is none
