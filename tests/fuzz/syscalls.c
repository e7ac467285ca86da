// SPDX-License-Identifier: MIT
// Seeded random system calls by several ordinary processes at once: every number, every class of
// argument. Usage: syscalls SEED CALLS [WORKERS]. On a node with canary=1 the kernel's free memory
// holds a pattern: a worker that finds it in its buffers says which call brought it.
//
// The parent, as root, starts workers as user 61000, which no other program of the node is (in the
// end all of that user's processes are killed), each with a seed of its own, and again when one was
// killed or stands still. Status 0: all calls were made, no byte of the kernel was seen.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 8,
    NUMBERS = 470,
    BUFFERS = 4,
    BUFFER_BYTES = 1024,
    PAGE = 4096,
    IPC_IDS = 512,   // looked through for what they left
    STILL_MS = 1500, // without a call for that long a worker is ended
    USER = 61000
};

struct progress { // one worker's, in shared memory
    volatile uint32_t calls, number, leaks;
    volatile uint32_t args[6], leak_number, leak_args[6], leak_at;
};

static struct progress *all;
static uint64_t state;
static uint8_t *area; // buffers, then a page nobody may write
static uint8_t *edge; // the last page before a hole
static int fds[24];
static volatile uint32_t canary_low = 0xb1d5, canary_high = 0x7ac4;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((state >> 33) % below);
}

static long call(uint32_t n, const uint32_t *a)
{
    long r;
    __asm__ volatile(
        "push %%ebp; push %%ebx; mov 20(%1), %%ebp; mov 0(%1), %%ebx; mov 4(%1), %%ecx;"
        "mov 8(%1), %%edx; mov 16(%1), %%edi; mov 12(%1), %%esi; int $0x80;"
        "pop %%ebx; pop %%ebp"
        : "=a"(r), "+S"(a)
        : "0"(n)
        : "ecx", "edx", "edi", "memory", "cc");
    return r;
}

// ---- arguments ----------------------------------------------------------------------------------

#define QUEUE "nothing" // the path that a message queue may have for its name

static const char *const paths[] = {"/",
                                    "/tmp",
                                    "/tmp/fz",
                                    "/tmp/fz/a",
                                    "/proc",
                                    "/proc/self",
                                    "/proc/self/fd",
                                    "/proc/self/maps",
                                    "/dev/null",
                                    "/dev/zero",
                                    "/proc/cluster",
                                    "/proc/meminfo",
                                    ".",
                                    "..",
                                    "/bin/busybox",
                                    "/etc/passwd",
                                    "/dev",
                                    "/proc/1/stat",
                                    QUEUE,
                                    "/proc/self/node",
                                    "",
                                    "/dev/urandom",
                                    "/proc/self/stat",
                                    "/tmp/fz/fifo"};

static uint8_t *buffer(unsigned i)
{
    return area + i * PAGE;
}

static uint32_t odd(void)
{
    static const uint32_t values[] = {
        0,          1,          2,          3,         4,     5,          7,          8,
        15,         16,         20,         63,        64,    128,        255,        256,
        511,        512,        1000,       1023,      1024,  4095,       4096,       4097,
        0x7fff,     0x8000,     0xffff,     0x10000,   65537, 0x7fffffff, 0x80000000, 0x80000001,
        0xfffff000, 0xffffffff, 0xfffffffe, 0xffffff9c};
    return values[draw(sizeof(values) / sizeof(values[0]))];
}

static uint32_t pointer(void)
{
    switch (draw(12)) {
    case 0:
        return 0;
    case 1:
        return 0xc0000000u + draw(2) * draw(0x3fffffff);
    case 2:
        return (uint32_t)(uintptr_t)edge + PAGE - draw(2) * draw(64) - 1; // runs into the hole
    case 3:
        return (uint32_t)(uintptr_t)edge + PAGE + draw(PAGE); // in it
    case 4:
        return (uint32_t)(uintptr_t)area + BUFFERS * PAGE + draw(PAGE); // nobody may write it
    case 5:
        return 0xbffffff0u + draw(64);
    case 6: {
        char *text = (char *)buffer(draw(BUFFERS)) + BUFFER_BYTES - 64;
        strcpy(text, paths[draw(sizeof(paths) / sizeof(paths[0]))]);
        return (uint32_t)(uintptr_t)text;
    }
    default:
        return (uint32_t)(uintptr_t)buffer(draw(BUFFERS)) + draw(4) * draw(32);
    }
}

static uint32_t descriptor(void)
{
    return draw(8) ? (uint32_t)fds[draw(sizeof(fds) / sizeof(fds[0]))] : odd();
}

static uint32_t argument(unsigned place)
{
    switch (draw(place == 0 ? 6 : 5)) {
    case 0:
        return odd();
    case 1:
        return 1u << draw(32);
    case 2:
        return draw(4) ? draw(BUFFER_BYTES) : draw(0xffffffff);
    case 3:
    case 4:
        return pointer();
    default:
        return descriptor();
    }
}

// Buffers hold what calls may take for structures: small numbers, pointers, odd values.
static void buffers_fill(void)
{
    for (unsigned i = 0; i < BUFFERS; i++) {
        uint32_t *w = (uint32_t *)buffer(i);
        for (unsigned k = 0; k < BUFFER_BYTES / 4; k++)
            w[k] = k < 24 ? (draw(3) ? odd() : pointer()) : 0;
    }
}

// ---- a worker -----------------------------------------------------------------------------------

static int canary_in(const uint8_t *bytes, size_t n, size_t *at)
{
    uint32_t wanted = canary_high << 16 | canary_low, word;
    for (*at = 0; *at + 4 <= n; ++*at) {
        memcpy(&word, bytes + *at, 4);
        if (word == wanted)
            return 1;
    }
    return 0;
}

static void leak(struct progress *p, size_t at)
{
    if (p->leaks++ > 0)
        return;
    p->leak_number = p->number;
    p->leak_at = (uint32_t)at;
    for (unsigned i = 0; i < 6; i++)
        p->leak_args[i] = p->args[i];
}

static void buffers_look(struct progress *p)
{
    size_t at;
    for (unsigned i = 0; i < BUFFERS; i++)
        if (canary_in(buffer(i), BUFFER_BYTES, &at)) {
            leak(p, i * PAGE + at);
            memset(buffer(i), 0, BUFFER_BYTES);
        }
}

static void *pages(unsigned count, int prot)
{
    return mmap(NULL, count * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void files_open(void)
{
    unsigned n = 0;
    int pair[2];
    mkdir("/tmp/fz", 0777);
    for (unsigned i = 0; i < 3; i++)
        fds[n++] = open(i == 0 ? "/dev/null" : "/dev/zero", O_RDWR);
    fds[n++] = open("/tmp/fz/a", O_RDWR | O_CREAT, 0666);
    fds[n++] = open("/tmp/fz/b", O_RDONLY | O_CREAT, 0666);
    fds[n++] = open("/tmp/fz", O_RDONLY | O_DIRECTORY);
    fds[n++] = open("/proc/self/maps", O_RDONLY);
    fds[n++] = open("/proc", O_RDONLY | O_DIRECTORY);
    fds[n++] = open("/bin/busybox", O_RDONLY);
    fds[n++] = open("/dev/urandom", O_RDONLY);
    for (unsigned i = 0; i < 2; i++)
        if (pipe2(pair, O_NONBLOCK) == 0)
            fds[n++] = pair[0], fds[n++] = pair[1];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
        fds[n++] = pair[0], fds[n++] = pair[1];
    fds[n++] = socket(AF_INET, SOCK_STREAM, 0);
    fds[n++] = socket(AF_INET, SOCK_DGRAM, 0);
    fds[n++] = (int)syscall(329, 0);             // epoll_create1
    fds[n++] = (int)syscall(328, 0, O_NONBLOCK); // eventfd2
    for (; n < sizeof(fds) / sizeof(fds[0]); n++)
        fds[n] = 900 + (int)n; // closed
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void limit(int what, rlim_t most)
{
    struct rlimit l = {most, most};
    setrlimit(what, &l);
}

static void become_ordinary(void)
{
    int nowhere = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++)
        dup2(nowhere, i);
    setsid();
    limit(RLIMIT_NPROC, 40);
    limit(RLIMIT_AS, 48 << 20);
    limit(RLIMIT_FSIZE, 1 << 20);
    limit(RLIMIT_CORE, 0);
    if (setgroups(0, NULL) || setgid(USER) || setuid(USER))
        _exit(3);
}

// Calls that only end a worker are made seldom.
static uint32_t number(void)
{
    for (;;) {
        uint32_t n = draw(200) ? draw(NUMBERS) : draw(0xffffffff);
        int ends = n == SYS_exit || n == SYS_exit_group || n == SYS_pause ||
                   n == SYS_rt_sigsuspend || n == SYS_sigsuspend || n == SYS_vfork ||
                   n == SYS_execve || n == SYS_munmap || n == SYS_ptrace;
        if (!ends || draw(30) == 0)
            return n;
    }
}

static void alarm_again(void)
{
    struct itimerval soon = {{0, 20000}, {0, 20000}};
    struct sigaction a = {.sa_handler = on_alarm};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
}

// A queue stays until its name is taken away, and nothing lists them: only the one that ipc_sweep
// knows keeps its name.
static void queue_forget(const uint32_t *args)
{
    if (strcmp((const char *)(uintptr_t)args[0], QUEUE) != 0)
        call(SYS_mq_unlink, args);
}

static void work(struct progress *p, uint32_t most)
{
    static const uint32_t none[6];
    uint32_t me = (uint32_t)getpid();
    become_ordinary();
    area = pages(BUFFERS + 1, PROT_READ | PROT_WRITE);
    edge = pages(3, PROT_READ | PROT_WRITE);
    mprotect(area + BUFFERS * PAGE, PAGE, PROT_READ);
    munmap(edge + PAGE, 2 * PAGE);
    files_open();
    for (uint32_t i = 0; p->calls < most; i++) {
        uint32_t args[6];
        if (i % 16 == 0) {
            buffers_fill();
            alarm_again();
        }
        for (unsigned k = 0; k < 6; k++)
            p->args[k] = args[k] = argument(k);
        p->number = number();
        long r = call(p->number, args);
        if ((uint32_t)call(SYS_getpid, none) != me)
            _exit(0); // a child that a call has made
        if (p->number == SYS_mq_open && r >= 0)
            queue_forget(args);
        p->calls++;
        if (r >= 0 || i % 16 == 15)
            buffers_look(p);
    }
    _exit(0);
}

// ---- the parent ---------------------------------------------------------------------------------

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct worker {
    pid_t pid;
    uint32_t seen, lives;
    uint64_t since_ms;
};

static void start(struct worker *w, unsigned i, uint64_t seed, uint32_t most)
{
    w->lives++;
    w->since_ms = now_ms();
    w->pid = fork();
    if (w->pid == 0) {
        state = seed * 0x9e3779b97f4a7c15ull + i * 1000003ull + w->lives;
        for (unsigned k = 0; k < 8; k++)
            draw(2);
        work(&all[i], most);
    }
}

// What workers have left behind: the queue, System V objects, processes of their user.
static void ipc_sweep(void)
{
    syscall(SYS_mq_unlink, QUEUE);
    struct shmid_ds shm;
    struct semid_ds sem;
    struct msqid_ds msg;
    for (int i = 0; i < IPC_IDS; i++) {
        int id = shmctl(i, SHM_STAT, &shm);
        if (id >= 0 && shm.shm_perm.cuid == USER)
            shmctl(id, IPC_RMID, NULL);
        id = semctl(i, 0, SEM_STAT, &sem);
        if (id >= 0 && sem.sem_perm.cuid == USER)
            semctl(id, 0, IPC_RMID);
        id = msgctl(i, MSG_STAT, &msg);
        if (id >= 0 && msg.msg_perm.cuid == USER)
            msgctl(id, IPC_RMID, NULL);
    }
}

static void sweep(void)
{
    pid_t child = fork();
    if (child == 0) {
        if (setuid(USER) == 0)
            kill(-1, SIGKILL);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    ipc_sweep();
}

// true while it has calls to make.
static int tend(struct worker *w, unsigned i, uint64_t seed, uint32_t most)
{
    uint32_t calls = all[i].calls;
    if (calls != w->seen) {
        w->seen = calls;
        w->since_ms = now_ms();
    } else if (w->pid > 0 && now_ms() > w->since_ms + STILL_MS) {
        kill(w->pid, SIGKILL);
    }
    if (w->pid > 0 && waitpid(w->pid, NULL, WNOHANG) == w->pid)
        w->pid = 0;
    if (w->pid <= 0 && calls < most)
        start(w, i, seed, most);
    return calls < most || w->pid > 0;
}

static int report(uint64_t seed, unsigned workers, const struct worker *w)
{
    uint32_t calls = 0, lives = 0, leaks = 0;
    for (unsigned i = 0; i < workers; i++) {
        const struct progress *p = &all[i];
        calls += p->calls;
        lives += w[i].lives;
        leaks += p->leaks;
        if (p->leaks)
            printf("LEAK in worker %u, at %#x: call %u(%#x, %#x, %#x, %#x, %#x, %#x)\n", i,
                   p->leak_at, p->leak_number, p->leak_args[0], p->leak_args[1], p->leak_args[2],
                   p->leak_args[3], p->leak_args[4], p->leak_args[5]);
    }
    printf("syscalls: seed %llu, %u calls, %u workers, %u lives, %u leaks\n",
           (unsigned long long)seed, calls, workers, lives, leaks);
    return leaks != 0;
}

int main(int argc, char **argv)
{
    static struct worker w[WORKERS_MAX];
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint32_t calls = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 100000;
    unsigned workers = argc > 3 ? (unsigned)atoi(argv[3]) : 4, busy = 1;
    if (workers < 1 || workers > WORKERS_MAX)
        return fprintf(stderr, "usage: syscalls SEED CALLS [WORKERS 1..8]\n"), 2;
    all = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return perror("mmap"), 2;
    printf("syscalls: seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    while (busy) {
        busy = 0;
        for (unsigned i = 0; i < workers; i++)
            busy += (unsigned)tend(&w[i], i, seed, calls / workers);
        usleep(20000);
    }
    sweep();
    return report(seed, workers, w);
}
