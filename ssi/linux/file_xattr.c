// SPDX-License-Identifier: MIT
// Extended attributes (xattr(7)): twelve calls, four operations on three ways to name a file. An
// error of the file's name comes before one of the other arguments.
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/linux/file.h"

enum {
    XATTR_NAME_MAX = 255,
    XATTR_SIZE_MAX = 65536,
};

// Whose attributes: a name, or an open file.
struct xattr_of {
    struct file_name n;
    unsigned flags;
    struct file *f; // NULL: by name
};

static int of_name(struct xattr_of *o, uint32_t path, unsigned flags)
{
    *o = (struct xattr_of){.flags = flags};
    return file_name_begin(&o->n, AT_FDCWD, path);
}

static int of_file(struct xattr_of *o, uint32_t fd)
{
    *o = (struct xattr_of){.flags = FS_EMPTY_PATH, .f = file_of(fd)};
    if (o->f == NULL)
        return -EBADF;
    process_who(process_current(), &o->n.who);
    o->n.at = o->f->place;
    return 0;
}

static void of_end(struct xattr_of *o)
{
    if (o->f)
        file_put(o->f);
    else
        file_name_end(&o->n);
}

// Of a pipe or a socket.
static long of_no_file(const struct fs_xattr *x)
{
    if (x->op == FS_XATTR_LIST)
        return 0;
    if (strncmp(x->name, "user.", 5) != 0)
        return -EOPNOTSUPP;
    return x->op == FS_XATTR_GET ? -ENODATA : -EPERM;
}

static long perform(const struct xattr_of *o, const struct fs_xattr *x)
{
    if (o->f && o->f->place.mount == 0 && o->f->place.inode == 0)
        return of_no_file(x);
    return fs_xattr(&o->n.who, o->n.at, o->f ? "" : o->n.path, o->flags, x);
}

// An argument was wrong: 0 when there is such a file.
static long file_first(const struct xattr_of *o, long error)
{
    struct fs_stat st;
    int e = o->f ? 0 : fs_stat(&o->n.who, o->n.at, o->n.path, o->flags, &st);
    return e < 0 ? e : error;
}

// The name of an attribute, on the heap: 0, -EFAULT, -ERANGE, -ENOMEM.
static int name_in(uint32_t user, char **name)
{
    int e = linux_path_in(user, name);
    if (e < 0)
        return e == -ENAMETOOLONG ? -ERANGE : e;
    size_t n = strlen(*name);
    if (n > 0 && n <= XATTR_NAME_MAX)
        return 0;
    heap_free(*name);
    return -ERANGE;
}

// ---- the operations ----------------------------------------------------------------------------
static int value_in(uint32_t user, uint32_t bytes, void **value)
{
    *value = bytes <= FS_XATTR_BYTES_MAX ? heap_alloc(FS_XATTR_BYTES_MAX) : NULL;
    if (*value == NULL)
        return bytes > XATTR_SIZE_MAX ? -E2BIG : bytes > FS_XATTR_BYTES_MAX ? -ENOSPC : -ENOMEM;
    int e = user_read(*value, user, bytes);
    if (e < 0)
        heap_free(*value);
    return e;
}

static long set(const struct call *c, struct xattr_of *o)
{
    struct fs_xattr x = {.op = FS_XATTR_SET, .flags = c->args[4], .bytes = c->args[3]};
    char *name;
    void *value;
    int e = x.flags & ~(unsigned)(FS_XATTR_CREATE | FS_XATTR_REPLACE) ? -EINVAL
                                                                      : name_in(c->args[1], &name);
    if (e < 0)
        return file_first(o, e);
    e = value_in(c->args[2], c->args[3], &value);
    long r = e;
    if (e == 0) {
        x.name = name;
        x.value = value;
        r = perform(o, &x);
        heap_free(value);
    } else {
        r = file_first(o, e);
    }
    heap_free(name);
    return r;
}

// GET and LIST: what is known goes out when there is room for it; no room is asked for its size.
static long answer(const struct xattr_of *o, struct fs_xattr *x, uint32_t user, uint32_t room)
{
    x->answer = heap_alloc(FS_XATTR_BYTES_MAX);
    if (x->answer == NULL)
        return -ENOMEM;
    long n = perform(o, x);
    if (n > 0 && room) {
        int e = (uint32_t)n > room ? -ERANGE : user_write(user, x->answer, (size_t)n);
        n = e < 0 ? e : n;
    }
    heap_free(x->answer);
    return n;
}

static long get(const struct call *c, struct xattr_of *o)
{
    struct fs_xattr x = {.op = FS_XATTR_GET};
    char *name;
    int e = name_in(c->args[1], &name);
    if (e < 0)
        return file_first(o, e);
    x.name = name;
    long r = answer(o, &x, c->args[2], c->args[3]);
    heap_free(name);
    return r;
}

static long list(const struct call *c, struct xattr_of *o)
{
    struct fs_xattr x = {.op = FS_XATTR_LIST};
    return answer(o, &x, c->args[1], c->args[2]);
}

static long take_away(const struct call *c, struct xattr_of *o)
{
    struct fs_xattr x = {.op = FS_XATTR_REMOVE};
    char *name;
    int e = name_in(c->args[1], &name);
    if (e < 0)
        return file_first(o, e);
    x.name = name;
    long r = perform(o, &x);
    heap_free(name);
    return r;
}

// ---- the calls ---------------------------------------------------------------------------------
static long by_name(const struct call *c, unsigned flags,
                    long (*what)(const struct call *, struct xattr_of *))
{
    struct xattr_of o;
    long r = of_name(&o, c->args[0], flags);
    if (r < 0)
        return r;
    r = what(c, &o);
    of_end(&o);
    return r;
}

static long by_file(const struct call *c, long (*what)(const struct call *, struct xattr_of *))
{
    struct xattr_of o;
    long r = of_file(&o, c->args[0]);
    if (r < 0)
        return r;
    r = what(c, &o);
    of_end(&o);
    return r;
}

long sys_setxattr(struct call *c)
{
    return by_name(c, 0, set);
}

long sys_lsetxattr(struct call *c)
{
    return by_name(c, FS_NOFOLLOW, set);
}

long sys_fsetxattr(struct call *c)
{
    return by_file(c, set);
}

long sys_getxattr(struct call *c)
{
    return by_name(c, 0, get);
}

long sys_lgetxattr(struct call *c)
{
    return by_name(c, FS_NOFOLLOW, get);
}

long sys_fgetxattr(struct call *c)
{
    return by_file(c, get);
}

long sys_listxattr(struct call *c)
{
    return by_name(c, 0, list);
}

long sys_llistxattr(struct call *c)
{
    return by_name(c, FS_NOFOLLOW, list);
}

long sys_flistxattr(struct call *c)
{
    return by_file(c, list);
}

long sys_removexattr(struct call *c)
{
    return by_name(c, 0, take_away);
}

long sys_lremovexattr(struct call *c)
{
    return by_name(c, FS_NOFOLLOW, take_away);
}

long sys_fremovexattr(struct call *c)
{
    return by_file(c, take_away);
}
