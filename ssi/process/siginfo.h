// SPDX-License-Identifier: MIT
// siginfo_t of Linux i386.
#pragma once

#include "ssi/process/process.h"

void signal_info_out(uint8_t to[128], const struct signal_info *info);
