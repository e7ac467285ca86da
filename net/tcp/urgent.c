// SPDX-License-Identifier: MIT
// Urgent data (RFC 9293, 3.8.5; RFC 6093): a mark in the stream, moved forward by each urgent
// pointer. As everybody does (RFC 6093, 3.1) the pointer names the byte behind the urgent one, of
// which there is one. It keeps its place in the receive buffer; a copy is for who reads it apart.
#include "net/tcp/tcp_priv.h"

#include "net/wire.h"

#define POINTER_MAX 0xffffu

// ---- received ----------------------------------------------------------------------------------
// The oldest byte that nobody has read, or the next one to come.
static uint32_t read_seq(const struct tcp_conn *c)
{
    return c->rcv_nxt - (c->fin_received ? 1 : 0) - c->receive.length;
}

static void pointer_arrives(struct tcp_conn *c, uint32_t at)
{
    if (seq_lt(at, c->rcv_nxt) || (c->fin_known && !seq_lt(at, c->fin_seq))) {
        net_counter_add(COUNT_tcp_urgent_off);
        return;
    }
    if (c->urgent != TCP_URGENT_NONE && seq_le(at, c->urgent_seq))
        return; // told again, or overtaken by a newer one
    // As on Linux: who has read up to an urgent byte and no further shall not find it in the stream
    // because another one comes.
    if (c->urgent != TCP_URGENT_NONE && c->urgent_apart && c->urgent_seq == read_seq(c) &&
        c->receive.length > 0)
        ring_consume(&c->receive, 1, c->gaps.count > 0);
    c->urgent = TCP_URGENT_ANNOUNCED;
    c->urgent_seq = at;
    tcp_post(c, TCP_URGENT);
}

void tcp_urgent_arrives(struct tcp_conn *c, const struct tcp_segment *s)
{
    if (!tcp_state_receives(c->state))
        return; // a FIN came before
    if (s->flags & TCP_URG)
        pointer_arrives(c, s->urgent);
    if (c->urgent != TCP_URGENT_ANNOUNCED || c->urgent_seq - s->seq >= s->n)
        return;
    c->urgent_byte = s->data[c->urgent_seq - s->seq];
    c->urgent = TCP_URGENT_HERE;
    tcp_post(c, TCP_READABLE); // even when it came out of order
}

void tcp_urgent_consumed(struct tcp_conn *c)
{
    if (seq_lt(c->urgent_seq, read_seq(c)))
        c->urgent = TCP_URGENT_NONE;
}

enum tcp_urgent tcp_urgent(const struct tcp_conn *c, uint32_t *ahead)
{
    *ahead = c->urgent_seq - read_seq(c);
    return c->urgent;
}

uint8_t tcp_urgent_take(struct tcp_conn *c, bool peek)
{
    if (!peek)
        c->urgent = TCP_URGENT_TAKEN;
    return c->urgent_byte;
}

void tcp_set_urgent_apart(struct tcp_conn *c, bool on)
{
    c->urgent_apart = on;
}

// ---- sent --------------------------------------------------------------------------------------
void tcp_urgent_tell(const struct tcp_conn *c, uint32_t seq, struct tcp_wire *h)
{
    uint32_t ahead = c->snd_up - seq;
    if (!seq_lt(seq, c->snd_up))
        return;
    if (ahead > POINTER_MAX && !seq_lt(c->snd_max, seq + POINTER_MAX))
        return; // it would name a byte that is nothing special
    h->flags |= TCP_URG;
    h->urgent = be16(MIN(ahead, POINTER_MAX));
}
