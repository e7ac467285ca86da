// SPDX-License-Identifier: MIT
// links: net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c net/nic.c net/route.c
// links: net/services.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c lib/radix.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// Addresses, ARP, IPv4, ICMP, UDP on a virtual wire; and 10^5 frames from an enemy.
#include "tests/unit/unit.h"

#include "lib/errno.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "net/arp.h"
#include "net/counters.h"
#include "net/ip.h"
#include "net/stack.h"
#include "net/tcp/tcp_priv.h"
#include "net/wire.h"
#include "tests/sim/ports/stacks.h"

static struct sim_stacks net;

static int start(void **state)
{
    (void)state;
    sim_stacks_start(&net, 2, 1);
    sim_stacks_enter(&net, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sim_run_for(200 * NS_PER_S);
    const char *left = sim_stacks_stop(&net);
    if (left)
        fail_msg("left over: %s", left);
    return 0;
}

static void test_text(void **state)
{
    (void)state;
    uint32_t ip;
    unsigned prefix;
    char text[16];
    assert_true(net_parse_ip("10.77.0.255", &ip));
    assert_int_equal(ip, 0x0a4d00ff);
    net_format_ip(0xfffefdfc, text);
    assert_string_equal(text, "255.254.253.252");
    assert_true(net_parse_cidr("1.2.3.4/32", &ip, &prefix));
    assert_int_equal(prefix, 32);
    static const char *const bad[] = {
        "",        "1.2.3",    "1.2.3.4.5",  "1.2.3.256", "1.2..4",
        "a.b.c.d", "1.2.3.4 ", "0001.2.3.4", "1.2.3.4/8", "1.2.3.99999999999999999999"};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(net_parse_ip(bad[i], &ip));
    static const char *const bad_cidr[] = {"1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/8x", "/8"};
    for (unsigned i = 0; i < ARRAY_SIZE(bad_cidr); i++)
        assert_false(net_parse_cidr(bad_cidr[i], &ip, &prefix));
}

static void test_checksum(void **state)
{
    (void)state;
    // RFC 1071, section 3.
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(wire_sum_end(wire_sum(0, example, 8)), (uint16_t)~0xddf2);
    uint8_t bytes[101];
    for (unsigned n = 0; n <= 100; n++) {
        uint32_t sum = 0;
        for (unsigned i = 0; i < n; i++) {
            bytes[i] = (uint8_t)(sim_random() | (n & 1 ? 0xf0 : 0));
            sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
        }
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        assert_int_equal(wire_sum_end(wire_sum(0, bytes, n)), (uint16_t)~sum);
        unsigned cut = n / 2 & ~3u;
        uint64_t pieces = wire_sum(wire_sum(0, bytes, cut), bytes + cut, n - cut);
        assert_int_equal(wire_sum_end(pieces), (uint16_t)~sum);
    }
}

struct inbox {
    unsigned count;
    struct net_address from;
    size_t n;
    uint8_t bytes[2000];
};

static void on_datagram(void *arg, struct net_address from, const void *bytes, size_t n)
{
    struct inbox *in = arg;
    in->count++;
    in->from = from;
    in->n = n;
    memcpy(in->bytes, bytes, n);
}

static void test_udp(void **state)
{
    (void)state;
    static struct inbox in[2];
    memset(in, 0, sizeof(in));
    static uint8_t bytes[1500] = {1, 2, 3};
    struct udp_port *u[2];
    for (unsigned i = 0; i < 2; i++) {
        sim_stacks_enter(&net, i);
        u[i] = udp_open(7700, on_datagram, &in[i]);
        assert_non_null(u[i]);
        assert_null(udp_open(7700, on_datagram, NULL));
    }
    sim_stacks_enter(&net, 0);
    struct net_address to = {STACK_IP(1), 7700};
    static const size_t sizes[] = {0, 1, 3, 18, 1000, 1471, 1472};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        sim_stacks_enter(&net, 0);
        assert_int_equal(udp_send(u[0], to, bytes, sizes[i]), 0);
        sim_run_for(10 * NS_PER_MS);
        assert_int_equal(in[1].count, i + 1);
        assert_int_equal(in[1].n, sizes[i]);
        assert_memory_equal(in[1].bytes, bytes, sizes[i]);
        assert_int_equal(in[1].from.ip, STACK_IP(0));
        assert_int_equal(in[1].from.port, 7700);
    }
    sim_stacks_enter(&net, 0);
    assert_int_equal(udp_send(u[0], to, bytes, 1473), -EMSGSIZE);
    to.ip = 0x08080808;
    assert_int_equal(udp_send(u[0], to, bytes, 1), -EHOSTUNREACH);
    static const uint32_t broadcasts[] = {NET_BROADCAST, 0x0a4d00ff};
    for (unsigned i = 0; i < 2; i++) {
        to.ip = broadcasts[i];
        unsigned before = in[1].count;
        sim_stacks_enter(&net, 0);
        assert_int_equal(udp_send(u[0], to, bytes, 5), 0);
        sim_run_for(10 * NS_PER_MS);
        assert_int_equal(in[1].count, before + 1);
        assert_int_equal(in[0].count, 0); // not to itself
    }
    sim_stacks_enter(&net, 0);
    to = (struct net_address){0x7f000001, 7700}; // loopback
    assert_int_equal(udp_send(u[0], to, bytes, 5), 0);
    assert_int_equal(in[0].count, 0); // not from inside the call
    sim_run_for(NS_PER_MS);
    assert_int_equal(in[0].count, 1);
    struct udp_port *any = udp_open(0, on_datagram, &in[0]);
    assert_true(udp_local_port(any) >= 49152);
    udp_close(any);
    for (unsigned i = 0; i < 2; i++) {
        sim_stacks_enter(&net, i);
        udp_close(u[i]);
    }
}

static void test_udp_no_port(void **state)
{
    (void)state;
    struct udp_port *u = udp_open(0, on_datagram, NULL);
    struct net_address to = {STACK_IP(1), 9999};
    assert_int_equal(udp_send(u, to, "hello", 5), 0);
    sim_run_for(10 * NS_PER_MS);
    sim_stacks_enter(&net, 1);
    assert_int_equal(net_counter(COUNT_udp_no_port), 1);
    sim_stacks_enter(&net, 0);
    assert_int_equal(net_counter(COUNT_icmp_type), 1); // told: port unreachable
    udp_close(u);
}

static void test_no_address(void **state)
{
    (void)state;
    net_ip_set(0, 0, 0);
    struct udp_port *u = udp_open(7700, on_datagram, NULL);
    assert_int_equal(udp_send(u, (struct net_address){STACK_IP(1), 1}, "x", 1), -ENETDOWN);
    assert_int_equal(udp_send(u, (struct net_address){NET_BROADCAST, 1}, "x", 1), 0);
    assert_null(tcp_connect((struct net_address){STACK_IP(1), 1}, 0, NULL, NULL));
    udp_close(u);
}

static void test_gateway(void **state)
{
    (void)state;
    net_ip_set(STACK_IP(0), 24, STACK_IP(1));
    struct udp_port *u = udp_open(7700, on_datagram, NULL);
    assert_int_equal(udp_send(u, (struct net_address){0x08080808, 1}, "x", 1), 0);
    sim_run_for(10 * NS_PER_MS);
    sim_stacks_enter(&net, 1);
    assert_int_equal(net_counter(COUNT_ip_not_ours), 1); // it came there; nobody forwards
    sim_stacks_enter(&net, 0);
    udp_close(u);
}

// The newest of several datagrams waits for ARP, and nobody's answer ends the waiting.
static void test_arp(void **state)
{
    (void)state;
    static struct inbox in;
    memset(&in, 0, sizeof(in));
    sim_stacks_enter(&net, 1);
    struct udp_port *there = udp_open(7700, on_datagram, &in);
    arp_flush();
    sim_stacks_enter(&net, 0);
    arp_flush();
    struct udp_port *u = udp_open(7700, on_datagram, NULL);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(udp_send(u, (struct net_address){STACK_IP(1), 7700}, "xyz", i), 0);
    assert_int_equal(buf_in_use(), 1);
    sim_run_for(10 * NS_PER_MS);
    assert_int_equal(in.count, 1);
    assert_int_equal(in.n, 3);
    assert_int_equal(net_counter(COUNT_arp_dropped), 2);
    assert_int_equal(udp_send(u, (struct net_address){STACK_IP(9), 7700}, "xyz", 3), 0);
    sim_run_for(20 * NS_PER_S);
    assert_int_equal(net_counter(COUNT_arp_failed), 1);
    assert_int_equal(buf_in_use(), 0);
    // Stale after a while: asked again in one frame to that station, and used meanwhile.
    sim_run_for(100 * NS_PER_S);
    unsigned sent = net.wire.sent;
    assert_int_equal(udp_send(u, (struct net_address){STACK_IP(1), 7700}, "xyz", 2), 0);
    sim_run_for(NS_PER_S);
    assert_int_equal(net.wire.sent - sent, 3); // question, datagram, answer
    assert_int_equal(in.count, 2);
    udp_close(u);
    sim_stacks_enter(&net, 1);
    udp_close(there);
}

static void test_arp_conflict(void **state)
{
    (void)state;
    sim_stacks_enter(&net, 1);
    net_ip_set(STACK_IP(0), 24, 0); // announces what is the other's
    sim_run_for(10 * NS_PER_MS);
    sim_stacks_enter(&net, 0);
    assert_int_equal(net_counter(COUNT_arp_conflict), 2); // the claim, and its defence
    sim_run_for(NS_PER_S); // each defends once per interval: no storm
    assert_true(net.wire.sent < 20);
}

// ---- frames from an enemy -----------------------------------------------------------------------

static uint8_t caught[64][1600];
static size_t caught_bytes[64];
static unsigned caught_count, catch_from;

static bool catch_frame(struct sim_wire *w, unsigned from, const uint8_t *frame, size_t n)
{
    (void)w;
    if (from == catch_from && caught_count < 64 && n <= 1600) {
        memcpy(caught[caught_count], frame, n);
        caught_bytes[caught_count++] = n;
    }
    return true;
}

static void test_ping(void **state)
{
    (void)state;
    struct {
        struct eth_wire eth;
        struct ip_wire ip;
        struct icmp_wire icmp;
        uint8_t data[57]; // odd
    } ping = {.eth = {.to = {0x52, 0x54, 0, 0x77, 0, 0x10},
                      .from = {0x52, 0x54, 0, 0x77, 0, 0x11},
                      .type = be16(ETH_IPV4)},
              .ip = {.version_ihl = 0x45,
                     .total = be16(20 + 8 + 57),
                     .ttl = 1,
                     .protocol = IP_ICMP,
                     .from = be32(STACK_IP(1)),
                     .to = be32(STACK_IP(0))},
              .icmp = {.type = ICMP_ECHO, .id = be16(7), .sequence = be16(9)},
              .data = {1, 2, 3}};
    ping.ip.checksum = be16(wire_sum_end(wire_sum(0, &ping.ip, 20)));
    ping.icmp.checksum = be16(wire_sum_end(wire_sum(0, &ping.icmp, 65)));
    net.wire.filter = catch_frame;
    caught_count = catch_from = 0;
    sim_wire_inject(&net.wire, (void *)&ping, sizeof(ping));
    sim_run_for(10 * NS_PER_MS);
    assert_int_equal(net_counter(COUNT_icmp_echoed), 1);
    const uint8_t *reply = caught[caught_count - 1];
    assert_int_equal(reply[34], ICMP_ECHO_REPLY);
    assert_int_equal(wire_sum_end(wire_sum(0, reply + 34, 65)), 0);
    assert_memory_equal(reply + 38, (const uint8_t *)&ping + 38, 4 + 57);
    ping.icmp.checksum.b[0] ^= 1;
    sim_wire_inject(&net.wire, (void *)&ping, sizeof(ping));
    assert_int_equal(net_counter(COUNT_icmp_checksum), 1);
    ping.ip.fragment = be16(IP_MORE_FRAGMENTS);
    ping.ip.checksum = be16(0);
    ping.ip.checksum = be16(wire_sum_end(wire_sum(0, &ping.ip, 20)));
    sim_wire_inject(&net.wire, (void *)&ping, sizeof(ping));
    assert_int_equal(net_counter(COUNT_ip_fragments_in), 1);
    net.wire.filter = NULL;
}

static void on_nothing(void *arg, struct tcp_conn *c, unsigned events)
{
    (void)c;
    *(unsigned *)arg |= events;
}

static struct tcp_conn *accepted;

static void on_accept(void *arg, struct tcp_conn *c)
{
    accepted = c;
    tcp_set_events(c, on_nothing, arg);
}

// Some are right down to the checksums but for one lie: those come deepest.
static void checksums_repair(uint8_t *frame, size_t n)
{
    if (n < 34 || frame[12] != 8 || frame[13] != 0 || (frame[14] & 15) < 5)
        return;
    size_t header = (frame[14] & 15) * 4u, total = (size_t)(frame[16] << 8 | frame[17]);
    if (header > total || 14 + total > n || total - header < 20)
        return;
    frame[24] = frame[25] = 0;
    uint16_t sum = wire_sum_end(wire_sum(0, frame + 14, header));
    memcpy(frame + 24, (uint8_t[]){(uint8_t)(sum >> 8), (uint8_t)sum}, 2);
    uint8_t *body = frame + 14 + header;
    size_t length = total - header, at = frame[23] == IP_TCP ? 16 : frame[23] == IP_UDP ? 6 : 2;
    body[at] = body[at + 1] = 0;
    uint32_t from =
        (uint32_t)frame[26] << 24 | (uint32_t)(frame[27] << 16 | frame[28] << 8) | frame[29];
    uint32_t to =
        (uint32_t)frame[30] << 24 | (uint32_t)(frame[31] << 16 | frame[32] << 8) | frame[33];
    uint64_t pseudo = frame[23] == IP_ICMP ? 0 : wire_sum_pseudo(from, to, frame[23], length);
    sum = wire_sum_end(wire_sum(pseudo, body, length));
    memcpy(body + at, (uint8_t[]){(uint8_t)(sum >> 8), (uint8_t)sum}, 2);
}

static size_t mutate(uint8_t *frame, size_t n)
{
    for (unsigned changes = 1 + (unsigned)(sim_random() % 4); changes; changes--) {
        size_t at = sim_random() % (sim_random() % 2 ? MIN(n, (size_t)60) : n);
        frame[at] = sim_random() % 3 ? (uint8_t)sim_random() : sim_random() % 2 ? 0xff : 0;
    }
    if (sim_random() % 4 == 0)
        n = sim_random() % (n + 1);
    if (n > 14 && sim_random() % 8)
        memcpy(frame, (uint8_t[]){0x52, 0x54, 0, 0x77, 0, 0x10}, 6);
    if (sim_random() % 2)
        checksums_repair(frame, n);
    return n;
}

struct hostile {
    struct tcp_conn *conn[2];
    unsigned events[2];
};

// Honest traffic to begin with: its frames are what the enemy changes.
static void honest_traffic(struct hostile *h)
{
    static struct inbox in;
    net.wire.filter = catch_frame;
    caught_count = 0;
    catch_from = 1;
    sim_stacks_enter(&net, 1);
    assert_non_null(tcp_listen(80, 0, on_accept, &h->events[1]));
    sim_stacks_enter(&net, 0);
    arp_flush();
    struct udp_port *u = udp_open(7700, on_datagram, &in);
    assert_int_equal(net_services_start(), 0);
    h->conn[0] = tcp_connect((struct net_address){STACK_IP(1), 80}, 0, on_nothing, &h->events[0]);
    sim_run_for(20 * NS_PER_MS);
    h->conn[1] = accepted;
    assert_non_null(accepted);
    sim_stacks_enter(&net, 1);
    static uint8_t text[3000];
    assert_int_equal(tcp_send(accepted, text, sizeof(text)), sizeof(text));
    struct udp_port *there = udp_open(7700, on_datagram, &in);
    assert_int_equal(udp_send(there, (struct net_address){STACK_IP(0), 7700}, text, 100), 0);
    assert_int_equal(udp_send(there, (struct net_address){NET_BROADCAST, 7700}, text, 9), 0);
    sim_run_for(100 * NS_PER_MS);
    udp_close(there);
    sim_stacks_enter(&net, 0);
    udp_close(u);
    assert_int_equal(tcp_readable_bytes(h->conn[0]), 3000);
    assert_true(caught_count >= 6);
    net.wire.filter = NULL;
}

static void all_checked(void *arg, struct tcp_conn *c)
{
    (void)arg;
    if (tcp_conn_check(c))
        fail_msg("invariant %s", tcp_conn_check(c));
}

static void count_all(void *arg, const char *name, uint64_t value)
{
    assert_memory_equal(name, "net_", 4);
    *(uint64_t *)arg += value;
}

static void test_hostile_frames(void **state)
{
    (void)state;
    struct hostile h = {0};
    uint8_t frame[1600];
    accepted = NULL;
    honest_traffic(&h);
    for (unsigned i = 0; i < 100000; i++) {
        unsigned which = (unsigned)(sim_random() % caught_count);
        memcpy(frame, caught[which], caught_bytes[which]);
        size_t n = mutate(frame, caught_bytes[which]);
        sim_wire_inject(&net.wire, frame, n);
        if (i % 100 == 0) {
            sim_run_for(NS_PER_MS);
            sim_stacks_enter(&net, 0);
            tcp_each(all_checked, NULL);
        }
    }
    uint64_t counted = 0;
    sim_stacks_enter(&net, 0);
    net_counters_each(count_all, &counted);
    assert_true(counted > 100000);
    for (unsigned i = 0; i < 2; i++) {
        sim_stacks_enter(&net, i);
        tcp_abort(h.conn[i]);
        for (uint16_t port = 7; port <= 80; port++)
            if (tcp_listener_find(port))
                tcp_unlisten(tcp_listener_find(port));
    }
    sim_run_for(1000 * NS_PER_S); // whatever the enemy opened times out
}

// An enemy who knows the numbers: segments around the edges of the window, every flag. He may kill
// or feed the connection; he may not break it.
static void test_hostile_segments(void **state)
{
    (void)state;
    uint8_t frame[1600] = {0};
    unsigned events = 0, opened = 0, fed = 0;
    struct tcp_conn *c = NULL;
    for (unsigned i = 0; i < 100000; i++) {
        sim_stacks_enter(&net, 0);
        if (!c || c->state == TCP_CLOSED || sim_random() % 500 == 0) {
            if (c)
                tcp_abort(c);
            c = tcp_connect((struct net_address){STACK_IP(1), 80}, sim_random() % 2 ? TCP_LINK : 0,
                            on_nothing, &events);
            assert_non_null(c);
            assert_true(tcp_send(c, frame, sim_random() % sizeof(frame)) >= 0);
            opened++;
        }
        static const uint32_t edges[] = {0, 1, 2, 500, 65534, 65535, 65536, 0x7fffffff, 0x80000000};
        uint32_t off = edges[sim_random() % (sim_random() % 4 ? 4 : ARRAY_SIZE(edges))];
        uint32_t seq = sim_random() % 2 ? c->rcv_nxt + off : c->rcv_nxt - off;
        uint32_t n = (uint32_t)(sim_random() % 4 ? sim_random() % 50 : sim_random() % 1400);
        struct tcp_wire h = {.from = be16(80),
                             .to = be16(c->local.port),
                             .seq = be32(c->state == TCP_SYN_SENT ? (uint32_t)sim_random() : seq),
                             .ack =
                                 be32(sim_random() % 4 ? c->snd_max - (uint32_t)(sim_random() % 3)
                                                       : c->snd_una + off),
                             .offset = 0x50,
                             .flags = (uint8_t)(sim_random() % 8 ? TCP_ACK : sim_random()),
                             .window = be16((unsigned)sim_random() >> sim_random() % 20)};
        if (c->state == TCP_SYN_SENT && sim_random() % 2) {
            h.flags |= TCP_SYN;
            h.ack = be32(c->snd_max);
        }
        struct ip_wire ip = {.version_ihl = 0x45,
                             .total = be16(40 + n),
                             .ttl = 9,
                             .protocol = IP_TCP,
                             .from = be32(STACK_IP(1)),
                             .to = be32(STACK_IP(0))};
        memcpy(frame, (uint8_t[]){0x52, 0x54, 0, 0x77, 0, 0x10, 2, 2, 2, 2, 2, 2, 8, 0}, 14);
        memcpy(frame + 14, &ip, 20);
        memcpy(frame + 34, &h, 20);
        checksums_repair(frame, 54 + n);
        sim_wire_inject(&net.wire, frame, 54 + n);
        sim_stacks_enter(&net, 0);
        fed += tcp_readable_bytes(c) > 0;
        if (sim_random() % 8 == 0)
            (void)tcp_receive(c, frame, sim_random() % sizeof(frame));
        if (sim_random() % 16 == 0)
            (void)tcp_send(c, frame, sim_random() % sizeof(frame));
        if (sim_random() % 200 == 0)
            tcp_shutdown_send(c);
        if (sim_random() % 20 == 0)
            sim_run_for(sim_random() % (50 * NS_PER_MS));
        sim_stacks_enter(&net, 0);
        tcp_each(all_checked, NULL);
    }
    tcp_abort(c);
    assert_true(opened > 200 && fed > 10000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_checksum),
        T(test_udp),
        T(test_udp_no_port),
        T(test_no_address),
        T(test_gateway),
        T(test_arp),
        T(test_arp_conflict),
        T(test_ping),
        T(test_hostile_frames),
        T(test_hostile_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
