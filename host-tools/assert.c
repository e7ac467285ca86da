// SPDX-License-Identifier: MIT
// The environment that lib/ asks of a host tool: a failed assertion is a bug, told and fatal.
#include "lib/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}
