// SPDX-License-Identifier: MIT
// The calls of users (RFC 9293, 3.10.1 to 3.10.6). See tcp.h.
#include "net/tcp/tcp.h"

#include "kernel/random.h"
#include "lib/errno.h"
#include "net/tcp/tcp_priv.h"

#define EPHEMERAL_FIRST 49152u
#define EPHEMERAL_COUNT 16384u

// RFC 6056: a random start, so that a stranger cannot guess the pair. 0: none is free.
static uint16_t port_choose(uint32_t own_ip, struct net_address peer)
{
    uint32_t start = random_u32();
    for (unsigned i = 0; i < EPHEMERAL_COUNT; i++) {
        uint16_t port = (uint16_t)(EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);
        if (!tcp_listener_find(port) && !tcp_conn_find((struct net_address){own_ip, port}, peer))
            return port;
    }
    return 0;
}

static struct tcp_conn *connect_begin(struct net_address local, struct net_address to,
                                      unsigned flags, const struct tcp_tuning *t,
                                      tcp_event_fn event, void *arg)
{
    struct tcp_conn *c = tcp_conn_new(local, to, flags);
    if (!c)
        return NULL;
    c->tuning = *t;
    c->event = event;
    c->arg = arg;
    tcp_state_set(c, TCP_SYN_SENT);
    tcp_syn_send(c);
    return c;
}

struct tcp_conn *tcp_connect(struct net_address to, unsigned flags, tcp_event_fn event, void *arg)
{
    struct net_address local = {0, 0};
    if (to.port == 0 || ip_is_broadcast(to.ip) || ip_source(to.ip, &local.ip) != 0)
        return NULL;
    local.port = port_choose(local.ip, to);
    if (local.port == 0)
        return NULL;
    return connect_begin(local, to, flags, &(struct tcp_tuning){0}, event, arg);
}

struct tcp_conn *tcp_connect_from(struct net_address local, struct net_address to, unsigned flags,
                                  const struct tcp_tuning *t, tcp_event_fn event, void *arg,
                                  int *error)
{
    uint32_t own;
    *error = to.port == 0 || ip_is_broadcast(to.ip) ? -ENETUNREACH : ip_source(to.ip, &own);
    if (*error)
        return NULL;
    *error = -EADDRNOTAVAIL;
    if (tcp_conn_find(local, to))
        return NULL;
    *error = -ENOBUFS;
    struct tcp_conn *c = connect_begin(local, to, flags, t, event, arg);
    if (c)
        *error = 0;
    return c;
}

bool tcp_port_taken(uint16_t port)
{
    return tcp_listener_find(port) != NULL;
}

void tcp_want_writable(struct tcp_conn *c)
{
    c->want_writable = true;
}

static void flag_set(struct tcp_conn *c, unsigned flag, bool on)
{
    c->flags = on ? c->flags | flag : c->flags & ~flag;
}

void tcp_set_corked(struct tcp_conn *c, bool on)
{
    flag_set(c, TCP_CORKED, on);
    c->more = c->more && on;
    if (!on && c->state != TCP_CLOSED)
        tcp_output(c);
}

void tcp_set_nodelay(struct tcp_conn *c, bool on)
{
    bool corked = c->flags & TCP_CORKED;
    flag_set(c, TCP_NODELAY, on);
    if (!on)
        return;
    tcp_set_corked(c, false);
    flag_set(c, TCP_CORKED, corked);
}

void tcp_set_prompt(struct tcp_conn *c, bool on)
{
    flag_set(c, TCP_PROMPT, on);
    if (on && c->ack_later)
        tcp_ack_send(c);
}

void tcp_tune(struct tcp_conn *c, const struct tcp_tuning *t)
{
    bool patience = c->tuning.user_timeout_ms != t->user_timeout_ms;
    uint16_t segment_max = c->tuning.segment_max;
    c->tuning = *t;
    c->tuning.segment_max = segment_max;
    if (patience && c->state != TCP_CLOSED && c->snd_una != c->snd_max)
        tcp_send_timer_restart(c);
}

void tcp_set_events(struct tcp_conn *c, tcp_event_fn event, void *arg)
{
    c->event = event;
    c->arg = arg;
}

static bool may_queue(const struct tcp_conn *c)
{
    return !c->fin_queued && (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED ||
                              c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT);
}

static long queue(struct tcp_conn *c, const void *bytes, size_t n, bool urgent, bool more)
{
    if (!may_queue(c))
        return -EPIPE;
    size_t fits = MIN(n, (size_t)ring_space(&c->send));
    size_t taken = ring_write(&c->send, c->send.length, bytes, fits);
    if (taken < fits)
        net_counter_add(COUNT_tcp_no_memory);
    if (taken == 0 && n > 0 && c->send.length == 0)
        return -ENOMEM; // nothing queued whose ACK could wake the caller
    ring_extend(&c->send, (uint32_t)taken);
    if (urgent && taken > 0) {
        c->urging = true;
        c->snd_up = tcp_fin_seq(c);
    }
    if (taken < n)
        c->want_writable = true;
    c->more = more && taken == n;
    tcp_output(c);
    return (long)taken;
}

long tcp_send(struct tcp_conn *c, const void *bytes, size_t n)
{
    return queue(c, bytes, n, false, false);
}

long tcp_send_more(struct tcp_conn *c, const void *bytes, size_t n)
{
    return queue(c, bytes, n, false, true);
}

long tcp_send_urgent(struct tcp_conn *c, const void *bytes, size_t n)
{
    return queue(c, bytes, n, true, false);
}

long tcp_receive(struct tcp_conn *c, void *bytes, size_t n)
{
    size_t taken = MIN(n, (size_t)c->receive.length);
    if (taken == 0) {
        if (c->error)
            return c->error;
        if (n == 0 || c->fin_received || c->state == TCP_CLOSED)
            return 0;
        return -EAGAIN;
    }
    ring_read(&c->receive, 0, bytes, taken);
    tcp_consume(c, taken);
    return (long)taken;
}

void tcp_consume(struct tcp_conn *c, size_t n)
{
    ring_consume(&c->receive, (uint32_t)n, c->gaps.count > 0);
    if (c->urgent != TCP_URGENT_NONE)
        tcp_urgent_consumed(c);
    if (tcp_state_receives(c->state) && tcp_window_worth_telling(c))
        tcp_ack_send(c);
}

const void *tcp_view(const struct tcp_conn *c, size_t skip, size_t *n)
{
    *n = 0;
    if (skip >= c->receive.length)
        return NULL;
    return ring_view(&c->receive, (uint32_t)skip, n);
}

bool tcp_ended(const struct tcp_conn *c)
{
    return c->fin_received;
}

size_t tcp_readable_bytes(const struct tcp_conn *c)
{
    return c->receive.length;
}

size_t tcp_writable_bytes(const struct tcp_conn *c)
{
    uint32_t most = c->tuning.unsent_max;
    size_t space = may_queue(c) ? ring_space(&c->send) : 0, unsent;
    if (most == 0 || space == 0)
        return space;
    unsent = tcp_unsent_bytes(c);
    return unsent < most ? MIN(space, most - unsent) : 0;
}

size_t tcp_unsent_bytes(const struct tcp_conn *c)
{
    uint32_t end = tcp_fin_seq(c), sent = seq_max(c->snd_max, c->snd_data);
    return seq_lt(sent, end) ? end - sent : 0;
}

bool tcp_is_full(const struct tcp_conn *c)
{
    return c->rcv_adv - c->rcv_nxt < c->mss;
}

static void finish_sending(struct tcp_conn *c)
{
    if (c->fin_queued || c->state == TCP_CLOSED)
        return;
    c->fin_queued = true;
    if (c->state == TCP_ESTABLISHED)
        tcp_state_set(c, TCP_FIN_WAIT_1);
    else if (c->state == TCP_CLOSE_WAIT)
        tcp_state_set(c, TCP_LAST_ACK);
    tcp_output(c); // in a handshake: when it is done
}

void tcp_shutdown_send(struct tcp_conn *c)
{
    finish_sending(c);
}

bool tcp_is_closing(const struct tcp_conn *c)
{
    return c->state == TCP_FIN_WAIT_1 || c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
}

// Leaves the connection to the stack; the caller holds it.
static void let_go(struct tcp_conn *c)
{
    c->released = true;
    c->event = NULL;
    c->pending = 0;
}

void tcp_close(struct tcp_conn *c)
{
    tcp_hold(c);
    let_go(c);
    if (c->state == TCP_SYN_SENT)
        tcp_dead(c, 0);
    finish_sending(c);
    if (c->state == TCP_FIN_WAIT_2 && c->tuning.fin_wait_2_s < 0) {
        tcp_reset_send(c);
        tcp_dead(c, 0);
    } else if (c->state == TCP_FIN_WAIT_2) {
        tcp_fin_wait_2_start(c);
    }
    tcp_release(c);
}

void tcp_abort(struct tcp_conn *c)
{
    tcp_hold(c);
    let_go(c);
    if (c->state > TCP_SYN_SENT && c->state != TCP_TIME_WAIT)
        tcp_reset_send(c);
    tcp_dead(c, 0);
    tcp_release(c);
}

void tcp_set_keepalive(struct tcp_conn *c, struct tcp_keepalive k)
{
    c->keep = k;
    tcp_keep_timer_restart(c);
}

struct tcp_keepalive tcp_keepalive(const struct tcp_conn *c)
{
    return c->keep;
}

int tcp_error(const struct tcp_conn *c)
{
    return c->error;
}

struct net_address tcp_local(const struct tcp_conn *c)
{
    return c->local;
}

struct net_address tcp_peer(const struct tcp_conn *c)
{
    return c->peer;
}
