// SPDX-License-Identifier: MIT
// POSIX timers, setitimer and CPU clocks: every line it prints is the same on Linux.
#define _GNU_SOURCE
#include "say.h"
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>

static long create(int clock, int notify, int signal, int value, int tid, int *id)
{
    int event[16] = {value, signal, notify, tid};
    return syscall(SYS_timer_create, clock, event, id);
}

static long settime(int id, int flags, long ms, long interval_ms)
{
    long t[4] = {interval_ms / 1000, interval_ms % 1000 * 1000000, ms / 1000, ms % 1000 * 1000000};
    return syscall(SYS_timer_settime, id, flags, t, NULL);
}

static long left_ms(int id, long *interval_ms)
{
    long t[4];
    if (syscall(SYS_timer_gettime, id, t))
        return -1;
    *interval_ms = t[0] * 1000 + t[1] / 1000000;
    return t[2] * 1000 + t[3] / 1000000;
}

static void errors(int *id)
{
    static void *volatile bad = (void *)16;
    long t[4] = {0, 0, 0, 1000000000}, ms;
    say("bad clock", create(77, 0, SIGUSR1, 0, 0, id));
    say("raw clock", create(CLOCK_MONOTONIC_RAW, 0, SIGUSR1, 0, 0, id));
    say("coarse clock", create(CLOCK_REALTIME_COARSE, 0, SIGUSR1, 0, 0, id));
    say("bad signal", create(CLOCK_MONOTONIC, 0, 65, 0, 0, id));
    say("signal 0", create(CLOCK_MONOTONIC, 0, 0, 0, 0, id));
    say("bad notify", create(CLOCK_MONOTONIC, 9, SIGUSR1, 0, 0, id));
    say("other's thread", create(CLOCK_MONOTONIC, 4, SIGUSR1, 0, getppid(), id));
    say("bad event", syscall(SYS_timer_create, CLOCK_MONOTONIC, bad, id));
    say("bad id at", syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, bad));
    say("create", create(CLOCK_MONOTONIC, 0, SIGUSR1, 7, 0, id));
    say("bad time", syscall(SYS_timer_settime, *id, 0, t, NULL));
    say("no time", syscall(SYS_timer_settime, *id, 0, NULL, NULL));
    say("bad address", syscall(SYS_timer_settime, *id, 0, bad, NULL));
    say("bad timer", settime(4711, 0, 1, 0));
    say("gettime of none", left_ms(4711, &ms));
    say("overrun of none", syscall(SYS_timer_getoverrun, 4711));
    say("delete none", syscall(SYS_timer_delete, 4711));
    say("unset", left_ms(*id, &ms));
}

static void waits(int id)
{
    siginfo_t i;
    sigset_t s;
    long ms, left;
    struct timespec now;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    say("set", settime(id, 0, 20, 0));
    say("wait", sigwaitinfo(&s, &i));
    printf("code %d value %d overrun %d\n", i.si_code, i.si_int, i.si_overrun);
    say("over", left_ms(id, &ms));
    settime(id, 0, 100000, 3000);
    left = left_ms(id, &ms);
    printf("left %d interval %ld\n", left > 90000 && left <= 100000, ms);
    say("disarm", settime(id, 0, 0, 0));
    left = left_ms(id, &ms);
    printf("left %ld interval %ld\n", left, ms);
    settime(id, 0, 1, 1);
    usleep(60000);
    say("wait", sigwaitinfo(&s, &i));
    printf("many %d %d\n", i.si_overrun >= 30, syscall(SYS_timer_getoverrun, id) == i.si_overrun);
    settime(id, 0, 0, 0);
    struct timespec none = {0, 0};
    while (sigtimedwait(&s, &i, &none) > 0)
        ;
    clock_gettime(CLOCK_MONOTONIC, &now);
    say("past", settime(id, TIMER_ABSTIME, now.tv_sec * 1000 - 5, 0));
    say("wait", sigwaitinfo(&s, &i));
    say("delete", syscall(SYS_timer_delete, id));
    say("delete again", syscall(SYS_timer_delete, id));
}

static void kinds(void)
{
    siginfo_t i;
    sigset_t s;
    int id;
    long ms;
    sigemptyset(&s);
    sigaddset(&s, SIGALRM);
    sigaddset(&s, SIGRTMIN);
    sigaddset(&s, SIGVTALRM);
    sigaddset(&s, SIGPROF);
    sigprocmask(SIG_BLOCK, &s, NULL);
    say("default", syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &id));
    settime(id, 0, 5, 0);
    say("SIGALRM", sigwaitinfo(&s, &i));
    printf("value is the id: %d\n", i.si_int == id);
    syscall(SYS_timer_delete, id);
    say("thread", create(CLOCK_MONOTONIC, 4, SIGRTMIN, 9, gettid(), &id));
    settime(id, 0, 5, 0);
    say("SIGRTMIN", sigwaitinfo(&s, &i) == SIGRTMIN);
    syscall(SYS_timer_delete, id);
    say("none", create(CLOCK_MONOTONIC, 1, 0, 0, 0, &id));
    settime(id, 0, 10, 0);
    usleep(20000);
    say("none over", left_ms(id, &ms));
    syscall(SYS_timer_delete, id);
    say("cpu", create(CLOCK_PROCESS_CPUTIME_ID, 0, SIGRTMIN, 1, 0, &id));
    settime(id, 0, 30, 0);
    struct timespec none = {0, 0}, cpu;
    long spins = 0;
    while (sigtimedwait(&s, &i, &none) < 0)
        spins++;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf("cpu used %d\n", cpu.tv_sec > 0 || cpu.tv_nsec >= 30000000);
    syscall(SYS_timer_delete, id);
    struct itimerval it = {{0, 0}, {0, 20000}}, old;
    say("virtual", setitimer(ITIMER_VIRTUAL, &it, NULL));
    for (volatile long k = 0; sigtimedwait(&s, &i, &none) < 0;)
        for (int j = 0; j < 100000; j++)
            k++;
    printf("got %d code %d\n", i.si_signo == SIGVTALRM, i.si_code);
    say("prof", setitimer(ITIMER_PROF, &it, NULL));
    while (sigtimedwait(&s, &i, &none) < 0)
        ;
    printf("got %d code %d\n", i.si_signo == SIGPROF, i.si_code);
    it.it_value.tv_sec = 1000, it.it_interval.tv_sec = 5;
    setitimer(ITIMER_PROF, &it, NULL);
    getitimer(ITIMER_PROF, &old);
    printf("left %d %ld\n", old.it_value.tv_sec >= 990, (long)old.it_interval.tv_sec);
    it = (struct itimerval){{10, 0}, {0, 0}};
    for (int k = 0; k < 3; k++) {
        setitimer(k, &it, NULL);
        getitimer(k, &old);
        printf("not set: interval %ld\n", (long)old.it_interval.tv_sec);
    }
    say("bad which", setitimer(3, &it, NULL));
    it.it_value.tv_usec = 1000000;
    say("bad usec", setitimer(ITIMER_REAL, &it, NULL));
}

// What clock_getcpuclockid and pthread_getcpuclockid number: sleeping on it, timers on it.
static void cpu_clocks(void)
{
    clockid_t child_clock, own, thread = (clockid_t)(~(unsigned)gettid() << 3 | 6);
    struct timespec t = {0, 20000000}, after;
    int id, status;
    pid_t child = fork();
    for (volatile long k = 0; child == 0; k++)
        ;
    clock_getcpuclockid(child, &child_clock);
    printf("asleep %d\n", clock_nanosleep(child_clock, 0, &t, NULL));
    clock_gettime(child_clock, &after);
    printf("it used that %d\n", after.tv_sec > 0 || after.tv_nsec >= t.tv_nsec);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    printf("%s\n", strerrorname_np(clock_nanosleep(child_clock, 0, &t, NULL)));
    printf("%s\n", strerrorname_np(clock_nanosleep(thread, 0, &t, NULL)));
    say("of a dead one", create(child_clock, 0, SIGRTMIN, 1, 0, &id));
    clock_getcpuclockid(getpid(), &own);
    for (int k = 0; k < 2; k++) {
        say("cpu clock", create(k ? own : thread, 0, SIGRTMIN, 1, 0, &id));
        settime(id, 0, 20, 0);
        sigset_t s;
        sigemptyset(&s);
        sigaddset(&s, SIGRTMIN);
        while (sigtimedwait(&s, NULL, &(struct timespec){0, 0}) < 0)
            ;
        clock_gettime(k ? own : thread, &after);
        printf("used %d\n", after.tv_sec > 0 || after.tv_nsec >= 20000000);
        syscall(SYS_timer_delete, id);
    }
}

static long ms_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// A thread that nothing takes its CPU from has its time told all the same.
static void busy(void)
{
    long start = ms_of(CLOCK_MONOTONIC), thread = ms_of(CLOCK_THREAD_CPUTIME_ID),
         all = ms_of(CLOCK_PROCESS_CPUTIME_ID);
    while (ms_of(CLOCK_THREAD_CPUTIME_ID) < thread + 20 && ms_of(CLOCK_MONOTONIC) < start + 20000)
        ;
    printf("time is told %d\n",
           ms_of(CLOCK_MONOTONIC) < start + 20000 && ms_of(CLOCK_PROCESS_CPUTIME_ID) >= all + 19);
}

static long adjust(unsigned modes)
{
    struct timex t = {.modes = modes};
    long r = syscall(SYS_adjtimex, &t);
    if (r >= 0)
        printf("  tick %ld time %d\n", t.tick, labs(t.time.tv_sec - time(NULL)) < 60);
    return r < 0 ? r : 0;
}

// To read is anybody's.
static void adjustments(void)
{
    struct timex t = {0};
    static const unsigned modes[] = {0, 1, 2, 0x2000, 0x4000, 0x8000, 0x8001, 0xa000, 0xa001};
    fflush(stdout);
    if (fork() == 0) {
        setuid(1000);
        for (unsigned k = 0; k < sizeof(modes) / sizeof(*modes); k++)
            say("adjtimex", adjust(modes[k]));
        for (int clock = -7; clock < 14; clock++)
            done("clock_adjtime", syscall(SYS_clock_adjtime, clock, &t));
        say("nowhere", syscall(SYS_adjtimex, 8));
        _exit(0);
    }
    wait(NULL);
}

static void clocks(void)
{
    struct timespec t;
    clockid_t clock;
    say("getcpuclockid", clock_getcpuclockid(getpid(), &clock));
    say("gettime", clock_gettime(clock, &t));
    say("getcpuclockid 0", clock_getcpuclockid(0, &clock));
    say("gettime", clock_gettime(clock, &t));
    printf("some %d\n", t.tv_nsec > 0 || t.tv_sec > 0);
    say("bad clock", clock_gettime(99, &t));
    say("getres bad", clock_getres(99, &t));
    for (int k = 0; k < 5; k++)
        if (k != 4)
            say("getres", clock_getres(k, &t) + (t.tv_sec == 0));
    t = (struct timespec){0, -1};
    printf("%s\n", strerrorname_np(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL)));
    t = (struct timespec){0, 1000000};
    printf("%s\n", strerrorname_np(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL)));
    printf("%s\n", strerrorname_np(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &t, NULL)));
    printf("%d\n", clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL));
    printf("%d\n", clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL));
}

int main(void)
{
    sigset_t s;
    int id = -1;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_BLOCK, &s, NULL);
    errors(&id);
    waits(id);
    kinds();
    clocks();
    cpu_clocks();
    busy();
    adjustments();
    return 0;
}
