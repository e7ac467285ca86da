// SPDX-License-Identifier: MIT
// sigsum N: takes queued signals SIGRTMIN (from one sender) and SIGRTMIN+1 (from another) until it
// has N of each: every value in order, none twice, none lost. sigsum PID S N: sends them.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int take(int n)
{
    sigset_t s;
    int next[2] = {0, 0}, wrong = 0;

    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN);
    sigaddset(&s, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &s, NULL);
    printf("ready\n");
    fflush(stdout);
    while (next[0] < n || next[1] < n) {
        siginfo_t i;
        struct timespec t = {20, 0};
        int got = sigtimedwait(&s, &i, &t);
        if (got < 0) {
            printf("none came: %s\n", strerror(errno));
            break;
        }
        int from = got - SIGRTMIN;
        wrong += i.si_value.sival_int != next[from];
        next[from] = i.si_value.sival_int + 1;
    }
    printf("got %d %d wrong %d\n", next[0], next[1], wrong);
    return wrong != 0;
}

static int give(int pid, int which, int n)
{
    for (int i = 0; i < n; i++) {
        union sigval v = {.sival_int = i};
        while (sigqueue(pid, SIGRTMIN + which, v) < 0) {
            if (errno != EAGAIN) {
                printf("%d not sent: %s\n", i, strerror(errno));
                return 1;
            }
            usleep(1000);
        }
        if (i % 16 == 0)
            usleep(2000);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return take(atoi(argv[1]));
    return argc == 4 ? give(atoi(argv[1]), atoi(argv[2]), atoi(argv[3])) : 2;
}
