// SPDX-License-Identifier: MIT
// The boot archive's parts as the loader left them in memory (never freed, page aligned).
#pragma once

#include "lib/archive.h"

// NULL until the archive was found; the kernel runs without one only to say what is missing.
const struct archive *boot_archive(void);
