// SPDX-License-Identifier: MIT
// A hostile port of the wire: it calls and says what it likes; what it has heard it says again, as
// it was or changed.
#pragma once

#include "tests/unit/cluster_world.h"

enum {
    HEARD_MAX = 2000
};

static struct {
    size_t n;
    uint8_t bytes[1600];
} heard[HEARD_MAX];
static unsigned heard_count;

static void overhear(const uint8_t *frame, size_t n)
{
    if (n > sizeof(heard[0].bytes))
        return;
    unsigned at = heard_count++ % HEARD_MAX;
    heard[at].n = n;
    memcpy(heard[at].bytes, frame, n);
}

static uint16_t sum16(const uint8_t *b, size_t n, uint32_t sum)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)b[i] << 8 | b[i + 1];
    if (n & 1)
        sum += (uint32_t)b[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

// As somebody would do who means it: the checksums of IP and of TCP or UDP fit.
static void make_sums_fit(uint8_t *f, size_t n)
{
    uint8_t *ip = f + 14, *l4 = ip + 20;
    if (n < 54 || f[12] != 8 || f[13] != 0 || ip[0] != 0x45 || (ip[9] != 6 && ip[9] != 17))
        return;
    size_t at = ip[9] == 6 ? 16 : 6, bytes = (size_t)(ip[2] << 8 | ip[3]) - 20;
    if (bytes > n - 34 || bytes < at + 2)
        return;
    ip[10] = ip[11] = l4[at] = l4[at + 1] = 0;
    uint16_t head = sum16(ip, 20, 0);
    ip[10] = (uint8_t)(head >> 8);
    ip[11] = (uint8_t)head;
    uint32_t pseudo = ip[9] + (uint32_t)bytes;
    for (unsigned i = 12; i < 20; i += 2)
        pseudo += (uint32_t)ip[i] << 8 | ip[i + 1];
    uint16_t sum = sum16(l4, bytes, pseudo);
    l4[at] = (uint8_t)(sum >> 8);
    l4[at + 1] = (uint8_t)sum;
}

// A third of them as they were, a third broken on the wire, a third changed with care: in the live
// connections' windows, too.
static void say_again(void)
{
    static uint8_t frame[1600];
    unsigned at = (unsigned)(sim_random() % MIN(heard_count, (unsigned)HEARD_MAX));
    unsigned how = (unsigned)(sim_random() % 3);
    size_t n = heard[at].n;
    memcpy(frame, heard[at].bytes, n);
    for (unsigned i = 0; how > 0 && i < 1 + sim_random() % 4; i++)
        frame[14 + sim_random() % (n - 14)] = (uint8_t)sim_random();
    if (how == 2)
        make_sums_fit(frame, n);
    sim_wire_inject(&lan.wire, frame, n);
}

// ---- one that talks ----
static struct tcp_conn *stranger;
static bool stranger_ended;

static void on_stranger(void *arg, struct tcp_conn *c, unsigned events)
{
    (void)arg, (void)c;
    if (events & TCP_FAILED)
        stranger_ended = true;
}

static void stranger_sends(const void *bytes, size_t n)
{
    sim_stacks_enter(&lan, 2);
    struct net_address to = {.ip = STACK_IP(0), .port = LINK_PORT};
    stranger_ended = false;
    stranger = tcp_connect(to, TCP_NODELAY, on_stranger, NULL);
    assert_non_null(stranger);
    sim_run_for(50 * NS_PER_MS);
    sim_stacks_enter(&lan, 2);
    if (!stranger_ended)
        assert_true(tcp_send(stranger, bytes, n) > 0);
    sim_run_for((LINK_SILENT_MS + 500) * NS_PER_MS);
    assert_true(stranger_ended); // the node let go of it
}

static void stranger_beacons(struct udp_port *u, uint64_t session)
{
    struct link_beacon b = {.magic = LINK_BEACON_MAGIC,
                            .session = session,
                            .who = {.key = sim_random(), .protocol = MB_PROTOCOL, .nodes = 2}};
    uint8_t bytes[sizeof(b) + 8] = {0};
    struct net_address to = {.ip = STACK_IP(0), .port = LINK_BEACON_PORT};
    memcpy(bytes, &b, sizeof(b));
    bytes[sim_random() % sizeof(b)] ^= (uint8_t)sim_random();
    size_t n = sim_random() % 4 ? sizeof(b) : sim_random() % sizeof(bytes);
    sim_stacks_enter(&lan, 2);
    (void)udp_send(u, to, bytes, n);
    sim_run_for(NS_PER_MS);
}

static void ignore_datagram(void *arg, struct net_address from, const void *bytes, size_t n)
{
    (void)arg, (void)from, (void)bytes, (void)n;
}
