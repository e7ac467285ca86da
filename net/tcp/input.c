// SPDX-License-Identifier: MIT
// SEGMENT ARRIVES, to be read beside RFC 9293, 3.10.7: same order, same words. Where RFC 5961
// tightens a check the comment says so.
#include "net/tcp/input.h"

#include "lib/errno.h"
#include "net/tcp/tcp_priv.h"

void tcp_init(void)
{
    tcp_conn_init();
    tcp_listen_init();
    tcp_output_init();
}

// What a SYN says of its sender.
void tcp_syn_received(struct tcp_conn *c, const struct tcp_segment *s)
{
    const struct tcp_options *o = &s->options;
    uint16_t offered = o->mss ? MAX(o->mss, TCP_MSS_MIN) : TCP_MSS_DEFAULT;
    c->mss = MIN(tcp_mss_own(c), offered);
    c->sack = o->sack_ok;
    c->stamping = o->stamped;
    if (c->stamping) { // RFC 6691: what options take, the sender of data leaves out
        c->mss = (uint16_t)(c->mss - TCP_STAMP_BYTES);
        c->stamp_recent = o->stamp;
        c->stamp_recent_ns = clock_now_ns();
    }
    c->snd_scale = o->scaled ? o->scale : 0;
    c->rcv_scale = o->scaled ? TCP_SCALE : 0;
    if (!o->scaled)
        c->receive.size = MIN(c->receive.size, TCP_WINDOW_PLAIN);
    c->heard_ns = clock_now_ns();
    c->irs = s->seq;
    c->rcv_nxt = c->rcv_adv = c->rcv_acked = s->seq + 1;
    c->snd_wnd = c->snd_wnd_max = s->window;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
}

static void established(struct tcp_conn *c, const struct tcp_segment *s)
{
    tcp_state_set(c, TCP_ESTABLISHED);
    tcp_ack_established(c, s);
    if (c->listener)
        c->accept_due = true;
    else
        tcp_post(c, TCP_CONNECTED);
    tcp_keep_timer_restart(c);
    if (c->fin_queued) // closed while the handshake was under way
        tcp_state_set(c, TCP_FIN_WAIT_1);
}

// 3.10.7.3: state SYN-SENT.
static void syn_sent_arrives(struct tcp_conn *c, const struct tcp_segment *s)
{
    // First, check the ACK bit.
    bool acked = s->flags & TCP_ACK;
    if (acked && (!seq_lt(c->iss, s->ack) || !seq_le(s->ack, c->snd_max))) {
        net_counter_add(COUNT_tcp_bad_ack);
        tcp_reset_reply(s);
        return;
    }
    // Second, check the RST bit: believed only with an acceptable ACK.
    if (s->flags & TCP_RST) {
        if (acked) {
            net_counter_add(COUNT_tcp_reset_in);
            tcp_dead(c, -ECONNREFUSED);
        }
        return;
    }
    // Fourth, check the SYN bit. Fifth, neither SYN nor RST: drop.
    if (!(s->flags & TCP_SYN))
        return;
    tcp_syn_received(c, s);
    if (!acked) { // simultaneous open
        tcp_state_set(c, TCP_SYN_RECEIVED);
        tcp_syn_send(c);
        return;
    }
    established(c, s);
    c->ack_now = true;
    struct tcp_segment rest = *s; // controls or text behind the SYN
    rest.seq++;
    rest.flags &= (uint8_t)~TCP_SYN;
    rest.n = MIN(rest.n, tcp_window_first(c)); // what our SYN offered
    c->rcv_adv = c->rcv_nxt + tcp_window_first(c);
    tcp_text(c, &rest);
}

// The four cases of the acceptability test.
static bool acceptable(const struct tcp_conn *c, const struct tcp_segment *s)
{
    uint32_t length = tcp_segment_length(s), window = c->rcv_adv - c->rcv_nxt;
    if (length == 0)
        return window == 0 ? s->seq == c->rcv_nxt : seq_in(s->seq, c->rcv_nxt, window);
    return seq_in(s->seq, c->rcv_nxt, window) || seq_in(s->seq + length - 1, c->rcv_nxt, window);
}

// An unacceptable segment is answered with an ACK, unless it is a RST. Bare ACKs are answered
// within a limit only: two confused ends must not talk for ever.
static void unacceptable(struct tcp_conn *c, const struct tcp_segment *s)
{
    if (s->flags & TCP_RST)
        return;
    net_counter_add(COUNT_tcp_unacceptable);
    if (s->n && seq_le(s->seq + s->n, c->rcv_nxt))
        tcp_sack_twice(c, s->seq, s->seq + s->n);
    if (c->state == TCP_TIME_WAIT && (s->flags & TCP_FIN))
        tcp_end_timer_start(c, 2 * TCP_MSL_NS);
    if (c->state == TCP_SYN_RECEIVED && (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
        s->seq == c->irs)
        tcp_syn_send(c); // our SYN+ACK was lost
    else if (tcp_segment_length(s))
        tcp_ack_send(c);
    else
        tcp_challenge(c);
}

// First, check sequence number; then the segment is cut to the window.
static bool sequence_check(struct tcp_conn *c, struct tcp_segment *s)
{
    if (c->state == TCP_SYN_RECEIVED && s->seq == c->irs &&
        (s->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
        s->flags &= (uint8_t)~TCP_SYN; // simultaneous open: its SYN we have, its ACK is news
        s->seq++;
    }
    if (tcp_stamp_too_old(c, s) || tcp_stamp_missing(c, s)) { // PAWS comes first (RFC 7323, 5.3)
        net_counter_add(COUNT_tcp_stamp_old);
        if (s->options.stamped)
            unacceptable(c, s);
        return false;
    }
    if (!acceptable(c, s)) {
        bool closed_window = c->rcv_adv == c->rcv_nxt && s->seq == c->rcv_nxt;
        if (!closed_window || (s->flags & (TCP_RST | TCP_SYN | TCP_ACK)) != TCP_ACK) {
            unacceptable(c, s);
            return false;
        }
        s->n = 0; // a window probe: no room for its text, but its ACK counts
        s->flags &= (uint8_t)~TCP_FIN;
        c->ack_now = true;
    }
    c->heard_ns = clock_now_ns();
    c->keep_sent = 0;
    tcp_stamp_take(c, s, s->seq);
    if (s->flags & TCP_SYN)
        return true;
    if (seq_lt(s->seq, c->rcv_nxt)) {
        uint32_t old = MIN(c->rcv_nxt - s->seq, s->n);
        tcp_sack_twice(c, s->seq, s->seq + old);
        s->data += old;
        s->n -= old;
        s->seq = c->rcv_nxt;
        c->ack_now = true; // a part came twice: our ACK may have been lost
    }
    uint32_t room = c->rcv_adv - s->seq;
    if (s->n > room) {
        s->n = room;
        s->flags &= (uint8_t)~TCP_FIN;
    }
    return true;
}

// Second, check the RST bit (RFC 5961, 3.2: only the exact sequence number resets).
static void reset_arrives(struct tcp_conn *c, const struct tcp_segment *s)
{
    if (s->seq != c->rcv_nxt) {
        net_counter_add(COUNT_tcp_reset_off);
        tcp_challenge(c);
        return;
    }
    net_counter_add(COUNT_tcp_reset_in);
    switch (c->state) {
    case TCP_SYN_RECEIVED:
        tcp_dead(c, -ECONNREFUSED);
        break;
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSE_WAIT:
        tcp_dead(c, -ECONNRESET);
        break;
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        tcp_dead(c, 0);
        break;
    case TCP_CLOSED:
    case TCP_LISTEN:
    case TCP_SYN_SENT:
        break;
    }
}

// Fifth, check the ACK field. False: the segment is done with.
static bool ack_check(struct tcp_conn *c, const struct tcp_segment *s)
{
    if (!(s->flags & TCP_ACK)) {
        net_counter_add(COUNT_tcp_no_ack);
        return false;
    }
    if (c->state == TCP_SYN_RECEIVED) {
        if (!seq_lt(c->snd_una, s->ack) || !seq_le(s->ack, c->snd_max)) {
            net_counter_add(COUNT_tcp_bad_ack);
            tcp_reset_reply(s);
            return false;
        }
        if (tcp_segment_length(s) == 0 && c->backoff < c->tuning.defer_retries) {
            c->deferred = true; // its user wants to be told of text
            return false;
        }
        established(c, s);
    }
    // RFC 5961, 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT.
    if (!seq_le(c->snd_una - c->snd_wnd_max, s->ack) || !seq_le(s->ack, c->snd_max)) {
        net_counter_add(COUNT_tcp_bad_ack);
        tcp_challenge(c);
        return false;
    }
    tcp_ack(c, s);
    if (tcp_fin_acked(c)) {
        if (c->state == TCP_FIN_WAIT_1) {
            tcp_state_set(c, TCP_FIN_WAIT_2);
        } else if (c->state == TCP_CLOSING) {
            tcp_state_set(c, TCP_TIME_WAIT);
        } else if (c->state == TCP_LAST_ACK) {
            tcp_dead(c, 0);
            return false;
        }
    }
    return true;
}

// 3.10.7.4: the synchronised states.
static void synchronised_arrives(struct tcp_conn *c, struct tcp_segment *s)
{
    if (!sequence_check(c, s))
        return;
    if (s->flags & TCP_RST) {
        reset_arrives(c, s);
        return;
    }
    // Third, security: not ours. Fourth, check the SYN bit (RFC 5961, 4.2: challenge).
    if (s->flags & TCP_SYN) {
        net_counter_add(COUNT_tcp_syn_off);
        tcp_challenge(c);
        return;
    }
    if (!ack_check(c, s))
        return;
    // Sixth, check the URG bit. Seventh, text; eighth, FIN.
    if (s->flags & TCP_URG || c->urgent == TCP_URGENT_ANNOUNCED)
        tcp_urgent_arrives(c, s);
    tcp_text(c, s);
}

static bool stamp_newer(const struct tcp_conn *c, const struct tcp_segment *s)
{
    return c->stamping && s->options.stamped && seq_lt(c->stamp_recent, s->options.stamp);
}

// RFC 9293, 3.10.7.4, TIME-WAIT, RFC 6191 and RFC 1122, 4.2.2.13: a new SYN above the old
// connection's numbers, or a newer timestamp, may open the next incarnation at once.
static bool reopens(const struct tcp_conn *c, const struct tcp_segment *s)
{
    return c->state == TCP_TIME_WAIT && (s->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN &&
           (seq_lt(c->rcv_nxt, s->seq) || stamp_newer(c, s)) && tcp_listener_find(s->to.port);
}

void tcp_input(const struct ip_packet *p)
{
    struct tcp_segment s;
    net_counter_add(COUNT_tcp_in);
    if (p->broadcast) {
        net_counter_add(COUNT_tcp_broadcast);
        return;
    }
    if (!tcp_segment_parse(p, &s))
        return;
    struct tcp_conn *c = tcp_conn_find(s.to, s.from);
    if (c && reopens(c, &s)) {
        tcp_hold(c);
        tcp_dead(c, 0);
        tcp_release(c);
        c = NULL;
    }
    if (c) {
        if (!(s.flags & TCP_SYN)) // RFC 7323, 2.2: that of a SYN is never scaled
            s.window <<= c->snd_scale;
        tcp_hold(c);
        c->seen.segments_in++;
        if (c->state == TCP_SYN_SENT)
            syn_sent_arrives(c, &s);
        else
            synchronised_arrives(c, &s);
        tcp_release(c);
        return;
    }
    struct tcp_listener *l = tcp_listener_find(s.to.port);
    if (l) {
        tcp_listener_segment(l, &s);
        return;
    }
    net_counter_add(COUNT_tcp_no_port);
    tcp_reset_reply(&s); // 3.10.7.1: state CLOSED
}
