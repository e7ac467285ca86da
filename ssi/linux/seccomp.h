// SPDX-License-Identifier: MIT
// What prctl(2) shares with seccomp(2).
#pragma once

#include "lib/types.h"

// prctl(PR_SET_SECCOMP, mode, at). May sleep.
long seccomp_by_prctl(uint32_t mode, uint32_t at);
