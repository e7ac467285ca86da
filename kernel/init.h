// SPDX-License-Identifier: MIT
// Start of a node, by levels: within one level the order is not defined, so a step may rely only
// on what lower levels give. Steps run in thread context and may sleep from INIT_THREADS on.
#pragma once

#include "lib/set.h"

enum init_level {
    INIT_CORE,    // heap and frames work
    INIT_THREADS, // threads, timers, work
    INIT_DEVICES, // consoles, PCI drivers
    INIT_NET,     // interfaces are up
    INIT_CLUSTER, // link and membership started
    INIT_FILES,   // name space
    INIT_PROCESS, // processes can be made
    INIT_SCHED,   // probes, analyzers, managers
    INIT_SHELL,   // PID 1's children
    INIT_LEVELS,
};

struct init_step {
    enum init_level level;
    const char *name;
    void (*run)(void);
};

#define INIT_STEP(step_level, fn)                                                                  \
    static const struct init_step init_##fn = {.level = step_level, .name = #fn, .run = fn};       \
    SET_ENTRY(init, init_##fn)

void init_run_all(void);
