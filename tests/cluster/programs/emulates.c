// SPDX-License-Identifier: MIT
// PTRACE_SYSEMU: a tracer that does its child's system calls itself. Prints what both see; the same
// on Linux.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define EMULATE      31
#define EMULATE_STEP 32

static pid_t pid;

static void traced(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    long said = syscall(SYS_getppid);
    for (int k = 0; k < 6; k++)
        said = syscall(SYS_dup2, said, 1000 + k);
    said = syscall(SYS_getpid) == getpid();
    _exit((int)said + 3);
}

static struct user_regs_struct regs_of(void)
{
    struct user_regs_struct r;
    memset(&r, 0, sizeof(r));
    ptrace(PTRACE_GETREGS, pid, 0, &r);
    return r;
}

// Resumes it and prints what is seen of the stop, or of the end.
static void go(const char *how, int request, long answer)
{
    int status;
    unsigned long message = 9;
    struct user_regs_struct r = regs_of();
    r.eax = answer;
    ptrace(PTRACE_SETREGS, pid, 0, &r);
    if (ptrace(request, pid, 0, 0) || waitpid(pid, &status, __WALL) != pid) {
        perror(how);
        return;
    }
    if (!WIFSTOPPED(status)) {
        printf("%s: ended %x\n", how, status);
        return;
    }
    r = regs_of();
    ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
    printf("%s: stop %x message %lu call %ld eax %ld arguments %ld %ld\n", how, WSTOPSIG(status),
           message, r.orig_eax, r.eax, r.ebx, r.ecx);
}

static void again(void) // by its own instruction
{
    struct user_regs_struct r = regs_of();
    r.eip -= 2;
    ptrace(PTRACE_SETREGS, pid, 0, &r);
    go("again", EMULATE, SYS_dup2);
}

// Steps to the next stop that is not a step's.
static void step(void)
{
    int status = 0, steps = 0;
    while (ptrace(EMULATE_STEP, pid, 0, 0) == 0 && waitpid(pid, &status, __WALL) == pid &&
           WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && steps < 1000)
        steps++;
    printf("some steps %d, then %x at call %ld\n", steps > 0, status, regs_of().orig_eax);
}

int main(void)
{
    int status;
    fflush(stdout);
    if ((pid = fork()) == 0)
        traced();
    waitpid(pid, &status, __WALL);
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    go("emulate", EMULATE, 0);
    go("emulate", EMULATE, 501);
    go("emulate", EMULATE, 502);
    again();
    go("call after emulate", PTRACE_SYSCALL, 503);
    go("call", PTRACE_SYSCALL, 504);
    go("emulate after call", EMULATE, -38);
    go("emulate", EMULATE, 505);
    step();
    go("emulate after steps", EMULATE, 506);
    go("continue", PTRACE_CONT, 507);
    return 0;
}
