// SPDX-License-Identifier: MIT
// Timestamps (RFC 7323, 3 to 5): a clock of 1 ms from a start of each connection's own (5.4, and
// nobody learns how long this node runs), and PAWS, protection against wrapped sequence numbers.
#include "net/tcp/tcp_priv.h"

#define RECENT_VALID_NS (24ull * 24 * 3600 * NS_PER_S) // 5.5: 24 days
#define ECHO_MAX_MS     (120u * 1000)                  // an echo older than this is no round trip

uint32_t tcp_stamp_now(const struct tcp_conn *c)
{
    return (uint32_t)(clock_now_ns() / NS_PER_MS) + c->stamp_offset;
}

// 5.3, R1. True: the segment is of another turn of the numbers, or a copy that was long under way.
bool tcp_stamp_too_old(const struct tcp_conn *c, const struct tcp_segment *s)
{
    if (!c->stamping || !s->options.stamped || s->flags & TCP_RST)
        return false;
    return seq_lt(s->options.stamp, c->stamp_recent) &&
           clock_now_ns() - c->stamp_recent_ns < RECENT_VALID_NS;
}

// 3.2: once agreed on, every segment but a RST carries them.
bool tcp_stamp_missing(const struct tcp_conn *c, const struct tcp_segment *s)
{
    return c->stamping && !s->options.stamped && !(s->flags & TCP_RST);
}

// 4.3, (2): what the next ACK echoes is of the segment that moved the left edge. Called behind the
// check of sequence numbers.
void tcp_stamp_take(struct tcp_conn *c, const struct tcp_segment *s, uint32_t seq)
{
    if (!c->stamping || !s->options.stamped || seq_lt(c->rcv_acked, seq) ||
        seq_lt(s->options.stamp, c->stamp_recent))
        return;
    c->stamp_recent = s->options.stamp;
    c->stamp_recent_ns = clock_now_ns();
}

// 4.1: the round trip that an ACK of new data tells, when no finer clock measured it (ack.c). Not
// after a timeout: when the lost one was an ACK, its echo is as old as the first transmission.
void tcp_stamp_sample(struct tcp_conn *c, const struct tcp_segment *s)
{
    uint32_t ms = tcp_stamp_now(c) - s->options.echo;
    if (c->stamping && s->options.stamped && s->options.echo && ms < ECHO_MAX_MS)
        tcp_rtt_sample(c, MAX(ms, 1u) * NS_PER_MS);
}
