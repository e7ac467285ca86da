// SPDX-License-Identifier: MIT
// Sockets as open files of this node: made, waited for, polled, ended.
#include "ssi/stream/socket.h"
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/owner.h"
#include "ssi/stream/ioctls.h"
#include "ssi/stream/socket_file.h"

struct socket_list {
    struct list all;
    bool set_up;
};
NODE_VAR(struct socket_list, sockets);
NODE_VAR(uint64_t, socket_numbers);

struct list *sockets_all(void)
{
    struct socket_list *l = &node(sockets);
    if (!l->set_up) {
        list_init(&l->all);
        l->set_up = true;
    }
    return &l->all;
}

struct socket *socket_new(const struct socket_kind *k, int family, int type)
{
    struct socket *s = heap_zalloc(sizeof(*s));
    if (s == NULL)
        return NULL;
    s->kind = k;
    s->family = (uint16_t)family;
    s->type = (uint16_t)type;
    s->number = ++node(socket_numbers);
    s->mode = 0777;
    wait_init(&s->readable);
    wait_init(&s->writable);
    wait_init(&s->changed);
    list_init(&s->async);
    list_init(&s->inbox);
    list_init(&s->children);
    list_init(&s->deferred);
    list_init(&s->child_link);
    list_init(&s->port_link);
    options_init(s);
    list_append(sockets_all(), &s->all_link);
    return s;
}

// connect(2) with AF_UNSPEC: the end of the connection.
bool socket_name_is_none(const struct socket_name *n)
{
    return n->bytes >= 2 && n->at[0] == AF_UNSPEC && n->at[1] == 0;
}

// ---- waking ------------------------------------------------------------------------------------
static void news(struct socket *s, unsigned which)
{
    if (list_empty(&s->async) || (which & WAKE_OWN))
        return;
    if (which == WAKE_READ && s->low_water > 1 && !(s->kind->poll(s) & POLL_IN))
        return;
    unsigned now = which == (WAKE_READ | WAKE_WRITE) ? s->kind->poll(s) : 0;
    if (s->error && s->family == AF_INET)
        file_news(&s->async, NEWS_ERR);
    else if (now & POLL_HUP)
        file_news(&s->async, NEWS_HUP);
    else
        file_news(&s->async, which & WAKE_READ ? NEWS_IN : NEWS_OUT);
}

void socket_wake(struct socket *s, unsigned which)
{
    if (which & WAKE_READ)
        wait_wake_all(&s->readable);
    if (which & WAKE_WRITE)
        wait_wake_all(&s->writable);
    wait_wake_all(&s->changed);
    news(s, which);
}

void socket_wake_waiting_for(struct socket *target)
{
    struct socket *s;
    list_for_each (s, sockets_all(), all_link)
        if (s->waits_for == target || (s->peer == target && s->kind == &unix_datagram_kind)) {
            unsigned own = s->waits_for == target ? 0 : WAKE_OWN;
            s->waits_for = NULL;
            socket_wake(s, WAKE_WRITE | own);
        }
}

int socket_take_error(struct socket *s)
{
    int e = s->error;
    s->error = 0;
    return e;
}

void socket_fail(struct socket *s, int error)
{
    s->error = error;
    socket_wake(s, WAKE_READ | WAKE_WRITE);
}

// ---- connections that wait to be accepted ------------------------------------------------------
void socket_child_add(struct socket *listener, struct socket *child)
{
    child->listener = listener;
    list_append(&listener->children, &child->child_link);
    listener->child_count++;
    socket_wake(listener, WAKE_READ);
}

struct socket *socket_child_take(struct socket *listener)
{
    if (list_empty(&listener->children))
        return NULL;
    struct socket *c = list_entry(listener->children.next, struct socket, child_link);
    list_remove(&c->child_link);
    listener->child_count--;
    c->listener = NULL;
    return c;
}

void socket_children_end(struct socket *listener)
{
    struct socket *child;
    while ((child = socket_child_take(listener)) != NULL) {
        child->never_accepted = true;
        socket_end(child);
    }
    defer_orphans(listener);
}

// ---- ended -------------------------------------------------------------------------------------
// No other socket names it any more.
static void forget(struct socket *gone)
{
    struct socket *s;
    list_for_each (s, sockets_all(), all_link) {
        if (s->waits_for == gone) {
            s->waits_for = NULL;
            socket_wake(s, WAKE_READ | WAKE_WRITE);
        }
        if (s->peer == gone) {
            s->peer = NULL;
            s->peer_lost = true;
            if (s->peer_name == NULL)
                s->peer_name = unix_name_get(gone->name);
            socket_wake(s, WAKE_READ | WAKE_WRITE | WAKE_OWN); // as on Linux, no news
        }
    }
}

static bool may_be_named(const struct socket *s)
{
    return s->kind == &unix_datagram_kind || s->listened;
}

void socket_end(struct socket *s)
{
    if (s->listener) {
        list_remove(&s->child_link);
        s->listener->child_count -= !s->joined.deferred;
    }
    socket_children_end(s);
    s->kind->end(s);
    bool named = may_be_named(s);
    list_remove(&s->all_link);
    if (named)
        forget(s);
    packets_drop(s);
    if (s->gathered)
        packet_put(s->gathered);
    if (s->joined.hold_timer || s->joined.defer_timer)
        held_drop(s);
    inet_port_drop(s);
    unix_name_put(s->name);
    unix_name_put(s->peer_name);
    heap_free(s);
}

// ---- sleeping ----------------------------------------------------------------------------------
static bool is_datagram(const struct socket *s)
{
    return s->type == SOCK_DGRAM || s->type == SOCK_RAW;
}

static int sleep_on(struct file *f, struct wait_queue *q, const struct socket_message *m)
{
    if ((m->flags & MSG_DONTWAIT) || (f->flags & O_NONBLOCK))
        return -EAGAIN;
    int e = wait_sleep(q, m->deadline_ns, WAIT_INTERRUPTIBLE);
    return e == -ETIMEDOUT ? -EAGAIN : e;
}

int socket_send_step(struct file *f, struct socket_message *m)
{
    struct socket *s = f->data;
    for (;;) {
        int e = s->kind->send(s, m);
        if (e != -EAGAIN)
            return e;
        e = sleep_on(f, &s->writable, m);
        if (s->state != SOCKET_CONNECTING) // which waits for its listener, whoever sends
            s->waits_for = NULL;
        if (e < 0)
            return e;
    }
}

int socket_receive_step(struct file *f, struct socket_message *m)
{
    struct socket *s = f->data;
    for (;;) {
        int e = s->kind->receive(s, m);
        bool waits = !(m->flags & MSG_DONTWAIT) && !(f->flags & O_NONBLOCK);
        if (e == -EAGAIN && waits && is_datagram(s) && s->shut & SHUT_READ)
            return 0;
        if (e != -EAGAIN)
            return e;
        e = sleep_on(f, &s->readable, m);
        if (e < 0)
            return e;
    }
}

// ---- as a file ---------------------------------------------------------------------------------
static uint64_t deadline_of(uint64_t timeout_ns)
{
    return timeout_ns ? clock_now_ns() + timeout_ns : WAIT_FOREVER;
}

static int file_read_socket(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct socket *s = f->data;
    (void)at;
    if (x->left == 0)
        return 0; // of read(2) alone: recv(2) of nothing waits for something
    struct socket_message m = {.data = x, .deadline_ns = deadline_of(s->receive_timeout_ns)};
    size_t start = x->done, before;
    int e;
    if (s->low_water == 1)
        return socket_receive_step(f, &m);
    do {
        before = x->done;
        e = socket_receive_step(f, &m);
    } while (e == 0 && x->done > before && x->left > 0 && !x->short_copy &&
             s->type == SOCK_STREAM && x->done - start < (size_t)s->low_water);
    return x->done > start ? 0 : e;
}

static int file_write_socket(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct socket *s = f->data;
    (void)at;
    struct socket_message m = {
        .data = x, .deadline_ns = deadline_of(s->send_timeout_ns), .cred = s->cred};
    return socket_send_step(f, &m);
}

static unsigned file_poll_socket(struct file *f)
{
    struct socket *s = f->data;
    return s->kind->poll(s);
}

static struct wait_queue *file_poll_queue(struct file *f)
{
    struct socket *s = f->data;
    return &s->changed;
}

static struct list *file_async_socket(struct file *f)
{
    struct socket *s = f->data;
    return &s->async;
}

static int file_stat_socket(struct file *f, struct fs_stat *st)
{
    const struct socket *s = f->data;
    int64_t now = (int64_t)cluster_real_ns();
    *st = (struct fs_stat){.dev = 8,
                           .inode = s->number,
                           .mode = S_IFSOCK | s->mode,
                           .links = 1,
                           .uid = s->uid,
                           .gid = s->gid,
                           .atime_ns = now,
                           .mtime_ns = now,
                           .ctime_ns = now};
    return 0;
}

static int file_set_socket(struct file *f, const struct fs_set *set)
{
    struct socket *s = f->data;
    if (set->size_set)
        return -EINVAL;
    if (set->mode_set)
        s->mode = (uint16_t)(set->mode & 07777);
    if (set->owner_set && set->uid != UINT32_MAX)
        s->uid = set->uid;
    if (set->owner_set && set->gid != UINT32_MAX)
        s->gid = set->gid;
    return 0;
}

static long file_ioctl_socket(struct file *f, uint32_t request, void *data, size_t in_bytes,
                              size_t out_size)
{
    struct socket *s = f->data;
    uint32_t n;
    (void)in_bytes;
    if (out_size < sizeof(n) || (request != FIONREAD && request != TIOCOUTQ))
        return -ENOTTY;
    if (request == FIONREAD && s->state == SOCKET_LISTENING)
        return -EINVAL;
    if (request == FIONREAD)
        n = s->kind->readable_bytes(s);
    else
        n = s->peer && s->type == SOCK_STREAM && s->family == AF_UNIX ? s->peer->inbox_bytes : 0;
    memcpy(data, &n, sizeof(n));
    return 0;
}

static void file_release_socket(struct file *f)
{
    struct socket *s = f->data;
    s->file = NULL;
    socket_end(s);
}

static const struct file_ops socket_file_ops = {
    .name = "socket",
    .read = file_read_socket,
    .write = file_write_socket,
    .ioctl = file_ioctl_socket,
    .poll = file_poll_socket,
    .poll_queue = file_poll_queue,
    .stat = file_stat_socket,
    .set = file_set_socket,
    .exchange = socket_exchange,
    .async = file_async_socket,
    .release = file_release_socket,
};

struct socket *socket_of(const struct file *f)
{
    return f->ops == &socket_file_ops ? f->data : NULL;
}

struct file *socket_file(struct socket *s, uint32_t flags)
{
    struct file *f = file_new(&socket_file_ops, O_RDWR | (flags & O_NONBLOCK), s);
    if (f)
        s->file = f;
    return f;
}

bool socket_is(const struct file *f)
{
    return f->ops->exchange != NULL;
}

// ---- made --------------------------------------------------------------------------------------
#define PROTOCOL_ICMP  1
#define PROTOCOL_TCP   6
#define PROTOCOL_UDP   17
#define PROTOCOL_RAW   255
#define PROTOCOL_MPTCP 262 // the largest there is

static int unix_kind(uint32_t type, int32_t protocol, const struct socket_kind **k)
{
    if (protocol != 0 && protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    *k = type == SOCK_STREAM || type == SOCK_SEQPACKET ? &unix_joined_kind
         : type == SOCK_DGRAM || type == SOCK_RAW      ? &unix_datagram_kind
                                                       : NULL;
    return *k ? 0 : -ESOCKTNOSUPPORT;
}

static int inet_kind(uint32_t type, int32_t *protocol, const struct socket_kind **k)
{
    int32_t usual = type == SOCK_STREAM ? PROTOCOL_TCP : PROTOCOL_UDP;
    if (*protocol < 0 || *protocol > PROTOCOL_MPTCP)
        return -EINVAL;
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
        return -ESOCKTNOSUPPORT;
    if (type == SOCK_RAW) {
        if (*protocol == 0 || *protocol > PROTOCOL_RAW)
            return -EPROTONOSUPPORT;
        *k = &raw_kind;
        return 0;
    }
    if (type == SOCK_DGRAM && *protocol == PROTOCOL_ICMP)
        return -EACCES; // net.ipv4.ping_group_range is empty
    if (*protocol != 0 && *protocol != usual)
        return -EPROTONOSUPPORT;
    *protocol = usual;
    *k = type == SOCK_STREAM ? &tcp_kind : &udp_kind;
    return 0;
}

static int netlink_kind_of(uint32_t type, int32_t protocol, const struct socket_kind **k)
{
    *k = &netlink_kind;
    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    return protocol == 0 ? 0 : -EPROTONOSUPPORT; // NETLINK_ROUTE
}

int socket_open(int32_t family, uint32_t type, int32_t protocol, const struct socket_cred *by,
                struct file **f)
{
    const struct socket_kind *k;
    uint32_t plain = type & ~(uint32_t)SOCK_NONBLOCK;
    int e = family == AF_UNIX      ? unix_kind(plain, protocol, &k)
            : family == AF_INET    ? inet_kind(plain, &protocol, &k)
            : family == AF_NETLINK ? netlink_kind_of(plain, protocol, &k)
                                   : -EAFNOSUPPORT;
    if (e < 0)
        return e;
    if (family == AF_UNIX && plain == SOCK_RAW)
        plain = SOCK_DGRAM;
    struct socket *s = socket_new(k, family, (int)plain);
    if (s == NULL)
        return -ENOMEM;
    s->protocol = (uint16_t)protocol;
    s->header_included = k == &raw_kind && protocol == PROTOCOL_RAW; // raw(7)
    s->cred = *by;
    s->uid = by->uid;
    s->gid = by->gid;
    *f = socket_file(s, type);
    if (*f == NULL) {
        socket_end(s);
        return -ENOMEM;
    }
    return k == &raw_kind ? inet_port_bind(s, (struct net_address){0, s->protocol}) : 0;
}

int socket_open_pair(int32_t family, uint32_t type, int32_t protocol, const struct socket_cred *by,
                     struct file *f[2])
{
    int e = socket_open(family, type, protocol, by, &f[0]);
    if (e < 0)
        return e;
    e = family == AF_UNIX ? socket_open(family, type, protocol, by, &f[1]) : -EOPNOTSUPP;
    if (e < 0) {
        file_put(f[0]);
        return e;
    }
    struct socket *a = f[0]->data, *b = f[1]->data;
    joined_connect(a, b);
    a->peer_cred = b->peer_cred = *by;
    return 0;
}
