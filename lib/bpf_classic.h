// SPDX-License-Identifier: MIT
// The BSD packet filter as McCanne and Jacobson have it (USENIX 1993), the machine of seccomp(2):
// an accumulator, an index register, 16 words of memory, jumps forward only, so every program ends.
#pragma once

#include "lib/types.h"

#define BPF_CLASSIC_MAX   4096u // instructions of one program
#define BPF_CLASSIC_WORDS 16u

struct bpf_classic { // struct sock_filter
    uint16_t code;
    uint8_t jump_true, jump_false;
    uint32_t k;
} PACKED;
STATIC_ASSERT(sizeof(struct bpf_classic) == 8, "sock_filter of the ABI");

// What a program may be: known instructions, loads of whole aligned words of its input and nothing
// else, jumps that stay inside, no division by a constant zero, no word of memory read that was
// not written on every way there, a return at its end. `input_bytes`: a multiple of 4; `scratch`:
// BPF_CLASSIC_MAX words.
bool bpf_classic_check(const struct bpf_classic *code, uint32_t count, uint32_t input_bytes,
                       uint16_t *scratch);
// Runs what was checked; a division by zero returns 0.
uint32_t bpf_classic_run(const struct bpf_classic *code, const uint32_t *input,
                         uint32_t input_bytes);
