// SPDX-License-Identifier: MIT
// Random bytes for keys, sequence numbers and /dev/urandom: a generator keyed from arch_entropy
// (BearSSL's HMAC-DRBG with SHA-256), stirred by interrupt times.
#pragma once

#include "lib/types.h"

void random_bytes(void *out, size_t n);
uint32_t random_u32(void);
void random_stir(const void *bytes, size_t n);
