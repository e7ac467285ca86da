// SPDX-License-Identifier: MIT
// Processes with several threads; far: they move, all threads at once, while some compute, some
// wait for each other and some in system calls. wait: has four, which wait.
#define _GNU_SOURCE
#include <fcntl.h>
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "move.h"

#define THREADS 6
#define MOVES   6

static bool far;
static int moves;

static void move(void)
{
    if (far)
        move_to(++moves % 2);
}

static void move_other(pid_t pid, int node)
{
    char path[32];
    if (!far)
        return;
    snprintf(path, sizeof(path), "/proc/%d/node", pid);
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return; // Linux
    if (write(fd, node ? "1" : "0", 1) != 1)
        printf("move of another to %d: %s\n", node, strerrorname_np(errno));
    close(fd);
}

// ---- what is each thread's own
// -------------------------------------------------------------------
static __thread int own;
static pthread_barrier_t together;
static char told[THREADS][256];

static void tell(int k)
{
    char name[16];
    sigset_t blocked, pending;
    stack_t stack;
    double x = 1, y = 3;
    prctl(PR_GET_NAME, name);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    sigpending(&pending);
    sigaltstack(NULL, &stack);
    volatile double third = x / y;
    snprintf(told[k] + strlen(told[k]), sizeof(told[k]) - strlen(told[k]),
             "own %d name %s blocks %d pending %d stack %d rounds %d third %.18f uid %ld\n", own,
             name, sigismember(&blocked, SIGRTMIN + k), sigismember(&pending, SIGRTMIN + k),
             (int)stack.ss_size, fegetround() == (k % 2 ? FE_DOWNWARD : FE_UPWARD), third,
             syscall(SYS_geteuid32));
}

static void *keeps(void *argument)
{
    int k = (int)(intptr_t)argument;
    char name[16];
    static char stacks[THREADS][8192];
    stack_t stack = {.ss_sp = stacks[k], .ss_size = 4096 + 512 * k};
    sigset_t set;
    own = 100 + k;
    snprintf(name, sizeof(name), "keeper-%d", k);
    prctl(PR_SET_NAME, name);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + k);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGRTMIN + k);
    sigaltstack(&stack, NULL);
    fesetround(k % 2 ? FE_DOWNWARD : FE_UPWARD);
    if (getuid() == 0)
        syscall(SYS_setresuid32, -1, 1000 + k, -1);
    tell(k);
    pthread_barrier_wait(&together);
    for (int i = 0; i < 3; i++)
        pthread_barrier_wait(&together);
    tell(k);
    int gone = sigwaitinfo(&set, NULL) == SIGRTMIN + k;
    snprintf(told[k] + strlen(told[k]), 32, "taken %d\n", gone);
    return NULL;
}

static void each_has_its_own(void)
{
    pthread_t t[THREADS];
    pthread_barrier_init(&together, NULL, THREADS + 1);
    for (int k = 0; k < THREADS; k++)
        pthread_create(&t[k], NULL, keeps, (void *)(intptr_t)k);
    pthread_barrier_wait(&together);
    for (int i = 0; i < 3; i++) {
        move();
        pthread_barrier_wait(&together);
    }
    for (int k = 0; k < THREADS; k++) {
        pthread_join(t[k], NULL);
        printf("%s", told[k]);
    }
}

// ---- they compute and wait for each other
// --------------------------------------------------------
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static volatile bool stop;
static unsigned long sum, turn, rounds[THREADS];

static void *adds(void *argument)
{
    unsigned long *mine = argument;
    while (!stop) {
        pthread_mutex_lock(&lock);
        sum++;
        pthread_mutex_unlock(&lock);
        ++*mine;
        sched_yield();
    }
    return NULL;
}

static void *takes_turns(void *argument)
{
    int k = (int)(intptr_t)argument;
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 3 != (unsigned)k)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void they_work_on(void)
{
    pthread_t adder[3], player[3];
    unsigned long all = 0;
    for (int k = 0; k < 3; k++) {
        pthread_create(&adder[k], NULL, adds, &rounds[k]);
        pthread_create(&player[k], NULL, takes_turns, (void *)(intptr_t)k);
    }
    for (int i = 0; i < MOVES; i++) {
        move();
        usleep(20000);
    }
    for (int k = 0; k < 3; k++)
        pthread_join(player[k], NULL);
    stop = true;
    for (int k = 0; k < 3; k++) {
        pthread_join(adder[k], NULL);
        all += rounds[k];
    }
    printf("turns %lu, sum %s\n", turn, all == sum && sum > 0 ? "right" : "wrong");
}

// ---- they wait in calls
// --------------------------------------------------------------------------
static int pipes[4][2];
static sem_t semaphore;
static pthread_mutex_t robust;
static char ends[8][64];

static void *reads(void *argument)
{
    char bytes[8] = "";
    (void)argument;
    long n = read(pipes[0][0], bytes, sizeof(bytes));
    snprintf(ends[0], sizeof(ends[0]), "read %ld %.8s", n, bytes);
    return NULL;
}

static void *polls(void *argument)
{
    struct pollfd p = {.fd = pipes[1][0], .events = POLLIN};
    (void)argument;
    int n = poll(&p, 1, -1);
    snprintf(ends[1], sizeof(ends[1]), "poll %d %x", n, p.revents);
    return NULL;
}

static void *epolls(void *argument)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = 77};
    int fd = epoll_create1(0);
    (void)argument;
    epoll_ctl(fd, EPOLL_CTL_ADD, pipes[2][0], &e);
    e.data.u32 = 0;
    int n = epoll_wait(fd, &e, 1, -1);
    snprintf(ends[2], sizeof(ends[2]), "epoll %d %u", n, e.data.u32);
    close(fd);
    return NULL;
}

static void *sleeps(void *argument)
{
    struct timespec now, until;
    (void)argument;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 300000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int e = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    bool early =
        now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec);
    snprintf(ends[3], sizeof(ends[3]), "sleep %d %s", e, early ? "early" : "not early");
    return NULL;
}

static void *waits_for_signal(void *argument)
{
    sigset_t set;
    siginfo_t info;
    (void)argument;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int n = sigwaitinfo(&set, &info);
    snprintf(ends[4], sizeof(ends[4]), "signal %d value %d", n == SIGUSR1, info.si_value.sival_int);
    return NULL;
}

static void *waits_for_semaphore(void *argument)
{
    (void)argument;
    int e = sem_wait(&semaphore);
    snprintf(ends[5], sizeof(ends[5]), "semaphore %d", e);
    return NULL;
}

static void *writes(void *argument)
{
    static char many[200000];
    (void)argument;
    long n = write(pipes[3][1], many, sizeof(many));
    snprintf(ends[6], sizeof(ends[6]), "write %ld", n);
    return NULL;
}

static void *dies_with_lock(void *argument)
{
    pthread_mutex_lock(&robust);
    sem_wait(argument);
    return NULL;
}

static void they_wait(void)
{
    void *(*const what[])(void *) = {
        reads, polls, epolls, sleeps, waits_for_signal, waits_for_semaphore, writes};
    pthread_t t[7], owner;
    pthread_mutexattr_t attributes;
    sigset_t set;
    sem_t end;
    char bytes[4096];
    long drained = 0, n;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sem_init(&semaphore, 0, 0);
    sem_init(&end, 0, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    for (int k = 0; k < 4; k++)
        pipe(pipes[k]);
    for (int k = 0; k < 7; k++)
        pthread_create(&t[k], NULL, what[k], NULL);
    pthread_create(&owner, NULL, dies_with_lock, &end);
    for (int i = 0; i < 3; i++) {
        usleep(10000);
        move();
    }
    for (int k = 0; k < 3; k++)
        write(pipes[k][1], "bytes", 6);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 42});
    sem_post(&semaphore);
    while (drained < 200000 && (n = read(pipes[3][0], bytes, sizeof(bytes))) > 0)
        drained += n;
    sem_post(&end);
    pthread_join(owner, NULL);
    printf("owner died: %s\n", strerrorname_np(pthread_mutex_lock(&robust)));
    for (int k = 0; k < 7; k++) {
        pthread_join(t[k], NULL);
        printf("%s\n", ends[k]);
    }
}

// ---- ends, and new programs
// ----------------------------------------------------------------------
static void *moves_and(void *argument)
{
    move();
    if (!strcmp(argument, "exit"))
        exit(7);
    if (!strcmp(argument, "exec"))
        execl("/proc/self/exe", "gang", "executed", NULL);
    if (!strcmp(argument, "fork")) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(9);
        printf("child %d", waitpid(child, &status, 0) == child);
        printf(" status %d\n", WEXITSTATUS(status));
        exit(3);
    }
    if (!strcmp(argument, "kill"))
        kill(getpid(), SIGKILL);
    return NULL; // "leader": which has ended
}

static void ends_by(const char *how)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t[3];
        for (int k = 0; k < 2; k++)
            pthread_create(&t[k], NULL, reads, NULL);
        pthread_create(&t[2], NULL, moves_and, (void *)how);
        if (!strcmp(how, "leader")) {
            pthread_join(t[2], NULL);
            pthread_create(&t[2], NULL, sleeps, NULL);
            pthread_detach(t[2]);
            pthread_cancel(t[0]);
            pthread_cancel(t[1]);
            pthread_exit(NULL);
        }
        pause();
    }
    waitpid(pid, &status, 0);
    printf("%s: %s %d\n", how, WIFSIGNALED(status) ? "signal" : "exit",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

// ---- several ask, and one that asks is ended by another's exec
// -------------------------------------
static void *asks_again(void *argument)
{
    for (int i = 0; far && i < 12; i++) {
        int f = open("/proc/self/node", O_WRONLY);
        if (f >= 0 && write(f, i % 2 ? "1" : "0", 1) != 1 && errno != EBUSY)
            printf("asked: %s\n", strerrorname_np(errno));
        close(f);
    }
    return argument;
}

static void several_ask(void)
{
    pthread_t t[3];
    int status;
    for (int k = 0; k < 3; k++)
        pthread_create(&t[k], NULL, asks_again, NULL);
    for (int k = 0; k < 3; k++)
        pthread_join(t[k], NULL);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        for (int k = 0; k < 3; k++)
            pthread_create(&t[k], NULL, asks_again, NULL);
        usleep(20000);
        execl("/proc/self/exe", "gang", "executed", far ? "far" : "near", NULL);
    }
    waitpid(pid, &status, 0);
    printf("executed: %d\n", WEXITSTATUS(status));
}

// ---- others look at it
// ---------------------------------------------------------------------------
static volatile sig_atomic_t heard;

static void hears(int signal)
{
    heard = signal;
}

static void *ears(void *argument)
{
    int *tid = argument;
    *tid = (int)syscall(SYS_gettid);
    while (!heard)
        pause();
    exit(heard == SIGUSR2 ? 5 : 6);
}

static int entries(const char *format, pid_t pid)
{
    char command[64], answer[16] = "";
    snprintf(command, sizeof(command), format, pid);
    FILE *f = popen(command, "r");
    fgets(answer, sizeof(answer), f);
    pclose(f);
    return atoi(answer);
}

static void others_see_it(void)
{
    int p[2], tid = 0, status;
    pipe(p);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        sigset_t set;
        signal(SIGUSR2, hears);
        pthread_create(&t, NULL, ears, &tid);
        while (!tid)
            usleep(1000);
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        write(p[1], &tid, sizeof(tid));
        for (;;)
            pause();
    }
    read(p[0], &tid, sizeof(tid));
    for (int i = 0; i < 4; i++) {
        move_other(pid, (i + 1) % 2);
        printf("threads %d\n", entries("ls /proc/%d/task | wc -l", pid));
    }
    printf("wrong group %ld\n", syscall(SYS_tgkill, getpid(), tid, SIGUSR2));
    printf("told %ld\n", syscall(SYS_tgkill, pid, tid, SIGUSR2));
    waitpid(pid, &status, 0);
    printf("exit %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    far = argc > 1 && !strcmp(argv[1], "far");
    if (argc > 1 && !strcmp(argv[1], "executed")) {
        printf("executed by thread %d of %d\n", syscall(SYS_gettid) == getpid(),
               entries("ls /proc/%d/task | wc -l", getpid()));
        far = argc > 2 && !strcmp(argv[2], "far");
        for (moves = 0; far && moves < 2;) // nothing of a move before keeps it
            move_to(moves++ % 2);
        return 4;
    }
    if (argc > 1 && !strcmp(argv[1], "wait")) {
        pthread_t t[3];
        pipe(pipes[0]);
        for (int k = 0; k < 3; k++)
            pthread_create(&t[k], NULL, reads, NULL);
        pause();
    }
    each_has_its_own();
    they_work_on();
    they_wait();
    pipe(pipes[0]);
    ends_by("exit");
    ends_by("exec");
    ends_by("fork");
    ends_by("kill");
    ends_by("leader");
    several_ask();
    others_see_it();
    return 0;
}
