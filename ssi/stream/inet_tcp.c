// SPDX-License-Identifier: MIT
// TCP sockets (tcp(7)). A connection whose other end is a socket of this node is joined to it
// directly (joined.c): no segments, no timers. All others are connections of net/tcp.
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "net/sockets.h"
#include "net/tcp/tcp.h"
#include "ssi/stream/socket_priv.h"

#define BOUNCE_BYTES 4096u
#define LOOPBACK     0x7f000001u

// ---- connections of the stack ------------------------------------------------------------------
static void on_event(void *arg, struct tcp_conn *c, unsigned events)
{
    struct socket *s = arg;
    unsigned wake = events & TCP_READABLE ? WAKE_READ : 0;
    if (events & TCP_URGENT)
        urgent_tell(s);
    if (events & TCP_CONNECTED && s->state == SOCKET_CONNECTING) {
        s->state = SOCKET_CONNECTED;
        s->was_connected = true;
        wake = WAKE_READ | WAKE_WRITE;
    }
    if (events & TCP_FAILED) {
        s->error = tcp_error(c);
        s->state = SOCKET_CLOSED;
        wake = WAKE_READ | WAKE_WRITE;
    }
    if (events & TCP_WRITABLE)
        wake |= WAKE_WRITE;
    if (s->lingering)
        wait_wake_all(&s->writable);
    if (wake)
        socket_wake(s, wake);
}

// ---- listeners: those that share a port share its connections ----------------------------------
static bool hears(const struct socket *s, struct net_address to, bool exactly)
{
    return s->state == SOCKET_LISTENING && s->local.port == to.port &&
           s->local.ip == (exactly ? to.ip : 0);
}

// Of the listeners that are bound to the address, else of those that are bound to all: by who
// connects, so that each gets its share.
static struct socket *listener_find(struct net_address to, struct net_address from)
{
    for (int exactly = 1; exactly >= 0; exactly--) {
        struct socket *s;
        uint32_t n = 0, k = (from.ip ^ from.port) * 2654435761u >> 16;
        list_for_each (s, inet_ports(INET_TCP, to.port), port_link)
            n += hears(s, to, exactly);
        k = n ? k % n : 0;
        list_for_each (s, inet_ports(INET_TCP, to.port), port_link)
            if (hears(s, to, exactly) && k-- == 0)
                return s;
    }
    return NULL;
}

static void on_accept(void *arg, struct tcp_conn *c)
{
    struct socket *listener = listener_find(tcp_local(c), tcp_peer(c));
    listener = listener ? listener : arg;
    bool room = listener->child_count <= listener->backlog;
    struct socket *child = room ? socket_new(&tcp_kind, AF_INET, SOCK_STREAM) : NULL;
    if (child == NULL) {
        tcp_abort(c);
        return;
    }
    options_inherit(child, listener);
    child->conn = c;
    child->remote = tcp_peer(c);
    inet_port_share(child, tcp_local(c));
    child->state = SOCKET_CONNECTED;
    child->was_connected = true;
    options_apply(child);
    tcp_set_events(c, on_event, child);
    socket_child_add(listener, child);
}

static int conn_send(struct socket *s, struct socket_message *m)
{
    struct xfer *x = m->data;
    size_t before = x->done;
    if (s->error)
        return socket_take_error(s);
    if (s->state == SOCKET_CONNECTING)
        return -EAGAIN;
    if ((s->shut & SHUT_WRITE) || s->state != SOCKET_CONNECTED)
        return -EPIPE;
    if (x->left == 0)
        return 0;
    char *bytes = heap_alloc(BOUNCE_BYTES);
    if (bytes == NULL)
        return -ENOMEM;
    long e = 0;
    while (x->left > 0 && e >= 0 && s->state == SOCKET_CONNECTED) {
        size_t room = tcp_writable_bytes(s->conn), want = MIN(room, x->left);
        want = MIN(want, (size_t)BOUNCE_BYTES);
        if (room == 0) {
            tcp_want_writable(s->conn);
            break;
        }
        struct xfer start = *x;
        size_t got = xfer_take(x, bytes, want);
        bool last = x->left == 0 || got == room;
        long (*send)(struct tcp_conn * c, const void *bytes, size_t n) =
            m->flags & MSG_OOB && last ? tcp_send_urgent
            : m->flags & MSG_MORE      ? tcp_send_more
                                       : tcp_send;
        e = got == 0 ? 0 : send(s->conn, bytes, got);
        if (e < (long)got) { // memory is short: what was not taken goes back
            bool short_copy = x->short_copy;
            *x = start;
            xfer_take(x, bytes, (size_t)MAX(e, 0));
            x->short_copy = short_copy;
            break;
        }
        if (got < want)
            break;
    }
    heap_free(bytes);
    if (x->done > before || x->short_copy)
        return 0;
    return e < 0 ? (int)e : -EAGAIN;
}

static int conn_receive_nothing(struct socket *s)
{
    if (s->error)
        return socket_take_error(s);
    if (s->state == SOCKET_CONNECTING)
        return -EAGAIN;
    if ((s->shut & SHUT_READ) || s->state != SOCKET_CONNECTED || tcp_ended(s->conn))
        return 0;
    return -EAGAIN;
}

// m->full: bytes that this call has peeked at already.
static int conn_receive(struct socket *s, struct socket_message *m)
{
    struct xfer *x = m->data;
    bool peek = m->flags & MSG_PEEK;
    size_t skip = peek ? m->full : 0, before = x->done;
    if (tcp_readable_bytes(s->conn) <= skip)
        return conn_receive_nothing(s);
    while (x->left > 0) {
        size_t n;
        const void *bytes = tcp_view(s->conn, skip, &n);
        n = MIN(n, x->left);
        if (n == 0)
            break;
        size_t put = xfer_put(x, bytes, n); // never sleeps: the bytes stay where they are
        if (peek)
            skip += put;
        else
            tcp_consume(s->conn, put);
        if (put < n)
            break;
    }
    m->full += peek ? (uint32_t)(x->done - before) : 0;
    return 0;
}

static unsigned conn_poll(struct socket *s)
{
    unsigned now = s->error ? POLL_ERR : 0;
    if (s->state == SOCKET_CONNECTING)
        return now;
    bool dead = s->state != SOCKET_CONNECTED;
    bool read_over = dead || tcp_ended(s->conn) || (s->shut & SHUT_READ);
    bool write_over = dead || (s->shut & SHUT_WRITE);
    size_t waits = tcp_readable_bytes(s->conn);
    if (read_over || waits >= (size_t)s->low_water || (waits > 0 && tcp_is_full(s->conn)))
        now |= POLL_IN;
    now |= read_over ? POLL_RDHUP : 0;
    now |= read_over && write_over ? POLL_HUP : 0;
    if (write_over || tcp_writable_bytes(s->conn) > 0)
        now |= POLL_OUT;
    else
        tcp_want_writable(s->conn);
    return now;
}

// ---- connecting --------------------------------------------------------------------------------
static int join(struct socket *s, struct socket *listener)
{
    struct socket *child = socket_new(&tcp_kind, AF_INET, SOCK_STREAM);
    if (child == NULL)
        return -ENOMEM;
    options_inherit(child, listener);
    child->remote = s->local;
    inet_port_share(child, s->remote);
    joined_connect(s, child);
    held_connect(s, child);
    if (listener->defer_retries)
        defer_child(listener, child);
    else
        socket_child_add(listener, child);
    socket_wake(s, WAKE_WRITE);
    return 0;
}

static void unbind(struct socket *s)
{
    if (s->bound)
        return;
    inet_port_drop(s);
    s->local = (struct net_address){0, 0};
}

static void refused(struct socket *s, int error)
{
    s->state = SOCKET_CLOSED;
    socket_fail(s, error);
}

static int connect_local(struct socket *s)
{
    struct socket *listener = listener_find(s->remote, s->local);
    if (listener == NULL) {
        refused(s, -ECONNREFUSED);
        return -EINPROGRESS;
    }
    if (listener->child_count > listener->backlog) { // as a SYN that is dropped and sent again
        s->waits_for = listener;
        return -EINPROGRESS;
    }
    int e = join(s, listener);
    if (e < 0) {
        s->state = SOCKET_IDLE;
        unbind(s);
    }
    return e < 0 ? e : -EINPROGRESS;
}

// A port that the kernel itself listens on: its connection is one of the stack, through loopback.
static bool kernel_listens(struct net_address to)
{
    const struct socket *s;
    list_for_each (s, inet_ports(INET_TCP, to.port), port_link)
        if (s->tcp_listener && s->local.port == to.port)
            return false;
    return tcp_port_taken(to.port);
}

static int connect_remote(struct socket *s)
{
    int e;
    unsigned flags = s->no_delay ? TCP_NODELAY : 0;
    struct tcp_tuning tuning = options_tuning(s);
    s->conn = tcp_connect_from(s->local, s->remote, flags, &tuning, on_event, s, &e);
    options_apply(s);
    if (s->conn)
        return -EINPROGRESS;
    s->state = SOCKET_IDLE;
    unbind(s);
    return e;
}

static int connect_begin(struct socket *s, struct net_address to)
{
    struct net_address from = s->local;
    if (to.ip == 0)
        to.ip = LOOPBACK;
    if (net_is_broadcast(to.ip) || to.ip >> 28 >= 0xe)
        return -ENETUNREACH;
    int e = from.ip == 0 ? inet_source(to.ip, &from.ip) : 0;
    if (e == 0 && s->local.port == 0)
        e = inet_port_bind(s, from);
    if (e < 0)
        return e;
    s->local.ip = from.ip;
    s->remote = to;
    s->state = SOCKET_CONNECTING;
    s->told_connected = false;
    if (inet_is_local(to.ip) && !kernel_listens(to))
        return connect_local(s);
    return connect_remote(s);
}

// The stack's listener of the port goes on for another socket that shares it.
static void unlisten(struct socket *s)
{
    struct socket *o;
    struct tcp_listener *l = s->tcp_listener;
    s->tcp_listener = NULL;
    if (l == NULL)
        return;
    list_for_each (o, inet_ports(INET_TCP, s->local.port), port_link)
        if (o != s && o->state == SOCKET_LISTENING && o->local.port == s->local.port &&
            o->local.ip >> 24 != 127) {
            tcp_listener_give(l, o);
            o->tcp_listener = l;
            return;
        }
    tcp_unlisten(l);
}

// connect(2) with AF_UNSPEC.
static int disconnect(struct socket *s)
{
    unlisten(s);
    socket_children_end(s);
    if (s->conn)
        tcp_abort(s->conn);
    s->conn = NULL;
    joined_end(s);
    packets_drop(s);
    held_forget(s);
    s->urgent = TCP_URGENT_NONE;
    s->waits_for = NULL;
    s->state = SOCKET_IDLE;
    s->was_connected = false;
    s->shut = 0;
    s->error = 0;
    s->remote = (struct net_address){0, 0};
    unbind(s);
    return 0;
}

static int tcp_socket_connect(struct socket *s, const struct socket_name *n,
                              const struct socket_cred *by)
{
    struct net_address to;
    (void)by;
    if (socket_name_is_none(n))
        return disconnect(s);
    if (n->bytes < 2)
        return -EINVAL;
    int e;
    if (s->state == SOCKET_CLOSED && !s->was_connected) { // the outcome of the one before
        e = socket_take_error(s);
        (void)disconnect(s);
        return e < 0 ? e : -ECONNABORTED;
    }
    switch (s->state) {
    case SOCKET_IDLE:
        e = inet_name_parse(n, &to);
        return e < 0 ? e : connect_begin(s, to);
    case SOCKET_CONNECTING:
        return -EALREADY;
    case SOCKET_CONNECTED:
        if (s->told_connected || s->remote.port == 0)
            return -EISCONN;
        s->told_connected = true;
        return 0;
    case SOCKET_LISTENING:
    case SOCKET_CLOSED:
        break;
    }
    return -EISCONN;
}

// ---- listening ---------------------------------------------------------------------------------
static bool listened(const struct socket *s)
{
    const struct socket *o;
    list_for_each (o, inet_ports(INET_TCP, s->local.port), port_link) {
        bool overlap = o->local.ip == 0 || s->local.ip == 0 || o->local.ip == s->local.ip;
        if (o != s && o->local.port == s->local.port && o->state == SOCKET_LISTENING && overlap &&
            !(o->reuse_port && s->reuse_port))
            return true;
    }
    return false;
}

static int tcp_socket_listen(struct socket *s)
{
    if (s->state != SOCKET_IDLE && s->state != SOCKET_LISTENING)
        return -EINVAL;
    if (s->state == SOCKET_LISTENING)
        return 0;
    int e = s->local.port ? 0 : inet_port_bind(s, (struct net_address){s->local.ip, 0});
    if (e < 0)
        return e;
    if (listened(s))
        return -EADDRINUSE;
    s->bound = true;
    if (s->local.ip >> 24 == 127 || tcp_port_taken(s->local.port))
        return 0; // nobody reaches it from outside, or one that shares the port hears for both
    s->tcp_listener = tcp_listen(s->local.port, 0, on_accept, s);
    options_apply(s);
    return s->tcp_listener ? 0 : -ENOMEM;
}

// A connect that found the queue full goes on.
static void tcp_accepted(struct socket *listener)
{
    struct socket *s;
    if (listener->child_count > listener->backlog)
        return;
    list_for_each (s, sockets_all(), all_link) {
        if (s->waits_for != listener || s->state != SOCKET_CONNECTING)
            continue;
        s->waits_for = NULL;
        if (join(s, listener) < 0)
            refused(s, -ETIMEDOUT);
        return;
    }
}

// ---- by the way the connection goes ------------------------------------------------------------
static int receive(struct socket *s, struct socket_message *m)
{
    return s->conn            ? conn_receive(s, m)
           : s->joined.hidden ? held_receive(s, m)
                              : joined_receive(s, m);
}

static int tcp_socket_send(struct socket *s, struct socket_message *m)
{
    if (s->conn == NULL && s->state == SOCKET_CONNECTING)
        return -EAGAIN;
    if (m->name.bytes && s->state == SOCKET_IDLE && !s->error)
        return -EPIPE;
    return s->conn ? conn_send(s, m) : joined_send(s, m);
}

static int tcp_socket_receive(struct socket *s, struct socket_message *m)
{
    if (m->flags & MSG_OOB)
        return urgent_take(s, m);
    if (s->conn == NULL && s->state == SOCKET_CONNECTING)
        return -EAGAIN;
    if (s->urgent)
        return urgent_receive(s, m, receive);
    return receive(s, m);
}

static unsigned tcp_socket_poll(struct socket *s)
{
    if (s->conn == NULL && s->state == SOCKET_CONNECTING) {
        if (s->waits_for)
            return 0;
        refused(s, -ECONNREFUSED); // the listener went away meanwhile
    }
    unsigned now = s->conn ? conn_poll(s) : joined_poll(s);
    return s->urgent ? urgent_poll(s, now) : now;
}

static int tcp_socket_shutdown(struct socket *s, unsigned how)
{
    if (s->state == SOCKET_LISTENING && (how & SHUT_READ)) { // Linux: it stops listening
        unlisten(s);
        socket_children_end(s);
        s->state = SOCKET_IDLE;
        socket_wake(s, WAKE_READ | WAKE_WRITE | WAKE_OWN);
        return 0;
    }
    if (s->state == SOCKET_LISTENING)
        return 0;
    if (s->state == SOCKET_IDLE)
        s->shut |= how; // Linux does, and says ENOTCONN
    if (s->conn == NULL)
        return joined_shutdown(s, how);
    if (s->state != SOCKET_CONNECTED)
        return -ENOTCONN;
    if (how & SHUT_WRITE && !(s->shut & SHUT_WRITE))
        tcp_shutdown_send(s->conn);
    s->shut |= how;
    socket_wake(s, WAKE_READ | WAKE_WRITE | WAKE_OWN);
    return 0;
}

static uint32_t tcp_socket_readable(const struct socket *s)
{
    if (s->urgent)
        return urgent_readable_bytes(s);
    return s->conn ? (uint32_t)tcp_readable_bytes(s->conn) : joined_readable_bytes(s);
}

static void tcp_socket_end(struct socket *s)
{
    unlisten(s);
    if (s->conn == NULL) {
        joined_end(s);
        return;
    }
    bool reset =
        (s->linger && s->linger_s == 0) || tcp_readable_bytes(s->conn) > 0 || s->never_accepted;
    if (reset)
        tcp_abort(s->conn);
    else
        tcp_close(s->conn);
    s->conn = NULL;
}

const struct socket_kind tcp_kind = {
    .name = "tcp",
    .bind = inet_bind,
    .connect = tcp_socket_connect,
    .listen = tcp_socket_listen,
    .send = tcp_socket_send,
    .receive = tcp_socket_receive,
    .poll = tcp_socket_poll,
    .name_of = inet_name_of,
    .shutdown = tcp_socket_shutdown,
    .readable_bytes = tcp_socket_readable,
    .accepted = tcp_accepted,
    .end = tcp_socket_end,
};
