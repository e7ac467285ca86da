// SPDX-License-Identifier: MIT
// flags: -pthread
// Reader-writer locks, barriers, spin locks; recursive, error-checking, robust and shared mutexes.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    THREADS = 6,
    ROUNDS = 400
};
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_spinlock_t spin;
static int left_half, right_half, torn, serial, spun;

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    sem_t sem;
    int value;
};

static void *work(void *arg)
{
    int me = (int)(long)arg;
    for (int i = 0; i < ROUNDS; i++) {
        if ((i + me) % 4 == 0) {
            pthread_rwlock_wrlock(&rw);
            left_half++;
            right_half++;
        } else {
            pthread_rwlock_rdlock(&rw);
            if (left_half != right_half)
                torn++;
        }
        pthread_rwlock_unlock(&rw);
        pthread_spin_lock(&spin);
        spun++;
        pthread_spin_unlock(&spin);
        if (i % 40 == 0 && pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_fetch_add(&serial, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void kinds(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t m;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&m, &attr);
    pthread_mutex_lock(&m);
    printf("errorcheck: %s", strerror(pthread_mutex_lock(&m)));
    pthread_mutex_unlock(&m);
    printf(", %s\n", strerror(pthread_mutex_unlock(&m)));
}

static int lock_twice(int protocol)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t m;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutexattr_setprotocol(&attr, protocol);
    int r = pthread_mutex_init(&m, &attr);
    if (!r)
        r = pthread_mutex_lock(&m) | pthread_mutex_lock(&m) | pthread_mutex_unlock(&m) |
            pthread_mutex_unlock(&m);
    printf("recursive: %s\n", strerror(r));
    return r;
}

static void between_processes(void)
{
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_condattr_t cattr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&s->mutex, &attr);
    pthread_condattr_init(&cattr);
    pthread_condattr_setpshared(&cattr, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&s->cond, &cattr);
    sem_init(&s->sem, 1, 0);
    if (!fork()) {
        pthread_mutex_lock(&s->mutex);
        s->value = 7;
        pthread_cond_signal(&s->cond);
        pthread_mutex_unlock(&s->mutex);
        sem_wait(&s->sem);
        pthread_mutex_lock(&s->mutex);
        _exit(0); // the lock dies with its owner
    }
    pthread_mutex_lock(&s->mutex);
    while (s->value != 7)
        pthread_cond_wait(&s->cond, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
    sem_post(&s->sem);
    wait(NULL);
    int r = pthread_mutex_lock(&s->mutex);
    printf("owner died: %d, made right: %d\n", r == EOWNERDEAD,
           pthread_mutex_consistent(&s->mutex) | pthread_mutex_unlock(&s->mutex));
}

int main(int argc, char **argv)
{
    pthread_t t[THREADS];
    if (argc > 1 && !strcmp(argv[1], "inherit"))
        return lock_twice(PTHREAD_PRIO_INHERIT);
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_spin_init(&spin, 0);
    for (long i = 0; i < THREADS; i++)
        pthread_create(t + i, NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    printf("writes %d torn %d serial %d spun %d\n", left_half, torn, serial, spun);
    kinds();
    lock_twice(PTHREAD_PRIO_NONE);
    between_processes();
    return 0;
}
