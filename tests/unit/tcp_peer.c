// SPDX-License-Identifier: MIT
#include "tests/unit/tcp_peer.h"

static struct sim_stacks net;
struct tcp_listener *listener;
struct tcp_conn *conn; // the one under test
struct net_address peer, ours;
uint32_t iss;
unsigned events;

struct seen queue[QUEUE];
unsigned queue_in, queue_out;

static bool catch_frame(struct sim_wire *w, unsigned from, const uint8_t *frame, size_t n)
{
    (void)w;
    (void)from;
    const struct ip_wire *ip = (const void *)(frame + sizeof(struct eth_wire));
    if (frame[12] != 8 || frame[13] != 0 || ip->protocol != IP_TCP)
        return true;
    assert_true(n >= 54);
    size_t total = be16_get(ip->total);
    struct ip_packet p = {.from = be32_get(ip->from),
                          .to = be32_get(ip->to),
                          .bytes = (const uint8_t *)(ip + 1),
                          .n = total - sizeof(*ip)};
    struct tcp_segment s;
    assert_true(tcp_segment_parse(&p, &s)); // with a right checksum
    assert_true(queue_in - queue_out < QUEUE);
    queue[queue_in++ % QUEUE] = (struct seen){
        s.seq, s.ack, s.n, s.flags, (uint16_t)s.window, s.options.mss, s.options, s.urgent};
    return true;
}

void send_ip(uint8_t protocol, const void *bytes, size_t n)
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

static void send_all(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, uint16_t window,
                     uint16_t urgent, const struct tcp_options *o)
{
    uint8_t bytes[1600] = {0};
    struct tcp_wire *h = (void *)bytes;
    size_t options = tcp_options_write(o, bytes + sizeof(*h));
    *h = (struct tcp_wire){.from = be16(peer.port),
                           .to = be16(ours.port),
                           .seq = be32(seq),
                           .ack = be32(ack),
                           .offset = (uint8_t)((20 + options) / 4 << 4),
                           .flags = flags,
                           .window = be16(window),
                           .urgent = be16(urgent)};
    for (uint32_t i = 0; i < n; i++)
        bytes[20 + options + i] = (uint8_t)(seq + i);
    size_t total = 20 + options + n;
    uint64_t sum = wire_sum_pseudo(PEER_IP, STACK_IP(0), IP_TCP, total);
    h->checksum = be16(wire_sum_end(wire_sum(sum, bytes, total)));
    send_ip(IP_TCP, bytes, total);
    if (conn && conn->state != TCP_CLOSED && tcp_conn_check(conn))
        fail_msg("invariant %s", tcp_conn_check(conn));
}

void send_options(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, uint16_t window,
                  const struct tcp_options *o)
{
    send_all(seq, ack, flags, n, window, 0, o);
}

void send_urgent(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, uint16_t pointer)
{
    send_all(seq, ack, flags | TCP_URG, n, WINDOW, pointer, &(struct tcp_options){0});
}

void send_segment(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, uint16_t window)
{
    const struct tcp_options o = {.mss = flags & TCP_SYN ? 1000 : 0};
    send_options(seq, ack, flags, n, window, &o);
}

#define SEND(seq, ack, flags, n)   send_segment(seq, ack, flags, n, WINDOW)
#define EXPECT(seq, ack, flags, n) expect(seq, ack, flags, n, __LINE__)
#define EXPECT_NONE()              expect_none(__LINE__)
#define STATE(s)                                                                                   \
    do {                                                                                           \
        if (conn->state != (s))                                                                    \
            fail_msg("line %d: state is %s", __LINE__, tcp_state_name(conn->state));               \
    } while (0)
struct seen expect(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, int line)
{
    if (queue_in == queue_out)
        fail_msg("line %d: nothing was sent", line);
    struct seen s = queue[queue_out++ % QUEUE];
    if (s.seq != seq || s.ack != ack || s.flags != flags || s.n != n)
        fail_msg("line %d: seq ours+%d ack peer+%d flags %x n %u", line, (int)(s.seq - OURS),
                 (int)(s.ack - PEER), s.flags, s.n);
    return s;
}

void expect_none(int line)
{
    if (queue_in != queue_out)
        fail_msg("line %d: %u segments were sent", line, queue_in - queue_out);
}

// Nothing may happen before that time; what happens then has happened when it returns.
void silent_until(uint64_t at_ns)
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

void peer_accepts(void *arg, struct tcp_conn *c)
{
    (void)arg;
    conn = c;
    tcp_set_events(c, on_event, NULL);
}

int peer_start(void **state)
{
    (void)state;
    sim_stacks_start(&net, 1, 1);
    net.wire.filter = catch_frame;
    queue_in = queue_out = 0;
    events = 0;
    conn = NULL;
    peer = (struct net_address){PEER_IP, 4000};
    ours = (struct net_address){STACK_IP(0), OUR_PORT};
    uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x77, 0,
                       0x42, 8,    6,    0,    1,    8,    0,    6,    4, 0,    1,
                       0x52, 0x54, 0,    0x77, 0,    0x42, 10,   77,   0, 60};
    memcpy(arp + 38, (uint8_t[]){10, 77, 0, 10}, 4);
    sim_wire_inject(&net.wire, arp, sizeof(arp)); // they know each other
    listener = tcp_listen(OUR_PORT, TCP_NODELAY, peer_accepts, NULL);
    return listener == NULL;
}

int peer_stop(void **state)
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

void in_syn_received(void)
{
    SEND(PEER, 0, SYN, 0);
    assert_int_equal(queue_in, 1);
    iss = queue[0].seq;
    assert_int_equal(queue[0].mss, 1460);
    EXPECT(OURS, PEER + 1, SYN | ACK, 0);
}

void in_syn_sent(void)
{
    conn = tcp_connect(peer, TCP_NODELAY, on_event, NULL);
    assert_non_null(conn);
    ours = tcp_local(conn);
    iss = queue[queue_out % QUEUE].seq;
    EXPECT(OURS, 0, SYN, 0);
}

void in_established(void)
{
    in_syn_received();
    SEND(PEER + 1, OURS + 1, ACK, 0);
    EXPECT_NONE();
    assert_non_null(conn);
    STATE(TCP_ESTABLISHED);
}

void in_fin_wait_1(void)
{
    in_established();
    tcp_shutdown_send(conn);
    EXPECT(OURS + 1, PEER + 1, FIN | ACK, 0);
    STATE(TCP_FIN_WAIT_1);
}

void in_fin_wait_2(void)
{
    in_fin_wait_1();
    SEND(PEER + 1, OURS + 2, ACK, 0);
    STATE(TCP_FIN_WAIT_2);
}

void in_closing(void)
{
    in_fin_wait_1();
    SEND(PEER + 1, OURS + 1, FIN | ACK, 0);
    EXPECT(OURS + 2, PEER + 2, ACK, 0);
    STATE(TCP_CLOSING);
}

void in_time_wait(void)
{
    in_fin_wait_2();
    SEND(PEER + 1, OURS + 2, FIN | ACK, 0);
    EXPECT(OURS + 2, PEER + 2, ACK, 0);
    STATE(TCP_TIME_WAIT);
}

void in_close_wait(void)
{
    in_established();
    SEND(PEER + 1, OURS + 1, FIN | ACK, 0);
    EXPECT(OURS + 1, PEER + 2, ACK, 0);
    STATE(TCP_CLOSE_WAIT);
}

void in_last_ack(void)
{
    in_close_wait();
    tcp_shutdown_send(conn);
    EXPECT(OURS + 1, PEER + 2, FIN | ACK, 0);
    STATE(TCP_LAST_ACK);
}
