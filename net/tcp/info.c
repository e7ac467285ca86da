// SPDX-License-Identifier: MIT
// What is known of a connection, for who asks.
#include "net/tcp/tcp_priv.h"

#define NS_PER_US  1000u
#define REORDERING 3u // DupThresh (RFC 5681)

static const uint8_t numbers[TCP_STATES] = {
    [TCP_ESTABLISHED] = 1, [TCP_SYN_SENT] = 2,  [TCP_SYN_RECEIVED] = 3, [TCP_FIN_WAIT_1] = 4,
    [TCP_FIN_WAIT_2] = 5,  [TCP_TIME_WAIT] = 6, [TCP_CLOSED] = 7,       [TCP_CLOSE_WAIT] = 8,
    [TCP_LAST_ACK] = 9,    [TCP_LISTEN] = 10,   [TCP_CLOSING] = 11,
};

static uint32_t segments(const struct tcp_conn *c, uint32_t bytes)
{
    return bytes / c->mss + (bytes % c->mss != 0);
}

static uint32_t ago_ms(uint64_t then_ns)
{
    return then_ns ? (uint32_t)((clock_now_ns() - then_ns) / NS_PER_MS) : 0;
}

static uint8_t recovery_of(const struct tcp_conn *c)
{
    if (c->recovering)
        return 3;
    if (c->state > TCP_SYN_RECEIVED && seq_lt(c->snd_nxt, c->snd_max))
        return 4;
    return c->dup_acks || c->sacked.count ? 1 : 0;
}

static void flight_facts(const struct tcp_conn *c, struct tcp_facts *f)
{
    uint32_t lost, again;
    tcp_sack_count(c, &lost, &again);
    f->recovery = recovery_of(c);
    f->unacked = segments(c, c->snd_max - c->snd_una);
    f->sacked = segments(c, tcp_ranges_bytes(&c->sacked, c->snd_una, c->snd_max));
    f->lost = segments(c, lost);
    f->again = segments(c, again);
    f->cwnd = c->cwnd / c->mss;
    f->ssthresh = c->ssthresh == UINT32_MAX ? UINT32_MAX : c->ssthresh / c->mss;
    f->reordering = REORDERING;
    f->snd_wnd = c->snd_wnd;
    f->unsent = (uint32_t)tcp_unsent_bytes(c);
    f->backoff = (uint8_t)c->backoff;
    f->probes = (uint8_t)(c->snd_wnd ? c->keep_sent : c->backoff);
    f->rto_us = (uint32_t)(c->rto_ns / NS_PER_US);
    f->rtt_us = (uint32_t)(c->srtt_ns / NS_PER_US);
    f->rttvar_us = (uint32_t)(c->rttvar_ns / NS_PER_US);
    f->rtt_min_us = (uint32_t)(c->seen.rtt_min_ns / NS_PER_US);
    f->data_sent_ms = ago_ms(c->sent_ns);
}

static void receive_facts(const struct tcp_conn *c, struct tcp_facts *f)
{
    f->ato_us = c->seen.text_ns ? (uint32_t)(TCP_DELAYED_ACK_NS / NS_PER_US) : 0;
    f->rcv_mss = MAX(c->seen.segment_in, MIN(f->own_mss, TCP_MSS_DEFAULT));
    f->rcv_wnd = c->rcv_adv - c->rcv_nxt;
    f->rcv_room = c->receive.size;
    if (c->tuning.window_max)
        f->rcv_room = MIN(f->rcv_room, c->tuning.window_max);
    f->data_received_ms = ago_ms(c->seen.text_ns);
    f->heard_ms = ago_ms(c->heard_ns);
}

void tcp_facts(const struct tcp_conn *c, struct tcp_facts *f)
{
    uint16_t options = c->stamping ? TCP_STAMP_BYTES : 0;
    *f = (struct tcp_facts){.state = numbers[c->state],
                            .stamps = c->stamping,
                            .sack = c->sack,
                            .scaling = c->rcv_scale != 0,
                            .snd_scale = c->snd_scale,
                            .rcv_scale = c->rcv_scale,
                            .snd_mss = c->mss,
                            .own_mss = (uint32_t)tcp_mss_own(c) - options,
                            .path_mtu = (uint32_t)ip_room(c->peer.ip) + sizeof(struct ip_wire),
                            .bytes_acked = c->seen.bytes_acked,
                            .bytes_received = c->seen.bytes_received,
                            .bytes_sent = c->seen.bytes_sent,
                            .bytes_again = c->seen.bytes_again,
                            .segments_out = c->seen.segments_out,
                            .segments_in = c->seen.segments_in,
                            .data_out = c->seen.data_out,
                            .data_in = c->seen.data_in,
                            .again_all = c->seen.again,
                            .twice_told = c->seen.twice_told,
                            .out_of_order = c->seen.out_of_order};
    flight_facts(c, f);
    receive_facts(c, f);
}
