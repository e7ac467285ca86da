// SPDX-License-Identifier: MIT
// Between link.c (peers and their queues) and link_conn.c (connections and frames).
#pragma once

#include "lib/list.h"
#include "net/tcp/tcp.h"
#include "ssi/cluster/link.h"

enum link_frame_type { // on the wire, for ever
    LINK_HELLO = 1,
    LINK_CONTROL = 2,
    LINK_BEAT = 3,
    LINK_MESSAGE = 4,
    LINK_FLUSH = 5, // payload: the epoch
    LINK_TOLD = 6,  // payload: the beacon; on sealed connections
};

#define LINK_MAGIC        0x4b4cu     // "LK"
#define LINK_BEACON_MAGIC 0x4e434257u // "WBCN"

struct link_frame { // header on the wire, little-endian
    uint16_t magic;
    uint8_t type;
    uint8_t class;
    uint32_t n;   // payload bytes
    uint32_t seq; // of MESSAGE and FLUSH, from 1; else 0
    uint32_t ack; // highest sequence number received
    uint16_t kind;
    uint16_t zero;
    uint32_t request;
    int32_t status;
} PACKED;
STATIC_ASSERT(sizeof(struct link_frame) == 28, "frame header on the wire");

struct link_hello { // first frame both ways
    uint32_t protocol;
    uint32_t received; // highest sequence number of yours; what follows it is written again
    uint64_t session;
    uint64_t key;
    uint64_t to_key;
} PACKED;
STATIC_ASSERT(sizeof(struct link_hello) == 32, "hello on the wire");

#define LINK_PAYLOAD_MAX MAX(RPC_BYTES_MAX, MB_MESSAGE_BYTES_MAX)
#define LINK_FRAME_MAX   (sizeof(struct link_frame) + LINK_PAYLOAD_MAX)
#define LINK_RECORD_MAX  (LINK_FRAME_MAX + SEAL_OVERHEAD)
#define LINK_GREETING_MAX                                                                          \
    MAX(sizeof(struct link_frame) + sizeof(struct link_hello) + SEAL_OVERHEAD,                     \
        sizeof(struct seal_call))

struct link_out { // a frame to be written
    struct list link;
    bool lost; // a fault point struck: the connection breaks in its place
    struct link_frame head;
    uint8_t bytes[];
};

struct link_conn {
    struct list link; // all connections
    struct tcp_conn *tcp;
    struct link_peer *peer;          // NULL until its HELLO, when it called us
    bool caller;                     // we called it
    bool connected, spoken, greeted; // spoken: our first bytes are out; greeted: HELLO seen
    bool readable, failed, pumping;
    struct seal seal; // ready: what follows goes in records
    uint64_t since_ms, heard_ms, told_ms;
    struct link_out *current; // being written
    bool current_is_kept;     // it is in the peer's `sent` list
    uint8_t *record;          // LINK_RECORD_MAX, when sealed: `current` as it is written
    size_t to_write, written; // bytes
    size_t filled;            // bytes in `in`
    size_t in_size;           // LINK_GREETING_MAX, after the greeting LINK_RECORD_MAX
    uint8_t *in;
};

struct link_peer {
    struct list link;
    uint64_t key;
    uint32_t ip;
    uint64_t met_ms, tried_ms; // last sign that it exists; last call
    uint64_t doubted_ms;       // its hardware address was last doubted
    struct link_conn *conn;    // greeted or being called
    node_id_t id;              // in the installed epoch, or NODE_NONE
    bool decided;              // in the newest decided epoch
    bool survives;             // of the flush under way: in the installed and the decided epoch
    uint32_t their_installed;
    uint64_t their_stamp_ms;                 // newest stamp seen
    uint32_t flush_in, flush_out, flush_due; // epochs
    struct list queue[RPC_CLASSES];          // not yet numbered
    struct list held[RPC_CLASSES];           // queued while a flush is under way
    struct list control;                     // written first, lost with the connection
    struct list sent;                        // numbered, not acknowledged, in wire order
    struct link_out *resend;                 // next of `sent` to write on this connection
    size_t queued_bytes;                     // queue, held and sent
    uint32_t seq_out, seq_in;
    uint32_t unacked_in_bytes; // received since an acknowledgement went out
    struct link_traffic traffic;
};

// link.c
struct link_peer *link_peer_find(uint64_t key);
struct link_peer *link_peer_make(uint64_t key);
struct link_out *link_next_frame(struct link_peer *p, bool *kept);
void link_acknowledged(struct link_peer *p, uint32_t seq);
void link_acknowledge(struct link_peer *p, uint64_t now_ms);
void link_received(struct link_peer *p, const struct link_frame *f, const uint8_t *bytes);
const struct link_ops *link_upward(void);
const struct mb_identity *link_self(void);
uint64_t link_session(void);
void link_control_drop(struct link_peer *p);

// link_out.c
struct link_out *link_out_new(enum link_frame_type type, const void *bytes, size_t n);
void link_out_free(struct link_out *o);
void link_free_list(struct list *l);

// link_conn.c
bool link_conn_start(void);
void link_conn_call(struct link_peer *p, uint64_t now_ms);
void link_conn_drop(struct link_conn *c, const char *why);
void link_conn_pump(struct link_conn *c);
void link_conn_poll_all(uint64_t now_ms);
