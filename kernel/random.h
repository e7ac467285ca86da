// SPDX-License-Identifier: MIT
// Random bytes for keys, sequence numbers and /dev/urandom: ChaCha20, keyed by BearSSL's HMAC-DRBG
// with SHA-256 (NIST SP 800-90A), keyed from what is gathered at the start: RDRAND where the CPU
// has it, the jitter of slow accesses, the wall clock; the cluster adds the card's address, the
// cluster key and the times at which the network wakes it. docs/cluster.md says what is promised.
#pragma once

#include "lib/types.h"

void random_bytes(void *out, size_t n);
uint32_t random_u32(void);
// Mixes bytes in; they can do no harm, whoever knows them. Nothing is credited for them.
void random_stir(const void *bytes, size_t n);
// Enough was gathered that nobody can know a key made now. When not, each call gathers a little
// more; on a machine without RDRAND whose every access takes the same time it stays false.
bool random_is_ready(void);
