// SPDX-License-Identifier: MIT
// Nice values: of processes, groups and users, what they may become, and what they mean for two
// loops on one CPU (nices turns); nices far: of processes on the other node. Every line is the same
// on Linux.
#define _GNU_SOURCE
#include "move.h"
#include "say.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>

#define SOMEBODY 12345

static void told(const char *what, int which, id_t who)
{
    errno = 0;
    int r = getpriority(which, who);
    printf("%s: %d %s\n", what, r, errno ? strerrorname_np(errno) : "ok");
}

static pid_t sleeper(int node)
{
    int up[2];
    char c;
    fflush(stdout);
    if (pipe(up))
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        if (node)
            move_to(node);
        put(up[1], "x");
        for (;;)
            pause();
    }
    if (read(up[0], &c, 1) != 1)
        exit(1);
    close(up[0]), close(up[1]);
    return pid;
}

static void ended(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void groups(int node)
{
    pid_t a = sleeper(node), b = sleeper(0);
    setpgid(a, a), setpgid(b, a);
    told("a child", PRIO_PROCESS, a);
    say("nicer", setpriority(PRIO_PROCESS, a, 5));
    told("that", PRIO_PROCESS, a);
    told("its group", PRIO_PGRP, a);
    say("all of it", setpriority(PRIO_PGRP, a, 7));
    told("the other", PRIO_PROCESS, b);
    told("its group", PRIO_PGRP, a);
    say("too nice", setpriority(PRIO_PROCESS, a, 100));
    told("that", PRIO_PROCESS, a);
    say("the opposite", setpriority(PRIO_PROCESS, a, -100));
    told("its group", PRIO_PGRP, a);
    ended(a);
    told("gone", PRIO_PROCESS, a);
    say("gone", setpriority(PRIO_PROCESS, a, 1));
    ended(b);
    told("no group", PRIO_PGRP, a);
    say("no choice", setpriority(3, 0, 0));
}

static void users(int node)
{
    pid_t root = sleeper(node);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_NICE, &none);
        if (setresuid(SOMEBODY, SOMEBODY, SOMEBODY))
            exit(1);
        pid_t mine = sleeper(node);
        told("mine", PRIO_USER, 0);
        say("all of mine", setpriority(PRIO_USER, 0, 3));
        told("the other", PRIO_PROCESS, mine);
        told("mine", PRIO_USER, SOMEBODY);
        say("less nice", setpriority(PRIO_PROCESS, mine, 2));
        say("nice", nice(-1));
        say("root's", setpriority(PRIO_PROCESS, root, 9));
        ended(mine);
        exit(0);
    }
    waitpid(child, NULL, 0);
    ended(root);
}

// Until it has had so much of the CPU.
static void loop(long ms)
{
    struct timespec t;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}

static pid_t looper(int go[2], int value, int policy, long ms)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        struct sched_param none = {0};
        setpriority(PRIO_PROCESS, 0, value);
        if (policy)
            sched_setscheduler(0, policy, &none);
        close(go[1]);
        if (read(go[0], &c, 1) == 0)
            loop(ms);
        _exit(0);
    }
    return pid;
}

static long used_us(pid_t pid)
{
    struct rusage u;
    int status;
    wait4(pid, &status, 0, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

// Both on one CPU, until the first has had its time; what the second got meanwhile.
static void share(int value, int policy, long *first, long *second)
{
    int go[2];
    if (pipe(go))
        exit(1);
    pid_t a = looper(go, 0, 0, 150), b = looper(go, value, policy, 100000);
    close(go[0]), close(go[1]);
    *first = used_us(a);
    kill(b, SIGKILL);
    *second = used_us(b);
}

// Where the CPU itself is shared with others, a turn may be counted that was not had: such a round
// does not count.
static void turns(const char *what, int value, int policy, int nicer)
{
    long first = 0, second = 0;
    for (int k = 0; k < 8; k++) {
        share(value, policy, &first, &second);
        if ((first >= 4 * second) == nicer && second > 0)
            break;
    }
    printf("%s: %s, %s\n", what, first >= 4 * second ? "a fourth at most" : "more than a fourth",
           second > 0 ? "some" : "none");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setpriority(PRIO_PROCESS, 0, 0);
    if (argc > 1 && !strcmp(argv[1], "far")) {
        groups(1);
        users(1);
        return 0;
    }
    if (argc < 2) {
        groups(0);
        users(0);
        return 0;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    turns("nice 0 and 0", 0, 0, 0);
    turns("nice 0 and 19", 19, 0, 1);
    turns("nice 0 and SCHED_IDLE", 0, SCHED_IDLE, 1);
    turns("nice 0 and SCHED_BATCH", 0, SCHED_BATCH, 0);
    return 0;
}
