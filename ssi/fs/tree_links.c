// SPDX-License-Identifier: MIT
// Names that go and move: unlink, rmdir, link, rename.
#include "ssi/fs/tree_priv.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "ssi/fs/mounts.h"
#include "ssi/fs/notify.h"

// In a directory with the sticky bit only owners may take a name away.
static int sticky_check(const struct name_call *c, const struct inode *dir, const struct inode *i)
{
    if (!inode_may(dir, c->who, MAY_W | MAY_X))
        return -EACCES;
    if ((dir->mode & S_ISVTX) && !name_owner(c, dir) && !name_owner(c, i))
        return -EPERM;
    return 0;
}

// The name that is to go; f->dir is NULL when it is no entry of a directory (".", "/").
static int found_to_remove(struct name_call *c, struct found *f)
{
    int e = tree_walk(c, false, f);
    if (e != 0)
        return e;
    if (f->inode == NULL)
        return -ENOENT;
    return f->dir && mount_readonly(f->view) ? -EROFS : 0;
}

// The inode is gone before its directory is told, as on Linux; its kind is told all the same.
static void entry_remove(const struct found *f)
{
    struct inode kind = {.mode = f->inode->mode};
    dirent_remove(dirent_find(f->dir, f->name, f->length));
    notify_entry(f->dir, &kind, IN_DELETE, 0, f->name, f->length);
}

int op_unlink(struct name_call *c)
{
    struct found f;
    int e = found_to_remove(c, &f);
    if (e != 0)
        return e;
    if (f.dir == NULL)
        return -EISDIR;
    if ((e = sticky_check(c, f.dir, f.inode)) < 0)
        return e;
    if (inode_is(f.inode, S_IFDIR))
        return -EISDIR;
    notify_inode(f.inode, IN_ATTRIB);
    entry_remove(&f);
    return 0;
}

int op_rmdir(struct name_call *c)
{
    struct found f;
    int e = found_to_remove(c, &f);
    if (e != 0)
        return e;
    if (f.dir == NULL)
        return f.length == 2 ? -ENOTEMPTY : f.length == 1 ? -EINVAL : -EBUSY;
    if ((e = sticky_check(c, f.dir, f.inode)) < 0)
        return e;
    if (!inode_is(f.inode, S_IFDIR))
        return -ENOTDIR;
    if (f.inode->mount || f.inode->covers)
        return -EBUSY;
    if (f.inode->dir.count)
        return -ENOTEMPTY;
    entry_remove(&f);
    return 0;
}

static struct inode *dir_of(struct fs_place p)
{
    struct inode *i = p.mount == 0 ? inode_find(p.inode) : NULL;
    return i && inode_is(i, S_IFDIR) && i->links ? i : NULL;
}

static bool name_single(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= NAME_MAX_BYTES && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

// As Linux with protected_hardlinks: others' files only when the caller may read and write them.
static bool link_safe(const struct name_call *c, const struct inode *i)
{
    if (name_owner(c, i))
        return true;
    return inode_is(i, S_IFREG) && !(i->mode & S_ISUID) &&
           (i->mode & (S_ISGID | 0010)) != (S_ISGID | 0010) && inode_may(i, c->who, MAY_R | MAY_W);
}

int op_link(struct name_call *c)
{
    struct found f;
    if (!name_single(c->other))
        return -EINVAL;
    int e = tree_walk(c, !(c->in.flags & FS_NOFOLLOW), &f);
    if (e != 0)
        return e;
    struct inode *i = f.inode;
    if (i == NULL)
        return -ENOENT;
    struct inode *dir = dir_of(c->in.other_at);
    if (dir == NULL)
        return -ENOENT;
    if (dirent_find(dir, c->other, strlen(c->other)))
        return -EEXIST;
    if (c->in.slash)
        return -ENOENT;
    if (mount_readonly(c->in.other_at.view))
        return -EROFS;
    if (f.view != c->in.other_at.view || i->fs != dir->fs)
        return -EXDEV;
    if (!link_safe(c, i))
        return -EPERM;
    if (!inode_may(dir, c->who, MAY_W | MAY_X))
        return -EACCES;
    if (inode_is(i, S_IFDIR))
        return -EPERM;
    if (i->links == 0 && !i->linkable)
        return -ENOENT;
    if (i->links >= LINKS_MAX)
        return -EMLINK;
    if (dirent_add(dir, c->other, strlen(c->other), i) < 0)
        return -ENOSPC;
    notify_inode(i, IN_ATTRIB);
    notify_entry(dir, i, IN_CREATE, 0, c->other, strlen(c->other));
    return 0;
}

// ---- rename ------------------------------------------------------------------------------------
struct renaming {
    struct inode *from_dir, *to_dir;
    struct dirent *from, *to; // to: NULL when the new name is free
};

static bool is_below(const struct inode *i, const struct inode *above)
{
    // The root of the tree and that of each mounted tmpfs are their own parents.
    for (; i->dir.parent != i; i = i->dir.parent)
        if (i == above)
            return true;
    return i == above;
}

// What the names and kinds of the two say, whoever asks.
static int rename_kinds(const struct renaming *r, unsigned flags, bool from_slash, bool to_slash)
{
    bool from_dir = inode_is(r->from->inode, S_IFDIR);
    bool to_dir = r->to && inode_is(r->to->inode, S_IFDIR);
    bool exchange = flags & NAME_EXCHANGE;
    if (r->to && (flags & NAME_NOREPLACE))
        return -EEXIST;
    if (r->to == NULL && exchange)
        return -ENOENT;
    if (exchange && !to_dir && to_slash)
        return -ENOTDIR;
    if (!from_dir && (from_slash || (!exchange && to_slash)))
        return -ENOTDIR;
    if (from_dir && is_below(r->to_dir, r->from->inode))
        return -EINVAL;
    if (to_dir && is_below(r->from_dir, r->to->inode))
        return exchange ? -EINVAL : -ENOTEMPTY;
    return 0;
}

// Another directory above it: its ".." changes, which is a write to it.
static int parent_change_check(const struct name_call *c, const struct dirent *d)
{
    return inode_is(d->inode, S_IFDIR) && !inode_may(d->inode, c->who, MAY_W) ? -EACCES : 0;
}

static int rename_replace_check(const struct renaming *r)
{
    bool from_dir = inode_is(r->from->inode, S_IFDIR), to_dir = inode_is(r->to->inode, S_IFDIR);
    if (from_dir != to_dir)
        return to_dir ? -EISDIR : -ENOTDIR;
    return 0;
}

static bool is_covered(const struct dirent *d)
{
    return d && inode_is(d->inode, S_IFDIR) && (d->inode->mount || d->inode->covers);
}

static int rename_check(const struct name_call *c, const struct renaming *r)
{
    bool exchange = c->in.flags & NAME_EXCHANGE;
    int e = sticky_check(c, r->from_dir, r->from->inode);
    if (e == 0 && r->to)
        e = sticky_check(c, r->to_dir, r->to->inode);
    else if (e == 0 && !inode_may(r->to_dir, c->who, MAY_W | MAY_X))
        e = -EACCES;
    if (e == 0 && r->to && !exchange)
        e = rename_replace_check(r);
    if (e == 0 && r->from_dir != r->to_dir)
        e = parent_change_check(c, r->from);
    if (e == 0 && r->from_dir != r->to_dir && exchange)
        e = parent_change_check(c, r->to);
    if (e == 0 && (is_covered(r->from) || is_covered(r->to)))
        e = -EBUSY;
    if (e == 0 && r->to && !exchange && inode_is(r->to->inode, S_IFDIR) && r->to->inode->dir.count)
        e = -ENOTEMPTY;
    return e;
}

// Both names exist and swap what they name.
static void rename_exchange(const struct renaming *r)
{
    struct inode *a = r->from->inode, *b = r->to->inode;
    a->named = a->named == r->from ? r->to : a->named;
    b->named = b->named == r->to ? r->from : b->named;
    bool a_dir = inode_is(a, S_IFDIR), b_dir = inode_is(b, S_IFDIR);
    r->from->inode = b;
    r->to->inode = a;
    if (a_dir) {
        a->dir.parent = r->to_dir;
        a->dir.self = r->to;
        r->from_dir->links--;
        r->to_dir->links++;
    }
    if (b_dir) {
        b->dir.parent = r->from_dir;
        b->dir.self = r->from;
        r->to_dir->links--;
        r->from_dir->links++;
    }
    inode_touch(r->from_dir);
    inode_touch(r->to_dir);
    inode_changed(a);
    inode_changed(b);
}

// `i` went from one name to the other; `over` is what it replaced, or NULL.
static void rename_told(const struct renaming *r, struct inode *i, const char *from, const char *to,
                        struct inode *over)
{
    uint32_t cookie = notify_cookie();
    notify_entry(r->from_dir, i, IN_MOVED_FROM, cookie, from, strlen(from));
    notify_entry(r->to_dir, i, IN_MOVED_TO, cookie, to, strlen(to));
    if (over)
        notify_inode(over, IN_ATTRIB);
    notify_inode(i, IN_MOVE_SELF);
}

int op_rename(struct name_call *c)
{
    struct renaming r = {.from_dir = dir_of(c->in.at), .to_dir = dir_of(c->in.other_at)};
    if (!name_single(c->path) || !name_single(c->other))
        return -EINVAL;
    if (r.from_dir == NULL || r.to_dir == NULL)
        return -ENOENT;
    r.from = dirent_find(r.from_dir, c->path, strlen(c->path));
    r.to = dirent_find(r.to_dir, c->other, strlen(c->other));
    if (mount_readonly(c->in.at.view))
        return -EROFS;
    if (r.from == NULL)
        return -ENOENT;
    int e = rename_kinds(&r, c->in.flags, c->in.slash & NAME_SLASH, c->in.slash & OTHER_SLASH);
    if (e < 0)
        return e;
    if (r.to && r.to->inode == r.from->inode)
        return 0; // two names of one file: both stay
    e = rename_check(c, &r);
    if (e < 0)
        return e;
    if (c->in.flags & NAME_EXCHANGE) {
        struct renaming back = {.from_dir = r.to_dir, .to_dir = r.from_dir};
        rename_exchange(&r);
        rename_told(&r, r.to->inode, c->path, c->other, NULL);
        rename_told(&back, r.from->inode, c->other, c->path, NULL);
        return 0;
    }
    // The new entry first, so that being out of memory changes nothing.
    if (r.to) {
        struct inode *gone = r.to->inode;
        inode_get(gone);
        rename_exchange(&r);
        dirent_remove(r.from); // now names what was replaced
        rename_told(&r, r.to->inode, c->path, c->other, gone);
        inode_put(gone);
        return 0;
    }
    struct inode *i = r.from->inode;
    e = dirent_add(r.to_dir, c->other, strlen(c->other), i);
    if (e < 0)
        return -ENOSPC;
    dirent_remove(r.from);
    rename_told(&r, i, c->path, c->other, NULL);
    return 0;
}
