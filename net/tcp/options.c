// SPDX-License-Identifier: MIT
#include "net/tcp/options.h"

#include "lib/assert.h"
#include "net/wire.h"

enum { // kinds, and the length of each
    KIND_END = 0,
    KIND_NOP = 1,
    KIND_MSS = 2,
    KIND_SCALE = 3,
    KIND_SACK_OK = 4,
    KIND_SACK = 5,
    KIND_STAMPS = 8,
    MSS_BYTES = 4,
    SCALE_BYTES = 3,
    SACK_OK_BYTES = 2,
    STAMPS_BYTES = 10,
    BLOCK_BYTES = 8,
};

static void sacks_parse(const uint8_t *p, size_t n, struct tcp_options *o)
{
    o->sack_count = 0;
    for (size_t at = 2; at + BLOCK_BYTES <= n && o->sack_count < TCP_SACKS_MAX; at += BLOCK_BYTES)
        o->sacks[o->sack_count++] = (struct tcp_range){be32_at(p + at), be32_at(p + at + 4)};
}

static void option_parse(const uint8_t *p, size_t n, struct tcp_options *o)
{
    if (p[0] == KIND_MSS && n == MSS_BYTES) {
        o->mss = (uint16_t)(p[2] << 8 | p[3]);
    } else if (p[0] == KIND_SCALE && n == SCALE_BYTES) {
        o->scaled = true;
        o->scale = MIN(p[2], (uint8_t)TCP_SCALE_MAX);
    } else if (p[0] == KIND_SACK_OK && n == SACK_OK_BYTES) {
        o->sack_ok = true;
    } else if (p[0] == KIND_STAMPS && n == STAMPS_BYTES) {
        o->stamped = true;
        o->stamp = be32_at(p + 2);
        o->echo = be32_at(p + 6);
    } else if (p[0] == KIND_SACK && n > 2 && (n - 2) % BLOCK_BYTES == 0) {
        sacks_parse(p, n, o);
    }
}

// What nearly every segment carries, as RFC 7323, appendix A lays it out.
static bool only_stamps(const uint8_t *p, size_t n)
{
    return n == TCP_STAMP_BYTES && p[0] == KIND_NOP && p[1] == KIND_NOP && p[2] == KIND_STAMPS &&
           p[3] == STAMPS_BYTES;
}

bool tcp_options_parse(const uint8_t *p, size_t n, struct tcp_options *o)
{
    *o = (struct tcp_options){0};
    if (only_stamps(p, n)) {
        option_parse(p + 2, STAMPS_BYTES, o);
        return true;
    }
    while (n > 0 && p[0] != KIND_END) {
        size_t bytes = 1;
        if (p[0] != KIND_NOP) {
            if (n < 2 || p[1] < 2 || p[1] > n)
                return false;
            bytes = p[1];
            option_parse(p, bytes, o);
        }
        p += bytes;
        n -= bytes;
    }
    return true;
}

size_t tcp_options_bytes(const struct tcp_options *o)
{
    size_t stamps = o->stamped ? TCP_STAMP_BYTES : 0;
    return (o->mss ? MSS_BYTES : 0) + (o->scaled ? SCALE_BYTES + 1 : 0) + stamps +
           (o->sack_ok ? SACK_OK_BYTES + 2 : 0) +
           (o->sack_count ? 4 + o->sack_count * BLOCK_BYTES : 0);
}

static uint8_t *word_put(uint8_t *p, uint32_t word)
{
    be32_t v = be32(word);
    memcpy(p, &v, sizeof(v));
    return p + sizeof(v);
}

// Each option begins so that its words are aligned (RFC 7323, appendix A).
size_t tcp_options_write(const struct tcp_options *o, uint8_t *bytes)
{
    uint8_t *p = bytes;
    ASSERT(tcp_options_bytes(o) <= TCP_OPTIONS_MAX);
    if (o->mss)
        p = word_put(p, (uint32_t)KIND_MSS << 24 | MSS_BYTES << 16 | o->mss);
    if (o->sack_ok)
        p = word_put(p, KIND_NOP << 24 | KIND_NOP << 16 | KIND_SACK_OK << 8 | SACK_OK_BYTES);
    if (o->scaled)
        p = word_put(p, KIND_NOP << 24 | KIND_SCALE << 16 | SCALE_BYTES << 8 | o->scale);
    if (o->stamped) {
        p = word_put(p, KIND_NOP << 24 | KIND_NOP << 16 | KIND_STAMPS << 8 | STAMPS_BYTES);
        p = word_put(p, o->stamp);
        p = word_put(p, o->echo);
    }
    if (o->sack_count)
        p = word_put(p, KIND_NOP << 24 | KIND_NOP << 16 | KIND_SACK << 8 |
                            (2 + o->sack_count * BLOCK_BYTES));
    for (unsigned i = 0; i < o->sack_count; i++) {
        p = word_put(p, o->sacks[i].start);
        p = word_put(p, o->sacks[i].end);
    }
    return (size_t)(p - bytes);
}
