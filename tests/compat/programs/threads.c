// SPDX-License-Identifier: MIT
// flags: -pthread
// Thread-specific data, cancellation, once, fork handlers, signals to threads, C11 threads.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int made, destroyed, cleaned, handled;
static _Thread_local int own = 1;
static volatile sig_atomic_t hits;

static void make_key(void)
{
    made++;
}

static void destroy(void *p)
{
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
    free(p);
}

static void clean(void *p)
{
    ++*(int *)p;
}

static void *keeps(void *arg)
{
    pthread_once(&once, make_key);
    pthread_setspecific(key, strdup("mine"));
    own += (int)(long)arg;
    return (void *)(long)own;
}

static void *waits(void *arg)
{
    pthread_cleanup_push(clean, &cleaned);
    for (;;)
        sleep(10);
    pthread_cleanup_pop(0);
    return arg;
}

static void *spins(void *arg)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    *(volatile int *)arg = 1;
    for (;;)
        ;
    return NULL;
}

static void on_signal(int sig)
{
    (void)sig;
    hits++;
}

static void *takes(void *arg)
{
    int sig;
    sigwait(arg, &sig);
    return (void *)(long)sig;
}

static void fork_handler(void)
{
    handled++;
}

static int c11(void *arg)
{
    return (int)(long)arg * 2;
}

static void signals(void)
{
    sigset_t set;
    pthread_t t;
    void *got;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&t, NULL, takes, &set);
    kill(getpid(), SIGUSR2);
    pthread_join(t, &got);
    signal(SIGUSR1, on_signal);
    pthread_kill(pthread_self(), SIGUSR1);
    printf("sigwait %d pthread_kill %d\n", (long)got == SIGUSR2, hits);
}

int main(void)
{
    pthread_t t[5];
    void *r;
    volatile int started = 0;
    pthread_key_create(&key, destroy);
    for (long i = 0; i < 5; i++)
        pthread_create(t + i, NULL, keeps, (void *)i);
    for (int i = 0; i < 5; i++) {
        pthread_join(t[i], &r);
        printf("%ld ", (long)r);
    }
    printf("own %d made %d destroyed %d\n", own, made, destroyed);
    pthread_create(t, NULL, waits, NULL);
    pthread_cancel(t[0]);
    pthread_join(t[0], &r);
    pthread_create(t, NULL, spins, (void *)&started);
    while (!started)
        usleep(1000);
    pthread_cancel(t[0]);
    pthread_join(t[0], NULL);
    printf("cancelled %d cleaned %d\n", r == PTHREAD_CANCELED, cleaned);
    signals();
    pthread_atfork(fork_handler, fork_handler, fork_handler);
    pthread_setname_np(pthread_self(), "renamed");
    if (!fork())
        _exit(handled * 10);
    int status, value;
    wait(&status);
    char name[16];
    pthread_getname_np(pthread_self(), name, sizeof name);
    thrd_t c;
    thrd_create(&c, c11, (void *)21L);
    thrd_join(c, &value);
    printf("fork handlers %d %d name %s c11 %d\n", WEXITSTATUS(status), handled, name, value);
    pthread_exit(NULL); // the last thread to end gives the status 0
}
