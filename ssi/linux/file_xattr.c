// SPDX-License-Identifier: MIT
// Extended attributes, which this file system does not have: names are looked up, as their errors
// come first; lists are empty, everything else is not supported.
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/linux/file.h"

enum {
    XATTR_NAME_MAX = 255,
    XATTR_SIZE_MAX = 65536
};

static long named(uint32_t path, unsigned flags)
{
    struct file_name n;
    struct fs_stat st;
    int e = file_name_begin(&n, AT_FDCWD, path);
    if (e < 0)
        return e;
    e = fs_stat(&n.who, n.at, n.path, flags, &st);
    file_name_end(&n);
    return e;
}

static long opened(uint32_t fd)
{
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    file_put(f);
    return 0;
}

// What a call about one attribute gives once its file was found.
static long one(long found, uint32_t attribute)
{
    char *name;
    int e = linux_path_in(attribute, &name);
    if (e < 0)
        return e == -ENAMETOOLONG ? -ERANGE : e;
    size_t n = strlen(name);
    heap_free(name);
    if (n == 0 || n > XATTR_NAME_MAX)
        return -ERANGE;
    return found < 0 ? found : -EOPNOTSUPP;
}

static long set_one(const struct call *c, long found)
{
    if (c->args[4] & ~3u)
        return -EINVAL;
    if (c->args[3] > XATTR_SIZE_MAX)
        return -E2BIG;
    return one(found, c->args[1]);
}

long sys_setxattr(struct call *c)
{
    return set_one(c, named(c->args[0], 0));
}

long sys_lsetxattr(struct call *c)
{
    return set_one(c, named(c->args[0], FS_NOFOLLOW));
}

long sys_fsetxattr(struct call *c)
{
    return set_one(c, opened(c->args[0]));
}

long sys_getxattr(struct call *c)
{
    return one(named(c->args[0], 0), c->args[1]);
}

long sys_lgetxattr(struct call *c)
{
    return one(named(c->args[0], FS_NOFOLLOW), c->args[1]);
}

long sys_fgetxattr(struct call *c)
{
    return one(opened(c->args[0]), c->args[1]);
}

long sys_listxattr(struct call *c)
{
    return named(c->args[0], 0);
}

long sys_llistxattr(struct call *c)
{
    return named(c->args[0], FS_NOFOLLOW);
}

long sys_flistxattr(struct call *c)
{
    return opened(c->args[0]);
}

long sys_removexattr(struct call *c)
{
    return one(named(c->args[0], 0), c->args[1]);
}

long sys_lremovexattr(struct call *c)
{
    return one(named(c->args[0], FS_NOFOLLOW), c->args[1]);
}

long sys_fremovexattr(struct call *c)
{
    return one(opened(c->args[0]), c->args[1]);
}
