// SPDX-License-Identifier: MIT
// TCP (RFC 9293; see tcp/FILES for the others) for the kernel and, through sockets, for programs.
// No call here sleeps: they take what fits and events say when to come again.
#pragma once

#include "net/net.h"

struct tcp_conn;
struct tcp_listener;

enum tcp_event {
    TCP_CONNECTED = 1, // the handshake is done
    TCP_READABLE = 2,  // bytes, or the peer's FIN, wait in tcp_receive
    TCP_WRITABLE = 4,  // tcp_send takes bytes again after it took fewer than given
    TCP_FAILED = 8,    // reset, timed out, refused: see tcp_error; last event of a connection
    TCP_ACKED = 16,    // everything sent so far was acknowledged
    TCP_URGENT = 32,   // the peer announces an urgent byte, or a later one than before
};

enum tcp_flags {
    TCP_NODELAY = 1, // no Nagle
    TCP_LINK = 2,    // between nodes: no delayed ACK, rto_min 10 ms, the critical reserve of
                     // segments both ways (a documented deviation, PROTOCOLS 3)
    TCP_CORKED = 4,  // full segments only; the rest waits up to 200 ms
    TCP_PROMPT = 8,  // no delayed ACK
};

// What a user may ask of a connection, or of those of a listener. Zero: as it is without asking.
struct tcp_tuning {
    uint16_t segment_max;     // data and options of a segment (RFC 6691): told in our SYN, held to
    uint8_t syn_retries;      // of a connection that we open
    uint8_t defer_retries;    // of a SYN+ACK, until an ACK without text opens a connection
    int32_t fin_wait_2_s;     // how long it waits there for nobody; negative: not at all
    uint32_t user_timeout_ms; // RFC 5482
    uint32_t window_max;      // what we offer
    uint32_t unsent_max;      // tcp_writable_bytes ends there
};

// `event` runs with the kernel lock held, never sleeps, and may call every function here.
typedef void (*tcp_event_fn)(void *arg, struct tcp_conn *c, unsigned events);
// A new connection of a listener, established; set its events at once with tcp_set_events.
typedef void (*tcp_accept_fn)(void *arg, struct tcp_conn *c);

struct tcp_listener *tcp_listen(uint16_t port, unsigned flags, tcp_accept_fn accept, void *arg);
void tcp_unlisten(struct tcp_listener *l);
void tcp_listener_give(struct tcp_listener *l, void *arg); // another argument for `accept`
void tcp_listener_tune(struct tcp_listener *l, const struct tcp_tuning *t); // those to come

// NULL: no memory, no route or no free port. The outcome comes as an event.
struct tcp_conn *tcp_connect(struct net_address to, unsigned flags, tcp_event_fn event, void *arg);
// From a port of ours that the caller has chosen; `*error` says why it is NULL: -EADDRNOTAVAIL (the
// pair of addresses is in use), -ENETUNREACH, -EHOSTUNREACH, -ENOBUFS.
struct tcp_conn *tcp_connect_from(struct net_address local, struct net_address to, unsigned flags,
                                  const struct tcp_tuning *t, tcp_event_fn event, void *arg,
                                  int *error);
bool tcp_port_taken(uint16_t port); // somebody listens
void tcp_set_events(struct tcp_conn *c, tcp_event_fn event, void *arg);

// Bytes taken (may be 0: buffer full) or negative errno (-EPIPE after close or failure).
long tcp_send(struct tcp_conn *c, const void *bytes, size_t n);
// Bytes given; 0: end of stream; -EAGAIN: nothing yet; negative errno of the failure.
long tcp_receive(struct tcp_conn *c, void *bytes, size_t n);
bool tcp_ended(const struct tcp_conn *c);          // the peer's FIN came, with all before it
void tcp_want_writable(struct tcp_conn *c);        // TCP_WRITABLE when there is room again
void tcp_set_nodelay(struct tcp_conn *c, bool on); // on: what is held goes, corked or not
void tcp_set_corked(struct tcp_conn *c, bool on);
void tcp_set_prompt(struct tcp_conn *c, bool on);
void tcp_tune(struct tcp_conn *c, const struct tcp_tuning *t); // segment_max: only before its SYN
// As tcp_send; more follows soon, so a segment that is not full waits for it as if corked.
long tcp_send_more(struct tcp_conn *c, const void *bytes, size_t n);
// As tcp_send; the last byte taken is urgent, and is announced ahead of all that waits before it.
long tcp_send_urgent(struct tcp_conn *c, const void *bytes, size_t n);
// The same in two steps, without a copy: bytes behind the first `skip` as they lie in memory, and
// how many are there in one piece (0: none); then the oldest n are forgotten.
const void *tcp_view(const struct tcp_conn *c, size_t skip, size_t *n);
void tcp_consume(struct tcp_conn *c, size_t n);
size_t tcp_readable_bytes(const struct tcp_conn *c);
size_t tcp_writable_bytes(const struct tcp_conn *c);
size_t tcp_unsent_bytes(const struct tcp_conn *c); // queued and never yet sent
bool tcp_is_full(const struct tcp_conn *c);        // the peer may not send a segment's worth

// The peer's mark in the stream (RFC 9293, 3.8.5): the last urgent byte it told of.
enum tcp_urgent {
    TCP_URGENT_NONE,      // none, or tcp_consume went past it
    TCP_URGENT_ANNOUNCED, // the byte is not here yet
    TCP_URGENT_HERE,      // TCP_READABLE was told
    TCP_URGENT_TAKEN,     // by tcp_urgent_take; its place in the stream is still ahead
};
// `*ahead`: unread bytes before it, when there is one.
enum tcp_urgent tcp_urgent(const struct tcp_conn *c, uint32_t *ahead);
uint8_t tcp_urgent_take(struct tcp_conn *c, bool peek); // the byte that is HERE
// It stays in what tcp_view shows in any case. On: the user leaves it out there, as programs want
// without SO_OOBINLINE.
void tcp_set_urgent_apart(struct tcp_conn *c, bool on);

// Keep-alive (RFC 9293, 3.8.4): after `idle_s` without a sign of the peer up to `probes` probes,
// `interval_s` apart; then the connection fails with -ETIMEDOUT. idle_s 0: off, as it begins.
struct tcp_keepalive {
    uint32_t idle_s, interval_s, probes;
};
void tcp_set_keepalive(struct tcp_conn *c, struct tcp_keepalive k);
struct tcp_keepalive tcp_keepalive(const struct tcp_conn *c);

void tcp_shutdown_send(struct tcp_conn *c); // FIN after what is queued
// Lets go: FIN after what is queued, then the stack frees it; no more events.
void tcp_close(struct tcp_conn *c);
void tcp_abort(struct tcp_conn *c); // RST, freed, no more events
// After tcp_shutdown_send: not all of it, FIN included, is acknowledged. TCP_ACKED or TCP_FAILED
// tells when it is over.
bool tcp_is_closing(const struct tcp_conn *c);

// What is known of a connection, as tcp(7) wants to know it. Times in us, or ms where it says so;
// counts of segments are of full ones where they stand for bytes.
struct tcp_facts {
    uint8_t state;    // 1 ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE,
                      // CLOSE_WAIT, LAST_ACK, LISTEN, 11 CLOSING
    uint8_t recovery; // 0 open, 1 disorder, 3 recovery, 4 loss
    uint8_t backoff, probes;
    bool stamps, sack, scaling;
    uint8_t snd_scale, rcv_scale;
    uint32_t rto_us, ato_us, rtt_us, rttvar_us, rtt_min_us;
    uint32_t snd_mss, rcv_mss, own_mss, path_mtu; // own_mss: what we told, less what options take
    uint32_t unacked, sacked, lost, again, cwnd, reordering; // segments
    uint32_t ssthresh;                                       // segments; UINT32_MAX: none
    uint32_t snd_wnd, rcv_wnd, rcv_room, unsent;             // bytes
    uint32_t data_sent_ms, data_received_ms, heard_ms;       // ago
    uint64_t bytes_acked, bytes_received, bytes_sent, bytes_again;
    uint32_t segments_out, segments_in, data_out, data_in, again_all;
    uint32_t twice_told, out_of_order;
};
void tcp_facts(const struct tcp_conn *c, struct tcp_facts *f);

int tcp_error(const struct tcp_conn *c); // 0 or negative errno
struct net_address tcp_local(const struct tcp_conn *c);
struct net_address tcp_peer(const struct tcp_conn *c);
