// SPDX-License-Identifier: MIT
// links: tests/unit/tcp_peer.c net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c
// links: net/nic.c net/route.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c lib/radix.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// RFC 9293 state by state: how connections begin and end.
#include "tests/unit/tcp_peer.h"

#include "lib/errno.h"

static uint8_t zeros[100];

// ---- CLOSED and LISTEN --------------------------------------------------------------------------

static void test_closed(void **state)
{
    (void)state;
    ours.port = 81; // nobody
    iss = 0;
    SEND(PEER, 0, SYN, 0);
    EXPECT(0, PEER + 1, RST | ACK, 0);
    SEND(PEER, 77, ACK, 5);
    EXPECT(77, 0, RST, 0);
    SEND(PEER, 77, RST | ACK, 0);
    SEND(PEER, 0, RST, 0);
}

static void test_listen(void **state)
{
    (void)state;
    iss = 0;
    SEND(PEER, 0, RST, 0); // ignored
    SEND(PEER, 5, ACK, 0);
    EXPECT(5, 0, RST, 0);
    SEND(PEER, 5, SYN | ACK, 0);
    EXPECT(5, 0, RST, 0);
    SEND(PEER, 0, FIN, 3); // cannot be ours
    SEND(PEER, 0, 0, 3);
    EXPECT_NONE();
    assert_int_equal(tcp_conn_count(), 0);
}

static void test_backlog(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        peer.port = (uint16_t)(1000 + i);
        SEND(PEER + i, 0, SYN, 0);
    }
    assert_int_equal(tcp_conn_count(), 64);
    assert_int_equal(net_counter(COUNT_tcp_backlog_full), 300 - 64);
    assert_int_equal(queue_in, 300);
    iss = queue[299].seq; // the newest can still finish
    SEND(PEER + 300, OURS + 1, ACK, 0);
    assert_non_null(conn);
    STATE(TCP_ESTABLISHED);
    tcp_unlisten(listener); // resets the others
    assert_int_equal(tcp_conn_count(), 1);
    queue_out = queue_in;
    listener = tcp_listen(OUR_PORT, 0, peer_accepts, NULL);
    tcp_abort(conn);
    conn = NULL;
    queue_out = queue_in;
}

// ---- SYN-SENT -----------------------------------------------------------------------------------

static void test_syn_sent(void **state)
{
    (void)state;
    in_syn_sent();
    SEND(PEER, OURS, SYN | ACK, 0); // of nothing
    EXPECT(OURS, 0, RST, 0);
    SEND(PEER, OURS + 2, ACK, 0); // of what was never sent
    EXPECT(OURS + 2, 0, RST, 0);
    SEND(PEER, OURS + 2, RST | ACK, 0); // a blind reset
    SEND(PEER, 0, RST, 0);
    SEND(PEER, OURS + 1, ACK, 0); // acceptable, but neither SYN nor RST
    EXPECT_NONE();
    STATE(TCP_SYN_SENT);
    assert_int_equal(events, 0);
    SEND(PEER, OURS + 1, SYN | ACK, 0);
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    STATE(TCP_ESTABLISHED);
    assert_int_equal(events, TCP_CONNECTED);
    assert_int_equal(conn->mss, 1000);
}

static void test_syn_sent_refused(void **state)
{
    (void)state;
    in_syn_sent();
    SEND(PEER, OURS + 1, RST | ACK, 0);
    STATE(TCP_CLOSED);
    assert_int_equal(events, TCP_FAILED);
    assert_int_equal(tcp_error(conn), -ECONNREFUSED);
    assert_int_equal(tcp_receive(conn, &iss, 1), -ECONNREFUSED);
}

static void test_syn_sent_retransmits(void **state)
{
    (void)state;
    in_syn_sent();
    uint64_t at_ns = clock_now_ns();
    for (unsigned i = 0; i < 5; i++) { // after 1, 2, 4, 8, 16 seconds
        silent_until(at_ns += NS_PER_S << i);
        EXPECT(OURS, 0, SYN, 0);
    }
    sim_run_for(400 * NS_PER_S);
    queue_out = queue_in;
    assert_int_equal(tcp_error(conn), -ETIMEDOUT);
}

static void test_simultaneous_open(void **state)
{
    (void)state;
    in_syn_sent();
    SEND(PEER, 0, SYN, 0);
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
    STATE(TCP_SYN_RECEIVED);
    SEND(PEER, OURS + 1, SYN | ACK, 0); // figure 7, line 5
    STATE(TCP_ESTABLISHED);
    assert_int_equal(events, TCP_CONNECTED);
}

static void test_close_in_syn_sent(void **state)
{
    (void)state;
    in_syn_sent();
    tcp_close(conn);
    conn = NULL;
    assert_int_equal(tcp_conn_count(), 0);
    SEND(PEER, OURS + 1, SYN | ACK, 0);
    EXPECT(OURS + 1, 0, RST, 0);
}

// ---- SYN-RECEIVED -------------------------------------------------------------------------------

static void test_syn_received(void **state)
{
    (void)state;
    in_syn_received();
    SEND(PEER, 0, SYN, 0); // our answer was lost
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
    SEND(PEER + 1, OURS + 9, ACK, 0);
    EXPECT(OURS + 9, 0, RST, 0);
    SEND(PEER + 1, 0, 0, 1); // no ACK
    EXPECT_NONE();
    sim_run_for(NS_PER_S + NS_PER_MS);
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
    SEND(PEER + 1, OURS + 1, ACK, 4); // text comes with the last ACK
    assert_non_null(conn);
    STATE(TCP_ESTABLISHED);
    assert_int_equal(events, TCP_READABLE);
    assert_int_equal(tcp_readable_bytes(conn), 4);
    sim_run_for(TCP_DELAYED_ACK_NS);
    EXPECT(OURS + 1, PEER + 5, ACK, 0);
}

static void test_syn_received_reset(void **state)
{
    (void)state;
    in_syn_received();
    SEND(PEER + 2, 0, RST, 0); // in the window, not exact
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + 1, 0, RST, 0);
    assert_int_equal(tcp_conn_count(), 0);
    assert_null(conn);
}

static void test_syn_received_timeout(void **state)
{
    (void)state;
    in_syn_received();
    sim_run_for(500 * NS_PER_S);
    queue_out = queue_in;
    assert_int_equal(tcp_conn_count(), 0);
}

// ---- the end ------------------------------------------------------------------------------------

static void test_fin_wait_1(void **state)
{
    (void)state;
    in_fin_wait_1();
    assert_int_equal(tcp_send(conn, "x", 1), -EPIPE);
    SEND(PEER + 1, OURS + 1, ACK, 1000); // the other way is open
    assert_int_equal(tcp_readable_bytes(conn), 1000);
    SEND(PEER + 1001, OURS + 2, FIN | ACK, 0); // FIN, and ACK of ours
    EXPECT(OURS + 2, PEER + 1002, ACK, 0);
    STATE(TCP_TIME_WAIT);
}

static void test_fin_wait_2(void **state)
{
    (void)state;
    in_fin_wait_2();
    sim_run_for(300 * NS_PER_S); // its user has not closed: it may take for ever
    STATE(TCP_FIN_WAIT_2);
    SEND(PEER + 1, OURS + 2, FIN | ACK, 3);
    EXPECT(OURS + 2, PEER + 5, ACK, 0);
    STATE(TCP_TIME_WAIT);
    uint8_t bytes[9];
    assert_int_equal(tcp_receive(conn, bytes, 9), 3);
    assert_int_equal(tcp_receive(conn, bytes, 9), 0);
}

static void test_fin_wait_2_abandoned(void **state)
{
    (void)state;
    in_fin_wait_2();
    tcp_close(conn);
    conn = NULL;
    sim_run_for(TCP_FIN_WAIT_NS + NS_PER_S);
    assert_int_equal(tcp_conn_count(), 0);
}

static void test_text_after_close(void **state)
{
    (void)state;
    in_established();
    tcp_close(conn);
    conn = NULL;
    EXPECT(OURS + 1, PEER + 1, FIN | ACK, 0);
    SEND(PEER + 1, OURS + 2, ACK, 5);
    EXPECT(OURS + 2, PEER + 1, RST | ACK, 0);
    assert_int_equal(tcp_conn_count(), 0);
}

static void test_closing(void **state)
{
    (void)state;
    in_closing();
    SEND(PEER + 1, OURS + 1, FIN | ACK, 0); // again
    EXPECT(OURS + 2, PEER + 2, ACK, 0);
    SEND(PEER + 2, OURS + 2, ACK, 0);
    STATE(TCP_TIME_WAIT);
}

static void test_time_wait(void **state)
{
    (void)state;
    in_time_wait();
    sim_run_for(50 * NS_PER_S);
    SEND(PEER + 1, OURS + 2, FIN | ACK, 0); // our last ACK was lost
    EXPECT(OURS + 2, PEER + 2, ACK, 0);
    sim_run_for(50 * NS_PER_S); // 2 MSL again
    STATE(TCP_TIME_WAIT);
    sim_run_for(11 * NS_PER_S);
    STATE(TCP_CLOSED);
    assert_int_equal(tcp_error(conn), 0);
}

static void test_time_wait_reopened(void **state)
{
    (void)state;
    in_time_wait();
    tcp_close(conn);
    conn = NULL;
    SEND(PEER + 1, 0, SYN, 0); // not above: an old one
    EXPECT(OURS + 2, PEER + 2, ACK, 0);
    SEND(PEER + 5000, 0, SYN, 0);
    iss = queue[queue_out % QUEUE].seq;
    EXPECT(OURS, PEER + 5001, SYN | ACK, 0);
    SEND(PEER + 5001, OURS + 1, ACK, 0);
    STATE(TCP_ESTABLISHED);
}

static void test_close_wait(void **state)
{
    (void)state;
    in_close_wait();
    assert_int_equal(events, TCP_READABLE);
    SEND(PEER + 2, OURS + 1, ACK, 10); // behind its FIN: not taken
    assert_int_equal(tcp_readable_bytes(conn), 0);
    queue_out = queue_in;
    tcp_send(conn, zeros, 5);
    EXPECT(OURS + 1, PEER + 2, ACK | PSH, 5);
    tcp_close(conn);
    conn = NULL;
    EXPECT(OURS + 6, PEER + 2, FIN | ACK, 0);
    SEND(PEER + 2, OURS + 7, ACK, 0);
    assert_int_equal(tcp_conn_count(), 0);
}

static void test_last_ack(void **state)
{
    (void)state;
    in_last_ack();
    SEND(PEER + 2, OURS + 1, ACK, 0); // not of our FIN
    STATE(TCP_LAST_ACK);
    sim_run_for(4 * NS_PER_S);
    EXPECT(OURS + 1, PEER + 2, FIN | ACK, 0); // again
    queue_out = queue_in;
    SEND(PEER + 2, OURS + 2, ACK, 0);
    STATE(TCP_CLOSED);
}

static void test_reset_at_the_end(void **state)
{
    (void)state;
    static void (*const factories[])(void) = {in_fin_wait_1, in_fin_wait_2, in_closing,
                                              in_time_wait,  in_close_wait, in_last_ack};
    for (unsigned i = 0; i < ARRAY_SIZE(factories); i++) {
        peer.port++;
        queue_in = queue_out = 0;
        factories[i]();
        bool quiet = conn->state == TCP_CLOSING || conn->state == TCP_LAST_ACK ||
                     conn->state == TCP_TIME_WAIT;
        SEND(conn->rcv_nxt, 0, RST, 0);
        STATE(TCP_CLOSED);
        assert_int_equal(tcp_error(conn), quiet ? 0 : -ECONNRESET);
        tcp_close(conn);
        conn = NULL;
    }
}

static void test_moves(void **state)
{
    (void)state;
    unsigned legal = 0;
    for (enum tcp_state from = 0; from < TCP_STATES; from++)
        for (enum tcp_state to = 0; to < TCP_STATES; to++)
            legal += tcp_state_may_follow(from, to);
    assert_int_equal(legal, 24);
    assert_false(tcp_state_may_follow(TCP_ESTABLISHED, TCP_SYN_SENT));
    assert_false(tcp_state_may_follow(TCP_TIME_WAIT, TCP_ESTABLISHED));
}

#define T(f) cmocka_unit_test_setup_teardown(f, peer_start, peer_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_closed),
        T(test_listen),
        T(test_backlog),
        T(test_syn_sent),
        T(test_syn_sent_refused),
        T(test_syn_sent_retransmits),
        T(test_simultaneous_open),
        T(test_close_in_syn_sent),
        T(test_syn_received),
        T(test_syn_received_reset),
        T(test_syn_received_timeout),
        T(test_fin_wait_1),
        T(test_fin_wait_2),
        T(test_fin_wait_2_abandoned),
        T(test_text_after_close),
        T(test_closing),
        T(test_time_wait),
        T(test_time_wait_reopened),
        T(test_close_wait),
        T(test_last_ack),
        T(test_reset_at_the_end),
        cmocka_unit_test(test_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
