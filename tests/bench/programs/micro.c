// SPDX-License-Identifier: MIT
// What an operation of the kernel costs: one program for Weft and for Linux (make bench-linux).
// usage: micro REPS SCALE [ROW]     a line `ROW median min max` in ns per row, after `boot TICKS`
// REPS medians are taken over; SCALE is a percentage of the operations per repetition. Under QEMU's
// -icount shift=0 a nanosecond and a tick of the TSC are one instruction. /nop is a static program.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE       4096
#define REPS_MAX   101
#define FILE_PAGES 256
#define TREE       "/tmp/walk"
#define TREE_DIRS  8
#define TREE_FILES 24

static int file;
static char resident[2 << 20]; // what a fork has to deal with
static char buffer[PAGE];

static void need(int holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void end_child(pid_t child)
{
    int status;
    need(waitpid(child, &status, 0) == child && !status, "child");
}

static void *map_pages(long pages, int flags)
{
    char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    need(p != MAP_FAILED, "mmap");
    madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
    return p;
}

// Each returns the nanoseconds of n operations.

static uint64_t getppid_int80(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "0"(SYS_getppid) : "memory");
    }
    return now_ns() - begun;
}

static volatile long signals;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

static uint64_t signal_self(long n)
{
    pid_t self = getpid();
    signal(SIGUSR1, count_signal);
    signals = 0;
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        kill(self, SIGUSR1);
    uint64_t took = now_ns() - begun;
    need(signals == n, "signals");
    return took;
}

// A byte to a child and back.
static uint64_t pipe_rtt(long n)
{
    int there[2], back[2];
    char c = 1;
    need(!pipe(there) && !pipe(back), "pipe");
    pid_t child = fork();
    if (!child) {
        close(there[1]);
        while (read(there[0], &c, 1) == 1)
            need(write(back[1], &c, 1) == 1, "write");
        _exit(0);
    }
    uint64_t begun = 0;
    for (long i = -1; i < n; i++) {
        if (!i)
            begun = now_ns();
        need(write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1, "pipe");
    }
    uint64_t took = now_ns() - begun;
    close(there[1]);
    end_child(child);
    close(there[0]), close(back[0]), close(back[1]);
    return took;
}

static uint64_t pipe_self(long n)
{
    int p[2];
    char c = 1;
    need(!pipe(p), "pipe");
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        need(write(p[1], &c, 1) == 1 && read(p[0], &c, 1) == 1, "pipe");
    uint64_t took = now_ns() - begun;
    close(p[0]), close(p[1]);
    return took;
}

static uint64_t anon_fault(long n)
{
    char *p = map_pages(n, MAP_PRIVATE);
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        p[i * PAGE] = 1;
    uint64_t took = now_ns() - begun;
    munmap(p, n * PAGE);
    return took;
}

static uint64_t cow_fault(long n)
{
    char *p = map_pages(n, MAP_PRIVATE);
    int hold[2];
    for (long i = 0; i < n; i++)
        p[i * PAGE] = 1;
    need(!pipe(hold), "pipe");
    pid_t child = fork();
    if (!child) {
        close(hold[1]);
        _exit(read(hold[0], buffer, 1) != 0);
    }
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        p[i * PAGE] = 2;
    uint64_t took = now_ns() - begun;
    close(hold[1]);
    end_child(child);
    close(hold[0]);
    munmap(p, n * PAGE);
    return took;
}

static uint64_t mmap_touch_munmap(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++) {
        char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        p[0] = 1;
        munmap(p, PAGE);
    }
    return now_ns() - begun;
}

static uint64_t fork_exit_wait(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++) {
        pid_t child = fork();
        if (!child)
            _exit(0);
        end_child(child);
    }
    return now_ns() - begun;
}

static uint64_t fork_exec_wait(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++) {
        pid_t child = fork();
        if (!child) {
            execl("/nop", "nop", NULL);
            _exit(127);
        }
        end_child(child);
    }
    return now_ns() - begun;
}

static void *nothing(void *argument)
{
    return argument;
}

static uint64_t pthread_create_join(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++) {
        pthread_t thread;
        need(!pthread_create(&thread, NULL, nothing, NULL), "pthread_create");
        pthread_join(thread, NULL);
    }
    return now_ns() - begun;
}

static uint64_t open_close(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        close(open("/tmp/micro", O_RDONLY));
    return now_ns() - begun;
}

static uint64_t stat_path(long n)
{
    struct stat s;
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        need(!stat("/tmp/micro", &s), "stat");
    return now_ns() - begun;
}

static uint64_t pread4k(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        need(pread(file, buffer, PAGE, i % FILE_PAGES * PAGE) == PAGE, "pread");
    return now_ns() - begun;
}

static uint64_t pwrite4k(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        need(pwrite(file, buffer, PAGE, i % FILE_PAGES * PAGE) == PAGE, "pwrite");
    return now_ns() - begun;
}

static void tcp_pair(int *server, int *client)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    need(listener >= 0 && !bind(listener, (void *)&a, size) && !listen(listener, 1), "listen");
    getsockname(listener, (void *)&a, &size);
    *client = socket(AF_INET, SOCK_STREAM, 0);
    need(!connect(*client, (void *)&a, size), "connect");
    *server = accept(listener, NULL, NULL);
    need(*server >= 0, "accept");
    close(listener);
    setsockopt(*server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(*client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static uint64_t tcp_connect(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++) {
        int server, client;
        tcp_pair(&server, &client);
        close(client);
        close(server);
    }
    return now_ns() - begun;
}

static uint64_t tcp_rtt(long n)
{
    int server, client;
    char c = 1;
    tcp_pair(&server, &client);
    pid_t child = fork();
    if (!child) {
        close(client);
        while (read(server, &c, 1) == 1)
            need(write(server, &c, 1) == 1, "write");
        _exit(0);
    }
    close(server);
    uint64_t begun = 0;
    for (long i = -1; i < n; i++) {
        if (!i)
            begun = now_ns();
        need(write(client, &c, 1) == 1 && read(client, &c, 1) == 1, "tcp");
    }
    uint64_t took = now_ns() - begun;
    close(client);
    end_child(child);
    return took;
}

// Two threads wake each other in turn; an operation is one turn.
static volatile int turn, turns;

static void take_turns(int mine)
{
    for (;;) {
        int now = turn;
        if (now == turns)
            break;
        if (now % 2 != mine) {
            syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
            continue;
        }
        turn = now + 1;
        syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static void *other_side(void *argument)
{
    take_turns(1);
    return argument;
}

static uint64_t futex_handoff(long n)
{
    pthread_t other;
    turn = 0;
    turns = n;
    need(!pthread_create(&other, NULL, other_side, NULL), "pthread_create");
    uint64_t begun = now_ns();
    take_turns(0);
    uint64_t took = now_ns() - begun;
    pthread_join(other, NULL);
    return took;
}

static void make_tree(void)
{
    char name[64];
    mkdir(TREE, 0777);
    for (int d = 0; d < TREE_DIRS; d++) {
        snprintf(name, sizeof(name), TREE "/%d", d);
        mkdir(name, 0777);
        for (int f = 0; f < TREE_FILES; f++) {
            snprintf(name, sizeof(name), TREE "/%d/%d", d, f);
            close(open(name, O_CREAT | O_WRONLY, 0666));
        }
    }
}

static long walk(const char *path)
{
    struct dirent *entry;
    long seen = 0;
    DIR *dir = opendir(path);
    need(dir != NULL, path);
    while ((entry = readdir(dir))) {
        struct stat s;
        char name[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        need(!lstat(name, &s), name);
        seen += 1 + (S_ISDIR(s.st_mode) ? walk(name) : 0);
    }
    closedir(dir);
    return seen;
}

// An operation is one walk: every name listed and looked at.
static uint64_t dir_walk(long n)
{
    uint64_t begun = now_ns();
    for (long i = 0; i < n; i++)
        need(walk(TREE) == TREE_DIRS * (1 + TREE_FILES), "walk");
    return now_ns() - begun;
}

static const struct row {
    const char *name;
    uint64_t (*run)(long n);
    long n;
} rows[] = {
    {"getppid_int80", getppid_int80, 20000},
    {"signal_self", signal_self, 4000},
    {"pipe_rtt", pipe_rtt, 2000},
    {"pipe_self", pipe_self, 4000},
    {"anon_fault", anon_fault, 2048},
    {"cow_fault", cow_fault, 1024},
    {"mmap_touch_munmap", mmap_touch_munmap, 2000},
    {"fork_exit_wait", fork_exit_wait, 60},
    {"fork_exec_wait", fork_exec_wait, 40},
    {"pthread_create_join", pthread_create_join, 200},
    {"open_close", open_close, 2000},
    {"stat", stat_path, 2000},
    {"pread4k", pread4k, 4000},
    {"pwrite4k", pwrite4k, 4000},
    {"tcp_connect", tcp_connect, 60},
    {"tcp_rtt", tcp_rtt, 1000},
    {"futex_handoff", futex_handoff, 4000},
    {"dir_walk", dir_walk, 5},
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double measure(const struct row *row, int reps, long n)
{
    double values[REPS_MAX];
    row->run(n / 4 + 1); // warm
    for (int i = 0; i < reps; i++)
        values[i] = (double)row->run(n) / n;
    qsort(values, reps, sizeof(values[0]), by_value);
    printf("%s %.3f %.3f %.3f\n", row->name, values[reps / 2], values[0], values[reps - 1]);
    fflush(stdout);
    return values[reps / 2];
}

// Linux leaves the loopback interface down until somebody asks.
static void loopback_up(void)
{
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0)
        return;
    if (!ioctl(s, SIOCGIFFLAGS, &r)) {
        r.ifr_flags |= IFF_UP;
        ioctl(s, SIOCSIFFLAGS, &r);
    }
    close(s);
}

int main(int argc, char **argv)
{
    unsigned low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    int reps = argc > 1 ? atoi(argv[1]) : 5, scale = argc > 2 ? atoi(argv[2]) : 100;
    double median[sizeof(rows) / sizeof(rows[0])] = {0}, self = 0, pair = 0;
    printf("boot %llu\n", (unsigned long long)high << 32 | low);
    fflush(stdout);
    need(reps > 0 && reps <= REPS_MAX && scale > 0, "usage: micro REPS SCALE [ROW]");
    memset(resident, 1, sizeof(resident));
    loopback_up();
    mkdir("/tmp", 0777);
    make_tree();
    file = open("/tmp/micro", O_RDWR | O_CREAT | O_TRUNC, 0666);
    for (int i = 0; i < FILE_PAGES; i++)
        need(write(file, buffer, PAGE) == PAGE, "write");
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        long n = rows[i].n * scale / 100;
        if (argc > 3 && strcmp(argv[3], rows[i].name))
            continue;
        median[i] = measure(&rows[i], reps, n ? n : 1);
        self = rows[i].run == pipe_self ? median[i] : self;
        pair = rows[i].run == pipe_rtt ? median[i] : pair;
    }
    if (argc <= 3)
        printf("ctx_switch %.3f 0 0\n", pair / 2 - self);
    puts("end");
    return 0;
}
