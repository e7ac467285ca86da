// SPDX-License-Identifier: MIT
// pthreads: mutexes, conditions, TLS, signals to threads, exit and exec of all.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long sum;
static int turn;
static __thread int mine = 5;
static volatile sig_atomic_t hits;
static pthread_t who;

static void *adds(void *arg)
{
    mine += (int)(long)arg;
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&lock);
        sum++;
        pthread_mutex_unlock(&lock);
    }
    return (void *)(long)mine;
}

static void *plays(void *arg)
{
    int me = (int)(long)arg;
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 2 != me)
            pthread_cond_wait(&cond, &lock);
        turn++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void hit(int s)
{
    (void)s;
    hits++;
    who = pthread_self();
}

static void *waits(void *arg)
{
    struct timespec t = {10, 0};
    (void)arg;
    return (void *)(long)(nanosleep(&t, NULL) == -1 && errno == EINTR);
}

static void *ids(void *arg)
{
    (void)arg;
    int tid = (int)syscall(SYS_gettid); // kill takes it as the process's
    return (void *)(long)(getpid() != tid && kill(tid, 0) == 0 && kill(tid, SIGCONT) == 0);
}

static void *ends_all(void *arg)
{
    (void)arg;
    usleep(20000);
    exit(9);
}

static void *execs(void *arg)
{
    (void)arg;
    usleep(20000);
    execl("/proc/self/exe", "threads", "child", (char *)NULL);
    return NULL;
}

static int in_child(void *(*fn)(void *))
{
    int status;
    fflush(stdout);
    if (fork() == 0) {
        pthread_t t;
        pthread_create(&t, NULL, fn, NULL);
        for (;;)
            pause();
    }
    wait(&status);
    return status;
}

static void *takes(void *mutex)
{
    pthread_mutex_lock(mutex); // and never gives it back
    return NULL;
}

static void *leader_gone(void *arg)
{
    (void)arg;
    usleep(30000);
    exit(4);
}

int main(int argc, char **argv)
{
    pthread_t t[8];
    void *r;
    long rs = 0;
    if (argc > 1) {
        printf("exec'd: single %d %s\n", getpid() == syscall(SYS_gettid), argv[1]);
        return 6;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    for (long i = 0; i < 8; i++)
        if (pthread_create(&t[i], NULL, adds, (void *)i))
            printf("no thread\n");
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], &r);
        rs += (long)r;
    }
    printf("sum %ld tls %ld main %d\n", sum, rs, mine);
    pthread_create(&t[0], NULL, plays, (void *)0);
    pthread_create(&t[1], NULL, plays, (void *)1);
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    printf("turns %d\n", turn);
    pthread_create(&t[0], NULL, ids, NULL);
    pthread_join(t[0], &r);
    printf("ids differ %ld\n", (long)r);
    struct sigaction a;
    memset(&a, 0, sizeof(a));
    a.sa_handler = hit;
    sigaction(SIGUSR1, &a, NULL);
    pthread_create(&t[0], NULL, waits, NULL);
    usleep(30000);
    pthread_kill(t[0], SIGUSR1);
    pthread_join(t[0], &r);
    printf("interrupted %ld hits %d there %d\n", (long)r, hits, pthread_equal(who, t[0]) != 0);
    struct timespec to;
    clock_gettime(CLOCK_REALTIME, &to);
    to.tv_nsec += 20000000;
    if (to.tv_nsec >= 1000000000) {
        to.tv_sec++;
        to.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&lock);
    printf("timed %d\n", pthread_cond_timedwait(&cond, &lock, &to) == ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    sem_t s;
    sem_init(&s, 0, 0);
    printf("sem %d\n", sem_timedwait(&s, &to) == -1 && errno == ETIMEDOUT);
    pthread_mutexattr_t ma;
    pthread_mutex_t robust;
    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &ma);
    pthread_create(&t[0], NULL, takes, &robust);
    pthread_join(t[0], NULL);
    printf("owner dead %d\n", pthread_mutex_lock(&robust) == EOWNERDEAD);
    printf("exit of all %x\n", in_child(ends_all));
    printf("exec of all %x\n", in_child(execs));
    int status;
    fflush(stdout);
    if (fork() == 0) {
        pthread_create(&t[0], NULL, leader_gone, NULL);
        pthread_exit(NULL);
    }
    wait(&status);
    printf("leader first %x\n", status);
    return 0;
}
