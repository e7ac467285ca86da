// SPDX-License-Identifier: MIT
#pragma once

#include "tests/sim/run.h"

void scenario_members(void); // members.c
