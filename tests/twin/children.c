// SPDX-License-Identifier: MIT
// Children that stop, go on and end when told, and every way to wait for them, signal them, group
// them and look at them. Nothing is left to time: what was told is waited for with WNOWAIT first.
#include "twin.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define KIDS 5

enum state {
    NONE,
    LIVE,
    STOPPED,
    DEAD,
    GONE
};

static struct kid {
    pid_t pid;
    enum state state;
    int to, from, signal;
} kids[KIDS];

struct order {
    long call, args[6];
};

struct answer {
    long result, error;
};

static int fds[3] = {-1, -1, -1}; // pidfds
static char area[64] = "what the parent has at this place, and its children too";

static const char *who(long id)
{
    static char names[4][16];
    static unsigned next;
    char *name = names[next++ % 4];
    if (id == 0)
        return "0";
    if (id == -1)
        return "-1";
    if (id == getpid() || id == -getpid())
        return id > 0 ? "self" : "-self";
    for (int i = 0; i < KIDS; i++)
        if (kids[i].state != NONE && (kids[i].pid == id || kids[i].pid == -id)) {
            sprintf(name, "%skid%d", id < 0 ? "-" : "", i);
            return name;
        }
    sprintf(name, "other");
    return name;
}

static struct kid *kid_of(long pid)
{
    for (int i = 0; i < KIDS; i++)
        if (kids[i].state != NONE && kids[i].pid == pid)
            return &kids[i];
    return NULL;
}

static struct kid *some(unsigned states)
{
    unsigned first = draw(KIDS);
    for (unsigned i = 0; i < KIDS; i++) {
        struct kid *k = &kids[(first + i) % KIDS];
        if (states >> k->state & 1)
            return k;
    }
    return NULL;
}

// Of a child that lives, lived or never was, or a number with a meaning.
static long some_id(void)
{
    static const long others[] = {0, 0x3fffffff, -0x3fffffff, (long)0x80000000, 0x7fffffff};
    struct kid *k = some(1u << LIVE | 1u << STOPPED | 1u << DEAD | 1u << GONE);
    switch (draw(6)) {
    case 0:
        return getpid();
    case 1:
        return PICK(others);
    case 2:
        return k ? -k->pid : 0;
    default:
        return k ? k->pid : getpid();
    }
}

// ---- the child ---------------------------------------------------------------------------------
static void obey(int orders, int answers)
{
    struct order o;
    sigset_t none;
    for (int sig = 1; sig < 65; sig++)
        signal(sig, SIG_DFL);
    while (read(orders, &o, sizeof(o)) == sizeof(o)) {
        struct answer a;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        errno = 0;
        a.result =
            syscall(o.call, o.args[0], o.args[1], o.args[2], o.args[3], o.args[4], o.args[5]);
        a.error = errno;
        if (write(answers, &a, sizeof(a)) != sizeof(a))
            break;
    }
    _exit(0);
}

static int ask(struct kid *k, const struct order *o, struct answer *a)
{
    return write(k->to, o, sizeof(*o)) == sizeof(*o) && read(k->from, a, sizeof(*a)) == sizeof(*a);
}

static void spawn(void)
{
    static const int signals[] = {SIGCHLD, SIGCHLD, SIGCHLD, SIGCHLD, 0, SIGUSR1, SIGCHLD};
    struct kid *k = some(1u << NONE);
    int down[2], up[2], sig = PICK(signals);
    if (!k && !draw(3))
        k = some(1u << GONE);
    if (!k || pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
        return;
    unsigned flags = draw_bits(CLONE_UNTRACED | CLONE_IO | CLONE_SYSVSEM | CLONE_FS);
    pid_t pid = (pid_t)syscall(SYS_clone, flags | (unsigned)sig, 0, 0, 0, 0);
    if (!pid) {
        close(down[1]);
        close(up[0]);
        obey(down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    *k = (struct kid){.pid = pid, .state = LIVE, .to = down[1], .from = up[0], .signal = sig};
    struct order o = {.call = SYS_getppid};
    struct answer a = {0, 0};
    ask(k, &o, &a);
    said(a.result == getpid() ? 0 : 1, "spawn %s signal %d flags %x", who(pid), sig, flags);
}

// ---- what becomes of children ------------------------------------------------------------------
static int sigchld_told(int unless)
{
    struct sigaction a;
    sigaction(SIGCHLD, NULL, &a);
    return a.sa_handler != SIG_IGN && !(a.sa_flags & unless);
}

// A stop is seen by waitid a moment before the signal is there.
static void settle(void)
{
    sigset_t set;
    for (int i = 0; i < 1000; i++) {
        sigpending(&set);
        if (sigismember(&set, SIGCHLD))
            return;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static void stop(void)
{
    struct kid *k = some(1u << LIVE);
    siginfo_t info;
    if (!k)
        return;
    said(kill(k->pid, SIGSTOP), "stop %s", who(k->pid));
    waitid(P_PID, (id_t)k->pid, &info, WSTOPPED | WNOWAIT | __WALL);
    k->state = STOPPED;
    if (sigchld_told(SA_NOCLDSTOP))
        settle();
}

static void go_on(void)
{
    struct kid *k = some(draw(4) ? 1u << STOPPED : 1u << LIVE);
    struct order o = {.call = SYS_getppid};
    struct answer a;
    siginfo_t info;
    if (!k)
        return;
    said(kill(k->pid, SIGCONT), "continue %s", who(k->pid));
    if (k->state == STOPPED)
        waitid(P_PID, (id_t)k->pid, &info, WCONTINUED | WNOWAIT | __WALL);
    k->state = LIVE;
    ask(k, &o, &a);
}

static void end(void)
{
    static const int signals[] = {1, 2, 3, 4, 6, 9, 9, 11, 14, 15, 15, 31, 34, 64};
    struct kid *k = some(1u << LIVE | 1u << STOPPED);
    siginfo_t info;
    if (!k)
        return;
    if (k->state == LIVE && draw(2)) {
        struct order o = {.call = draw(2) ? SYS_exit : SYS_exit_group, .args = {(long)draw(300)}};
        said(write(k->to, &o, sizeof(o)) == sizeof(o), "tell %s to exit %ld", who(k->pid),
             o.args[0]);
    } else {
        int sig = k->state == STOPPED ? SIGKILL : PICK(signals);
        said(kill(k->pid, sig), "kill %s with %d", who(k->pid), sig);
    }
    memset(&info, 0, sizeof(info));
    long r = waitid(P_PID, (id_t)k->pid, &info, WEXITED | WNOWAIT | __WALL);
    k->state = r == 0 ? DEAD : GONE;
    said(r, "%s: code %d status %d", who(k->pid), info.si_code == 3 ? 2 : info.si_code,
         info.si_status);
    close(k->to);
    close(k->from);
}

// ---- waiting -----------------------------------------------------------------------------------
static void reaped(long pid)
{
    struct kid *k = kid_of(pid);
    if (k && k->state == DEAD)
        k->state = GONE;
}

static void wait_old(void)
{
    static const int more[] = {0, 0, 0, 0, __WALL, __WCLONE, __WALL, __WNOTHREAD, 0x10, WNOWAIT, 4};
    int status = 0x5555, bad = (int)draw(20);
    int options = WNOHANG | (int)draw_bits(WUNTRACED | WCONTINUED) | PICK(more);
    long id = draw(3) ? -1 : some_id();
    struct rusage usage;
    long r = syscall(SYS_wait4, id,
                     bad == 1   ? (void *)8
                     : bad == 2 ? NULL
                                : &status,
                     options,
                     bad == 3  ? (void *)8
                     : draw(2) ? &usage
                               : NULL);
    int error = errno;
    if (r == -1 && error == EFAULT) { // one is gone all the same
        for (int i = 0; i < KIDS; i++)
            if (kids[i].state == DEAD && kill(kids[i].pid, 0))
                kids[i].state = GONE;
    }
    reaped(r);
    errno = error;
    said(r == -1 ? -1 : 0, "wait4(%s, %x, bad %d) %s status %x", who(id), (unsigned)options, bad,
         who(r), (unsigned)(status & 0xff00 ? status : status & ~0x80));
}

static void wait_new(void)
{
    static const int types[] = {P_ALL, P_ALL, P_PID, P_PID, P_PGID, P_PIDFD, 4, -1};
    static const int more[] = {0, 0, 0, 0, __WALL, __WCLONE, __WALL, __WNOTHREAD, 0x10, 0x100};
    siginfo_t info;
    int type = PICK(types), bad = (int)draw(20), fd = PICK(fds);
    int options = WNOHANG | (int)draw_bits(WEXITED | WSTOPPED | WCONTINUED) |
                  (draw(2) ? WEXITED : 0) | (draw(3) ? 0 : WNOWAIT) | PICK(more);
    long id = type == P_PIDFD ? fd : some_id();
    memset(&info, 0x55, sizeof(info));
    long r = syscall(SYS_waitid, type, id,
                     bad == 1   ? (void *)8
                     : bad == 2 ? NULL
                                : &info,
                     options, NULL);
    int error = errno;
    if (bad == 1 || bad == 2) {
        for (int i = 0; i < KIDS; i++)
            if (kids[i].state == DEAD && kill(kids[i].pid, 0))
                kids[i].state = GONE;
    } else if (r == 0 && info.si_signo && !(options & WNOWAIT)) {
        reaped(info.si_pid);
    }
    errno = error;
    said(r, "waitid(%d, %s, %x, bad %d)", type, type == P_PIDFD ? "fd" : who(id), (unsigned)options,
         bad);
    if (r == 0 && bad != 2)
        printf("%u:   signo %d code %d errno %d %s uid %d status %d\n", twin_step, info.si_signo,
               info.si_code == CLD_DUMPED ? CLD_KILLED : info.si_code, info.si_errno,
               who(info.si_pid), (int)info.si_uid, info.si_status);
}

static void take_signal(void)
{
    siginfo_t info;
    struct timespec now = {0, 0};
    uint64_t all = ~(uint64_t)0;
    memset(&info, 0, sizeof(info));
    long r = syscall(SYS_rt_sigtimedwait, &all, &info, &now, 8);
    said(r, "rt_sigtimedwait");
    if (r == SIGCHLD) // a 64-bit kernel shuffles the facts of other signals
        printf("%u:   code %d %s uid %d status %d\n", twin_step,
               info.si_code == CLD_DUMPED ? CLD_KILLED : info.si_code, who(info.si_pid),
               (int)info.si_uid, info.si_status);
}

static void sigchld_action(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof(a));
    a.sa_handler = draw(3) ? SIG_DFL : SIG_IGN;
    a.sa_flags = draw(2) ? (int)draw_bits(SA_NOCLDWAIT | SA_NOCLDSTOP) : 0;
    said(sigaction(SIGCHLD, &a, NULL), "SIGCHLD ignored %d flags %x", a.sa_handler == SIG_IGN,
         (unsigned)a.sa_flags);
}

// ---- groups ------------------------------------------------------------------------------------
static void groups(void)
{
    struct kid *k = some(1u << LIVE);
    long a = some_id(), b = some_id();
    struct order o = {0};
    struct answer got;
    switch (draw(7)) {
    case 0:
    case 1:
        said(setpgid((pid_t)a, (pid_t)b), "setpgid(%s, %s)", who(a), who(b));
        break;
    case 2: {
        long r = getpgid((pid_t)a);
        said(r == -1 ? -1 : 0, "getpgid(%s) %s", who(a), who(r));
        break;
    }
    case 3: {
        long r = getsid((pid_t)a);
        said(r == -1 ? -1 : 0, "getsid(%s) %s", who(a), who(r));
        break;
    }
    case 4:
        o.call = SYS_setsid;
        if (!k || draw(2) || !ask(k, &o, &got))
            return;
        errno = (int)got.error;
        said(got.result == -1 ? -1 : 0, "%s: setsid %s", who(k->pid), who(got.result));
        break;
    default:
        o = (struct order){.call = SYS_setpgid, .args = {a, b}};
        if (!k || !ask(k, &o, &got))
            return;
        errno = (int)got.error;
        said(got.result, "%s: setpgid(%s, %s)", who(k->pid), who(a), who(b));
        break;
    }
}

static void send_nothing(void)
{
    static const int signals[] = {0, 0, 65, -1, 17, 23, 28, 1000};
    siginfo_t info;
    long id = some_id();
    int sig = PICK(signals);
    memset(&info, 0, sizeof(info));
    info.si_code = draw(3) ? SI_QUEUE : (int)draw(3) * SI_TKILL;
    switch (draw(5)) {
    case 0:
        said(kill((pid_t)id, sig), "kill(%s, %d)", who(id), sig);
        break;
    case 1:
        said(syscall(SYS_tkill, id, sig), "tkill(%s, %d)", who(id), sig);
        break;
    case 2: {
        long other = draw(3) ? id : some_id();
        said(syscall(SYS_tgkill, id, other, sig), "tgkill(%s, %s, %d)", who(id), who(other), sig);
        break;
    }
    case 3:
        said(syscall(SYS_rt_sigqueueinfo, id, sig, &info), "rt_sigqueueinfo(%s, %d, %d)", who(id),
             sig, info.si_code);
        break;
    case 4:
        said(syscall(SYS_rt_tgsigqueueinfo, id, id, sig, &info), "rt_tgsigqueueinfo(%s, %d, %d)",
             who(id), sig, info.si_code);
        break;
    }
}

// ---- looking -----------------------------------------------------------------------------------
static void pidfds(void)
{
    unsigned i = draw(3);
    long id = some_id();
    int sig = draw(3) ? 0 : (int)draw(2) * 65;
    switch (draw(6)) {
    case 0:
    case 1: {
        static const unsigned flags[] = {0, 0, O_NONBLOCK, 1, 02000000};
        unsigned flag = PICK(flags);
        int fd = (int)syscall(SYS_pidfd_open, id, flag);
        said(fd < 0 ? -1 : 0, "pidfd_open(%s, %x)", who(id), flag);
        if (fd >= 0) {
            if (fds[i] >= 0)
                close(fds[i]);
            fds[i] = fd;
        }
        break;
    }
    case 2: {
        struct pollfd p = {fds[i], POLLIN | POLLOUT, 0};
        said(poll(&p, 1, 0), "poll(pidfd)");
        printf("%u:   %x\n", twin_step, (unsigned)p.revents & 0xff & ~POLLHUP); // HUP: newer
        break;
    }
    case 3: {
        int flag = draw(6) ? 0 : 0x100;
        said(syscall(SYS_pidfd_send_signal, fds[i], sig, NULL, flag), "pidfd_send_signal(%d, %x)",
             sig, (unsigned)flag);
        break;
    }
    case 4: {
        int flag = draw(6) ? 0 : 1, of = (int)draw(4) * 40;
        int fd = (int)syscall(SYS_pidfd_getfd, fds[i], of, flag);
        said(fd < 0 ? -1 : 0, "pidfd_getfd(%d, %x)", of, (unsigned)flag);
        if (fd >= 0)
            close(fd);
        break;
    }
    case 5: {
        long r = fds[i] < 0 ? 0 : read(fds[i], area, 0);
        said(r, "read(pidfd)");
        break;
    }
    }
}

static void look(void)
{
    long a = some_id(), b = some_id();
    if (kid_of(a) && kid_of(a)->state == DEAD) // what Weft keeps of it is for wait and kill alone
        a = 0;
    if (kid_of(b) && kid_of(b)->state == DEAD)
        b = 0;
    switch (draw(6)) {
    case 0: {
        unsigned type = draw(6); // not 6: undo lists are made when they are used
        long r = syscall(SYS_kcmp, a, b, type, draw(3), draw(60));
        said(r > 0 ? 1 : r, "kcmp(%s, %s, %u)", who(a), who(b), type); // an order of addresses
        break;
    }
    case 1: {
        char to[64] = "";
        struct iovec here = {to, 1 + draw(64)}, there = {area, 1 + draw(64)};
        int flags = draw(8) ? 0 : 1;
        long n = said(syscall(SYS_process_vm_readv, a, &here, 1, &there, 1, flags),
                      "process_vm_readv(%s, %x)", who(a), (unsigned)flags);
        said_bytes("read", to, n);
        break;
    }
    case 2: {
        struct rlimit64 {
            uint64_t current, most;
        } limit = {0, 0}, set = {100 + draw(3), 100 + draw(3)};
        unsigned resource = draw(18), changes = !draw(3);
        if (changes)
            resource = RLIMIT_NICE;
        long r = syscall(SYS_prlimit64, a, resource, changes ? &set : NULL, &limit);
        said(r, "prlimit64(%s, %u, %u)", who(a), resource, changes);
        break;
    }
    case 3: {
        int which = (int)draw(4), nice = (int)draw(60) - 30;
        if (which == PRIO_USER)
            a = 0x3fff;
        errno = 0;
        if (draw(2))
            said(syscall(SYS_getpriority, which, a), "getpriority(%d, %s)", which, who(a));
        else
            said(syscall(SYS_setpriority, which, a, nice), "setpriority(%d, %s, %d)", which, who(a),
                 nice);
        break;
    }
    case 4: {
        struct sched_param p = {.sched_priority = -5};
        said(syscall(SYS_sched_getscheduler, a), "sched_getscheduler(%s)", who(a));
        said(syscall(SYS_sched_getparam, a, &p), "sched_getparam(%s)", who(a));
        printf("%u:   %d\n", twin_step, p.sched_priority);
        break;
    }
    case 5: {
        void *head = area;
        size_t length = 99;
        long r = syscall(SYS_get_robust_list, a, &head, &length);
        said(r, "get_robust_list(%s)", who(a));
        printf("%u:   %d\n", twin_step, (int)length);
        break;
    }
    }
}

// ---- making ------------------------------------------------------------------------------------
static void clone_odd(void)
{
    static const unsigned wrong[] = {CLONE_SIGHAND,
                                     CLONE_THREAD,
                                     CLONE_THREAD | CLONE_SIGHAND,
                                     CLONE_FS | CLONE_NEWNS,
                                     CLONE_NEWUSER | CLONE_FS,
                                     CLONE_PIDFD | CLONE_PARENT_SETTID,
                                     CLONE_PIDFD | CLONE_DETACHED,
                                     CLONE_NEWPID | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD,
                                     CLONE_NEWIPC | CLONE_SYSVSEM};
    static const unsigned right[] = {CLONE_FILES,
                                     CLONE_FS,
                                     CLONE_DETACHED,
                                     CLONE_CHILD_CLEARTID,
                                     CLONE_CHILD_SETTID,
                                     CLONE_PARENT_SETTID,
                                     CLONE_PIDFD,
                                     CLONE_UNTRACED,
                                     CLONE_IO,
                                     CLONE_PTRACE,
                                     0,
                                     CLONE_VFORK};
    int tid = -1, child_tid = -1, status = -1, bad = !draw(6), wrongs = !draw(2);
    unsigned flags = wrongs ? PICK(wrong) : PICK(right) | PICK(right);
    if (!wrongs &&
        (flags & (CLONE_PIDFD | CLONE_PARENT_SETTID)) == (CLONE_PIDFD | CLONE_PARENT_SETTID))
        flags &= ~(unsigned)CLONE_PIDFD;
    pid_t pid = (pid_t)syscall(SYS_clone, flags | (draw(3) ? SIGCHLD : 0), 0,
                               bad ? (void *)8 : &tid, 0, bad ? (void *)8 : &child_tid);
    if (!pid) {
        if (!bad && flags & CLONE_CHILD_SETTID)
            _exit(child_tid == getpid() ? 7 : 8);
        _exit(6);
    }
    int error = errno;
    if (flags & CLONE_PIDFD && pid > 0 && tid >= 0)
        close(tid);
    if (pid > 0)
        while (waitpid(pid, &status, __WALL) == -1 && errno == EINTR)
            ;
    errno = error;
    said(pid > 0 ? 0 : pid, "clone(%x, bad %d): tid %s status %x", flags, bad,
         tid == -1    ? "none"
         : tid == pid ? "its"
         : tid < 100  ? "a descriptor"
                      : "?",
         status);
}

static void clone_new(void)
{
    struct clone_args a = {.exit_signal = SIGCHLD};
    static const unsigned sizes[] = {64, 64, 80, 88, 88, 63, 0, 96, 5000};
    union {
        struct clone_args a;
        char bytes[8192];
    } u;
    int status = -1, spoil = (int)draw(14);
    unsigned size = PICK(sizes);
    pid_t tids[2] = {getpid(), 0};
    if (spoil == 1)
        a.exit_signal = 65;
    if (spoil == 2)
        a.exit_signal = 0x100000011ull;
    if (spoil == 3)
        a.flags = SIGCHLD;
    if (spoil == 4)
        a.flags = 1ull << 40;
    if (spoil == 5)
        a.stack = 0x1000;
    if (spoil == 6)
        a.stack_size = 0x1000;
    if (spoil == 7)
        a.flags = CLONE_DETACHED;
    if (spoil == 8)
        a.flags = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND;
    if (spoil == 9)
        a.flags = CLONE_CLEAR_SIGHAND;
    if (spoil == 10)
        a.set_tid = (uint64_t)(uintptr_t)tids;
    if (spoil == 11)
        a.set_tid_size = 1;
    if (spoil == 12 && size >= 80) {
        a.set_tid = (uint64_t)(uintptr_t)tids;
        a.set_tid_size = 1;
    }
    memset(&u, 0, sizeof(u));
    u.a = a;
    if (size > sizeof(a) && draw(2))
        u.bytes[sizeof(a)] = 1;
    pid_t pid = (pid_t)syscall(SYS_clone3, draw(12) ? (void *)&u : (void *)8, size);
    if (!pid)
        _exit(9);
    int error = errno;
    if (pid > 0)
        while (waitpid(pid, &status, __WALL) == -1 && errno == EINTR)
            ;
    errno = error;
    said(pid > 0 ? 0 : pid, "clone3(spoil %d, size %u): %x", spoil, size, status);
}

static void vforks(void)
{
    static volatile int seen;
    int status = -1, code = (int)draw(256);
    seen = 0;
    pid_t pid = vfork();
    if (!pid) {
        seen = code + 1;
        _exit(code);
    }
    long r = waitpid(pid, &status, 0);
    said(r == pid ? 0 : r, "vfork: seen %d status %x", seen == code + 1, status);
}

// A grandchild whose parent is gone.
static void orphan(void)
{
    struct kid *k = some(1u << LIVE);
    int reaper = (int)draw(2), now = -1, hold[2], status = 0;
    said(prctl(PR_SET_CHILD_SUBREAPER, reaper, 0, 0, 0), "subreaper %d", reaper);
    prctl(PR_GET_CHILD_SUBREAPER, &now, 0, 0, 0);
    if (k || pipe(hold))
        return;
    signal(SIGCHLD, SIG_DFL);
    pid_t pid = fork();
    if (!pid) {
        char c;
        if (fork() == 0) {
            signal(SIGTERM, SIG_DFL);
            close(hold[1]);
            if (read(hold[0], &c, 1) == 0)
                _exit(17);
        }
        _exit(16);
    }
    long r = waitpid(pid, &status, 0);
    said(r == pid ? 0 : r, "its parent: %x, reaper %d", status, now);
    r = waitpid(-1, &status, WNOHANG);
    reaped(r);
    said(r > 0 ? 1 : r, "the orphan lives");
    close(hold[1]);
    close(hold[0]);
    if (reaper) {
        do
            reaped(r = waitpid(-1, &status, 0));
        while (r > 0 && kid_of(r));
        said(r > 0 ? 0 : r, "the orphan: %x", status);
    }
}

static void begin(void)
{
    struct {
        unsigned version;
        int pid;
    } head = {0x20080522, 0};
    unsigned rights[6];
    syscall(SYS_capget, &head, rights);
    rights[0] &= ~(1u << 24); // limits are limits
    rights[1] &= ~(1u << 24);
    syscall(SYS_capset, &head, rights);
    sigset_t all;
    pid_t child = fork(); // who runs this may have made it a leader
    if (child) {
        int status;
        waitpid(child, &status, 0);
        _exit(status ? 1 : 0);
    }
    setsid();
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static const struct step steps[] = {
    {spawn, 14},       {stop, 10},          {go_on, 10},       {end, 7},
    {wait_old, 14},    {wait_new, 20},      {take_signal, 10}, {groups, 10},
    {send_nothing, 8}, {sigchld_action, 3}, {pidfds, 10},      {look, 10},
    {clone_odd, 4},    {clone_new, 3},      {vforks, 1},       {orphan, 1},
};

int main(int argc, char **argv)
{
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(*steps), begin);
}
