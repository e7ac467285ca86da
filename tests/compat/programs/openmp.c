// SPDX-License-Identifier: MIT
// flags: -fopenmp
// OpenMP: work sharing, tasks, sections, locks, reductions; prints the same for any number of CPUs.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SIDE = 96,
    SIEVE = 200000
};
static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
static char composite[SIEVE];

static void multiply(void)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            a[i][j] = i + j;
            b[i][j] = i - j;
        }
#pragma omp parallel for schedule(dynamic, 4)
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            double sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
    double trace = 0;
#pragma omp parallel for reduction(+ : trace)
    for (int i = 0; i < SIDE; i++)
        trace += c[i][i];
    printf("trace %.1f\n", trace);
}

static void count_primes(void)
{
    int count = 0;
    for (int p = 2; p * p < SIEVE; p++) {
        if (composite[p])
            continue;
#pragma omp parallel for schedule(static)
        for (int k = p * p; k < SIEVE; k += p)
            composite[k] = 1;
    }
#pragma omp parallel for schedule(guided) reduction(+ : count)
    for (int k = 2; k < SIEVE; k++)
        count += !composite[k];
    printf("primes %d\n", count);
}

static long fibonacci(int n)
{
    long x, y;
    if (n < 2)
        return n;
#pragma omp task shared(x) if (n > 12)
    x = fibonacci(n - 1);
#pragma omp task shared(y) if (n > 12)
    y = fibonacci(n - 2);
#pragma omp taskwait
    return x + y;
}

static void share_sections(void)
{
    int first = 0, second = 0, once = 0, locked = 0, critical = 0;
    omp_lock_t lock;
    omp_init_lock(&lock);
#pragma omp parallel num_threads(4)
    {
#pragma omp sections
        {
#pragma omp section
            first = 1;
#pragma omp section
            second = 2;
        }
#pragma omp single
        once++;
#pragma omp barrier
        for (int i = 0; i < 500; i++) {
            omp_set_lock(&lock);
            locked++;
            omp_unset_lock(&lock);
#pragma omp critical
            critical++;
        }
    }
    omp_destroy_lock(&lock);
    printf("sections %d %d once %d locked %d critical %d\n", first, second, once, locked, critical);
}

int main(void)
{
    long f = 0;
    int ordered = 1, last = -1;
    multiply();
    count_primes();
#pragma omp parallel
#pragma omp single
    f = fibonacci(20);
    printf("fibonacci %ld\n", f);
    share_sections();
#pragma omp parallel for ordered schedule(dynamic) num_threads(3)
    for (int i = 0; i < 100; i++) {
#pragma omp ordered
        {
            ordered &= i == last + 1;
            last = i;
        }
    }
    printf("ordered %d level %d\n", ordered, omp_get_level());
    return omp_in_parallel() ? 1 : 0;
}
