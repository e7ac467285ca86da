// SPDX-License-Identifier: MIT
#include "net/wire.h"

// Adds 32-bit words in the order of the bytes in memory: one's complement sums do not care for
// the byte order as long as the result is folded and swapped at the end (RFC 1071, 2 B).
uint64_t wire_sum(uint64_t sum, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (; n >= 32; n -= 32, p += 32) { // most of the time goes here: fewer turns of the loop
        uint32_t w[8];
        memcpy(w, p, sizeof(w));
        sum += w[0];
        sum += w[1];
        sum += w[2];
        sum += w[3];
        sum += w[4];
        sum += w[5];
        sum += w[6];
        sum += w[7];
    }
    for (; n >= 4; n -= 4, p += 4) {
        uint32_t word;
        memcpy(&word, p, 4);
        sum += word;
    }
    uint32_t rest = 0;
    memcpy(&rest, p, n);
    return sum + rest;
}

uint16_t wire_sum_end(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    const uint8_t little[2] = {(uint8_t)sum, (uint8_t)(sum >> 8)};
    return (uint16_t) ~(little[0] << 8 | little[1]);
}

uint64_t wire_sum_pseudo(uint32_t from, uint32_t to, uint8_t protocol, size_t n)
{
    struct {
        be32_t from, to;
        uint8_t zero, protocol;
        be16_t length;
    } pseudo = {be32(from), be32(to), 0, protocol, be16((unsigned)n)};
    return wire_sum(0, &pseudo, sizeof(pseudo));
}
