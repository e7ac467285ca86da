// SPDX-License-Identifier: MIT
// Modified Gram-Schmidt on an N x N matrix of doubles (rows are the vectors), the workload of the
// paper's section 5. Usage: mgs N [ROUNDS]; prints one line: mgs N sum=HEX orth=E elapsed=S.
// The sum covers the bits of every round's result: one wrong bit in a page that moved changes it.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FNV_START 1469598103934665603u
#define FNV_PRIME 1099511628211u

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void fill(double *a, size_t cells, uint32_t seed)
{
    for (size_t i = 0; i < cells; i++) {
        seed = seed * 1664525u + 1013904223u;
        a[i] = (double)(seed >> 8) / 16777216.0 - 0.5;
    }
}

static void orthogonalise(double *a, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        double *q = a + k * n;
        double norm = sqrt(dot(q, q, n));
        for (size_t i = 0; i < n; i++)
            q[i] /= norm;
        for (size_t j = k + 1; j < n; j++) {
            double *v = a + j * n;
            double along = dot(q, v, n);
            for (size_t i = 0; i < n; i++)
                v[i] -= along * q[i];
        }
    }
}

static uint64_t mix(uint64_t sum, const void *bytes, size_t size)
{
    for (const unsigned char *p = bytes; size > 0; size--)
        sum = (sum ^ *p++) * FNV_PRIME;
    return sum;
}

// Largest product of neighbours: 0 but for rounding.
static double orthogonality(const double *a, size_t n)
{
    double worst = 0;
    for (size_t k = 0; k + 1 < n; k++) {
        double product = fabs(dot(a + k * n, a + (k + 1) * n, n));
        worst = product > worst ? product : worst;
    }
    return worst;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 150, rounds = argc > 2 ? atol(argv[2]) : 1;
    if (n < 1 || n > 4000 || rounds < 1) {
        fputs("usage: mgs N [ROUNDS]   N from 1 to 4000\n", stderr);
        return 2;
    }
    size_t cells = (size_t)n * (size_t)n;
    double *a = malloc(cells * sizeof(*a)), start = seconds();
    uint64_t sum = FNV_START;
    if (a == NULL) {
        fputs("mgs: out of memory\n", stderr);
        return 1;
    }
    for (long round = 0; round < rounds; round++) {
        fill(a, cells, 12345u + (uint32_t)round);
        orthogonalise(a, (size_t)n);
        sum = mix(sum, a, cells * sizeof(*a));
    }
    printf("mgs %ld sum=%016llx orth=%.1e elapsed=%.6f\n", n, (unsigned long long)sum,
           orthogonality(a, (size_t)n), seconds() - start);
    free(a);
    return 0;
}
