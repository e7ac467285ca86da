// SPDX-License-Identifier: MIT
// Connections by address pair, their life and their events. Events are collected while a segment
// or a timer is worked on and delivered when that is over (tcp_release), so a callback may do
// anything to the connection: it is held, and freed only when nobody works on it.
#include "net/tcp/tcp_priv.h"

#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/fmt.h"
#include "lib/node_var.h"
#include "mm/heap.h"

#define BUCKETS 256u

NODE_VAR(struct list, table[BUCKETS]);
NODE_VAR(unsigned, conn_count);

void tcp_conn_init(void)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&node(table)[i]);
}

static struct list *bucket_of(struct net_address local, struct net_address peer)
{
    uint32_t h = (peer.ip * 0x9e3779b1u) ^ ((uint32_t)peer.port << 16 | local.port) * 0x85ebca6bu;
    return &node(table)[(h ^ h >> 16) % BUCKETS];
}

static bool same(struct net_address a, struct net_address b)
{
    return a.ip == b.ip && a.port == b.port;
}

struct tcp_conn *tcp_conn_find(struct net_address local, struct net_address peer)
{
    struct tcp_conn *c;
    list_for_each (c, bucket_of(local, peer), table_link)
        if (same(c->local, local) && same(c->peer, peer))
            return c;
    return NULL;
}

void tcp_each(void (*fn)(void *arg, struct tcp_conn *c), void *arg)
{
    struct tcp_conn *c, *next;
    for (unsigned i = 0; i < BUCKETS; i++)
        list_for_each_safe (c, next, &node(table)[i], table_link)
            fn(arg, c);
}

struct tcp_conn *tcp_conn_new(struct net_address local, struct net_address peer, unsigned flags)
{
    struct tcp_conn *c = heap_zalloc(sizeof(*c));
    bool critical = flags & TCP_LINK;
    if (!c || !ring_init(&c->send, TCP_BUFFER_BYTES, critical) ||
        !ring_init(&c->receive, TCP_BUFFER_BYTES, critical)) {
        if (c)
            ring_free(&c->send);
        heap_free(c);
        net_counter_add(COUNT_tcp_no_memory);
        return NULL;
    }
    c->local = local;
    c->peer = peer;
    c->flags = flags;
    c->mss = MIN(tcp_mss_for(peer.ip), TCP_MSS_DEFAULT);
    c->iss = tcp_isn(local, peer);
    c->stamp_offset = tcp_stamp_start(local, peer);
    c->snd_una = c->snd_nxt = c->snd_max = c->iss;
    c->snd_data = c->iss + 1;
    c->recover = c->iss;
    c->rto_ns = TCP_RTO_FIRST_NS;
    list_init(&c->listener_link);
    list_init(&c->ack_link);
    c->cut_max = ip_cut_max(peer.ip);
    tcp_timers_init(c);
    list_push(bucket_of(local, peer), &c->table_link);
    node(conn_count)++;
    return c;
}

unsigned tcp_conn_count(void)
{
    return node(conn_count);
}

void tcp_hold(struct tcp_conn *c)
{
    c->holds++;
}

static void deliver(struct tcp_conn *c)
{
    if (c->accept_due) {
        c->accept_due = false;
        tcp_listener_established(c);
    }
    while (c->pending && c->event && !c->released) {
        unsigned events = c->pending;
        c->pending = 0;
        c->event(c->arg, c, events);
    }
}

void tcp_release(struct tcp_conn *c)
{
    if (c->holds == 1) {
        deliver(c);
        tcp_respond(c); // behind the events: what they sent carries the ACK
        deliver(c);     // what may be written again now that more was sent
    }
    if (--c->holds > 0 || !c->released || c->state != TCP_CLOSED)
        return;
    ring_free(&c->send);
    ring_free(&c->receive);
    heap_free(c);
    node(conn_count)--;
}

void tcp_post(struct tcp_conn *c, unsigned events)
{
    c->pending |= events;
}

void tcp_dead(struct tcp_conn *c, int error)
{
    if (c->state == TCP_CLOSED)
        return;
    tcp_state_set(c, TCP_CLOSED);
    tcp_timers_stop(c);
    tcp_ack_forget(c);
    list_remove(&c->table_link);
    ring_free(&c->send);
    c->gaps.count = c->sacked.count = 0;
    c->accept_due = false;
    if (error) {
        c->error = error;
        // What came before stays to be read, as on Linux (RFC 9293, 3.10.7.4 would flush it): a
        // server's last words are followed by a reset when it left bytes of ours unread.
        tcp_post(c, TCP_FAILED);
    }
    if (c->listener) { // nobody was told of it yet
        tcp_listener_forget(c);
        c->released = true;
    }
}

const char *tcp_conn_check(const struct tcp_conn *c)
{
    if (!seq_le(c->snd_una, c->snd_nxt) || !seq_le(c->snd_nxt, c->snd_max))
        return "1: SND.UNA <= SND.NXT <= highest sent";
    if (c->state == TCP_CLOSED)
        return NULL;
    if (c->send.length > c->send.size || c->receive.length > c->receive.size)
        return "2: buffers hold at most their size";
    if (seq_lt(tcp_fin_seq(c) + (c->fin_queued ? 1 : 0), c->snd_max))
        return "3: nothing was sent that is not queued";
    if (c->state > TCP_SYN_RECEIVED && seq_lt(c->rcv_adv, c->rcv_nxt))
        return "4: the window's edge is not behind RCV.NXT";
    if (!tcp_ranges_sound(&c->gaps, c->rcv_nxt))
        return "5: gaps are in order and apart";
    if (c->state > TCP_SYN_RECEIVED && c->cwnd < c->mss)
        return "6: the congestion window holds a segment";
    if (c->snd_una != c->snd_max && !timer_is_set(&c->send_timer))
        return "7: a timer waits for what is in flight";
    if (!tcp_ranges_sound(&c->sacked, c->snd_una) ||
        (c->sacked.count && seq_lt(c->snd_max, c->sacked.at[c->sacked.count - 1].end)))
        return "8: the scoreboard is in order, and within what is in flight";
    if (c->urgent != TCP_URGENT_NONE &&
        seq_lt(c->urgent_seq, c->rcv_nxt - c->fin_received - c->receive.length))
        return "9: the peer's mark is not behind the reader";
    if (c->urging && (!seq_lt(c->snd_una, c->snd_up) || seq_lt(tcp_fin_seq(c), c->snd_up)))
        return "10: our mark is in what is queued";
    return NULL;
}

void tcp_conn_show(const struct tcp_conn *c, struct text *t)
{
    char local[16], peer[16];
    net_format_ip(c->local.ip, local);
    net_format_ip(c->peer.ip, peer);
    text_add(t, "%s:%u %s:%u %s", local, c->local.port, peer, c->peer.port,
             tcp_state_name(c->state));
    text_add(t, " una %u nxt +%u max +%u queued %u wnd %u cwnd %u ssthresh %u", c->snd_una - c->iss,
             c->snd_nxt - c->snd_una, c->snd_max - c->snd_una, c->send.length, c->snd_wnd, c->cwnd,
             c->ssthresh);
    text_add(t, " rcv %u unread %u window %u gaps %u rto_us %u backoff %u error %d\n",
             c->rcv_nxt - c->irs, c->receive.length, c->rcv_adv - c->rcv_nxt, c->gaps.count,
             (unsigned)(c->rto_ns / 1000), c->backoff, c->error);
}
