// SPDX-License-Identifier: MIT
// carries keeps: sets state of many kinds, moves itself to node 1 and back (/proc/self/node; it
//   stays without that file) and prints before and after each move what it has.
// carries KIND: has something that keeps a process where it is, and waits.
#define _GNU_SOURCE
#include "move.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct {
    int pipe[2], fifo, memfd, gone, again, lock, zero, ended;
    DIR *dir;
    char *shared, *private, *none;
    struct timespec last;
} my;
static __thread int own = 11;
static char stack[16384];

static void on_signal(int sig)
{
    (void)sig;
}

// ---- who it is ----------------------------------------------------------------------------------

static void be_someone(void)
{
    struct rlimit files = {333, 444}, text = {1 << 22, RLIM_INFINITY};
    gid_t groups[] = {7, 8};
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
    prctl(PR_SET_NAME, "carrier");
    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_FSIZE, &text);
    setpriority(PRIO_PROCESS, 0, 7);
    sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &(struct sched_param){0});
    umask(031);
    setgroups(2, groups);
    setresgid(5, 6, 0);
    setresuid(0, 0, 4);
    prctl(PR_SET_PDEATHSIG, SIGUSR2); // new ids had taken it away
    prctl(PR_SET_TIMERSLACK, 70001);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
    (void)!chdir("/tmp/carried");
    sigaltstack(&alt, NULL);
    fesetround(FE_UPWARD);
    own = 12;
}

static void say_who(void)
{
    char name[16], cwd[64];
    int pdeath, groups;
    uid_t r, e, s;
    gid_t g[4], h[3];
    struct rlimit files, text;
    stack_t alt;
    prctl(PR_GET_NAME, name);
    prctl(PR_GET_PDEATHSIG, &pdeath);
    printf("slack %d, no huge pages %d, memory errors %d\n", prctl(PR_GET_TIMERSLACK),
           prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
    getresuid(&r, &e, &s);
    getresgid(h, h + 1, h + 2);
    groups = getgroups(4, g);
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_FSIZE, &text);
    mode_t mask = umask(0);
    umask(mask);
    sigaltstack(NULL, &alt);
    printf("%s pdeathsig %d nice %d policy %x umask %o cwd %s\n", name, pdeath,
           getpriority(PRIO_PROCESS, 0), (unsigned)sched_getscheduler(0), mask,
           getcwd(cwd, sizeof(cwd)));
    printf("uid %d %d %d gid %d %d %d groups %d: %d %d\n", r, e, s, h[0], h[1], h[2], groups, g[0],
           g[1]);
    printf("files %ld %ld size %ld %d\n", (long)files.rlim_cur, (long)files.rlim_max,
           (long)text.rlim_cur, text.rlim_max == RLIM_INFINITY);
    volatile double one = 1, three = 3;
    printf("altstack %d %d rounding %d %.17g own %d\n", alt.ss_sp == stack, (int)alt.ss_size,
           fegetround() == FE_UPWARD, one / three, own);
}

// ---- signals ------------------------------------------------------------------------------------

static void hold_signals(void)
{
    sigset_t set;
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGHUP, SIG_IGN);
    sigaddset(&a.sa_mask, SIGURG);
    sigaction(SIGTERM, &a, NULL);
    for (int k = 0; k < 6; k++)
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = k});
    raise(SIGUSR1);
}

static void say_signals(void)
{
    sigset_t mask, pending, rt;
    struct sigaction a, hup;
    siginfo_t si;
    struct timespec now = {0};
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigpending(&pending);
    sigaction(SIGTERM, NULL, &a);
    sigaction(SIGHUP, NULL, &hup);
    sigemptyset(&rt);
    sigaddset(&rt, SIGRTMIN + 1);
    int got = sigtimedwait(&rt, &si, &now);
    printf("blocked %d %d pending %d handler %d %x %d ignored %d queued %d from me %d\n",
           sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2), sigismember(&pending, SIGUSR1),
           a.sa_handler == on_signal, a.sa_flags & ~0x04000000, sigismember(&a.sa_mask, SIGURG),
           hup.sa_handler == SIG_IGN, got > 0 ? si.si_value.sival_int : -1, si.si_pid == getpid());
}

// ---- files and memory ---------------------------------------------------------------------------

static void open_files(void)
{
    (void)!pipe2(my.pipe, O_NONBLOCK | O_CLOEXEC);
    (void)!write(my.pipe[1], "pipeful", 7);
    mkfifo("fifo", 0600);
    my.fifo = open("fifo", O_RDWR);
    (void)!write(my.fifo, "fifo", 4);
    my.memfd = memfd_create("mine", MFD_ALLOW_SEALING);
    (void)!write(my.memfd, "memory", 6);
    fcntl(my.memfd, F_ADD_SEALS, F_SEAL_SHRINK);
    lseek(my.memfd, 0, SEEK_SET);
    my.gone = open("gone", O_RDWR | O_CREAT | O_APPEND, 0600);
    unlink("gone");
    my.again = dup(my.gone);
    my.lock = open("lock", O_RDWR | O_CREAT, 0600);
    struct flock l = {.l_type = F_WRLCK, .l_start = 3, .l_len = 4};
    fcntl(my.lock, F_SETLK, &l);
    flock(my.lock, LOCK_EX);
    my.zero = open("/dev/zero", O_RDONLY);
    my.ended = open("/proc/self/stat", O_RDONLY);
    mkdir("dir", 0700);
    for (int k = 0; k < 3; k++) {
        char name[8] = "dir/0";
        name[4] += k;
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    my.dir = opendir("dir");
}

static int next_name(void)
{
    // One entry a call, so that the place is the kernel's.
    char names[32];
    long n = syscall(SYS_getdents64, dirfd(my.dir), names, sizeof(names));
    return n > 0 ? (int)n : (int)-n;
}

// What another process sees of the locks.
static int locks_of_me(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct flock l = {.l_type = F_WRLCK, .l_len = 5};
        int other = open("lock", O_RDWR);
        int seen = fcntl(other, F_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_pid == getppid() &&
                   l.l_start == 3 && l.l_len == 4;
        seen |= (flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK) << 1;
        _exit(seen);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static void say_files(void)
{
    char a = '-', b = '-', c = '-', tail[40] = "";
    struct stat st;
    (void)!read(my.pipe[0], &a, 1);
    (void)!read(my.fifo, &b, 1);
    (void)!read(my.memfd, &c, 1);
    (void)!write(my.gone, "ab", 2);
    long end = lseek(my.again, 0, SEEK_CUR);
    fstat(my.gone, &st);
    long zeros = read(my.zero, tail, 4);
    printf("seals %d ", fcntl(my.memfd, F_GET_SEALS));
    printf("pipe %c fifo %c memory %c unlinked %ld size %ld links %ld entry %d locks %d\n", a, b, c,
           end, (long)st.st_size, (long)st.st_nlink, next_name(), locks_of_me());
    printf("flags %x %x %x zeros %ld stat %ld\n", fcntl(my.pipe[0], F_GETFD),
           fcntl(my.pipe[0], F_GETFL), fcntl(my.gone, F_GETFL) & ~O_LARGEFILE, zeros,
           (long)(read(my.ended, tail, 1) == 1));
}

static void map_memory(void)
{
    int f = open("mapped", O_RDWR | O_CREAT, 0600);
    (void)!ftruncate(f, 8192);
    my.shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    my.private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0);
    my.none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    close(f);
    strcpy(my.private + 4096, "copied");
}

static void say_memory(int round)
{
    char text[8] = "";
    my.shared[0] = 'a' + round;
    int f = open("mapped", O_RDONLY);
    (void)!pread(f, text, 1, 0);
    (void)!pread(f, text + 1, 1, 4096);
    close(f);
    long none = write(my.pipe[1], my.none, 1);
    int e = errno;
    void *heap = sbrk(4096);
    memset(heap, 1, 4096);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int on = now.tv_sec > my.last.tv_sec ||
             (now.tv_sec == my.last.tv_sec && now.tv_nsec >= my.last.tv_nsec);
    my.last = now;
    void *robust = NULL;
    size_t bytes = 0;
    syscall(SYS_get_robust_list, 0, &robust, &bytes);
    printf("file %c%d private %s none %ld %s clock %d robust %d\n", text[0], text[1],
           my.private + 4096, none, strerrorname_np(e), on, robust != NULL);
}

static void keeps(void)
{
    mkdir("/tmp/carried", 0777);
    be_someone();
    hold_signals();
    open_files();
    map_memory();
    for (int round = 0; round < 4; round++) {
        printf("round %d\n", round);
        say_who();
        say_signals();
        say_files();
        say_memory(round);
        fflush(stdout);
        move_to((round + 1) % 2);
    }
    printf("%s\n", my.dir ? "end" : "");
}

// ---- what stays ---------------------------------------------------------------------------------

static void *waits(void *arg)
{
    pause();
    return arg;
}

static int child_waits(void *arg)
{
    (void)arg;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() != 1)
        pause();
    return 0;
}

static void with_child(int flags)
{
    if (clone(child_waits, stack + sizeof(stack), flags | SIGCHLD, NULL) < 0)
        perror("clone");
    pause();
}

static void stays(const char *kind)
{
    pthread_t t;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (!strcmp(kind, "threads"))
        for (int k = 0; k < 128; k++)
            pthread_create(&t, NULL, waits, NULL);
    else if (!strcmp(kind, "memory"))
        with_child(CLONE_VM);
    else if (!strcmp(kind, "vfork"))
        with_child(CLONE_VM | CLONE_VFORK);
    else if (!strcmp(kind, "directory"))
        with_child(CLONE_FS);
    else if (!strcmp(kind, "stopped"))
        raise(SIGSTOP);
    else if (!strcmp(kind, "signalfd")) {
        (void)!signalfd(-1, &set, 0);
        with_child(0);
    } else if (!strcmp(kind, "watch")) {
        int ep = epoll_create1(EPOLL_CLOEXEC), p[2];
        struct epoll_event e = {.events = EPOLLIN};
        (void)!pipe(p);
        epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e);
        if (fork() == 0) {
            close(ep);
            child_waits(NULL);
        }
        close(p[0]);
    } else if (!strcmp(kind, "traced")) {
        pid_t pid = getpid();
        if (fork() == 0) {
            ptrace(PTRACE_SEIZE, pid, 0, 0);
            child_waits(NULL);
        }
    } else if (!strcmp(kind, "tracer")) {
        pid_t pid = fork();
        if (pid == 0)
            child_waits(NULL);
        ptrace(PTRACE_SEIZE, pid, 0, 0);
    } else if (!strcmp(kind, "memory-file")) {
        (void)!open("/proc/self/mem", O_RDONLY);
    }
    pause();
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "keeps"))
        keeps();
    else if (argc == 2)
        stays(argv[1]);
    return 0;
}
