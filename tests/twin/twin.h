// SPDX-License-Identifier: MIT
// What the random programs of this folder share. A program is a table of steps; a seed draws which
// of them, in which order, with which arguments. It prints each call and all that came of it, so a
// kernel that does the same prints the same. Nothing printed may depend on the clock, on addresses
// or inode numbers the kernel chose, or on what else runs.
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t twin_state;
static unsigned twin_step;

// 0 .. below - 1
static inline uint32_t draw(uint32_t below)
{
    twin_state ^= twin_state << 13;
    twin_state ^= twin_state >> 17;
    twin_state ^= twin_state << 5;
    return (uint32_t)((uint64_t)(twin_state >> 1) * below >> 31);
}

#define PICK(array) ((array)[draw(sizeof(array) / sizeof((array)[0]))])

// Some of the bits of `all`.
static inline uint32_t draw_bits(uint32_t all)
{
    return all & (draw(1u << 16) << 16 | draw(1u << 16)) & (draw(1u << 16) << 16 | draw(1u << 16));
}

// The call in words, then what it gave; returns that.
__attribute__((format(printf, 2, 3))) static inline long said(long result, const char *words, ...)
{
    int error = errno;
    va_list list;
    va_start(list, words);
    printf("%u: ", twin_step);
    vprintf(words, list);
    va_end(list);
    printf(" = %ld%s%s\n", result, result == -1 ? " " : "",
           result == -1 ? strerrorname_np(error) : "");
    return result;
}

// A fact beside a call: contents by length and digest (FNV-1a), never by address.
static inline void said_bytes(const char *what, const void *bytes, long length)
{
    uint32_t digest = 2166136261u;
    for (long i = 0; i < length; i++)
        digest = (digest ^ ((const unsigned char *)bytes)[i]) * 16777619u;
    printf("%u:   %s %ld bytes %08x\n", twin_step, what, length, (unsigned)digest);
}

struct step {
    void (*run)(void);
    unsigned weight; // how often, beside the others
};

// main() of a program: PROGRAM SEED STEPS.
static inline int twin_main(int argc, char **argv, const struct step *steps, unsigned count,
                            void (*begin)(void))
{
    unsigned total = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: %s SEED STEPS\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    twin_state = (uint32_t)strtoul(argv[1], NULL, 0) * 2654435761u | 1;
    for (unsigned i = 0; i < count; i++)
        total += steps[i].weight;
    begin();
    for (unsigned last = (unsigned)atoi(argv[2]); twin_step < last; twin_step++) {
        uint32_t at = draw(total);
        unsigned i = 0;
        while (at >= steps[i].weight)
            at -= steps[i++].weight;
        errno = 0;
        steps[i].run();
    }
    printf("end\n");
    return 0;
}
