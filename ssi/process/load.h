// SPDX-License-Identifier: MIT
// Load averages of this node over 1, 5 and 15 minutes: threads of programs running or ready.
#pragma once

#include "lib/types.h"

#define LOAD_SHIFT 11 // fixed point

uint32_t load_average(unsigned which); // 0, 1, 2
