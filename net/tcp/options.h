// SPDX-License-Identifier: MIT
// TCP options as bytes: MSS (RFC 9293, 3.2), window scale and timestamps (RFC 7323), SACK permitted
// and SACK (RFC 2018). Pure functions over bytes.
#pragma once

#include "net/tcp/ranges.h"

#define TCP_OPTIONS_MAX  40u // bytes in a header
#define TCP_STAMP_BYTES  12u // timestamps with their padding
#define TCP_SACKS_MAX    4u  // blocks that fit
#define TCP_SCALE_MAX    14u // RFC 7323, 2.3
#define TCP_SACKS_STAMPS 3u  // blocks that fit beside timestamps

struct tcp_options {
    uint16_t mss; // 0: none
    bool scaled;
    uint8_t scale;
    bool sack_ok;
    bool stamped;
    uint32_t stamp, echo; // TSval, TSecr
    unsigned sack_count;
    struct tcp_range sacks[TCP_SACKS_MAX];
};

// False: one runs over the end (RFC 9293, 3.2). Unknown ones, and known ones of a wrong length, are
// skipped.
bool tcp_options_parse(const uint8_t *bytes, size_t n, struct tcp_options *o);
// Bytes written, a multiple of four. What is asked for must fit; see tcp_options_bytes.
size_t tcp_options_write(const struct tcp_options *o, uint8_t *bytes);
size_t tcp_options_bytes(const struct tcp_options *o);
