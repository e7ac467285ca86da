// SPDX-License-Identifier: MIT
// Signals to the letter of signal(7): prints facts only, the same on every Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// What a call returned, and its errno.
static void said(const char *what, long result)
{
    int error = result < 0 ? errno : 0;
    printf("%s: %ld errno %d\n", what, result, error);
}

static volatile sig_atomic_t count, last_code, last_value, order_at;
static volatile void *last_address;
static int order[64];
static sigjmp_buf back;

static void plain(int s)
{
    count++;
    if (order_at < 64)
        order[order_at++] = s;
}

static void informed(int s, siginfo_t *i, void *c)
{
    (void)c;
    count++;
    last_code = i->si_code;
    last_value = i->si_value.sival_int;
    last_address = i->si_addr;
    if (order_at < 64)
        order[order_at++] = s;
}

static void jumps(int s, siginfo_t *i, void *c)
{
    informed(s, i, c);
    siglongjmp(back, 1);
}

static void set(int s, void *handler, int flags)
{
    struct sigaction a;
    memset(&a, 0, sizeof(a));
    a.sa_sigaction = (void (*)(int, siginfo_t *, void *))handler;
    a.sa_flags = flags;
    sigemptyset(&a.sa_mask);
    if (sigaction(s, &a, NULL))
        printf("sigaction %d: %s\n", s, strerror(errno));
}

static void masks(void)
{
    sigset_t s, old, p;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_BLOCK, &s, &old);
    set(SIGUSR1, plain, 0);
    count = 0;
    raise(SIGUSR1);
    raise(SIGUSR1);
    sigpending(&p);
    printf("blocked: ran %d pending %d\n", count, sigismember(&p, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("unblocked: ran %d\n", count);
    sigaddset(&s, SIGKILL);
    sigprocmask(SIG_BLOCK, &s, NULL);
    sigprocmask(SIG_BLOCK, NULL, &p);
    printf("kill blocked %d usr1 blocked %d\n", sigismember(&p, SIGKILL), sigismember(&p, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    said("bad how", sigprocmask(77, &s, NULL));
}

static void queued(void)
{
    sigset_t s, old;
    union sigval v;
    sigemptyset(&s);
    for (int i = 0; i < 3; i++)
        sigaddset(&s, SIGRTMIN + i);
    sigprocmask(SIG_BLOCK, &s, &old);
    for (int i = 0; i < 3; i++)
        set(SIGRTMIN + i, informed, SA_SIGINFO);
    count = order_at = 0;
    for (int i = 2; i >= 0; i--) {
        for (int k = 0; k < 3; k++) {
            v.sival_int = 10 * i + k;
            sigqueue(getpid(), SIGRTMIN + i, v);
        }
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("real-time: ran %d last value %d code %d, order", count, last_value, last_code);
    for (int i = 0; i < order_at; i++)
        printf(" %d", order[i] - SIGRTMIN);
    printf("\n");
}

static void wait_for(void)
{
    sigset_t s;
    siginfo_t i;
    struct timespec t = {0, 30000000};
    sigemptyset(&s);
    sigaddset(&s, SIGUSR2);
    sigprocmask(SIG_BLOCK, &s, NULL);
    int r = sigtimedwait(&s, &i, &t);
    said("sigtimedwait empty", r);
    raise(SIGUSR2);
    r = sigtimedwait(&s, &i, &t);
    printf("sigtimedwait %d code %d self %d\n", r == SIGUSR2, i.si_code, i.si_pid == getpid());
    if (fork() == 0) {
        usleep(20000);
        kill(getppid(), SIGUSR2);
        _exit(0);
    }
    r = sigwaitinfo(&s, &i);
    printf("sigwaitinfo %d code %d\n", r == SIGUSR2, i.si_code);
    wait(NULL);
    sigprocmask(SIG_UNBLOCK, &s, NULL);
}

static void restarts(int flags)
{
    int p[2];
    char c;
    struct itimerval it = {{0, 0}, {0, 30000}};
    set(SIGALRM, plain, flags);
    if (pipe(p))
        return;
    if (fork() == 0) {
        usleep(300000);
        if (write(p[1], "x", 1) != 1)
            _exit(1);
        _exit(0);
    }
    count = 0;
    setitimer(ITIMER_REAL, &it, NULL);
    long n = read(p[0], &c, 1);
    printf("read with %x: %ld errno %d ran %d\n", flags, n, n < 0 ? errno : 0, count);
    setitimer(ITIMER_REAL, &it, NULL);
    int status, r = waitpid(-1, &status, 0);
    printf("wait with %x: %d errno %d\n", flags, r > 0, r < 0 ? errno : 0);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    struct timespec t = {0, 80000000}, left = {9, 9};
    setitimer(ITIMER_REAL, &it, NULL);
    r = nanosleep(&t, &left);
    printf("nanosleep: %d %d left %d\n", r, errno, left.tv_sec == 0 && left.tv_nsec > 10000000);
    close(p[0]);
    close(p[1]);
}

static void suspends(void)
{
    sigset_t s, none, now;
    sigemptyset(&s);
    sigemptyset(&none);
    sigaddset(&s, SIGALRM);
    sigprocmask(SIG_BLOCK, &s, NULL);
    set(SIGALRM, plain, SA_RESTART);
    struct itimerval it = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &it, NULL);
    count = 0;
    int r = sigsuspend(&none);
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("sigsuspend %d %d ran %d alarm blocked after %d\n", r, errno, count,
           sigismember(&now, SIGALRM));
    sigprocmask(SIG_UNBLOCK, &s, NULL);
}

static void one_fault(const char *name, int s, void (*what)(void))
{
    set(s, jumps, SA_SIGINFO | SA_NODEFER);
    last_code = last_value = 0;
    if (sigsetjmp(back, 1) == 0) {
        what();
        printf("%s: nothing\n", name);
    } else {
        printf("%s: code %d\n", name, last_code);
    }
    signal(s, SIG_DFL);
}

static char *page;
static void read_none(void)
{
    (void)*(volatile char *)page;
}
static void write_read_only(void)
{
    *(volatile char *)(page + 4096) = 1;
}
static void unmapped(void)
{
    char *volatile at = (char *)16;
    *at = 1;
    page = at;
}
static void divide(void)
{
    volatile int a = 1, b = 0;
    a = a / b;
}
static void undefined(void)
{
    __asm__ volatile("ud2");
}
static void breakpoint(void)
{
    __asm__ volatile("int3");
}
static void privileged(void)
{
    __asm__ volatile("hlt");
}
static void faults(void)
{
    page = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_READ);
    one_fault("no access", SIGSEGV, read_none);
    printf("address %d\n", last_address == page);
    one_fault("read only", SIGSEGV, write_read_only);
    printf("address %d\n", last_address == page + 4096);
    one_fault("unmapped", SIGSEGV, unmapped);
    printf("address %d\n", (int)(long)last_address);
    one_fault("divide", SIGFPE, divide);
    one_fault("undefined", SIGILL, undefined);
    one_fault("breakpoint", SIGTRAP, breakpoint);
    one_fault("hlt", SIGSEGV, privileged);
}

static void alternate(void)
{
    static char stack[16384];
    stack_t s = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;
    printf("altstack %d\n", sigaltstack(&s, NULL));
    set(SIGUSR1, plain, SA_ONSTACK);
    raise(SIGUSR1);
    sigaltstack(NULL, &old);
    printf("altstack size %d flags %d\n", (int)old.ss_size, old.ss_flags);
    s.ss_size = 100;
    said("small", sigaltstack(&s, NULL));
    s.ss_flags = SS_DISABLE;
    sigaltstack(&s, NULL);
}

static double keep = 1.5;
static void uses_fpu(int s)
{
    volatile double x = s;
    for (int i = 0; i < 100; i++)
        x = x * 1.01 + keep;
    keep = x > 0 ? 1.5 : 2;
    count++;
}

static void fpu(void)
{
    struct itimerval it = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
    signal(SIGALRM, uses_fpu);
    setitimer(ITIMER_REAL, &it, NULL);
    count = 0;
    double sum = 0;
    while (count < 10)
        for (int i = 1; i < 1000; i++)
            sum += 1.0 / i - 1.0 / i;
    setitimer(ITIMER_REAL, &off, NULL);
    printf("fpu kept %d\n", sum == 0);
}

static void flags(void)
{
    set(SIGUSR1, plain, (int)SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction a;
    sigaction(SIGUSR1, NULL, &a);
    printf("resethand %d\n", a.sa_handler == SIG_DFL);
    said("kill action", sigaction(SIGKILL, &a, NULL));
    said("bad signal", kill(getpid(), 99));
    said("nobody", kill(0x7ffffff, 0));
}

static void deaths(void)
{
    static const int list[] = {SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGUSR1, SIGPIPE};
    for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        int status;
        pid_t p = fork();
        if (p == 0) {
            signal(list[i], SIG_DFL);
            raise(list[i]);
            _exit(1);
        }
        waitpid(p, &status, 0);
        printf("death %d: signaled %d by %d\n", list[i], WIFSIGNALED(status), WTERMSIG(status));
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    masks();
    queued();
    wait_for();
    restarts(SA_RESTART);
    restarts(0);
    suspends();
    faults();
    alternate();
    fpu();
    flags();
    deaths();
    return 0;
}
