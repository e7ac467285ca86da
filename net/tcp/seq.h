// SPDX-License-Identifier: MIT
// Sequence numbers (RFC 9293, 3.4): modulo 2^32, compared by signed difference.
#pragma once

#include "lib/types.h"

static inline bool seq_lt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool seq_le(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
    return seq_lt(a, b) ? b : a;
}

// at is in [start, start + n)
static inline bool seq_in(uint32_t at, uint32_t start, uint32_t n)
{
    return at - start < n;
}
