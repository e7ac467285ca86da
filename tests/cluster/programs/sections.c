// SPDX-License-Identifier: MIT
// membarrier and rseq: what they refuse, what is written, and critical sections that begin anew:
// after a signal, after another thread had the CPU, after a barrier; with a word also after a move.
#define _GNU_SOURCE
#include "child.h"
#include "move.h"
#include "said.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#define SIGNATURE 0x53053053u
#define LONG      2000000000u // rounds: seconds

enum {
    GLOBAL = 1,
    GLOBAL_FAST = 2,
    PRIVATE = 8,
    CORE = 32,
    RSEQ = 128,
    REGISTRATIONS = 512
};

struct words {
    volatile uint32_t cpu_start, cpu;
    volatile uint64_t section;
    volatile uint32_t flags, pad[11];
} __attribute__((aligned(64)));

static struct words a, b;

static long barrier(unsigned command, unsigned flags, int cpu)
{
    return syscall(SYS_membarrier, command, flags, cpu);
}

static long rseq(volatile void *at, unsigned bytes, int flags, unsigned signature)
{
    return syscall(SYS_rseq, at, bytes, flags, signature);
}

static struct words *libc(void)
{
    return (struct words *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

// Counts `rounds` down inside of a section: 1 when it was made to leave.
static int section(struct words *w, uint32_t rounds)
{
    uint32_t left = 0;
    __asm__ volatile(".pushsection .data\n\t"
                     ".balign 32\n"
                     "9:\t.long 0, 0, 1f, 0, 2f - 1f, 0, 4f, 0\n\t"
                     ".popsection\n\t"
                     "movl $9b, 8(%[w])\n"
                     "1:\tsubl $1, %[n]\n\t"
                     "jnz 1b\n"
                     "2:\tjmp 5f\n\t"
                     ".byte 0x0f, 0xb9, 0x3d\n\t"
                     ".long 0x53053053\n"
                     "4:\tmovl $1, %[left]\n"
                     "5:"
                     : [n] "+r"(rounds), [left] "+r"(left)
                     : [w] "r"(w)
                     : "memory", "cc");
    return (int)left;
}

// Sends itself a signal inside of one (calls are not meant to be there).
static int section_with_signal(struct words *w, int pid, int tid)
{
    int result = SYS_tgkill;
    __asm__ volatile(".pushsection .data\n\t"
                     ".balign 32\n"
                     "9:\t.long 0, 0, 1f, 0, 2f - 1f, 0, 4f, 0\n\t"
                     ".popsection\n\t"
                     "movl $9b, 8(%[w])\n"
                     "1:\tint $0x80\n\t"
                     "nop\n"
                     "2:\tjmp 5f\n\t"
                     ".byte 0x0f, 0xb9, 0x3d\n\t"
                     ".long 0x53053053\n"
                     "4:\tmovl $1000, %%eax\n"
                     "5:"
                     : "+a"(result)
                     : [w] "r"(w), "b"(pid), "c"(tid), "d"(SIGUSR1)
                     : "memory", "cc");
    return result;
}

static void barriers(void)
{
    T(barrier(REGISTRATIONS, 0, 0));
    T(barrier(0, 0, 0));
    T(barrier(0, 1, 0));
    T(barrier(3, 0, 0));
    T(barrier(1024, 0, 0));
    T(barrier(-1, 0, 0));
    T(barrier(GLOBAL, 0, 0));
    T(barrier(GLOBAL_FAST, 0, 0));
    T(barrier(PRIVATE, 0, 0));
    T(barrier(CORE, 0, 0));
    T(barrier(RSEQ, 0, 0));
    T(barrier(2 * CORE, 0, 0));
    T(barrier(REGISTRATIONS, 0, 0));
    T(barrier(PRIVATE, 0, 0));
    T(barrier(CORE, 0, 0));
    T(barrier(2 * PRIVATE, 0, 0));
    T(barrier(PRIVATE, 0, 0));
    T(barrier(PRIVATE, 1, 0));
    T(barrier(RSEQ, 0, 0));
    T(barrier(2 * RSEQ, 0, 0));
    T(barrier(RSEQ, 0, 0));
    T(barrier(RSEQ, 1, 0));
    T(barrier(RSEQ, 1, 1000));
    T(barrier(RSEQ, 1, -1));
    T(barrier(RSEQ, 2, 0));
    T(barrier(2 * GLOBAL_FAST, 0, 0));
    T(barrier(REGISTRATIONS, 0, 0));
    T(barrier(REGISTRATIONS, 1, 0));
}

static void registrations(void)
{
    T(barrier(REGISTRATIONS, 0, 0));
}

static void again(void)
{
    execl("/proc/self/exe", "sections", "registrations", NULL);
}

static void wrong_words(void)
{
    struct words *w = libc();
    printf("the library's: %d %d\n", w->cpu == w->cpu_start, w->cpu < 64);
    T(rseq(w, 32, 0, SIGNATURE));
    T(rseq(w, 32, 0, 1));
    T(rseq(w, 64, 0, SIGNATURE));
    T(rseq(&a, 32, 0, SIGNATURE));
    T(rseq(w, 32, 2, SIGNATURE));
    T(rseq(w, 32, 3, SIGNATURE));
    T(rseq(w, 32, 1, 1));
    T(rseq(w, 64, 1, SIGNATURE));
    T(rseq(&a, 32, 1, SIGNATURE));
    T(rseq(NULL, 32, 1, SIGNATURE));
    T(rseq(w, 32, 1, SIGNATURE));
    printf("left: %x %x\n", w->cpu_start, w->cpu);
    T(rseq(w, 32, 1, SIGNATURE));
    T(rseq(NULL, 32, 0, SIGNATURE));
    T(rseq(&a.flags, 32, 0, SIGNATURE));
    T(rseq((char *)&a + 4, 32, 0, SIGNATURE));
    T(rseq(&a, 31, 0, SIGNATURE));
    T(rseq((void *)0x1000, 32, 0, SIGNATURE));
    T(rseq((void *)0xffffffe0, 32, 0, SIGNATURE));
    a.section = 0x1234;
    T(rseq(&a, 32, 0, SIGNATURE));
    printf("mine: %d %d %llx\n", a.cpu == a.cpu_start, a.cpu < 64, a.section);
}

static void inherits(void)
{
    T(rseq(&a, 32, 0, SIGNATURE));
}

static void signalled(void)
{
    raise(SIGUSR1);
}

static void wild_section(void)
{
    a.section = 0x10;
    signalled();
}

static void section_elsewhere(void)
{
    a.section = 1ull << 40;
    signalled();
}

static uint32_t described[10] __attribute__((aligned(32)));
static uint32_t bad_word, bad_value;

// A section far from here, right but for one word.
static void bad(void)
{
    uint32_t abort_at = (uint32_t)(uintptr_t)&described[9];
    uint32_t good[10] = {0, 0, 0x1000, 0, 0x100, 0, abort_at, 0, SIGNATURE};
    memcpy(described, good, sizeof(good));
    if (bad_word < 10)
        described[bad_word] = bad_value;
    a.section = (uintptr_t)described;
    signalled();
    printf("word %u: taken, %llx\n", bad_word, a.section);
}

static volatile int handled;

static void on_signal(int s)
{
    (void)s;
    handled++;
}

static void after_signals(void)
{
    handled = 0;
    int left = section_with_signal(&a, getpid(), gettid());
    printf("a signal: left %d, handled %d, section %llx\n", left, handled, a.section);
    signalled();
    printf("outside: section %llx\n", a.section);
    a.flags = 1; // "not after a signal": no longer allowed
    signalled();
    printf("flags outside: handled %d\n", handled);
    a.flags = 0;
}

static void flags_inside(void)
{
    a.flags = 1;
    section_with_signal(&a, getpid(), gettid());
}

static void rivals(void)
{
    cpu_set_t one, all;
    sched_getaffinity(0, sizeof(all), &all);
    CPU_ZERO(&one);
    CPU_SET(a.cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
    fflush(stdout);
    pid_t rival = fork();
    if (rival == 0)
        for (;;)
            ;
    int left = 0;
    for (int i = 0; i < 10 && !left; i++)
        left = section(&a, LONG);
    printf("a rival: left %d\n", left);
    kill(rival, SIGKILL);
    waitpid(rival, NULL, 0);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        if (CPU_ISSET(i, &all) &&
            (sched_setaffinity(0, sizeof(one), &one) || (int)a.cpu != i || (int)a.cpu_start != i))
            printf("on CPU %d: %u %u\n", i, a.cpu_start, a.cpu);
    }
    sched_setaffinity(0, sizeof(all), &all);
}

static volatile int inside, stop;

static void *sectioned(void *arg)
{
    T(rseq(&b, 32, 0, SIGNATURE));
    (void)arg;
    inside = 1;
    int left = 0;
    while (!stop)
        left |= section(&b, 100000000);
    return (void *)(intptr_t)left;
}

// Two threads, one of them in a section all the time, on whatever CPUs there are.
static void *without_rseq(void *arg)
{
    struct words *w = libc();
    rseq(w, 32, 1, SIGNATURE);
    return sectioned(arg);
}

static void threads(void)
{
    pthread_t t;
    void *left;
    T(barrier(2 * RSEQ, 0, 0));
    fflush(stdout);
    pthread_create(&t, NULL, without_rseq, NULL);
    while (!inside)
        sched_yield();
    for (int i = 0; i < 100; i++)
        if (barrier(RSEQ, 0, 0) || barrier(PRIVATE, 0, 0) || barrier(CORE, 0, 0))
            printf("barrier %d: %s\n", i, strerrorname_np(errno));
    usleep(50000);
    barrier(RSEQ, 0, 0);
    stop = 1;
    pthread_join(t, &left);
    printf("barriers: left %ld\n", (long)left);
}

// Somebody else moves it while it is in a section. On Linux that one only takes its CPU.
static void moved(void)
{
    T(barrier(2 * PRIVATE, 0, 0));
    fflush(stdout);
    pid_t me = getpid(), mover = fork();
    if (mover == 0) {
        char path[32], line[8] = "1\n";
        snprintf(path, sizeof(path), "/proc/%d/node", me);
        usleep(100000);
        int f = open(path, O_WRONLY);
        if (f >= 0 && write(f, line, 2) != 2)
            printf("moving: %s\n", strerrorname_np(errno));
        _exit(0);
    }
    signal(SIGCHLD, on_signal);
    int left = section(&a, LONG);
    printf("moved: left %d, section %llx, %d\n", left, a.section, a.cpu == a.cpu_start);
    waitpid(mover, NULL, 0);
    T(barrier(REGISTRATIONS, 0, 0));
    T(rseq(&a, 32, 0, 1));
    T(rseq(&a, 32, 0, SIGNATURE));
    move_to(0);
    T(rseq(&a, 32, 1, SIGNATURE));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "registrations")) {
        registrations();
        return 0;
    }
    signal(SIGUSR1, on_signal);
    if (argc == 1) {
        barriers();
        in_child(registrations);
        in_child(again);
    }
    wrong_words();
    if (argc > 1) {
        moved();
        return 0;
    }
    in_child(inherits);
    if (vfork() == 0)
        _exit(rseq(&a, 32, 0, SIGNATURE) ? 1 : 0);
    wait(NULL);
    in_child(wild_section);
    in_child(section_elsewhere);
    static const uint32_t words[][2] = {{10, 0}, {0, 1},      {1, 8}, {3, 1},
                                        {5, 1},  {6, 0x1010}, {7, 1}, {8, 1}};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        bad_word = words[i][0], bad_value = words[i][1];
        in_child(bad);
    }
    after_signals();
    in_child(flags_inside);
    rivals();
    threads();
    return 0;
}
