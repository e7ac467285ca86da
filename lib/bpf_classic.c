// SPDX-License-Identifier: MIT
#include "lib/bpf_classic.h"

enum { // classes, sizes and modes, operations: the bits of a code
    LD_ABS = 0x20,
    LD_LENGTH = 0x80,
    LD_K = 0x00,
    LD_MEMORY = 0x60,
    LDX_LENGTH = 0x81,
    LDX_K = 0x01,
    LDX_MEMORY = 0x61,
    ST = 0x02,
    STX = 0x03,
    ALU = 0x04,
    ALU_NEGATE = 0x84,
    JUMP = 0x05,
    RETURN_K = 0x06,
    RETURN_A = 0x16,
    TAX = 0x07,
    TXA = 0x87,
    BY_X = 0x08, // the second operand is X, not k
};

enum { // of ALU
    ADD = 0x00,
    SUBTRACT = 0x10,
    MULTIPLY = 0x20,
    DIVIDE = 0x30,
    OR = 0x40,
    AND = 0x50,
    SHIFT_LEFT = 0x60,
    SHIFT_RIGHT = 0x70,
    XOR = 0xa0,
};

enum { // of JUMP
    ALWAYS = 0x00,
    EQUAL = 0x10,
    GREATER = 0x20,
    GREATER_EQUAL = 0x30,
    SET = 0x40,
};

#define CLASS(code)     ((code)&0x07u)
#define OPERATION(code) ((code)&0xf0u)
#define ANY_WORD        0xffffu

static bool alu_good(const struct bpf_classic *i)
{
    bool by_x = i->code & BY_X;
    if (i->code & ~(0xf0u | BY_X | ALU))
        return false;
    switch (OPERATION(i->code)) {
    case ADD:
    case SUBTRACT:
    case MULTIPLY:
    case OR:
    case AND:
    case XOR:
        return true;
    case DIVIDE:
        return by_x || i->k != 0;
    case SHIFT_LEFT:
    case SHIFT_RIGHT:
        return by_x || i->k < 32;
    }
    return i->code == ALU_NEGATE;
}

// `left`: instructions behind this one.
static bool jump_good(const struct bpf_classic *i, uint32_t left)
{
    if (i->code & ~(0xf0u | BY_X | JUMP))
        return false;
    switch (OPERATION(i->code)) {
    case ALWAYS:
        return !(i->code & BY_X) && i->k < left;
    case EQUAL:
    case GREATER:
    case GREATER_EQUAL:
    case SET:
        return i->jump_true < left && i->jump_false < left;
    }
    return false;
}

static bool one_good(const struct bpf_classic *i, uint32_t left, uint32_t input_bytes)
{
    switch (i->code) {
    case LD_ABS:
        return i->k < input_bytes && i->k % sizeof(uint32_t) == 0;
    case LD_MEMORY:
    case LDX_MEMORY:
    case ST:
    case STX:
        return i->k < BPF_CLASSIC_WORDS;
    case LD_LENGTH:
    case LD_K:
    case LDX_LENGTH:
    case LDX_K:
    case RETURN_K:
    case RETURN_A:
    case TAX:
    case TXA:
        return true;
    }
    return CLASS(i->code) == ALU    ? alu_good(i)
           : CLASS(i->code) == JUMP ? jump_good(i, left)
                                    : false;
}

// No word of memory is read that one way there has not written. Jumps go forward, at most 256
// instructions but for the unconditional ones: so each instruction of a way is looked at with what
// all ways that reach it have in common, in one pass. `written` has a set of words per instruction.
static bool memory_good(const struct bpf_classic *code, uint32_t count, uint16_t *written)
{
    uint16_t now = 0;
    for (uint32_t at = 0; at < count; at++)
        written[at] = ANY_WORD;
    for (uint32_t at = 0; at < count; at++) {
        const struct bpf_classic *i = &code[at];
        now &= written[at];
        if (i->code == ST || i->code == STX)
            now |= (uint16_t)(1u << i->k);
        else if ((i->code == LD_MEMORY || i->code == LDX_MEMORY) && !(now >> i->k & 1))
            return false;
        if (CLASS(i->code) != JUMP)
            continue;
        if (OPERATION(i->code) == ALWAYS) {
            written[at + 1 + i->k] &= now;
        } else {
            written[at + 1 + i->jump_true] &= now;
            written[at + 1 + i->jump_false] &= now;
        }
        now = ANY_WORD;
    }
    return true;
}

bool bpf_classic_check(const struct bpf_classic *code, uint32_t count, uint32_t input_bytes,
                       uint16_t *scratch)
{
    if (count == 0 || count > BPF_CLASSIC_MAX)
        return false;
    for (uint32_t at = 0; at < count; at++)
        if (!one_good(&code[at], count - at - 1, input_bytes))
            return false;
    uint16_t last = code[count - 1].code;
    return (last == RETURN_K || last == RETURN_A) && memory_good(code, count, scratch);
}

// False: a division by zero.
static bool compute(const struct bpf_classic *i, uint32_t x, uint32_t *a)
{
    uint32_t by = i->code & BY_X ? x : i->k;
    switch (OPERATION(i->code)) {
    case ADD:
        *a += by;
        break;
    case SUBTRACT:
        *a -= by;
        break;
    case MULTIPLY:
        *a *= by;
        break;
    case DIVIDE:
        if (by == 0)
            return false;
        *a /= by;
        break;
    case OR:
        *a |= by;
        break;
    case AND:
        *a &= by;
        break;
    case SHIFT_LEFT:
        *a <<= by & 31;
        break;
    case SHIFT_RIGHT:
        *a >>= by & 31;
        break;
    case XOR:
        *a ^= by;
        break;
    default: // one byte, checked: the last that is left
        *a = -*a;
    }
    return true;
}

static uint32_t jump(const struct bpf_classic *i, uint32_t a, uint32_t x)
{
    uint32_t by = i->code & BY_X ? x : i->k;
    bool yes = true;
    switch (OPERATION(i->code)) {
    case ALWAYS:
        return i->k;
    case EQUAL:
        yes = a == by;
        break;
    case GREATER:
        yes = a > by;
        break;
    case GREATER_EQUAL:
        yes = a >= by;
        break;
    case SET:
        yes = a & by;
        break;
    }
    return yes ? i->jump_true : i->jump_false;
}

// What a load gives, whichever register it is for.
static uint32_t loaded(const struct bpf_classic *i, const uint32_t *input, uint32_t input_bytes,
                       const uint32_t *memory)
{
    switch (i->code & ~(LDX_K ^ LD_K)) {
    case LD_ABS:
        return input[i->k / sizeof(uint32_t)];
    case LD_LENGTH:
        return input_bytes;
    case LD_MEMORY:
        return memory[i->k];
    }
    return i->k;
}

uint32_t bpf_classic_run(const struct bpf_classic *code, const uint32_t *input,
                         uint32_t input_bytes)
{
    uint32_t a = 0, x = 0, memory[BPF_CLASSIC_WORDS] = {0};
    for (const struct bpf_classic *i = code;; i++) {
        switch (i->code) {
        case LD_ABS:
        case LD_LENGTH:
        case LD_K:
        case LD_MEMORY:
            a = loaded(i, input, input_bytes, memory);
            continue;
        case LDX_LENGTH:
        case LDX_K:
        case LDX_MEMORY:
            x = loaded(i, input, input_bytes, memory);
            continue;
        case ST:
            memory[i->k] = a;
            continue;
        case STX:
            memory[i->k] = x;
            continue;
        case TAX:
            x = a;
            continue;
        case TXA:
            a = x;
            continue;
        case RETURN_K:
            return i->k;
        case RETURN_A:
            return a;
        }
        if (CLASS(i->code) == JUMP)
            i += jump(i, a, x);
        else if (!compute(i, x, &a))
            return 0;
    }
}
