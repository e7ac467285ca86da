// SPDX-License-Identifier: MIT
#include "net/ip.h"

#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "net/arp.h"
#include "net/counters.h"
#include "net/eth.h"
#include "net/icmp.h"
#include "net/net.h"
#include "net/route.h"
#include "net/tcp/input.h"
#include "net/udp.h"
#include "net/wire.h"

#define TTL      64
#define LOOP_MAX 64u // packets on their way to ourselves

NODE_VAR(uint16_t, next_id);
NODE_VAR(struct list, loop_queue);
NODE_VAR(unsigned, loop_length);
NODE_VAR(struct timer, loop_timer);

// Packets to ourselves are delivered from a timer, not from inside the call that sends them: the
// protocols above need not be re-entrant.
static void loop_deliver(void *arg)
{
    (void)arg;
    for (unsigned batch = 0; batch < NIC_BATCH; batch++) {
        struct list *item = list_pop(&node(loop_queue));
        if (!item)
            return;
        node(loop_length)--;
        struct buf *b = list_entry(item, struct buf, link);
        ip_receive(b->at, b->n, IP_VIA_LOOP);
        buf_free(b);
    }
    if (!list_empty(&node(loop_queue)))
        timer_set(&node(loop_timer), clock_now_ns());
}

static int loop_send(struct buf *b)
{
    if (node(loop_length) >= LOOP_MAX) {
        net_counter_add(COUNT_loop_full);
        buf_free(b);
        return -ENOBUFS;
    }
    net_counter_add(COUNT_loop_packets);
    net_counter_more(COUNT_loop_bytes, b->n);
    node(loop_length)++;
    list_append(&node(loop_queue), &b->link);
    if (!timer_is_set(&node(loop_timer)))
        timer_set(&node(loop_timer), clock_now_ns());
    return 0;
}

void ip_init(void)
{
    list_init(&node(loop_queue));
    timer_init(&node(loop_timer), loop_deliver, NULL);
}

static void ip_deliver(uint8_t protocol, const struct ip_packet *p)
{
    if (protocol != IP_ICMP) // those are looked at first
        ip_tell_sockets(protocol, p);
    switch (protocol) {
    case IP_ICMP:
        icmp_receive(p);
        break;
    case IP_UDP:
        udp_receive(p);
        break;
    case IP_TCP:
        tcp_input(p);
        break;
    default: // a number from the wire, not an enum
        net_counter_add(COUNT_ip_protocol);
    }
}

// Sources that no honest packet has: nobody, everybody, loopback or ourselves on the wire.
static bool source_possible(uint32_t from, enum ip_via via)
{
    if (via == IP_VIA_LOOP)
        return true;
    return from >> 24 != 0 && from >> 24 != 127 && from >> 28 < 0xe && from != net_ip() &&
           !ip_is_broadcast(from);
}

static bool destination_ours(uint32_t to, enum ip_via via)
{
    if (via == IP_VIA_LOOP)
        return true;
    return (to == net_ip() && to != 0) || ip_is_broadcast(to);
}

void ip_receive(const uint8_t *packet, size_t n, enum ip_via via)
{
    const struct ip_wire *h = (const void *)packet;
    if (n < sizeof(*h)) {
        net_counter_add(COUNT_ip_short);
        return;
    }
    size_t header = (h->version_ihl & 15) * 4u, total = be16_get(h->total);
    enum net_counter refused = NET_COUNTERS;
    if (h->version_ihl >> 4 != 4)
        refused = COUNT_ip_version;
    else if (header < sizeof(*h) || header > total || total > n) // frames may be padded: not <
        refused = COUNT_ip_short;
    else if (wire_sum_end(wire_sum(0, packet, header)) != 0)
        refused = COUNT_ip_checksum;
    else if (be16_get(h->fragment) & (IP_MORE_FRAGMENTS | IP_OFFSET_MASK))
        refused = COUNT_ip_fragment;
    else if (!source_possible(be32_get(h->from), via))
        refused = COUNT_ip_source;
    else if (!destination_ours(be32_get(h->to), via))
        refused = COUNT_ip_not_ours;
    if (refused != NET_COUNTERS) {
        net_counter_add(refused);
        return;
    }
    struct ip_packet p = {be32_get(h->from),
                          be32_get(h->to),
                          packet + header,
                          total - header,
                          false,
                          packet,
                          h->ttl,
                          h->tos};
    p.broadcast = via == IP_VIA_BROADCAST || ip_is_broadcast(p.to);
    ip_deliver(h->protocol, &p);
}

int ip_source(uint32_t to, uint32_t *from)
{
    struct route r;
    int error = route_find(to, &r);
    if (error == 0)
        *from = r.source;
    return error;
}

size_t ip_room(uint32_t to)
{
    struct route r;
    size_t mtu = ETH_PAYLOAD_MAX;
    if (route_find(to, &r) == 0 && r.kind != ROUTE_LOOP)
        mtu = nic_first()->mtu;
    return mtu - sizeof(struct ip_wire);
}

uint32_t ip_cut_max(uint32_t to)
{
    struct route r;
    if (route_find(to, &r) != 0 || r.kind != ROUTE_NEIGHBOUR)
        return 0;
    return nic_first()->cut_max;
}

int ip_send(struct buf *b, uint32_t from, uint32_t to, uint8_t protocol)
{
    return ip_send_as(b, from, to, protocol, TTL, 0);
}

int ip_send_as(struct buf *b, uint32_t from, uint32_t to, uint8_t protocol, uint8_t ttl,
               uint8_t tos)
{
    struct route r;
    int error = route_find(to, &r);
    if (error) {
        net_counter_add(COUNT_ip_no_route);
        buf_free(b);
        return error;
    }
    struct ip_wire *h = buf_push(b, sizeof(*h));
    *h = (struct ip_wire){.version_ihl = 0x45,
                          .tos = tos,
                          .total = be16((unsigned)b->n),
                          .id = be16(node(next_id)++),
                          .fragment = be16(IP_DONT_FRAGMENT),
                          .ttl = ttl,
                          .protocol = protocol,
                          .from = be32(from),
                          .to = be32(to)};
    if (b->cut_bytes) // the card counts both for each segment
        h->total = be16(0);
    else
        h->checksum = be16(wire_sum_end(wire_sum(0, h, sizeof(*h))));
    switch (r.kind) {
    case ROUTE_LOOP:
        return loop_send(b);
    case ROUTE_BROADCAST:
        return eth_send(nic_first(), b, eth_broadcast, ETH_IPV4);
    case ROUTE_NEIGHBOUR:
        break;
    }
    return arp_send(nic_first(), r.next_hop, b);
}
