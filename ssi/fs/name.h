// SPDX-License-Identifier: MIT
// One operation on a name, as a value: the same struct is carried out by the tree of this node, by
// the tree of the file-system home (its fixed part and strings travel as they are), and by the
// generated trees. A walk that leaves its kind of tree answers NAME_CROSSED and says where to go
// on.
#pragma once

#include "ssi/fs/file.h"

enum name_op {
    NAME_OPEN = 1,
    NAME_STAT,
    NAME_DIR,    // resolve a directory: its place
    NAME_PARENT, // place of the directory that holds the last name, which comes back as text
    NAME_PATH,   // getcwd: the path of `at` comes back as text
    NAME_MKDIR,
    NAME_MKNOD,
    NAME_UNLINK,
    NAME_RMDIR,
    NAME_RENAME,  // both names are single ones, in at and other_at
    NAME_LINK,    // `other` is a single name in other_at
    NAME_SYMLINK, // `other` is the target
    NAME_READLINK,
    NAME_ACCESS,
    NAME_CHMOD,
    NAME_CHOWN,
    NAME_UTIMES,
    NAME_TRUNCATE,
    NAME_SPACE,  // in.value: of the file system with this device number alone; 0: of any
    NAME_MOUNT,  // `other` is how the source is shown; mode: enum fs_mount_kind; other_at: its root
    NAME_UMOUNT, // mode 1: detach
    NAME_MOUNTS, // all mounts as text
    NAME_NOTIFY, // an inotify instance
    NAME_WATCH,  // in.mode: mask; in.value: its handle when it is another node's; see `on`
    NAME_QUEUE,  // a POSIX message queue: ssi/stream/mqueue.h
    NAME_QUEUE_UNLINK,
    NAME_XATTR, // `other`: its name; in.mode: enum fs_xattr_op; in.value: FS_XATTR_*
    NAME_OPS,
};

#define NAME_CROSSED  1  // out of a walk: go on at call.in.at with call.path
#define NAME_HOPS_MAX 40 // symbolic links and crossings in one walk, as Linux has it

enum { // rename flags, as renameat2
    NAME_NOREPLACE = 1,
    NAME_EXCHANGE = 2
};

enum { // name_in.slash
    NAME_SLASH = 1,
    OTHER_SLASH = 2
};

struct name_in { // travels as it is
    uint8_t op;
    uint8_t hops;    // links and crossings so far
    uint8_t crossed; // an empty path names the place: the walk came from elsewhere
    uint8_t slash;   // rename, link: the names had a slash behind them
    uint32_t flags;  // FS_*, or O_* for open, RENAME_* for rename
    uint32_t mode;   // permissions, MAY_* for access
    uint32_t uid, gid;
    uint32_t resolve; // FS_RESOLVE_*
    uint64_t value;   // bytes, rdev
    int64_t atime_ns, mtime_ns;
    struct fs_place at, other_at;
} PACKED;

struct name_out { // travels as it is
    struct fs_place place;
    struct fs_stat st;
    uint64_t blocks, free_blocks, files, free_files; // NAME_SPACE
    uint32_t slash;                                  // NAME_PARENT: the path had one at its end
    uint32_t open_flags;                             // NAME_OPEN from another node: REMOTE_*
    uint64_t handle; // NAME_OPEN from another node; NAME_WATCH: the descriptor
} PACKED;
STATIC_ASSERT(sizeof(struct fs_stat) == 80, "fs_stat is the same on all builds");

struct name_call {
    struct name_in in;
    const struct fs_who *who;
    const char *path;  // what is left of it
    const char *other; // second name or link text, or NULL
    const void *data;  // NAME_XATTR: a new value
    size_t data_bytes; // at most FS_XATTR_BYTES_MAX
    char *text;        // answer text of at most text_size bytes, no NUL
    size_t text_size, text_bytes;
    struct name_out out;
    struct file *file; // NAME_OPEN, NAME_NOTIFY, NAME_QUEUE
    struct file *on;   // NAME_WATCH: the instance
    char *owned;       // heap buffer that `path` leads into, or NULL
};

// Carries it out wherever it leads; 0 or negative errno. May sleep. Frees `owned`.
int name_perform(struct name_call *c);
// `path` becomes text + "/" + rest (rest may be NULL or empty). -ENAMETOOLONG, -ENOMEM, -ELOOP
// (counts a hop).
int name_redirect(struct name_call *c, const char *text, size_t length, const char *rest);
// May the link to `target` that lies in tree `mount` be followed? 0, or what `resolve` has it be.
int name_link_check(const struct name_call *c, const char *target, uint16_t mount, uint32_t view);
// Next component of *path: its length, *path behind it and behind the slashes that follow, *slash
// tells of those. 0: no more. The component begins where *path (after leading slashes) was.
size_t name_component(const char **path, const char **component, bool *slash);

static inline struct fs_place place_of(uint16_t mount, uint64_t inode)
{
    return (struct fs_place){.mount = mount, .inode = inode};
}
// A directory of the tree as reached through a mount.
static inline struct fs_place place_in(uint32_t view, uint64_t inode)
{
    return (struct fs_place){.view = view, .inode = inode};
}
static inline bool place_equal(struct fs_place a, struct fs_place b)
{
    return a.mount == b.mount && a.inode == b.inode && a.view == b.view;
}

// tree_ops.c: on this node's tree.
int tree_perform(struct name_call *c);
// generated.c: in a generated tree of this node.
int generated_perform(struct name_call *c);
// remote.c: at the home of the tree.
int remote_perform(struct name_call *c);
bool fs_is_home(void); // this node's tree is the one
