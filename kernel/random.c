// SPDX-License-Identifier: MIT
#include "kernel/random.h"
#include <bearssl.h>
#include "arch/x86/arch.h"
#include "kernel/init.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"

enum {
    RANDOM_ENOUGH_BITS = 256,
    RANDOM_CPU_WORDS = 16,
    RANDOM_CPU_BITS = 16,        // credited for each word of 32 that is not the one before
    RANDOM_JITTER_PER_BIT = 4,   // samples that surprise, for one bit
    RANDOM_START_SAMPLES = 4096, // at most: some milliseconds
    RANDOM_ROUND_SAMPLES = 256,  // when asked again
    RANDOM_KEY_BYTES = 32,
    RANDOM_POOL_BYTES = 480, // with a key whole blocks of the cipher
};

// What was gathered keys a generator of slow strength; that one keys a fast one, ChaCha20, whose
// key is replaced by its own output before any of it is given away: what leaks later tells nothing
// of what was given before (Bernstein, "Fast-key-erasure random-number generators", 2017).
struct random_fast {
    uint8_t key[RANDOM_KEY_BYTES];
    uint8_t pool[RANDOM_POOL_BYTES];
};

NODE_VAR(br_hmac_drbg_context, generator);
NODE_VAR(struct random_fast, random_fast);
NODE_VAR(unsigned, random_left); // bytes of the pool that nobody has, at its end
NODE_VAR(unsigned, random_credit_bits);
NODE_VAR(uint32_t, random_last[3]); // sample, its distance to the one before, the change of that
NODE_VAR(unsigned, random_surprises);

static bool random_has_enough(void)
{
    return node(random_credit_bits) >= RANDOM_ENOUGH_BITS;
}

// A generator that is stuck (as some CPUs' after a sleep) is worth nothing.
static void random_ask_cpu(br_sha256_context *pool)
{
    uint32_t before = 0, v;
    for (unsigned i = 0; i < RANDOM_CPU_WORDS && arch_random_u32(&v); i++) {
        br_sha256_update(pool, &v, sizeof(v));
        if (v != before && v != 0 && v != UINT32_MAX)
            node(random_credit_bits) += RANDOM_CPU_BITS;
        before = v;
    }
}

// A sample surprises when neither its distance to the last one nor the change of that distance
// is what it was: a clock that goes evenly, or in a simple pattern, is credited nothing.
static bool random_surprises_us(uint32_t sample)
{
    uint32_t *last = node(random_last);
    uint32_t distance = sample - last[0], change = distance - last[1];
    bool news = distance != last[1] && change != last[2] && change + last[2] != 0;
    last[0] = sample;
    last[1] = distance;
    last[2] = change;
    return news;
}

static void random_gather(br_sha256_context *pool, unsigned samples)
{
    for (unsigned i = 0; i < samples && !random_has_enough(); i++) {
        uint32_t sample = arch_jitter();
        br_sha256_update(pool, &sample, sizeof(sample));
        if (!random_surprises_us(sample) || ++node(random_surprises) < RANDOM_JITTER_PER_BIT)
            continue;
        node(random_surprises) = 0;
        node(random_credit_bits)++;
    }
}

static void random_rekey(void)
{
    br_hmac_drbg_generate(&node(generator), node(random_fast).key, RANDOM_KEY_BYTES);
    node(random_left) = 0;
}

static void random_refill(void)
{
    static const uint8_t nonce[12]; // each key is used once
    uint8_t key[RANDOM_KEY_BYTES];
    memcpy(key, node(random_fast).key, sizeof(key));
    memset(&node(random_fast), 0, sizeof(node(random_fast)));
    br_chacha20_ct_run(key, nonce, 0, &node(random_fast), sizeof(node(random_fast)));
    node(random_left) = RANDOM_POOL_BYTES;
}

static void random_start(void)
{
    uint8_t seed[32];
    br_sha256_context pool;
    uint64_t clock[2] = {arch_clock_real_s(), arch_jitter()};
    br_sha256_init(&pool);
    br_sha256_update(&pool, clock, sizeof(clock));
    random_ask_cpu(&pool);
    random_gather(&pool, RANDOM_START_SAMPLES);
    br_sha256_out(&pool, seed);
    br_hmac_drbg_init(&node(generator), &br_sha256_vtable, seed, sizeof(seed));
    random_rekey();
    log_debug("random", "seeded, %u bits credited", node(random_credit_bits));
}
INIT_STEP(INIT_CORE, random_start);

bool random_is_ready(void)
{
    if (random_has_enough())
        return true;
    uint8_t more[32];
    br_sha256_context pool;
    br_sha256_init(&pool);
    random_gather(&pool, RANDOM_ROUND_SAMPLES);
    br_sha256_out(&pool, more);
    random_stir(more, sizeof(more));
    return random_has_enough();
}

void random_bytes(void *out, size_t n)
{
    uint8_t *to = out;
    while (n > 0) {
        if (node(random_left) == 0)
            random_refill();
        size_t some = MIN(n, (size_t)node(random_left));
        uint8_t *from = node(random_fast).pool + RANDOM_POOL_BYTES - node(random_left);
        memcpy(to, from, some);
        memset(from, 0, some);
        node(random_left) -= (unsigned)some;
        to += some;
        n -= some;
    }
}

uint32_t random_u32(void)
{
    uint32_t v;
    random_bytes(&v, sizeof(v));
    return v;
}

void random_stir(const void *bytes, size_t n)
{
    br_hmac_drbg_update(&node(generator), bytes, n);
    random_rekey();
}
