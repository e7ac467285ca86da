// SPDX-License-Identifier: MIT
// Two threads that compute, as PID 1 or from a shell, on Weft and on Linux: how long the same work
// of both takes. Usage: twins ROUNDS [RUNS]; prints `cpus N`, `twins_ms MEDIAN_OF_RUNS`, `end`.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    RUNS_MAX = 32
};

static unsigned rounds;
static volatile uint32_t sums[2][16]; // a cache line each

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void *compute(void *arg)
{
    uint32_t x = 1 + (uint32_t)(uintptr_t)arg;
    for (unsigned i = 0; i < rounds * 1000; i++)
        x = x * 1664525u + 1013904223u + (x >> 7);
    sums[(uintptr_t)arg][0] = x;
    return NULL;
}

static double both_ms(void)
{
    pthread_t t[2];
    double began = now_ms();
    for (uintptr_t i = 0; i < 2; i++)
        if (pthread_create(&t[i], NULL, compute, (void *)i) != 0)
            exit(1);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    return now_ms() - began;
}

static int smaller(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

int main(int argc, char **argv)
{
    static double took[RUNS_MAX];
    unsigned runs = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
    rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 20000;
    if (runs < 1 || runs > RUNS_MAX)
        return 2;
    both_ms(); // the code is translated
    for (unsigned i = 0; i < runs; i++)
        took[i] = both_ms();
    qsort(took, runs, sizeof(*took), smaller);
    cpu_set_t all;
    CPU_ZERO(&all);
    sched_getaffinity(0, sizeof(all), &all);
    printf("cpus %d\ntwins_ms %.1f\nend\n", CPU_COUNT(&all), took[runs / 2]);
    return 0;
}
