// SPDX-License-Identifier: MIT
// Our own bugs assert; operating errors are returned; peers and users are never asserted on.
#pragma once

#include "lib/types.h"

// Tells the node's story and stops it (kernel: panic; host: abort). Each environment supplies it.
void assert_failed(const char *expression, const char *file, int line) NORETURN;

#define ASSERT(x) ((x) ? (void)0 : assert_failed(#x, __FILE__, __LINE__))
