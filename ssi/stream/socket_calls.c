// SPDX-License-Identifier: MIT
// The calls of socket.h: on a socket of this node at once, on another node's by value.
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "net/tcp/tcp.h"
#include "ssi/stream/socket_file.h"
#include "ssi/stream/socket_remote.h"

#define SOMAXCONN 4096

int socket_bind(struct file *f, const struct socket_name *n, const struct socket_cred *by)
{
    struct socket *s = socket_of(f);
    return s ? s->kind->bind(s, n, by->uid == 0) : remote_bind(f, n, by);
}

int socket_connect_step(struct file *f, const struct socket_name *n, const struct socket_cred *by)
{
    struct socket *s = f->data;
    int e = s->kind->connect(s, n, by);
    return e == -ECONNREFUSED && s->family == AF_UNIX ? unix_connect_there(f, n, by, e) : e;
}

int socket_connect(struct file *f, const struct socket_name *n, const struct socket_cred *by)
{
    for (;;) {
        struct socket *s = socket_of(f); // a proxy, once its end was made on another node
        if (s == NULL)
            return remote_connect(f, n, by);
        int e = socket_connect_step(f, n, by);
        if (e != -EAGAIN || (f->flags & O_NONBLOCK))
            return e;
        e = wait_sleep(&s->writable, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
}

// The socket can be used for another attempt.
static int connect_failed(struct socket *s)
{
    const struct socket_name unspec = {.bytes = 2};
    if (s->was_connected) // and already ended by the peer
        return 0;
    int e = socket_take_error(s);
    (void)s->kind->connect(s, &unspec, &s->cred);
    return e < 0 ? e : -ECONNABORTED;
}

int socket_connect_wait(struct file *f, uint64_t deadline_ns)
{
    struct socket *s = socket_of(f);
    if (s == NULL)
        return remote_connect_wait(f, deadline_ns);
    for (;;) {
        (void)s->kind->poll(s); // notices a listener that went away
        if (s->state == SOCKET_CLOSED || s->state == SOCKET_IDLE)
            return connect_failed(s);
        if (s->state != SOCKET_CONNECTING) {
            s->told_connected = true;
            return 0;
        }
        int e = wait_sleep(&s->writable, deadline_ns, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e == -ETIMEDOUT ? -EINPROGRESS : e;
    }
}

int socket_listen(struct file *f, int32_t backlog, const struct socket_cred *by)
{
    struct socket *s = socket_of(f);
    if (s == NULL)
        return remote_listen(f, backlog, by);
    int e = s->kind->listen(s);
    if (e < 0)
        return e;
    s->backlog = backlog < 0 || backlog > SOMAXCONN ? SOMAXCONN : (uint32_t)backlog;
    s->state = SOCKET_LISTENING;
    s->listened = true;
    s->cred = *by;
    return 0;
}

int socket_accept(struct file *f, uint32_t flags, uint64_t deadline_ns, struct file **accepted,
                  struct socket_name *peer)
{
    struct socket *s = socket_of(f), *child;
    if (s == NULL)
        return remote_accept(f, flags, deadline_ns, accepted, peer);
    if (s->type == SOCK_DGRAM || s->type == SOCK_RAW)
        return -EOPNOTSUPP;
    for (;;) {
        if (s->state != SOCKET_LISTENING)
            return -EINVAL;
        if (!list_empty(&s->children))
            break;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int e = wait_sleep(&s->readable, deadline_ns, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e == -ETIMEDOUT ? -EAGAIN : e;
    }
    child = list_entry(s->children.next, struct socket, child_link);
    *accepted = socket_file(child, flags);
    if (*accepted == NULL)
        return -ENOMEM;
    (void)socket_child_take(s);
    child->kind->name_of(child, true, peer);
    s->kind->accepted(s);
    return 0;
}

int socket_name_of(struct file *f, bool peer, struct socket_name *n)
{
    struct socket *s = socket_of(f);
    if (s == NULL)
        return remote_name_of(f, peer, n);
    if (peer && s->state != SOCKET_CONNECTED &&
        !(s->state == SOCKET_CLOSED && s->family == AF_UNIX))
        return -ENOTCONN;
    s->kind->name_of(s, peer, n);
    return 0;
}

int socket_shutdown(struct file *f, int32_t how)
{
    struct socket *s = socket_of(f);
    if (how < 0 || how > 2)
        return -EINVAL;
    return s ? s->kind->shutdown(s, (unsigned)how + 1) : remote_shutdown(f, how);
}

void socket_linger(struct file *f)
{
    struct socket *s = socket_of(f);
    if (s == NULL || !s->linger || s->linger_s <= 0 || s->conn == NULL ||
        s->state != SOCKET_CONNECTED || tcp_readable_bytes(s->conn) > 0)
        return;
    uint64_t deadline_ns = clock_now_ns() + (uint64_t)s->linger_s * NS_PER_S;
    s->shut |= SHUT_WRITE;
    tcp_shutdown_send(s->conn);
    s->lingering = true;
    while (tcp_is_closing(s->conn))
        if (wait_sleep(&s->writable, deadline_ns, WAIT_INTERRUPTIBLE) < 0)
            break;
    s->lingering = false;
}

int socket_set_option(struct file *f, int32_t level, int32_t option, const void *value, size_t n)
{
    struct socket *s = socket_of(f);
    return s ? options_set(s, level, option, value, n)
             : remote_set_option(f, level, option, value, n);
}

long socket_get_option(struct file *f, int32_t level, int32_t option, void *value)
{
    struct socket *s = socket_of(f);
    return s ? options_get(s, level, option, value) : remote_get_option(f, level, option, value);
}

static int remote_fact(struct file *f, int32_t option)
{
    int32_t value[SOCKET_OPTION_BYTES / 4] = {0};
    long n = remote_get_option(f, 1, option, value);
    return n < 0 ? (int)n : value[0];
}

int socket_family(struct file *f)
{
    const struct socket *s = socket_of(f);
    return s ? s->family : remote_fact(f, 39); // SO_DOMAIN
}

int socket_type(struct file *f)
{
    const struct socket *s = socket_of(f);
    return s ? s->type : remote_fact(f, 3); // SO_TYPE
}

uint64_t socket_timeout_ns(struct file *f, bool sending)
{
    struct socket *s = socket_of(f);
    if (s == NULL)
        return 0; // the home tells it when there is something to wait for
    return sending ? s->send_timeout_ns : s->receive_timeout_ns;
}

bool socket_is_stream(struct file *f)
{
    const struct socket *s = socket_of(f);
    return s ? s->type == SOCK_STREAM : remote_is_stream(f);
}

long socket_ioctl(struct file *f, uint32_t request, void *data, size_t *n)
{
    struct socket *s = socket_of(f);
    if (s == NULL)
        return remote_ioctl(f, request, data, n);
    return inet_ioctl(s, request, data, n);
}

// ---- messages ----------------------------------------------------------------------------------
static int send_step(struct file *f, struct socket_message *m)
{
    struct socket *s = socket_of(f);
    if (s == NULL)
        return remote_send(f, m);
    if (s->far_peer && m->name.bytes == 0) {
        unix_name_out(s->peer_name, &m->name);
        m->name.inode = s->peer_name->inode;
    }
    int e = socket_send_step(f, m);
    if (e == -ECONNREFUSED && s->kind == &unix_datagram_kind && m->name.bytes)
        return unix_send_there(f, m, e);
    return e;
}

// Streams: until all is taken; a wait for the rest that ends early leaves what there is.
long socket_send(struct file *f, struct socket_message *m)
{
    struct xfer *x = m->data;
    size_t start = x->done;
    bool stream = socket_is_stream(f);
    for (;;) {
        x->short_copy = false;
        int e = send_step(f, m);
        if (e == 0 && x->short_copy && x->left > 0)
            e = xfer_fault_in(x, false);
        if (e < 0)
            return x->done > start ? (long)(x->done - start) : e;
        if (!stream || x->left == 0)
            return (long)(x->done - start);
    }
}

static void receive_wants(struct file *f, struct socket_message *m)
{
    const struct socket *s = socket_of(f);
    if (s == NULL)
        return;
    m->cred_wanted = s->family == AF_UNIX && s->pass_cred;
    m->ip_wanted = (uint8_t)((s->want_ttl ? SOCKET_WANT_TTL : 0) |
                             (s->want_pktinfo ? SOCKET_WANT_PKTINFO : 0) |
                             (s->want_destination ? SOCKET_WANT_DESTINATION : 0) |
                             (s->want_tos ? SOCKET_WANT_TOS : 0) | s->timestamp);
    m->to_port = s->local.port;
    m->low_water = (uint32_t)s->low_water;
}

long socket_receive(struct file *f, struct socket_message *m)
{
    struct xfer *x = m->data;
    size_t start = x->done;
    bool stream = socket_is_stream(f), all = m->flags & MSG_WAITALL;
    uint32_t flags = m->flags;
    bool enough = false;
    receive_wants(f, m);
    for (;;) {
        size_t before = x->done;
        x->short_copy = false;
        m->flags = flags | (enough || flags & MSG_OOB ? MSG_DONTWAIT : 0);
        int e = socket_of(f) ? socket_receive_step(f, m) : remote_receive(f, m);
        bool again = e == 0 && x->short_copy && x->left > 0;
        if (again)
            e = xfer_fault_in(x, true);
        if (e < 0)
            return x->done > start ? (long)(x->done - start) : e;
        if (!stream || x->left == 0 || m->file_count > 0)
            break;
        enough = !all && x->done > start && x->done - start >= m->low_water;
        if (!again && (enough || x->done == before))
            break;
    }
    m->flags = flags;
    return (long)(x->done - start);
}
