// SPDX-License-Identifier: MIT
// The start of memory management, once, before anything allocates.
#pragma once

#include "boot/bootinfo.h"

// Takes stock of RAM: what the loader calls usable, less the kernel and the modules.
// Returns the bytes of RAM that are not used: above 16 GiB, or where the CPU cannot reach.
uint64_t mm_start(const struct bootinfo *info);
