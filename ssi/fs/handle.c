// SPDX-License-Identifier: MIT
// The home's side of files that are used from other nodes. A handler never waits for a stream: it
// answers -EAGAIN and says "ready" when the file's queue is woken, so a waiting process can be
// killed and moved, and no byte is in flight while it waits.
#include "ssi/fs/handle.h"
#include "kernel/init.h"
#include "kernel/random.h"
#include "kernel/work.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/radix.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container.h"
#include "ssi/fs/generated_priv.h"
#include "ssi/fs/locks.h"
#include "ssi/fs/owner.h"
#include "ssi/fs/tree.h"

struct handle_user {
    struct list link;
    node_id_t node;
    uint32_t count;
    bool wants_ready;
};

struct handle_share { // a user that another node gave, and that has not said it has it
    struct list link;
    node_id_t giver, to;
};

struct handle {
    uint64_t number;
    struct file *file; // one user of it is this table's
    struct list users;
    struct list shares;
    struct wait_watch watch;
    struct work tell;
    bool telling; // `tell` is queued and frees the handle if it is closed by then
    bool closed;
};

NODE_VAR(struct radix, handles); // by the low 32 bits of the number
NODE_VAR(uint64_t, last_handle);

static struct radix *table(void)
{
    struct radix *r = &node(handles);
    if (r->memory == NULL) {
        radix_init(r, &heap_radix_memory);
        // Handles of an earlier life of this node must not fit.
        node(last_handle) = (uint64_t)random_u32() << 32;
    }
    return r;
}

static struct handle *handle_find(uint64_t number)
{
    struct handle *h = radix_get(table(), (uint32_t)number);
    return h && h->number == number ? h : NULL;
}

static struct handle_user *user_find(const struct handle *h, node_id_t node)
{
    struct handle_user *u;
    list_for_each (u, &h->users, link)
        if (u->node == node)
            return u;
    return NULL;
}

static void handle_free(struct handle *h)
{
    if (h->telling)
        h->closed = true;
    else
        heap_free(h);
}

// ---- telling waiting nodes ---------------------------------------------------------------------
static void tell_ready(struct work *w)
{
    struct handle *h = container_of(w, struct handle, tell);
    struct file_ready m = {.handle = h->number};
    struct handle_user *u;
    h->telling = false;
    if (h->closed) {
        heap_free(h);
        return;
    }
    list_for_each (u, &h->users, link)
        if (u->wants_ready && rpc_send(u->node, MSG_fs_ready, &m, sizeof(m)) == 0)
            u->wants_ready = false;
}

static void on_wake(struct wait_watch *w)
{
    struct handle *h = container_of(w, struct handle, watch);
    wait_watch_remove(w);
    h->telling = true;
    work_queue(&h->tell);
}

static void watch_for(struct handle *h, node_id_t node)
{
    struct handle_user *u = user_find(h, node);
    struct wait_queue *q = h->file->ops->poll_queue ? h->file->ops->poll_queue(h->file) : NULL;
    if (u == NULL || q == NULL)
        return;
    u->wants_ready = true;
    wait_watch_remove(&h->watch);
    wait_watch_add(q, &h->watch, on_wake);
}

// ---- users -------------------------------------------------------------------------------------
static struct handle *handle_new(struct file *f)
{
    struct radix *r = table();
    struct handle *h = heap_zalloc(sizeof(*h));
    if (h == NULL)
        return NULL;
    do
        h->number = ++node(last_handle);
    while ((uint32_t)h->number == 0 || radix_get(r, (uint32_t)h->number));
    if (!radix_set(r, (uint32_t)h->number, h)) {
        heap_free(h);
        return NULL;
    }
    h->file = f;
    file_get(f);
    f->handle = h->number;
    list_init(&h->users);
    list_init(&h->shares);
    list_init(&h->watch.link);
    work_init(&h->tell, THREAD_NORMAL, tell_ready);
    return h;
}

// ---- shares: given by one node to another, not arrived -----------------------------------------
static struct handle_share *share_find(const struct handle *h, node_id_t giver, node_id_t to)
{
    struct handle_share *s;
    list_for_each (s, &h->shares, link)
        if ((giver == NODE_NONE || s->giver == giver) && (to == NODE_NONE || s->to == to))
            return s;
    return NULL;
}

static bool share_forget(struct handle *h, node_id_t giver, node_id_t to)
{
    struct handle_share *s = share_find(h, giver, to);
    if (s == NULL)
        return false;
    list_remove(&s->link);
    heap_free(s);
    return true;
}

static int share_add(struct handle *h, node_id_t giver, node_id_t to)
{
    struct handle_share *s = heap_alloc(sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    *s = (struct handle_share){.giver = giver, .to = to};
    list_append(&h->shares, &s->link);
    return 0;
}

static void handle_close_unused(struct handle *h)
{
    if (!list_empty(&h->users))
        return;
    while (share_forget(h, NODE_NONE, NODE_NONE))
        ;
    struct file *f = h->file;
    radix_remove(table(), (uint32_t)h->number);
    wait_watch_remove(&h->watch);
    f->handle = 0;
    handle_free(h);
    file_put(f);
}

int handle_add_user(struct file *f, node_id_t user)
{
    struct handle *h = f->handle ? handle_find(f->handle) : NULL;
    struct handle_user *u = h ? user_find(h, user) : NULL;
    if (u) {
        u->count++;
        return 0;
    }
    u = heap_alloc(sizeof(*u));
    if (u == NULL)
        return -ENOMEM;
    if (h == NULL && (h = handle_new(f)) == NULL) {
        heap_free(u);
        return -ENOMEM;
    }
    *u = (struct handle_user){.node = user, .count = 1};
    list_append(&h->users, &u->link);
    return 0;
}

int handle_share(struct file *f, node_id_t giver, node_id_t to)
{
    int e = handle_add_user(f, to);
    if (e < 0)
        return e;
    e = share_add(handle_find(f->handle), giver, to);
    if (e < 0)
        handle_drop_users(f->handle, to, 1);
    return e;
}

bool handle_take_back(uint64_t number, node_id_t giver, node_id_t to)
{
    struct handle *h = handle_find(number);
    if (h == NULL || !share_forget(h, giver, to))
        return false;
    handle_drop_users(number, to, 1);
    return true;
}

void handle_drop_users(uint64_t number, node_id_t user, uint32_t count)
{
    struct handle *h = handle_find(number);
    struct handle_user *u = h ? user_find(h, user) : NULL;
    if (u == NULL || count > u->count) {
        cluster_count_add("fs: release of what is not held", 1);
        return;
    }
    u->count -= count;
    if (u->count > 0)
        return;
    list_remove(&u->link);
    heap_free(u);
    handle_close_unused(h);
}

// A share that was dropped with its giver comes too late: its user will let go of it by itself.
void handle_claim(uint64_t number, node_id_t user, node_id_t giver)
{
    struct handle *h = handle_find(number);
    if (h == NULL || (!share_forget(h, giver, user) && handle_add_user(h->file, user) < 0))
        cluster_count_add("fs: claim of what is not held", 1);
}

struct file *handle_file(uint64_t number, node_id_t user)
{
    struct handle *h = handle_find(number);
    if (h == NULL || (user != NODE_NONE && user_find(h, user) == NULL))
        return NULL;
    return h->file;
}

enum remote_kind handle_kind(const struct file *f)
{
    if (f->ops->exchange)
        return REMOTE_SOCKET;
    if (f->ops->list)
        return REMOTE_DIRECTORY;
    if (f->ops->seek == NULL)
        return REMOTE_STREAM;
    return tree_file_is(f) ? REMOTE_REGULAR : REMOTE_SEEKABLE;
}

// What a dead node gave and nobody has got.
static void shares_drop(uint64_t number, node_id_t giver)
{
    struct handle *h;
    struct handle_share *s;
    while ((h = handle_find(number)) != NULL && (s = share_find(h, giver, NODE_NONE)) != NULL)
        handle_take_back(number, giver, s->to);
}

// Users of nodes that are gone go with them, and users that those have given.
static void handles_on_epoch(const struct epoch_change *change)
{
    uint32_t index;
    struct handle *h;
    for (unsigned k = 0; k < change->gone_count; k++)
        radix_for_each (table(), index, h) {
            uint64_t number = h->number;
            struct handle_user *u = user_find(h, change->gone[k]);
            while (share_forget(h, NODE_NONE, change->gone[k]))
                ;
            if (u)
                handle_drop_users(number, u->node, u->count);
            shares_drop(number, change->gone[k]);
        }
}

// ---- operations --------------------------------------------------------------------------------
struct serving {
    const struct file_ask *ask;
    const void *in; // ask->in_bytes
    struct file *file;
    struct file_reply reply;
    uint8_t *out; // room for ask->out_size
};

static void serve_move(struct serving *s, bool reads)
{
    struct xfer x;
    struct file *f = s->file;
    const struct file_ask *a = s->ask;
    uint64_t at = a->offset;
    if (reads)
        xfer_kernel(&x, s->out, a->out_size);
    else
        xfer_kernel(&x, (void *)s->in, a->in_bytes); // only read from
    uint32_t was = f->flags;
    f->flags = (f->flags & ~FILE_FLAGS_TOLD) | (a->flags & (O_APPEND | O_DIRECT));
    // What does not wait does not sleep: nobody sees a stream's flags in between.
    bool stream = f->ops->seek == NULL;
    f->flags |= stream ? O_NONBLOCK : 0;
    long moved = reads ? file_read(f, &x, a->at_given ? &at : NULL)
                       : file_write(f, &x, a->at_given ? &at : NULL);
    f->flags = (f->flags & ~FILE_FLAGS_TOLD) | (was & FILE_FLAGS_TOLD);
    s->reply.result = moved;
    s->reply.bytes = reads && moved > 0 ? (uint32_t)moved : 0;
}

static void serve_ioctl(struct serving *s)
{
    const struct file_ask *a = s->ask;
    struct file *f = s->file;
    uint8_t little[128] = {0}, *data = little;
    size_t room = MAX(a->in_bytes, a->out_size); // both at most FILE_DATA_MAX
    if (room > sizeof(little))
        data = heap_zalloc(room);
    if (f->ops->ioctl == NULL || data == NULL) {
        s->reply.result = data ? -ENOTTY : -ENOMEM;
        if (data != little)
            heap_free(data);
        return;
    }
    memcpy(data, s->in, a->in_bytes);
    uint32_t was = f->flags;
    f->flags |= f->ops->seek == NULL ? O_NONBLOCK : 0;
    s->reply.result = f->ops->ioctl(f, a->request, data, a->in_bytes, a->out_size);
    f->flags = (f->flags & ~O_NONBLOCK) | (was & O_NONBLOCK);
    if (s->reply.result >= 0) {
        s->reply.bytes = a->out_size;
        memcpy(s->out, data, a->out_size);
    }
    if (data != little)
        heap_free(data);
}

static void serve_list(struct serving *s)
{
    struct xfer x;
    if (s->file->ops->list == NULL) {
        s->reply.result = -ENOTDIR;
        return;
    }
    xfer_kernel(&x, s->out, s->ask->out_size);
    s->reply.result = s->file->ops->list(s->file, &x);
    s->reply.bytes = (uint32_t)x.done;
}

static void serve_stat(struct serving *s)
{
    struct fs_stat st;
    s->reply.result = s->ask->out_size < sizeof(st) ? -EINVAL : file_stat(s->file, &st);
    if (s->reply.result == 0) {
        s->reply.bytes = sizeof(st);
        memcpy(s->out, &st, sizeof(st));
    }
}

static void serve_set(struct serving *s)
{
    struct file_set_wire w;
    if (s->ask->in_bytes != sizeof(w)) {
        s->reply.result = -EINVAL;
        return;
    }
    memcpy(&w, s->in, sizeof(w));
    struct fs_set set = {
        .mode_set = w.mode_set,
        .owner_set = w.owner_set,
        .times_set = w.times_set,
        .size_set = w.size_set,
        .mode = w.mode,
        .uid = w.uid,
        .gid = w.gid,
        .atime_ns = w.atime_ns,
        .mtime_ns = w.mtime_ns,
        .bytes = w.bytes,
    };
    s->reply.result = file_set(s->file, &set);
}

static void serve_lock(struct serving *s, node_id_t by)
{
    struct file_lock_wire w;
    if (s->ask->in_bytes != sizeof(w) || s->ask->out_size < sizeof(w)) {
        s->reply.result = -EINVAL;
        return;
    }
    memcpy(&w, s->in, sizeof(w));
    struct lock_range r = {.from = w.from, .to = w.to, .owner = w.owner, .kind = w.kind};
    r.whole = w.whole ? s->file : NULL;
    r.ofd = w.ofd;
    r.by = by;
    if (w.from >= w.to || w.kind < LOCK_SHARED || w.kind > LOCK_NONE)
        s->reply.result = -EINVAL;
    else
        s->reply.result = w.get ? locks_get_here(s->file->place.inode, &r)
                                : locks_set_here(s->file->place.inode, &r);
    w = (struct file_lock_wire){
        .from = r.from, .to = r.to, .owner = r.owner, .kind = r.kind, .get = w.get};
    s->reply.bytes = sizeof(w);
    memcpy(s->out, &w, sizeof(w));
}

static void serve_image(struct serving *s)
{
    struct file *f = s->file;
    if (!tree_file_is(f) || !inode_is(tree_file_inode(f), S_IFREG)) {
        s->reply.result = -EACCES;
        return;
    }
    s->reply.result = f->flags & FILE_IMAGE ? 0 : tree_image_begin(tree_file_inode(f));
    if (s->reply.result == 0)
        f->flags |= FILE_IMAGE;
}

// The container of a file's data becomes linked: another node maps it.
static void serve_map(struct serving *s)
{
    struct container_ref ref;
    struct container *c;
    uint32_t index;
    struct file *f = s->file;
    s->reply.result = -ENODEV;
    if (!tree_file_is(f) || f->ops->map == NULL || s->ask->out_size < sizeof(ref))
        return;
    s->reply.result = f->ops->map(f, 0, true, &c, &index);
    if (s->reply.result < 0)
        return;
    s->reply.result = container_export(c, &ref);
    container_put(c); // the inode keeps it
    if (s->reply.result == 0) {
        s->reply.bytes = sizeof(ref);
        memcpy(s->out, &ref, sizeof(ref));
    }
}

static void serve_poll(struct serving *s)
{
    struct file *f = s->file;
    s->reply.result = f->ops->poll ? f->ops->poll(f) : POLL_IN | POLL_OUT;
}

static void serve_exchange(struct serving *s, node_id_t from)
{
    size_t n = 0;
    s->reply.result = -ENOTSOCK;
    if (s->file->ops->exchange)
        s->reply.result = s->file->ops->exchange(s->file, from, s->in, s->ask->in_bytes, s->out,
                                                 s->ask->out_size, &n);
    s->reply.bytes = (uint32_t)n;
}

static void serve_owner(struct serving *s)
{
    struct owner_change c;
    struct file_owner_facts now;
    s->reply.result = -EINVAL;
    if (s->ask->in_bytes != sizeof(c) || s->ask->out_size < sizeof(now))
        return;
    memcpy(&c, s->in, sizeof(c));
    if (c.to.type < OWNER_TASK || c.to.type > OWNER_GROUP || c.to.id < 0 || c.to.signal < 0 ||
        c.to.signal > OWNER_SIGNAL_MAX)
        return;
    s->reply.result = file_owner_change(s->file, &c, &now);
    s->reply.bytes = sizeof(now);
    memcpy(s->out, &now, sizeof(now));
}

static void serve(struct serving *s, node_id_t from)
{
    struct file *f = s->file;
    const struct file_ask *a = s->ask;
    switch ((enum file_op)a->op) {
    case FILE_READ:
        serve_move(s, true);
        return;
    case FILE_WRITE:
        serve_move(s, false);
        return;
    case FILE_SEEK:
        s->reply.result = f->ops->seek ? f->ops->seek(f, (int64_t)a->offset, a->whence) : -ESPIPE;
        return;
    case FILE_LIST:
        serve_list(s);
        return;
    case FILE_IOCTL:
        serve_ioctl(s);
        return;
    case FILE_POLL:
        serve_poll(s);
        return;
    case FILE_STAT:
        serve_stat(s);
        return;
    case FILE_SET:
        serve_set(s);
        return;
    case FILE_SYNC:
        s->reply.result = f->ops->sync ? f->ops->sync(f) : -EINVAL;
        return;
    case FILE_IMAGE_BEGIN:
        serve_image(s);
        return;
    case FILE_LOCK:
        serve_lock(s, from);
        return;
    case FILE_MAP:
        serve_map(s);
        return;
    case FILE_EXCHANGE:
        serve_exchange(s, from);
        return;
    case FILE_OWNER:
        serve_owner(s);
        return;
    case FILE_FLAGS:
        f->flags = (f->flags & ~FILE_FLAGS_TOLD) | (a->flags & FILE_FLAGS_TOLD);
        s->reply.result = 0;
        return;
    case FILE_OPS:
        break;
    }
    s->reply.result = -ENOSYS;
}

static bool sole_user(const struct handle *h, node_id_t node)
{
    // The table's user, and the one that this request holds.
    return h->file->users == 2 && h->users.next->next == &h->users && user_find(h, node);
}

// The reply's fixed part and data side by side; file->users is one more while it is served.
static void serve_and_reply(const struct rpc_in *in, struct serving *s)
{
    struct handle *h = handle_find(s->ask->handle);
    uint8_t *message = heap_alloc(sizeof(struct file_reply) + s->ask->out_size);
    if (message == NULL) {
        rpc_reply(in->from, in->request, -ENOMEM, NULL, 0);
        return;
    }
    s->out = message + sizeof(struct file_reply);
    file_get(s->file);
    // Watched from before it is looked at, so that no wake-up is lost.
    if (s->ask->op == FILE_POLL || !(s->ask->flags & O_NONBLOCK))
        watch_for(h, in->from);
    serve(s, in->from);
    h = handle_find(s->ask->handle); // may have gone while it slept
    s->reply.offset = s->file->offset;
    if (s->ask->op == FILE_WRITE && (s->ask->flags & O_APPEND) && tree_file_is(s->file))
        s->reply.offset = tree_file_inode(s->file)->bytes;
    s->reply.sole = h && sole_user(h, in->from);
    memcpy(message, &s->reply, sizeof(s->reply));
    rpc_reply(in->from, in->request, 0, message, sizeof(s->reply) + s->reply.bytes);
    file_put(s->file);
    heap_free(message);
}

void fs_file_asked(const struct rpc_in *in)
{
    struct file_ask a = {0};
    bool good = in->n >= sizeof(a);
    if (good)
        memcpy(&a, in->bytes, sizeof(a));
    if (!good || a.in_bytes != in->n - sizeof(a) || a.out_size > FILE_DATA_MAX) {
        cluster_count_add("fs: malformed file request", 1);
        rpc_reply(in->from, in->request, -EPROTO, NULL, 0);
        return;
    }
    struct serving s = {.ask = &a,
                        .in = (const uint8_t *)in->bytes + sizeof(a),
                        .file = handle_file(a.handle, in->from)};
    if (s.file)
        serve_and_reply(in, &s);
    else
        rpc_reply(in->from, in->request, -ESTALE, NULL, 0);
}

void fs_file_released(const struct rpc_in *in)
{
    struct file_release m;
    if (in->n != sizeof(m)) {
        cluster_count_add("fs: malformed release", 1);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    if (in->from == m.node)
        handle_drop_users(m.handle, m.node, m.count);
    else if (!handle_take_back(m.handle, in->from, m.node))
        cluster_count_add("fs: release of what is not held", 1);
}

void fs_file_claimed(const struct rpc_in *in)
{
    struct file_share m;
    if (in->n != sizeof(m)) {
        cluster_count_add("fs: malformed claim", 1);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    handle_claim(m.handle, in->from, m.node);
}

void fs_file_shared(const struct rpc_in *in)
{
    struct file_share m;
    int e = -EPROTO;
    if (in->n == sizeof(m)) {
        memcpy(&m, in->bytes, sizeof(m));
        struct file *f = handle_file(m.handle, in->from);
        e = f == NULL ? -ESTALE : !cluster_is_member(m.node) ? -EHOSTDOWN : 0;
        if (e == 0)
            e = handle_share(f, in->from, m.node);
    }
    rpc_reply(in->from, in->request, e, NULL, 0);
}

// A node of a generated tree of this node, for another node: its controlling terminal.
void fs_generated_asked(const struct rpc_in *in)
{
    struct generated_ask a;
    struct opened_reply r = {0};
    struct file *f;
    int e = -EPROTO;
    if (in->n == sizeof(a)) {
        memcpy(&a, in->bytes, sizeof(a));
        e = generated_reopen(a.place, a.flags & (O_ACCMODE | O_NONBLOCK), &f);
    }
    if (e == 0) {
        e = handle_add_user(f, in->from);
        r = (struct opened_reply){
            .handle = f->handle, .place = f->place, .kind = handle_kind(f), .mode = 0};
        file_put(f);
    }
    rpc_reply(in->from, in->request, e, &r, sizeof(r));
}

static void handles_start(void)
{
    cluster_on_epoch(handles_on_epoch);
}
INIT_STEP(INIT_FILES, handles_start);
