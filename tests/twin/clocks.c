// SPDX-License-Identifier: MIT
// Timers of every kind and the clocks they run by: made, set, asked, ended. What is set lies far
// ahead or in the past, so nothing depends on how fast it all runs.
#include "twin.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define TIMERS 4
#define FAR    100 // seconds: longer than any run

static int timers[TIMERS]; // numbers of the kernel; -1: none
static int fds[TIMERS];
static void *volatile bad = (void *)8;

static const int clocks[] = {0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 77, -1, -2, -6, -3};

// ---- times -------------------------------------------------------------------------------------
static const char *draw_time(struct timespec *t, int clock, bool absolute)
{
    struct timespec now = {0, 0};
    switch (draw(9)) {
    case 0:
        *t = (struct timespec){0, 0};
        return "0";
    case 1:
        *t = (struct timespec){-1, 0};
        return "-1 s";
    case 2:
        *t = (struct timespec){0, 1000000000};
        return "1000000000 ns";
    case 3:
        *t = (struct timespec){0, -1};
        return "-1 ns";
    case 4:
    case 5:
        *t = (struct timespec){0, 1};
        return absolute ? "long ago" : "at once";
    default:
        if (absolute)
            syscall(SYS_clock_gettime, clock, &now);
        *t = (struct timespec){now.tv_sec + FAR, 5};
        return "far";
    }
}

static const char *draw_interval(struct timespec *t)
{
    static const struct {
        struct timespec t;
        const char *name;
    } all[] = {{{0, 0}, "once"},
               {{0, 0}, "once"},
               {{0, 0}, "once"},
               {{50, 0}, "50 s"},
               {{50, 500}, "50.0000005 s"},
               {{0, 1000000000}, "1000000000 ns"},
               {{-1, 0}, "-1 s"}};
    unsigned i = draw(sizeof(all) / sizeof(all[0]));
    *t = all[i].t;
    return all[i].name;
}

static const char *in_words(const struct timespec *t)
{
    return t->tv_sec == 0 && t->tv_nsec == 0 ? "not set" : t->tv_sec > 60 ? "far" : "soon";
}

static void said_setting(const struct itimerspec *s)
{
    printf("%u:   %s, every %ld s %ld ns\n", twin_step, in_words(&s->it_value),
           (long)s->it_interval.tv_sec, s->it_interval.tv_nsec);
}

// What was set to the past has had its effect, also by the clocks that count what is computed.
static void settle(void)
{
    long end = clock() + CLOCKS_PER_SEC / 50;
    while (clock() < end)
        for (volatile int i = 0; i < 1000; i++)
            ;
}

// Of what is pending.
static bool news(void)
{
    sigset_t set;
    siginfo_t info;
    sigfillset(&set);
    memset(&info, 0, sizeof(info));
    long r = said(sigtimedwait(&set, &info, &(struct timespec){0, 0}), "sigtimedwait");
    if (r > 0)
        printf("%u:   code %d value %d\n", twin_step, info.si_code,
               info.si_code == SI_TIMER ? info.si_value.sival_int : 0);
    return r > 0;
}

static void step_news(void)
{
    news();
}

// Before a timer is set anew or ends: its signal stays pending on Linux 6.1, and goes with later
// ones.
static void all_news(void)
{
    while (news())
        ;
}

// ---- timer_create and its kin ------------------------------------------------------------------
static void step_create(void)
{
    static const int kinds[] = {SIGEV_SIGNAL, SIGEV_SIGNAL, SIGEV_SIGNAL, SIGEV_NONE, 4, 9, -1};
    static const int signals[] = {SIGUSR1, SIGUSR1, SIGUSR2, 40, 0, 65, -1};
    int i = (int)draw(TIMERS), clock = PICK(clocks), id = -1;
    int event[16] = {(int)draw(100), PICK(signals), PICK(kinds), draw(2) ? getpid() : 1};
    unsigned how = draw(12);
    all_news();
    if (timers[i] >= 0)
        syscall(SYS_timer_delete, timers[i]);
    long r = said(syscall(SYS_timer_create, clock,
                          how == 0   ? NULL
                          : how == 1 ? bad
                                     : (void *)event,
                          how == 2 ? bad : (void *)&id),
                  "timer_create(%d, %d signal %d%s) %d", clock, event[2], event[1],
                  how == 0   ? " (none given)"
                  : how == 1 ? " (bad)"
                  : how == 2 ? " to bad"
                             : "",
                  i);
    timers[i] = r == 0 ? id : -1;
}

static int clock_of[TIMERS];

static void step_set(void)
{
    static const int flags[] = {0, 0, TIMER_ABSTIME, TIMER_ABSTIME, 2, -1};
    int i = (int)draw(TIMERS), f = PICK(flags);
    struct itimerspec s, old;
    const char *when = draw_time(&s.it_value, CLOCK_MONOTONIC, f & TIMER_ABSTIME);
    const char *again = draw_interval(&s.it_interval);
    bool wants_old = draw(2), is_bad = !draw(20);
    memset(&old, 0, sizeof(old));
    all_news();
    long r = said(syscall(SYS_timer_settime, timers[i], f, is_bad ? bad : (void *)&s,
                          wants_old ? &old : NULL),
                  "timer_settime(%d, %d, %s, %s)", i, f, is_bad ? "bad" : when, again);
    if (r == 0 && wants_old)
        said_setting(&old);
    settle();
}

static void step_look(void)
{
    int i = (int)draw(TIMERS);
    struct itimerspec s;
    memset(&s, 0, sizeof(s));
    if (draw(2)) {
        if (said(syscall(SYS_timer_gettime, timers[i], draw(20) ? (void *)&s : bad),
                 "timer_gettime(%d)", i) == 0)
            said_setting(&s);
    } else {
        said(syscall(SYS_timer_getoverrun, timers[i]), "timer_getoverrun(%d)", i);
    }
}

static void step_delete(void)
{
    int i = (int)draw(TIMERS);
    all_news();
    said(syscall(SYS_timer_delete, timers[i]), "timer_delete(%d)", i);
    timers[i] = -1;
}

// ---- timerfd -----------------------------------------------------------------------------------
static void step_fd_create(void)
{
    static const int flags[] = {0, 0, TFD_CLOEXEC, 4, -1};
    int i = (int)draw(TIMERS), clock = PICK(clocks), f = PICK(flags);
    if (fds[i] >= 0)
        close(fds[i]);
    fds[i] = (int)syscall(SYS_timerfd_create, clock, f | TFD_NONBLOCK);
    said(fds[i] >= 0 ? 0 : -1, "timerfd_create(%d, %d) %d", clock, f, i);
    clock_of[i] = clock == 0 || clock == 8 ? 0 : 1;
}

static void step_fd_set(void)
{
    static const int flags[] = {0, 0, 1, 1, 2, 3, 4, -1};
    int i = (int)draw(TIMERS), f = PICK(flags);
    struct itimerspec s, old;
    const char *when = draw_time(&s.it_value, clock_of[i], f & 1);
    const char *again = draw_interval(&s.it_interval);
    bool wants_old = draw(2), is_bad = !draw(20);
    memset(&old, 0, sizeof(old));
    long r = said(
        syscall(SYS_timerfd_settime, fds[i], f, is_bad ? bad : (void *)&s, wants_old ? &old : NULL),
        "timerfd_settime(%d, %d, %s, %s)", i, f, is_bad ? "bad" : when, again);
    if (r == 0 && wants_old)
        said_setting(&old);
    settle();
}

static void step_fd_look(void)
{
    int i = (int)draw(TIMERS), fd = draw(20) ? fds[i] : 0;
    struct itimerspec s;
    uint64_t times = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    memset(&s, 0, sizeof(s));
    switch (draw(3)) {
    case 0:
        if (said(syscall(SYS_timerfd_gettime, fd, draw(20) ? (void *)&s : bad),
                 "timerfd_gettime(%d)", i) == 0)
            said_setting(&s);
        break;
    case 1:
        if (fd == 0)
            return;
        if (said(read(fd, &times, draw(10) ? 8 : 7), "read(%d)", i) == 8)
            printf("%u:   %s\n", twin_step, times > 1 ? "many times" : "once");
        break;
    default:
        if (fd == 0)
            return;
        said(poll(&p, 1, 0), "poll(%d)", i);
        printf("%u:   %x\n", twin_step, p.revents);
    }
}

// ---- setitimer, alarm --------------------------------------------------------------------------
static void step_itimer(void)
{
    static const struct timeval values[] = {{0, 0},  {FAR, 5},     {FAR, 500000}, {FAR, 999999},
                                            {-1, 0}, {0, 1000000}, {0, -1}};
    int which = (int)draw(5) - (draw(10) == 0);
    struct itimerval v = {.it_value = PICK(values), .it_interval = PICK(values)}, old;
    unsigned how = draw(12);
    memset(&old, 0, sizeof(old));
    long r;
    if (draw(3)) {
        r = said(syscall(SYS_setitimer, which,
                         how == 0   ? NULL
                         : how == 1 ? bad
                                    : (void *)&v,
                         how == 2 ? bad : (void *)&old),
                 "setitimer(%d, %ld %ld, %ld %ld)%s", which, (long)v.it_value.tv_sec,
                 (long)v.it_value.tv_usec, (long)v.it_interval.tv_sec, (long)v.it_interval.tv_usec,
                 how == 0   ? " none"
                 : how == 1 ? " bad"
                 : how == 2 ? " to bad"
                            : "");
    } else {
        r = said(syscall(SYS_getitimer, which, how == 0 ? bad : (void *)&old), "getitimer(%d)",
                 which);
    }
    if (r == 0)
        printf("%u:   %s, every %ld %ld\n", twin_step,
               old.it_value.tv_sec > FAR - 60                          ? "far"
               : old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0 ? "not set"
                                                                       : "soon",
               (long)old.it_interval.tv_sec, (long)old.it_interval.tv_usec);
}

static void step_alarm(void)
{
    static const unsigned values[] = {0, 0, FAR, FAR + 1, 0x7fffffff, 0xffffffff};
    unsigned n = PICK(values), was = (unsigned)syscall(SYS_alarm, n);
    printf("%u: alarm(%u): %s\n", twin_step, n,
           was == 0           ? "not set"
           : was > 0x70000000 ? "very far"
           : was > FAR - 60   ? "far"
                              : "soon");
}

// ---- clocks ------------------------------------------------------------------------------------
static void step_clock(void)
{
    int clock = PICK(clocks);
    struct timespec t = {7, 7};
    static const struct timespec wrong[] = {{0, 1000000000}, {0, -1}, {-1, 0}};
    bool is_bad = !draw(10);
    switch (draw(5)) {
    case 0:
        said(syscall(SYS_clock_gettime, clock, is_bad ? bad : (void *)&t), "clock_gettime(%d)%s",
             clock, is_bad ? " bad" : "");
        break;
    case 1:
        if (said(syscall(SYS_clock_getres, clock, is_bad ? NULL : &t), "clock_getres(%d)", clock) ==
                0 &&
            clock != 5 && clock != 6)
            printf("%u:   %ld %ld\n", twin_step, (long)t.tv_sec, t.tv_nsec);
        break;
    case 2:
        t = wrong[draw(2)];
        said(syscall(SYS_clock_settime, clock, is_bad ? bad : (void *)&t),
             "clock_settime(%d, %ld %ld)", clock, (long)t.tv_sec, t.tv_nsec);
        break;
    case 3: {
        struct timeval v = {0, draw(2) ? 1000000 : -1};
        said(syscall(SYS_settimeofday, is_bad ? bad : (void *)&v, NULL), "settimeofday(%ld)%s",
             (long)v.tv_usec, is_bad ? " bad" : "");
        break;
    }
    default:
        said(syscall(SYS_gettimeofday, is_bad ? bad : NULL, draw(2) ? NULL : bad), "gettimeofday");
    }
}

static void step_sleep(void)
{
    static const int flags[] = {0, 0, TIMER_ABSTIME, TIMER_ABSTIME, 2};
    static const struct timespec times[] = {{0, 0}, {0, 1}, {0, 1000000000}, {0, -1}, {-1, 0}};
    int clock = PICK(clocks), f = PICK(flags);
    struct timespec t = PICK(times), left = {7, 7};
    bool is_bad = !draw(15);
    if (clock == 2 || clock == 3 || clock < 0) // those stand still while one sleeps
        t = (struct timespec){0, -1};
    if (draw(3)) {
        long r = syscall(SYS_clock_nanosleep, clock, f, is_bad ? bad : (void *)&t, &left);
        said(r, "clock_nanosleep(%d, %d, %ld %ld)%s", clock, f, (long)t.tv_sec, t.tv_nsec,
             is_bad ? " bad" : "");
    } else {
        said(syscall(SYS_nanosleep, is_bad ? bad : (void *)&t, &left), "nanosleep(%ld %ld)%s",
             (long)t.tv_sec, t.tv_nsec, is_bad ? " bad" : "");
    }
    printf("%u:   left %ld %ld\n", twin_step, (long)left.tv_sec, left.tv_nsec);
}

// A child has none of the timers, but the descriptors.
static void step_child(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct itimerspec s;
        struct itimerval v;
        for (int i = 0; i < TIMERS; i++) {
            said(syscall(SYS_timer_gettime, timers[i], &s), "child: timer_gettime(%d)", i);
            if (said(syscall(SYS_timerfd_gettime, fds[i], &s), "child: timerfd_gettime(%d)", i) ==
                0)
                said_setting(&s);
        }
        for (int i = 0; i < 3; i++) {
            getitimer(i, &v);
            printf("%u: child: timer %d is %s\n", twin_step, i,
                   v.it_value.tv_sec ? "set" : "not set");
        }
        sigset_t set;
        sigpending(&set);
        printf("%u: child: pending %d\n", twin_step, sigismember(&set, SIGUSR1));
        exit(0);
    }
    waitpid(pid, NULL, 0);
}

static const struct step steps[] = {
    {step_create, 12},   {step_set, 14},    {step_look, 10},    {step_delete, 4},  {step_news, 10},
    {step_fd_create, 8}, {step_fd_set, 10}, {step_fd_look, 10}, {step_itimer, 10}, {step_alarm, 3},
    {step_clock, 12},    {step_sleep, 8},   {step_child, 1},
};

static void begin(void)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    memset(timers, -1, sizeof(timers));
    memset(fds, -1, sizeof(fds));
    int event[16] = {1, SIGUSR1, SIGEV_SIGNAL};
    syscall(SYS_timer_create, CLOCK_MONOTONIC, event, &timers[0]);
    syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &timers[1]);
    for (int i = 0; i < 2; i++)
        fds[i] = (int)syscall(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK);
    clock_of[0] = clock_of[1] = CLOCK_MONOTONIC;
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(steps[0]), begin);
}
