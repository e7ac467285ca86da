// SPDX-License-Identifier: MIT
// TCP_INFO of tcp(7): of a connection of the stack what it knows; of one that is joined over
// loopback what Linux says of its own loopback, where there is nothing of the kind.
#include "lib/string.h"
#include "net/tcp/tcp.h"
#include "ssi/stream/socket_priv.h"

struct linux_tcp_info { // include/uapi/linux/tcp.h, of Linux 6.2
    uint8_t state, ca_state, retransmits, probes, backoff, options, scales, limited;
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
} PACKED;
STATIC_ASSERT(sizeof(struct linux_tcp_info) == 240, "tcp_info of the ABI");

enum { // bits of `options`
    STAMPS = 1,
    SACK = 2,
    SCALING = 4,
};

#define NO_THRESHOLD    0x7fffffffu
#define SEGMENT_DEFAULT 536u

// Of Linux's lo.
#define LOOPBACK_SCALE  7u
#define LOOPBACK_MTU    65535u
#define LOOPBACK_OWN    65483u
#define LOOPBACK_RTO_US 201000u
#define ATO_US          40000u
#define FIRST_CWND      10u
#define REORDERING      3u
#define FIRST_RTO_US    1000000u
#define RTTVAR_FIRST_US 250000u

static uint8_t scales(uint8_t snd, uint8_t rcv)
{
    return (uint8_t)(snd | rcv << 4);
}

static void of_stack(const struct tcp_conn *c, struct linux_tcp_info *i)
{
    struct tcp_facts f;
    tcp_facts(c, &f);
    i->state = f.state;
    i->ca_state = f.recovery;
    i->retransmits = i->backoff = f.backoff;
    i->probes = f.probes;
    i->options =
        (uint8_t)((f.stamps ? STAMPS : 0) | (f.sack ? SACK : 0) | (f.scaling ? SCALING : 0));
    i->scales = scales(f.snd_scale, f.rcv_scale);
    i->rto = f.rto_us;
    i->ato = f.ato_us;
    i->snd_mss = f.snd_mss;
    i->rcv_mss = f.rcv_mss;
    i->unacked = f.unacked;
    i->sacked = f.sacked;
    i->lost = f.lost;
    i->retrans = f.again;
    i->last_data_sent = f.data_sent_ms;
    i->last_data_recv = f.data_received_ms;
    i->last_ack_recv = f.heard_ms;
    i->pmtu = f.path_mtu;
    i->rcv_ssthresh = i->rcv_space = f.rcv_room;
    i->rtt = f.rtt_us;
    i->rttvar = f.rttvar_us;
    i->snd_ssthresh = MIN(f.ssthresh, NO_THRESHOLD);
    i->snd_cwnd = f.cwnd;
    i->advmss = f.own_mss;
    i->reordering = f.reordering;
    i->total_retrans = f.again_all;
    i->bytes_acked = f.bytes_acked;
    i->bytes_received = f.bytes_received;
    i->segs_out = f.segments_out;
    i->segs_in = f.segments_in;
    i->notsent_bytes = f.unsent;
    i->min_rtt = f.rtt_min_us;
    i->data_segs_in = f.data_in;
    i->data_segs_out = f.data_out;
    i->bytes_sent = f.bytes_sent;
    i->bytes_retrans = f.bytes_again;
    i->dsack_dups = f.twice_told;
    i->rcv_ooopack = f.out_of_order;
    i->snd_wnd = f.snd_wnd;
    i->rcv_wnd = f.rcv_wnd;
}

static uint32_t ago_ms(uint64_t then_ns)
{
    return then_ns ? (uint32_t)((clock_now_ns() - then_ns) / NS_PER_MS) : 0;
}

// Two sends that follow each other could have been one segment; that is not counted.
static void of_joined(const struct socket *s, struct linux_tcp_info *i)
{
    const struct joined_tcp *j = &s->joined;
    const struct joined_count *in = &j->received,
                              *out = s->peer ? &s->peer->joined.received : &j->sent;
    i->options = STAMPS | SACK | SCALING;
    i->scales = scales(LOOPBACK_SCALE, LOOPBACK_SCALE);
    i->rto = LOOPBACK_RTO_US;
    i->ato = in->times ? ATO_US : 0;
    i->snd_mss = i->rcv_mss = j->segment;
    i->last_data_sent = ago_ms(out->last_ns);
    i->last_data_recv = i->last_ack_recv = ago_ms(in->last_ns);
    i->pmtu = LOOPBACK_MTU;
    i->rtt = i->rttvar = i->min_rtt = 1;
    i->advmss = s->max_segment ? j->segment : LOOPBACK_OWN;
    i->bytes_acked = out->bytes + j->opener; // Linux counts its SYN
    i->bytes_received = in->bytes;
    i->bytes_sent = out->bytes;
    i->data_segs_out = out->times;
    i->data_segs_in = in->times;
    i->segs_out = i->segs_in = in->times + out->times + 2;
    i->rcv_ssthresh = i->rcv_space = i->rcv_wnd = s->receive_limit / 2;
    i->snd_wnd = s->peer ? s->peer->receive_limit / 2 : 0;
    if (s->peer)
        i->notsent_bytes = s->peer->joined.hidden;
}

static void of_nothing(const struct socket *s, struct linux_tcp_info *i)
{
    i->rto = FIRST_RTO_US;
    i->rttvar = RTTVAR_FIRST_US;
    i->snd_mss = tcp_info_segment(s);
}

long tcp_info_get(const struct socket *s, void *value)
{
    struct linux_tcp_info i = {.state = (uint8_t)socket_state_number(s),
                               .snd_ssthresh = NO_THRESHOLD,
                               .snd_cwnd = FIRST_CWND,
                               .reordering = REORDERING,
                               .pacing_rate = UINT64_MAX,
                               .max_pacing_rate = UINT64_MAX};
    if (s->state == SOCKET_LISTENING) {
        i.unacked = s->child_count;
        i.sacked = s->backlog;
    } else if (s->conn) {
        of_stack(s->conn, &i);
    } else if (s->was_connected) {
        of_joined(s, &i);
    } else {
        of_nothing(s, &i);
    }
    memcpy(value, &i, sizeof(i));
    return sizeof(i);
}

uint32_t tcp_info_segment(const struct socket *s)
{
    struct tcp_facts f;
    bool connected = s->state == SOCKET_CONNECTED || s->state == SOCKET_CONNECTING;
    if (!connected || (s->conn == NULL && s->joined.segment == 0))
        return s->max_segment ? (uint32_t)s->max_segment : SEGMENT_DEFAULT;
    if (s->conn == NULL)
        return s->joined.segment;
    tcp_facts(s->conn, &f);
    return f.snd_mss;
}
