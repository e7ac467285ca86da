// SPDX-License-Identifier: MIT
// Counts and says the sum: count [MILLIONS]. A pure loop in registers and on the stack: the
// smallest program that shows whether a process went on where it was stopped.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    long millions = argc > 1 ? atol(argv[1]) : 100;
    volatile uint32_t step = 1;
    uint64_t sum = 0;
    uint32_t state = 1;
    if (millions < 0) {
        fputs("usage: count [MILLIONS]\n", stderr);
        return 2;
    }
    for (long m = 0; m < millions; m++) {
        for (uint32_t i = 0; i < 1000000; i++) {
            state = state * 1664525u + 1013904223u * step;
            sum += state >> 16;
        }
    }
    printf("count %ld sum=%016llx\n", millions, (unsigned long long)sum);
    return 0;
}
