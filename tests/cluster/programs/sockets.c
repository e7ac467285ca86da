// SPDX-License-Identifier: MIT
// Internet sockets over loopback: prints what each call gives, the same on Linux and on Weft.
#define _GNU_SOURCE
#include "say.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

static struct sockaddr_in at(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static int own_port(int s)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    getsockname(s, (void *)&a, &n);
    return ntohs(a.sin_port);
}

static const char *ip_text(struct sockaddr_in a)
{
    static char text[32];
    return inet_ntop(AF_INET, &a.sin_addr, text, sizeof(text));
}

static void show_option(const char *what, int s, int level, int option)
{
    int v = -1;
    socklen_t n = sizeof(v);
    int r = getsockopt(s, level, option, &v, &n);
    printf("%s: %s %d %d\n", what, error_name(r), r < 0 ? 0 : v, r < 0 ? 0 : (int)n);
}

static int listener(int *port)
{
    int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in a = at("127.0.0.1", 0);
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (l < 0 || bind(l, (void *)&a, sizeof(a)) < 0 || listen(l, 5) < 0)
        exit(3);
    *port = own_port(l);
    return l;
}

static void pair(int *c, int *s)
{
    int port, l = listener(&port);
    struct sockaddr_in a = at("127.0.0.1", port);
    *c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(*c, (void *)&a, sizeof(a)) < 0)
        exit(4);
    *s = accept(l, NULL, NULL);
    close(l);
}

static void making(void)
{
    int sv[2];
    puts("- made");
    done("inet stream", socket(AF_INET, SOCK_STREAM, 0));
    done("inet stream tcp", socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    done("inet stream udp", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    done("inet dgram tcp", socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
    done("inet seqpacket", socket(AF_INET, SOCK_SEQPACKET, 0));
    done("inet type 0", socket(AF_INET, 0, 0));
    done("inet type 99", socket(AF_INET, 99, 0));
    done("inet protocol -1", socket(AF_INET, SOCK_STREAM, -1));
    done("raw protocol 0", socket(AF_INET, SOCK_RAW, 0));
    done("family 99", socket(99, SOCK_STREAM, 0));
    done("family unspec", socket(AF_UNSPEC, SOCK_STREAM, 0));
    done("bad flags", socket(AF_INET, SOCK_STREAM | 0x10000000, 0));
    done("inet pair", socketpair(AF_INET, SOCK_STREAM, 0, sv));
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    printf("cloexec %d nonblock %d\n", fcntl(s, F_GETFD), (fcntl(s, F_GETFL) & O_NONBLOCK) != 0);
    struct stat st;
    fstat(s, &st);
    printf("mode %o size %ld\n", st.st_mode, (long)st.st_size);
    done("lseek", lseek(s, 0, SEEK_SET));
    char link[64] = "", name[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", s);
    if (readlink(name, link, sizeof(link) - 1) > 0)
        printf("link %.8s\n", link);
    close(s);
    done("bind of a file", bind(0, (void *)name, 16));
    done("bind of no descriptor", bind(999, (void *)name, 16));
}

static void binding(void)
{
    puts("- bind");
    int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in a = at("127.0.0.1", 0), b = at("192.0.2.7", 0), got;
    socklen_t n = sizeof(got);
    memset(&got, 0, sizeof(got));
    getsockname(s, (void *)&got, &n);
    printf("unbound: %s %d %d\n", ip_text(got), ntohs(got.sin_port), (int)n);
    say("foreign address", bind(s, (void *)&b, sizeof(b)));
    say("short address", bind(s, (void *)&a, 8));
    a.sin_family = AF_UNIX;
    say("wrong family", bind(s, (void *)&a, sizeof(a)));
    a.sin_family = AF_INET;
    say("bind", bind(s, (void *)&a, sizeof(a)));
    say("bind again", bind(s, (void *)&a, sizeof(a)));
    printf("port given %d\n", own_port(s) != 0);
    a.sin_port = htons(own_port(s));
    say("same port", bind(t, (void *)&a, sizeof(a)));
    setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("same port, one reuses", bind(t, (void *)&a, sizeof(a)));
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("same port, both reuse", bind(t, (void *)&a, sizeof(a)));
    say("listen", listen(s, 1));
    say("second listen", listen(t, 1));
    close(t);
    t = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("bind beside a listener", bind(t, (void *)&a, sizeof(a)));
    a = at("127.0.0.2", own_port(s));
    say("other address, same port", bind(t, (void *)&a, sizeof(a)));
    close(t);
    t = socket(AF_INET, SOCK_DGRAM, 0);
    a = at("127.0.0.1", own_port(s));
    say("udp, same port", bind(t, (void *)&a, sizeof(a)));
    say("listen on udp", listen(t, 1));
    say("accept on udp", accept(t, NULL, NULL));
    close(s);
    close(t);
}

static void connecting(void)
{
    puts("- connect");
    int port, l = listener(&port);
    struct sockaddr_in a = at("127.0.0.1", port), got;
    socklen_t n = sizeof(got);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    show_poll("fresh", c);
    say("send on fresh", send(c, "x", 1, MSG_NOSIGNAL));
    say("recv on fresh", recv(c, &n, 1, 0));
    say("getpeername", getpeername(c, (void *)&got, &n));
    say("shutdown", shutdown(c, SHUT_RDWR));
    say("accept on fresh", accept(c, NULL, NULL));
    show_poll("listener", l);
    say("connect", connect(c, (void *)&a, sizeof(a)));
    say("connect again", connect(c, (void *)&a, sizeof(a)));
    show_poll("listener with one", l);
    n = sizeof(got);
    int s = accept(l, (void *)&got, &n);
    printf("peer %s port as seen %d length %d\n", ip_text(got), ntohs(got.sin_port) == own_port(c),
           (int)n);
    n = sizeof(got);
    say("getpeername", getpeername(c, (void *)&got, &n));
    printf("peer port %d\n", ntohs(got.sin_port) == port);
    n = 4;
    say("short getpeername", getpeername(c, (void *)&got, &n));
    printf("length %d\n", (int)n);
    show_poll("connected", c);
    say("bind connected", bind(c, (void *)&a, sizeof(a)));
    say("listen connected", listen(c, 1));
    close(s);
    close(c);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("non-blocking", connect(c, (void *)&a, sizeof(a)));
    show_poll("non-blocking", c);
    show_option("SO_ERROR", c, SOL_SOCKET, SO_ERROR);
    say("again", connect(c, (void *)&a, sizeof(a)));
    say("once more", connect(c, (void *)&a, sizeof(a)));
    close(c);
    fcntl(l, F_SETFL, O_NONBLOCK);
    s = accept(l, NULL, NULL);
    done("accept one", s);
    char b;
    say("its end", recv(s, &b, 1, 0));
    close(s);
    say("accept none", accept(l, NULL, NULL));
    close(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    say("refused", connect(c, (void *)&a, sizeof(a)));
    show_poll("refused", c);
    close(c);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("refused, non-blocking", connect(c, (void *)&a, sizeof(a)));
    show_poll("refused", c);
    show_option("SO_ERROR", c, SOL_SOCKET, SO_ERROR);
    show_option("SO_ERROR", c, SOL_SOCKET, SO_ERROR);
    close(c);
    c = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_family = AF_UNIX;
    say("wrong family", connect(c, (void *)&a, sizeof(a)));
    a = at("255.255.255.255", 80);
    say("broadcast", connect(c, (void *)&a, sizeof(a)));
    close(c);
}

static void transferring(void)
{
    puts("- transfer");
    int c, s, n;
    char b[64] = "";
    pair(&c, &s);
    say("send", send(c, "hello world", 11, 0));
    ioctl(s, FIONREAD, &n);
    printf("FIONREAD %d\n", n);
    say("peek", recv(s, b, 5, MSG_PEEK));
    printf("%.5s\n", b);
    say("recv", recv(s, b, 5, 0));
    printf("%.5s\n", b);
    say("trunc", recv(s, b, 1, MSG_TRUNC));
    say("rest", recv(s, b, sizeof(b), 0));
    printf("%.5s\n", b);
    say("dontwait", recv(s, b, 1, MSG_DONTWAIT));
    show_poll("empty", s);
    struct iovec v[3] = {{"ab", 2}, {"cde", 3}, {"f", 1}};
    say("writev", writev(c, v, 3));
    char x[3], y[10];
    struct iovec w[2] = {{x, 3}, {y, 10}};
    say("readv", readv(s, w, 2));
    printf("%.3s %.3s\n", x, y);
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};
    say("sendmsg", sendmsg(c, &m, 0));
    m = (struct msghdr){.msg_iov = w, .msg_iovlen = 2};
    say("recvmsg", recvmsg(s, &m, 0));
    if (fork() == 0) {
        for (int k = 0; k < 5; k++) {
            usleep(20000);
            write(c, "12", 2);
        }
        _exit(0);
    }
    say("waitall", recv(s, b, 10, MSG_WAITALL));
    printf("%.10s\n", b);
    wait(NULL);
    say("zero send", send(c, b, 0, 0));
    say("bad address", send(c, (void *)16, 4, 0));
    write(c, "zz", 2);
    say("bad address", recv(s, (void *)16, 4, 0));
    say("still there", recv(s, b, 4, 0));
    say("name of nobody",
        sendto(c, "q", 1, 0, (void *)&(struct sockaddr_in){.sin_family = AF_INET}, 16));
    struct sockaddr_in a;
    socklen_t an = sizeof(a);
    say("recvfrom", recvfrom(s, b, 4, 0, (void *)&a, &an));
    printf("length of its name %d\n", (int)an);
    close(c);
    close(s);
}

static int pipes;

static void on_pipe(int signal)
{
    (void)signal;
    pipes++;
}

static void ending(void)
{
    puts("- ends");
    int c, s;
    char b[8];
    signal(SIGPIPE, on_pipe);
    pair(&c, &s);
    say("half close", shutdown(c, SHUT_WR));
    show_poll("the other end", s);
    say("read", read(s, b, 1));
    say("write back", write(s, "x", 1));
    say("read it", read(c, b, 1));
    say("write after", write(c, "x", 1));
    printf("signals %d\n", pipes);
    say("nosignal", send(c, "x", 1, MSG_NOSIGNAL));
    printf("signals %d\n", pipes);
    close(s);
    show_poll("both closed", c);
    say("read", read(c, b, 1));
    close(c);
    pair(&c, &s);
    write(c, "unread", 6);
    close(s);
    usleep(20000);
    show_poll("reset", c);
    say("read", read(c, b, 1));
    say("read", read(c, b, 1));
    say("write", send(c, "x", 1, MSG_NOSIGNAL));
    close(c);
    pair(&c, &s);
    close(s);
    usleep(20000);
    show_poll("closed", c);
    say("write", send(c, "x", 1, MSG_NOSIGNAL));
    usleep(20000);
    show_poll("after", c);
    say("write", send(c, "x", 1, MSG_NOSIGNAL));
    say("read", read(c, b, 1));
    close(c);
    pair(&c, &s);
    struct linger l = {1, 0};
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
    usleep(20000);
    show_poll("aborted", c);
    say("read", read(c, b, 1));
    say("read", read(c, b, 1));
    close(c);
    pair(&c, &s);
    say("shut read", shutdown(c, SHUT_RD));
    show_poll("shut read", c);
    say("read", read(c, b, 1));
    say("bad how", shutdown(c, 7));
    say("shut all", shutdown(c, SHUT_RDWR));
    show_poll("shut all", c);
    show_poll("its peer", s);
    close(c);
    close(s);
}

static void waiting(void)
{
    puts("- waits");
    int c, s;
    char b[8];
    struct timeval t = {0, 40000}, r;
    socklen_t n = sizeof(r);
    pair(&c, &s);
    say("rcvtimeo", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &r, &n);
    printf("is %ld.%06ld %d\n", (long)r.tv_sec, (long)r.tv_usec, (int)n);
    say("recv", recv(s, b, 1, 0));
    say("read", read(s, b, 1));
    t.tv_usec = 1000000;
    say("bad time", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    t = (struct timeval){0, 30000};
    setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
    static char big[65536];
    long total = 0, k;
    while ((k = send(c, big, sizeof(big), 0)) > 0 && total < 100 << 20)
        total += k;
    printf("filled %d then %s\n", total > 100000, error_name(k));
    show_poll("full", c);
    fcntl(c, F_SETFL, O_NONBLOCK);
    while ((k = send(c, big, sizeof(big), 0)) > 0)
        total += k;
    say("non-blocking", k);
    long got = 0;
    fcntl(s, F_SETFL, O_NONBLOCK);
    for (int quiet = 0; quiet < 20; quiet++) {
        while ((k = read(s, big, sizeof(big))) > 0) {
            got += k;
            quiet = 0;
        }
        usleep(1000);
    }
    printf("drained all %d\n", got == total || got > 100000);
    show_poll("drained", c);
    fd_set f;
    FD_ZERO(&f);
    FD_SET(s, &f);
    struct timeval zero = {0, 0};
    say("select", select(s + 1, &f, NULL, NULL, &zero));
    write(c, "x", 1);
    FD_SET(s, &f);
    zero = (struct timeval){1, 0};
    say("select", select(s + 1, &f, NULL, NULL, &zero));
    int on = 0;
    say("FIONBIO", ioctl(s, FIONBIO, &on));
    printf("nonblock %d\n", (fcntl(s, F_GETFL) & O_NONBLOCK) != 0);
    close(c);
    close(s);
}

static void options(void)
{
    puts("- options");
    int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), on = 1, v = 5;
    show_option("SO_TYPE", s, SOL_SOCKET, SO_TYPE);
    show_option("SO_TYPE", u, SOL_SOCKET, SO_TYPE);
    show_option("SO_DOMAIN", s, SOL_SOCKET, SO_DOMAIN);
    show_option("SO_PROTOCOL", s, SOL_SOCKET, SO_PROTOCOL);
    show_option("SO_PROTOCOL", u, SOL_SOCKET, SO_PROTOCOL);
    show_option("SO_ACCEPTCONN", s, SOL_SOCKET, SO_ACCEPTCONN);
    show_option("SO_REUSEADDR", s, SOL_SOCKET, SO_REUSEADDR);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v));
    show_option("SO_REUSEADDR", s, SOL_SOCKET, SO_REUSEADDR);
    show_option("SO_KEEPALIVE", s, SOL_SOCKET, SO_KEEPALIVE);
    setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    show_option("SO_KEEPALIVE", s, SOL_SOCKET, SO_KEEPALIVE);
    show_option("TCP_NODELAY", s, IPPROTO_TCP, TCP_NODELAY);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    show_option("TCP_NODELAY", s, IPPROTO_TCP, TCP_NODELAY);
    show_option("TCP_KEEPIDLE", s, IPPROTO_TCP, TCP_KEEPIDLE);
    show_option("TCP_KEEPINTVL", s, IPPROTO_TCP, TCP_KEEPINTVL);
    show_option("TCP_KEEPCNT", s, IPPROTO_TCP, TCP_KEEPCNT);
    v = 0;
    say("TCP_KEEPIDLE 0", setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &v, sizeof(v)));
    show_option("IP_TTL", s, IPPROTO_IP, IP_TTL);
    v = 9;
    say("set IP_TTL", setsockopt(u, IPPROTO_IP, IP_TTL, &v, sizeof(v)));
    show_option("IP_TTL", u, IPPROTO_IP, IP_TTL);
    v = 0;
    say("IP_TTL 0", setsockopt(u, IPPROTO_IP, IP_TTL, &v, sizeof(v)));
    v = 256;
    say("IP_TTL 256", setsockopt(u, IPPROTO_IP, IP_TTL, &v, sizeof(v)));
    v = -1;
    say("IP_TTL -1", setsockopt(u, IPPROTO_IP, IP_TTL, &v, sizeof(v)));
    show_option("IP_TTL", u, IPPROTO_IP, IP_TTL);
    show_option("IP_TOS", u, IPPROTO_IP, IP_TOS);
    show_option("SO_BROADCAST", u, SOL_SOCKET, SO_BROADCAST);
    show_option("SO_RCVBUF", u, SOL_SOCKET, SO_RCVBUF);
    v = 10000;
    setsockopt(u, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v));
    show_option("SO_RCVBUF", u, SOL_SOCKET, SO_RCVBUF);
    v = 1;
    setsockopt(u, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v));
    show_option("SO_RCVBUF", u, SOL_SOCKET, SO_RCVBUF);
    setsockopt(u, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
    show_option("SO_SNDBUF", u, SOL_SOCKET, SO_SNDBUF);
    struct linger l = {1, 7};
    socklen_t n = sizeof(l);
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &n);
    printf("linger %d %d %d\n", l.l_onoff, l.l_linger, (int)n);
    say("no such", setsockopt(s, SOL_SOCKET, 999, &on, sizeof(on)));
    say("no such level", setsockopt(s, 999, 1, &on, sizeof(on)));
    say("tcp on udp", setsockopt(u, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
    say("short", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, 2));
    say("read-only", setsockopt(s, SOL_SOCKET, SO_TYPE, &on, sizeof(on)));
    n = 2;
    short half = -1;
    say("short get", getsockopt(s, SOL_SOCKET, SO_TYPE, &half, &n));
    printf("%d %d\n", half, (int)n);
    n = -1;
    say("negative", getsockopt(s, SOL_SOCKET, SO_TYPE, &half, &n));
    close(s);
    close(u);
}

// The times of arrival that the four options tell, each in its own words, and where it was sent to.
static void stamps(void)
{
    puts("- stamps");
    static const int kinds[] = {29, 35, 63, 64}; // SO_TIMESTAMP, NS, and both in 64 bits
    int s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
    struct sockaddr_in to = at("127.0.0.1", 0), sent;
    bind(s, (void *)&to, sizeof(to));
    to.sin_port = htons(own_port(s));
    say("IP_RECVORIGDSTADDR", setsockopt(s, SOL_IP, 20, &one, sizeof(one)));
    for (int k = 0; k < 5; k++) {
        int value = k < 4;
        say("set", setsockopt(s, SOL_SOCKET, kinds[k % 4], &value, sizeof(value)));
        for (int j = 0; j < 4; j++)
            show_option("kind", s, SOL_SOCKET, kinds[j]);
        char buffer[128], byte;
        struct iovec v = {&byte, 1};
        struct msghdr m = {.msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = buffer,
                           .msg_controllen = sizeof(buffer)};
        sendto(s, "x", 1, 0, (void *)&to, sizeof(to));
        recvmsg(s, &m, 0);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
            long long at = c->cmsg_type >= 63 ? *(long long *)CMSG_DATA(c) : *(long *)CMSG_DATA(c);
            printf("%d %d of %d bytes", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
            if (c->cmsg_level == SOL_SOCKET)
                printf(", now %d\n", at >= time(NULL) - 60 && at <= time(NULL));
            else
                printf(", to it %d\n", memcpy(&sent, CMSG_DATA(c), sizeof(sent)) &&
                                           !memcmp(&sent, &to, sizeof(to)));
        }
    }
    close(s);
}

static void datagrams(void)
{
    puts("- udp");
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), n;
    struct sockaddr_in to = at("127.0.0.1", 0), from;
    socklen_t len = sizeof(from);
    char buf[64] = "";
    show_poll("fresh", a);
    say("send", send(a, "x", 1, 0));
    say("shutdown", shutdown(a, SHUT_RD));
    say("bind", bind(a, (void *)&to, sizeof(to)));
    to.sin_port = htons(own_port(a));
    say("same port", bind(b, (void *)&to, sizeof(to)));
    say("sendto", sendto(b, "datagram", 8, 0, (void *)&to, sizeof(to)));
    say("empty", sendto(b, "", 0, 0, (void *)&to, sizeof(to)));
    say("third", sendto(b, "third", 5, 0, (void *)&to, sizeof(to)));
    printf("bound by sending %d\n", own_port(b) != 0);
    ioctl(a, FIONREAD, &n);
    printf("FIONREAD %d\n", n);
    say("peek", recv(a, buf, 4, MSG_PEEK));
    say("peek, trunc", recv(a, buf, 4, MSG_PEEK | MSG_TRUNC));
    struct iovec v = {buf, 3};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = len};
    say("recvmsg", recvmsg(a, &m, 0));
    printf("flags %s name %d from %s %d\n", m.msg_flags & MSG_TRUNC ? "TRUNC" : "-",
           (int)m.msg_namelen, ip_text(from), ntohs(from.sin_port) == own_port(b));
    say("empty one", recv(a, buf, sizeof(buf), 0));
    say("third", recv(a, buf, sizeof(buf), 0));
    say("none", recv(a, buf, sizeof(buf), MSG_DONTWAIT));
    say("too long", sendto(b, malloc(70000), 70000, 0, (void *)&to, sizeof(to)));
    static char big[60000];
    say("large", sendto(b, big, sizeof(big), 0, (void *)&to, sizeof(to)));
    say("large", recv(a, big, sizeof(big), 0));
    to.sin_port = 0;
    say("port 0", sendto(b, "x", 1, 0, (void *)&to, sizeof(to)));
    to = at("127.0.0.1", own_port(a));
    say("connect", connect(b, (void *)&to, sizeof(to)));
    say("send", send(b, "x", 1, 0));
    say("recvfrom", recvfrom(a, buf, 9, 0, (void *)&from, &len));
    say("back", sendto(a, "yy", 2, 0, (void *)&from, sizeof(from)));
    say("recv", recv(b, buf, 9, 0));
    close(a);
    say("to nobody", send(b, "x", 1, 0));
    usleep(20000);
    show_poll("refused", b);
    say("refused", send(b, "x", 1, 0));
    usleep(20000);
    say("refused", recv(b, buf, 1, MSG_DONTWAIT));
    struct sockaddr_in none = {.sin_family = AF_UNSPEC};
    say("disconnect", connect(b, (void *)&none, sizeof(none)));
    say("send", send(b, "x", 1, 0));
    to = at("255.255.255.255", 9);
    say("broadcast", sendto(b, "x", 1, 0, (void *)&to, sizeof(to)));
    close(b);
}

// A connect that waits for room in the listener's queue goes on waiting whoever sends meanwhile.
static void full_queue(void)
{
    puts("- full queue");
    struct sockaddr_in a = at("127.0.0.1", 0);
    int l = socket(AF_INET, SOCK_STREAM, 0), v = -1;
    int c = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t n = sizeof(a);
    char b[8];
    bind(l, (void *)&a, n);
    listen(l, 0);
    getsockname(l, (void *)&a, &n);
    say("first", connect(c, (void *)&a, n));
    say("second", connect(d, (void *)&a, n));
    say("send", send(d, "x", 1, MSG_NOSIGNAL));
    show_poll("waits", d);
    done("accept", accept(l, NULL, NULL));
    struct pollfd p = {d, POLLOUT, 0};
    say("poll", poll(&p, 1, 10000));
    n = sizeof(v);
    getsockopt(d, SOL_SOCKET, SO_ERROR, &v, &n);
    printf("error %d\n", v);
    int e = accept(l, NULL, NULL);
    say("send", send(d, "over", 4, MSG_NOSIGNAL));
    say("recv", recv(e, b, 4, MSG_WAITALL));
    close(c);
    close(d);
    close(e);
    close(l);
}

// What came on a connection that was ended by connect(AF_UNSPEC) is not read from the next one.
static void again(void)
{
    puts("- connected again");
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct sockaddr_in a = at("127.0.0.1", 0);
    int c, s, l = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof(a);
    char b[8];
    pair(&c, &s);
    say("send", send(s, "stale", 5, 0));
    say("peek", recv(c, b, 5, MSG_PEEK | MSG_WAITALL));
    say("disconnect", connect(c, &none, sizeof(none)));
    bind(l, (void *)&a, n);
    listen(l, 1);
    getsockname(l, (void *)&a, &n);
    say("connect", connect(c, (void *)&a, n));
    say("recv", recv(c, b, 5, MSG_DONTWAIT));
    close(c);
    close(s);
    close(l);
}

// Datagrams without a byte fill a queue too.
static void empty_ones(void)
{
    puts("- empty datagrams");
    struct sockaddr_in a = at("127.0.0.1", 0);
    int s = socket(AF_INET, SOCK_DGRAM, 0), sent = 0, came = 0;
    socklen_t n = sizeof(a);
    char b[8];
    bind(s, (void *)&a, n);
    getsockname(s, (void *)&a, &n);
    while (sent < 5000 && sendto(s, b, 0, 0, (void *)&a, n) == 0)
        sent++;
    while (recv(s, b, 1, MSG_DONTWAIT) == 0)
        came++;
    printf("sent %d, some came %d, all came %d\n", sent, came > 10, came == sent);
    close(s);
}

static void several(void)
{
    puts("- several");
    struct mmsghdr mm[2];
    struct iovec iv[2] = {{"one", 3}, {"two!", 4}};
    int a, b = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to;
    a = socket(AF_INET, SOCK_DGRAM, 0);
    to = at("127.0.0.1", 0);
    bind(a, (void *)&to, sizeof(to));
    to = at("127.0.0.1", own_port(a));
    connect(b, (void *)&to, sizeof(to));
    memset(mm, 0, sizeof(mm));
    for (int k = 0; k < 2; k++)
        mm[k].msg_hdr = (struct msghdr){.msg_iov = &iv[k], .msg_iovlen = 1};
    say("sendmmsg", sendmmsg(b, mm, 2, 0));
    printf("%d %d\n", mm[0].msg_len, mm[1].msg_len);
    char ra[8], rb[8];
    iv[0] = (struct iovec){ra, 8};
    iv[1] = (struct iovec){rb, 8};
    say("recvmmsg", recvmmsg(a, mm, 2, 0, NULL));
    printf("%d %d\n", mm[0].msg_len, mm[1].msg_len);
    close(a);
    close(b);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    making();
    binding();
    connecting();
    transferring();
    ending();
    waiting();
    options();
    datagrams();
    stamps();
    full_queue();
    again();
    empty_ones();
    several();
    return 0;
}
