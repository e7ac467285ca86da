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

// As Linux does, any router may cut the answer (DF is clear).
static void echo_answer(const struct ip_packet *p)
{
    if (p->broadcast) // RFC 1122, 3.2.2.6: may be ignored
        return;
    struct icmp_wire h;
    memcpy(&h, p->bytes, sizeof(h));
    h.type = ICMP_ECHO_REPLY;
    h.checksum = be16(0);
    struct ip_text t = {&h, sizeof(h), p->bytes + sizeof(h), p->n - sizeof(h)};
    uint64_t sum = wire_sum(0, &h, sizeof(h));
    h.checksum = be16(wire_sum_end(wire_sum(sum, t.bytes, t.n)));
    if (ip_send_text(&t, p->to, p->from, IP_ICMP, (struct net_way){.ttl = IP_TTL}) == 0)
        net_counter_add(COUNT_icmp_echoed);
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

// RFC 1122, 3.2.2: which packets no error may be about.
static bool error_allowed(const struct ip_packet *p)
{
    const struct ip_wire *h = (const void *)p->header;
    const struct icmp_wire *icmp = (const void *)p->bytes;
    if (p->broadcast)
        return false;
    return h->protocol != IP_ICMP || icmp->type == ICMP_ECHO || icmp->type == ICMP_ECHO_REPLY;
}

void icmp_send_error(uint8_t type, uint8_t code, const struct ip_packet *p)
{
    uint64_t now = clock_now_ns();
    if (!error_allowed(p) || (node(error_sent_ns) && now - node(error_sent_ns) < ERROR_GAP_NS))
        return;
    struct buf *b = buf_alloc(false);
    if (!b)
        return;
    node(error_sent_ns) = now;
    struct icmp_wire *h = buf_put(b, sizeof(*h));
    *h = (struct icmp_wire){.type = type, .code = code};
    size_t header = (size_t)(p->bytes - p->header), n = MIN(p->n, (size_t)QUOTE_BYTES);
    memcpy(buf_put(b, header + n), p->header, header + n);
    icmp_send(b, p->to, p->from);
}
