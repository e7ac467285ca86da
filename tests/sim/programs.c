// SPDX-License-Identifier: MIT
// What user programs there are, by number.
#include "tests/sim/ports/machine.h"

const struct machine_program *const machine_programs[] = {NULL};
const unsigned machine_program_count = 0;
