// SPDX-License-Identifier: MIT
// Stretches of sequence space, in order and apart from each other: what arrived behind a hole, and
// what the peer says did (the scoreboard of RFC 6675). Plain data; no allocation.
#pragma once

#include "lib/types.h"

#define TCP_RANGES_MAX 64u

struct tcp_range {
    uint32_t start, end; // [start, end)
};

struct tcp_ranges {
    unsigned count;
    struct tcp_range at[TCP_RANGES_MAX];
};

// Adds [start, end), start before end; joins what touches. False: full, nothing was added.
bool tcp_ranges_add(struct tcp_ranges *r, uint32_t start, uint32_t end);
void tcp_ranges_remove(struct tcp_ranges *r, unsigned i);
// Forgets everything before `below`.
void tcp_ranges_cut(struct tcp_ranges *r, uint32_t below);
bool tcp_ranges_cover(const struct tcp_ranges *r, uint32_t start, uint32_t end);
// The stretch that holds `seq`; NULL: none does.
const struct tcp_range *tcp_ranges_find(const struct tcp_ranges *r, uint32_t seq);
// Bytes of it in [start, end).
uint32_t tcp_ranges_bytes(const struct tcp_ranges *r, uint32_t start, uint32_t end);
// In order, apart, none empty, all behind `after`.
bool tcp_ranges_sound(const struct tcp_ranges *r, uint32_t after);
