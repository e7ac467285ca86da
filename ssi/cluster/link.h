// SPDX-License-Identifier: MIT
// The link: beacons by UDP, one TCP connection per pair of nodes, messages that arrive exactly
// once and in order per pair and class inside an epoch, also when the connection breaks, and the
// flush that parts the epochs (PROTOCOLS 3). Peers are known by key; messages go by node id.
// All but link_send, link_control and link_meet are called by the cluster's thread only.
//
// A connection is made by the peer with the lower key. Every message gets a sequence number when
// it is first written; it is kept until acknowledged, and written again after a reconnect. Higher
// classes overtake above TCP only, so the numbers count the pair's messages in wire order.
//
// With a cluster key every connection is sealed (seal.h), and a beacon says only where somebody
// might be called: who it is and what epoch it has, it says again over the sealed connection, and
// nothing else is believed.
#pragma once

#include "ssi/cluster/membership.h"
#include "ssi/cluster/rpc.h"
#include "ssi/cluster/seal.h"

enum {
    LINK_BEACON_PORT = 7700,
    LINK_PORT = 7701,
    LINK_BEACON_MS = 500,
    LINK_CONNECT_MS = 300,            // between two tries
    LINK_GREET_MS = 700,              // a call that is not answered for that long is made anew
    LINK_SILENT_MS = 1500,            // a connection without a byte for that long is made anew
    LINK_QUEUE_BYTES_MAX = 8 << 20,   // per peer: link_send answers -ENOMEM above
    LINK_QUEUE_BYTES_SOFT = 1 << 20,  // above, those who may sleep wait for room
    LINK_UNSENT_BYTES_MAX = 64 << 10, // handed to TCP and not yet on the wire
    LINK_UNSENT_BACKGROUND = 16 << 10,
    LINK_STRANGERS_MAX = 64,      // connections made by others that have not greeted
    LINK_PEERS_MAX = 2 * NODE_MAX // boots known at once, members among them
};

struct link_beacon { // UDP datagram, little-endian
    uint32_t magic;
    uint32_t epoch; // decided; 0: seeks
    uint64_t session;
    uint64_t cluster;
    struct mb_identity who;
} PACKED;
STATIC_ASSERT(sizeof(struct link_beacon) == 84, "beacon on the wire");

struct link_sealed_beacon { // the datagram of a node that has a cluster key
    struct link_beacon beacon;
    uint8_t mac[SEAL_MAC_BYTES];
} PACKED;

struct link_beat { // heartbeat frame's payload
    uint64_t cluster;
    uint64_t stamp_ms; // of the sender's clock
    uint64_t shown_ms; // newest stamp of the receiver's that the sender has seen
    uint32_t decided;
    uint32_t installed;
} PACKED;
STATIC_ASSERT(sizeof(struct link_beat) == 32, "heartbeat on the wire");

struct link_message { // one that arrived, or is to be sent
    node_id_t node;   // from, or to
    enum rpc_class class;
    uint16_t kind;    // 0: a reply
    uint32_t request; // 0: nobody waits
    int32_t status;   // of a reply
    const void *bytes;
    size_t n;
};

struct link_ops { // upward; none may sleep
    void (*message)(const struct link_message *in);
    void (*control)(uint64_t key, const uint8_t *bytes, size_t n);
    void (*beat)(uint64_t key, const struct link_beat *beat);
    void (*beacon)(const struct link_beacon *beacon); // a datagram, of anybody
    void (*told)(const struct link_beacon *beacon);   // over its sealed connection
    void (*foreign)(uint32_t ip); // a beacon of this session that our key did not make
    void (*heard)(uint64_t key);
    void (*work)(void); // link_poll has something to do
};

struct link_traffic { // since this node's boot, per peer
    uint64_t bytes[RPC_CLASSES];
    uint64_t messages[RPC_CLASSES];
};

// `cluster_key`: 32 bytes, or NULL: nothing is sealed. false: the ports are taken.
bool link_start(const struct link_ops *ops, const struct mb_identity *self, uint64_t session,
                const uint8_t *cluster_key);
const struct seal_keys *link_seal_keys(void); // NULL: nothing is sealed
void link_poll(uint64_t now_ms);
void link_beacon_send(const struct mb_record *decided);
void link_beat_all(const struct mb_record *decided, uint64_t now_ms);
// There is a peer: keep a connection to it.
void link_meet(uint64_t key, uint32_t ip, uint64_t now_ms);

// 0, -EHOSTDOWN (no member of the installed epoch), -ENOMEM. Never sleeps.
int link_send(const struct link_message *m);
// Will the next message of a page find memory? (A queue that is full is another matter.)
bool link_can_carry_page(void);
bool link_has_room(node_id_t to); // below the soft bound, or no member
// Unsequenced, may be lost with the connection.
void link_control(uint64_t key, const uint8_t *bytes, size_t n);

// An epoch was decided: from here new messages wait, FLUSH follows those queued.
void link_flush(const struct mb_record *decided);
bool link_flushed(void);
// All survivors' FLUSH were seen: this is the epoch now. The gone are let go.
void link_install(const struct mb_record *installed);

bool link_connected(uint64_t key);
void link_traffic_sent(node_id_t to, struct link_traffic *out);

// 0, or the number of the first invariant that does not hold.
unsigned link_peers_check(void);
