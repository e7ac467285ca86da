// SPDX-License-Identifier: MIT
// Text and FIN (RFC 9293, 3.10.7.4, seventh and eighth): bytes go straight to their place in the
// receive buffer; those behind a hole are remembered as gaps, stretches [start, end) in order.
#include "net/tcp/tcp_priv.h"

#include "lib/errno.h"
#include "lib/string.h"

// What may be offered of a number of bytes.
static uint32_t clamped(const struct tcp_conn *c, uint32_t bytes)
{
    return c->tuning.window_max ? MIN(bytes, c->tuning.window_max) : bytes;
}

uint32_t tcp_window_first(const struct tcp_conn *c)
{
    return clamped(c, TCP_WINDOW_PLAIN);
}

// Silly window avoidance (3.8.6.2.2): the edge moves by a segment or half the buffer, or not.
uint32_t tcp_window(const struct tcp_conn *c)
{
    uint32_t space = clamped(c, ring_space(&c->receive)), told = c->rcv_adv - c->rcv_nxt;
    if (space < told + MIN((uint32_t)c->mss, clamped(c, c->receive.size) / 2))
        return told;
    return space;
}

// An ACK of its own for a reader's progress is worth it once the peer may be about to stand still:
// when what it was told doubles, from less than half of all. Else the next ACK of text tells it.
bool tcp_window_worth_telling(const struct tcp_conn *c)
{
    uint32_t space = clamped(c, ring_space(&c->receive)), told = c->rcv_adv - c->rcv_nxt;
    uint32_t half = clamped(c, c->receive.size) / 2;
    return told <= half && space >= 2 * told && space >= told + MIN(2u * c->mss, half);
}

static void advance(struct tcp_conn *c, uint32_t to)
{
    ring_extend(&c->receive, to - c->rcv_nxt);
    c->seen.bytes_received += to - c->rcv_nxt;
    c->rcv_nxt = to;
}

static void text_in_order(struct tcp_conn *c, uint32_t n)
{
    bool filled = c->gaps.count > 0;
    advance(c, c->rcv_nxt + n);
    while (c->gaps.count && seq_le(c->gaps.at[0].start, c->rcv_nxt)) {
        if (seq_lt(c->rcv_nxt, c->gaps.at[0].end))
            advance(c, c->gaps.at[0].end);
        tcp_ranges_remove(&c->gaps, 0);
    }
    tcp_post(c, TCP_READABLE);
    // RFC 5681, 4.2: at once when a gap was filled, and for every second full segment.
    c->ack_batch = !filled;
    if (filled || c->flags & (TCP_LINK | TCP_PROMPT) || c->rcv_nxt - c->rcv_acked >= 2u * c->mss)
        c->ack_now = true;
    else
        c->ack_later = true;
}

// Stores what memory and gaps allow; returns how many bytes it kept.
static uint32_t text_store(struct tcp_conn *c, const struct tcp_segment *s)
{
    uint32_t offset = s->seq - c->rcv_nxt + c->receive.length;
    uint32_t stored = (uint32_t)ring_write(&c->receive, offset, s->data, s->n);
    if (stored < s->n) {
        net_counter_add(COUNT_tcp_no_memory);
        c->ack_now = true;
    }
    if (stored == 0)
        return 0;
    if (s->seq == c->rcv_nxt) {
        text_in_order(c, stored);
        return stored;
    }
    c->ack_batch = false;
    c->ack_now = true; // a duplicate ACK tells the peer of the hole
    if (tcp_ranges_cover(&c->gaps, s->seq, s->seq + stored))
        tcp_sack_twice(c, s->seq, s->seq + stored);
    if (!tcp_ranges_add(&c->gaps, s->seq, s->seq + stored)) {
        net_counter_add(COUNT_tcp_gaps_full);
        return 0;
    }
    tcp_sack_note(c, s->seq);
    net_counter_add(COUNT_tcp_out_of_order);
    c->seen.out_of_order++;
    return stored;
}

// Everything up to the FIN is there.
static void fin_arrives(struct tcp_conn *c)
{
    c->fin_received = true;
    c->ack_batch = false;
    c->rcv_nxt++;
    c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
    c->ack_now = true;
    tcp_post(c, TCP_READABLE);
    if (c->state == TCP_ESTABLISHED)
        tcp_state_set(c, TCP_CLOSE_WAIT);
    else if (c->state == TCP_FIN_WAIT_1) // our FIN is not acknowledged, or we were FIN_WAIT_2
        tcp_state_set(c, TCP_CLOSING);
    else
        tcp_state_set(c, TCP_TIME_WAIT);
}

void tcp_text(struct tcp_conn *c, const struct tcp_segment *segment)
{
    struct tcp_segment s = *segment;
    if (!tcp_state_receives(c->state))
        return;               // a FIN came before: nothing can follow it
    if (s.n && c->released) { // 3.6.1: nobody is left to read it
        net_counter_add(COUNT_tcp_after_close);
        tcp_reset_send(c);
        tcp_dead(c, 0);
        return;
    }
    if (c->fin_known && seq_lt(c->fin_seq, s.seq + s.n)) { // text behind its own FIN
        s.n = seq_lt(s.seq, c->fin_seq) ? c->fin_seq - s.seq : 0;
        s.flags &= (uint8_t)~TCP_FIN;
    }
    if (s.n) {
        c->seen.text_ns = c->heard_ns;
        c->seen.data_in++;
        c->seen.segment_in = MAX(c->seen.segment_in, s.n);
    }
    uint32_t kept = s.n ? text_store(c, &s) : 0;
    bool last = c->gaps.count == 0 || seq_le(c->gaps.at[c->gaps.count - 1].end, s.seq + s.n);
    if (s.flags & TCP_FIN && kept == s.n && !c->fin_known && last) { // or it contradicts itself
        c->fin_known = true;
        c->fin_seq = s.seq + s.n;
        c->ack_now = true;
    }
    if (c->fin_known && c->rcv_nxt == c->fin_seq)
        fin_arrives(c);
}
