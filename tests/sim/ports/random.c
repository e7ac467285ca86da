// SPDX-License-Identifier: MIT
// SplitMix64: good enough to play fate, and the same on every machine.
#include "tests/sim/ports/sim.h"

#include "kernel/random.h"
#include "lib/string.h"

static uint64_t state = 1;

void sim_seed(uint64_t seed)
{
    state = seed;
}

uint64_t sim_random(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

bool sim_chance(unsigned per_mille)
{
    return sim_random() % 1000 < per_mille;
}

void random_bytes(void *out, size_t n)
{
    for (uint8_t *p = out; n; n--)
        *p++ = (uint8_t)sim_random();
}

uint32_t random_u32(void)
{
    return (uint32_t)sim_random();
}

bool random_is_ready(void)
{
    return true;
}

void random_stir(const void *bytes, size_t n)
{
    (void)bytes;
    (void)n;
}
