// SPDX-License-Identifier: MIT
// seccomp: strict mode, filters and what each action does, threads, ptrace, exec; with a word the
// process moves between its calls.
#define _GNU_SOURCE
#include "child.h"
#include "move.h"
#include "said.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ARG(n)    (offsetof(struct seccomp_data, args) + 8 * (n))
#define NUMBER    offsetof(struct seccomp_data, nr)
#define LOAD(at)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define RETURN(k) BPF_STMT(BPF_RET | BPF_K, k)
// That call gets `what`; all others go on.
#define ON(call, what) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), RETURN(what)

static long filter(unsigned flags, struct sock_filter *code, unsigned short count)
{
    struct sock_fprog p = {count, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

#define FILTER(flags, ...)                                                                         \
    ({                                                                                             \
        struct sock_filter code_[] = {__VA_ARGS__};                                                \
        filter(flags, code_, sizeof(code_) / sizeof(*code_));                                      \
    })

static void status_lines(void)
{
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, "Seccomp", 7) || !strncmp(line, "NoNewPrivs", 10))
            fputs(line, stdout);
    if (f)
        fclose(f);
}

static void wrong(void)
{
    struct sock_filter allow[] = {RETURN(SECCOMP_RET_ALLOW)};
    struct sock_fprog p = {1, allow};
    uint32_t action = 0x12340000;
    T(prctl(PR_GET_SECCOMP));
    T(prctl(PR_SET_SECCOMP, 0));
    T(prctl(PR_SET_SECCOMP, 3));
    T(syscall(SYS_seccomp, 9, 0, 0));
    T(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, 0));
    T(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &p));
    T(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x1000, &p));
    T(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 1));
    T(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0));
    T(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action));
    T(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
    T(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 1));
    uint32_t known[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
                        SECCOMP_RET_ERRNO,        SECCOMP_RET_TRACE,       SECCOMP_RET_LOG,
                        SECCOMP_RET_ALLOW};
    for (unsigned k = 0; k < sizeof(known) / sizeof(*known); k++)
        T(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &known[k]));
    p.len = 0;
    T(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p));
    p.len = 4097;
    T(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p));
    p.len = 1;
    p.filter = (void *)8;
    T(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p));
    T(FILTER(0, LOAD(0)));
    T(FILTER(0, LOAD(64), RETURN(0)));
    T(FILTER(0, LOAD(2), RETURN(0)));
    T(FILTER(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0)));
    T(FILTER(0, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)));
    T(FILTER(0, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)));
    T(FILTER(0, BPF_STMT(BPF_LD | BPF_MEM, 3), RETURN(0)));
    T(FILTER(0, BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), RETURN(0)));
    status_lines();
}

static void without_privileges(void)
{
    T(setresuid(500, 500, 500));
    T(FILTER(0, RETURN(SECCOMP_RET_ALLOW)));
    T(FILTER(0, LOAD(0)));
    T(FILTER(0x1000, LOAD(0)));
    T(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    T(FILTER(0, RETURN(SECCOMP_RET_ALLOW)));
    T(prctl(PR_GET_SECCOMP));
    T(FILTER(0, LOAD(NUMBER), RETURN(SECCOMP_RET_ALLOW)));
    T(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    status_lines();
}

static void strict(void)
{
    T(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    static const char text[] = "written in strict mode\n";
    syscall(SYS_write, 1, text, sizeof(text) - 1);
    syscall(SYS_exit, 7);
}

static void strict_no_more(void)
{
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_getpid);
    syscall(SYS_exit, 7);
}

static void errors(void)
{
    T(FILTER(0, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_ERRNO | EDOM),
             ON(SYS_getpgrp, SECCOMP_RET_ERRNO), ON(SYS_sync, SECCOMP_RET_ERRNO | 0xffff),
             ON(SYS_getuid, SECCOMP_RET_TRACE | 7), ON(SYS_getgid, SECCOMP_RET_USER_NOTIF),
             ON(SYS_geteuid, SECCOMP_RET_LOG), RETURN(SECCOMP_RET_ALLOW)));
    T(syscall(SYS_getppid));
    T(syscall(SYS_getpgrp));
    T(syscall(SYS_sync));
    T(syscall(SYS_getuid));
    T(syscall(SYS_getgid));
    T(syscall(SYS_geteuid));
    // A younger filter: the strictest action counts, and of equal ones the youngest's value.
    T(FILTER(0, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_ERRNO | ERANGE),
             ON(SYS_geteuid, SECCOMP_RET_ERRNO | EXDEV), ON(SYS_getuid, SECCOMP_RET_LOG),
             RETURN(SECCOMP_RET_ALLOW)));
    T(syscall(SYS_getppid));
    T(syscall(SYS_geteuid));
    T(syscall(SYS_getuid));
    T(FILTER(0, LOAD(ARG(1)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x77, 0, 1), RETURN(SECCOMP_RET_ERRNO | EL2HLT),
             LOAD(offsetof(struct seccomp_data, arch)),
             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40000003, 1, 0),
             RETURN(SECCOMP_RET_ERRNO | EBADE), RETURN(SECCOMP_RET_ALLOW)));
    T(syscall(SYS_getpid, 0, 0x1277));
    T(syscall(SYS_getpid, 0x77, 0x1278) == getpid());
    status_lines();
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        T(syscall(SYS_getppid));
        fflush(stdout);
        execl("/proc/self/exe", "filters", "executed", NULL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    printf("child %x\n", status);
}

static volatile uint32_t seen[6];

static void on_sys(int signal, siginfo_t *i, void *context)
{
    (void)signal;
    const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    seen[0] = (uint32_t)i->si_code;
    seen[1] = (uint32_t)i->si_errno;
    seen[2] = (uint32_t)i->si_syscall;
    seen[3] = i->si_arch;
    seen[4] = i->si_call_addr == (void *)g[REG_EIP];
    seen[5] = (uint32_t)g[REG_EAX];
}

static void traps(void)
{
    struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
    sigset_t all;
    sigaction(SIGSYS, &a, NULL);
    FILTER(0, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_TRAP | 77), RETURN(SECCOMP_RET_ALLOW));
    long r = syscall(SYS_getppid);
    printf("trap: %ld, code %u errno %u call %u arch %x address %u eax %u\n", r, seen[0], seen[1],
           seen[2], seen[3], seen[4], seen[5]);
    fflush(stdout);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    syscall(SYS_getppid);
    printf("still there\n");
}

static void killed(uint32_t action)
{
    signal(SIGSYS, SIG_IGN);
    FILTER(0, LOAD(NUMBER), ON(SYS_getppid, action), RETURN(SECCOMP_RET_ALLOW));
    syscall(SYS_getppid);
    printf("still there\n");
}

static void kills_process(void)
{
    killed(SECCOMP_RET_KILL_PROCESS);
}

static void kills_thread(void)
{
    killed(SECCOMP_RET_KILL_THREAD);
}

static void kills_unknown(void)
{
    killed(0x12340000);
}

// ---- threads -----------------------------------------------------------------------------------
static pthread_barrier_t barrier;
static volatile long gave;

static void *asks(void *how)
{
    if (how) // filters of its own
        FILTER(0, RETURN(SECCOMP_RET_ALLOW));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    errno = 0;
    gave = syscall(SYS_getppid) < 0 ? errno : 0;
    return NULL;
}

static void synchronized(int differs)
{
    pthread_t t;
    pthread_barrier_init(&barrier, NULL, 2);
    FILTER(0, RETURN(SECCOMP_RET_ALLOW));
    pthread_create(&t, NULL, asks, differs ? (void *)1 : NULL);
    pthread_barrier_wait(&barrier);
    if (differs) {
        long r = FILTER(SECCOMP_FILTER_FLAG_TSYNC, LOAD(NUMBER),
                        ON(SYS_getppid, SECCOMP_RET_ERRNO | EDOM), RETURN(SECCOMP_RET_ALLOW));
        printf("one differs: %d\n", r > 0 && r != getpid());
        T(FILTER(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, LOAD(NUMBER),
                 ON(SYS_getppid, SECCOMP_RET_ERRNO | EDOM), RETURN(SECCOMP_RET_ALLOW)));
    } else {
        T(FILTER(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG, LOAD(NUMBER),
                 ON(SYS_getppid, SECCOMP_RET_ERRNO | EDOM), RETURN(SECCOMP_RET_ALLOW)));
    }
    pthread_barrier_wait(&barrier);
    pthread_join(t, NULL);
    printf("the other thread: %s\n", gave ? strerrorname_np((int)gave) : "no error");
}

static void same_threads(void)
{
    synchronized(0);
}

static void other_threads(void)
{
    synchronized(1);
}

static void *dies(void *unused)
{
    (void)unused;
    FILTER(0, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_KILL_THREAD), RETURN(SECCOMP_RET_ALLOW));
    syscall(SYS_getppid);
    gave = 1;
    return NULL;
}

static void one_thread(void)
{
    pthread_t t;
    pthread_create(&t, NULL, dies, NULL);
    pthread_join(t, NULL);
    printf("one thread died, the call was made: %ld\n", gave);
}

// ---- ptrace ------------------------------------------------------------------------------------
static void traced(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    FILTER(0, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_TRACE | 11),
           ON(SYS_getpgrp, SECCOMP_RET_TRACE | 12), ON(SYS_getsid, SECCOMP_RET_ERRNO | EDOM),
           RETURN(SECCOMP_RET_ALLOW));
    T(syscall(SYS_getppid) == getpid());
    T(syscall(SYS_getpgrp));
    T(syscall(SYS_getppid));
    fflush(stdout);
    _exit(0);
}

struct regs {
    long ebx, ecx, edx, esi, edi, ebp, eax, ds, es, fs, gs, orig_eax, eip, cs, flags, esp, ss;
};

static void stop_at(pid_t child, unsigned n)
{
    struct regs g;
    struct __ptrace_syscall_info i;
    unsigned long message = 0;
    memset(&i, 0, sizeof(i));
    ptrace(PTRACE_GETEVENTMSG, child, 0, &message);
    long size = ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(i), &i);
    ptrace(PTRACE_GETREGS, child, 0, &g);
    printf("seccomp stop: message %lu, call %ld, eax %ld, info %ld op %u nr %llu data %u\n",
           message, g.orig_eax, g.eax, size, i.op, i.seccomp.nr, i.seccomp.ret_data);
    if (n == 0)
        g.orig_eax = SYS_getpid; // another call
    else if (n == 1)
        g.orig_eax = SYS_getsid; // one that is filtered itself
    else
        g.orig_eax = -1, g.eax = 4242; // none
    ptrace(PTRACE_SETREGS, child, 0, &g);
}

static void tracing(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        traced();
    waitpid(child, &status, 0);
    T(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESECCOMP));
    for (unsigned n = 0; ptrace(PTRACE_CONT, child, 0, 0) == 0; n++) {
        waitpid(child, &status, 0);
        if (WIFEXITED(status) || WIFSIGNALED(status))
            break;
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
            stop_at(child, n);
        else
            printf("another stop: %x\n", status);
    }
    printf("ended: %x\n", status);
}

// The tracer is not asked: there is no stop for this SIGSYS.
static void killed_while_traced(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        FILTER(0, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS),
               RETURN(SECCOMP_RET_ALLOW));
        syscall(SYS_getppid);
        _exit(1);
    }
    waitpid(child, &status, 0);
    T(ptrace(PTRACE_CONT, child, 0, 0));
    waitpid(child, &status, 0);
    printf("killed: %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
}

// ---- moves -------------------------------------------------------------------------------------
static void moves(void)
{
    FILTER(SECCOMP_FILTER_FLAG_LOG, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_ERRNO | EDOM),
           RETURN(SECCOMP_RET_ALLOW));
    FILTER(0, LOAD(NUMBER), ON(SYS_getpgrp, SECCOMP_RET_ERRNO | ERANGE), RETURN(SECCOMP_RET_ALLOW));
    for (int n = 0; n < 4; n++) {
        move_to(1 - n % 2);
        T(syscall(SYS_getppid));
        T(syscall(SYS_getpgrp));
        T(prctl(PR_GET_SECCOMP));
        status_lines();
        FILTER(0, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_ERRNO | n), RETURN(SECCOMP_RET_ALLOW));
    }
    fflush(stdout);
    FILTER(0, LOAD(NUMBER), ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW));
    move_to(1);
    syscall(SYS_getppid);
}

static void large(void)
{
    static struct sock_filter code[4096];
    for (int k = 0; k < 4096; k++)
        code[k] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    int n = 0;
    while (filter(0, code, 4096) == 0)
        n++;
    printf("filters of 4096: %d, %s\n", n > 2, strerrorname_np(errno));
}

static void stays(void)
{
    large();
    fflush(stdout);
    pause();
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "executed")) {
        T(syscall(SYS_getppid));
        status_lines();
        return 0;
    }
    if (argc > 1 && !strcmp(argv[1], "stays")) {
        stays();
        return 0;
    }
    if (argc > 1) {
        in_child(moves);
        return 0;
    }
    wrong();
    in_child(without_privileges);
    in_child(strict);
    in_child(strict_no_more);
    in_child(errors);
    in_child(traps);
    in_child(kills_process);
    in_child(kills_thread);
    in_child(kills_unknown);
    in_child(same_threads);
    in_child(other_threads);
    in_child(one_thread);
    in_child(tracing);
    in_child(killed_while_traced);
    in_child(large);
    status_lines();
    return 0;
}
