// SPDX-License-Identifier: MIT
// links: net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c net/nic.c net/route.c
// links: net/services.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c lib/radix.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// Frames on the wire of a node that listens by TCP and UDP: Ethernet, ARP, IPv4, ICMP, UDP, TCP.
// Input: frames, each a byte of what to do with it, a little-endian length of two bytes, and its
// bytes. Whatever comes: the connections' invariants hold, and at the end nothing is left over.
#include <string.h>
#include "net/stack.h"
#include "net/tcp/tcp_priv.h"
#include "net/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/ports/stacks.h"

enum {             // of the byte before a frame
    ADDRESSED = 1, // it is for the node
    SUMMED = 2,    // with the right checksums
    ACKED = 4,     // with the acknowledgement that the node waits for
    WAITS = 8,     // time goes by behind it
    QUOTES = 16,   // it quotes the segment that the node sent last
    FRAMES_MAX = 24,
    FRAME_MAX = 1514
};

static struct sim_stacks net;
static uint32_t sent_next; // behind what the node sent last by TCP, as sequence number
static const uint16_t services[] = {7, 9, 19}; // echo, discard, chargen
static const uint8_t mac[6] = {0x52, 0x54, 0, 0x77, 0, 0x10};

static bool listen_in(struct sim_wire *w UNUSED, unsigned from UNUSED, const uint8_t *f, size_t n)
{
    if (n >= 54 && f[12] == 8 && f[13] == 0 && f[14] == 0x45 && f[23] == IP_TCP) {
        uint32_t seq = (uint32_t)f[38] << 24 | (uint32_t)f[39] << 16 | (uint32_t)f[40] << 8 | f[41];
        sent_next = seq + ((f[47] & 3) != 0);
    }
    return true;
}

static void sum_put(uint8_t *at, uint16_t sum)
{
    at[0] = (uint8_t)(sum >> 8);
    at[1] = (uint8_t)sum;
}

static uint32_t address_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void sums_repair(uint8_t *f, size_t n)
{
    if (n < 34 || f[12] != 8 || f[13] != 0 || (f[14] & 15) < 5)
        return;
    size_t header = (f[14] & 15) * 4u, total = (size_t)(f[16] << 8 | f[17]);
    if (header > total || 14 + total > n)
        return;
    sum_put(f + 24, 0);
    sum_put(f + 24, wire_sum_end(wire_sum(0, f + 14, header)));
    if (f[20] & 0x3f || f[21] || total - header < 20) // a fragment has no sum of its own
        return;
    uint8_t *body = f + 14 + header;
    size_t length = total - header, at = f[23] == IP_TCP ? 16 : f[23] == IP_UDP ? 6 : 2;
    uint64_t pseudo = f[23] == IP_ICMP
                          ? 0
                          : wire_sum_pseudo(address_at(f + 26), address_at(f + 30), f[23], length);
    sum_put(body + at, 0);
    sum_put(body + at, wire_sum_end(wire_sum(pseudo, body, length)));
}

static void on_datagram(void *arg UNUSED, struct net_address from UNUSED, const void *bytes,
                        size_t n)
{
    const uint8_t *b = bytes;
    HOLDS(n == 0 || b[0] + b[n - 1] >= 0);
}

static void check_conn(void *arg UNUSED, struct tcp_conn *c)
{
    HOLDS(tcp_conn_check(c) == NULL);
}

// Nobody speaks any more: connections of a peer that is silent end too.
static void expect_life(void *arg UNUSED, struct tcp_conn *c)
{
    tcp_set_keepalive(c, (struct tcp_keepalive){.idle_s = 30, .interval_s = 10, .probes = 3});
}

static void feed(uint8_t what, const uint8_t *bytes, size_t n)
{
    uint8_t frame[FRAME_MAX];
    memcpy(frame, bytes, n);
    if (n >= 6 && what & ADDRESSED)
        memcpy(frame, mac, sizeof(mac));
    if (n >= 46 && what & ACKED) {
        sum_put(frame + 42, (uint16_t)(sent_next >> 16));
        sum_put(frame + 44, (uint16_t)sent_next);
    }
    if (n >= 70 && what & QUOTES) {
        sum_put(frame + 66, (uint16_t)(sent_next >> 16));
        sum_put(frame + 68, (uint16_t)sent_next);
    }
    if (what & SUMMED)
        sums_repair(frame, n);
    sim_wire_inject(&net.wire, frame, n);
    sim_run_for(what & WAITS ? 300 * NS_PER_MS : NS_PER_MS);
    sim_stacks_enter(&net, 0);
    tcp_each(check_conn, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sim_stacks_start(&net, 1, 1);
    sim_stacks_enter(&net, 0);
    net.wire.filter = listen_in;
    sent_next = 0;
    HOLDS(net_services_start() == 0);
    struct udp_port *u = udp_open(7700, on_datagram, NULL);
    for (unsigned i = 0; i < FRAMES_MAX && size >= 3; i++) {
        size_t n = MIN(MIN((size_t)(data[1] | data[2] << 8), size - 3), (size_t)FRAME_MAX);
        feed(data[0], data + 3, n);
        data += 3 + n;
        size -= 3 + n;
    }
    sim_stacks_enter(&net, 0);
    udp_close(u);
    tcp_each(expect_life, NULL);
    sim_run_for(600 * NS_PER_S);
    for (unsigned i = 0; i < ARRAY_SIZE(services); i++)
        tcp_unlisten(tcp_listener_find(services[i]));
    const char *left = sim_stacks_stop(&net);
    if (left)
        fprintf(stderr, "left over: %s\n", left);
    HOLDS(left == NULL);
    return 0;
}
