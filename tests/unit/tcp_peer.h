// SPDX-License-Identifier: MIT
// A stack and, by hand, its peer. Each test takes the connection into a state with a factory, then
// says what the peer SENDs and what it may EXPECT. Sequence numbers are relative: PEER + n are the
// peer's (its SYN is PEER), OURS + n are ours.
#pragma once

#include "tests/unit/unit.h"

#include "net/tcp/tcp_priv.h"
#include "tests/sim/ports/stacks.h"

#define PEER     0xfffffff0u // wraps early
#define PEER_IP  STACK_IP(50)
#define OUR_PORT 80
#define OURS     (iss)
#define WINDOW   20000u
#define QUEUE    512

struct seen { // a segment of ours
    uint32_t seq, ack, n;
    uint8_t flags;
    uint16_t window, mss;
    struct tcp_options options;
    uint32_t urgent; // with URG: number of the urgent byte
};

extern struct tcp_conn *conn; // the one under test
extern struct tcp_listener *listener;
extern struct net_address peer, ours;
extern uint32_t iss;
extern unsigned events; // what it was told so far
extern struct seen queue[QUEUE];
extern unsigned queue_in, queue_out;

int peer_start(void **state);
int peer_stop(void **state); // nothing unexpected was sent, nothing is left behind
void peer_accepts(void *arg, struct tcp_conn *c);

void send_segment(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, uint16_t window);
void send_options(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, uint16_t window,
                  const struct tcp_options *o);
void send_ip(uint8_t protocol, const void *bytes, size_t n); // any packet of the peer
// With URG, and the pointer as the header names it.
void send_urgent(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, uint16_t pointer);
struct seen expect(uint32_t seq, uint32_t ack, uint8_t flags, uint32_t n, int line);
void expect_none(int line);
// Nothing may happen before that time; what happens then has happened when it returns.
void silent_until(uint64_t at_ns);

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

// Factories: the connection is in that state when they return.
void in_syn_received(void);
void in_syn_sent(void);
void in_established(void);
void in_fin_wait_1(void);
void in_fin_wait_2(void);
void in_closing(void);
void in_time_wait(void);
void in_close_wait(void);
void in_last_ack(void);
