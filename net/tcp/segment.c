// SPDX-License-Identifier: MIT
// Segments and the wire: parsed once here, built once here.
#include "net/tcp/tcp_priv.h"

#include "net/wire.h"

#define OPTION_MSS_BYTES 4u

// Options: false when one runs over the header's end (RFC 9293, 3.2).
static bool options_parse(const uint8_t *p, size_t n, struct tcp_segment *s)
{
    while (n > 0 && p[0] != TCP_OPTION_END) {
        if (p[0] == TCP_OPTION_NOP) {
            p++;
            n--;
            continue;
        }
        if (n < 2 || p[1] < 2 || p[1] > n)
            return false;
        if (p[0] == TCP_OPTION_MSS && p[1] == OPTION_MSS_BYTES)
            s->mss = (uint16_t)(p[2] << 8 | p[3]);
        n -= p[1];
        p += p[1];
    }
    return true;
}

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
    *s = (struct tcp_segment){.from = {p->from, be16_get(h->from)},
                              .to = {p->to, be16_get(h->to)},
                              .seq = be32_get(h->seq),
                              .ack = be32_get(h->ack),
                              .flags = h->flags,
                              .window = be16_get(h->window),
                              .data = p->bytes + header,
                              .n = (uint32_t)(p->n - header)};
    if (!options_parse(p->bytes + sizeof(*h), header - sizeof(*h), s)) {
        net_counter_add(COUNT_tcp_short);
        return false;
    }
    return true;
}

uint16_t tcp_mss_for(uint32_t peer_ip)
{
    return (uint16_t)(ip_room(peer_ip) - sizeof(struct tcp_wire));
}

// Finishes and sends: `b` holds options and data, `h` says the rest.
static void header_send(struct buf *b, size_t options, const struct tcp_wire *fields,
                        struct net_address from, struct net_address to)
{
    struct tcp_wire *h = buf_push(b, sizeof(*h));
    *h = *fields;
    h->from = be16(from.port);
    h->to = be16(to.port);
    h->offset = (uint8_t)((sizeof(*h) + options) / 4 << 4);
    h->checksum = be16(0);
    uint64_t sum = wire_sum_pseudo(from.ip, to.ip, IP_TCP, b->n);
    h->checksum = be16(wire_sum_end(wire_sum(sum, b->at, b->n)));
    net_counter_add(COUNT_tcp_out);
    (void)ip_send(b, from.ip, to.ip, IP_TCP); // lost here or on the wire: repaired the same way
}

void tcp_segment_send(struct tcp_conn *c, uint32_t seq, uint32_t n, uint8_t flags)
{
    struct buf *b = buf_alloc(c->flags & TCP_LINK);
    if (!b)
        return; // as if the wire had lost it
    size_t options = 0;
    if (flags & TCP_SYN) {
        uint16_t mss = tcp_mss_for(c->peer.ip);
        const uint8_t option[OPTION_MSS_BYTES] = {TCP_OPTION_MSS, OPTION_MSS_BYTES,
                                                  (uint8_t)(mss >> 8), (uint8_t)mss};
        memcpy(buf_put(b, sizeof(option)), option, sizeof(option));
        options = sizeof(option);
    }
    if (n)
        ring_read(&c->send, seq - c->snd_data, buf_put(b, n), n);
    uint32_t window = flags & TCP_RST ? 0 : tcp_window(c);
    const struct tcp_wire h = {.seq = be32(seq),
                               .ack = be32(flags & TCP_ACK ? c->rcv_nxt : 0),
                               .flags = flags,
                               .window = be16(window)};
    if (flags & TCP_ACK) {
        c->rcv_adv = c->rcv_nxt + window;
        c->rcv_acked = c->rcv_nxt;
        c->ack_now = c->ack_later = false;
        timer_cancel(&c->ack_timer);
    }
    header_send(b, options, &h, c->local, c->peer);
}

void tcp_reset_send(struct tcp_conn *c)
{
    tcp_segment_send(c, c->snd_nxt, 0, TCP_RST | TCP_ACK);
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
    header_send(b, 0, &h, s->to, s->from);
}
