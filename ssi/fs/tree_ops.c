// SPDX-License-Identifier: MIT
// Operations on names of this node's tree, with the rules of POSIX and the manual pages.
#include "ssi/fs/tree.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/fs/special.h"
#include "ssi/fs/mounts.h"
#include "ssi/fs/notify.h"
#include "ssi/fs/tree_priv.h"
#include "ssi/fs/xattr.h"

bool name_owner(const struct name_call *c, const struct inode *i)
{
    return c->who->uid == i->uid || fs_can(c->who, CAP_FOWNER);
}

// May a new name be made at `f`? Only a directory's may have a slash behind it.
static int create_check(const struct name_call *c, const struct found *f)
{
    if (f->inode || f->dir == NULL)
        return -EEXIST;
    if (f->slash && c->in.op != NAME_MKDIR)
        return -ENOENT;
    if (mount_readonly(f->view))
        return -EROFS;
    return inode_may(f->dir, c->who, MAY_W | MAY_X) ? 0 : -EACCES;
}

// Makes the inode that `f` names. Caller has checked. NULL with *e.
static struct inode *create(struct name_call *c, const struct found *f, uint32_t mode, int *e)
{
    uint32_t gid = c->who->gid;
    if (f->dir->mode & S_ISGID) {
        gid = f->dir->gid;
        if ((mode & S_IFMT) == S_IFDIR)
            mode |= S_ISGID;
        else if ((mode & 010) && !fs_in_group(c->who, gid) && !fs_can(c->who, CAP_FSETID))
            mode &= ~S_ISGID; // nobody runs as a group by making a file
    }
    struct inode *i = inode_new(mode, c->who->uid, gid, false);
    *e = i ? 0 : -ENOSPC;
    if (i == NULL)
        return NULL;
    i->fs = f->dir->fs;
    if (dirent_add(f->dir, f->name, f->length, i) == 0) {
        notify_entry(f->dir, i, IN_CREATE, 0, f->name, f->length);
        return i;
    }
    *e = -ENOSPC;
    inode_get(i);
    inode_put(i); // never named: it goes
    return NULL;
}

// ---- open --------------------------------------------------------------------------------------
static int open_may(const struct name_call *c, const struct inode *i)
{
    uint32_t flags = c->in.flags;
    unsigned want = 0;
    if ((flags & O_ACCMODE) != O_WRONLY)
        want |= MAY_R;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
        want |= MAY_W;
    if (inode_is(i, S_IFDIR) && (want & MAY_W))
        return -EISDIR;
    if (!inode_may(i, c->who, want))
        return -EACCES;
    if ((flags & O_NOATIME) && !name_owner(c, i))
        return -EPERM;
    if (inode_is(i, S_IFREG) && (want & MAY_W) && i->images)
        return -ETXTBSY;
    return 0;
}

static int open_inode(struct name_call *c, const struct found *f)
{
    struct inode *i = f->inode;
    uint32_t flags = c->in.flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    int e = 0;
    if (flags & O_PATH || inode_is(i, S_IFREG) || inode_is(i, S_IFDIR)) {
        inode_get(i);
        if (!(flags & O_PATH))
            notify_opened(i, f->dir, f->name, f->length);
        if (c->in.flags & O_TRUNC && inode_is(i, S_IFREG) && !(flags & O_PATH))
            e = tree_inode_set(i, &(struct fs_set){.size_set = true});
        c->file = e < 0 ? NULL : tree_file_new(i, flags);
        if (c->file)
            c->file->place.view = f->view;
        if (c->file && fs_can(c->who, CAP_FSETID))
            c->file->flags |= FILE_PRIVILEGED;
        inode_put(i);
        return e < 0 ? e : c->file ? 0 : -ENOMEM;
    }
    if (inode_is(i, S_IFIFO))
        e = fs_special()->fifo_open(&i->fifo, flags, &c->file);
    else if (inode_is(i, S_IFCHR) || inode_is(i, S_IFBLK))
        e = fs_special()->device_open(c->who, i->mode, i->rdev, flags, &c->file);
    else
        e = -ENXIO; // a socket's name
    if (e < 0)
        return e;
    if (inode_is(i, S_IFIFO)) {
        file_hold_inode(c->file, i);
        notify_opened(i, f->dir, f->name, f->length);
    }
    return 0;
}

static int memfd_begin(const struct name_call *c, struct inode *i)
{
    size_t n = strlen(c->other) + 1;
    i->memfd = heap_alloc(n);
    if (i->memfd == NULL)
        return -ENOSPC;
    memcpy(i->memfd, c->other, n);
    i->seals = (uint8_t)c->in.value;
    return 0;
}

// O_TMPFILE: a file of the directory's file system that has no name.
static int open_tmpfile(struct name_call *c)
{
    struct found f;
    int e = tree_walk(c, !(c->in.flags & O_NOFOLLOW), &f);
    if (e != 0)
        return e;
    if (f.inode == NULL)
        return -ENOENT;
    if (!inode_is(f.inode, S_IFDIR))
        return -ENOTDIR;
    if (mount_readonly(f.view))
        return -EROFS;
    if (c->other == NULL && !inode_may(f.inode, c->who, MAY_W | MAY_X))
        return -EACCES;
    struct inode *i =
        inode_new(S_IFREG | (c->in.mode & 07777 & ~c->who->umask), c->who->uid, c->who->gid, false);
    if (i == NULL)
        return -ENOSPC;
    if (f.inode->mode & S_ISGID)
        i->gid = f.inode->gid;
    i->fs = f.inode->fs;
    i->linkable = !(c->in.flags & O_EXCL);
    if (c->other)
        c->in.flags &= ~(uint32_t)(O_TMPFILE | O_DIRECTORY); // else F_GETFL tells them
    f.inode = i;
    inode_get(i);
    e = c->other ? memfd_begin(c, i) : 0;
    if (e == 0)
        e = open_inode(c, &f);
    if (e == 0 && c->other)
        tree_file_uncount(c->file);
    inode_put(i);
    return e;
}

static int op_open(struct name_call *c)
{
    struct found f;
    if (c->in.flags & O_TMPFILE)
        return open_tmpfile(c);
    uint32_t flags = c->in.flags;
    bool creates = (flags & O_CREAT) && !(flags & O_PATH);
    bool follow = !(flags & O_NOFOLLOW) && !(creates && (flags & O_EXCL));
    int e = tree_walk(c, follow, &f);
    if (e != 0)
        return e;
    if (f.inode == NULL) {
        if (!creates)
            return -ENOENT;
        if ((e = create_check(c, &f)) < 0)
            return e;
        f.inode = create(c, &f, S_IFREG | (c->in.mode & 07777 & ~c->who->umask), &e);
        if (f.inode == NULL)
            return e;
        c->in.flags &= ~O_TRUNC;
        return open_inode(c, &f); // the maker may, whatever the mode says
    }
    if (creates && (flags & O_EXCL))
        return -EEXIST;
    if (creates && inode_is(f.inode, S_IFDIR))
        return -EISDIR;
    if ((flags & O_DIRECTORY) && !inode_is(f.inode, S_IFDIR))
        return -ENOTDIR;
    if (inode_is(f.inode, S_IFLNK) && !(flags & O_PATH))
        return -ELOOP;
    if (!(flags & O_PATH) && (e = open_may(c, f.inode)) < 0)
        return e;
    if (!(flags & O_PATH) && ((flags & O_ACCMODE) || (flags & O_TRUNC)) && mount_readonly(f.view))
        return -EROFS;
    return open_inode(c, &f);
}

// ---- looking -----------------------------------------------------------------------------------
static int op_stat(struct name_call *c)
{
    struct inode *i;
    int e = tree_walk_to(c, !(c->in.flags & FS_NOFOLLOW), &i);
    if (e == 0)
        inode_stat(i, &c->out.st);
    return e;
}

static int op_dir(struct name_call *c)
{
    struct found f;
    int e = tree_walk(c, true, &f);
    if (e != 0)
        return e;
    struct inode *i = f.inode;
    if (i == NULL)
        return -ENOENT;
    if (!inode_is(i, S_IFDIR))
        return -ENOTDIR;
    c->out.place = place_in(f.view, i->number);
    return inode_may(i, c->who, MAY_X) ? 0 : -EACCES;
}

static int op_parent(struct name_call *c)
{
    struct found f;
    int e = tree_walk(c, false, &f);
    if (e != 0)
        return e;
    c->out.slash = f.slash;
    if (f.dir == NULL) { // ".", ".." or the root: no name
        c->out.place = place_in(f.view, f.inode->number);
        return 0;
    }
    if (f.length > c->text_size)
        return -ENAMETOOLONG;
    c->out.place = place_in(f.view, f.dir->number);
    memcpy(c->text, f.name, f.length);
    c->text_bytes = f.length;
    return 0;
}

static int memfd_path(struct name_call *c, const struct inode *i)
{
    size_t n = strlen(i->memfd);
    if (c->text_size < n + sizeof("/memfd: (deleted)"))
        return -ERANGE;
    memcpy(c->text, "/memfd:", 7);
    memcpy(c->text + 7, i->memfd, n);
    memcpy(c->text + 7 + n, " (deleted)", 10);
    c->text_bytes = n + 17;
    return 0;
}

#define OUTSIDE "(unreachable)" // the root of the asker is not above it (getcwd(2))

// The path is written from its end; what fits no buffer is -ERANGE.
static int op_path(struct name_call *c)
{
    uint32_t view = c->in.at.view;
    struct inode *i = c->in.at.inode ? inode_find(c->in.at.inode) : mount_covered(&view);
    size_t at = c->text_size;
    if (i && i->memfd)
        return memfd_path(c, i);
    if (i == NULL || (i->links == 0 && inode_is(i, S_IFDIR)))
        return -ENOENT;
    if (!inode_is(i, S_IFDIR)) { // /proc/PID/fd: one of its names, or the one it had
        struct dirent *d = i->named;
        if (d == NULL || (d->gone && i->links))
            d = i->links ? dirent_of(i) : NULL;
        const char *behind = i->links ? "" : " (deleted)";
        size_t n = strlen(behind);
        if (d == NULL)
            return -ENOENT;
        if (at < n + d->length + 1)
            return -ERANGE;
        at -= n;
        memcpy(c->text + at, behind, n);
        at -= d->length;
        memcpy(c->text + at, d->name, d->length);
        c->text[--at] = '/';
        i = d->dir;
    }
    while (!place_equal(c->who->root, place_in(view, i->number))) {
        i = mount_leave(i, &view);
        if (i == inode_root() || place_equal(c->who->root, place_in(view, i->number)))
            break;
        struct dirent *d = i->dir.self;
        if (d == NULL)
            return -ENOENT;
        if (at < (size_t)d->length + 1)
            return -ERANGE;
        at -= d->length;
        memcpy(c->text + at, d->name, d->length);
        c->text[--at] = '/';
        i = d->dir;
    }
    if (at == c->text_size && at > 0)
        c->text[--at] = '/';
    if (!place_equal(c->who->root, place_in(view, i->number)) && c->who->root.inode) {
        if (at < strlen(OUTSIDE))
            return -ERANGE;
        at -= strlen(OUTSIDE);
        memcpy(c->text + at, OUTSIDE, strlen(OUTSIDE));
    }
    c->text_bytes = c->text_size - at;
    memmove(c->text, c->text + at, c->text_bytes);
    return 0;
}

static int op_readlink(struct name_call *c)
{
    struct inode *i;
    int e = tree_walk_to(c, false, &i);
    if (e != 0)
        return e;
    if (!inode_is(i, S_IFLNK))
        return -EINVAL;
    c->text_bytes = MIN(c->text_size, (size_t)i->bytes);
    memcpy(c->text, i->target, c->text_bytes);
    inode_accessed(i);
    return 0;
}

static int op_access(struct name_call *c)
{
    struct inode *i;
    int e = tree_walk_to(c, !(c->in.flags & FS_NOFOLLOW), &i);
    if (e != 0)
        return e;
    return inode_may(i, c->who, c->in.mode & 7) ? 0 : -EACCES;
}

static int op_space(struct name_call *c)
{
    struct inode *i;
    int e = tree_walk_to(c, true, &i);
    if (e != 0)
        return e;
    if (c->in.value && !mount_is_device(c->in.value))
        return -EINVAL;
    c->out.blocks = frame_total_count();
    c->out.free_blocks = frame_free_count();
    c->out.files = inode_count() + frame_free_count();
    c->out.free_files = frame_free_count();
    return 0;
}

// ---- making ------------------------------------------------------------------------------------
static int op_mkdir(struct name_call *c)
{
    struct found f;
    int e = tree_walk(c, false, &f);
    if (e != 0)
        return e;
    if ((e = create_check(c, &f)) < 0)
        return e;
    if (f.dir->links >= LINKS_MAX)
        return -EMLINK;
    struct inode *i = create(c, &f, S_IFDIR | (c->in.mode & 01777 & ~c->who->umask), &e);
    if (i)
        c->out.place = place_in(f.view, i->number);
    return e;
}

static int op_mknod(struct name_call *c)
{
    struct found f;
    uint32_t type = c->in.mode & S_IFMT;
    int e = tree_walk(c, false, &f);
    if (e != 0)
        return e;
    if (type == 0)
        type = S_IFREG;
    if (type == S_IFDIR)
        return -EPERM;
    if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR &&
        type != S_IFBLK)
        return -EINVAL;
    if ((e = create_check(c, &f)) < 0)
        return e;
    if ((type == S_IFCHR || type == S_IFBLK) && !fs_can(c->who, CAP_MKNOD))
        return -EPERM;
    struct inode *i = create(c, &f, type | (c->in.mode & 07777 & ~c->who->umask), &e);
    if (i && (type == S_IFCHR || type == S_IFBLK))
        i->rdev = c->in.value;
    return e;
}

static int op_symlink(struct name_call *c)
{
    struct found f;
    size_t n = strlen(c->other);
    if (n == 0)
        return -ENOENT;
    int e = tree_walk(c, false, &f);
    if (e != 0)
        return e;
    if ((e = create_check(c, &f)) < 0)
        return e;
    char *target = heap_alloc(n + 1);
    if (target == NULL)
        return -ENOSPC;
    memcpy(target, c->other, n + 1);
    struct inode *i = create(c, &f, S_IFLNK | 0777, &e);
    if (i == NULL) {
        heap_free(target);
        return e;
    }
    i->target = target;
    i->bytes = n;
    return 0;
}

// ---- attributes --------------------------------------------------------------------------------
static int op_chmod(struct name_call *c)
{
    struct inode *i;
    uint32_t mode = c->in.mode & 07777;
    int e = tree_walk_to(c, !(c->in.flags & FS_NOFOLLOW), &i);
    if (e != 0)
        return e;
    if (inode_is(i, S_IFLNK))
        return -EOPNOTSUPP;
    if (!name_owner(c, i))
        return -EPERM;
    if (!fs_in_group(c->who, i->gid) && !fs_can(c->who, CAP_FSETID))
        mode &= ~S_ISGID;
    return tree_inode_set(i, &(struct fs_set){.mode_set = true, .mode = mode});
}

static int op_chown(struct name_call *c)
{
    struct inode *i;
    uint32_t uid = c->in.uid, gid = c->in.gid;
    int e = tree_walk_to(c, !(c->in.flags & FS_NOFOLLOW), &i);
    if (e != 0)
        return e;
    if (!fs_may_give(c->who, i->uid, i->gid, uid, gid))
        return -EPERM;
    return tree_inode_set(i, &(struct fs_set){.owner_set = true, .uid = uid, .gid = gid});
}

static int op_utimes(struct name_call *c)
{
    struct inode *i;
    int e = tree_walk_to(c, !(c->in.flags & FS_NOFOLLOW), &i);
    if (e != 0)
        return e;
    if (!name_owner(c, i)) // mode 1: both are "now", which who may write may set
        if (!c->in.mode || !inode_may(i, c->who, MAY_W))
            return c->in.mode ? -EACCES : -EPERM;
    return tree_inode_set(i, &(struct fs_set){.times_set = true,
                                              .atime_ns = c->in.atime_ns,
                                              .mtime_ns = c->in.mtime_ns});
}

static int op_truncate(struct name_call *c)
{
    struct inode *i;
    int e = tree_walk_to(c, true, &i);
    if (e != 0)
        return e;
    if (inode_is(i, S_IFDIR))
        return -EISDIR;
    if (!inode_is(i, S_IFREG))
        return -EINVAL;
    if (!inode_may(i, c->who, MAY_W))
        return -EACCES;
    if (i->images)
        return -ETXTBSY;
    inode_get(i);
    e = tree_inode_set(i, &(struct fs_set){.size_set = true, .bytes = c->in.value});
    if (e == 0 && !fs_can(c->who, CAP_FSETID))
        inode_strip(i);
    inode_put(i);
    return e;
}

static int op_queue(struct name_call *c)
{
    return fs_special()->queue_open ? fs_special()->queue_open(c) : -ENOSYS;
}

static int op_queue_unlink(struct name_call *c)
{
    return fs_special()->queue_unlink ? fs_special()->queue_unlink(c) : -ENOSYS;
}

int tree_perform(struct name_call *c)
{
    static int (*const ops[NAME_OPS])(struct name_call *) = {
        [NAME_OPEN] = op_open,         [NAME_STAT] = op_stat,
        [NAME_DIR] = op_dir,           [NAME_PARENT] = op_parent,
        [NAME_PATH] = op_path,         [NAME_MKDIR] = op_mkdir,
        [NAME_MKNOD] = op_mknod,       [NAME_UNLINK] = op_unlink,
        [NAME_RMDIR] = op_rmdir,       [NAME_RENAME] = op_rename,
        [NAME_LINK] = op_link,         [NAME_SYMLINK] = op_symlink,
        [NAME_READLINK] = op_readlink, [NAME_ACCESS] = op_access,
        [NAME_CHMOD] = op_chmod,       [NAME_CHOWN] = op_chown,
        [NAME_UTIMES] = op_utimes,     [NAME_TRUNCATE] = op_truncate,
        [NAME_SPACE] = op_space,       [NAME_MOUNT] = op_mount,
        [NAME_UMOUNT] = op_umount,     [NAME_MOUNTS] = op_mounts,
        [NAME_NOTIFY] = op_notify,     [NAME_WATCH] = op_watch,
        [NAME_QUEUE] = op_queue,       [NAME_QUEUE_UNLINK] = op_queue_unlink,
        [NAME_XATTR] = op_xattr,
    };
    if (c->in.op >= NAME_OPS || ops[c->in.op] == NULL)
        return -ENOSYS;
    return tree_ready() ? ops[c->in.op](c) : -ENOMEM;
}
