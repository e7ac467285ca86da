// SPDX-License-Identifier: MIT
// Selective acknowledgements. Receiving side: which blocks an ACK names (RFC 2018, 4; a segment
// that came twice first, RFC 2883). Sending side: the scoreboard and what follows from it, in the
// words of RFC 6675, 4: IsLost, SetPipe, NextSeg. A hole is a stretch that no block covers; IsLost
// is the same for all of a hole, so everything is counted in holes, not bytes.
#include "net/tcp/tcp_priv.h"

#define DUP_THRESH 3u

// ---- what we tell -------------------------------------------------------------------------------

void tcp_sack_note(struct tcp_conn *c, uint32_t seq)
{
    memmove(&c->sack_recent[1], &c->sack_recent[0], sizeof(c->sack_recent[0]) * (TCP_RECENT - 1));
    c->sack_recent[0] = seq;
}

static bool told(const struct tcp_options *o, uint32_t start)
{
    for (unsigned i = 0; i < o->sack_count; i++)
        if (o->sacks[i].start == start)
            return true;
    return false;
}

static void tell(struct tcp_options *o, unsigned max, const struct tcp_range *block)
{
    if (block && o->sack_count < max && !told(o, block->start))
        o->sacks[o->sack_count++] = *block;
}

// The stretch that the latest segment is in comes first, then those told before (RFC 2018, 4).
void tcp_sack_tell(struct tcp_conn *c, struct tcp_options *o, unsigned max)
{
    if (!c->sack || (c->gaps.count == 0 && !c->twice_known))
        return;
    if (c->twice_known && max)
        o->sacks[o->sack_count++] = c->twice;
    c->twice_known = false; // RFC 2883, 4: told once
    for (unsigned i = 0; c->gaps.count && i < TCP_RECENT; i++)
        tell(o, max, tcp_ranges_find(&c->gaps, c->sack_recent[i]));
    for (unsigned i = 0; i < c->gaps.count && o->sack_count < max; i++)
        tell(o, max, &c->gaps.at[i]);
}

void tcp_sack_twice(struct tcp_conn *c, uint32_t start, uint32_t end)
{
    if (!c->sack || start == end)
        return;
    c->twice_known = true;
    c->twice = (struct tcp_range){start, end};
}

// ---- what we are told ---------------------------------------------------------------------------

// RFC 2883, 4: a first block below the ACK, or inside the second block, names what came twice.
static bool block_is_twice(const struct tcp_segment *s)
{
    const struct tcp_range *b = s->options.sacks;
    if (seq_le(b[0].end, s->ack))
        return true;
    return s->options.sack_count > 1 && seq_le(b[1].start, b[0].start) &&
           seq_le(b[0].end, b[1].end);
}

bool tcp_sack_received(struct tcp_conn *c, const struct tcp_segment *s)
{
    bool news = false;
    if (!c->sack)
        return false;
    for (unsigned i = 0; i < s->options.sack_count; i++) {
        struct tcp_range b = s->options.sacks[i];
        if (i == 0 && block_is_twice(s)) {
            c->seen.twice_told++;
            c->probe_needless |= seq_lt(b.start, c->probe_end) && seq_le(c->probe_end, b.end);
            continue;
        }
        if (!seq_lt(b.start, b.end) || seq_lt(c->snd_max, b.end)) {
            net_counter_add(COUNT_tcp_sack_bad);
            continue;
        }
        if (!seq_lt(seq_max(c->snd_una, s->ack), b.start))
            continue; // of an ACK that others overtook
        if (!tcp_ranges_cover(&c->sacked, b.start, b.end))
            news |= tcp_ranges_add(&c->sacked, b.start, b.end);
    }
    return news;
}

static uint32_t sacked_behind(const struct tcp_conn *c, unsigned hole)
{
    uint32_t bytes = 0;
    for (unsigned i = hole; i < c->sacked.count; i++)
        bytes += c->sacked.at[i].end - c->sacked.at[i].start;
    return bytes;
}

// Hole i lies in front of block i; the last one, behind all blocks, up to what was sent.
static struct tcp_range hole_at(const struct tcp_conn *c, unsigned i)
{
    return (struct tcp_range){i ? c->sacked.at[i - 1].end : c->snd_una,
                              i < c->sacked.count ? c->sacked.at[i].start : c->snd_max};
}

// IsLost: three blocks, or more than two segments' bytes, arrived behind it.
static bool hole_lost(const struct tcp_conn *c, unsigned i)
{
    return c->sacked.count - i >= DUP_THRESH || sacked_behind(c, i) > (DUP_THRESH - 1) * c->mss;
}

bool tcp_sack_first_lost(const struct tcp_conn *c)
{
    return c->sacked.count && hole_lost(c, 0);
}

// SetPipe. After a timeout SND.NXT is behind what was sent: all beyond it counts as lost.
uint32_t tcp_sack_pipe(const struct tcp_conn *c)
{
    if (seq_lt(c->snd_nxt, c->snd_max))
        return c->snd_nxt - c->snd_una - tcp_ranges_bytes(&c->sacked, c->snd_una, c->snd_nxt);
    if (c->sacked.count == 0)
        return c->snd_nxt - c->snd_una;
    uint32_t pipe = 0;
    for (unsigned i = 0; i <= c->sacked.count; i++) {
        struct tcp_range h = hole_at(c, i);
        if (!hole_lost(c, i))
            pipe += h.end - h.start;
        if (c->recovering && seq_lt(h.start, c->high_rxt))
            pipe += MIN(h.end - h.start, c->high_rxt - h.start);
    }
    return pipe;
}

// NextSeg, (1) and (3): the first stretch above HighRxt that is missing; with `lost` only what
// IsLost says so of, else what has anything behind it. False: none.
bool tcp_sack_next(const struct tcp_conn *c, bool lost, struct tcp_range *next)
{
    for (unsigned i = 0; i < c->sacked.count; i++) {
        struct tcp_range h = hole_at(c, i);
        h.start = seq_max(h.start, c->high_rxt);
        if (!seq_lt(h.start, h.end) || (lost && !hole_lost(c, i)))
            continue;
        *next = h;
        return true;
    }
    return false;
}

void tcp_sack_count(const struct tcp_conn *c, uint32_t *lost, uint32_t *again)
{
    *lost = *again = 0;
    if (seq_lt(c->snd_nxt, c->snd_max)) {
        *lost = c->snd_max - c->snd_nxt - tcp_ranges_bytes(&c->sacked, c->snd_nxt, c->snd_max);
        *again = c->snd_nxt - c->snd_una - tcp_ranges_bytes(&c->sacked, c->snd_una, c->snd_nxt);
        return;
    }
    for (unsigned i = 0; i <= c->sacked.count; i++) {
        struct tcp_range h = hole_at(c, i);
        if (hole_lost(c, i))
            *lost += h.end - h.start;
        if (c->recovering && seq_lt(h.start, c->high_rxt))
            *again += MIN(h.end - h.start, c->high_rxt - h.start);
    }
}

// A retransmission of the first hole is lost as well when as much as IsLost asks for has arrived of
// what was sent behind it (the idea of RFC 8985, counted in bytes).
bool tcp_sack_lost_again(const struct tcp_conn *c)
{
    return c->recovering && c->again_una == c->snd_una &&
           tcp_ranges_bytes(&c->sacked, c->again_mark, c->snd_max) > (DUP_THRESH - 1) * c->mss;
}

// SND.NXT stepping through what a timeout gave up: what arrived is not sent again.
uint32_t tcp_sack_skip(const struct tcp_conn *c, uint32_t seq)
{
    const struct tcp_range *r = tcp_ranges_find(&c->sacked, seq);
    return r ? r->end : seq;
}

// Bytes from `seq` to the next block; UINT32_MAX: none follows.
uint32_t tcp_sack_hole_bytes(const struct tcp_conn *c, uint32_t seq)
{
    for (unsigned i = 0; i < c->sacked.count; i++)
        if (seq_lt(seq, c->sacked.at[i].start))
            return c->sacked.at[i].start - seq;
    return UINT32_MAX;
}
