// SPDX-License-Identifier: MIT
// pidfds: opened, polled, signalled through, waited on, made by clone; pidfds far: of processes on
// the other node, and moved. Every line it prints is the same on Linux.
#define _GNU_SOURCE
#include "move.h"
#include "say.h"
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define NONBLOCK 04000

static long pidfd_open_(pid_t pid, unsigned flags)
{
    return syscall(SYS_pidfd_open, pid, flags);
}

static long send_signal(int fd, int signal, siginfo_t *info, unsigned flags)
{
    return syscall(SYS_pidfd_send_signal, fd, signal, info, flags);
}

static long getfd(int fd, int target, unsigned flags)
{
    return syscall(SYS_pidfd_getfd, fd, target, flags);
}

static int readable(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, ms) == 1 && (p.revents & POLLIN);
}

// The Pid: line: the child's, -1, or none.
static void info_of(const char *what, int fd, pid_t pid)
{
    char name[40], line[80];
    int found = 0;
    snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    FILE *f = fopen(name, "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Pid:\t%d", &found) == 1)
            break;
    if (f)
        fclose(f);
    printf("%s: %s\n", what, found == pid ? "the child" : found == -1 ? "gone" : "nobody");
}

static pid_t sleeper(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void waited(const char *what, int type, int id, int options)
{
    siginfo_t i = {0};
    int r = waitid(type, id, &i, options);
    if (r)
        printf("%s: %s\n", what, error_name(r));
    else
        printf("%s: code %d status %d %s\n", what, i.si_code, i.si_status, i.si_pid ? "pid" : "no");
}

static void arguments(void)
{
    int p[2];
    say("no flag of it", pidfd_open_(getpid(), 1));
    say("no pid", pidfd_open_(0, 0));
    say("a negative one", pidfd_open_(-5, 0));
    say("nobody", pidfd_open_(0x3ffffff, 0));
    int me = (int)pidfd_open_(getpid(), NONBLOCK);
    printf("me %s flags %o cloexec %d\n", error_name(me), fcntl(me, F_GETFL), fcntl(me, F_GETFD));
    char link[64] = "", name[40];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", me);
    printf("link %zd %s\n", readlink(name, link, sizeof(link) - 1), link);
    show_poll("alive", me);
    say("read", read(me, link, 8));
    say("write", write(me, link, 8));
    info_of("info", me, getpid());
    say("nothing sent", send_signal(me, 0, NULL, 0));
    say("flags of sending", send_signal(me, 0, NULL, 0x100));
    say("no signal", send_signal(me, 65, NULL, 0));
    if (pipe(p))
        exit(1);
    say("no pidfd", send_signal(p[0], 0, NULL, 0));
    say("no file", send_signal(-1, 0, NULL, 0));
    say("no pidfd", getfd(p[0], 0, 0));
    say("flags of getfd", getfd(me, 0, 1));
    say("what is not open", getfd(me, 900, 0));
    int again = (int)getfd(me, p[1], 0);
    printf("got %s cloexec %d\n", error_name(again), fcntl(again, F_GETFD));
    put(again, "through");
    char text[16] = "";
    say("read", read(p[0], text, sizeof(text)));
    printf("%s\n", text);
    waited("no child", P_PIDFD, me, WEXITED | WNOHANG);
    waited("no pidfd", P_PIDFD, p[0], WEXITED);
    waited("no number", P_PIDFD, -1, WEXITED);
    close(p[0]), close(p[1]), close(again), close(me);
}

static volatile sig_atomic_t heard;
static volatile int value;

static void on_signal(int s, siginfo_t *i, void *c)
{
    (void)c;
    heard = s;
    value = i->si_value.sival_int;
}

static void with_values(void)
{
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &a, NULL);
    int me = (int)pidfd_open_(getpid(), 0);
    siginfo_t i = {0};
    i.si_signo = SIGUSR1;
    i.si_code = SI_QUEUE;
    i.si_value.sival_int = 77;
    say("a value", send_signal(me, SIGUSR1, &i, 0));
    printf("heard %d %d\n", heard, value);
    say("another signal inside", send_signal(me, SIGUSR2, &i, 0));
    int folder = open("/proc/self", O_RDONLY | O_DIRECTORY);
    i.si_value.sival_int = 78;
    say("by the folder", send_signal(folder, SIGUSR1, &i, 0));
    printf("heard %d %d\n", heard, value);
    pid_t child = sleeper();
    int other = (int)pidfd_open_(child, 0);
    i.si_code = SI_USER;
    say("pretending", send_signal(other, SIGUSR1, &i, 0));
    kill(child, SIGKILL);
    waited("its end", P_PIDFD, other, WEXITED);
    close(me), close(folder), close(other);
}

static void life(void)
{
    pid_t child = sleeper();
    int fd = (int)pidfd_open_(child, 0), ep = epoll_create1(0), none;
    int quick = (int)pidfd_open_(child, NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = 7};
    say("watch", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    printf("alive: %d\n", epoll_wait(ep, &e, 1, 0));
    waited("nothing yet", P_PIDFD, fd, WEXITED | WNOHANG);
    waited("nothing yet", P_PIDFD, quick, WEXITED);
    say("stop", send_signal(fd, SIGSTOP, NULL, 0));
    waited("stopped", P_PIDFD, fd, WSTOPPED);
    say("end", send_signal(fd, SIGTERM, NULL, 0));
    say("continue", send_signal(fd, SIGCONT, NULL, 0));
    printf("ended: %d %u\n", epoll_wait(ep, &e, 1, 20000), e.data.u32);
    printf("readable: %d\n", readable(fd, 0));
    info_of("a zombie", fd, child);
    say("to a zombie", send_signal(fd, SIGTERM, NULL, 0));
    say("of a zombie", getfd(fd, 0, 0));
    none = (int)pidfd_open_(child, 0);
    printf("a pidfd of a zombie: %s %d\n", error_name(none), readable(none, 0));
    waited("looked at", P_PIDFD, fd, WEXITED | WNOWAIT);
    waited("taken", P_PIDFD, quick, WEXITED);
    waited("no more", P_PIDFD, fd, WEXITED);
    say("to nobody", send_signal(fd, 0, NULL, 0));
    say("of nobody", getfd(fd, 0, 0));
    info_of("afterwards", fd, child);
    printf("still readable: %d\n", readable(none, 0));
    close(fd), close(none), close(ep), close(quick);
}

static void clones(void)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } a = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
    int fd = -1, tid = -1;
    a.pidfd = (uintptr_t)&fd;
    fflush(stdout);
    long child = syscall(SYS_clone3, &a, sizeof(a));
    if (child == 0)
        _exit(5);
    printf("clone3 %s cloexec %d\n", error_name(child), fcntl(fd, F_GETFD));
    printf("ended: %d\n", readable(fd, 20000));
    waited("clone3", P_PIDFD, fd, WEXITED);
    close(fd);
    fd = -1;
    child = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
    if (child == 0)
        _exit(6);
    printf("clone %s cloexec %d\n", error_name(child), fcntl(fd, F_GETFD));
    waited("clone", P_PIDFD, fd, WEXITED);
    close(fd);
    a.flags |= CLONE_PARENT_SETTID;
    a.parent_tid = (uintptr_t)&fd;
    say("both at one place", syscall(SYS_clone3, &a, sizeof(a)));
    a.parent_tid = (uintptr_t)&tid;
    child = syscall(SYS_clone3, &a, sizeof(a));
    if (child == 0)
        _exit(7);
    printf("both %s %d\n", error_name(child), tid == child);
    waited("both", P_PIDFD, fd, WEXITED);
    close(fd);
    a.pidfd = 16;
    say("no memory for it", syscall(SYS_clone3, &a, sizeof(a)));
    say("clone cannot say both",
        syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0));
    waited("no child is left", P_ALL, 0, WEXITED);
}

// A child that goes to the other node, and lives or ends there.
static pid_t away(int up[2], int ends)
{
    char c;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        move_to(1);
        put(up[1], "x");
        if (ends) {
            usleep(100000);
            _exit(9);
        }
        for (;;)
            pause();
    }
    if (read(up[0], &c, 1) != 1)
        exit(1);
    return pid;
}

static void far(void)
{
    int up[2], p[2];
    if (pipe(up) || pipe(p))
        exit(1);
    pid_t near = sleeper(), there = away(up, 0), brief = away(up, 1);
    int a = (int)pidfd_open_(near, 0), b = (int)pidfd_open_(there, 0), c, ep = epoll_create1(0);
    c = (int)pidfd_open_(brief, 0);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = 1};
    epoll_ctl(ep, EPOLL_CTL_ADD, a, &e);
    e.data.u32 = 2;
    epoll_ctl(ep, EPOLL_CTL_ADD, b, &e);
    printf("ends there: %d\n", readable(c, 20000));
    waited("ended there", P_PIDFD, c, WEXITED | WNOHANG);
    say("to it", send_signal(c, 0, NULL, 0));
    info_of("far info", b, there);
    printf("alive: %d\n", readable(b, 0));
    int got = (int)getfd(b, p[1], 0);
    printf("got %s\n", error_name(got));
    put(got, "far");
    char text[8] = "";
    say("read", read(p[0], text, sizeof(text)));
    for (int k = 0; k < 2; k++) {
        move_to(1 - k);
        printf("alive: %d %d\n", readable(a, 0), readable(b, 0));
        say("near", send_signal(a, 0, NULL, 0));
        say("there", send_signal(b, 0, NULL, 0));
        info_of("near", a, near);
    }
    move_to(1);
    say("end the near one", send_signal(a, SIGKILL, NULL, 0));
    printf("told: %d", epoll_wait(ep, &e, 1, 20000));
    printf(" %u\n", e.data.u32);
    waited("near", P_PIDFD, a, WEXITED);
    epoll_ctl(ep, EPOLL_CTL_DEL, a, &e);
    move_to(0);
    say("end the far one", send_signal(b, SIGTERM, NULL, 0));
    printf("told: %d", epoll_wait(ep, &e, 1, 20000));
    printf(" %u\n", e.data.u32);
    waited("far", P_PIDFD, b, WEXITED);
    say("nobody there", send_signal(b, 0, NULL, 0));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "far")) {
        far();
        return 0;
    }
    arguments();
    with_values();
    life();
    clones();
    return 0;
}
