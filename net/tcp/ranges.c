// SPDX-License-Identifier: MIT
#include "net/tcp/ranges.h"

#include "lib/string.h"
#include "net/tcp/seq.h"

void tcp_ranges_remove(struct tcp_ranges *r, unsigned i)
{
    r->count--;
    memmove(&r->at[i], &r->at[i + 1], (r->count - i) * sizeof(r->at[0]));
}

bool tcp_ranges_add(struct tcp_ranges *r, uint32_t start, uint32_t end)
{
    unsigned i = 0;
    while (i < r->count && seq_lt(r->at[i].end, start))
        i++;
    if (i == r->count || seq_lt(end, r->at[i].start)) { // touches none
        if (r->count == TCP_RANGES_MAX)
            return false;
        memmove(&r->at[i + 1], &r->at[i], (r->count - i) * sizeof(r->at[0]));
        r->at[i] = (struct tcp_range){start, end};
        r->count++;
        return true;
    }
    if (seq_lt(start, r->at[i].start))
        r->at[i].start = start;
    r->at[i].end = seq_max(r->at[i].end, end);
    while (i + 1 < r->count && seq_le(r->at[i + 1].start, r->at[i].end)) {
        r->at[i].end = seq_max(r->at[i].end, r->at[i + 1].end);
        tcp_ranges_remove(r, i + 1);
    }
    return true;
}

void tcp_ranges_cut(struct tcp_ranges *r, uint32_t below)
{
    while (r->count && seq_le(r->at[0].end, below))
        tcp_ranges_remove(r, 0);
    if (r->count && seq_lt(r->at[0].start, below))
        r->at[0].start = below;
}

const struct tcp_range *tcp_ranges_find(const struct tcp_ranges *r, uint32_t seq)
{
    for (unsigned i = 0; i < r->count && seq_le(r->at[i].start, seq); i++)
        if (seq_lt(seq, r->at[i].end))
            return &r->at[i];
    return NULL;
}

bool tcp_ranges_cover(const struct tcp_ranges *r, uint32_t start, uint32_t end)
{
    const struct tcp_range *found = tcp_ranges_find(r, start);
    return found && seq_le(end, found->end);
}

uint32_t tcp_ranges_bytes(const struct tcp_ranges *r, uint32_t start, uint32_t end)
{
    uint32_t bytes = 0;
    for (unsigned i = 0; i < r->count; i++) {
        uint32_t from = seq_max(r->at[i].start, start);
        uint32_t to = seq_lt(r->at[i].end, end) ? r->at[i].end : end;
        bytes += seq_lt(from, to) ? to - from : 0;
    }
    return bytes;
}

bool tcp_ranges_sound(const struct tcp_ranges *r, uint32_t after)
{
    for (unsigned i = 0; i < r->count; i++) {
        uint32_t before = i ? r->at[i - 1].end : after;
        if (!seq_lt(before, r->at[i].start) || !seq_lt(r->at[i].start, r->at[i].end))
            return false;
    }
    return true;
}
