// SPDX-License-Identifier: MIT
#include "net/ip.h"

#include "kernel/random.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "net/arp.h"
#include "net/counters.h"
#include "net/eth.h"
#include "net/fragment.h"
#include "net/icmp.h"
#include "net/route.h"
#include "net/tcp/input.h"
#include "net/udp.h"
#include "net/wire.h"

#define LOOP_MAX 128u // packets on their way to ourselves: two of the largest datagrams fit
#define IDS      64u

NODE_VAR(uint16_t, next_id); // of packets that nobody may cut: any will do (RFC 6864, 4.1)
NODE_VAR(uint16_t, ids[IDS]);
NODE_VAR(uint32_t, id_key); // 0: not drawn yet
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

static bool loop_full(unsigned packets)
{
    if (node(loop_length) + packets <= LOOP_MAX)
        return false;
    net_counter_add(COUNT_loop_full);
    return true;
}

static int loop_send(struct buf *b)
{
    if (loop_full(1)) {
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
    fragment_init();
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

static void fragment_arrives(uint8_t protocol, const struct ip_packet *p)
{
    struct ip_packet whole;
    struct assembly *a = fragment_receive(p, &whole);
    if (!a)
        return;
    ip_deliver(protocol, &whole);
    fragment_free(a);
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
    if (be16_get(h->fragment) & (IP_MORE_FRAGMENTS | IP_OFFSET_MASK))
        fragment_arrives(h->protocol, &p);
    else
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

static size_t card_mtu(uint32_t to)
{
    struct route r;
    return route_find(to, &r) == 0 && r.kind != ROUTE_LOOP ? nic_first()->mtu : ETH_PAYLOAD_MAX;
}

size_t ip_room(uint32_t to)
{
    return route_mtu(to, card_mtu(to)) - sizeof(struct ip_wire);
}

size_t ip_mtu(uint32_t to)
{
    struct route r;
    bool loop = route_find(to, &r) == 0 && r.kind == ROUTE_LOOP;
    return loop ? IP_TOTAL_MAX : route_mtu(to, card_mtu(to));
}

uint32_t ip_cut_max(uint32_t to)
{
    struct route r;
    if (route_find(to, &r) != 0 || r.kind != ROUTE_NEIGHBOUR)
        return 0;
    return nic_first()->cut_max;
}

// ---- sending -----------------------------------------------------------------------------------
// Ids of what may be cut must not come again while fragments live (RFC 6864, 4.3): a counter for
// each group of peers, so that the traffic of others uses none up and tells nothing (RFC 7739).
static uint16_t id_of(uint32_t to, uint8_t protocol)
{
    if (!node(id_key)) {
        random_bytes(node(ids), sizeof(node(ids)));
        node(id_key) = random_u32() | 1;
    }
    uint32_t mixed = (to ^ protocol ^ node(id_key)) * 0x9e3779b1u;
    uint16_t *id = &node(ids)[(mixed ^ mixed >> 16) % IDS];
    *id = (uint16_t)(*id + 1 + (*id == UINT16_MAX)); // 0 has a meaning in struct net_way
    return *id;
}

static uint16_t id_for(uint32_t to, uint8_t protocol, const struct net_way *way)
{
    if (way->id)
        return way->id;
    return way->fragment & IP_DONT_FRAGMENT ? node(next_id)++ : id_of(to, protocol);
}

static void header_push(struct buf *b, uint32_t from, uint32_t to, uint8_t protocol,
                        const struct net_way *way)
{
    struct ip_wire *h = buf_push(b, sizeof(*h));
    *h = (struct ip_wire){.version_ihl = 0x45,
                          .tos = way->tos,
                          .total = be16((unsigned)b->n),
                          .id = be16(way->id),
                          .fragment = be16(way->fragment),
                          .ttl = way->ttl,
                          .protocol = protocol,
                          .from = be32(from),
                          .to = be32(to)};
    if (b->cut_bytes) // the card counts both for each segment
        h->total = be16(0);
    else
        h->checksum = be16(wire_sum_end(wire_sum(0, h, sizeof(*h))));
}

static int send_as(struct buf *b, uint32_t from, uint32_t to, uint8_t protocol, struct net_way way)
{
    struct route r;
    int error = route_find(to, &r);
    if (error) {
        net_counter_add(COUNT_ip_no_route);
        buf_free(b);
        return error;
    }
    way.id = id_for(to, protocol, &way);
    header_push(b, from, to, protocol, &way);
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

int ip_send(struct buf *b, uint32_t from, uint32_t to, uint8_t protocol)
{
    return send_as(b, from, to, protocol,
                   (struct net_way){.ttl = IP_TTL, .fragment = IP_DONT_FRAGMENT});
}

static void text_copy(const struct ip_text *t, size_t at, uint8_t *out, size_t n)
{
    size_t head = at < t->head_bytes ? MIN(t->head_bytes - at, n) : 0;
    if (head)
        memcpy(out, (const uint8_t *)t->head + at, head);
    if (n > head)
        memcpy(out + head, (const uint8_t *)t->bytes + (at + head - t->head_bytes), n - head);
}

static struct buf *text_buf(const struct ip_text *t, size_t at, size_t n)
{
    struct buf *b = buf_alloc(false);
    if (b)
        text_copy(t, at, buf_put(b, n), n);
    return b;
}

// All fragments, or none.
static bool fragments_make(const struct ip_text *t, uint32_t from, uint32_t to, uint8_t protocol,
                           struct net_way way, struct list *made)
{
    size_t total = t->head_bytes + t->n, most = ip_room(to) & ~7u; // offsets count 8 bytes
    unsigned start = way.fragment & IP_OFFSET_MASK; // what is cut may be a program's fragment
    uint16_t last = way.fragment & IP_MORE_FRAGMENTS;
    if (!way.id)
        way.id = id_of(to, protocol);
    for (size_t at = 0; at < total; at += most) {
        size_t n = MIN(most, total - at);
        struct buf *b = text_buf(t, at, n);
        if (!b) {
            buf_free_all(made);
            return false;
        }
        uint16_t offset = (start + at / 8) & IP_OFFSET_MASK;
        way.fragment = offset | (at + n < total ? IP_MORE_FRAGMENTS : last);
        header_push(b, from, to, protocol, &way);
        list_append(made, &b->link);
    }
    return true;
}

static int loop_send_all(struct list *bufs)
{
    if (loop_full(buf_count(bufs))) {
        buf_free_all(bufs);
        return -ENOBUFS;
    }
    struct list *item;
    while ((item = list_pop(bufs)))
        (void)loop_send(list_entry(item, struct buf, link)); // there is room
    return 0;
}

static int send_cut(const struct ip_text *t, uint32_t from, uint32_t to, uint8_t protocol,
                    struct net_way way)
{
    struct route r;
    struct list made;
    int error = route_find(to, &r);
    if (error)
        return error;
    if (way.whole && r.kind != ROUTE_LOOP)
        return -EMSGSIZE;
    list_init(&made);
    if (!fragments_make(t, from, to, protocol, way, &made))
        return -ENOBUFS;
    net_counter_add(COUNT_ip_fragmented);
    switch (r.kind) {
    case ROUTE_LOOP:
        return loop_send_all(&made);
    case ROUTE_BROADCAST:
        return eth_send_all(nic_first(), &made, eth_broadcast, ETH_IPV4);
    case ROUTE_NEIGHBOUR:
        break;
    }
    return arp_send_all(nic_first(), r.next_hop, &made);
}

int ip_send_text(const struct ip_text *t, uint32_t from, uint32_t to, uint8_t protocol,
                 struct net_way way)
{
    size_t n = t->head_bytes + t->n;
    if (n > IP_TOTAL_MAX - sizeof(struct ip_wire))
        return -EMSGSIZE;
    if (n > (way.probe ? card_mtu(to) - sizeof(struct ip_wire) : ip_room(to)))
        return send_cut(t, from, to, protocol, way);
    struct buf *b = text_buf(t, 0, n);
    return b ? send_as(b, from, to, protocol, way) : -ENOBUFS;
}
