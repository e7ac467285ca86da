// SPDX-License-Identifier: MIT
// SipHash-2-4 of n bytes under the key (k0, k1), little-endian as its paper has it.
#pragma once

#include "lib/types.h"

uint64_t tcp_siphash(uint64_t k0, uint64_t k1, const void *bytes, size_t n);
