// SPDX-License-Identifier: MIT
// flags: -pthread
// Many threads allocate, free each other's blocks and map files, while others fork and exec.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    THREADS = 6,
    ROUNDS = 4000,
    SLOTS = 64
};
static unsigned char *slots[SLOTS];
static int bad;

static void check(const unsigned char *p)
{
    for (int i = 1; i < p[0]; i++)
        if (p[i] != p[0])
            __atomic_fetch_add(&bad, 1, __ATOMIC_SEQ_CST);
}

static void *churn(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg + 1;
    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned size = 2 + (seed >> 16) % 250;
        size_t room = seed % 97 == 0 ? 200000 : size; // some come from mmap
        unsigned char *p = malloc(room);
        memset(p, (int)size, size);
        p = __atomic_exchange_n(&slots[(seed >> 8) % SLOTS], p, __ATOMIC_SEQ_CST);
        if (p) {
            check(p);
            free(p);
        }
    }
    return NULL;
}

static void *spawn(void *arg)
{
    long good = 0;
    for (int i = 0; i < 8; i++) {
        int status = -1;
        pid_t pid = fork();
        if (!pid) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(9);
        }
        if (waitpid(pid, &status, 0) == pid && status == 0)
            good++;
    }
    (void)arg;
    return (void *)good;
}

static void *maps(void *arg)
{
    int fd = open("heap.map", O_RDWR | O_CREAT | O_TRUNC, 0600);
    long sum = 0;
    if (fd < 0 || ftruncate(fd, 1 << 20))
        return NULL;
    for (int i = 0; i < 16; i++) {
        unsigned char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, i * 65536);
        memset(p, i, 65536);
        munmap(p, 65536);
        unsigned char got;
        if (pread(fd, &got, 1, i * 65536 + 7) == 1)
            sum += got;
    }
    close(fd);
    (void)arg;
    return (void *)sum;
}

int main(void)
{
    pthread_t t[THREADS], s, m;
    void *spawned, *mapped;
    for (long i = 0; i < THREADS; i++)
        pthread_create(t + i, NULL, churn, (void *)i);
    pthread_create(&s, NULL, spawn, NULL);
    pthread_create(&m, NULL, maps, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    pthread_join(s, &spawned);
    pthread_join(m, &mapped);
    printf("bad %d spawned %ld mapped %ld\n", bad, (long)spawned, (long)mapped);
    return bad != 0;
}
