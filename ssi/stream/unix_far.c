// SPDX-License-Identifier: MIT
// AF_UNIX between nodes. A connection lives on the listener's node: who connects from another one
// gets a proxy of the end that is made there. Datagrams are carried over one by one.
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/fs/proxy.h"
#include "ssi/stream/socket_file.h"
#include "ssi/stream/socket_remote.h"

#define FULL_RETRY_NS (10 * NS_PER_MS)
#define FAR_FILES_MAX 64u
#define FAR_DATA_MAX  (RPC_BYTES_MAX - 2048u)

struct far_connect {
    struct socket_name to, own; // own: bound name of the connecting end, or bytes 0
    struct socket_cred cred;
    uint16_t type;
    uint8_t pass_cred, reserved;
    uint32_t flags;
    uint64_t receive_timeout_ns, send_timeout_ns;
} PACKED;

struct far_message { // then files, then data
    struct socket_name to, from;
    struct socket_cred cred;
    uint16_t file_count, reserved;
    uint32_t data_bytes;
} PACKED;

static bool name_good(const struct socket_name *n)
{
    return n->bytes <= SOCKET_NAME_BYTES;
}

// ---- connections -------------------------------------------------------------------------------
static int end_make(const struct far_connect *m, struct file **made)
{
    struct file *f;
    int e = socket_open(AF_UNIX, m->type | (m->flags & O_NONBLOCK), 0, &m->cred, &f);
    if (e < 0)
        return e;
    struct socket *s = socket_of(f);
    s->pass_cred = m->pass_cred;
    s->receive_timeout_ns = m->receive_timeout_ns;
    s->send_timeout_ns = m->send_timeout_ns;
    if (m->own.bytes) {
        s->name = unix_name_new(&m->own);
        s->bound = s->name != NULL;
    }
    struct socket *listener = unix_find(&m->to, m->type);
    e = listener ? unix_connect_here(s, listener, &m->cred) : -ECONNREFUSED;
    s->waits_for = NULL;
    if (e < 0)
        file_put(f);
    else
        *made = f;
    return e;
}

void unix_on_connect(const struct rpc_in *in)
{
    struct far_connect m;
    struct opened_reply r = {0};
    struct file *f;
    int e = -EPROTO;
    if (in->n == sizeof(m)) {
        memcpy(&m, in->bytes, sizeof(m));
        e = name_good(&m.to) && name_good(&m.own) ? end_make(&m, &f) : -EPROTO;
    } else {
        cluster_count_add("socket: malformed connect", 1);
    }
    if (e == 0) {
        e = handle_add_user(f, in->from);
        r = (struct opened_reply){.handle = f->handle, .kind = handle_kind(f)};
        file_put(f);
    }
    rpc_reply(in->from, in->request, e, &r, sizeof(r));
}

static int connect_at(node_id_t node, struct file *f, const struct socket_name *n)
{
    struct socket *s = f->data;
    struct opened_reply r;
    struct far_connect m = {.to = *n,
                            .cred = s->cred,
                            .type = s->type,
                            .pass_cred = s->pass_cred,
                            .flags = f->flags,
                            .receive_timeout_ns = s->receive_timeout_ns,
                            .send_timeout_ns = s->send_timeout_ns};
    if (s->name)
        unix_name_out(s->name, &m.own);
    m.own.inode = s->name ? s->name->inode : 0;
    for (;;) {
        long e = rpc_call(node, MSG_socket_connect, &m, sizeof(m), &r, sizeof(r), 0);
        if (e == -EHOSTDOWN)
            return -ECONNREFUSED;
        if (e == (long)sizeof(r))
            return proxy_adopt(f, node, &r);
        if (e != -EAGAIN || (f->flags & O_NONBLOCK))
            return e < 0 ? (int)e : -EPROTO;
        e = wait_for_ns(FULL_RETRY_NS, WAIT_INTERRUPTIBLE); // its queue is full
        if (e < 0)
            return (int)e;
    }
}

int unix_connect_there(struct file *f, const struct socket_name *n, const struct socket_cred *by,
                       int error)
{
    struct socket *s = f->data;
    node_id_t node = unix_find_node(n, s->type);
    if (node == NODE_NONE || socket_of(f) == NULL || s->state != SOCKET_IDLE)
        return error;
    if (s->type == SOCK_DGRAM) {
        unix_name_put(s->peer_name);
        s->peer_name = unix_name_new(n);
        s->far_peer = s->peer_name != NULL;
        s->state = s->far_peer ? SOCKET_CONNECTED : s->state;
        return s->far_peer ? 0 : -ENOMEM;
    }
    if (f->handle != 0) // other nodes use it: it cannot go elsewhere
        return error;
    s->cred = *by;
    return connect_at(node, f, n);
}

// ---- datagrams ---------------------------------------------------------------------------------
static int far_deliver(const struct far_message *m, const uint8_t *refs, const uint8_t *data)
{
    struct socket *to = unix_find(&m->to, SOCK_DGRAM);
    if (to == NULL || to->type != SOCK_DGRAM)
        return to ? -EPROTOTYPE : -ECONNREFUSED;
    if (to->shut & SHUT_READ)
        return -EPIPE;
    if (to->inbox_count > UNIX_DATAGRAMS_MAX)
        return -EAGAIN;
    struct packet *p = packet_new(m->data_bytes);
    if (p == NULL)
        return -ENOMEM;
    p->n = m->data_bytes;
    p->cred = m->cred;
    memcpy(p->bytes, data, p->n);
    p->name = m->from.bytes > 2 ? unix_name_new(&m->from) : NULL;
    p->files = m->file_count ? heap_zalloc(m->file_count * sizeof(*p->files)) : NULL;
    if (m->file_count && p->files == NULL) {
        packet_put(p);
        return -ENOMEM;
    }
    for (uint32_t k = 0; k < m->file_count; k++) {
        struct file_ref ref;
        memcpy(&ref, refs + k * sizeof(ref), sizeof(ref));
        struct file *f = file_import(&ref);
        if (f)
            p->files[p->file_count++] = f;
    }
    to = unix_find(&m->to, SOCK_DGRAM); // it may have slept
    if (to)
        packet_append(to, p);
    else
        packet_put(p); // it came, with its files, and was closed unread
    return 0;
}

void unix_on_message(const struct rpc_in *in)
{
    struct far_message m = {0};
    int e = -EPROTO;
    bool good = in->n >= sizeof(m);
    if (good)
        memcpy(&m, in->bytes, sizeof(m));
    size_t files = m.file_count * sizeof(struct file_ref);
    good = good && m.file_count <= FAR_FILES_MAX && name_good(&m.to) && name_good(&m.from) &&
           m.data_bytes <= FAR_DATA_MAX && in->n == sizeof(m) + files + m.data_bytes;
    const uint8_t *refs = (const uint8_t *)in->bytes + sizeof(m);
    if (good)
        e = far_deliver(&m, refs, refs + files);
    else
        cluster_count_add("socket: malformed message", 1);
    rpc_reply(in->from, in->request, e, NULL, 0);
}

static int export_files(struct socket_message *m, node_id_t to, struct file_ref *refs)
{
    const char *why;
    for (uint32_t k = 0; k < m->file_count; k++) {
        int e = file_export(m->files[k], to, &refs[k], &why);
        if (e < 0) {
            while (k-- > 0)
                file_export_undo(m->files[k], to, &refs[k]);
            return e;
        }
    }
    return 0;
}

// One attempt.
static int send_to(node_id_t node, struct far_message *w, struct socket_message *m,
                   const uint8_t *data)
{
    size_t files = m->file_count * sizeof(struct file_ref), n = sizeof(*w) + files + w->data_bytes;
    uint8_t *bytes = heap_alloc(n);
    if (bytes == NULL)
        return -ENOMEM;
    struct file_ref *refs = (struct file_ref *)(bytes + sizeof(*w));
    memcpy(bytes, w, sizeof(*w));
    memcpy(bytes + sizeof(*w) + files, data, w->data_bytes);
    int e = export_files(m, node, refs);
    if (e == 0) {
        e = (int)rpc_call(node, MSG_socket_message, bytes, n, NULL, 0, 0);
        for (uint32_t k = 0; e < 0 && k < m->file_count; k++)
            file_export_undo(m->files[k], node, &refs[k]);
    }
    heap_free(bytes);
    return e == -EHOSTDOWN ? -ECONNREFUSED : e;
}

int unix_send_there(struct file *f, struct socket_message *m, int error)
{
    struct socket *s = f->data;
    struct far_message w = {.to = m->name, .cred = m->cred, .file_count = (uint16_t)m->file_count};
    struct xfer start = *m->data;
    node_id_t node = unix_find_node(&m->name, SOCK_DGRAM);
    if (node == NODE_NONE)
        return error;
    if (m->data->left > FAR_DATA_MAX || m->file_count > FAR_FILES_MAX)
        return -EMSGSIZE;
    w.data_bytes = (uint32_t)m->data->left;
    if (s->name)
        unix_name_out(s->name, &w.from);
    uint8_t *data = heap_alloc(MAX(w.data_bytes, 1u));
    if (data == NULL)
        return -ENOMEM;
    int e = w.data_bytes ? xfer_take_all(m->data, data, w.data_bytes) : 0;
    while (e == 0 && (e = send_to(node, &w, m, data)) == -EAGAIN) {
        if ((m->flags & MSG_DONTWAIT) || (f->flags & O_NONBLOCK) ||
            clock_now_ns() >= m->deadline_ns)
            break;
        e = wait_for_ns(FULL_RETRY_NS, WAIT_INTERRUPTIBLE);
    }
    heap_free(data);
    if (e < 0)
        *m->data = start;
    return e;
}
