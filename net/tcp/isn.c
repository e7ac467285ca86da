// SPDX-License-Identifier: MIT
// Initial sequence numbers (RFC 6528): a 4 us clock plus a keyed hash of the address pair, so that
// a stranger can guess none and an old connection's segments do not fit a new one. The hash is
// SipHash-2-4 (Aumasson and Bernstein, 2012), made for short inputs under a secret key.
#include "net/tcp/isn.h"

#include "kernel/random.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "net/tcp/tcp_priv.h"

struct key {
    bool made;
    uint64_t k0, k1;
};

NODE_VAR(struct key, isn_key);

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t tcp_siphash(uint64_t k0, uint64_t k1, const void *bytes, size_t n)
{
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull,
                     k0 ^ 0x6c7967656e657261ull, k1 ^ 0x7465646279746573ull};
    const uint8_t *p = bytes;
    size_t left = n;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        sip_word(v, word);
    }
    uint64_t last = 0;
    memcpy(&last, p, left);
    sip_word(v, last | (uint64_t)n << 56);
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t pair_hash(struct net_address local, struct net_address peer, uint32_t what)
{
    if (!node(isn_key).made) {
        random_bytes(&node(isn_key).k0, sizeof(uint64_t));
        random_bytes(&node(isn_key).k1, sizeof(uint64_t));
        node(isn_key).made = true;
    }
    const uint32_t pair[4] = {local.ip, peer.ip, (uint32_t)local.port << 16 | peer.port, what};
    return tcp_siphash(node(isn_key).k0, node(isn_key).k1, pair, sizeof(pair));
}

uint32_t tcp_isn(struct net_address local, struct net_address peer)
{
    return (uint32_t)(clock_now_ns() / 4000) + (uint32_t)pair_hash(local, peer, 0);
}

uint32_t tcp_stamp_start(struct net_address local, struct net_address peer)
{
    return (uint32_t)pair_hash(local, peer, 1);
}
