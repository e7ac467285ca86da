// SPDX-License-Identifier: MIT
// Settings: key=value words of the boot archive, then of the kernel command line (which wins).
// Keys are rows of settings.def; unknown ones are reported, not fatal.
#pragma once

#include "lib/types.h"

void settings_parse(const char *words); // may be called several times; later ones win
const char *setting(const char *key);   // NULL when not given; a row of settings.def
uint32_t setting_u32(const char *key, uint32_t otherwise);
bool setting_is(const char *key, const char *value);
// `fault=` may be given several times: the i-th, or NULL.
const char *setting_nth(const char *key, unsigned i);
