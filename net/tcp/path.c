// SPDX-License-Identifier: MIT
// Path MTU discovery (RFC 1191, 6.4 and 6.5): a router drops our segments as too large.
#include "net/tcp/input.h"
#include "net/tcp/tcp_priv.h"

bool tcp_in_flight(struct net_address local, struct net_address peer, uint32_t seq)
{
    const struct tcp_conn *c = tcp_conn_find(local, peer);
    return c && tcp_state_sends(c->state) && seq_in(seq, c->snd_una, c->snd_max - c->snd_una);
}

// What is in flight goes again, in smaller segments: all of it was dropped there, or soon will be.
// That is no congestion (6.5).
static void send_smaller(struct tcp_conn *c)
{
    c->recovering = false;
    c->dup_acks = 0;
    c->recover = c->snd_max;
    c->snd_nxt = c->snd_una;
    tcp_output(c);
    tcp_send_timer_restart(c);
}

void tcp_path_narrows(struct net_address local, struct net_address peer)
{
    struct tcp_conn *c = tcp_conn_find(local, peer);
    uint32_t mss = tcp_mss_for(peer.ip) - (c && c->stamping ? TCP_STAMP_BYTES : 0);
    if (!c || mss >= c->mss)
        return;
    c->mss = (uint16_t)mss;
    tcp_hold(c);
    send_smaller(c);
    tcp_release(c);
}
