// SPDX-License-Identifier: MIT
// modify_ldt: segments of a process's own, data and code, also in threads, children and handlers;
// with a word the process moves between its uses of them.
#define _GNU_SOURCE
#include "child.h"
#include "move.h"
#include "said.h"
#include <asm/ldt.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum {
    DATA = 0,
    DOWN = 1 << 1,
    CODE = 2 << 1,
    CONFORMING = 3 << 1,
    WIDE = 1,
    READ_ONLY = 1 << 3,
    PAGES = 1 << 4,
    ABSENT = 1 << 5,
    USEABLE = 1 << 6,
};

struct desc {
    uint32_t entry, base, limit, flags;
};

static uint32_t words[4] = {0x11111111, 0x22222222, 0x33333333, 0x44444444};

static long put(int how, uint32_t entry, const void *base, uint32_t limit, uint32_t flags)
{
    struct desc d = {entry, (uint32_t)(uintptr_t)base, limit, flags};
    return syscall(SYS_modify_ldt, how, &d, sizeof(d));
}

static uint32_t selector(uint32_t entry)
{
    return entry << 3 | 7;
}

static uint32_t read_fs(uint32_t entry, uint32_t at)
{
    uint32_t word;
    __asm__ volatile("push %%fs\n\tmov %w1, %%fs\n\tmov %%fs:(%2), %0\n\tpop %%fs"
                     : "=&r"(word)
                     : "r"(selector(entry)), "r"(at));
    return word;
}

static void wrong(void)
{
    struct desc d = {0, 0, 0, WIDE};
    uint8_t out[64];
    T(syscall(SYS_modify_ldt, 0, out, sizeof(out)));
    T(syscall(SYS_modify_ldt, 5, &d, sizeof(d)));
    T(syscall(SYS_modify_ldt, 1, &d, 15));
    T(syscall(SYS_modify_ldt, 0x11, &d, 17));
    T(syscall(SYS_modify_ldt, 0x11, 8, sizeof(d)));
    T(put(0x11, 8192, words, 15, WIDE));
    T(put(0x11, 0, words, 15, WIDE | CONFORMING));
    T(put(1, 0, words, 15, WIDE | CONFORMING | ABSENT));
    T(syscall(SYS_modify_ldt, 2, out, 24));
    T(syscall(SYS_modify_ldt, 0, out, sizeof(out)));
}

static void show(const char *what)
{
    uint32_t out[14][2];
    memset(out, 0x55, sizeof(out));
    long n = syscall(SYS_modify_ldt, 0, out, sizeof(out));
    printf("%s: %ld", what, n);
    for (long k = 0; k < n / 8; k++)
        printf(" %08x:%08x", k ? out[k][0] : 0, k ? out[k][1] & 0xffff00 : 0);
    printf("\n");
    fflush(stdout);
}

static void segments(void)
{
    T(put(0x11, 3, (void *)0x12345678, 0x9abcd, WIDE | PAGES | USEABLE));
    T(put(1, 4, (void *)0x12345678, 0x9abcd, WIDE | PAGES | USEABLE));
    T(put(0x11, 5, NULL, 0xfffff, WIDE | CODE));
    T(put(0x11, 6, NULL, 0xfffff, WIDE | CODE | READ_ONLY | PAGES));
    T(put(0x11, 7, NULL, 0xfffff, WIDE | DOWN));
    T(put(0x11, 8, NULL, 0xfffff, WIDE | CONFORMING | ABSENT));
    T(put(0x11, 9, NULL, 0xfffff, WIDE | READ_ONLY | ABSENT));
    T(put(0x11, 10, words, 15, WIDE));
    show("written");
    T(put(0x11, 5, NULL, 0, READ_ONLY | ABSENT)); // cleared
    T(put(1, 6, NULL, 0, WIDE));                  // the same of old
    show("cleared");
    printf("%x %x\n", read_fs(10, 0), read_fs(10, 12));
    T(syscall(SYS_modify_ldt, 0, 8, 64));
}

// ---- what faults -------------------------------------------------------------------------------
static int with_error = 1; // of who loads a selector

static void on_fault(int signal, siginfo_t *i, void *context)
{
    const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    printf("signal %d code %d error %x\n", signal, i->si_code,
           with_error ? (unsigned)g[REG_ERR] : 0);
    fflush(stdout);
    _exit(1);
}

static void faults(void (*what)(void))
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
        sigaction(SIGSEGV, &a, NULL);
        sigaction(SIGBUS, &a, NULL);
        what();
        printf("no fault\n");
        exit(0);
    }
    waitpid(child, &status, 0);
    printf("status %x\n", status);
}

static void absent(void)
{
    read_fs(9, 0);
}

static void cleared(void)
{
    read_fs(5, 0);
}

static void never(void)
{
    read_fs(8000, 0);
}

static void stack_gone(void)
{
    put(0x11, 12, NULL, 0xfffff, WIDE | PAGES);
    struct desc none = {12, 0, 0, READ_ONLY | ABSENT};
    __asm__ volatile("mov %w0, %%ss\n\tint $0x80"
                     :
                     : "r"(selector(12)), "a"(SYS_modify_ldt), "b"(0x11), "c"(&none), "d"(16)
                     : "memory");
}

// ---- code --------------------------------------------------------------------------------------
struct far {
    uint32_t at;
    uint16_t selector;
} __attribute__((packed));

static volatile uint32_t seen_cs;

static void on_signal(int signal, siginfo_t *i, void *context)
{
    (void)signal, (void)i;
    seen_cs = (uint32_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_CS] & 0xffff;
}

// A far call to code in entry 13 that makes a system call: what it gave.
static long call_far(long number, long a, long b, long c)
{
    static const uint8_t code[] = {0xcd, 0x80, 0xcb}; // int 0x80, lret
    static void *page;
    long r;
    if (page == NULL) {
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0);
        memcpy(page, code, sizeof(code));
    }
    struct far to = {(uint32_t)(uintptr_t)page, (uint16_t)selector(13)};
    __asm__ volatile("lcall *%1"
                     : "=a"(r)
                     : "m"(to), "0"(number), "b"(a), "c"(b), "d"(c)
                     : "memory");
    return r;
}

static void own_code_gone(void)
{
    struct desc none = {13, 0, 0, READ_ONLY | ABSENT};
    call_far(SYS_modify_ldt, 0x11, (long)&none, sizeof(none));
}

static void code(void)
{
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &a, NULL);
    T(put(0x11, 13, NULL, 0xfffff, WIDE | CODE | PAGES));
    printf("getpid %d\n", call_far(SYS_getpid, 0, 0, 0) == getpid());
    printf("kill %ld", call_far(SYS_kill, getpid(), SIGUSR1, 0));
    printf(", in %x\n", seen_cs);
    with_error = 0;
    faults(own_code_gone);
}

// ---- threads, children -------------------------------------------------------------------------
static volatile int go;
static int have_read;
static volatile uint32_t got[2];

static void *spins(void *unused)
{
    (void)unused;
    while (!go)
        ;
    got[0] = read_fs(1, 0);
    __atomic_add_fetch(&have_read, 1, __ATOMIC_SEQ_CST);
    while (go < 2)
        usleep(1000);
    got[1] = read_fs(1, 0);
    return NULL;
}

static void threads(void)
{
    pthread_t t[3];
    for (int k = 0; k < 3; k++)
        pthread_create(&t[k], NULL, spins, NULL);
    usleep(20000);
    put(0x11, 1, words, 15, WIDE);
    go = 1;
    while (__atomic_load_n(&have_read, __ATOMIC_SEQ_CST) < 3)
        usleep(1000);
    put(0x11, 1, words + 1, 11, WIDE);
    go = 2;
    for (int k = 0; k < 3; k++)
        pthread_join(t[k], NULL);
    printf("threads: %x %x\n", got[0], got[1]);
}

static void child(void)
{
    printf("child: %x\n", read_fs(10, 4));
    put(0x11, 10, words + 2, 7, WIDE);
    printf("child: %x\n", read_fs(10, 4));
}

static void executes(void)
{
    execl("/proc/self/exe", "ldts", "executed", NULL);
}

static void spawned(void)
{
    int status;
    fflush(stdout);
    pid_t pid = vfork();
    if (pid == 0) {
        executes();
        _exit(1);
    }
    waitpid(pid, &status, 0);
    printf("parent: %x\n", read_fs(10, 4));
}

// ---- moves -------------------------------------------------------------------------------------
static void moves(void)
{
    put(0x11, 10, words, 15, WIDE);
    put(0x11, 13, NULL, 0xfffff, WIDE | CODE | PAGES);
    __asm__ volatile("mov %w0, %%fs" : : "r"(selector(10)));
    for (int n = 0; n < 4; n++) {
        uint32_t word, cs;
        move_to(1 - n % 2);
        __asm__ volatile("mov %%fs:8, %0\n\tmov %%fs, %1" : "=r"(word), "=r"(cs));
        printf("%x by %x, %d\n", word, cs & 0xffff, call_far(SYS_getpid, 0, 0, 0) == getpid());
        words[2]++;
        put(0x11, 20 + n, words, 15, WIDE);
    }
    show("at the end");
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "executed")) {
        show("executed");
        return 0;
    }
    if (argc > 1) {
        moves();
        return 0;
    }
    wrong();
    in_child(threads);
    segments();
    faults(absent);
    faults(cleared);
    faults(never);
    faults(stack_gone);
    code();
    in_child(child);
    printf("parent: %x\n", read_fs(10, 4));
    spawned();
    return 0;
}
