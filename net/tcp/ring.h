// SPDX-License-Identifier: MIT
// A bounded run of stream bytes, kept in page frames that come when bytes are written and go when
// they are consumed. Bytes are named by their offset from the oldest one. A writer may leave a gap
// (segments out of order): the owner knows which stretches are valid.
#pragma once

#include "net/buf.h"

struct ring {
    frame_t *slots;  // frame of each page of positions, FRAME_NONE: none yet
    uint32_t mask;   // slots - 1, slots is a power of two
    uint32_t size;   // bytes it may hold
    uint32_t start;  // position of the oldest byte; positions wrap at 2^32
    uint32_t length; // bytes in order
    unsigned frames; // frames in use
    bool critical;   // may use the reserve of frames
};

bool ring_init(struct ring *r, uint32_t size, bool critical) MUST_CHECK;
void ring_free(struct ring *r);

// Stores bytes at an offset (not beyond size); returns how many it could: fewer when out of memory.
size_t ring_write(struct ring *r, uint32_t offset, const void *bytes, size_t n);
// Copies bytes out; offset + n is within what was written.
void ring_read(const struct ring *r, uint32_t offset, void *bytes, size_t n);
// Where the byte at an offset is, and how many follow it there; offset is below `length`.
const uint8_t *ring_view(const struct ring *r, uint32_t offset, size_t *n);
// Lends the frames of n bytes from an offset to a buffer, without a copy.
void ring_lend(const struct ring *r, uint32_t offset, struct buf *b, uint32_t n);
// Declares n more bytes behind `length` as in order.
void ring_extend(struct ring *r, uint32_t n);
// Forgets the n oldest bytes. `keep`: bytes are stored behind a gap, so an empty ring keeps frames.
void ring_consume(struct ring *r, uint32_t n, bool keep);

static inline uint32_t ring_space(const struct ring *r)
{
    return r->size - r->length;
}
