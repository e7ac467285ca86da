// SPDX-License-Identifier: MIT
// Names: making, linking, moving and taking them away; directories; permissions of access.
#include "ssi/linux/file.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/dirent64.h"
#include "ssi/fs/inode.h"

#define LIST_BYTES_MAX (16u << 10)

// ---- making and taking away --------------------------------------------------------------------
static long mkdir_at(int32_t dirfd, uint32_t path, uint32_t mode)
{
    struct file_name n;
    int e = file_name_begin(&n, dirfd, path);
    if (e < 0)
        return e;
    e = fs_mkdir(&n.who, n.at, n.path, mode & 07777);
    file_name_end(&n);
    return e;
}

long sys_mkdir(struct call *c)
{
    return mkdir_at(AT_FDCWD, c->args[0], c->args[1]);
}

long sys_mkdirat(struct call *c)
{
    return mkdir_at((int32_t)c->args[0], c->args[1], c->args[2]);
}

static long mknod_at(int32_t dirfd, uint32_t path, uint32_t mode, uint32_t dev)
{
    struct file_name n;
    uint32_t type = mode & S_IFMT;
    bool known = type == 0 || type == S_IFREG || type == S_IFIFO || type == S_IFSOCK ||
                 type == S_IFCHR || type == S_IFBLK;
    if (!known) // before the name is looked at, as Linux does
        return type == S_IFDIR ? -EPERM : -EINVAL;
    int e = file_name_begin(&n, dirfd, path);
    if (e < 0)
        return e;
    e = fs_mknod(&n.who, n.at, n.path, mode, dev); // the ABI packs dev as fs_device_number does
    file_name_end(&n);
    return e;
}

long sys_mknod(struct call *c)
{
    return mknod_at(AT_FDCWD, c->args[0], c->args[1], c->args[2]);
}

long sys_mknodat(struct call *c)
{
    return mknod_at((int32_t)c->args[0], c->args[1], c->args[2], c->args[3]);
}

static long unlink_at(int32_t dirfd, uint32_t path, bool directory)
{
    struct file_name n;
    int e = file_name_begin(&n, dirfd, path);
    if (e < 0)
        return e;
    e = fs_unlink(&n.who, n.at, n.path, directory);
    file_name_end(&n);
    return e;
}

long sys_unlink(struct call *c)
{
    return unlink_at(AT_FDCWD, c->args[0], false);
}

long sys_rmdir(struct call *c)
{
    return unlink_at(AT_FDCWD, c->args[0], true);
}

long sys_unlinkat(struct call *c)
{
    if (c->args[2] & ~AT_REMOVEDIR)
        return -EINVAL;
    return unlink_at((int32_t)c->args[0], c->args[1], c->args[2] & AT_REMOVEDIR);
}

// ---- two names ---------------------------------------------------------------------------------
// `to` is NULL when nothing can be made of it: what of `from` alone is an error.
typedef int (*two_names)(const struct file_name *from, const struct file_name *to, unsigned flags);

static long with_two(int32_t from_fd, uint32_t from, int32_t to_fd, uint32_t to, unsigned flags,
                     two_names fn)
{
    struct file_name a, b;
    int e = file_name_begin_flags(&a, from_fd, from, flags & FS_EMPTY_PATH ? AT_EMPTY_PATH : 0);
    if (e < 0)
        return e;
    e = file_name_begin(&b, to_fd, to);
    if (e == 0) {
        e = fn(&a, &b, flags);
        file_name_end(&b);
    } else { // but an error of the first name comes first
        int first = fn(&a, NULL, flags);
        e = first < 0 ? first : e;
    }
    file_name_end(&a);
    return e;
}

static int rename_two(const struct file_name *from, const struct file_name *to, unsigned flags)
{
    if (to == NULL)
        return fs_rename_from(&from->who, from->at, from->path);
    return fs_rename(&from->who, from->at, from->path, to->at, to->path, flags);
}

static int link_two(const struct file_name *from, const struct file_name *to, unsigned flags)
{
    struct fs_stat st;
    if (to == NULL)
        return fs_stat(&from->who, from->at, from->path, flags, &st);
    return fs_link(&from->who, from->at, from->path, to->at, to->path, flags);
}

long sys_rename(struct call *c)
{
    return with_two(AT_FDCWD, c->args[0], AT_FDCWD, c->args[1], 0, rename_two);
}

long sys_renameat(struct call *c)
{
    return with_two((int32_t)c->args[0], c->args[1], (int32_t)c->args[2], c->args[3], 0,
                    rename_two);
}

long sys_renameat2(struct call *c)
{
    enum {
        NOREPLACE = 1,
        EXCHANGE = 2
    };
    uint32_t flags = c->args[4];
    if ((flags & ~(uint32_t)(NOREPLACE | EXCHANGE)) || flags == (NOREPLACE | EXCHANGE))
        return -EINVAL;
    return with_two((int32_t)c->args[0], c->args[1], (int32_t)c->args[2], c->args[3], c->args[4],
                    rename_two);
}

long sys_link(struct call *c)
{
    return with_two(AT_FDCWD, c->args[0], AT_FDCWD, c->args[1], FS_NOFOLLOW, link_two);
}

long sys_linkat(struct call *c)
{
    uint32_t flags = c->args[4];
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !process_can(CAP_DAC_READ_SEARCH))
        return -ENOENT;
    return with_two((int32_t)c->args[0], c->args[1], (int32_t)c->args[2], c->args[3],
                    (flags & AT_SYMLINK_FOLLOW ? 0 : FS_NOFOLLOW) |
                        (flags & AT_EMPTY_PATH ? FS_EMPTY_PATH : 0),
                    link_two);
}

static long symlink_at(uint32_t target, int32_t dirfd, uint32_t path)
{
    struct file_name n;
    char *text;
    int e = linux_path_in(target, &text);
    if (e < 0)
        return e;
    e = text[0] ? file_name_begin(&n, dirfd, path) : -ENOENT;
    if (e == 0) {
        e = fs_symlink(&n.who, text, n.at, n.path);
        file_name_end(&n);
    }
    heap_free(text);
    return e;
}

long sys_symlink(struct call *c)
{
    return symlink_at(c->args[0], AT_FDCWD, c->args[1]);
}

long sys_symlinkat(struct call *c)
{
    return symlink_at(c->args[0], (int32_t)c->args[1], c->args[2]);
}

static long readlink_at(int32_t dirfd, uint32_t path, uint32_t to, uint32_t size)
{
    struct file_name n;
    if ((int32_t)size <= 0)
        return -EINVAL;
    int e = file_name_begin_flags(&n, dirfd, path, AT_EMPTY_PATH);
    if (e < 0)
        return e;
    char *text = heap_alloc(PATH_MAX_BYTES);
    long got = -ENOMEM;
    if (text && n.path[0] == '\0' && dirfd == AT_FDCWD)
        got = -ENOENT;
    else if (text)
        got = fs_readlink(&n.who, n.at, n.path, text, MIN(size, PATH_MAX_BYTES));
    if (got > 0 && (e = user_write(to, text, (size_t)got)) < 0)
        got = e;
    heap_free(text);
    file_name_end(&n);
    return got;
}

long sys_readlink(struct call *c)
{
    return readlink_at(AT_FDCWD, c->args[0], c->args[1], c->args[2]);
}

long sys_readlinkat(struct call *c)
{
    return readlink_at((int32_t)c->args[0], c->args[1], c->args[2], c->args[3]);
}

// ---- where a process is ------------------------------------------------------------------------
int file_dir_of(uint32_t path, struct fs_place *dir)
{
    struct file_name n;
    int e = file_name_begin(&n, AT_FDCWD, path);
    if (e < 0)
        return e;
    e = fs_resolve_dir(&n.who, n.at, n.path, dir);
    file_name_end(&n);
    return e;
}

long sys_chdir(struct call *c)
{
    struct fs_place dir;
    long e = file_dir_of(c->args[0], &dir);
    if (e == 0)
        process_current()->fs->cwd = dir;
    return e;
}

long sys_fchdir(struct call *c)
{
    struct fs_who who;
    struct fs_place dir;
    struct file *f = fd_file(process_current()->files, (int)c->args[0]);
    if (f == NULL)
        return -EBADF;
    if (f->place.inode == 0)
        return -ENOTDIR;
    process_who(process_current(), &who);
    int e = fs_resolve_dir(&who, f->place, ".", &dir);
    if (e == 0)
        process_current()->fs->cwd = dir;
    return e;
}

long sys_chroot(struct call *c)
{
    struct fs_place dir;
    long e = file_dir_of(c->args[0], &dir);
    if (e == 0 && !process_can(CAP_SYS_CHROOT))
        e = -EPERM;
    if (e == 0)
        process_current()->fs->root = dir;
    return e;
}

long sys_getcwd(struct call *c)
{
    struct fs_who who;
    uint32_t size = c->args[1];
    char *path = heap_alloc(PATH_MAX_BYTES);
    if (path == NULL)
        return -ENOMEM;
    process_who(process_current(), &who);
    long n = fs_path_of(&who, who.cwd, path, PATH_MAX_BYTES);
    if (n == -ERANGE)
        n = -ENAMETOOLONG; // in a larger buffer it were the same
    if (n >= 0 && (uint64_t)n + 1 > size)
        n = -ERANGE;
    if (n >= 0) {
        int e = user_write(c->args[0], path, (size_t)n + 1);
        n = e < 0 ? e : n + 1;
    }
    heap_free(path);
    return n;
}

// ---- listing -----------------------------------------------------------------------------------
struct linux_dirent { // of getdents; the type is the last byte of the record
    uint32_t inode, next;
    uint16_t bytes;
    char name[];
} PACKED;

// Rewrites records in place: the old form is never longer. Bytes of it, or -EOVERFLOW.
static long list_narrow(char *records, size_t n)
{
    size_t from = 0, to = 0;
    while (from < n) {
        struct linux_dirent64 d;
        char name[NAME_MAX_BYTES + 1];
        memcpy(&d, records + from, sizeof(d));
        str_copy(name, records + from + sizeof(d), sizeof(name));
        size_t length = strlen(name);
        size_t bytes = ALIGN_UP(sizeof(struct linux_dirent) + length + 2, 4);
        struct linux_dirent *o = (struct linux_dirent *)(records + to);
        if (d.inode > UINT32_MAX)
            return to ? (long)to : -EOVERFLOW;
        memset(o, 0, bytes);
        o->inode = (uint32_t)d.inode;
        o->next = (uint32_t)d.next;
        o->bytes = (uint16_t)bytes;
        memcpy(o->name, name, length);
        records[to + bytes - 1] = (char)d.type;
        from += d.bytes;
        to += bytes;
    }
    return (long)to;
}

static long list_call(uint32_t fd, uint32_t to, uint32_t size, bool wide)
{
    struct xfer x;
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    long n = f->ops->list ? 0 : -ENOTDIR;
    char *records = n == 0 ? heap_alloc(LIST_BYTES_MAX) : NULL;
    if (n == 0 && records == NULL)
        n = -ENOMEM;
    if (n == 0) {
        xfer_kernel(&x, records, MIN(size, LIST_BYTES_MAX));
        n = f->ops->list(f, &x);
    }
    if (n == 0)
        n = wide ? (long)x.done : list_narrow(records, x.done);
    if (n > 0) {
        int e = user_write(to, records, (size_t)n);
        n = e < 0 ? e : n;
    }
    heap_free(records);
    file_put(f);
    return n;
}

long sys_getdents(struct call *c)
{
    return list_call(c->args[0], c->args[1], c->args[2], false);
}

long sys_getdents64(struct call *c)
{
    return list_call(c->args[0], c->args[1], c->args[2], true);
}

struct linux_old_dirent { // of readdir
    uint32_t inode, next;
    uint16_t name_bytes;
} PACKED;

// One entry, with its name. 0: there is none any more.
static long list_one(struct file *f, uint32_t to)
{
    char record[sizeof(struct linux_dirent64) + NAME_MAX_BYTES + 8];
    struct linux_dirent64 d;
    struct xfer x;
    int64_t at = f->ops->seek(f, 0, WHENCE_CUR);
    xfer_kernel(&x, record, sizeof(record));
    long e = f->ops->list(f, &x);
    if (e < 0 || x.done == 0)
        return e;
    memcpy(&d, record, sizeof(d));
    const char *name = record + sizeof(d);
    struct linux_old_dirent o = {(uint32_t)d.inode, (uint32_t)at, (uint16_t)strlen(name)};
    if (d.inode > UINT32_MAX)
        return -EOVERFLOW;
    e = MIN(f->ops->seek(f, d.next, WHENCE_SET), 0); // others may have been listed, too
    if (e == 0)
        e = user_write(to, &o, sizeof(o));
    if (e == 0)
        e = user_write(to + sizeof(o), name, o.name_bytes + 1u);
    return e < 0 ? e : 1;
}

long sys_readdir(struct call *c)
{
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    long n = f->ops->list && f->ops->seek ? list_one(f, c->args[1]) : -ENOTDIR;
    file_put(f);
    return n;
}

// ---- access ------------------------------------------------------------------------------------
// With the real ids, unless AT_EACCESS says otherwise.
static long access_at(int32_t dirfd, uint32_t path, uint32_t mode, uint32_t at_flags)
{
    struct file_name n;
    const struct credentials *cred = task_current()->cred;
    if ((mode & ~7u) || (at_flags & ~(AT_REMOVEDIR | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    int e = file_name_begin_flags(&n, dirfd, path, at_flags);
    if (e < 0)
        return e;
    if (!(at_flags & AT_REMOVEDIR)) {
        n.who.uid = cred->uid;
        n.who.gid = cred->gid;
        if (!(cred->secure_bits & SECURE_NO_SETUID_FIXUP))
            n.who.lacks = cred->uid == 0 ? ~cred->permitted : UINT64_MAX;
    }
    e = fs_access(&n.who, n.at, n.path, mode,
                  (at_flags & AT_SYMLINK_NOFOLLOW ? FS_NOFOLLOW : 0) |
                      (at_flags & AT_EMPTY_PATH ? FS_EMPTY_PATH : 0));
    file_name_end(&n);
    return e;
}

long sys_access(struct call *c)
{
    return access_at(AT_FDCWD, c->args[0], c->args[1], 0);
}

long sys_faccessat(struct call *c)
{
    return access_at((int32_t)c->args[0], c->args[1], c->args[2], 0);
}

long sys_faccessat2(struct call *c)
{
    return access_at((int32_t)c->args[0], c->args[1], c->args[2], c->args[3]);
}
