// SPDX-License-Identifier: MIT
// flags: -pthread
// A bounded queue with condition variables: producers, consumers, timed waits, detached threads.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    PLACES = 8,
    PRODUCERS = 3,
    CONSUMERS = 4,
    EACH = 3000
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static int ring[PLACES], count, head, left = PRODUCERS;
static sem_t gone;

static void *produce(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        pthread_mutex_lock(&lock);
        while (count == PLACES)
            pthread_cond_wait(&emptied, &lock);
        ring[(head + count++) % PLACES] = (int)(long)arg * EACH + i;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    left--;
    pthread_cond_broadcast(&filled);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void *consume(void *arg)
{
    long *sum = arg;
    pthread_mutex_lock(&lock);
    while (count || left) {
        if (!count) {
            pthread_cond_wait(&filled, &lock);
            continue;
        }
        *sum += ring[head];
        head = (head + 1) % PLACES;
        count--;
        pthread_cond_signal(&emptied);
    }
    pthread_mutex_unlock(&lock);
    return sum;
}

static void *post(void *arg)
{
    sem_post(&gone);
    return arg;
}

static void time_out(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += 50000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&lock);
    int r = pthread_cond_timedwait(&filled, &lock, &at);
    pthread_mutex_unlock(&lock);
    int s = sem_timedwait(&gone, &at);
    printf("timed out %d %d\n", r == ETIMEDOUT, s == -1 && errno == ETIMEDOUT);
}

int main(void)
{
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];
    long sums[CONSUMERS] = {0}, total = 0;
    for (long i = 0; i < CONSUMERS; i++)
        pthread_create(consumers + i, NULL, consume, sums + i);
    for (long i = 0; i < PRODUCERS; i++)
        pthread_create(producers + i, NULL, produce, (void *)i);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    for (int i = 0; i < CONSUMERS; i++) {
        pthread_join(consumers[i], NULL);
        total += sums[i];
    }
    printf("total %ld\n", total);
    sem_init(&gone, 0, 0);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 65536);
    for (int i = 0; i < 100; i++) {
        pthread_t t;
        if (pthread_create(&t, &attr, post, NULL))
            return 1;
        sem_wait(&gone);
    }
    time_out();
    return 0;
}
