// SPDX-License-Identifier: MIT
#include "ssi/fs/tree.h"
#include "ssi/fs/mounts.h"
#include "kernel/bootparts.h"
#include "lib/cpio.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"

#define COVERS_MAX 8

NODE_VAR(bool, built);
NODE_VAR(struct inode *, covers[COVERS_MAX]);

// ---- building from the archive -----------------------------------------------------------------

// The directory that holds the last name of `path`, with what is missing on the way made; the name
// begins at *last. NULL: no memory, or a component is no directory.
static struct inode *build_parent(const char *path, const char **last)
{
    struct inode *at = inode_root();
    for (const char *slash; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
        size_t n = (size_t)(slash - path);
        struct dirent *d = dirent_find(at, path, n);
        struct inode *next = d ? d->inode : inode_new(S_IFDIR | 0755, 0, 0, true);
        if (next == NULL || !inode_is(next, S_IFDIR))
            return NULL;
        if (d == NULL && dirent_add(at, path, n, next) < 0)
            return NULL;
        at = next;
    }
    *last = path;
    return at;
}

static void build_times(struct inode *i, uint32_t seconds)
{
    i->atime_ns = i->mtime_ns = i->ctime_ns = (int64_t)seconds * 1000000000;
}

static bool build_content(struct inode *i, const struct cpio_entry *e)
{
    switch (e->mode & CPIO_TYPE) {
    case CPIO_FILE:
        i->archive = e->data;
        i->archive_bytes = i->bytes = e->bytes;
        break;
    case CPIO_SYMLINK:
        i->target = heap_alloc(e->bytes + 1);
        if (i->target == NULL)
            return false;
        memcpy(i->target, e->data, e->bytes);
        i->target[e->bytes] = '\0';
        i->bytes = e->bytes;
        break;
    case CPIO_CHAR:
    case CPIO_BLOCK:
        i->rdev = fs_device_number(e->rdev_major, e->rdev_minor);
        break;
    }
    return true;
}

static const char *build_entry(const struct cpio_entry *e)
{
    const char *name;
    if (e->name[0] == '\0') { // the root itself
        inode_root()->mode = S_IFDIR | (e->mode & 07777);
        build_times(inode_root(), e->mtime);
        return NULL;
    }
    struct inode *dir = build_parent(e->name, &name);
    if (dir == NULL)
        return "an entry lies below something that is no directory, or memory is short";
    struct dirent *d = dirent_find(dir, name, strlen(name));
    if (d && inode_is(d->inode, S_IFDIR) && (e->mode & CPIO_TYPE) == CPIO_DIR) {
        d->inode->mode = S_IFDIR | (e->mode & 07777);
        return NULL;
    }
    if (d)
        return "two entries have one name";
    struct inode *i = inode_new(e->mode & (S_IFMT | 07777), e->uid, e->gid, true);
    if (i == NULL)
        return "memory is short";
    if (!build_content(i, e) || dirent_add(dir, name, strlen(name), i) < 0)
        return "memory is short";
    build_times(i, e->mtime);
    build_times(dir, e->mtime);
    return NULL;
}

bool tree_build(const void *bytes, size_t size, const char **why)
{
    struct cpio c;
    struct cpio_entry e;
    int more;
    cpio_open(&c, bytes, size);
    while ((more = cpio_next(&c, &e)) > 0) {
        *why = build_entry(&e);
        if (*why)
            return false;
    }
    *why = c.why;
    return more == 0;
}

bool tree_ready(void)
{
    const void *part;
    const char *why;
    size_t bytes;
    if (node(built))
        return true;
    if (!inodes_init())
        return false;
    node(built) = true;
    const struct archive *a = boot_archive();
    if (a && archive_part(a, ARCHIVE_ROOT, &part, &bytes) && !tree_build(part, bytes, &why))
        log_error("fs", "root archive: %s; what comes behind is missing", why);
    return true;
}

// ---- generated trees ---------------------------------------------------------------------------
int tree_cover(const char *path, uint16_t mount)
{
    const char *name;
    if (!tree_ready() || mount >= COVERS_MAX || path[0] != '/')
        return -EINVAL;
    struct inode *dir = build_parent(path + 1, &name);
    if (dir == NULL)
        return -ENOTDIR;
    struct dirent *d = dirent_find(dir, name, strlen(name));
    struct inode *i = d ? d->inode : inode_new(S_IFDIR | 0755, 0, 0, true);
    if (i == NULL)
        return -ENOMEM;
    if (!inode_is(i, S_IFDIR))
        return -ENOTDIR;
    if (d == NULL && dirent_add(dir, name, strlen(name), i) < 0)
        return -ENOMEM;
    i->mount = mount;
    node(covers)[mount] = i;
    return 0;
}

struct inode *tree_covered(uint16_t mount)
{
    return mount < COVERS_MAX ? node(covers)[mount] : NULL;
}

// ---- walking -----------------------------------------------------------------------------------
size_t name_component(const char **path, const char **component, bool *slash)
{
    const char *p = *path;
    while (*p == '/')
        p++;
    *component = p;
    while (*p != '\0' && *p != '/')
        p++;
    size_t length = (size_t)(p - *component);
    *slash = *p == '/';
    while (*p == '/')
        p++;
    *path = p;
    return length;
}

int name_redirect(struct name_call *c, const char *text, size_t length, const char *rest)
{
    size_t tail = rest ? strlen(rest) : 0;
    if (++c->in.hops > NAME_HOPS_MAX)
        return -ELOOP;
    if (length + 1 + tail + 1 > PATH_MAX_BYTES)
        return -ENAMETOOLONG;
    char *p = heap_alloc(length + tail + 2);
    if (p == NULL)
        return -ENOMEM;
    memcpy(p, text, length);
    if (rest)
        p[length++] = '/';
    memcpy(p + length, rest ? rest : "", tail);
    p[length + tail] = '\0';
    heap_free(c->owned);
    c->path = c->owned = p;
    return 0;
}

// Where a path begins. 0 with *at, NAME_CROSSED, or an error.
static int walk_start(struct name_call *c, struct inode **at, uint32_t *view)
{
    if (c->path[0] == '/') {
        while (c->path[0] == '/')
            c->path++;
        c->in.at = c->who->root;
        c->in.crossed = true;
        if (c->in.at.mount != 0)
            return ++c->in.hops > NAME_HOPS_MAX ? -ELOOP : NAME_CROSSED;
    }
    *view = c->in.at.view;
    *at = c->in.at.inode == 0 ? mount_covered(view) : inode_find(c->in.at.inode);
    return *at ? 0 : -ENOENT;
}

static int walk_up(const struct name_call *c, struct inode *at, struct found *f,
                   struct inode **next)
{
    uint32_t view = f->view;
    if (place_equal(c->who->root, place_in(view, at->number)))
        return c->in.resolve & FS_RESOLVE_BENEATH ? -EXDEV : 0;
    *next = mount_up(at, &f->view);
    return (c->in.resolve & FS_RESOLVE_NO_XDEV) && f->view != view ? -EXDEV : 0;
}

// May the link `target`, found through mount `view` of tree `mount`, be followed?
int name_link_check(const struct name_call *c, const char *target, uint16_t mount, uint32_t view)
{
    const struct fs_place *root = &c->who->root;
    if (c->in.resolve & FS_RESOLVE_NO_SYMLINKS)
        return -ELOOP;
    if (c->in.resolve == 0 || target[0] != '/')
        return 0;
    bool beneath = c->in.resolve & FS_RESOLVE_BENEATH, inside = c->in.resolve & FS_RESOLVE_NO_XDEV;
    return beneath || (inside && (root->mount != mount || root->view != view)) ? -EXDEV : 0;
}

// One step from `at` along f->name: *next, or NULL when there is no such entry.
static int walk_step(const struct name_call *c, struct inode *at, struct found *f,
                     struct inode **next)
{
    if (!inode_is(at, S_IFDIR))
        return -ENOTDIR;
    if (!inode_may(at, c->who, MAY_X))
        return -EACCES;
    f->dir = NULL;
    *next = at;
    if (f->length == 1 && f->name[0] == '.')
        return 0;
    if (f->length == 2 && f->name[0] == '.' && f->name[1] == '.') {
        return walk_up(c, at, f, next);
    }
    if (f->length > NAME_MAX_BYTES)
        return -ENAMETOOLONG;
    if (at->links == 0)
        return -ENOENT;
    f->dir = at;
    struct dirent *d = dirent_find(at, f->name, f->length);
    *next = d ? d->inode : NULL;
    return 0;
}

// Is it about the last name itself, whatever it names and whether a slash is behind it?
static bool of_name(const struct name_call *c)
{
    uint8_t op = c->in.op;
    return op == NAME_UNLINK || op == NAME_RMDIR || op == NAME_PARENT || op == NAME_MKDIR ||
           op == NAME_MKNOD || op == NAME_SYMLINK;
}

static bool creates(const struct name_call *c)
{
    return c->in.op == NAME_OPEN && (c->in.flags & (O_CREAT | O_PATH)) == O_CREAT;
}

int tree_walk(struct name_call *c, bool follow, struct found *f)
{
    struct inode *at = NULL, *next;
    uint32_t view = 0;
    bool empty_fine = c->in.crossed || (c->in.op != NAME_OPEN && (c->in.flags & FS_EMPTY_PATH));
    int e = 0;
    if (c->path[0] == '\0' && !empty_fine)
        return -ENOENT;
    if ((e = walk_start(c, &at, &view)) != 0)
        return e;
    *f = (struct found){.inode = at, .view = view};
    while (c->path[0] != '\0') {
        const char *rest = c->path;
        f->length = name_component(&rest, &f->name, &f->slash);
        if ((e = walk_step(c, at, f, &next)) < 0)
            return e;
        bool last = *rest == '\0';
        if (last && f->slash && f->dir && creates(c))
            return -EISDIR;
        f->inode = next;
        if (next == NULL && last)
            return 0;
        if (next == NULL)
            return -ENOENT;
        if (inode_is(next, S_IFLNK) && (!last || follow || (f->slash && !of_name(c)))) {
            c->in.at = place_in(f->view, at->number);
            if ((e = name_link_check(c, next->target, 0, f->view)) < 0 ||
                (e = name_redirect(c, next->target, next->bytes, f->slash ? rest : NULL)) < 0 ||
                (e = walk_start(c, &at, &view)) != 0)
                return e;
            inode_accessed(next);
            *f = (struct found){.inode = at, .view = view};
            continue;
        }
        if (last && c->in.op == NAME_PARENT)
            return 0;
        struct fs_place under = {0};
        bool over = next->covers && f->dir && mount_over(f->view, next, &under);
        if ((c->in.resolve & FS_RESOLVE_NO_XDEV) && (over || (next->mount && f->dir)))
            return -EXDEV;
        if (over && under.mount == 0) {
            next = inode_find(under.inode);
            *f = (struct found){.inode = next, .view = under.view, .slash = f->slash};
            if (next == NULL)
                return -ENOENT;
        } else if (under.mount || (next->mount && f->dir)) {
            c->in.at = under.mount ? under : place_of(next->mount, 1);
            c->in.crossed = true;
            c->path = rest;
            return ++c->in.hops > NAME_HOPS_MAX ? -ELOOP : NAME_CROSSED;
        }
        at = next;
        c->path = rest;
    }
    bool wrong = f->slash && !inode_is(f->inode, S_IFDIR);
    return wrong && (c->in.op == NAME_UNLINK || !of_name(c)) ? -ENOTDIR : 0;
}

static bool writes(const struct name_call *c)
{
    uint8_t op = c->in.op;
    return op == NAME_CHMOD || op == NAME_CHOWN || op == NAME_UTIMES || op == NAME_TRUNCATE ||
           (op == NAME_ACCESS && (c->in.mode & MAY_W)) ||
           (op == NAME_XATTR && (c->in.mode == FS_XATTR_SET || c->in.mode == FS_XATTR_REMOVE));
}

int tree_walk_to(struct name_call *c, bool follow, struct inode **i)
{
    struct found f;
    int e = tree_walk(c, follow, &f);
    if (e != 0)
        return e;
    *i = f.inode;
    if (f.inode && writes(c) && mount_readonly(f.view))
        return -EROFS;
    return f.inode ? 0 : -ENOENT;
}
