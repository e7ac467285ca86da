// SPDX-License-Identifier: MIT
// CRC-32C (Castagnoli, reflected 0x82f63b78), as RFC 3720 appendix B.4 gives it: guards the boot
// archive, policy blobs and ghosts against damage. Not a digest against an enemy.
#pragma once

#include "lib/types.h"

// Of `n` bytes; `seed` is 0 to begin, or the value so far to go on.
uint32_t crc32c(uint32_t seed, const void *bytes, size_t n);
