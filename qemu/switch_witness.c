// SPDX-License-Identifier: MIT
// The witness of PROTOCOLS 4 as a station on the switch: 10.77.0.2, UDP port 7702. Whom to grant
// an epoch is ssi/cluster/witness.c's; here are only ARP (RFC 826), IPv4 and UDP around it.
#include "qemu/switch.h"
#include "ssi/cluster/witness.h"

#include <string.h>

#define HEADS_BYTES (14 + 20 + 8)

static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x77, 0x00, 0x02};
static const uint8_t ip[4] = {10, 77, 0, 2};
static struct witness witness;

void witness_port_init(const uint8_t *cluster_key)
{
    witness_init(&witness);
    if (cluster_key)
        witness_seal(&witness, cluster_key);
}

static unsigned get16(const uint8_t *b)
{
    return (unsigned)b[0] << 8 | b[1];
}

static void put16(uint8_t *b, unsigned v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

// RFC 1071, folded, not inverted; `sum` is what came before.
static unsigned sum16(unsigned sum, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += get16(b + i);
    if (n & 1)
        sum += (unsigned)b[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static unsigned udp_sum(const uint8_t *addresses, const uint8_t *udp, size_t n)
{
    return sum16(sum16(17 + (unsigned)n, addresses, 8), udp, n);
}

static void answer_arp(unsigned slot, const uint8_t *in, size_t bytes)
{
    static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t out[60] = {0};

    if (bytes < 42 || memcmp(in + 14, request, 8) || memcmp(in + 38, ip, 4))
        return;
    memcpy(out, in + 6, 6);
    memcpy(out + 6, mac, 6);
    put16(out + 12, 0x0806);
    memcpy(out + 14, request, 8);
    out[21] = 2;
    memcpy(out + 22, mac, 6);
    memcpy(out + 28, ip, 4);
    memcpy(out + 32, in + 22, 10);
    forward_frame(slot, out, sizeof out);
}

static void send_udp(unsigned slot, const uint8_t *asked, uint8_t *out, size_t bytes)
{
    uint8_t *head = out + 14, *udp = head + 20;

    memcpy(out, asked + 6, 6);
    memcpy(out + 6, mac, 6);
    put16(out + 12, 0x0800);
    memset(head, 0, 28);
    head[0] = 0x45;
    put16(head + 2, (unsigned)(28 + bytes));
    head[8] = 64;
    head[9] = 17;
    memcpy(head + 12, ip, 4);
    memcpy(head + 16, asked + 26, 4);
    put16(head + 10, ~sum16(0, head, 20));
    put16(udp, WITNESS_PORT);
    memcpy(udp + 2, asked + 34, 2);
    put16(udp + 4, (unsigned)(8 + bytes));
    unsigned check = ~udp_sum(head + 12, udp, 8 + bytes) & 0xffff;
    put16(udp + 6, check ? check : 0xffff);
    forward_frame(slot, out, MAX(HEADS_BYTES + bytes, 60));
}

static void answer_udp(unsigned slot, const uint8_t *in, size_t bytes)
{
    const uint8_t *head = in + 14, *udp = head + 20;
    uint8_t out[HEADS_BYTES + 1024] = {0};

    // No options and no fragments: none of our nodes sends them to a witness.
    if (bytes < HEADS_BYTES || head[0] != 0x45 || (get16(head + 6) & 0x3fff) || head[9] != 17 ||
        memcmp(head + 16, ip, 4) || sum16(0, head, 20) != 0xffff)
        return;
    size_t n = get16(udp + 4);
    if (get16(udp + 2) != WITNESS_PORT || n < 8 || 34 + n > bytes)
        return;
    if (get16(udp + 6) && udp_sum(head + 12, udp, n) != 0xffff)
        return;
    size_t m = witness_answer(&witness, udp + 8, n - 8, out + HEADS_BYTES, 1024);
    if (m)
        send_udp(slot, in, out, m);
}

void witness_port_input(unsigned slot, const uint8_t *data, size_t bytes)
{
    if (bytes < 14)
        return;
    if (get16(data + 12) == 0x0806)
        answer_arp(slot, data, bytes);
    else if (get16(data + 12) == 0x0800 && !memcmp(data, mac, 6))
        answer_udp(slot, data, bytes);
}
