// SPDX-License-Identifier: MIT
// mount(2) and umount2(2): tmpfs, proc, devtmpfs and binds of directories. Sizes given to a tmpfs
// are not kept; propagation has nothing to do, as there is one set of mounts.
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/linux/file.h"

#define MS_RDONLY      1u
#define MS_REMOUNT     32u
#define MS_BIND        4096u
#define MS_MOVE        8192u
#define MS_PROPAGATION (7u << 17 | 1u << 20)

enum {
    MNT_FORCE = 1,
    MNT_DETACH = 2,
    MNT_EXPIRE = 4,
    UMOUNT_NOFOLLOW = 8
};

static int kind_of(const char *type, enum fs_mount_kind *kind)
{
    static const struct {
        const char *name;
        enum fs_mount_kind kind;
    } kinds[] = {{"tmpfs", FS_MOUNT_TMPFS},
                 {"ramfs", FS_MOUNT_TMPFS},
                 {"proc", FS_MOUNT_PROC},
                 {"devtmpfs", FS_MOUNT_DEV}};
    for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
        if (strcmp(type, kinds[k].name) == 0) {
            *kind = kinds[k].kind;
            return 0;
        }
    return -ENODEV;
}

// The mode=OCTAL of a tmpfs's options, 01777 without.
static uint32_t mode_of(const char *options)
{
    uint32_t mode = 0;
    for (const char *p = options; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (memcmp(p, "mode=", MIN(strlen(p), sizeof("mode=") - 1)) || strlen(p) < 6)
            continue;
        for (p += 5; *p >= '0' && *p <= '7'; p++)
            mode = mode << 3 | (uint32_t)(*p - '0');
        return mode & 07777;
    }
    return 01777;
}

static long mount_with(const char *source, const char *target, const char *type,
                       const char *options, uint32_t flags)
{
    struct fs_who who;
    enum fs_mount_kind kind = FS_MOUNT_BIND;
    struct fs_place dir;
    struct fs_stat st;
    process_who(process_current(), &who);
    int e = fs_stat(&who, who.cwd, target, 0, &st); // that it is not there is told to anybody
    if (e == 0 && !process_can(CAP_SYS_ADMIN))
        e = -EPERM;
    if (e < 0)
        return e;
    if (flags & MS_REMOUNT)
        kind = FS_MOUNT_CHANGE;
    else if (flags & (MS_MOVE | MS_PROPAGATION))
        e = fs_resolve_dir(&who, who.cwd, target, &dir);
    else if (!(flags & MS_BIND))
        e = type[0] ? kind_of(type, &kind) : -EINVAL;
    if (e < 0 || (flags & MS_PROPAGATION))
        return e;
    if (flags & MS_MOVE)
        return -EINVAL;
    return fs_mount(&who, source, target, kind, mode_of(options), flags & MS_RDONLY);
}

// A string that may be NULL.
static int optional_in(uint32_t user, char **text)
{
    if (user)
        return linux_path_in(user, text);
    *text = heap_zalloc(1);
    return *text ? 0 : -ENOMEM;
}

long sys_mount(struct call *c)
{
    char *text[4] = {NULL}; // source, target, type, options
    static const uint8_t from[4] = {0, 1, 2, 4};
    int e = 0;
    for (unsigned k = 0; k < 4 && e == 0; k++)
        e = optional_in(c->args[from[k]], &text[k]);
    if (e == 0)
        e = c->args[1] ? (int)mount_with(text[0], text[1], text[2], text[3], c->args[3]) : -EFAULT;
    for (unsigned k = 0; k < 4; k++)
        heap_free(text[k]);
    return e;
}

long sys_umount2(struct call *c)
{
    uint32_t flags = c->args[1];
    struct fs_who who;
    struct fs_stat st;
    char *target;
    if (flags & ~(uint32_t)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    process_who(process_current(), &who);
    int e = linux_path_in(c->args[0], &target);
    if (e < 0)
        return e;
    e = fs_stat(&who, who.cwd, target, flags & UMOUNT_NOFOLLOW ? FS_NOFOLLOW : 0, &st);
    if (e == 0 && !process_can(CAP_SYS_ADMIN))
        e = -EPERM;
    if (e == 0)
        e = fs_umount(&who, target, flags & MNT_DETACH, flags & UMOUNT_NOFOLLOW);
    heap_free(target);
    return e;
}

long sys_umount(struct call *c)
{
    c->args[1] = 0;
    return sys_umount2(c);
}
