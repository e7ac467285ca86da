// SPDX-License-Identifier: MIT
// Generated trees: walked on the node that asks, one step at a time by what the room says.
#include "ssi/fs/generated_priv.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/dirent64.h"
#include "ssi/fs/tree.h"

#define MOUNTS_MAX      8
#define TEXT_BYTES      (16u << 10)
#define TEXT_BYTES_MAX  (4u << 20)
#define TEXT_GROWTH     8u
#define WRITE_BYTES_MAX (16u << 10)
#define ROOT_INODE      1
#define DEPTH_MAX       16

NODE_VAR(const struct gen_tree *, mounts[MOUNTS_MAX]); // from 1
NODE_VAR(unsigned, mount_count);

static const struct fs_who superuser;

uint16_t fs_mount_generated(const struct gen_tree *tree)
{
    ASSERT(node(mount_count) + 1 < MOUNTS_MAX);
    uint16_t m = (uint16_t)++node(mount_count);
    node(mounts)[m] = tree;
    int e = tree_cover(tree->path, m);
    if (e < 0)
        log_error("fs", "%s cannot be mounted: %s", tree->path, errno_text(e));
    return m;
}

uint16_t fs_generated_number(const char *path)
{
    for (unsigned m = 1; m <= node(mount_count); m++)
        if (strcmp(node(mounts)[m]->path, path) == 0)
            return (uint16_t)m;
    return 0;
}

static const struct gen_tree *tree_of(struct fs_place p)
{
    return p.mount < MOUNTS_MAX ? node(mounts)[p.mount] : NULL;
}

// ---- files -------------------------------------------------------------------------------------
struct gen_file {
    const struct gen_tree *tree;
    uint64_t inode;
    struct fs_who who; // of the opener
    char *text;        // made at the first read and whenever reading begins anew
    size_t length;
};

int generated_text(struct text *t, size_t size, text_show_fn show, void *arg)
{
    for (;; size *= TEXT_GROWTH) {
        char *buffer = heap_alloc(size);
        if (buffer == NULL)
            return -ENOMEM;
        text_init(t, buffer, size);
        int e = show(arg, t);
        if (e == 0 && (!t->cut || size * TEXT_GROWTH > TEXT_BYTES_MAX))
            return 0;
        heap_free(buffer);
        if (e < 0)
            return e;
    }
}

static int gen_show_node(void *arg, struct text *t)
{
    const struct gen_file *g = arg;
    return g->tree->show(g->inode, t);
}

// It may sleep: others read the old text meanwhile.
static int gen_show(struct gen_file *g)
{
    struct text t;
    size_t size = g->tree->text_bytes ? g->tree->text_bytes : TEXT_BYTES;
    int e = g->tree->show ? generated_text(&t, size, gen_show_node, g) : -EINVAL;
    if (e < 0)
        return e;
    heap_free(g->text);
    g->text = t.at;
    g->length = t.length;
    return 0;
}

static int gen_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct gen_file *g = f->data;
    uint64_t offset = at ? *at : f->offset;
    if (offset == 0 || g->text == NULL) {
        int e = gen_show(g);
        if (e < 0)
            return e;
    }
    if (offset >= g->length)
        return 0;
    size_t n = xfer_put(x, g->text + offset, MIN(x->left, g->length - (size_t)offset));
    if (at == NULL)
        f->offset += n;
    return 0;
}

// The room gets the whole buffer or nothing.
static int gen_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct gen_file *g = f->data;
    struct xfer start = *x;
    size_t n = MIN(x->left, WRITE_BYTES_MAX);
    (void)at;
    if (g->tree->write == NULL)
        return -EACCES;
    char *bytes = heap_alloc(n + 1);
    if (bytes == NULL)
        return -ENOMEM;
    int e = xfer_take_all(x, bytes, n);
    bytes[n] = '\0';
    long used = e < 0 ? e : g->tree->write(&g->who, g->inode, bytes, n);
    heap_free(bytes);
    if (used < 0) {
        *x = start;
        return (int)used;
    }
    f->offset += n;
    return 0;
}

static int64_t gen_seek(struct file *f, int64_t offset, int whence)
{
    struct gen_file *g = f->data;
    return file_seek_in(f, g->length, offset, whence);
}

static int gen_stat(struct file *f, struct fs_stat *st)
{
    return generated_stat(f->place, st);
}

static unsigned gen_poll(struct file *f)
{
    (void)f;
    return POLL_IN | POLL_OUT;
}

static int gen_sync(struct file *f)
{
    (void)f;
    return 0;
}

static void gen_release(struct file *f)
{
    struct gen_file *g = f->data;
    heap_free(g->text);
    heap_free(g);
}

static const struct file_ops gen_file_ops = {
    .name = "generated",
    .read = gen_read,
    .write = gen_write,
    .seek = gen_seek,
    .poll = gen_poll,
    .stat = gen_stat,
    .sync = gen_sync,
    .release = gen_release,
};

// Inode numbers as programs see them: 32 bits, or readdir(3) and stat(2) of 32-bit programs fail.
static uint32_t inode_shown(uint64_t inode)
{
    uint32_t shown = (uint32_t)inode ^ (uint32_t)(inode >> 32) * 0x9e3779b1u;
    return shown ? shown : 1;
}

// f->offset: 0 before ".", 1 before "..", else the room's cursor plus 2.
static int gen_list(struct file *f, struct xfer *x)
{
    struct gen_file *g = f->data;
    size_t before = x->done;
    bool fits = true;
    if (f->offset == 0 && (fits = dirent64_put(x, inode_shown(g->inode), 1, S_IFDIR, ".", 1)))
        f->offset = 1;
    if (f->offset == 1 && fits && (fits = dirent64_put(x, ROOT_INODE, 2, S_IFDIR, "..", 2)))
        f->offset = 2;
    while (f->offset >= 2 && fits) {
        struct gen_entry e;
        uint64_t cursor = f->offset - 2;
        if (g->tree->list(g->inode, &cursor, &e) < 0)
            break;
        fits = dirent64_put(x, inode_shown(e.inode), cursor + 2, e.mode, e.name, strlen(e.name));
        if (fits)
            f->offset = cursor + 2;
    }
    return !fits && x->done == before ? -EINVAL : 0;
}

static int64_t gen_dir_seek(struct file *f, int64_t offset, int whence)
{
    return file_seek_in(f, INT64_MAX, offset, whence);
}

static int gen_dir_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    (void)f, (void)x, (void)at;
    return -EISDIR;
}

static const struct file_ops gen_dir_ops = {
    .name = "generated directory",
    .read = gen_dir_read,
    .seek = gen_dir_seek,
    .list = gen_list,
    .poll = gen_poll,
    .stat = gen_stat,
    .sync = gen_sync,
    .release = gen_release,
};

static int gen_file_new(struct name_call *c, const struct gen_tree *t, const struct gen_entry *e)
{
    struct gen_file *g = heap_zalloc(sizeof(*g));
    if (g == NULL)
        return -ENOMEM;
    g->tree = t;
    g->inode = e->inode;
    g->who = *c->who;
    bool dir = (e->mode & S_IFMT) == S_IFDIR;
    c->file = file_new(dir ? &gen_dir_ops : &gen_file_ops,
                       c->in.flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC), g);
    if (c->file == NULL)
        heap_free(g);
    return c->file ? 0 : -ENOMEM;
}

// ---- walking -----------------------------------------------------------------------------------
#define GEN_OPENED 2 // a link of /proc stood for an open file: c->file

struct gen_found {
    const struct gen_tree *tree;
    struct gen_entry e; // what was found
    bool exists;
    bool slash, follow;
    const char *name; // last component
    size_t length;
};

static int gen_attributes(const struct gen_tree *t, uint64_t inode, struct gen_entry *e)
{
    int r = t->attributes(inode, e);
    e->inode = inode;
    return r;
}

static int gen_up(struct name_call *c, struct gen_found *g, const char *rest)
{
    const struct gen_tree *t = g->tree;
    uint64_t at = c->in.at.inode;
    if (place_equal(c->in.at, c->who->root))
        return c->in.resolve & FS_RESOLVE_BENEATH ? -EXDEV : 0;
    if (at == ROOT_INODE && (c->in.resolve & FS_RESOLVE_NO_XDEV))
        return -EXDEV;
    if (at == ROOT_INODE) { // the covered directory's parent, in the tree
        // A mount's: the home knows what it covers.
        c->in.at = c->in.at.view ? place_in(c->in.at.view, 0)
                                 : place_of(0, tree_covered(c->in.at.mount)->number);
        int e = name_redirect(c, "..", 2, *rest || g->slash ? rest : NULL);
        return e < 0 ? e : NAME_CROSSED;
    }
    if (t->look(c->who, at, "..", &g->e) < 0)
        return gen_attributes(t, ROOT_INODE, &g->e);
    return 0;
}

// What openat2 has said of links. Those of /proc/PID that lead out of /proc are magic.
static int gen_link_check(const struct name_call *c, const struct gen_found *g)
{
    uint32_t resolve = c->in.resolve;
    char *text = heap_alloc(PATH_MAX_BYTES);
    if (text == NULL)
        return -ENOMEM;
    int n = g->tree->link ? g->tree->link(c->who, g->e.inode, text, PATH_MAX_BYTES) : -EINVAL;
    bool magic =
        n >= 0 && strcmp(g->tree->path, "/proc") == 0 && (text[0] == '/' || strchr(text, ':'));
    if (n >= 0)
        n = name_link_check(c, magic ? "" : text, c->in.at.mount, c->in.at.view);
    heap_free(text);
    if (n < 0 || !magic)
        return n;
    if (resolve & FS_RESOLVE_NO_MAGICLINKS)
        return -ELOOP;
    return resolve & (FS_RESOLVE_BENEATH | FS_RESOLVE_IN_ROOT | FS_RESOLVE_NO_XDEV) ? -EXDEV : 0;
}

// A link: an open file when the room gives one, else its text is walked on.
static int gen_follow(struct name_call *c, struct gen_found *g, const char *rest)
{
    bool last = *rest == '\0' && !g->slash;
    int refused = c->in.resolve ? gen_link_check(c, g) : 0;
    if (refused < 0)
        return refused;
    if (last && g->tree->open &&
        (c->in.op == NAME_OPEN || c->in.op == NAME_STAT || c->in.op == NAME_LINK)) {
        uint32_t flags = c->in.op == NAME_OPEN ? c->in.flags : O_PATH;
        int e = g->tree->open(c->who, g->e.inode, flags, &c->file);
        if (e != -ELOOP)
            return e < 0 ? e : GEN_OPENED;
    }
    char *text = heap_alloc(PATH_MAX_BYTES);
    if (text == NULL)
        return -ENOMEM;
    int n = g->tree->link ? g->tree->link(c->who, g->e.inode, text, PATH_MAX_BYTES) : -EINVAL;
    if (n >= 0)
        n = name_redirect(c, text, strnlen(text, PATH_MAX_BYTES - 1), g->slash ? rest : NULL);
    heap_free(text);
    return n < 0 ? n : NAME_CROSSED;
}

static int gen_step(struct name_call *c, struct gen_found *g, const char *rest)
{
    char name[NAME_MAX_BYTES + 1];
    if ((g->e.mode & S_IFMT) != S_IFDIR)
        return -ENOTDIR;
    if (!fs_may(c->who, g->e.mode, g->e.uid, g->e.gid, MAY_X))
        return -EACCES;
    if (g->length > NAME_MAX_BYTES)
        return -ENAMETOOLONG;
    memcpy(name, g->name, g->length);
    name[g->length] = '\0';
    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0)
        return gen_up(c, g, rest);
    int e = g->tree->look(c->who, c->in.at.inode, name, &g->e);
    if (e == -ENOENT && *rest == '\0') {
        g->exists = false;
        return 0;
    }
    if (e < 0)
        return e;
    if ((g->e.mode & S_IFMT) == S_IFLNK && (*rest != '\0' || g->slash || g->follow))
        return gen_follow(c, g, rest);
    return 0;
}

static int gen_walk(struct name_call *c, struct gen_found *g)
{
    if (c->path[0] == '\0' && !c->in.crossed &&
        (c->in.op == NAME_OPEN || !(c->in.flags & FS_EMPTY_PATH)))
        return -ENOENT;
    if (c->path[0] == '/') {
        while (c->path[0] == '/')
            c->path++;
        c->in.at = c->who->root;
        c->in.crossed = true;
        return NAME_CROSSED;
    }
    int e = gen_attributes(g->tree, c->in.at.inode, &g->e);
    if (e < 0)
        return e;
    g->exists = true;
    while (c->path[0] != '\0' && g->exists) {
        const char *rest = c->path;
        g->length = name_component(&rest, &g->name, &g->slash);
        if ((e = gen_step(c, g, rest)) != 0)
            return e;
        c->in.at.inode = g->exists ? g->e.inode : c->in.at.inode;
        c->path = rest;
    }
    return g->exists && g->slash && (g->e.mode & S_IFMT) != S_IFDIR ? -ENOTDIR : 0;
}

// ---- operations --------------------------------------------------------------------------------
static void gen_stat_of(uint16_t mount, const struct gen_entry *e, struct fs_stat *st)
{
    int64_t now = (int64_t)cluster_real_ns();
    *st = (struct fs_stat){
        .dev = FS_DEVICE_TREE + mount,
        .inode = inode_shown(e->inode),
        .rdev = e->rdev,
        .mode = e->mode,
        .links = (e->mode & S_IFMT) == S_IFDIR ? 2 : 1,
        .uid = e->uid,
        .gid = e->gid,
        .atime_ns = now,
        .mtime_ns = now,
        .ctime_ns = now,
    };
}

int generated_stat(struct fs_place p, struct fs_stat *st)
{
    struct gen_entry e;
    const struct gen_tree *t = tree_of(p);
    int r = t ? gen_attributes(t, p.inode, &e) : -ESTALE;
    if (r == 0)
        gen_stat_of(p.mount, &e, st);
    return r;
}

static int gen_open(struct name_call *c, const struct gen_found *g)
{
    uint32_t flags = c->in.flags, type = g->e.mode & S_IFMT;
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (type == S_IFLNK)
        return -ELOOP;
    if (type == S_IFDIR && (writes || (flags & O_CREAT)))
        return -EISDIR;
    if ((flags & O_DIRECTORY) && type != S_IFDIR)
        return -ENOTDIR;
    unsigned want = (writes ? MAY_W : 0) | ((flags & O_ACCMODE) != O_WRONLY ? MAY_R : 0);
    if (!(flags & O_PATH) && !fs_may(c->who, g->e.mode, g->e.uid, g->e.gid, want))
        return -EACCES;
    int e = -ELOOP;
    if (type != S_IFDIR && g->tree->open && !(flags & O_PATH))
        e = g->tree->open(c->who, g->e.inode, flags, &c->file);
    if (e == -ELOOP)
        e = gen_file_new(c, g->tree, &g->e);
    if (e == 0 && c->file->place.inode == 0)
        c->file->place = c->in.at;
    return e;
}

static int gen_readlink(struct name_call *c, const struct gen_found *g)
{
    if ((g->e.mode & S_IFMT) != S_IFLNK)
        return -EINVAL;
    char *text = heap_zalloc(PATH_MAX_BYTES);
    if (text == NULL)
        return -ENOMEM;
    int e = g->tree->link ? g->tree->link(c->who, g->e.inode, text, PATH_MAX_BYTES) : -EINVAL;
    if (e >= 0) {
        c->text_bytes = MIN(c->text_size, strnlen(text, PATH_MAX_BYTES));
        memcpy(c->text, text, c->text_bytes);
    }
    heap_free(text);
    return e < 0 ? e : 0;
}

static int gen_parent(struct name_call *c, const struct gen_found *g)
{
    c->out.place = c->in.at; // only that it is no place of the tree counts
    if (g->name == NULL)
        return 0;
    if (g->length > c->text_size)
        return -ENAMETOOLONG;
    memcpy(c->text, g->name, g->length);
    c->text_bytes = g->length;
    return 0;
}

// Climbs by "..", and finds each name in the listing of the directory above.
static int gen_name_in(const struct gen_tree *t, uint64_t dir, uint64_t inode, struct gen_entry *e)
{
    uint64_t cursor = 0;
    while (t->list(dir, &cursor, e) == 0)
        if (e->inode == inode)
            return 0;
    return -ENOENT;
}

// The `tail` bytes in c->text lie below a mount: the home knows where that is.
static int gen_path_mounted(struct name_call *c, size_t tail)
{
    struct name_call up = {.in = {.op = NAME_PATH, .at = place_in(c->in.at.view, 0)},
                           .who = c->who,
                           .path = "",
                           .text_size = c->text_size - tail};
    if (place_equal(c->who->root, place_of(c->in.at.mount, ROOT_INODE)))
        return -ENOENT;
    up.text = heap_alloc(up.text_size);
    if (up.text == NULL)
        return -ENOMEM;
    int e = name_perform(&up);
    if (e == 0) {
        memmove(c->text + up.text_bytes, c->text, tail);
        memcpy(c->text, up.text, up.text_bytes);
        c->text_bytes = up.text_bytes + tail;
    }
    heap_free(up.text);
    return e;
}

static int gen_path(struct name_call *c, const struct gen_tree *t)
{
    struct gen_entry up;
    uint64_t inode = c->in.at.inode;
    size_t at = c->text_size;
    for (int depth = 0; inode != ROOT_INODE; depth++) {
        uint64_t parent = ROOT_INODE;
        if (t->look(c->who, inode, "..", &up) == 0)
            parent = up.inode;
        int e = gen_name_in(t, parent, inode, &up);
        if (e < 0 || depth == DEPTH_MAX)
            return -ENOENT;
        size_t n = strlen(up.name);
        if (at < n + 1)
            return -ERANGE;
        at -= n;
        memcpy(c->text + at, up.name, n);
        c->text[--at] = '/';
        inode = parent;
    }
    size_t tail = c->text_size - at, head = strlen(t->path);
    memmove(c->text, c->text + at, tail);
    if (c->in.at.view)
        return gen_path_mounted(c, tail);
    if (at < head)
        return -ERANGE;
    memmove(c->text + head, c->text, tail);
    memcpy(c->text, t->path, head);
    c->text_bytes = head + tail;
    return 0;
}

static int gen_act_missing(const struct name_call *c)
{
    switch ((enum name_op)c->in.op) {
    case NAME_OPEN:
        return c->in.flags & O_CREAT ? -EACCES : -ENOENT;
    case NAME_MKDIR:
    case NAME_MKNOD:
    case NAME_SYMLINK:
        return -EPERM;
    case NAME_LINK: // what was to get one more name
    case NAME_STAT:
    case NAME_DIR:
    case NAME_PARENT:
    case NAME_PATH:
    case NAME_UNLINK:
    case NAME_RMDIR:
    case NAME_RENAME:
    case NAME_READLINK:
    case NAME_ACCESS:
    case NAME_CHMOD:
    case NAME_CHOWN:
    case NAME_UTIMES:
    case NAME_TRUNCATE:
    case NAME_SPACE:
    case NAME_MOUNT:
    case NAME_UMOUNT:
    case NAME_MOUNTS:
    case NAME_NOTIFY:
    case NAME_WATCH:
    case NAME_QUEUE:
    case NAME_QUEUE_UNLINK:
    case NAME_XATTR:
    case NAME_OPS:
        break;
    }
    return -ENOENT;
}

static int gen_set(const struct name_call *c, const struct gen_found *g)
{
    bool owner = c->in.op == NAME_CHOWN;
    bool may = owner ? fs_may_give(c->who, g->e.uid, g->e.gid, c->in.uid, c->in.gid)
                     : c->who->uid == g->e.uid || fs_can(c->who, CAP_FOWNER);
    if (!g->tree->set || !may)
        return -EPERM;
    return g->tree->set(g->e.inode, &(struct fs_set){.mode_set = !owner,
                                                     .owner_set = owner,
                                                     .mode = c->in.mode & 07777,
                                                     .uid = c->in.uid,
                                                     .gid = c->in.gid});
}

static int gen_act(struct name_call *c, const struct gen_found *g)
{
    switch ((enum name_op)c->in.op) {
    case NAME_OPEN:
        return gen_open(c, g);
    case NAME_STAT:
        gen_stat_of(c->in.at.mount, &g->e, &c->out.st);
        return 0;
    case NAME_DIR:
        c->out.place = c->in.at;
        return (g->e.mode & S_IFMT) == S_IFDIR ? 0 : -ENOTDIR;
    case NAME_READLINK:
        return gen_readlink(c, g);
    case NAME_ACCESS:
        return fs_may(c->who, g->e.mode, g->e.uid, g->e.gid, c->in.mode & 7) ? 0 : -EACCES;
    case NAME_SPACE:
    case NAME_TRUNCATE:
        return 0;
    case NAME_UTIMES: // touch /dev/null
        return fs_can(c->who, CAP_FOWNER) ? 0 : -EPERM;
    case NAME_MKDIR:
    case NAME_MKNOD:
    case NAME_SYMLINK:
        return -EEXIST;
    case NAME_RMDIR:
        return g->e.inode == ROOT_INODE ? -EBUSY : -EPERM;
    case NAME_PARENT:
    case NAME_PATH:
    case NAME_UNLINK:
    case NAME_RENAME:
        break;
    case NAME_CHMOD:
    case NAME_CHOWN:
        return gen_set(c, g);
    case NAME_LINK:
        return -EXDEV;
    case NAME_XATTR:
        return c->in.mode == FS_XATTR_LIST ? 0 : -EOPNOTSUPP;
    case NAME_UMOUNT:
        if (g->e.inode != ROOT_INODE)
            return -EINVAL;
        if (c->in.at.view == 0)
            return -EBUSY; // of the node itself
        c->in.at = place_in(c->in.at.view, 0);
        c->in.uid = c->in.at.view;
        return name_redirect(c, ".", 1, NULL) < 0 ? -ENOMEM : NAME_CROSSED;
    case NAME_WATCH: // what happens there is known to each node for itself
        return -EOPNOTSUPP;
    case NAME_MOUNT:
    case NAME_MOUNTS:
    case NAME_NOTIFY:
    case NAME_QUEUE:
    case NAME_QUEUE_UNLINK:
    case NAME_OPS:
        return -EBUSY;
    }
    return -EPERM;
}

int generated_perform(struct name_call *c)
{
    struct gen_found g = {.tree = tree_of(c->in.at)};
    if (g.tree == NULL)
        return -ESTALE;
    if (c->in.op == NAME_PATH)
        return gen_path(c, g.tree);
    g.follow = c->in.op == NAME_OPEN     ? !(c->in.flags & O_NOFOLLOW)
               : c->in.op == NAME_PARENT ? false
                                         : !(c->in.flags & FS_NOFOLLOW);
    if (c->in.op == NAME_READLINK || c->in.op == NAME_UNLINK)
        g.follow = false;
    int e = gen_walk(c, &g);
    if (e == GEN_OPENED && c->in.op == NAME_STAT) {
        e = file_stat(c->file, &c->out.st);
        file_put(c->file);
        c->file = NULL;
        return e;
    }
    if (e == GEN_OPENED && c->in.op == NAME_LINK) {
        c->in.at = c->file->place; // its descriptor keeps it
        c->in.crossed = true;
        file_put(c->file);
        c->file = NULL;
        if (c->in.at.mount || c->in.at.inode == 0)
            return -EXDEV;
        e = name_redirect(c, "", 0, NULL);
        return e < 0 ? e : NAME_CROSSED;
    }
    if (e == GEN_OPENED)
        return 0;
    if (e != 0)
        return e;
    if (c->in.op == NAME_PARENT)
        return gen_parent(c, &g);
    return g.exists ? gen_act(c, &g) : gen_act_missing(c);
}

int generated_reopen(struct fs_place p, uint32_t flags, struct file **f)
{
    struct gen_entry entry;
    const struct gen_tree *t = tree_of(p);
    if (t == NULL || t->open == NULL || gen_attributes(t, p.inode, &entry) < 0)
        return -ESTALE;
    if ((entry.mode & S_IFMT) != S_IFCHR)
        return -EACCES;
    int e = t->open(&superuser, p.inode, flags, f);
    if (e == 0)
        (*f)->place = p;
    return e;
}
