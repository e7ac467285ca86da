// SPDX-License-Identifier: MIT
// Sockets that wait: signals, backlogs, several waiters, what comes beside datagrams. Prints the
// same on Linux and on Weft.
#define _GNU_SOURCE
#include "say.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static int alarms;

static void on_alarm(int s)
{
    (void)s;
    alarms++;
}

static void after_ms(int ms, int flags)
{
    struct sigaction a = {.sa_handler = on_alarm, .sa_flags = flags};
    struct itimerval t = {.it_value = {0, ms * 1000}};
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int udp(struct sockaddr_in *a)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t n = sizeof(*a);
    *a = loopback(0);
    bind(s, (void *)a, n);
    getsockname(s, (void *)a, &n);
    return s;
}

static int listener(struct sockaddr_in *a, int backlog)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof(*a);
    *a = loopback(0);
    bind(s, (void *)a, n);
    listen(s, backlog);
    getsockname(s, (void *)a, &n);
    return s;
}

static void interrupted(void)
{
    puts("- interrupted");
    struct sockaddr_in a;
    int s = udp(&a), l = listener(&a, 1), p[2];
    char b[8];
    struct timeval t = {5, 0};
    after_ms(30, 0);
    say("recv", recv(s, b, 1, 0));
    after_ms(30, 0);
    say("accept", accept(l, NULL, NULL));
    socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    after_ms(30, 0);
    say("read", read(p[0], b, 1));
    setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    after_ms(30, SA_RESTART);
    say("with a timeout", recv(p[0], b, 1, 0));
    t.tv_sec = 0;
    setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    after_ms(30, SA_RESTART);
    if (fork() == 0) {
        usleep(120000);
        write(p[1], "late", 4);
        _exit(0);
    }
    say("restarted", recv(p[0], b, 4, 0));
    wait(NULL);
    printf("alarms %d\n", alarms);
    if (fork() == 0) {
        usleep(30000);
        write(p[1], "part", 4);
        _exit(0);
    }
    after_ms(150, 0);
    say("waitall", recv(p[0], b, 8, MSG_WAITALL));
    wait(NULL);
    close(s);
    close(l);
}

static void backlogs(void)
{
    puts("- backlog");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path + 1, "sockwaits");
    socklen_t n = offsetof(struct sockaddr_un, sun_path) + 10;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c[4], k;
    bind(l, (void *)&a, n);
    listen(l, 1);
    for (k = 0; k < 3; k++) {
        c[k] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        say("connect", connect(c[k], (void *)&a, n));
    }
    if (fork() == 0) {
        usleep(50000);
        close(accept(l, NULL, NULL));
        _exit(0);
    }
    fcntl(c[2], F_SETFL, 0);
    say("waits for room", connect(c[2], (void *)&a, n));
    wait(NULL);
    for (k = 0; k < 3; k++)
        close(c[k]);
    close(l);
}

static void told(void)
{
    puts("- beside datagrams");
    struct sockaddr_in a, from;
    int s = udp(&a), t = socket(AF_INET, SOCK_DGRAM, 0), on = 1, ttl = 17;
    char b[8], control[256];
    struct iovec v = {b, sizeof(b)};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    setsockopt(s, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    setsockopt(s, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
    setsockopt(t, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
    sendto(t, "told", 4, 0, (void *)&a, sizeof(a));
    say("recvmsg", recvmsg(s, &m, 0));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        printf("level %d type %d length %d", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
        if (c->cmsg_type == IP_TTL)
            printf(" ttl %d", *(int *)CMSG_DATA(c));
        if (c->cmsg_type == IP_PKTINFO)
            printf(" to %s", inet_ntoa(((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr));
        puts("");
    }
    m.msg_controllen = 4;
    sendto(t, "told", 4, 0, (void *)&a, sizeof(a));
    say("no room", recvmsg(s, &m, 0));
    printf("cut %d left %d\n", (m.msg_flags & MSG_CTRUNC) != 0, (int)m.msg_controllen);
    m.msg_iov = (void *)8;
    say("bad vector", recvmsg(s, &m, MSG_DONTWAIT));
    m.msg_iovlen = 5000;
    say("long vector", recvmsg(s, &m, MSG_DONTWAIT));
    say("bad header", recvmsg(s, (void *)8, MSG_DONTWAIT));
    close(s);
    close(t);
}

static void polls(void)
{
    puts("- polls");
    struct sockaddr_in a;
    int l = listener(&a, 4), c = socket(AF_INET, SOCK_STREAM, 0), d;
    struct pollfd p[2] = {{l, POLLIN, 0}, {c, POLLIN | POLLRDHUP, 0}};
    if (fork() == 0) {
        usleep(40000);
        int e = socket(AF_INET, SOCK_STREAM, 0);
        connect(e, (void *)&a, sizeof(a));
        usleep(40000);
        write(e, "x", 1);
        usleep(40000);
        shutdown(e, SHUT_WR);
        usleep(40000);
        close(e);
        _exit(0);
    }
    say("poll", poll(p, 1, 2000));
    d = accept(l, NULL, NULL);
    p[1].fd = d;
    say("poll", poll(p, 2, 2000));
    printf("%x %x\n", p[0].revents, p[1].revents);
    char b;
    read(d, &b, 1);
    say("poll", poll(p, 2, 2000));
    printf("%x\n", p[1].revents);
    wait(NULL);
    p[1].events = POLLOUT;
    say("poll", poll(p, 2, 2000));
    printf("%x\n", p[1].revents);
    close(d);
    // One socket, two readers: each message to one of them.
    int q[2], sum = 0, status;
    socketpair(AF_UNIX, SOCK_DGRAM, 0, q);
    for (int k = 0; k < 2; k++)
        if (fork() == 0) {
            char x[4];
            _exit((int)recv(q[1], x, 4, 0));
        }
    usleep(30000);
    send(q[0], "a", 1, 0);
    send(q[0], "bb", 2, 0);
    while (wait(&status) > 0)
        sum += WEXITSTATUS(status);
    printf("both got %d\n", sum);
    close(l);
    close(c);
}

static void devices(void)
{
    puts("- interfaces");
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq_ {
        char name[16];
        struct sockaddr_in a;
    } r = {.name = "lo"};
    say("address", ioctl(s, 0x8915, &r));
    printf("%s\n", inet_ntoa(r.a.sin_addr));
    say("mask", ioctl(s, 0x891b, &r));
    printf("%s\n", inet_ntoa(r.a.sin_addr));
    say("index", ioctl(s, 0x8933, &r));
    printf("%d\n", *(int *)&r.a);
    strcpy(r.name, "nonesuch");
    say("none", ioctl(s, 0x8915, &r));
    close(s);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    interrupted();
    backlogs();
    told();
    polls();
    devices();
    return 0;
}
