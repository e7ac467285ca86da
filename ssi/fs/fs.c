// SPDX-License-Identifier: MIT
// The calls of fs.h, each as one operation on a name, and the loop that follows a name through the
// tree and the generated trees.
#include "ssi/fs/fs.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/generated.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/name.h"
#include "ssi/fs/special.h"

static const struct fs_who superuser;

int name_perform(struct name_call *c)
{
    int e;
    do {
        if (c->in.hops > NAME_HOPS_MAX)
            e = -ELOOP;
        else if (c->in.at.mount != 0)
            e = generated_perform(c);
        else
            e = fs_is_home() ? tree_perform(c) : remote_perform(c);
    } while (e == NAME_CROSSED);
    heap_free(c->owned);
    c->owned = NULL;
    return e;
}

static struct name_call call_of(enum name_op op, const struct fs_who *who, struct fs_place at,
                                const char *path, unsigned flags)
{
    return (struct name_call){
        .in = {.op = (uint8_t)op, .flags = flags, .at = at}, .who = who, .path = path};
}

// A FIFO is open once somebody has the other end.
static int open_wait(struct file *f)
{
    struct fs_stat st;
    if ((f->flags & (O_NONBLOCK | O_PATH)) || f->ops->ioctl == NULL || f->ops->poll_queue == NULL)
        return 0;
    if (file_stat(f, &st) < 0 || (st.mode & 0170000) != 0010000)
        return 0;
    return (int)f->ops->ioctl(f, FIFO_WAIT, NULL, 0, 0);
}

int fs_open_resolved(const struct fs_who *who, struct fs_place at, const char *path, uint32_t flags,
                     uint32_t mode, uint32_t resolve, struct file **file)
{
    struct name_call c = call_of(NAME_OPEN, who, at, path, flags);
    struct fs_who inside;
    c.in.mode = mode;
    c.in.resolve = resolve;
    if ((resolve & FS_RESOLVE_CACHED) && !fs_is_home())
        return -EAGAIN;
    if ((resolve & FS_RESOLVE_BENEATH) && path[0] == '/')
        return -EXDEV;
    if (resolve & (FS_RESOLVE_BENEATH | FS_RESOLVE_IN_ROOT)) {
        inside = *who;
        inside.root = at;
        c.who = &inside;
    }
    int e = name_perform(&c);
    if (e < 0)
        return e;
    e = open_wait(c.file);
    if (e < 0) {
        file_put(c.file);
        return e;
    }
    *file = c.file;
    return 0;
}

int fs_open(const struct fs_who *who, struct fs_place at, const char *path, uint32_t flags,
            uint32_t mode, struct file **file)
{
    return fs_open_resolved(who, at, path, flags, mode, 0, file);
}

int fs_memfd(const struct fs_who *who, const char *name, bool sealable, struct file **file)
{
    struct fs_who maker = superuser; // where it lies is nobody's business
    maker.root = place_of(0, inode_root()->number);
    maker.uid = who->uid;
    maker.gid = who->gid;
    struct name_call c = call_of(NAME_OPEN, &maker, maker.root, "/", O_TMPFILE | O_EXCL | O_RDWR);
    c.in.mode = 0777;
    c.in.value = sealable ? 0 : FS_SEAL_SEAL;
    c.other = name;
    int e = name_perform(&c);
    *file = c.file;
    return e;
}

int fs_stat(const struct fs_who *who, struct fs_place at, const char *path, unsigned flags,
            struct fs_stat *st)
{
    struct name_call c = call_of(NAME_STAT, who, at, path, flags);
    int e = name_perform(&c);
    if (e == 0)
        *st = c.out.st;
    return e;
}

int fs_resolve_dir(const struct fs_who *who, struct fs_place at, const char *path,
                   struct fs_place *dir)
{
    struct name_call c = call_of(NAME_DIR, who, at, path, 0);
    int e = name_perform(&c);
    if (e == 0)
        *dir = c.out.place;
    return e;
}

long fs_path_of(const struct fs_who *who, struct fs_place dir, char *path, size_t size)
{
    struct name_call c = call_of(NAME_PATH, who, dir, "", 0);
    if (size < 2)
        return -ERANGE;
    c.text = path;
    c.text_size = size - 1;
    int e = name_perform(&c);
    if (e < 0)
        return e;
    path[c.text_bytes] = '\0';
    return (long)c.text_bytes;
}

int fs_mkdir(const struct fs_who *who, struct fs_place at, const char *path, uint32_t mode)
{
    struct name_call c = call_of(NAME_MKDIR, who, at, path, 0);
    c.in.mode = mode;
    return name_perform(&c);
}

int fs_mknod(const struct fs_who *who, struct fs_place at, const char *path, uint32_t mode,
             uint64_t rdev)
{
    struct name_call c = call_of(NAME_MKNOD, who, at, path, 0);
    c.in.mode = mode;
    c.in.value = rdev;
    return name_perform(&c);
}

int fs_unlink(const struct fs_who *who, struct fs_place at, const char *path, bool directory)
{
    struct name_call c = call_of(directory ? NAME_RMDIR : NAME_UNLINK, who, at, path, FS_NOFOLLOW);
    return name_perform(&c);
}

// The directory that holds the last name of `path`, and that name; an empty one when the path ends
// in ".", ".." or is the root.
static int parent_of(const struct fs_who *who, struct fs_place at, const char *path,
                     struct fs_place *dir, char name[NAME_MAX_BYTES + 1], bool *slash)
{
    struct name_call c = call_of(NAME_PARENT, who, at, path, FS_NOFOLLOW);
    c.text = name;
    c.text_size = NAME_MAX_BYTES;
    int e = name_perform(&c);
    if (e < 0)
        return e;
    name[c.text_bytes] = '\0';
    *dir = c.out.place;
    *slash = c.out.slash;
    return 0;
}

int fs_rename_from(const struct fs_who *who, struct fs_place from_at, const char *from)
{
    char name[NAME_MAX_BYTES + 1];
    struct fs_place dir;
    bool slash;
    return parent_of(who, from_at, from, &dir, name, &slash);
}

int fs_rename(const struct fs_who *who, struct fs_place from_at, const char *from,
              struct fs_place to_at, const char *to, unsigned flags)
{
    char name[NAME_MAX_BYTES + 1], other[NAME_MAX_BYTES + 1];
    struct fs_place dir, other_dir;
    bool slash, other_slash;
    if ((flags & ~(NAME_NOREPLACE | NAME_EXCHANGE)) || flags == (NAME_NOREPLACE | NAME_EXCHANGE))
        return -EINVAL;
    int e = parent_of(who, from_at, from, &dir, name, &slash);
    if (e == 0)
        e = parent_of(who, to_at, to, &other_dir, other, &other_slash);
    if (e == -ENAMETOOLONG) { // whether there is the first name comes before how long the other is
        struct fs_stat st;
        int first = fs_stat(who, from_at, from, FS_NOFOLLOW, &st);
        e = first < 0 ? first : e;
    }
    if (e < 0)
        return e;
    if (dir.mount != other_dir.mount || dir.view != other_dir.view)
        return -EXDEV;
    if (name[0] == '\0' || other[0] == '\0')
        return name[0] && (flags & NAME_NOREPLACE) ? -EEXIST : -EBUSY;
    if (dir.mount != 0)
        return -EPERM;
    struct name_call c = call_of(NAME_RENAME, who, dir, name, flags);
    c.in.other_at = other_dir;
    c.in.slash = (slash ? NAME_SLASH : 0) | (other_slash ? OTHER_SLASH : 0);
    c.other = other;
    return name_perform(&c);
}

int fs_link(const struct fs_who *who, struct fs_place from_at, const char *from,
            struct fs_place to_at, const char *to, unsigned flags)
{
    char name[NAME_MAX_BYTES + 1];
    struct fs_place dir;
    bool slash;
    struct fs_stat st;
    int e = parent_of(who, to_at, to, &dir, name, &slash);
    if (e == 0 && name[0] == '\0')
        e = -EEXIST;
    if (e < 0) { // but an error of the first name comes first
        int first = fs_stat(who, from_at, from, flags, &st);
        return first < 0 ? first : e;
    }
    if (dir.mount != 0 || from_at.mount != 0)
        return -EXDEV;
    struct name_call c = call_of(NAME_LINK, who, from_at, from, flags);
    c.in.other_at = dir;
    c.in.slash = slash ? OTHER_SLASH : 0;
    c.other = name;
    return name_perform(&c);
}

int fs_symlink(const struct fs_who *who, const char *target, struct fs_place at, const char *path)
{
    struct name_call c = call_of(NAME_SYMLINK, who, at, path, FS_NOFOLLOW);
    c.other = target;
    return name_perform(&c);
}

long fs_readlink(const struct fs_who *who, struct fs_place at, const char *path, char *to,
                 size_t size)
{
    struct name_call c = call_of(NAME_READLINK, who, at, path, FS_NOFOLLOW | FS_EMPTY_PATH);
    c.text = to;
    c.text_size = size;
    int e = name_perform(&c);
    return e < 0 ? e : (long)c.text_bytes;
}

int fs_access(const struct fs_who *who, struct fs_place at, const char *path, unsigned mode,
              unsigned flags)
{
    struct name_call c = call_of(NAME_ACCESS, who, at, path, flags);
    c.in.mode = mode;
    return name_perform(&c);
}

int fs_chmod(const struct fs_who *who, struct fs_place at, const char *path, uint32_t mode,
             unsigned flags)
{
    struct name_call c = call_of(NAME_CHMOD, who, at, path, flags);
    c.in.mode = mode;
    return name_perform(&c);
}

int fs_chown(const struct fs_who *who, struct fs_place at, const char *path, uint32_t uid,
             uint32_t gid, unsigned flags)
{
    struct name_call c = call_of(NAME_CHOWN, who, at, path, flags);
    c.in.uid = uid;
    c.in.gid = gid;
    return name_perform(&c);
}

int fs_utimes(const struct fs_who *who, struct fs_place at, const char *path, int64_t atime_ns,
              int64_t mtime_ns, unsigned flags)
{
    struct name_call c = call_of(NAME_UTIMES, who, at, path, flags & ~FS_TIMES_NOW);
    c.in.mode = flags & FS_TIMES_NOW ? 1 : 0;
    c.in.atime_ns = atime_ns;
    c.in.mtime_ns = mtime_ns;
    return name_perform(&c);
}

long fs_xattr(const struct fs_who *who, struct fs_place at, const char *path, unsigned flags,
              const struct fs_xattr *x)
{
    struct name_call c = call_of(NAME_XATTR, who, at, path, flags);
    c.in.mode = x->op;
    c.in.value = x->flags;
    c.other = x->name;
    c.data = x->value;
    c.data_bytes = x->bytes;
    c.text = x->answer;
    c.text_size = x->answer ? FS_XATTR_BYTES_MAX : 0;
    int e = name_perform(&c);
    return e < 0 ? e : (long)c.text_bytes;
}

int fs_truncate(const struct fs_who *who, struct fs_place at, const char *path, uint64_t bytes)
{
    struct name_call c = call_of(NAME_TRUNCATE, who, at, path, 0);
    c.in.value = bytes;
    return name_perform(&c);
}

static int space(struct name_call *c, struct fs_space *out)
{
    int e = name_perform(c);
    if (e < 0)
        return e;
    *out = (struct fs_space){
        .blocks = c->out.blocks,
        .free_blocks = c->out.free_blocks,
        .files = c->out.files,
        .free_files = c->out.free_files,
        .type = c->in.at.mount && c->in.at.mount == fs_generated_number("/proc")
                    ? 0x9fa0
                    : 0x01021994, // proc, else tmpfs
        .block_bytes = PAGE_SIZE,
        .name_max = NAME_MAX_BYTES,
    };
    return 0;
}

int fs_space_of(const struct fs_who *who, struct fs_place at, const char *path,
                struct fs_space *out)
{
    struct name_call c = call_of(NAME_SPACE, who, at, path, FS_EMPTY_PATH);
    return space(&c, out);
}

int fs_space_of_device(uint64_t device, struct fs_space *out)
{
    bool generated = device > FS_DEVICE_TREE && device < FS_DEVICE_TMPFS;
    struct fs_place at = generated ? place_of((uint16_t)(device - FS_DEVICE_TREE), 1)
                                   : place_of(0, inode_root()->number);
    struct name_call c = call_of(NAME_SPACE, &superuser, at, "", FS_EMPTY_PATH);
    c.in.value = device;
    int e = device ? space(&c, out) : -EINVAL;
    return e == -ESTALE ? -EINVAL : e;
}

// Where the root of a new mount lies; that of a new tmpfs is made by the home.
static int mount_root(const struct fs_who *who, const char *source, enum fs_mount_kind kind,
                      struct fs_place *root)
{
    *root = (struct fs_place){0};
    if (kind == FS_MOUNT_PROC || kind == FS_MOUNT_DEV) {
        *root = place_of(fs_generated_number(kind == FS_MOUNT_PROC ? "/proc" : "/dev"), 1);
        return root->mount ? 0 : -ENODEV;
    }
    if (kind != FS_MOUNT_BIND)
        return 0;
    int e = fs_resolve_dir(who, who->cwd, source, root);
    return e == 0 && root->mount && root->inode != 1 ? -EINVAL : e;
}

int fs_mount(const struct fs_who *who, const char *source, const char *target,
             enum fs_mount_kind kind, uint32_t mode, bool readonly)
{
    static const char *const types[] = {[FS_MOUNT_TMPFS] = "tmpfs",
                                        [FS_MOUNT_BIND] = "weft",
                                        [FS_MOUNT_PROC] = "proc",
                                        [FS_MOUNT_DEV] = "devtmpfs",
                                        [FS_MOUNT_CHANGE] = ""};
    struct name_call c = call_of(NAME_MOUNT, who, who->cwd, target, 0);
    struct fs_place dir;
    struct text t;
    char shown[96];
    int e = fs_resolve_dir(who, who->cwd, target, &dir);
    if (e == 0)
        e = !fs_can(who, CAP_SYS_ADMIN) ? -EPERM : mount_root(who, source, kind, &c.in.other_at);
    if (e < 0)
        return e;
    text_init(&t, shown, sizeof(shown));
    text_add(&t, "%.64s %s", source, types[kind]);
    shown[MIN(t.length, sizeof(shown) - 1)] = '\0';
    c.in.mode = kind;
    c.in.uid = mode;
    c.in.value = readonly;
    c.other = shown;
    return name_perform(&c);
}

int fs_umount(const struct fs_who *who, const char *target, bool detach, bool nofollow)
{
    struct name_call c = call_of(NAME_UMOUNT, who, who->cwd, target, nofollow ? FS_NOFOLLOW : 0);
    c.in.mode = detach;
    return name_perform(&c);
}

long fs_mounts_text(char *to, size_t size)
{
    struct name_call c = call_of(NAME_MOUNTS, &superuser, superuser.root, "", 0);
    c.text = to;
    c.text_size = size;
    int e = name_perform(&c);
    return e < 0 ? e : (long)c.text_bytes;
}

long file_path(const struct fs_who *who, struct file *f, char *to, size_t size)
{
    return f->place.inode ? fs_path_of(who, f->place, to, size) : -ENOENT;
}

int fs_open_place(const struct fs_who *who, struct fs_place at, uint32_t flags, struct file **f)
{
    struct name_call c = call_of(NAME_OPEN, who, at, "", flags);
    c.in.crossed = true; // the empty path is the place
    int e = name_perform(&c);
    *f = c.file;
    return e;
}

int fs_reopen(const struct fs_who *who, struct file *f, uint32_t flags, struct file **again)
{
    uint32_t has = f->flags & O_ACCMODE, wants = flags & O_ACCMODE;
    bool named = f->place.inode && (f->home == cluster_self() || file_is_tree(f));
    if (named && (!(flags & O_PATH) || file_is_tree(f)))
        return fs_open_place(who, f->place, flags & ~(O_CREAT | O_EXCL), again);
    if (!(flags & O_PATH) && has != O_RDWR && has != wants)
        return -EACCES;
    file_get(f);
    *again = f;
    return 0;
}
