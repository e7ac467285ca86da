// SPDX-License-Identifier: MIT
// The kernel heap: size classes carved from low frames; above half a page, whole frames side by
// side. Never sleeps; NULL when out of memory. `heap_fail_at(n)` makes the n-th call fail (tests).
#pragma once

#include "lib/types.h"

void *heap_alloc(size_t bytes);          // 16-aligned (64, 128, 192, 256 bytes to 64), not cleared
void *heap_zalloc(size_t bytes);         // cleared
void *heap_alloc_critical(size_t bytes); // may use the frames kept for critical traffic
void heap_free(void *p);                 // NULL is fine

struct radix_memory;
extern const struct radix_memory heap_radix_memory;

size_t heap_bytes_used(void);
bool heap_class(unsigned n, unsigned *bytes, unsigned *blocks); // class n and its use; false: none
void heap_trim(void);          // gives empty slabs back, so that free frames are exact
void heap_fail_at(uint32_t n); // 0: never
uint32_t heap_fails_in(void);  // calls until then; 0: never
