// SPDX-License-Identifier: MIT
// What an acceptable ACK means: bytes that may be forgotten, a round trip measured, a window.
#include "net/tcp/tcp_priv.h"

#include "lib/assert.h"

#define GRANULARITY_NS        (1 * NS_PER_MS) // G of RFC 6298
#define RTO_AFTER_LOST_SYN_NS (3 * NS_PER_S)  // RFC 6298, 5.7

bool tcp_fin_acked(const struct tcp_conn *c)
{
    return c->fin_queued && c->snd_una == tcp_fin_seq(c) + 1;
}

void tcp_rto_reset(struct tcp_conn *c)
{
    bool link = c->flags & TCP_LINK;
    uint64_t rto = c->srtt_ns + MAX(GRANULARITY_NS, 4 * c->rttvar_ns);
    rto = MAX(rto, link ? TCP_LINK_RTO_MIN_NS : TCP_RTO_MIN_NS);
    c->rto_ns = MIN(rto, link ? TCP_LINK_RTO_MAX_NS : TCP_RTO_MAX_NS);
}

// RFC 6298, 2.2 and 2.3.
void tcp_rtt_sample(struct tcp_conn *c, uint64_t rtt_ns)
{
    if (!c->rtt_known) {
        c->rtt_known = true;
        c->srtt_ns = c->seen.rtt_min_ns = rtt_ns;
        c->rttvar_ns = rtt_ns / 2;
    } else {
        uint64_t error = c->srtt_ns > rtt_ns ? c->srtt_ns - rtt_ns : rtt_ns - c->srtt_ns;
        c->rttvar_ns = c->rttvar_ns - c->rttvar_ns / 4 + error / 4;
        c->srtt_ns = c->srtt_ns - c->srtt_ns / 8 + rtt_ns / 8;
        c->seen.rtt_min_ns = MIN(c->seen.rtt_min_ns, rtt_ns);
    }
    tcp_rto_reset(c);
}

static void timing_end(struct tcp_conn *c, uint32_t ack)
{
    if (!c->timing || !seq_le(c->timing_seq, ack))
        return;
    c->timing = false;
    tcp_rtt_sample(c, clock_now_ns() - c->timing_ns);
}

void tcp_ack_established(struct tcp_conn *c, const struct tcp_segment *s)
{
    bool syn_was_lost = c->backoff > 0;
    timing_end(c, s->ack);
    c->seen.bytes_acked = c->listener ? 0 : 1; // as Linux: the SYN of who connects
    c->snd_una = s->ack;
    c->snd_nxt = seq_max(c->snd_nxt, s->ack);
    c->snd_wnd = s->window;
    c->snd_wnd_max = MAX(c->snd_wnd_max, c->snd_wnd);
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
    c->backoff = 0;
    tcp_congestion_start(c);
    c->ssthresh = UINT32_MAX;
    if (syn_was_lost) {
        c->cwnd = c->mss; // RFC 5681, 3.1
        if (!(c->flags & TCP_LINK))
            c->rto_ns = RTO_AFTER_LOST_SYN_NS;
    }
    if (c->flags & TCP_LINK && !c->rtt_known)
        c->rto_ns = TCP_LINK_RTO_MIN_NS * 10;
    tcp_send_timer_restart(c);
    tcp_post(c, c->want_writable ? TCP_WRITABLE : 0);
    c->want_writable = false;
}

// RFC 8985, 7.4.2: the probe's own bytes are acknowledged; was it the one that mattered?
static void probe_end(struct tcp_conn *c, uint32_t ack)
{
    if (!c->probe_open || !seq_le(c->probe_end, ack))
        return;
    c->probe_open = false;
    if (!c->probe_needless && !c->recovering)
        tcp_congestion_tail_lost(c);
}

static void acked_new(struct tcp_conn *c, const struct tcp_segment *s)
{
    uint32_t ack = s->ack;
    bool timed = c->timing && seq_le(c->timing_seq, ack);
    uint32_t bytes = ack - c->snd_una;
    uint32_t data = seq_lt(c->snd_data, ack) ? MIN(ack - c->snd_data, c->send.length) : 0;
    timing_end(c, ack);
    if (!timed && !c->timing && c->backoff == 0)
        tcp_stamp_sample(c, s);
    bool late = tcp_congestion_undo(c, s);
    ring_consume(&c->send, data, false);
    c->snd_data += data;
    c->snd_una = ack;
    c->seen.bytes_acked += bytes;
    c->waiting_ns = c->heard_ns;
    c->snd_nxt = seq_max(c->snd_nxt, ack);
    c->urging = c->urging && seq_lt(ack, c->snd_up);
    tcp_ranges_cut(&c->sacked, ack);
    c->high_rxt = seq_max(c->high_rxt, ack);
    c->backoff = 0; // the path works; rto_ns itself keeps to measured round trips (Karn)
    c->tail_probed = false;
    probe_end(c, ack);
    if (!late)
        tcp_congestion_acked(c, bytes, ack);
    tcp_send_timer_restart(c);
    if (c->want_writable && ring_space(&c->send) >= c->send.size / 4) {
        c->want_writable = false;
        tcp_post(c, TCP_WRITABLE);
    }
    if (c->snd_una == c->snd_max && c->send.length == 0)
        tcp_post(c, TCP_ACKED);
}

// True when the window opened.
static bool window_update(struct tcp_conn *c, const struct tcp_segment *s)
{
    if (!seq_le(c->snd_una, s->ack))
        return false;
    if (!seq_lt(c->snd_wl1, s->seq) && (c->snd_wl1 != s->seq || !seq_le(c->snd_wl2, s->ack)))
        return false;
    bool opened = c->snd_wnd == 0 && s->window > 0;
    c->snd_wnd = s->window;
    c->snd_wnd_max = MAX(c->snd_wnd_max, c->snd_wnd);
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
    return opened;
}

void tcp_ack(struct tcp_conn *c, const struct tcp_segment *s)
{
    // RFC 5681, 2: what makes a duplicate ACK.
    bool duplicate = s->ack == c->snd_una && c->snd_una != c->snd_max && s->n == 0 &&
                     !(s->flags & (TCP_SYN | TCP_FIN)) && s->window == c->snd_wnd && s->window;
    bool opened = window_update(c, s), news = tcp_sack_received(c, s);
    if (c->snd_wnd == 0)
        c->stalled_ns = clock_now_ns(); // closed, but alive: not a reason to give up
    if (seq_lt(c->snd_una, s->ack))
        acked_new(c, s);
    else if (duplicate && !c->sack)
        tcp_congestion_dup_ack(c);
    if (c->sacked.count)
        tcp_congestion_sacked(c, news);
    if (opened) {
        c->backoff = 0;
        tcp_send_timer_restart(c);
    }
}
