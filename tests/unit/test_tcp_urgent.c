// SPDX-License-Identifier: MIT
// links: tests/unit/tcp_peer.c net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c
// links: net/nic.c net/route.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c lib/radix.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// Urgent data: the pointer in segments, both ways, and what a peer may do with it.
#include "tests/unit/tcp_peer.h"

#include "lib/errno.h"

enum {
    URG = TCP_URG
};

static uint8_t bytes[70000];

// The peer's mark: what is known of it, and how many unread bytes are before it.
static void mark_is(enum tcp_urgent state, uint32_t ahead, int line)
{
    uint32_t is_ahead;
    enum tcp_urgent is = tcp_urgent(conn, &is_ahead);
    if (is != state || (is != TCP_URGENT_NONE && is_ahead != ahead))
        fail_msg("line %d: mark is %d, %d ahead", line, is, (int)is_ahead);
    if (tcp_conn_check(conn))
        fail_msg("line %d: invariant %s", line, tcp_conn_check(conn));
}
#define MARK(state, ahead) mark_is(TCP_URGENT_##state, ahead, __LINE__)

// Was it told of a new pointer since last asked?
static bool told(void)
{
    bool was = events & TCP_URGENT;
    events &= ~(unsigned)TCP_URGENT;
    return was;
}

static uint8_t byte_of(uint32_t seq) // as send_urgent() makes it
{
    return (uint8_t)seq;
}

// ---- received -----------------------------------------------------------------------------------

static void test_in_one_segment(void **state)
{
    (void)state;
    in_established();
    send_urgent(PEER + 1, OURS + 1, ACK, 5, 3); // [1, 6), urgent is 3
    assert_true(told());
    MARK(HERE, 2);
    assert_int_equal(tcp_urgent_take(conn, true), byte_of(PEER + 3));
    MARK(HERE, 2);
    assert_int_equal(tcp_urgent_take(conn, false), byte_of(PEER + 3));
    MARK(TAKEN, 2);
    assert_int_equal(tcp_readable_bytes(conn), 5); // it keeps its place
    assert_int_equal(tcp_receive(conn, bytes, 2), 2);
    MARK(TAKEN, 0);
    assert_int_equal(tcp_receive(conn, bytes, 1), 1);
    assert_int_equal(bytes[0], byte_of(PEER + 3));
    MARK(NONE, 0);
    send_urgent(PEER + 6, OURS + 1, ACK, 1, 0); // 0: some mean the byte itself
    EXPECT_NONE();
    assert_true(told());
    MARK(HERE, 2);
    assert_int_equal(tcp_receive(conn, bytes, 9), 3);
    MARK(NONE, 0);
    sim_run_for(TCP_DELAYED_ACK_NS);
    EXPECT(OURS + 1, PEER + 7, ACK, 0);
}

// Announced by an ACK, by text before it, by text out of order: told once, each later pointer once.
static void test_announced(void **state)
{
    (void)state;
    in_established();
    send_urgent(PEER + 1, OURS + 1, ACK, 0, 200);
    EXPECT_NONE();
    assert_true(told());
    MARK(ANNOUNCED, 199);
    send_urgent(PEER + 1, OURS + 1, ACK, 100, 200); // again
    assert_false(told());
    MARK(ANNOUNCED, 199);
    send_urgent(PEER + 101, OURS + 1, ACK, 50, 50); // an older one
    assert_false(told());
    MARK(ANNOUNCED, 199);
    send_urgent(PEER + 151, OURS + 1, ACK, 10, 100); // a later one: 250
    assert_true(told());
    MARK(ANNOUNCED, 249);
    queue_out = queue_in;
    events = 0;
    SEND(PEER + 201, OURS + 1, ACK, 60); // without URG, behind a hole
    EXPECT(OURS + 1, PEER + 161, ACK, 0);
    assert_false(told());
    assert_true(events & TCP_READABLE); // whoever waits for the byte
    MARK(HERE, 249);
    assert_int_equal(tcp_urgent_take(conn, false), byte_of(PEER + 250));
    SEND(PEER + 161, OURS + 1, ACK, 40);
    EXPECT(OURS + 1, PEER + 261, ACK, 0);
    MARK(TAKEN, 249);
    assert_int_equal(tcp_receive(conn, bytes, 249), 249);
    MARK(TAKEN, 0);
    assert_int_equal(tcp_receive(conn, bytes, 249), 11);
    MARK(NONE, 0);
    queue_out = queue_in;
}

// A reader that stands at an urgent byte when another one comes does not find it any more, if it
// takes them apart.
static void test_another_one(void **state)
{
    (void)state;
    in_established();
    for (int apart = 0; apart < 2; apart++) {
        uint32_t at = PEER + 1 + 4 * (uint32_t)apart;
        tcp_set_urgent_apart(conn, apart);
        send_urgent(at, OURS + 1, ACK, 2, 2);
        assert_int_equal(tcp_receive(conn, bytes, 1), 1);
        MARK(HERE, 0);
        send_urgent(at + 2, OURS + 1, ACK, 2, 2);
        MARK(HERE, apart ? 1 : 2);
        assert_int_equal(tcp_receive(conn, bytes, 9), apart ? 2 : 3);
        assert_int_equal(bytes[0], byte_of(at + 1 + (uint32_t)apart));
        MARK(NONE, 0);
    }
    sim_run_for(TCP_DELAYED_ACK_NS);
    queue_out = queue_in;
}

// What a hostile peer may say: pointers to what was read or came before, behind its FIN, with
// numbers outside the window, with RST and SYN. Only a counter tells.
static void test_wild(void **state)
{
    (void)state;
    in_established();
    SEND(PEER + 1, OURS + 1, ACK, 100);
    assert_int_equal(tcp_receive(conn, bytes, 60), 60);
    send_urgent(PEER + 1, OURS + 1, ACK, 110, 100); // its last byte has come already
    EXPECT(OURS + 1, PEER + 111, ACK, 0);           // a part came twice
    send_urgent(PEER + 1, OURS + 1, ACK, 111, 1);
    EXPECT(OURS + 1, PEER + 112, ACK, 0);
    assert_int_equal(net_counter(COUNT_tcp_urgent_off), 2);
    send_urgent(PEER - 70000, OURS + 1, ACK, 10, 65535); // unacceptable
    EXPECT(OURS + 1, PEER + 112, ACK, 0);
    send_urgent(PEER + 112 + TCP_BUFFER_BYTES, OURS + 1, ACK, 10, 10);
    EXPECT(OURS + 1, PEER + 112, ACK, 0);
    send_urgent(PEER + 113, OURS + 1, RST, 0, 10);
    EXPECT(OURS + 1, PEER + 112, ACK, 0);
    send_urgent(PEER + 112, OURS + 1, SYN | ACK, 0, 10);
    EXPECT(OURS + 1, PEER + 112, ACK, 0);
    send_urgent(PEER + 112, OURS + 1, 0, 10, 10);      // no ACK
    send_urgent(PEER + 112, OURS + 5000, ACK, 10, 10); // of what was never sent
    EXPECT(OURS + 1, PEER + 112, ACK, 0);
    SEND(PEER + 122, OURS + 1, FIN | ACK, 0); // behind a hole
    EXPECT(OURS + 1, PEER + 112, ACK, 0);
    send_urgent(PEER + 112, OURS + 1, ACK, 0, 11); // the FIN's number
    send_urgent(PEER + 112, OURS + 1, ACK, 0, 65535);
    assert_int_equal(net_counter(COUNT_tcp_urgent_off), 4);
    assert_false(told());
    MARK(NONE, 0);
    SEND(PEER + 112, OURS + 1, ACK, 10);
    EXPECT(OURS + 1, PEER + 123, ACK, 0);
    STATE(TCP_CLOSE_WAIT);
    send_urgent(PEER + 123, OURS + 1, ACK, 0, 100); // there can be none
    assert_false(told());
    MARK(NONE, 0);
    assert_int_equal(tcp_receive(conn, bytes, sizeof(bytes)), 61);
}

// As far ahead as a pointer can name, into a window that is full: legal, and it moves nothing.
static void test_far_ahead(void **state)
{
    (void)state;
    in_established();
    send_urgent(PEER + 1, OURS + 1, ACK, 1, 65535);
    assert_true(told());
    MARK(ANNOUNCED, 65534);
    for (uint32_t at = 2; at < 65535; at += 1000)
        SEND(PEER + at, OURS + 1, ACK, MIN(1000u, 65535 - at));
    MARK(ANNOUNCED, 65534);
    SEND(PEER + 65535, OURS + 1, ACK, 1);
    MARK(HERE, 65534);
    assert_int_equal(tcp_urgent_take(conn, false), byte_of(PEER + 65535));
    assert_int_equal(tcp_receive(conn, bytes, sizeof(bytes)), 65535);
    MARK(NONE, 0);
    sim_run_for(NS_PER_S);
    queue_out = queue_in;
}

// A mark whose byte never comes: the FIN is before it.
static void test_never_there(void **state)
{
    (void)state;
    in_established();
    send_urgent(PEER + 1, OURS + 1, ACK, 2, 100);
    SEND(PEER + 3, OURS + 1, FIN | ACK, 0);
    EXPECT(OURS + 1, PEER + 4, ACK, 0);
    MARK(ANNOUNCED, 99);
    assert_true(tcp_ended(conn));
    assert_int_equal(tcp_receive(conn, bytes, 9), 2);
    MARK(ANNOUNCED, 97);
    assert_int_equal(tcp_receive(conn, bytes, 9), 0);
}

// ---- sent ---------------------------------------------------------------------------------------

static struct seen expect_urgent(uint32_t seq, uint32_t n, uint8_t flags, uint32_t urgent, int line)
{
    struct seen s = expect(seq, PEER + 1, flags | URG, n, line);
    if (s.urgent != urgent)
        fail_msg("line %d: urgent is ours+%d", line, (int)(s.urgent - OURS));
    return s;
}
#define EXPECT_URGENT(seq, n, flags, urgent) expect_urgent(seq, n, flags, urgent, __LINE__)

static void test_sends(void **state)
{
    (void)state;
    in_established();
    assert_int_equal(tcp_send_urgent(conn, bytes, 3), 3);
    EXPECT_URGENT(OURS + 1, 3, PSH | ACK, OURS + 3);
    assert_int_equal(tcp_send(conn, bytes, 2), 2); // behind it: nothing of it is urgent
    EXPECT(OURS + 4, PEER + 1, PSH | ACK, 2);
    SEND(PEER + 1, OURS + 3, ACK, 0);            // the urgent byte is not acknowledged
    silent_until(clock_now_ns() + conn->rto_ns); // goes again, with its pointer
    assert_true(queue_in != queue_out);
    EXPECT_URGENT(OURS + 3, 3, PSH | ACK, OURS + 3);
    SEND(PEER + 1, OURS + 4, ACK, 0);
    assert_false(conn->urging);
    queue_out = queue_in;
    silent_until(clock_now_ns() + (conn->rto_ns << conn->backoff));
    EXPECT(OURS + 4, PEER + 1, PSH | ACK, 2); // again: not urgent
    SEND(PEER + 1, OURS + 6, ACK, 0);
    assert_int_equal(tcp_send_urgent(conn, bytes, 0), 0);
    EXPECT_NONE();
}

// The pointer runs ahead of a closed window: in what probes it, and in bare ACKs.
static void test_announces(void **state)
{
    (void)state;
    in_established();
    send_segment(PEER + 1, OURS + 1, ACK, 0, 0);
    assert_int_equal(tcp_send(conn, bytes, 10), 10);
    assert_int_equal(tcp_send_urgent(conn, bytes, 1), 1);
    EXPECT_NONE();
    SEND(PEER + 1, OURS + 1, ACK, 0);
    EXPECT_URGENT(OURS + 1, 11, PSH | ACK, OURS + 11);
    send_segment(PEER + 1, OURS + 12, ACK, 0, 0);
    assert_int_equal(tcp_send_urgent(conn, bytes, 5), 5);
    EXPECT_NONE();
    send_segment(PEER - 100, OURS + 12, ACK, 5, 0); // old: answered
    EXPECT_URGENT(OURS + 12, 0, ACK, OURS + 16);
    sim_run_for(2 * conn->rto_ns);
    EXPECT_URGENT(OURS + 12, 1, ACK, OURS + 16); // the window probe
    queue_out = queue_in;
    SEND(PEER + 1, OURS + 13, ACK, 0);
    EXPECT_URGENT(OURS + 13, 4, PSH | ACK, OURS + 16);
    SEND(PEER + 1, OURS + 17, ACK, 0);
}

// Further ahead than a pointer names: as far as it can, as long as that is not out yet.
static void test_far_behind(void **state)
{
    (void)state;
    in_established();
    conn->cwnd = 1000000;
    send_segment(PEER + 1, OURS + 1, ACK, 0, 0);
    assert_int_equal(tcp_send(conn, bytes, 69999), 69999);
    assert_int_equal(tcp_send_urgent(conn, bytes, 1), 1);
    send_segment(PEER + 1, OURS + 1, ACK, 0, 1000);
    EXPECT_URGENT(OURS + 1, 1000, ACK, OURS + 65535);
    send_segment(PEER + 1, OURS + 1001, ACK, 0, 65535);
    for (uint32_t at = 1001; at < 66001; at += 1000) {
        uint32_t named = at + 65535 > 70001 ? 70000 : at + 65534;
        EXPECT_URGENT(OURS + at, 1000, ACK, OURS + named);
    }
    queue_out = queue_in;
    send_segment(PEER + 1, OURS + 66001, ACK, 0, 65535);
    for (uint32_t at = 67001; at < 70001; at += 1000)
        queue_out = queue_in;
    SEND(PEER + 1, OURS + 70001, ACK, 0);
    assert_false(conn->urging);
    queue_out = queue_in;
}

// Nagle's rule does not hold it back.
static void test_is_not_held_back(void **state)
{
    (void)state;
    in_established();
    tcp_set_nodelay(conn, false);
    assert_int_equal(tcp_send(conn, bytes, 1), 1);
    EXPECT(OURS + 1, PEER + 1, PSH | ACK, 1);
    assert_int_equal(tcp_send(conn, bytes, 1), 1);
    EXPECT_NONE();
    assert_int_equal(tcp_send_urgent(conn, bytes, 1), 1);
    EXPECT_URGENT(OURS + 2, 2, PSH | ACK, OURS + 3);
    SEND(PEER + 1, OURS + 4, ACK, 0);
    tcp_abort(conn);
    EXPECT(OURS + 4, PEER + 1, RST | ACK, 0);
    conn = NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, peer_start, peer_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in_one_segment), TEST(test_announced),
        TEST(test_another_one),    TEST(test_wild),
        TEST(test_far_ahead),      TEST(test_never_there),
        TEST(test_sends),          TEST(test_announces),
        TEST(test_far_behind),     TEST(test_is_not_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
