// SPDX-License-Identifier: MIT
#include "ssi/fs/inode.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/fs/notify.h"
#include "ssi/fs/special.h"
#include "ssi/fs/xattr.h"

// Numbers of inodes made here after the archive was read: bits 0-22 count, bits 23-31 are the node
// plus one, so that a successor never gives a number again that its predecessor gave, and numbers
// fit the 32-bit stat for a long time; what the count needs more goes above.
#define COUNT_BITS 23
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define TABLE_MIN  256u

struct inode_table {
    struct inode **slots;
    uint32_t size, count;
};

struct dirent_table {
    struct dirent **slots;
    uint32_t size, count;
};

NODE_VAR(struct inode_table, inode_table);
NODE_VAR(struct dirent_table, dirent_table);
NODE_VAR(struct inode *, root);
NODE_VAR(uint64_t, archived_last);
NODE_VAR(uint64_t, made_count);

static uint32_t number_hash(uint64_t number)
{
    return (uint32_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static uint32_t name_hash(const struct inode *dir, const char *name, size_t length)
{
    uint32_t h = 2166136261u ^ number_hash(dir->number);
    for (size_t k = 0; k < length; k++)
        h = (h ^ (uint8_t)name[k]) * 16777619u;
    return h ^ h >> 15;
}

// Doubles the table; when there is no memory its chains just stay longer.
static void inode_table_grow(struct inode_table *t)
{
    uint32_t size = t->size * 2;
    struct inode **slots = heap_zalloc(size * sizeof(*slots));
    if (slots == NULL)
        return;
    for (uint32_t k = 0; k < t->size; k++)
        for (struct inode *i = t->slots[k], *next; i; i = next) {
            next = i->hash_next;
            struct inode **slot = &slots[number_hash(i->number) & (size - 1)];
            i->hash_next = *slot;
            *slot = i;
        }
    heap_free(t->slots);
    t->slots = slots;
    t->size = size;
}

static void dirent_table_grow(struct dirent_table *t)
{
    uint32_t size = t->size * 2;
    struct dirent **slots = heap_zalloc(size * sizeof(*slots));
    if (slots == NULL)
        return;
    for (uint32_t k = 0; k < t->size; k++)
        for (struct dirent *d = t->slots[k], *next; d; d = next) {
            next = d->hash_next;
            struct dirent **slot = &slots[d->hash & (size - 1)];
            d->hash_next = *slot;
            *slot = d;
        }
    heap_free(t->slots);
    t->slots = slots;
    t->size = size;
}

bool inodes_init(void)
{
    if (node(root))
        return true;
    struct inode_table *t = &node(inode_table);
    struct dirent_table *d = &node(dirent_table);
    if (t->slots == NULL)
        t->slots = heap_zalloc(TABLE_MIN * sizeof(*t->slots));
    if (d->slots == NULL)
        d->slots = heap_zalloc(TABLE_MIN * sizeof(*d->slots));
    if (t->slots == NULL || d->slots == NULL)
        return false;
    t->size = d->size = TABLE_MIN;
    struct inode *i = inode_new(S_IFDIR | 0755, 0, 0, true);
    if (i == NULL)
        return false;
    i->links = 2;
    i->dir.parent = i;
    node(root) = i;
    return true;
}

struct inode *inode_root(void)
{
    return node(root);
}

uint64_t inode_count(void)
{
    return node(inode_table).count;
}

bool inodes_in_use(uint64_t top, uint16_t fs)
{
    struct inode_table *t = &node(inode_table);
    for (uint32_t k = 0; k < t->size; k++)
        for (struct inode *i = t->slots[k]; i; i = i->hash_next)
            if (i->fs == fs && i->users > (i->number == top ? 1u : 0u))
                return true;
    return false;
}

void inodes_forget_modified(void)
{
    struct inode_table *t = &node(inode_table);
    for (uint32_t k = 0; k < t->size; k++)
        for (struct inode *i = t->slots[k]; i; i = i->hash_next)
            i->modified = false;
}

struct inode *inode_find(uint64_t number)
{
    struct inode_table *t = &node(inode_table);
    struct inode *i = t->slots[number_hash(number) & (t->size - 1)];
    while (i && i->number != number)
        i = i->hash_next;
    return i;
}

static uint64_t number_next(bool archived)
{
    if (archived)
        return ++node(archived_last);
    uint64_t n = ++node(made_count);
    node_id_t self = cluster_self();
    uint64_t by = self == NODE_NONE ? 1 : (uint64_t)self + 1;
    return (n >> COUNT_BITS) << 34 | by << COUNT_BITS | (n & COUNT_MASK);
}

struct inode *inode_new(uint32_t mode, uint32_t uid, uint32_t gid, bool archived)
{
    struct inode_table *t = &node(inode_table);
    struct inode *i = heap_zalloc(sizeof(*i));
    if (i == NULL)
        return NULL;
    i->number = number_next(archived);
    i->archived = archived;
    i->mode = mode;
    i->uid = uid;
    i->gid = gid;
    i->atime_ns = i->mtime_ns = i->ctime_ns = (int64_t)cluster_real_ns();
    if (inode_is(i, S_IFDIR))
        list_init(&i->dir.entries);
    if (++t->count > t->size)
        inode_table_grow(t);
    struct inode **slot = &t->slots[number_hash(i->number) & (t->size - 1)];
    i->hash_next = *slot;
    *slot = i;
    return i;
}

static void inode_free(struct inode *i)
{
    struct inode_table *t = &node(inode_table);
    struct inode **at = &t->slots[number_hash(i->number) & (t->size - 1)];
    while (*at != i)
        at = &(*at)->hash_next;
    *at = i->hash_next;
    t->count--;
    if (inode_is(i, S_IFREG) && i->data)
        container_put(i->data);
    else if (inode_is(i, S_IFLNK))
        heap_free(i->target);
    else if (inode_is(i, S_IFIFO) && i->fifo)
        fs_special()->fifo_free(i->fifo);
    heap_free(i->memfd);
    xattrs_free(i->xattrs);
    heap_free(i);
}

// What it is named by is no longer so.
static void name_forget(struct inode *i)
{
    struct dirent *d = i->named;
    i->named = NULL;
    if (d == NULL || !d->gone)
        return;
    inode_put(d->dir);
    heap_free(d);
}

void inode_get(struct inode *i)
{
    i->users++;
}

static void inode_free_unused(struct inode *i)
{
    if (i->users || i->links)
        return;
    if (i->watches)
        notify_gone(i);
    name_forget(i);
    if (!i->archived || !inode_is(i, S_IFREG)) {
        inode_free(i);
        return;
    }
    // Programs may still be mapped from its archive bytes, which stay: only what was written goes.
    if (i->data)
        container_put(i->data);
    i->data = NULL;
    i->bytes = 0;
    i->written = true;
}

void inode_put(struct inode *i)
{
    ASSERT(i->users > 0);
    i->users--;
    inode_free_unused(i);
}

void inode_changed(struct inode *i)
{
    i->ctime_ns = (int64_t)cluster_real_ns();
}

void inode_strip(struct inode *i)
{
    if (!inode_is(i, S_IFDIR))
        i->mode &= ~(S_ISUID | (i->mode & 0010 ? S_ISGID : 0));
}

void inode_accessed(struct inode *i)
{
    if (i->atime_ns <= i->mtime_ns || i->atime_ns <= i->ctime_ns)
        i->atime_ns = (int64_t)cluster_real_ns();
}

void inode_touch(struct inode *i)
{
    i->mtime_ns = i->ctime_ns = (int64_t)cluster_real_ns();
}

struct dirent *dirent_find(const struct inode *dir, const char *name, size_t length)
{
    struct dirent_table *t = &node(dirent_table);
    uint32_t hash = name_hash(dir, name, length);
    struct dirent *d = t->slots[hash & (t->size - 1)];
    for (; d; d = d->hash_next)
        if (d->hash == hash && d->dir == dir && d->length == length &&
            memcmp(d->name, name, length) == 0)
            return d;
    return NULL;
}

struct dirent *dirent_of(const struct inode *i)
{
    struct dirent_table *t = &node(dirent_table);
    for (uint32_t k = 0; k < t->size; k++)
        for (struct dirent *d = t->slots[k]; d; d = d->hash_next)
            if (d->inode == i)
                return d;
    return NULL;
}

int dirent_add(struct inode *dir, const char *name, size_t length, struct inode *i)
{
    struct dirent_table *t = &node(dirent_table);
    ASSERT(length > 0 && length <= NAME_MAX_BYTES);
    struct dirent *d = heap_alloc(sizeof(*d) + length + 1);
    if (d == NULL)
        return -ENOMEM;
    *d = (struct dirent){.dir = dir, .inode = i, .length = (uint8_t)length};
    memcpy(d->name, name, length);
    d->name[length] = '\0';
    d->hash = name_hash(dir, name, length);
    d->cookie = MAX(dir->dir.last_cookie, 2) + 1;
    dir->dir.last_cookie = d->cookie;
    if (++t->count > t->size)
        dirent_table_grow(t);
    struct dirent **slot = &t->slots[d->hash & (t->size - 1)];
    d->hash_next = *slot;
    *slot = d;
    list_append(&dir->dir.entries, &d->order);
    dir->dir.count++;
    i->links++;
    if (i->named && i->named->gone)
        name_forget(i);
    if (i->named == NULL && !inode_is(i, S_IFDIR))
        i->named = d;
    if (inode_is(i, S_IFDIR)) {
        i->links = MAX(i->links, 2); // its own "."
        i->dir.parent = dir;
        i->dir.self = d;
        dir->links++;
    }
    inode_touch(dir);
    inode_changed(i);
    return 0;
}

void dirent_remove(struct dirent *d)
{
    struct dirent_table *t = &node(dirent_table);
    struct dirent **at = &t->slots[d->hash & (t->size - 1)];
    struct inode *i = d->inode, *dir = d->dir;
    while (*at != d)
        at = &(*at)->hash_next;
    *at = d->hash_next;
    t->count--;
    list_remove(&d->order);
    dir->dir.count--;
    inode_touch(dir);
    inode_changed(i);
    i->links--;
    if (inode_is(i, S_IFDIR)) {
        dir->links--;
        if (i->dir.self == d) { // not renamed: it ends
            i->dir.self = NULL;
            i->links = 0;
        }
    }
    if (i->links == 0 && i->users && !inode_is(i, S_IFDIR)) { // who has it open knows its name
        i->named = d;
        d->gone = true;
        d->watched = dir->watches != NULL;
        inode_get(dir);
        return;
    }
    if (i->named == d)
        i->named = NULL;
    heap_free(d);
    inode_free_unused(i);
}

struct dirent *dirent_after(const struct inode *dir, uint32_t cookie)
{
    struct dirent *d;
    if (cookie >= dir->dir.last_cookie)
        return NULL;
    list_for_each (d, &dir->dir.entries, order)
        if (d->cookie > cookie)
            return d;
    return NULL;
}

bool fs_in_group(const struct fs_who *who, uint32_t gid)
{
    if (who->gid == gid)
        return true;
    for (uint32_t k = 0; k < who->group_count && k < FS_GROUPS_MAX; k++)
        if (who->groups[k] == gid)
            return true;
    return false;
}

bool fs_may_give(const struct fs_who *who, uint32_t owner, uint32_t group, uint32_t uid,
                 uint32_t gid)
{
    if (fs_can(who, CAP_CHOWN) || (uid == UINT32_MAX && gid == UINT32_MAX))
        return true;
    bool same = uid == UINT32_MAX || uid == owner;
    bool his = gid == UINT32_MAX || gid == group || fs_in_group(who, gid);
    return who->uid == owner && same && his; // the owner may give it to a group of his
}

bool fs_may(const struct fs_who *who, uint32_t mode, uint32_t uid, uint32_t gid, unsigned want)
{
    unsigned has = mode;
    if (who->uid == uid)
        has = mode >> 6;
    else if (fs_in_group(who, gid))
        has = mode >> 3;
    if ((want & ~has & 7) == 0)
        return true;
    bool dir = (mode & S_IFMT) == S_IFDIR;
    if ((dir ? !(want & MAY_W) : (want & 7) == MAY_R) && fs_can(who, CAP_DAC_READ_SEARCH))
        return true;
    return (dir || !(want & MAY_X) || (mode & 0111)) && fs_can(who, CAP_DAC_OVERRIDE);
}

void inode_stat(const struct inode *i, struct fs_stat *st)
{
    *st = (struct fs_stat){
        .dev = i->fs ? FS_DEVICE_TMPFS + i->fs : FS_DEVICE_TREE,
        .inode = i->number,
        .bytes = i->bytes,
        .mode = i->mode,
        .links = i->links,
        .uid = i->uid,
        .gid = i->gid,
        .atime_ns = i->atime_ns,
        .mtime_ns = i->mtime_ns,
        .ctime_ns = i->ctime_ns,
    };
    if (inode_is(i, S_IFREG))
        st->blocks = i->data ? (uint64_t)container_pages_present(i->data) * (PAGE_SIZE / 512)
                             : (i->bytes + 511) / 512;
    else if (inode_is(i, S_IFDIR))
        st->bytes = (uint64_t)i->dir.count * 20 + 40; // as tmpfs counts
    else if (inode_is(i, S_IFCHR) || inode_is(i, S_IFBLK))
        st->rdev = i->rdev;
}
