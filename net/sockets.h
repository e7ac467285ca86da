// SPDX-License-Identifier: MIT
// What sockets of programs (ssi/stream) need of the network beside net.h and tcp.h: datagrams for
// ports that nobody in the kernel has, packets as they come and go, and facts about addresses. No
// call sleeps.
#pragma once

#include "net/net.h"

struct net_datagram { // one that arrived; borrowed for the call
    struct net_address from, to;
    const void *bytes;
    size_t n;
    uint8_t ttl, tos;
    bool broadcast;
};

struct net_packet { // an IPv4 packet that arrived, with its header; borrowed for the call
    uint32_t from, to;
    const uint8_t *header;
    size_t header_bytes, n; // n with the header
    uint8_t ttl, tos;
};

struct net_error { // an ICMP error about a datagram of ours
    struct net_address local, remote;
    uint8_t protocol;
    int error; // negative errno, as ip(7) maps type and code
};

struct net_sockets {
    // A datagram for a port without a struct udp_port. true: somebody took it; else the sender is
    // told that the port is closed.
    bool (*datagram)(const struct net_datagram *d);
    // Every packet of a protocol, of ICMP those that are well formed; the stack has it as well.
    void (*packet)(uint8_t protocol, const struct net_packet *p);
    // False: nobody here can have sent the datagram.
    bool (*error)(const struct net_error *e);
};
void net_sockets_set(const struct net_sockets *s); // kept
const struct net_sockets *net_sockets(void);       // never NULL

bool udp_port_taken(uint16_t port); // by the kernel
bool net_is_broadcast(uint32_t ip); // limited, or of our subnet
uint32_t net_gateway(void);         // 0: none
// Our address on the way to `to`: 0, -ENETDOWN, -EHOSTUNREACH.
int net_source(uint32_t to, uint32_t *from) MUST_CHECK;
size_t net_mtu(uint32_t to); // of the way there, as far as is known

struct net_traffic {
    uint64_t packets, bytes, errors, dropped;
};
// What the interface has carried: the loopback, or the NIC.
void net_traffic(bool loop, struct net_traffic *in, struct net_traffic *out);

// A datagram from an address of ours: as udp_send, but in fragments if need be. -EMSGSIZE: more
// than 65507 bytes, or more than one packet takes and the way wants it whole.
int udp_send_from(struct net_address from, struct net_address to, const void *bytes, size_t n,
                  struct net_way way);
// `bytes` of the protocol behind an IPv4 header of our making. Same errors.
int ip_send_raw(uint32_t from, uint32_t to, uint8_t protocol, const void *bytes, size_t n,
                struct net_way way);
