// SPDX-License-Identifier: MIT
// shared N FILE: two processes share memory and pass a turn by process-shared mutex and condition,
// N times each; the second writes its PID to FILE so that it can be moved. Barrier at the end.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    pthread_barrier_t end;
    int turn, sum;
};

static void play(struct shared *s, int me, int n)
{
    for (int i = 0; i < n; i++) {
        pthread_mutex_lock(&s->lock);
        while (s->turn % 2 != me)
            pthread_cond_wait(&s->cond, &s->lock);
        s->turn++;
        s->sum += i;
        pthread_cond_signal(&s->cond);
        pthread_mutex_unlock(&s->lock);
        struct timespec t = {0, 1000000};
        nanosleep(&t, NULL);
    }
    pthread_barrier_wait(&s->end);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 10, status = 1;
    struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t ma;
    pthread_condattr_t ca;
    pthread_barrierattr_t ba;

    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&s->lock, &ma);
    pthread_condattr_init(&ca);
    pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&s->cond, &ca);
    pthread_barrierattr_init(&ba);
    pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&s->end, &ba, 2);
    pid_t pid = fork();
    if (pid == 0) {
        play(s, 1, n);
        return 0;
    }
    if (argc > 2) {
        FILE *f = fopen(argv[2], "w");
        fprintf(f, "%d\n", pid);
        fclose(f);
    }
    play(s, 0, n);
    waitpid(pid, &status, 0);
    printf("turns %d sum %d status %d\n", s->turn, s->sum, status);
    return 0;
}
