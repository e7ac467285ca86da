// SPDX-License-Identifier: MIT
#include "ssi/cluster/seal.h"
#include <bearssl.h>
#include "lib/string.h"

static const uint8_t seal_base_point[32] = {9};

// The compiler may leave out a memset of what dies next.
void seal_wipe(void *secret, size_t n)
{
    volatile uint8_t *p = secret;
    while (n-- > 0)
        *p++ = 0;
}

// ---- keys and MACs ----
static void seal_expand(const uint8_t *salt, const uint8_t *secret, const void *label,
                        size_t label_bytes, uint8_t *out, size_t n)
{
    br_hkdf_context c;
    br_hkdf_init(&c, &br_sha256_vtable, salt, SEAL_KEY_BYTES);
    br_hkdf_inject(&c, secret, 32);
    br_hkdf_flip(&c);
    br_hkdf_produce(&c, label, label_bytes, out, n);
    seal_wipe(&c, sizeof(c));
}

void seal_keys_derive(struct seal_keys *k, const uint8_t cluster_key[SEAL_KEY_BYTES])
{
    static const uint8_t salt[SEAL_KEY_BYTES];
    static const char label[] = "weft cluster key 1";
    STATIC_ASSERT(sizeof(*k) == 4 * SEAL_KEY_BYTES, "keys lie without gaps");
    seal_expand(salt, cluster_key, label, sizeof(label) - 1, (uint8_t *)k, sizeof(*k));
}

void seal_mac(const uint8_t key[SEAL_KEY_BYTES], const void *bytes, size_t n,
              uint8_t mac[SEAL_MAC_BYTES])
{
    br_hmac_key_context k;
    br_hmac_context c;
    br_hmac_key_init(&k, &br_sha256_vtable, key, SEAL_KEY_BYTES);
    br_hmac_init(&c, &k, SEAL_MAC_BYTES);
    br_hmac_update(&c, bytes, n);
    br_hmac_out(&c, mac);
    seal_wipe(&k, sizeof(k));
    seal_wipe(&c, sizeof(c));
}

static bool seal_same(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint8_t differ = 0;
    for (size_t i = 0; i < n; i++)
        differ |= a[i] ^ b[i];
    return differ == 0;
}

bool seal_mac_fits(const uint8_t key[SEAL_KEY_BYTES], const void *bytes, size_t n,
                   const uint8_t mac[SEAL_MAC_BYTES])
{
    uint8_t want[SEAL_MAC_BYTES];
    seal_mac(key, bytes, n, want);
    return seal_same(want, mac, sizeof(want));
}

// ---- X25519 ----
bool seal_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32])
{
    uint8_t any = 0;
    memmove(out, point, 32);
    uint32_t good = br_ec_c25519_m31.mul(out, 32, scalar, 32, BR_EC_curve25519); // clamps it
    for (unsigned i = 0; i < 32; i++)
        any |= out[i];
    return good == 1 && any != 0;
}

static void seal_public(uint8_t out[32], const uint8_t secret[32])
{
    bool good = seal_x25519(out, secret, seal_base_point);
    (void)good; // the base point gives no zero
}

// ---- handshake ----
static void seal_transcript(const struct seal_call *call, const struct seal_answer *answer,
                            uint8_t hash[32])
{
    br_sha256_context c;
    br_sha256_init(&c);
    br_sha256_update(&c, call, sizeof(*call));
    br_sha256_update(&c, answer, offsetof(struct seal_answer, mac));
    br_sha256_out(&c, hash);
}

// Both directions' keys, and the MAC that the answer must bear.
static bool seal_agree(struct seal *s, const struct seal_keys *k, bool caller,
                       const uint8_t secret[32], const uint8_t point[32],
                       const struct seal_answer *answer, uint8_t mac[SEAL_MAC_BYTES])
{
    static const char label[] = "weft link 1";
    uint8_t shared[32], keys[3][SEAL_KEY_BYTES], info[sizeof(label) - 1 + 32];
    uint8_t *hash = info + sizeof(label) - 1;
    memcpy(info, label, sizeof(label) - 1);
    seal_transcript(&s->call, answer, hash);
    bool good = seal_x25519(shared, secret, point);
    seal_expand(k->link, shared, info, sizeof(info), keys[0], sizeof(keys));
    memcpy(s->out.key, keys[caller ? 0 : 1], SEAL_KEY_BYTES);
    memcpy(s->in.key, keys[caller ? 1 : 0], SEAL_KEY_BYTES);
    s->out.counter = s->in.counter = 0;
    seal_mac(keys[2], hash, 32, mac);
    seal_wipe(shared, sizeof(shared));
    seal_wipe(keys, sizeof(keys));
    return good;
}

void seal_begin(struct seal *s, const struct seal_keys *k, uint64_t session, uint64_t key,
                uint64_t to_key, const uint8_t random[32], struct seal_call *out)
{
    memset(s, 0, sizeof(*s));
    memcpy(s->secret, random, 32);
    s->call = (struct seal_call){.magic = SEAL_CALL_MAGIC,
                                 .version = SEAL_VERSION,
                                 .session = session,
                                 .key = key,
                                 .to_key = to_key};
    seal_public(s->call.point, s->secret);
    seal_mac(k->hello, &s->call, offsetof(struct seal_call, mac), s->call.mac);
    *out = s->call;
}

const char *seal_finish(struct seal *s, const struct seal_keys *k, const struct seal_answer *in)
{
    uint8_t mac[SEAL_MAC_BYTES];
    if (in->magic != SEAL_ANSWER_MAGIC || in->version != SEAL_VERSION || in->zero != 0)
        return "seal: malformed answer";
    bool good = seal_agree(s, k, true, s->secret, in->point, in, mac);
    seal_wipe(s->secret, sizeof(s->secret));
    s->ready = good && seal_same(mac, in->mac, sizeof(mac));
    return s->ready ? NULL : "seal: answer without our key";
}

const char *seal_accept(struct seal *s, const struct seal_keys *k, uint64_t session, uint64_t self,
                        const uint8_t random[32], const struct seal_call *in,
                        struct seal_answer *out)
{
    memset(s, 0, sizeof(*s));
    if (in->magic != SEAL_CALL_MAGIC || in->version != SEAL_VERSION || in->zero != 0)
        return "seal: malformed call";
    if (!seal_mac_fits(k->hello, in, offsetof(struct seal_call, mac), in->mac))
        return "seal: call without our key";
    if (in->session != session || in->to_key != self || in->key == 0 || in->key >= self)
        return "seal: call for another";
    s->call = *in;
    *out = (struct seal_answer){.magic = SEAL_ANSWER_MAGIC, .version = SEAL_VERSION};
    seal_public(out->point, random);
    s->ready = seal_agree(s, k, false, random, in->point, out, out->mac);
    return s->ready ? NULL : "seal: call with a worthless point";
}

// ---- records ----
void seal_aead(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_bytes,
               uint8_t *bytes, size_t n, uint8_t tag[SEAL_TAG_BYTES], bool encrypt)
{
    br_poly1305_ctmul_run(key, nonce, bytes, n, aad, aad_bytes, tag, br_chacha20_ct_run, encrypt);
}

static void seal_run(struct seal_direction *d, uint8_t *frame, size_t n, const uint8_t *head,
                     uint8_t tag[SEAL_TAG_BYTES], bool encrypt)
{
    uint8_t nonce[12] = {0};
    for (unsigned i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(d->counter >> (8 * i));
    seal_aead(d->key, nonce, head, SEAL_HEAD_BYTES, frame, n, tag, encrypt);
}

size_t seal_close(struct seal *s, uint8_t *record, size_t n)
{
    for (unsigned i = 0; i < SEAL_HEAD_BYTES; i++)
        record[i] = (uint8_t)(n >> (8 * i));
    uint8_t *frame = record + SEAL_HEAD_BYTES;
    seal_run(&s->out, frame, n, record, frame + n, true);
    s->out.counter++;
    return n + SEAL_OVERHEAD;
}

size_t seal_record_bytes(const uint8_t *record)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < SEAL_HEAD_BYTES; i++)
        n |= (uint32_t)record[i] << (8 * i);
    return n;
}

bool seal_open(struct seal *s, uint8_t *record, size_t n)
{
    uint8_t tag[SEAL_TAG_BYTES];
    uint8_t *frame = record + SEAL_HEAD_BYTES;
    seal_run(&s->in, frame, n, record, tag, false);
    if (!seal_same(tag, frame + n, SEAL_TAG_BYTES))
        return false;
    s->in.counter++;
    return true;
}
