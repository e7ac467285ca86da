// SPDX-License-Identifier: MIT
// AF_UNIX (unix(7)): streams, sequenced packets, datagrams. Streams are joined (joined.c); here is
// who may be joined to whom, and datagrams.
#include "lib/errno.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/stream/socket_priv.h"

// ---- streams -----------------------------------------------------------------------------------
int unix_connect_here(struct socket *s, struct socket *listener, const struct socket_cred *by)
{
    if (listener->type != s->type)
        return -EPROTOTYPE;
    if (listener->state != SOCKET_LISTENING || (listener->shut & SHUT_READ))
        return -ECONNREFUSED;
    if (listener->child_count > listener->backlog) {
        s->waits_for = s->state == SOCKET_IDLE ? listener : s->waits_for;
        return -EAGAIN;
    }
    if (s->state != SOCKET_IDLE)
        return s->state == SOCKET_LISTENING ? -EINVAL : -EISCONN;
    s->cred = *by;
    struct socket *child = socket_new(s->kind, AF_UNIX, s->type);
    if (child == NULL)
        return -ENOMEM;
    child->name = unix_name_get(listener->name);
    child->pass_cred = listener->pass_cred;
    child->cred = listener->cred;
    child->peer_name = unix_name_get(s->name);
    child->peer_cred = s->cred;
    s->peer_name = unix_name_get(listener->name);
    s->peer_cred = listener->cred;
    joined_connect(s, child);
    socket_child_add(listener, child);
    return 0;
}

static int stream_connect(struct socket *s, const struct socket_name *n,
                          const struct socket_cred *by)
{
    int e = unix_name_check(n);
    if (e < 0)
        return e;
    struct socket *listener = unix_find(n, s->type);
    return listener ? unix_connect_here(s, listener, by) : -ECONNREFUSED;
}

static int stream_listen(struct socket *s)
{
    if (s->state != SOCKET_IDLE && s->state != SOCKET_LISTENING)
        return -EINVAL;
    return s->name ? 0 : -EINVAL;
}

static void name_of(const struct socket *s, bool peer, struct socket_name *n)
{
    const struct unix_name *its = s->peer ? s->peer->name : s->peer_name;
    unix_name_out(peer ? its : s->name, n);
}

static void accepted(struct socket *listener)
{
    socket_wake_waiting_for(listener);
}

static int stream_send(struct socket *s, struct socket_message *m)
{
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (m->name.bytes && s->type == SOCK_STREAM)
        return s->was_connected ? -EISCONN : -EOPNOTSUPP;
    return joined_send(s, m);
}

static int stream_receive(struct socket *s, struct socket_message *m)
{
    const struct unix_name *from = s->peer ? s->peer->name : s->peer_name;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    bool message = packet_first(s);
    int e = joined_receive(s, m);
    if (e == 0 && !message && s->type == SOCK_SEQPACKET)
        m->cred_wanted = false;
    if (e == 0 && message && from)
        unix_name_out(from, &m->name);
    return e;
}

// Streams and sequenced packets: joined.c looks at the type.
const struct socket_kind unix_joined_kind = {
    .name = "unix",
    .bind = unix_bind,
    .connect = stream_connect,
    .listen = stream_listen,
    .send = stream_send,
    .receive = stream_receive,
    .poll = joined_poll,
    .name_of = name_of,
    .shutdown = joined_shutdown,
    .readable_bytes = joined_readable_bytes,
    .accepted = accepted,
    .end = joined_end,
};

// ---- datagrams ---------------------------------------------------------------------------------
static bool full(const struct socket *to)
{
    return to->inbox_count > UNIX_DATAGRAMS_MAX;
}

// To oneself as much goes as the sender's buffer has; to others, so many.
static bool no_room(const struct socket *s, const struct socket *to, size_t n)
{
    return s == to ? to->inbox_count > 0 && packets_weight(to) + n > s->send_limit : full(to);
}

static int may_send_to(const struct socket *s, const struct socket *to)
{
    if (to->type != SOCK_DGRAM)
        return -EPROTOTYPE;
    if ((to->peer || to->peer_lost || to->far_peer) &&
        to->peer != s) // unix(7): it is connected to somebody else
        return -EPERM;
    return 0;
}

// What its peer sent and nobody read goes with it, and the peer hears that.
static void left(struct socket *s)
{
    struct socket *peer = s->peer;
    s->peer = NULL;
    s->peer_lost = s->far_peer = false;
    bool unread = packet_first(s);
    packets_drop(s);
    if (unread && peer && peer != s && peer->peer == s)
        socket_fail(peer, -ECONNRESET);
}

static int datagram_connect(struct socket *s, const struct socket_name *n,
                            const struct socket_cred *by)
{
    (void)by;
    if (socket_name_is_none(n)) {
        if (s->peer || s->peer_lost)
            left(s);
        s->far_peer = false;
        s->state = SOCKET_IDLE;
        unix_name_put(s->peer_name);
        s->peer_name = NULL;
        return 0;
    }
    int e = unix_name_check(n);
    struct socket *to = e == 0 ? unix_find(n, s->type) : NULL;
    if (e < 0 || to == NULL)
        return e < 0 ? e : -ECONNREFUSED;
    if ((e = may_send_to(s, to)) < 0)
        return e;
    if ((s->peer && s->peer != to) || s->peer_lost)
        left(s);
    s->peer = to;
    s->peer_lost = s->far_peer = false;
    s->state = SOCKET_CONNECTED;
    unix_name_put(s->peer_name);
    s->peer_name = unix_name_get(to->name);
    return 0;
}

// Where a message goes; an error when nowhere.
static int target_of(struct socket *s, const struct socket_message *m, struct socket **to)
{
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    int e = m->name.bytes ? unix_name_check(&m->name) : 0;
    if (e < 0)
        return e;
    if (s->error)
        return socket_take_error(s);
    if (s->shut & SHUT_WRITE)
        return -EPIPE;
    if (m->name.bytes) {
        *to = unix_find(&m->name, s->type);
        return *to ? may_send_to(s, *to) : -ECONNREFUSED;
    }
    *to = s->peer;
    if (*to == NULL && s->peer_lost) {
        s->state = SOCKET_IDLE;
        left(s);
        return -ECONNREFUSED;
    }
    return *to ? may_send_to(s, *to) : -ENOTCONN;
}

static int datagram_send(struct socket *s, struct socket_message *m)
{
    struct socket *to;
    struct packet *p;
    struct xfer start = *m->data;
    int e = target_of(s, m, &to);
    if (e < 0)
        return e;
    if (to->shut & SHUT_READ)
        return -EPIPE;
    if (no_room(s, to, m->data->left)) {
        s->waits_for = to;
        return -EAGAIN;
    }
    e = packet_gather(m, s->send_limit, &p);
    if (e == 0)
        e = target_of(s, m, &to); // it may have slept
    else
        return e;
    if (e < 0) {
        packet_put(p);
        *m->data = start;
        return e;
    }
    p->name = unix_name_get(s->name);
    packet_append(to, p);
    return 0;
}

static int unix_datagram_receive(struct socket *s, struct socket_message *m)
{
    bool was_full = full(s);
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    int e = datagram_receive(s, m);
    if ((was_full && !full(s)) || s->waits_for == s)
        socket_wake_waiting_for(s);
    return e;
}

static unsigned unix_datagram_poll(struct socket *s)
{
    bool room = s->peer == NULL || s->peer->peer == s || !full(s->peer);
    return datagram_poll_in(s) | (room ? POLL_OUT | POLL_WRBAND : 0);
}

static void datagram_end(struct socket *s)
{
    s->peer = NULL;
}

const struct socket_kind unix_datagram_kind = {
    .name = "unix",
    .bind = unix_bind,
    .connect = datagram_connect,
    .listen = datagram_listen,
    .send = datagram_send,
    .receive = unix_datagram_receive,
    .poll = unix_datagram_poll,
    .name_of = name_of,
    .shutdown = datagram_shutdown,
    .readable_bytes = datagram_readable_bytes,
    .end = datagram_end,
};
