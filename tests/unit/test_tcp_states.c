// SPDX-License-Identifier: MIT
// links: net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c net/nic.c net/route.c
// links: net/stack.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c lib/log.c lib/radix.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// RFC 9293 state by state: a stack and, by hand, its peer. Each test takes the connection into a
// state with a factory, then says what the peer SENDs and what it may EXPECT. Sequence numbers are
// relative: PEER + n are the peer's (its SYN is PEER), OURS + n are ours.
#include "tests/unit/unit.h"

#include "lib/errno.h"
#include "net/tcp/tcp_priv.h"
#include "tests/sim/ports/stacks.h"

#define PEER      0xfffffff0u // wraps early
#define PEER_IP   STACK_IP(50)
#define PEER_PORT 4000
#define OUR_PORT  80
#define OURS      (iss)
#define WINDOW    20000u
#define QUEUE     512

static struct sim_stacks net;
static struct tcp_listener *listener;
static struct tcp_conn *conn; // the one under test
static struct net_address peer, ours;
static uint32_t iss;
static unsigned events;

static struct seen {
    uint32_t seq, ack, n;
    uint8_t flags;
    uint16_t window, mss;
} queue[QUEUE];
static unsigned queue_in, queue_out;

static bool catch_frame(struct sim_wire *w, unsigned from, const uint8_t *frame, size_t n)
{
    (void)w;
    (void)from;
    const struct ip_wire *ip = (const void *)(frame + sizeof(struct eth_wire));
    if (frame[12] != 8 || frame[13] != 0 || ip->protocol != IP_TCP)
        return true;
    assert_true(n >= 54);
    size_t total = be16_get(ip->total);
    struct ip_packet p = {be32_get(ip->from), be32_get(ip->to), (const uint8_t *)(ip + 1),
                          total - sizeof(*ip), false};
    struct tcp_segment s;
    assert_true(tcp_segment_parse(&p, &s)); // with a right checksum
    assert_true(queue_in - queue_out < QUEUE);
    queue[queue_in++ % QUEUE] = (struct seen){s.seq, s.ack, s.n, s.flags, s.window, s.mss};
    return true;
}

static void inject_ip(uint8_t protocol, const void *bytes, size_t n)
{
    uint8_t frame[2000] = {0};
    struct eth_wire *eth = (void *)frame;
    struct ip_wire *ip = (void *)(eth + 1);
    memcpy(eth->to, (uint8_t[]){0x52, 0x54, 0, 0x77, 0, 0x10}, 6);
    memcpy(eth->from, (uint8_t[]){0x52, 0x54, 0, 0x77, 0, 0x42}, 6);
    eth->type = be16(ETH_IPV4);
    *ip = (struct ip_wire){.version_ihl = 0x45,
                           .total = be16((unsigned)(sizeof(*ip) + n)),
                           .ttl = 64,
                           .protocol = protocol,
                           .from = be32(PEER_IP),
                           .to = be32(STACK_IP(0))};
    ip->checksum = be16(wire_sum_end(wire_sum(0, ip, sizeof(*ip))));
    memcpy(ip + 1, bytes, n);
    sim_wire_inject(&net.wire, frame, sizeof(*eth) + sizeof(*ip) + n);
}

static void send_segment(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, uint16_t window)
{
    uint8_t bytes[1600] = {0};
    struct tcp_wire *h = (void *)bytes;
    size_t options = flags & TCP_SYN ? 4 : 0;
    *h = (struct tcp_wire){.from = be16(peer.port),
                           .to = be16(ours.port),
                           .seq = be32(seq),
                           .ack = be32(ack),
                           .offset = (uint8_t)((20 + options) / 4 << 4),
                           .flags = flags,
                           .window = be16(window)};
    if (options)
        memcpy(bytes + 20, (uint8_t[]){2, 4, 1000 >> 8, 1000 & 255}, 4); // MSS 1000
    for (uint32_t i = 0; i < n; i++)
        bytes[20 + options + i] = (uint8_t)(seq + i);
    size_t total = 20 + options + n;
    uint64_t sum = wire_sum_pseudo(PEER_IP, STACK_IP(0), IP_TCP, total);
    h->checksum = be16(wire_sum_end(wire_sum(sum, bytes, total)));
    inject_ip(IP_TCP, bytes, total);
    if (conn && conn->state != TCP_CLOSED && tcp_conn_check(conn))
        fail_msg("invariant %s", tcp_conn_check(conn));
}

#define SEND(seq, ack, flags, n)   send_segment(seq, ack, flags, n, WINDOW)
#define EXPECT(seq, ack, flags, n) expect(seq, ack, flags, n, __LINE__)
#define EXPECT_NONE()              expect_none(__LINE__)
#define STATE(s)                                                                                   \
    do {                                                                                           \
        if (conn->state != (s))                                                                    \
            fail_msg("line %d: state is %s", __LINE__, tcp_state_name(conn->state));               \
    } while (0)
enum {
    FIN = TCP_FIN,
    SYN = TCP_SYN,
    RST = TCP_RST,
    PSH = TCP_PSH,
    ACK = TCP_ACK
};

static struct seen expect(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, int line)
{
    if (queue_in == queue_out)
        fail_msg("line %d: nothing was sent", line);
    struct seen s = queue[queue_out++ % QUEUE];
    if (s.seq != seq || s.ack != ack || s.flags != flags || s.n != n)
        fail_msg("line %d: seq ours+%d ack peer+%d flags %x n %u", line, (int)(s.seq - OURS),
                 (int)(s.ack - PEER), s.flags, s.n);
    return s;
}

static void expect_none(int line)
{
    if (queue_in != queue_out)
        fail_msg("line %d: %u segments were sent", line, queue_in - queue_out);
}

// Nothing may happen before that time; what happens then has happened when it returns.
static void silent_until(uint64_t at_ns)
{
    sim_run_for(at_ns - 1000 - clock_now_ns());
    expect_none(__LINE__);
    sim_run_for(2000);
}

static void on_event(void *arg, struct tcp_conn *c, unsigned what)
{
    (void)arg;
    assert_ptr_equal(c, conn);
    events |= what;
}

static void on_accept(void *arg, struct tcp_conn *c)
{
    (void)arg;
    conn = c;
    tcp_set_events(c, on_event, NULL);
}

static int start(void **state)
{
    (void)state;
    sim_stacks_start(&net, 1, 1);
    net.wire.filter = catch_frame;
    queue_in = queue_out = 0;
    events = 0;
    conn = NULL;
    peer = (struct net_address){PEER_IP, PEER_PORT};
    ours = (struct net_address){STACK_IP(0), OUR_PORT};
    uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x77, 0,
                       0x42, 8,    6,    0,    1,    8,    0,    6,    4, 0,    1,
                       0x52, 0x54, 0,    0x77, 0,    0x42, 10,   77,   0, 60};
    memcpy(arp + 38, (uint8_t[]){10, 77, 0, 10}, 4);
    sim_wire_inject(&net.wire, arp, sizeof(arp)); // they know each other
    listener = tcp_listen(OUR_PORT, TCP_NODELAY, on_accept, NULL);
    return listener == NULL;
}

static int stop(void **state)
{
    (void)state;
    EXPECT_NONE();
    if (conn)
        tcp_abort(conn);
    tcp_unlisten(listener);
    sim_run_for(200 * NS_PER_S);
    const char *left = sim_stacks_stop(&net);
    if (left)
        fail_msg("left over: %s", left);
    return 0;
}

// ---- factories ----------------------------------------------------------------------------------

static void in_syn_received(void)
{
    SEND(PEER, 0, SYN, 0);
    assert_int_equal(queue_in, 1);
    iss = queue[0].seq;
    assert_int_equal(queue[0].mss, 1460);
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
}

static void in_syn_sent(void)
{
    conn = tcp_connect(peer, TCP_NODELAY, on_event, NULL);
    assert_non_null(conn);
    ours = tcp_local(conn);
    iss = queue[queue_out % QUEUE].seq;
    EXPECT(OURS, 0, SYN, 0);
}

static void in_established(void)
{
    in_syn_received();
    SEND(PEER + 1, OURS + 1, ACK, 0);
    EXPECT_NONE();
    assert_non_null(conn);
    STATE(TCP_ESTABLISHED);
}

static void in_fin_wait_1(void)
{
    in_established();
    tcp_shutdown_send(conn);
    EXPECT(OURS + 1, PEER + 1, FIN | ACK, 0);
    STATE(TCP_FIN_WAIT_1);
}

static void in_fin_wait_2(void)
{
    in_fin_wait_1();
    SEND(PEER + 1, OURS + 2, ACK, 0);
    STATE(TCP_FIN_WAIT_2);
}

static void in_closing(void)
{
    in_fin_wait_1();
    SEND(PEER + 1, OURS + 1, FIN | ACK, 0);
    EXPECT(OURS + 2, PEER + 2, ACK, 0);
    STATE(TCP_CLOSING);
}

static void in_time_wait(void)
{
    in_fin_wait_2();
    SEND(PEER + 1, OURS + 2, FIN | ACK, 0);
    EXPECT(OURS + 2, PEER + 2, ACK, 0);
    STATE(TCP_TIME_WAIT);
}

static void in_close_wait(void)
{
    in_established();
    SEND(PEER + 1, OURS + 1, FIN | ACK, 0);
    EXPECT(OURS + 1, PEER + 2, ACK, 0);
    STATE(TCP_CLOSE_WAIT);
}

static void in_last_ack(void)
{
    in_close_wait();
    tcp_shutdown_send(conn);
    EXPECT(OURS + 1, PEER + 2, FIN | ACK, 0);
    STATE(TCP_LAST_ACK);
}

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
    listener = tcp_listen(OUR_PORT, 0, on_accept, NULL);
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
    assert_int_equal(conn->gap_count, 1);
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
    for (uint32_t i = 0; i < 40; i++)
        SEND(PEER + 100 + 10 * i, OURS + 1, ACK, 5);
    assert_int_equal(conn->gap_count, TCP_GAPS_MAX);
    assert_int_equal(net_counter(COUNT_tcp_gaps_full), 8);
    queue_out = queue_in;
}

static void test_unacceptable(void **state)
{
    (void)state;
    in_established();
    uint32_t window = TCP_BUFFER_BYTES;
    SEND(PEER - 99, OURS + 1, ACK, 100); // old
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + 1 + window, OURS + 1, ACK, 1); // beyond
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    SEND(PEER + window, OURS + 1, ACK, 2); // its first byte fits
    EXPECT(OURS + 1, PEER + 1, ACK, 0);
    assert_true(conn->gaps[0].end == PEER + 1 + window);
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
    for (; at + 1000 < TCP_BUFFER_BYTES; at += 1000)
        SEND(PEER + at, OURS + 1, ACK, 1000);
    SEND(PEER + at, OURS + 1, ACK, 1000); // cut to what fits
    queue_out = queue_in;
    assert_int_equal(tcp_readable_bytes(conn), TCP_BUFFER_BYTES);
    uint32_t edge = PEER + 1 + TCP_BUFFER_BYTES;
    sim_run_for(TCP_DELAYED_ACK_NS);
    assert_int_equal(queue[(queue_in - 1) % QUEUE].window, 0);
    queue_out = queue_in;
    SEND(edge, OURS + 1, ACK, 1); // a probe
    assert_int_equal(EXPECT(OURS + 1, edge, ACK, 0).window, 0);
    assert_int_equal(tcp_receive(conn, bytes, 500), 500);
    EXPECT_NONE(); // silly windows are not told
    assert_int_equal(tcp_receive(conn, bytes, 69000), TCP_BUFFER_BYTES - 500);
    assert_int_equal(EXPECT(OURS + 1, edge, ACK, 0).window, TCP_BUFFER_BYTES);
}

// ---- ESTABLISHED: sending -----------------------------------------------------------------------

static uint8_t zeros[70000];

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

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

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
        T(test_text),
        T(test_out_of_order),
        T(test_gaps_bounded),
        T(test_unacceptable),
        T(test_reset),
        T(test_window_closes),
        T(test_slow_start),
        T(test_fast_retransmit),
        T(test_retransmission_timeout),
        T(test_gives_up),
        T(test_persist),
        T(test_nagle),
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
