// SPDX-License-Identifier: MIT
// Congestion control: slow start, congestion avoidance, fast retransmit (RFC 5681), NewReno fast
// recovery (RFC 6582), limited transmit (RFC 3042). Windows are bytes; `recover` is one past the
// highest byte sent when recovery began.
#include "net/tcp/tcp_priv.h"

#define DUP_ACKS              3u
#define CWND_MAX              (1u << 24)
#define LINK_INITIAL_SEGMENTS 10u // RFC 6928; between nodes of one LAN

// RFC 5681, 3.1: the initial window, also the restart window after idling (4.1).
void tcp_congestion_start(struct tcp_conn *c)
{
    uint32_t segments = c->mss > 2190 ? 2 : c->mss > 1095 ? 3 : 4;
    if (c->flags & TCP_LINK)
        segments = LINK_INITIAL_SEGMENTS;
    c->cwnd = segments * c->mss;
    c->dup_acks = 0;
    c->recovering = false;
}

static void threshold_halve(struct tcp_conn *c)
{
    uint32_t flight = c->snd_max - c->snd_una;
    c->ssthresh = MAX(flight / 2, 2u * c->mss);
}

void tcp_congestion_timeout(struct tcp_conn *c)
{
    if (c->backoff == 0)
        threshold_halve(c);
    c->cwnd = c->mss;
    c->recover = c->snd_max;
    c->recovering = false;
    c->dup_acks = 0;
}

static void recovery_begin(struct tcp_conn *c)
{
    net_counter_add(COUNT_tcp_fast_retransmits);
    threshold_halve(c);
    c->recover = c->snd_max;
    c->recovering = true;
    c->cwnd = c->ssthresh + DUP_ACKS * c->mss;
    tcp_retransmit_first(c);
    tcp_send_timer_restart(c);
}

void tcp_congestion_dup_ack(struct tcp_conn *c)
{
    c->dup_acks++;
    if (c->recovering)
        c->cwnd = MIN(c->cwnd + c->mss, CWND_MAX); // a segment has left the network
    else if (c->dup_acks == DUP_ACKS && seq_le(c->recover, c->snd_una))
        recovery_begin(c);
}

static void recovery_acked(struct tcp_conn *c, uint32_t bytes, uint32_t ack)
{
    if (seq_le(c->recover, ack)) { // full: everything of before is there
        uint32_t flight = c->snd_max - ack;
        c->cwnd = MIN(c->ssthresh, MAX(flight, c->mss) + c->mss);
        c->recovering = false;
        c->dup_acks = 0;
        return;
    }
    c->cwnd -= MIN(bytes, c->cwnd); // partial: the next hole
    if (bytes >= c->mss)
        c->cwnd += c->mss;
    c->cwnd = MAX(c->cwnd, c->mss);
    tcp_retransmit_first(c);
}

void tcp_congestion_acked(struct tcp_conn *c, uint32_t bytes, uint32_t ack)
{
    if (c->recovering) {
        recovery_acked(c, bytes, ack);
        return;
    }
    c->dup_acks = 0;
    if (c->cwnd < c->ssthresh)
        c->cwnd += MIN(bytes, c->mss);
    else
        c->cwnd += MAX((uint32_t)c->mss * c->mss / c->cwnd, 1u);
    c->cwnd = MIN(c->cwnd, CWND_MAX);
}

uint32_t tcp_congestion_window(const struct tcp_conn *c)
{
    if (!c->recovering && c->dup_acks > 0 && c->dup_acks < DUP_ACKS)
        return c->cwnd + c->dup_acks * c->mss;
    return c->cwnd;
}
