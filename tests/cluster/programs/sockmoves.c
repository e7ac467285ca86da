// SPDX-License-Identifier: MIT
// Sockets of a process that moves: `sockmoves move NODE` does it on the way, `sockmoves move` does
// not, and both print the same. `sockmoves serve` and `sockmoves ask` talk through AF_UNIX names
// from whatever nodes they are started on.
#define _GNU_SOURCE
#include "say.h"
#include <arpa/inet.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static void go(const char *node)
{
    int f = node ? open("/proc/self/node", O_WRONLY) : -1;
    if (node && write(f, node, strlen(node)) < 0) {
        printf("no move: %s\n", strerrorname_np(errno));
        exit(1);
    }
    if (node)
        close(f);
}

static int pass(int s, int fd, int flags)
{
    char control[CMSG_SPACE(4)] = "";
    struct iovec v = {"f", 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = (void *)control;
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, 4);
    return (int)sendmsg(s, &m, flags);
}

static int passed(int s)
{
    char control[CMSG_SPACE(4)] = "", b;
    struct iovec v = {&b, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int fd = -1;
    if (recvmsg(s, &m, 0) == 1 && m.msg_controllen >= CMSG_LEN(4))
        memcpy(&fd, CMSG_DATA((struct cmsghdr *)control), 4);
    return fd;
}

// The other end of everything, which stays where it is.
static void echo(int pair, int stream)
{
    char b[70000];
    long n;
    int up = passed(pair);
    while ((n = read(up, b, sizeof(b))) > 0)
        write(pair, b, (size_t)n);
    shutdown(pair, SHUT_WR);
    while ((n = read(stream, b, sizeof(b))) > 0)
        for (long k = 0; k < n;)
            k += write(stream, b + k, (size_t)(n - k));
    _exit(0);
}

static void much(int s)
{
    static char out[200000], in[200000];
    for (size_t k = 0; k < sizeof(out); k++)
        out[k] = (char)(k * 7 + k / 256);
    if (fork() == 0) {
        for (size_t k = 0; k < sizeof(out);)
            k += (size_t)write(s, out + k, sizeof(out) - k);
        _exit(0);
    }
    say("much", recv(s, in, sizeof(in), MSG_WAITALL));
    printf("the same %d\n", !memcmp(in, out, sizeof(in)));
    wait(NULL);
}

// A file that could not be passed on stays whole.
static void refused(const int *full, int fd)
{
    static char b[4096];
    while (send(full[0], b, sizeof(b), MSG_DONTWAIT) > 0)
        continue;
    for (int k = 0; k < 3; k++)
        say("pass to a full one", pass(full[0], fd, MSG_DONTWAIT));
}

static void calls(int l, int c, int u)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    int v = 0;
    say("getsockname", getsockname(l, (void *)&a, &n));
    printf("%s %d\n", inet_ntoa(a.sin_addr), a.sin_port != 0);
    say("getpeername", getpeername(c, (void *)&a, &n));
    n = sizeof(v);
    say("SO_TYPE", getsockopt(u, SOL_SOCKET, SO_TYPE, &v, &n));
    printf("%d\n", v);
    struct timeval t = {0, 40000};
    say("SO_RCVTIMEO", setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    char b[8];
    say("timeout", recv(u, b, 1, 0));
    n = sizeof(a);
    getsockname(u, (void *)&a, &n);
    say("to itself", sendto(u, "self", 4, 0, (void *)&a, n));
    struct pollfd p[2] = {{u, POLLIN, 0}, {l, POLLIN, 0}};
    say("poll", poll(p, 2, 1000));
    printf("%x %x\n", p[0].revents, p[1].revents);
    say("FIONREAD", ioctl(u, FIONREAD, &v));
    printf("%d\n", v);
    n = sizeof(a);
    say("recvfrom", recvfrom(u, b, 8, 0, (void *)&a, &n));
    printf("%.4s from %s\n", b, inet_ntoa(a.sin_addr));
    say("not a socket", listen(0, 1));
    say("bind again", bind(u, (void *)&a, n));
}

// A new connection, made and accepted after the move.
static void fresh(int l)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    char b[8] = "";
    getsockname(l, (void *)&a, &n);
    if (fork() == 0) {
        int d = accept(l, NULL, NULL);
        write(d, "accepted", 8);
        _exit(0);
    }
    int c = socket(AF_INET, SOCK_STREAM, 0);
    int r = connect(c, (void *)&a, n);
    if (r < 0) { // the listener's loopback is another node's: its end is made there by a child
        printf("connect: %s\n", strerrorname_np(errno));
        return;
    }
    say("of the new one", recv(c, b, 8, MSG_WAITALL));
    wait(NULL);
}

static int move(const char *node)
{
    int pair[2], up[2], full[2], l = socket(AF_INET, SOCK_STREAM, 0),
                                 c = socket(AF_INET, SOCK_STREAM, 0);
    int u = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    char b[64] = "";
    bind(l, (void *)&a, n);
    bind(u, (void *)&a, n);
    listen(l, 5);
    getsockname(l, (void *)&a, &n);
    connect(c, (void *)&a, n);
    int d = accept(l, NULL, NULL);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    socketpair(AF_UNIX, SOCK_STREAM, 0, full);
    pipe(up);
    if (fork() == 0) {
        close(pair[0]);
        close(up[0]), close(up[1]);
        close(c);
        echo(pair[1], d);
    }
    close(d);
    close(pair[1]);
    go(node);
    refused(full, up[0]);
    say("pass the pipe", pass(pair[0], up[0], 0));
    close(up[0]);
    write(up[1], "through", 7);
    say("back", recv(pair[0], b, sizeof(b), 0));
    printf("%s\n", b);
    close(up[1]);
    say("its end", recv(pair[0], b, 1, 0));
    say("send", send(c, "hello", 5, 0));
    say("peek", recv(c, b, 5, MSG_PEEK | MSG_WAITALL));
    say("recv", recv(c, b, 5, 0));
    say("dontwait", recv(c, b, 5, MSG_DONTWAIT));
    much(c);
    calls(l, c, u);
    if (node)
        go("0");
    fresh(l);
    shutdown(c, SHUT_WR);
    say("end", read(c, b, 1));
    wait(NULL);
    return 0;
}

static struct sockaddr_un name_of(const char *path, socklen_t *n)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    *n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@')
        a.sun_path[0] = 0;
    else
        ++*n;
    return a;
}

static int bound(int type, const char *path)
{
    socklen_t n;
    struct sockaddr_un a = name_of(path, &n);
    int s = socket(AF_UNIX, type, 0);
    unlink(path);
    if (bind(s, (void *)&a, n) < 0)
        perror(path);
    if (type == SOCK_STREAM)
        listen(s, 5);
    return s;
}

static int serve(void)
{
    int l = bound(SOCK_STREAM, "/tmp/far.sock"), k = bound(SOCK_STREAM, "@far");
    int u = bound(SOCK_DGRAM, "/tmp/far.dgram"), f;
    char b[64];
    struct sockaddr_un a;
    socklen_t n = sizeof(a);
    close(open("/tmp/far.ready", O_CREAT | O_WRONLY, 0600));
    long got = recvfrom(u, b, sizeof(b), 0, (void *)&a, &n);
    sendto(u, b, (size_t)got, 0, (void *)&a, n);
    int c = accept(l, NULL, NULL);
    if ((f = passed(c)) >= 0)
        write(f, "in the pipe", 11);
    close(f);
    got = read(c, b, sizeof(b));
    write(c, b, (size_t)got);
    close(c);
    c = accept(k, NULL, NULL);
    struct ucred cred;
    n = sizeof(cred);
    getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &n);
    got = snprintf(b, sizeof(b), "%d", cred.pid);
    write(c, b, (size_t)got);
    return 0;
}

static int reach(int type, const char *path)
{
    socklen_t n;
    struct sockaddr_un a = name_of(path, &n);
    int s = socket(AF_UNIX, type, 0);
    say(path, connect(s, (void *)&a, n));
    return s;
}

static int ask(void)
{
    char b[64] = "";
    int p[2], s, u = bound(SOCK_DGRAM, "/tmp/far.answer");
    socklen_t n;
    struct sockaddr_un a = name_of("/tmp/far.dgram", &n);
    while (access("/tmp/far.ready", F_OK) < 0)
        usleep(10000);
    say("sendto", sendto(u, "ping", 4, 0, (void *)&a, n));
    say("answer", recv(u, b, sizeof(b), 0));
    while (sendto(u, "more", 4, MSG_DONTWAIT, (void *)&a, n) == 4)
        continue;
    struct timeval t = {0, 40000};
    setsockopt(u, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
    say("full for a while", sendto(u, "more", 4, 0, (void *)&a, n));
    s = reach(SOCK_STREAM, "/tmp/far.sock");
    pipe(p);
    say("pass", pass(s, p[1], 0));
    close(p[1]);
    say("pipe", read(p[0], b, sizeof(b)));
    printf("%s\n", b);
    say("write", write(s, "over", 4));
    say("read", read(s, b, sizeof(b)));
    say("end", read(s, b, 1));
    a = name_of("@far", &n);
    say("its name", bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, n));
    s = reach(SOCK_STREAM, "@far");
    memset(b, 0, sizeof(b));
    read(s, b, sizeof(b));
    printf("known as me %d\n", atoi(b) == getpid());
    say("end", read(s, b, 1));
    usleep(100000);
    reach(SOCK_STREAM, "@far");
    unlink("/tmp/far.ready");
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "serve"))
        return serve();
    if (argc > 1 && !strcmp(argv[1], "ask"))
        return ask();
    return move(argc > 2 ? argv[2] : NULL);
}
