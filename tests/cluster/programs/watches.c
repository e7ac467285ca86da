// SPDX-License-Identifier: MIT
// Debug registers through ptrace(2): what they refuse and keep, what the CPU then tells of.
#define _GNU_SOURCE
#include "said.h"
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EXECUTE = 0,
    WRITE = 1,
    IN_OUT = 2,
    ACCESS = 3,
    STATUS = 6,
    CONTROL = 7
};

static volatile struct {
    int word __attribute__((aligned(16)));
    short half;
    char byte;
} watched;
static pid_t pid;

static void __attribute__((noinline)) executed(void)
{
    __asm__ volatile("nop\n\tnop");
}

static unsigned long kind(int slot, int what, int bytes)
{
    return 1ul << (slot * 2) | (unsigned long)(what | (bytes - 1) << 2) << (16 + slot * 4);
}

static void poke(int number, unsigned long value)
{
    errno = 0;
    long r = ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[number]), value);
    printf("dr%d: %s\n", number, r < 0 ? strerrorname_np(errno) : "taken");
}

static unsigned long peek(int number)
{
    return (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[number]),
                                 0);
}

static void watch(int slot, const volatile void *at, int what, int bytes)
{
    poke(slot, (unsigned long)at);
    poke(CONTROL, kind(slot, what, bytes));
}

static int await(void)
{
    int status;
    siginfo_t i;
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        printf("ended %x\n", status);
        return -1;
    }
    (void)ptrace(PTRACE_GETSIGINFO, pid, 0, &i);
    printf("stop %d code %d, causes %lx, word %d half %d byte %d\n", WSTOPSIG(status), i.si_code,
           peek(STATUS), (int)ptrace(PTRACE_PEEKDATA, pid, &watched.word, 0),
           (int)ptrace(PTRACE_PEEKDATA, pid, &watched.half, 0) & 0xffff,
           (int)ptrace(PTRACE_PEEKDATA, pid, &watched.byte, 0) & 0xff);
    fflush(stdout);
    return WSTOPSIG(status);
}

static void go(int request)
{
    poke(STATUS, 0);
    (void)ptrace(request, pid, 0, 0);
    (void)await();
}

static void *in_thread(void *arg)
{
    watched.word = 100;
    return arg;
}

static void child(void)
{
    int pipes[2];
    pthread_t t;
    (void)ptrace(PTRACE_TRACEME, 0, 0, 0);
    (void)raise(SIGSTOP);
    for (int i = 1; i < 4; i++) {
        watched.word = i;
        watched.half = (short)(10 + i);
        watched.byte = (char)(20 + i);
    }
    (void)raise(SIGUSR1);
    (void)!watched.word;
    executed();
    (void)raise(SIGUSR1);
    // The kernel's own accesses for the program are not told of.
    (void)!pipe(pipes);
    (void)!write(pipes[1], "abcd", 4);
    (void)!read(pipes[0], (void *)&watched.word, 4);
    (void)raise(SIGUSR1);
    // Neither are a thread's and a child's.
    pthread_create(&t, NULL, in_thread, NULL);
    pthread_join(t, NULL);
    if (fork() == 0) {
        watched.word = 6;
        _exit(0);
    }
    (void)wait(NULL);
    (void)raise(SIGUSR1);
    watched.word = 7;
    _exit(3);
}

static void begin(void)
{
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        child();
    (void)await();
}

static void refused(void)
{
    printf("%lx %lx %lx %lx\n", peek(0), peek(5), peek(STATUS), peek(CONTROL));
    poke(4, 0);
    poke(5, 0);
    poke(CONTROL, kind(0, IN_OUT, 4));
    poke(CONTROL, kind(0, EXECUTE, 4));
    poke(0, (unsigned long)&watched.word + 1);
    poke(CONTROL, kind(0, WRITE, 4)); // unaligned
    poke(CONTROL, kind(0, WRITE, 2));
    poke(CONTROL, kind(0, WRITE, 1));
    poke(1, (unsigned long)&watched.word);
    poke(CONTROL, kind(0, WRITE, 1) | kind(1, IN_OUT, 1));
    printf("%lx %lx %lx\n", peek(CONTROL), peek(0) - (unsigned long)&watched, peek(1) - peek(0));
    poke(CONTROL, kind(1, WRITE, 4));
    poke(1, (unsigned long)&watched.word + 2);
    printf("%lx\n", peek(1) - (unsigned long)&watched);
    poke(CONTROL, 0);
    poke(STATUS, 0x4002);
    printf("%lx %lx\n", peek(STATUS), peek(CONTROL));
    poke(1, (unsigned long)&watched.word + 4);
    poke(0, 0);
}

static void told(void)
{
    watch(0, &watched.word, WRITE, 4);
    go(PTRACE_CONT);
    go(PTRACE_SINGLESTEP);
    go(PTRACE_CONT);
    poke(1, (unsigned long)&watched.half);
    poke(2, (unsigned long)&watched.byte);
    poke(CONTROL, kind(1, WRITE, 2) | kind(2, WRITE, 1));
    go(PTRACE_CONT);
    go(PTRACE_CONT);
    poke(CONTROL, 0);
    go(PTRACE_CONT); // to its signal
    watch(3, &watched.word, ACCESS, 4);
    go(PTRACE_CONT);
    watch(3, (const void *)(uintptr_t)executed, EXECUTE, 1);
    go(PTRACE_CONT);
    go(PTRACE_SINGLESTEP);
    go(PTRACE_CONT);
    watch(0, &watched.word, WRITE, 4);
    go(PTRACE_CONT);
    go(PTRACE_CONT);
}

int main(void)
{
    begin();
    refused();
    told();
    printf("%x\n", (unsigned)peek(CONTROL));
    go(PTRACE_CONT);
    go(PTRACE_CONT);

    begin();
    watch(0, &watched.word, WRITE, 4);
    (void)ptrace(PTRACE_KILL, pid, 0, 0);
    (void)await();
    return 0;
}
