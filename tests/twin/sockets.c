// SPDX-License-Identifier: MIT
// Sockets of the local machine in every state and order: Unix and IPv4, streams and datagrams. All
// of it nonblocking; what loopback delivers a moment later is waited for before the next step.
#include "sockets.h"

// ---- making and ending -------------------------------------------------------------------------
static void put_slot(int fd, int family, int type)
{
    struct slot *s = free_slot();
    if (fd < 0)
        return;
    if (!s) {
        close(fd);
        return;
    }
    *s = (struct slot){.fd = fd, .family = family, .type = type};
}

static const int families[] = {AF_UNIX, AF_UNIX, AF_INET, AF_INET};
static const int types[] = {SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

static void make(void)
{
    int family = PICK(families), type = PICK(types);
    if (!free_slot())
        return;
    int fd = socket(family, type | SOCK_NONBLOCK, 0);
    said(fd < 0 ? -1 : 0, "socket(%d, %d)", family, type);
    put_slot(fd, family, type);
    if (fd >= 0 && family == AF_INET && draw(4))
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
}

static void make_odd(void)
{
    static const int odd_families[] = {0, 1, 2, 3, 9, 45, 46, 1000, -1};
    static const int odd_types[] = {0, 1, 2, 3, 4, 5, 6, 11, 15, 1 | 0x100, 2 | 02000000};
    static const int protocols[] = {0, 0, 1, 6, 17, 132, 255, 256, -1, 1000};
    int family = draw(2) ? PICK(families) : PICK(odd_families), type = PICK(odd_types),
        protocol = PICK(protocols), pair[2];
    if (family == AF_INET && (type == SOCK_STREAM || type == SOCK_SEQPACKET) && protocol == 132)
        protocol = 0; // SCTP is a module
    if (family > 2 && family < 9)
        family = 3; // the others are modules
    if (draw(3)) {
        int fd = socket(family, type, protocol);
        said(fd < 0 ? -1 : 0, "socket(%d, %x, %d)", family, (unsigned)type, protocol);
        if (fd >= 0)
            close(fd);
    } else {
        int r = socketpair(family, type, protocol, draw(9) ? pair : (void *)8);
        said(r, "socketpair(%d, %x, %d)", family, (unsigned)type, protocol);
        if (!r) {
            close(pair[0]);
            close(pair[1]);
        }
    }
}

static void make_pair(void)
{
    int type = PICK(types), fds[2];
    int r = socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds);
    said(r, "socketpair(%d)", type);
    if (!r) {
        put_slot(fds[0], AF_UNIX, type);
        put_slot(fds[1], AF_UNIX, type);
    }
}

static void end(void)
{
    struct slot *s = some_slot();
    if (!is_open(s))
        return;
    const char *what = kind(s);
    said(close(s->fd), "close(%s)", what);
    s->fd = -1;
    if (!draw(4))
        said(unlink(names[draw(3)]), "unlink");
    settle();
}

// ---- connecting --------------------------------------------------------------------------------
static void binds(void)
{
    struct slot *s = some_slot();
    union address a;
    socklen_t length = some_address(s->family, &a);
    if (s->sent) // Linux names who sent by the name he has when it is received
        return;
    if (!said(bind(s->fd, &a.any, length), "bind(%s, %s)", kind(s), said_to(&a, length)))
        s->port = a.in.sin_port;
}

static void listens(void)
{
    struct slot *s = some_slot();
    int backlog = (int)draw(5) - 1;
    said(listen(s->fd, backlog), "listen(%s, %d)", kind(s), backlog);
}

static void connects(void)
{
    struct slot *s = some_slot();
    union address a;
    socklen_t length = some_address(s->family, &a);
    if (s->family == AF_INET && s->type == SOCK_STREAM && s->port == a.in.sin_port)
        return; // to oneself: a simultaneous open, which Weft does not do
    if (s->refused && a.any.sa_family == AF_UNSPEC)
        return; // Linux keeps the error
    // of a handshake under way Linux says that, Weft too, but not for as long
    int r = connect(s->fd, &a.any, length);
    if (r == -1 && errno == EINPROGRESS) {
        struct pollfd p = {s->fd, POLLOUT, 0};
        poll(&p, 1, 200);
        s->refused |= p.revents & POLLERR;
        errno = EINPROGRESS;
    }
    said(r, "connect(%s, %s)", kind(s), said_to(&a, length));
    settle();
}

static void accepts(void)
{
    struct slot *s = some_slot();
    union address a;
    static const int flags[] = {SOCK_NONBLOCK, SOCK_NONBLOCK, SOCK_NONBLOCK | SOCK_CLOEXEC, 1};
    int flag = PICK(flags);
    socklen_t length = draw(4) ? sizeof(a) : draw(20);
    memset(&a, 0, sizeof(a));
    int fd = draw(8) ? accept4(s->fd, &a.any, &length, flag)
                     : accept4(s->fd, &a.any, NULL, SOCK_NONBLOCK);
    said(fd < 0 ? -1 : 0, "accept4(%s, %x)", kind(s), (unsigned)flag);
    if (fd >= 0) {
        said_address("from", &a, length);
        put_slot(fd, s->family, s->type);
    }
}

static void shuts(void)
{
    struct slot *s = some_slot();
    int how = (int)draw(5) - 1;
    if (s->refused) // then Linux never lets it connect again
        return;
    said(shutdown(s->fd, how), "shutdown(%s, %d)", kind(s), how);
    settle();
}

static void asks_names(void)
{
    struct slot *s = some_slot();
    union address a;
    socklen_t length = draw(2) ? sizeof(a) : draw(3) ? draw(20) : (socklen_t)-1, given = length;
    int peer = (int)draw(2), bad = !draw(12);
    memset(&a, 0, sizeof(a));
    int r = (peer ? getpeername : getsockname)(s->fd, bad ? (void *)8 : &a.any, &length);
    said(r, "%s(%s, %d, bad %d)", peer ? "getpeername" : "getsockname", kind(s), (int)given, bad);
    if (!r)
        said_address("name", &a, length > given ? given : length);
    if (!r)
        printf("%u:   length %d\n", twin_step, (int)length);
}

// ---- data --------------------------------------------------------------------------------------
static const int lengths[] = {0, 1, 2, 10, 100, 100, 500, 1000, 4096};

static int some_send_flags(void)
{
    return MSG_DONTWAIT | MSG_NOSIGNAL |
           (draw(3) ? 0
                    : (int)draw_bits(MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_MORE | MSG_CONFIRM));
}

static int some_receive_flags(void)
{
    static const int flags[] = {0,
                                0,
                                0,
                                MSG_PEEK,
                                MSG_PEEK,
                                MSG_TRUNC,
                                MSG_PEEK | MSG_TRUNC,
                                MSG_WAITALL,
                                MSG_OOB,
                                MSG_CMSG_CLOEXEC,
                                MSG_ERRQUEUE,
                                MSG_EOR};
    return MSG_DONTWAIT | PICK(flags);
}

// Where MSG_MORE may hold back, and urgent bytes have marks, loopback says little for sure.
static int plain_flags(const struct slot *s, int flags)
{
    if (s->family == AF_INET)
        flags &= ~(MSG_MORE | MSG_OOB | MSG_ERRQUEUE);
    return s->family == AF_UNIX ? flags & ~MSG_OOB : flags; // a kernel may leave it out
}

static void fill(int length)
{
    for (int i = 0; i < length; i++)
        buffer[i] = (char)draw(256);
}

static void sends(void)
{
    struct slot *s = some_slot();
    s->sent |= s->family == AF_UNIX && s->type == SOCK_DGRAM;
    union address a;
    int length = PICK(lengths), flags = plain_flags(s, some_send_flags());
    fill(length > 100 ? 100 : length);
    if (draw(3)) {
        const char *how = draw(4) ? "send" : "write";
        long r = *how == 's' ? send(s->fd, buffer, (size_t)length, flags)
                             : write(s->fd, buffer, (size_t)length);
        said(r, "%s(%s, %d, %x)", how, kind(s), length, (unsigned)flags);
    } else {
        socklen_t size = some_address(s->family, &a);
        said(sendto(s->fd, buffer, (size_t)length, flags, &a.any, size), "sendto(%s, %d, %x, %s)",
             kind(s), length, (unsigned)flags, said_to(&a, size));
    }
    settle();
}

static void receives(void)
{
    struct slot *s = some_slot();
    union address a;
    int length = PICK(lengths), flags = plain_flags(s, some_receive_flags()), named = (int)draw(2);
    socklen_t size = draw(3) ? sizeof(a) : draw(20), given = size;
    memset(&a, 0, sizeof(a));
    long r =
        recvfrom(s->fd, buffer, (size_t)length, flags, named ? &a.any : NULL, named ? &size : NULL);
    said(r, "recvfrom(%s, %d, %x)", kind(s), length, (unsigned)flags);
    if (r >= 0)
        said_bytes("got", buffer, r < length ? r : length);
    if (r >= 0 && named) {
        said_address("from", &a, size > given ? given : size);
        printf("%u:   length %d\n", twin_step, (int)size);
    }
    settle();
}

static void control_in(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        printf("%u:   control level %d type %d length %d", twin_step, c->cmsg_level, c->cmsg_type,
               (int)c->cmsg_len);
        int *data = (int *)CMSG_DATA(c), count = (int)(c->cmsg_len - CMSG_LEN(0)) / 4;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            for (int i = 0; i < count; i++) {
                printf(" %x", (unsigned)fcntl(data[i], F_GETFD));
                close(data[i]);
            }
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && count >= 3) {
            printf(" %s %d %d",
                   data[0] == getpid() ? "self"
                   : data[0]           ? "other"
                                       : "none",
                   data[1], data[2]);
        }
        printf("\n");
    }
}

static size_t control_out(char *control)
{
    struct cmsghdr *c = (struct cmsghdr *)control;
    int *data = (int *)CMSG_DATA(c);
    memset(control, 0, 64);
    switch (draw(9)) {
    case 0:
    case 1:
        *c = (struct cmsghdr){CMSG_LEN(8), SOL_SOCKET, SCM_RIGHTS};
        data[0] = 0;
        data[1] = 1;
        return CMSG_SPACE(8);
    case 2:
        *c = (struct cmsghdr){CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS};
        data[0] = 99;
        return CMSG_SPACE(4);
    case 3:
        *c = (struct cmsghdr){CMSG_LEN(12), SOL_SOCKET, SCM_CREDENTIALS};
        data[0] = getpid();
        data[1] = (int)draw(3);
        data[2] = (int)draw(3);
        return CMSG_SPACE(12);
    case 4:
        *c = (struct cmsghdr){CMSG_LEN(12), SOL_SOCKET, SCM_CREDENTIALS};
        data[0] = 0x3ffffff;
        return CMSG_SPACE(12);
    case 5:
        *c = (struct cmsghdr){CMSG_LEN(4 * draw(5)), SOL_SOCKET, SCM_RIGHTS};
        data[0] = data[1] = data[2] = data[3] = data[4] = 1;
        return CMSG_ALIGN(c->cmsg_len);
    case 6:
        *c = (struct cmsghdr){CMSG_LEN(4), (int)draw(300), (int)draw(30)};
        return CMSG_SPACE(4);
    default:
        return 0;
    }
}

static void sends_message(void)
{
    struct slot *s = some_slot();
    s->sent |= s->family == AF_UNIX && s->type == SOCK_DGRAM;
    union address a;
    char control[64];
    struct iovec parts[3] = {{buffer, draw(50)}, {buffer + 50, draw(50)}, {buffer, draw(2) * 10}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = draw(4), .msg_control = control};
    int flags = plain_flags(s, some_send_flags()), bad = (int)draw(20);
    fill(100);
    m.msg_controllen = control_out(control);
    if (m.msg_controllen < 12) // which a 64-bit kernel refuses
        m.msg_controllen = 0;
    if (s->family == AF_INET)
        m.msg_controllen = 0;
    if (!draw(3)) {
        m.msg_name = &a;
        m.msg_namelen = some_address(s->family, &a);
    }
    if (bad == 1)
        m.msg_iov = (void *)8;
    if (bad == 2)
        m.msg_iovlen = 1025;
    if (bad == 3 && s->type == SOCK_STREAM) // else it matters where it was to go
        parts[0].iov_base = (void *)8;
    if (bad == 4)
        parts[0].iov_len = (size_t)-1;
    said(syscall(SYS_sendmsg, s->fd, bad == 5 ? (void *)8 : &m, flags),
         "sendmsg(%s, %d parts %d+%d+%d, control %d, %x, bad %d, to %s)", kind(s),
         (int)m.msg_iovlen, (int)parts[0].iov_len, (int)parts[1].iov_len, (int)parts[2].iov_len,
         (int)m.msg_controllen, (unsigned)flags, bad,
         m.msg_name ? said_to(&a, m.msg_namelen) : "-");
    settle();
}

static void receives_message(void)
{
    struct slot *s = some_slot();
    union address a;
    char control[128];
    struct iovec parts[2] = {{buffer, draw(100)}, {buffer + 1000, draw(100)}};
    struct msghdr m = {.msg_iov = parts,
                       .msg_iovlen = draw(3),
                       .msg_control = control,
                       .msg_name = draw(2) ? &a : NULL};
    static const socklen_t sizes[] = {128, 128, 128, 12, 16, 20, 8, 0, 30};
    int flags = plain_flags(s, some_receive_flags());
    m.msg_controllen = PICK(sizes);
    m.msg_namelen = draw(4) ? sizeof(a) : draw(16);
    socklen_t given = m.msg_namelen;
    memset(&a, 0, sizeof(a));
    memset(control, 0, sizeof(control));
    int room = (int)m.msg_controllen;
    long r = said(syscall(SYS_recvmsg, s->fd, &m, flags), "recvmsg(%s, %d parts, control %d, %x)",
                  kind(s), (int)m.msg_iovlen, room, (unsigned)flags);
    if (r < 0)
        return;
    printf("%u:   flags %x control %d\n", twin_step, (unsigned)m.msg_flags, (int)m.msg_controllen);
    if (m.msg_name)
        said_address("from", &a, m.msg_namelen > given ? given : m.msg_namelen);
    control_in(&m);
    said_bytes("got", buffer, r < (long)parts[0].iov_len ? r : (long)parts[0].iov_len);
    settle();
}

static void many_messages(void)
{
    struct slot *s = some_slot();
    s->sent |= s->family == AF_UNIX && s->type == SOCK_DGRAM;
    struct mmsghdr m[3];
    struct iovec parts[3];
    unsigned count = draw(4);
    struct timespec none = {0, draw(9) ? 0 : 2000000000};
    memset(m, 0, sizeof(m));
    for (unsigned i = 0; i < 3; i++) {
        parts[i] = (struct iovec){buffer + 100 * i, draw(100)};
        m[i].msg_hdr.msg_iov = &parts[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    fill(300);
    int in = (int)draw(2), flags = MSG_DONTWAIT | MSG_NOSIGNAL | (in && !draw(4) ? MSG_PEEK : 0);
    if (in)
        said(syscall(SYS_recvmmsg, s->fd, m, count, flags, draw(2) ? &none : NULL),
             "recvmmsg(%s, %u)", kind(s), count);
    else
        said(syscall(SYS_sendmmsg, s->fd, m, count, flags), "sendmmsg(%s, %u)", kind(s), count);
    printf("%u:   %u %u %u flags %x\n", twin_step, m[0].msg_len, m[1].msg_len, m[2].msg_len,
           (unsigned)m[0].msg_hdr.msg_flags);
    settle();
}

// ---- options -----------------------------------------------------------------------------------
// Without buffer sizes, which count differently, and without those that Weft does not have.
static const short options[] = {1,  2,  3,  4,  5,  6,  9,  10, 11, 12, 15,
                                16, 17, 18, 20, 21, 29, 30, 35, 38, 39, 1000};
static const short ip_options[] = {1, 2, 8, 10, 11, 12, 13, 15, 33, 34, 999};
static const short tcp_options[] = {1, 4, 5, 6, 9, 18, 999};

static int some_option(const struct slot *s, int *level)
{
    static const short odd_levels[] = {2, 17, 41, 255, -1, 270};
    unsigned which = draw(12);
    *level = SOL_SOCKET;
    if (which < 6 || s->family == AF_UNIX) {
        int name = PICK(options);
        *level = which ? SOL_SOCKET : PICK(odd_levels);
        if (name == (s->family == AF_UNIX ? SO_REUSEPORT : SO_PASSCRED))
            name = SO_ERROR; // newer kernels keep them for the other family
        return name;
    }
    if (which < 9) {
        *level = IPPROTO_IP;
        return PICK(ip_options);
    }
    if (which == 11) {
        *level = PICK(odd_levels);
        return 1000;
    }
    *level = IPPROTO_TCP;
    return PICK(tcp_options);
}

static void asks_option(void)
{
    struct slot *s = some_slot();
    int level, name = some_option(s, &level), bad = (int)draw(20);
    static const int sizes[] = {4, 4, 4, 8, 12, 16, 1, 2, 3, 0, -1};
    int value[8] = {0x55555555, 0x55555555, 0x55555555}, given = PICK(sizes);
    socklen_t length = (socklen_t)given;
    int r = getsockopt(s->fd, level, name, bad == 1 ? (void *)8 : value,
                       bad == 2 ? (void *)8 : &length);
    if (!r && level == SOL_SOCKET && name == SO_PEERCRED)
        value[0] = value[0] == getpid() ? 1 : value[0] ? 2 : 0;
    said(r, "getsockopt(%s, %d, %d, %d, bad %d)", kind(s), level, name, given, bad);
    if (!r)
        printf("%u:   length %d: %x %x %x\n", twin_step, (int)length, (unsigned)value[0],
               (unsigned)value[1], (unsigned)value[2]);
}

static void sets_option(void)
{
    struct slot *s = some_slot();
    int level, name = some_option(s, &level), bad = (int)draw(20);
    static const int sizes[] = {4, 4, 4, 4, 8, 12, 1, 2, 0, -1};
    static const int values[] = {0, 1, 1, 2, 5, -1, 64, 255, 256, 100000};
    int value[4] = {PICK(values), 0, 0, 0};
    socklen_t length = (socklen_t)PICK(sizes);
    if (name == SO_LINGER)
        value[1] = 0;
    said(setsockopt(s->fd, level, name,
                    bad == 1   ? (void *)8
                    : bad == 2 ? NULL
                               : value,
                    length),
         "setsockopt(%s, %d, %d, %d, length %d, bad %d)", kind(s), level, name, value[0],
         (int)length, bad);
}

static void lingers(void)
{
    struct slot *s = some_slot();
    struct linger l = {(int)draw(2), 0};
    said(setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), "linger(%s, %d)", kind(s),
         l.l_onoff);
}

static void controls(void)
{
    struct slot *s = some_slot();
    static const unsigned long requests[] = {FIONREAD, SIOCATMARK, FIONREAD, SIOCGPGRP,
                                             0x5401,   0x12345678, SIOCOUTQ};
    unsigned long request = PICK(requests);
    int value = -1, bad = !draw(12);
    if (request == SIOCATMARK && s->family == AF_UNIX)
        request = FIONREAD; // only where Unix sockets have urgent bytes
    if (request == SIOCOUTQ)
        request = FIONREAD; // counts the kernel's own structures, and what never was sent
    said(ioctl(s->fd, request, bad ? (void *)8 : &value), "ioctl(%s, %lx, bad %d)", kind(s),
         request, bad);
    printf("%u:   %d\n", twin_step, value);
}

// ---- readiness ---------------------------------------------------------------------------------
static void polls(void)
{
    struct pollfd p[SLOTS];
    for (unsigned i = 0; i < SLOTS; i++)
        p[i] = (struct pollfd){slots[i].fd, 0x3fff & ~0x1000, 0};
    said(poll(p, SLOTS, 0), "poll");
    printf("%u:  ", twin_step);
    for (unsigned i = 0; i < SLOTS; i++)
        printf(" %x", (unsigned)p[i].revents);
    printf("\n");
}

static void selects(void)
{
    fd_set sets[3];
    struct timeval none = {0, 0};
    for (unsigned k = 0; k < 3; k++) {
        FD_ZERO(&sets[k]);
        for (unsigned i = 0; i < SLOTS; i++)
            if (is_open(&slots[i]))
                FD_SET(slots[i].fd, &sets[k]);
    }
    said(select(100, &sets[0], &sets[1], &sets[2], &none), "select");
    for (unsigned i = 0; i < SLOTS; i++)
        if (is_open(&slots[i]))
            printf("%u:   %u: %d%d%d\n", twin_step, i, !!FD_ISSET(slots[i].fd, &sets[0]),
                   !!FD_ISSET(slots[i].fd, &sets[1]), !!FD_ISSET(slots[i].fd, &sets[2]));
}

static void epoll_controls(void)
{
    struct slot *s = some_slot();
    static const int operations[] = {
        EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 0, 4};
    struct epoll_event e = {.events = draw_bits(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI)};
    int operation = PICK(operations), bad = (int)draw(16);
    e.events |= draw(3) ? 0 : draw_bits(EPOLLET | EPOLLONESHOT);
    e.events |= draw(8) ? 0 : EPOLLEXCLUSIVE;
    e.data.u64 = (uint64_t)number(s);
    said(epoll_ctl(bad == 1 ? 0 : epoll_fd, operation,
                   bad == 2   ? epoll_fd
                   : bad == 3 ? 0
                              : s->fd,
                   bad == 4 ? (void *)8 : &e),
         "epoll_ctl(%d, %s, %x, bad %d)", operation, kind(s), e.events, bad);
}

static int by_number(const void *a, const void *b)
{
    const struct epoll_event *x = a, *y = b;
    return (int)x->data.u32 - (int)y->data.u32;
}

static void epoll_waits(void)
{
    struct epoll_event e[SLOTS];
    int bad = (int)draw(16);
    int n = epoll_wait(epoll_fd, bad == 1 ? (void *)8 : e, bad == 2 ? 0 : bad == 3 ? -1 : SLOTS, 0);
    said(n, "epoll_wait(bad %d)", bad);
    if (n > 0)
        qsort(e, (size_t)n, sizeof(*e), by_number);
    for (int i = 0; i < n; i++)
        printf("%u:   %u: %x\n", twin_step, e[i].data.u32, e[i].events);
}

// ---- the old door ------------------------------------------------------------------------------
static void calls(void)
{
    struct slot *s = some_slot();
    static const int numbers[] = {0, 21, -1, 1000, 1, 5, 6, 7, 14, 15, 13, 4};
    long args[6] = {s->fd, 0, 0, 0, 0, 0};
    int call = PICK(numbers), bad = !draw(3);
    if (call == 1)
        args[0] = 99;
    said(syscall(SYS_socketcall, call, bad ? (void *)8 : args), "socketcall(%d, %s, bad %d)", call,
         kind(s), bad);
    settle();
}

static void not_sockets(void)
{
    static const int fds[] = {0, 99, -1};
    int fd = PICK(fds);
    char c = 0;
    union address a;
    socklen_t size = sizeof(a);
    memset(&a, 0, sizeof(a));
    switch (draw(9)) {
    case 0:
        said(bind(fd, &a.any, sizeof(a.in)), "bind(%d)", fd);
        break;
    case 1:
        said(listen(fd, 1), "listen(%d)", fd);
        break;
    case 2:
        said(accept4(fd, NULL, NULL, draw(2)), "accept4(%d)", fd);
        break;
    case 3:
        said(connect(fd, &a.any, (socklen_t)draw(300)), "connect(%d)", fd);
        break;
    case 4:
        said(send(fd, &c, 1, 0), "send(%d)", fd);
        break;
    case 5:
        said(recv(fd, draw(2) ? &c : (void *)8, 1, 0), "recv(%d)", fd);
        break;
    case 6:
        said(getsockname(fd, &a.any, &size), "getsockname(%d)", fd);
        break;
    case 7:
        said(shutdown(fd, 7), "shutdown(%d)", fd);
        break;
    case 8:
        said(setsockopt(fd, 1, 2, &size, draw(2) ? 4 : (socklen_t)-1), "setsockopt(%d)", fd);
        break;
    }
}

static void begin(void)
{
    struct ifreq lo = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    ioctl(fd, SIOCSIFFLAGS, &lo);
    close(fd);
    signal(SIGPIPE, SIG_IGN);
    mkdir("dir", 0755);
    epoll_fd = epoll_create1(0);
    for (unsigned i = 0; i < SLOTS; i++)
        slots[i].fd = -1;
}

static const struct step steps[] = {
    {make, 16},          {make_odd, 3},          {make_pair, 6},     {end, 10},
    {binds, 16},         {listens, 10},          {connects, 20},     {accepts, 14},
    {shuts, 6},          {asks_names, 8},        {sends, 22},        {receives, 22},
    {sends_message, 14}, {receives_message, 16}, {many_messages, 6}, {asks_option, 10},
    {sets_option, 8},    {lingers, 2},           {controls, 6},      {polls, 10},
    {selects, 3},        {epoll_controls, 12},   {epoll_waits, 10},  {calls, 3},
    {not_sockets, 3},
};

int main(int argc, char **argv)
{
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(*steps), begin);
}
