// SPDX-License-Identifier: MIT
// Which segment goes next, and when none does.
#include "net/tcp/tcp_priv.h"

#include "lib/errno.h"
#include "lib/node_var.h"
#include "net/tcp/input.h"

// QEMU's e1000 sends an empty segment behind text that fills its last segment to the end.
#define TAIL_SHORT     4u
#define CHALLENGES_MAX 10u // per connection and second (RFC 5961, 7)

uint32_t tcp_fin_seq(const struct tcp_conn *c)
{
    return c->snd_data + c->send.length;
}

static void sent(struct tcp_conn *c, uint32_t seq, uint32_t end)
{
    uint64_t now = clock_now_ns();
    if (c->snd_una == c->snd_max)
        c->waiting_ns = now;
    if (seq_lt(seq, c->snd_max)) { // again: no measurement of it can be trusted (Karn)
        net_counter_add(COUNT_tcp_retransmitted);
        c->seen.again++;
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
// sequence number behind it, `seq` itself when the way to the wire is full.
static uint32_t send_from(struct tcp_conn *c, uint32_t seq, uint32_t n)
{
    uint32_t end = tcp_fin_seq(c);
    uint8_t flags = TCP_ACK;
    bool last = seq + n == end;
    if (last && n)
        flags |= TCP_PSH;
    if (last && c->fin_queued)
        flags |= TCP_FIN;
    if (!tcp_segment_send(c, seq, n, flags))
        return seq;
    if (n) {
        c->seen.bytes_sent += n;
        c->seen.bytes_again += seq_lt(seq, c->snd_max) ? n : 0;
        c->seen.data_out += n > c->mss ? (n + c->mss - 1) / c->mss : 1;
    }
    uint32_t behind = seq + n + (flags & TCP_FIN ? 1 : 0);
    sent(c, seq, behind);
    return behind;
}

// The last segment waits to be full, unless nothing can follow, or it is announced.
static bool holds(const struct tcp_conn *c)
{
    return (c->more || c->flags & TCP_CORKED) && !c->fin_queued && !c->urging;
}

// Silly window avoidance and Nagle (RFC 9293, 3.8.6.2.1, 3.7.4): is a small segment worth it?
static bool worth_sending(const struct tcp_conn *c, uint32_t n, uint32_t queued)
{
    if (n >= c->mss || seq_lt(c->snd_nxt, c->snd_max))
        return true;
    if (n == queued && holds(c))
        return false;
    if (n == queued &&
        (c->flags & (TCP_NODELAY | TCP_LINK) || c->urging || c->snd_una == c->snd_max))
        return true;
    return n > 0 && n >= c->snd_wnd_max / 2;
}

// New text may go to the card in one piece; what goes again goes segment by segment, and so does
// what is announced in each header.
static uint32_t segments_max(const struct tcp_conn *c)
{
    bool fresh = c->snd_nxt == c->snd_max && !c->recovering && !c->urging;
    return fresh && c->cut_max > c->mss ? c->cut_max : c->mss;
}

// At SND.NXT, at most `room` bytes: new text, or after a timeout old text once more.
static bool send_next(struct tcp_conn *c, uint32_t room)
{
    c->snd_nxt = tcp_sack_skip(c, c->snd_nxt);
    uint32_t end = tcp_fin_seq(c), flight = c->snd_nxt - c->snd_una;
    if (seq_lt(end, c->snd_nxt))
        return false; // the FIN is out
    uint32_t queued = end - c->snd_nxt;
    uint32_t usable = MIN(room, c->snd_wnd > flight ? c->snd_wnd - flight : 0);
    uint32_t n = MIN(MIN(queued, usable), segments_max(c));
    if (n > c->mss && (n < queued || holds(c)))
        n -= n % c->mss; // whole segments, as long as more follows
    if (n > c->mss && n % c->mss == 0)
        n -= holds(c) ? c->mss : TAIL_SHORT;
    n = MIN(n, tcp_sack_hole_bytes(c, c->snd_nxt));
    bool fin = c->fin_queued && n == queued; // goes even into a closed window
    if (!fin && (n == 0 || !worth_sending(c, n, queued)))
        return false;
    uint32_t behind = send_from(c, c->snd_nxt, n);
    bool went = behind != c->snd_nxt;
    c->snd_nxt = behind;
    return went;
}

static bool send_again(struct tcp_conn *c, struct tcp_range r)
{
    uint32_t end = tcp_fin_seq(c), n = MIN(r.end - r.start, (uint32_t)c->mss);
    if (seq_lt(end, r.start + n)) // the last number is the FIN's, which goes along
        n = end - r.start;
    uint32_t behind = send_from(c, r.start, n);
    c->high_rxt = seq_max(c->high_rxt, behind);
    return behind != r.start;
}

// NextSeg of RFC 6675, 4.
static bool send_recovering(struct tcp_conn *c, uint32_t room)
{
    struct tcp_range r;
    if (tcp_sack_next(c, true, &r)) // (1)
        return send_again(c, r);
    if (send_next(c, room)) // (2)
        return true;
    if (tcp_sack_next(c, false, &r)) // (3)
        return send_again(c, r);
    uint32_t last = c->sacked.count ? c->sacked.at[c->sacked.count - 1].end : c->snd_una;
    last = seq_max(last, c->high_rxt);
    if (c->rescued || !seq_lt(last, c->snd_max) || c->send.length == 0) // (4)
        return false;
    c->rescued = true;
    uint32_t n = MIN(c->snd_max - last, (uint32_t)c->mss);
    return send_again(c, (struct tcp_range){c->snd_max - n, c->snd_max});
}

static bool send_one(struct tcp_conn *c)
{
    uint32_t room = tcp_congestion_room(c);
    if (!c->sack || !c->recovering)
        return send_next(c, room);
    return room >= c->mss && send_recovering(c, room);
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
    while (send_one(c))
        continue;
    tcp_send_timer_update(c);
    if (c->want_writable && c->tuning.unsent_max &&
        2 * tcp_unsent_bytes(c) < c->tuning.unsent_max) {
        c->want_writable = false;
        tcp_post(c, TCP_WRITABLE);
    }
}

void tcp_retransmit_first(struct tcp_conn *c)
{
    uint32_t end = tcp_fin_seq(c);
    uint32_t queued = seq_lt(c->snd_una, end) ? end - c->snd_una : 0;
    uint32_t n = MIN(MIN(queued, c->snd_max - c->snd_una), (uint32_t)c->mss);
    n = MIN(n, tcp_sack_hole_bytes(c, c->snd_una));
    if (n || c->fin_queued)
        c->high_rxt = seq_max(c->high_rxt, send_from(c, c->snd_una, n));
    c->again_una = c->snd_una;
    c->again_mark = c->snd_max;
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

// RFC 8985, 7.3: new text if there is any and the peer has room, else the last segment again.
void tcp_probe_tail(struct tcp_conn *c)
{
    uint32_t before = c->snd_nxt;
    net_counter_add(COUNT_tcp_tail_probes);
    if (send_next(c, c->mss) && before != c->snd_nxt)
        return;
    uint32_t end = tcp_fin_seq(c), top = seq_lt(end, c->snd_max) ? end : c->snd_max;
    uint32_t n = seq_lt(c->snd_una, top) ? MIN(top - c->snd_una, (uint32_t)c->mss) : 0;
    if (n == 0 && !c->fin_queued)
        return;
    (void)send_from(c, top - n, n);
    c->probe_open = c->sack;
    c->probe_needless = false;
    c->probe_end = c->snd_max;
}

void tcp_ack_send(struct tcp_conn *c)
{
    (void)tcp_segment_send(c, c->snd_max, 0, TCP_ACK);
}

void tcp_syn_send(struct tcp_conn *c)
{
    (void)tcp_segment_send(c, c->iss, 0, c->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK);
    sent(c, c->iss, c->iss + 1);
    c->snd_nxt = c->iss + 1;
    tcp_send_timer_restart(c);
}

// RFC 9293, 3.8.4: one number below what the peer expects, so that it answers with an ACK.
void tcp_keep_probe(struct tcp_conn *c)
{
    net_counter_add(COUNT_tcp_keep_probes);
    (void)tcp_segment_send(c, c->snd_una - 1, 0, TCP_ACK);
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

NODE_VAR(struct list, batch); // connections whose ACK waits for its end
NODE_VAR(bool, batch_open);

void tcp_output_init(void)
{
    list_init(&node(batch));
    node(batch_open) = false;
}

void tcp_batch_begin(void)
{
    node(batch_open) = true;
}

void tcp_batch_end(void)
{
    struct list *item;
    node(batch_open) = false;
    while ((item = list_pop(&node(batch)))) {
        struct tcp_conn *c = list_entry(item, struct tcp_conn, ack_link);
        if (c->ack_now)
            tcp_ack_send(c);
    }
}

void tcp_ack_forget(struct tcp_conn *c)
{
    list_remove(&c->ack_link);
}

void tcp_respond(struct tcp_conn *c)
{
    if (c->state <= TCP_SYN_SENT)
        return;
    if (c->ack_now && c->ack_batch && node(batch_open) && c->state == TCP_ESTABLISHED) {
        tcp_output(c);
        if (c->ack_now && list_empty(&c->ack_link))
            list_append(&node(batch), &c->ack_link);
        return;
    }
    if (c->ack_now && (c->gaps.count || c->twice_known))
        tcp_ack_send(c); // ahead of text of ours: it has room for all blocks, and counts as a
                         // duplicate ACK (RFC 5681, 2)
    tcp_output(c);
    if (c->ack_now)
        tcp_ack_send(c);
    else if (c->ack_later && !timer_is_set(&c->ack_timer))
        timer_set(&c->ack_timer, clock_now_ns() + TCP_DELAYED_ACK_NS);
}
