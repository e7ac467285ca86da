// SPDX-License-Identifier: MIT
// The witness breaks even splits (PROTOCOLS 4): of two halves that both ask to go on as epoch
// n + 1 it grants one. The same function runs in host-tools/weft-witness and in the lab's switch.
// It keeps, per cluster, the highest epoch granted and to whom; lower ones are refused. Volatile:
// a witness that was restarted while a split lasts could grant twice, so run it where it stays up.
#pragma once

#include "lib/types.h"
#include "ssi/cluster/seal.h"

#define WITNESS_PORT         7702        // UDP
#define WITNESS_MAGIC        0x54495757u // "WWIT"
#define WITNESS_VERSION      1
#define WITNESS_CLUSTERS_MAX 64 // the one not heard of for longest is forgotten for a new one

enum witness_kind {
    WITNESS_ASK = 1,
    WITNESS_GRANTED = 2,
    WITNESS_REFUSED = 3
};

// On the wire, little-endian, both ways: an answer is the request with another `kind`.
struct witness_message {
    uint32_t magic;
    uint8_t version;
    uint8_t kind;
    uint16_t id;      // the asker: (id, incarnation, nonce)
    uint64_t session; // hash of the session's name
    uint64_t cluster; // drawn at the founding
    uint64_t nonce;   // drawn by the asker when it started; its boot
    uint32_t incarnation;
    uint32_t epoch; // asked for, >= 1
} PACKED;
STATIC_ASSERT(sizeof(struct witness_message) == 40, "witness message on the wire");

struct witness_sealed { // both ways, of a cluster with a key: nobody else is answered or believed
    struct witness_message message;
    uint8_t mac[SEAL_MAC_BYTES];
} PACKED;
STATIC_ASSERT(sizeof(struct witness_sealed) == 56, "sealed witness message on the wire");

struct witness_grant {
    struct witness_message to; // the request that was granted
    uint32_t used;             // stamp of the last request; 0: free
};

struct witness {
    struct witness_grant grants[WITNESS_CLUSTERS_MAX];
    uint32_t stamp;
    uint32_t asked, granted, malformed; // counters
    bool sealed;
    uint8_t key[SEAL_KEY_BYTES];
};

void witness_init(struct witness *w);
// From here on it answers those only who have this cluster key.
void witness_seal(struct witness *w, const uint8_t cluster_key[SEAL_KEY_BYTES]);
// Writes the answer and returns its size; 0: malformed request or `reply_size` too small, be
// silent.
size_t witness_answer(struct witness *w, const void *request, size_t request_bytes, void *reply,
                      size_t reply_size);
