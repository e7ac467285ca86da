// SPDX-License-Identifier: MIT
#include "ssi/fs/notify.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/anon.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/mounts.h"
#include "ssi/fs/remote.h"
#include "ssi/fs/special.h"
#include "ssi/fs/tree.h"
#include "ssi/cluster/cluster.h"

#define WATCH_BITS       (IN_ALL_EVENTS | IN_EXCL_UNLINK)
#define NAME_ROUND_BYTES sizeof(struct event_wire)
#define NO_WATCH         (-1)

struct event_wire { // struct inotify_event of the ABI; then `bytes` of name and zeros
    int32_t watch;
    uint32_t mask, cookie, bytes;
} PACKED;

struct notify_event {
    struct list link;
    struct event_wire wire;
    uint32_t length;
    char name[];
};

struct notify_watch {
    struct notify_watch *next; // of its inode
    struct list link;          // of its instance
    struct notify *on;
    struct inode *inode;
    int32_t number;
    uint32_t mask;
};

struct notify {
    struct list link; // of all
    struct list watches, events;
    uint32_t uid;
    uint32_t watch_count, event_count, bytes;
    int32_t last_number;
    bool overflowed; // the last event says so
    struct wait_queue changed;
};

struct notify_list {
    struct list all;
    uint32_t watches;
    uint32_t last_cookie;
    bool set_up;
};

NODE_VAR(struct notify_list, notifies);

static struct notify_list *notifies_of_node(void)
{
    struct notify_list *l = &node(notifies);
    if (!l->set_up) {
        list_init(&l->all);
        l->set_up = true;
    }
    return l;
}

// ---- events ------------------------------------------------------------------------------------
static bool event_equal(const struct notify_event *e, const struct event_wire *w, const char *name,
                        size_t length)
{
    return e->wire.watch == w->watch && e->wire.mask == w->mask && e->length == length &&
           memcmp(e->name, name, length) == 0 && w->mask != IN_IGNORED;
}

static bool event_append(struct notify *n, const struct event_wire *w, const char *name,
                         size_t length)
{
    struct notify_event *e = heap_alloc(sizeof(*e) + length);
    if (e == NULL)
        return false;
    *e = (struct notify_event){.wire = *w, .length = (uint32_t)length};
    e->wire.bytes = length ? (uint32_t)ALIGN_UP(length + 1, NAME_ROUND_BYTES) : 0;
    memcpy(e->name, name, length);
    list_append(&n->events, &e->link);
    n->event_count++;
    n->bytes += sizeof(e->wire) + e->wire.bytes;
    return true;
}

static void event_add(struct notify *n, const struct event_wire *w, const char *name, size_t length)
{
    const struct event_wire overflow = {.watch = NO_WATCH, .mask = IN_Q_OVERFLOW};
    if (!list_empty(&n->events) &&
        event_equal(list_entry(n->events.prev, struct notify_event, link), w, name, length))
        return;
    if (n->event_count >= NOTIFY_EVENTS_MAX || !event_append(n, w, name, length)) {
        if (!n->overflowed)
            n->overflowed = event_append(n, &overflow, "", 0);
    }
    wait_wake_all(&n->changed);
}

static void event_drop(struct notify *n, struct notify_event *e)
{
    list_remove(&e->link);
    n->event_count--;
    n->bytes -= sizeof(e->wire) + e->wire.bytes;
    n->overflowed = n->overflowed && !(e->wire.mask & IN_Q_OVERFLOW);
    heap_free(e);
}

// ---- watches -----------------------------------------------------------------------------------
static void watch_free(struct notify_watch *w)
{
    struct notify_watch **at = &w->inode->watches;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    list_remove(&w->link);
    w->on->watch_count--;
    notifies_of_node()->watches--;
    heap_free(w);
}

static void watch_end(struct notify_watch *w)
{
    struct event_wire ignored = {.watch = w->number, .mask = IN_IGNORED};
    event_add(w->on, &ignored, "", 0);
    watch_free(w);
}

static void watch_tell(struct notify_watch *w, struct event_wire *e, const char *name,
                       size_t length)
{
    e->watch = w->number;
    event_add(w->on, e, name, length);
    if (w->mask & IN_ONESHOT)
        watch_end(w);
}

// Tells the watches of `i`. `gone`: the name is no longer one.
static void tell(struct inode *i, uint32_t event, uint32_t cookie, const char *name, size_t length,
                 bool gone)
{
    struct event_wire e = {.mask = event, .cookie = cookie};
    for (struct notify_watch *w = i->watches, *next; w; w = next) {
        next = w->next;
        if ((w->mask & event & IN_ALL_EVENTS) && !(gone && (w->mask & IN_EXCL_UNLINK)))
            watch_tell(w, &e, name, length);
    }
}

static uint32_t with_kind(const struct inode *i, uint32_t event)
{
    bool self = event & (IN_DELETE_SELF | IN_MOVE_SELF);
    return inode_is(i, S_IFDIR) && !self ? event | IN_ISDIR : event;
}

void notify_inode(struct inode *i, uint32_t event)
{
    if (i->watches)
        tell(i, with_kind(i, event), 0, "", 0, false);
}

void notify_entry(struct inode *dir, const struct inode *i, uint32_t event, uint32_t cookie,
                  const char *name, size_t length)
{
    if (dir->watches)
        tell(dir, with_kind(i, event), cookie, name, length, false);
}

static struct dirent *entry_of(struct inode *i)
{
    if (inode_is(i, S_IFDIR))
        return i->dir.self;
    if (i->named == NULL && i->links)
        i->named = dirent_of(i);
    return i->named;
}

void notify_child(struct inode *i, uint32_t event)
{
    if (node(notifies).watches == 0)
        return;
    struct dirent *d = entry_of(i);
    if (d && d->dir->watches && (!d->gone || d->watched))
        tell(d->dir, with_kind(i, event), 0, d->name, d->length, d->gone);
    notify_inode(i, event);
}

void notify_file(const struct file *f, uint32_t event)
{
    if (node(notifies).watches == 0 || (f->flags & O_PATH))
        return;
    struct inode *i = tree_file_is(f) ? tree_file_inode(f) : f->keeps;
    if (i)
        notify_child(i, event);
}

uint32_t notify_cookie(void)
{
    return ++node(notifies).last_cookie;
}

void notify_opened(struct inode *i, const struct inode *dir, const char *name, size_t length)
{
    if (node(notifies).watches == 0)
        return;
    struct dirent *d = dir ? dirent_find(dir, name, length) : NULL;
    if (d && d->inode == i && !inode_is(i, S_IFDIR) && (i->named == NULL || !i->named->gone))
        i->named = d;
    notify_child(i, IN_OPEN);
}

void notify_gone(struct inode *i)
{
    notify_inode(i, IN_DELETE_SELF);
    while (i->watches)
        watch_end(i->watches);
}

void notify_unmounted(uint16_t fs)
{
    struct notify *n;
    struct event_wire e = {0};
    list_for_each (n, &notifies_of_node()->all, link) {
        struct list *at = n->watches.next, *next;
        for (; at != &n->watches; at = next) {
            struct notify_watch *w = list_entry(at, struct notify_watch, link);
            next = at->next;
            if (w->inode->fs != fs)
                continue;
            e.watch = w->number;
            e.mask = with_kind(w->inode, IN_UNMOUNT);
            event_add(n, &e, "", 0);
            watch_end(w);
        }
    }
}

// ---- the open file -----------------------------------------------------------------------------
static bool event_put(struct xfer *x, const struct notify_event *e)
{
    char room[sizeof(e->wire) + ALIGN_UP(NAME_MAX_BYTES + 1, NAME_ROUND_BYTES)] = {0};
    size_t bytes = sizeof(e->wire) + e->wire.bytes;
    memcpy(room, &e->wire, sizeof(e->wire));
    memcpy(room + sizeof(e->wire), e->name, e->length);
    return xfer_put(x, room, bytes) == bytes;
}

static int notify_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct notify *n = f->data;
    size_t before = x->done;
    (void)at;
    while (list_empty(&n->events)) {
        int e = f->flags & O_NONBLOCK ? -EAGAIN
                                      : wait_sleep(&n->changed, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    while (!list_empty(&n->events)) {
        struct notify_event *e = list_entry(n->events.next, struct notify_event, link);
        struct xfer start = *x;
        if (x->left < sizeof(e->wire) + e->wire.bytes)
            return x->done > before ? 0 : -EINVAL;
        if (!event_put(x, e)) {
            xfer_undo(x, &start);
            break;
        }
        event_drop(n, e);
    }
    return 0;
}

static unsigned notify_poll(struct file *f)
{
    const struct notify *n = f->data;
    return list_empty(&n->events) ? 0 : POLL_IN;
}

static struct wait_queue *notify_poll_queue(struct file *f)
{
    struct notify *n = f->data;
    return &n->changed;
}

static int remove_watch(struct notify *n, int32_t number)
{
    struct notify_watch *w;
    list_for_each (w, &n->watches, link)
        if (w->number == number) {
            watch_end(w);
            return 0;
        }
    return -EINVAL;
}

static long notify_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                         size_t out_size)
{
    struct notify *n = f->data;
    int32_t number;
    if (request == FILE_UNREAD && out_size >= sizeof(n->bytes)) {
        memcpy(data, &n->bytes, sizeof(n->bytes));
        return 0;
    }
    if (request != NOTIFY_REMOVE || in_bytes != sizeof(number))
        return -ENOTTY;
    memcpy(&number, data, sizeof(number));
    return remove_watch(n, number);
}

static void notify_release(struct file *f)
{
    struct notify *n = f->data;
    while (!list_empty(&n->watches))
        watch_free(list_entry(n->watches.next, struct notify_watch, link));
    while (!list_empty(&n->events))
        event_drop(n, list_entry(n->events.next, struct notify_event, link));
    list_remove(&n->link);
    heap_free(n);
}

static const struct file_ops notify_ops = {
    .name = "inotify",
    .read = notify_read,
    .ioctl = notify_ioctl,
    .poll = notify_poll,
    .seeks_nowhere = true,
    .poll_queue = notify_poll_queue,
    .stat = anon_stat,
    .release = notify_release,
};

bool notify_is(const struct file *f)
{
    return f->ops == &notify_ops;
}

// ---- operations on names -----------------------------------------------------------------------
static void count_of(uint32_t uid, uint32_t *instances, uint32_t *watches)
{
    struct notify *n;
    *instances = *watches = 0;
    list_for_each (n, &notifies_of_node()->all, link)
        if (n->uid == uid) {
            ++*instances;
            *watches += n->watch_count;
        }
}

int op_notify(struct name_call *c)
{
    uint32_t instances, watches;
    count_of(c->who->uid, &instances, &watches);
    if (instances >= NOTIFY_INSTANCES_MAX)
        return -EMFILE;
    struct notify *n = heap_zalloc(sizeof(*n));
    c->file = n ? file_new(&notify_ops, O_RDONLY | (c->in.flags & O_NONBLOCK), n) : NULL;
    if (c->file == NULL) {
        heap_free(n);
        return -ENOMEM;
    }
    n->uid = c->who->uid;
    list_init(&n->watches);
    list_init(&n->events);
    wait_init(&n->changed);
    list_append(&notifies_of_node()->all, &n->link);
    return 0;
}

static int watch_add(struct notify *n, struct inode *i, uint32_t mask)
{
    uint32_t instances, watches;
    count_of(n->uid, &instances, &watches);
    if (watches >= NOTIFY_WATCHES_MAX)
        return -ENOSPC;
    struct notify_watch *w = heap_zalloc(sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    *w = (struct notify_watch){.on = n, .inode = i, .number = ++n->last_number, .mask = mask};
    struct notify_watch **at = &i->watches; // the oldest first
    while (*at)
        at = &(*at)->next;
    *at = w;
    list_append(&n->watches, &w->link);
    n->watch_count++;
    notifies_of_node()->watches++;
    return w->number;
}

int op_watch(struct name_call *c)
{
    uint32_t mask = c->in.mode, keeps = mask & (WATCH_BITS | IN_ONESHOT);
    struct inode *i;
    int e = tree_walk_to(c, !(mask & IN_DONT_FOLLOW), &i);
    if (e != 0)
        return e;
    if ((mask & IN_ONLYDIR) && !inode_is(i, S_IFDIR))
        return -ENOTDIR;
    if (!inode_may(i, c->who, MAY_R))
        return -EACCES;
    struct notify *n = c->on->data;
    struct notify_watch *w = i->watches;
    while (w && w->on != n)
        w = w->next;
    if (w && (mask & IN_MASK_CREATE))
        return -EEXIST;
    if (w)
        w->mask = mask & IN_MASK_ADD ? w->mask | keeps : keeps;
    e = w ? w->number : watch_add(n, i, keeps);
    c->out.handle = (uint64_t)MAX(e, 0);
    return MIN(e, 0);
}

bool fs_notify_is(const struct file *f)
{
    return notify_is(f) || (f->home != cluster_self() && f->ops->seek == NULL && f->ops->ioctl);
}

int fs_notify_new(const struct fs_who *who, uint32_t flags, struct file **f)
{
    struct name_call c = {.in = {.op = NAME_NOTIFY, .flags = flags}, .who = who, .path = "/"};
    c.in.at = who->root;
    c.in.at.mount = 0;
    int e = name_perform(&c);
    *f = c.file;
    return e;
}

long fs_notify_watch(const struct fs_who *who, struct file *f, const char *path, uint32_t mask)
{
    struct name_call c = {
        .in = {.op = NAME_WATCH, .mode = mask, .at = who->cwd}, .who = who, .path = path, .on = f};
    c.in.flags = mask & IN_DONT_FOLLOW ? FS_NOFOLLOW : 0;
    c.in.value = f->handle;
    if (!notify_is(f) && (fs_is_home() || f->home != cluster_fs_home()))
        return -EIO; // the tree that it watched went with its home
    int e = name_perform(&c);
    return e < 0 ? e : (long)c.out.handle;
}

long fs_notify_remove(struct file *f, int32_t watch)
{
    long e = f->ops->ioctl ? f->ops->ioctl(f, NOTIFY_REMOVE, &watch, sizeof(watch), 0) : -EINVAL;
    return e == -ENOTTY ? -EINVAL : e;
}
