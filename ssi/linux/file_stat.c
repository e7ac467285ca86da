// SPDX-License-Identifier: MIT
// Attributes of files, in every layout that i386 programs know.
#include "ssi/linux/file.h"
#include "lib/seconds.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/inode.h"

#define BLOCK_BYTES 4096u

struct linux_stat { // "newstat" of i386
    uint32_t dev, inode;
    uint16_t mode, links, uid, gid;
    uint32_t rdev, bytes, block_bytes, blocks;
    uint32_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
    uint32_t unused[2];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_stat) == 64, "stat of the ABI");

struct linux_old_stat { // "oldstat"
    uint16_t dev, inode, mode, links, uid, gid, rdev, pad;
    uint32_t bytes, atime, mtime, ctime;
} PACKED;
STATIC_ASSERT(sizeof(struct linux_old_stat) == 32, "__old_kernel_stat of the ABI");

struct linux_ustat {
    int32_t free_blocks;
    uint32_t free_files;
    char name[6], pack[6];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_ustat) == 20, "ustat of the ABI");

struct linux_stat64 {
    uint64_t dev;
    uint32_t pad0;
    uint32_t inode32;
    uint32_t mode, links, uid, gid;
    uint64_t rdev;
    uint32_t pad1;
    int64_t bytes;
    uint32_t block_bytes;
    uint64_t blocks;
    uint32_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
    uint64_t inode;
} PACKED;
STATIC_ASSERT(sizeof(struct linux_stat64) == 96, "stat64 of the ABI");

struct linux_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t pad;
} PACKED;

struct linux_statx {
    uint32_t mask, block_bytes;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad0;
    uint64_t inode, bytes, blocks, attributes_mask;
    struct linux_statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount;
    uint64_t spare[13];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_statx) == 256, "statx of the ABI");

struct linux_statfs {
    uint32_t type, block_bytes, blocks, free_blocks, available, files, free_files;
    uint32_t fsid[2], name_max, fragment, flags, spare[4];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_statfs) == 64, "statfs of the ABI");

struct linux_statfs64 {
    uint32_t type, block_bytes;
    uint64_t blocks, free_blocks, available, files, free_files;
    uint32_t fsid[2], name_max, fragment, flags, spare[4];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_statfs64) == 84, "statfs64 of the ABI");

struct instant {
    int64_t seconds;
    int32_t nanoseconds;
};

static inline struct instant instant_of(int64_t ns)
{
    struct instant i;
    i.seconds = seconds_of(ns, &i.nanoseconds);
    if (i.nanoseconds < 0) { // before 1970 they count up as well: -1.5 s is -2 s and a half
        i.nanoseconds += (int32_t)NS_PER_S;
        i.seconds--;
    }
    return i;
}

static int stat_out(uint32_t user, const struct fs_stat *st)
{
    struct instant atime = instant_of(st->atime_ns), mtime = instant_of(st->mtime_ns),
                   ctime = instant_of(st->ctime_ns);
    struct linux_stat s = {
        .dev = (uint32_t)st->dev,
        .inode = (uint32_t)st->inode,
        .mode = (uint16_t)st->mode,
        .links = (uint16_t)st->links,
        .uid = st->uid > 0xffff ? 65534 : (uint16_t)st->uid,
        .gid = st->gid > 0xffff ? 65534 : (uint16_t)st->gid,
        .rdev = (uint32_t)st->rdev,
        .bytes = (uint32_t)st->bytes,
        .block_bytes = BLOCK_BYTES,
        .blocks = (uint32_t)st->blocks,
        .atime = (uint32_t)atime.seconds,
        .atime_ns = (uint32_t)atime.nanoseconds,
        .mtime = (uint32_t)mtime.seconds,
        .mtime_ns = (uint32_t)mtime.nanoseconds,
        .ctime = (uint32_t)ctime.seconds,
        .ctime_ns = (uint32_t)ctime.nanoseconds,
    };
    if (st->bytes > INT32_MAX || st->inode > UINT32_MAX)
        return -EOVERFLOW;
    return user_write(user, &s, sizeof(s));
}

static int old_stat_out(uint32_t user, const struct fs_stat *st)
{
    struct linux_old_stat s = {
        .dev = (uint16_t)st->dev,
        .inode = (uint16_t)st->inode,
        .mode = (uint16_t)st->mode,
        .links = (uint16_t)st->links,
        .uid = st->uid > 0xffff ? 65534 : (uint16_t)st->uid,
        .gid = st->gid > 0xffff ? 65534 : (uint16_t)st->gid,
        .rdev = (uint16_t)st->rdev,
        .bytes = (uint32_t)st->bytes,
        .atime = (uint32_t)instant_of(st->atime_ns).seconds,
        .mtime = (uint32_t)instant_of(st->mtime_ns).seconds,
        .ctime = (uint32_t)instant_of(st->ctime_ns).seconds,
    };
    if (st->bytes > INT32_MAX || st->inode != s.inode || st->links != s.links)
        return -EOVERFLOW;
    return user_write(user, &s, sizeof(s));
}

static int stat64_out(uint32_t user, const struct fs_stat *st)
{
    struct instant atime = instant_of(st->atime_ns), mtime = instant_of(st->mtime_ns),
                   ctime = instant_of(st->ctime_ns);
    struct linux_stat64 s = {
        .dev = st->dev,
        .inode32 = (uint32_t)st->inode,
        .mode = st->mode,
        .links = st->links,
        .uid = st->uid,
        .gid = st->gid,
        .rdev = st->rdev,
        .bytes = (int64_t)st->bytes,
        .block_bytes = BLOCK_BYTES,
        .blocks = st->blocks,
        .atime = (uint32_t)atime.seconds,
        .atime_ns = (uint32_t)atime.nanoseconds,
        .mtime = (uint32_t)mtime.seconds,
        .mtime_ns = (uint32_t)mtime.nanoseconds,
        .ctime = (uint32_t)ctime.seconds,
        .ctime_ns = (uint32_t)ctime.nanoseconds,
        .inode = st->inode,
    };
    return user_write(user, &s, sizeof(s));
}

static struct linux_statx_time statx_time(int64_t ns)
{
    struct instant i = instant_of(ns);
    return (struct linux_statx_time){.seconds = i.seconds, .nanoseconds = (uint32_t)i.nanoseconds};
}

static int statx_out(uint32_t user, const struct fs_stat *st)
{
    struct linux_statx s = {
        .mask = 0x7ff, // STATX_BASIC_STATS
        .block_bytes = BLOCK_BYTES,
        .links = st->links,
        .uid = st->uid,
        .gid = st->gid,
        .mode = (uint16_t)st->mode,
        .inode = st->inode,
        .bytes = st->bytes,
        .blocks = st->blocks,
        .atime = statx_time(st->atime_ns),
        .ctime = statx_time(st->ctime_ns),
        .mtime = statx_time(st->mtime_ns),
        .rdev_major = (uint32_t)(st->rdev >> 8 & 0xfff),
        .rdev_minor = (uint32_t)((st->rdev & 0xff) | (st->rdev >> 12 & ~UINT64_C(0xff))),
        .dev_minor = (uint32_t)st->dev,
    };
    return user_write(user, &s, sizeof(s));
}

// ---- stat by name and by descriptor ------------------------------------------------------------
static int stat_fd(uint32_t fd, struct fs_stat *st)
{
    struct file *f = file_of_any(fd);
    if (f == NULL)
        return -EBADF;
    int e = file_stat(f, st);
    file_put(f);
    return e;
}

static int stat_name(int32_t dirfd, uint32_t path, uint32_t at_flags, struct fs_stat *st)
{
    struct file_name n;
    char first;
    if ((at_flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD) {
        int e = path ? user_read(&first, path, 1) : 0;
        if (e < 0)
            return e;
        if (path == 0 || first == '\0')
            return stat_fd((uint32_t)dirfd, st);
    }
    int e = file_name_begin_flags(&n, dirfd, path, at_flags);
    if (e < 0)
        return e;
    unsigned flags = (at_flags & AT_SYMLINK_NOFOLLOW ? FS_NOFOLLOW : 0) |
                     (at_flags & AT_EMPTY_PATH ? FS_EMPTY_PATH : 0);
    e = fs_stat(&n.who, n.at, n.path, flags, st);
    file_name_end(&n);
    return e;
}

typedef int (*stat_writer)(uint32_t user, const struct fs_stat *st);

static long stat_call(int32_t dirfd, uint32_t path, uint32_t flags, uint32_t to, stat_writer out)
{
    struct fs_stat st;
    int e = stat_name(dirfd, path, flags, &st);
    return e < 0 ? e : out(to, &st);
}

static long fstat_call(uint32_t fd, uint32_t to, stat_writer out)
{
    struct fs_stat st;
    int e = stat_fd(fd, &st);
    return e < 0 ? e : out(to, &st);
}

long sys_oldstat(struct call *c)
{
    return stat_call(AT_FDCWD, c->args[0], 0, c->args[1], old_stat_out);
}

long sys_oldlstat(struct call *c)
{
    return stat_call(AT_FDCWD, c->args[0], AT_SYMLINK_NOFOLLOW, c->args[1], old_stat_out);
}

long sys_oldfstat(struct call *c)
{
    return fstat_call(c->args[0], c->args[1], old_stat_out);
}

long sys_stat(struct call *c)
{
    return stat_call(AT_FDCWD, c->args[0], 0, c->args[1], stat_out);
}

long sys_lstat(struct call *c)
{
    return stat_call(AT_FDCWD, c->args[0], AT_SYMLINK_NOFOLLOW, c->args[1], stat_out);
}

long sys_fstat(struct call *c)
{
    return fstat_call(c->args[0], c->args[1], stat_out);
}

long sys_stat64(struct call *c)
{
    return stat_call(AT_FDCWD, c->args[0], 0, c->args[1], stat64_out);
}

long sys_lstat64(struct call *c)
{
    return stat_call(AT_FDCWD, c->args[0], AT_SYMLINK_NOFOLLOW, c->args[1], stat64_out);
}

long sys_fstat64(struct call *c)
{
    return fstat_call(c->args[0], c->args[1], stat64_out);
}

long sys_fstatat64(struct call *c)
{
    if (c->args[3] & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
        return -EINVAL;
    return stat_call((int32_t)c->args[0], c->args[1], c->args[3], c->args[2], stat64_out);
}

long sys_statx(struct call *c)
{
    uint32_t flags = c->args[2];
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC))
        return -EINVAL;
    if ((flags & AT_STATX_SYNC) == AT_STATX_SYNC || (c->args[3] & 0x80000000u))
        return -EINVAL;
    return stat_call((int32_t)c->args[0], c->args[1], flags, c->args[4], statx_out);
}

// ---- statfs ------------------------------------------------------------------------------------
static int space_out(uint32_t user, const struct fs_space *s)
{
    struct linux_statfs o = {
        .type = s->type,
        .block_bytes = s->block_bytes,
        .blocks = (uint32_t)s->blocks,
        .free_blocks = (uint32_t)s->free_blocks,
        .available = (uint32_t)s->free_blocks,
        .files = (uint32_t)s->files,
        .free_files = (uint32_t)s->free_files,
        .name_max = s->name_max,
        .fragment = s->block_bytes,
    };
    return user_write(user, &o, sizeof(o));
}

static int space64_out(uint32_t user, const struct fs_space *s)
{
    struct linux_statfs64 o = {
        .type = s->type,
        .block_bytes = s->block_bytes,
        .blocks = s->blocks,
        .free_blocks = s->free_blocks,
        .available = s->free_blocks,
        .files = s->files,
        .free_files = s->free_files,
        .name_max = s->name_max,
        .fragment = s->block_bytes,
    };
    return user_write(user, &o, sizeof(o));
}

static long space_call(uint32_t path, uint32_t to, bool wide)
{
    struct file_name n;
    struct fs_space s;
    int e = file_name_begin(&n, AT_FDCWD, path);
    if (e < 0)
        return e;
    e = n.path[0] ? fs_space_of(&n.who, n.at, n.path, &s) : -ENOENT;
    file_name_end(&n);
    return e < 0 ? e : wide ? space64_out(to, &s) : space_out(to, &s);
}

static long fspace_call(uint32_t fd, uint32_t to, bool wide)
{
    struct fs_who who;
    struct fs_space s;
    struct file *f = file_of_any(fd);
    if (f == NULL)
        return -EBADF;
    process_who(process_current(), &who);
    struct fs_place at = f->place;
    file_put(f);
    if (at.inode == 0 || at.mount == 0)
        at = who.root; // pipes have no place; all of the tree has one answer
    int e = fs_space_of(&who, at, "", &s);
    return e < 0 ? e : wide ? space64_out(to, &s) : space_out(to, &s);
}

long sys_statfs(struct call *c)
{
    return space_call(c->args[0], c->args[1], false);
}

long sys_fstatfs(struct call *c)
{
    return fspace_call(c->args[0], c->args[1], false);
}

long sys_statfs64(struct call *c)
{
    return c->args[1] == sizeof(struct linux_statfs64) ? space_call(c->args[0], c->args[2], true)
                                                       : -EINVAL;
}

long sys_fstatfs64(struct call *c)
{
    return c->args[1] == sizeof(struct linux_statfs64) ? fspace_call(c->args[0], c->args[2], true)
                                                       : -EINVAL;
}

long sys_ustat(struct call *c)
{
    struct fs_space s;
    int e = fs_space_of_device(c->args[0], &s);
    struct linux_ustat u = {0};
    if (e < 0)
        return e;
    u.free_blocks = (int32_t)s.free_blocks;
    u.free_files = (uint32_t)s.free_files;
    return user_write(c->args[1], &u, sizeof(u));
}
