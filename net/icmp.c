// SPDX-License-Identifier: MIT
#include "net/icmp.h"

#include "kernel/timer.h"
#include "lib/node_var.h"
#include "net/counters.h"
#include "net/net.h"
#include "net/wire.h"

#define ERROR_GAP_NS (10 * NS_PER_MS)
#define QUOTE_BYTES  8u // of the datagram, behind its IPv4 header (RFC 792)

NODE_VAR(uint64_t, error_sent_ns);

static void icmp_send(struct buf *b, uint32_t from, uint32_t to)
{
    struct icmp_wire *h = (void *)b->at;
    h->checksum = be16(0);
    h->checksum = be16(wire_sum_end(wire_sum(0, b->at, b->n)));
    (void)ip_send(b, from, to, IP_ICMP); // best effort
}

static void echo_answer(const struct ip_packet *p)
{
    if (p->broadcast || p->n > ip_room(p->from)) // RFC 1122, 3.2.2.6: broadcasts may be ignored
        return;
    struct buf *b = buf_alloc(false);
    if (!b)
        return;
    memcpy(buf_put(b, p->n), p->bytes, p->n);
    ((struct icmp_wire *)b->at)->type = ICMP_ECHO_REPLY;
    net_counter_add(COUNT_icmp_echoed);
    icmp_send(b, p->to, p->from);
}

void icmp_receive(const struct ip_packet *p)
{
    const struct icmp_wire *h = (const void *)p->bytes;
    if (p->n < sizeof(*h)) {
        net_counter_add(COUNT_icmp_short);
        return;
    }
    if (wire_sum_end(wire_sum(0, p->bytes, p->n)) != 0) {
        net_counter_add(COUNT_icmp_checksum);
        return;
    }
    icmp_tell_sockets(p);
    if (h->type == ICMP_ECHO && h->code == 0)
        echo_answer(p);
    else
        net_counter_add(COUNT_icmp_type);
}

void icmp_send_port_unreachable(const struct ip_packet *p)
{
    uint64_t now = clock_now_ns();
    if (p->broadcast || (node(error_sent_ns) && now - node(error_sent_ns) < ERROR_GAP_NS))
        return;
    struct buf *b = buf_alloc(false);
    if (!b)
        return;
    node(error_sent_ns) = now;
    struct icmp_wire *h = buf_put(b, sizeof(*h));
    memset(h, 0, sizeof(*h));
    h->type = ICMP_UNREACHABLE;
    h->code = ICMP_CODE_PORT;
    struct ip_wire *quote = buf_put(b, sizeof(*quote));
    *quote = (struct ip_wire){.version_ihl = 0x45,
                              .total = be16((unsigned)(sizeof(*quote) + p->n)),
                              .ttl = 1,
                              .protocol = IP_UDP,
                              .from = be32(p->from),
                              .to = be32(p->to)};
    quote->checksum = be16(wire_sum_end(wire_sum(0, quote, sizeof(*quote))));
    size_t n = MIN(p->n, (size_t)QUOTE_BYTES);
    memcpy(buf_put(b, n), p->bytes, n);
    icmp_send(b, p->to, p->from);
}
