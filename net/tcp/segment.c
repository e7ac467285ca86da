// SPDX-License-Identifier: MIT
// Segments and the wire: parsed once here, built once here.
#include "net/tcp/tcp_priv.h"

#include "lib/errno.h"
#include "net/wire.h"

bool tcp_segment_parse(const struct ip_packet *p, struct tcp_segment *s)
{
    const struct tcp_wire *h = (const void *)p->bytes;
    size_t header = p->n < sizeof(*h) ? 0 : (h->offset >> 4) * 4u;
    if (header < sizeof(*h) || header > p->n) {
        net_counter_add(COUNT_tcp_short);
        return false;
    }
    uint64_t sum = wire_sum_pseudo(p->from, p->to, IP_TCP, p->n);
    if (wire_sum_end(wire_sum(sum, p->bytes, p->n)) != 0) {
        net_counter_add(COUNT_tcp_checksum);
        return false;
    }
    uint32_t seq = be32_get(h->seq), pointer = be16_get(h->urgent);
    *s = (struct tcp_segment){.from = {p->from, be16_get(h->from)},
                              .to = {p->to, be16_get(h->to)},
                              .seq = seq,
                              .ack = be32_get(h->ack),
                              .flags = h->flags,
                              .urgent = seq + pointer - (pointer ? 1 : 0),
                              .window = be16_get(h->window),
                              .data = p->bytes + header,
                              .n = (uint32_t)(p->n - header)};
    if (!tcp_options_parse(p->bytes + sizeof(*h), header - sizeof(*h), &s->options)) {
        net_counter_add(COUNT_tcp_short);
        return false;
    }
    return true;
}

uint16_t tcp_mss_for(uint32_t peer_ip)
{
    return (uint16_t)(ip_room(peer_ip) - sizeof(struct tcp_wire));
}

uint16_t tcp_mss_own(const struct tcp_conn *c)
{
    uint16_t most = tcp_mss_for(c->peer.ip), wanted = c->tuning.segment_max;
    return wanted ? MIN(most, wanted) : most;
}

// Finishes and sends: `b` holds options and data, `h` says the rest.
static int header_send(struct buf *b, size_t options, const struct tcp_wire *fields,
                       struct net_address from, struct net_address to)
{
    struct tcp_wire *h = buf_push(b, sizeof(*h));
    *h = *fields;
    h->from = be16(from.port);
    h->to = be16(to.port);
    h->offset = (uint8_t)((sizeof(*h) + options) / 4 << 4);
    h->checksum = be16(0);
    uint64_t sum = wire_sum_pseudo(from.ip, to.ip, IP_TCP, b->cut_bytes ? 0 : b->n);
    if (b->cut_bytes) // the card adds the length and the bytes of each segment
        h->checksum = be16((uint16_t)~wire_sum_end(sum));
    else
        h->checksum = be16(wire_sum_end(wire_sum(sum, b->at, b->n)));
    net_counter_add(COUNT_tcp_out);
    return ip_send(b, from.ip, to.ip, IP_TCP);
}

// A SYN offers all we know; a SYN+ACK only what was offered (RFC 7323, 1.3; 2018, 2).
static void options_of_syn(const struct tcp_conn *c, struct tcp_options *o)
{
    bool first = c->state == TCP_SYN_SENT;
    o->mss = tcp_mss_own(c);
    o->scaled = first || c->rcv_scale;
    o->scale = TCP_SCALE;
    o->sack_ok = first || c->sack;
    o->stamped = first || c->stamping;
}

static struct tcp_options options_of(struct tcp_conn *c, uint32_t n, uint8_t flags)
{
    struct tcp_options o = {.stamped = c->stamping};
    if (flags & TCP_SYN) {
        options_of_syn(c, &o);
    } else if (flags & TCP_ACK) { // blocks go where data leaves room: bare ACKs always have it
        size_t taken = c->stamping ? TCP_STAMP_BYTES : 0;
        size_t room = n < c->mss ? c->mss - n : 0;
        unsigned most = c->stamping ? TCP_SACKS_STAMPS : TCP_SACKS_MAX;
        if (room >= TCP_OPTIONS_MAX - taken)
            tcp_sack_tell(c, &o, most);
    }
    if (o.stamped) {
        o.stamp = tcp_stamp_now(c);
        o.echo = flags & TCP_ACK ? c->stamp_recent : 0;
    }
    return o;
}

// The window as the header names it; what it tells the peer counts as told.
static uint16_t window_tell(struct tcp_conn *c, uint8_t flags)
{
    unsigned scale = flags & TCP_SYN ? 0 : c->rcv_scale;
    uint32_t named = MIN(tcp_window(c) >> scale, TCP_WINDOW_PLAIN);
    c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + (named << scale)); // never back (9293, 3.8.6)
    c->rcv_acked = c->rcv_nxt;
    c->ack_now = c->ack_later = false;
    tcp_ack_forget(c);
    timer_cancel(&c->ack_timer);
    return (uint16_t)named;
}

bool tcp_segment_send(struct tcp_conn *c, uint32_t seq, uint32_t n, uint8_t flags)
{
    struct buf *b = buf_alloc(c->flags & TCP_LINK);
    if (!b)
        return false;
    c->seen.segments_out += n > c->mss ? (n + c->mss - 1) / c->mss : 1;
    struct tcp_options o = options_of(c, n, flags);
    size_t options = tcp_options_bytes(&o);
    (void)tcp_options_write(&o, buf_put(b, options));
    if (n > c->mss) {
        b->cut_bytes = c->mss;
        ring_lend(&c->send, seq - c->snd_data, b, n);
    } else if (n) {
        ring_read(&c->send, seq - c->snd_data, buf_put(b, n), n);
    }
    struct tcp_wire h = {.seq = be32(seq), .flags = flags};
    if (flags & TCP_ACK)
        h.ack = be32(c->rcv_nxt);
    if (c->urging && !(flags & TCP_RST))
        tcp_urgent_tell(c, seq, &h);
    if (flags & TCP_SYN && !(flags & TCP_ACK))
        h.window = be16(tcp_window_first(c));
    else if (!(flags & TCP_RST))
        h.window = be16(window_tell(c, flags));
    return header_send(b, options, &h, c->local, c->peer) != -ENOBUFS;
}

void tcp_reset_send(struct tcp_conn *c)
{
    (void)tcp_segment_send(c, c->snd_nxt, 0, TCP_RST | TCP_ACK);
}

void tcp_reset_reply(const struct tcp_segment *s)
{
    if (s->flags & TCP_RST)
        return;
    struct buf *b = buf_alloc(false);
    if (!b)
        return;
    struct tcp_wire h = {.flags = TCP_RST | TCP_ACK, .ack = be32(s->seq + tcp_segment_length(s))};
    if (s->flags & TCP_ACK)
        h = (struct tcp_wire){.flags = TCP_RST, .seq = be32(s->ack)};
    (void)header_send(b, 0, &h, s->to, s->from);
}
