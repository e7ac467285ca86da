// SPDX-License-Identifier: MIT
// links: tests/unit/tcp_peer.c net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c
// links: net/nic.c net/route.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c lib/radix.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// What users may ask of a connection: corks, timeouts, retries, deferred ends, bounds; and what
// they are told of it.
#include "tests/unit/tcp_peer.h"

#include "lib/errno.h"

#define MS   NS_PER_MS
#define S    NS_PER_S
#define DATA (PSH | ACK)
#define MSS  1000u // the peer's

static uint8_t bytes[10000];

static void tune(struct tcp_tuning t)
{
    if (conn)
        tcp_tune(conn, &t);
    tcp_listener_tune(listener, &t);
}

static void connect_tuned(struct tcp_tuning t)
{
    int e;
    ours = (struct net_address){STACK_IP(0), 5000};
    conn = tcp_connect_from(ours, peer, TCP_NODELAY, &t, NULL, NULL, &e);
    assert_non_null(conn);
    iss = queue[queue_out % QUEUE].seq;
}

static struct tcp_facts facts(void)
{
    struct tcp_facts f;
    tcp_facts(conn, &f);
    return f;
}

static void forget(void) // what was sent meanwhile
{
    queue_out = queue_in;
}

// ---- held segments ------------------------------------------------------------------------------

static void test_cork(void **state)
{
    (void)state;
    in_established();
    tcp_set_corked(conn, true);
    assert_int_equal(tcp_send(conn, bytes, 600), 600);
    EXPECT_NONE();
    assert_int_equal(tcp_send(conn, bytes, 600), 600);
    EXPECT(OURS + 1, PEER + 1, ACK, MSS);
    SEND(PEER + 1, OURS + 1001, ACK, 0); // nothing in flight: it is held all the same
    EXPECT_NONE();
    assert_int_equal(facts().unsent, 200);
    tcp_set_corked(conn, false);
    EXPECT(OURS + 1001, PEER + 1, DATA, 200);
    tcp_set_corked(conn, true);
    assert_int_equal(tcp_send(conn, bytes, 2000), 2000);
    EXPECT(OURS + 1201, PEER + 1, ACK, MSS);
    EXPECT(OURS + 2201, PEER + 1, DATA, MSS);
    SEND(PEER + 1, OURS + 3201, ACK, 0);
    assert_int_equal(tcp_send(conn, bytes, 10), 10);
    uint64_t start = clock_now_ns();
    silent_until(start + 200 * MS);
    EXPECT(OURS + 3201, PEER + 1, DATA, 10);
    SEND(PEER + 1, OURS + 3211, ACK, 0);
    assert_int_equal(tcp_send(conn, bytes, 10), 10);
    EXPECT_NONE();
    tcp_set_nodelay(conn, true); // what is there goes, what follows is held
    EXPECT(OURS + 3211, PEER + 1, DATA, 10);
    assert_int_equal(tcp_send(conn, bytes, 10), 10);
    EXPECT_NONE();
    assert_int_equal(tcp_send_urgent(conn, bytes, 1), 1);
    EXPECT(OURS + 3221, PEER + 1, DATA | TCP_URG, 11);
    SEND(PEER + 1, OURS + 3232, ACK, 0);
    assert_int_equal(tcp_send(conn, bytes, 10), 10);
    EXPECT_NONE();
    tcp_shutdown_send(conn);
    EXPECT(OURS + 3232, PEER + 1, DATA | FIN, 10);
}

static void test_more(void **state)
{
    (void)state;
    in_established();
    assert_int_equal(tcp_send_more(conn, bytes, 300), 300);
    EXPECT_NONE();
    assert_int_equal(tcp_send_more(conn, bytes, 800), 800);
    EXPECT(OURS + 1, PEER + 1, ACK, MSS);
    assert_int_equal(tcp_send(conn, bytes, 1), 1);
    EXPECT(OURS + 1001, PEER + 1, DATA, 101);
    SEND(PEER + 1, OURS + 1102, ACK, 0);
    assert_int_equal(tcp_send_more(conn, bytes, 5), 5);
    silent_until(clock_now_ns() + 200 * MS);
    EXPECT(OURS + 1102, PEER + 1, DATA, 5);
}

// A peer whose window is never as large as a segment does not make it wait.
static void test_cork_and_a_small_window(void **state)
{
    (void)state;
    send_segment(PEER, 0, SYN, 0, 400);
    iss = queue[0].seq;
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
    send_segment(PEER + 1, OURS + 1, ACK, 0, 400);
    tcp_set_corked(conn, true);
    assert_int_equal(tcp_send(conn, bytes, 900), 900);
    EXPECT(OURS + 1, PEER + 1, ACK, 400);
    send_segment(PEER + 1, OURS + 401, ACK, 0, 400);
    EXPECT(OURS + 401, PEER + 1, ACK, 400);
    send_segment(PEER + 1, OURS + 801, ACK, 0, 400);
    silent_until(clock_now_ns() + 200 * MS);
    EXPECT(OURS + 801, PEER + 1, DATA, 100);
}

// ---- the user's timeout (RFC 5482) --------------------------------------------------------------

static void test_user_timeout(void **state)
{
    (void)state;
    in_established();
    tune((struct tcp_tuning){.user_timeout_ms = 1500});
    sim_run_for(5 * S); // idle: nothing is waited for
    assert_int_equal(tcp_send(conn, bytes, 20), 20);
    sim_run_for(1000 * MS);
    forget();
    SEND(PEER + 1, OURS + 11, ACK, 0); // something new: from here
    uint64_t start = clock_now_ns();
    sim_run_for(start + 1499 * MS - clock_now_ns());
    STATE(TCP_ESTABLISHED);
    sim_run_for(2 * MS);
    STATE(TCP_CLOSED);
    assert_int_equal(tcp_error(conn), -ETIMEDOUT);
    assert_true(events & TCP_FAILED);
    forget();
}

static void test_user_timeout_is_longer_than_ours(void **state)
{
    (void)state;
    in_established();
    tune((struct tcp_tuning){.user_timeout_ms = 1000 * 1000});
    assert_int_equal(tcp_send(conn, bytes, 20), 20);
    for (int k = 0; k < 9; k++) {
        sim_run_for(100 * S);
        forget();
        STATE(TCP_ESTABLISHED);
    }
    sim_run_for(101 * S);
    forget();
    STATE(TCP_CLOSED);
}

// A window that stays closed, however alive the peer is.
static void test_user_timeout_of_a_closed_window(void **state)
{
    (void)state;
    in_established();
    tune((struct tcp_tuning){.user_timeout_ms = 3000});
    send_segment(PEER + 1, OURS + 1, ACK, 0, 0);
    assert_int_equal(tcp_send(conn, bytes, 20), 20);
    uint64_t start = clock_now_ns();
    while (conn->state == TCP_ESTABLISHED && clock_now_ns() - start < 20 * S) {
        sim_run_for(50 * MS);
        if (queue_in != queue_out)
            send_segment(PEER + 1, OURS + 1, ACK, 0, 0);
        forget();
    }
    uint64_t took = clock_now_ns() - start;
    assert_true(took >= 3 * S && took < 4 * S);
    assert_int_equal(tcp_error(conn), -ETIMEDOUT);
}

static void test_user_timeout_and_keepalive(void **state)
{
    (void)state;
    in_established();
    tune((struct tcp_tuning){.user_timeout_ms = 7000});
    tcp_set_keepalive(conn, (struct tcp_keepalive){5, 1, 100});
    sim_run_for(4900 * MS);
    EXPECT_NONE();
    sim_run_for(2000 * MS);
    forget();
    STATE(TCP_ESTABLISHED);
    sim_run_for(300 * MS); // the third probe would be due
    STATE(TCP_CLOSED);
    assert_int_equal(tcp_error(conn), -ETIMEDOUT);
    forget();
}

// ---- opening ------------------------------------------------------------------------------------

static void test_syn_retries(void **state)
{
    (void)state;
    connect_tuned((struct tcp_tuning){.syn_retries = 2});
    uint64_t due = clock_now_ns();
    for (unsigned k = 0; k < 3; k++) {
        EXPECT(OURS, 0, SYN, 0);
        due += (1u << k) * S;
        silent_until(due);
    }
    STATE(TCP_CLOSED);
    assert_int_equal(tcp_error(conn), -ETIMEDOUT);
}

static void test_segment_max(void **state)
{
    (void)state;
    tune((struct tcp_tuning){.segment_max = 700});
    SEND(PEER, 0, SYN, 0);
    iss = queue[0].seq;
    assert_int_equal(queue[0].mss, 700);
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
    SEND(PEER + 1, OURS + 1, ACK, 0);
    assert_int_equal(tcp_send(conn, bytes, 1000), 1000);
    EXPECT(OURS + 1, PEER + 1, ACK, 700);
    EXPECT(OURS + 701, PEER + 1, DATA, 300);
    tune((struct tcp_tuning){.segment_max = 100}); // too late
    assert_int_equal(facts().snd_mss, 700);
    tcp_abort(conn);
    forget();
    conn = NULL;
    connect_tuned((struct tcp_tuning){.segment_max = 900});
    assert_int_equal(EXPECT(OURS, 0, SYN, 0).mss, 900);
    SEND(PEER, OURS + 1, SYN | ACK, 0);
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    assert_int_equal(facts().snd_mss, 900);
}

static void test_window_max(void **state)
{
    (void)state;
    connect_tuned((struct tcp_tuning){.window_max = 3000});
    assert_int_equal(EXPECT(OURS, 0, SYN, 0).window, 3000);
    SEND(PEER, OURS + 1, SYN | ACK, 0);
    assert_int_equal(EXPECT(OURS + 1, PEER + 1, ACK, 0).window, 3000);
    for (uint32_t k = 0; k < 4; k++) {
        SEND(PEER + 1 + 2000 * k, OURS + 1, ACK, 1000);
        SEND(PEER + 1001 + 2000 * k, OURS + 1, ACK, 1000);
        assert_int_equal(EXPECT(OURS + 1, PEER + 2001 + 2000 * k, ACK, 0).window, 3000);
    }
    assert_int_equal(tcp_receive(conn, bytes, sizeof(bytes)), 8000);
}

static void test_deferred(void **state)
{
    (void)state;
    tune((struct tcp_tuning){.defer_retries = 2});
    in_syn_received();
    SEND(PEER + 1, OURS + 1, ACK, 0);
    assert_null(conn);
    sim_run_for(2500 * MS); // it has answered: it is not asked again
    EXPECT_NONE();
    SEND(PEER + 1, OURS + 1, ACK, 5);
    assert_non_null(conn);
    STATE(TCP_ESTABLISHED);
    assert_int_equal(tcp_readable_bytes(conn), 5);
    sim_run_for(50 * MS);
    EXPECT(OURS + 1, PEER + 6, ACK, 0);
}

static void test_deferred_for_a_while(void **state)
{
    (void)state;
    tune((struct tcp_tuning){.defer_retries = 2});
    in_syn_received();
    SEND(PEER + 1, OURS + 1, ACK, 0);
    silent_until(clock_now_ns() + 3 * S);
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
    assert_null(conn);
    SEND(PEER + 1, OURS + 1, ACK, 0);
    assert_non_null(conn);
    STATE(TCP_ESTABLISHED);
}

static void test_deferred_fin(void **state)
{
    (void)state;
    tune((struct tcp_tuning){.defer_retries = 2});
    in_syn_received();
    SEND(PEER + 1, OURS + 1, ACK, 0);
    SEND(PEER + 1, OURS + 1, FIN | ACK, 0);
    EXPECT(OURS + 1, PEER + 2, ACK, 0);
    assert_non_null(conn);
    STATE(TCP_CLOSE_WAIT);
}

// ---- the rest -----------------------------------------------------------------------------------

static void test_prompt(void **state)
{
    (void)state;
    in_established();
    SEND(PEER + 1, OURS + 1, ACK, 5);
    EXPECT_NONE();
    tcp_set_prompt(conn, true);
    EXPECT(OURS + 1, PEER + 6, ACK, 0);
    SEND(PEER + 6, OURS + 1, ACK, 5);
    EXPECT(OURS + 1, PEER + 11, ACK, 0);
    tcp_set_prompt(conn, false);
    SEND(PEER + 11, OURS + 1, ACK, 5);
    silent_until(clock_now_ns() + TCP_DELAYED_ACK_NS);
    EXPECT(OURS + 1, PEER + 16, ACK, 0);
}

static void test_fin_wait_2(void **state)
{
    (void)state;
    tune((struct tcp_tuning){.fin_wait_2_s = 5});
    in_fin_wait_2();
    tcp_close(conn);
    sim_run_for(4900 * MS);
    assert_int_equal(tcp_conn_count(), 1);
    sim_run_for(200 * MS);
    assert_int_equal(tcp_conn_count(), 0);
    conn = NULL;
}

static void test_no_fin_wait_2(void **state)
{
    (void)state;
    tune((struct tcp_tuning){.fin_wait_2_s = -1});
    in_fin_wait_2();
    tcp_close(conn);
    EXPECT(OURS + 2, PEER + 1, RST | ACK, 0);
    assert_int_equal(tcp_conn_count(), 0);
    conn = NULL;
}

static void test_unsent_max(void **state)
{
    (void)state;
    in_established();
    tune((struct tcp_tuning){.unsent_max = 3000});
    assert_int_equal(tcp_writable_bytes(conn), 3000);
    send_segment(PEER + 1, OURS + 1, ACK, 0, 1000);
    assert_int_equal(tcp_send(conn, bytes, 4000), 4000);
    EXPECT(OURS + 1, PEER + 1, ACK, MSS);
    assert_int_equal(tcp_writable_bytes(conn), 0);
    tcp_want_writable(conn);
    events = 0;
    send_segment(PEER + 1, OURS + 1001, ACK, 0, 1000);
    EXPECT(OURS + 1001, PEER + 1, ACK, MSS);
    assert_int_equal(tcp_writable_bytes(conn), 1000);
    tcp_want_writable(conn);
    events = 0;
    send_segment(PEER + 1, OURS + 2001, ACK, 0, 1000);
    EXPECT(OURS + 2001, PEER + 1, ACK, MSS);
    assert_true(events & TCP_WRITABLE); // less than half of it is left
    forget();
}

static void test_closing(void **state)
{
    (void)state;
    in_established();
    assert_false(tcp_is_closing(conn));
    assert_int_equal(tcp_send(conn, bytes, 10), 10);
    tcp_shutdown_send(conn);
    forget();
    assert_true(tcp_is_closing(conn));
    events = 0;
    SEND(PEER + 1, OURS + 11, ACK, 0);
    assert_true(tcp_is_closing(conn));
    SEND(PEER + 1, OURS + 12, ACK, 0);
    assert_false(tcp_is_closing(conn));
    assert_true(events & TCP_ACKED);
}

static void test_facts(void **state)
{
    (void)state;
    in_established();
    struct tcp_facts f = facts();
    assert_int_equal(f.state, 1);
    assert_int_equal(f.snd_mss, MSS);
    assert_int_equal(f.own_mss, 1460);
    assert_int_equal(f.path_mtu, 1500);
    assert_int_equal(f.bytes_acked, 0);
    assert_true(f.ssthresh == UINT32_MAX && f.cwnd >= 3 && !f.stamps && !f.sack && !f.scaling);
    SEND(PEER + 1, OURS + 1, ACK, 300);
    SEND(PEER + 401, OURS + 1, ACK, 100); // behind a hole
    assert_int_equal(tcp_send(conn, bytes, 2500), 2500);
    sim_run_for(100 * MS);
    f = facts();
    assert_int_equal(f.bytes_received, 300);
    assert_int_equal(f.out_of_order, 1);
    assert_int_equal(f.data_in, 2);
    assert_int_equal(f.rcv_mss, 536);
    assert_int_equal(f.unacked, 3);
    assert_int_equal(f.bytes_sent, 2500);
    assert_int_equal(f.data_out, 3);
    assert_int_equal(f.data_sent_ms, 100);
    assert_int_equal(f.data_received_ms, 100);
    SEND(PEER + 301, OURS + 1001, ACK, 100);
    f = facts();
    assert_int_equal(f.bytes_acked, 1000);
    assert_int_equal(f.bytes_received, 500);
    assert_int_equal(f.unacked, 2);
    assert_int_equal(f.heard_ms, 0);
    assert_in_range(f.rtt_us, 1000, 200000);
    sim_run_for(900 * MS);
    f = facts();
    assert_int_equal(f.recovery, 4);
    assert_true(f.backoff > 0 && f.again_all > 0 && f.bytes_again > 0 && f.cwnd == 1);
    assert_int_equal(f.bytes_sent, 2500 + f.bytes_again);
    forget();
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, peer_start, peer_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cork),
        TEST(more),
        TEST(cork_and_a_small_window),
        TEST(user_timeout),
        TEST(user_timeout_is_longer_than_ours),
        TEST(user_timeout_of_a_closed_window),
        TEST(user_timeout_and_keepalive),
        TEST(syn_retries),
        TEST(segment_max),
        TEST(window_max),
        TEST(deferred),
        TEST(deferred_for_a_while),
        TEST(deferred_fin),
        TEST(prompt),
        TEST(fin_wait_2),
        TEST(no_fin_wait_2),
        TEST(unsent_max),
        TEST(closing),
        TEST(facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
