// SPDX-License-Identifier: MIT
// IPv4 (RFC 791, 1122): one interface, no forwarding; fragments both ways.
#pragma once

#include "net/buf.h"
#include "net/net.h"

enum ip_via {
    IP_VIA_WIRE,      // a frame to our hardware address
    IP_VIA_BROADCAST, // a broadcast frame
    IP_VIA_LOOP,      // from this node itself
};

struct ip_packet { // what the protocols above get; borrowed for the call
    uint32_t from, to;
    const uint8_t *bytes; // behind the IPv4 header
    size_t n;
    bool broadcast;        // `to` or the frame is a broadcast
    const uint8_t *header; // the IPv4 header, right in front of `bytes`
    uint8_t ttl, tos;
};

void ip_init(void);
void ip_receive(const uint8_t *packet, size_t n, enum ip_via via);
void ip_tell_sockets(uint8_t protocol, const struct ip_packet *p); // sockets.c: raw ones get a copy

// Our address for talking to `to`; 0, -ENETDOWN (no address or NIC), -EHOSTUNREACH.
int ip_source(uint32_t to, uint32_t *from) MUST_CHECK;
// Adds the header and sends what fits in one packet. Takes the buffer. 0, -ENETDOWN, -EHOSTUNREACH,
// -ENOBUFS.
int ip_send(struct buf *b, uint32_t from, uint32_t to, uint8_t protocol);

struct ip_text { // bytes of a datagram behind its IPv4 header, in two pieces
    const void *head;
    size_t head_bytes;
    const void *bytes;
    size_t n;
};
#define IP_TTL 64u
// Copies them, and sends them in fragments when they do not fit in one packet. -EMSGSIZE: they do
// not fit in a datagram, or the way wants it whole.
int ip_send_text(const struct ip_text *t, uint32_t from, uint32_t to, uint8_t protocol,
                 struct net_way way);
// Bytes that fit behind the IPv4 header on the way to `to`; of loopback: in one buffer.
size_t ip_room(uint32_t to);
size_t ip_mtu(uint32_t to); // as programs see it: loopback takes any datagram
// Bytes of TCP text that one buffer may take on the way to `to`, for the card to cut; 0: none.
uint32_t ip_cut_max(uint32_t to);
bool ip_is_broadcast(uint32_t ip); // limited, or of our subnet
