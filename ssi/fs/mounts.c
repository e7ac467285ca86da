// SPDX-License-Identifier: MIT
#include "ssi/fs/mounts.h"
#include "lib/errno.h"
#include "lib/fmt.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/notify.h"
#include "ssi/fs/tree_priv.h"

#define SHOWN_BYTES 96

struct mount {
    struct list link;
    uint32_t view;        // its number, from 1
    uint32_t over_view;   // what the covered directory is reached through
    uint64_t over;        // the covered directory
    struct fs_place root; // in the tree or a generated one
    uint8_t kind;         // enum fs_mount_kind
    bool readonly;
    char shown[SHOWN_BYTES]; // "SOURCE TYPE"
};

NODE_VAR(struct list, mounts);
NODE_VAR(uint32_t, views);

static struct list *all(void)
{
    struct list *l = &node(mounts);
    if (l->next == NULL)
        list_init(l);
    return l;
}

static struct mount *by_view(uint32_t view)
{
    struct mount *m;
    if (view)
        list_for_each (m, all(), link)
            if (m->view == view)
                return m;
    return NULL;
}

bool mount_over(uint32_t view, const struct inode *i, struct fs_place *under)
{
    bool found = false, again = true;
    uint64_t number = i->number;
    while (again) { // one may lie over the root of another
        struct mount *m, *top = NULL;
        list_for_each (m, all(), link)
            if (m->over_view == view && m->over == number)
                top = m;
        again = top != NULL;
        if (top == NULL)
            break;
        found = true;
        *under = top->root;
        under->view = view = top->view;
        number = top->root.inode;
        again = top->root.mount == 0;
    }
    return found;
}

struct inode *mount_covered(uint32_t *view)
{
    struct mount *m = by_view(*view);
    if (m == NULL)
        return NULL;
    *view = m->over_view;
    return inode_find(m->over);
}

struct inode *mount_leave(struct inode *i, uint32_t *view)
{
    struct mount *m;
    while ((m = by_view(*view)) != NULL && m->root.mount == 0 && m->root.inode == i->number) {
        struct inode *over = inode_find(m->over);
        if (over == NULL)
            break;
        i = over;
        *view = m->over_view;
    }
    return i;
}

struct inode *mount_up(struct inode *i, uint32_t *view)
{
    return mount_leave(i, view)->dir.parent;
}

bool mount_readonly(uint32_t view)
{
    struct mount *m = by_view(view);
    return m && m->readonly;
}

bool mount_is_device(uint64_t device)
{
    struct mount *m = device > FS_DEVICE_TMPFS && device <= FS_DEVICE_TMPFS + UINT16_MAX
                          ? by_view((uint32_t)device - FS_DEVICE_TMPFS)
                          : NULL;
    return device == FS_DEVICE_TREE || (m && m->kind == FS_MOUNT_TMPFS);
}

// ---- mounting ----------------------------------------------------------------------------------
// The empty directory that a new tmpfs is.
static struct inode *tmpfs_root(const struct name_call *c, uint32_t view)
{
    struct inode *i = inode_new(S_IFDIR | (c->in.uid & 07777), 0, 0, false);
    if (i == NULL)
        return NULL;
    i->fs = (uint16_t)view;
    i->links = 2;
    i->dir.parent = i;
    inode_get(i);
    return i;
}

static int change(const struct name_call *c, const struct found *f)
{
    struct mount *m = by_view(f->view);
    if (m == NULL || m->root.mount || f->inode->number != m->root.inode)
        return -EINVAL;
    m->readonly = c->in.value;
    return 0;
}

int op_mount(struct name_call *c)
{
    struct found f;
    int e = tree_walk(c, true, &f);
    if (e != 0)
        return e;
    if (f.inode == NULL)
        return -ENOENT;
    if (!fs_can(c->who, CAP_SYS_ADMIN))
        return -EPERM;
    if (!inode_is(f.inode, S_IFDIR))
        return -ENOTDIR;
    if (c->in.mode < FS_MOUNT_TMPFS || c->in.mode > FS_MOUNT_CHANGE)
        return -EINVAL;
    if (c->in.mode == FS_MOUNT_CHANGE)
        return change(c, &f);
    if (f.inode == inode_root() || node(views) == UINT16_MAX)
        return -EBUSY;
    struct mount *m = heap_zalloc(sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    *m = (struct mount){.view = node(views) + 1,
                        .over_view = f.view,
                        .over = f.inode->number,
                        .root = c->in.other_at,
                        .kind = (uint8_t)c->in.mode,
                        .readonly = c->in.value};
    memcpy(m->shown, c->other, MIN(strlen(c->other), sizeof(m->shown) - 1));
    if (m->kind == FS_MOUNT_TMPFS) {
        struct inode *root = tmpfs_root(c, m->view);
        m->root = place_of(0, root ? root->number : 0);
    } else if (m->root.mount == 0) {
        struct inode *root = inode_find(m->root.inode);
        if (root)
            inode_get(root);
        m->root.inode = root ? root->number : 0;
    }
    if (m->root.inode == 0) {
        heap_free(m);
        return -ENOMEM;
    }
    node(views)++;
    inode_get(f.inode);
    f.inode->covers++;
    list_append(all(), &m->link);
    return 0;
}

// ---- unmounting --------------------------------------------------------------------------------
static void empty(struct inode *root)
{
    struct inode *dir = root;
    struct dirent *d;
    while ((d = dirent_after(dir, 0)) != NULL || dir != root) {
        if (d == NULL) { // empty by now: taken away next
            d = dir->dir.self;
            dir = d->dir;
        } else if (inode_is(d->inode, S_IFDIR) && d->inode->dir.count) {
            dir = d->inode;
            continue;
        }
        dirent_remove(d);
    }
}

static bool busy(const struct mount *m)
{
    struct mount *other;
    list_for_each (other, all(), link)
        if (other->over_view == m->view)
            return true;
    return m->kind == FS_MOUNT_TMPFS && inodes_in_use(m->root.inode, (uint16_t)m->view);
}

static void take_away(struct mount *m)
{
    struct inode *over = inode_find(m->over);
    struct inode *root = m->root.mount == 0 ? inode_find(m->root.inode) : NULL;
    list_remove(&m->link);
    if (over) {
        over->covers--;
        inode_put(over);
    }
    if (root && m->kind == FS_MOUNT_TMPFS) {
        notify_unmounted((uint16_t)m->view);
        empty(root);
        root->links = 0;
    }
    if (root)
        inode_put(root);
    heap_free(m);
}

int op_umount(struct name_call *c)
{
    struct found f;
    struct mount *m;
    if (!fs_can(c->who, CAP_SYS_ADMIN))
        return -EPERM;
    if (c->in.at.inode == 0) { // found to be a mount in a generated tree
        m = by_view(c->in.at.view);
    } else {
        int e = tree_walk(c, !(c->in.flags & FS_NOFOLLOW), &f);
        if (e != 0)
            return e;
        if (f.inode == NULL)
            return -ENOENT;
        m = by_view(f.view);
        if (m && (m->root.mount || m->root.inode != f.inode->number))
            m = NULL;
    }
    if (m == NULL)
        return -EINVAL;
    if (!c->in.mode && busy(m))
        return -EBUSY;
    take_away(m);
    return 0;
}

// ---- /proc/mounts ------------------------------------------------------------------------------
int op_mounts(struct name_call *c)
{
    struct mount *m;
    struct text t;
    if (c->text_size == 0)
        return -EINVAL;
    char *path = heap_alloc(PATH_MAX_BYTES);
    if (path == NULL)
        return -ENOMEM;
    text_init(&t, c->text, c->text_size);
    list_for_each (m, all(), link) {
        struct name_call at = {.in = {.op = NAME_PATH, .at = place_in(m->view, 0)},
                               .who = c->who,
                               .path = "",
                               .text = path,
                               .text_size = PATH_MAX_BYTES - 1};
        if (tree_perform(&at) < 0)
            continue;
        path[at.text_bytes] = '\0';
        const char *space = strchr(m->shown, ' ');
        text_add(&t, "%.*s %s %s %s,relatime 0 0\n", (int)(space ? space - m->shown : 0), m->shown,
                 path, space ? space + 1 : "none", m->readonly ? "ro" : "rw");
    }
    c->text_bytes = t.length;
    heap_free(path);
    return 0;
}
