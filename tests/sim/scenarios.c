// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.h"

const struct scenario scenarios[] = {
    {"members", scenario_members, 20},       {"share", scenario_share, 40},
    {"share_roam", scenario_share_roam, 40}, {"share_death", scenario_share_death, 40},
    {"moves", scenario_moves, 40},           {"moves_fault", scenario_moves_fault, 200},
    {"moves_cut", scenario_moves_cut, 40},   {"family", scenario_family, 40},
};
const unsigned scenario_count = ARRAY_SIZE(scenarios);
