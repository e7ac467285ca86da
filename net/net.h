// SPDX-License-Identifier: MIT
// The network as the rooms above see it: addresses, the interface, datagrams. Addresses are host
// order uint32 (10.0.0.1 = 0x0a000001). Knows nothing of cluster nodes.
#pragma once

#include "lib/types.h"

#define NET_BROADCAST 0xffffffffu

struct net_address {
    uint32_t ip;
    uint16_t port;
};

struct net_way { // how a datagram is sent
    uint8_t ttl, tos;
    uint16_t id;       // of the IPv4 header; 0: the stack's choice
    uint16_t fragment; // its word of flags and offset, in a packet that needs no fragments
    bool whole;        // -EMSGSIZE rather than fragments
    bool probe;        // as large as the card takes, whatever is known of the path
};

// Address and prefix length of the interface; 0 until one is set.
uint32_t net_ip(void);
unsigned net_prefix(void);
void net_ip_set(uint32_t ip, unsigned prefix, uint32_t gateway);
// The interface's hardware address; false when there is no NIC.
bool net_mac(uint8_t mac[6]);
bool net_parse_ip(const char *text, uint32_t *ip) MUST_CHECK;
// "A.B.C.D/N"
bool net_parse_cidr(const char *text, uint32_t *ip, unsigned *prefix) MUST_CHECK;
// A neighbour does not answer though it lives: its hardware address is asked for anew. (ARP has no
// checksum, so a damaged answer may be believed; the one who misses the neighbour notices.)
void net_neighbour_doubt(uint32_t ip);
void net_format_ip(uint32_t ip, char out[16]);

// ---- UDP (RFC 768) -----------------------------------------------------------------------------
struct udp_port;

// `receive` runs with the kernel lock held in the network's receive context: must not sleep.
typedef void (*udp_receive_fn)(void *arg, struct net_address from, const void *bytes, size_t n);

// port 0: an ephemeral one. NULL: taken, or no memory.
struct udp_port *udp_open(uint16_t port, udp_receive_fn receive, void *arg);
uint16_t udp_local_port(const struct udp_port *u);
void udp_close(struct udp_port *u);
// 0 or -ENETDOWN, -EHOSTUNREACH (no route), -EMSGSIZE, -ENOBUFS. `to.ip` may be NET_BROADCAST.
// While ARP resolves the newest datagram of each neighbour waits; never sleeps.
int udp_send(struct udp_port *u, struct net_address to, const void *bytes, size_t n);
