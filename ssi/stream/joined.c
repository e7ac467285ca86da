// SPDX-License-Identifier: MIT
// Streams whose two ends are sockets of this node: AF_UNIX streams and sequenced packets, and TCP
// over loopback, which hands bytes to the other end directly. What a program can tell of TCP (a
// reset when bytes stay unread, a FIN's half close, writing to an end that is gone) is as there.
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "ssi/stream/socket_priv.h"

#define PIECE_BYTES 3840u // of a packet: one page with its head
#define PIECE_SMALL 160u

static bool is_tcp(const struct socket *s)
{
    return s->family == AF_INET;
}

void joined_connect(struct socket *a, struct socket *b)
{
    a->peer = b;
    b->peer = a;
    a->state = b->state = SOCKET_CONNECTED;
    a->was_connected = b->was_connected = true;
}

static uint32_t room_of(const struct socket *to)
{
    uint32_t weight = packets_weight(to);
    return weight < to->receive_limit ? to->receive_limit - weight : 0;
}

// ---- sending -----------------------------------------------------------------------------------
static int send_check(struct socket *s)
{
    if (s->error && (is_tcp(s) || s->type == SOCK_SEQPACKET))
        return socket_take_error(s);
    if (s->state == SOCKET_IDLE || s->state == SOCKET_LISTENING)
        return is_tcp(s) ? -EPIPE : -ENOTCONN;
    if (s->shut & SHUT_WRITE)
        return -EPIPE;
    if (s->peer && (is_tcp(s) || !(s->peer->shut & SHUT_READ)))
        return 0;
    if (!is_tcp(s) || s->state == SOCKET_CLOSED)
        return -EPIPE;
    return 0;
}

static void xfer_skip(struct xfer *x, size_t n)
{
    x->done += n;
    x->left -= n;
    x->user_at += x->user ? (uint32_t)n : 0;
    x->kernel_at += x->user ? 0 : n;
}

// The other end of a TCP connection is closed: it takes these bytes and answers with a reset.
static int send_to_nobody(struct socket *s, struct xfer *x)
{
    uint8_t lost[64];
    size_t n = xfer_take(x, lost, MIN(x->left, sizeof(lost)));
    if (n == 0)
        return 0;
    xfer_skip(x, x->left);
    s->state = SOCKET_CLOSED;
    s->shut = SHUT_READ | SHUT_WRITE;
    socket_fail(s, -EPIPE);
    return 0;
}

static bool same_cred(const struct socket_cred *a, const struct socket_cred *b)
{
    return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

static bool same_sender(const struct packet *p, const struct socket_message *m)
{
    return p->file_count == 0 && m->file_count == 0 && same_cred(&p->cred, &m->cred);
}

// Room behind the last packet, or in a new one. NULL: no memory.
static struct packet *piece_for(struct socket *to, struct socket_message *m, size_t n)
{
    if (!list_empty(&to->inbox)) {
        struct packet *last = list_entry(to->inbox.prev, struct packet, link);
        if (last->at + last->n < last->room && same_sender(last, m))
            return last;
    }
    uint32_t room = n <= PIECE_SMALL && list_empty(&to->inbox) ? PIECE_SMALL : PIECE_BYTES;
    struct packet *p = packet_new(room);
    if (p == NULL)
        return NULL;
    p->cred = m->cred;
    if (packet_attach_files(p, m) < 0) {
        packet_put(p);
        return NULL;
    }
    m->file_count = 0; // with the first byte
    return p;
}

// True: `to` has news.
static bool sent(struct socket *s, struct socket *to, const struct socket_message *m, uint32_t n)
{
    if (!is_tcp(s))
        return true;
    to->joined.received.bytes += n;
    to->joined.received.times++;
    to->joined.received.last_ns = clock_now_ns();
    return s->cork || m->flags & MSG_MORE || to->joined.hidden ? held_sent(s, m, n) : true;
}

static int stream_send(struct socket *s, struct socket_message *m)
{
    struct xfer *x = m->data;
    struct socket *to = s->peer;
    size_t before = x->done;
    while (x->left > 0 && room_of(to) > 0) {
        struct packet *p = piece_for(to, m, x->left);
        if (p == NULL)
            return x->done > before ? 0 : -ENOMEM;
        uint32_t end = p->at + p->n;
        size_t n = MIN(MIN(x->left, (size_t)(p->room - end)), (size_t)room_of(to));
        size_t got = xfer_take(x, p->bytes + end, n);
        bool fresh = list_empty(&p->link);
        p->n += (uint32_t)got;
        if (fresh && p->n == 0) {
            m->file_count = p->file_count; // they go with the first byte: the caller's are whole
            packet_put(p);
        } else if (fresh) {
            list_append(&to->inbox, &p->link);
            to->inbox_count++;
        }
        to->inbox_bytes += (uint32_t)got;
        if (got < n)
            break;
    }
    if (x->done > before && (m->flags & MSG_OOB) && is_tcp(s) && !x->short_copy)
        urgent_joined(to);
    if (x->done > before && sent(s, to, m, (uint32_t)(x->done - before)))
        socket_wake(to, WAKE_READ);
    if (to->joined.deferred && x->done > before)
        defer_end(to, false);
    return x->done > before || x->short_copy || x->left == 0 ? 0 : -EAGAIN;
}

// A whole message at once.
static int packet_send(struct socket *s, struct socket_message *m)
{
    struct packet *p;
    int e = send_check(s);
    if (e == 0 && room_of(s->peer) == 0)
        return -EAGAIN;
    if (e < 0)
        return e;
    struct xfer start = *m->data;
    e = packet_gather(m, s->send_limit, &p);
    if (e < 0)
        return e;
    e = send_check(s); // it may have slept
    if (e == 0) {
        packet_append(s->peer, p);
        return 0;
    }
    *m->data = start;
    packet_put(p);
    return e;
}

int joined_send(struct socket *s, struct socket_message *m)
{
    if (s->type == SOCK_SEQPACKET)
        return packet_send(s, m);
    int e = send_check(s);
    if (e < 0)
        return e;
    if (m->data->left == 0)
        return 0;
    return s->peer ? stream_send(s, m) : send_to_nobody(s, m->data);
}

// ---- receiving ---------------------------------------------------------------------------------
// Nothing waits: 0 at the end of the stream, an error, -EAGAIN.
static int receive_nothing(struct socket *s)
{
    if (s->error)
        return socket_take_error(s);
    if (is_tcp(s) && s->state == SOCKET_IDLE && s->shut & SHUT_READ)
        return 0;
    if (s->state == SOCKET_IDLE || s->state == SOCKET_LISTENING)
        return s->type == SOCK_SEQPACKET || is_tcp(s) ? -ENOTCONN : -EINVAL;
    if ((s->shut & SHUT_READ) || s->peer == NULL || (s->peer->shut & SHUT_WRITE))
        return 0;
    return -EAGAIN;
}

static bool has_room(const struct socket *s)
{
    return packets_weight(s) < s->receive_limit - s->receive_limit / 3;
}

// The sender sleeps or polls for room: told when a third of it is free again.
static void drained(struct socket *s, bool had_room)
{
    if (s->peer && !had_room && has_room(s))
        socket_wake(s->peer, WAKE_WRITE);
}

static size_t take_piece(struct socket *s, struct packet *p, struct socket_message *m,
                         uint32_t skip)
{
    size_t n = MIN(m->data->left, (size_t)(p->n - skip)), put = n;
    bool peek = m->flags & MSG_PEEK;
    if ((m->flags & MSG_TRUNC) && is_tcp(s)) // tcp(7): thrown away, not copied
        xfer_skip(m->data, n);
    else
        put = xfer_put(m->data, p->bytes + p->at + skip, n);
    if (put > 0)
        packet_give_files(p, m, peek);
    if (peek) {
        m->full += (uint32_t)put;
        return put;
    }
    p->at += (uint32_t)put;
    p->n -= (uint32_t)put;
    s->inbox_bytes -= (uint32_t)put;
    if (p->n == 0)
        packet_remove(s, p);
    return put;
}

static struct packet *packet_behind(const struct socket *s, const struct packet *p)
{
    return p->link.next == &s->inbox ? NULL : list_entry(p->link.next, struct packet, link);
}

// m->full: bytes that this call has peeked at already.
static int stream_receive(struct socket *s, struct socket_message *m)
{
    struct packet *p = packet_first(s), *next;
    struct xfer *x = m->data;
    uint32_t skip = m->flags & MSG_PEEK ? m->full : 0;
    bool had_room = has_room(s);
    for (; p && skip >= p->n; p = packet_behind(s, p))
        skip -= p->n;
    if (p == NULL)
        return receive_nothing(s);
    if (x->done > 0 && m->cred.pid && s->pass_cred && !same_cred(&p->cred, &m->cred))
        return 0; // another sender's bytes are another message
    m->cred = p->cred;
    if (x->left == 0)
        packet_give_files(p, m, m->flags & MSG_PEEK);
    for (; p && x->left > 0; p = next, skip = 0) {
        size_t want = MIN(x->left, (size_t)(p->n - skip));
        bool files = p->file_count > 0;
        if (s->pass_cred && !same_cred(&p->cred, &m->cred))
            break; // unix(7): who asks for credentials gets one sender's bytes at a time
        next = packet_behind(s, p);
        if (take_piece(s, p, m, skip) < want || files)
            break;
    }
    drained(s, had_room);
    return 0;
}

int joined_receive(struct socket *s, struct socket_message *m)
{
    if (s->type != SOCK_SEQPACKET)
        return stream_receive(s, m);
    bool had_room = has_room(s);
    if (s->state != SOCKET_CONNECTED && s->state != SOCKET_CLOSED)
        return -ENOTCONN;
    if (s->error)
        return socket_take_error(s);
    if (packet_first(s) == NULL)
        return receive_nothing(s);
    int e = packet_deliver(s, m);
    drained(s, had_room);
    return e;
}

uint32_t joined_readable_bytes(const struct socket *s)
{
    return s->inbox_bytes - s->joined.hidden;
}

void joined_drop_byte(struct socket *s)
{
    struct packet *p = packet_first(s);
    bool had_room = has_room(s);
    p->at++;
    p->n--;
    s->inbox_bytes--;
    if (p->n == 0)
        packet_remove(s, p);
    drained(s, had_room);
}

// ---- readiness and the end ---------------------------------------------------------------------
static bool readable(const struct socket *s)
{
    if (!is_tcp(s))
        return !list_empty(&s->inbox);
    return joined_readable_bytes(s) >= (uint32_t)s->low_water || room_of(s) == 0;
}

unsigned joined_poll(struct socket *s)
{
    const struct socket *to = s->peer;
    unsigned now = s->error ? POLL_ERR : 0, out = is_tcp(s) ? POLL_OUT : POLL_OUT | POLL_WRBAND;
    if (s->shut & SHUT_READ)
        now |= POLL_IN | POLL_RDHUP;
    if (s->state == SOCKET_LISTENING)
        return now | (list_empty(&s->children) ? 0 : POLL_IN) |
               (s->shut == (SHUT_READ | SHUT_WRITE) ? POLL_HUP : 0);
    if (s->state == SOCKET_IDLE)
        return now | out | POLL_HUP;
    bool ended = to == NULL || (to->shut & SHUT_WRITE);
    bool read_over = ended || (s->shut & SHUT_READ);
    bool write_over =
        (s->shut & SHUT_WRITE) || (to == NULL && (!is_tcp(s) || s->state == SOCKET_CLOSED));
    if (!is_tcp(s) && to && (to->shut & SHUT_READ))
        write_over = true;
    if (readable(s) || read_over)
        now |= POLL_IN;
    if (read_over)
        now |= POLL_RDHUP;
    if (read_over && write_over)
        now |= POLL_HUP;
    if (write_over || to == NULL || has_room(to))
        now |= out;
    return now;
}

int joined_shutdown(struct socket *s, unsigned how)
{
    if (s->state != SOCKET_CONNECTED && is_tcp(s))
        return -ENOTCONN;
    s->shut |= how;
    if (how & SHUT_WRITE)
        held_end(s);
    socket_wake(s, WAKE_READ | WAKE_WRITE | WAKE_OWN);
    if (s->peer)
        socket_wake(s->peer, WAKE_READ | WAKE_WRITE);
    if (s->peer && s->peer->joined.deferred && how & SHUT_WRITE)
        defer_end(s->peer, false);
    return 0;
}

// True: a reset, not a FIN.
static bool tcp_end(struct socket *s, struct socket *to)
{
    bool reset =
        joined_readable_bytes(s) > 0 || s->never_accepted || (s->linger && s->linger_s == 0);
    bool was_second = to->shut & SHUT_WRITE;
    if (reset && to->state == SOCKET_CONNECTED) {
        to->state = SOCKET_CLOSED;
        to->shut = SHUT_READ | SHUT_WRITE;
        to->error = was_second ? -EPIPE : -ECONNRESET;
    } else if (!was_second) {
        to->active_close = true; // by us: our port rests when the other end closes too
    }
    return reset;
}

// An end is closed.
void joined_end(struct socket *s)
{
    struct socket *to = s->peer;
    if (is_tcp(s) && s->active_close && !s->error && to == NULL)
        inet_time_wait(s->remote);
    if (to == NULL)
        return;
    unsigned known = is_tcp(s) && (s->shut & SHUT_WRITE) ? WAKE_OWN : 0;
    held_end(s);
    to->joined.sent = s->joined.received;
    s->peer = NULL;
    to->peer = NULL;
    bool reset = false;
    if (is_tcp(s)) {
        reset = tcp_end(s, to);
    } else {
        if (s->inbox_count > 0 || s->never_accepted)
            to->error = -ECONNRESET;
        if (to->peer_name == NULL)
            to->peer_name = unix_name_get(s->name);
        to->state = SOCKET_CLOSED;
    }
    socket_wake(to, WAKE_READ | WAKE_WRITE | (to->error ? 0 : known));
    if (to->joined.deferred)
        defer_end(to, reset);
}
