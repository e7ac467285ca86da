// SPDX-License-Identifier: MIT
// Page frames: each has a record with a count of users. Frames below the direct map's end are
// "low" and have an address for ever; the others serve container pages and are reached through
// arch_frame_map. Never sleeps. 2 % of the frames are kept for critical traffic.
#pragma once

#include "lib/types.h"

typedef uint32_t frame_t; // frame number = physical address >> 12; 0 is never handed out
#define FRAME_NONE 0u

enum {
    FRAME_LOW = 1,      // must be in the direct map
    FRAME_ZERO = 2,     // cleared
    FRAME_CRITICAL = 4, // may use the reserve
};

frame_t frame_alloc(unsigned flags);              // one user; FRAME_NONE when out of memory
void frame_get(frame_t f);                        // one user more
void frame_put(frame_t f);                        // one user less; the last one frees it
void frame_get_all(const frame_t *f, unsigned n); // the same for many
void frame_put_all(const frame_t *f, unsigned n);
unsigned frame_users(frame_t f);

// Low frames that lie side by side, for DMA rings; never freed singly.
frame_t frame_alloc_run(unsigned count, unsigned flags);

// The n-th frame_alloc from now on fails; 0: none does (tests).
void frame_fail_at(uint32_t n);
uint32_t frame_fails_in(void); // calls until then; 0: never

uint32_t frame_free_count(void);  // exact: CONTRACT's free_frames
uint32_t frame_total_count(void); // RAM the kernel uses

void *frame_low_address(frame_t f); // of a low frame
frame_t frame_of_low(const void *address);
uint32_t frame_physical_of(const void *low); // physical address of kernel heap or low memory

// Setting canary=1: what is free holds this word, so that a kernel byte that reaches a program is
// seen (tests/fuzz/syscalls.c). Costs a page of stores for each frame given back.
#define FRAME_CANARY 0x7ac4b1d5u
void frame_canary_start(void); // fills what is free now, and from here all that is given back
bool frame_canary_on(void);
void frame_canary_fill(void *at, size_t bytes);
