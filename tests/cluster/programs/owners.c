// SPDX-License-Identifier: MIT
// Owners of open files: F_SETOWN and its family, F_SETSIG, O_ASYNC, FIOASYNC on pipes, FIFOs,
// sockets and terminals: what is told, whom, and with what siginfo.
// owners far: between moves to node 1 and back (it stays without /proc/self/node).
#define _GNU_SOURCE
#include "said.h"
#include "move.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define RT (SIGRTMIN + 3)

static sigset_t told;

static const char *owner(int pid)
{
    return pid == getpid() ? "me" : pid == -getpgrp() ? "my group" : pid == 0 ? "nobody" : "other";
}

// What waits of the signals of this program; up to a second for the first.
static void say_told(const char *what, int fd)
{
    siginfo_t i;
    struct timespec soon = {1, 0}, now = {0};
    printf("%s:", what);
    for (int sig = sigtimedwait(&told, &i, &soon); sig > 0; sig = sigtimedwait(&told, &i, &now)) {
        if (sig == SIGIO && i.si_code == SI_KERNEL)
            printf(" io");
        else if (sig == SIGUSR1)
            printf(" usr1 %d", i.si_code);
        else
            printf(" %s code %d band %lx fd %s", sig == RT ? "rt" : strsignal(sig), i.si_code,
                   i.si_band, i.si_fd == fd ? "right" : "wrong");
    }
    printf("\n");
}

// Nothing waits; what would come late has come.
static void say_none(const char *what)
{
    siginfo_t i;
    struct timespec now = {0, 20000000};
    printf("%s: %s\n", what, sigtimedwait(&told, &i, &now) > 0 ? "told" : "none");
}

static void watch(int fd, int sig)
{
    fcntl(fd, F_SETOWN, getpid());
    fcntl(fd, F_SETSIG, sig);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK);
}

static void who_is_told(int f)
{
    struct f_owner_ex x = {.type = 9, .pid = 9};
    unsigned ids[2] = {9, 9};
    T(fcntl(f, F_GETOWN));
    T(fcntl(f, F_GETSIG));
    T(fcntl(f, F_GETOWN_EX, &x));
    printf("%d %d\n", x.type, x.pid);
    T(fcntl(f, F_SETOWN, 0x3ffffff));
    T(fcntl(f, F_SETOWN, -0x3ffffff));
    T(fcntl(f, F_SETOWN, (int)0x80000000));
    T(fcntl(f, F_SETOWN, getpid()));
    printf("%s\n", owner(fcntl(f, F_GETOWN)));
    T(fcntl(f, F_SETOWN, -getpgrp()));
    T(fcntl(f, F_GETOWN_EX, &x));
    printf("%d %s\n", x.type, owner(-x.pid));
    T(syscall(SYS_fcntl64, f, F_GETOWN) == -getpgrp() || errno == getpgrp());
    x = (struct f_owner_ex){F_OWNER_TID, syscall(SYS_gettid)};
    T(fcntl(f, F_SETOWN_EX, &x));
    x = (struct f_owner_ex){7, 7};
    T(fcntl(f, F_GETOWN_EX, &x));
    printf("%d %s\n", x.type, owner(x.pid));
    x = (struct f_owner_ex){F_OWNER_PGRP, getpgrp()};
    T(fcntl(f, F_SETOWN_EX, &x));
    printf("%s\n", owner(fcntl(f, F_GETOWN)));
    x = (struct f_owner_ex){F_OWNER_GID + 1, getpid()};
    T(fcntl(f, F_SETOWN_EX, &x));
    x = (struct f_owner_ex){-1, getpid()};
    T(fcntl(f, F_SETOWN_EX, &x));
    x = (struct f_owner_ex){F_OWNER_PID, 0x3ffffff};
    T(fcntl(f, F_SETOWN_EX, &x));
    x = (struct f_owner_ex){F_OWNER_PID, -getpid()};
    T(fcntl(f, F_SETOWN_EX, &x));
    T(fcntl(f, F_SETOWN_EX, (void *)8));
    T(fcntl(f, F_GETOWN_EX, (void *)8));
    T(fcntl(f, 17, ids)); // F_GETOWNER_UIDS
    printf("%u %u\n", ids[0], ids[1]);
    T(fcntl(f, F_SETOWN, 0));
    T(fcntl(f, F_GETOWN_EX, &x));
    printf("%d %d\n", x.type, x.pid);
}

static void how_it_is_told(int f)
{
    int on = 1, off = 0, who;
    T(fcntl(f, F_SETSIG, 65));
    T(fcntl(f, F_SETSIG, -1));
    T(fcntl(f, F_SETSIG, SIGUSR1));
    T(fcntl(f, F_GETSIG));
    T(fcntl(f, F_SETSIG, 0));
    T(fcntl(f, F_GETSIG));
    T(ioctl(f, FIOASYNC, &on));
    T((fcntl(f, F_GETFL) & O_ASYNC) != 0);
    T(ioctl(f, FIOASYNC, &on));
    T(ioctl(f, FIOASYNC, &off));
    T((fcntl(f, F_GETFL) & O_ASYNC) != 0);
    T(ioctl(f, FIOASYNC, (void *)8));
    T(fcntl(f, F_SETFL, O_ASYNC));
    T((fcntl(f, F_GETFL) & O_ASYNC) != 0);
    T(fcntl(f, F_SETFL, 0));
    T((fcntl(f, F_GETFL) & O_ASYNC) != 0);
    who = getpid();
    T(ioctl(f, FIOSETOWN, &who));
    who = 77;
    T(ioctl(f, FIOGETOWN, &who));
    printf("%s\n", who == 77 ? "as it was" : owner(who));
    who = -getpgrp();
    T(ioctl(f, SIOCSPGRP, &who));
    who = 77;
    T(ioctl(f, SIOCGPGRP, &who));
    printf("%s\n", who == 77 ? "as it was" : owner(who));
    T(ioctl(f, FIOSETOWN, (void *)8));
    T(ioctl(f, FIOGETOWN, (void *)8));
    who = 0x3ffffff;
    T(ioctl(f, FIOSETOWN, &who));
}

static void owners(void)
{
    int fd = open("/dev/null", O_RDWR), p[2], s[2];
    struct f_owner_ex x;
    pipe(p);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    int all[] = {fd, p[0], s[0]};
    for (int k = 0; k < 3; k++) {
        who_is_told(all[k]);
        how_it_is_told(all[k]);
    }
    T(fcntl(99, F_SETOWN, 0));
    T(fcntl(99, F_GETSIG));
    int path = open("/", O_PATH);
    T(fcntl(path, F_SETSIG, 0));
    T(fcntl(path, F_GETOWN_EX, &x));
    for (int k = fd; k <= path; k++)
        close(k);
}

static void gone_owner(void)
{
    int p[2], child;
    pipe(p);
    if ((child = fork()) == 0) {
        pause();
        _exit(0);
    }
    T(fcntl(p[0], F_SETOWN, child));
    T(fcntl(p[0], F_GETOWN) == child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    T(fcntl(p[0], F_GETOWN));
    T(fcntl(p[0], F_SETOWN, child));
    close(p[0]);
    close(p[1]);
}

static void a_pipe(int *p, const char *name)
{
    char many[8192] = {0};
    puts(name);
    watch(p[0], 0);
    write(p[1], "a", 1);
    say_told("first byte", p[0]);
    write(p[1], "a", 1);
    say_told("second byte", p[0]);
    read(p[0], many, 1);
    say_none("a byte read");
    fcntl(p[0], F_SETSIG, RT);
    write(p[1], "a", 1);
    say_told("with details", p[0]);
    fcntl(p[0], F_SETSIG, SIGIO);
    write(p[1], "a", 1);
    say_told("SIGIO by name", p[0]);
    fcntl(p[0], F_SETSIG, SIGCHLD);
    write(p[1], "a", 1);
    say_told("codes of its own", p[0]);
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    write(p[1], "a", 1);
    say_none("switched off");
    watch(p[1], RT);
    say_none("was room before");
    while (write(p[1], many, sizeof(many)) > 0)
        ;
    say_none("filled");
    while (read(p[0], many, sizeof(many)) == sizeof(many))
        break;
    say_told("room", p[1]);
    fcntl(p[0], F_SETSIG, 0);
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    fcntl(p[0], F_SETFL, O_NONBLOCK | O_ASYNC);
    close(p[1]);
    say_told("no writer", p[0]);
    close(p[0]);
}

static void pipes(void)
{
    int p[2];
    pipe(p);
    a_pipe(p, "pipe");
    mkfifo("/opt/o-fifo", 0600);
    p[0] = open("/opt/o-fifo", O_RDONLY | O_NONBLOCK);
    p[1] = open("/opt/o-fifo", O_WRONLY);
    a_pipe(p, "fifo");
    unlink("/opt/o-fifo");
    pipe(p);
    watch(p[1], RT);
    close(p[0]);
    say_told("no reader", p[1]);
    close(p[1]);
    p[0] = open("/dev/null", O_RDWR);
    watch(p[0], 0);
    write(p[0], "a", 1);
    say_none("null");
    close(p[0]);
}

static void whom(void)
{
    int p[2], child, status;
    struct f_owner_ex x = {F_OWNER_TID, syscall(SYS_gettid)};
    pipe(p);
    watch(p[0], 0);
    fcntl(p[0], F_SETOWN, -getpgrp());
    if ((child = fork()) == 0) {
        siginfo_t i;
        struct timespec soon = {5, 0};
        _exit(sigtimedwait(&told, &i, &soon) == SIGIO ? 5 : 6);
    }
    write(p[1], "a", 1);
    say_told("group, one of two", p[0]);
    waitpid(child, &status, 0);
    printf("the other: %x\n", status);
    fcntl(p[0], F_SETOWN_EX, &x);
    write(p[1], "a", 1);
    say_told("thread", p[0]);
    fcntl(p[0], F_SETOWN, 0);
    write(p[1], "a", 1);
    say_none("nobody");
    // Somebody else's owner may not signal us.
    if ((child = fork()) == 0) {
        setresuid(0, 4000, 0);
        fcntl(p[0], F_SETOWN, getppid());
        _exit(0);
    }
    waitpid(child, &status, 0);
    write(p[1], "a", 1);
    say_told("by root's real id", p[0]);
    if ((child = fork()) == 0) {
        setresuid(4000, 4000, 4000);
        fcntl(p[0], F_SETOWN, getppid());
        _exit(0);
    }
    waitpid(child, &status, 0);
    write(p[1], "a", 1);
    say_none("by who may not");
    close(p[0]);
    close(p[1]);
}

static void signalfds(void)
{
    int p[2], fd = signalfd(-1, &told, SFD_NONBLOCK);
    struct signalfd_siginfo i = {0};
    pipe(p);
    watch(p[0], RT);
    write(p[1], "a", 1);
    struct pollfd w = {fd, POLLIN, 0};
    poll(&w, 1, 1000);
    T(read(fd, &i, sizeof(i)));
    printf("%d %x %d\n", i.ssi_code, i.ssi_band, i.ssi_fd == p[0]);
    close(p[0]);
    close(p[1]);
    close(fd);
}

static void unixes(void)
{
    int s[2], l, c, a;
    struct sockaddr_un name = {AF_UNIX, "/opt/o-unix"};
    char b[8];
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        printf("type %d\n", type);
        socketpair(AF_UNIX, type, 0, s);
        watch(s[0], RT);
        send(s[1], "ab", 2, 0);
        say_told("bytes", s[0]);
        recv(s[0], b, sizeof(b), 0);
        say_none("read");
        send(s[0], "ab", 2, 0);
        say_none("sent");
        shutdown(s[1], SHUT_WR);
        if (type == SOCK_STREAM)
            say_told("peer shut down", s[0]);
        close(s[1]);
        if (type == SOCK_STREAM)
            say_told("peer closed", s[0]);
        close(s[0]);
    }
    l = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(l, (void *)&name, sizeof(name));
    listen(l, 5);
    watch(l, RT);
    c = socket(AF_UNIX, SOCK_STREAM, 0);
    connect(c, (void *)&name, sizeof(name));
    say_told("connection", l);
    a = accept(l, NULL, NULL);
    T((fcntl(a, F_GETFL) & O_ASYNC) != 0);
    printf("%s\n", owner(fcntl(a, F_GETOWN)));
    say_none("accepted");
    unlink(name.sun_path);
    close(a);
    close(c);
    close(l);
}

static void internets(void)
{
    struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t n = sizeof(at);
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), a;
    int u = socket(AF_INET, SOCK_DGRAM, 0);
    char b[8];
    bind(l, (void *)&at, sizeof(at));
    listen(l, 5);
    getsockname(l, (void *)&at, &n);
    watch(l, RT);
    connect(c, (void *)&at, sizeof(at));
    say_told("connection", l);
    fcntl(l, F_SETFL, 0);
    a = accept(l, NULL, NULL);
    watch(a, RT);
    send(c, "ab", 2, 0);
    say_told("bytes", a);
    recv(a, b, sizeof(b), 0);
    say_none("read");
    fcntl(a, F_SETSIG, 0); // Linux tells of a FIN twice
    shutdown(c, SHUT_WR);
    say_told("half closed", a);
    close(c);
    close(a);
    close(l);
    at.sin_port = 0;
    bind(u, (void *)&at, sizeof(at));
    getsockname(u, (void *)&at, &n);
    watch(u, RT);
    sendto(u, "ab", 2, 0, (void *)&at, sizeof(at));
    say_told("datagram", u);
    recv(u, b, sizeof(b), 0);
    close(u);
}

static void terminals(void)
{
    int m = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(m);
    unlockpt(m);
    int t = open(ptsname(m), O_RDWR | O_NOCTTY);
    struct termios raw;
    char b[32];
    tcgetattr(t, &raw);
    cfmakeraw(&raw);
    fcntl(t, F_SETFL, O_ASYNC | O_NONBLOCK); // gets an owner of itself
    printf("%s\n", owner(fcntl(t, F_GETOWN)));
    write(m, "ab", 2);
    say_none("half a line");
    write(m, "\n", 1);
    say_told("a line", t);
    fcntl(t, F_SETFL, O_NONBLOCK);
    tcsetattr(t, TCSAFLUSH, &raw);
    watch(t, RT);
    write(m, "a", 1);
    say_told("raw", t);
    fcntl(t, F_SETFL, O_NONBLOCK);
    read(m, b, sizeof(b));
    watch(m, RT);
    write(t, "xyz", 3);
    say_told("output", m);
    close(t);
    close(m);
}

static void far(void)
{
    struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t n = sizeof(at);
    int p[2], q[2], s[2], u = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    char b[8];
    struct f_owner_ex x;
    pipe(p);
    pipe(q);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    bind(u, (void *)&at, sizeof(at));
    getsockname(u, (void *)&at, &n);
    watch(p[0], RT);
    watch(s[0], 0);
    for (int k = 0; k < 3; k++) {
        move_to(k & 1 ? 0 : 1); // 1, 0, 1
        printf("move %d\n", k);
        write(p[1], "a", 1);
        say_told("pipe", p[0]);
        send(s[1], "a", 1, 0);
        say_told("socket", s[0]);
        printf("%s\n", owner(fcntl(p[0], F_GETOWN)));
        T(fcntl(p[0], F_GETSIG) == RT);
        T((fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
        T(fcntl(s[0], F_GETOWN_EX, &x));
        printf("%d %s\n", x.type, owner(x.pid));
        if (k == 0) { // asked from elsewhere
            watch(u, RT);
            T(fcntl(q[0], F_SETOWN, -getpgrp()));
            T(ioctl(q[0], FIOASYNC, &on));
        }
        sendto(u, "ab", 2, 0, (void *)&at, sizeof(at));
        say_told("datagram", u);
        recv(u, b, sizeof(b), 0);
        write(q[1], "a", 1);
        say_told("group", q[0]);
    }
    fcntl(p[0], F_SETFL, 0);
    write(p[1], "a", 1);
    say_none("off");
    move_to(0);
    T((fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
    T((fcntl(q[0], F_GETFL) & O_ASYNC) != 0);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setpgid(0, 0);
    sigemptyset(&told);
    sigaddset(&told, SIGIO);
    sigaddset(&told, SIGUSR1);
    sigaddset(&told, SIGCHLD);
    sigaddset(&told, RT);
    sigprocmask(SIG_BLOCK, &told, NULL);
    (void)argv;
    if (argc > 1) {
        far();
        return 0;
    }
    owners();
    gone_owner();
    sigdelset(&told, SIGCHLD);
    pipes();
    whom();
    signalfds();
    unixes();
    internets();
    terminals();
    return 0;
}
