// SPDX-License-Identifier: MIT
// A scenario is a function of a seed and of options; it runs in a process of its own and returns
// when all was well. What it draws from the seed, an option may fix: `loss=50`.
#pragma once

#include "lib/types.h"

struct scenario {
    const char *name;
    void (*run)(void);
    unsigned seeds; // that `make sim` runs of it, times SEEDS
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

// In a scenario: the value of an option, else `drawn`, which is drawn from the seed in any case.
unsigned option(const char *key, unsigned drawn);
const char *option_text(const char *key, const char *otherwise);
unsigned option_between(const char *key, unsigned least, unsigned most);

// Ends the scenario's process: what went wrong, the last lines of the log, how to see it again.
extern bool fail_forgives; // the run ends there, and well: what it saw was not promised
void fail(const char *format, ...) PRINTF_LIKE(1, 2) NORETURN;
// A line of the run's log; shown at the end when it fails, at once with -v.
void note(const char *format, ...) PRINTF_LIKE(1, 2);

#define EXPECT(x) ((x) ? (void)0 : fail("%s:%d: not so: %s", __FILE__, __LINE__, #x))
