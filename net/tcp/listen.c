// SPDX-License-Identifier: MIT
// Listeners. A SYN makes a child connection at once; the children in handshake are bounded, and
// when too many are half open the oldest makes room: a flood of SYNs costs strangers their places,
// not the node its memory.
#include "net/tcp/tcp_priv.h"

#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/heap.h"

#define HALF_OPEN_MAX 64u

NODE_VAR(struct list, listeners);

void tcp_listen_init(void)
{
    list_init(&node(listeners));
}

struct tcp_listener *tcp_listener_find(uint16_t port)
{
    struct tcp_listener *l;
    list_for_each (l, &node(listeners), link)
        if (l->port == port)
            return l;
    return NULL;
}

struct tcp_listener *tcp_listen(uint16_t port, unsigned flags, tcp_accept_fn accept, void *arg)
{
    if (port == 0 || tcp_listener_find(port))
        return NULL;
    struct tcp_listener *l = heap_zalloc(sizeof(*l));
    if (!l)
        return NULL;
    l->port = port;
    l->flags = flags;
    l->accept = accept;
    l->arg = arg;
    list_init(&l->half_open);
    list_append(&node(listeners), &l->link);
    return l;
}

static void child_drop(struct tcp_conn *c, bool say_so)
{
    tcp_hold(c);
    if (say_so)
        tcp_reset_send(c);
    tcp_dead(c, -ECONNABORTED); // lets go of the listener
    tcp_release(c);
}

void tcp_unlisten(struct tcp_listener *l)
{
    struct tcp_conn *c, *next;
    list_for_each_safe (c, next, &l->half_open, listener_link)
        child_drop(c, true);
    list_remove(&l->link);
    heap_free(l);
}

void tcp_listener_give(struct tcp_listener *l, void *arg)
{
    l->arg = arg;
}

void tcp_listener_tune(struct tcp_listener *l, const struct tcp_tuning *t)
{
    l->tuning = *t;
}

void tcp_listener_forget(struct tcp_conn *c)
{
    list_remove(&c->listener_link);
    c->listener->half_open_count--;
    c->listener = NULL;
}

void tcp_listener_established(struct tcp_conn *c)
{
    struct tcp_listener *l = c->listener;
    tcp_listener_forget(c);
    l->accept(l->arg, c);
}

// RFC 9293, 3.10.7.2: segment arrives, state LISTEN.
void tcp_listener_segment(struct tcp_listener *l, const struct tcp_segment *s)
{
    // First, check for a RST: ignored.
    if (s->flags & TCP_RST)
        return;
    // Second, check for an ACK: bad on a connection in LISTEN.
    if (s->flags & TCP_ACK) {
        tcp_reset_reply(s);
        return;
    }
    // Third, check for a SYN. Fourth, anything else cannot be ours.
    if (!(s->flags & TCP_SYN))
        return;
    if (l->half_open_count >= HALF_OPEN_MAX) {
        net_counter_add(COUNT_tcp_backlog_full);
        child_drop(list_entry(l->half_open.next, struct tcp_conn, listener_link), false);
    }
    struct tcp_conn *c = tcp_conn_new(s->to, s->from, l->flags);
    if (!c)
        return; // the peer tries again
    tcp_state_set(c, TCP_LISTEN);
    c->listener = l;
    c->tuning = l->tuning;
    list_append(&l->half_open, &c->listener_link);
    l->half_open_count++;
    tcp_syn_received(c, s); // data on a SYN is not kept: the peer sends it again
    tcp_state_set(c, TCP_SYN_RECEIVED);
    tcp_syn_send(c);
}
