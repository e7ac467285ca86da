// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.h"

const struct scenario scenarios[] = {
    {"members", scenario_members, 40},
    {"share", scenario_share, 100},
    {"share_roam", scenario_share_roam, 100},
    {"share_death", scenario_share_death, 60},
    {"share_lodged", scenario_share_lodged, 60},
    {"moves", scenario_moves, 100},
    {"moves_fault", scenario_moves_fault, 300},
    {"moves_cut", scenario_moves_cut, 100},
    {"moves_drained", scenario_moves_drained, 40},
    {"strangers", scenario_strangers, 4},
    {"family", scenario_family, 100},
    {"family_death", scenario_family_death, 100},
    {"share_fault", scenario_share_fault, 60},
    {"family_fault", scenario_family_fault, 80},
    {"parted", scenario_parted, 40},
    {"no_memory", scenario_no_memory, 40},
    {"hostile", scenario_hostile, 40},
    {"ghosts", scenario_ghosts, 3},
};
const unsigned scenario_count = ARRAY_SIZE(scenarios);
