// SPDX-License-Identifier: MIT
// Congestion control: slow start, congestion avoidance, fast retransmit (RFC 5681); recovery after
// RFC 6675 with a peer that sends SACK, NewReno (RFC 6582) with one that does not; limited transmit
// (RFC 3042: by window inflation here, by the pipe there). Windows are bytes; `recover` is one past
// the highest byte sent when recovery began.
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
    if (c->backoff == 0) {
        c->undo_cwnd = c->cwnd;
        c->undo_ssthresh = c->ssthresh;
        c->undo_stamp = tcp_stamp_now(c);
        threshold_halve(c);
    } else {
        c->sacked.count = 0; // RFC 2018, 8: the peer may have thrown away what it told of
    }
    c->cwnd = c->mss;
    c->recover = c->snd_max;
    c->recovering = false;
    c->dup_acks = 0;
}

// Eifel (RFC 3522, 4015): the first ACK after a timeout echoes a segment of before it, so the
// original was only late. True: the timeout is undone.
bool tcp_congestion_undo(struct tcp_conn *c, const struct tcp_segment *s)
{
    if (c->backoff != 1 || !c->stamping || !s->options.stamped || s->options.echo == 0 ||
        !seq_lt(s->options.echo, c->undo_stamp))
        return false;
    net_counter_add(COUNT_tcp_timeouts_needless);
    c->cwnd = c->undo_cwnd;
    c->ssthresh = c->undo_ssthresh;
    c->snd_nxt = c->snd_max;
    return true;
}

// A probe of the tail repaired a loss that nobody noticed (RFC 8985, 7.4.2).
void tcp_congestion_tail_lost(struct tcp_conn *c)
{
    threshold_halve(c);
    c->cwnd = MIN(c->cwnd, c->ssthresh);
}

static void recovery_begin(struct tcp_conn *c)
{
    net_counter_add(COUNT_tcp_fast_retransmits);
    threshold_halve(c);
    c->recover = c->snd_max;
    c->recovering = true;
    c->rescued = false;
    c->high_rxt = c->snd_una;
    c->cwnd = c->sack ? c->ssthresh : c->ssthresh + DUP_ACKS * c->mss;
    tcp_retransmit_first(c);
    tcp_send_timer_restart(c);
}

// RFC 6675, 5: enough duplicate ACKs, or enough bytes behind the first hole.
void tcp_congestion_sacked(struct tcp_conn *c, bool news)
{
    c->dup_acks += news;
    bool lost = c->dup_acks >= DUP_ACKS || tcp_sack_first_lost(c);
    if (!c->recovering && lost && c->snd_una != c->snd_max && seq_le(c->recover, c->snd_una))
        recovery_begin(c);
    else if (tcp_sack_lost_again(c))
        tcp_retransmit_first(c);
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
    if (c->sack)
        return;                     // the pipe tells what may go
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
    uint32_t most = seq_lt(c->snd_nxt, c->snd_max) ? c->mss : UINT32_MAX;
    if (c->cwnd < c->ssthresh)
        c->cwnd += MIN(bytes, most); // RFC 3465, but L is 1 after a timeout and else no limit: one
                                     // ACK may stand for a whole batch
    else // a segment a round trip, by the bytes acknowledged (RFC 3465, 2.1)
        c->cwnd += MAX((uint32_t)((uint64_t)c->mss * MIN(bytes, c->cwnd) / c->cwnd), 1u);
    c->cwnd = MIN(c->cwnd, CWND_MAX);
}

// Bytes more that the network may take now.
uint32_t tcp_congestion_room(const struct tcp_conn *c)
{
    uint32_t window = c->cwnd;
    if (!c->sack && !c->recovering && c->dup_acks < DUP_ACKS)
        window += c->dup_acks * c->mss;
    uint32_t pipe = c->sack ? tcp_sack_pipe(c) : c->snd_nxt - c->snd_una;
    return window > pipe ? window - pipe : 0;
}
