// SPDX-License-Identifier: MIT
// The seal: what a cluster key makes of a connection, a datagram and a stranger. Pure functions of
// (state, bytes, random bytes given by the caller); who may talk is decided here, when is link's.
//
// Handshake over a fresh TCP connection, K the cluster key (32 bytes, secret), roles by the key of
// the boot (the lower calls), so no message can be turned back on its sender:
//      caller: CALL   = version, session, both keys, X = x*G, HMAC(K_hello, all of it)
//      called: ANSWER = version, Y = y*G, HMAC(K_confirm, H)         H = SHA-256(CALL | version, Y)
//      both:   HKDF-SHA-256(salt K_link, X25519(x, Y), "weft link 1" | H)
//              -> a key per direction, K_confirm                     (RFC 7748, RFC 5869)
//      then records: length | ChaCha20-Poly1305(direction key, counter, frame, aad length), RFC
//      8439
// The first record of the caller confirms it: until then the called node changes nothing.
// docs/cluster.md, "The seal", says what this promises.
#pragma once

#include "lib/types.h"

enum {
    SEAL_KEY_BYTES = 32,
    SEAL_MAC_BYTES = 16, // HMAC-SHA-256, cut
    SEAL_TAG_BYTES = 16, // Poly1305
    SEAL_HEAD_BYTES = 4, // length of the frame, little-endian
    SEAL_OVERHEAD = SEAL_HEAD_BYTES + SEAL_TAG_BYTES,
    SEAL_VERSION = 1,
};

#define SEAL_CALL_MAGIC   0x31434c53u // "SLC1"
#define SEAL_ANSWER_MAGIC 0x31414c53u // "SLA1"

struct seal_keys { // one per use, from the cluster key
    uint8_t link[SEAL_KEY_BYTES];
    uint8_t hello[SEAL_KEY_BYTES];
    uint8_t beacon[SEAL_KEY_BYTES];
    uint8_t witness[SEAL_KEY_BYTES];
};

struct seal_call { // first bytes of a connection, on the wire
    uint32_t magic;
    uint16_t version;
    uint16_t zero;
    uint64_t session;
    uint64_t key, to_key; // boots of the caller and of the called
    uint8_t point[32];
    uint8_t mac[SEAL_MAC_BYTES];
} PACKED;
STATIC_ASSERT(sizeof(struct seal_call) == 80, "call on the wire");

struct seal_answer { // first bytes back, on the wire
    uint32_t magic;
    uint16_t version;
    uint16_t zero;
    uint8_t point[32];
    uint8_t mac[SEAL_MAC_BYTES];
} PACKED;
STATIC_ASSERT(sizeof(struct seal_answer) == 56, "answer on the wire");

struct seal_direction {
    uint8_t key[SEAL_KEY_BYTES];
    uint64_t counter; // nonce of the next record; the key is never used again after its connection
};

struct seal { // of one connection
    bool ready;
    uint8_t secret[32]; // the caller's, until the answer
    struct seal_call call;
    struct seal_direction out, in;
};

void seal_keys_derive(struct seal_keys *k, const uint8_t cluster_key[SEAL_KEY_BYTES]);
void seal_mac(const uint8_t key[SEAL_KEY_BYTES], const void *bytes, size_t n,
              uint8_t mac[SEAL_MAC_BYTES]);
// Takes as long whether it fits or not.
bool seal_mac_fits(const uint8_t key[SEAL_KEY_BYTES], const void *bytes, size_t n,
                   const uint8_t mac[SEAL_MAC_BYTES]) MUST_CHECK;

// The caller's side. `random`: 32 bytes nobody can know.
void seal_begin(struct seal *s, const struct seal_keys *k, uint64_t session, uint64_t key,
                uint64_t to_key, const uint8_t random[32], struct seal_call *out);
// NULL: records go both ways now. Else why the answer is none.
const char *seal_finish(struct seal *s, const struct seal_keys *k,
                        const struct seal_answer *in) MUST_CHECK;
// The called side: NULL, or why the call is refused.
const char *seal_accept(struct seal *s, const struct seal_keys *k, uint64_t session, uint64_t self,
                        const uint8_t random[32], const struct seal_call *in,
                        struct seal_answer *out) MUST_CHECK;

// Seals `n` bytes at record + SEAL_HEAD_BYTES in place; returns the record's size,
// n + SEAL_OVERHEAD.
size_t seal_close(struct seal *s, uint8_t *record, size_t n);
// The frame's bytes that a record's head announces.
size_t seal_record_bytes(const uint8_t *record);
// Opens a record of `n` frame bytes in place; false: it is not the next one of this connection.
bool seal_open(struct seal *s, uint8_t *record, size_t n) MUST_CHECK;

void seal_wipe(void *secret, size_t n);
// RFC 8439, 2.8: in place; writes the tag, when it decrypts the one that should be there.
void seal_aead(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_bytes,
               uint8_t *bytes, size_t n, uint8_t tag[SEAL_TAG_BYTES], bool encrypt);
// RFC 7748; false when the other's point gives no secret (all zeros). `out` may be `point`.
bool seal_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]) MUST_CHECK;
