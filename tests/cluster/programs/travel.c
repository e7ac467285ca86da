// SPDX-License-Identifier: MIT
// travel events ROUNDS: state of many kinds, used before and after each move that it makes itself
// (/proc/self/node, to node 1 and back); without that file it stays. What it prints is the same.
// travel ptys: a terminal whose two ends move.
// travel timers ROUNDS: POSIX timers and one of CPU time.
// travel sysv ROUNDS: shared memory, semaphores and a queue between two that move.
// travel spans ROUNDS: what mlock and madvise say of memory, the size of a pipe.
// travel share: waits with something that it shares.
#define _GNU_SOURCE
#include "move.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void watch(int ep, int fd, uint32_t events, int number)
{
    struct epoll_event e = {.events = events, .data.u32 = number};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
        printf("watch %d: %s\n", number, strerrorname_np(errno));
}

// The set of what is ready, waited for until all of `wanted` was seen.
static void await(const char *what, int ep, unsigned wanted)
{
    unsigned seen = 0;
    while ((seen & wanted) != wanted) {
        struct epoll_event e[8];
        int n = epoll_wait(ep, e, 8, 5000);
        for (int k = 0; k < n; k++)
            seen |= 1u << e[k].data.u32;
        if (n <= 0)
            break;
    }
    printf("%s: %x\n", what, seen);
    fflush(stdout);
}

static void events(int rounds)
{
    int ep = epoll_create1(0), inner = epoll_create1(0), p[2];
    int counter = eventfd(0, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    int signals = signalfd(-1, &mask, 0);
    if (pipe(p))
        exit(1);
    watch(ep, p[0], EPOLLIN | EPOLLET, 0);
    watch(ep, counter, EPOLLIN, 1);
    watch(ep, timer, EPOLLIN, 2);
    watch(ep, signals, EPOLLIN, 3);
    watch(ep, inner, EPOLLIN, 4);
    watch(inner, counter, EPOLLIN | EPOLLONESHOT, 5);
    for (int k = 0; k < rounds; k++) {
        uint64_t v = k + 1;
        char c[16];
        struct signalfd_siginfo s;
        struct itimerspec soon = {.it_value.tv_nsec = 20000000};
        if (k % 2)
            move_to(1 - k / 2 % 2);
        timerfd_settime(timer, 0, &soon, NULL);
        if (write(p[1], "hello", 5) != 5 || write(counter, &v, 8) != 8)
            printf("write: %m\n");
        kill(getpid(), SIGUSR1);
        if (k % 2 == 0)
            move_to(1 - k / 2 % 2);
        await("ready", ep, k ? 0xf : 0x1f);
        printf("pipe %zd, counter %zd", read(p[0], c, sizeof(c)), read(counter, &v, 8));
        printf(" %llu, timer %zd", (unsigned long long)v, read(timer, &v, 8));
        printf(" %llu, signals %zd", (unsigned long long)v, read(signals, &s, sizeof(s)));
        printf(" %u\n", s.ssi_signo);
        struct epoll_event e[8];
        int n = epoll_wait(ep, e, 8, 0); // the pipe's edge may be told once more after a move
        printf("rest %d\n", n == 0 || (n == 1 && e[0].data.u32 == 0));
    }
    int child = fork();
    if (child == 0) {
        usleep(100000);
        _exit(write(p[1], "x", 1) != 1);
    }
    await("from the child", ep, 1);
    waitpid(child, NULL, 0);
    printf("%zd\n", read(p[0], &(char[4]){0}, 4));
}

// ---- a session on a pty: first its program moves, then who has the master
static void on_the_slave(const char *name)
{
    char line[64];
    signal(SIGINT, SIG_DFL); // what runs the tests may ignore it, as jobs in the background do
    setsid();
    int s = open(name, O_RDWR);
    move_to(1);
    int tty = open("/dev/tty", O_RDWR);
    while (s >= 0 && tty >= 0) {
        ssize_t n = read(s, line, sizeof(line));
        if (n <= 0 || write(tty, line, (size_t)n) != n)
            _exit(1);
    }
    _exit(2);
}

static void drink(int m, const char *until)
{
    char text[256] = "";
    size_t n = 0;
    while (n < sizeof(text) - 1 && !strstr(text, until)) {
        ssize_t r = read(m, text + n, sizeof(text) - 1 - n);
        if (r <= 0)
            break;
        n += (size_t)r;
        text[n] = 0;
    }
    for (char *c = text; *c; c++)
        *c = *c == '\r' ? '.' : *c == '\n' ? '/' : *c;
    printf("%s\n", text);
}

static void ptys(void)
{
    int status, m = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(m);
    unlockpt(m);
    pid_t child = fork();
    if (child == 0)
        on_the_slave(ptsname(m));
    if (write(m, "first\n", 6) == 6)
        drink(m, "first\r\nfirst\r\n");
    move_to(1);
    if (write(m, "second\n", 7) == 7)
        drink(m, "second\r\nsecond\r\n");
    move_to(0);
    if (write(m, "\003", 1) == 1)
        waitpid(child, &status, 0);
    printf("status %x\n", status);
    drink(m, "^C");
}

// ---- timers run on, wherever the process is; what they missed is told
static void timers(int rounds)
{
    int event[16] = {5, SIGRTMIN}, id;
    long every[4] = {0, 20000000, 0, 20000000}, far[4] = {7, 0, 5000, 0}, left[4];
    sigset_t s;
    siginfo_t i;
    struct itimerval old, prof = {{3, 0}, {5000, 0}};
    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &s, NULL);
    syscall(SYS_timer_create, CLOCK_MONOTONIC, event, &id);
    syscall(SYS_timer_settime, id, 0, every, NULL);
    setitimer(ITIMER_PROF, &prof, NULL);
    for (int k = 0; k < rounds; k++) {
        usleep(70000);
        move_to(1 - k % 2);
        sigwaitinfo(&s, &i);
        printf("value %d, missed %d\n", i.si_int, i.si_overrun >= 1);
        sigwaitinfo(&s, &i);
    }
    syscall(SYS_timer_settime, id, 0, far, NULL);
    move_to(1);
    syscall(SYS_timer_gettime, id, left);
    getitimer(ITIMER_PROF, &old);
    printf("far %d every %ld, prof %d every %ld\n", left[2] > 4900 && left[2] <= 5000, left[0],
           old.it_value.tv_sec > 4900, (long)old.it_interval.tv_sec);
}

// ---- System V IPC between a parent and a child that moves
static long down(int id, int number)
{
    struct sembuf b = {number, -1, 0};
    return semop(id, &b, 1);
}

static void up(int id, int number, int flags)
{
    struct sembuf b = {number, 1, flags};
    if (semop(id, &b, 1))
        printf("up: %s\n", strerrorname_np(errno));
}

static void far_side(int sem, int queue, volatile int *memory, int rounds)
{
    struct {
        long type;
        char text[24];
    } m;
    for (int k = 0; k < rounds; k++) {
        move_to(k % 2 == 0);
        down(sem, 0);
        *memory = *memory * 2 + 1;
        m.type = k + 1;
        snprintf(m.text, sizeof(m.text), "round %d", k);
        msgsnd(queue, &m, sizeof(m.text), 0);
        up(sem, 1, 0);
    }
    move_to(1);
    up(sem, 2, SEM_UNDO);
    if (shmdt((const void *)memory))
        printf("shmdt: %s\n", strerrorname_np(errno));
    _exit(0);
}

static void sysv(int rounds)
{
    struct {
        long type;
        char text[24];
    } m;
    struct shmid_ds d;
    int sem = semget(IPC_PRIVATE, 3, 0600), queue = msgget(IPC_PRIVATE, 0600), status;
    int shm = shmget(IPC_PRIVATE, 4096, 0600);
    volatile int *memory = shmat(shm, NULL, 0);
    *memory = 1;
    pid_t child = fork();
    if (child == 0)
        far_side(sem, queue, memory, rounds);
    for (int k = 0; k < rounds; k++) {
        up(sem, 0, 0);
        down(sem, 1);
        long n = msgrcv(queue, &m, sizeof(m.text), k + 1, 0);
        printf("%ld %s, memory %d\n", n, m.text, *memory);
    }
    waitpid(child, &status, 0);
    shmctl(shm, IPC_STAT, &d);
    printf("status %x, undone %d, attached %ld\n", status, semctl(sem, 2, GETVAL),
           (long)d.shm_nattch);
    move_to(1);
    printf("%d, memory %d\n", semctl(sem, 0, GETVAL), *memory);
    printf("%d %d %d %d\n", semctl(sem, 0, IPC_RMID), msgctl(queue, IPC_RMID, NULL),
           shmctl(shm, IPC_RMID, NULL), shmdt((const void *)memory));
    printf("%d\n", shmctl(shm, IPC_STAT, &d));
}

static void spans(int rounds)
{
    const int page = 4096;
    char *m = mmap(NULL, 6 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int p[2], status;
    if (m == MAP_FAILED || pipe(p))
        exit(1);
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    printf("%d %d %d\n", mlock(m, page), madvise(m + 2 * page, page, MADV_WIPEONFORK),
           madvise(m + 4 * page, page, MADV_DONTFORK));
    for (int k = 0; k < rounds; k++) {
        move_to(k % 2 == 0);
        memset(m, 'a' + k, 6 * page);
        int locked = madvise(m, page, MADV_DONTNEED);
        int loose = madvise(m + page, page, MADV_DONTNEED);
        printf("locked %d %d, loose %d %d\n", locked, m[0], loose, m[page]);
        int size = fcntl(p[0], F_SETPIPE_SZ, k % 2 ? 4096 : 131072);
        long wrote = write(p[1], m, 6 * page), was = 0, n;
        while (was < wrote && (n = read(p[0], m, wrote - was)) > 0)
            was += n; // from another node it comes in pieces
        printf("pipe %d %d, %ld %ld\n", size, fcntl(p[1], F_GETPIPE_SZ), wrote, was);
        fflush(stdout);
        if (fork() == 0)
            _exit(m[2 * page] == 0 ? mincore(m + 4 * page, page, (void *)m) == -1 : 2);
        wait(&status);
        printf("child %x\n", status);
        mremap(m + 5 * page, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
        printf("left behind %d\n", m[5 * page]);
    }
}

// An epoll that parent and child both have.
static void share(void)
{
    (void)!epoll_create1(0);
    if (fork() == 0) {
        while (getppid() != 1)
            usleep(50000);
        _exit(0);
    }
    pause();
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 4;
    if (argc > 1 && !strcmp(argv[1], "events"))
        events(rounds);
    else if (argc > 1 && !strcmp(argv[1], "ptys"))
        ptys();
    else if (argc > 1 && !strcmp(argv[1], "timers"))
        timers(rounds);
    else if (argc > 1 && !strcmp(argv[1], "sysv"))
        sysv(rounds);
    else if (argc > 1 && !strcmp(argv[1], "spans"))
        spans(rounds);
    else if (argc > 1 && !strcmp(argv[1], "share"))
        share();
    return 0;
}
