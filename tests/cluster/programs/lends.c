// SPDX-License-Identifier: MIT
// Futexes whose word names the owner: locks that are handed on, owners that end, conditions, and
// pthread mutexes with PTHREAD_PRIO_INHERIT. Every line is the same on Linux.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "move.h"
#include "said.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum {
    LOCK = 6,
    UNLOCK,
    TRYLOCK,
    WAIT_REQUEUE = 11,
    CMP_REQUEUE,
    LOCK2,
    WAIT = 0,
    WAKE = 1,
    REQUEUE = 3,
    PRIVATE = 128,
    REALTIME = 256,
};
#define WAITERS 0x80000000u
#define DIED    0x40000000u
#define TID     0x3fffffffu

static volatile uint32_t lock, other, word;

static long futex(volatile void *at, int op, uint32_t value, const struct timespec *t)
{
    return syscall(SYS_futex, at, op, value, t, NULL, 0);
}

static long futex6(volatile void *at, int op, uint32_t value, uintptr_t t, volatile void *to,
                   uint32_t with)
{
    return syscall(SYS_futex, at, op, value, t, to, with);
}

static const char *state(uint32_t w) // without numbers of threads
{
    static char text[4][40];
    static int next;
    char *s = text[next++ % 4];
    uint32_t tid = w & TID;
    snprintf(s, sizeof(text[0]), "%s%s%s", w & WAITERS ? "waiters " : "", w & DIED ? "died " : "",
             !tid                        ? "free"
             : tid == (uint32_t)gettid() ? "mine"
                                         : "somebody's");
    return s;
}

static void alone(void)
{
    uint32_t me = gettid();
    T(futex(&lock, LOCK, 0, NULL));
    printf("%s\n", state(lock));
    T(futex(&lock, LOCK, 0, NULL));
    T(futex(&lock, LOCK2 | PRIVATE, 0, NULL));
    T(futex(&lock, TRYLOCK, 0, NULL));
    T(futex(&lock, UNLOCK, 0, NULL));
    printf("%s\n", state(lock));
    T(futex(&lock, UNLOCK, 0, NULL));
    T(futex(&lock, TRYLOCK | PRIVATE, 0, NULL));
    printf("%s\n", state(lock));
    lock |= WAITERS;
    T(futex(&lock, UNLOCK, 0, NULL));
    printf("%s\n", state(lock));
    lock = DIED;
    T(futex(&lock, LOCK, 0, NULL));
    printf("%s\n", state(lock));
    T(futex(&lock, UNLOCK, 0, NULL));
    printf("%s\n", state(lock));
    lock = WAITERS | DIED;
    T(futex(&lock, TRYLOCK, 0, NULL));
    printf("%s\n", state(lock));
    lock = me | WAITERS;
    T(futex(&lock, UNLOCK | PRIVATE, 0, NULL));
    printf("%s\n", state(lock));
}

static void refused(void)
{
    uint32_t *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timespec bad = {0, 1000000000}, negative = {-1, 0};
    T(futex(NULL, LOCK, 0, NULL));
    T(futex(NULL, UNLOCK, 0, NULL));
    T(futex((char *)&lock + 1, LOCK, 0, NULL));
    T(futex((char *)&lock + 2, TRYLOCK, 0, NULL));
    T(futex(page, LOCK, 0, NULL));
    T(futex(page, TRYLOCK, 0, NULL));
    T(futex(page, UNLOCK, 0, NULL));
    T(futex(&lock, LOCK, 0, &bad));
    T(futex(&lock, LOCK2, 0, &negative));
    T(futex(&lock, UNLOCK | REALTIME, 0, NULL));
    T(futex(&lock, TRYLOCK | REALTIME, 0, NULL));
    T(futex(&lock, LOCK | REALTIME, 0, NULL));
    T(futex(&lock, LOCK2 | REALTIME, 0, NULL));
    printf("%s\n", state(lock));
    T(futex(&lock, UNLOCK, 0, NULL));
    lock = 0x3ffffffe; // nobody's number
    T(futex(&lock, LOCK, 0, NULL));
    printf("%x\n", lock);
    T(futex(&lock, TRYLOCK, 0, NULL));
    T(futex(&lock, UNLOCK, 0, NULL));
    lock = 0;
    munmap(page, 4096);
}

static volatile int go, got;
static volatile uint32_t its_tid;

// Who waits for a lock is not woken like that: the call says so as soon as somebody does.
static void asleep(volatile uint32_t *at)
{
    while (futex(at, WAKE, 1, NULL) == 0)
        usleep(1000);
}

static void *takes(void *arg)
{
    (void)arg;
    its_tid = gettid();
    long r = futex(&lock, LOCK, 0, NULL);
    got = r == 0 ? 1 : 2;
    while (!go)
        usleep(1000);
    if (go == 1)
        futex(&lock, UNLOCK, 0, NULL);
    return NULL; // else it ends with the lock
}

static void handed_on(void)
{
    pthread_t t[2];
    struct timespec past = {1, 0};
    void *r;
    go = got = 0;
    T(futex(&lock, LOCK, 0, NULL));
    pthread_create(&t[0], NULL, takes, NULL);
    asleep(&lock);
    printf("%s\n", state(lock));
    T(futex(&lock, WAKE, 1, NULL));
    T(futex6(&lock, REQUEUE, 1, 1, &other, 0));
    T(futex(&lock, UNLOCK, 0, NULL));
    printf("%s, handed on %d\n", state(lock), lock == (its_tid | WAITERS));
    T(futex(&lock, TRYLOCK, 0, NULL));
    T(futex(&lock, UNLOCK, 0, NULL));
    T(futex(&lock, LOCK, 0, &past));
    T(futex(&lock, LOCK2, 0, &past));
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += soon.tv_nsec / 980000000;
    soon.tv_nsec = (soon.tv_nsec + 20000000) % 1000000000;
    T(futex(&lock, LOCK, 0, &soon));
    go = 2; // it ends with the lock, and nobody waits
    pthread_join(t[0], &r);
    printf("%s, got %d\n", state(lock), got);
    T(futex(&lock, LOCK, 0, NULL));
    lock = 0;
    go = got = 0;
    pthread_create(&t[0], NULL, takes, NULL);
    while (!got)
        usleep(1000);
    pthread_create(&t[1], NULL, takes, NULL);
    asleep(&lock);
    go = 2; // the first ends, the second gets it, and ends as well
    pthread_join(t[0], &r);
    pthread_join(t[1], &r);
    printf("%s\n", state(lock));
    lock = 0;
}

static void *crosses(void *arg)
{
    (void)arg;
    futex(&other, LOCK, 0, NULL);
    got = 1;
    long r = futex(&lock, LOCK, 0, NULL); // main has it, and will want `other`
    futex(&lock, UNLOCK, 0, NULL);
    futex(&other, UNLOCK, 0, NULL);
    return (void *)r;
}

static void circle(void)
{
    pthread_t t;
    void *r;
    got = 0;
    T(futex(&lock, LOCK, 0, NULL));
    pthread_create(&t, NULL, crosses, NULL);
    while (!got)
        usleep(1000);
    asleep(&lock);
    T(futex(&other, LOCK, 0, NULL));
    T(futex(&lock, UNLOCK, 0, NULL));
    pthread_join(t, &r);
    printf("the other thread: %ld; %s, %s\n", (long)r, state(lock), state(other));
    lock = other = 0;
}

static volatile int handled;

static void on_signal(int s)
{
    (void)s;
    handled++;
}

static void *interrupted(void *arg)
{
    struct sigaction a = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &a, NULL);
    return takes(arg);
}

static void signals(void)
{
    pthread_t t;
    go = 1, got = 0;
    T(futex(&lock, LOCK, 0, NULL));
    pthread_create(&t, NULL, interrupted, NULL);
    asleep(&lock);
    pthread_kill(t, SIGUSR1);
    while (!handled)
        usleep(1000);
    usleep(20000);
    printf("handled %d, got %d\n", handled, got);
    T(futex(&lock, UNLOCK, 0, NULL));
    pthread_join(t, NULL);
    printf("got %d, %s\n", got, state(lock));
    lock = 0;
}

// ---- conditions --------------------------------------------------------------------------------
static volatile int awake, waiting;

static void *waits(void *arg)
{
    (void)arg;
    __sync_fetch_and_add(&waiting, 1);
    long r = futex6(&word, WAIT_REQUEUE, 0, 0, &lock, 0);
    int e = errno;
    __sync_fetch_and_add(&awake, 1);
    if (r == 0) {
        if ((lock & TID) != (uint32_t)gettid())
            printf("not mine: %x\n", lock);
        futex(&lock, UNLOCK, 0, NULL);
    } else {
        printf("a condition: %s\n", strerrorname_np(e));
    }
    return NULL;
}

static void *waits_for_long(void *arg)
{
    (void)arg;
    __sync_fetch_and_add(&waiting, 1);
    long r = futex6(&word, WAIT_REQUEUE, 0, 0, &lock, 0);
    printf("after a handler: %s\n", r ? strerrorname_np(errno) : "ok");
    return NULL;
}

static void conditions(void)
{
    pthread_t t[3];
    struct timespec past = {1, 0};
    T(futex6(&word, WAIT_REQUEUE, 0, (uintptr_t)&past, &lock, 0));
    T(futex6(&word, WAIT_REQUEUE, 0, (uintptr_t)&past, &word, 0));
    T(futex6(&word, WAIT_REQUEUE, 1, (uintptr_t)&past, &lock, 0));
    T(futex6(&word, CMP_REQUEUE, 2, 1, &lock, 0));
    T(futex6(&word, CMP_REQUEUE, 0, 1, &lock, 0));
    T(futex6(&word, CMP_REQUEUE, 1, 1, &word, 0));
    T(futex6(&word, CMP_REQUEUE, 1, 1, &lock, 1));
    T(futex6(&word, CMP_REQUEUE, 1, 1, &lock, 0));
    T(futex6(&word, CMP_REQUEUE, 1, -1, &lock, 0));
    T(futex(&lock, LOCK, 0, NULL));
    awake = waiting = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, waits, NULL);
    while (waiting < 3)
        usleep(1000);
    asleep(&word);
    T(futex(&word, WAKE, 1, NULL));
    T(futex6(&word, REQUEUE, 1, 1, &other, 0));
    T(futex6(&word, CMP_REQUEUE, 1, 1, &other, 0));
    long n = 0;
    for (int i = 0; i < 1000 && n < 3; i++) {
        long r = futex6(&word, CMP_REQUEUE, 1, 5, &lock, 0);
        n += r < 0 ? 100 : r;
        usleep(1000);
    }
    printf("moved %ld, awake %d, %s\n", n, awake, state(lock));
    T(futex(&lock, UNLOCK, 0, NULL));
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    printf("awake %d, %s\n", awake, state(lock));
    lock = 0;
    awake = waiting = 0; // and with a lock that is free
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, waits, NULL);
    while (waiting < 3)
        usleep(1000);
    for (n = 0; n < 3; usleep(1000))
        n += futex6(&word, CMP_REQUEUE, 1, 5, &lock, 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    printf("moved %ld, awake %d\n", n, awake);
    lock = 0;
    struct sigaction a = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &a, NULL);
    waiting = handled = 0;
    futex(&lock, LOCK, 0, NULL);
    pthread_create(&t[0], NULL, waits_for_long, NULL);
    while (!waiting)
        usleep(1000);
    while (futex6(&word, CMP_REQUEUE, 1, 5, &lock, 0) != 1)
        usleep(1000);
    pthread_kill(t[0], SIGUSR1);
    pthread_join(t[0], NULL);
    printf("handled %d\n", handled);
    T(futex(&lock, UNLOCK, 0, NULL));
    printf("%s\n", state(lock));
    lock = 0;
}

// ---- pthreads ----------------------------------------------------------------------------------
struct shared {
    pthread_mutex_t mutex;
    volatile long sum;
    volatile int held;
};

static void make(pthread_mutex_t *m, int robust, int shared, int kind)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    T(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
    pthread_mutexattr_setrobust(&a, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
    pthread_mutexattr_setpshared(&a, shared);
    pthread_mutexattr_settype(&a, kind);
    T(pthread_mutex_init(m, &a));
}

static struct shared *s;

static void *adds(void *arg)
{
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&s->mutex);
        s->sum++;
        pthread_mutex_unlock(&s->mutex);
    }
    return arg;
}

static void *dies(void *arg)
{
    pthread_mutex_lock(&s->mutex);
    s->held = 1;
    usleep(50000);
    return arg;
}

static void mutexes(void)
{
    pthread_t t[4];
    s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    make(&s->mutex, 0, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_ERRORCHECK);
    T(pthread_mutex_lock(&s->mutex));
    T(pthread_mutex_lock(&s->mutex));
    T(pthread_mutex_unlock(&s->mutex));
    T(pthread_mutex_unlock(&s->mutex));
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, adds, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    printf("sum %ld\n", s->sum);
    make(&s->mutex, 1, PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_NORMAL);
    pthread_create(&t[0], NULL, dies, NULL);
    while (!s->held)
        usleep(1000);
    T(pthread_mutex_lock(&s->mutex)); // waits meanwhile
    T(pthread_mutex_consistent(&s->mutex));
    T(pthread_mutex_unlock(&s->mutex));
    pthread_join(t[0], NULL);
    for (int waits = 0; waits < 2; waits++) {
        int status;
        s->held = 0;
        fflush(stdout);
        if (fork() == 0) {
            pthread_mutex_lock(&s->mutex);
            s->held = 1;
            usleep(waits ? 100000 : 0);
            raise(SIGKILL);
        }
        while (!s->held)
            usleep(1000);
        if (!waits)
            wait(&status);
        T(pthread_mutex_lock(&s->mutex));
        T(pthread_mutex_consistent(&s->mutex));
        T(pthread_mutex_unlock(&s->mutex));
        T(pthread_mutex_trylock(&s->mutex));
        T(pthread_mutex_unlock(&s->mutex));
        if (waits)
            wait(&status);
    }
    fflush(stdout);
    s->sum = 0;
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            adds(NULL);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("sum %ld\n", s->sum);
}

// The others are on the other node.
static void far(void)
{
    s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    make(&s->mutex, 1, PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_NORMAL);
    fflush(stdout);
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            if (i)
                move_to(1);
            for (int k = 0; k < 100; k++) {
                pthread_mutex_lock(&s->mutex);
                s->sum++;
                pthread_mutex_unlock(&s->mutex);
            }
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("sum %ld\n", s->sum);
    for (int dies = 0; dies < 2; dies++) {
        s->held = 0;
        fflush(stdout);
        if (fork() == 0) {
            move_to(1);
            pthread_mutex_lock(&s->mutex);
            s->held = 1;
            usleep(200000);
            if (dies)
                raise(SIGKILL);
            pthread_mutex_unlock(&s->mutex);
            _exit(0);
        }
        while (!s->held)
            usleep(1000);
        T(pthread_mutex_lock(&s->mutex)); // waits meanwhile
        if (dies)
            T(pthread_mutex_consistent(&s->mutex));
        T(pthread_mutex_unlock(&s->mutex));
        wait(NULL);
    }
}

int main(int argc, char **argv)
{
    (void)argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        far();
        return 0;
    }
    alone();
    refused();
    handed_on();
    circle();
    signals();
    conditions();
    mutexes();
    return 0;
}
