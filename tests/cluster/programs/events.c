// SPDX-License-Identifier: MIT
// epoll, eventfd, timerfd and signalfd: every line it prints is the same on Linux.
#define _GNU_SOURCE
#include "say.h"
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static void *volatile bad_at = (void *)16;
static volatile int minus_one = -1;

static long add(int ep, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event e = {.events = events, .data.u64 = data};
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static long mod(int ep, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event e = {.events = events, .data.u64 = data};
    return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}

static void take(const char *what, int ep, int ms)
{
    struct epoll_event e[8];
    int n = epoll_wait(ep, e, 8, ms);
    printf("%s: %d", what, n);
    if (n < 0)
        printf(" %s", strerrorname_np(errno));
    for (int k = 0; k < n; k++)
        printf(" [%x %llu]", e[k].events, (unsigned long long)e[k].data.u64);
    printf("\n");
    fflush(stdout);
}

static void get(int fd, size_t n)
{
    char c[4096];
    if (read(fd, c, n) != (ssize_t)n)
        say("read", -1);
}

// ---- epoll
static void epoll_errors(void)
{
    struct epoll_event e = {0};
    int ep = epoll_create1(EPOLL_CLOEXEC), p[2], file = open("/", O_RDONLY), q[2];
    printf("pipe %d %d\n", pipe(p), pipe(q));
    say("cloexec", fcntl(ep, F_GETFD));
    say("flags", fcntl(ep, F_GETFL));
    say("create 0", epoll_create(0));
    say("create -1", epoll_create(-1));
    say("create1 1", epoll_create1(1));
    say("add", add(ep, p[0], EPOLLIN, 1));
    say("add twice", add(ep, p[0], EPOLLIN, 1));
    say("add self", add(ep, ep, EPOLLIN, 1));
    say("add closed", add(ep, 777, EPOLLIN, 1));
    say("add to closed", add(777, p[0], EPOLLIN, 1));
    say("add to a pipe", add(p[1], p[0], EPOLLIN, 1));
    say("add a folder", add(ep, file, EPOLLIN, 1));
    say("mod absent", mod(ep, p[1], EPOLLIN, 1));
    say("del absent", epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &e));
    say("del without event", epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
    say("bad op", epoll_ctl(ep, 9, p[0], &e));
    say("bad event", syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, p[0], (void *)8));
    say("exclusive", add(ep, q[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
    say("exclusive mod", mod(ep, q[0], EPOLLIN, 1));
    say("exclusive oneshot", add(ep, p[0], EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE, 1));
    say("mod to exclusive",
        (add(ep, p[0], EPOLLIN, 1), mod(ep, p[0], EPOLLIN | EPOLLEXCLUSIVE, 1)));
    say("wait 0 events", epoll_wait(ep, &e, 0, 0));
    say("wait -1 events", epoll_wait(ep, &e, minus_one, 0));
    say("wait closed", epoll_wait(777, &e, 1, 0));
    say("wait a pipe", epoll_wait(p[0], &e, 1, 0));
    say("wait nothing", epoll_wait(ep, bad_at, 1, 0));
    put(p[1], "x");
    say("wait bad", epoll_wait(ep, bad_at, 1, 0));
    take("still there", ep, 0);
    say("pwait bad size", syscall(SYS_epoll_pwait, ep, &e, 1, 0, &e, 3));
    long t[] = {0, 0, 1000000000, 0};
    say("pwait2 bad time", syscall(SYS_epoll_pwait2, ep, &e, 1, t, NULL, 8));
    say("read", read(ep, &e, 8));
    say("write", write(ep, &e, 8));
    struct stat st;
    say("fstat", fstat(ep, &st));
    printf("mode %o\n", st.st_mode);
    close(ep), close(p[0]), close(p[1]), close(file), close(q[0]), close(q[1]);
}

static void epoll_modes(void)
{
    int ep = epoll_create(1), p[2], q[2];
    printf("pipe %d %d\n", pipe(p), pipe(q));
    add(ep, p[0], EPOLLIN, 1);
    add(ep, q[0], EPOLLIN | EPOLLET, 2);
    take("nothing", ep, 0);
    put(p[1], "ab"), put(q[1], "cd");
    take("both", ep, 0);
    take("level only", ep, 0);
    put(q[1], "e");
    take("edge again", ep, 0);
    get(q[0], 1);
    take("read is no edge", ep, 0);
    get(p[0], 2);
    take("level gone", ep, 0);
    mod(ep, q[0], EPOLLIN | EPOLLET, 3);
    take("mod looks", ep, 0);
    mod(ep, q[0], EPOLLIN | EPOLLONESHOT, 4);
    take("oneshot", ep, 0);
    put(q[1], "f");
    take("spent", ep, 0);
    mod(ep, q[0], EPOLLIN | EPOLLONESHOT, 5);
    take("armed again", ep, 0);
    add(ep, p[1], EPOLLOUT, 6);
    take("writable", ep, 0);
    mod(ep, p[1], 0, 7);
    take("no events", ep, 0);
    close(p[0]);
    take("error without asking", ep, 0);
    close(p[1]);
    take("closed is out", ep, 0);
    mod(ep, q[0], EPOLLIN | EPOLLRDHUP | EPOLLRDNORM, 8);
    close(q[1]);
    take("hangup", ep, 0);
    int d = dup(q[0]);
    close(q[0]);
    take("dup keeps it", ep, 0);
    say("by the old number", mod(ep, q[0], EPOLLIN, 9));
    say("by the dup", mod(ep, d, EPOLLIN, 9));
    close(d);
    take("all closed", ep, 0);
    close(ep);
}

static void epoll_order(void)
{
    int ep = epoll_create(1), p[6][2];
    struct epoll_event e[2];
    for (int k = 0; k < 6; k++) {
        if (pipe(p[k]))
            return;
        add(ep, p[k][0], EPOLLIN, k);
    }
    for (int k = 5; k >= 0; k--)
        put(p[k][1], "x");
    for (int k = 0; k < 5; k++) {
        int n = epoll_wait(ep, e, 2, 0);
        printf("two of six: %d %d %d\n", n, e[0].data.fd, e[1].data.fd);
    }
    for (int k = 0; k < 6; k++)
        close(p[k][0]), close(p[k][1]);
    close(ep);
}

static void epoll_nested(void)
{
    int a = epoll_create(1), b = epoll_create(1), p[2];
    if (pipe(p))
        return;
    say("b in a", add(a, b, EPOLLIN, 1));
    say("a in b", add(b, a, EPOLLIN, 1));
    say("exclusive nest", add(b, epoll_create(1), EPOLLIN | EPOLLEXCLUSIVE, 1));
    add(b, p[0], EPOLLIN, 2);
    take("outer quiet", a, 0);
    put(p[1], "x");
    take("outer", a, 0);
    struct pollfd f = {.fd = a, .events = POLLIN};
    say("poll outer", poll(&f, 1, 0));
    take("inner", b, 0);
    get(p[0], 1);
    take("outer quiet again", a, 0);
    say("poll outer", poll(&f, 1, 0));
    int chain[8];
    chain[0] = a;
    for (int k = 1; k < 7; k++) {
        chain[k] = epoll_create(1);
        printf("chain %d ", k);
        say("", add(chain[k], chain[k - 1], EPOLLIN, 1));
    }
    for (int k = 0; k < 7; k++)
        close(chain[k]);
    close(b), close(p[0]), close(p[1]);
}

static void *late_write(void *arg)
{
    usleep(50000);
    put(*(int *)arg, "y");
    return NULL;
}

static void nothing(int s)
{
    (void)s;
}

static void epoll_waits(void)
{
    int ep = epoll_create(1), p[2];
    pthread_t t;
    if (pipe(p))
        return;
    pthread_create(&t, NULL, late_write, &p[1]);
    say("add from here", add(ep, p[0], EPOLLIN, 1));
    take("woken", ep, 10000);
    pthread_join(t, NULL);
    get(p[0], 1);
    take("timeout", ep, 20);
    struct sigaction sa = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &sa, NULL);
    ualarm(20000, 0);
    take("signal", ep, 5000);
    sigset_t alarm, old;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, &old);
    raise(SIGALRM);
    struct epoll_event e;
    say("pwait", epoll_pwait(ep, &e, 1, 5000, &old));
    sigset_t now;
    sigprocmask(SIG_SETMASK, &old, &now);
    say("mask is back", sigismember(&now, SIGALRM));
    say("pwait2", syscall(SYS_epoll_pwait2, ep, &e, 1, (long[]){0, 0, 20000000, 0}, NULL, 8));
    pid_t child = fork();
    if (child == 0) {
        put(p[1], "z");
        _exit(0);
    }
    take("from a child", ep, 10000);
    waitpid(child, NULL, 0);
    close(ep), close(p[0]), close(p[1]);
}

// All that is ready comes at once, as far as there is room for it.
static void epoll_many(void)
{
    static struct epoll_event room[400];
    int ep = epoll_create1(0), e = eventfd(1, 0), copies[300];
    for (int i = 0; i < 300; i++) {
        copies[i] = dup(e);
        add(ep, copies[i], EPOLLIN, (unsigned)i);
    }
    say("room for all", epoll_wait(ep, room, 400, 0));
    say("again", epoll_wait(ep, room, 400, 0));
    say("room for 200", epoll_wait(ep, room, 200, 0));
    for (int i = 0; i < 300; i++)
        close(copies[i]);
    close(e), close(ep);
}

static void epoll_fifo(void)
{
    char name[] = "/tmp/events.fifo";
    unlink(name);
    say("mkfifo", mkfifo(name, 0600));
    int f = open(name, O_RDWR), ep = epoll_create(1);
    add(ep, f, EPOLLIN | EPOLLOUT | EPOLLET, 1);
    take("fifo", ep, 0);
    put(f, "x");
    take("fifo written", ep, 0);
    close(f), close(ep), unlink(name);
}

// ---- eventfd
static void eventfds(void)
{
    uint64_t v = 5;
    int f = eventfd(3, EFD_NONBLOCK), s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    struct pollfd p[2] = {{f, POLLIN | POLLOUT, 0}, {s, POLLIN | POLLOUT, 0}};
    say("bad flags", eventfd(0, 0x10));
    say("cloexec", fcntl(s, F_GETFD));
    say("flags", fcntl(f, F_GETFL));
    say("poll", poll(p, 2, 0));
    printf("%x %x\n", p[0].revents, p[1].revents);
    say("short read", read(f, &v, 7));
    say("short write", write(f, &v, 7));
    say("read", read(f, &v, 8));
    printf("%llu\n", (unsigned long long)v);
    say("read empty", read(f, &v, 8));
    v = UINT64_MAX;
    say("write max", write(f, &v, 8));
    v = UINT64_MAX - 1;
    say("write max-1", write(f, &v, 8));
    v = 1;
    say("write more", write(f, &v, 8));
    say("poll full", poll(p, 1, 0));
    printf("%x\n", p[0].revents);
    v = 0;
    say("write 0", write(f, &v, 8));
    uint64_t two[2] = {0, 0};
    say("read 16", read(f, two, 16));
    printf("%llx %llu\n", (unsigned long long)two[0], (unsigned long long)two[1]);
    two[0] = two[1] = 4;
    say("write 16", write(f, two, 16));
    say("read", read(f, &v, 8));
    printf("%llu\n", (unsigned long long)v);
    for (int k = 0; k < 3; k++) {
        say("semaphore", read(s, &v, 8));
        printf("%llu\n", (unsigned long long)v);
    }
    say("bad read", (write(f, &v, 8), read(f, bad_at, 8)));
    say("bad write", write(f, bad_at, 8));
    say("pread", pread(f, &v, 8, 0));
    int ep = epoll_create(1);
    add(ep, s, EPOLLIN | EPOLLET, 1);
    for (int k = 0; k < 3; k++) {
        v = 1;
        say("write", write(s, &v, 8));
        take("each write is an edge", ep, 0);
    }
    char link[64] = "";
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", f);
    say("readlink", readlink(path, link, sizeof(link) - 1));
    puts(link);
    close(f), close(s), close(ep);
    f = eventfd(0, 0);
    if (fork() == 0) {
        usleep(30000);
        v = 7;
        _exit(write(f, &v, 8) != 8);
    }
    say("blocking read", read(f, &v, 8));
    printf("%llu\n", (unsigned long long)v);
    wait(NULL);
    close(f);
}

// ---- timerfd
static long settime(int fd, int flags, long long value_ns, long interval_ns)
{
    struct itimerspec s = {.it_value = {value_ns / 1000000000, value_ns % 1000000000},
                           .it_interval = {0, interval_ns}};
    return timerfd_settime(fd, flags, &s, NULL);
}

static void timerfds(void)
{
    uint64_t n;
    struct itimerspec s = {.it_value = {0, 1000000000}};
    int f = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), r = timerfd_create(CLOCK_REALTIME, 0);
    say("bad clock", timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    say("bad flags", timerfd_create(CLOCK_MONOTONIC, 1));
    say("bad time", timerfd_settime(f, 0, &s, NULL));
    say("bad settime flags", settime(f, 8, 1, 0));
    say("settime closed", settime(777, 0, 1, 0));
    say("settime stdin", settime(0, 0, 1, 0));
    say("gettime stdin", timerfd_gettime(0, &s));
    say("gettime bad", syscall(SYS_timerfd_gettime, f, bad_at));
    say("read disarmed", read(f, &n, 8));
    say("short read", read(f, &n, 4));
    say("write", write(f, &n, 8));
    say("set", settime(f, 0, 1000000000000, 0));
    say("gettime", timerfd_gettime(f, &s));
    printf("%d %d\n", s.it_value.tv_sec > 900 && s.it_value.tv_sec <= 1000,
           (int)s.it_interval.tv_nsec);
    say("set", settime(f, 0, 10000000, 0));
    struct pollfd p = {.fd = f, .events = POLLIN | POLLOUT};
    say("poll", poll(&p, 1, 5000));
    printf("%x\n", p.revents);
    say("read", read(f, &n, 8));
    printf("%llu\n", (unsigned long long)n);
    say("read again", read(f, &n, 8));
    say("gettime spent", timerfd_gettime(f, &s));
    printf("%ld %ld\n", (long)s.it_value.tv_sec, s.it_value.tv_nsec);
    say("periodic", settime(f, 0, 1000000, 1000000));
    usleep(30000);
    say("read", read(f, &n, 8));
    printf("many: %d\n", n >= 20);
    say("disarm", settime(f, 0, 0, 0));
    say("read", read(f, &n, 8));
    say("abs past", settime(f, TFD_TIMER_ABSTIME, 1, 0));
    say("poll", poll(&p, 1, 5000));
    say("read", read(f, &n, 8));
    printf("%llu\n", (unsigned long long)n);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct itimerspec at = {.it_value = {now.tv_sec + 1000, now.tv_nsec}, .it_interval = {1, 0}};
    say("real", timerfd_settime(r, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, &s));
    timerfd_gettime(r, &s);
    printf("%d %ld\n", s.it_value.tv_sec > 900 && s.it_value.tv_sec <= 1000,
           (long)s.it_interval.tv_sec);
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += 20000000;
    now.tv_sec += now.tv_nsec / 1000000000, now.tv_nsec %= 1000000000;
    at = (struct itimerspec){.it_value = now};
    say("real soon", timerfd_settime(r, TFD_TIMER_ABSTIME, &at, NULL));
    say("blocking read", read(r, &n, 8));
    printf("%llu\n", (unsigned long long)n);
    int ep = epoll_create(1);
    add(ep, f, EPOLLIN, 1);
    settime(f, 0, 5000000, 0);
    take("epoll", ep, 5000);
    close(f), close(r);
    take("closed", ep, 0);
    close(ep);
}

// ---- signalfd
static void signalfds(void)
{
    sigset_t m;
    struct signalfd_siginfo i[3];
    sigemptyset(&m);
    sigaddset(&m, SIGUSR1);
    sigaddset(&m, SIGRTMIN + 1);
    sigaddset(&m, SIGCHLD);
    sigprocmask(SIG_BLOCK, &m, NULL);
    int f = signalfd(-1, &m, SFD_NONBLOCK | SFD_CLOEXEC);
    say("cloexec", fcntl(f, F_GETFD));
    say("bad flags", signalfd(-1, &m, 1));
    say("bad size", syscall(SYS_signalfd4, -1, &m, 4, 0));
    say("bad mask", syscall(SYS_signalfd4, -1, bad_at, 8, 0));
    say("not one", signalfd(0, &m, 0));
    say("closed", signalfd(777, &m, 0));
    say("read none", read(f, i, sizeof(i)));
    say("short", read(f, i, 127));
    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 41});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 42});
    struct pollfd p = {.fd = f, .events = POLLIN};
    say("poll", poll(&p, 1, 0));
    say("read one", read(f, i, sizeof(i[0])));
    printf("%u %d %d\n", i[0].ssi_signo, i[0].ssi_code, i[0].ssi_pid == (unsigned)getpid());
    say("read two", read(f, i, sizeof(i)));
    for (int k = 0; k < 2; k++)
        printf("%u %d %d\n", i[k].ssi_signo, i[k].ssi_code, i[k].ssi_int);
    say("poll", poll(&p, 1, 0));
    int ep = epoll_create(1);
    add(ep, f, EPOLLIN, 1);
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    take("child", ep, 10000);
    say("read", read(f, i, sizeof(i)));
    printf("%u %d %d %d\n", i[0].ssi_signo, i[0].ssi_code, i[0].ssi_pid == (unsigned)child,
           i[0].ssi_status);
    waitpid(child, NULL, 0);
    sigemptyset(&m);
    sigaddset(&m, SIGUSR2);
    sigprocmask(SIG_BLOCK, &m, NULL);
    raise(SIGUSR2);
    say("poll other", poll(&p, 1, 0));
    say("new mask", signalfd(f, &m, 0) == f);
    say("poll", poll(&p, 1, 0));
    say("read", read(f, i, sizeof(i)));
    printf("%u\n", i[0].ssi_signo);
    close(f);
    f = signalfd(-1, &m, 0);
    pid_t me = getpid();
    child = fork();
    if (child == 0) {
        usleep(30000);
        kill(me, SIGUSR2);
        _exit(0);
    }
    say("blocking", read(f, i, sizeof(i)));
    printf("%u %d\n", i[0].ssi_signo, i[0].ssi_pid == (unsigned)child);
    waitpid(child, NULL, 0);
    close(f), close(ep);
}

int main(void)
{
    epoll_errors();
    epoll_modes();
    epoll_order();
    epoll_nested();
    epoll_waits();
    epoll_fifo();
    epoll_many();
    eventfds();
    timerfds();
    signalfds();
    return 0;
}
