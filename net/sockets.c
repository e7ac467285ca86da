// SPDX-License-Identifier: MIT
#include "net/sockets.h"

#include "lib/errno.h"
#include "lib/node_var.h"
#include "net/counters.h"
#include "net/icmp.h"
#include "net/route.h"
#include "net/tcp/input.h"
#include "net/wire.h"

static bool no_datagram(const struct net_datagram *d)
{
    (void)d;
    return false;
}

static void no_packet(uint8_t protocol, const struct net_packet *p)
{
    (void)protocol;
    (void)p;
}

static bool no_error(const struct net_error *e)
{
    (void)e;
    return false;
}

static const struct net_sockets none = {no_datagram, no_packet, no_error};
NODE_VAR(const struct net_sockets *, others) = &none;

void net_sockets_set(const struct net_sockets *s)
{
    node(others) = s;
}

const struct net_sockets *net_sockets(void)
{
    return node(others);
}

bool net_is_broadcast(uint32_t ip)
{
    return ip_is_broadcast(ip);
}

int net_source(uint32_t to, uint32_t *from)
{
    return ip_source(to, from);
}

void net_traffic(bool loop, struct net_traffic *in, struct net_traffic *out)
{
    if (loop) {
        *in = *out = (struct net_traffic){.packets = net_counter(COUNT_loop_packets),
                                          .bytes = net_counter(COUNT_loop_bytes)};
        out->dropped = net_counter(COUNT_loop_full);
        return;
    }
    *in = (struct net_traffic){net_counter(COUNT_frames_in), net_counter(COUNT_bytes_in),
                               net_counter(COUNT_nic_rx_bad), net_counter(COUNT_nic_rx_missed)};
    *out = (struct net_traffic){net_counter(COUNT_frames_out), net_counter(COUNT_bytes_out),
                                net_counter(COUNT_nic_tx_bad), net_counter(COUNT_nic_tx_full)};
}

size_t net_mtu(uint32_t to)
{
    return ip_mtu(to);
}

int ip_send_raw(uint32_t from, uint32_t to, uint8_t protocol, const void *bytes, size_t n,
                struct net_way way)
{
    return ip_send_text(&(struct ip_text){.bytes = bytes, .n = n}, from, to, protocol, way);
}

int udp_send_from(struct net_address from, struct net_address to, const void *bytes, size_t n,
                  struct net_way way)
{
    size_t length = n + sizeof(struct udp_wire);
    if (length > IP_TOTAL_MAX - sizeof(struct ip_wire))
        return -EMSGSIZE;
    struct udp_wire h = {be16(from.port), be16(to.port), be16((unsigned)length), be16(0)};
    uint64_t sum = wire_sum_pseudo(from.ip, to.ip, IP_UDP, length);
    sum = wire_sum(sum, &h, sizeof(h));
    uint16_t checksum = wire_sum_end(wire_sum(sum, bytes, n));
    h.checksum = be16(checksum ? checksum : 0xffff); // 0 would say: none
    struct ip_text t = {&h, sizeof(h), bytes, n};
    return ip_send_text(&t, from.ip, to.ip, IP_UDP, way);
}

#define QUOTE_BYTES 8u // of the packet that an ICMP error is about, behind its IPv4 header

static int error_of(uint8_t type, uint8_t code)
{
    static const int16_t unreachable[] = {-ENETUNREACH,  -EHOSTUNREACH, -ENOPROTOOPT,
                                          -ECONNREFUSED, -EMSGSIZE,     -EOPNOTSUPP};
    if (type == ICMP_UNREACHABLE)
        return code < ARRAY_SIZE(unreachable) ? unreachable[code] : -EHOSTUNREACH;
    return type == ICMP_TIME_EXCEEDED ? -EHOSTUNREACH : 0;
}

void ip_tell_sockets(uint8_t protocol, const struct ip_packet *p)
{
    struct net_packet whole = {p->from,
                               p->to,
                               p->header,
                               (size_t)(p->bytes - p->header),
                               p->n + (size_t)(p->bytes - p->header),
                               p->ttl,
                               p->tos};
    net_sockets()->packet(protocol, &whole);
}

// RFC 1191, 7: what a router means that names no size.
static size_t plateau_below(size_t n)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (unsigned i = 0; i < ARRAY_SIZE(plateaus); i++)
        if (plateaus[i] < n)
            return plateaus[i];
    return 0;
}

// "Fragmentation needed and DF set", about `quote`. Believed of a packet that can be ours, and
// that does not fit the size it tells (RFC 5927, 7.2).
static void path_told(const struct icmp_wire *h, const struct ip_wire *quote,
                      const struct net_error *e, bool ours)
{
    size_t sent = be16_get(quote->total), told = be16_get(h->sequence);
    if (told == 0)
        told = plateau_below(sent);
    if (!ours || told >= sent || told < IP_MTU_MIN) {
        net_counter_add(COUNT_icmp_path_off);
        return;
    }
    net_counter_add(COUNT_icmp_path_narrow);
    route_narrow(e->remote.ip, told);
    if (e->protocol == IP_TCP)
        tcp_path_narrows(e->local, e->remote);
}

void icmp_tell_sockets(const struct ip_packet *p)
{
    const struct icmp_wire *h = (const void *)p->bytes;
    ip_tell_sockets(IP_ICMP, p);
    const struct ip_wire *quote = (const void *)(p->bytes + sizeof(*h));
    size_t left = p->n - sizeof(*h);
    int error = error_of(h->type, h->code);
    if (error == 0 || left < sizeof(*quote))
        return;
    size_t header = (quote->version_ihl & 15) * 4u;
    if (header < sizeof(*quote) || left < header + QUOTE_BYTES)
        return;
    const uint8_t *ports = (const uint8_t *)quote + header;
    struct net_error e = {
        .local = {be32_get(quote->from), (uint16_t)(ports[0] << 8 | ports[1])},
        .remote = {be32_get(quote->to), (uint16_t)(ports[2] << 8 | ports[3])},
        .protocol = quote->protocol,
        .error = error,
    };
    bool ours = net_sockets()->error(&e);
    if (e.protocol == IP_TCP)
        ours = tcp_in_flight(e.local, e.remote, be32_at(ports + 4));
    if (h->type == ICMP_UNREACHABLE && h->code == ICMP_CODE_TOO_LARGE)
        path_told(h, quote, &e, ours);
}
