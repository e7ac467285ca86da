// SPDX-License-Identifier: MIT
#include "kernel/random.h"
#include <bearssl.h>
#include "arch/x86/arch.h"
#include "kernel/init.h"
#include "lib/log.h"
#include "lib/node_var.h"

NODE_VAR(br_hmac_drbg_context, generator);

static void random_start(void)
{
    uint8_t seed[32];
    unsigned bits;
    arch_entropy(seed, &bits);
    br_hmac_drbg_init(&node(generator), &br_sha256_vtable, seed, sizeof(seed));
    log_debug("random", "seeded, %u bits credited", bits);
}
INIT_STEP(INIT_CORE, random_start);

void random_bytes(void *out, size_t n)
{
    br_hmac_drbg_generate(&node(generator), out, n);
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
}
