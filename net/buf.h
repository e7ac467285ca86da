// SPDX-License-Identifier: MIT
// Buffers for frames that go out: 2 KiB of low memory each, DMA-able, with room in front for the
// headers that the layers below add. Two pools: the common one grows on demand up to its bound;
// the critical reserve is filled at start and serves only TCP_LINK segments when the common one
// is empty, so that traffic between nodes goes on when memory is short (PROTOCOLS 3).
// Received frames stay in the NIC's own buffers: the layers borrow them for the call and copy.
#pragma once

#include "lib/list.h"
#include "mm/frame.h"

#define BUF_BYTES    2048u
#define BUF_HEADROOM 128u // Ethernet, IPv4, and TCP with all its options fit
#define BUF_ROOM     (BUF_BYTES - BUF_HEADROOM)

#define BUF_PIECES 9u // page frames that a buffer may lend itself: 32 KiB anywhere in them

struct buf_piece { // bytes that stay where they are; the buffer holds a reference to the frame
    frame_t frame;
    uint16_t offset, bytes;
};

struct buf {
    struct list link; // queue of whoever owns it
    uint8_t *at;      // first byte in use
    size_t n;         // bytes in use
    uint8_t *base;    // BUF_BYTES of low memory
    frame_t frame;    // of base, in the first buffer of each frame; FRAME_NONE in the others
    bool reserve;     // belongs to the critical reserve
    // For cards that cut TCP text into segments: `at` is the headers, the text is in the pieces.
    uint16_t cut_bytes; // of text per segment; 0: an ordinary frame without pieces
    unsigned piece_count;
    struct buf_piece pieces[BUF_PIECES];
};

void buf_init(void);
void buf_exit(void); // gives all memory back; no buffer may be out. For the simulator's nodes
// Empty, `at` behind the headroom. NULL: none left; counted.
struct buf *buf_alloc(bool critical);
void buf_free(struct buf *b); // NULL is fine
// Lists of buffers, by link.
unsigned buf_count(const struct list *bufs);
void buf_free_all(struct list *bufs);
// Room for n bytes in front of / behind what is there; asserts that it exists.
void *buf_push(struct buf *b, size_t n);
void *buf_put(struct buf *b, size_t n);

// Adds n bytes of low memory in `frame`; takes a reference. Asserts that there is room.
void buf_lend(struct buf *b, frame_t frame, uint32_t offset, uint32_t n);

unsigned buf_in_use(void); // handed out and not yet given back
unsigned buf_made(void);   // that exist, in both pools
