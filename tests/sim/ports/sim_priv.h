// SPDX-License-Identifier: MIT
#pragma once

#include "lib/list.h"

struct sim_node {
    struct list link;
    struct list timers;      // by deadline
    char *vars;              // its copy of the section
    bool stopped;            // nothing of it runs any more
    uint64_t still_until_ns; // it stands still: nothing of it runs before
};

extern struct list sim_nodes;
