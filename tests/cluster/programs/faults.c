// SPDX-License-Identifier: MIT
// Faults: signal, si_code and si_addr of each kind that a program can cause.
#define _GNU_SOURCE
#include "said.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096

static sigjmp_buf back;
static siginfo_t seen;
static int trap, error, error_mask = 7;

static void on_fault(int s, siginfo_t *i, void *c)
{
    ucontext_t *u = c;
    (void)s;
    seen = *i;
    trap = u->uc_mcontext.gregs[REG_TRAPNO];
    error = u->uc_mcontext.gregs[REG_ERR];
    siglongjmp(back, 1);
}

static void told(const char *what, const volatile void *at)
{
    printf("%s: signal %d code %d errno %d address %s trap %d error %x\n", what, seen.si_signo,
           seen.si_code, seen.si_errno,
           seen.si_addr == (void *)at ? "right"
           : seen.si_addr             ? "other"
                                      : "0",
           trap, trap == 14 ? error & error_mask : error);
}

#define FAULT(what, at, doing)                                                                     \
    do {                                                                                           \
        if (sigsetjmp(back, 1) == 0) {                                                             \
            doing;                                                                                 \
            printf("%s: fine\n", what);                                                            \
        } else {                                                                                   \
            told(what, (const volatile void *)(at));                                               \
        }                                                                                          \
    } while (0)

// Where the compiler does not see what lies there.
static volatile char *hidden(uintptr_t at)
{
    __asm__("" : "+r"(at));
    return (volatile char *)at;
}

#define READ(what, at)  FAULT(what, at, (void)*hidden((uintptr_t)(at)))
#define WRITE(what, at) FAULT(what, at, *hidden((uintptr_t)(at)) = 1)
#define CALL(what, at)  FAULT(what, at, ((void (*)(void))hidden((uintptr_t)(at)))())

static void addresses(void)
{
    char *m = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(m + 4 * PAGE, PAGE);
    READ("null", 0);
    WRITE("near null", 20);
    READ("hole", m + 4 * PAGE + 5);
    WRITE("hole, written", m + 4 * PAGE + 5);
    mprotect(m, PAGE, PROT_READ);
    WRITE("read-only", m + 1);
    mprotect(m, PAGE, PROT_NONE);
    READ("none", m + 2);
    WRITE("none, written", m + 2);
    mprotect(m, PAGE, PROT_WRITE);
    READ("only written, read", m + 3);
    error_mask = 4; // how much a kernel shows of itself depends on its page tables
    READ("kernel", 0xc0100000);
    WRITE("kernel, written", 0xc0100000);
    READ("top of all", 0xffffffff);
    CALL("kernel, called", 0xc0100000);
    READ("first byte of the kernel", 0xc0000000);
    error_mask = 7;
    CALL("nothing, called", 0);
    FAULT("over the end", m + 4 * PAGE,
          (void)*(volatile uint32_t *)(m + 4 * PAGE - 2)); // spans into the hole
    munmap(m, 8 * PAGE);
}

static void files(void)
{
    int fd = open("/opt/faults-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, PAGE + 10);
    char *s = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    READ("shared, in the last page", s + PAGE + 100);
    READ("shared, past the end", s + 2 * PAGE + 7);
    WRITE("shared, past the end, written", s + 3 * PAGE);
    READ("private, past the end", p + 2 * PAGE + 7);
    WRITE("private, past the end, written", p + 3 * PAGE);
    ftruncate(fd, 3 * PAGE);
    READ("shared, grown", s + 2 * PAGE);
    WRITE("shared, grown, written", s + 2 * PAGE);
    ftruncate(fd, PAGE);
    READ("shared, shrunk", s + 2 * PAGE);
    WRITE("shared, shrunk, written", s + PAGE);
    READ("private, shrunk", p + 2 * PAGE);
    READ("shared, still there", s + PAGE - 1);
    T(write(open("/dev/null", O_WRONLY), s + 2 * PAGE, 10));
    T(write(open("/opt/faults-out", O_WRONLY | O_CREAT, 0600), s + 2 * PAGE, 10));
    T(pread(fd, s + 2 * PAGE, 10, 0));
    T(pread(fd, p + 3 * PAGE, 10, 0));
    char *r = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open("/opt/faults-file", O_RDONLY), 0);
    WRITE("file open for reading", r);
    ftruncate(fd, 0);
    READ("emptied", s);
    char *e = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    READ("empty file", e);
    char *far = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 1 << 20);
    READ("far behind", far);
    unlink("/opt/faults-file");
    unlink("/opt/faults-out");
    close(fd);
}

static void instructions(void)
{
    volatile int zero = 0, least = INT32_MIN, minus = -1, sink;
    void *at = NULL;
    FAULT("divide", seen.si_addr, sink = 10 / zero);
    FAULT("divide too large", seen.si_addr, sink = least / minus);
    FAULT("ud2", seen.si_addr, __asm__ volatile("ud2"));
    FAULT("int3", at, __asm__ volatile("int3"));
    FAULT("int 4", at, __asm__ volatile("int $4"));
    FAULT("int 14", at, __asm__ volatile("int $14"));
    FAULT("int 0x81", at, __asm__ volatile("int $0x81"));
    FAULT("hlt", at, __asm__ volatile("hlt"));
    FAULT("cli", at, __asm__ volatile("cli"));
    FAULT("in", at, __asm__ volatile("inb $0x60, %%al" ::: "eax"));
    FAULT("into", at, __asm__ volatile("movb $0x7f, %%al; addb $1, %%al; into" ::: "eax"));
    FAULT("bound", at,
          __asm__ volatile("bound %0, %1" ::"r"(100), "m"(*(uint64_t *)(uint32_t[]){0, 5})));
    FAULT("segment", at, __asm__ volatile("movw %w0, %%fs" ::"r"(0x7b8)));
    FAULT("single step", seen.si_addr,
          __asm__ volatile("pushf; orl $0x100, (%%esp); popf; nop; nop" ::
                               : "memory"));
    FAULT("mov cr0", at, __asm__ volatile("movl %%cr0, %%eax" ::: "eax"));
    (void)sink;
}

// Of the x87 only: QEMU 7.2 raises no SSE exception.
static void floats(void)
{
    uint16_t cw = 0x360, usual = 0x37f; // invalid to inexact unmasked
    FAULT("x87 divide", seen.si_addr,
          __asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(cw)));
    __asm__ volatile("fnclex; fninit; fldcw %0" ::"m"(usual));
    FAULT("x87 invalid", seen.si_addr,
          __asm__ volatile("fldcw %0; fldz; fldz; fdivrp; fwait" ::"m"(cw)));
    __asm__ volatile("fnclex; fninit; fldcw %0" ::"m"(usual));
}

static void stacks(void)
{
    int status;
    fflush(stdout);
    if (fork() == 0) { // grows up to the limit, and no further
        static char alternate[65536];
        stack_t s = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
        struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        struct rlimit l = {1 << 20, 1 << 20};
        setrlimit(RLIMIT_STACK, &l);
        sigaltstack(&s, NULL);
        sigaction(SIGSEGV, &a, NULL);
        uintptr_t here = (uintptr_t)&l;
        WRITE("half a MiB down", here - (1 << 19));
        WRITE("two MiB down", here - (2 << 20));
        exit(0);
    }
    wait(&status);
    if (fork() == 0) { // the signal is blocked: the program ends all the same
        sigset_t set;
        sigfillset(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
        *hidden(8) = 1;
        exit(0);
    }
    wait(&status);
    printf("blocked: %x\n", status & 0x7f);
    if (fork() == 0) {
        signal(SIGSEGV, SIG_IGN);
        *hidden(8) = 1;
        exit(0);
    }
    wait(&status);
    printf("ignored: %x\n", status & 0x7f);
    if (fork() == 0) { // no room for the frame
        struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
        sigaction(SIGSEGV, &a, NULL);
        __asm__ volatile("movl $16, %esp; movl %eax, 0");
        exit(0);
    }
    wait(&status);
    printf("no stack: %x\n", status & 0x7f);
}

// Pages of a private mapping that was written: a file that ends before them takes them along.
static void cut(void)
{
    int fd = memfd_create("cut", 0);
    char b[3 * PAGE];
    memset(b, 'f', sizeof(b));
    T(write(fd, b, sizeof(b)));
    char *m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *n = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    memset(m, 'm', sizeof(b));
    printf("untouched %c\n", n[PAGE + 200]);
    T(ftruncate(fd, PAGE + 100));
    printf("%c %c %c\n", m[0], m[PAGE], m[PAGE + 200]);
    printf("%c %c %d\n", n[0], n[PAGE], n[PAGE + 200]);
    READ("behind the end, copied", m + 2 * PAGE);
    READ("behind the end", n + 2 * PAGE);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        READ("in a child", m + 2 * PAGE);
        T(ftruncate(fd, PAGE));
        READ("in a child, cut again", m + PAGE);
        T(ftruncate(fd, PAGE + 100));
        printf("%c %d\n", m[0], m[PAGE]);
        exit(0);
    }
    waitpid(child, NULL, 0);
    READ("the parent's", m + 2 * PAGE);
    printf("%c %d\n", m[0], m[PAGE]);
    T(ftruncate(fd, 3 * PAGE));
    printf("grown again %c %d %d\n", m[0], m[PAGE], m[2 * PAGE]);
    m[2 * PAGE] = 'w';
    printf("%c\n", m[2 * PAGE]);
    T(ftruncate(fd, 0));
    READ("all", m);
    T(ftruncate(fd, 3 * PAGE));
    printf("%d %d\n", m[0], m[2 * PAGE]);
    close(fd);
}

int main(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct rlimit none = {0, 0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    setrlimit(RLIMIT_CORE, &none);
    int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &a, NULL);
    addresses();
    files();
    cut();
    instructions();
    floats();
    stacks();
    return 0;
}
