// SPDX-License-Identifier: MIT
// A call on a socket travels by value to the node where it lives: a fixed part, references to files
// that are passed on, data. The home never waits; what would wait sleeps here until the home says
// that the file may have changed (ssi/fs/proxy.c).
#include "ssi/stream/socket_remote.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/wire.h"
#include "ssi/stream/socket_file.h"

enum socket_op {
    OP_BIND = 1,
    OP_CONNECT,
    OP_CONNECTED, // its outcome
    OP_LISTEN,
    OP_ACCEPT,
    OP_NAME,
    OP_SHUTDOWN,
    OP_SET,
    OP_GET,
    OP_IOCTL,
    OP_SEND,
    OP_RECEIVE,
    OP_IS_STREAM,
    OPS
};

struct socket_ask { // then files, then data
    uint8_t op;
    uint8_t files_wanted;
    uint16_t file_count;
    int32_t a, b;
    uint32_t flags;
    struct socket_cred cred;
    struct socket_name name;
    uint32_t data_bytes;
    uint32_t room; // of the answer's data
    uint32_t skip; // peeked at already
} PACKED;
STATIC_ASSERT(sizeof(struct socket_ask) == 160, "socket_ask on the wire");

struct socket_answer { // then files, then data
    struct socket_name name;
    struct socket_cred cred;
    uint32_t told, full;
    uint8_t cred_wanted, ip_wanted, ttl, tos;
    uint32_t to_ip;
    uint64_t time_ns, timeout_ns;
    uint32_t low_water;
    uint16_t file_count, reserved;
    uint32_t data_bytes;
} PACKED;
STATIC_ASSERT(sizeof(struct socket_answer) == 176, "socket_answer on the wire");

#define FILES_FAR_MAX 64u // files in one message between nodes
#define DATA_FAR_MAX                                                                               \
    (FILE_DATA_MAX - sizeof(struct socket_answer) - FILES_FAR_MAX * sizeof(struct file_ref))

// ---- asking ------------------------------------------------------------------------------------
struct asking {
    struct socket_ask ask;
    struct socket_answer answer;
    const void *in;      // ask.data_bytes, kernel memory
    void *out;           // ask.room
    struct file **files; // passed on, or room for FILES_FAR_MAX
    struct wait_watch watch;
    struct wait_queue queue;
    bool woken;
};

static void on_wake(struct wait_watch *w)
{
    struct asking *a = container_of(w, struct asking, watch);
    a->woken = true;
    wait_wake_all(&a->queue);
}

static int files_out(const struct file *f, struct file **files, uint32_t count, node_id_t to,
                     struct file_ref *refs)
{
    const char *why;
    (void)f;
    for (uint32_t k = 0; k < count; k++) {
        int e = file_export(files[k], to, &refs[k], &why);
        if (e < 0) {
            while (k-- > 0)
                file_export_undo(files[k], to, &refs[k]);
            return e;
        }
    }
    return 0;
}

// Those that could be made; the rest is lost, as with a full descriptor table.
static uint32_t files_in(const uint8_t *at, uint32_t count, struct file **files)
{
    uint32_t made = 0;
    for (uint32_t k = 0; k < count; k++) {
        struct file_ref ref;
        memcpy(&ref, at + k * sizeof(ref), sizeof(ref));
        struct file *f = file_import(&ref);
        if (f)
            files[made++] = f;
    }
    return made;
}

static int64_t answer_parse(struct asking *a, const uint8_t *bytes, size_t n, int64_t result)
{
    struct socket_answer *s = &a->answer;
    if (n < sizeof(*s))
        return result < 0 ? result : -EIO;
    memcpy(s, bytes, sizeof(*s));
    size_t files = s->file_count * sizeof(struct file_ref);
    if (s->file_count > FILES_FAR_MAX || s->data_bytes > a->ask.room ||
        n != sizeof(*s) + files + s->data_bytes || s->name.bytes > SOCKET_NAME_BYTES)
        return -EIO;
    if (s->data_bytes)
        memcpy(a->out, bytes + sizeof(*s) + files, s->data_bytes);
    if (a->files && s->file_count)
        s->file_count = (uint16_t)files_in(bytes + sizeof(*s), s->file_count, a->files);
    return result;
}

static int64_t ask_once(struct file *f, struct asking *a)
{
    size_t files = a->ask.op == OP_SEND ? a->ask.file_count * sizeof(struct file_ref) : 0;
    size_t n = sizeof(a->ask) + files + a->ask.data_bytes;
    size_t room = sizeof(a->answer) + FILES_FAR_MAX * sizeof(struct file_ref) + a->ask.room,
           got = 0;
    if (n > FILE_DATA_MAX || room > FILE_DATA_MAX)
        return -EMSGSIZE;
    uint8_t *bytes = heap_alloc(n + room);
    if (bytes == NULL)
        return -ENOMEM;
    memcpy(bytes, &a->ask, sizeof(a->ask));
    int64_t e = files ? files_out(f, a->files, a->ask.file_count, f->home,
                                  (struct file_ref *)(bytes + sizeof(a->ask)))
                      : 0;
    if (e == 0) {
        if (a->ask.data_bytes)
            memcpy(bytes + sizeof(a->ask) + files, a->in, a->ask.data_bytes);
        e = f->ops->exchange(f, cluster_self(), bytes, n, bytes + n, room, &got);
        bool refused = e < 0 && got < sizeof(a->answer); // whoever answers has taken the files
        e = answer_parse(a, bytes + n, got, e);
        for (uint32_t k = 0; refused && files && k < a->ask.file_count; k++)
            file_export_undo(a->files[k], f->home, (struct file_ref *)(bytes + sizeof(a->ask)) + k);
    }
    heap_free(bytes);
    return e;
}

// Until it is not -EAGAIN; the deadline counts from when the home first told its timeout.
static int64_t ask(struct file *f, struct asking *a, uint64_t deadline_ns, bool waits)
{
    int64_t r;
    wait_init(&a->queue);
    list_init(&a->watch.link);
    waits = waits && !(f->flags & O_NONBLOCK);
    for (bool first = true;; first = false) {
        a->woken = false;
        if (waits)
            wait_watch_add(f->ops->poll_queue(f), &a->watch, on_wake);
        r = ask_once(f, a);
        if (r != -EAGAIN || !waits)
            break;
        if (first && deadline_ns == WAIT_FOREVER && a->answer.timeout_ns)
            deadline_ns = clock_now_ns() + a->answer.timeout_ns;
        int e = 0;
        while (!a->woken && e == 0)
            e = wait_sleep(&a->queue, deadline_ns, WAIT_INTERRUPTIBLE);
        wait_watch_remove(&a->watch);
        if (e < 0)
            return e == -ETIMEDOUT ? -EAGAIN : e;
    }
    wait_watch_remove(&a->watch);
    return r;
}

// ---- the calls ---------------------------------------------------------------------------------
int remote_bind(struct file *f, const struct socket_name *n, const struct socket_cred *by)
{
    struct asking a = {.ask = {.op = OP_BIND, .name = *n, .cred = *by}};
    return (int)ask(f, &a, WAIT_FOREVER, false);
}

int remote_connect(struct file *f, const struct socket_name *n, const struct socket_cred *by)
{
    struct asking a = {.ask = {.op = OP_CONNECT, .name = *n, .cred = *by}};
    return (int)ask(f, &a, WAIT_FOREVER, true);
}

int remote_connect_wait(struct file *f, uint64_t deadline_ns)
{
    struct asking a = {.ask = {.op = OP_CONNECTED}};
    int r = (int)ask(f, &a, deadline_ns, true);
    return r == -EAGAIN ? -EINPROGRESS : r;
}

int remote_listen(struct file *f, int32_t backlog, const struct socket_cred *by)
{
    struct asking a = {.ask = {.op = OP_LISTEN, .a = backlog, .cred = *by}};
    return (int)ask(f, &a, WAIT_FOREVER, false);
}

int remote_accept(struct file *f, uint32_t flags, uint64_t deadline_ns, struct file **accepted,
                  struct socket_name *peer)
{
    struct file *files[FILES_FAR_MAX];
    struct asking a = {.ask = {.op = OP_ACCEPT, .files_wanted = 1, .flags = flags}, .files = files};
    int64_t r = ask(f, &a, deadline_ns, true);
    if (r < 0)
        return (int)r;
    if (a.answer.file_count != 1)
        return -ENOMEM;
    *accepted = files[0];
    *peer = a.answer.name;
    return 0;
}

int remote_name_of(struct file *f, bool peer, struct socket_name *n)
{
    struct asking a = {.ask = {.op = OP_NAME, .a = peer}};
    int r = (int)ask(f, &a, WAIT_FOREVER, false);
    *n = a.answer.name;
    return r;
}

int remote_shutdown(struct file *f, int32_t how)
{
    struct asking a = {.ask = {.op = OP_SHUTDOWN, .a = how}};
    return (int)ask(f, &a, WAIT_FOREVER, false);
}

int remote_set_option(struct file *f, int32_t level, int32_t option, const void *value, size_t n)
{
    struct asking a = {.ask = {.op = OP_SET, .a = level, .b = option, .data_bytes = (uint32_t)n},
                       .in = value};
    return (int)ask(f, &a, WAIT_FOREVER, false);
}

long remote_get_option(struct file *f, int32_t level, int32_t option, void *value)
{
    struct asking a = {.ask = {.op = OP_GET, .a = level, .b = option, .room = SOCKET_OPTION_BYTES},
                       .out = value};
    return (long)ask(f, &a, WAIT_FOREVER, false);
}

bool remote_is_stream(struct file *f)
{
    struct asking a = {.ask = {.op = OP_IS_STREAM}};
    return ask(f, &a, WAIT_FOREVER, false) == 1;
}

long remote_ioctl(struct file *f, uint32_t request, void *data, size_t *n)
{
    struct asking a = {.ask = {.op = OP_IOCTL,
                               .a = (int32_t)request,
                               .data_bytes = (uint32_t)*n,
                               .room = SOCKET_IOCTL_BYTES},
                       .in = data,
                       .out = data};
    int64_t r = ask(f, &a, WAIT_FOREVER, false);
    *n = a.answer.data_bytes;
    return (long)r;
}

int remote_send(struct file *f, struct socket_message *m)
{
    struct xfer start = *m->data;
    bool stream = remote_is_stream(f);
    size_t n = stream ? MIN(m->data->left, DATA_FAR_MAX) : m->data->left;
    if (n > DATA_FAR_MAX || m->file_count > FILES_FAR_MAX)
        return -EMSGSIZE;
    uint8_t *bytes = heap_alloc(MAX(n, 1));
    if (bytes == NULL)
        return -ENOMEM;
    uint32_t not_yet = n < m->data->left ? MSG_OOB : 0; // the last byte of all is the urgent one
    struct asking a = {.ask = {.op = OP_SEND,
                               .flags = m->flags & ~not_yet,
                               .file_count = (uint16_t)m->file_count,
                               .cred = m->cred,
                               .name = m->name,
                               .data_bytes = (uint32_t)n},
                       .in = bytes,
                       .files = m->files};
    int64_t r = n ? xfer_take_all(m->data, bytes, n) : 0;
    if (r == 0)
        r = ask(f, &a, m->deadline_ns, !(m->flags & MSG_DONTWAIT));
    heap_free(bytes);
    *m->data = start;
    if (r < 0)
        return (int)r;
    m->file_count = 0;
    size_t took = MIN((size_t)r, n);
    m->data->done += took;
    m->data->left -= took;
    m->data->user_at += m->data->user ? (uint32_t)took : 0;
    m->data->kernel_at += m->data->user ? 0 : took;
    return 0;
}

int remote_receive(struct file *f, struct socket_message *m)
{
    size_t n = MIN(m->data->left, DATA_FAR_MAX);
    // Bytes that left the socket must have a place to go to.
    int e = m->data->user && n > 0 ? user_fault_in(m->data->user_at, n, true) : 0;
    uint8_t *bytes = e < 0 ? NULL : heap_alloc(MAX(n, 1));
    if (bytes == NULL)
        return e < 0 ? e : -ENOMEM;
    struct asking a = {.ask = {.op = OP_RECEIVE,
                               .a = m->data->done > 0,
                               .flags = m->flags & ~(uint32_t)MSG_WAITALL,
                               .files_wanted = m->files != NULL,
                               .room = (uint32_t)n,
                               .skip = m->full},
                       .out = bytes,
                       .files = m->files};
    int64_t r = ask(f, &a, m->deadline_ns, !(m->flags & MSG_DONTWAIT));
    const struct socket_answer *s = &a.answer;
    if (r >= 0) {
        m->name = s->name;
        m->cred = s->cred;
        m->told |= s->told;
        m->full = s->full;
        m->cred_wanted = s->cred_wanted;
        m->ip_wanted = s->ip_wanted;
        m->ttl = s->ttl;
        m->tos = s->tos;
        m->to_ip = s->to_ip;
        m->time_ns = s->time_ns;
        m->low_water = s->low_water;
        m->file_count = s->file_count;
        e = xfer_put_all(m->data, bytes, s->data_bytes);
    }
    heap_free(bytes);
    return r < 0 ? (int)r : e;
}

// ---- serving -----------------------------------------------------------------------------------
struct serving {
    struct socket_ask ask;
    struct socket_answer answer;
    struct file *file;
    const uint8_t *data;
    uint8_t *out;
    struct file **files; // FILES_FAR_MAX
    uint32_t file_count; // that go back
};

static int64_t serve_accept(struct serving *s)
{
    struct file *f;
    int e = socket_accept(s->file, s->ask.flags, 0, &f, &s->answer.name); // does not wait
    if (e < 0)
        return e;
    s->files[0] = f;
    s->file_count = 1;
    return 0;
}

static int64_t serve_send(struct serving *s)
{
    struct xfer x;
    xfer_kernel(&x, (void *)s->data, s->ask.data_bytes); // only read from
    struct socket_message m = {.data = &x,
                               .flags = s->ask.flags | MSG_DONTWAIT,
                               .deadline_ns = WAIT_FOREVER,
                               .name = s->ask.name,
                               .cred = s->ask.cred,
                               .files = s->files,
                               .file_count = s->ask.file_count};
    return socket_send(s->file, &m);
}

static int64_t serve_receive(struct serving *s)
{
    struct xfer x;
    xfer_kernel(&x, (char *)s->out, s->ask.room);
    struct socket_message m = {.data = &x,
                               .flags = s->ask.flags | MSG_DONTWAIT,
                               .deadline_ns = WAIT_FOREVER,
                               .begun = s->ask.a != 0,
                               .full = s->ask.skip,
                               .files = s->ask.files_wanted ? s->files : NULL};
    long r = socket_receive(s->file, &m);
    s->answer = (struct socket_answer){.name = m.name,
                                       .cred = m.cred,
                                       .told = m.told,
                                       .full = m.full,
                                       .cred_wanted = m.cred_wanted,
                                       .ip_wanted = m.ip_wanted,
                                       .ttl = m.ttl,
                                       .tos = m.tos,
                                       .to_ip = m.to_ip,
                                       .time_ns = m.time_ns,
                                       .low_water = m.low_water};
    while (m.file_count > FILES_FAR_MAX) {
        file_put(s->files[--m.file_count]);
        s->answer.told |= MSG_CTRUNC;
    }
    s->file_count = m.file_count;
    s->answer.data_bytes = r > 0 ? (uint32_t)x.done : 0;
    return r;
}

static int64_t serve_connected(struct serving *s)
{
    int e = socket_connect_wait(s->file, 0); // a deadline that has passed
    return e == -EINPROGRESS ? -EAGAIN : e;
}

static int64_t serve_value(struct serving *s)
{
    uint8_t value[SOCKET_IOCTL_BYTES] = {0};
    size_t n = s->ask.data_bytes;
    int64_t r = -EINVAL;
    if (n > sizeof(value))
        return r;
    memcpy(value, s->data, n);
    if (s->ask.op == OP_SET)
        return socket_set_option(s->file, s->ask.a, s->ask.b, value, n);
    if (s->ask.op == OP_GET)
        r = socket_get_option(s->file, s->ask.a, s->ask.b, value);
    else
        r = socket_ioctl(s->file, (uint32_t)s->ask.a, value, &n);
    if (r < 0)
        return r;
    n = MIN(s->ask.op == OP_GET ? (size_t)r : n, (size_t)s->ask.room);
    memcpy(s->out, value, n);
    s->answer.data_bytes = (uint32_t)n;
    return r;
}

static int64_t serve(struct serving *s)
{
    const struct socket_ask *a = &s->ask;
    switch ((enum socket_op)a->op) {
    case OP_BIND:
        return socket_bind(s->file, &a->name, &a->cred);
    case OP_CONNECT:
        return socket_connect_step(s->file, &a->name, &a->cred);
    case OP_CONNECTED:
        return serve_connected(s);
    case OP_LISTEN:
        return socket_listen(s->file, a->a, &a->cred);
    case OP_ACCEPT:
        return serve_accept(s);
    case OP_NAME:
        return socket_name_of(s->file, a->a, &s->answer.name);
    case OP_SHUTDOWN:
        return socket_shutdown(s->file, a->a);
    case OP_SET:
    case OP_GET:
    case OP_IOCTL:
        return serve_value(s);
    case OP_SEND:
        return serve_send(s);
    case OP_RECEIVE:
        return serve_receive(s);
    case OP_IS_STREAM:
        return socket_is_stream(s->file);
    case OPS:
        break;
    }
    return -ENOSYS;
}

static bool well_formed(const struct socket_ask *a, size_t n, size_t out_size)
{
    return a->name.bytes <= SOCKET_NAME_BYTES && a->file_count <= FILES_FAR_MAX &&
           a->data_bytes <= FILE_DATA_MAX &&
           n == sizeof(*a) + a->file_count * sizeof(struct file_ref) + a->data_bytes &&
           a->room <= FILE_DATA_MAX &&
           out_size >=
               sizeof(struct socket_answer) + a->room + FILES_FAR_MAX * sizeof(struct file_ref);
}

// The answer: fixed part, files, data; the data was written where it belongs without files.
static int64_t answer_put(struct serving *s, node_id_t to, uint8_t *out, size_t *out_bytes,
                          int64_t r)
{
    struct file_ref *refs = (struct file_ref *)(out + sizeof(s->answer));
    size_t files = s->file_count * sizeof(*refs);
    if (s->file_count > 0) {
        memmove(out + sizeof(s->answer) + files, s->out, s->answer.data_bytes);
        if (files_out(s->file, s->files, s->file_count, to, refs) < 0) {
            memmove(out + sizeof(s->answer), out + sizeof(s->answer) + files, s->answer.data_bytes);
            s->answer.told |= MSG_CTRUNC;
            files = 0;
        }
        for (uint32_t k = 0; k < s->file_count; k++)
            file_put(s->files[k]);
    }
    s->answer.file_count = (uint16_t)(files / sizeof(*refs));
    memcpy(out, &s->answer, sizeof(s->answer));
    *out_bytes = sizeof(s->answer) + files + s->answer.data_bytes;
    return r;
}

int64_t socket_exchange(struct file *f, node_id_t from, const void *in, size_t in_bytes, void *out,
                        size_t out_size, size_t *out_bytes)
{
    struct file *files[SOCKET_FILES_MAX];
    struct serving s = {.file = f, .out = (uint8_t *)out + sizeof(s.answer), .files = files};
    struct socket *own = socket_of(f);
    *out_bytes = 0;
    if (in_bytes < sizeof(s.ask))
        return -EPROTO;
    memcpy(&s.ask, in, sizeof(s.ask));
    if (!well_formed(&s.ask, in_bytes, out_size))
        return -EPROTO;
    const uint8_t *refs = (const uint8_t *)in + sizeof(s.ask);
    s.data = refs + s.ask.file_count * sizeof(struct file_ref);
    uint32_t came = files_in(refs, s.ask.file_count, files);
    s.ask.file_count = (uint16_t)came;
    int64_t r = serve(&s);
    if (own && r == -EAGAIN)
        s.answer.timeout_ns = s.ask.op == OP_SEND ? own->send_timeout_ns : own->receive_timeout_ns;
    for (uint32_t k = 0; k < came; k++)
        file_put(files[k]);
    return answer_put(&s, from, out, out_bytes, r);
}
