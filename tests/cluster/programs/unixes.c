// SPDX-License-Identifier: MIT
// AF_UNIX sockets: prints what each call gives, the same on Linux and on Weft.
#define _GNU_SOURCE
#include "say.h"
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t name(struct sockaddr_un *a, const char *path)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(a->sun_path, path);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static socklen_t abstract(struct sockaddr_un *a, const char *text)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(a->sun_path + 1, text);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(text));
}

static void show_name(const char *what, int s, int peer)
{
    struct sockaddr_un a;
    socklen_t n = sizeof(a);
    memset(&a, 0, sizeof(a));
    int r = peer ? getpeername(s, (void *)&a, &n) : getsockname(s, (void *)&a, &n);
    if (r < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: family %d length %d name %c%s\n", what, a.sun_family, (int)n,
               n > 2 && a.sun_path[0] == 0 ? '@' : ' ', n > 2 ? a.sun_path + !a.sun_path[0] : "");
}

static void binding(void)
{
    puts("- names");
    struct sockaddr_un a, b;
    struct stat st;
    int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0);
    done("protocol 5", socket(AF_UNIX, SOCK_STREAM, 5));
    done("protocol 1", socket(AF_UNIX, SOCK_STREAM, 1));
    done("type 4", socket(AF_UNIX, 4, 0));
    socklen_t n = name(&a, "/tmp/unixes.sock"), m;
    unlink(a.sun_path);
    show_name("unnamed", s, 0);
    say("listen unnamed", listen(s, 1));
    umask(022);
    say("bind", bind(s, (void *)&a, n));
    show_name("named", s, 0);
    stat(a.sun_path, &st);
    printf("mode %o\n", st.st_mode);
    say("bind again", bind(s, (void *)&a, n));
    say("bind another to it", bind(t, (void *)&a, n));
    done("open", open(a.sun_path, O_RDWR));
    say("connect before listen", connect(t, (void *)&a, n));
    say("listen", listen(s, 0));
    say("connect", connect(t, (void *)&a, n));
    show_name("peer", t, 1);
    int d = accept(s, NULL, NULL);
    show_name("its peer", d, 1);
    show_name("its name", d, 0);
    unlink(a.sun_path);
    int u = socket(AF_UNIX, SOCK_STREAM, 0);
    say("connect unlinked", connect(u, (void *)&a, n));
    close(open(a.sun_path, O_CREAT | O_WRONLY, 0644));
    say("connect to a file", connect(u, (void *)&a, n));
    say("bind to a file's name", bind(u, (void *)&a, n));
    unlink(a.sun_path);
    m = name(&b, "/nowhere/at/all");
    say("bind in no directory", bind(u, (void *)&b, m));
    say("connect nowhere", connect(u, (void *)&b, m));
    say("length 1", bind(u, (void *)&b, 1));
    say("length 200", bind(u, (void *)&b, 200));
    close(d);
    close(s);
    close(t);
    close(u);
}

static void abstract_names(void)
{
    puts("- abstract names");
    struct sockaddr_un b;
    socklen_t n, m = abstract(&b, "unixes test");
    int u = socket(AF_UNIX, SOCK_STREAM, 0);
    say("abstract", bind(u, (void *)&b, m));
    show_name("abstract", u, 0);
    int v = socket(AF_UNIX, SOCK_STREAM, 0);
    say("the same", bind(v, (void *)&b, m));
    say("listen", listen(u, 3));
    say("connect", connect(v, (void *)&b, m));
    close(u);
    char c;
    show_poll("listener gone", v);
    say("read", read(v, &c, 1));
    say("read", read(v, &c, 1));
    close(v);
    v = socket(AF_UNIX, SOCK_STREAM, 0);
    say("refused", connect(v, (void *)&b, m));
    say("bind after", bind(v, (void *)&b, m));
    close(v);
    v = socket(AF_UNIX, SOCK_DGRAM, 0);
    b.sun_family = AF_UNIX;
    say("autobind", bind(v, (void *)&b, 2));
    n = sizeof(b);
    getsockname(v, (void *)&b, &n);
    printf("length %d\n", (int)n);
    int w = socket(AF_UNIX, SOCK_STREAM, 0);
    say("wrong type", connect(w, (void *)&b, n));
    b.sun_family = AF_INET;
    say("wrong family", connect(w, (void *)&b, 16));
    close(v);
    close(w);
}

static int pipes;

static void on_pipe(int s)
{
    (void)s;
    pipes++;
}

static void streams(void)
{
    puts("- streams");
    int p[2], n;
    char b[32] = "";
    signal(SIGPIPE, on_pipe);
    say("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    show_name("name", p[0], 0);
    show_name("peer", p[0], 1);
    show_poll("fresh", p[0]);
    say("write", write(p[0], "abcdef", 6));
    say("write", write(p[0], "ghi", 3));
    ioctl(p[1], FIONREAD, &n);
    printf("FIONREAD %d\n", n);
    say("peek", recv(p[1], b, 4, MSG_PEEK));
    say("read", read(p[1], b, sizeof(b)));
    printf("%.9s\n", b);
    say("none", recv(p[1], b, 1, MSG_DONTWAIT));
    say("shutdown", shutdown(p[0], SHUT_WR));
    show_poll("other end", p[1]);
    show_poll("this end", p[0]);
    say("read", read(p[1], b, 1));
    say("write", write(p[0], "x", 1));
    printf("signals %d\n", pipes);
    say("other way", write(p[1], "x", 1));
    say("shut read", shutdown(p[0], SHUT_RD));
    say("write to it", send(p[1], "x", 1, MSG_NOSIGNAL));
    show_poll("both", p[1]);
    close(p[0]);
    show_poll("closed", p[1]);
    say("write", send(p[1], "x", 1, MSG_NOSIGNAL));
    close(p[1]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    write(p[1], "unread", 6);
    close(p[0]);
    show_poll("peer gone", p[1]);
    say("read", read(p[1], b, 1));
    say("read", read(p[1], b, 1));
    close(p[1]);
    say("unconnected", send(n = socket(AF_UNIX, SOCK_STREAM, 0), "x", 1, MSG_NOSIGNAL));
    say("recv", recv(n, b, 1, 0));
    show_poll("unconnected", n);
    say("shutdown", shutdown(n, SHUT_RDWR));
    close(n);
}

static void packets(int type, const char *what)
{
    printf("- %s\n", what);
    int p[2], n;
    char b[8];
    say("pair", socketpair(AF_UNIX, type, 0, p));
    say("send", send(p[0], "first", 5, 0));
    say("send", send(p[0], "second message", 14, 0));
    ioctl(p[1], FIONREAD, &n);
    printf("FIONREAD %d\n", n);
    say("recv", recv(p[1], b, sizeof(b), 0));
    struct iovec v = {b, sizeof(b)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    say("recvmsg", recvmsg(p[1], &m, 0));
    printf("trunc %d eor %d\n", (m.msg_flags & MSG_TRUNC) != 0, (m.msg_flags & MSG_EOR) != 0);
    say("none", recv(p[1], b, 1, MSG_DONTWAIT));
    static char big[300000];
    say("too large", send(p[0], big, sizeof(big), 0));
    say("empty", send(p[0], "", 0, 0));
    say("recv empty", recv(p[1], b, 1, 0));
    close(p[0]);
    show_poll("closed", p[1]);
    say("recv", recv(p[1], b, 1, MSG_DONTWAIT));
    say("send", send(p[1], "x", 1, MSG_NOSIGNAL));
    close(p[1]);
}

static void datagrams(void)
{
    puts("- datagrams");
    struct sockaddr_un a, f;
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), t = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t n = abstract(&a, "unixes dgram"), m = sizeof(f);
    char b[16] = "";
    say("bind", bind(s, (void *)&a, n));
    say("send unconnected", send(t, "x", 1, 0));
    say("sendto", sendto(t, "hi", 2, 0, (void *)&a, n));
    say("recvfrom", recvfrom(s, b, sizeof(b), 0, (void *)&f, &m));
    printf("length %d\n", (int)m);
    n = abstract(&f, "unixes other");
    bind(t, (void *)&f, n);
    n = abstract(&a, "unixes dgram");
    say("connect", connect(t, (void *)&a, n));
    say("send", send(t, "hello", 5, 0));
    m = sizeof(f);
    memset(&f, 0, sizeof(f));
    say("recvfrom", recvfrom(s, b, sizeof(b), 0, (void *)&f, &m));
    printf("length %d %s\n", (int)m, f.sun_path + 1);
    say("answer", sendto(s, "back", 4, 0, (void *)&f, m));
    say("recv", recv(t, b, sizeof(b), 0));
    int k = 0;
    while (send(t, "x", 1, MSG_DONTWAIT) == 1)
        k++;
    printf("full after %d: %s\n", k, strerrorname_np(errno));
    show_poll("full", t);
    recv(s, b, 1, 0);
    show_poll("room", t);
    close(s);
    say("to nobody", send(t, "x", 1, 0));
    say("again", send(t, "x", 1, 0));
    close(t);
}

// A queue ends, whatever its messages weigh.
static void queues_end(void)
{
    puts("- full");
    struct sockaddr_un a;
    int q[2], k = 0, s = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t n = abstract(&a, "unixes self");
    char b[8];
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, q);
    while (k < 100000 && send(q[0], b, 0, MSG_DONTWAIT) == 0)
        k++;
    printf("empty packets: %d %s\n", k < 100000, strerrorname_np(errno));
    show_poll("full", q[0]);
    while (recv(q[1], b, 1, MSG_DONTWAIT) == 0)
        continue;
    show_poll("read", q[0]);
    close(q[0]);
    close(q[1]);
    bind(s, (void *)&a, n);
    for (k = 0; k < 100000 && sendto(s, "x", 1, MSG_DONTWAIT, (void *)&a, n) == 1;)
        k++;
    printf("to itself: many %d, ends %d %s\n", k > 20, k < 100000, strerrorname_np(errno));
    close(s);
}

static int p[2];

// The text comes from a page that has to be brought in first: the descriptor goes along once.
static void from_new_page(struct msghdr *m, struct cmsghdr *c)
{
    int q[2], fd = memfd_create("text", 0), got;
    char b[8];
    pipe2(q, O_NONBLOCK);
    write(fd, "text", 4);
    struct iovec v = {mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), 4};
    m->msg_iov = &v;
    m->msg_controllen = CMSG_SPACE(4);
    c->cmsg_len = CMSG_LEN(4);
    memcpy(CMSG_DATA(c), &q[1], 4);
    say("from a new page", sendmsg(p[0], m, 0));
    v = (struct iovec){b, 8};
    m->msg_controllen = CMSG_SPACE(4);
    say("recv", recvmsg(p[1], m, 0));
    memcpy(&got, CMSG_DATA(c), 4);
    say("while it is open", read(q[0], b, 8));
    close(got);
    close(q[1]);
    say("closed by all", read(q[0], b, 8));
    close(q[0]);
    close(fd);
}

static void rights(void)
{
    puts("- rights");
    int q[2];
    char b[8], control[256];
    socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    pipe(q);
    struct iovec v = {"fd", 2};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *c = (void *)control;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(8);
    memcpy(CMSG_DATA(c), q, 8);
    m.msg_controllen = CMSG_SPACE(8);
    say("send two", sendmsg(p[0], &m, 0));
    write(p[0], "more", 4);
    v = (struct iovec){b, 8};
    memset(control, 0, sizeof(control));
    m.msg_controllen = sizeof(control);
    say("recv", recvmsg(p[1], &m, MSG_CMSG_CLOEXEC));
    printf("control %d level %d type %d length %d flags %x\n", (int)m.msg_controllen, c->cmsg_level,
           c->cmsg_type, (int)c->cmsg_len, m.msg_flags);
    int fds[2];
    memcpy(fds, CMSG_DATA(c), 8);
    printf("cloexec %d new %d\n", fcntl(fds[0], F_GETFD), fds[0] != q[0]);
    close(q[1]);
    write(fds[1], "via", 3);
    say("through it", read(q[0], b, 8));
    m.msg_controllen = sizeof(control);
    say("the rest", recvmsg(p[1], &m, 0));
    printf("control %d\n", (int)m.msg_controllen);
    v = (struct iovec){"x", 1};
    c->cmsg_len = CMSG_LEN(8);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(c), fds, 8);
    m.msg_controllen = CMSG_SPACE(8);
    sendmsg(p[0], &m, 0);
    v = (struct iovec){b, 8};
    m.msg_controllen = CMSG_LEN(4);
    say("room for one", recvmsg(p[1], &m, 0));
    printf("control %d length %d flags %x\n", (int)m.msg_controllen, (int)c->cmsg_len, m.msg_flags);
    v = (struct iovec){"y", 1};
    c->cmsg_len = CMSG_LEN(8);
    fds[1] = 999;
    memcpy(CMSG_DATA(c), fds, 8);
    m.msg_controllen = CMSG_SPACE(8);
    say("bad descriptor", sendmsg(p[0], &m, 0));
    c->cmsg_len = 500;
    say("bad length", sendmsg(p[0], &m, 0));
    from_new_page(&m, c);
}

static void credentials(void)
{
    puts("- credentials");
    int on = 1;
    char b[8], control[256];
    struct iovec v = {b, 8};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *c = (void *)control;
    say("passcred", setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    send(p[0], "z", 1, 0);
    v = (struct iovec){b, 8};
    m.msg_controllen = sizeof(control);
    say("recv", recvmsg(p[1], &m, 0));
    struct ucred u;
    memcpy(&u, CMSG_DATA(c), sizeof(u));
    printf("control %d type %d pid %d uid %d\n", (int)m.msg_controllen, c->cmsg_type,
           u.pid == getpid(), u.uid == getuid());
    socklen_t n = sizeof(u);
    getsockopt(p[0], SOL_SOCKET, SO_PEERCRED, &u, &n);
    printf("peer %d %d\n", u.pid == getpid(), u.uid == getuid());
    if (fork() == 0) {
        send(p[0], "q", 1, 0);
        _exit(0);
    }
    wait(NULL);
    m.msg_controllen = sizeof(control);
    recvmsg(p[1], &m, 0);
    memcpy(&u, CMSG_DATA(c), sizeof(u));
    printf("of the child %d\n", u.pid != getpid() && u.pid > 0);
    on = 0;
    setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

static void socket_in_socket(void)
{
    puts("- a socket in a socket");
    int r[2];
    char b[8], control[256];
    struct iovec v = {"s", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *c = (void *)control;
    socketpair(AF_UNIX, SOCK_DGRAM, 0, r);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(4);
    memcpy(CMSG_DATA(c), &r[0], 4);
    m.msg_controllen = CMSG_SPACE(4);
    say("send a socket", sendmsg(p[0], &m, 0));
    close(r[0]);
    v = (struct iovec){b, 8};
    m.msg_controllen = sizeof(control);
    say("recv", recvmsg(p[1], &m, 0));
    memcpy(&r[0], CMSG_DATA(c), 4);
    send(r[1], "inside", 6, 0);
    say("from inside", recv(r[0], b, 8, 0));
    close(p[0]);
    close(p[1]);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    binding();
    abstract_names();
    streams();
    packets(SOCK_SEQPACKET, "sequenced packets");
    packets(SOCK_DGRAM, "datagram pair");
    datagrams();
    queues_end();
    rights();
    credentials();
    socket_in_socket();
    return 0;
}
