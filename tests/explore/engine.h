// SPDX-License-Identifier: MIT
// The explorer's engine: breadth first over every choice of a model, each state visited once, so
// the first fault found has the shortest path. States are compared by a 64-bit hash of their
// bytes: with 10^7 states the chance that any one was taken for another is below 10^-5.
#pragma once

#include "lib/types.h"

struct explore_model {
    const char *name;
    size_t state_bytes; // <= EXPLORE_STATE_MAX; every byte counts, so keep padding zero
    void (*start)(void *state);
    // Calls explore_choice() for each thing that may happen next. When nothing that must happen
    // is left it says what is still unfinished in explore_fault().
    void (*choices)(const void *state);
    void (*apply)(void *state, uint32_t choice); // may call explore_fault()
    void (*label)(const void *state, uint32_t choice, char *text, size_t size);
    void (*show)(const void *state, char *text, size_t size);
};

#define EXPLORE_STATE_MAX 1024

struct explore_result {
    uint64_t states, steps;
    unsigned depth;
    char fault[256]; // "" when all states were clean
    bool cut;        // states_max was reached
};

void explore_choice(uint32_t choice);
// Only the first fault of a state counts; returns so that the model can go on or stop.
void explore_fault(const char *format, ...) PRINTF_LIKE(1, 2);
// The path to the fault is printed when `words` is set.
void explore_run(const struct explore_model *m, uint64_t states_max, bool words,
                 struct explore_result *r);
