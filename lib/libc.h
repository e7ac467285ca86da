// SPDX-License-Identifier: MIT
// Names that compilers and hardened archives call by themselves; nobody calls them in source.
#pragma once

#include "lib/types.h"

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int c, size_t n, size_t room);
void __stack_chk_fail_local(void) NORETURN;
