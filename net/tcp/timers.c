// SPDX-License-Identifier: MIT
// Four timers: sending (retransmit, tail probe, persist), the delayed ACK, keep-alive, and the end.
#include "net/tcp/tcp_priv.h"

#include "lib/errno.h"

#define BACKOFF_MAX       16u
#define GIVE_UP_TRIES     8u // at least, however long a round trip is
#define TAIL_PROBE_MIN_NS (2 * NS_PER_MS)
#define PEER_DELAY_NS     (200 * NS_PER_MS) // how long a peer may keep the ACK of one segment

static uint64_t rto_now(const struct tcp_conn *c)
{
    uint64_t max = c->flags & TCP_LINK ? TCP_LINK_RTO_MAX_NS : TCP_RTO_MAX_NS;
    return MIN(c->rto_ns << MIN(c->backoff, BACKOFF_MAX), max);
}

static uint64_t user_timeout_ns(const struct tcp_conn *c)
{
    return c->tuning.user_timeout_ms * NS_PER_MS;
}

// Until the next retransmission, or until its user gives up (RFC 5482).
static uint64_t patience_ns(const struct tcp_conn *c)
{
    uint64_t rto = rto_now(c), waited = clock_now_ns() - c->waiting_ns;
    if (user_timeout_ns(c) == 0)
        return rto;
    return waited < user_timeout_ns(c) ? MIN(rto, user_timeout_ns(c) - waited) : 0;
}

static void send_timer_arm(struct tcp_conn *c, enum tcp_timer_kind kind, uint64_t ns)
{
    c->send_timer_kind = kind;
    timer_set(&c->send_timer, clock_now_ns() + ns);
}

// RFC 8985, 7.2. Links have no delayed ACKs, and probe whether the peer sends SACK or not.
static bool tail_probe_due(const struct tcp_conn *c, uint64_t *ns)
{
    bool link = c->flags & TCP_LINK;
    *ns = MAX(2 * c->srtt_ns, TAIL_PROBE_MIN_NS);
    if (!link && c->snd_max - c->snd_una <= c->mss)
        *ns += PEER_DELAY_NS;
    return (link || c->sack) && c->sacked.count == 0 && c->rtt_known && !c->tail_probed &&
           !c->recovering && c->backoff == 0 && *ns < c->rto_ns && c->state > TCP_SYN_RECEIVED;
}

// The window is open: it is its user who wants more in the segment.
static bool held(const struct tcp_conn *c)
{
    return (c->more || c->flags & TCP_CORKED) && c->snd_wnd > 0;
}

void tcp_send_timer_update(struct tcp_conn *c)
{
    bool flight = c->snd_una != c->snd_max;
    bool queued = c->send.length > 0 && c->state > TCP_SYN_RECEIVED;
    uint64_t probe_ns;
    if (timer_is_set(&c->send_timer) && flight == (c->send_timer_kind != TCP_TIMER_PERSIST) &&
        (flight || queued))
        return; // it waits for the right thing already
    if (flight && tail_probe_due(c, &probe_ns))
        send_timer_arm(c, TCP_TIMER_PROBE_TAIL, probe_ns);
    else if (flight)
        send_timer_arm(c, TCP_TIMER_RETRANSMIT, patience_ns(c));
    else if (queued)
        send_timer_arm(c, TCP_TIMER_PERSIST, held(c) ? TCP_HOLD_NS : rto_now(c));
    else
        timer_cancel(&c->send_timer);
}

void tcp_send_timer_restart(struct tcp_conn *c)
{
    timer_cancel(&c->send_timer);
    tcp_send_timer_update(c);
}

static uint64_t give_up_ns(const struct tcp_conn *c)
{
    if (c->state > TCP_SYN_RECEIVED)
        return TCP_GIVE_UP_NS;
    return c->flags & TCP_LINK ? TCP_LINK_GIVE_UP_SYN_NS : TCP_GIVE_UP_SYN_NS;
}

// R2 of RFC 9293, 3.8.3, or what its user set in place of it.
static bool waited_enough(const struct tcp_conn *c)
{
    uint64_t now = clock_now_ns(), user_ns = user_timeout_ns(c);
    bool opening = c->state <= TCP_SYN_RECEIVED;
    if (user_ns && now - c->waiting_ns >= user_ns)
        return true;
    if (c->state == TCP_SYN_SENT && c->tuning.syn_retries)
        return c->backoff >= c->tuning.syn_retries;
    if (!opening && (user_ns || c->backoff < GIVE_UP_TRIES))
        return false;
    return now - c->stalled_ns >= give_up_ns(c);
}

// True: it is over. Time counts from the first timeout in a row.
static bool gives_up(struct tcp_conn *c)
{
    if (c->backoff == 0)
        c->stalled_ns = clock_now_ns();
    if (!waited_enough(c))
        return false;
    net_counter_add(COUNT_tcp_gave_up);
    tcp_dead(c, -ETIMEDOUT);
    return true;
}

// RFC 6298, 5.4 to 5.6.
static void retransmit(struct tcp_conn *c)
{
    net_counter_add(COUNT_tcp_timeouts);
    if (gives_up(c))
        return;
    if (c->state <= TCP_SYN_RECEIVED) {
        c->backoff++;
        // Who has acknowledged ours is asked again only when its ACK is to count.
        if (c->deferred && c->backoff < c->tuning.defer_retries)
            tcp_send_timer_restart(c);
        else
            tcp_syn_send(c);
        return;
    }
    if (c->snd_wnd == 0) { // filled, then closed: probing is all there is to do
        c->backoff++;
        tcp_send_forced(c);
    } else {
        tcp_congestion_timeout(c);
        c->backoff++;
        c->snd_nxt = c->snd_una; // all that is in flight counts as lost: slow start sends it again
        tcp_output(c);
    }
    tcp_send_timer_update(c);
}

static void persist(struct tcp_conn *c)
{
    if (c->backoff == 0)
        c->waiting_ns = clock_now_ns(); // the window closed, or is about to be probed
    if (c->snd_wnd == 0 && gives_up(c))
        return;
    c->backoff += c->snd_wnd == 0;
    tcp_send_forced(c);
    tcp_send_timer_update(c);
}

static void send_timer_fires(void *arg)
{
    struct tcp_conn *c = arg;
    tcp_hold(c);
    switch (c->send_timer_kind) {
    case TCP_TIMER_RETRANSMIT:
        retransmit(c);
        break;
    case TCP_TIMER_PROBE_TAIL:
        c->tail_probed = true;
        if (c->sacked.count == 0) // else something was heard of: that is no lost tail
            tcp_probe_tail(c);
        tcp_send_timer_update(c);
        break;
    case TCP_TIMER_PERSIST:
        persist(c);
        break;
    }
    tcp_release(c);
}

// Idle means: nothing of ours is under way, nothing of the peer's came (RFC 9293, 3.8.4).
static void keep_timer_fires(void *arg)
{
    struct tcp_conn *c = arg;
    uint64_t idle_ns = c->keep.idle_s * NS_PER_S, silent_ns = clock_now_ns() - c->heard_ns;
    tcp_hold(c);
    if (c->snd_una != c->snd_max || (c->keep_sent == 0 && silent_ns < idle_ns)) {
        uint64_t since = c->snd_una != c->snd_max ? clock_now_ns() : c->heard_ns;
        timer_set(&c->keep_timer, since + idle_ns);
    } else if (user_timeout_ns(c) ? c->keep_sent > 0 && silent_ns >= user_timeout_ns(c)
                                  : c->keep_sent >= c->keep.probes) {
        net_counter_add(COUNT_tcp_gave_up);
        tcp_dead(c, -ETIMEDOUT);
    } else {
        c->keep_sent++;
        tcp_keep_probe(c);
        timer_set(&c->keep_timer, clock_now_ns() + MAX(c->keep.interval_s, 1u) * NS_PER_S);
    }
    tcp_release(c);
}

void tcp_keep_timer_restart(struct tcp_conn *c)
{
    c->keep_sent = 0;
    timer_cancel(&c->keep_timer);
    if (c->keep.idle_s && c->state > TCP_SYN_RECEIVED && c->state != TCP_TIME_WAIT)
        timer_set(&c->keep_timer, c->heard_ns + c->keep.idle_s * NS_PER_S);
}

static void ack_timer_fires(void *arg)
{
    tcp_ack_send(arg);
}

static void end_timer_fires(void *arg)
{
    struct tcp_conn *c = arg;
    tcp_hold(c);
    tcp_dead(c, 0);
    tcp_release(c);
}

void tcp_end_timer_start(struct tcp_conn *c, uint64_t ns)
{
    timer_set(&c->end_timer, clock_now_ns() + ns);
}

void tcp_fin_wait_2_start(struct tcp_conn *c)
{
    int32_t s = c->tuning.fin_wait_2_s;
    tcp_end_timer_start(c, s == 0 ? TCP_FIN_WAIT_NS : s < 0 ? 0 : (uint64_t)s * NS_PER_S);
}

void tcp_timers_init(struct tcp_conn *c)
{
    timer_init(&c->send_timer, send_timer_fires, c);
    timer_init(&c->ack_timer, ack_timer_fires, c);
    timer_init(&c->end_timer, end_timer_fires, c);
    timer_init(&c->keep_timer, keep_timer_fires, c);
}

void tcp_timers_stop(struct tcp_conn *c)
{
    timer_cancel(&c->send_timer);
    timer_cancel(&c->ack_timer);
    timer_cancel(&c->end_timer);
    timer_cancel(&c->keep_timer);
}
