// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.h"

const struct scenario scenarios[] = {
    {"members", scenario_members, 20},
};
const unsigned scenario_count = ARRAY_SIZE(scenarios);
