// SPDX-License-Identifier: MIT
// inotify(7): watches on inodes of the tree, and the open file that their events are read from.
// Both live at the home of the tree, which sees every change; other nodes forward to it as to any
// other open file. Order and form of the events are Linux's. Nothing here sleeps but reading.
#pragma once

#include "ssi/fs/name.h"

#define NOTIFY_EVENTS_MAX    16384u // that wait, of one instance
#define NOTIFY_INSTANCES_MAX 128u   // of one user
#define NOTIFY_WATCHES_MAX   16384u // of one user

struct dirent;

enum { // masks of the ABI
    IN_ACCESS = 0x1,
    IN_MODIFY = 0x2,
    IN_ATTRIB = 0x4,
    IN_CLOSE_WRITE = 0x8,
    IN_CLOSE_NOWRITE = 0x10,
    IN_OPEN = 0x20,
    IN_MOVED_FROM = 0x40,
    IN_MOVED_TO = 0x80,
    IN_CREATE = 0x100,
    IN_DELETE = 0x200,
    IN_DELETE_SELF = 0x400,
    IN_MOVE_SELF = 0x800,
    IN_ALL_EVENTS = 0xfff,
    IN_UNMOUNT = 0x2000,
    IN_Q_OVERFLOW = 0x4000,
    IN_IGNORED = 0x8000,
    IN_ONLYDIR = 0x01000000,
    IN_DONT_FOLLOW = 0x02000000,
    IN_EXCL_UNLINK = 0x04000000,
    IN_MASK_CREATE = 0x10000000,
    IN_MASK_ADD = 0x20000000,
    IN_ISDIR = 0x40000000,
};
#define IN_ONESHOT 0x80000000u

// fs_notify_new: a new instance, `flags` O_NONBLOCK or 0. -EMFILE, -ENOMEM.
// fs_notify_watch: a watch on what `path` names; its descriptor, or -EINVAL (f is no instance),
// -EEXIST, -ENOSPC, -EOPNOTSUPP (a name of /proc or /dev), and the errors of a walk.
// fs_notify_remove: 0, -EINVAL. All but fs_notify_is may sleep.
int fs_notify_new(const struct fs_who *who, uint32_t flags, struct file **f);
long fs_notify_watch(const struct fs_who *who, struct file *f, const char *path, uint32_t mask);
long fs_notify_remove(struct file *f, int32_t watch);
bool fs_notify_is(const struct file *f); // false: it is none; a stream of another node may be

// ---- of the operations on names, at the home
int op_notify(struct name_call *c);
int op_watch(struct name_call *c);
bool notify_is(const struct file *f);

// ---- what happened: free of cost while nothing is watched
// To an inode itself; to an inode and to the directory it was opened through; to an open file.
void notify_inode(struct inode *i, uint32_t event);
void notify_child(struct inode *i, uint32_t event);
void notify_file(const struct file *f, uint32_t event);
// An entry came to or went from `dir`; `i` is what it names. The cookie ties two of one move.
void notify_entry(struct inode *dir, const struct inode *i, uint32_t event, uint32_t cookie,
                  const char *name, size_t length);
uint32_t notify_cookie(void);
// `i` is open by the entry that `f` found.
void notify_opened(struct inode *i, const struct inode *dir, const char *name, size_t length);
// The last name and the last user of `i` are gone.
void notify_gone(struct inode *i);
// File system `fs` is no longer mounted.
void notify_unmounted(uint16_t fs);
