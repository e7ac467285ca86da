// SPDX-License-Identifier: MIT
// What a process says of itself: prctl, capabilities, personality, nice values, scheduling, limits,
// times of children, the death signal of a parent.
#define _GNU_SOURCE
#include "child.h"
#include "said.h"
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void deaths(void)
{
    int sig, p[2], alive[2];
    char c;
    pipe(p);
    pipe(alive);
    T(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    T(prctl(PR_GET_PDEATHSIG, &sig));
    printf("%d\n", sig);
    T(prctl(PR_SET_PDEATHSIG, -1));
    T(prctl(PR_SET_PDEATHSIG, 65));
    T(prctl(PR_GET_PDEATHSIG, 8));
    fflush(stdout);
    if (fork() == 0) {
        if (fork() == 0) {
            sig = 9;
            prctl(PR_GET_PDEATHSIG, &sig); // not inherited
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            write(p[1], &sig, sizeof(sig));
            pause();
            _exit(0);
        }
        read(p[0], &sig, sizeof(sig));
        printf("inherited %d\n", sig);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    close(alive[1]);
    T(read(alive[0], &c, 1)); // ends with the grandchild
}

static void privileges(void)
{
    T(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    T(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T(prctl(PR_GET_DUMPABLE));
    T(prctl(PR_SET_DUMPABLE, 0));
    T(prctl(PR_GET_DUMPABLE));
    T(prctl(PR_SET_DUMPABLE, 2));
    T(prctl(PR_SET_DUMPABLE, 1));
    T(prctl(PR_GET_KEEPCAPS));
    T(prctl(PR_SET_KEEPCAPS, 2));
    T(prctl(PR_CAPBSET_READ, 0));
    T(prctl(PR_CAPBSET_READ, 40));
    T(prctl(PR_CAPBSET_READ, 64));
    T(prctl(PR_SET_NAME, NULL));
    T(prctl(PR_GET_NAME, NULL));
    T(prctl(PR_GET_TIMING));
    T(prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL));
    T(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP));
    T(prctl(PR_GET_SECCOMP));
    T(prctl(PR_GET_SECUREBITS));
    T(prctl(0x7fffffff));
}

static void personalities(void)
{
    T(syscall(SYS_personality, 0xffffffff));
    T(syscall(SYS_personality, 0x0040000));
    T(syscall(SYS_personality, 0xffffffff));
    T(syscall(SYS_personality, 0));
    T(syscall(SYS_personality, 0xffffffff));
    T(syscall(SYS_personality, 0xfffff000)); // looks like no error
    T(syscall(SYS_personality, 0));
}

static void capabilities(void)
{
    uint32_t h[2] = {0x20080522, 0}, d[6] = {0};
    T(syscall(SYS_capget, h, d));
    T(syscall(SYS_capget, h, NULL));
    h[1] = -1;
    T(syscall(SYS_capget, h, d));
    h[1] = 99999;
    T(syscall(SYS_capget, h, d));
    h[1] = 0, h[0] = 7;
    T(syscall(SYS_capget, h, d));
    printf("%x\n", h[0]);
    h[0] = 7;
    T(syscall(SYS_capset, h, d));
    printf("%x\n", h[0]);
    T(syscall(SYS_capset, NULL, d));
    h[0] = 0x20080522;
    T(syscall(SYS_capset, h, NULL));
    h[1] = 99999;
    T(syscall(SYS_capset, h, d));
    h[1] = 0;
    T(syscall(SYS_capget, h, d));
    T(syscall(SYS_capset, h, d));
    T(setuid(1000));
    T(syscall(SYS_capget, h, d));
    printf("%x %x\n", d[0], d[1]);
    T(syscall(SYS_capset, h, d));
    d[0] = 1;
    T(syscall(SYS_capset, h, d));
    d[0] = 0, d[1] = 1;
    T(syscall(SYS_capset, h, d));
}

static void nices(void)
{
    T(getpriority(PRIO_PROCESS, 0));
    T(setpriority(PRIO_PROCESS, 0, -100));
    T(getpriority(PRIO_PROCESS, 0));
    T(setpriority(PRIO_PROCESS, 0, 100));
    T(getpriority(PRIO_PROCESS, getpid()));
    T(getpriority(3, 0));
    T(setpriority(-1, 0, 0));
    T(setpriority(PRIO_PGRP, 99999, 0));
    T(getpriority(PRIO_USER, 54321));
    T(setpriority(PRIO_PROCESS, 0, 10));
    T(nice(0));
    T(nice(-50));
    T(nice(5));
    T(setuid(1000));
    T(nice(1));
    T(nice(-1));
    T(setpriority(PRIO_PROCESS, 0, 0));
}

static void scheduling(void)
{
    struct sched_param p = {0};
    struct timespec t;
    unsigned cpu = 99, unit = 99;
    unsigned long mask[4] = {~0ul, ~0ul, ~0ul, ~0ul};
    T(sched_getscheduler(-1));
    T(sched_getscheduler(99999));
    T(sched_setscheduler(-1, SCHED_OTHER, &p));
    T(sched_setscheduler(0, SCHED_OTHER, NULL));
    T(sched_setscheduler(0, -1, &p));
    T(sched_setscheduler(0, SCHED_OTHER, &p));
    T(sched_getscheduler(0));
    p.sched_priority = 1;
    T(sched_setscheduler(0, SCHED_BATCH, &p));
    T(sched_setparam(0, &p));
    T(sched_setparam(-1, &p));
    T(sched_setparam(0, NULL));
    T(sched_getparam(-1, &p));
    T(sched_getparam(99999, &p));
    for (int i = -1; i < 8; i++)
        if (i != 4 && i != 7) {
            T(sched_get_priority_max(i));
            T(sched_get_priority_min(i));
        }
    T(sched_rr_get_interval(99999, &t));
    T(sched_rr_get_interval(-1, &t));
    T(syscall(SYS_getcpu, &cpu, &unit, NULL));
    printf("%d %d\n", cpu < 99, unit);
    T(syscall(SYS_getcpu, NULL, NULL, NULL));
    T(syscall(SYS_getcpu, 8, NULL, NULL));
    T(syscall(SYS_sched_setaffinity, 0, sizeof(mask), NULL));
    T(syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
    T(syscall(SYS_sched_setaffinity, 0, 0, mask));
    T(syscall(SYS_sched_setaffinity, 99999, sizeof(mask), mask));
    T(syscall(SYS_sched_getaffinity, 0, 3, mask));
    T(syscall(SYS_sched_getaffinity, 0, 129, mask));
    T(setuid(1000));
    p.sched_priority = 1;
    T(sched_setscheduler(0, SCHED_FIFO, &p));
    T(sched_setscheduler(0, SCHED_RR, &p));
    T(sched_setscheduler(getppid(), SCHED_OTHER, &(struct sched_param){0}));
}

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util[2], more[16];
};

static void show_attr(void)
{
    struct attr a = {0};
    T(syscall(SYS_sched_getattr, 0, &a, 48, 0));
    printf("size %u policy %u flags %llu nice %d priority %u\n", a.size, a.policy,
           (unsigned long long)a.flags, a.nice, a.priority);
}

static long set_attr(uint32_t size, uint32_t policy, uint64_t flags, int nice, uint32_t more)
{
    struct attr a = {size, policy, flags, nice, 0, 0, 0, 0, {0}, {more}};
    long r = syscall(SYS_sched_setattr, 0, &a, 0);
    printf("size now %u; ", a.size);
    return r;
}

static void attributes(void)
{
    struct attr a = {.size = 48};
    show_attr();
    T(syscall(SYS_sched_getattr, 0, &a, 47, 0));
    T(syscall(SYS_sched_getattr, 0, &a, 4097, 0));
    T(syscall(SYS_sched_getattr, 0, &a, 48, 1));
    T(syscall(SYS_sched_getattr, 0, NULL, 48, 0));
    T(syscall(SYS_sched_getattr, 0, 8, 48, 0));
    T(syscall(SYS_sched_getattr, -1, &a, 48, 0));
    T(syscall(SYS_sched_getattr, 99999, &a, 48, 0));
    T(syscall(SYS_sched_setattr, 0, &a, 1));
    T(syscall(SYS_sched_setattr, 0, NULL, 0));
    T(syscall(SYS_sched_setattr, 0, 8, 0));
    T(syscall(SYS_sched_setattr, -1, &a, 0));
    T(syscall(SYS_sched_setattr, 99999, &a, 0));
    T(set_attr(0, SCHED_BATCH, 0, 3, 0));
    show_attr();
    T(set_attr(47, SCHED_OTHER, 0, 0, 0));
    T(set_attr(4097, SCHED_OTHER, 0, 0, 0));
    T(set_attr(100, SCHED_OTHER, 0, 100, 0));
    show_attr();
    T(set_attr(100, SCHED_OTHER, 0, 0, 1));
    T(set_attr(56, SCHED_IDLE, 1, -100, 0));
    show_attr();
    T(sched_getscheduler(0));
    T(set_attr(48, SCHED_OTHER, 0x1000, 0, 0));
    T(set_attr(48, SCHED_OTHER, 0x20, 0, 0));
    T(set_attr(48, 4, 0, 0, 0));
    T(set_attr(48, -1, 0, 0, 0));
    T(set_attr(48, SCHED_FIFO, 0, 0, 0));
    T(set_attr(48, 6, 0, 0, 0));
    T(set_attr(48, 99, 0x18, 0, 0));
    show_attr();
}

static void policies(void)
{
    struct sched_param p = {0};
    T(sched_setscheduler(0, SCHED_BATCH, &p));
    T(sched_getscheduler(0));
    T(sched_setparam(0, &p));
    T(sched_getscheduler(0));
    T(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &p));
    T(sched_getscheduler(0));
    T(setpriority(PRIO_PROCESS, 0, -5));
    fflush(stdout);
    if (fork() == 0) {
        T(sched_getscheduler(0));
        T(getpriority(PRIO_PROCESS, 0));
        exit(0);
    }
    wait(NULL);
    T(sched_setscheduler(0, SCHED_IDLE, &p));
    T(sched_getscheduler(0));
    p.sched_priority = 100;
    T(sched_setscheduler(0, SCHED_FIFO, &p));
    T(sched_setscheduler(0, 4, &(struct sched_param){0}));
    T(sched_setscheduler(0, 6, &(struct sched_param){0}));
    attributes();
    T(set_attr(48, SCHED_IDLE, 1, 0, 0));
    T(setuid(1000));
    T(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}));
    T(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}));
    T(set_attr(48, SCHED_IDLE, 1, -1, 0));
    T(set_attr(48, SCHED_IDLE, 1, 1, 0));
    show_attr();
}

static void limits(void)
{
    struct rlimit l, old;
    T(getrlimit(-1, &l));
    T(getrlimit(16, &l));
    T(getrlimit(RLIMIT_CORE, (void *)8));
    T(setrlimit(RLIMIT_CORE, (void *)8));
    l = (struct rlimit){10, 5};
    T(setrlimit(RLIMIT_CORE, &l));
    T(prlimit(0, 99, NULL, NULL));
    T(prlimit(0, RLIMIT_CORE, NULL, NULL));
    T(prlimit(99999, RLIMIT_CORE, NULL, &l));
    T(prlimit(-1, RLIMIT_CORE, NULL, &l));
    l = (struct rlimit){100, 1000};
    T(setrlimit(RLIMIT_FSIZE, &l));
    l = (struct rlimit){200, 1000};
    T(prlimit(getpid(), RLIMIT_FSIZE, &l, &old));
    printf("%ld %ld\n", (long)old.rlim_cur, (long)old.rlim_max);
    fflush(stdout);
    if (fork() == 0) {
        getrlimit(RLIMIT_FSIZE, &l);
        printf("inherited %ld %ld\n", (long)l.rlim_cur, (long)l.rlim_max);
        exit(0);
    }
    wait(NULL);
    l = (struct rlimit){1 << 30, 1 << 30};
    T(setrlimit(RLIMIT_NOFILE, &(struct rlimit){10, 1 << 30}));
    T(setuid(1000));
    l = (struct rlimit){100, 2000};
    T(setrlimit(RLIMIT_FSIZE, &l));
    l = (struct rlimit){1000, 1000};
    T(setrlimit(RLIMIT_FSIZE, &l));
    T(prlimit(getppid(), RLIMIT_FSIZE, NULL, &l));
}

static void children(void)
{
    struct rusage u;
    struct tms t;
    getrusage(RUSAGE_CHILDREN, &u);
    printf("%d\n", u.ru_utime.tv_sec == 0 && u.ru_utime.tv_usec < 20000);
    if (fork() == 0) {
        while (clock() < CLOCKS_PER_SEC / 20)
            ;
        _exit(0);
    }
    getrusage(RUSAGE_CHILDREN, &u);
    printf("not yet %d\n", u.ru_utime.tv_sec == 0 && u.ru_utime.tv_usec < 20000);
    wait(NULL);
    getrusage(RUSAGE_CHILDREN, &u);
    printf("now %d\n",
           u.ru_utime.tv_usec + u.ru_stime.tv_usec + u.ru_utime.tv_sec * 1000000 >= 40000);
    T(times(&t) != -1);
    printf("%d\n", t.tms_cutime + t.tms_cstime >= 1);
    T(getrusage(9, &u));
    T(getrusage(RUSAGE_SELF, (void *)8));
    T(getrusage(RUSAGE_THREAD, &u));
    T(syscall(SYS_times, NULL) != -1);
    T(syscall(SYS_times, 8));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    in_child(deaths);
    in_child(privileges);
    in_child(personalities);
    in_child(capabilities);
    in_child(nices);
    in_child(scheduling);
    in_child(policies);
    in_child(limits);
    in_child(children);
    return 0;
}
