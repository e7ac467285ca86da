// SPDX-License-Identifier: MIT
// The start of memory management, once, before anything allocates.
#pragma once

#include "boot/bootinfo.h"

// Takes stock of RAM: what the loader calls usable, less the kernel and the modules.
void mm_start(const struct bootinfo *info);
