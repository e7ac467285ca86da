// SPDX-License-Identifier: MIT
// Who is in the cluster, decided by all: a pure step function (state, event) -> (state, effects).
// Plain data; no pointers, no clock, no allocation inside: time comes with each event, and the
// room around it (cluster.c, or a test) carries out the effects, in order, before the next step.
// See membership.def for the drawing. Peers are known by `key`, drawn by each node at its boot;
// id and incarnation are given by the epoch that lets a node in (incarnation = that epoch).
#pragma once

#include "lib/types.h"
#include "lib/limits.h"

// The one place for membership's times. A machine that emulates several nodes on two cores starves
// them: silence means death only after MB_DEATH_MS.
enum {
    MB_TICK_MS = 100,      // the room steps with MB_TICK this often
    MB_HEARTBEAT_MS = 150, // and sends heartbeats this often
    MB_LEASE_MS = 2000,    // without a quorum's contact for that long: fenced
    MB_DEATH_MS = 4000,    // a member silent for that long (two leases) is dead
    MB_LATE_MS = 500,      // a tick that late: I was starved, suspect nobody for a lease
    MB_RETRY_MS = 400,     // lost messages are repeated
    MB_LISTEN_MS = 1500,   // before founding: is there a cluster already?
    MB_PATIENCE_MS = 3000, // a majority waits that long for the rest before it founds
    MB_INSIST_MS = 6000,   // an epoch without me is insisted on for that long before I vote for it
    MB_SEEN_MS = 2500,     // a seeker whose beacon is older is not there
    MB_PEERS_MAX = NODE_MAX + 64,
    MB_EFFECTS_MAX = 2 * NODE_MAX + 96,
    MB_PROTOCOL = 1,
};

struct mb_identity { // what a node says of itself; on the wire, little-endian
    uint64_t key;    // never 0
    uint32_t ip;
    uint32_t features_edx, features_ecx;
    uint16_t protocol;
    uint16_t wish; // node id it would like, or NODE_NONE
    uint16_t cpus;
    uint16_t nodes;   // founds with that many (majority), >= 1
    uint8_t root[32]; // SHA-256 of its root archive
} PACKED;
STATIC_ASSERT(sizeof(struct mb_identity) == 60, "identity on the wire");

struct mb_member { // on the wire
    uint64_t key;
    uint32_t incarnation;
    uint32_t ip;
    uint32_t features_edx, features_ecx;
    uint16_t id;
    uint16_t cpus;
    uint8_t leaving; // 1: no elector any more, drains
    uint8_t zero[3];
} PACKED;
STATIC_ASSERT(sizeof(struct mb_member) == 32, "member on the wire");

struct mb_record {    // an epoch; on the wire only `count` members
    uint64_t cluster; // the founder's key
    uint32_t epoch;   // >= 1; 0: no epoch
    uint32_t witness; // address, 0: none
    uint16_t fs_home; // id
    uint16_t count;
    uint32_t settings_version;
    uint8_t policy[32];                 // digest of the policy in force
    struct mb_member members[NODE_MAX]; // ascending by id
} PACKED;
#define MB_RECORD_HEAD (offsetof(struct mb_record, members))

struct mb_ballot {
    uint32_t round; // 0: none
    uint64_t key;
} PACKED;

enum mb_message_kind {
#define MB_MESSAGE(number, name) MB_##name = number,
#include "ssi/cluster/membership.def"
};

enum mb_refusal {
#define MB_REFUSAL(number, name, sentence) MB_REFUSED_##name = number,
#include "ssi/cluster/membership.def"
};

enum mb_phase {
#define MB_PHASE(name, what) MB_PHASE_##name,
#include "ssi/cluster/membership.def"
};

struct mb_head { // of every message, on the wire
    uint8_t kind;
    uint8_t reason;     // REFUSED
    uint8_t has_record; // a record follows
    uint8_t zero;
    uint32_t epoch;
    uint64_t cluster;
    struct mb_ballot ballot;
    struct mb_ballot
        accepted;   // of the record that follows: PROMISE; PROPOSE: it is not my own idea
    uint64_t about; // COMPLAIN
} PACKED;
STATIC_ASSERT(sizeof(struct mb_head) == 48, "membership message on the wire");

struct mb_message {
    struct mb_head head;
    struct mb_identity who; // JOIN only
    struct mb_record record;
};
#define MB_MESSAGE_BYTES_MAX (sizeof(struct mb_message))

enum mb_event_kind {
    MB_EVENT_TICK,      // every MB_TICK_MS
    MB_EVENT_BEACON,    // who, cluster, epoch: a beacon of our session was heard
    MB_EVENT_HEARD,     // key: bytes came over its link
    MB_EVENT_HEARTBEAT, // key, cluster, epoch (its decided one), contact_ms
    MB_EVENT_MESSAGE,   // key (sender), message
    MB_EVENT_GRANT,     // epoch, yes: the witness answered
    MB_EVENT_LEAVE,     // id: its removal is wanted (only the coordinator acts on it)
    MB_EVENT_LEFT,      // id: nothing is left on it
};

struct mb_event {
    enum mb_event_kind kind;
    uint64_t now_ms;
    uint64_t key;
    uint64_t cluster;
    uint32_t epoch;
    uint64_t contact_ms; // newest of my own times that the peer has shown back
    bool yes;
    node_id_t id;
    const struct mb_identity *who;
    const struct mb_message *message;
};

enum mb_effect_kind {
    MB_EFFECT_SEND,    // `head` and the record `with` to `key`
    MB_EFFECT_WITNESS, // ask the witness for head.epoch
    MB_EFFECT_DECIDED, // state.decided is new: flush, then install it
    MB_EFFECT_PHASE,   // state.phase is new
    MB_EFFECT_REFUSED, // here: `key` was refused for head.reason; or I was, key 0
    MB_EFFECT_CONDEMN, // here: a proposal leaves `id` out
};

enum mb_with {
    MB_WITH_NOTHING,
    MB_WITH_DECIDED,
    MB_WITH_ACCEPTED,
    MB_WITH_PROPOSAL,
    MB_WITH_SELF
};

struct mb_effect {
    enum mb_effect_kind kind;
    uint64_t key;
    node_id_t id;
    enum mb_with with;
    struct mb_head head;
};

struct mb_effects {
    unsigned count;
    struct mb_effect effects[MB_EFFECTS_MAX];
};

struct mb_peer {  // what is known of another boot of some node
    uint64_t key; // 0: free
    struct mb_identity who;
    uint64_t cluster;      // it is in that one; 0: seeks
    uint32_t epoch;        // it has decided
    uint64_t beacon_ms;    // last beacon
    uint64_t heard_ms;     // last byte over its link
    uint64_t contact_ms;   // newest own time it has shown back
    uint64_t told_ms;      // last INSTALL sent to it
    uint64_t join_ms;      // last JOIN from it; 0: never
    uint64_t condemned_ms; // a broken pair was resolved against it; 0: never
    uint64_t refused_ms;   // last refusal told to it
};

enum mb_proposing {
    MB_IDLE,
    MB_PREPARING,
    MB_PROPOSING
};
enum mb_leave {
    MB_STAYS,
    MB_LEAVES,
    MB_HAS_LEFT
};

struct mb {
    enum mb_phase phase;
    struct mb_identity self;
    bool alone;
    uint32_t witness; // the setting of a founder; later the record's counts
    node_id_t id;     // NODE_NONE before the first epoch
    uint32_t incarnation;
    struct mb_record decided;

    // As an elector of epoch decided.epoch + 1.
    struct mb_ballot promised, accepted_ballot;
    struct mb_record accepted; // valid when accepted_ballot.round != 0

    // As a coordinator of it.
    enum mb_proposing proposing;
    struct mb_ballot ballot, adopted;
    struct mb_record proposal;
    uint64_t votes[NODE_MAX];
    unsigned vote_count;
    uint64_t begun_ms, sent_ms;
    bool granted;      // by the witness
    uint64_t asked_ms; // the witness

    uint64_t started_ms, tick_ms, trust_until_ms, majority_ms, join_since_ms, member_since_ms;
    uint64_t complained_ms, join_sent_ms;
    uint64_t left_out_since_ms, left_out_ms; // proposals of the next epoch without me: first, last
    uint8_t leave[NODE_MAX];                 // enum mb_leave
    struct mb_peer peers[MB_PEERS_MAX];
};

// `self.nodes` >= 1; alone: founds at the first tick without waiting for anybody.
void mb_init(struct mb *m, const struct mb_identity *self, bool alone, uint32_t witness,
             uint64_t now_ms);
void mb_step(struct mb *m, const struct mb_event *e, struct mb_effects *out);

const struct mb_member *mb_record_member(const struct mb_record *r, node_id_t id);
const struct mb_member *mb_record_key(const struct mb_record *r, uint64_t key);
// Next id of the record above `after`, cyclic; NODE_NONE when it is empty. `after` need not be in.
node_id_t mb_record_successor(const struct mb_record *r, node_id_t after);
// The member that would coordinate the next change, as this node sees it.
node_id_t mb_coordinator(const struct mb *m, uint64_t now_ms);
bool mb_alive(const struct mb *m, const struct mb_member *member, uint64_t now_ms);

// Wire form. encode: bytes written (fits MB_MESSAGE_BYTES_MAX). decode: false when malformed.
size_t mb_message_encode(const struct mb *m, const struct mb_effect *e, uint8_t *to);
bool mb_message_decode(const uint8_t *bytes, size_t n, struct mb_message *out) MUST_CHECK;
bool mb_record_valid(const struct mb_record *r);

const char *mb_phase_name(enum mb_phase p);
const char *mb_message_name(unsigned kind); // never NULL
const char *mb_refusal_text(unsigned reason);
// 0, or the number of the first invariant that does not hold.
unsigned mb_check(const struct mb *m);
