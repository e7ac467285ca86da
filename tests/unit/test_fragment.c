// SPDX-License-Identifier: MIT
// links: net/arp.c net/buf.c net/counters.c net/eth.c net/fragment.c net/icmp.c net/ip.c net/nic.c
// links: net/route.c net/services.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c
// links: lib/fmt.c lib/log.c lib/radix.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// Fragments: put together in any order, refused when they lie, forgotten in time, and sent.
#include "tests/unit/unit.h"

#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "net/arp.h"
#include "net/counters.h"
#include "net/ip.h"
#include "net/sockets.h"
#include "net/stack.h"
#include "net/wire.h"
#include "tests/sim/ports/stacks.h"

#define PEER    STACK_IP(50)
#define PORT    7700
#define LARGEST 65507u

static struct sim_stacks net;
static struct udp_port *port[2];
static size_t heap_before;
static struct {
    unsigned count;
    size_t n;
    uint8_t bytes[65536];
} in[2];

static void on_datagram(void *arg, struct net_address from, const void *bytes, size_t n)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    (void)from;
    in[i].count++;
    in[i].n = n;
    memcpy(in[i].bytes, bytes, n);
}

static int start(void **state)
{
    (void)state;
    sim_stacks_start(&net, 2, 1);
    memset(in, 0, sizeof(in));
    for (unsigned i = 0; i < 2; i++) {
        sim_stacks_enter(&net, i);
        port[i] = udp_open(PORT, on_datagram, (void *)(uintptr_t)i);
    }
    sim_stacks_enter(&net, 0);
    heap_before = heap_bytes_used();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        sim_stacks_enter(&net, i);
        udp_close(port[i]);
    }
    sim_run_for(200 * NS_PER_S);
    const char *left = sim_stacks_stop(&net);
    if (left)
        fail_msg("left over: %s", left);
    return 0;
}

// ---- a peer by hand ----------------------------------------------------------------------------
static uint8_t text[65536]; // a datagram of a peer: UDP header and bytes

static void text_make(size_t n, uint32_t from)
{
    struct udp_wire *h = (void *)text;
    for (size_t i = sizeof(*h); i < n; i++)
        text[i] = (uint8_t)sim_random();
    *h = (struct udp_wire){be16(9), be16(PORT), be16((unsigned)n), be16(0)};
    uint64_t sum = wire_sum_pseudo(from, STACK_IP(0), IP_UDP, n);
    uint16_t checksum = wire_sum_end(wire_sum(sum, text, n));
    h->checksum = be16(checksum ? checksum : 0xffff);
}

struct fragment {
    uint32_t from, to;
    uint16_t id;
    uint8_t protocol, header_bytes;
    enum ip_via via;
};
static const struct fragment plain = {PEER, STACK_IP(0), 7, IP_UDP, 20, IP_VIA_WIRE};

static void give_bytes(struct fragment f, size_t at, size_t n, bool more, const void *bytes)
{
    uint8_t *packet = calloc(1, f.header_bytes + n); // exact: ASan guards its end
    struct ip_wire *h = (void *)packet;
    *h = (struct ip_wire){.version_ihl = (uint8_t)(0x40 | f.header_bytes / 4),
                          .total = be16((unsigned)(f.header_bytes + n)),
                          .id = be16(f.id),
                          .fragment = be16((unsigned)(at / 8) | (more ? IP_MORE_FRAGMENTS : 0)),
                          .ttl = 33,
                          .protocol = f.protocol,
                          .from = be32(f.from),
                          .to = be32(f.to)};
    h->checksum = be16(wire_sum_end(wire_sum(0, packet, f.header_bytes)));
    if (n)
        memcpy(packet + f.header_bytes, bytes, n);
    ip_receive(packet, f.header_bytes + n, f.via);
    free(packet);
}

static void give(struct fragment f, size_t at, size_t n, bool more)
{
    give_bytes(f, at, n, more, text + at);
}

static void give_nth(struct fragment f, size_t i, size_t step, size_t n)
{
    size_t at = i * step;
    give(f, at, MIN(step, n - at), at + step < n);
}

static void assert_got(unsigned count, size_t n)
{
    assert_int_equal(in[0].count, count);
    assert_int_equal(in[0].n, n - sizeof(struct udp_wire));
    assert_memory_equal(in[0].bytes, text + sizeof(struct udp_wire), in[0].n);
}

// ---- orders ------------------------------------------------------------------------------------
static void test_orders(void **state)
{
    (void)state;
    static const size_t sizes[] = {9, 16, 17, 1481, 2960, 8008, 30008, 65515};
    static const size_t steps[] = {8, 16, 1480};
    unsigned got = 0;
    struct fragment f = plain;
    for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++)
        for (unsigned k = 0; k < ARRAY_SIZE(steps); k++)
            for (unsigned order = 0; order < 3; order++) {
                size_t n = sizes[s], step = steps[k], count = (n + step - 1) / step;
                text_make(n, PEER);
                f.id++;
                if (count < 2)
                    continue;
                for (size_t i = 0; i < count; i++) {
                    size_t stride = order < 2       ? i
                                    : i * 2 < count ? i * 2
                                                    : (i - (count + 1) / 2) * 2 + 1;
                    give_nth(f, order == 1 ? count - 1 - i : stride, step, n);
                    assert_int_equal(in[0].count, got + (i + 1 == count));
                }
                assert_got(++got, n);
            }
    assert_int_equal(net_counter(COUNT_ip_reassembled), got);
    assert_int_equal(heap_bytes_used(), heap_before); // nothing is kept
}

static void test_shuffled_with_duplicates(void **state)
{
    (void)state;
    struct fragment f = plain;
    for (unsigned round = 1; round <= 300; round++) {
        size_t n = 1500 + sim_random() % 60000, step = 8 * (1 + sim_random() % 185);
        size_t count = (n + step - 1) / step, order[8192];
        text_make(n, PEER);
        f.id++;
        for (size_t i = 0; i < count; i++) {
            size_t j = sim_random() % (i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (size_t i = 0; i < count; i++) {
            give_nth(f, order[i], step, n);
            if (i + 1 < count && sim_random() % 4 == 0)
                give_nth(f, order[sim_random() % (i + 1)], step, n);
        }
        assert_got(round, n);
    }
    assert_true(net_counter(COUNT_ip_fragment_twice) > 1000);
    assert_int_equal(net_counter(COUNT_ip_fragment_overlap), 0);
}

// Datagrams that differ in one part of the key each, fragment by fragment side by side.
static void test_interleaved(void **state)
{
    (void)state;
    struct fragment f[4] = {plain, plain, plain, plain};
    f[1].id++;
    f[2].from++;
    f[3].protocol = 200;
    text_make(8008, PEER);
    for (size_t i = 0; i < 6; i++)
        for (unsigned k = 0; k < 4; k++)
            give_nth(f[k], i, 1480, 8008);
    assert_int_equal(in[0].count, 2);
    assert_int_equal(net_counter(COUNT_ip_reassembled), 4);
    assert_int_equal(net_counter(COUNT_udp_checksum), 1); // it is another sender's
    assert_int_equal(net_counter(COUNT_ip_protocol), 1);
}

// The first fragment's header is the datagram's, with its options; sockets see it repaired.
static struct net_packet seen;
static uint8_t seen_header[60];

static void on_packet(uint8_t protocol, const struct net_packet *p)
{
    (void)protocol;
    seen = *p;
    memcpy(seen_header, p->header, p->header_bytes);
}

static bool no_datagram(const struct net_datagram *d)
{
    (void)d;
    return false;
}

static void test_header(void **state)
{
    (void)state;
    static const struct net_sockets spy = {.datagram = no_datagram, .packet = on_packet};
    const struct net_sockets *before = net_sockets();
    struct fragment f = plain, with_options = plain;
    with_options.header_bytes = 28;
    text_make(3000, PEER);
    net_sockets_set(&spy);
    give(f, 1480, 1520, false);
    give(with_options, 0, 1480, true);
    net_sockets_set(before);
    assert_got(1, 3000);
    const struct ip_wire *h = (const void *)seen_header;
    assert_int_equal(seen.header_bytes, 28);
    assert_int_equal(seen.n, 3028);
    assert_int_equal(seen.ttl, 33);
    assert_int_equal(be16_get(h->total), 3028);
    assert_int_equal(be16_get(h->fragment), 0);
    assert_int_equal(wire_sum_end(wire_sum(0, h, 28)), 0);
}

// ---- lies --------------------------------------------------------------------------------------
static void test_overlaps(void **state)
{
    (void)state;
    static const struct {
        size_t at, n;
        bool more, changed;
    } lies[] = {
        {8, 1480, true, true},     // into both, other bytes
        {1472, 16, true, true},    // over the border
        {0, 1472, true, true},     // within, other bytes
        {1480, 1480, true, true},  // the same place, other bytes
        {0, 2960, true, true},     // over all that is there
        {2952, 16, true, false},   // from its last bytes on
        {1480, 800, false, false}, // an end before bytes that are there
    };
    text_make(8008, PEER);
    struct fragment f = plain;
    for (unsigned k = 0; k < ARRAY_SIZE(lies); k++) {
        uint64_t before = net_counter(COUNT_ip_fragment_overlap);
        uint8_t bytes[3000];
        f.id++;
        give(f, 0, 1480, true);
        give(f, 1480, 1480, true);
        memcpy(bytes, text + lies[k].at, lies[k].n);
        bytes[lies[k].n - 1] ^= lies[k].changed;
        give_bytes(f, lies[k].at, lies[k].n, lies[k].more, bytes);
        assert_int_equal(net_counter(COUNT_ip_fragment_overlap), before + 1);
        for (unsigned i = 0; i < 6; i++) // all of it is refused now
            give_nth(f, i, 1480, 8008);
        assert_int_equal(net_counter(COUNT_ip_fragment_overlap), before + 7);
        assert_int_equal(in[0].count, 0);
    }
    sim_run_for(31 * NS_PER_S);
    sim_stacks_enter(&net, 0);
    assert_int_equal(heap_bytes_used(), heap_before);
    assert_int_equal(net_counter(COUNT_ip_fragment_late), 0);
    for (unsigned i = 0; i < 6; i++) // the id is a new datagram's
        give_nth(f, i, 1480, 8008);
    assert_got(1, 8008);
}

// The same bytes cut otherwise say nothing new.
static void test_harmless_overlaps(void **state)
{
    (void)state;
    text_make(8008, PEER);
    give(plain, 0, 1480, true);
    give(plain, 1480, 1480, true);
    give(plain, 8, 1480, true);
    give(plain, 1472, 16, true);
    give(plain, 0, 2960, true);
    give_nth(plain, 5, 1480, 8008);
    give(plain, 8000, 8, false);
    assert_int_equal(net_counter(COUNT_ip_fragment_twice), 4);
    for (unsigned i = 2; i < 5; i++)
        give_nth(plain, i, 1480, 8008);
    assert_got(1, 8008);
    assert_int_equal(net_counter(COUNT_ip_fragment_overlap), 0);
}

static void test_hostile_lengths(void **state)
{
    (void)state;
    static uint8_t zeros[2000];
    struct fragment f = plain, wide = plain;
    wide.header_bytes = 60;
    give_bytes(f, 0, 0, true, zeros);
    give_bytes(f, 8, 0, false, zeros);
    give_bytes(f, 0, 7, true, zeros);
    give_bytes(f, 8, 1479, true, zeros);
    give_bytes(f, 65528, 8, false, zeros); // the ping of death
    give_bytes(f, 65512, 4, false, zeros);
    give_bytes(wide, 65472, 8, false, zeros);
    assert_int_equal(net_counter(COUNT_ip_fragment_length), 7);
    give_bytes(f, 65512, 3, false, zeros); // just fits
    assert_int_equal(net_counter(COUNT_ip_fragment_length), 7);
    // The first one's options make it too long when all the others are here.
    struct fragment late = wide;
    late.id = 99;
    for (size_t at = 1480; at < 65120; at += 1480)
        give_bytes((struct fragment){PEER, STACK_IP(0), 99, IP_UDP, 20, IP_VIA_WIRE}, at, 1480,
                   true, zeros);
    give_bytes((struct fragment){PEER, STACK_IP(0), 99, IP_UDP, 20, IP_VIA_WIRE}, 65120, 395, false,
               zeros);
    give_bytes(late, 0, 1480, true, zeros);
    assert_int_equal(net_counter(COUNT_ip_fragment_length), 8);
    // Two ends, and bytes behind the end.
    f.id = 1000;
    give_bytes(f, 1480, 100, false, zeros);
    give_bytes(f, 2960, 100, false, zeros);
    f.id++;
    give_bytes(f, 1480, 100, false, zeros);
    give_bytes(f, 1480, 92, false, zeros);
    f.id++;
    give_bytes(f, 1480, 100, false, zeros);
    give_bytes(f, 1584, 80, true, zeros);
    assert_int_equal(net_counter(COUNT_ip_fragment_overlap), 3);
    assert_int_equal(in[0].count, 0);
}

// ---- time and room -----------------------------------------------------------------------------
static uint8_t caught[256][1514];
static size_t caught_bytes[256];
static unsigned caught_count;

static bool catch_ip(struct sim_wire *w, unsigned from, const uint8_t *frame, size_t n)
{
    (void)w;
    if (from == 0 && frame[12] == 8 && frame[13] == 0 && caught_count < ARRAY_SIZE(caught)) {
        memcpy(caught[caught_count], frame, n);
        caught_bytes[caught_count++] = n;
    }
    return true;
}

static void neighbour_known(uint32_t ip)
{
    uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x77, 0, 0x42, 8, 6, 0, 1,
                       8,    0,    6,    4,    0,    1,    0x52, 0x54, 0, 0x77, 0, 0x42};
    be32_t sender = be32(ip), target = be32(STACK_IP(0));
    memcpy(arp + 28, &sender, 4);
    memcpy(arp + 38, &target, 4);
    sim_wire_inject(&net.wire, arp, sizeof(arp));
    sim_stacks_enter(&net, 0);
}

static void test_late(void **state)
{
    (void)state;
    struct fragment f = plain, headless = plain, all = plain, error = plain;
    headless.id = 8;
    all.id = 9;
    all.via = IP_VIA_BROADCAST;
    error.id = 10;
    error.protocol = IP_ICMP;
    text_make(3000, PEER);
    neighbour_known(PEER);
    net.wire.filter = catch_ip;
    caught_count = 0;
    give(f, 0, 1480, true);
    give(headless, 1480, 1480, true);
    give(all, 0, 1480, true);
    give_bytes(error, 0, 1480, true, (const uint8_t[1480]){ICMP_UNREACHABLE});
    sim_run_for(20 * NS_PER_S);
    sim_stacks_enter(&net, 0);
    give(f, 1480, 8, true); // prolongs nothing
    sim_run_for(9 * NS_PER_S);
    sim_stacks_enter(&net, 0);
    assert_int_equal(net_counter(COUNT_ip_fragment_late), 0);
    sim_run_for(NS_PER_S + NS_PER_MS);
    sim_stacks_enter(&net, 0);
    assert_int_equal(net_counter(COUNT_ip_fragment_late), 4);
    assert_int_equal(caught_count, 1); // only one of them may be told of
    const uint8_t *icmp = caught[0] + 34;
    const struct ip_wire *quote = (const void *)(icmp + 8);
    assert_int_equal(icmp[0], ICMP_TIME_EXCEEDED);
    assert_int_equal(icmp[1], ICMP_CODE_REASSEMBLY);
    assert_int_equal(wire_sum_end(wire_sum(0, icmp, 36)), 0);
    assert_int_equal(be16_get(quote->id), 7);
    assert_int_equal(be16_get(quote->fragment), IP_MORE_FRAGMENTS);
    assert_memory_equal(quote + 1, text, 8);
    for (size_t i = 0; i < 3; i++) // what came too late is the beginning of another one
        give_nth(f, i, 1480, 3000);
    assert_got(1, 3000);
    net.wire.filter = NULL;
}

static void test_too_many(void **state)
{
    (void)state;
    struct fragment f = plain;
    text_make(3000, PEER);
    for (unsigned i = 0; i < 1000; i++) {
        f.id = (uint16_t)(100 + i);
        f.from = PEER + i % 100;
        give(f, 1480, 8, true);
        assert_true(heap_bytes_used() < 1200 * 1024);
    }
    assert_int_equal(net_counter(COUNT_ip_fragment_full), 1000 - 64);
    give_nth(plain, 0, 1480, 3000); // there is always room for a new one
    give_nth(plain, 1, 1480, 3000);
    give_nth(plain, 2, 1480, 3000);
    assert_got(1, 3000);
}

// A sender who floods takes his own share only.
static void test_source_share(void **state)
{
    (void)state;
    struct fragment f = plain;
    text_make(3000, PEER);
    give_nth(plain, 0, 1480, 3000);
    give_nth(plain, 1, 1480, 3000);
    for (unsigned i = 0; i < 2000; i++) {
        f.id = (uint16_t)(100 + i);
        f.from = PEER + 1;
        give(f, 65000, 8, true);
        assert_true(heap_bytes_used() < 700 * 1024);
    }
    give_nth(plain, 2, 1480, 3000);
    assert_got(1, 3000);
    for (unsigned i = 0; i < 2000; i++) { // many of them: the bound of all holds
        f.id = (uint16_t)(100 + i);
        f.from = PEER + 1 + i % 7;
        give(f, 65000, 8, true);
        assert_true(heap_bytes_used() < 1200 * 1024);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    text_make(8008, PEER);
    for (uint32_t at = 1; at <= 3; at++) { // the assembly, its bytes, more of them
        struct fragment f = plain;
        f.id = (uint16_t)(100 + at);
        heap_fail_at(at);
        for (unsigned i = 0; i < 6; i++)
            give_nth(f, i, 1480, 8008);
        assert_int_equal(heap_fails_in(), 0);
        assert_int_equal(net_counter(COUNT_ip_fragment_no_memory), at);
        assert_int_equal(in[0].count, at - 1);
        for (unsigned i = 0; i < 6; i++) // sent again
            give_nth(f, i, 1480, 8008);
        assert_got(at, 8008);
    }
}

// ---- sending -----------------------------------------------------------------------------------
static const struct net_way usual = {.ttl = 64, .fragment = IP_DONT_FRAGMENT};

static int send_to(uint32_t ip, const void *bytes, size_t n, struct net_way way)
{
    sim_stacks_enter(&net, 0);
    uint32_t from;
    assert_int_equal(net_source(ip, &from), 0);
    int error =
        udp_send_from((struct net_address){from, 9}, (struct net_address){ip, PORT}, bytes, n, way);
    sim_run_for(50 * NS_PER_MS);
    sim_stacks_enter(&net, 0);
    return error;
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t sizes[] = {1472, 1473, 1480, 2952, 2953, 8000, 30000, 65506, LARGEST};
    static uint8_t bytes[LARGEST + 1];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)sim_random();
    struct net_way whole = usual;
    whole.whole = true;
    unsigned count = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
        for (unsigned kind = 0; kind < 4; kind++) {
            net.wire.reorder = kind == 1 ? 500 : 0;
            net.wire.dup = kind == 2 ? 300 : 0;
            uint32_t to = kind == 3 ? 0x7f000001 : STACK_IP(1);
            assert_int_equal(send_to(to, bytes, sizes[i], usual), 0);
            unsigned at = kind != 3;
            if (kind == 3)
                assert_int_equal(in[0].count, i + 1);
            else if (kind != 2 || sizes[i] > 1472) // doubled as a whole it comes twice
                assert_int_equal(in[1].count, ++count);
            else
                count = in[1].count;
            assert_int_equal(in[at].n, sizes[i]);
            assert_memory_equal(in[at].bytes, bytes, sizes[i]);
        }
    assert_int_equal(send_to(STACK_IP(1), bytes, LARGEST + 1, usual), -EMSGSIZE);
    assert_int_equal(send_to(0x7f000001, bytes, LARGEST + 1, usual), -EMSGSIZE);
    assert_int_equal(send_to(STACK_IP(1), bytes, 1472, whole), 0);
    assert_int_equal(send_to(STACK_IP(1), bytes, 1473, whole), -EMSGSIZE);
    assert_int_equal(send_to(0x7f000001, bytes, LARGEST, whole), 0);
    assert_int_equal(send_to(0x0a4d00ff, bytes, 5000, usual), 0); // a broadcast
    assert_int_equal(in[1].n, 5000);
}

// What is on the wire: offsets, one id, DF only on what is whole.
static void test_on_the_wire(void **state)
{
    (void)state;
    static uint8_t bytes[4000];
    assert_int_equal(send_to(STACK_IP(1), bytes, 1, usual), 0);
    net.wire.filter = catch_ip;
    caught_count = 0;
    struct net_way cut = {.ttl = 9, .tos = 4};
    assert_int_equal(send_to(STACK_IP(1), bytes, 1000, usual), 0);
    assert_int_equal(send_to(STACK_IP(1), bytes, 1000, cut), 0);
    assert_int_equal(send_to(STACK_IP(1), bytes, 4000, usual), 0);
    assert_int_equal(send_to(STACK_IP(1), bytes, 4000, cut), 0);
    static const struct {
        unsigned total, fragment;
    } want[] = {
        {1028, IP_DONT_FRAGMENT},        {1028, 0},   {1500, IP_MORE_FRAGMENTS},
        {1500, IP_MORE_FRAGMENTS | 185}, {1068, 370}, {1500, IP_MORE_FRAGMENTS},
        {1500, IP_MORE_FRAGMENTS | 185}, {1068, 370},
    };
    uint16_t id[ARRAY_SIZE(want)];
    assert_int_equal(caught_count, ARRAY_SIZE(want));
    for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
        const struct ip_wire *h = (const void *)(caught[i] + 14);
        assert_int_equal(be16_get(h->total), want[i].total);
        assert_int_equal(be16_get(h->fragment), want[i].fragment);
        assert_int_equal(wire_sum_end(wire_sum(0, h, 20)), 0);
        assert_int_equal(caught_bytes[i], 14 + want[i].total);
        id[i] = be16_get(h->id);
    }
    assert_true(id[2] == id[3] && id[3] == id[4] && id[5] == id[6] && id[6] == id[7]);
    assert_true(id[1] != id[2] && id[2] != id[5]);
    assert_int_equal(caught[7][14 + 8], 9);
    assert_int_equal(caught[7][14 + 1], 4);
    net.wire.filter = NULL;
}

// Short of buffers, or of a neighbour, a datagram goes whole or not at all; nothing is kept.
static void test_all_or_nothing(void **state)
{
    (void)state;
    static uint8_t bytes[LARGEST];
    static struct buf *taken[600];
    unsigned n = 0;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)sim_random();
    while (n < 600 && (taken[n] = buf_alloc(false)) != NULL)
        n++;
    for (unsigned i = 0; i < 20; i++)
        buf_free(taken[--n]);
    unsigned sent = net.wire.sent;
    assert_int_equal(send_to(STACK_IP(1), bytes, LARGEST, usual), -ENOBUFS);
    assert_int_equal(net.wire.sent, sent);
    assert_int_equal(buf_in_use(), n);
    while (n)
        buf_free(taken[--n]);
    arp_flush();
    assert_int_equal(send_to(STACK_IP(1), bytes, LARGEST, usual), 0);
    assert_int_equal(in[1].count, 1);
    assert_memory_equal(in[1].bytes, bytes, LARGEST);
    // To nobody: they wait, few of them, until it is clear.
    for (unsigned i = 0; i < 40; i++) {
        struct net_address from = {STACK_IP(0), 9}, to = {STACK_IP(100 + i), PORT};
        sim_stacks_enter(&net, 0);
        int error = udp_send_from(from, to, bytes, LARGEST, usual);
        assert_int_equal(error, i < 2 ? 0 : -ENOBUFS);
        assert_true(buf_in_use() < 130);
    }
    sim_run_for(20 * NS_PER_S);
    sim_stacks_enter(&net, 0);
    assert_int_equal(buf_in_use(), 0);
    assert_int_equal(send_to(STACK_IP(1), bytes, LARGEST, usual), 0);
    assert_int_equal(in[1].count, 2);
}

static void test_large_echo(void **state)
{
    (void)state;
    struct icmp_wire *h = (void *)text;
    struct fragment f = plain;
    f.protocol = IP_ICMP;
    for (size_t i = 0; i < 8009; i++)
        text[i] = (uint8_t)sim_random();
    *h = (struct icmp_wire){.type = ICMP_ECHO, .id = be16(3), .sequence = be16(4)};
    h->checksum = be16(wire_sum_end(wire_sum(0, text, 8009)));
    neighbour_known(PEER);
    net.wire.filter = catch_ip;
    caught_count = 0;
    for (unsigned i = 0; i < 6; i++)
        give_nth(f, 5 - i, 1480, 8009);
    assert_int_equal(net_counter(COUNT_icmp_echoed), 1);
    assert_int_equal(caught_count, 6);
    static uint8_t back[8009];
    for (unsigned i = 0; i < 6; i++) {
        const struct ip_wire *ip = (const void *)(caught[i] + 14);
        size_t at = (be16_get(ip->fragment) & IP_OFFSET_MASK) * 8u;
        assert_int_equal(be32_get(ip->to), PEER);
        memcpy(back + at, ip + 1, be16_get(ip->total) - 20u);
    }
    assert_int_equal(back[0], ICMP_ECHO_REPLY);
    assert_int_equal(wire_sum_end(wire_sum(0, back, 8009)), 0);
    assert_memory_equal(back + 4, text + 4, 8005);
    net.wire.filter = NULL;
}

// ---- an enemy ----------------------------------------------------------------------------------
static void test_storm(void **state)
{
    (void)state;
    static uint8_t zeros[1500];
    for (unsigned i = 0; i < 200000; i++) {
        struct fragment f = plain;
        f.id = (uint16_t)(sim_random() % (i / 1000 % 2 ? 1 : 4));
        f.from += (uint32_t)(sim_random() % 20);
        f.protocol = sim_random() % 2 ? IP_UDP : sim_random() % 2 ? IP_TCP : IP_ICMP;
        f.header_bytes = sim_random() % 4 ? 20 : (uint8_t)(20 + 4 * (sim_random() % 11));
        f.via = sim_random() % 16 ? IP_VIA_WIRE : IP_VIA_BROADCAST;
        size_t n = sim_random() % 2 ? 8 * (sim_random() % 180) : sim_random() % 1440;
        size_t at = 8 * (sim_random() % (sim_random() % 4 ? 60 : 8192));
        bool more = sim_random() % 4 != 0;
        if (sim_random() % 2) { // honest
            n = 800;
            at = sim_random() % 3 * 800;
            more = at < 1600;
        }
        give_bytes(f, at, n, more, zeros);
        if (i % 64 == 0) {
            sim_run_for(sim_random() % NS_PER_S);
            sim_stacks_enter(&net, 0);
        }
        assert_true(heap_bytes_used() < 1300 * 1024);
    }
    assert_true(net_counter(COUNT_ip_reassembled) > 100);
    assert_true(net_counter(COUNT_ip_fragment_overlap) > 1000);
    assert_true(net_counter(COUNT_ip_fragment_late) + net_counter(COUNT_ip_fragment_full) > 100);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_orders),          T(test_shuffled_with_duplicates),
        T(test_interleaved),     T(test_header),
        T(test_overlaps),        T(test_harmless_overlaps),
        T(test_hostile_lengths), T(test_late),
        T(test_too_many),        T(test_source_share),
        T(test_no_memory),       T(test_round_trip),
        T(test_on_the_wire),     T(test_all_or_nothing),
        T(test_large_echo),      T(test_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
