// SPDX-License-Identifier: MIT
// ptrace(2): every stop with its status, siginfo and message; requests and what they refuse.
// tracing far PID: of a process on another node.
#define _GNU_SOURCE
#include "said.h"
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REQUEST(...) syscall(SYS_ptrace, __VA_ARGS__)
#define SET_ALL                                                                                    \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |      \
     PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE)

static const char *self;
static pid_t first = -1, second = -1; // tracees by name

static const char *who(pid_t pid)
{
    return pid == first ? "first" : pid == second ? "second" : pid == getpid() ? "me" : "other";
}

static const char *const events[] = {"",     "fork",       "vfork", "clone",
                                     "exec", "vfork-done", "exit",  "seccomp"};

// A stop or an end, in words.
static void show(pid_t pid, int status)
{
    siginfo_t i;
    unsigned long message = 0;
    if (WIFEXITED(status)) {
        printf("%s: exited %d\n", who(pid), WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        printf("%s: killed %d\n", who(pid), WTERMSIG(status));
    } else if (WIFCONTINUED(status)) {
        printf("%s: continued\n", who(pid));
    } else {
        int event = status >> 16;
        printf("%s: stop %x%s%s", who(pid), WSTOPSIG(status), event ? " event " : "",
               event == 128         ? "stop"
               : event && event < 8 ? events[event]
               : event              ? "?"
                                    : "");
        if (ptrace(PTRACE_GETSIGINFO, pid, 0, &i) < 0)
            printf(" no siginfo %s", strerrorname_np(errno));
        else if (i.si_signo == SIGCHLD)
            printf(" siginfo %d %x status %d", i.si_signo, i.si_code, i.si_status);
        else
            printf(" siginfo %d %x from %s", i.si_signo, i.si_code,
                   i.si_code > 0 && i.si_code < 5 ? "fault" : who(i.si_pid));
        if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &message) == 0) {
            if (event == PTRACE_EVENT_EXIT)
                printf(" message %lx", message);
            else if (event && event < 5)
                printf(" message %s", who((pid_t)message));
            else if (WSTOPSIG(status) & 0x80)
                printf(" message %lu", message);
        }
        puts("");
    }
    fflush(stdout);
}

static int await(pid_t pid)
{
    int status = 0;
    pid_t got = waitpid(pid, &status, __WALL);
    if (got < 0)
        printf("wait: %s\n", strerrorname_np(errno));
    else
        show(got, status);
    return status;
}

static pid_t child(void (*what)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        what();
        _exit(0);
    }
    first = pid;
    return pid;
}

static struct user_regs_struct regs_of(pid_t pid)
{
    struct user_regs_struct r = {0};
    ptrace(PTRACE_GETREGS, pid, 0, &r);
    return r;
}

static void go(int request, pid_t pid, long signal)
{
    if (ptrace(request, pid, 0, signal) < 0)
        printf("request %x: %s\n", request, strerrorname_np(errno));
}

static void go_to_end(pid_t pid, int request)
{
    for (int k = 0; k < 100; k++) {
        go(request, pid, 0);
        int s = await(pid);
        if (WIFEXITED(s) || WIFSIGNALED(s))
            return;
    }
}

// ---- traceme, signals
static volatile sig_atomic_t handled;

static void on_signal(int s)
{
    handled = s;
}

static void signals_child(void)
{
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    T(REQUEST(PTRACE_TRACEME, 0, 0, 0));
    T(REQUEST(PTRACE_TRACEME, 0, 0, 0));
    fflush(stdout);
    raise(SIGSTOP);
    raise(SIGUSR1);
    raise(SIGUSR1);
    int before = handled;
    raise(SIGUSR2); // ignored, and seen all the same
    raise(SIGWINCH);
    kill(getpid(), SIGTERM);
    _exit(before);
}

static void signals(void)
{
    siginfo_t i;
    pid_t pid = child(signals_child);
    T(REQUEST(PTRACE_CONT, pid + 100000, 0, 0));
    await(pid);
    go(PTRACE_CONT, pid, 0);
    await(pid);
    T(REQUEST(PTRACE_CONT, pid, 0, 65));
    T(REQUEST(PTRACE_CONT, pid, 0, -1));
    go(PTRACE_CONT, pid, 0); // suppressed
    await(pid);
    go(PTRACE_CONT, pid, SIGUSR1);
    await(pid);
    go(PTRACE_CONT, pid, SIGUSR2);
    await(pid);
    T(REQUEST(PTRACE_GETSIGINFO, pid, 0, &i));
    i.si_code = SI_QUEUE;
    T(REQUEST(PTRACE_SETSIGINFO, pid, 0, &i));
    go(PTRACE_CONT, pid, SIGWINCH);
    await(pid);
    go(PTRACE_CONT, pid, SIGKILL); // another one instead
    await(pid);
    await(pid);
}

// ---- system calls
static void calls_child(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    syscall(SYS_getppid);
    syscall(SYS_close, -1);
    syscall(SYS_getuid);
    syscall(SYS_dup, 77);
    _exit((int)syscall(SYS_getpgid, 0) & 1);
}

static void call_info(pid_t pid)
{
    struct __ptrace_syscall_info i;
    memset(&i, 0, sizeof(i));
    long n = REQUEST(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), &i);
    struct user_regs_struct r = regs_of(pid);
    printf("info %ld op %d arch %x", n, i.op, i.arch);
    printf(" eip %d esp %d", i.instruction_pointer == (uint32_t)r.eip,
           i.stack_pointer == (uint32_t)r.esp);
    if (i.op == PTRACE_SYSCALL_INFO_ENTRY)
        printf(" number %lld", (long long)i.entry.nr);
    else if (i.op == PTRACE_SYSCALL_INFO_EXIT && i.exit.is_error)
        printf(" error %lld", (long long)i.exit.rval);
    printf(" orig %ld\n", r.orig_eax);
}

static void calls(void)
{
    pid_t pid = child(calls_child);
    await(pid);
    call_info(pid);
    T(REQUEST(PTRACE_SETOPTIONS, pid, 0, 0x400));
    T(REQUEST(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    for (int k = 0; k < 5; k++) {
        go(PTRACE_SYSCALL, pid, 0);
        await(pid);
        call_info(pid);
        if (k % 2 == 1)
            printf("enters with %ld\n", regs_of(pid).eax == -ENOSYS ? 1L : 0L);
    }
    struct user_regs_struct r;
    go(PTRACE_SYSCALL, pid, 0); // dup: its argument changed
    await(pid);
    go(PTRACE_SYSCALL, pid, 0);
    await(pid);
    r = regs_of(pid);
    printf("call %ld\n", r.orig_eax);
    r.orig_eax = -1; // not done at all
    r.eax = 42;
    T(REQUEST(PTRACE_SETREGS, pid, 0, &r));
    go(PTRACE_SYSCALL, pid, 0);
    await(pid);
    printf("eax %ld orig %ld\n", regs_of(pid).eax, regs_of(pid).orig_eax);
    go(PTRACE_SYSCALL, pid, 0);
    await(pid);
    r = regs_of(pid);
    r.orig_eax = SYS_exit; // another call
    r.ebx = 9;
    T(REQUEST(PTRACE_SETREGS, pid, 0, &r));
    go(PTRACE_CONT, pid, 0);
    await(pid);
}

// ---- calls that are interrupted
static void restarts_child(void)
{
    struct sigaction a = {.sa_handler = on_signal};
    struct timespec nap = {0, 300000000}, left = {0};
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    struct itimerval t = {{0, 0}, {0, 100000}};
    signal(SIGALRM, SIG_IGN);
    setitimer(ITIMER_REAL, &t, NULL);
    syscall(SYS_nanosleep, &nap, &left);
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
    syscall(SYS_pause);
    int p[2];
    char c;
    if (pipe(p))
        _exit(1);
    a.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
    syscall(SYS_read, p[0], &c, 1);
    _exit(2);
}

static void restarts(void)
{
    pid_t pid = child(restarts_child);
    await(pid);
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    long deliver = 0;
    for (int k = 0, reads = 0; k < 200; k++) {
        go(PTRACE_SYSCALL, pid, deliver);
        int s;
        waitpid(pid, &s, __WALL);
        struct user_regs_struct r = regs_of(pid);
        deliver = 0;
        if (!WIFSTOPPED(s)) {
            show(pid, s);
            return;
        }
        if (WSTOPSIG(s) == SIGALRM) {
            printf("SIGALRM eax %ld orig %ld\n", r.eax, r.orig_eax);
            deliver = SIGALRM;
        } else if (r.orig_eax == SYS_nanosleep || r.orig_eax == SYS_pause ||
                   r.orig_eax == SYS_restart_syscall || r.orig_eax == SYS_read) {
            printf("call %ld eax %ld\n", r.orig_eax, r.eax);
            reads += r.orig_eax == SYS_read;
            if (reads == 3) {
                ptrace(PTRACE_KILL, pid, 0, 0);
            }
        }
    }
}

// ---- memory and registers
static const int constant = 0x1234567;
static int *readable;
static void (*volatile stepped)(void);

static void nothing(void)
{
}

static void memory_child(void)
{
    double d = 0.5;
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    __asm__ volatile("fldl %0; int3; fstp %%st" : : "m"(d), "c"(0x77), "S"(0x55));
    stepped = nothing;
    stepped();
    _exit(*(volatile const int *)&constant == 0x7654321 ? 5 : 6);
}

static void sets(pid_t pid)
{
    struct user_fpregs_struct f;
    struct iovec v;
    unsigned char set[600];
    T(REQUEST(PTRACE_GETFPREGS, pid, 0, &f));
    printf("st0 %08lx %08lx tag %lx control %lx\n", f.st_space[0], f.st_space[1], f.twd, f.cwd);
    T(REQUEST(PTRACE_SETFPREGS, pid, 0, &f));
    T(REQUEST(PTRACE_GETFPXREGS, pid, 0, set));
    printf("fpx control %x\n", set[0] | set[1] << 8);
    v = (struct iovec){set, sizeof(set)};
    T(REQUEST(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v));
    printf("bytes %zu\n", v.iov_len);
    v.iov_len = 8;
    T(REQUEST(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v));
    T(REQUEST(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v));
    printf("bytes %zu\n", v.iov_len);
    v.iov_len = 7;
    T(REQUEST(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v));
    T(REQUEST(PTRACE_GETREGSET, pid, 12345, &v));
    v.iov_len = sizeof(set);
    T(REQUEST(PTRACE_GETREGSET, pid, NT_PRFPREG, &v));
    printf("bytes %zu\n", v.iov_len);
}

static void memory(void)
{
    struct user_regs_struct r;
    unsigned char set[600];
    readable = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = child(memory_child);
    await(pid);
    errno = 0;
    printf("word %lx\n", ptrace(PTRACE_PEEKDATA, pid, &constant, 0));
    T(REQUEST(PTRACE_PEEKTEXT, pid, 8, &r));
    T(REQUEST(PTRACE_PEEKTEXT, pid, 0xbffffffe, &r));
    T(REQUEST(PTRACE_PEEKTEXT, pid, &constant, 8));
    T(REQUEST(PTRACE_PEEKDATA, pid, (char *)readable + 2, &r));
    T(REQUEST(PTRACE_POKEDATA, pid, readable, 5));
    T(REQUEST(PTRACE_PEEKDATA, pid, readable, &r));
    printf("poked %ld mine not\n", r.ebx);
    T(REQUEST(PTRACE_POKEDATA, pid, shared, 5));
    T(REQUEST(PTRACE_POKETEXT, pid, &constant, 0x7654321));
    printf("mine %x\n", *(volatile const int *)&constant);
    r = regs_of(pid);
    printf("ecx %lx esi %lx orig %ld\n", r.ecx, r.esi, r.orig_eax);
    T(REQUEST(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, ecx), &r.ebx));
    printf("%lx\n", r.ebx);
    T(REQUEST(PTRACE_PEEKUSER, pid, 1, &r.ebx));
    T(REQUEST(PTRACE_PEEKUSER, pid, 4000, &r.ebx));
    T(REQUEST(PTRACE_PEEKUSER, pid, -4, &r.ebx));
    T(REQUEST(PTRACE_PEEKUSER, pid, 280, &r.ebx));
    T(REQUEST(PTRACE_POKEUSER, pid, 4 * 7, 0x10));
    T(REQUEST(PTRACE_POKEUSER, pid, 4 * 13, 0));
    T(REQUEST(PTRACE_POKEUSER, pid, 4 * 4, 0x99));
    T(REQUEST(PTRACE_POKEUSER, pid, 4 * 14, r.eflags | 0x3000));
    printf("edi %lx flags %lx\n", regs_of(pid).edi, regs_of(pid).eflags & 0x3000);
    sets(pid);
    T(REQUEST(PTRACE_GET_THREAD_AREA, pid, -1, set));
    T(REQUEST(PTRACE_GET_THREAD_AREA, pid, 100, set));
    T(REQUEST(PTRACE_LISTEN, pid, 0, 0));
    T(REQUEST(PTRACE_INTERRUPT, pid, 0, 0));
    T(REQUEST(12345, pid, 0, 0));
    T(REQUEST(PTRACE_GETSIGMASK, pid, 4, set));
    T(REQUEST(PTRACE_GETSIGMASK, pid, 8, set));
    // one step after another to the end
    int steps = 0, s = 0;
    for (; steps < 100000; steps++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0 || waitpid(pid, &s, __WALL) != pid)
            break;
        if (!WIFSTOPPED(s) || WSTOPSIG(s) != SIGTRAP)
            break;
        if (regs_of(pid).eip == (long)nothing) {
            puts("stepped into it");
            printf("trap flag %ld\n", regs_of(pid).eflags & 0x100);
            siginfo_t i;
            ptrace(PTRACE_GETSIGINFO, pid, 0, &i);
            printf("siginfo %d %d %d\n", i.si_signo, i.si_code, i.si_addr == (void *)nothing);
        }
    }
    show(pid, s);
}

// ---- stepping over calls and into handlers
static void steps_child(void)
{
    signal(SIGUSR1, on_signal);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    int r;
    __asm__ volatile("int3; nop; mov $20, %%eax; int $0x80; nop; nop" : "=a"(r));
    raise(SIGUSR1);
    _exit(7);
}

static void steps(void)
{
    pid_t pid = child(steps_child);
    await(pid);
    long at = regs_of(pid).eip;
    for (int k = 0; k < 4; k++) {
        go(PTRACE_SINGLESTEP, pid, 0);
        await(pid);
        printf("at %ld orig %ld\n", regs_of(pid).eip - at, regs_of(pid).orig_eax);
    }
    go(PTRACE_CONT, pid, 0);
    await(pid);
    go(PTRACE_SINGLESTEP, pid, SIGUSR1);
    await(pid);
    printf("in the handler %d\n", regs_of(pid).eip == (long)on_signal);
    go(PTRACE_CONT, pid, 0);
    await(pid);
}

// ---- fork, vfork, clone, exec, exit
static void *in_thread(void *arg)
{
    return arg;
}

static void families_child(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    waitpid(pid, NULL, 0);
    if (vfork() == 0)
        _exit(4);
    waitpid(-1, NULL, 0);
    pthread_t t;
    pthread_create(&t, NULL, in_thread, NULL);
    pthread_join(t, NULL);
    execl(self, self, "echo", NULL);
}

static void families(void)
{
    int s;
    pid_t pid = child(families_child);
    await(pid);
    ptrace(PTRACE_SETOPTIONS, pid, 0, SET_ALL);
    for (int k = 0; k < 3; k++) { // its news before those of whom it made
        unsigned long made = 0;
        long deliver = 0;
        do {
            go(PTRACE_CONT, pid, deliver);
            waitpid(pid, &s, __WALL);
            deliver = WSTOPSIG(s) == SIGCHLD ? SIGCHLD : 0;
            if (WSTOPSIG(s) == SIGCHLD)
                show(pid, s);
        } while (s >> 16 == 0);
        ptrace(PTRACE_GETEVENTMSG, pid, 0, &made);
        second = (pid_t)made;
        show(pid, s);
        await(second);
        for (int stops = 0; stops < 2; stops++) {
            go(PTRACE_CONT, second, 0);
            await(second);
        }
        if (k == 1) {
            go(PTRACE_CONT, pid, 0);
            await(pid);
        }
        second = -1;
    }
    go_to_end(pid, PTRACE_CONT);
}

static void exec_child(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execl(self, self, "echo", NULL);
}

static void execs(void)
{
    pid_t pid = child(exec_child);
    await(pid);
    printf("orig %ld eax %ld\n", regs_of(pid).orig_eax, regs_of(pid).eax);
    go_to_end(pid, PTRACE_CONT);
}

// ---- attach, seize, stops
static void waits_child(void)
{
    for (;;)
        pause();
}

static void attaches(void)
{
    int s;
    char line[200];
    pid_t pid = child(waits_child);
    usleep(50000);
    T(REQUEST(PTRACE_ATTACH, getpid(), 0, 0));
    T(REQUEST(PTRACE_ATTACH, 3999999, 0, 0));
    T(REQUEST(PTRACE_ATTACH, pid, 0, 0));
    await(pid);
    T(REQUEST(PTRACE_ATTACH, pid, 0, 0));
    T(REQUEST(PTRACE_SEIZE, pid, 0, 0));
    printf("eax %ld orig %ld\n", regs_of(pid).eax, regs_of(pid).orig_eax);
    snprintf(line, sizeof(line), "/proc/%d/status", pid);
    FILE *f = fopen(line, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "State", 5))
            printf("%s", line);
        if (!strncmp(line, "TracerPid", 9))
            printf("traced by %s\n", who(atoi(line + 10)));
    }
    fclose(f);
    T(REQUEST(PTRACE_DETACH, pid, 0, 65));
    T(REQUEST(PTRACE_DETACH, pid, 0, 0));
    T(REQUEST(PTRACE_DETACH, pid, 0, 0));
    T(waitpid(pid, &s, WNOHANG | __WALL));
    // in a group-stop
    T(REQUEST(PTRACE_ATTACH, pid, 0, 0));
    await(pid);
    go(PTRACE_CONT, pid, SIGSTOP);
    await(pid);
    T(REQUEST(PTRACE_LISTEN, pid, 0, 0));
    go(PTRACE_CONT, pid, 0);
    kill(pid, SIGCONT);
    await(pid);
    go(PTRACE_CONT, pid, SIGCONT);
    kill(pid, SIGUSR1);
    await(pid);
    T(REQUEST(PTRACE_DETACH, pid, 0, SIGUSR1));
    await(pid);
    fflush(stdout);
}

static void seizes(void)
{
    int s;
    siginfo_t i;
    pid_t pid = child(waits_child);
    setpgid(pid, pid); // a group that SIGTSTP stops, whoever runs this
    T(REQUEST(PTRACE_SEIZE, pid, 1, 0));
    T(REQUEST(PTRACE_SEIZE, pid, 0, 0x400));
    T(REQUEST(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
    T(waitpid(pid, &s, WNOHANG | __WALL));
    T(REQUEST(PTRACE_CONT, pid, 0, 0));
    usleep(50000);
    T(REQUEST(PTRACE_INTERRUPT, pid, 0, 0));
    await(pid);
    T(REQUEST(PTRACE_LISTEN, pid, 0, 0));
    T(REQUEST(PTRACE_CONT, pid, 0, 0));
    T(REQUEST(PTRACE_INTERRUPT, pid, 0, 0));
    await(pid);
    go(PTRACE_SYSCALL, pid, 0);
    await(pid);
    go(PTRACE_SYSCALL, pid, 0);
    usleep(50000);
    T(REQUEST(PTRACE_INTERRUPT, pid, 0, 0));
    await(pid);
    printf("eax %ld orig %ld\n", regs_of(pid).eax, regs_of(pid).orig_eax);
    go(PTRACE_CONT, pid, 0); // that stop was enough for the interrupt
    kill(pid, SIGTSTP);
    await(pid);
    go(PTRACE_CONT, pid, SIGTSTP);
    memset(&i, 0, sizeof(i));
    T(waitid(P_PID, (id_t)pid, &i, WEXITED | WSTOPPED | __WALL | WNOWAIT));
    printf("waitid %d %d %x\n", i.si_signo, i.si_code, i.si_status);
    await(pid);
    T(REQUEST(PTRACE_LISTEN, pid, 0, 0));
    T(waitpid(pid, &s, WNOHANG | __WALL));
    kill(pid, SIGCONT);
    await(pid);
    go(PTRACE_CONT, pid, 0);
    await(pid);
    go(PTRACE_CONT, pid, SIGCONT);
    T(REQUEST(PTRACE_KILL, pid, 0, 0));
    await(pid);
}

// ---- a tracer that is not the parent, and one that goes
static void third_party(bool exitkill)
{
    int p[2], s;
    char c;
    if (pipe(p))
        return;
    pid_t pid = child(waits_child), mine = pid;
    if (fork() == 0) {
        close(p[0]);
        T(REQUEST(PTRACE_SEIZE, pid, 0, exitkill ? PTRACE_O_EXITKILL : 0));
        if (!exitkill) {
            kill(pid, SIGTERM);
            await(pid);
            go(PTRACE_CONT, pid, SIGTERM);
            siginfo_t i = {0};
            waitid(P_PID, (id_t)pid, &i, WEXITED | WNOWAIT | __WALL);
            printf("tracer sees %d %d\n", i.si_code, i.si_status);
            fflush(stdout);
            if (write(p[1], "x", 1) == 1)
                usleep(200000);
            await(pid);
        }
        fflush(stdout);
        _exit(0);
    }
    close(p[1]);
    first = mine;
    if (!exitkill && read(p[0], &c, 1) == 1)
        T(waitpid(pid, &s, WNOHANG)); // the tracer has not heard of the end yet
    int got = waitpid(pid, &s, 0);
    close(p[0]);
    wait(NULL);
    printf("parent: %s\n", who(got));
    show(pid, s);
}

static void lone_child(void)
{
    pid_t pid = getpid();
    if (fork() == 0) {
        ptrace(PTRACE_ATTACH, pid, 0, 0);
        waitpid(pid, NULL, __WALL);
        _exit(0); // without a word
    }
    wait(NULL);
    _exit(8);
}

static void abandoned(void)
{
    pid_t pid = child(lone_child);
    await(pid);
}

// ---- who may
static void permits(void)
{
    pid_t pid = child(waits_child);
    fflush(stdout);
    if (fork() == 0) {
        T(setresuid(1000, 1000, 1000));
        T(REQUEST(PTRACE_ATTACH, pid, 0, 0));
        T(REQUEST(PTRACE_SEIZE, pid, 0, 0));
        T(REQUEST(PTRACE_SEIZE, 1, 0, 0));
        T(REQUEST(PTRACE_CONT, pid, 0, 0));
        T(REQUEST(PTRACE_KILL, pid, 0, 0));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    kill(pid, SIGKILL);
    await(pid);
}

int main(int argc, char **argv)
{
    self = "/proc/self/exe";
    if (argc > 1 && !strcmp(argv[1], "echo"))
        return 11;
    if (argc > 2 && !strcmp(argv[1], "far")) {
        long pid = atol(argv[2]);
        printf("attach: %s\n", REQUEST(PTRACE_ATTACH, pid, 0, 0) ? strerrorname_np(errno) : "ok");
        printf("seize: %s\n", REQUEST(PTRACE_SEIZE, pid, 0, 0) ? strerrorname_np(errno) : "ok");
        return 0;
    }
    static void (*const parts[])(void) = {signals,  calls, restarts, memory, steps,
                                          families, execs, attaches, seizes};
    for (unsigned k = 0; k < sizeof(parts) / sizeof(*parts); k++) {
        printf("-- %u\n", k);
        parts[k]();
    }
    puts("-- others");
    third_party(false);
    third_party(true);
    abandoned();
    permits();
    return 0;
}
