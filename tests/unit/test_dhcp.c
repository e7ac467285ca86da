// SPDX-License-Identifier: MIT
// links: net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c net/nic.c net/route.c
// links: net/services.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: net/dhcp.c net/dhcp_message.c lib/string.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c lib/radix.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// The DHCP client: the parser against broken messages, the states against a server that answers,
// refuses, moves, falls silent.
#include "tests/unit/unit.h"

#include "kernel/timer.h"
#include "net/counters.h"
#include "net/dhcp.h"
#include "net/dhcp_message.h"
#include "net/wire.h"
#include "tests/sim/ports/stacks.h"

#define XID   0x12345678u
#define LEASE 1000u

static const uint8_t our_mac[6] = {0x52, 0x54, 0, 0x77, 0, 0x10};

// ---- the parser ---------------------------------------------------------------------------------

struct message {
    uint8_t bytes[600];
    size_t n;
};

static void option(struct message *m, uint8_t kind, const uint8_t *bytes, uint8_t n)
{
    m->bytes[m->n++] = kind;
    m->bytes[m->n++] = n;
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static void option_word(struct message *m, uint8_t kind, uint32_t value)
{
    be32_t v = be32(value);
    option(m, kind, v.b, 4);
}

static struct message reply_begun(enum dhcp_type type, uint32_t xid, uint32_t ip)
{
    struct message m = {.bytes = {2, 1, 6}, .n = 240};
    be32_t x = be32(xid), yours = be32(ip);
    memcpy(m.bytes + 4, &x, 4);
    memcpy(m.bytes + 16, &yours, 4);
    memcpy(m.bytes + 28, our_mac, 6);
    memcpy(m.bytes + 236, (uint8_t[]){0x63, 0x82, 0x53, 0x63}, 4);
    option(&m, 53, (uint8_t[]){(uint8_t)type}, 1);
    option_word(&m, 54, STACK_IP(1));
    return m;
}

static struct message reply(enum dhcp_type type, uint32_t xid, uint32_t ip)
{
    struct message m = reply_begun(type, xid, ip);
    option_word(&m, 1, 0xffffff00);
    option_word(&m, 3, STACK_IP(1));
    option_word(&m, 51, LEASE);
    option(&m, 12, (const uint8_t *)"name", 4); // what we do not know is skipped
    m.bytes[m.n++] = 0;
    m.bytes[m.n++] = 255;
    return m;
}

static bool parses(const uint8_t *bytes, size_t n, struct dhcp_reply *r)
{
    uint8_t *exact = test_malloc(n); // ASan sees a byte too far
    memcpy(exact, bytes, n);
    bool good = dhcp_parse(exact, n, XID, our_mac, r);
    test_free(exact);
    return good;
}

static void test_good(void **state)
{
    (void)state;
    struct message m = reply(DHCP_OFFER, XID, 0x0a4d0032);
    struct dhcp_reply r;
    assert_true(parses(m.bytes, m.n, &r));
    assert_true(r.type == DHCP_OFFER && r.ip == 0x0a4d0032 && r.prefix == 24);
    assert_true(r.server == STACK_IP(1) && r.gateway == STACK_IP(1));
    assert_true(r.lease_s == 1000 && r.renew_s == 500 && r.rebind_s == 875);
}

static void test_cut_short(void **state)
{
    (void)state;
    struct message m = reply(DHCP_ACK, XID, 0x0a4d0032);
    struct dhcp_reply r;
    for (size_t n = 0; n < m.n; n++)
        assert_false(parses(m.bytes, n, &r)); // its end is marked, so none is whole before
}

static void test_each_field(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        uint8_t value;
    } wrong[] = {{0, 1}, {1, 6}, {2, 16}, {4, 0}, {7, 0}, {28, 9}, {33, 9}, {236, 0}, {239, 0}};
    struct dhcp_reply r;
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct message m = reply(DHCP_ACK, XID, 0x0a4d0032);
        m.bytes[wrong[i].at] = wrong[i].value;
        assert_false(parses(m.bytes, m.n, &r));
    }
    static const uint32_t nobody[] = {0,          0x7f000001, 0xe0000001,
                                      0xffffffff, 0x0a4d0000, 0x0a4d00ff};
    for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++) {
        struct message m = reply(DHCP_ACK, XID, nobody[i]);
        assert_false(parses(m.bytes, m.n, &r));
    }
}

static void test_options(void **state)
{
    (void)state;
    struct dhcp_reply r;
    struct message m = reply_begun(DHCP_ACK, XID, 0x0a4d0032);
    option_word(&m, 51, 1000);
    m.bytes[m.n] = 255;
    assert_false(parses(m.bytes, m.n + 1, &r)); // no mask
    option_word(&m, 1, 0xff00ff00);
    m.bytes[m.n] = 255;
    assert_false(parses(m.bytes, m.n + 1, &r)); // a mask with a hole
    m = reply_begun(DHCP_ACK, XID, 0x0a4d0032);
    option_word(&m, 1, 0xffff0000);
    option_word(&m, 51, 1); // who lends for a second keeps us busy
    m.bytes[m.n] = 255;
    assert_false(parses(m.bytes, m.n + 1, &r));
    option_word(&m, 51, DHCP_LEASE_FOREVER);
    option_word(&m, 58, 2000); // T1 behind T2: ours are taken
    option_word(&m, 59, 1000);
    m.bytes[m.n] = 255;
    assert_true(parses(m.bytes, m.n + 1, &r));
    option_word(&m, 51, 3000);
    m.bytes[m.n] = 255;
    assert_true(parses(m.bytes, m.n + 1, &r));
    assert_true(r.prefix == 16 && r.renew_s < r.rebind_s && r.rebind_s < r.lease_s);
    option(&m, 53, (uint8_t[]){DHCP_DISCOVER}, 1); // no server says that
    m.bytes[m.n] = 255;
    assert_false(parses(m.bytes, m.n + 1, &r));
}

static void test_any_bytes(void **state)
{
    (void)state;
    uint32_t x = 7;
    for (unsigned i = 0; i < 100000; i++) {
        struct message m = reply(DHCP_ACK, XID, 0x0a4d0032);
        for (unsigned k = 0; k < 1 + i % 4; k++) {
            x = x * 1664525 + 1013904223;
            m.bytes[i & 1 ? 240 + (x >> 8) % (m.n - 240) : (x >> 8) % m.n] = (uint8_t)(x >> 24);
        }
        struct dhcp_reply r;
        if (parses(m.bytes, m.n - (x & 3 ? 0 : (x >> 16) % m.n), &r) && r.type != DHCP_NAK)
            assert_true(r.prefix >= 1 && r.prefix <= 32 && r.ip && r.lease_s >= 10 &&
                        (r.lease_s == DHCP_LEASE_FOREVER || r.rebind_s < r.lease_s));
    }
}

// ---- the client and a server --------------------------------------------------------------------

static struct sim_stacks net;
static struct message answer; // n 0: none is due
static uint32_t answer_to;
static unsigned discovers, requests, renewals, leases;
static bool silent, refuses;
static uint32_t gives;

static uint8_t type_of(const uint8_t *bytes)
{
    assert_int_equal(bytes[240], 53);
    return bytes[242];
}

// A reply in a frame of its own: our stack would not take part in a talk with 0.0.0.0.
static void send_reply(const struct message *m, uint32_t to)
{
    uint8_t frame[800] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x77, 0, 0x42, 8, 0};
    struct ip_wire *ip = (void *)(frame + 14);
    struct udp_wire *udp = (void *)(ip + 1);
    size_t n = sizeof(*udp) + m->n;
    *ip = (struct ip_wire){.version_ihl = 0x45,
                           .total = be16((unsigned)(sizeof(*ip) + n)),
                           .ttl = 64,
                           .protocol = IP_UDP,
                           .from = be32(STACK_IP(1)),
                           .to = be32(to)};
    ip->checksum = be16(wire_sum_end(wire_sum(0, ip, sizeof(*ip))));
    *udp = (struct udp_wire){be16(67), be16(68), be16((unsigned)n), be16(0)};
    memcpy(udp + 1, m->bytes, m->n);
    sim_wire_inject(&net.wire, frame, 14 + sizeof(*ip) + n);
}

// Sees what the client says; the answer follows when the wire is quiet.
static bool hear(struct sim_wire *w, unsigned from_nic, const uint8_t *frame, size_t n)
{
    (void)w;
    const struct ip_wire *ip = (const void *)(frame + 14);
    const uint8_t *bytes = (const uint8_t *)(ip + 1) + sizeof(struct udp_wire);
    be32_t xid, own;
    if (from_nic != 0 || frame[12] != 8 || frame[13] != 0 || ip->protocol != IP_UDP)
        return true;
    assert_int_equal(n, 14 + 28 + DHCP_MESSAGE_BYTES);
    assert_true(bytes[0] == 1 && memcmp(bytes + 28, our_mac, 6) == 0);
    memcpy(&xid, bytes + 4, 4);
    memcpy(&own, bytes + 12, 4);
    bool discover = type_of(bytes) == DHCP_DISCOVER, renewal = be32_get(own) != 0;
    assert_int_equal(be32_get(ip->from), be32_get(own));
    discovers += discover;
    renewals += renewal;
    requests += !discover && !renewal;
    if (silent)
        return false;
    answer = reply(discover ? DHCP_OFFER : refuses ? DHCP_NAK : DHCP_ACK, be32_get(xid), gives);
    answer_to = renewal ? be32_get(own) : NET_BROADCAST;
    return false;
}

static void address_came(void)
{
    leases++;
}

static int start(void **state)
{
    (void)state;
    discovers = requests = renewals = leases = 0;
    silent = refuses = false;
    gives = STACK_IP(30);
    sim_stacks_start(&net, 2, 1);
    net.wire.filter = hear;
    answer.n = 0;
    sim_stacks_enter(&net, 0);
    net_ip_set(0, 0, 0);
    return dhcp_start(address_came);
}

static int stop(void **state)
{
    (void)state;
    sim_stacks_enter(&net, 0);
    dhcp_stop();
    sim_run_for(500 * NS_PER_S);
    const char *left = sim_stacks_stop(&net);
    if (left)
        fail_msg("left over: %s", left);
    return 0;
}

static uint32_t client_ip(uint64_t after_s)
{
    for (uint64_t i = 0; i < 10 * after_s; i++) {
        sim_run_for(NS_PER_S / 10);
        struct message m = answer;
        answer.n = 0;
        if (m.n)
            send_reply(&m, answer_to);
    }
    sim_stacks_enter(&net, 0);
    return net_ip();
}

static void test_bound_and_renewed(void **state)
{
    (void)state;
    assert_int_equal(client_ip(1), STACK_IP(30));
    assert_int_equal(net_prefix(), 24);
    assert_true(discovers == 1 && requests == 1);
    assert_string_equal(dhcp_state_text(), "bound");
    assert_int_equal(leases, 1);
    assert_int_equal(client_ip(490), STACK_IP(30));
    assert_int_equal(renewals, 0);
    assert_int_equal(client_ip(20), STACK_IP(30)); // T1 at 500
    assert_int_equal(renewals, 1);
    assert_int_equal(client_ip(5000), STACK_IP(30));
    assert_true(renewals >= 10 && renewals <= 12 && discovers == 1);
}

static void test_silent_server(void **state)
{
    (void)state;
    assert_int_equal(client_ip(1), STACK_IP(30));
    silent = true;
    assert_int_equal(client_ip(800), STACK_IP(30));
    assert_string_equal(dhcp_state_text(), "renewing");
    assert_true(renewals >= 3);
    assert_int_equal(client_ip(150), STACK_IP(30));
    assert_string_equal(dhcp_state_text(), "rebinding");
    silent = false; // it hears the broadcast
    assert_int_equal(client_ip(50), STACK_IP(30));
    assert_string_equal(dhcp_state_text(), "bound");
    silent = true;
    assert_int_equal(client_ip(1001), 0); // the lease ended
    assert_string_equal(dhcp_state_text(), "selecting");
    silent = false;
    assert_int_equal(client_ip(66), STACK_IP(30));
}

static void test_backs_off(void **state)
{
    (void)state;
    silent = true; // its first offer is out, the rest is not
    client_ip(300);
    assert_true(discovers + requests >= 6 && discovers + requests <= 14);
    silent = false;
    assert_int_equal(client_ip(70), STACK_IP(30));
}

static void test_refused(void **state)
{
    (void)state;
    refuses = true;
    assert_int_equal(client_ip(60), 0);
    assert_true(requests >= 2 && requests <= 20);
    refuses = false;
    assert_int_equal(client_ip(10), STACK_IP(30));
    refuses = true; // the network was renumbered
    gives = STACK_IP(31);
    assert_int_equal(client_ip(501), 0);
    refuses = false;
    assert_int_equal(client_ip(10), STACK_IP(31));
}

#define T(t) cmocka_unit_test_setup_teardown(t, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_each_field),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_any_bytes),
        T(test_bound_and_renewed),
        T(test_silent_server),
        T(test_backs_off),
        T(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
