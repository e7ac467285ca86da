// SPDX-License-Identifier: MIT
// Urgent data of TCP: MSG_OOB, SO_OOBINLINE, sockatmark, SIGURG, POLLPRI, over loopback.
// urgent far: between moves to node 1 and back (it stays without /proc/self/node).
// urgent serve PORT: what it hears of a peer, for test_network.py.
#define _GNU_SOURCE
#include "said.h"
#include "move.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define RT (SIGRTMIN + 2)

static char b[4096];
static volatile int urgs;

static void on_urg(int signal)
{
    (void)signal;
    urgs++;
}

static void pair_at(int *c, int *s, int inlined)
{
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t n = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(l, SOL_SOCKET, SO_OOBINLINE, &inlined, sizeof(inlined));
    if (bind(l, (void *)&a, n) < 0 || listen(l, 1) < 0)
        exit(3);
    getsockname(l, (void *)&a, &n);
    *c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(*c, (void *)&a, n) < 0)
        exit(4);
    *s = accept(l, NULL, NULL);
    close(l);
}

// What can be told of s without reading from it.
static void look(int s)
{
    struct pollfd p = {s, POLLIN | POLLPRI | POLLRDBAND, 0};
    struct timeval none = {0, 0};
    fd_set in, ex;
    int mark = -1, n = -1;
    FD_ZERO(&in);
    FD_ZERO(&ex);
    FD_SET(s, &in);
    FD_SET(s, &ex);
    poll(&p, 1, 0);
    select(s + 1, &in, NULL, &ex, &none);
    ioctl(s, SIOCATMARK, &mark);
    ioctl(s, FIONREAD, &n);
    printf("   in %d pri %d, select %d %d, mark %d %d, %d bytes, %d signals\n",
           (p.revents & POLLIN) != 0, (p.revents & POLLPRI) != 0, FD_ISSET(s, &in),
           FD_ISSET(s, &ex), mark, sockatmark(s), n, urgs);
}

static void got(int s, size_t room, int flags)
{
    struct iovec v = {b, room};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    errno = 0;
    memset(b, 0, sizeof(b));
    long n = recvmsg(s, &m, flags | MSG_DONTWAIT);
    printf("   recv %s%s%zu: %ld %s \"%s\" %x\n", flags & MSG_OOB ? "OOB " : "",
           flags & MSG_PEEK ? "PEEK " : "", room, n, n < 0 ? strerrorname_np(errno) : "", b,
           n < 0 ? 0 : m.msg_flags & (MSG_OOB | MSG_TRUNC));
}

// By the time this returns it has come, however busy the host is.
static long sends(int c, const char *text, int flags)
{
    long n = send(c, text, strlen(text), flags);
    usleep(2000);
    return n;
}

static void plain(void)
{
    int c, s;
    pair_at(&c, &s, 0);
    puts("- none");
    look(s);
    got(s, 8, MSG_OOB);
    T(sends(c, "abc", MSG_OOB));
    puts("- two before it");
    look(s);
    got(s, 8, MSG_PEEK);
    got(s, 8, MSG_OOB | MSG_PEEK);
    got(s, 0, MSG_OOB | MSG_PEEK);
    got(s, 8, MSG_OOB);
    got(s, 8, MSG_OOB);
    look(s);
    got(s, 1, 0);
    got(s, 8, 0);
    look(s);
    got(s, 8, 0);
    look(s);
    puts("- between others, never taken");
    sends(c, "de", 0);
    sends(c, "f", MSG_OOB);
    sends(c, "gh", 0);
    look(s);
    T(recv(s, b, 8, MSG_WAITALL));
    look(s);
    got(s, 8, MSG_PEEK);
    look(s);
    got(s, 0, MSG_OOB);
    got(s, 8, 0);
    got(s, 8, MSG_OOB);
    look(s);
    puts("- nothing else");
    sends(c, "i", MSG_OOB);
    look(s);
    got(s, 8, 0);
    look(s);
    got(s, 8, MSG_OOB);
    puts("- no bytes");
    T(sends(c, "", MSG_OOB));
    look(s);
    close(c);
    close(s);
}

static void moved(void)
{
    int c, s;
    pair_at(&c, &s, 0);
    puts("- a second one before the first was read");
    sends(c, "ab", MSG_OOB);
    sends(c, "cd", MSG_OOB);
    look(s);
    got(s, 8, 0);
    look(s);
    got(s, 8, MSG_OOB);
    puts("- one behind the one that the reader stands at");
    sends(c, "e", MSG_OOB);
    look(s);
    sends(c, "f", MSG_OOB);
    look(s);
    got(s, 8, 0);
    got(s, 8, MSG_OOB);
    puts("- and the end");
    sends(c, "g", MSG_OOB);
    shutdown(c, SHUT_WR);
    poll(&(struct pollfd){s, POLLRDHUP, 0}, 1, 2000);
    look(s);
    got(s, 8, 0);
    got(s, 8, 0);
    got(s, 8, MSG_OOB);
    close(c);
    close(s);
}

static void inlined(void)
{
    int c, s, on = 1;
    pair_at(&c, &s, 1);
    puts("- inline");
    T(sends(c, "abc", MSG_OOB));
    T(sends(c, "de", 0));
    look(s);
    got(s, 8, MSG_OOB);
    got(s, 8, 0);
    look(s);
    got(s, 8, MSG_PEEK);
    got(s, 8, 0);
    look(s);
    on = 0;
    T(setsockopt(s, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
    sends(c, "fg", MSG_OOB);
    on = 1;
    T(setsockopt(s, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
    look(s);
    got(s, 8, MSG_OOB);
    T(recv(s, b, 8, MSG_WAITALL | MSG_DONTWAIT));
    look(s);
    got(s, 8, 0);
    look(s);
    close(c);
    close(s);
}

static void told(void)
{
    int c, s;
    siginfo_t i;
    sigset_t set;
    struct timespec none = {0, 0};
    struct epoll_event e = {.events = EPOLLPRI};
    puts("- told");
    pair_at(&c, &s, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    sigaddset(&set, RT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sends(c, "a", MSG_OOB);
    T(sigtimedwait(&set, &i, &none)); // nobody owns it
    T(fcntl(s, F_SETOWN, getpid()));
    sends(c, "b", MSG_OOB);
    T(sigtimedwait(&set, &i, &none) == SIGURG);
    printf("code %d\n", i.si_code);
    T(sigtimedwait(&set, &i, &none));
    T(fcntl(s, F_SETSIG, RT));
    sends(c, "c", MSG_OOB);
    T(sigtimedwait(&set, &i, &none) == SIGURG);
    T(sigtimedwait(&set, &i, &none));
    T(fcntl(s, F_SETFL, O_ASYNC));
    sends(c, "d", MSG_OOB);
    T(sigtimedwait(&set, &i, &none) == SIGURG);
    T(sigtimedwait(&set, &i, &none) == RT);
    printf("code %d band %lx same %d\n", i.si_code, i.si_band, i.si_fd == s);
    fcntl(s, F_SETFL, 0);
    while (sigtimedwait(&set, &i, &none) > 0)
        continue;
    int ep = epoll_create1(0);
    T(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
    T(epoll_wait(ep, &e, 1, 0));
    printf("events %x\n", e.events);
    got(s, 1, MSG_OOB);
    T(epoll_wait(ep, &e, 1, 0));
    close(ep);
    close(c);
    close(s);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

// Those who sleep are woken.
static void waits(void)
{
    int c, s, status;
    puts("- who waits");
    pair_at(&c, &s, 0);
    pid_t child = fork();
    if (child == 0) {
        struct pollfd p = {s, POLLPRI, 0};
        poll(&p, 1, 5000);
        recv(s, b, 1, MSG_OOB);
        _exit(p.revents == POLLPRI ? b[0] : 1);
    }
    usleep(20000);
    sends(c, "w", MSG_OOB);
    waitpid(child, &status, 0);
    printf("poll and recv: %c\n", WEXITSTATUS(status));
    child = fork();
    if (child == 0) { // sleeps over an urgent byte until there is another one
        read(s, b, 1);
        _exit(b[0]);
    }
    usleep(20000);
    sends(c, "u", MSG_OOB);
    usleep(20000);
    sends(c, "v", 0);
    waitpid(child, &status, 0);
    printf("read: %c\n", WEXITSTATUS(status));
    close(c);
    close(s);
}

static void elsewhere(void)
{
    int c, u = socket(AF_INET, SOCK_DGRAM, 0), mark, p[2];
    puts("- of other sockets");
    c = socket(AF_INET, SOCK_STREAM, 0);
    T(send(c, "a", 1, MSG_OOB | MSG_NOSIGNAL));
    T(recv(c, b, 1, MSG_OOB));
    T(sockatmark(c));
    T(listen(c, 1));
    T(recv(c, b, 1, MSG_OOB));
    T(sockatmark(c));
    T(recv(u, b, 1, MSG_OOB | MSG_DONTWAIT));
    T(ioctl(u, SIOCATMARK, &mark));
    T(sockatmark(0));
    socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
    T(send(p[0], "a", 1, MSG_OOB));
    T(recv(p[1], b, 1, MSG_OOB | MSG_DONTWAIT));
    close(c);
    close(u);
}

static void wait_for(int s, short events)
{
    struct pollfd p = {s, events, 0};
    poll(&p, 1, 5000);
}

static void heard(int count) // a signal has its own way
{
    for (int tries = 0; urgs < count && tries < 3000; tries++)
        usleep(10000);
}

static void far(void)
{
    int c, s, on = 1;
    pair_at(&c, &s, 0);
    fcntl(s, F_SETOWN, getpid());
    for (int k = 0; k < 3; k++) {
        move_to(k & 1 ? 0 : 1); // 1, 0, 1
        printf("move %d\n", k);
        urgs = 0;
        send(c, "abc", 3, MSG_OOB);
        send(c, "de", 2, 0);
        wait_for(s, POLLPRI);
        heard(1);
        look(s);
        got(s, 1, 0);
        T(recv(s, b, 8, MSG_WAITALL));
        look(s);
        got(s, 8, MSG_OOB);
        got(s, 8, MSG_OOB);
        T(recv(s, b, 2, MSG_WAITALL));
        T(memcmp(b, "de", 2));
        look(s);
        send(c, "f", 1, MSG_OOB);
        heard(2);
    }
    T(setsockopt(s, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
    got(s, 8, 0);
    close(c);
    close(s);
}

// Hears "ab", urgent "c", "d"; says "xy", urgent "z", "w"; is then sent more than it takes, with an
// urgent byte behind it.
static int serve(int port)
{
    struct sockaddr_in a = {AF_INET, htons((uint16_t)port), {0}, {0}};
    int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(l, (void *)&a, sizeof(a)) < 0 || listen(l, 1) < 0)
        return 3;
    int s = accept(l, NULL, NULL);
    fcntl(s, F_SETOWN, getpid());
    send(s, "r", 1, 0); // ready to be told
    wait_for(s, POLLPRI);
    recv(s, b, 2, MSG_WAITALL | MSG_PEEK);
    look(s);
    got(s, 8, 0);
    wait_for(s, POLLIN); // for what follows the urgent byte
    look(s);
    got(s, 8, MSG_OOB);
    got(s, 8, 0);
    send(s, "xy", 2, 0);
    send(s, "z", 1, MSG_OOB);
    send(s, "w", 1, 0);
    heard(2);
    printf("%d signals\n", urgs);
    got(s, 1, MSG_OOB);
    long n, sum = 0;
    while ((n = recv(s, b, sizeof(b), 0)) > 0 && (sum += n) < 300000)
        continue;
    printf("%ld bytes\n", sum);
    wait_for(s, POLLPRI);
    got(s, 1, MSG_OOB);
    wait_for(s, POLLRDHUP);
    got(s, 1, 0);
    close(s);
    return 0;
}

int main(int argc, char **argv)
{
    struct sigaction a = {.sa_handler = on_urg, .sa_flags = SA_RESTART};
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGURG, &a, NULL);
    if (argc > 2)
        return serve(atoi(argv[2]));
    if (argc > 1) {
        far();
        return 0;
    }
    plain();
    moved();
    inlined();
    told();
    waits();
    elsewhere();
    return 0;
}
