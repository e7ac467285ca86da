// SPDX-License-Identifier: MIT
// Signal frames on the user stack as Linux i386 lays them out (asm/sigcontext.h, sigframe.h): a
// debugger, an unwinder and hand-written restorers rely on every offset.
#pragma once

#include "lib/types.h"

struct frame_fpstate { // legacy FSAVE image; the FXSAVE image follows
    uint32_t cw, sw, tag, ipoff, cssel, dataoff, datasel;
    uint8_t st[8][10];
    uint16_t status, magic;
} PACKED;
#define FRAME_FXSAVE_BYTES  512u
#define FRAME_FPSTATE_BYTES (sizeof(struct frame_fpstate) + FRAME_FXSAVE_BYTES)
STATIC_ASSERT(FRAME_FPSTATE_BYTES == 624, "_fpstate_32");

// The FSAVE part from an FXSAVE image, and back into one whose SSE part stays.
struct arch_fpu;
void frame_fpu_out(struct frame_fpstate *to, const struct arch_fpu *f);
void frame_fpu_in(struct arch_fpu *f, const struct frame_fpstate *from);

struct frame_context { // struct sigcontext
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t trapno, err, eip, cs, eflags, esp_at_signal, ss;
    uint32_t fpstate; // user address of struct frame_fpstate, 0: none
    uint32_t oldmask, cr2;
} PACKED;
STATIC_ASSERT(sizeof(struct frame_context) == 88, "sigcontext_32");

struct frame_stack { // stack_t
    uint32_t at, flags, bytes;
} PACKED;

// Without SA_SIGINFO; ends with sigreturn. Between head and tail is room for a struct
// frame_fpstate that nobody has used since there is FXSAVE.
struct frame_plain_head {
    uint32_t pretcode;
    uint32_t signal;
    struct frame_context context;
} PACKED;
struct frame_plain_tail {
    uint32_t mask_high;
    uint8_t retcode[8];
} PACKED;
#define FRAME_PLAIN_TAIL_AT (sizeof(struct frame_plain_head) + FRAME_FPSTATE_BYTES)
#define FRAME_PLAIN_BYTES   (FRAME_PLAIN_TAIL_AT + sizeof(struct frame_plain_tail))
STATIC_ASSERT(FRAME_PLAIN_BYTES == 732, "sigframe_ia32");

struct frame_ucontext {
    uint32_t flags, link;
    struct frame_stack stack;
    struct frame_context context;
    uint32_t mask[2];
} PACKED;

struct frame_rt { // with SA_SIGINFO; ends with rt_sigreturn
    uint32_t pretcode;
    uint32_t signal;
    uint32_t info_at, ucontext_at;
    uint8_t info[128];
    struct frame_ucontext ucontext;
    uint8_t retcode[8];
} PACKED;
STATIC_ASSERT(sizeof(struct frame_rt) == 268, "rt_sigframe_ia32");

// What a handler takes from a stack before its first instruction: the larger frame, the FPU state,
// and what is lost by aligning both.
#define FRAME_ALIGNING_BYTES (64u + 16u)
#define FRAME_BYTES_MAX      (FRAME_PLAIN_BYTES + FRAME_FPSTATE_BYTES + FRAME_ALIGNING_BYTES)
