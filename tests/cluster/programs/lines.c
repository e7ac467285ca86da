// SPDX-License-Identifier: MIT
// lines COUNT SPIN: COUNT numbered lines, each with a digest of SPIN steps in doubles and integers
// since the last one; then exits with status 42. Every register that is lost shows.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 10, spin = argc > 2 ? atol(argv[2]) : 1000;
    double x = 0.5;
    long double y = 1;
    uint64_t h = 14695981039346656037u;

    for (long i = 0; i < count; i++) {
        for (long j = 0; j < spin; j++) {
            x = 3.9 * x * (1 - x);
            y = y * 1.0000001L + (long double)x;
            h = (h ^ (uint64_t)(x * 1e15)) * 1099511628211u;
        }
        printf("%ld %016llx %.17g %.20Lg\n", i, (unsigned long long)h, x, y);
        if (fflush(stdout))
            return 1;
    }
    return 42;
}
