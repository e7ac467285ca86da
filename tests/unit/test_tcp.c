// SPDX-License-Identifier: MIT
// links: net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c net/nic.c net/route.c
// links: net/services.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: net/fragment.c lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c lib/radix.c
// libs: -DWEFT_SIM

// Two whole stacks on a hostile wire: whatever the wire does, the bytes arrive as they were sent,
// in bounded (virtual) time, and nothing is left behind.
#include "tests/unit/unit.h"

#include "lib/errno.h"
#include "mm/heap.h"
#include "net/stack.h"
#include "net/tcp/isn.h"
#include "net/tcp/tcp_priv.h"
#include "tests/sim/ports/ports.h"
#include "tests/sim/ports/stacks.h"

#define PORT      5000
#define MIB       (1u << 20)
#define HALF_HOUR (1800 * NS_PER_S)

struct stream { // one end of a connection and what it is to say and hear
    struct tcp_conn *c;
    uint32_t key_out, to_send, sent;
    uint32_t key_in, expected, got;
    bool connected, ended, failed, acked, stops_reading;
    bool keeps_open; // does not close when all is said
};

static uint8_t pattern(uint32_t key, uint32_t i)
{
    uint32_t x = (i + key) * 2654435761u;
    return (uint8_t)(x >> 24 ^ x >> 11);
}

static void stream_write(struct stream *s)
{
    uint8_t chunk[3000];
    while (s->sent < s->to_send) {
        uint32_t n = MIN((uint32_t)sizeof(chunk), s->to_send - s->sent);
        for (uint32_t i = 0; i < n; i++)
            chunk[i] = pattern(s->key_out, s->sent + i);
        long taken = tcp_send(s->c, chunk, n);
        assert_true(taken >= 0 && taken <= (long)n);
        s->sent += (uint32_t)taken;
        if (taken < (long)n)
            return;
    }
    if (!s->keeps_open)
        tcp_shutdown_send(s->c);
}

static void stream_read(struct stream *s)
{
    uint8_t chunk[5000];
    long n;
    while (!s->stops_reading && (n = tcp_receive(s->c, chunk, sizeof(chunk))) != -EAGAIN) {
        if (n <= 0) {
            assert_int_equal(n, 0);
            s->ended = true;
            return;
        }
        for (long i = 0; i < n; i++)
            assert_int_equal(chunk[i], pattern(s->key_in, s->got + (uint32_t)i));
        s->got += (uint32_t)n;
    }
}

static void stream_event(void *arg, struct tcp_conn *c, unsigned events)
{
    struct stream *s = arg;
    assert_ptr_equal(s->c, c);
    const char *wrong = tcp_conn_check(c);
    if (wrong)
        fail_msg("invariant %s", wrong);
    s->acked |= events & TCP_ACKED;
    if (events & TCP_FAILED) {
        s->failed = true;
        return;
    }
    if (events & TCP_CONNECTED)
        s->connected = true;
    if (events & (TCP_CONNECTED | TCP_WRITABLE))
        stream_write(s);
    if (events & TCP_READABLE)
        stream_read(s);
}

static void stream_accept(void *arg, struct tcp_conn *c)
{
    struct stream *s = arg;
    assert_null(s->c);
    s->c = c;
    s->connected = true;
    tcp_set_events(c, stream_event, s);
    stream_write(s);
}

struct pair {
    struct sim_stacks net;
    struct stream s[2]; // 0 connects to 1
    struct tcp_listener *listener;
};

static void pair_open(struct pair *p, uint64_t seed, unsigned flags, uint32_t there, uint32_t back)
{
    memset(p, 0, sizeof(*p));
    sim_stacks_start(&p->net, 2, seed);
    p->s[0] = (struct stream){.key_out = 17, .to_send = there, .key_in = 99, .expected = back};
    p->s[1] = (struct stream){.key_out = 99, .to_send = back, .key_in = 17, .expected = there};
    sim_stacks_enter(&p->net, 1);
    p->listener = tcp_listen(PORT, flags, stream_accept, &p->s[1]);
    assert_non_null(p->listener);
    sim_stacks_enter(&p->net, 0);
    struct net_address to = {STACK_IP(1), PORT};
    p->s[0].c = tcp_connect(to, flags, stream_event, &p->s[0]);
    assert_non_null(p->s[0].c);
}

static bool both_ended(void *arg)
{
    struct pair *p = arg;
    return (p->s[0].ended || p->s[0].failed) && (p->s[1].ended || p->s[1].failed);
}

static bool both_connected(void *arg)
{
    struct pair *p = arg;
    return p->s[0].connected && p->s[1].connected;
}

static bool both_dead(void *arg)
{
    struct pair *p = arg;
    unsigned n = 0;
    for (unsigned i = 0; i < 2; i++) {
        sim_stacks_enter(&p->net, i);
        n += tcp_conn_count();
    }
    return n == 0;
}

// Closes both ends and shows that nothing is left.
static void pair_close(struct pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        sim_stacks_enter(&p->net, i);
        if (p->s[i].c)
            tcp_close(p->s[i].c);
    }
    assert_true(sim_run(clock_now_ns() + 500 * NS_PER_S, both_dead, p));
    sim_stacks_enter(&p->net, 1);
    tcp_unlisten(p->listener);
    const char *left = sim_stacks_stop(&p->net);
    if (left)
        fail_msg("left over: %s", left);
}

static void transfer(uint64_t seed, unsigned flags, uint32_t bytes, unsigned loss, unsigned other,
                     uint64_t bound_ns)
{
    struct pair p;
    pair_open(&p, seed, flags, bytes, bytes);
    p.net.wire.loss = loss;
    p.net.wire.dup = p.net.wire.reorder = other;
    p.net.wire.corrupt = other / 5;
    if (!sim_run(bound_ns, both_ended, &p))
        fail_msg("seed %lu loss %u: too slow: %u and %u of %u", (unsigned long)seed, loss,
                 p.s[0].got, p.s[1].got, bytes);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(p.s[i].ended && !p.s[i].failed);
        assert_int_equal(p.s[i].got, bytes);
    }
    print_message("    loss %u.%u %% other %u.%u %%%s: %u KiB each way in %lu ms\n", loss / 10,
                  loss % 10, other / 10, other % 10, flags & TCP_LINK ? " link" : "", bytes >> 10,
                  (unsigned long)(clock_now_ns() / NS_PER_MS));
    p.net.wire.loss = 0;
    pair_close(&p);
}

static void test_clean_wire(void **state)
{
    (void)state;
    transfer(1, 0, 8 * MIB, 0, 0, 5 * NS_PER_S);
    transfer(1, TCP_LINK, 8 * MIB, 0, 0, 5 * NS_PER_S);
}

static void test_loss(void **state)
{
    (void)state;
    static const struct {
        unsigned loss, other;
    } rows[] = {{0, 50}, {10, 0}, {10, 50}, {30, 0}, {30, 50}, {100, 0}, {100, 50}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        transfer(7 + i, 0, 2 * MIB, rows[i].loss, rows[i].other, HALF_HOUR);
        transfer(7 + i, TCP_LINK, 2 * MIB, rows[i].loss, rows[i].other, HALF_HOUR);
    }
}

static void test_many_seeds(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 140; seed++) {
        struct pair p;
        pair_open(&p, seed, seed & 1 ? TCP_LINK : 0, 60000, 90000);
        p.net.wire.loss = 200;
        p.net.wire.dup = p.net.wire.reorder = 200;
        p.net.wire.corrupt = 50;
        assert_true(sim_run(HALF_HOUR, both_ended, &p));
        assert_true(p.s[0].failed || p.s[0].got == 90000);
        assert_true(p.s[1].failed || p.s[1].got == 60000);
        p.net.wire.loss = 0;
        pair_close(&p);
    }
}

// A peer that does not read closes its window; the sender probes and goes on when it opens, even
// if the window update is lost.
static void test_zero_window(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 3, 0, MIB, 0);
    p.s[1].stops_reading = true;
    assert_true(sim_run(HALF_HOUR, both_connected, &p));
    sim_run_for(400 * NS_PER_S); // longer than any patience with a dead peer
    assert_false(p.s[0].failed);
    assert_int_equal(p.s[1].got, 0);
    assert_int_equal(tcp_readable_bytes(p.s[1].c), TCP_BUFFER_BYTES);
    sim_stacks_enter(&p.net, 0);
    assert_true(net_counter(COUNT_tcp_window_probes) > 5);
    sim_stacks_enter(&p.net, 1);
    p.s[1].stops_reading = false;
    p.net.wire.loss = 1000; // the update is lost
    stream_read(&p.s[1]);
    sim_run_for(NS_PER_MS);
    p.net.wire.loss = 0;
    assert_true(sim_run(clock_now_ns() + 200 * NS_PER_S, both_ended, &p));
    assert_int_equal(p.s[1].got, MIB);
    pair_close(&p);
}

static void test_refused_and_silent(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 4, 0, 10, 10);
    struct stream nobody = {.key_out = 1};
    nobody.c = tcp_connect((struct net_address){STACK_IP(1), PORT + 1}, 0, stream_event, &nobody);
    assert_true(sim_run(HALF_HOUR, both_ended, &p));
    sim_stacks_enter(&p.net, 0);
    assert_true(nobody.failed);
    assert_int_equal(tcp_error(nobody.c), -ECONNREFUSED);
    tcp_close(nobody.c);
    struct stream silent = {.key_out = 1};
    silent.c = tcp_connect((struct net_address){STACK_IP(77), PORT}, 0, stream_event, &silent);
    sim_run_for(500 * NS_PER_S);
    assert_true(silent.failed);
    assert_int_equal(tcp_error(silent.c), -ETIMEDOUT);
    assert_int_equal(tcp_send(silent.c, "x", 1), -EPIPE);
    tcp_close(silent.c);
    assert_null(tcp_connect((struct net_address){0x08080808, 1}, 0, stream_event, &silent));
    pair_close(&p);
}

static void test_cable_cut_gives_up(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags <= TCP_LINK; flags += TCP_LINK) {
        struct pair p;
        pair_open(&p, 5, flags, 64 * MIB, 64 * MIB);
        assert_true(sim_run(HALF_HOUR, both_connected, &p));
        sim_run_for(100 * NS_PER_MS);
        p.net.wire.loss = 1000;
        assert_true(sim_run(HALF_HOUR, both_ended, &p));
        assert_true(p.s[0].failed && p.s[1].failed);
        assert_int_equal(tcp_error(p.s[0].c), -ETIMEDOUT);
        pair_close(&p);
    }
}

static void test_abort(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 6, 0, 64 * MIB, 0);
    assert_true(sim_run(HALF_HOUR, both_connected, &p));
    sim_run_for(20 * NS_PER_MS);
    sim_stacks_enter(&p.net, 0);
    tcp_abort(p.s[0].c);
    p.s[0].c = NULL;
    sim_run_for(20 * NS_PER_MS);
    assert_true(p.s[1].failed);
    assert_int_equal(tcp_error(p.s[1].c), -ECONNRESET);
    pair_close(&p);
}

// Half close: one direction ends, the other goes on for long.
static void test_half_close(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 8, 0, 1000, MIB);
    p.s[1].to_send = 0;
    p.s[1].keeps_open = true;
    assert_true(sim_run(HALF_HOUR, both_connected, &p));
    sim_run_for(200 * NS_PER_S);
    assert_true(p.s[1].ended && !p.s[0].ended);
    assert_int_equal(p.s[0].c->state, TCP_FIN_WAIT_2);
    assert_int_equal(p.s[1].c->state, TCP_CLOSE_WAIT);
    sim_stacks_enter(&p.net, 1);
    p.s[1].to_send = MIB;
    p.s[1].keeps_open = false;
    stream_write(&p.s[1]);
    assert_true(sim_run(HALF_HOUR, both_ended, &p));
    assert_int_equal(p.s[0].got, MIB);
    pair_close(&p);
}

struct echo {
    struct stream s;
    uint32_t readable_after; // reads only when so much was sent
};

static void echo_event(void *arg, struct tcp_conn *c, unsigned events)
{
    struct echo *e = arg;
    e->s.stops_reading = e->s.sent < e->readable_after;
    stream_event(&e->s, c, events);
    if (!e->s.stops_reading && !e->s.ended && !e->s.failed)
        stream_read(&e->s);
}

static bool echo_done(void *arg)
{
    struct echo *e = arg;
    return e->s.ended || e->s.failed;
}

// The echo service takes 4 MiB and gives them back, to a client who reads only when the pipe is
// full (all buffers on the way hold at most 4 x 64 KiB).
static void test_echo_service(void **state)
{
    (void)state;
    for (unsigned loss = 0; loss <= 30; loss += 30) {
        struct sim_stacks net;
        sim_stacks_start(&net, 2, 9);
        net.wire.loss = loss;
        sim_stacks_enter(&net, 1);
        assert_int_equal(net_services_start(), 0);
        sim_stacks_enter(&net, 0);
        struct echo e = {.s = {.key_out = 5, .key_in = 5, .to_send = 4 * MIB},
                         .readable_after = 200000};
        e.s.c = tcp_connect((struct net_address){STACK_IP(1), 7}, 0, echo_event, &e);
        assert_true(sim_run(HALF_HOUR, echo_done, &e));
        assert_int_equal(e.s.got, 4 * MIB);
        sim_stacks_enter(&net, 0);
        tcp_close(e.s.c);
        net.wire.loss = 0;
        sim_run_for(200 * NS_PER_S);
        sim_stacks_enter(&net, 1);
        for (uint16_t port = 7; port <= 19; port++)
            if (tcp_listener_find(port))
                tcp_unlisten(tcp_listener_find(port));
        assert_null(sim_stacks_stop(&net));
    }
}

// A connection of a node to itself.
static void test_loopback(void **state)
{
    (void)state;
    static const uint32_t addresses[] = {STACK_IP(0), 0x7f000001};
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct pair p = {0};
        sim_stacks_start(&p.net, 1, 10);
        p.s[0] = (struct stream){.key_out = 1, .to_send = MIB, .key_in = 2};
        p.s[1] = (struct stream){.key_out = 2, .to_send = MIB, .key_in = 1};
        p.listener = tcp_listen(PORT, 0, stream_accept, &p.s[1]);
        struct net_address to = {addresses[i], PORT};
        p.s[0].c = tcp_connect(to, 0, stream_event, &p.s[0]);
        assert_true(sim_run(HALF_HOUR, both_ended, &p));
        assert_int_equal(p.s[0].got, MIB);
        assert_int_equal(p.s[1].got, MIB);
        tcp_close(p.s[0].c);
        tcp_close(p.s[1].c);
        sim_run_for(200 * NS_PER_S);
        tcp_unlisten(p.listener);
        assert_null(sim_stacks_stop(&p.net));
    }
}

// The n-th allocation fails, for every n of a short exchange: an error, and no leak.
static void test_no_memory(void **state)
{
    (void)state;
    for (uint32_t n = 1; n < 40; n++) {
        struct pair p = {0};
        sim_stacks_start(&p.net, 2, 11);
        p.s[0] = (struct stream){.key_out = 1, .to_send = 3000, .key_in = 2};
        p.s[1] = (struct stream){.key_out = 2, .to_send = 3000, .key_in = 1};
        sim_stacks_enter(&p.net, 1);
        p.listener = tcp_listen(PORT, 0, stream_accept, &p.s[1]);
        sim_stacks_enter(&p.net, 0);
        heap_fail_at(n);
        p.s[0].c = tcp_connect((struct net_address){STACK_IP(1), PORT}, 0, stream_event, &p.s[0]);
        if (p.s[0].c) {
            assert_true(sim_run(HALF_HOUR, both_ended, &p));
            assert_int_equal(p.s[0].got, 3000);
        }
        heap_fail_at(0);
        pair_close(&p);
    }
}

// When frames are short only links get more: their reserve.
static void test_frames_short(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 12, TCP_LINK, MIB, MIB);
    struct stream plain = {.key_out = 1, .to_send = 100000};
    plain.c = tcp_connect((struct net_address){STACK_IP(1), PORT + 1}, 0, stream_event, &plain);
    uint32_t used = frame_total_count() - frame_free_count();
    port_frames_limit(used + 410);
    port_frames_reserve(400 + 10);
    assert_int_equal(tcp_send(plain.c, "x", 1), -ENOMEM);
    tcp_abort(plain.c);
    assert_true(sim_run(HALF_HOUR, both_ended, &p));
    assert_int_equal(p.s[0].got, MIB);
    assert_int_equal(p.s[1].got, MIB);
    sim_stacks_enter(&p.net, 0);
    port_frames_limit(0);
    pair_close(&p);
}

static void test_siphash_vectors(void **state)
{
    (void)state;
    uint8_t input[15]; // from the paper's appendix A: key 00..0f, input 00..0e
    for (unsigned i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    uint64_t hash = tcp_siphash(0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull, input, 15);
    assert_true(hash == 0xa129ca6149be45e5ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_clean_wire),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_many_seeds),
        cmocka_unit_test(test_zero_window),
        cmocka_unit_test(test_refused_and_silent),
        cmocka_unit_test(test_cable_cut_gives_up),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_echo_service),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_frames_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
