// SPDX-License-Identifier: MIT
// What both explorers do with their list of configurations.
#pragma once

#include "engine.h"

struct explore_suite {
    const char *name; // "coherence", "handoff"
    struct explore_model model;
    unsigned count;
    const char *(*select)(unsigned i); // makes the i-th configuration current, returns its name
};

// Explores all, or the configurations whose name contains the argument; the mutant build plants
// each bug of mutants.def in turn instead. Returns 0 when all are clean, or all are found.
int explore_suite_run(struct explore_suite *s, int argc, char **argv);
