// SPDX-License-Identifier: MIT
// Open regular files and directories of this node's tree.
#include "ssi/fs/tree.h"
#include "kernel/thread.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/fs/dirent64.h"
#include "ssi/fs/notify.h"
#include "ssi/fs/remote.h"
#include "ssi/fs/special.h"

#define COPY_STEP_BYTES (64u << 10)
#define STEP_BYTES_MAX  (64u * PAGE_SIZE) // of one read or write: file_read and file_write go on
#define RESERVE_PART    32 // writes stop when less than this part of the frames is free

// ---- data of a regular file --------------------------------------------------------------------
static int copy_image(struct container *c, const uint8_t *image, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes;) {
        struct xfer x;
        xfer_kernel(&x, (char *)image + at, (size_t)MIN(bytes - at, COPY_STEP_BYTES));
        int e = container_write(c, at, &x);
        if (e < 0)
            return e;
        at += x.done;
        kernel_pause();
    }
    return 0;
}

// Gives the file data of its own, with the first `keep` bytes of what the archive has. May sleep.
static int tree_own(struct inode *i, uint64_t keep)
{
    if (i->data)
        return 0;
    if (i->archived && !i->modified)
        remote_announce_modified(i);
    if (i->data)
        return 0;
    struct container *c = container_new_content(i->number);
    if (c == NULL)
        return -ENOSPC;
    int e = inode_image(i) ? copy_image(c, inode_image(i), MIN(keep, i->bytes)) : 0;
    if (e < 0 || i->data) { // no memory, or another writer was faster
        container_put(c);
        return e == -ENOMEM ? -ENOSPC : e;
    }
    container_bound(c, i->bytes);
    i->data = c;
    i->written = true;
    return 0;
}

int tree_resize(struct inode *i, uint64_t bytes)
{
    if (bytes > FILE_BYTES_MAX)
        return -EFBIG;
    if (i->seals & (bytes < i->bytes ? FS_SEAL_SHRINK : FS_SEAL_GROW) && bytes != i->bytes)
        return -EPERM;
    if (bytes == i->bytes)
        return 0;
    if (bytes > 0 || i->data || inode_image(i)) {
        int e = tree_own(i, bytes);
        if (e < 0)
            return e;
    }
    if (bytes < i->bytes && i->data)
        container_truncate(i->data, bytes);
    i->bytes = bytes;
    if (i->data)
        container_bound(i->data, bytes);
    return 0;
}

int tree_read(struct inode *i, uint64_t offset, struct xfer *x)
{
    if (offset >= i->bytes)
        return 0;
    size_t n = (size_t)MIN(i->bytes - offset, (uint64_t)MIN(x->left, STEP_BYTES_MAX));
    size_t later = x->left - n;
    if (i->data == NULL) {
        if (inode_image(i))
            xfer_put(x, inode_image(i) + offset, n);
        return 0;
    }
    x->left = n;
    int e = container_read(i->data, offset, x);
    x->left += later;
    return e;
}

static int tree_write(struct inode *i, uint64_t offset, struct xfer *x)
{
    if (offset >= FILE_BYTES_MAX)
        return -EFBIG;
    if ((i->seals & (FS_SEAL_WRITE | FS_SEAL_FUTURE_WRITE)) ||
        ((i->seals & FS_SEAL_GROW) && offset + x->left > i->bytes))
        return -EPERM;
    int e = tree_own(i, i->bytes);
    if (e < 0)
        return e;
    if (frame_free_count() < frame_total_count() / RESERVE_PART)
        return -ENOSPC;
    size_t n = (size_t)MIN(FILE_BYTES_MAX - offset, (uint64_t)MIN(x->left, STEP_BYTES_MAX));
    size_t later = x->left - n;
    size_t before = x->done;
    x->left = n;
    e = container_write(i->data, offset, x);
    x->left += later;
    uint64_t end = offset + (x->done - before);
    if (x->done > before) {
        if (end > i->bytes) {
            i->bytes = end;
            container_bound(i->data, end);
        }
        inode_touch(i);
    }
    return e == -ENOMEM ? -ENOSPC : e;
}

// ---- regular files -----------------------------------------------------------------------------
static int regular_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct inode *i = f->data;
    size_t before = x->done, room = x->left;
    uint64_t offset = at ? *at : file_offset_claim(f, room);
    int e = tree_read(i, offset, x);
    if (at == NULL)
        file_offset_settle(f, offset, room, x->done - before);
    if (!(f->flags & O_NOATIME))
        inode_accessed(i);
    return x->done > before ? 0 : e;
}

static int regular_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct inode *i = f->data;
    size_t before = x->done, room = x->left;
    if (!(f->flags & FILE_PRIVILEGED))
        inode_strip(i);
    if (f->flags & O_APPEND) {
        int e = tree_own(i, i->bytes); // may sleep: the end is looked for afterwards
        uint64_t end = i->bytes;
        if (e == 0)
            e = tree_write(i, end, x);
        if (at == NULL)
            f->offset = end + (x->done - before);
        return x->done > before ? 0 : e;
    }
    uint64_t offset = at ? *at : file_offset_claim(f, room);
    int e = tree_write(i, offset, x);
    if (at == NULL)
        file_offset_settle(f, offset, room, x->done - before);
    return x->done > before ? 0 : e;
}

static int64_t regular_seek(struct file *f, int64_t offset, int whence)
{
    struct inode *i = f->data;
    if (whence < WHENCE_DATA || whence > WHENCE_HOLE || i->data == NULL)
        return file_seek_in(f, i->bytes, offset, whence);
    if (offset < 0 || (uint64_t)offset >= i->bytes)
        return -ENXIO;
    uint32_t from = (uint32_t)((uint64_t)offset >> PAGE_SHIFT);
    uint32_t page = container_next(i->data, from, whence == WHENCE_HOLE);
    uint64_t to = page == from ? (uint64_t)offset : (uint64_t)page << PAGE_SHIFT;
    if (page == UINT32_MAX || to >= i->bytes) {
        if (whence == WHENCE_DATA)
            return -ENXIO;
        to = i->bytes; // there is a hole behind every end
    }
    f->offset = to;
    return (int64_t)to;
}

static int tree_stat(struct file *f, struct fs_stat *st)
{
    inode_stat(f->data, st);
    return 0;
}

// As setattr tells it.
static void attributes_told(struct inode *i, const struct fs_set *s)
{
    bool atime = s->times_set && s->atime_ns != FS_TIME_OMIT;
    bool mtime = s->times_set && s->mtime_ns != FS_TIME_OMIT;
    uint32_t event = s->mode_set || s->owner_set || (atime && mtime) ? IN_ATTRIB : 0;
    if (!(atime && mtime))
        event |= atime ? IN_ACCESS : mtime ? IN_MODIFY : 0;
    if (s->size_set)
        event |= IN_MODIFY;
    if (event)
        notify_child(i, event);
}

int tree_inode_set(struct inode *i, const struct fs_set *s)
{
    if (s->size_set) {
        int e = tree_resize(i, s->bytes);
        if (e < 0)
            return e;
        inode_touch(i);
    }
    if (s->mode_set)
        i->mode = (i->mode & S_IFMT) | (s->mode & 07777);
    if (s->owner_set) {
        i->uid = s->uid != UINT32_MAX ? s->uid : i->uid;
        i->gid = s->gid != UINT32_MAX ? s->gid : i->gid;
        inode_strip(i);
    }
    if (s->times_set) {
        i->atime_ns = s->atime_ns != FS_TIME_OMIT ? s->atime_ns : i->atime_ns;
        i->mtime_ns = s->mtime_ns != FS_TIME_OMIT ? s->mtime_ns : i->mtime_ns;
    }
    inode_changed(i);
    attributes_told(i, s);
    return 0;
}

static int tree_set(struct file *f, const struct fs_set *s)
{
    int e = tree_inode_set(f->data, s);
    if (e == 0 && s->size_set && !(f->flags & FILE_PRIVILEGED))
        inode_strip(f->data);
    return e;
}

static unsigned tree_poll(struct file *f)
{
    (void)f;
    return POLL_IN | POLL_OUT;
}

static int tree_sync(struct file *f)
{
    (void)f; // memory is all there is
    return 0;
}

static int regular_map(struct file *f, uint64_t offset, bool shared, struct container **c,
                       uint32_t *index)
{
    struct inode *i = f->data;
    if (offset % PAGE_SIZE || offset >= FILE_BYTES_MAX)
        return -EINVAL;
    *index = (uint32_t)(offset >> PAGE_SHIFT);
    // What one maps for reading while it is empty, another may fill.
    if (shared && (file_writes(f) || inode_image(i) == NULL)) {
        int e = tree_own(i, i->bytes);
        if (e < 0)
            return e;
    }
    if (i->data && shared) {
        container_get(i->data);
        *c = i->data;
    } else if (i->data) {
        *c = container_clone(i->data);
        if (*c)
            container_follow(*c, i->data, i->bytes);
    } else {
        struct io_source s = {.kind = IO_image, .bytes = (uint32_t)i->bytes, .object = i->number};
        *c = inode_image(i) ? container_new(&s) : container_new_content(i->number);
        if (*c && shared)
            container_bound(*c, i->bytes);
    }
    return *c ? 0 : -ENOMEM;
}

int tree_image_begin(struct inode *i)
{
    if (i->writers)
        return -ETXTBSY;
    i->images++;
    return 0;
}

static void tree_release(struct file *f)
{
    struct inode *i = f->data;
    bool wrote = file_writes(f);
    notify_file(f, wrote ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
    if (wrote && !(f->flags & (O_PATH | FILE_UNCOUNTED)))
        i->writers--;
    if (f->flags & FILE_IMAGE)
        i->images--;
    inode_put(i);
}

static long regular_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                          size_t out_size)
{
    struct inode *i = f->data;
    uint32_t more;
    if (request == FILE_UNREAD && out_size >= sizeof(more)) {
        more = (uint32_t)(i->bytes - f->offset); // negative behind the end
        memcpy(data, &more, sizeof(more));
        return 0;
    }
    if (request == SEALS_GET)
        return i->memfd ? i->seals : FS_SEAL_SEAL; // nothing else will ever be sealed
    if (request != SEALS_ADD || in_bytes != sizeof(more))
        return -ENOTTY;
    memcpy(&more, data, sizeof(more));
    if (!file_writes(f) || i->memfd == NULL || (i->seals & FS_SEAL_SEAL))
        return -EPERM;
    if ((more & ~(uint32_t)i->seals & FS_SEAL_WRITE) && i->data &&
        container_may_be_changed(i->data))
        return -EBUSY;
    i->seals |= (uint8_t)more;
    return 0;
}

static const struct file_ops regular_ops = {
    .name = "file",
    .read = regular_read,
    .write = regular_write,
    .seek = regular_seek,
    .ioctl = regular_ioctl,
    .poll = tree_poll,
    .stat = tree_stat,
    .set = tree_set,
    .sync = tree_sync,
    .map = regular_map,
    .release = tree_release,
};

// ---- directories -------------------------------------------------------------------------------
bool dirent64_put(struct xfer *x, uint64_t inode, uint64_t next, uint32_t mode, const char *name,
                  size_t length)
{
    char room[ALIGN_UP(sizeof(struct linux_dirent64) + NAME_MAX_BYTES + 1, 8)];
    size_t bytes = ALIGN_UP(sizeof(struct linux_dirent64) + length + 1, 8);
    struct linux_dirent64 *d = (struct linux_dirent64 *)room;
    if (bytes > x->left)
        return false;
    memset(room, 0, bytes);
    d->inode = inode;
    d->next = (int64_t)next;
    d->bytes = (uint16_t)bytes;
    d->type = (uint8_t)(mode >> 12 & 15);
    memcpy(d->name, name, length);
    return xfer_put(x, room, bytes) == bytes;
}

// f->offset is the cookie of the last entry given: 1 and 2 are "." and "..".
static int dir_list(struct file *f, struct xfer *x)
{
    struct inode *i = f->data;
    size_t before = x->done;
    struct dirent *d;
    bool fits = true;
    if (i->links == 0)
        return -ENOENT;
    if (f->offset == 0 && (fits = dirent64_put(x, i->number, 1, i->mode, ".", 1)))
        f->offset = 1;
    if (f->offset == 1 && fits &&
        (fits = dirent64_put(x, i->dir.parent->number, 2, i->mode, "..", 2)))
        f->offset = 2;
    if (f->offset >= 2 && fits)
        for (d = dirent_after(i, (uint32_t)MIN(f->offset, UINT32_MAX)); d;
             d = d->order.next == &i->dir.entries
                     ? NULL
                     : list_entry(d->order.next, struct dirent, order)) {
            fits = dirent64_put(x, d->inode->number, d->cookie, d->inode->mode, d->name, d->length);
            if (!fits)
                break;
            f->offset = d->cookie;
        }
    if (!(f->flags & O_NOATIME))
        inode_accessed(i);
    notify_child(i, IN_ACCESS);
    return !fits && x->done == before ? -EINVAL : 0;
}

static int64_t dir_seek(struct file *f, int64_t offset, int whence)
{
    return whence > 1 ? -EINVAL : file_seek_in(f, 0, offset, whence); // SEEK_SET, SEEK_CUR
}

static int dir_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    (void)f, (void)x, (void)at;
    return -EISDIR;
}

static const struct file_ops dir_ops = {
    .name = "directory",
    .read = dir_read,
    .seek = dir_seek,
    .list = dir_list,
    .poll = tree_poll,
    .stat = tree_stat,
    .set = tree_set,
    .sync = tree_sync,
    .release = tree_release,
};

// What O_PATH gives, and what a name of a socket would: only its attributes.
static const struct file_ops path_ops = {
    .name = "path",
    .stat = tree_stat,
    .release = tree_release,
};

struct file *tree_file_new(struct inode *i, uint32_t flags)
{
    const struct file_ops *ops = inode_is(i, S_IFDIR) ? &dir_ops : &regular_ops;
    struct file *f = file_new(flags & O_PATH ? &path_ops : ops, flags, i);
    if (f == NULL)
        return NULL;
    inode_get(i);
    if (file_writes(f) && !(flags & O_PATH))
        i->writers++;
    f->place = place_of(0, i->number);
    return f;
}

void tree_file_uncount(struct file *f)
{
    if (!file_writes(f) || (f->flags & (O_PATH | FILE_UNCOUNTED)))
        return;
    tree_file_inode(f)->writers--;
    f->flags |= FILE_UNCOUNTED;
}

bool tree_file_is(const struct file *f)
{
    return f->ops == &regular_ops || f->ops == &dir_ops || f->ops == &path_ops;
}

struct inode *tree_file_inode(const struct file *f)
{
    ASSERT(tree_file_is(f));
    return f->data;
}
