// SPDX-License-Identifier: MIT
// Names and files of the one tree (PROTOCOLS 7). The boot archive is local on each node; names and
// the writable layer live on the file-system home, all nodes forward to it by rpc. /proc and /dev
// are generated on the node that is asked. Nothing here knows a current process: callers pass
// fs_who. All calls may sleep; errors are negative errno as POSIX gives them.
#pragma once

#include "lib/list.h"
#include "lib/limits.h"
#include "mm/user.h"
#include "ssi/fs/capability.h"

struct container;

// Where a name begins: a directory of the tree, by value. Exportable as it is.
struct fs_place {
    uint16_t mount; // 0: the tree; others: generated trees
    uint16_t reserved;
    uint32_t view; // the mount it was reached through, 0: none (mounts.h)
    uint64_t inode;
} PACKED;

// Device numbers (st_dev) of file systems. 15 is that of what has no name (anon.c).
enum {
    FS_DEVICE_TREE = 1,   // and with the number of a generated tree added, those
    FS_DEVICE_TMPFS = 32, // with the number of the mount that began it added
};

#define FS_GROUPS_MAX 32

struct fs_who {
    uint32_t uid, gid; // file system ids
    uint64_t lacks;    // the capabilities (capability.h) it has not; the kernel itself has all
    uint32_t group_count;
    uint32_t groups[FS_GROUPS_MAX];
    struct fs_place root, cwd;
    uint32_t umask;
    uint64_t file_bytes_max; // RLIMIT_FSIZE
    int32_t pid;             // for /proc/self
} PACKED;

static inline bool fs_can(const struct fs_who *who, enum capability what)
{
    return !(who->lacks & CAPABILITY_BIT(what));
}

struct fs_stat { // what stat calls need, host order
    uint64_t dev, inode, rdev, bytes, blocks;
    uint32_t mode, links, uid, gid;
    int64_t atime_ns, mtime_ns, ctime_ns;
} PACKED;

struct file; // open file description: refcounted, has a home, one offset shared by its users

enum {
    FS_NOFOLLOW = 1,   // the last component is not followed when it is a link
    FS_EMPTY_PATH = 2, // an empty path names the place itself
    FS_TIMES_NOW = 4   // fs_utimes: both are the present, which whoever may write may set
};

// Linux open flags (octal) as i386 has them.
#define O_ACCMODE   00000003
#define O_RDONLY    00000000
#define O_WRONLY    00000001
#define O_RDWR      00000002
#define O_CREAT     00000100
#define O_EXCL      00000200
#define O_NOCTTY    00000400
#define O_TRUNC     00001000
#define O_APPEND    00002000
#define O_NONBLOCK  00004000
#define O_ASYNC     00020000
#define O_DIRECT    00040000
#define O_DIRECTORY 00200000
#define O_NOFOLLOW  00400000
#define O_CLOEXEC   02000000
#define O_PATH      010000000
#define O_TMPFILE   020000000

// `at` is the place a relative path begins from (who->cwd, or that of a directory descriptor).
int fs_open(const struct fs_who *who, struct fs_place at, const char *path, uint32_t flags,
            uint32_t mode, struct file **file);
// openat2(2): how its path is walked. BENEATH and IN_ROOT make `at` the root of the walk.
enum {
    FS_RESOLVE_NO_XDEV = 1,       // -EXDEV
    FS_RESOLVE_NO_MAGICLINKS = 2, // -ELOOP at the links of /proc/PID
    FS_RESOLVE_NO_SYMLINKS = 4,   // -ELOOP
    FS_RESOLVE_BENEATH = 8,       // -EXDEV at what leads out
    FS_RESOLVE_IN_ROOT = 16,
    FS_RESOLVE_CACHED = 32 // -EAGAIN when another node must be asked
};
int fs_open_resolved(const struct fs_who *who, struct fs_place at, const char *path, uint32_t flags,
                     uint32_t mode, uint32_t resolve, struct file **file);
// What lies at `at` itself. -ENOENT: nothing (any more).
int fs_open_place(const struct fs_who *who, struct fs_place at, uint32_t flags, struct file **f);
// memfd_create(2): a file without a name in any directory. `sealable`: seals may be added.
enum {
    FS_SEAL_SEAL = 1,
    FS_SEAL_SHRINK = 2,
    FS_SEAL_GROW = 4,
    FS_SEAL_WRITE = 8,
    FS_SEAL_FUTURE_WRITE = 16
};
int fs_memfd(const struct fs_who *who, const char *name, bool sealable, struct file **file);
int fs_stat(const struct fs_who *who, struct fs_place at, const char *path, unsigned flags,
            struct fs_stat *st);
int fs_resolve_dir(const struct fs_who *who, struct fs_place at, const char *path,
                   struct fs_place *dir); // for chdir, chroot
long fs_path_of(const struct fs_who *who, struct fs_place dir, char *path, size_t size); // getcwd
int fs_mkdir(const struct fs_who *who, struct fs_place at, const char *path, uint32_t mode);
int fs_mknod(const struct fs_who *who, struct fs_place at, const char *path, uint32_t mode,
             uint64_t rdev);
int fs_unlink(const struct fs_who *who, struct fs_place at, const char *path, bool directory);
// What of the first name alone keeps a rename from being done.
int fs_rename_from(const struct fs_who *who, struct fs_place from_at, const char *from);
int fs_rename(const struct fs_who *who, struct fs_place from_at, const char *from,
              struct fs_place to_at, const char *to, unsigned flags);
int fs_link(const struct fs_who *who, struct fs_place from_at, const char *from,
            struct fs_place to_at, const char *to, unsigned flags);
int fs_symlink(const struct fs_who *who, const char *target, struct fs_place at, const char *path);
long fs_readlink(const struct fs_who *who, struct fs_place at, const char *path, char *to,
                 size_t size);
int fs_access(const struct fs_who *who, struct fs_place at, const char *path, unsigned mode,
              unsigned flags);
int fs_chmod(const struct fs_who *who, struct fs_place at, const char *path, uint32_t mode,
             unsigned flags);
int fs_chown(const struct fs_who *who, struct fs_place at, const char *path, uint32_t uid,
             uint32_t gid, unsigned flags);
// Extended attributes, see xattr.h.
enum fs_xattr_op {
    FS_XATTR_GET = 1, // its whole value
    FS_XATTR_SET,
    FS_XATTR_LIST, // the names that `who` may know of, each with its NUL
    FS_XATTR_REMOVE
};
enum {                   // of SET
    FS_XATTR_CREATE = 1, // -EEXIST
    FS_XATTR_REPLACE = 2 // -ENODATA
};
#define FS_XATTR_BYTES_MAX 4096u // names and values of a file
struct fs_xattr {
    enum fs_xattr_op op;
    unsigned flags;    // FS_XATTR_CREATE, FS_XATTR_REPLACE
    const char *name;  // NULL: LIST
    const void *value; // SET
    size_t bytes;      // SET: of the value
    char *answer;      // GET, LIST: FS_XATTR_BYTES_MAX bytes
};
// Bytes of the answer, 0, or -ENODATA, -EEXIST, -ENOSPC, -EOPNOTSUPP, -EPERM, -EACCES and others.
long fs_xattr(const struct fs_who *who, struct fs_place at, const char *path, unsigned flags,
              const struct fs_xattr *x);
#define FS_TIME_OMIT INT64_MIN
int fs_utimes(const struct fs_who *who, struct fs_place at, const char *path, int64_t atime_ns,
              int64_t mtime_ns, unsigned flags);
int fs_truncate(const struct fs_who *who, struct fs_place at, const char *path, uint64_t bytes);

struct fs_space { // statfs
    uint64_t blocks, free_blocks, files, free_files;
    uint32_t type, block_bytes, name_max;
};
int fs_space_of(const struct fs_who *who, struct fs_place at, const char *path,
                struct fs_space *out);
// Of the file system with that device number; -EINVAL: there is none.
int fs_space_of_device(uint64_t device, struct fs_space *out);

// mount(2) and umount(2) by the superuser. `source`: what is shown, and for a bind the directory.
enum fs_mount_kind {
    FS_MOUNT_TMPFS = 1,
    FS_MOUNT_BIND,
    FS_MOUNT_PROC,
    FS_MOUNT_DEV,
    FS_MOUNT_CHANGE // flags of what is mounted there
};
int fs_mount(const struct fs_who *who, const char *source, const char *target,
             enum fs_mount_kind kind, uint32_t mode, bool readonly);
int fs_umount(const struct fs_who *who, const char *target, bool detach, bool nofollow);
// The lines of /proc/mounts for what was mounted.
long fs_mounts_text(char *to, size_t size);

// The program file for exec: its bytes through an I/O linker, wherever it lives.
struct io_source;
int fs_image_source(struct file *f, struct io_source *source); // kind image or file
