// SPDX-License-Identifier: MIT
// POSIX message queues. A call that waits watches the queue as poll does and tries again; its
// deadline is an instant of real time, kept on the cluster's clock.
#include "ssi/stream/mqueue.h"
#include "kernel/thread.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/linux/file.h"
#include "ssi/process/linux_abi.h"

#define SI_MESGQ   (-3)
#define SIGNAL_MAX 64

enum {
    SIGEV_SIGNAL = 0,
    SIGEV_NONE = 1,
    SIGEV_THREAD = 2
};

struct linux_mq_attr {
    int32_t flags, messages_max, message_bytes_max, messages, reserved[4];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_mq_attr) == 32, "mq_attr of the ABI");

struct linux_sigevent { // its first words
    int32_t value, signal, notify;
} PACKED;

// ---- names -------------------------------------------------------------------------------------
static int facts_in(uint32_t user, uint32_t flags, struct mqueue_facts *m)
{
    struct linux_mq_attr a;
    int e = user_read(&a, user, sizeof(a));
    if (e < 0)
        return e;
    bool good = a.messages_max > 0 && a.message_bytes_max > 0;
    *m = (struct mqueue_facts){good ? (uint32_t)a.messages_max : 0, (uint32_t)a.message_bytes_max,
                               0};
    if (!good) // refused if it is made, else not looked at
        *m = (struct mqueue_facts){flags & O_CREAT ? UINT32_MAX : 1, 1, 0};
    return 0;
}

long sys_mq_open(struct call *c)
{
    struct process *p = process_current();
    struct mqueue_facts facts;
    uint32_t flags = c->args[1];
    struct fs_who who;
    struct file *f = NULL;
    char *name;
    int e = c->args[3] ? facts_in(c->args[3], flags, &facts) : 0;
    if (e == 0)
        e = linux_path_in(c->args[0], &name);
    if (e < 0)
        return e;
    process_who(p, &who);
    e = mqueue_open(&who, name, flags, c->args[2], c->args[3] ? &facts : NULL,
                    p->limits[RLIMIT_MSGQUEUE].current, &f);
    heap_free(name);
    if (e < 0)
        return e;
    int fd = fd_install(process_current()->files, f, 0, true); // exec closes queues (mq_open(3))
    if (fd < 0)
        file_put(f);
    return fd;
}

long sys_mq_unlink(struct call *c)
{
    struct fs_who who;
    char *name;
    int e = linux_path_in(c->args[0], &name);
    if (e < 0)
        return e;
    process_who(process_current(), &who);
    e = mqueue_unlink(&who, name);
    heap_free(name);
    return e;
}

// ---- waiting -----------------------------------------------------------------------------------
// c->deadline_ns from an absolute time at `user`: 0, -EFAULT, -EINVAL.
static int deadline_in(struct call *c, uint32_t user, bool wide)
{
    uint64_t at = 0, now = cluster_real_ns();
    if (c->deadline_ns)
        return 0;
    int e = user ? linux_timespec_in(user, wide, &at) : 0;
    if (e == 0)
        (void)linux_deadline(c, user ? at - MIN(at, now) : UINT64_MAX);
    return e;
}

static int await(const struct call *c, struct file *f, unsigned event)
{
    return file_await(f, event, linux_deadline_local(c->deadline_ns));
}

// The queue of a descriptor that may read or write; NULL with *e.
static struct file *queue_of(uint32_t fd, bool writes, struct mqueue_facts *facts, int *e)
{
    struct file *f = file_of(fd);
    uint32_t mode = f ? f->flags & O_ACCMODE : 0;
    bool may = mode == O_RDWR || mode == (writes ? O_WRONLY : O_RDONLY);
    *e = f ? mqueue_look(f, facts) : -EBADF;
    if (*e == 0 && !may)
        *e = -EBADF;
    if (*e == 0)
        return f;
    if (f)
        file_put(f);
    return NULL;
}

// ---- sending -----------------------------------------------------------------------------------
static void tell(const struct mqueue_notice *n)
{
    struct process *p = process_current();
    struct signal_info info = {.signal = n->signal,
                               .code = SI_MESGQ,
                               .pid = p->pid,
                               .uid = process_acting(p)->uid,
                               .value = n->value};
    if (n->pid && n->signal)
        (void)signal_kill(p, n->pid, &info); // who is gone hears nothing
}

static long send(struct call *c, struct file *f, const void *bytes)
{
    struct mqueue_head head = {.priority = c->args[3], .bytes = c->args[2]};
    struct mqueue_notice told = {0};
    int e;
    while ((e = mqueue_send(f, bytes, head, &told)) == -EAGAIN && !(f->flags & O_NONBLOCK))
        if ((e = await(c, f, POLL_OUT)) < 0)
            return e;
    if (e == 0)
        tell(&told);
    return e;
}

static long timed_send(struct call *c, bool wide)
{
    struct mqueue_facts facts;
    int e = deadline_in(c, c->args[4], wide);
    if (e == 0 && c->args[3] >= MQUEUE_PRIORITIES)
        e = -EINVAL;
    struct file *f = e == 0 ? queue_of(c->args[0], true, &facts, &e) : NULL;
    if (f == NULL)
        return e;
    uint32_t n = c->args[2];
    char *bytes = n <= facts.message_bytes_max ? heap_alloc(MAX(n, 1u)) : NULL;
    long r = bytes                         ? user_read(bytes, c->args[1], n)
             : n > facts.message_bytes_max ? -EMSGSIZE
                                           : -ENOMEM;
    if (r == 0)
        r = send(c, f, bytes);
    heap_free(bytes);
    file_put(f);
    return r;
}

long sys_mq_timedsend(struct call *c)
{
    return timed_send(c, false);
}

long sys_mq_timedsend_time64(struct call *c)
{
    return timed_send(c, true);
}

// ---- receiving ---------------------------------------------------------------------------------
static long receive(struct call *c, struct file *f, void *bytes, size_t size,
                    struct mqueue_head *head)
{
    int e;
    while ((e = mqueue_receive(f, bytes, size, head)) == -EAGAIN && !(f->flags & O_NONBLOCK)) {
        mqueue_waits(f, 1);
        e = await(c, f, POLL_IN);
        mqueue_waits(f, -1);
        if (e < 0)
            return e;
    }
    return e;
}

static long timed_receive(struct call *c, bool wide)
{
    struct mqueue_facts facts;
    struct mqueue_head head = {0};
    int e = deadline_in(c, c->args[4], wide);
    struct file *f = e == 0 ? queue_of(c->args[0], false, &facts, &e) : NULL;
    if (f == NULL)
        return e;
    uint32_t size = facts.message_bytes_max;
    long r = c->args[2] < size ? -EMSGSIZE : 0;
    char *bytes = r == 0 ? heap_alloc(size) : NULL;
    if (r == 0)
        r = bytes ? receive(c, f, bytes, size, &head) : -ENOMEM;
    if (r == 0 && c->args[3])
        r = user_write(c->args[3], &head.priority, sizeof(head.priority));
    if (r == 0)
        r = user_write(c->args[1], bytes, head.bytes);
    heap_free(bytes);
    file_put(f);
    return r < 0 ? r : (long)head.bytes;
}

long sys_mq_timedreceive(struct call *c)
{
    return timed_receive(c, false);
}

long sys_mq_timedreceive_time64(struct call *c)
{
    return timed_receive(c, true);
}

// ---- notice and attributes ---------------------------------------------------------------------
long sys_mq_notify(struct call *c)
{
    struct linux_sigevent s = {.notify = SIGEV_NONE};
    struct mqueue_notice n = {.pid = process_current()->pid};
    struct mqueue_facts facts;
    int e = c->args[1] ? user_read(&s, c->args[1], sizeof(s)) : 0;
    if (e == 0 && s.notify != SIGEV_NONE && s.notify != SIGEV_SIGNAL)
        e = s.notify == SIGEV_THREAD ? -ENOSYS : -EINVAL; // netlink sockets are told nothing
    if (e == 0 && s.notify == SIGEV_SIGNAL && (uint32_t)s.signal > SIGNAL_MAX)
        e = -EINVAL;
    if (e < 0)
        return e;
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    n.signal = s.notify == SIGEV_SIGNAL ? s.signal : 0;
    n.value = s.value;
    e = mqueue_look(f, &facts);
    if (e == 0)
        e = mqueue_notify(f, &n, c->args[1] == 0);
    file_put(f);
    return e;
}

long sys_mq_getsetattr(struct call *c)
{
    struct linux_mq_attr set = {0}, old = {0};
    struct mqueue_facts facts;
    int e = c->args[1] ? user_read(&set, c->args[1], sizeof(set)) : 0;
    if (e == 0 && (set.flags & ~(int32_t)O_NONBLOCK))
        e = -EINVAL;
    if (e < 0)
        return e;
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    e = mqueue_look(f, &facts);
    if (e == 0) {
        old.flags = (int32_t)(f->flags & O_NONBLOCK);
        old.messages_max = (int32_t)facts.messages_max;
        old.message_bytes_max = (int32_t)facts.message_bytes_max;
        old.messages = (int32_t)facts.messages;
        if (c->args[1])
            f->flags = (f->flags & ~O_NONBLOCK) | (uint32_t)set.flags;
        e = c->args[2] ? user_write(c->args[2], &old, sizeof(old)) : 0;
    }
    file_put(f);
    return e;
}
