// SPDX-License-Identifier: MIT
// Which segment goes next, and when none does.
#include "net/tcp/tcp_priv.h"

#include "lib/errno.h"

#define CHALLENGES_MAX 10u // per connection and second (RFC 5961, 7)

uint32_t tcp_fin_seq(const struct tcp_conn *c)
{
    return c->snd_data + c->send.length;
}

static void sent(struct tcp_conn *c, uint32_t seq, uint32_t end)
{
    uint64_t now = clock_now_ns();
    if (seq_lt(seq, c->snd_max)) { // again: no measurement of it can be trusted (Karn)
        net_counter_add(COUNT_tcp_retransmitted);
        c->timing = false;
    } else if (!c->timing) {
        c->timing = true;
        c->timing_seq = end;
        c->timing_ns = now;
    }
    c->sent_ns = now;
    c->snd_max = seq_max(c->snd_max, end);
}

// Sends what is queued from `seq`, at most n bytes; the FIN with the last one. Returns the
// sequence number behind it.
static uint32_t send_from(struct tcp_conn *c, uint32_t seq, uint32_t n)
{
    uint32_t end = tcp_fin_seq(c);
    uint8_t flags = TCP_ACK;
    bool last = seq + n == end;
    if (last && n)
        flags |= TCP_PSH;
    if (last && c->fin_queued)
        flags |= TCP_FIN;
    tcp_segment_send(c, seq, n, flags);
    uint32_t behind = seq + n + (flags & TCP_FIN ? 1 : 0);
    sent(c, seq, behind);
    return behind;
}

// Silly window avoidance and Nagle (RFC 9293, 3.8.6.2.1, 3.7.4): is a small segment worth it?
static bool worth_sending(const struct tcp_conn *c, uint32_t n, uint32_t queued)
{
    if (n >= c->mss || seq_lt(c->snd_nxt, c->snd_max))
        return true;
    if (n == queued && (c->flags & (TCP_NODELAY | TCP_LINK) || c->snd_una == c->snd_max))
        return true;
    return n > 0 && n >= c->snd_wnd_max / 2;
}

static bool send_next(struct tcp_conn *c)
{
    uint32_t end = tcp_fin_seq(c), flight = c->snd_nxt - c->snd_una;
    if (seq_lt(end, c->snd_nxt))
        return false; // the FIN is out
    uint32_t window = MIN(c->snd_wnd, tcp_congestion_window(c));
    uint32_t queued = end - c->snd_nxt, usable = window > flight ? window - flight : 0;
    uint32_t n = MIN(MIN(queued, usable), (uint32_t)c->mss);
    bool fin = c->fin_queued && n == queued; // goes even into a closed window
    if (!fin && (n == 0 || !worth_sending(c, n, queued)))
        return false;
    c->snd_nxt = send_from(c, c->snd_nxt, n);
    return true;
}

void tcp_output(struct tcp_conn *c)
{
    if (!tcp_state_sends(c->state))
        return;
    bool idle = c->snd_una == c->snd_max && c->send.length && !(c->flags & TCP_LINK) &&
                clock_now_ns() - c->sent_ns > c->rto_ns;
    if (idle) { // RFC 5681, 4.1
        uint32_t before = c->cwnd;
        tcp_congestion_start(c);
        c->cwnd = MIN(c->cwnd, before);
    }
    while (send_next(c))
        continue;
    tcp_send_timer_update(c);
}

void tcp_retransmit_first(struct tcp_conn *c)
{
    uint32_t end = tcp_fin_seq(c);
    uint32_t queued = seq_lt(c->snd_una, end) ? end - c->snd_una : 0;
    uint32_t n = MIN(MIN(queued, c->snd_max - c->snd_una), (uint32_t)c->mss);
    if (n || c->fin_queued)
        (void)send_from(c, c->snd_una, n);
}

void tcp_send_forced(struct tcp_conn *c)
{
    uint32_t end = tcp_fin_seq(c);
    uint32_t queued = seq_lt(c->snd_una, end) ? end - c->snd_una : 0;
    uint32_t n = MIN(MIN(queued, MAX(c->snd_wnd, 1u)), (uint32_t)c->mss);
    if (c->snd_wnd == 0)
        net_counter_add(COUNT_tcp_window_probes);
    if (n == 0 && !c->fin_queued)
        return;
    uint32_t behind = send_from(c, c->snd_una, n);
    if (c->snd_wnd)
        c->snd_nxt = seq_max(c->snd_nxt, behind);
}

void tcp_probe_tail(struct tcp_conn *c)
{
    uint32_t end = tcp_fin_seq(c), top = seq_lt(end, c->snd_max) ? end : c->snd_max;
    uint32_t n = seq_lt(c->snd_una, top) ? MIN(top - c->snd_una, (uint32_t)c->mss) : 0;
    net_counter_add(COUNT_tcp_tail_probes);
    if (n || c->fin_queued)
        (void)send_from(c, top - n, n);
}

void tcp_ack_send(struct tcp_conn *c)
{
    tcp_segment_send(c, c->snd_max, 0, TCP_ACK);
}

void tcp_syn_send(struct tcp_conn *c)
{
    tcp_segment_send(c, c->iss, 0, c->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK);
    sent(c, c->iss, c->iss + 1);
    c->snd_nxt = c->iss + 1;
    tcp_send_timer_restart(c);
}

void tcp_challenge(struct tcp_conn *c)
{
    uint64_t now = clock_now_ns();
    if (now - c->challenge_ns >= NS_PER_S) {
        c->challenge_ns = now;
        c->challenges = 0;
    }
    if (c->challenges >= CHALLENGES_MAX) {
        net_counter_add(COUNT_tcp_challenge_limited);
        return;
    }
    c->challenges++;
    tcp_ack_send(c);
}

void tcp_respond(struct tcp_conn *c)
{
    if (c->state <= TCP_SYN_SENT)
        return;
    tcp_output(c);
    if (c->ack_now)
        tcp_ack_send(c);
    else if (c->ack_later && !timer_is_set(&c->ack_timer))
        timer_set(&c->ack_timer, clock_now_ns() + TCP_DELAYED_ACK_NS);
}
