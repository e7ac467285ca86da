// SPDX-License-Identifier: MIT
// What the fuzz targets share. A target is one file, tests/fuzz/fuzz_X.c, with this one function;
// it is linked with libFuzzer by `make fuzz`, and with replay.c for `make unit`. Its lines
// `// links: FILES` and `// libs: WORDS` are as in tests/unit.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); // 0; aborts when something is wrong

// What must hold, whatever the input was.
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_failed(#condition, __FILE__, __LINE__);                                           \
    } while (0)

static inline _Noreturn void fuzz_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    __builtin_trap();
}
