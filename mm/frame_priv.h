// SPDX-License-Identifier: MIT
// Between the frame allocator, the heap and the start of mm. Private to mm/.
#pragma once

#include "mm/frame.h"

uint32_t frame_table_bytes(uint32_t end);         // of records for frames [0, end)
void frame_table_init(void *table, uint32_t end); // none of them is RAM yet
void frame_add_ram(frame_t first, frame_t end);   // frames that nobody uses
unsigned frame_run_length(frame_t first);         // of an allocated run
void frame_free_run(frame_t first);
