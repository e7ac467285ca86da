// SPDX-License-Identifier: MIT
// Ids, limits, times, priorities, prctl: what a fresh root process may ask and change.
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void said(const char *what, long result)
{
    int error = result < 0 ? errno : 0;
    printf("%s: %ld errno %d\n", what, result, error);
}

static void users(void)
{
    int status;
    fflush(stdout);
    if (fork() == 0) {
        uid_t r, e, s;
        gid_t list[4] = {5, 70000, 7, 8};
        said("setgroups", setgroups(4, list));
        said("getgroups", getgroups(0, NULL));
        said("getgroups small", getgroups(2, list));
        said("setregid", setregid(50, 60));
        printf("gid %d %d\n", getgid(), getegid());
        said("setresuid", setresuid(1000, 2000, 3000));
        getresuid(&r, &e, &s);
        printf("%d %d %d\n", r, e, s);
        said("setuid saved", setuid(3000));
        getresuid(&r, &e, &s);
        printf("%d %d %d\n", r, e, s);
        said("setuid 0", setuid(0));
        said("setreuid", setreuid(-1, 2000));
        said("setresuid bad", setresuid(-1, 5, -1));
        said("setgroups", setgroups(0, NULL));
        said("kill init", kill(1, 0));
        int was = getpriority(PRIO_PROCESS, 0); // the test itself may run with less
        said("nice up", setpriority(PRIO_PROCESS, 0, was + 5));
        said("nice down", setpriority(PRIO_PROCESS, 0, was - 5));
        struct rlimit l = {10, 20};
        said("limit", setrlimit(RLIMIT_CORE, &l));
        l.rlim_max = 30;
        said("limit up", setrlimit(RLIMIT_CORE, &l));
        l.rlim_cur = 40;
        said("limit odd", setrlimit(RLIMIT_CORE, &l));
        exit(0);
    }
    wait(&status);
}

static void limits(void)
{
    struct rlimit l;
    getrlimit(RLIMIT_STACK, &l);
    printf("stack %d\n", (int)l.rlim_cur);
    said("bad limit", getrlimit(99, &l));
    said("prlimit nobody", prlimit(0x7fffff0, RLIMIT_CPU, NULL, &l));
}

static void names(void)
{
    char name[17] = {0};
    struct utsname u;
    prctl(PR_SET_NAME, "a name that is too long");
    prctl(PR_GET_NAME, name);
    printf("name %s\n", name);
    said("prctl", prctl(9999, 0, 0, 0, 0));
    said("dumpable", prctl(PR_GET_DUMPABLE));
    said("uname", uname(&u));
    printf("%s\n", u.sysname);
}

static void clocks(void)
{
    struct timespec a, b, r, t = {0, 50000000};
    struct timeval tv;
    clock_gettime(CLOCK_MONOTONIC, &a);
    nanosleep(&t, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
    printf("slept %d\n", ms >= 50 && ms < 500);
    clock_gettime(CLOCK_REALTIME, &a);
    gettimeofday(&tv, NULL);
    printf("agree %d\n", labs(tv.tv_sec - a.tv_sec) <= 1);
    said("clock", clock_gettime(77, &a));
    said("res", clock_getres(CLOCK_MONOTONIC, &r));
    t.tv_nsec = 1000000000;
    said("nanosleep bad", nanosleep(&t, NULL));
    clock_gettime(CLOCK_MONOTONIC, &a);
    a.tv_nsec += 20000000;
    if (a.tv_nsec >= 1000000000) {
        a.tv_sec++;
        a.tv_nsec -= 1000000000;
    }
    said("until", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &a, NULL));
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("after %d\n", b.tv_sec > a.tv_sec || b.tv_nsec >= a.tv_nsec);
    volatile double x = 1;
    struct rusage u;
    do {
        for (int i = 0; i < 1000000; i++)
            x = x * 1.0000001;
        getrusage(RUSAGE_SELF, &u);
    } while (u.ru_utime.tv_sec == 0 && u.ru_utime.tv_usec < 30000);
    struct tms tm;
    times(&tm);
    printf("times %d\n", tm.tms_utime >= 2 && tm.tms_utime < 100);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    printf("cpu %d\n", a.tv_sec > 0 || a.tv_nsec >= 30000000);
    said("alarm", alarm(10));
    said("alarm again", alarm(0));
    struct itimerval it;
    said("itimer", getitimer(ITIMER_REAL, &it));
    said("itimer bad", getitimer((enum __itimer_which)9, &it));
}

static void scheduling(void)
{
    cpu_set_t set;
    struct sched_param p = {0};
    said("yield", sched_yield());
    printf("affinity %d\n", sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0);
    said("policy", sched_getscheduler(0));
    said("max", sched_get_priority_max(SCHED_FIFO));
    said("min", sched_get_priority_min(SCHED_OTHER));
    said("bad", sched_get_priority_min(50));
    said("param", sched_getparam(0, &p));
    said("nobody", sched_getscheduler(0x7fffff0));
    int was = getpriority(PRIO_PROCESS, 0);
    said("nice", nice(3) - was);
    said("priority", getpriority(PRIO_PROCESS, 0) - was);
    said("priority of", getpriority(7, 0));
    said("priority nobody", getpriority(PRIO_PROCESS, 0x7fffff0));
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    users();
    limits();
    names();
    clocks();
    scheduling();
    return 0;
}
