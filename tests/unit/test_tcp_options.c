// SPDX-License-Identifier: MIT
// links: tests/unit/tcp_peer.c net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c
// links: net/nic.c net/route.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c lib/radix.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c
// libs: -DWEFT_SIM

// Options on the wire, and what follows from them: window scaling, timestamps and PAWS (RFC 7323),
// SACK both ways (2018, 2883, 6675), tail probes (8985), Eifel (3522), keep-alive (9293, 3.8.4).
#include "tests/unit/tcp_peer.h"

#include "lib/errno.h"

static uint8_t zeros[300000];
static uint32_t stamp; // the peer's clock

// ---- the parser ---------------------------------------------------------------------------------

static void test_parse(void **state)
{
    (void)state;
    struct tcp_options o;
    const uint8_t linux_syn[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};
    assert_true(tcp_options_parse(linux_syn, sizeof(linux_syn), &o));
    assert_true(o.mss == 1460 && o.sack_ok && o.scaled && o.scale == 7 && o.stamped);
    assert_true(o.stamp == 0x01020304 && o.echo == 0 && o.sack_count == 0);
    const uint8_t blocks[] = {1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 12};
    assert_true(tcp_options_parse(blocks, sizeof(blocks), &o));
    assert_int_equal(o.sack_count, 2);
    assert_true(o.sacks[1].start == 9 && o.sacks[1].end == 12);
    const uint8_t steep[] = {3, 3, 200, 0};
    assert_true(tcp_options_parse(steep, sizeof(steep), &o));
    assert_int_equal(o.scale, TCP_SCALE_MAX);
    const uint8_t odd[] = {5, 9, 1, 2, 3, 4, 5, 6, 7, 3, 0x5a, 0};
    assert_false(tcp_options_parse(odd, sizeof(odd), &o)); // the second runs over the end
    assert_false(tcp_options_parse((uint8_t[]){8, 1}, 2, &o));
    assert_false(tcp_options_parse((uint8_t[]){8}, 1, &o));
    assert_true(tcp_options_parse((uint8_t[]){0, 8, 99}, 3, &o));
}

static void test_written_is_parsed(void **state)
{
    (void)state;
    uint8_t bytes[TCP_OPTIONS_MAX];
    for (unsigned i = 0; i < 64; i++) {
        struct tcp_options o = {.mss = i & 1 ? 1400 : 0, .scaled = i & 2, .scale = i & 2 ? 3 : 0},
                           back;
        o.sack_ok = i & 4;
        o.stamped = i & 8;
        o.stamp = i & 8 ? 0xfedcba98 : 0;
        o.sack_count = i >> 4;
        for (unsigned k = 0; k < o.sack_count; k++)
            o.sacks[k] = (struct tcp_range){10 * k, 10 * k + 5};
        if (tcp_options_bytes(&o) > sizeof(bytes))
            continue;
        size_t n = tcp_options_write(&o, bytes);
        assert_true(n == tcp_options_bytes(&o) && n % 4 == 0);
        assert_true(tcp_options_parse(bytes, n, &back));
        assert_memory_equal(&o, &back, sizeof(o));
    }
}

static void test_any_bytes(void **state)
{
    (void)state;
    uint32_t x = 1;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t *bytes = test_malloc(i % 41);
        for (unsigned k = 0; k < i % 41; k++)
            bytes[k] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24) % (i & 1 ? 12 : 255);
        struct tcp_options o;
        if (tcp_options_parse(bytes, i % 41, &o))
            assert_true(o.sack_count <= TCP_SACKS_MAX && o.scale <= TCP_SCALE_MAX);
        test_free(bytes);
    }
}

// ---- scaling and timestamps ---------------------------------------------------------------------

#define FULL                                                                                       \
    {                                                                                              \
        .mss = 1012, .scaled = true, .scale = 3, .sack_ok = true, .stamped = true, .stamp = 1000   \
    }

static void in_full(void) // established with every option; data of 1000 bytes a segment
{
    const struct tcp_options o = FULL;
    stamp = 1000;
    send_options(PEER, 0, SYN, 0, WINDOW, &o);
    iss = queue[queue_out % QUEUE].seq;
    struct seen s = EXPECT(OURS, PEER + 1, SYN | ACK, 0);
    assert_true(s.options.mss == 1460 && s.options.scaled && s.options.sack_ok);
    assert_true(s.options.stamped && s.options.echo == 1000);
    assert_int_equal(s.window, TCP_WINDOW_PLAIN);
    const struct tcp_options ack = {.stamped = true, .stamp = 1001, .echo = s.options.stamp};
    send_options(PEER + 1, OURS + 1, ACK, 0, WINDOW, &ack);
    EXPECT_NONE();
    STATE(TCP_ESTABLISHED);
    stamp = 1001;
}

static void full(uint32_t seq, uint32_t ack, uint32_t n, unsigned sacks, const struct tcp_range *r)
{
    struct tcp_options o = {.stamped = true, .stamp = stamp, .echo = tcp_stamp_now(conn)};
    o.sack_count = sacks;
    for (unsigned i = 0; i < sacks; i++)
        o.sacks[i] = r[i];
    send_options(seq, ack, ACK, n, WINDOW, &o);
}

static void test_scaling(void **state)
{
    (void)state;
    in_full();
    assert_int_equal(conn->snd_wnd, WINDOW << 3);
    assert_int_equal(conn->mss, 1000);
    full(PEER + 1, OURS + 1, 1000, 0, NULL);
    full(PEER + 1001, OURS + 1, 1000, 0, NULL);
    struct seen s = EXPECT(OURS + 1, PEER + 2001, ACK, 0);
    assert_int_equal(s.window, (TCP_BUFFER_BYTES - 2000) >> TCP_SCALE);
    conn->cwnd = 1 << 20;
    assert_int_equal(tcp_send(conn, zeros, 200000), 200000);
    assert_int_equal(conn->snd_max - conn->snd_una, WINDOW << 3);
    queue_out = queue_in;
}

static void test_not_offered(void **state)
{
    (void)state;
    in_syn_received(); // by a peer with nothing but an MSS
    SEND(PEER + 1, OURS + 1, ACK, 0);
    assert_false(conn->sack || conn->stamping || conn->rcv_scale || conn->snd_scale);
    SEND(PEER + 101, OURS + 1, ACK, 10);
    struct seen s = EXPECT(OURS + 1, PEER + 1, ACK, 0);
    assert_false(s.options.stamped || s.options.sack_count);
}

static void test_paws(void **state)
{
    (void)state;
    in_full();
    stamp = 5000;
    full(PEER + 1, OURS + 1, 100, 0, NULL);
    sim_run_for(TCP_DELAYED_ACK_NS + 1000);
    assert_int_equal(EXPECT(OURS + 1, PEER + 101, ACK, 0).options.echo, 5000);
    stamp = 4999; // a segment of another turn of the numbers
    full(PEER + 101, OURS + 1, 100, 0, NULL);
    EXPECT(OURS + 1, PEER + 101, ACK, 0);
    SEND(PEER + 101, OURS + 1, ACK, 100); // no timestamp at all
    EXPECT_NONE();
    assert_int_equal(net_counter(COUNT_tcp_stamp_old), 2);
    assert_int_equal(tcp_readable_bytes(conn), 100);
    sim_run_for(25ull * 24 * 3600 * NS_PER_S); // 24 days of silence: the memory is worthless
    stamp = 3000;
    full(PEER + 101, OURS + 1, 100, 0, NULL);
    assert_int_equal(tcp_readable_bytes(conn), 200);
    SEND(PEER + 201, 0, RST, 0); // resets need none
    STATE(TCP_CLOSED);
    queue_out = queue_in;
}

static void test_echo_of_delayed_ack(void **state)
{
    (void)state;
    in_full();
    stamp = 2000;
    full(PEER + 1, OURS + 1, 500, 0, NULL);
    stamp = 2010;
    full(PEER + 501, OURS + 1, 500, 0, NULL); // RFC 7323, 4.3: of the earlier one
    full(PEER + 1001, OURS + 1, 1000, 0, NULL);
    assert_int_equal(EXPECT(OURS + 1, PEER + 2001, ACK, 0).options.echo, 2000);
}

// ---- SACK: what we tell -------------------------------------------------------------------------

static void block(const struct seen *s, unsigned i, uint32_t start, uint32_t end)
{
    assert_true(i < s->options.sack_count);
    if (s->options.sacks[i].start != PEER + start || s->options.sacks[i].end != PEER + end)
        fail_msg("block %u is %u to %u", i, s->options.sacks[i].start - PEER,
                 s->options.sacks[i].end - PEER);
}

static void test_sack_tells(void **state)
{
    (void)state;
    in_full();
    full(PEER + 1001, OURS + 1, 1000, 0, NULL);
    struct seen s = EXPECT(OURS + 1, PEER + 1, ACK, 0);
    block(&s, 0, 1001, 2001);
    full(PEER + 5001, OURS + 1, 1000, 0, NULL);
    s = EXPECT(OURS + 1, PEER + 1, ACK, 0);
    block(&s, 0, 5001, 6001); // the latest first
    block(&s, 1, 1001, 2001);
    full(PEER + 3001, OURS + 1, 1000, 0, NULL);
    full(PEER + 7001, OURS + 1, 1000, 0, NULL);
    queue_out++;
    s = EXPECT(OURS + 1, PEER + 1, ACK, 0);
    assert_int_equal(s.options.sack_count, 3);
    block(&s, 0, 7001, 8001);
    block(&s, 1, 3001, 4001);
    block(&s, 2, 5001, 6001);
    full(PEER + 3001, OURS + 1, 1000, 0, NULL); // again: RFC 2883
    s = EXPECT(OURS + 1, PEER + 1, ACK, 0);
    block(&s, 0, 3001, 4001);
    full(PEER + 1, OURS + 1, 1000, 0, NULL);
    s = EXPECT(OURS + 1, PEER + 2001, ACK, 0);
    assert_int_equal(s.options.sack_count, 3);
    full(PEER + 1, OURS + 1, 1000, 0, NULL); // below the window, again
    s = EXPECT(OURS + 1, PEER + 2001, ACK, 0);
    block(&s, 0, 1, 1001);
}

// ---- SACK: what we are told ---------------------------------------------------------------------

static void ten_sent(void) // [1, 10001) in ten segments
{
    in_full();
    conn->cwnd = 10000;
    conn->ssthresh = 10000;
    assert_int_equal(tcp_send(conn, zeros, 30000), 30000);
    assert_int_equal(queue_in - queue_out, 10);
    queue_out = queue_in;
}

#define SACKS(...)                                                                                 \
    full(PEER + 1, OURS + 1, 0,                                                                    \
         sizeof((struct tcp_range[]){__VA_ARGS__}) / sizeof(struct tcp_range),                     \
         (struct tcp_range[]){__VA_ARGS__})
#define AT(start, end)                                                                             \
    {                                                                                              \
        OURS + (start), OURS + (end)                                                               \
    }

static void test_recovery(void **state)
{
    (void)state;
    ten_sent(); // lost: the first and the fourth
    SACKS(AT(1001, 2001));
    EXPECT(OURS + 10001, PEER + 1, ACK, 1000); // limited transmit
    SACKS(AT(1001, 3001));
    EXPECT(OURS + 11001, PEER + 1, ACK, 1000);
    SACKS(AT(4001, 5001), AT(1001, 3001)); // three segments behind the first: it is lost
    EXPECT(OURS + 1, PEER + 1, ACK, 1000);
    EXPECT_NONE(); // 12 sent, half of it may be under way
    assert_true(conn->recovering && conn->ssthresh == 6000);
    SACKS(AT(4001, 6001), AT(1001, 3001));
    EXPECT_NONE();
    SACKS(AT(4001, 7001), AT(1001, 3001)); // now the fourth is lost as well
    EXPECT_NONE();
    SACKS(AT(4001, 9001), AT(1001, 3001));
    EXPECT(OURS + 3001, PEER + 1, ACK, 1000);
    EXPECT(OURS + 12001, PEER + 1, ACK, 1000);
    EXPECT_NONE();
    full(PEER + 1, OURS + 3001, 0, 1, (struct tcp_range[]){AT(4001, 12001)}); // a partial ACK
    assert_true(conn->recovering);
    queue_out = queue_in;
    full(PEER + 1, OURS + 12001, 0, 0, NULL);
    assert_false(conn->recovering);
    assert_int_equal(net_counter(COUNT_tcp_retransmitted), 2);
    assert_int_equal(net_counter(COUNT_tcp_timeouts), 0);
    queue_out = queue_in;
}

static void test_retransmission_lost(void **state)
{
    (void)state;
    ten_sent();
    SACKS(AT(1001, 4001));
    queue_out = queue_in;
    assert_true(conn->recovering);
    SACKS(AT(1001, 10001));
    uint32_t mark = conn->again_mark;
    assert_true(conn->snd_max - mark >= 3000); // new text went behind the retransmission
    queue_out = queue_in;
    SACKS(AT(1001, 10001), {mark, mark + 1000});
    SACKS(AT(1001, 10001), {mark, mark + 2000});
    queue_out = queue_in;
    SACKS(AT(1001, 10001), {mark, mark + 3000});
    EXPECT(OURS + 1, PEER + 1, ACK, 1000);
    queue_out = queue_in;
}

static void test_bad_blocks(void **state)
{
    (void)state;
    ten_sent();
    SACKS(AT(20001, 21001), AT(9001, 10002), AT(500, 400));
    EXPECT_NONE();
    assert_int_equal(net_counter(COUNT_tcp_sack_bad), 3);
    assert_int_equal(conn->sacked.count, 0);
}

static void test_timeout_skips(void **state)
{
    (void)state;
    ten_sent();
    tcp_rtt_sample(conn, 100 * NS_PER_MS);
    SACKS(AT(1001, 2001), AT(9001, 10001));
    queue_out = queue_in;
    sim_run_for(2 * NS_PER_S);
    EXPECT(OURS + 1, PEER + 1, ACK, 1000);
    queue_out = queue_in;
    full(PEER + 1, OURS + 2001, 0, 1, (struct tcp_range[]){AT(9001, 10001)});
    EXPECT(OURS + 2001, PEER + 1, ACK, 1000); // what arrived does not go again
    queue_out = queue_in;
}

static void test_tail_probe(void **state)
{
    (void)state;
    in_full();
    tcp_rtt_sample(conn, 10 * NS_PER_MS);
    assert_int_equal(tcp_send(conn, zeros, 3000), 3000);
    queue_out = queue_in;
    silent_until(clock_now_ns() + 2 * conn->srtt_ns);
    EXPECT(OURS + 2001, PEER + 1, ACK | PSH, 1000);
    assert_int_equal(net_counter(COUNT_tcp_tail_probes), 1);
    uint32_t before = conn->cwnd;
    full(PEER + 1, OURS + 3001, 0, 0, NULL); // it repaired a loss: RFC 8985, 7.4.2
    assert_true(conn->cwnd <= before && conn->ssthresh < 10000);
}

static void test_needless_timeout(void **state)
{
    (void)state;
    ten_sent();
    uint32_t sent_at = tcp_stamp_now(conn);
    sim_run_for(2 * NS_PER_S);
    assert_true(conn->cwnd == conn->mss && net_counter(COUNT_tcp_timeouts) >= 1);
    conn->backoff = 1;
    queue_out = queue_in;
    struct tcp_options o = {.stamped = true, .stamp = stamp, .echo = sent_at};
    send_options(PEER + 1, OURS + 10001, ACK, 0, WINDOW, &o); // the originals were only late
    assert_int_equal(net_counter(COUNT_tcp_timeouts_needless), 1);
    assert_true(conn->cwnd >= 10000);
    queue_out = queue_in;
}

// ---- keep-alive ---------------------------------------------------------------------------------

static void test_keepalive(void **state)
{
    (void)state;
    in_full();
    tcp_set_keepalive(conn, (struct tcp_keepalive){10, 5, 3});
    silent_until(clock_now_ns() + 10 * NS_PER_S);
    EXPECT(OURS, PEER + 1, ACK, 0); // one below SND.UNA
    full(PEER + 1, OURS + 1, 0, 0, NULL);
    silent_until(clock_now_ns() + 10 * NS_PER_S);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(OURS, PEER + 1, ACK, 0);
        STATE(TCP_ESTABLISHED);
        silent_until(clock_now_ns() + 5 * NS_PER_S - 1000);
    }
    STATE(TCP_CLOSED);
    assert_int_equal(tcp_error(conn), -ETIMEDOUT);
}

static void test_keepalive_off(void **state)
{
    (void)state;
    in_full();
    tcp_set_keepalive(conn, (struct tcp_keepalive){100, 10, 3});
    tcp_set_keepalive(conn, (struct tcp_keepalive){0, 0, 0});
    sim_run_for(1000 * NS_PER_S);
    EXPECT_NONE();
    STATE(TCP_ESTABLISHED);
}

#define T(t) cmocka_unit_test_setup_teardown(t, peer_start, peer_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_written_is_parsed),
        cmocka_unit_test(test_any_bytes),
        T(test_scaling),
        T(test_not_offered),
        T(test_paws),
        T(test_echo_of_delayed_ack),
        T(test_sack_tells),
        T(test_recovery),
        T(test_retransmission_lost),
        T(test_bad_blocks),
        T(test_timeout_skips),
        T(test_tail_probe),
        T(test_needless_timeout),
        T(test_keepalive),
        T(test_keepalive_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
