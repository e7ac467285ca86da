// SPDX-License-Identifier: MIT
#include "ssi/fs/xattr.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/notify.h"
#include "ssi/fs/tree.h"

struct xattr {
    struct xattr *next;
    uint32_t name_bytes, bytes; // of the name with its NUL, of the value
    char at[];                  // the name, then the value
};

enum xattr_class {
    CLASS_NONE,
    CLASS_USER,
    CLASS_TRUSTED,
    CLASS_SECURITY
};

static const char *const prefixes[] = {
    [CLASS_USER] = "user.", [CLASS_TRUSTED] = "trusted.", [CLASS_SECURITY] = "security."};

static enum xattr_class class_of(const char *name)
{
    for (enum xattr_class k = CLASS_USER; k <= CLASS_SECURITY; k++) {
        if (!strncmp(name, prefixes[k], strlen(prefixes[k])))
            return k;
    }
    return CLASS_NONE;
}

// An attribute that would have to be obeyed.
static bool obeyed(const char *name)
{
    return !strcmp(name, "security.capability");
}

// Where it is, or where the next one would go.
static struct xattr **find(struct inode *i, const char *name)
{
    struct xattr **x = &i->xattrs;
    while (*x && strcmp((*x)->at, name) != 0)
        x = &(*x)->next;
    return x;
}

static uint32_t bytes_of(const struct inode *i)
{
    uint32_t sum = 0;
    for (const struct xattr *x = i->xattrs; x; x = x->next)
        sum += x->name_bytes + x->bytes;
    return sum;
}

// xattr(7): whose they are; `write`: to be changed, else read.
static int class_permitted(const struct name_call *c, const struct inode *i, bool write)
{
    bool plain = inode_is(i, S_IFREG) || inode_is(i, S_IFDIR);
    switch (class_of(c->other)) {
    case CLASS_NONE:
        return !strncmp(c->other, "system.", 7) || inode_may(i, c->who, write ? MAY_W : MAY_R)
                   ? -EOPNOTSUPP
                   : -EACCES;
    case CLASS_TRUSTED:
        return fs_can(c->who, CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
    case CLASS_SECURITY:
        if (obeyed(c->other))
            return write ? -EOPNOTSUPP : -ENODATA;
        return !write || fs_can(c->who, CAP_SYS_ADMIN) ? 0 : -EPERM;
    case CLASS_USER:
        break;
    }
    if (!plain)
        return write ? -EPERM : -ENODATA;
    if (write && inode_is(i, S_IFDIR) && (i->mode & S_ISVTX) && c->who->uid != i->uid &&
        !fs_can(c->who, CAP_FOWNER))
        return -EPERM;
    return inode_may(i, c->who, write ? MAY_W : MAY_R) ? 0 : -EACCES;
}

static int permitted(const struct name_call *c, const struct inode *i, bool write)
{
    enum xattr_class class = class_of(c->other);
    int e = class_permitted(c, i, write);
    bool nameless = class != CLASS_NONE && c->other[strlen(prefixes[class])] == '\0';
    return e == 0 && nameless ? -EINVAL : e;
}

static int get(struct name_call *c, struct inode *i)
{
    const struct xattr *x = *find(i, c->other);
    int e = permitted(c, i, false);
    if (e < 0 || x == NULL)
        return e < 0 ? e : -ENODATA;
    c->text_bytes = x->bytes;
    if (x->bytes > c->text_size)
        return -ERANGE;
    memcpy(c->text, x->at + x->name_bytes, x->bytes);
    return 0;
}

static int set(struct name_call *c, struct inode *i)
{
    struct xattr **at = find(i, c->other), *old = *at;
    uint32_t name_bytes = (uint32_t)strlen(c->other) + 1, bytes = (uint32_t)c->data_bytes;
    int e = permitted(c, i, true);
    if (e < 0)
        return e;
    if (old ? c->in.value & FS_XATTR_CREATE : c->in.value & FS_XATTR_REPLACE)
        return old ? -EEXIST : -ENODATA;
    uint32_t others = bytes_of(i) - (old ? old->name_bytes + old->bytes : 0);
    if (others + name_bytes + bytes > FS_XATTR_BYTES_MAX)
        return -ENOSPC;
    struct xattr *x = heap_alloc(sizeof(*x) + name_bytes + bytes);
    if (x == NULL)
        return -ENOMEM;
    *x = (struct xattr){old ? old->next : NULL, name_bytes, bytes};
    memcpy(x->at, c->other, name_bytes);
    memcpy(x->at + name_bytes, c->data, bytes);
    *at = x;
    heap_free(old);
    return 0;
}

static int list(struct name_call *c, const struct inode *i)
{
    for (const struct xattr *x = i->xattrs; x; x = x->next) {
        if (class_of(x->at) == CLASS_TRUSTED && !fs_can(c->who, CAP_SYS_ADMIN))
            continue;
        if (c->text_bytes + x->name_bytes > c->text_size)
            return -ERANGE;
        memcpy(c->text + c->text_bytes, x->at, x->name_bytes);
        c->text_bytes += x->name_bytes;
    }
    return 0;
}

static int take_away(struct name_call *c, struct inode *i)
{
    struct xattr **at = find(i, c->other), *x = *at;
    int e = permitted(c, i, true);
    if (e < 0 || x == NULL)
        return e < 0 ? e : -ENODATA;
    *at = x->next;
    heap_free(x);
    return 0;
}

int op_xattr(struct name_call *c)
{
    struct inode *i;
    int e = tree_walk_to(c, !(c->in.flags & FS_NOFOLLOW), &i);
    if (e != 0)
        return e;
    switch (c->in.mode) {
    case FS_XATTR_GET:
        return get(c, i);
    case FS_XATTR_LIST:
        return list(c, i);
    case FS_XATTR_SET:
        e = set(c, i);
        break;
    case FS_XATTR_REMOVE:
        e = take_away(c, i);
        break;
    default:
        return -EPROTO; // a peer's
    }
    if (e == 0) {
        inode_changed(i);
        notify_child(i, IN_ATTRIB);
    }
    return e;
}

void xattrs_free(struct xattr *first)
{
    for (struct xattr *next; first; first = next) {
        next = first->next;
        heap_free(first);
    }
}
