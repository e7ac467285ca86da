// SPDX-License-Identifier: MIT
// links: tests/unit/tcp_peer.c net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c
// links: net/nic.c net/route.c net/services.c net/stack.c net/sockets.c net/udp.c net/wire.c
// links: net/tcp/*.c net/fragment.c lib/fmt.c lib/log.c lib/radix.c tests/sim/ports/node.c
// links: tests/sim/ports/clock.c tests/sim/ports/random.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// Path MTU discovery: what a router says of our segments, and what somebody says who is none.
#include "tests/unit/tcp_peer.h"

#include "lib/errno.h"
#include "net/route.h"
#include "net/sockets.h"

struct quote {
    struct icmp_wire icmp;
    struct ip_wire ip;
    be16_t from, to;
    be32_t seq;
};

static void too_large(uint32_t seq, unsigned total, unsigned told)
{
    struct quote q = {
        .icmp = {.type = ICMP_UNREACHABLE, .code = ICMP_CODE_TOO_LARGE, .sequence = be16(told)},
        .ip = {.version_ihl = 0x45,
               .total = be16(total),
               .fragment = be16(IP_DONT_FRAGMENT),
               .ttl = 1,
               .protocol = IP_TCP,
               .from = be32(ours.ip),
               .to = be32(peer.ip)},
        .from = be16(ours.port),
        .to = be16(peer.port),
        .seq = be32(seq)};
    q.icmp.checksum = be16(wire_sum_end(wire_sum(0, &q, sizeof(q))));
    send_ip(IP_ICMP, &q, sizeof(q));
}

static uint8_t text[20000];

// Four segments of 1000 bytes are in flight.
static void four_in_flight(void)
{
    in_established();
    assert_int_equal(tcp_send(conn, text, 4000), 4000);
    for (uint32_t at = 0; at < 4000; at += 1000)
        EXPECT(OURS + 1 + at, PEER + 1, at == 3000 ? PSH | ACK : ACK, 1000);
}

static void expect_again(uint32_t mss)
{
    for (uint32_t at = 0; at < 4000; at += mss) {
        uint32_t n = MIN(mss, 4000 - at);
        EXPECT(OURS + 1 + at, PEER + 1, at + n == 4000 ? PSH | ACK : ACK, n);
    }
    EXPECT_NONE();
}

static void test_smaller_segments(void **state)
{
    (void)state;
    four_in_flight();
    uint32_t cwnd = conn->cwnd;
    too_large(OURS + 1, 1040, 600);
    expect_again(560);
    assert_int_equal(conn->cwnd, cwnd); // no congestion
    assert_int_equal(net_counter(COUNT_icmp_path_narrow), 1);
    too_large(OURS + 1001, 1040, 600); // of the second one: known
    EXPECT_NONE();
    too_large(OURS + 1, 600, 580); // still too large
    expect_again(540);
    SEND(PEER + 1, OURS + 4001, ACK, 0);
    assert_int_equal(tcp_send(conn, text, 1000), 1000);
    EXPECT(OURS + 4001, PEER + 1, ACK, 540);
    EXPECT(OURS + 4541, PEER + 1, PSH | ACK, 460);
    SEND(PEER + 1, OURS + 5001, ACK, 0);
    // Others to the same peer know it, for ten minutes.
    assert_int_equal(tcp_mss_for(PEER_IP), 540);
    assert_int_equal(tcp_mss_for(PEER_IP + 1), 1460);
    assert_int_equal(net_mtu(PEER_IP), 580);
    sim_run_for(601 * NS_PER_S);
    assert_int_equal(tcp_mss_for(PEER_IP), 1460);
}

static void test_bounds(void **state)
{
    (void)state;
    four_in_flight();
    too_large(OURS + 2001, 1040, 0); // an old router: the next plateau
    expect_again(1006 - 40);
    too_large(OURS + 1, 1006, 68); // nobody makes us send crumbs
    expect_again(552 - 40);
    too_large(OURS + 1, 552, 100);
    EXPECT_NONE();
    SEND(PEER + 1, OURS + 4001, ACK, 0);
}

static void test_lies(void **state)
{
    (void)state;
    four_in_flight();
    SEND(PEER + 1, OURS + 1001, ACK, 0);
    too_large(OURS + 1000, 1040, 600);  // acknowledged
    too_large(OURS + 4001, 1040, 600);  // never sent
    too_large(OURS + 1001, 1040, 1040); // it fits
    too_large(OURS + 1001, 1040, 1500);
    too_large(OURS + 1001, 296, 0);
    ours.port++; // another connection's
    too_large(OURS + 1001, 1040, 600);
    ours.port--;
    assert_int_equal(net_counter(COUNT_icmp_path_off), 6);
    assert_int_equal(net_counter(COUNT_icmp_path_narrow), 0);
    assert_int_equal(conn->mss, 1000);
    EXPECT_NONE();
    SEND(PEER + 1, OURS + 4001, ACK, 0);
}

// While it repairs losses: everything goes again, in order, and what was SACKed does not.
static void test_in_recovery(void **state)
{
    (void)state;
    struct tcp_options o = {.mss = 1000, .sack_ok = true};
    send_options(PEER, 0, SYN, 0, WINDOW, &o);
    iss = queue[0].seq;
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
    SEND(PEER + 1, OURS + 1, ACK, 0);
    assert_int_equal(tcp_send(conn, text, 4000), 4000);
    for (uint32_t at = 0; at < 4000; at += 1000)
        EXPECT(OURS + 1 + at, PEER + 1, at == 3000 ? PSH | ACK : ACK, 1000);
    struct tcp_options sack = {.sack_count = 1, .sacks = {{OURS + 1001, OURS + 4001}}};
    send_options(PEER + 1, OURS + 1, ACK, 0, WINDOW, &sack);
    EXPECT(OURS + 1, PEER + 1, ACK, 1000);
    too_large(OURS + 1, 1040, 600);
    EXPECT(OURS + 1, PEER + 1, ACK, 560);
    EXPECT(OURS + 561, PEER + 1, ACK, 440);
    EXPECT_NONE();
    SEND(PEER + 1, OURS + 4001, ACK, 0);
    assert_int_equal(conn->snd_una, conn->snd_max);
}

// The rest of the network: datagrams are cut as the path takes them.
static bool any_error(const struct net_error *e)
{
    return e->local.port == 9;
}

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

static void test_datagrams(void **state)
{
    (void)state;
    static const struct net_sockets spy = {no_datagram, no_packet, any_error};
    const struct net_sockets *before = net_sockets();
    struct quote q = {
        .icmp = {.type = ICMP_UNREACHABLE, .code = ICMP_CODE_TOO_LARGE, .sequence = be16(1000)},
        .ip = {.version_ihl = 0x45,
               .total = be16(1400),
               .protocol = IP_UDP,
               .from = be32(ours.ip),
               .to = be32(peer.ip)},
        .from = be16(8),
        .to = be16(7)};
    struct net_way usual = {.ttl = 9, .fragment = IP_DONT_FRAGMENT}, whole = usual, probe = usual;
    struct net_address from = {ours.ip, 9}, to = {peer.ip, 7};
    whole.whole = probe.whole = probe.probe = true;
    net_sockets_set(&spy);
    q.icmp.checksum = be16(wire_sum_end(wire_sum(0, &q, sizeof(q))));
    send_ip(IP_ICMP, &q, sizeof(q)); // nobody sent from that port
    assert_int_equal(net_mtu(PEER_IP), 1500);
    q.from = be16(9);
    q.icmp.checksum = be16(0);
    q.icmp.checksum = be16(wire_sum_end(wire_sum(0, &q, sizeof(q))));
    send_ip(IP_ICMP, &q, sizeof(q));
    assert_int_equal(net_mtu(PEER_IP), 1000);
    assert_int_equal(udp_send_from(from, to, text, 1372, usual), 0);
    assert_int_equal(net_counter(COUNT_ip_fragmented), 1);
    assert_int_equal(udp_send_from(from, to, text, 1372, whole), -EMSGSIZE);
    assert_int_equal(udp_send_from(from, to, text, 972, whole), 0);
    assert_int_equal(udp_send_from(from, to, text, 1372, probe), 0);
    assert_int_equal(net_counter(COUNT_ip_fragmented), 1);
    net_sockets_set(before);
}

// Many paths: the newest are known.
static void test_many_paths(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        sim_run_for(NS_PER_S);
        route_narrow(PEER_IP + i, 1000 + i);
        route_narrow(PEER_IP + i, 1400); // wider it becomes only when the old news are forgotten
        assert_int_equal(route_mtu(PEER_IP + i, 1500), 1000 + i);
    }
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(route_mtu(PEER_IP + i, 1500), i < 24 ? 1500 : 1000 + i);
}

#define T(f) cmocka_unit_test_setup_teardown(f, peer_start, peer_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_smaller_segments), T(test_bounds),    T(test_lies),
        T(test_in_recovery),      T(test_datagrams), T(test_many_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
