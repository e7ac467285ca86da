// SPDX-License-Identifier: MIT
// The environment lib/ asks of a program, for unit tests: a failed assertion aborts.
#include <stdio.h>
#include <stdlib.h>
#include "kernel/fault.h"
#include "lib/assert.h"

void assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

// Nothing is armed; kernel/fault.c, where a test links it, has its own.
__attribute__((weak)) bool (*fault_on_point)(const char *room, const char *state, node_id_t to);
