// SPDX-License-Identifier: MIT
// Errors and edges of the calls about processes, signals, futexes, time and the system.
#define _GNU_SOURCE
#include "said.h"
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long futex(void *at, int op, unsigned value, void *timeout, void *other, unsigned three)
{
    return syscall(SYS_futex, at, op, value, timeout, other, three);
}

static void futexes(void)
{
    static uint32_t w = 5, v = 7;
    struct timespec soon = {0, 1000000}, bad = {0, 1000000000}, past = {1, 0};
    T(futex(&w, FUTEX_WAIT, 4, NULL, NULL, 0));
    T(futex(&w, FUTEX_WAIT, 5, &soon, NULL, 0));
    T(futex(&w, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 5, &soon, NULL, 0));
    T(futex(&w, FUTEX_WAIT, 5, &bad, NULL, 0));
    T(futex((char *)&w + 1, FUTEX_WAIT, 5, NULL, NULL, 0));
    T(futex((void *)8, FUTEX_WAIT, 5, NULL, NULL, 0));
    T(futex((void *)8, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 5, NULL, NULL, 0));
    T(futex(&w, FUTEX_WAKE, 1, NULL, NULL, 0));
    T(futex((void *)8, FUTEX_WAKE, 1, NULL, NULL, 0));
    T(futex((void *)8, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    T(futex(&w, FUTEX_WAIT_BITSET, 5, &past, NULL, ~0u));
    T(futex(&w, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &past, NULL, 1));
    T(futex(&w, FUTEX_WAIT_BITSET, 5, &past, NULL, 0));
    T(futex(&w, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    T(futex(&w, FUTEX_REQUEUE, 1, (void *)1, &v, 0));
    T(futex(&w, FUTEX_CMP_REQUEUE, 1, (void *)1, &v, 4));
    T(futex(&w, FUTEX_CMP_REQUEUE, 1, (void *)1, &v, 5));
    T(futex(&w, FUTEX_CMP_REQUEUE, -1, (void *)1, &v, 5));
    T(futex(&w, FUTEX_WAKE_OP, 1, (void *)1, &v, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 7)));
    printf("v %u\n", v);
    T(futex(&w, FUTEX_WAKE_OP, 1, (void *)1, &v, FUTEX_OP(FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_GT, 7)));
    printf("v %u\n", v);
    T(futex(&w, 99, 1, NULL, NULL, 0));
    T(futex(&w, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    T(syscall(SYS_set_robust_list, &w, 1));
    T(syscall(SYS_set_robust_list, &w, 12));
    void *head;
    size_t size;
    T(syscall(SYS_get_robust_list, 0, &head, &size));
    printf("%d %u\n", head == &w, size);
    T(syscall(SYS_get_robust_list, 99999, &head, &size));
}

static int nothing(void *a)
{
    (void)a;
    return 3;
}

static void caught(int sig)
{
    (void)sig;
}

// CLONE_CLEAR_SIGHAND: a child without its parent's handlers; what is ignored stays so.
static void clears_handlers(void)
{
    uint64_t a[8] = {UINT64_C(1) << 32};
    struct sigaction then;
    int status;
    signal(SIGUSR1, caught);
    signal(SIGUSR2, SIG_IGN);
    fflush(stdout);
    a[4] = SIGCHLD;
    if (syscall(SYS_clone3, a, 64) == 0) {
        sigaction(SIGUSR1, NULL, &then);
        status = then.sa_handler == SIG_DFL;
        sigaction(SIGUSR2, NULL, &then);
        _exit(status + 2 * (then.sa_handler == SIG_IGN));
    }
    T(wait(&status) > 0);
    printf("%x\n", status);
    a[0] |= CLONE_SIGHAND | CLONE_VM;
    T(syscall(SYS_clone3, a, 64));
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

static void clones(void)
{
    static char stack[65536];
    int status;
    T(clone(nothing, stack + 65536, CLONE_SIGHAND, NULL));
    T(clone(nothing, stack + 65536, CLONE_THREAD, NULL));
    T(clone(nothing, stack + 65536, CLONE_THREAD | CLONE_SIGHAND, NULL));
    T(clone(nothing, stack + 65536, CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL));
    T(waitpid(clone(nothing, stack + 65536, SIGCHLD, NULL), &status, 0) > 0);
    printf("%x\n", status);
    pid_t p = clone(nothing, stack + 65536, CLONE_VM, NULL);
    T(waitpid(p, &status, 0));
    T(waitpid(p, &status, __WCLONE) == p);
    uint64_t a[11] = {0};
    T(syscall(SYS_clone3, a, 8));
    T(syscall(SYS_clone3, (void *)8, 64));
    a[4] = 999;
    T(syscall(SYS_clone3, a, 64));
    a[4] = 0;
    a[0] = CLONE_SIGHAND;
    T(syscall(SYS_clone3, a, 64));
    a[0] = 0;
    a[5] = 4096; // a stack without size
    T(syscall(SYS_clone3, a, 64));
    clears_handlers();
    T(wait4(-1, NULL, 0x100, NULL));
    T(wait4(-1, &status, 0, NULL));
    T(waitid(P_PID, 0, NULL, WEXITED));
    T(waitid(99, 0, NULL, WEXITED));
    T(waitid(P_PGID, -1, NULL, WEXITED));
    T(waitpid(INT32_MIN, &status, 0));
    T(syscall(SYS_set_tid_address, NULL) == getpid());
    T(syscall(SYS_exit_group) * 0 + 1 > 2); // never
}

static void sent(void)
{
    siginfo_t i = {.si_signo = SIGUSR1, .si_code = 0};
    stack_t s = {.ss_sp = &i, .ss_size = 100}, old;
    T(kill(99999, 0));
    T(kill(getpid(), 65));
    T(kill(getpid(), -1));
    T(kill(getpid(), 0));
    T(kill(0, 0));
    T(kill(INT32_MIN, 0));
    T(syscall(SYS_tgkill, getpid(), 99999, 0));
    T(syscall(SYS_tgkill, -1, getpid(), 0));
    T(syscall(SYS_tkill, 0, 0));
    T(syscall(SYS_tgkill, getpid(), getpid(), 0));
    T(syscall(SYS_rt_sigqueueinfo, 1, SIGUSR1, &i));
    T(sigqueue(getpid(), 70, (union sigval){0}));
    T(signal(SIGKILL, SIG_IGN) == SIG_ERR);
    T(sigaction(SIGSTOP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL));
    T(sigaction(0, NULL, NULL));
    T(sigaction(65, NULL, NULL));
    T(sigaction(SIGKILL, NULL, &(struct sigaction){.sa_flags = 0}));
    T(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    T(syscall(SYS_rt_sigprocmask, 9, &i, NULL, 8));
    T(syscall(SYS_rt_sigprocmask, 0, (void *)8, NULL, 8));
    T(syscall(SYS_rt_sigprocmask, 9, NULL, NULL, 8));
    T(syscall(SYS_rt_sigprocmask, 0, NULL, NULL, 4));
    T(sigaltstack(&s, NULL));
    s.ss_flags = 77;
    s.ss_size = 65536;
    T(sigaltstack(&s, NULL));
    T(sigaltstack(NULL, &old));
    printf("%d\n", old.ss_flags);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    T(sigtimedwait(&set, NULL, &(struct timespec){0, 1000}));
    T(sigtimedwait(&set, NULL, &(struct timespec){0, -1}));
    raise(SIGUSR1);
    T(sigtimedwait(&set, &i, &(struct timespec){0, 0}));
    printf("code %d pid %d\n", i.si_code, i.si_pid == getpid());
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 42});
    T(sigwaitinfo(&set, &i));
    printf("code %d value %d\n", i.si_code, i.si_value.sival_int);
}

static void scheduling(void)
{
    struct sched_param p = {1};
    unsigned long mask[32] = {0};
    T(sched_setscheduler(0, 99, &p));
    T(sched_setscheduler(0, SCHED_OTHER, &p));
    T(sched_setscheduler(99999, SCHED_OTHER, &p));
    T(sched_getscheduler(0));
    T(sched_getparam(0, &p));
    printf("%d\n", p.sched_priority);
    T(sched_getparam(0, NULL));
    T(sched_get_priority_max(SCHED_FIFO));
    T(sched_get_priority_min(99));
    T(sched_setaffinity(0, sizeof(mask), (cpu_set_t *)mask));
    T(sched_getaffinity(99999, sizeof(mask), (cpu_set_t *)mask));
    T(sched_getaffinity(-1, sizeof(mask), (cpu_set_t *)mask));
    T(sched_setaffinity(-1, sizeof(mask), (cpu_set_t *)mask));
    T(syscall(SYS_sched_getaffinity, 0, 1, mask));
    T(getpriority(PRIO_PROCESS, 99999));
    T(getpriority(9, 0));
    T(setpriority(PRIO_PROCESS, 0, 100));
    T(getpriority(PRIO_PROCESS, 0));
    T(setpriority(PRIO_PROCESS, 0, 5));
    T(nice(100));
    T(sched_rr_get_interval(-1, &(struct timespec){0, 0}));
    T(sched_yield());
}

static void clocks(void)
{
    struct timespec t;
    struct itimerval v = {{0, 0}, {0, 1000000}};
    T(clock_gettime(99, &t));
    T(clock_getres(CLOCK_REALTIME, &t));
    printf("%ld %ld\n", (long)t.tv_sec, t.tv_nsec);
    T(clock_getres(99, NULL));
    T(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t));
    T(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
    T(clock_gettime(CLOCK_BOOTTIME, &t));
    T(clock_gettime(CLOCK_MONOTONIC_RAW, &t));
    T(clock_gettime(CLOCK_REALTIME_COARSE, &t));
    T(nanosleep(&(struct timespec){0, 1000000000}, NULL));
    T(nanosleep(&(struct timespec){-1, 0}, NULL));
    T(clock_nanosleep(99, 0, &(struct timespec){0, 0}, NULL));
    T(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){1, 0}, NULL));
    T(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){0, 1}, NULL));
    T(setitimer(ITIMER_REAL, &v, NULL));
    T(setitimer(9, &v, NULL));
    T(getitimer(9, &v));
    T(getitimer(ITIMER_VIRTUAL, &v));
    T(alarm(100));
    T(alarm(0));
}

static void system_of(void)
{
    struct utsname u;
    struct sysinfo s;
    struct rlimit l;
    char name[17] = {0};
    T(uname((void *)8));
    T(uname(&u));
    printf("%s %s\n", u.sysname, u.machine[0] == 'i' || u.machine[0] == 'x' ? "x86" : u.machine);
    T(sysinfo(&s));
    printf("%d %d\n", s.mem_unit > 0, s.totalram > s.freeram);
    T(getrandom(name, 16, 8));
    T(getrandom(name, 16, 0));
    T(getrandom((void *)8, 16, 0));
    T(getrandom(name, 0, GRND_NONBLOCK));
    T(getrlimit(99, &l));
    T(prlimit(99999, RLIMIT_CORE, NULL, &l));
    T(setrlimit(RLIMIT_CORE, &(struct rlimit){5, 4}));
    T(prctl(PR_SET_NAME, "a name that is too long"));
    T(prctl(PR_GET_NAME, name));
    printf("%s\n", name);
    T(prctl(PR_SET_PDEATHSIG, 99));
    T(prctl(PR_SET_PDEATHSIG, SIGTERM));
    int sig = 0;
    T(prctl(PR_GET_PDEATHSIG, &sig));
    printf("%d\n", sig);
    T(prctl(PR_GET_DUMPABLE));
    T(prctl(PR_SET_DUMPABLE, 9));
    T(prctl(9999));
    T(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T(personality(0xffffffff) & ~0x8);
    T(getpgid(99999));
    T(getsid(99999));
    T(setpgid(99999, 0));
    T(setpgid(0, -1));
    T(getpgid(-1));
    T(umask(07777));
    T(umask(022));
    uint32_t header[2] = {0x20080522, 0}, data[6] = {0};
    T(syscall(SYS_capget, header, data));
    header[0] = 1;
    T(syscall(SYS_capget, header, data));
    printf("%x\n", header[0]);
    T(syscall(SYS_capget, NULL, data));
    T(syscall(9999));
    T(syscall(-1));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    futexes();
    sent();
    scheduling();
    clocks();
    system_of();
    fflush(stdout);
    if (fork() == 0)
        clones();
    int status;
    wait(&status);
    printf("%x\n", status);
    return 0;
}
