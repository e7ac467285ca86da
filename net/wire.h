// SPDX-License-Identifier: MIT
// What goes over the wire, byte by byte: Ethernet (RFC 894), ARP (826), IPv4 (791), ICMP (792),
// UDP (768), TCP (9293). Network order lives in be16_t and be32_t and nowhere else: the logic sees
// host order. All of these have alignment 1, so they may be laid over any byte of a frame.
#pragma once

#include "lib/types.h"
#include "lib/string.h"

typedef struct {
    uint8_t b[2];
} be16_t;
typedef struct {
    uint8_t b[4];
} be32_t;

static inline uint16_t be16_get(be16_t v)
{
    return (uint16_t)(v.b[0] << 8 | v.b[1]);
}

static inline be16_t be16(unsigned v)
{
    return (be16_t){{(uint8_t)(v >> 8), (uint8_t)v}};
}

static inline uint32_t be32_get(be32_t v)
{
    return (uint32_t)v.b[0] << 24 | (uint32_t)v.b[1] << 16 | (uint32_t)v.b[2] << 8 | v.b[3];
}

static inline uint32_t be32_at(const uint8_t *p)
{
    be32_t v;
    memcpy(&v, p, sizeof(v));
    return be32_get(v);
}

static inline be32_t be32(uint32_t v)
{
    return (be32_t){{(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}};
}

#define ETH_IPV4        0x0800u
#define ETH_ARP         0x0806u
#define ETH_FRAME_MIN   60u // without the frame check sequence
#define ETH_PAYLOAD_MAX 1500u

struct eth_wire {
    uint8_t to[6], from[6];
    be16_t type;
};
STATIC_ASSERT(sizeof(struct eth_wire) == 14, "Ethernet header");

enum {
    ARP_REQUEST = 1,
    ARP_REPLY = 2
};

struct arp_wire {
    be16_t hardware, protocol; // 1, ETH_IPV4
    uint8_t hardware_bytes, protocol_bytes;
    be16_t operation;
    uint8_t sender_mac[6];
    be32_t sender_ip;
    uint8_t target_mac[6];
    be32_t target_ip;
};
STATIC_ASSERT(sizeof(struct arp_wire) == 28, "ARP for Ethernet and IPv4");

enum {
    IP_ICMP = 1,
    IP_TCP = 6,
    IP_UDP = 17
};

#define IP_DONT_FRAGMENT  0x4000u
#define IP_MORE_FRAGMENTS 0x2000u
#define IP_OFFSET_MASK    0x1fffu
#define IP_TOTAL_MAX      65535u // with the header
#define IP_MTU_MIN        68u    // RFC 791, 3.2: of every link

struct ip_wire {
    uint8_t version_ihl, tos;
    be16_t total, id, fragment;
    uint8_t ttl, protocol;
    be16_t checksum;
    be32_t from, to;
};
STATIC_ASSERT(sizeof(struct ip_wire) == 20, "IPv4 header without options");

enum {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11
};
enum { // of ICMP_UNREACHABLE
    ICMP_CODE_PORT = 3,
    ICMP_CODE_TOO_LARGE = 4, // and DF is set (RFC 1191)
};
enum { // of ICMP_TIME_EXCEEDED
    ICMP_CODE_REASSEMBLY = 1
};

struct icmp_wire {
    uint8_t type, code;
    be16_t checksum;
    be16_t id, sequence;
};
STATIC_ASSERT(sizeof(struct icmp_wire) == 8, "ICMP header");

struct udp_wire {
    be16_t from, to, length, checksum;
};
STATIC_ASSERT(sizeof(struct udp_wire) == 8, "UDP header");

enum {
    TCP_FIN = 1,
    TCP_SYN = 2,
    TCP_RST = 4,
    TCP_PSH = 8,
    TCP_ACK = 16,
    TCP_URG = 32
};
enum {
    TCP_OPTION_END = 0,
    TCP_OPTION_NOP = 1,
    TCP_OPTION_MSS = 2
};

struct tcp_wire {
    be16_t from, to;
    be32_t seq, ack;
    uint8_t offset; // high nibble: header length in words
    uint8_t flags;
    be16_t window, checksum, urgent;
};
STATIC_ASSERT(sizeof(struct tcp_wire) == 20, "TCP header without options");

// The Internet checksum (RFC 1071): sums are added up with wire_sum and closed with wire_sum_end.
// Only the last piece of a sum may have an odd length.
uint64_t wire_sum(uint64_t sum, const void *bytes, size_t n);
uint16_t wire_sum_end(uint64_t sum); // 0 over data with its right checksum in place
// The pseudo header that UDP and TCP sum with their own bytes.
uint64_t wire_sum_pseudo(uint32_t from, uint32_t to, uint8_t protocol, size_t n);
