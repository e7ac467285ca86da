// SPDX-License-Identifier: MIT
// The socket calls, by their own numbers and by socketcall.
#include "ssi/linux/socket.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "ssi/fs/inode.h"

#define NAME_BYTES_MAX 128 // sockaddr_storage
#define SIGPIPE        13
#define MAY_WRITE      2
#define SOL_SOCKET     1
#define SOL_IP         0

int linux_socket_of(uint32_t fd, struct file **f)
{
    *f = file_of(fd);
    if (*f == NULL)
        return -EBADF;
    if (socket_is(*f) && !((*f)->flags & O_PATH))
        return 0;
    int e = (*f)->flags & O_PATH ? -EBADF : -ENOTSOCK;
    file_put(*f);
    return e;
}

struct socket_cred linux_socket_cred(void)
{
    const struct credentials *c = task_current()->cred;
    return (struct socket_cred){process_current()->pid, c->euid, c->egid};
}

// ---- addresses ---------------------------------------------------------------------------------
static bool is_unix(const struct socket_name *n)
{
    return n->bytes > 2 && n->at[0] == AF_UNIX && n->at[1] == 0;
}

static bool is_path(const struct socket_name *n)
{
    return is_unix(n) && n->at[2] != 0;
}

// The path, with a NUL, and the length that Linux gives such a name: with the NUL, no more.
static void path_of(struct socket_name *n, char path[SOCKET_NAME_BYTES])
{
    size_t bytes = n->bytes - 2u;
    memcpy(path, n->at + 2, bytes);
    path[bytes] = '\0';
    size_t used = 2 + strlen(path) + 1;
    n->bytes = (uint16_t)MIN(used, (size_t)SOCKET_NAME_BYTES);
}

int linux_socket_name_in(uint32_t user, uint32_t bytes, struct socket_name *n)
{
    *n = (struct socket_name){0};
    if ((int32_t)bytes < 0 || bytes > NAME_BYTES_MAX)
        return -EINVAL;
    n->bytes = (uint16_t)MIN(bytes, SOCKET_NAME_BYTES);
    if (n->bytes == 0)
        return 0;
    int e = user_read(n->at, user, n->bytes);
    if (e == 0 && bytes > SOCKET_NAME_BYTES && is_unix(n))
        e = -EINVAL;
    return e;
}

int linux_socket_name_out(const struct socket_name *n, uint32_t user, uint32_t user_bytes)
{
    int32_t room;
    int32_t whole = n->bytes;
    int e = user_read(&room, user_bytes, sizeof(room));
    if (e == 0 && room < 0)
        e = -EINVAL;
    if (e == 0 && room > 0 && whole > 0)
        e = user_write(user, n->at, (size_t)MIN(room, whole));
    return e < 0 ? e : user_write(user_bytes, &whole, sizeof(whole));
}

int linux_socket_name_find(struct file *f, struct socket_name *n)
{
    char path[SOCKET_NAME_BYTES];
    struct fs_who who;
    struct fs_stat st;
    if (!is_path(n) || socket_family(f) != AF_UNIX)
        return 0;
    process_who(process_current(), &who);
    path_of(n, path);
    int e = fs_stat(&who, who.cwd, path, 0, &st);
    if (e == 0)
        e = fs_access(&who, who.cwd, path, MAY_WRITE, 0);
    if (e == 0 && (st.mode & S_IFMT) != S_IFSOCK)
        e = -ECONNREFUSED;
    n->inode = st.inode;
    return e;
}

int linux_socket_target_in(struct file *f, uint32_t user, uint32_t bytes, struct socket_name *n)
{
    int e = linux_socket_name_in(user, bytes, n);
    bool too_long = e == -EINVAL && bytes <= NAME_BYTES_MAX;
    return too_long && socket_type(f) != SOCK_DGRAM ? 0 : e;
}

int linux_socket_target_find(struct file *f, struct socket_name *n)
{
    return n->bytes == 0 || socket_type(f) != SOCK_DGRAM ? 0 : linux_socket_name_find(f, n);
}

bool linux_socket_errors_asked(struct file *f, uint32_t flags)
{
    return flags & MSG_ERRQUEUE && socket_family(f) == AF_INET;
}

// bind: makes the name.
static int path_make(struct socket_name *n, struct fs_who *who, char path[SOCKET_NAME_BYTES])
{
    struct fs_stat st;
    process_who(process_current(), who);
    path_of(n, path);
    int e = fs_mknod(who, who->cwd, path, S_IFSOCK | 0777, 0);
    if (e == 0)
        e = fs_stat(who, who->cwd, path, FS_NOFOLLOW, &st);
    n->inode = e == 0 ? st.inode : 0;
    return e == -EEXIST ? -EADDRINUSE : e;
}

// ---- waiting -----------------------------------------------------------------------------------
uint64_t linux_socket_deadline(struct call *c, struct file *f, bool sending)
{
    uint64_t ns = socket_timeout_ns(f, sending);
    c->body[0] = ns != 0; // signal(7): with a timeout EINTR, whatever SA_RESTART says
    return ns ? linux_deadline_local(linux_deadline(c, ns)) : WAIT_FOREVER;
}

long linux_socket_sent(struct call *c, struct file *f, uint32_t flags, long moved, uint64_t wanted)
{
    if (moved != -EPIPE)
        return socket_is_stream(f) ? file_moved(c, f, moved, wanted) : moved;
    if (c->done > 0)
        return (long)c->done;
    if (!(flags & MSG_NOSIGNAL) && socket_is_stream(f)) {
        struct signal_info info = {.signal = SIGPIPE, .pid = process_current()->pid};
        signal_post_task(task_current(), &info);
    }
    return -EPIPE;
}

// ---- made --------------------------------------------------------------------------------------
#define FAMILIES 46 // socket(2) of Linux 6.1

static int flags_check(uint32_t type)
{
    return type & ~(15u | SOCK_NONBLOCK | SOCK_CLOEXEC) ? -EINVAL : 0;
}

static int type_check(uint32_t family, uint32_t type)
{
    if (family >= FAMILIES)
        return -EAFNOSUPPORT;
    return (type & 15) > 10 ? -EINVAL : 0;
}

static long install(struct file *f, uint32_t type)
{
    int fd = fd_install(process_current()->files, f, 0, type & SOCK_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}

static long do_socket(struct call *c, const uint32_t *a)
{
    struct file *f = NULL;
    struct socket_cred by = linux_socket_cred();
    (void)c;
    int e = flags_check(a[1]);
    if (e == 0)
        e = type_check(a[0], a[1]);
    if (e == 0 && a[0] == AF_INET && (a[1] & 15) == SOCK_RAW && a[2] - 1 < 255 &&
        !process_can(CAP_NET_RAW))
        e = -EPERM;
    if (e < 0)
        return e;
    e = socket_open((int32_t)a[0], a[1] & ~(uint32_t)SOCK_CLOEXEC, (int32_t)a[2], &by, &f);
    return e < 0 ? e : install(f, a[1]);
}

static long do_socketpair(struct call *c, const uint32_t *a)
{
    struct file *f[2];
    struct socket_cred by = linux_socket_cred();
    int32_t fds[2];
    (void)c;
    int e = flags_check(a[1]);
    if (e == 0)
        e = user_fault_in(a[3], sizeof(fds), true);
    if (e == 0)
        e = type_check(a[0], a[1]);
    if (e == 0)
        e = socket_open_pair((int32_t)a[0], a[1] & ~(uint32_t)SOCK_CLOEXEC, (int32_t)a[2], &by, f);
    if (e < 0)
        return e;
    fds[0] = (int32_t)install(f[0], a[1]);
    fds[1] = fds[0] < 0 ? fds[0] : (int32_t)install(f[1], a[1]);
    if (fds[0] < 0)
        file_put(f[1]);
    e = fds[1] < 0 ? fds[1] : user_write(a[3], fds, sizeof(fds));
    if (e < 0 && fds[0] >= 0)
        fd_close(process_current()->files, fds[0]);
    if (e < 0 && fds[1] >= 0)
        fd_close(process_current()->files, fds[1]);
    return e;
}

// ---- names and connections ---------------------------------------------------------------------
static int bind_path(struct file *f, struct socket_name *n, const struct socket_cred *by)
{
    struct fs_who who;
    char path[SOCKET_NAME_BYTES];
    int e = path_make(n, &who, path);
    if (e < 0)
        return e;
    e = socket_bind(f, n, by);
    if (e < 0)
        (void)fs_unlink(&who, who.cwd, path, false);
    return e;
}

static long do_bind(struct call *c, const uint32_t *a)
{
    struct file *f;
    struct socket_name n;
    struct socket_cred by = linux_socket_cred();
    (void)c;
    int e = linux_socket_of(a[0], &f);
    if (e < 0)
        return e;
    by.uid = process_can(CAP_NET_BIND_SERVICE) ? 0 : UINT32_MAX; // all that bind asks of it
    e = linux_socket_name_in(a[1], a[2], &n);
    if (e == 0)
        e = is_path(&n) && socket_family(f) == AF_UNIX ? bind_path(f, &n, &by)
                                                       : socket_bind(f, &n, &by);
    file_put(f);
    return e;
}

static long do_connect(struct call *c, const uint32_t *a)
{
    struct file *f;
    struct socket_name n;
    struct socket_cred by = linux_socket_cred();
    int e = linux_socket_of(a[0], &f);
    if (e == -ENOTSOCK && linux_socket_name_in(a[1], a[2], &n) < 0)
        return linux_socket_name_in(a[1], a[2], &n);
    if (e < 0)
        return e;
    e = linux_socket_name_in(a[1], a[2], &n);
    if (e == 0)
        e = linux_socket_name_find(f, &n);
    if (e == 0)
        e = socket_connect(f, &n, &by);
    // A blocking socket waits, also for an attempt that a signal had interrupted.
    if ((e == -EINPROGRESS || e == -EALREADY) && !(f->flags & O_NONBLOCK))
        e = socket_connect_wait(f, linux_socket_deadline(c, f, true));
    file_put(f);
    return e;
}

static long do_listen(struct call *c, const uint32_t *a)
{
    struct file *f;
    struct socket_cred by = linux_socket_cred();
    (void)c;
    int e = linux_socket_of(a[0], &f);
    if (e < 0)
        return e;
    e = socket_listen(f, (int32_t)a[1], &by);
    file_put(f);
    return e;
}

static long accept_with(struct call *c, const uint32_t *a, uint32_t flags)
{
    struct file *f, *made;
    struct socket_name n;
    int e = linux_socket_of(a[0], &f);
    bool wrong = flags & ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (e == 0 && wrong)
        file_put(f);
    if (e < 0 || wrong)
        return wrong && e != -EBADF ? -EINVAL : e;
    uint64_t deadline = linux_socket_deadline(c, f, false);
    e = fd_room(process_current()->files)
            ? socket_accept(f, flags & SOCK_NONBLOCK, deadline, &made, &n)
            : -EMFILE; // and the connection stays in the queue
    file_put(f);
    if (e < 0)
        return e;
    if (a[1])
        e = linux_socket_name_out(&n, a[1], a[2]);
    if (e < 0) {
        file_put(made);
        return e;
    }
    return install(made, flags);
}

static long do_accept(struct call *c, const uint32_t *a)
{
    return accept_with(c, a, 0);
}

static long do_accept4(struct call *c, const uint32_t *a)
{
    return accept_with(c, a, a[3]);
}

static long name_call(const uint32_t *a, bool peer)
{
    struct file *f;
    struct socket_name n;
    int e = linux_socket_of(a[0], &f);
    if (e < 0)
        return e;
    e = socket_name_of(f, peer, &n);
    if (e == 0)
        e = linux_socket_name_out(&n, a[1], a[2]);
    file_put(f);
    return e;
}

static long do_getsockname(struct call *c, const uint32_t *a)
{
    (void)c;
    return name_call(a, false);
}

static long do_getpeername(struct call *c, const uint32_t *a)
{
    (void)c;
    return name_call(a, true);
}

static long do_shutdown(struct call *c, const uint32_t *a)
{
    struct file *f;
    (void)c;
    int e = linux_socket_of(a[0], &f);
    if (e < 0)
        return e;
    e = socket_shutdown(f, (int32_t)a[1]);
    file_put(f);
    return e;
}

// ---- options -----------------------------------------------------------------------------------
// Which is asked before the arguments are looked at.
static bool level_is_known(struct file *f, uint32_t level)
{
    uint8_t value[SOCKET_OPTION_BYTES];
    return socket_get_option(f, (int32_t)level, -1, value) != -EOPNOTSUPP;
}

static long do_setsockopt(struct call *c, const uint32_t *a)
{
    uint8_t value[SOCKET_OPTION_BYTES];
    struct file *f;
    size_t n = MIN(a[4], SOCKET_OPTION_BYTES);
    (void)c;
    int e = linux_socket_of(a[0], &f);
    if (e < 0)
        return e;
    bool is_short = a[1] == SOL_SOCKET && n < sizeof(int32_t);
    e = (int32_t)a[4] < 0 || is_short ? -EINVAL : user_read(value, a[3], n);
    if (e == -EFAULT && !level_is_known(f, a[1]))
        e = socket_family(f) == AF_INET ? -ENOPROTOOPT : -EOPNOTSUPP;
    if (e == 0)
        e = socket_set_option(f, (int32_t)a[1], (int32_t)a[2], value, n);
    file_put(f);
    return e;
}

static long do_getsockopt(struct call *c, const uint32_t *a)
{
    uint8_t value[SOCKET_OPTION_BYTES];
    struct file *f;
    int32_t room;
    (void)c;
    int e = linux_socket_of(a[0], &f);
    if (e < 0)
        return e;
    long n = user_read(&room, a[4], sizeof(room));
    if (n == 0 && room < 0)
        n = -EINVAL;
    if (n < 0 && !level_is_known(f, a[1]))
        n = -EOPNOTSUPP;
    if (n == 0)
        n = socket_get_option(f, (int32_t)a[1], (int32_t)a[2], value);
    file_put(f);
    if (n < 0)
        return n;
    room = (int32_t)MIN((long)room, n);
    if (a[1] == SOL_IP && n == sizeof(int32_t) && room > 1 && room < n &&
        !(value[1] | value[2] | value[3]))
        room = 1; // ip(7): as a byte
    e = user_write(a[3], value, (size_t)room);
    return e < 0 ? e : user_write(a[4], &room, sizeof(room));
}

// ---- one buffer --------------------------------------------------------------------------------
static long do_sendto(struct call *c, const uint32_t *a)
{
    struct file *f;
    struct xfer x;
    struct socket_message m = {.data = &x, .flags = a[3], .cred = linux_socket_cred()};
    uint32_t n = MIN(a[2], MOVE_BYTES_MAX), done = (uint32_t)MIN(c->done, (uint64_t)n);
    long e = linux_socket_of(a[0], &f);
    if (e < 0)
        return e;
    if (a[4])
        e = linux_socket_target_in(f, a[4], a[5], &m.name);
    if (e == 0)
        e = linux_socket_target_find(f, &m.name);
    if (e == 0) {
        m.cred.uid = task_current()->cred->uid;
        m.cred.gid = task_current()->cred->gid;
        m.deadline_ns = linux_socket_deadline(c, f, true);
        xfer_user(&x, a[1] + done, n - done);
        e = linux_socket_sent(c, f, m.flags, socket_send(f, &m), n);
    }
    file_put(f);
    return e;
}

static long do_send(struct call *c, const uint32_t *a)
{
    const uint32_t all[6] = {a[0], a[1], a[2], a[3], 0, 0};
    return do_sendto(c, all);
}

static long do_recvfrom(struct call *c, const uint32_t *a)
{
    struct file *f;
    struct xfer x;
    struct socket_message m = {.data = &x, .flags = a[3]};
    long r = linux_socket_of(a[0], &f);
    if (r < 0)
        return r;
    m.deadline_ns = linux_socket_deadline(c, f, false);
    xfer_user(&x, a[1], MIN(a[2], MOVE_BYTES_MAX));
    r = linux_socket_errors_asked(f, m.flags) ? -EAGAIN : socket_receive(f, &m);
    if (r >= 0 && (m.flags & MSG_TRUNC) && (m.told & MSG_TRUNC))
        r = (long)m.full;
    if (r >= 0 && a[4]) {
        int e = linux_socket_name_out(&m.name, a[4], a[5]);
        r = e < 0 ? e : r;
    }
    file_put(f);
    return r;
}

static long do_recv(struct call *c, const uint32_t *a)
{
    const uint32_t all[6] = {a[0], a[1], a[2], a[3], 0, 0};
    return do_recvfrom(c, all);
}

static long do_recvmmsg(struct call *c, const uint32_t *a)
{
    return linux_recvmmsg(c, a, false);
}

// ---- numbers -----------------------------------------------------------------------------------
typedef long (*socket_body)(struct call *c, const uint32_t *a);

long sys_socket(struct call *c)
{
    return do_socket(c, c->args);
}

long sys_socketpair(struct call *c)
{
    return do_socketpair(c, c->args);
}

long sys_bind(struct call *c)
{
    return do_bind(c, c->args);
}

long sys_connect(struct call *c)
{
    return do_connect(c, c->args);
}

long sys_listen(struct call *c)
{
    return do_listen(c, c->args);
}

long sys_accept4(struct call *c)
{
    return do_accept4(c, c->args);
}

long sys_getsockopt(struct call *c)
{
    return do_getsockopt(c, c->args);
}

long sys_setsockopt(struct call *c)
{
    return do_setsockopt(c, c->args);
}

long sys_getsockname(struct call *c)
{
    return do_getsockname(c, c->args);
}

long sys_getpeername(struct call *c)
{
    return do_getpeername(c, c->args);
}

long sys_sendto(struct call *c)
{
    return do_sendto(c, c->args);
}

long sys_recvfrom(struct call *c)
{
    return do_recvfrom(c, c->args);
}

long sys_shutdown(struct call *c)
{
    return do_shutdown(c, c->args);
}

long sys_recvmmsg(struct call *c)
{
    return do_recvmmsg(c, c->args);
}

long sys_sendmsg(struct call *c)
{
    return linux_sendmsg(c, c->args);
}

long sys_recvmsg(struct call *c)
{
    return linux_recvmsg(c, c->args);
}

long sys_sendmmsg(struct call *c)
{
    return linux_sendmmsg(c, c->args);
}

long sys_recvmmsg_time64(struct call *c)
{
    return linux_recvmmsg(c, c->args, true);
}

// net.h numbers these from 1; the arguments are in memory.
long sys_socketcall(struct call *c)
{
    static const struct {
        socket_body body;
        uint8_t args;
    } calls[] = {
        {NULL, 0},           {do_socket, 3},     {do_bind, 3},        {do_connect, 3},
        {do_listen, 2},      {do_accept, 3},     {do_getsockname, 3}, {do_getpeername, 3},
        {do_socketpair, 4},  {do_send, 4},       {do_recv, 4},        {do_sendto, 6},
        {do_recvfrom, 6},    {do_shutdown, 2},   {do_setsockopt, 5},  {do_getsockopt, 5},
        {linux_sendmsg, 3},  {linux_recvmsg, 3}, {do_accept4, 4},     {do_recvmmsg, 5},
        {linux_sendmmsg, 4},
    };
    uint32_t args[6] = {0}, number = c->args[0];
    if (number == 0 || number >= ARRAY_SIZE(calls))
        return -EINVAL;
    int e = user_read(args, c->args[1], calls[number].args * sizeof(args[0]));
    return e < 0 ? e : calls[number].body(c, args);
}
