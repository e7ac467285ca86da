// SPDX-License-Identifier: MIT
// A dying node tells its story: reason, node, thread, symbolised stack, last trace records.
#pragma once

#include "lib/types.h"

void panic(const char *format, ...) NORETURN PRINTF_LIKE(1, 2);
