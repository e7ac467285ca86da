// SPDX-License-Identifier: MIT
// A program for musl: threads, a handler, a child, the heap, a file, both outputs, a status.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <time.h>
#include <signal.h>
#include <pthread.h>
static void *thr(void *a)
{
    *(int *)a += 41;
    return a;
}
static volatile int got;
static void h(int s)
{
    got = s;
}
int main(int argc, char **argv)
{
    int v = 1, st;
    pthread_t t;
    void *r;
    printf("musl %d %s\n", argc, argv[1]);
    pthread_create(&t, NULL, thr, &v);
    pthread_join(t, &r);
    printf("thread %d\n", *(int *)r);
    signal(SIGUSR1, h);
    raise(SIGUSR1);
    printf("signal %d\n", got == SIGUSR1);
    pid_t p = fork();
    if (!p)
        _exit(7);
    waitpid(p, &st, 0);
    printf("child %d\n", WEXITSTATUS(st));
    char *m = malloc(3000000);
    memset(m, 5, 3000000);
    printf("%d\n", m[2999999]);
    FILE *f = fopen("/tmp/musl", "w+");
    fprintf(f, "hello %.3f\n", 1.5);
    rewind(f);
    char b[64];
    fgets(b, 64, f);
    fputs(b, stdout);
    unlink("/tmp/musl");
    fprintf(stderr, "err\n");
    return 5;
}
