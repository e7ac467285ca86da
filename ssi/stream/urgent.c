// SPDX-License-Identifier: MIT
// Urgent data of TCP sockets (tcp(7), recv(2), sockatmark(3)): one byte at a mark in the stream. As
// Linux has it: the byte is read apart with MSG_OOB, or with SO_OOBINLINE in its place; a recv
// stops before the mark, and one that begins there goes on behind it. Where a connection's mark is
// the stack knows (net/tcp/urgent.c); that of a joined one is kept here.
#include "lib/errno.h"
#include "net/tcp/tcp.h"
#include "ssi/fs/owner.h"
#include "ssi/stream/socket_priv.h"

static enum tcp_urgent mark_of(const struct socket *s, uint32_t *ahead)
{
    if (s->conn && s->urgent)
        return tcp_urgent(s->conn, ahead);
    *ahead = s->urgent_ahead;
    return (enum tcp_urgent)s->urgent;
}

static uint32_t unread(const struct socket *s)
{
    return s->conn ? (uint32_t)tcp_readable_bytes(s->conn) : joined_readable_bytes(s);
}

// Bytes of a joined socket were read.
static void consumed(struct socket *s, size_t n)
{
    uint32_t ahead;
    if (s->conn)
        s->urgent = (uint8_t)tcp_urgent(s->conn, &ahead);
    else if (n > s->urgent_ahead)
        s->urgent = TCP_URGENT_NONE;
    else
        s->urgent_ahead -= (uint32_t)n;
}

static void drop_byte(struct socket *s)
{
    if (s->conn)
        tcp_consume(s->conn, 1);
    else
        joined_drop_byte(s);
    consumed(s, 1);
}

// ---- a mark comes ------------------------------------------------------------------------------
void urgent_tell(struct socket *s)
{
    s->urgent = TCP_URGENT_ANNOUNCED;
    if (s->file)
        file_urgent(s->file);
}

void urgent_joined(struct socket *s)
{
    const struct packet *last = list_entry(s->inbox.prev, struct packet, link);
    if (s->urgent && s->urgent_ahead == 0 && !s->oob_inline)
        joined_drop_byte(s); // as net/tcp does: the old one is not found in the stream any more
    urgent_tell(s);
    s->urgent = TCP_URGENT_HERE;
    s->urgent_byte = last->bytes[last->at + last->n - 1];
    s->urgent_ahead = s->inbox_bytes - 1;
}

// ---- received ----------------------------------------------------------------------------------
static bool read_over(const struct socket *s)
{
    return (s->shut & SHUT_READ) ||
           (s->conn ? tcp_ended(s->conn) : s->peer == NULL || (s->peer->shut & SHUT_WRITE));
}

int urgent_take(struct socket *s, struct socket_message *m)
{
    uint32_t ahead;
    bool peek = m->flags & MSG_PEEK;
    if (s->state == SOCKET_LISTENING)
        return -ENOTCONN;
    enum tcp_urgent state = mark_of(s, &ahead);
    if (s->oob_inline || state == TCP_URGENT_NONE || state == TCP_URGENT_TAKEN)
        return -EINVAL;
    if (s->state == SOCKET_CLOSED)
        return -ENOTCONN;
    if (state == TCP_URGENT_ANNOUNCED)
        return read_over(s) ? 0 : -EAGAIN;
    uint8_t byte = s->conn ? tcp_urgent_take(s->conn, true) : s->urgent_byte;
    if (m->data->left > 0 && xfer_put(m->data, &byte, 1) == 0)
        return 0; // the caller makes the page come
    if (!peek && s->conn)
        (void)tcp_urgent_take(s->conn, false);
    else if (!peek)
        s->urgent = TCP_URGENT_TAKEN;
    m->told |= MSG_OOB | (m->data->done == 0 ? MSG_TRUNC : 0);
    return 0;
}

// A peek that has gone over the mark lies one byte further on than what it has copied says.
static int peek_step(struct socket *s, struct socket_message *m, bool over,
                     int (*receive)(struct socket *s, struct socket_message *m))
{
    m->full += over;
    int e = receive(s, m);
    m->full -= over;
    return e;
}

int urgent_receive(struct socket *s, struct socket_message *m,
                   int (*receive)(struct socket *s, struct socket_message *m))
{
    struct xfer *x = m->data;
    uint32_t ahead;
    bool peek = m->flags & MSG_PEEK;
    enum tcp_urgent state = mark_of(s, &ahead);
    uint32_t skip = peek ? m->full : 0;
    bool copied = peek ? skip > 0 : x->done > 0 || m->begun;
    s->urgent = (uint8_t)state;
    if (state == TCP_URGENT_NONE || x->left == 0)
        return receive(s, m);
    if (ahead == skip && copied)
        return 0; // stops at the mark
    bool at = ahead <= skip, out = at && !s->oob_inline && unread(s) > ahead;
    if (out && !peek)
        drop_byte(s);
    size_t before = x->done, left = x->left;
    if (!at)
        x->left = MIN(left, (size_t)(ahead - skip));
    size_t held = left - x->left;
    int e = peek ? peek_step(s, m, out, receive) : receive(s, m);
    x->left += held;
    if (!peek && s->urgent && x->done > before)
        consumed(s, x->done - before);
    return e;
}

// ---- readiness ---------------------------------------------------------------------------------
unsigned urgent_poll(struct socket *s, unsigned now)
{
    uint32_t ahead;
    enum tcp_urgent state = mark_of(s, &ahead);
    bool alone = state != TCP_URGENT_NONE && ahead == 0 && !s->oob_inline && unread(s) == 1;
    if (alone && !(now & POLL_RDHUP))
        now &= ~(unsigned)POLL_IN; // an urgent byte that stays out is nothing to read
    return now | (state == TCP_URGENT_HERE ? POLL_PRI : 0);
}

uint32_t urgent_readable_bytes(const struct socket *s)
{
    uint32_t ahead, n = unread(s);
    bool stops = mark_of(s, &ahead) != TCP_URGENT_NONE && !s->oob_inline;
    return stops ? MIN(n, ahead) : n;
}

bool urgent_at_mark(const struct socket *s)
{
    uint32_t ahead;
    return mark_of(s, &ahead) != TCP_URGENT_NONE && ahead == 0;
}
