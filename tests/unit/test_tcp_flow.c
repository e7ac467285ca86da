// SPDX-License-Identifier: MIT
// links: tests/unit/tcp_peer.c net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c
// links: net/nic.c net/route.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c lib/radix.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// Receiving and sending on an established connection: windows, order, congestion, resets.
#include "tests/unit/tcp_peer.h"

#include "lib/errno.h"

static uint8_t zeros[70000];

// ---- ESTABLISHED: receiving ---------------------------------------------------------------------

static void test_text(void **state)
{
    (void)state;
    uint8_t bytes[4000];
    in_established();
    SEND(PEER + 1, OURS + 1, ACK, 1000);
    EXPECT_NONE(); // delayed
    SEND(PEER + 1001, OURS + 1, ACK, 1000);
    EXPECT(OURS + 1, PEER + 2001, ACK, 0); // at least every second one
    SEND(PEER + 2001, OURS + 1, ACK | PSH, 10);
    sim_run_for(TCP_DELAYED_ACK_NS - 1000);
    EXPECT_NONE();
    sim_run_for(2000);
    EXPECT(OURS + 1, PEER + 2011, ACK, 0);
    assert_int_equal(tcp_receive(conn, bytes, sizeof(bytes)), 2010);
    for (uint32_t i = 0; i < 2010; i++)
        assert_int_equal(bytes[i], (uint8_t)(PEER + 1 + i));
    assert_int_equal(tcp_receive(conn, bytes, sizeof(bytes)), -EAGAIN);
    queue_out = queue_in; // a window update may have gone
}

static void test_out_of_order(void **state)
{
    (void)state;
    uint8_t bytes[4000];
    in_established();
    SEND(PEER + 101, OURS + 1, ACK, 100); // [101, 201)
    EXPECT(OURS + 1, PEER + 1, ACK, 0);   // at once: a duplicate ACK
    SEND(PEER + 301, OURS + 1, ACK, 100); // [301, 401)
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + 151, OURS + 1, ACK, 200); // joins them
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    assert_int_equal(conn->gaps.count, 1);
    SEND(PEER + 500, OURS + 1, FIN | ACK, 0); // and the FIN before the text
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + 1, OURS + 1, ACK, 120);
    EXPECT(OURS + 1, PEER + 401, ACK, 0);
    STATE(TCP_ESTABLISHED);
    SEND(PEER + 381, OURS + 1, ACK, 119); // overlaps at its start
    EXPECT(OURS + 1, PEER + 501, ACK, 0);
    STATE(TCP_CLOSE_WAIT);
    assert_int_equal(tcp_receive(conn, bytes, sizeof(bytes)), 499);
    for (uint32_t i = 0; i < 499; i++)
        assert_int_equal(bytes[i], (uint8_t)(PEER + 1 + i));
    assert_int_equal(tcp_receive(conn, bytes, sizeof(bytes)), 0);
}

static void test_gaps_bounded(void **state)
{
    (void)state;
    in_established();
    for (uint32_t i = 0; i < TCP_RANGES_MAX + 8; i++)
        SEND(PEER + 100 + 10 * i, OURS + 1, ACK, 5);
    assert_int_equal(conn->gaps.count, TCP_RANGES_MAX);
    assert_int_equal(net_counter(COUNT_tcp_gaps_full), 8);
    queue_out = queue_in;
}

static void test_unacceptable(void **state)
{
    (void)state;
    in_established();
    uint32_t window = TCP_WINDOW_PLAIN;
    SEND(PEER - 99, OURS + 1, ACK, 100); // old
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + 1 + window, OURS + 1, ACK, 1); // beyond
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + window, OURS + 1, ACK, 2); // its first byte fits
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    assert_true(conn->gaps.at[0].end == PEER + 1 + window);
    SEND(PEER + 1, OURS + 1, 0, 10); // no ACK bit
    EXPECT_NONE();
    SEND(PEER + 1, OURS + 2, ACK, 10); // of what was never sent
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + 1, OURS + 1 - 70000, ACK, 10); // far too old (RFC 5961, 5)
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    assert_int_equal(tcp_readable_bytes(conn), 0);
}

static void test_reset(void **state)
{
    (void)state;
    in_established();
    SEND(PEER, OURS + 1, RST | ACK, 0); // outside: nothing
    EXPECT_NONE();
    SEND(PEER + 2, 0, RST, 0); // inside: a challenge
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + 1, 0, SYN, 0);
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    for (unsigned i = 0; i < 30; i++)
        SEND(PEER + 2, 0, RST, 0);
    assert_int_equal(queue_in - queue_out, 8); // ten in a second
    queue_out = queue_in;
    STATE(TCP_ESTABLISHED);
    SEND(PEER + 1, 0, RST, 0); // exact
    STATE(TCP_CLOSED);
    assert_int_equal(events, TCP_FAILED);
    assert_int_equal(tcp_error(conn), -ECONNRESET);
}

static void test_window_closes(void **state)
{
    (void)state;
    static uint8_t bytes[70000];
    in_established();
    uint32_t at = 1;
    for (; at + 1000 < TCP_WINDOW_PLAIN; at += 1000)
        SEND(PEER + at, OURS + 1, ACK, 1000);
    SEND(PEER + at, OURS + 1, ACK, 1000); // cut to what fits
    queue_out = queue_in;
    assert_int_equal(tcp_readable_bytes(conn), TCP_WINDOW_PLAIN);
    uint32_t edge = PEER + 1 + TCP_WINDOW_PLAIN;
    sim_run_for(TCP_DELAYED_ACK_NS);
    assert_int_equal(queue[(queue_in - 1) % QUEUE].window, 0);
    queue_out = queue_in;
    SEND(edge, OURS + 1, ACK, 1); // a probe
    assert_int_equal(EXPECT(OURS + 1, edge, ACK, 0).window, 0);
    assert_int_equal(tcp_receive(conn, bytes, 500), 500);
    EXPECT_NONE(); // silly windows are not told
    assert_int_equal(tcp_receive(conn, bytes, 69000), TCP_WINDOW_PLAIN - 500);
    assert_int_equal(EXPECT(OURS + 1, edge, ACK, 0).window, TCP_WINDOW_PLAIN);
}

// ---- ESTABLISHED: sending -----------------------------------------------------------------------

static void test_slow_start(void **state)
{
    (void)state;
    in_established();
    assert_int_equal(tcp_send(conn, zeros, 10000), 10000);
    for (uint32_t i = 0; i < 4; i++) // MSS 1000: four of them (RFC 5681, 3.1)
        EXPECT(OURS + 1 + i * 1000, PEER + 1, ACK, 1000);
    EXPECT_NONE();
    SEND(PEER + 1, OURS + 1001, ACK, 0);
    EXPECT(OURS + 4001, PEER + 1, ACK, 1000);
    EXPECT(OURS + 5001, PEER + 1, ACK, 1000);
    SEND(PEER + 1, OURS + 6001, ACK, 0);
    EXPECT(OURS + 6001, PEER + 1, ACK, 1000);
    EXPECT(OURS + 7001, PEER + 1, ACK, 1000);
    EXPECT(OURS + 8001, PEER + 1, ACK, 1000);
    EXPECT(OURS + 9001, PEER + 1, ACK | PSH, 1000);
    assert_int_equal(tcp_unsent_bytes(conn), 0);
    SEND(PEER + 1, OURS + 10001, ACK, 0);
    assert_int_equal(events, TCP_ACKED);
}

static void test_fast_retransmit(void **state)
{
    (void)state;
    in_established();
    conn->cwnd = 10000;
    tcp_send(conn, zeros, 30000);
    for (uint32_t i = 0; i < 10; i++)
        EXPECT(OURS + 1 + i * 1000, PEER + 1, ACK, 1000);
    SEND(PEER + 1, OURS + 1, ACK, 0);
    EXPECT(OURS + 10001, PEER + 1, ACK, 1000); // limited transmit
    SEND(PEER + 1, OURS + 1, ACK, 0);
    EXPECT(OURS + 11001, PEER + 1, ACK, 1000);
    SEND(PEER + 1, OURS + 1, ACK, 0);
    EXPECT(OURS + 1, PEER + 1, ACK, 1000); // the third
    assert_int_equal(conn->ssthresh, 6000);
    SEND(PEER + 1, OURS + 5001, ACK, 0); // partial: the next hole at once (RFC 6582)
    EXPECT(OURS + 5001, PEER + 1, ACK, 1000);
    assert_true(conn->recovering);
    queue_out = queue_in;
    SEND(PEER + 1, conn->recover, ACK, 0);
    assert_false(conn->recovering);
    assert_true(conn->cwnd <= 6000);
    queue_out = queue_in;
}

static void test_retransmission_timeout(void **state)
{
    (void)state;
    in_established();
    tcp_send(conn, zeros, 3000);
    queue_out = queue_in;
    uint64_t at_ns = clock_now_ns();
    for (unsigned i = 0; i < 4; i++) { // doubled each time (RFC 6298, 5.5)
        silent_until(at_ns += conn->rto_ns << i);
        EXPECT(OURS + 1, PEER + 1, ACK, 1000);
    }
    assert_int_equal(conn->cwnd, 1000);
    SEND(PEER + 1, OURS + 1001, ACK, 0);
    EXPECT(OURS + 1001, PEER + 1, ACK, 1000);
    EXPECT(OURS + 2001, PEER + 1, ACK | PSH, 1000);
    SEND(PEER + 1, OURS + 3001, ACK, 0);
}

static void test_gives_up(void **state)
{
    (void)state;
    in_established();
    tcp_send(conn, zeros, 10);
    sim_run_for(300 * NS_PER_S);
    queue_out = queue_in;
    STATE(TCP_CLOSED);
    assert_int_equal(tcp_error(conn), -ETIMEDOUT);
    assert_int_equal(events, TCP_FAILED);
}

static void test_persist(void **state)
{
    (void)state;
    in_established();
    send_segment(PEER + 1, OURS + 1, ACK, 1, 0); // closes its window
    queue_out = queue_in;
    tcp_send(conn, zeros, 5000);
    sim_run_for(TCP_DELAYED_ACK_NS);
    EXPECT(OURS + 1, PEER + 2, ACK, 0);
    sim_run_for(4 * NS_PER_S);
    EXPECT(OURS + 1, PEER + 2, ACK, 1); // a probe of one byte
    send_segment(PEER + 2, OURS + 1, ACK, 0, 0);
    queue_out = queue_in;
    send_segment(PEER + 2, OURS + 1, ACK, 0, 1500);
    EXPECT(OURS + 1, PEER + 2, ACK, 1000);
    queue_out = queue_in;
    assert_true(conn->snd_nxt - conn->snd_una <= 1500);
}

static void test_nagle(void **state)
{
    (void)state;
    in_established();
    conn->flags &= ~(unsigned)TCP_NODELAY;
    tcp_send(conn, zeros, 10);
    EXPECT(OURS + 1, PEER + 1, ACK | PSH, 10);
    tcp_send(conn, zeros, 10);
    tcp_send(conn, zeros, 10);
    EXPECT_NONE();
    SEND(PEER + 1, OURS + 11, ACK, 0);
    EXPECT(OURS + 11, PEER + 1, ACK | PSH, 20);
    conn->flags |= TCP_NODELAY;
    tcp_send(conn, zeros, 1);
    EXPECT(OURS + 31, PEER + 1, ACK | PSH, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, peer_start, peer_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_text),         T(test_out_of_order),    T(test_gaps_bounded),
        T(test_unacceptable), T(test_reset),           T(test_window_closes),
        T(test_slow_start),   T(test_fast_retransmit), T(test_retransmission_timeout),
        T(test_gives_up),     T(test_persist),         T(test_nagle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
