// SPDX-License-Identifier: MIT
// Data of archived files that nobody wrote is read here, from this node's archive. A regular file
// that only this node uses keeps its offset here; it goes back to the home before another node
// becomes a user. Everything else is asked of the home, which never waits: a call that would wait
// sleeps here until the home says "ready", and can be interrupted meanwhile.
#include "ssi/fs/proxy.h"
#include "ssi/fs/proxy_priv.h"
#include "kernel/init.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container.h"
#include "ssi/fs/generated_priv.h"
#include "ssi/fs/handle.h"
#include "ssi/fs/owner.h"
#include "ssi/fs/remote.h"
#include "ssi/fs/tree.h"

NODE_VAR(struct proxy_list, proxies);

static struct list *all(void)
{
    struct proxy_list *l = &node(proxies);
    if (!l->set_up) {
        list_init(&l->all);
        l->set_up = true;
    }
    return &l->all;
}

static struct proxy *proxy_find(node_id_t home, uint64_t handle)
{
    struct proxy *p;
    list_for_each (p, all(), link)
        if (p->file->handle == handle && p->file->home == home && !p->dead)
            return p;
    return NULL;
}

// ---- asking ------------------------------------------------------------------------------------
int64_t proxy_ask(struct file *f, struct file_ask *a, const void *in, void *out,
                  struct file_reply *reply)
{
    struct proxy *p = f->data;
    size_t out_size = a->out_size, reply_bytes = sizeof(*reply) + out_size;
    if (p->dead)
        return -EIO;
    ASSERT(a->in_bytes <= FILE_DATA_MAX && out_size <= FILE_DATA_MAX);
    size_t ask_bytes = sizeof(*a) + a->in_bytes;
    uint8_t *message = heap_alloc(ask_bytes + reply_bytes);
    if (message == NULL)
        return -ENOMEM;
    uint8_t *answer = message + ask_bytes;
    a->handle = f->handle;
    a->flags = f->flags & FILE_FLAGS_TOLD;
    memcpy(message, a, sizeof(*a));
    if (a->in_bytes)
        memcpy(message + sizeof(*a), in, a->in_bytes);
    uint32_t exports = p->exports;
    p->asking++;
    long n = rpc_call(f->home, MSG_fs_file, message, ask_bytes, answer, reply_bytes, 0);
    p->asking--;
    if (p->asking == 0)
        wait_wake_all(&p->settled);
    int64_t result = n < 0 ? (n == -ENOMEM ? n : -EIO) : -EIO;
    if (n >= (long)sizeof(*reply)) {
        memcpy(reply, answer, sizeof(*reply));
        if (reply->bytes <= (size_t)n - sizeof(*reply)) {
            result = reply->result;
            memcpy(out ? out : answer, answer + sizeof(*reply), out ? reply->bytes : 0);
        }
    }
    // Nobody else uses it: from now on its offset can live here.
    if (result >= 0 && reply->sole && p->kind == REMOTE_REGULAR && !p->own_offset && !p->asking &&
        !p->homing && p->exports == exports) {
        p->own_offset = true;
        f->offset = reply->offset;
    }
    heap_free(message);
    return result;
}

static bool streams(const struct proxy *p)
{
    return p->kind == REMOTE_STREAM || p->kind == REMOTE_SOCKET;
}

// As proxy_ask, for what may wait: sleeps until the home says ready, unless O_NONBLOCK.
static int64_t ask_waiting(struct file *f, struct file_ask *a, const void *in, void *out,
                           struct file_reply *reply)
{
    struct proxy *p = f->data;
    for (;;) {
        uint32_t seen = p->ready;
        int64_t result = proxy_ask(f, a, in, out, reply);
        if (result != -EAGAIN || !streams(p) || (f->flags & O_NONBLOCK))
            return result;
        while (p->ready == seen && !p->dead) {
            int e = wait_sleep(&p->changed, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
            if (e < 0)
                return e;
        }
    }
}

// ---- reading and writing -----------------------------------------------------------------------
// The archived inode whose bytes this node may read for itself, or NULL.
static struct inode *local_data(const struct file *f)
{
    const struct proxy *p = f->data;
    if (p->kind != REMOTE_REGULAR || p->dead || !tree_ready())
        return NULL;
    struct inode *i = inode_find(f->place.inode);
    return i && i->archived && !i->modified && inode_is(i, S_IFREG) ? i : NULL;
}

// Ends soon: with the answer of the home, or with its death.
static void await_homing(struct proxy *p)
{
    while (p->homing)
        if (wait_sleep(&p->settled, WAIT_FOREVER, 0) < 0)
            break;
}

static int proxy_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct proxy *p = f->data;
    struct file_reply reply;
    if (at == NULL)
        await_homing(p);
    uint64_t offset = at ? *at : f->offset;
    bool given = at || p->own_offset;
    size_t before = x->done;
    struct inode *i = given ? local_data(f) : NULL;
    if (i) {
        int e = tree_read(i, offset, x);
        if (at == NULL)
            f->offset += x->done - before;
        return x->done > before ? 0 : e;
    }
    size_t n = MIN(x->left, FILE_DATA_MAX);
    // Bytes that left a pipe must have a place to go to.
    bool prepare = x->user && streams(p) && n > 0;
    int e = prepare ? user_fault_in(x->user_at, n, true) : 0;
    if (e < 0)
        return e;
    uint8_t *bytes = heap_alloc(MAX(n, 1));
    if (bytes == NULL)
        return -ENOMEM;
    if (at == NULL)
        await_homing(p);
    given = at || p->own_offset;
    bool own = at == NULL && given;
    offset = own ? file_offset_claim(f, n) : offset;
    struct file_ask a = {
        .op = FILE_READ, .at_given = given, .offset = offset, .out_size = (uint32_t)n};
    int64_t got = ask_waiting(f, &a, NULL, bytes, &reply);
    if (own) // before it may sleep again
        file_offset_settle(f, offset, n, (size_t)MAX(got, 0));
    if (got > 0)
        e = xfer_put_all(x, bytes, (size_t)MIN(got, (int64_t)n));
    heap_free(bytes);
    return got < 0 ? (int)got : e;
}

static int proxy_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct proxy *p = f->data;
    struct file_reply reply;
    struct xfer start = *x;
    size_t n = MIN(x->left, FILE_DATA_MAX);
    if ((f->flags & O_DIRECT) && streams(p))
        n = MIN(n, (size_t)PAGE_SIZE); // a pipe's packets, one by one
    uint8_t *bytes = heap_alloc(MAX(n, 1));
    if (bytes == NULL)
        return -ENOMEM;
    int e = xfer_take_all(x, bytes, n);
    if (at == NULL)
        await_homing(p);
    bool given = at || p->own_offset;
    bool own = at == NULL && given, append = f->flags & O_APPEND;
    uint64_t offset = at ? *at : own && !append ? file_offset_claim(f, n) : f->offset;
    struct file_ask a = {
        .op = FILE_WRITE, .at_given = given, .offset = offset, .in_bytes = (uint32_t)n};
    int64_t took = e < 0 ? e : ask_waiting(f, &a, bytes, NULL, &reply);
    heap_free(bytes);
    if (took < (int64_t)n) { // what the home did not take is not done
        size_t back = n - (size_t)MAX(took, 0);
        if (e < 0 || took < 0) {
            *x = start;
        } else {
            x->done -= back;
            x->left += back;
            x->user_at -= x->user ? (uint32_t)back : 0;
            x->kernel_at -= x->user ? 0 : back;
        }
    }
    if (own && !append)
        file_offset_settle(f, offset, n, (size_t)MAX(took, 0));
    else if (own && took > 0)
        f->offset = reply.offset;
    return took < 0 ? (int)took : 0;
}

static int proxy_stat(struct file *f, struct fs_stat *st)
{
    struct file_reply reply;
    struct file_ask a = {.op = FILE_STAT, .out_size = sizeof(*st)};
    int64_t r = proxy_ask(f, &a, NULL, st, &reply);
    return r < 0 ? (int)r : reply.bytes == sizeof(*st) ? 0 : -EIO;
}

static int64_t proxy_seek(struct file *f, int64_t offset, int whence)
{
    struct proxy *p = f->data;
    struct file_reply reply;
    struct fs_stat st = {0};
    await_homing(p);
    if (p->own_offset) {
        const struct inode *i = local_data(f);
        int e = 0;
        if (i)
            st.bytes = i->bytes;
        else if (whence >= 2)
            e = proxy_stat(f, &st);
        return e < 0 ? e : file_seek_in(f, st.bytes, offset, whence);
    }
    struct file_ask a = {.op = FILE_SEEK, .offset = (uint64_t)offset, .whence = whence};
    return proxy_ask(f, &a, NULL, NULL, &reply);
}

// ---- the rest ----------------------------------------------------------------------------------
static int proxy_list_entries(struct file *f, struct xfer *x)
{
    struct file_reply reply;
    size_t n = MIN(x->left, FILE_DATA_MAX);
    uint8_t *bytes = heap_alloc(MAX(n, 1));
    if (bytes == NULL)
        return -ENOMEM;
    struct file_ask a = {.op = FILE_LIST, .out_size = (uint32_t)n};
    int64_t r = proxy_ask(f, &a, NULL, bytes, &reply);
    if (r >= 0)
        xfer_put(x, bytes, MIN(reply.bytes, n));
    heap_free(bytes);
    return (int)MIN(r, 0);
}

static long proxy_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                        size_t out_size)
{
    struct file_reply reply;
    struct file_ask a = {.op = FILE_IOCTL,
                         .request = request,
                         .in_bytes = (uint32_t)in_bytes,
                         .out_size = (uint32_t)out_size};
    return (long)ask_waiting(f, &a, data, data, &reply);
}

static unsigned proxy_poll(struct file *f)
{
    struct file_reply reply;
    struct file_ask a = {.op = FILE_POLL};
    int64_t r = proxy_ask(f, &a, NULL, NULL, &reply);
    return r < 0 ? POLL_ERR | POLL_HUP : (unsigned)r;
}

static unsigned always_ready(struct file *f)
{
    const struct proxy *p = f->data;
    return p->dead ? POLL_ERR | POLL_HUP : POLL_IN | POLL_OUT;
}

static struct wait_queue *proxy_poll_queue(struct file *f)
{
    struct proxy *p = f->data;
    return &p->changed;
}

static int proxy_set(struct file *f, const struct fs_set *s)
{
    struct file_reply reply;
    struct file_set_wire w = {
        .mode_set = s->mode_set,
        .owner_set = s->owner_set,
        .times_set = s->times_set,
        .size_set = s->size_set,
        .mode = s->mode,
        .uid = s->uid,
        .gid = s->gid,
        .atime_ns = s->atime_ns,
        .mtime_ns = s->mtime_ns,
        .bytes = s->bytes,
    };
    struct file_ask a = {.op = FILE_SET, .in_bytes = sizeof(w)};
    return (int)proxy_ask(f, &a, &w, NULL, &reply);
}

static int proxy_sync(struct file *f)
{
    struct file_reply reply;
    return (int)proxy_ask(f, &(struct file_ask){.op = FILE_SYNC}, NULL, NULL, &reply);
}

// A private mapping of written data is a copy of it as it is now.
static struct container *copied(struct file *f, uint64_t bytes)
{
    struct container *c = container_new_content(f->place.inode);
    uint8_t *piece = heap_alloc(FILE_DATA_MAX);
    bool good = c && piece;
    for (uint64_t at = 0; good && at < bytes;) {
        struct file_reply reply;
        struct xfer x;
        struct file_ask a = {
            .op = FILE_READ, .at_given = 1, .offset = at, .out_size = FILE_DATA_MAX};
        int64_t n = proxy_ask(f, &a, NULL, piece, &reply);
        if (n == 0)
            break;
        xfer_kernel(&x, piece, (size_t)MAX(n, 0));
        good = n > 0 && container_write(c, at, &x) == 0;
        at += (uint64_t)MAX(n, 0);
    }
    heap_free(piece);
    if (good)
        return c;
    if (c)
        container_put(c);
    return NULL;
}

// The file's own data, which becomes a linked container.
static int map_shared(struct file *f, struct container **c)
{
    struct file_reply reply;
    struct container_ref ref;
    struct file_ask a = {.op = FILE_MAP, .out_size = sizeof(ref)};
    int64_t r = proxy_ask(f, &a, NULL, &ref, &reply);
    if (r < 0 || reply.bytes != sizeof(ref))
        return r < 0 ? (int)r : -EIO;
    *c = container_import(&ref);
    return *c ? 0 : -ENOMEM;
}

static int proxy_map(struct file *f, uint64_t offset, bool shared, struct container **c,
                     uint32_t *index)
{
    struct fs_stat st;
    if (offset % PAGE_SIZE || offset >= FILE_BYTES_MAX)
        return -EINVAL;
    *index = (uint32_t)(offset >> PAGE_SHIFT);
    const struct inode *i = local_data(f);
    if (shared && (f->flags & O_ACCMODE) != O_RDONLY)
        return map_shared(f, c);
    if (i) {
        struct io_source s = {
            .kind = IO_image, .bytes = (uint32_t)i->archive_bytes, .object = i->number};
        *c = container_new(&s);
        return *c ? 0 : -ENOMEM;
    }
    int e = proxy_stat(f, &st);
    if (e < 0)
        return e;
    *c = copied(f, st.bytes);
    return *c ? 0 : -ENOMEM;
}

int file_flags_tell(struct file *f)
{
    struct file_reply reply;
    return proxy_is(f) ? (int)proxy_ask(f, &(struct file_ask){.op = FILE_FLAGS}, NULL, NULL, &reply)
                       : 0;
}

static int64_t proxy_exchange(struct file *f, node_id_t from, const void *in, size_t in_bytes,
                              void *out, size_t out_size, size_t *out_bytes)
{
    struct file_reply reply = {0};
    struct file_ask a = {
        .op = FILE_EXCHANGE, .in_bytes = (uint32_t)in_bytes, .out_size = (uint32_t)out_size};
    (void)from;
    int64_t r = proxy_ask(f, &a, in, out, &reply);
    *out_bytes = MIN((size_t)reply.bytes, out_size);
    return r;
}

static void proxy_release(struct file *f)
{
    struct proxy *p = f->data;
    if (!p->dead)
        users_release(f->home, f->handle, cluster_self(), p->held);
    list_remove(&p->link);
    heap_free(p);
}

#define ALL_PROXIES                                                                                \
    .name = "remote", .read = proxy_read, .stat = proxy_stat, .set = proxy_set,                    \
    .release = proxy_release
#define STREAMS                                                                                    \
    ALL_PROXIES, .write = proxy_write, .ioctl = proxy_ioctl, .poll = proxy_poll,                   \
                 .poll_queue = proxy_poll_queue
#define WITH_OFFSET ALL_PROXIES, .seek = proxy_seek, .poll = always_ready, .sync = proxy_sync
#define WRITTEN_AT  WITH_OFFSET, .write = proxy_write, .ioctl = proxy_ioctl

static const struct file_ops stream_ops = {STREAMS, .sync = proxy_sync};
static const struct file_ops socket_ops = {STREAMS, .exchange = proxy_exchange};
static const struct file_ops regular_ops = {WRITTEN_AT, .map = proxy_map};
static const struct file_ops directory_ops = {WITH_OFFSET, .list = proxy_list_entries};
static const struct file_ops seekable_ops = {WRITTEN_AT};

// ---- made and found ----------------------------------------------------------------------------
static const struct file_ops *const ops_of[REMOTE_KINDS] = {
    [REMOTE_STREAM] = &stream_ops,       [REMOTE_REGULAR] = &regular_ops,
    [REMOTE_DIRECTORY] = &directory_ops, [REMOTE_SEEKABLE] = &seekable_ops,
    [REMOTE_SOCKET] = &socket_ops,
};

bool proxy_is(const struct file *f)
{
    return f->ops == &stream_ops || f->ops == &regular_ops || f->ops == &directory_ops ||
           f->ops == &seekable_ops || f->ops == &socket_ops;
}

bool proxy_came(const struct file *f)
{
    const struct proxy *p = f->data;
    return p->came;
}

bool proxy_is_tree(const struct file *f)
{
    return f->ops == &regular_ops || (f->ops == &directory_ops && f->place.mount == 0);
}

static void proxy_set_up(struct proxy *p, struct file *f, node_id_t home,
                         const struct opened_reply *r)
{
    f->home = home;
    f->handle = r->handle;
    f->place = r->place;
    f->data = p;
    p->file = f;
    p->held = 1;
    p->kind = (enum remote_kind)r->kind;
    p->dead = !cluster_is_member(home);
    wait_init(&p->changed);
    wait_init(&p->settled);
    list_append(all(), &p->link);
}

struct file *proxy_open(node_id_t home, const struct opened_reply *r, uint32_t flags, bool fresh)
{
    struct proxy *p = proxy_find(home, r->handle);
    if (p) {
        p->held++;
        file_get(p->file);
        return p->file;
    }
    p = heap_zalloc(sizeof(*p));
    struct file *f =
        p && r->kind < REMOTE_KINDS ? file_new(ops_of[r->kind], flags & ~FILE_FLAGS_OWN, p) : NULL;
    if (f == NULL) {
        heap_free(p);
        users_release(home, r->handle, cluster_self(), 1);
        return NULL;
    }
    proxy_set_up(p, f, home, r);
    p->came = !fresh;
    p->own_offset = fresh && p->kind == REMOTE_REGULAR;
    return f;
}

int proxy_adopt(struct file *f, node_id_t home, const struct opened_reply *r)
{
    struct proxy *p = heap_zalloc(sizeof(*p));
    if (p == NULL || r->kind != REMOTE_SOCKET || f->handle != 0) {
        heap_free(p);
        users_release(home, r->handle, cluster_self(), 1);
        return p ? -EPROTO : -ENOMEM;
    }
    struct owner_change owner = file_owner_take(f);
    struct file_owner_facts now;
    struct file old = *f;
    struct list *watch, *watches = &f->ops->poll_queue(f)->watches;
    proxy_set_up(p, f, home, r);
    f->ops = &socket_ops;
    while ((watch = list_pop(watches)) != NULL) // who polls it goes on
        list_append(&p->changed.watches, watch);
    old.ops->release(&old);
    return owner.what ? file_owner_change(f, &owner, &now) : 0;
}

int proxy_image_source(struct file *f, struct io_source *source)
{
    struct file_reply reply;
    struct fs_stat st;
    if (f->ops != &regular_ops)
        return -EACCES;
    const struct inode *i = local_data(f);
    if (i) {
        *source = (struct io_source){
            .kind = IO_image, .bytes = (uint32_t)i->archive_bytes, .object = i->number};
        return 0;
    }
    struct file_ask a = {.op = FILE_IMAGE_BEGIN};
    int64_t r = proxy_ask(f, &a, NULL, NULL, &reply);
    if (r >= 0)
        r = proxy_stat(f, &st);
    if (r < 0)
        return (int)r;
    *source =
        (struct io_source){.kind = IO_file, .bytes = (uint32_t)st.bytes, .object = f->place.inode};
    return st.bytes > UINT32_MAX ? -EFBIG : 0;
}

void fs_ready_told(const struct rpc_in *in)
{
    struct file_ready m;
    if (in->n != sizeof(m)) {
        cluster_count_add("fs: malformed ready", 1);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    struct proxy *p = proxy_find(in->from, m.handle);
    if (p == NULL)
        return; // closed meanwhile
    p->ready++;
    wait_wake_all(&p->changed);
}

// ---- travelling --------------------------------------------------------------------------------
static void ref_of(const struct file *f, enum remote_kind kind, struct file_ref *ref)
{
    *ref = (struct file_ref){.home = f->home,
                             .giver = cluster_self(),
                             .reserved = (uint16_t)kind,
                             .flags = f->flags & ~FILE_FLAGS_OWN,
                             .handle = f->handle,
                             .place = f->place};
}

// The offset goes home before anybody else may use it, with what is under way done first: a write
// that ended later would not be counted in it.
static int offset_home(struct file *f)
{
    struct proxy *p = f->data;
    struct file_reply reply;
    await_homing(p);
    if (!p->own_offset)
        return 0;
    p->homing = true;
    while (p->asking > 0)
        if (wait_sleep(&p->settled, WAIT_FOREVER, 0) < 0)
            break;
    struct file_ask a = {.op = FILE_SEEK, .offset = f->offset};
    int64_t r = proxy_ask(f, &a, NULL, NULL, &reply);
    p->own_offset = p->own_offset && r < 0;
    p->homing = false;
    wait_wake_all(&p->settled);
    return r < 0 ? -EBUSY : 0;
}

static int proxy_export(struct file *f, node_id_t target, struct file_ref *ref, const char **why)
{
    struct proxy *p = f->data;
    struct file_share m = {.handle = f->handle, .node = target};
    *why = "an open file's home is gone";
    if (p->dead)
        return -EBUSY;
    p->exports++;
    int homed = offset_home(f);
    if (homed < 0)
        return homed;
    long e = rpc_call(f->home, MSG_fs_share, &m, sizeof(m), NULL, 0, 0);
    *why = "an open file's home refused another user";
    if (e < 0)
        return e == -ENOMEM ? -ENOMEM : -EBUSY;
    ref_of(f, p->kind, ref);
    return 0;
}

int file_export(struct file *f, node_id_t target, struct file_ref *ref, const char **why)
{
    if (proxy_is(f))
        return proxy_export(f, target, ref, why);
    if (f->flags & FILE_STATELESS) {
        ref_of(f, REMOTE_SEEKABLE, ref);
        ref->handle = 0;
        return 0;
    }
    *why = f->ops->bound;
    if (f->ops->bound)
        return -EBUSY;
    *why = "no memory to keep an open file for another node";
    int e = handle_share(f, cluster_self(), target);
    if (e < 0)
        return e;
    ref_of(f, handle_kind(f), ref);
    return 0;
}

void file_export_undo(struct file *f, node_id_t target, const struct file_ref *ref)
{
    if (ref->handle == 0)
        return;
    if (proxy_is(f))
        users_release(f->home, ref->handle, target, 1);
    else
        handle_take_back(ref->handle, cluster_self(), target);
}

struct file *file_import(const struct file_ref *ref)
{
    struct file *f = NULL;
    node_id_t self = cluster_self();
    if (ref->handle == 0)
        return generated_reopen(ref->place, ref->flags & (O_ACCMODE | O_APPEND | O_NONBLOCK), &f) <
                       0
                   ? NULL
                   : f;
    if (ref->home == self) {
        f = handle_file(ref->handle, self);
        if (f == NULL)
            return NULL;
        file_get(f);
        handle_claim(ref->handle, self, (node_id_t)ref->giver);
        handle_drop_users(ref->handle, self, 1);
        return f;
    }
    users_claim(ref);
    struct opened_reply r = {.handle = ref->handle, .place = ref->place, .kind = ref->reserved};
    return proxy_open(ref->home, &r, ref->flags, false);
}

static void proxies_on_epoch(const struct epoch_change *change)
{
    struct proxy *p;
    (void)change;
    list_for_each (p, all(), link)
        if (!p->dead && !cluster_is_member(p->file->home)) {
            p->dead = true;
            wait_wake_all(&p->changed);
        }
}

static void proxies_start(void)
{
    cluster_on_epoch(proxies_on_epoch);
}
INIT_STEP(INIT_FILES, proxies_start);
