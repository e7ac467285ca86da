// SPDX-License-Identifier: MIT
// The inside of TCP: the connection, and who does what to it. Reading order as in FILES.
#pragma once

#include "kernel/timer.h"
#include "lib/fmt.h"
#include "lib/list.h"
#include "net/counters.h"
#include "net/ip.h"
#include "net/tcp/options.h"
#include "net/tcp/ranges.h"
#include "net/tcp/ring.h"
#include "net/tcp/seq.h"
#include "net/tcp/tcp.h"
#include "net/wire.h"

enum tcp_state {
#define TCP_STATE(name) TCP_##name,
#define TCP_MOVE(from, to)
#include "net/tcp/states.def"
#undef TCP_STATE
#undef TCP_MOVE
};
#define TCP_STATES (TCP_TIME_WAIT + 1)

#define TCP_WINDOW_PLAIN 65535u                          // what a window without scaling can name
#define TCP_SCALE        2u                              // ours (RFC 7323, 2)
#define TCP_BUFFER_BYTES (TCP_WINDOW_PLAIN << TCP_SCALE) // each way, at most
#define TCP_MSS_DEFAULT  536u // RFC 9293, 3.7.1: when the peer names none
#define TCP_MSS_MIN      64u  // a peer that names less is held to this
#define TCP_RECENT       4u   // places of segments out of order that ACKs name first

#define TCP_MSL_NS              (30 * NS_PER_S)
#define TCP_FIN_WAIT_NS         (60 * NS_PER_S)   // FIN_WAIT_2 whose user has closed
#define TCP_DELAYED_ACK_NS      (40 * NS_PER_MS)  // RFC 9293 asks for less than 500 ms
#define TCP_HOLD_NS             (200 * NS_PER_MS) // a corked segment that is not full
#define TCP_RTO_FIRST_NS        (1 * NS_PER_S)    // RFC 6298, 2.1
#define TCP_RTO_MIN_NS          (200 * NS_PER_MS) // RFC 6298: 1 s; all use less
#define TCP_RTO_MAX_NS          (60 * NS_PER_S)
#define TCP_GIVE_UP_NS          (100 * NS_PER_S) // R2 of RFC 9293, 3.8.3
#define TCP_GIVE_UP_SYN_NS      (180 * NS_PER_S)
#define TCP_LINK_RTO_MIN_NS     (10 * NS_PER_MS) // links: see TCP_LINK
#define TCP_LINK_RTO_MAX_NS     (1 * NS_PER_S)
#define TCP_LINK_GIVE_UP_SYN_NS (10 * NS_PER_S)

struct tcp_segment { // a segment as the wire gave it, parsed once
    struct net_address from, to;
    uint32_t seq, ack;
    uint8_t flags;
    uint32_t urgent; // with URG: sequence number of the urgent byte
    uint32_t window; // bytes: scaled once its connection is known
    struct tcp_options options;
    const uint8_t *data;
    uint32_t n;
};

enum tcp_timer_kind {     // what the send timer waits for
    TCP_TIMER_RETRANSMIT, // RFC 6298
    TCP_TIMER_PROBE_TAIL, // RFC 8985, 7
    TCP_TIMER_PERSIST,    // RFC 9293, 3.8.6.1: window closed, or too small to be worth a segment
};

struct tcp_conn {
    struct list table_link;    // while not CLOSED
    struct list listener_link; // in SYN_RECEIVED, child of a listener
    enum tcp_state state;      // written by tcp_state_set only
    unsigned flags;            // enum tcp_flags
    struct tcp_tuning tuning;
    struct net_address local, peer;
    int error;
    unsigned holds;  // calls under way; it is freed when none is
    bool released;   // its user let go
    bool accept_due; // established, its listener's user not told yet
    bool deferred;   // in SYN_RECEIVED, acknowledged: text is waited for
    tcp_event_fn event;
    void *arg;
    unsigned pending; // events to deliver
    struct tcp_listener *listener;

    // Send sequence space (RFC 9293, 3.3.1).
    uint32_t iss, snd_una, snd_nxt;
    uint32_t snd_max;  // highest ever sent; snd_nxt goes back after a timeout
    uint32_t snd_data; // sequence number of the first byte in `send`
    uint32_t snd_wnd, snd_wl1, snd_wl2;
    uint32_t snd_wnd_max; // largest window the peer ever offered
    uint16_t mss;         // largest segment we send: data, beside the options of each segment
    uint8_t snd_scale;    // of the windows we are told
    uint32_t cut_max;     // bytes that the card cuts into segments; 0: it does not
    bool sack;            // both ends agreed on SACK (RFC 2018)
    bool fin_queued;      // our FIN comes behind what is in `send`
    bool want_writable;   // a tcp_send took less than given
    bool more;            // more follows what was sent last
    bool urging;          // urgent bytes are not acknowledged yet:
    uint32_t snd_up;      // SND.UP, the number behind the last of them
    struct ring send;

    // Receive sequence space.
    uint32_t irs, rcv_nxt;
    uint32_t rcv_adv;   // right edge of the window we told the peer
    uint32_t rcv_acked; // rcv_nxt as of our last ACK
    bool fin_known;     // a FIN was seen, perhaps behind a hole
    bool fin_received;  // and everything before it
    uint32_t fin_seq;
    bool ack_now, ack_later;
    bool ack_batch;       // ack_now may wait for the end of the batch
    struct list ack_link; // while it does
    struct ring receive;
    uint8_t rcv_scale;                // of the windows we tell
    struct tcp_ranges gaps;           // what lies behind a hole
    uint32_t sack_recent[TCP_RECENT]; // where the last segments out of order began
    bool twice_known;                 // RFC 2883: tell this duplicate with the next ACK
    struct tcp_range twice;
    enum tcp_urgent urgent; // the mark that the peer set:
    uint32_t urgent_seq;    // where, once it did
    uint8_t urgent_byte;    // what, when it is HERE
    bool urgent_apart;      // the user takes it out of the stream

    // Timestamps (RFC 7323).
    bool stamping;         // both ends agreed
    uint32_t stamp_offset; // of our clock
    uint32_t stamp_recent; // TS.Recent
    uint64_t stamp_recent_ns;

    // Congestion control (RFC 5681, 6582, 6675).
    uint32_t cwnd, ssthresh;
    uint32_t recover;
    bool recovering;
    unsigned dup_acks;
    struct tcp_ranges sacked;       // the scoreboard: above SND.UNA, below what was sent
    uint32_t high_rxt;              // HighRxt: one past what this recovery sent again
    bool rescued;                   // it has sent its last resort (NextSeg, 4)
    uint32_t again_una, again_mark; // SND.UNA and the highest sent when the first hole went again
    uint32_t undo_cwnd, undo_ssthresh, undo_stamp; // before the first timeout in a row (RFC 3522)

    // Round trip and retransmission (RFC 6298).
    uint64_t srtt_ns, rttvar_ns, rto_ns;
    bool rtt_known, timing;
    uint32_t timing_seq; // the ACK that ends the measurement
    uint64_t timing_ns;
    unsigned backoff;    // timeouts in a row
    uint64_t stalled_ns; // when the first of them was armed: the start of giving up
    uint64_t sent_ns;    // last time data went out
    uint64_t waiting_ns; // since when an ACK of anything new is waited for
    bool tail_probed;    // since the last new ACK
    bool probe_open;     // the probe sent old bytes, and their ACK is not there (RFC 8985, 7.4)
    bool probe_needless; // the peer had them already
    uint32_t probe_end;
    uint64_t heard_ns; // last acceptable segment of the peer

    struct { // for tcp_facts only
        uint64_t bytes_acked, bytes_received, bytes_sent, bytes_again;
        uint64_t text_ns; // last text of the peer
        uint64_t rtt_min_ns;
        uint32_t segments_out, segments_in, data_out, data_in, again;
        uint32_t twice_told, out_of_order;
        uint32_t segment_in; // longest text of one segment
    } seen;

    enum tcp_timer_kind send_timer_kind;
    struct timer send_timer;
    struct timer ack_timer;
    struct timer end_timer; // TIME_WAIT, abandoned FIN_WAIT_2
    struct timer keep_timer;
    struct tcp_keepalive keep; // idle_s 0: off
    unsigned keep_sent;        // probes since the peer was heard

    uint64_t challenge_ns; // start of the second being counted
    unsigned challenges;
};

struct tcp_listener {
    struct list link;
    struct list half_open;
    struct tcp_tuning tuning;
    unsigned half_open_count;
    uint16_t port;
    unsigned flags;
    tcp_accept_fn accept;
    void *arg;
};

// ---- state.c: the one setter, and what the states mean -----------------------------------------
const char *tcp_state_name(enum tcp_state s);
bool tcp_state_may_follow(enum tcp_state from, enum tcp_state to);
void tcp_state_set(struct tcp_conn *c, enum tcp_state to);
bool tcp_state_sends(enum tcp_state s);    // data and FIN may go out
bool tcp_state_receives(enum tcp_state s); // new data may come in

// ---- conn.c: birth, death, events --------------------------------------------------------------
void tcp_conn_init(void);
struct tcp_conn *tcp_conn_new(struct net_address local, struct net_address peer, unsigned flags);
struct tcp_conn *tcp_conn_find(struct net_address local, struct net_address peer);
void tcp_hold(struct tcp_conn *c);
// The last one delivers events, answers the peer, and frees the connection if nobody needs it.
void tcp_release(struct tcp_conn *c);
void tcp_post(struct tcp_conn *c, unsigned events);
// To CLOSED: out of the table, timers off, buffers of sending gone. error 0: a normal end.
void tcp_dead(struct tcp_conn *c, int error);
unsigned tcp_conn_count(void); // connections that exist in any state
// Numbered invariants; NULL or the one that does not hold.
const char *tcp_conn_check(const struct tcp_conn *c);
void tcp_conn_show(const struct tcp_conn *c, struct text *t);
void tcp_each(void (*fn)(void *arg, struct tcp_conn *c), void *arg); // those in the table

// ---- input.c: SEGMENT ARRIVES ------------------------------------------------------------------
void tcp_syn_received(struct tcp_conn *c, const struct tcp_segment *s);

// ---- listen.c ----------------------------------------------------------------------------------
void tcp_listen_init(void);
struct tcp_listener *tcp_listener_find(uint16_t port);
void tcp_listener_segment(struct tcp_listener *l, const struct tcp_segment *s); // 3.10.7.2
void tcp_listener_established(struct tcp_conn *c); // a child is through its handshake
void tcp_listener_forget(struct tcp_conn *c);      // a child is gone

// ---- segment.c: the wire -----------------------------------------------------------------------
bool tcp_segment_parse(const struct ip_packet *p, struct tcp_segment *s);
static inline uint32_t tcp_segment_length(const struct tcp_segment *s)
{
    return s->n + (s->flags & TCP_FIN ? 1 : 0) + (s->flags & TCP_SYN ? 1 : 0);
}
// Sends one segment with `n` bytes of `c->send` that begin at sequence number seq; several when n
// is more than one takes, up to cut_max. False: the way to the wire is full, nothing went.
bool tcp_segment_send(struct tcp_conn *c, uint32_t seq, uint32_t n, uint8_t flags);
void tcp_reset_reply(const struct tcp_segment *s); // 3.10.7.1: to whom we have nothing to say
void tcp_reset_send(struct tcp_conn *c);           // <SEQ=SND.NXT><CTL=RST,ACK>
uint16_t tcp_mss_for(uint32_t peer_ip);
uint16_t tcp_mss_own(const struct tcp_conn *c); // what our SYN tells
// isn.c, RFC 6528
uint32_t tcp_isn(struct net_address local, struct net_address peer);
uint32_t tcp_stamp_start(struct net_address local, struct net_address peer); // RFC 7323, 5.4

// ---- stamps.c: timestamps and PAWS -------------------------------------------------------------
uint32_t tcp_stamp_now(const struct tcp_conn *c);
bool tcp_stamp_too_old(const struct tcp_conn *c, const struct tcp_segment *s);
bool tcp_stamp_missing(const struct tcp_conn *c, const struct tcp_segment *s);
void tcp_stamp_take(struct tcp_conn *c, const struct tcp_segment *s, uint32_t seq);
void tcp_stamp_sample(struct tcp_conn *c, const struct tcp_segment *s);

// ---- sack.c: what we tell, and the scoreboard --------------------------------------------------
void tcp_sack_note(struct tcp_conn *c, uint32_t seq);                  // text out of order arrived
void tcp_sack_twice(struct tcp_conn *c, uint32_t start, uint32_t end); // text came again
void tcp_sack_tell(struct tcp_conn *c, struct tcp_options *o, unsigned max);
bool tcp_sack_received(struct tcp_conn *c, const struct tcp_segment *s); // true: news
bool tcp_sack_first_lost(const struct tcp_conn *c);
bool tcp_sack_lost_again(const struct tcp_conn *c);
uint32_t tcp_sack_pipe(const struct tcp_conn *c);
bool tcp_sack_next(const struct tcp_conn *c, bool lost, struct tcp_range *next);
uint32_t tcp_sack_skip(const struct tcp_conn *c, uint32_t seq);
uint32_t tcp_sack_hole_bytes(const struct tcp_conn *c, uint32_t seq);
// Of what is in flight: bytes that count as lost, and bytes that were sent again.
void tcp_sack_count(const struct tcp_conn *c, uint32_t *lost, uint32_t *again);

// ---- ack.c: what an acceptable ACK means -------------------------------------------------------
void tcp_ack_established(struct tcp_conn *c, const struct tcp_segment *s); // of our SYN
void tcp_ack(struct tcp_conn *c, const struct tcp_segment *s);
bool tcp_fin_acked(const struct tcp_conn *c);
void tcp_rtt_sample(struct tcp_conn *c, uint64_t rtt_ns);

// ---- congestion.c ------------------------------------------------------------------------------
void tcp_congestion_start(struct tcp_conn *c); // cwnd for a fresh or long idle connection
void tcp_congestion_acked(struct tcp_conn *c, uint32_t bytes, uint32_t ack);
void tcp_congestion_dup_ack(struct tcp_conn *c);           // of a peer without SACK
void tcp_congestion_sacked(struct tcp_conn *c, bool news); // behind each ACK with the scoreboard
void tcp_congestion_timeout(struct tcp_conn *c);
bool tcp_congestion_undo(struct tcp_conn *c, const struct tcp_segment *s);
void tcp_congestion_tail_lost(struct tcp_conn *c);
uint32_t tcp_congestion_room(const struct tcp_conn *c);

// ---- text.c: what arrives in order and out of order --------------------------------------------
void tcp_text(struct tcp_conn *c, const struct tcp_segment *s); // 3.10.7.4, seventh and eighth
uint32_t tcp_window(const struct tcp_conn *c);                  // what we offer now
uint32_t tcp_window_first(const struct tcp_conn *c);            // what our SYN offers
bool tcp_window_worth_telling(const struct tcp_conn *c);

// ---- urgent.c: the urgent pointer --------------------------------------------------------------
void tcp_urgent_arrives(struct tcp_conn *c, const struct tcp_segment *s); // 3.10.7.4, sixth
void tcp_urgent_consumed(struct tcp_conn *c); // bytes were read while there was a mark
// What a segment that begins at seq says of urgent bytes behind it, while `urging`.
void tcp_urgent_tell(const struct tcp_conn *c, uint32_t seq, struct tcp_wire *h);

// ---- output.c ----------------------------------------------------------------------------------
void tcp_output_init(void);
void tcp_output(struct tcp_conn *c);           // all that may go now; arms the send timer
void tcp_ack_send(struct tcp_conn *c);         // a bare ACK, at once
void tcp_syn_send(struct tcp_conn *c);         // SYN or SYN+ACK, by state
void tcp_retransmit_first(struct tcp_conn *c); // the segment at SND.UNA
void tcp_send_forced(struct tcp_conn *c);      // whatever the window: a probe, or a small segment
void tcp_probe_tail(struct tcp_conn *c);       // the last segment in flight, again
void tcp_keep_probe(struct tcp_conn *c);
void tcp_ack_forget(struct tcp_conn *c);        // it waits for no batch any more
void tcp_respond(struct tcp_conn *c);           // after a segment: data, or the ACK that is due
void tcp_challenge(struct tcp_conn *c);         // RFC 5961: an ACK, within the limit
uint32_t tcp_fin_seq(const struct tcp_conn *c); // sequence number of our FIN

// ---- timers.c ----------------------------------------------------------------------------------
void tcp_timers_init(struct tcp_conn *c);
void tcp_timers_stop(struct tcp_conn *c);
void tcp_send_timer_update(struct tcp_conn *c);  // sets what must be set, keeps what runs
void tcp_send_timer_restart(struct tcp_conn *c); // after output and after each new ACK
void tcp_rto_reset(struct tcp_conn *c);          // from srtt, without back-off
void tcp_end_timer_start(struct tcp_conn *c, uint64_t ns);
void tcp_fin_wait_2_start(struct tcp_conn *c);   // the end timer, for a connection without a user
void tcp_keep_timer_restart(struct tcp_conn *c); // settings changed, or the connection is new
