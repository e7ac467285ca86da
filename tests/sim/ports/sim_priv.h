// SPDX-License-Identifier: MIT
#pragma once

#include "lib/list.h"

struct sim_node {
    struct list link;
    struct list timers; // by deadline
    char *vars;         // its copy of the section
};

extern struct list sim_nodes;
