// SPDX-License-Identifier: MIT
#pragma once

#include "tests/sim/run.h"

void scenario_members(void);   // members.c
void scenario_strangers(void); // strangers.c
void scenario_share(void);     // share.c
void scenario_share_roam(void);
void scenario_share_death(void);
void scenario_share_lodged(void);
void scenario_share_fault(void);
void scenario_moves(void); // moves.c
void scenario_moves_fault(void);
void scenario_moves_cut(void);
void scenario_moves_drained(void);
void scenario_family(void);
void scenario_family_death(void);
void scenario_hostile(void); // hostile.c
void scenario_ghosts(void);
void scenario_family_fault(void);
void scenario_parted(void);
void scenario_no_memory(void);
