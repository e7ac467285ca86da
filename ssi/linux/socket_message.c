// SPDX-License-Identifier: MIT
// sendmsg, recvmsg and their like: vectors, and what travels beside the data (cmsg(3)).
#include "ssi/linux/socket.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/heap.h"

#define IOV_MAX           1024u
#define GATHER_BYTES      65536u // of several pieces that go as one
#define CONTROL_BYTES_MAX 20480u // net.core.optmem_max
#define SOL_SOCKET        1
#define SOL_IP            0
#define SCM_RIGHTS        1
#define SCM_CREDENTIALS   2
#define SCM_TIMESTAMP     29
#define SCM_STAMP_NS      35
#define SCM_STAMP_WIDE    63
#define SCM_STAMP_NS_WIDE 64
#define IP_TOS            1
#define IP_TTL            2
#define IP_PKTINFO        8
#define IP_ORIGDSTADDR    20

struct linux_iovec {
    uint32_t at, bytes;
} PACKED;

struct linux_msghdr {
    uint32_t name, name_bytes, vector, count, control, control_bytes, flags;
} PACKED;
STATIC_ASSERT(sizeof(struct linux_msghdr) == 28, "msghdr of the ABI");

struct linux_cmsghdr {
    uint32_t bytes; // with this header
    int32_t level, type;
} PACKED;

struct message { // one sendmsg or recvmsg
    struct linux_msghdr h;
    struct linux_iovec *v; // on the heap
    uint64_t total;
    struct socket_message m;
    struct xfer x;
    struct file **files; // SOCKET_FILES_MAX
};

static int vector_in(struct message *s)
{
    if (s->h.count > IOV_MAX)
        return -EMSGSIZE;
    s->v = heap_alloc(MAX(s->h.count, 1u) * sizeof(*s->v));
    if (s->v == NULL)
        return -ENOMEM;
    int e = user_read(s->v, s->h.vector, s->h.count * sizeof(*s->v));
    for (uint32_t k = 0; k < s->h.count && e == 0; k++) {
        if (s->v[k].bytes > INT32_MAX)
            e = -EINVAL;
        s->total += s->v[k].bytes;
    }
    return e == 0 && s->total > MOVE_BYTES_MAX ? -EINVAL : e;
}

static int message_begin(struct message *s, uint32_t user, bool files)
{
    *s = (struct message){0};
    int e = user_read(&s->h, user, sizeof(s->h));
    if (e == 0)
        e = vector_in(s);
    if (e == 0 && files) {
        s->files = heap_alloc(SOCKET_FILES_MAX * sizeof(*s->files));
        e = s->files ? 0 : -ENOMEM;
    }
    s->m.data = &s->x;
    return e;
}

static void message_end(struct message *s)
{
    heap_free(s->v);
    heap_free(s->files);
}

// ---- what is sent beside the data --------------------------------------------------------------
static int rights_in(struct message *s, const uint8_t *at, uint32_t bytes)
{
    for (uint32_t k = 0; k + sizeof(uint32_t) <= bytes; k += sizeof(uint32_t)) {
        uint32_t fd;
        memcpy(&fd, at + k, sizeof(fd));
        if (s->m.file_count == SOCKET_FILES_MAX)
            return -EINVAL;
        struct file *f = file_of(fd);
        if (f == NULL)
            return -EBADF;
        s->files[s->m.file_count++] = f;
    }
    return 0;
}

static int cred_in(struct message *s, const uint8_t *at, uint32_t bytes)
{
    struct socket_cred c;
    const struct credentials *own = task_current()->cred;
    if (bytes != sizeof(c))
        return -EINVAL;
    memcpy(&c, at, sizeof(c));
    bool uid = c.uid == own->uid || c.uid == own->euid || c.uid == own->suid;
    bool gid = c.gid == own->gid || c.gid == own->egid || c.gid == own->sgid;
    if ((c.pid != process_current()->pid && !process_can(CAP_SYS_ADMIN)) ||
        (!uid && !process_can(CAP_SETUID)) || (!gid && !process_can(CAP_SETGID)))
        return -EPERM;
    struct signal_info none = {.signal = 0};
    if (c.pid != process_current()->pid &&
        (c.pid <= 0 || signal_kill(process_current(), c.pid, &none) == -ESRCH))
        return -ESRCH;
    s->m.cred = c;
    return 0;
}

static int part_in(struct message *s, const struct linux_cmsghdr *h, const uint8_t *at,
                   bool unix_family)
{
    uint32_t bytes = h->bytes - (uint32_t)sizeof(*h);
    if (h->level == SOL_SOCKET && h->type == SCM_RIGHTS)
        return unix_family ? rights_in(s, at, bytes) : -EINVAL;
    if (h->level == SOL_SOCKET && h->type == SCM_CREDENTIALS)
        return unix_family ? cred_in(s, at, bytes) : -EINVAL;
    if (unix_family)
        return h->level == SOL_SOCKET ? -EINVAL : 0;
    // The source or the TTL of one datagram: the socket's are used.
    return h->level == SOL_IP && (h->type == IP_PKTINFO || h->type == IP_TTL || h->type == IP_TOS)
               ? 0
               : -EINVAL;
}

static int control_in(struct message *s, bool unix_family)
{
    uint32_t n = s->h.control_bytes;
    if (s->h.control == 0 || n == 0)
        return 0;
    if (n > CONTROL_BYTES_MAX)
        return -ENOBUFS;
    uint8_t *bytes = heap_alloc(n);
    if (bytes == NULL)
        return -ENOBUFS;
    int e = user_read(bytes, s->h.control, n);
    for (uint32_t at = 0; e == 0 && n - at >= sizeof(struct linux_cmsghdr);) {
        struct linux_cmsghdr h;
        memcpy(&h, bytes + at, sizeof(h));
        e = h.bytes < sizeof(h) || h.bytes > n - at
                ? -EINVAL
                : part_in(s, &h, bytes + at + sizeof(h), unix_family);
        at += MIN((uint32_t)ALIGN_UP(MAX(h.bytes, (uint32_t)sizeof(h)), 4u), n - at);
    }
    heap_free(bytes);
    return e;
}

static void files_drop(struct message *s, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        file_put(s->files[k]);
}

// ---- sending -----------------------------------------------------------------------------------
// Up to `room` bytes of the vector that begin `skip` bytes in.
static long gather(const struct message *s, uint64_t skip, char *to, size_t room)
{
    size_t done = 0;
    for (uint32_t k = 0; k < s->h.count && done < room; k++) {
        uint32_t begin = (uint32_t)MIN(skip, (uint64_t)s->v[k].bytes);
        skip -= begin;
        size_t n = MIN((size_t)(s->v[k].bytes - begin), room - done);
        int e = n ? user_read(to + done, s->v[k].at + begin, n) : 0;
        if (e < 0)
            return e;
        done += n;
    }
    return (long)done;
}

// Several pieces go through one buffer; a stream's rest follows in turn.
static long send_pieces(struct message *s, struct file *f, uint64_t skip)
{
    size_t room = (size_t)MIN(s->total - skip, (uint64_t)GATHER_BYTES);
    long total = 0;
    if (s->total > GATHER_BYTES && !socket_is_stream(f))
        room = (size_t)s->total; // at once, or -EMSGSIZE
    if (room > SOCKET_MESSAGE_MAX)
        return -EMSGSIZE;
    char *bytes = heap_alloc(MAX(room, (size_t)1));
    if (bytes == NULL)
        return -ENOBUFS;
    do {
        long n = gather(s, skip + (uint64_t)total, bytes, room);
        if (n >= 0) {
            xfer_kernel(&s->x, bytes, (size_t)n);
            long sent = socket_send(f, &s->m);
            total = sent < 0 && total == 0 ? sent : total + MAX(sent, 0);
            n = sent < n ? -1 : sent;
        } else if (total == 0 && socket_is_stream(f)) { // what the socket says goes before
            xfer_kernel(&s->x, bytes, 0);
            total = socket_send(f, &s->m);
            total = total < 0 ? total : n;
        } else if (total == 0) {
            total = n;
        }
        if (n < 0)
            break;
    } while (total > 0 && skip + (uint64_t)total < s->total);
    heap_free(bytes);
    return total;
}

static long send_message(struct call *c, struct message *s, struct file *f, uint64_t done)
{
    if (s->h.count > 1)
        return send_pieces(s, f, done);
    struct linux_iovec one = s->h.count ? s->v[0] : (struct linux_iovec){0, 0};
    (void)c;
    xfer_user(&s->x, one.at + (uint32_t)done, one.bytes - (uint32_t)done);
    return socket_send(f, &s->m);
}

static int send_prepare(struct call *c, struct message *s, struct file *f, uint32_t flags)
{
    const struct process *p = process_current();
    bool unix_family = socket_family(f) == AF_UNIX;
    s->m.flags = flags;
    s->m.cred = (struct socket_cred){p->pid, task_current()->cred->uid, task_current()->cred->gid};
    s->m.deadline_ns = linux_socket_deadline(c, f, true);
    s->m.files = s->files;
    struct socket_name *n = &s->m.name;
    int e = s->h.name ? linux_socket_target_in(f, s->h.name, s->h.name_bytes, n) : 0;
    struct socket_name peer;
    if (e == 0 && socket_type(f) == SOCK_SEQPACKET)
        e = socket_name_of(f, true, &peer); // -ENOTCONN before all else
    if (e == 0)
        e = control_in(s, unix_family);
    return e == 0 ? linux_socket_target_find(f, n) : e;
}

static long sendmsg_on(struct call *c, struct file *f, uint32_t user, uint32_t flags, uint64_t done)
{
    struct message s;
    long r = message_begin(&s, user, true);
    if (r == 0)
        r = send_prepare(c, &s, f, flags);
    uint32_t files = s.m.file_count;
    if (r == 0 && done > 0)
        s.m.file_count = 0; // they went with the first byte
    if (r == 0)
        r = send_message(c, &s, f, MIN(done, s.total));
    if (s.files)
        files_drop(&s, files);
    message_end(&s);
    return r;
}

static uint64_t total_of(uint32_t user)
{
    struct message s;
    uint64_t total = message_begin(&s, user, false) == 0 ? s.total : 0;
    message_end(&s);
    return total;
}

long linux_sendmsg(struct call *c, const uint32_t *a)
{
    struct file *f;
    long r = linux_socket_of(a[0], &f);
    if (r < 0)
        return r;
    r = sendmsg_on(c, f, a[1], a[2], c->done);
    uint64_t wanted = r >= 0 && thread_current()->asked ? total_of(a[1]) : c->done + MAX(r, 0);
    r = linux_socket_sent(c, f, a[2], r, r == -EINTR ? UINT64_MAX : wanted);
    file_put(f);
    return r;
}

#define MMSGHDR_BYTES (sizeof(struct linux_msghdr) + 4)

long linux_sendmmsg(struct call *c, const uint32_t *a)
{
    struct file *f;
    uint32_t sent = 0, count = MIN(a[2], IOV_MAX);
    long r = linux_socket_of(a[0], &f);
    if (r < 0)
        return r;
    while (sent < count) {
        uint32_t at = a[1] + sent * (uint32_t)MMSGHDR_BYTES;
        r = sendmsg_on(c, f, at, a[3], 0);
        uint32_t n = (uint32_t)r;
        if (r >= 0)
            r = user_write(at + (uint32_t)sizeof(struct linux_msghdr), &n, sizeof(n));
        if (r < 0)
            break;
        sent++;
    }
    if (sent == 0 && r == -EPIPE)
        r = linux_socket_sent(c, f, a[3], r, 0);
    file_put(f);
    return sent ? (long)sent : r;
}

// ---- what comes beside the data ----------------------------------------------------------------
struct control_out {
    uint32_t at, left; // in user memory
    uint32_t used;
    bool cut;
};

static int part_out(struct control_out *o, int32_t level, int32_t type, const void *data,
                    uint32_t n)
{
    struct linux_cmsghdr h = {(uint32_t)sizeof(h) + n, level, type};
    if (o->left < sizeof(h)) {
        o->cut = true;
        return 0;
    }
    if (o->left < h.bytes) {
        o->cut = true;
        h.bytes = o->left;
    }
    int e = user_write(o->at, &h, sizeof(h));
    if (e == 0)
        e = user_write(o->at + (uint32_t)sizeof(h), data, h.bytes - (uint32_t)sizeof(h));
    uint32_t step = (uint32_t)MIN(ALIGN_UP(h.bytes, 4u), o->left);
    o->at += step;
    o->left -= step;
    o->used += step;
    return e;
}

static int rights_out(struct control_out *o, struct message *s, uint32_t flags)
{
    int32_t fds[SOCKET_FILES_MAX];
    uint32_t fit = o->left < sizeof(struct linux_cmsghdr)
                       ? 0
                       : (o->left - (uint32_t)sizeof(struct linux_cmsghdr)) / 4;
    uint32_t count = MIN(s->m.file_count, fit), made = 0;
    for (; made < count; made++) {
        int fd = fd_install(process_current()->files, s->files[made], 0, flags & MSG_CMSG_CLOEXEC);
        if (fd < 0)
            break;
        fds[made] = fd;
    }
    for (uint32_t k = made; k < s->m.file_count; k++)
        file_put(s->files[k]);
    o->cut = o->cut || made < s->m.file_count;
    return made ? part_out(o, SOL_SOCKET, SCM_RIGHTS, fds, made * 4) : 0;
}

static int time_out(struct control_out *o, const struct socket_message *m)
{
    bool ns = m->ip_wanted & SOCKET_WANT_TIME_NS;
    uint64_t wide[2] = {m->time_ns / NS_PER_S, m->time_ns % NS_PER_S / (ns ? 1 : 1000)};
    uint32_t narrow[2] = {(uint32_t)wide[0], (uint32_t)wide[1]};
    if (m->ip_wanted & SOCKET_WANT_TIME_WIDE)
        return part_out(o, SOL_SOCKET, ns ? SCM_STAMP_NS_WIDE : SCM_STAMP_WIDE, wide, sizeof(wide));
    return part_out(o, SOL_SOCKET, ns ? SCM_STAMP_NS : SCM_TIMESTAMP, narrow, sizeof(narrow));
}

static int destination_out(struct control_out *o, const struct socket_message *m)
{
    struct {
        uint16_t family, port;
        uint32_t ip, zero[2];
    } PACKED to = {AF_INET, __builtin_bswap16(m->to_port), __builtin_bswap32(m->to_ip), {0, 0}};
    return part_out(o, SOL_IP, IP_ORIGDSTADDR, &to, sizeof(to));
}

static int ip_out(struct control_out *o, const struct socket_message *m)
{
    uint8_t want = m->ip_wanted;
    int32_t ttl = m->ttl;
    uint32_t ip = __builtin_bswap32(m->to_ip);
    uint32_t info[3] = {m->to_ip >> 24 == 127 ? 1 : 2, ip, ip};
    int e = 0;
    if (want & SOCKET_WANT_TIME)
        e = time_out(o, m);
    if (e == 0 && want & SOCKET_WANT_PKTINFO)
        e = part_out(o, SOL_IP, IP_PKTINFO, info, sizeof(info));
    if (e == 0 && want & SOCKET_WANT_TTL)
        e = part_out(o, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
    if (e == 0 && want & SOCKET_WANT_TOS)
        e = part_out(o, SOL_IP, IP_TOS, &m->tos, sizeof(m->tos));
    if (e == 0 && want & SOCKET_WANT_DESTINATION)
        e = destination_out(o, m);
    return e;
}

// ---- receiving ---------------------------------------------------------------------------------
static int scatter(const struct message *s, const char *from, size_t n)
{
    size_t done = 0;
    for (uint32_t k = 0; k < s->h.count && done < n; k++) {
        size_t piece = MIN((size_t)s->v[k].bytes, n - done);
        int e = piece ? user_write(s->v[k].at, from + done, piece) : 0;
        if (e < 0)
            return e;
        done += piece;
    }
    return 0;
}

static long receive_message(struct message *s, struct file *f)
{
    if (s->h.count <= 1) {
        struct linux_iovec one = s->h.count ? s->v[0] : (struct linux_iovec){0, 0};
        xfer_user(&s->x, one.at, one.bytes);
        return socket_receive(f, &s->m);
    }
    uint32_t most = socket_is_stream(f) ? GATHER_BYTES : SOCKET_MESSAGE_MAX;
    size_t room = (size_t)MIN(s->total, (uint64_t)most);
    char *bytes = heap_alloc(MAX(room, (size_t)1));
    if (bytes == NULL)
        return -ENOMEM;
    xfer_kernel(&s->x, bytes, room);
    long r = socket_receive(f, &s->m);
    int e = r > 0 ? scatter(s, bytes, (size_t)MIN(r, (long)room)) : 0;
    heap_free(bytes);
    return e < 0 ? e : r;
}

static int header_out(struct message *s, uint32_t user, uint32_t flags)
{
    struct control_out o = {s->h.control, s->h.control ? s->h.control_bytes : 0, 0, false};
    struct socket_message *m = &s->m;
    int32_t name_bytes = m->name.bytes;
    int e = 0;
    if (s->h.name) {
        if ((int32_t)s->h.name_bytes < 0)
            return -EINVAL;
        e = user_write(s->h.name, m->name.at, MIN((uint32_t)name_bytes, s->h.name_bytes));
        if (e == 0)
            e = user_write(user + 4, &name_bytes, sizeof(name_bytes));
    }
    if (e == 0)
        e = ip_out(&o, m);
    if (e == 0 && m->cred_wanted)
        e = part_out(&o, SOL_SOCKET, SCM_CREDENTIALS, &m->cred, sizeof(m->cred));
    if (m->file_count)
        e = e < 0 ? e : rights_out(&o, s, flags);
    uint32_t told[2] = {o.used, m->told | (o.cut ? MSG_CTRUNC : 0)};
    told[1] |= flags & MSG_CMSG_CLOEXEC;
    return e < 0 ? e : user_write(user + 20, told, sizeof(told));
}

static long recvmsg_on(struct call *c, struct file *f, uint32_t user, uint32_t flags)
{
    struct message s;
    long r = message_begin(&s, user, true);
    if (r == 0) {
        s.m.flags = flags;
        s.m.deadline_ns = linux_socket_deadline(c, f, false);
        s.m.files = s.files;
        r = linux_socket_errors_asked(f, flags) ? -EAGAIN : receive_message(&s, f);
    }
    if (r >= 0) {
        long n = (flags & MSG_TRUNC) && (s.m.told & MSG_TRUNC) ? (long)s.m.full : r;
        int e = header_out(&s, user, flags);
        r = e < 0 ? e : n;
    }
    message_end(&s);
    return r;
}

long linux_recvmsg(struct call *c, const uint32_t *a)
{
    struct file *f;
    long r = linux_socket_of(a[0], &f);
    if (r < 0)
        return r;
    r = recvmsg_on(c, f, a[1], a[2]);
    file_put(f);
    return r;
}

long linux_recvmmsg(struct call *c, const uint32_t *a, bool wide)
{
    struct file *f;
    uint64_t ns = 0, until = WAIT_FOREVER;
    uint32_t got = 0, count = MIN(a[2], IOV_MAX), flags = a[3];
    long r = a[4] ? linux_timespec_in(a[4], wide, &ns) : 0;
    if (r == 0)
        r = linux_socket_of(a[0], &f);
    if (r < 0)
        return r;
    until = a[4] ? clock_now_ns() + ns : WAIT_FOREVER;
    while (got < count) {
        uint32_t at = a[1] + got * (uint32_t)MMSGHDR_BYTES;
        r = recvmsg_on(c, f, at, flags & ~(uint32_t)MSG_WAITFORONE);
        uint32_t n = (uint32_t)r;
        if (r >= 0)
            r = user_write(at + (uint32_t)sizeof(struct linux_msghdr), &n, sizeof(n));
        if (r < 0)
            break;
        got++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (clock_now_ns() >= until)
            break;
    }
    file_put(f);
    return got ? (long)got : r;
}
