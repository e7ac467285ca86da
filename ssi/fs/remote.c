// SPDX-License-Identifier: MIT
// Names of the tree when its home is another node, and what the home tells the others about files
// of the archive. Requests are checked here, at the edge, before the tree sees them.
#include "ssi/fs/remote.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/fs/notify.h"
#include "ssi/fs/proxy.h"
#include "ssi/fs/tree.h"

#define TEXT_BYTES_MAX PATH_MAX_BYTES

NODE_VAR(node_id_t, home_before) = NODE_NONE;

bool fs_is_home(void)
{
    node_id_t self = cluster_self();
    return self == NODE_NONE || cluster_fs_home() == self;
}

// ---- asking the home ---------------------------------------------------------------------------
static size_t ask_write(const struct name_call *c, uint8_t *to)
{
    struct name_ask a = {.in = c->in, .who = *c->who};
    a.path_bytes = (uint32_t)strlen(c->path) + 1;
    a.other_bytes = c->other ? (uint32_t)strlen(c->other) + 1 : 0;
    a.data_bytes = (uint32_t)c->data_bytes;
    a.text_size = (uint32_t)MIN(c->text_size, TEXT_BYTES_MAX);
    memcpy(to, &a, sizeof(a));
    memcpy(to + sizeof(a), c->path, a.path_bytes);
    uint8_t *end = to + sizeof(a) + a.path_bytes;
    if (a.other_bytes)
        memcpy(end, c->other, a.other_bytes);
    if (a.data_bytes)
        memcpy(end + a.other_bytes, c->data, a.data_bytes);
    return sizeof(a) + a.path_bytes + a.other_bytes + a.data_bytes;
}

// The walk left the tree: what is left of the path comes from the reply.
static int crossed(struct name_call *c, const struct name_reply *r, const char *text)
{
    uint8_t op = c->in.op;
    char *rest = heap_alloc(r->text_bytes + 1);
    if (rest == NULL)
        return -ENOMEM;
    memcpy(rest, text, r->text_bytes);
    rest[r->text_bytes] = '\0';
    heap_free(c->owned);
    c->path = c->owned = rest;
    c->in = r->in;
    c->in.op = op;
    return c->in.at.mount != 0 ? NAME_CROSSED : -EPROTO;
}

static int opened(struct name_call *c, node_id_t home)
{
    struct opened_reply r = {.handle = c->out.handle,
                             .place = c->out.place,
                             .kind = c->out.open_flags & ~REMOTE_MODIFIED,
                             .mode = c->out.st.mode};
    uint32_t flags = c->in.flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    if (c->other) // a memfd
        flags &= ~(uint32_t)(O_TMPFILE | O_DIRECTORY);
    struct inode *i = tree_ready() ? inode_find(r.place.inode) : NULL;
    if (i && i->archived && (c->out.open_flags & REMOTE_MODIFIED))
        i->modified = true;
    c->file = proxy_open(home, &r, flags, true);
    return c->file ? 0 : -ENOMEM;
}

static int reply_read(struct name_call *c, node_id_t home, const uint8_t *bytes, size_t n)
{
    struct name_reply r;
    if (n < sizeof(r))
        return -EPROTO;
    memcpy(&r, bytes, sizeof(r));
    const char *text = (const char *)bytes + sizeof(r);
    if (r.text_bytes > n - sizeof(r))
        return -EPROTO;
    if (r.result == NAME_CROSSED)
        return crossed(c, &r, text);
    if (r.result < 0)
        return r.result;
    c->out = r.out;
    c->text_bytes = MIN(c->text_size, (size_t)r.text_bytes);
    if (c->text_bytes)
        memcpy(c->text, text, c->text_bytes);
    if (c->in.op == NAME_OPEN || c->in.op == NAME_NOTIFY || c->in.op == NAME_QUEUE)
        return opened(c, home);
    return 0;
}

int remote_perform(struct name_call *c)
{
    size_t other = c->other ? strlen(c->other) + 1 : 0;
    size_t ask = sizeof(struct name_ask) + strlen(c->path) + 1 + other + c->data_bytes;
    size_t answer = sizeof(struct name_reply) + TEXT_BYTES_MAX;
    if (strlen(c->path) >= PATH_MAX_BYTES || other > PATH_MAX_BYTES)
        return -ENAMETOOLONG;
    uint8_t *bytes = heap_alloc(ask + answer);
    if (bytes == NULL)
        return -ENOMEM;
    int e;
    node_id_t home;
    do { // a home that is no longer one says so: ask the next
        home = cluster_fs_home();
        size_t n = ask_write(c, bytes);
        long got = home == cluster_self()
                       ? -ESTALE
                       : rpc_call(home, MSG_fs_name, bytes, n, bytes + ask, answer, 0);
        e = got < 0 ? (int)got : reply_read(c, home, bytes + ask, (size_t)got);
    } while ((e == -ESTALE || e == -EHOSTDOWN) && home != cluster_fs_home() && !fs_is_home());
    heap_free(bytes);
    if (e == -ESTALE && fs_is_home())
        return tree_perform(c); // it became this node meanwhile
    return e == -EHOSTDOWN ? -EIO : e;
}

// ---- answering as the home ---------------------------------------------------------------------
static bool string_good(const char *s, size_t n)
{
    return n > 0 && n <= PATH_MAX_BYTES && strnlen(s, n) == n - 1;
}

static bool ask_good(const struct name_ask *a, const char *strings, size_t n)
{
    if (a->in.op == 0 || a->in.op >= NAME_OPS || a->in.at.mount != 0 ||
        (a->in.other_at.mount != 0 && a->in.op != NAME_MOUNT))
        return false;
    if (a->who.group_count > FS_GROUPS_MAX || a->text_size > TEXT_BYTES_MAX)
        return false;
    if (a->path_bytes > n || a->other_bytes > n - a->path_bytes ||
        a->data_bytes != n - a->path_bytes - a->other_bytes || !string_good(strings, a->path_bytes))
        return false;
    bool sets = a->in.op == NAME_XATTR && a->in.mode == FS_XATTR_SET;
    if (sets ? a->data_bytes > FS_XATTR_BYTES_MAX : a->data_bytes != 0)
        return false;
    bool wants_other = a->in.op == NAME_RENAME || a->in.op == NAME_LINK ||
                       a->in.op == NAME_SYMLINK || a->in.op == NAME_MOUNT;
    wants_other = wants_other || (a->in.op == NAME_OPEN && a->other_bytes) ||
                  (a->in.op == NAME_XATTR && a->in.mode != FS_XATTR_LIST);
    return wants_other ? string_good(strings + a->path_bytes, a->other_bytes) : a->other_bytes == 0;
}

// An opened file is kept for the asker.
static int open_for(struct name_call *c, node_id_t asker)
{
    int e = handle_add_user(c->file, asker);
    if (e == 0) {
        c->out.handle = c->file->handle;
        c->out.place = c->file->place;
        c->out.open_flags = handle_kind(c->file);
        if (tree_file_is(c->file) && tree_file_inode(c->file)->modified)
            c->out.open_flags |= REMOTE_MODIFIED;
        e = file_stat(c->file, &c->out.st);
        if (e < 0)
            e = 0; // what has no attributes is open all the same
    }
    file_put(c->file);
    return e;
}

static void name_answer(const struct rpc_in *in, const struct name_ask *a, const char *strings,
                        uint8_t *reply)
{
    struct name_reply r = {0};
    char *text = (char *)reply + sizeof(r);
    struct name_call c = {
        .in = a->in,
        .who = &a->who,
        .path = strings,
        .other = a->other_bytes ? strings + a->path_bytes : NULL,
        .data = strings + a->path_bytes + a->other_bytes,
        .data_bytes = a->data_bytes,
        .text = text,
        .text_size = a->text_size,
    };
    if (a->in.op == NAME_WATCH)
        c.on = handle_file(a->in.value, in->from);
    bool no_instance = a->in.op == NAME_WATCH && (c.on == NULL || !notify_is(c.on));
    r.result = no_instance ? -EINVAL : tree_perform(&c);
    if (r.result == 0 && c.file)
        r.result = open_for(&c, in->from);
    r.text_bytes = r.result == 0 ? (uint32_t)c.text_bytes : 0;
    if (r.result == NAME_CROSSED) {
        r.text_bytes = (uint32_t)strlen(c.path);
        memcpy(text, c.path, r.text_bytes);
    }
    r.in = c.in;
    r.out = c.out;
    memcpy(reply, &r, sizeof(r));
    heap_free(c.owned);
    rpc_reply(in->from, in->request, 0, reply, sizeof(r) + r.text_bytes);
}

void fs_name_asked(const struct rpc_in *in)
{
    struct name_ask a = {0};
    const char *strings = (const char *)in->bytes + sizeof(a);
    if (in->n >= sizeof(a))
        memcpy(&a, in->bytes, sizeof(a));
    if (in->n < sizeof(a) || !ask_good(&a, strings, in->n - sizeof(a))) {
        cluster_count_add("fs: malformed name request", 1);
        rpc_reply(in->from, in->request, -EPROTO, NULL, 0);
        return;
    }
    uint8_t *reply = fs_is_home() ? heap_alloc(sizeof(struct name_reply) + PATH_MAX_BYTES) : NULL;
    if (reply == NULL) {
        rpc_reply(in->from, in->request, fs_is_home() ? -ENOMEM : -ESTALE, NULL, 0);
        return;
    }
    name_answer(in, &a, strings, reply);
    heap_free(reply);
}

// ---- archived files that are no longer as archived ---------------------------------------------
void remote_announce_modified(struct inode *i)
{
    struct modified_tell m = {.inode = i->number};
    node_id_t self = cluster_self();
    i->modified = true; // from here on an open tells it to joiners
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        if (n == self)
            continue;
        long e = rpc_call(n, MSG_fs_modified, &m, sizeof(m), NULL, 0, 0);
        if (e < 0 && cluster_is_member(n))
            cluster_count_add("fs: a node was not told of a modified file", 1);
    }
}

void fs_modified_told(const struct rpc_in *in)
{
    struct modified_tell m;
    struct inode *i = NULL;
    if (in->n == sizeof(m) && in->from == cluster_fs_home() && tree_ready()) {
        memcpy(&m, in->bytes, sizeof(m));
        i = inode_find(m.inode);
    }
    if (i && i->archived)
        i->modified = true;
    else
        cluster_count_add("fs: modified file that is none", 1);
    rpc_reply(in->from, in->request, 0, NULL, 0);
}

// ---- bytes for pages ---------------------------------------------------------------------------
static long inode_read_here(uint64_t number, uint64_t offset, void *to, size_t n)
{
    struct xfer x;
    struct inode *i = tree_ready() ? inode_find(number) : NULL;
    if (i == NULL || !inode_is(i, S_IFREG))
        return -EIO;
    xfer_kernel(&x, to, n);
    inode_get(i);
    int e = tree_read(i, offset, &x);
    inode_put(i);
    return e < 0 ? e : (long)x.done;
}

long remote_inode_read(uint64_t number, uint64_t offset, void *to, size_t n)
{
    struct inode_ask a = {.inode = number, .offset = offset, .bytes = (uint32_t)n};
    if (fs_is_home())
        return inode_read_here(number, offset, to, n);
    return rpc_call(cluster_fs_home(), MSG_fs_inode, &a, sizeof(a), to, n, 0);
}

void fs_inode_asked(const struct rpc_in *in)
{
    struct inode_ask a = {0};
    long n = -EPROTO;
    if (in->n == sizeof(a))
        memcpy(&a, in->bytes, sizeof(a));
    uint8_t *page = a.bytes > 0 && a.bytes <= PAGE_SIZE ? heap_alloc(PAGE_SIZE) : NULL;
    if (page)
        n = fs_is_home() ? inode_read_here(a.inode, a.offset, page, a.bytes) : -ESTALE;
    rpc_reply(in->from, in->request, (int)MIN(n, 0), page, n > 0 ? (size_t)n : 0);
    heap_free(page);
}

int remote_open_generated(node_id_t on, struct fs_place place, uint32_t flags, struct file **f)
{
    struct generated_ask a = {.place = place, .flags = flags & (O_ACCMODE | O_NONBLOCK)};
    struct opened_reply r;
    long n = rpc_call(on, MSG_fs_generated, &a, sizeof(a), &r, sizeof(r), 0);
    if (n != sizeof(r))
        return n < 0 ? (n == -EHOSTDOWN ? -EIO : (int)n) : -EPROTO;
    *f = proxy_open(on, &r, flags & (O_ACCMODE | O_NONBLOCK), true);
    return *f ? 0 : -ENOMEM;
}

// A new home has the archive as it was: so have all.
static void remote_on_epoch(const struct epoch_change *change)
{
    node_id_t home = cluster_fs_home();
    (void)change;
    if (node(home_before) != NODE_NONE && node(home_before) != home)
        inodes_forget_modified();
    node(home_before) = home;
}

static void remote_start(void)
{
    cluster_on_epoch(remote_on_epoch);
}
INIT_STEP(INIT_FILES, remote_start);
