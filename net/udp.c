// SPDX-License-Identifier: MIT
#include "net/udp.h"

#include "kernel/random.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "net/counters.h"
#include "net/icmp.h"
#include "net/net.h"
#include "net/sockets.h"
#include "net/wire.h"

#define EPHEMERAL_FIRST 49152u
#define EPHEMERAL_COUNT 16384u

struct udp_port {
    struct list link;
    uint16_t port;
    udp_receive_fn receive;
    void *arg;
};

NODE_VAR(struct list, ports); // few: beacons, witness, tools

void udp_init(void)
{
    list_init(&node(ports));
}

static struct udp_port *port_find(uint16_t port)
{
    struct udp_port *u;
    list_for_each (u, &node(ports), link)
        if (u->port == port)
            return u;
    return NULL;
}

static uint16_t port_choose(void)
{
    uint32_t start = random_u32();
    for (unsigned i = 0; i < EPHEMERAL_COUNT; i++) {
        uint16_t port = (uint16_t)(EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);
        if (!port_find(port))
            return port;
    }
    return 0;
}

bool udp_port_taken(uint16_t port)
{
    return port_find(port) != NULL;
}

struct udp_port *udp_open(uint16_t port, udp_receive_fn receive, void *arg)
{
    if (port == 0)
        port = port_choose();
    if (port == 0 || port_find(port))
        return NULL;
    struct udp_port *u = heap_alloc(sizeof(*u));
    if (!u)
        return NULL;
    u->port = port;
    u->receive = receive;
    u->arg = arg;
    list_append(&node(ports), &u->link);
    return u;
}

uint16_t udp_local_port(const struct udp_port *u)
{
    return u->port;
}

void udp_close(struct udp_port *u)
{
    list_remove(&u->link);
    heap_free(u);
}

void udp_receive(const struct ip_packet *p)
{
    const struct udp_wire *h = (const void *)p->bytes;
    size_t length = p->n < sizeof(*h) ? 0 : be16_get(h->length);
    if (length < sizeof(*h) || length > p->n) {
        net_counter_add(COUNT_udp_short);
        return;
    }
    bool summed = be16_get(h->checksum) != 0; // 0: the sender made none
    uint64_t sum = wire_sum_pseudo(p->from, p->to, IP_UDP, length);
    if (summed && wire_sum_end(wire_sum(sum, p->bytes, length)) != 0) {
        net_counter_add(COUNT_udp_checksum);
        return;
    }
    struct udp_port *u = port_find(be16_get(h->to));
    if (!u) {
        struct net_datagram d = {.from = {p->from, be16_get(h->from)},
                                 .to = {p->to, be16_get(h->to)},
                                 .bytes = p->bytes + sizeof(*h),
                                 .n = length - sizeof(*h),
                                 .ttl = p->ttl,
                                 .tos = p->tos,
                                 .broadcast = p->broadcast};
        if (net_sockets()->datagram(&d))
            return;
        net_counter_add(COUNT_udp_no_port);
        icmp_send_error(ICMP_UNREACHABLE, ICMP_CODE_PORT, p);
        return;
    }
    struct net_address from = {p->from, be16_get(h->from)};
    u->receive(u->arg, from, p->bytes + sizeof(*h), length - sizeof(*h));
}

int udp_send(struct udp_port *u, struct net_address to, const void *bytes, size_t n)
{
    uint32_t from;
    int error = ip_source(to.ip, &from);
    if (error)
        return error;
    size_t length = n + sizeof(struct udp_wire);
    if (length > ip_room(to.ip) || n > BUF_ROOM)
        return -EMSGSIZE;
    struct buf *b = buf_alloc(true); // beacons and grants keep a cluster together
    if (!b)
        return -ENOBUFS;
    memcpy(buf_put(b, n), bytes, n);
    struct udp_wire *h = buf_push(b, sizeof(*h));
    *h = (struct udp_wire){be16(u->port), be16(to.port), be16((unsigned)length), be16(0)};
    uint64_t sum = wire_sum_pseudo(from, to.ip, IP_UDP, length);
    uint16_t checksum = wire_sum_end(wire_sum(sum, b->at, length));
    h->checksum = be16(checksum ? checksum : 0xffff); // 0 would say: none
    return ip_send(b, from, to.ip, IP_UDP);
}
