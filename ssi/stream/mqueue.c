// SPDX-License-Identifier: MIT
#include "ssi/stream/mqueue.h"
#include "lib/errno.h"
#include "lib/fmt.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/proxy.h"
#include "ssi/fs/wire.h"
#include "ssi/stream/mqueue_priv.h"

#define MESSAGES_MAX      65536u // for the superuser
#define MESSAGE_OVERHEAD  72u    // what Linux counts beside a message's bytes
#define MESSAGE_BYTES_MAX (FILE_DATA_MAX - sizeof(struct mqueue_head))
#define DEVICE            14

// Requests between nodes, never a user's.
enum {
    QUEUE_LOOK = 0xffffffe0u,
    QUEUE_SEND,
    QUEUE_RECEIVE,
    QUEUE_WAITS,
    QUEUE_NOTIFY,
    QUEUE_NOTIFY_OFF,
};

struct message {
    struct list link; // the highest priority first, the oldest of one priority first
    struct mqueue_head head;
    uint8_t bytes[];
};

struct mqueue {
    struct list link; // while it has a name
    struct list messages;
    struct wait_queue changed;
    struct mqueue_facts facts;
    struct mqueue_notice notice;
    const struct file *notice_by;
    uint32_t users; // open files
    uint32_t waiting;
    uint32_t mode, uid, gid;
    uint64_t number, charged_bytes;
    int64_t made_ns;
    bool named;
    char name[NAME_MAX_BYTES + 1];
};

struct mqueue_list {
    struct list all; // with names
    uint64_t last_number;
    bool set_up;
};

NODE_VAR(struct mqueue_list, mqueues);

struct mqueue_use { // an open file
    struct mqueue *queue;
    uint32_t waiting; // of those who use it
};

static struct list *all(void)
{
    struct mqueue_list *l = &node(mqueues);
    if (!l->set_up) {
        list_init(&l->all);
        l->set_up = true;
    }
    return &l->all;
}

static struct mqueue *named(const char *name)
{
    struct mqueue *q;
    list_for_each (q, all(), link)
        if (strcmp(q->name, name) == 0)
            return q;
    return NULL;
}

static struct mqueue *queue_of(const struct file *f)
{
    return ((struct mqueue_use *)f->data)->queue;
}

static void message_drop(struct mqueue *q, struct message *m)
{
    list_remove(&m->link);
    q->facts.messages--;
    heap_free(m);
}

static void queue_free_unused(struct mqueue *q)
{
    if (q->named || q->users)
        return;
    while (!list_empty(&q->messages))
        message_drop(q, list_entry(q->messages.next, struct message, link));
    heap_free(q);
}

// ---- messages ----------------------------------------------------------------------------------
static int send_here(struct file *f, const struct mqueue_head *head, const void *bytes,
                     struct mqueue_notice *told)
{
    struct mqueue *q = queue_of(f);
    if (head->bytes > q->facts.message_bytes_max)
        return -EMSGSIZE;
    if (q->facts.messages >= q->facts.messages_max)
        return -EAGAIN;
    struct message *m = heap_alloc(sizeof(*m) + head->bytes);
    if (m == NULL)
        return -ENOMEM;
    m->head = *head;
    memcpy(m->bytes, bytes, head->bytes);
    struct list *at = q->messages.prev; // behind what is at least as urgent
    while (at != &q->messages &&
           list_entry(at, struct message, link)->head.priority < head->priority)
        at = at->prev;
    list_push(at, &m->link);
    *told = (struct mqueue_notice){0};
    if (q->facts.messages++ == 0 && q->waiting == 0) {
        *told = q->notice;
        q->notice = (struct mqueue_notice){0};
    }
    wait_wake_all(&q->changed);
    return 0;
}

static int receive_here(struct file *f, struct mqueue_head *head, void *to, size_t size)
{
    struct mqueue *q = queue_of(f);
    if (size < q->facts.message_bytes_max)
        return -EMSGSIZE;
    if (list_empty(&q->messages))
        return -EAGAIN;
    struct message *m = list_entry(q->messages.next, struct message, link);
    *head = m->head;
    memcpy(to, m->bytes, m->head.bytes);
    message_drop(q, m);
    wait_wake_all(&q->changed);
    return 0;
}

// ---- the open file -----------------------------------------------------------------------------
static int queue_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    const struct mqueue *q = queue_of(f);
    char line[96];
    struct text t;
    size_t queued = 0;
    struct message *m;
    (void)at;
    list_for_each (m, &q->messages, link)
        queued += m->head.bytes;
    text_init(&t, line, sizeof(line));
    text_add(&t, "QSIZE:%-10u NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", (unsigned)queued, 0,
             q->notice.signal, q->notice.pid);
    size_t from = (size_t)MIN(f->offset, (uint64_t)t.length);
    size_t n = xfer_put(x, line + from, MIN(t.length - from, x->left));
    f->offset += n;
    return 0;
}

static unsigned queue_poll(struct file *f)
{
    const struct mqueue *q = queue_of(f);
    return (q->facts.messages ? POLL_IN : 0) |
           (q->facts.messages < q->facts.messages_max ? POLL_OUT : 0);
}

static struct wait_queue *queue_poll_queue(struct file *f)
{
    return &queue_of(f)->changed;
}

static int queue_stat(struct file *f, struct fs_stat *st)
{
    const struct mqueue *q = queue_of(f);
    *st = (struct fs_stat){
        .dev = DEVICE,
        .inode = q->number,
        .bytes = 80, // as mqueue file systems have it
        .mode = S_IFREG | q->mode,
        .links = q->named,
        .uid = q->uid,
        .gid = q->gid,
        .atime_ns = q->made_ns,
        .mtime_ns = q->made_ns,
        .ctime_ns = q->made_ns,
    };
    return 0;
}

static void waits_here(struct mqueue_use *u, int32_t more)
{
    more = more > 0 ? 1 : -(int32_t)MIN(u->waiting, 1u);
    u->waiting += (uint32_t)more;
    u->queue->waiting += (uint32_t)more;
}

static int notify_here(struct file *f, const struct mqueue_notice *n, bool off)
{
    struct mqueue *q = queue_of(f);
    if (!off && q->notice.pid)
        return -EBUSY;
    if (off && q->notice.pid != n->pid)
        return 0;
    q->notice = *n;
    if (off)
        q->notice = (struct mqueue_notice){0};
    q->notice_by = f;
    return 0;
}

static long queue_ioctl(struct file *f, uint32_t request, void *data, size_t in, size_t out)
{
    struct mqueue_head head;
    struct mqueue_notice n;
    int32_t more;
    int e;
    if (request == QUEUE_LOOK && out == sizeof(struct mqueue_facts)) {
        memcpy(data, &queue_of(f)->facts, out);
        return 0;
    }
    if (request == QUEUE_SEND && in >= sizeof(head) && out == sizeof(n)) {
        memcpy(&head, data, sizeof(head));
        if (head.bytes != in - sizeof(head))
            return -EINVAL;
        e = send_here(f, &head, (uint8_t *)data + sizeof(head), &n);
        memcpy(data, &n, e < 0 ? 0 : sizeof(n));
        return e;
    }
    if (request == QUEUE_RECEIVE && out >= sizeof(head)) {
        e = receive_here(f, &head, (uint8_t *)data + sizeof(head), out - sizeof(head));
        memcpy(data, &head, e < 0 ? 0 : sizeof(head));
        return e;
    }
    if (request == QUEUE_WAITS && in == sizeof(more)) {
        memcpy(&more, data, sizeof(more));
        waits_here(f->data, more);
        return 0;
    }
    if ((request == QUEUE_NOTIFY || request == QUEUE_NOTIFY_OFF) && in == sizeof(n)) {
        memcpy(&n, data, sizeof(n));
        return notify_here(f, &n, request == QUEUE_NOTIFY_OFF);
    }
    return -ENOTTY;
}

static void queue_release(struct file *f)
{
    struct mqueue_use *u = f->data;
    struct mqueue *q = u->queue;
    while (u->waiting)
        waits_here(u, -1);
    if (q->notice_by == f)
        q->notice = (struct mqueue_notice){0};
    q->users--;
    heap_free(u);
    queue_free_unused(q);
}

static const struct file_ops queue_ops = {
    .name = "mqueue",
    .read = queue_read,
    .ioctl = queue_ioctl,
    .poll = queue_poll,
    .poll_queue = queue_poll_queue,
    .stat = queue_stat,
    .release = queue_release,
};

// ---- names, at the home ------------------------------------------------------------------------
static int name_check(const char *name)
{
    if (name[0] == '\0')
        return -ENOENT;
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EACCES;
    return strlen(name) > NAME_MAX_BYTES ? -ENAMETOOLONG : 0;
}

// 0 with what it takes, or -EINVAL, -EMFILE, -ENOSPC.
static int facts_check(const struct fs_who *who, const struct mqueue_facts *m, uint64_t bytes_max,
                       uint64_t *bytes)
{
    bool super = fs_can(who, CAP_SYS_RESOURCE);
    uint32_t count = 0;
    struct mqueue *q;
    if (m->messages_max == 0 ||
        m->messages_max > (super ? MESSAGES_MAX : MQUEUE_MESSAGES_DEFAULT) ||
        m->message_bytes_max == 0 ||
        m->message_bytes_max > (super ? MESSAGE_BYTES_MAX : MQUEUE_BYTES_DEFAULT))
        return -EINVAL;
    *bytes = (uint64_t)m->messages_max * (m->message_bytes_max + MESSAGE_OVERHEAD);
    uint64_t sum = *bytes;
    list_for_each (q, all(), link) {
        count++;
        sum += q->uid == who->uid ? q->charged_bytes : 0;
    }
    if (count >= MQUEUE_QUEUES_MAX && !super)
        return -ENOSPC;
    return sum > bytes_max ? -EMFILE : 0;
}

static int queue_make(const struct name_call *c, const struct mqueue_facts *m, struct mqueue **made)
{
    uint64_t bytes;
    int e = facts_check(c->who, m, (uint64_t)c->in.mtime_ns, &bytes);
    if (e < 0)
        return e;
    struct mqueue *q = heap_zalloc(sizeof(*q));
    if (q == NULL)
        return -ENOMEM;
    *q = (struct mqueue){.facts = *m,
                         .mode = c->in.mode & 07777 & ~c->who->umask,
                         .uid = c->who->uid,
                         .gid = c->who->gid,
                         .number = ++node(mqueues).last_number,
                         .charged_bytes = bytes,
                         .made_ns = (int64_t)cluster_real_ns(),
                         .named = true};
    str_copy(q->name, c->path, sizeof(q->name));
    list_init(&q->messages);
    wait_init(&q->changed);
    list_append(all(), &q->link);
    *made = q;
    return 0;
}

static int open_check(const struct name_call *c, const struct mqueue *q)
{
    static const unsigned wants[] = {MAY_R, MAY_W, MAY_R | MAY_W};
    uint32_t access = c->in.flags & O_ACCMODE;
    if ((c->in.flags & O_CREAT) && (c->in.flags & O_EXCL))
        return -EEXIST;
    if (access == O_ACCMODE)
        return -EINVAL;
    return fs_may(c->who, S_IFREG | q->mode, q->uid, q->gid, wants[access]) ? 0 : -EACCES;
}

static void unname(struct mqueue *q)
{
    list_remove(&q->link);
    q->named = false;
    queue_free_unused(q);
}

int mqueue_open_here(struct name_call *c)
{
    struct mqueue_facts m = {MQUEUE_MESSAGES_DEFAULT, MQUEUE_BYTES_DEFAULT, 0};
    bool given = c->in.value != 0, makes = false;
    int e = name_check(c->path);
    struct mqueue *q = e == 0 ? named(c->path) : NULL;
    if (given) {
        m.messages_max = (uint32_t)c->in.value;
        m.message_bytes_max = (uint32_t)(c->in.value >> 32);
    }
    if (e == 0 && q)
        e = open_check(c, q);
    else if (e == 0 && !(makes = c->in.flags & O_CREAT))
        e = -ENOENT;
    else if (e == 0)
        e = queue_make(c, &m, &q);
    if (e < 0)
        return e;
    struct mqueue_use *u = heap_zalloc(sizeof(*u));
    c->file = u ? file_new(&queue_ops, c->in.flags & (O_ACCMODE | O_NONBLOCK), u) : NULL;
    if (c->file) {
        u->queue = q;
        q->users++;
        return 0;
    }
    heap_free(u);
    if (makes)
        unname(q);
    return -ENOMEM;
}

int mqueue_unlink_here(struct name_call *c)
{
    int e = name_check(c->path);
    struct mqueue *q = e == 0 ? named(c->path) : NULL;
    if (e < 0 || q == NULL)
        return e < 0 ? e : -ENOENT;
    if (c->who->uid != q->uid && !fs_can(c->who, CAP_FOWNER))
        return -EPERM;
    unname(q);
    return 0;
}

int mqueue_open(const struct fs_who *who, const char *name, uint32_t flags, uint32_t mode,
                const struct mqueue_facts *facts, uint32_t bytes_max, struct file **f)
{
    struct name_call c = {
        .in = {.op = NAME_QUEUE, .flags = flags, .mode = mode}, .who = who, .path = name};
    c.in.value = facts ? (uint64_t)facts->message_bytes_max << 32 | facts->messages_max : 0;
    c.in.mtime_ns = bytes_max;
    int e = name_perform(&c);
    *f = c.file;
    return e;
}

int mqueue_unlink(const struct fs_who *who, const char *name)
{
    struct name_call c = {.in = {.op = NAME_QUEUE_UNLINK}, .who = who, .path = name};
    return name_perform(&c);
}

// ---- on a queue of any node --------------------------------------------------------------------
static int asked(struct file *f, uint32_t request, void *data, size_t in, size_t out)
{
    struct file_ask a = {
        .op = FILE_IOCTL, .request = request, .in_bytes = (uint32_t)in, .out_size = (uint32_t)out};
    struct file_reply reply;
    int64_t e = -EBADF;
    if (f->ops == &queue_ops)
        e = queue_ioctl(f, request, data, in, out);
    else if (proxy_is(f) && f->ops->seek == NULL && in <= FILE_DATA_MAX && out <= FILE_DATA_MAX) {
        e = proxy_ask(f, &a, data, data, &reply);
        if (e >= 0 && reply.bytes != out)
            e = -EIO;
    }
    return e == -ENOTTY ? -EBADF : (int)e;
}

int mqueue_look(struct file *f, struct mqueue_facts *facts)
{
    return asked(f, QUEUE_LOOK, facts, 0, sizeof(*facts));
}

int mqueue_send(struct file *f, const void *bytes, struct mqueue_head head,
                struct mqueue_notice *told)
{
    size_t n = sizeof(head) + head.bytes;
    uint8_t *data = heap_alloc(MAX(n, sizeof(*told)));
    if (data == NULL)
        return -ENOMEM;
    memcpy(data, &head, sizeof(head));
    memcpy(data + sizeof(head), bytes, head.bytes);
    int e = asked(f, QUEUE_SEND, data, n, sizeof(*told));
    memcpy(told, data, sizeof(*told));
    heap_free(data);
    return e;
}

int mqueue_receive(struct file *f, void *to, size_t size, struct mqueue_head *head)
{
    size_t n = sizeof(*head) + size;
    uint8_t *data = heap_alloc(n);
    if (data == NULL)
        return -ENOMEM;
    int e = asked(f, QUEUE_RECEIVE, data, 0, n);
    if (e == 0)
        memcpy(head, data, sizeof(*head));
    if (e == 0 && head->bytes > size)
        e = -EIO; // so says its home, another node
    if (e == 0)
        memcpy(to, data + sizeof(*head), head->bytes);
    heap_free(data);
    return e;
}

void mqueue_waits(struct file *f, int32_t more)
{
    (void)asked(f, QUEUE_WAITS, &more, sizeof(more), 0); // a dead home has nobody that waits
}

int mqueue_notify(struct file *f, const struct mqueue_notice *n, bool off)
{
    struct mqueue_notice copy = *n;
    return asked(f, off ? QUEUE_NOTIFY_OFF : QUEUE_NOTIFY, &copy, sizeof(copy), 0);
}
